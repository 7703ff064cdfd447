/* Which service and operation a request addresses: all services share one port.
 *
 * The order is that of what clients really send: the target header of the JSON protocols, the path of CBOR,
 * a form with an Action, and for the REST protocols the credential scope (or the Host header of proxied
 * requests), method, path and query.  Several APIs share a scope and are told apart by path.  What is
 * unsigned and nothing else is S3. */

#include "aws/protocol.h"

#include "aws/text.h"

static bool speaks(const ServiceShape *service, Protocol protocol)
{
    return service->protocols >> protocol & 1;
}

static void set_operation(Route *route, const ServiceShape *service, Protocol protocol, Str name)
{
    route->service = service;
    route->protocol = protocol;
    route->name = name;
    route->operation = service ? operation_shape_find(service, name) : NULL;
}

/* ---- paths of the REST protocols ---- */

/* Walks pattern and path together.  With `label` looks for its text. */
static bool walk(Str pattern, Str path, const char *label, Str *ret_label, int *ret_literals)
{
    int literals = 0;
    while (pattern.len) {
        if (pattern.ptr[0] != '{') {
            if (!path.len || path.ptr[0] != pattern.ptr[0]) return false;
            literals += pattern.ptr[0] != '/';
            pattern = str_from(pattern, 1);
            path = str_from(path, 1);
            continue;
        }
        size_t end = str_find(pattern, '}');
        Str name = str_slice(pattern, 1, end);
        bool greedy = name.len && name.ptr[name.len - 1] == '+';
        if (greedy) name.len--;
        pattern = str_from(pattern, MIN(end + 1, pattern.len));
        /* Behind a greedy label may follow literal text: "{Key+}/tags". */
        size_t n = greedy ? path.len - MIN(path.len, pattern.len) : str_find(path, '/');
        if (n == 0) return false;
        if (label && str_is(name, label)) *ret_label = str_slice(path, 0, n);
        path = str_from(path, n);
    }
    if (ret_literals) *ret_literals = literals;
    return path.len == 0;
}

static bool match_path(const OperationShape *operation, Str path, Str bucket, const char *label,
                       Str *ret_label, int *ret_literals)
{
    Str pattern = str_of(operation->uri);
    pattern.len = str_find(pattern, '?');
    if (str_starts(pattern, STR("/{Bucket}"))) {
        if (bucket.len) {
            if (label && strcmp(label, "Bucket") == 0) *ret_label = bucket;
            pattern = str_from(pattern, 9);
            if (pattern.len == 0) pattern = STR("/");
        } else if (pattern.len == 9 && path.len > 2 &&
                   str_find(str_from(path, 1), '/') == path.len - 2) {
            path.len--; /* "/bucket/" */
        }
    } else if (bucket.len) {
        return false;
    }
    return walk(pattern, path, label, ret_label, ret_literals);
}

Str uri_label(const OperationShape *operation, Str path, Str bucket, const char *label)
{
    Str text = {0};
    match_path(operation, path, bucket, label, &text, NULL);
    return text;
}

static bool query_has(Str query, Str literal)
{
    Str name, value;
    size_t equals = str_find(literal, '=');
    while (form_next(&query, &name, &value))
        if (str_eq(name, str_slice(literal, 0, equals)) &&
            (equals == literal.len || str_eq(value, str_from(literal, equals + 1))))
            return true;
    return false;
}

bool uri_match(const OperationShape *operation, const HttpRequest *request, Str bucket,
               int *ret_specific)
{
    int literals, n_query = 0, n_needs = 0;
    if (!str_is(http_method(request), operation->method)) return false;
    if (operation->query && !request->query_len) return false;
    Str query = http_text(request, request->query_at, request->query_len), part;
    Str wanted = str_of(operation->query);
    while (str_next(&wanted, '&', &part)) {
        if (str_starts(part, STR("x-id="))) continue;
        if (!query_has(query, part)) return false;
        n_query++;
    }
    if (!match_path(operation, http_path(request), bucket, NULL, NULL, &literals)) return false;
    bool all = true;
    for (const char *const *need = operation->needs; *need; need++, n_needs++)
        all = all && ((*need)[0] == '?' ? query_has(query, str_of(*need + 1))
                                        : http_field(request, str_of(*need + 1)).ptr != NULL);
    *ret_specific = MIN(literals, 255) << 16 | n_query << 8 | (all ? 128 + n_needs : 64 - n_needs);
    if (operation->form_upload) {
        Str parameters,
            type = http_media_type(http_field_value(request, request->content_type), &parameters);
        if (!str_eq_nocase(type, STR("multipart/form-data"))) return false;
    }
    return true;
}

static void find_rest(Route *route, const HttpRequest *request, const ServiceShape *service)
{
    int best = -1, specific;
    for (int i = 0; i < service->n_operations; i++) {
        const OperationShape *operation = &service->operations[i];
        if (operation->method[0] != http_method(request).ptr[0]) continue;
        if (!uri_match(operation, request, route->bucket, &specific) || specific <= best) continue;
        best = specific;
        route->operation = operation;
        route->name = str_of(operation->name);
    }
}

/* ---- host names ---- */

/* The bucket in front of S3's own name; *ret_s3: the name is S3's. */
static Str bucket_of_host(Str host, bool *ret_s3)
{
    *ret_s3 = false;
    if (str_ends(host, STR(".localhost"))) {
        host.len -= 10;
        *ret_s3 = true;
        if (str_eq(host, STR("s3"))) return (Str){0};
        if (str_ends(host, STR(".s3"))) host.len -= 3;
        return host;
    }
    if (str_ends(host, STR(".amazonaws.com")))
        host.len -= 14;
    else if (str_ends(host, STR(".amazonaws.com.cn")))
        host.len -= 17;
    else
        return (Str){0};
    /* The last label that is "s3" or begins with "s3-": what is before it names the bucket. */
    for (size_t end = host.len; end > 0;) {
        size_t begin = end;
        while (begin > 0 && host.ptr[begin - 1] != '.') begin--;
        Str label = str_slice(host, begin, end);
        if (str_is(label, "s3") || str_starts(label, STR("s3-"))) {
            *ret_s3 = true;
            return begin ? str_slice(host, 0, begin - 1) : (Str){0};
        }
        end = begin ? begin - 1 : 0;
    }
    return (Str){0};
}

static const ServiceShape *service_of_host(Str host)
{
    if (!str_ends(host, STR(".amazonaws.com")) && !str_ends(host, STR(".amazonaws.com.cn")))
        return NULL;
    for (const ServiceShape *const *service = service_shapes; *service; service++) {
        Str prefix = str_of((*service)->endpoint_prefix);
        if (str_starts(host, prefix) && host.len > prefix.len && host.ptr[prefix.len] == '.')
            return *service;
    }
    return NULL;
}

/* ---- the protocols, by what each shows ---- */

static bool find_json(Route *route, const HttpRequest *request)
{
    Str target = http_field(request, STR("x-amz-target"));
    if (!target.ptr) return false;
    size_t dot = target.len;
    while (dot > 0 && target.ptr[dot - 1] != '.') dot--;
    Str prefix = str_slice(target, 0, dot ? dot - 1 : 0);
    const ServiceShape *found = NULL;
    for (const ServiceShape *const *service = service_shapes; *service && !found; service++)
        if (speaks(*service, PROTOCOL_JSON) && (*service)->target_prefix &&
            str_is(prefix, (*service)->target_prefix))
            found = *service;
    set_operation(route, found, PROTOCOL_JSON, str_from(target, dot));
    return true;
}

static bool find_cbor(Route *route, const HttpRequest *request)
{
    Str rest = http_path(request), part[4];
    if (!str_starts(rest, STR("/service/"))) return false;
    rest = str_from(rest, 1);
    for (size_t i = 0; i < COUNT(part); i++)
        if (!str_next(&rest, '/', &part[i])) return false;
    if (rest.ptr || !str_is(part[2], "operation")) return false;
    if (!http_field(request, STR("smithy-protocol")).ptr) return false;
    const ServiceShape *found = NULL;
    for (const ServiceShape *const *service = service_shapes; *service && !found; service++)
        if (speaks(*service, PROTOCOL_CBOR) && (*service)->target_prefix &&
            str_is(part[1], (*service)->target_prefix))
            found = *service;
    set_operation(route, found, PROTOCOL_CBOR, part[3]);
    return true;
}

static bool find_query(Route *route, const HttpRequest *request, Str body, Str scope)
{
    Str parameters,
        type = http_media_type(http_field_value(request, request->content_type), &parameters);
    bool form = request->method == HTTP_POST &&
                str_eq_nocase(type, STR("application/x-www-form-urlencoded"));
    Str query = http_text(request, request->query_at, request->query_len);
    Str action = form_find(query, "Action"), version = form_find(query, "Version");
    if (!action.ptr && form) {
        action = form_find(body, "Action");
        version = form_find(body, "Version");
    }
    if (!action.ptr && !form) return false;
    if (form && !action.ptr && body.len) return false;
    const ServiceShape *found = NULL;
    for (const ServiceShape *const *service = service_shapes; *service; service++) {
        if (!speaks(*service, PROTOCOL_QUERY)) continue;
        bool by_scope = scope.len && str_is(scope, (*service)->signing_name);
        bool by_version = version.len && str_is(version, (*service)->api_version);
        if (by_scope || (by_version && !found)) found = *service;
    }
    if (!action.ptr && !found && scope.len) return false; /* a form for a REST service */
    set_operation(route, found, PROTOCOL_QUERY, action.ptr ? action : (Str){0});
    return true;
}

static Protocol rest_protocol(const ServiceShape *service)
{
    return speaks(service, PROTOCOL_REST_XML) ? PROTOCOL_REST_XML : PROTOCOL_REST_JSON;
}

static bool is_rest(const ServiceShape *service)
{
    return speaks(service, PROTOCOL_REST_XML) || speaks(service, PROTOCOL_REST_JSON);
}

void route_find(const HttpRequest *request, Str body, Str scope, Route *ret_route)
{
    Route *route = ret_route;
    *route = (Route){.path = http_path(request)};
    if (find_json(route, request) || find_cbor(route, request)) return;
    if (find_query(route, request, body, scope)) return;

    Str host = http_field_value(request, request->host);
    size_t colon = host.len;
    while (colon > 0 && host.ptr[colon - 1] >= '0' && host.ptr[colon - 1] <= '9') colon--;
    if (colon > 1 && colon < host.len && host.ptr[colon - 1] == ':') host.len = colon - 1;
    bool is_s3;
    Str bucket = bucket_of_host(host, &is_s3);
    if (scope.len) {
        is_s3 = str_is(scope, "s3");
    } else if (!is_s3) {
        const ServiceShape *of_host = service_of_host(host);
        if (of_host)
            scope = str_of(of_host->signing_name);
        else
            is_s3 = true;
    }
    if (is_s3) scope = STR("s3");

    /* Services that share the scope: the one that has the path. */
    for (const ServiceShape *const *service = service_shapes; *service; service++) {
        if (!str_is(scope, (*service)->signing_name)) continue;
        if (!is_rest(*service)) {
            if (!route->service) {
                route->service = *service;
                route->protocol = speaks(*service, PROTOCOL_JSON) ? PROTOCOL_JSON : PROTOCOL_QUERY;
            }
            continue;
        }
        Route found = *route;
        found.service = *service;
        found.protocol = rest_protocol(*service);
        found.bucket = is_s3 ? bucket : (Str){0};
        find_rest(&found, request, *service);
        if (found.operation || !route->service) *route = found;
        if (found.operation) return;
    }
}
