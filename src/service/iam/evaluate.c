/* What a compiled policy says about a request; see policy.h.
 *
 * Values that ${variables} bring in are never patterns (rule Z4): a pattern is expanded into
 * characters and marks beside them, so that a '*' in a user's name only matches a '*'.
 *
 * AWS: IAM policy evaluation logic; condition operators; multivalued context keys. */

#include "service/iam/policy_inside.h"

#include "format/timestamp.h"

#include <arpa/inet.h>
#include <math.h>

/* ---- patterns ---- */

enum { MARK_TEXT, MARK_ONE, MARK_MANY }; /* '?', '*' */

typedef struct Pattern {
    size_t n;
    char text[POLICY_VALUE_MAX];
    uint8_t mark[POLICY_VALUE_MAX];
} Pattern;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static uint8_t mark_of(char c)
{
    return c == '*' ? MARK_MANY : c == '?' ? MARK_ONE : MARK_TEXT;
}

/* marks NULL: those of the characters themselves. */
static bool glob(const char *pattern, const uint8_t *marks, size_t n, Str text, bool nocase)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text.len) {
        uint8_t mark = p == n ? MARK_TEXT : marks ? marks[p] : mark_of(pattern[p]);
        if (p < n && mark == MARK_MANY) {
            star = p++;
            from = t;
        } else if (p < n && (mark == MARK_ONE || pattern[p] == text.ptr[t] ||
                             (nocase && lower(pattern[p]) == lower(text.ptr[t])))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) { /* the last star takes one more */
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < n && (marks ? marks[p] : mark_of(pattern[p])) == MARK_MANY) p++;
    return p == n;
}

bool policy_glob(Str pattern, Str text, bool nocase)
{
    return glob(pattern.ptr, NULL, pattern.len, text, nocase);
}

static const PolicyKey *find_key(const PolicyRequest *request, Str name, const PolicyKey *after)
{
    const PolicyKey *end = request->keys + request->n_keys;
    for (const PolicyKey *key = after ? after + 1 : request->keys; key < end; key++)
        if (key->name.len == name.len && str_eq_nocase(key->name, name)) return key;
    return NULL;
}

static bool pattern_add(Pattern *pattern, Str text, bool literal)
{
    if (text.len > sizeof pattern->text - pattern->n) return false;
    for (size_t i = 0; i < text.len; i++) {
        pattern->mark[pattern->n] = literal ? MARK_TEXT : mark_of(text.ptr[i]);
        pattern->text[pattern->n++] = text.ptr[i];
    }
    return true;
}

/* Replaces ${variables}; false when one has no single value, or the whole is too long: the statement
 * then does not match. */
static bool expand(Str source, const PolicyRequest *request, Pattern *pattern)
{
    pattern->n = 0;
    while (source.len) {
        size_t at = 0;
        while (at < source.len && !str_starts(str_from(source, at), STR("${"))) at++;
        if (!pattern_add(pattern, str_slice(source, 0, at), false)) return false;
        source = str_from(source, at);
        if (!source.len) return true;
        size_t close = str_find(source, '}');
        if (close == source.len) return pattern_add(pattern, source, false);
        Str name = str_trim(str_slice(source, 2, close)), otherwise = {0};
        source = str_from(source, close + 1);
        if (str_is(name, "*") || str_is(name, "?") || str_is(name, "$")) {
            if (!pattern_add(pattern, name, true)) return false;
            continue;
        }
        size_t comma = str_find(name, ',');
        if (comma < name.len) { /* ${key, 'otherwise'} */
            otherwise = str_trim(str_from(name, comma + 1));
            name = str_trim(str_slice(name, 0, comma));
            if (otherwise.len < 2 || otherwise.ptr[0] != '\'' || !str_ends(otherwise, STR("'")))
                return false;
            otherwise = str_slice(otherwise, 1, otherwise.len - 1);
        }
        const PolicyKey *key = find_key(request, name, NULL);
        if (key && find_key(request, name, key)) return false; /* a set */
        if (!key && !otherwise.ptr) return false;
        if (!pattern_add(pattern, key ? key->value : otherwise, true)) return false;
    }
    return true;
}

/* Does one of the patterns match?  *ret_void: a variable had no value. */
static bool any_matches(const Policy *policy, const PolicyList *list, const PolicyRequest *request,
                        Str text, bool nocase, bool *ret_void)
{
    for (size_t i = 0; i < list->n; i++) {
        Str item = list->items[i];
        if (!list->variables || policy->old || !str_has(item, STR("${"))) {
            if (policy_glob(item, text, nocase)) return true;
            continue;
        }
        UNINITIALIZED Pattern pattern;
        if (!expand(item, request, &pattern))
            *ret_void = true;
        else if (glob(pattern.text, pattern.mark, pattern.n, text, nocase))
            return true;
    }
    return false;
}

/* ---- condition operators ---- */

static bool ip_matches(Str range, Str address)
{
    char text[64];
    uint8_t net[16], ip[16];
    size_t slash = str_find(range, '/');
    if (slash >= sizeof text || address.len >= sizeof text) return false;
    memcpy(text, address.ptr, address.len);
    text[address.len] = '\0';
    int family = inet_pton(AF_INET, text, ip) == 1 ? AF_INET : AF_INET6;
    if (family == AF_INET6 && inet_pton(AF_INET6, text, ip) != 1) return false;
    memcpy(text, range.ptr, slash);
    text[slash] = '\0';
    if (inet_pton(family, text, net) != 1) return false;
    int64_t bits = family == AF_INET ? 32 : 128, want = bits;
    if (slash < range.len && !str_to_int64(str_from(range, slash + 1), &want)) return false;
    if (want < 0 || want > bits) return false;
    for (int64_t bit = 0; bit < want; bit++)
        if ((net[bit / 8] ^ ip[bit / 8]) & (0x80 >> (bit % 8))) return false;
    return true;
}

/* ARNs by their six parts, so that a '*' stays within one. */
static bool arn_matches(const Pattern *pattern, Str text)
{
    size_t p = 0, t = 0;
    for (int part = 0; part < 6; part++) {
        size_t p_end = p, t_end = t;
        if (part == 5) {
            p_end = pattern->n;
            t_end = text.len;
        }
        while (part < 5 && p_end < pattern->n && pattern->text[p_end] != ':') p_end++;
        while (part < 5 && t_end < text.len && text.ptr[t_end] != ':') t_end++;
        if (part < 5 && (p_end == pattern->n || t_end == text.len)) return false;
        if (!glob(pattern->text + p, pattern->mark + p, p_end - p, str_slice(text, t, t_end),
                  false))
            return false;
        p = p_end + 1;
        t = t_end + 1;
    }
    return true;
}

static int compare_numbers(Str a, Str b, bool *ret_ok)
{
    double x, y;
    *ret_ok = str_to_double(a, &x) && str_to_double(b, &y) && !isnan(x) && !isnan(y);
    if (!*ret_ok) return 0;
    return x < y ? -1 : x > y;
}

static bool date_of(Str text, double *ret)
{
    int64_t us;
    if (timestamp_parse(text, &us)) {
        *ret = (double)us * 1e-6;
        return true;
    }
    return str_to_double(text, ret); /* seconds since 1970 */
}

static int compare_dates(Str a, Str b, bool *ret_ok)
{
    double x, y;
    *ret_ok = date_of(a, &x) && date_of(b, &y) && !isnan(x) && !isnan(y);
    if (!*ret_ok) return 0;
    return x < y ? -1 : x > y;
}

/* The request's value against one of the policy's, without negation. */
static bool value_matches(PolicyOperator op, const Pattern *want, Str value)
{
    Str text = {want->text, want->n};
    bool ok;
    int order;
    switch (op) {
    case OPERATOR_STRING: return str_eq(text, value);
    case OPERATOR_STRING_NOCASE: return str_eq_nocase(text, value);
    case OPERATOR_LIKE: return glob(want->text, want->mark, want->n, value, false);
    case OPERATOR_BOOL: return str_eq_nocase(text, value);
    case OPERATOR_IP: return ip_matches(text, value);
    case OPERATOR_ARN: return arn_matches(want, value);
    case OPERATOR_NUMBER:
    case OPERATOR_NUMBER_LESS:
    case OPERATOR_NUMBER_NOT_LESS:
    case OPERATOR_NUMBER_MORE:
    case OPERATOR_NUMBER_NOT_MORE: order = compare_numbers(value, text, &ok); break;
    case OPERATOR_DATE:
    case OPERATOR_DATE_LESS:
    case OPERATOR_DATE_NOT_LESS:
    case OPERATOR_DATE_MORE:
    case OPERATOR_DATE_NOT_MORE: order = compare_dates(value, text, &ok); break;
    case OPERATOR_NULL: /* is looked at before */
    default: return false;
    }
    if (!ok) return false;
    switch (op) {
    case OPERATOR_NUMBER_LESS:
    case OPERATOR_DATE_LESS: return order < 0;
    case OPERATOR_NUMBER_NOT_LESS:
    case OPERATOR_DATE_NOT_LESS: return order >= 0;
    case OPERATOR_NUMBER_MORE:
    case OPERATOR_DATE_MORE: return order > 0;
    case OPERATOR_NUMBER_NOT_MORE:
    case OPERATOR_DATE_NOT_MORE: return order <= 0;
    default: return order == 0;
    }
}

static bool any_value_matches(const Policy *policy, const PolicyCondition *condition,
                              const PolicyRequest *request, Str value)
{
    for (size_t i = 0; i < condition->values.n; i++) {
        UNINITIALIZED Pattern want;
        want.n = 0;
        Str source = condition->values.items[i];
        bool plain = policy->old || !condition->values.variables;
        if (plain ? !pattern_add(&want, source, false) : !expand(source, request, &want)) continue;
        if (value_matches(condition->op, &want, value)) return true;
    }
    return false;
}

static bool condition_holds(const Policy *policy, const PolicyCondition *condition,
                            const PolicyRequest *request)
{
    const PolicyKey *key = find_key(request, condition->key, NULL);
    if (condition->op == OPERATOR_NULL) {
        for (size_t i = 0; i < condition->values.n; i++)
            if (str_eq_nocase(condition->values.items[i], key ? STR("false") : STR("true")))
                return true;
        return false;
    }
    if (!key) {
        if (condition->if_exists || condition->quantifier == FOR_ALL_VALUES) return true;
        return condition->negated && condition->quantifier == FOR_ONE_VALUE;
    }
    /* Without a quantifier a set holds when one of it does; negated, when none is excluded. */
    bool for_all = condition->quantifier == FOR_ALL_VALUES ||
                   (condition->quantifier == FOR_ONE_VALUE && condition->negated);
    for (; key; key = find_key(request, condition->key, key)) {
        bool holds = any_value_matches(policy, condition, request, key->value) !=
                     condition->negated;
        if (holds != for_all) return holds;
    }
    return for_all;
}

/* ---- principals ---- */

static Str arn_account(Str arn)
{
    Str part = {0};
    for (int i = 0; i < 5; i++)
        if (!str_next(&arn, ':', &part)) return (Str){0};
    return part;
}

static PolicyEffect principal_matches(const PolicyStatement *s, const PolicyRequest *request)
{
    if (s->anybody) return EFFECT_ALLOW;
    PolicyEffect best = EFFECT_NONE;
    const PolicyList *aws = &s->principals[PRINCIPAL_AWS];
    for (size_t i = 0; i < aws->n; i++) {
        Str who = aws->items[i];
        if (str_is(who, "*")) return EFFECT_ALLOW;
        if (!request->account.len) continue;
        if (str_eq(who, request->principal) || (request->role.len && str_eq(who, request->role)))
            return EFFECT_ALLOW;
        bool account = str_eq(who, request->account) ||
                       (str_ends(who, STR(":root")) && str_eq(arn_account(who), request->account));
        if (account) best = EFFECT_DELEGATES;
    }
    const PolicyList *services = &s->principals[PRINCIPAL_SERVICE];
    for (size_t i = 0; i < services->n && request->service.len; i++)
        if (str_eq(services->items[i], request->service)) return EFFECT_ALLOW;
    return best;
}

/* ---- statements ---- */

static PolicyEffect statement_effect(const Policy *policy, const PolicyStatement *s,
                                     const PolicyRequest *request)
{
    bool is_void = false;
    if (any_matches(policy, &s->actions, request, request->action, true, &is_void) == s->not_action)
        return EFFECT_NONE;
    if (s->resources.n) {
        bool matches = any_matches(policy, &s->resources, request, request->resource, false,
                                   &is_void);
        if (matches == s->not_resource || (is_void && s->not_resource)) return EFFECT_NONE;
    }
    PolicyEffect effect = EFFECT_ALLOW;
    if (s->has_principal) {
        effect = principal_matches(s, request);
        if (s->not_principal) effect = effect == EFFECT_NONE ? EFFECT_ALLOW : EFFECT_NONE;
    }
    if (effect == EFFECT_NONE) return EFFECT_NONE;
    for (size_t i = 0; i < s->n_conditions; i++)
        if (!condition_holds(policy, &s->conditions[i], request)) return EFFECT_NONE;
    return s->deny ? EFFECT_DENY : effect;
}

PolicyEffect policy_evaluate(const Policy *policy, const PolicyRequest *request, int *ret_statement)
{
    PolicyEffect effect = EFFECT_NONE;
    int statement = -1;
    for (size_t i = 0; i < policy->n && effect != EFFECT_DENY; i++) {
        PolicyEffect one = statement_effect(policy, &policy->statements[i], request);
        if (one <= effect) continue;
        effect = one;
        statement = (int)i;
    }
    if (ret_statement) *ret_statement = statement;
    return effect;
}
