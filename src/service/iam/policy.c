/* Policy documents into compiled form, with AWS's refusals; see policy.h.  evaluate.c does the rest.
 *
 * AWS: IAM JSON policy elements reference. */

#include "service/iam/policy.h"

#include "base/memory.h"
#include "format/json.h"
#include "service/iam/policy_inside.h"

#include <stdio.h>
#include <stdlib.h>

static bool malformed(Error *err, const char *text)
{
    return error_set(err, ERROR_INVALID, "%s", text);
}

/* The tree keeps the last of repeated members; policies refuse them, since other readers may take
 * the first. */
static bool has_repeated_names(Str text, const Json *root)
{
    JsonReader reader;
    size_t names = 0, members = 0;
    json_reader_init(&reader, text);
    for (JsonToken token; (token = json_next(&reader)) != JSON_TOKEN_END;) {
        if (token == JSON_TOKEN_ERROR) return true;
        names += token == JSON_TOKEN_NAME;
    }
    struct {
        const Json *value;
        size_t next;
    } stack[JSON_DEPTH_MAX + 1];
    int depth = 0;
    stack[0].value = root;
    stack[0].next = 0;
    while (depth >= 0) {
        const Json *value = stack[depth].value;
        bool object = value->type == JSON_OBJECT;
        if ((!object && value->type != JSON_ARRAY) || stack[depth].next == value->n) {
            if (object) members += value->n;
            depth--;
            continue;
        }
        size_t i = stack[depth].next++;
        stack[++depth].value = object ? value->members[i].value : value->items[i];
        stack[depth].next = 0;
    }
    return names != members;
}

static bool is_text(const Json *value)
{
    return value->type == JSON_STRING;
}

/* A text or a list of texts; conditions also take numbers and truths. */
static bool take_list(Policy *policy, const Json *value, bool scalars, PolicyList *ret_list)
{
    size_t n = value->type == JSON_ARRAY ? value->n : 1;
    Str *items = arena_array(&policy->arena, Str, n + 1);
    for (size_t i = 0; i < n; i++) {
        const Json *item = value->type == JSON_ARRAY ? value->items[i] : value;
        if (is_text(item) || (scalars && item->type == JSON_NUMBER))
            items[i] = arena_str(&policy->arena, item->text);
        else if (scalars && item->type == JSON_BOOL)
            items[i] = item->boolean ? STR("true") : STR("false");
        else
            return false;
        ret_list->variables |= str_has(items[i], STR("${"));
    }
    ret_list->items = items;
    ret_list->n = n;
    return true;
}

static bool take_actions(Policy *policy, const Json *value, PolicyList *ret_list, Error *err)
{
    if (!take_list(policy, value, false, ret_list))
        return malformed(err, "Syntax errors in policy.");
    if (!ret_list->n) return malformed(err, "Policy statement must contain actions.");
    for (size_t i = 0; i < ret_list->n; i++) {
        Str action = ret_list->items[i];
        size_t colon = str_find(action, ':');
        if (str_is(action, "*")) continue;
        if (colon == action.len)
            return malformed(err, "Actions/Conditions must be prefaced by a vendor, e.g., iam, "
                                  "sdb, ec2, etc.");
        bool vendor = colon > 0 && colon + 1 < action.len;
        for (size_t k = 0; k < colon; k++) {
            char c = action.ptr[k];
            vendor &= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '*' || c == '?';
        }
        if (!vendor)
            return error_set(err, ERROR_INVALID, "Vendor %.*s is not valid", (int)colon,
                             action.ptr);
        if (str_find(str_from(action, colon + 1), ':') < action.len - colon - 1)
            return malformed(err, "Actions/Condition can contain only one colon.");
    }
    return true;
}

static bool take_resources(Policy *policy, const Json *value, PolicyList *ret_list, Error *err)
{
    if (!take_list(policy, value, false, ret_list))
        return malformed(err, "Syntax errors in policy.");
    if (!ret_list->n) return malformed(err, "Policy statement must contain resources.");
    for (size_t i = 0; i < ret_list->n; i++) {
        Str resource = ret_list->items[i];
        if (str_is(resource, "*")) continue;
        size_t colons = 0;
        for (size_t k = 0; k < resource.len; k++) colons += resource.ptr[k] == ':';
        bool arn = str_starts(resource, STR("arn:")) || resource.ptr[0] == '*';
        if (!resource.len || !arn)
            return error_set(err, ERROR_INVALID, "Resource %.*s must be in ARN format or \"*\".",
                             STR_ARG(resource));
        if (colons < 5 && !str_has(resource, STR("*")))
            return error_set(err, ERROR_INVALID, "The policy failed legacy parsing");
    }
    return true;
}

static bool is_account(Str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    return s.len == 12;
}

static bool take_principals(Policy *policy, const Json *value, PolicyStatement *statement,
                            Error *err)
{
    static const char *const kinds[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    statement->has_principal = true;
    if (is_text(value)) {
        if (!str_is(value->text, "*")) return malformed(err, "Invalid principal in policy");
        statement->anybody = true;
        return true;
    }
    if (value->type != JSON_OBJECT || !value->n)
        return malformed(err, "Invalid principal in policy");
    for (size_t i = 0; i < value->n; i++) {
        size_t kind = 0;
        while (kind < COUNT(kinds) && !str_is(value->members[i].name, kinds[kind])) kind++;
        PolicyList list = {0};
        if (kind == COUNT(kinds) || !take_list(policy, value->members[i].value, false, &list))
            return malformed(err, "Invalid principal in policy");
        for (size_t k = 0; k < list.n && kind == PRINCIPAL_AWS; k++)
            if (!str_is(list.items[k], "*") && !is_account(list.items[k]) &&
                !(str_starts(list.items[k], STR("arn:")) && !str_has(list.items[k], STR("*"))) &&
                !str_starts(list.items[k], STR("AIDA")) && !str_starts(list.items[k], STR("AROA")))
                return error_set(err, ERROR_INVALID,
                                 "Invalid principal in policy: \"AWS\":\"%.*s\"",
                                 STR_ARG(list.items[k]));
        statement->principals[kind] = list;
    }
    return true;
}

/* "ForAllValues:StringNotLikeIfExists" */
static bool take_operator(Str name, PolicyCondition *condition)
{
    static const struct {
        const char *name;
        PolicyOperator op;
        bool negated;
    } operators[] = {
        {"StringEquals", OPERATOR_STRING, false},
        {"StringNotEquals", OPERATOR_STRING, true},
        {"StringEqualsIgnoreCase", OPERATOR_STRING_NOCASE, false},
        {"StringNotEqualsIgnoreCase", OPERATOR_STRING_NOCASE, true},
        {"StringLike", OPERATOR_LIKE, false},
        {"StringNotLike", OPERATOR_LIKE, true},
        {"NumericEquals", OPERATOR_NUMBER, false},
        {"NumericNotEquals", OPERATOR_NUMBER, true},
        {"NumericLessThan", OPERATOR_NUMBER_LESS, false},
        {"NumericGreaterThanEquals", OPERATOR_NUMBER_NOT_LESS, false},
        {"NumericGreaterThan", OPERATOR_NUMBER_MORE, false},
        {"NumericLessThanEquals", OPERATOR_NUMBER_NOT_MORE, false},
        {"DateEquals", OPERATOR_DATE, false},
        {"DateNotEquals", OPERATOR_DATE, true},
        {"DateLessThan", OPERATOR_DATE_LESS, false},
        {"DateGreaterThanEquals", OPERATOR_DATE_NOT_LESS, false},
        {"DateGreaterThan", OPERATOR_DATE_MORE, false},
        {"DateLessThanEquals", OPERATOR_DATE_NOT_MORE, false},
        {"Bool", OPERATOR_BOOL, false},
        {"BinaryEquals", OPERATOR_STRING, false},
        {"IpAddress", OPERATOR_IP, false},
        {"NotIpAddress", OPERATOR_IP, true},
        {"ArnEquals", OPERATOR_ARN, false},
        {"ArnLike", OPERATOR_ARN, false},
        {"ArnNotEquals", OPERATOR_ARN, true},
        {"ArnNotLike", OPERATOR_ARN, true},
        {"Null", OPERATOR_NULL, false},
    };
    if (str_starts(name, STR("ForAllValues:"))) {
        condition->quantifier = FOR_ALL_VALUES;
        name = str_from(name, sizeof "ForAllValues:" - 1);
    } else if (str_starts(name, STR("ForAnyValue:"))) {
        condition->quantifier = FOR_ANY_VALUE;
        name = str_from(name, sizeof "ForAnyValue:" - 1);
    }
    bool null = str_eq_nocase(name, STR("Null"));
    if (!null && str_ends(name, STR("IfExists"))) {
        condition->if_exists = true;
        name.len -= sizeof "IfExists" - 1;
    }
    for (size_t i = 0; i < COUNT(operators); i++) {
        if (!str_eq_nocase(name, str_of(operators[i].name))) continue;
        condition->op = operators[i].op;
        condition->negated = operators[i].negated;
        return true;
    }
    return false;
}

static bool take_conditions(Policy *policy, const Json *value, PolicyStatement *statement,
                            Error *err)
{
    size_t n = 0;
    if (value->type != JSON_OBJECT) return malformed(err, "Syntax errors in policy.");
    for (size_t i = 0; i < value->n; i++) {
        if (value->members[i].value->type != JSON_OBJECT)
            return malformed(err, "Syntax errors in policy.");
        n += value->members[i].value->n;
    }
    PolicyCondition *conditions = arena_array(&policy->arena, PolicyCondition, n + 1);
    n = 0;
    for (size_t i = 0; i < value->n; i++) {
        const JsonMember *by_operator = &value->members[i];
        for (size_t k = 0; k < by_operator->value->n; k++) {
            PolicyCondition *condition = &conditions[n++];
            const JsonMember *member = &by_operator->value->members[k];
            if (!take_operator(by_operator->name, condition))
                return error_set(err, ERROR_INVALID, "Invalid Condition type : %.*s.",
                                 STR_ARG(by_operator->name));
            condition->key = arena_str(&policy->arena, member->name);
            if (!str_has(member->name, STR(":")))
                return malformed(err, "Actions/Conditions must be prefaced by a vendor, e.g., "
                                      "iam, sdb, ec2, etc.");
            if (!take_list(policy, member->value, true, &condition->values))
                return malformed(err, "Syntax errors in policy.");
        }
    }
    statement->conditions = conditions;
    statement->n_conditions = n;
    return true;
}

static bool take_statement(Policy *policy, const Json *value, PolicyKind kind,
                           PolicyStatement *statement, Error *err)
{
    bool actions = false, resources = false, effect = false;
    if (value->type != JSON_OBJECT) return malformed(err, "Syntax errors in policy.");
    for (size_t i = 0; i < value->n; i++) {
        Str name = value->members[i].name;
        const Json *member = value->members[i].value;
        if (str_is(name, "Sid")) {
            if (!is_text(member)) return malformed(err, "Syntax errors in policy.");
        } else if (str_is(name, "Effect")) {
            effect = is_text(member) &&
                     (str_is(member->text, "Allow") || str_is(member->text, "Deny"));
            if (!effect)
                return error_set(err, ERROR_INVALID, "Invalid effect: %.*s",
                                 STR_ARG(is_text(member) ? member->text : STR("")));
            statement->deny = str_is(member->text, "Deny");
        } else if (str_is(name, "Action") || str_is(name, "NotAction")) {
            if (actions) return malformed(err, "Syntax errors in policy.");
            actions = true;
            statement->not_action = name.len > 6;
            if (!take_actions(policy, member, &statement->actions, err)) return false;
        } else if (str_is(name, "Resource") || str_is(name, "NotResource")) {
            if (kind == POLICY_TRUST) return malformed(err, "Has prohibited field Resource");
            if (resources) return malformed(err, "Syntax errors in policy.");
            resources = true;
            statement->not_resource = name.len > 8;
            if (!take_resources(policy, member, &statement->resources, err)) return false;
        } else if (str_is(name, "Principal") || str_is(name, "NotPrincipal")) {
            if (kind == POLICY_IDENTITY)
                return malformed(err, "Policy document should not specify a principal.");
            if (statement->has_principal) return malformed(err, "Syntax errors in policy.");
            statement->not_principal = name.len > 9;
            if (!take_principals(policy, member, statement, err)) return false;
        } else if (str_is(name, "Condition")) {
            if (!take_conditions(policy, member, statement, err)) return false;
        } else {
            return malformed(err, "Syntax errors in policy.");
        }
    }
    if (!effect) return malformed(err, "Syntax errors in policy.");
    if (!actions) return malformed(err, "Policy statement must contain actions.");
    if (!resources && kind != POLICY_TRUST)
        return malformed(err, "Policy statement must contain resources.");
    if (!statement->has_principal && kind != POLICY_IDENTITY)
        return malformed(err, "Missing required field Principal");
    if (statement->not_principal && !statement->deny)
        return malformed(err, "Allow with NotPrincipal is not allowed.");
    return true;
}

static bool compile(Policy *policy, Str text, PolicyKind kind, Error *err)
{
    ARENA(scratch);
    const Json *root, *statements = NULL, *version = NULL;
    Error why = {0};
    if (!json_parse(text, &scratch, &root, &why))
        return malformed(err, "This policy contains invalid Json");
    if (root->type != JSON_OBJECT || has_repeated_names(text, root))
        return malformed(err, "Syntax errors in policy.");
    for (size_t i = 0; i < root->n; i++) {
        Str name = root->members[i].name;
        if (str_is(name, "Version"))
            version = root->members[i].value;
        else if (str_is(name, "Statement"))
            statements = root->members[i].value;
        else if (!str_is(name, "Id"))
            return malformed(err, "Syntax errors in policy.");
    }
    if (version && !(is_text(version) &&
                     (str_is(version->text, "2012-10-17") || str_is(version->text, "2008-10-17"))))
        return malformed(err, "Syntax errors in policy.");
    if (!statements) return malformed(err, "Syntax errors in policy.");
    policy->old = !version || str_is(version->text, "2008-10-17"); /* without variables */
    policy->n = statements->type == JSON_ARRAY ? statements->n : 1;
    if (!policy->n) return malformed(err, "Syntax errors in policy.");
    policy->statements = arena_array(&policy->arena, PolicyStatement, policy->n);
    for (size_t i = 0; i < policy->n; i++)
        if (!take_statement(policy,
                            statements->type == JSON_ARRAY ? statements->items[i] : statements,
                            kind, &policy->statements[i], err))
            return false;
    return true;
}

static bool is_all(const PolicyList *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_is(list->items[i], "*") || str_is(list->items[i], "*:*")) return true;
    return false;
}

bool policy_has_denial(const Policy *policy)
{
    for (size_t i = 0; i < policy->n; i++)
        if (policy->statements[i].deny) return true;
    return false;
}

static bool find_all(const Policy *policy, PolicyKind kind)
{
    bool all = false;
    for (size_t i = 0; i < policy->n; i++) {
        const PolicyStatement *s = &policy->statements[i];
        all |= !s->deny && kind == POLICY_IDENTITY && !s->not_action && !s->not_resource &&
               !s->n_conditions && is_all(&s->actions) && is_all(&s->resources);
    }
    return all && !policy_has_denial(policy);
}

Policy *policy_new(Str text, PolicyKind kind, size_t max_chars, Error *err)
{
    size_t chars = 0;
    for (size_t i = 0; i < text.len; i++)
        chars += text.ptr[i] != ' ' && text.ptr[i] != '\t' && text.ptr[i] != '\n' &&
                 text.ptr[i] != '\r';
    if (chars > max_chars || text.len > POLICY_TEXT_MAX) {
        error_set(err, ERROR_LIMIT, "the policy is longer than %zu characters", max_chars);
        return NULL;
    }
    Policy *policy = calloc(1, sizeof *policy);
    if (!policy) memory_exhausted(sizeof *policy);
    if (!compile(policy, text, kind, err)) {
        policy_free(policy);
        return NULL;
    }
    policy->all = find_all(policy, kind);
    return policy;
}

void policy_free(Policy *policy)
{
    if (!policy) return;
    arena_clear(&policy->arena);
    free(policy);
}

bool policy_allows_all(const Policy *policy)
{
    return policy->all;
}
