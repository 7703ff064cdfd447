/* Cross-origin requests: a browser asks before it sends (OPTIONS), and looks at the answer's fields. */

#include "service/s3/settings.h"

/* One '*' at most. */
static bool matches(Str pattern, Str text, bool nocase)
{
    size_t star = str_find(pattern, '*');
    if (star == pattern.len) return nocase ? str_eq_nocase(pattern, text) : str_eq(pattern, text);
    Str head = str_slice(pattern, 0, star), tail = str_from(pattern, star + 1);
    if (text.len < head.len + tail.len) return false;
    Str begin = str_slice(text, 0, head.len), end = str_from(text, text.len - tail.len);
    return nocase ? str_eq_nocase(begin, head) && str_eq_nocase(end, tail)
                  : str_eq(begin, head) && str_eq(end, tail);
}

static bool listed(const Json *list, Str text, bool nocase)
{
    for (size_t i = 0; list && i < list->n; i++)
        if (list->items[i]->type == JSON_STRING && matches(list->items[i]->text, text, nocase))
            return true;
    return false;
}

const Json *s3_cors_rule(const Json *configuration, Str origin, Str method, Str headers)
{
    const Json *rules = json_get(configuration, "CORSRules");
    for (size_t i = 0; rules && i < rules->n; i++) {
        const Json *rule = rules->items[i];
        if (!listed(json_get(rule, "AllowedOrigins"), origin, false) ||
            !listed(json_get(rule, "AllowedMethods"), method, false))
            continue;
        Str rest = headers, one;
        bool all = true;
        while (all && rest.len && str_next(&rest, ',', &one))
            all = !str_trim(one).len ||
                  listed(json_get(rule, "AllowedHeaders"), str_trim(one), true);
        if (all) return rule;
    }
    return NULL;
}

static const Json *configuration_of(Call *call, Str bucket)
{
    Str text;
    const Json *configuration;
    Error ignored;
    if (!bucket.len || !s3_setting_of(s3_of(call), bucket, "cors", call->arena, &text, &ignored) ||
        !text.ptr || !json_parse(text, call->arena, &configuration, &ignored))
        return NULL;
    return configuration;
}

static Str joined(Arena *arena, const Json *list)
{
    AUTO_STRBUF StrBuf out = STRBUF(8 << 10);
    for (size_t i = 0; list && i < list->n; i++) {
        if (i) strbuf_add(&out, STR(", "));
        strbuf_add(&out, list->items[i]->text);
    }
    return arena_str(arena, strbuf_str(&out));
}

typedef void AddField(void *arg, const char *name, Str value);

static void rule_fields(Call *call, const Json *rule, Str origin, AddField *add, void *arg)
{
    bool any = listed(json_get(rule, "AllowedOrigins"), STR("*"), false);
    const Json *origins = json_get(rule, "AllowedOrigins");
    bool star = any && origins->n == 1 && str_is(origins->items[0]->text, "*");
    add(arg, "Access-Control-Allow-Origin", star ? STR("*") : origin);
    add(arg, "Access-Control-Allow-Methods", joined(call->arena, json_get(rule, "AllowedMethods")));
    const Json *expose = json_get(rule, "ExposeHeaders");
    if (expose && expose->n) add(arg, "Access-Control-Expose-Headers", joined(call->arena, expose));
    const Json *age = json_get(rule, "MaxAgeSeconds");
    if (age)
        add(arg, "Access-Control-Max-Age",
            arena_format(call->arena, "%lld", (long long)age->number));
    if (!star) add(arg, "Access-Control-Allow-Credentials", STR("true"));
    add(arg, "Vary", STR("Origin, Access-Control-Request-Headers, Access-Control-Request-Method"));
}

static void add_to_http(void *arg, const char *name, Str value)
{
    http_call_field(arg, str_of(name), value);
}

bool s3_preflight(Call *call, Str bucket, Error *err)
{
    const HttpRequest *request = call->http->request;
    Str origin = http_field(request, STR("Origin")),
        method = http_field(request, STR("Access-Control-Request-Method"));
    Str headers = http_field(request, STR("Access-Control-Request-Headers"));
    if (!origin.len)
        return call_error_status(call, err, 400, "BadRequest",
                                 "Insufficient information. Origin request header needed.");
    if (!method.len)
        return call_error_status(call, err, 400, "BadRequest",
                                 "Invalid Access-Control-Request-Method: null");
    const Json *configuration = configuration_of(call, bucket);
    if (!configuration)
        return call_error_status(call, err, 403, "AccessForbidden",
                                 "CORSResponse: CORS is not enabled for this bucket.");
    const Json *rule = s3_cors_rule(configuration, origin, method, headers);
    if (!rule)
        return call_error_status(
            call, err, 403, "AccessForbidden",
            "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of "
            "Origin, request method / Access-Control-Request-Method or "
            "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.");
    rule_fields(call, rule, origin, add_to_http, call->http);
    if (headers.len) http_call_field(call->http, STR("Access-Control-Allow-Headers"), headers);
    http_call_field(call->http, STR("x-amz-request-id"), call->request_id);
    http_call_answer(call->http, 200, (Str){0}, (Str){0});
    return true;
}

static void add_to_answer(void *arg, const char *name, Str value)
{
    WireAnswer *answer = arg;
    if ((size_t)answer->n_fields < COUNT(answer->fields))
        answer->fields[answer->n_fields++] = (WireField){str_of(name), value};
}

void s3_cors_fields(Call *call, WireAnswer *answer, Str bucket)
{
    Str origin = http_field(call->http->request, STR("Origin"));
    if (!origin.len) return;
    const Json *rule = s3_cors_rule(configuration_of(call, bucket), origin,
                                    http_method(call->http->request), (Str){0});
    if (rule) rule_fields(call, rule, origin, add_to_answer, answer);
}
