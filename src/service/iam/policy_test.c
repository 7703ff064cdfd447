/* Policies: refusals in AWS's words, operators, variables, principals, patterns; AWS's documentation is the
 * source of what is expected. */

#include "base/test.h"
#include "service/iam/iam.h"
#include "service/iam/policy.h"

#include <stdio.h>

/* 'x' stands for "x", so that documents can be read. */
static Str quoted(Arena *arena, const char *text)
{
    Str copy = arena_str(arena, str_of(text));
    for (char *p = (char *)(uintptr_t)copy.ptr; *p; p++)
        if (*p == '\'')
            *p = '"';
        else if (*p == '`')
            *p = '\'';
    return copy;
}

#define STATEMENT(text) "{'Version':'2012-10-17','Statement':[" text "]}"

TEST(policy, refusals)
{
    static const struct {
        PolicyKind kind;
        const char *text, *want;
    } cases[] = {
        {POLICY_IDENTITY, "", "This policy contains invalid Json"},
        {POLICY_IDENTITY, "{", "This policy contains invalid Json"},
        {POLICY_IDENTITY, "[]", "Syntax errors in policy."},
        {POLICY_IDENTITY, "{}", "Syntax errors in policy."},
        {POLICY_IDENTITY, "{'Version':'2012-10-17'}", "Syntax errors in policy."},
        {POLICY_IDENTITY,
         "{'Version':'2012-10-18','Statement':{'Effect':'Allow','Action':'*','Resource':'*'}}",
         "Syntax errors in policy."},
        {POLICY_IDENTITY,
         "{'Version':3,'Statement':{'Effect':'Allow','Action':'*','Resource':'*'}}",
         "Syntax errors in policy."},
        {POLICY_IDENTITY, "{'Other':1,'Statement':{'Effect':'Allow','Action':'*','Resource':'*'}}",
         "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT(""), "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("1"), "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("{'Action':'*','Resource':'*'}"), "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'allow','Action':'*','Resource':'*'}"),
         "Invalid effect: allow"},
        {POLICY_IDENTITY, STATEMENT("{'Effect':1,'Action':'*','Resource':'*'}"),
         "Invalid effect: "},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Resource':'*'}"),
         "Policy statement must contain actions."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':[],'Resource':'*'}"),
         "Policy statement must contain actions."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':1,'Resource':'*'}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':[1],'Resource':'*'}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'GetObject','Resource':'*'}"),
         "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'s 3:Get','Resource':'*'}"),
         "Vendor s 3 is not valid"},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':':Get','Resource':'*'}"),
         "Vendor  is not valid"},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'s3:','Resource':'*'}"),
         "Vendor s3 is not valid"},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'s3:a:b','Resource':'*'}"),
         "Actions/Condition can contain only one colon."},
        {POLICY_IDENTITY,
         STATEMENT("{'Effect':'Allow','Action':'*','NotAction':'*','Resource':'*'}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*'}"),
         "Policy statement must contain resources."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*','Resource':[]}"),
         "Policy statement must contain resources."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*','Resource':{}}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*','Resource':'bucket'}"),
         "Resource bucket must be in ARN format or \"*\"."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*','Resource':''}"),
         "Resource  must be in ARN format or \"*\"."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3'}"),
         "The policy failed legacy parsing"},
        {POLICY_IDENTITY,
         STATEMENT("{'Effect':'Allow','Action':'*','Resource':'*','NotResource':'*'}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY,
         STATEMENT("{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*'}"),
         "Policy document should not specify a principal."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*','Resource':'*','Sid':1}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*','Resource':'*','Other':1}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY,
         STATEMENT("{'Effect':'Allow','Effect':'Deny','Action':'*','Resource':'*'}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY, STATEMENT("{'Effect':'Allow','Action':'*','Resource':'*','Condition':1}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY,
         STATEMENT("{'Effect':'Allow','Action':'*','Resource':'*','Condition':{'Bool':1}}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY,
         STATEMENT(
             "{'Effect':'Allow','Action':'*','Resource':'*','Condition':{'Bool':{'a:b':{}}}}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY,
         STATEMENT(
             "{'Effect':'Allow','Action':'*','Resource':'*','Condition':{'Equals':{'a:b':'c'}}}"),
         "Invalid Condition type : Equals."},
        {POLICY_IDENTITY,
         STATEMENT(
             "{'Effect':'Allow','Action':'*','Resource':'*','Condition':{'Bool':{'b':'true'}}}"),
         "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
        {POLICY_TRUST,
         STATEMENT("{'Effect':'Allow','Principal':'*','Action':'sts:AssumeRole','Resource':'*'}"),
         "Has prohibited field Resource"},
        {POLICY_TRUST, STATEMENT("{'Effect':'Allow','Action':'sts:AssumeRole'}"),
         "Missing required field Principal"},
        {POLICY_TRUST, STATEMENT("{'Effect':'Allow','Principal':'me','Action':'sts:AssumeRole'}"),
         "Invalid principal in policy"},
        {POLICY_TRUST, STATEMENT("{'Effect':'Allow','Principal':{},'Action':'sts:AssumeRole'}"),
         "Invalid principal in policy"},
        {POLICY_TRUST,
         STATEMENT("{'Effect':'Allow','Principal':{'Other':'x'},'Action':'sts:AssumeRole'}"),
         "Invalid principal in policy"},
        {POLICY_TRUST,
         STATEMENT("{'Effect':'Allow','Principal':{'AWS':1},'Action':'sts:AssumeRole'}"),
         "Invalid principal in policy"},
        {POLICY_TRUST,
         STATEMENT("{'Effect':'Allow','Principal':{'AWS':'bob'},'Action':'sts:AssumeRole'}"),
         "Invalid principal in policy: \"AWS\":\"bob\""},
        {POLICY_TRUST,
         STATEMENT(
             "{'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::*:root'},'Action':'sts:AssumeRole'}"),
         "Invalid principal in policy: \"AWS\":\"arn:aws:iam::*:root\""},
        {POLICY_TRUST,
         STATEMENT(
             "{'Effect':'Allow','Principal':'*','NotPrincipal':'*','Action':'sts:AssumeRole'}"),
         "Syntax errors in policy."},
        {POLICY_RESOURCE,
         STATEMENT(
             "{'Effect':'Allow','NotPrincipal':{'AWS':'123456789012'},'Action':'*','Resource':'*'}"),
         "Allow with NotPrincipal is not allowed."},
    };
    ARENA(arena);
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        AUTO(policy_free)
        Policy *policy = policy_new(quoted(&arena, cases[i].text), cases[i].kind, POLICY_TEXT_MAX,
                                    &err);
        if (policy) FAIL("taken: %s", cases[i].text);
        if (!str_is(str_of(err.text), cases[i].want))
            FAIL("%s: '%s', not '%s'", cases[i].text, err.text, cases[i].want);
    }
}

TEST(policy, sizes_are_counted_without_blanks)
{
    ARENA(arena);
    Str text = quoted(&arena,
                      "{ 'Statement' : { 'Effect':'Allow', 'Action':'*',\t\r\n 'Resource':'*' } }");
    size_t chars = 0;
    for (size_t i = 0; i < text.len; i++) chars += text.ptr[i] > ' ';
    Error err;
    AUTO(policy_free) Policy *at = policy_new(text, POLICY_IDENTITY, chars, &err);
    AUTO(policy_free) Policy *past = policy_new(text, POLICY_IDENTITY, chars - 1, &err);
    CHECK(at && !past);
    CHECK_INT(err.kind, ERROR_LIMIT);
    char *blanks = arena_alloc(&arena, POLICY_TEXT_MAX + 2);
    memset(blanks, ' ', POLICY_TEXT_MAX + 1);
    memcpy(blanks, text.ptr, text.len);
    AUTO(policy_free)
    Policy *full = policy_new((Str){blanks, POLICY_TEXT_MAX}, POLICY_IDENTITY, POLICY_TEXT_MAX,
                              &err);
    AUTO(policy_free)
    Policy *over = policy_new((Str){blanks, POLICY_TEXT_MAX + 1}, POLICY_IDENTITY, POLICY_TEXT_MAX,
                              &err);
    CHECK(full && !over);
}

TEST(policy, glob)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"a*c", "abc", true},
        {"a*b", "abc", false},
        {"?", "a", true},
        {"?", "", false},
        {"?", "ab", false},
        {"a?c", "abc", true},
        {"**", "abc", true},
        {"*b*", "abc", true},
        {"*bb*", "abc", false},
        {"a**", "a", true},
        {"*aab", "aaaab", true},
        {"abc", "ABC", false},
        {"abc*d", "abcabcd", true},
        {"a*?", "a", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (policy_glob(str_of(cases[i].pattern), str_of(cases[i].text), false) != cases[i].matches)
            FAIL("'%s' on '%s'", cases[i].pattern, cases[i].text);
    CHECK(policy_glob(STR("S3:get*"), STR("s3:GetObject"), true));
    /* What takes a backtracking matcher for ever. */
    char pattern[1000], text[1000];
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i % 2 ? '*' : 'a';
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'b';
    pattern[sizeof pattern - 1] = 'c';
    CHECK(!policy_glob((Str){pattern, sizeof pattern}, (Str){text, sizeof text}, false));
}

static const PolicyKey keys[] = {
    {STR_INIT("aws:username"), STR_INIT("ann")},
    {STR_INIT("aws:PrincipalTag/team"), STR_INIT("r*d")},
    {STR_INIT("aws:SourceIp"), STR_INIT("10.1.2.3")},
    {STR_INIT("aws:CurrentTime"), STR_INIT("2024-06-01T12:00:00Z")},
    {STR_INIT("aws:EpochTime"), STR_INIT("1717243200")},
    {STR_INIT("aws:SecureTransport"), STR_INIT("false")},
    {STR_INIT("s3:max-keys"), STR_INIT("10")},
    {STR_INIT("s3:prefix"), STR_INIT("home/ann/x")},
    {STR_INIT("aws:SourceArn"), STR_INIT("arn:aws:sns:us-east-1:123456789012:topic:sub")},
    {STR_INIT("aws:TagKeys"), STR_INIT("a")},
    {STR_INIT("aws:TagKeys"), STR_INIT("b")},
    {STR_INIT("ip6:addr"), STR_INIT("2001:db8::1")},
};

static PolicyEffect effect_of(const char *text, PolicyKind kind, const char *action,
                              const char *resource, const PolicyRequest *who)
{
    ARENA(arena);
    Error err = {0};
    AUTO(policy_free)
    Policy *policy = policy_new(quoted(&arena, text), kind, POLICY_TEXT_MAX, &err);
    if (!policy) FAIL("%s: %s", text, err.text);
    PolicyRequest request = who ? *who : (PolicyRequest){0};
    request.action = str_of(action);
    request.resource = str_of(resource);
    request.keys = keys;
    request.n_keys = COUNT(keys);
    return policy_evaluate(policy, &request, NULL);
}

TEST(policy, conditions)
{
    static const struct {
        const char *condition;
        bool holds;
    } cases[] = {
        {"'StringEquals':{'aws:username':'ann'}", true},
        {"'StringEquals':{'AWS:UserName':['bob','ann']}", true},
        {"'StringEquals':{'aws:username':'Ann'}", false},
        {"'StringEquals':{'aws:username':'an*'}", false},
        {"'StringEquals':{'aws:none':'x'}", false},
        {"'StringEqualsIfExists':{'aws:none':'x'}", true},
        {"'StringEqualsIfExists':{'aws:username':'x'}", false},
        {"'StringNotEquals':{'aws:username':'bob'}", true},
        {"'StringNotEquals':{'aws:username':['bob','ann']}", false},
        {"'StringNotEquals':{'aws:none':'bob'}", true},
        {"'StringEqualsIgnoreCase':{'aws:username':'ANN'}", true},
        {"'StringNotEqualsIgnoreCase':{'aws:username':'ANN'}", false},
        {"'StringLike':{'s3:prefix':'home/${aws:username}/*'}", true},
        {"'StringLike':{'s3:prefix':'home/?nn/*'}", true},
        {"'StringLike':{'s3:prefix':'home/${aws:none}/*'}", false},
        {"'StringLike':{'s3:prefix':'home/${aws:none, `ann`}/*'}", true},
        {"'StringLike':{'s3:prefix':'home/${aws:none, ann}/*'}", false},
        {"'StringLike':{'s3:prefix':'home/${aws:TagKeys}/*'}", false},
        {"'StringLike':{'s3:prefix':'home/${aws:username'}", false},
        {"'StringNotLike':{'s3:prefix':'home/ann/*'}", false},
        {"'StringEquals':{'aws:PrincipalTag/team':'r${*}d'}", true},
        {"'StringLike':{'aws:username':'${aws:PrincipalTag/team}'}", false},
        {"'StringLike':{'aws:username':'${?}${$}'}", false},
        {"'NumericEquals':{'s3:max-keys':10}", true},
        {"'NumericEquals':{'s3:max-keys':'10.0'}", true},
        {"'NumericNotEquals':{'s3:max-keys':10}", false},
        {"'NumericLessThan':{'s3:max-keys':'10'}", false},
        {"'NumericLessThanEquals':{'s3:max-keys':'10'}", true},
        {"'NumericGreaterThan':{'s3:max-keys':'9'}", true},
        {"'NumericGreaterThan':{'s3:max-keys':'10'}", false},
        {"'NumericGreaterThanEquals':{'s3:max-keys':'10'}", true},
        {"'NumericEquals':{'aws:username':'10'}", false},
        {"'NumericEquals':{'s3:max-keys':'ten'}", false},
        {"'DateLessThan':{'aws:CurrentTime':'2024-06-01T12:00:01Z'}", true},
        {"'DateLessThan':{'aws:CurrentTime':'2024-06-01T12:00:00Z'}", false},
        {"'DateLessThanEquals':{'aws:CurrentTime':'2024-06-01'}", false},
        {"'DateGreaterThan':{'aws:CurrentTime':'2024-06-01'}", true},
        {"'DateGreaterThanEquals':{'aws:CurrentTime':'2024-06-01T12:00:00Z'}", true},
        {"'DateEquals':{'aws:EpochTime':'2024-06-01T12:00:00Z'}", true},
        {"'DateNotEquals':{'aws:EpochTime':'1717243200'}", false},
        {"'DateEquals':{'aws:username':'2024-06-01T12:00:00Z'}", false},
        {"'Bool':{'aws:SecureTransport':'false'}", true},
        {"'Bool':{'aws:SecureTransport':false}", true},
        {"'Bool':{'aws:SecureTransport':true}", false},
        {"'BoolIfExists':{'aws:MultiFactorAuthPresent':'true'}", true},
        {"'BinaryEquals':{'aws:username':'ann'}", true},
        {"'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}", true},
        {"'IpAddress':{'aws:SourceIp':['192.168.0.0/16','10.1.2.3']}", true},
        {"'IpAddress':{'aws:SourceIp':'10.1.2.2/32'}", false},
        {"'IpAddress':{'aws:SourceIp':'10.1.2.2/31'}", true},
        {"'IpAddress':{'aws:SourceIp':'10.1.2.2/33'}", false},
        {"'IpAddress':{'aws:SourceIp':'10.1.2.2/x'}", false},
        {"'IpAddress':{'aws:SourceIp':'10.1.2.2/-1'}", false},
        {"'IpAddress':{'aws:SourceIp':'2001:db8::/32'}", false},
        {"'IpAddress':{'ip6:addr':'2001:db8::/32'}", true},
        {"'IpAddress':{'ip6:addr':'0.0.0.0/0'}", false},
        {"'IpAddress':{'aws:username':'0.0.0.0/0'}", false},
        {"'IpAddress':{'aws:SourceIp':'a-name-that-is-much-longer-than-any-address-could-ever-be-and-more'}",
         false},
        {"'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}", false},
        {"'ArnEquals':{'aws:SourceArn':'arn:aws:sns:*:123456789012:topic:*'}", true},
        {"'ArnLike':{'aws:SourceArn':'arn:aws:sns:us-east-1:123456789012:*'}", true},
        {"'ArnLike':{'aws:SourceArn':'arn:aws:*:topic:sub'}", false},
        {"'ArnLike':{'aws:SourceArn':'arn:aws:sns'}", false},
        {"'ArnLike':{'aws:username':'arn:aws:sns:*:*:*'}", false},
        {"'ArnNotLike':{'aws:SourceArn':'arn:aws:sns:*:*:*'}", false},
        {"'ArnNotEquals':{'aws:SourceArn':'arn:aws:sqs:*:*:*'}", true},
        {"'Null':{'aws:none':'true'}", true},
        {"'Null':{'aws:none':'false'}", false},
        {"'Null':{'aws:username':'false'}", true},
        {"'Null':{'aws:username':true}", false},
        {"'ForAllValues:StringEquals':{'aws:TagKeys':['a','b','c']}", true},
        {"'ForAllValues:StringEquals':{'aws:TagKeys':['a']}", false},
        {"'ForAllValues:StringEquals':{'aws:none':['a']}", true},
        {"'ForAnyValue:StringEquals':{'aws:TagKeys':['a','x']}", true},
        {"'ForAnyValue:StringEquals':{'aws:TagKeys':['x']}", false},
        {"'ForAnyValue:StringEquals':{'aws:none':['x']}", false},
        {"'ForAnyValue:StringNotEquals':{'aws:TagKeys':['a']}", true},
        {"'ForAnyValue:StringNotEquals':{'aws:TagKeys':['a','b']}", false},
        {"'ForAnyValue:StringNotEquals':{'aws:none':['a']}", false},
        {"'ForAllValues:StringNotEquals':{'aws:TagKeys':['x']}", true},
        {"'ForAllValues:StringNotEquals':{'aws:TagKeys':['a']}", false},
        {"'StringEquals':{'aws:TagKeys':'b'}", true},
        {"'StringNotEquals':{'aws:TagKeys':'b'}", false},
        {"'StringEquals':{'aws:username':'ann'},'Bool':{'aws:SecureTransport':'true'}", false},
        {"'StringEquals':{'aws:username':'ann','s3:max-keys':'11'}", false},
        {"'stringequals':{'aws:username':'ann'}", true},
        {"'StringEquals':{'aws:username':[]}", false},
    };
    char text[1024];
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof text,
                 STATEMENT("{'Effect':'Allow','Action':'*','Resource':'*','Condition':{%s}}"),
                 cases[i].condition);
        bool holds = effect_of(text, POLICY_IDENTITY, "s3:GetObject", "arn:x", NULL) ==
                     EFFECT_ALLOW;
        if (holds != cases[i].holds)
            FAIL("%s %s", cases[i].condition, holds ? "holds" : "does not hold");
    }
}

TEST(policy, statements)
{
    static const struct {
        const char *statements, *action, *resource;
        PolicyEffect want;
    } cases[] = {
        {"{'Effect':'Allow','Action':'s3:Get*','Resource':'arn:aws:s3:::b/*'}", "s3:GetObject",
         "arn:aws:s3:::b/k", EFFECT_ALLOW},
        {"{'Effect':'Allow','Action':'S3:get*','Resource':'arn:aws:s3:::b/*'}", "s3:GetObject",
         "arn:aws:s3:::b/k", EFFECT_ALLOW},
        {"{'Effect':'Allow','Action':'s3:Get*','Resource':'arn:aws:s3:::B/*'}", "s3:GetObject",
         "arn:aws:s3:::b/k", EFFECT_NONE},
        {"{'Effect':'Allow','Action':'s3:Put*','Resource':'*'}", "s3:GetObject", "arn:x",
         EFFECT_NONE},
        {"{'Effect':'Allow','NotAction':'iam:*','Resource':'*'}", "s3:GetObject", "arn:x",
         EFFECT_ALLOW},
        {"{'Effect':'Allow','NotAction':'iam:*','Resource':'*'}", "iam:GetUser", "arn:x",
         EFFECT_NONE},
        {"{'Effect':'Allow','Action':'*','NotResource':'arn:aws:s3:::b/*'}", "s3:GetObject",
         "arn:aws:s3:::b/k", EFFECT_NONE},
        {"{'Effect':'Allow','Action':'*','NotResource':'arn:aws:s3:::b/*'}", "s3:GetObject",
         "arn:aws:s3:::c/k", EFFECT_ALLOW},
        {"{'Effect':'Allow','Action':'*','NotResource':'arn:aws:s3:::${aws:none}/*'}",
         "s3:GetObject", "arn:aws:s3:::c/k", EFFECT_NONE},
        {"{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::b/${aws:username}/*'}",
         "s3:GetObject", "arn:aws:s3:::b/ann/k", EFFECT_ALLOW},
        {"{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::b/${aws:username}/*'}",
         "s3:GetObject", "arn:aws:s3:::b/bob/k", EFFECT_NONE},
        {"{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::b/${aws:PrincipalTag/team}'}",
         "s3:GetObject", "arn:aws:s3:::b/red", EFFECT_NONE},
        {"{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::b/${aws:PrincipalTag/team}'}",
         "s3:GetObject", "arn:aws:s3:::b/r*d", EFFECT_ALLOW},
        {"{'Effect':'Allow','Action':'*','Resource':'*'},{'Effect':'Deny','Action':'s3:*','Resource':'*'}",
         "s3:GetObject", "arn:x", EFFECT_DENY},
        {"{'Effect':'Deny','Action':'s3:*','Resource':'*'},{'Effect':'Allow','Action':'*','Resource':'*'}",
         "s3:GetObject", "arn:x", EFFECT_DENY},
        {"{'Effect':'Deny','Action':'s3:*','Resource':'*'},{'Effect':'Allow','Action':'*','Resource':'*'}",
         "ec2:Run", "arn:x", EFFECT_ALLOW},
    };
    char text[1024];
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof text, STATEMENT("%s"), cases[i].statements);
        PolicyEffect got = effect_of(text, POLICY_IDENTITY, cases[i].action, cases[i].resource,
                                     NULL);
        if (got != cases[i].want) FAIL("%s: %d", cases[i].statements, got);
    }
    /* Version 2008-10-17 has no variables. */
    CHECK_INT(
        effect_of(
            "{'Statement':{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::${aws:username}'}}",
            POLICY_IDENTITY, "s3:Get", "arn:aws:s3:::ann", NULL),
        EFFECT_NONE);
    CHECK_INT(
        effect_of(
            "{'Version':'2008-10-17','Id':'x','Statement':{'Effect':'Allow','Action':'*','Resource':"
            "'*','Condition':{'StringEquals':{'aws:username':'${aws:username}'}}}}",
            POLICY_IDENTITY, "s3:Get", "arn:aws:s3:::ann", NULL),
        EFFECT_NONE);
}

TEST(policy, values_longer_than_the_limit_do_not_match)
{
    ARENA(arena);
    char *long_name = arena_alloc(&arena, POLICY_VALUE_MAX + 100);
    memset(long_name, 'a', POLICY_VALUE_MAX + 1);
    Str text = quoted(&arena, arena_format(&arena,
                                           STATEMENT("{'Effect':'Allow','Action':'*','Resource':"
                                                     "'arn:aws:s3:::${aws:username}%s'}"),
                                           long_name)
                                  .ptr);
    AUTO(policy_free) Policy *policy = policy_new(text, POLICY_IDENTITY, POLICY_TEXT_MAX, NULL);
    PolicyRequest request = {.action = STR("s3:Get"),
                             .resource = STR("arn:aws:s3:::ann"),
                             .keys = keys,
                             .n_keys = COUNT(keys)};
    int statement = 0;
    CHECK_INT(policy_evaluate(policy, &request, &statement), EFFECT_NONE);
    CHECK_INT(statement, -1);
    PolicyKey big = {STR("aws:username"), {long_name, POLICY_VALUE_MAX + 1}};
    request.keys = &big;
    request.n_keys = 1;
    CHECK_INT(policy_evaluate(policy, &request, NULL), EFFECT_NONE);
}

TEST(policy, principals)
{
    const PolicyRequest ann = {.account = STR("123456789012"),
                               .principal = STR("arn:aws:iam::123456789012:user/ann")};
    const PolicyRequest session = {.account = STR("123456789012"),
                                   .principal = STR("arn:aws:sts::123456789012:assumed-role/r/s"),
                                   .role = STR("arn:aws:iam::123456789012:role/r")};
    const PolicyRequest service = {.service = STR("sagemaker.amazonaws.com")};
    const PolicyRequest nobody = {0};
    const struct {
        const char *principal;
        const PolicyRequest *who;
        PolicyEffect want;
    } cases[] = {
        {"'Principal':'*'", &nobody, EFFECT_ALLOW},
        {"'Principal':{'AWS':'*'}", &nobody, EFFECT_ALLOW},
        {"'Principal':{'AWS':'arn:aws:iam::123456789012:user/ann'}", &ann, EFFECT_ALLOW},
        {"'Principal':{'AWS':['arn:aws:iam::123456789012:user/bob','AIDA123']}", &ann, EFFECT_NONE},
        {"'Principal':{'AWS':'123456789012'}", &ann, EFFECT_DELEGATES},
        {"'Principal':{'AWS':'arn:aws:iam::123456789012:root'}", &ann, EFFECT_DELEGATES},
        {"'Principal':{'AWS':'arn:aws:iam::123456789013:root'}", &ann, EFFECT_NONE},
        {"'Principal':{'AWS':'arn:root'}", &ann, EFFECT_NONE},
        {"'Principal':{'AWS':'123456789012'}", &nobody, EFFECT_NONE},
        {"'Principal':{'AWS':'arn:aws:iam::123456789012:role/r'}", &session, EFFECT_ALLOW},
        {"'Principal':{'AWS':'arn:aws:sts::123456789012:assumed-role/r/s'}", &session,
         EFFECT_ALLOW},
        {"'Principal':{'AWS':'arn:aws:sts::123456789012:assumed-role/r/t'}", &session, EFFECT_NONE},
        {"'Principal':{'Service':'sagemaker.amazonaws.com'}", &service, EFFECT_ALLOW},
        {"'Principal':{'Service':'lambda.amazonaws.com'}", &service, EFFECT_NONE},
        {"'Principal':{'Service':'sagemaker.amazonaws.com'}", &ann, EFFECT_NONE},
        {"'Principal':{'Federated':'x','CanonicalUser':'y'}", &ann, EFFECT_NONE},
    };
    char text[1024];
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof text, STATEMENT("{'Effect':'Allow',%s,'Action':'*','Resource':'*'}"),
                 cases[i].principal);
        PolicyEffect got = effect_of(text, POLICY_RESOURCE, "s3:Get", "arn:x", cases[i].who);
        if (got != cases[i].want) FAIL("%s: %d", cases[i].principal, got);
    }
    static const char deny[] = STATEMENT(
        "{'Effect':'Deny','NotPrincipal':{'AWS':'arn:aws:iam::123456789012:user/ann'},'Action':'*','Resource':'*'}");
    CHECK_INT(effect_of(deny, POLICY_RESOURCE, "s3:Get", "arn:x", &ann), EFFECT_NONE);
    CHECK_INT(effect_of(deny, POLICY_RESOURCE, "s3:Get", "arn:x", &session), EFFECT_DENY);
    static const char account[] = STATEMENT(
        "{'Effect':'Deny','Principal':{'AWS':'123456789012'},'Action':'*','Resource':'*'}");
    CHECK_INT(effect_of(account, POLICY_RESOURCE, "s3:Get", "arn:x", &ann), EFFECT_DENY);
}

TEST(policy, managed_policies_are_sound)
{
    for (const ManagedPolicy *managed = managed_policies; managed->name; managed++) {
        Error err = {0};
        AUTO(policy_free)
        Policy *policy = policy_new(str_of(managed->text), POLICY_IDENTITY, POLICY_MANAGED_MAX,
                                    &err);
        if (!policy) FAIL("%s: %s", managed->name, err.text);
        CHECK(policy_allows_all(policy) == (strcmp(managed->name, "AdministratorAccess") == 0));
    }
    CHECK(managed_policy_find(STR("arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole")));
    CHECK(!managed_policy_find(STR("arn:aws:iam::aws:policy/AWSGlueServiceRole")));
    CHECK(!managed_policy_find(STR("arn:aws:iam::123456789012:policy/AdministratorAccess")));
}
