/* From an HTTP request to a handler and back; see dispatch.h.
 *
 * On the loop's thread only the head is looked at: it decides the largest body, and whether the short way of
 * InvokeEndpoint applies.  All else is straight-line code on a worker thread:
 *
 *     signature -> caller -> operation -> message -> permission -> handler -> answer -> audit record
 *
 * A stranger learns nothing: who calls is known before the message is looked at, and permission is asked before
 * the handler can say that something exists. */

#include "service/dispatch.h"

#include "aws/digest.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/cloudtrail/audit.h"
#include "service/iam/access.h"
#include "service/page.h"
#include "service/resource.h"
#include "service/s3/objects.h"
#include "service/sagemaker/runtime.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONTROL_THREADS = 8, DATA_THREADS = 16, QUEUE_MAX = 2048, RESOURCE_BYTES_MAX = 4096 };

struct Dispatcher {
    Server *server;
    HttpWorkers *control, *data;
    Runtime *runtime; /* the short way of InvokeEndpoint */
};

/* The body of a streaming operation: what came, decoded and verified (rule A7). */
struct CallBody {
    BodyReader *reader;
    StrBuf decoded;
    size_t at;  /* what is handed out of it */
    bool ended; /* all is here, and right */
    int64_t length;
};

/* ---- bodies ---- */

static bool keep_decoded(void *arg, Str decoded, Error *err)
{
    struct CallBody *body = arg;
    strbuf_add(&body->decoded, decoded);
    return !body->decoded.overflow ||
           error_set(err, ERROR_LIMIT, "a piece of the body is too long");
}

/* Gets more of the body into body->decoded, or finds that it is complete. */
static bool body_pull(Call *call, Error *err)
{
    struct CallBody *body = call->body;
    Str piece;
    if (!http_call_next(call->http, &piece, err)) return false;
    body->decoded.len = 0;
    body->at = 0;
    if (piece.len)
        return body_reader_feed(body->reader, piece, keep_decoded, body, &call->code, err);
    body->ended = true;
    return body_reader_end(body->reader, &call->code, err);
}

bool call_body_read(Call *call, char *buffer, size_t capacity, size_t *ret_n, Error *err)
{
    struct CallBody *body = call->body;
    while (body->at == body->decoded.len && !body->ended)
        if (!body_pull(call, err)) return false;
    size_t n = MIN(capacity, body->decoded.len - body->at);
    if (n) memcpy(buffer, body->decoded.ptr + body->at, n);
    body->at += n;
    *ret_n = n;
    return true;
}

int64_t call_body_length(const Call *call)
{
    return call->body->length;
}

Str call_body_trailer(const Call *call, Str name)
{
    return body_reader_trailer(call->body->reader, name);
}

/* The whole body of an operation that does not stream, as it came. */
static bool body_collect(Call *call, StrBuf *raw, Str *ret_body, Error *err)
{
    if (!call->http->streamed) {
        *ret_body = call->http->body;
        return true;
    }
    Str piece;
    do {
        if (!http_call_next(call->http, &piece, err)) return false;
        strbuf_add(raw, piece);
        if (raw->overflow) {
            call->code = "RequestEntityTooLarge";
            call->status = 413;
            return error_set(err, ERROR_LIMIT, "The request's body is longer than %zu bytes",
                             raw->max);
        }
    } while (piece.len);
    *ret_body = arena_str(call->arena, strbuf_str(raw)); /* a parked call outlives `raw` */
    return true;
}

/* ---- answers ---- */

static void send_answer(Call *call, const Service *service, WireAnswer *answer)
{
    if (service && service->answering) service->answering(call, answer);
    for (int i = 0; i < answer->n_fields; i++)
        http_call_field(call->http, answer->fields[i].name, answer->fields[i].value);
    for (int i = 0; i < call->n_fields; i++)
        http_call_field(call->http, call->fields[i].name, call->fields[i].value);
    if (call->http->request->method == HTTP_HEAD)
        http_call_answer(call->http, answer->status, answer->content_type, (Str){0});
    else
        http_call_answer(call->http, answer->status, answer->content_type, answer->body);
}

/* The usual code of a plain error, where the handler named none. */
static const char *usual_code(const Call *call, ErrorKind kind, int *ret_status)
{
    bool s3 = call->route.protocol == PROTOCOL_REST_XML;
    *ret_status = 400;
    switch (kind) {
    case ERROR_INVALID: return s3 ? "InvalidRequest" : "ValidationException";
    case ERROR_NOT_FOUND:
        if (s3) *ret_status = 404;
        return s3 ? "NoSuchKey" : "ResourceNotFoundException";
    case ERROR_CONFLICT:
        if (s3) *ret_status = 409;
        return s3 ? "OperationAborted" : "ConflictException";
    case ERROR_LIMIT: return s3 ? "EntityTooLarge" : "LimitExceededException";
    case ERROR_DENIED: *ret_status = 403; return s3 ? "AccessDenied" : "AccessDeniedException";
    case ERROR_UNSUPPORTED: *ret_status = 501; return "NotImplemented";
    case ERROR_TIMEOUT: *ret_status = 503; return s3 ? "SlowDown" : "ServiceUnavailable";
    case ERROR_NONE:
    case ERROR_NUMERIC:
    case ERROR_CANCELLED:
    case ERROR_NO_MEMORY:
    case ERROR_IO:
    case ERROR_INTERNAL: break;
    }
    *ret_status = 500;
    return s3 ? "InternalError" : "InternalFailure";
}

static void send_error(Call *call, const Service *service, Error *err)
{
    if (http_call_answered(call->http) || http_call_lost(call->http)) return;
    if (!call->code) {
        call->code = usual_code(call, err->kind, &call->status);
        if (call->status >= 500) {
            log_error("%.*s: %s", STR_ARG(call->route.name), err->text);
            if (call->status == 500) /* nothing of our inside (rule P3) */
                snprintf(err->text, sizeof err->text,
                         "The server failed; its log has the reason under request %.*s",
                         STR_ARG(call->request_id));
        }
    }
    WireAnswer answer = {0};
    message_write_error(&call->route, call->status, call->code, str_of(err->text),
                        call->error_details, call->request_id, call->arena, &answer);
    send_answer(call, service, &answer);
}

/* ---- permission ---- */

static Str member_text(const Call *call, Str name)
{
    const Json *in = call->in;
    for (size_t i = 0; in && i < in->n; i++)
        if (str_eq(in->members[i].name, name) && in->members[i].value->type == JSON_STRING)
            return in->members[i].value->text;
    return (Str){0};
}

/* "arn:aws:s3:::{Bucket}/{Key}" with the request's members; what is absent leaves nothing. */
static Str resource_of(const Call *call, const char *form)
{
    AUTO_STRBUF StrBuf out = STRBUF(RESOURCE_BYTES_MAX);
    Str rest = str_of(form);
    while (rest.len) {
        size_t open = str_find(rest, '{');
        strbuf_add(&out, str_slice(rest, 0, open));
        if (open == rest.len) break;
        size_t close = str_find(rest, '}');
        Str name = str_slice(rest, open + 1, close);
        if (str_is(name, "region"))
            strbuf_add(&out, call->region);
        else if (str_is(name, "account"))
            strbuf_add(&out, str_of(call->server->options->account));
        else
            strbuf_add(&out, member_text(call, name));
        rest = str_from(rest, close + 1);
    }
    return arena_str(call->arena, strbuf_str(&out));
}

static bool denied(Call *call, Str action, Str resource, Error *err)
{
    bool s3 = call->route.protocol == PROTOCOL_REST_XML;
    bool query = call->route.protocol == PROTOCOL_QUERY;
    if (s3) return call_error_status(call, err, 403, "AccessDenied", "Access Denied");
    /* AWS answers AccessDenied in the query protocol, AccessDeniedException in the others. */
    return call_error_status(
        call, err, query ? 403 : 400, query ? "AccessDenied" : "AccessDeniedException",
        "User: %.*s is not authorized to perform: %.*s on resource: %.*s because no "
        "identity-based policy allows the %.*s action",
        STR_ARG(call->caller.arn), STR_ARG(action), STR_ARG(resource), STR_ARG(action));
}

static bool permit(Call *call, const Service *service, Str action, Str resource, Error *err)
{
    Str policy = service && service->resource_policy ? service->resource_policy(call, resource)
                                                     : (Str){0};
    AccessContext context[ACCESS_CONTEXT_MAX];
    int n = access_context(call, action, context, ACCESS_CONTEXT_MAX);
    if (access_permitted(call->server, &call->caller, action, resource, context, n, policy))
        return true;
    return denied(call, action, resource, err);
}

bool call_authorize(Call *call, const char *action, Str resource, Error *err)
{
    Str service = str_of(action);
    service.len = str_find(service, ':');
    return permit(call, str_eq(service, STR("s3")) ? service_find(service) : NULL, str_of(action),
                  resource, err);
}

static bool permit_operation(Call *call, const Service *service, Error *err)
{
    const ServiceOperation *row = call->operation;
    Str action = row->action ? str_of(row->action)
                             : arena_format(call->arena, "%s:%s", call->route.service->signing_name,
                                            row->name);
    if (!row->resource) return true; /* the handler asks */
    return permit(call, service, action, resource_of(call, row->resource), err);
}

/* ---- one call ---- */

/* Signature and caller.  `body_hash` is the hex SHA-256 of a whole body, or empty. */
static bool authenticate(Call *call, const Signature *signature, Str body_hash, SigningKey *ret_key,
                         Error *err)
{
    return access_authenticate(call->server, call->http->request, signature, body_hash, call->arena,
                               &call->caller, ret_key, &call->code, err);
}

static bool streams_in(const Route *route)
{
    return route->operation && route->operation->streams_in;
}

/* Everything up to the handler. */
static bool prepare(Call *call, const Signature *signature, StrBuf *raw, StrBuf *decoded,
                    const Service **ret_service, bool *ret_taken, Error *err)
{
    const HttpRequest *request = call->http->request;
    SigningKey key = {0};
    Str body = {0}, hash = {0};

    route_find(request, (Str){0}, signature->service, &call->route);
    bool streams = streams_in(&call->route);
    if (!streams) {
        if (!body_collect(call, raw, &body, err)) return false;
        if (signature->form == SIGNATURE_HEADER && signature->body_mode == BODY_SIGNED) {
            char *hex = arena_alloc(call->arena, 65);
            digest_sha256_hex(body, hex);
            hash = (Str){hex, 64};
        }
    }
    if (!authenticate(call, signature, hash, &key, err)) return false;
    if (!streams) {
        if (!message_unpack(&call->route, request, &body, call->arena, &call->code, err))
            return false;
        if (!call->route.operation) route_find(request, body, signature->service, &call->route);
    }

    if (signature->form != SIGNATURE_NONE && call->route.service &&
        !call->server->options->auth_any &&
        !str_is(signature->service, call->route.service->signing_name)) /* rule A4 */
        return call_error_status(call, err, 403,
                                 call->route.protocol == PROTOCOL_JSON ? "InvalidSignatureException"
                                                                       : "SignatureDoesNotMatch",
                                 "Credential should be scoped to correct service: '%s'.",
                                 call->route.service->signing_name);

    const Service *service = call->route.service ? service_find(str_of(call->route.service->name))
                                                 : NULL;
    *ret_service = service;
    if (!call->route.service)
        return call_error_status(call, err, 400, "UnknownServiceException",
                                 "The request names no service that clary knows");
    if (service && service->other) {
        if (!service->other(call, ret_taken, err)) return false;
        if (*ret_taken) return true;
    }
    if (!call->route.operation && call->route.protocol == PROTOCOL_REST_XML)
        return call_error_status(call, err, 405, "MethodNotAllowed",
                                 "The specified method is not allowed against this resource.");
    if (!call->route.operation && !operation_exists(call->route.service, call->route.name))
        return call_error_status(call, err, 400, "UnknownOperationException",
                                 "The operation '%.*s' is not known to %s",
                                 STR_ARG(call->route.name), call->route.service->name);
    if (service && call->route.operation)
        call->operation = service_operation_find(service, call->route.name);
    if (!call->operation)
        return call_error_status(call, err, 501, "NotImplemented",
                                 "clary does not serve %s:%.*s yet; doc/api.md lists what it does",
                                 call->route.service->name, STR_ARG(call->route.name));
    if (call->caller.type == CALLER_ANONYMOUS && !(call->operation->flags & OPERATION_ANONYMOUS))
        return call_error_status(
            call, err, 403,
            call->route.protocol == PROTOCOL_REST_XML ? "AccessDenied"
                                                      : "MissingAuthenticationToken",
            call->route.protocol == PROTOCOL_REST_XML ? "Access Denied"
                                                      : "Missing Authentication Token");

    call->body = arena_new(call->arena, struct CallBody);
    *call->body = (struct CallBody){
        .reader = body_reader_new(call->arena, request, signature, &key),
        .decoded = *decoded,
        .length = signature->decoded_length >= 0 ? signature->decoded_length
                  : request->has_length          ? (int64_t)request->content_length
                                                 : -1};
    if (!streams &&
        signature->body_mode > BODY_UNSIGNED) { /* aws-chunked, though nothing streams */
        if (!body_reader_feed(call->body->reader, body, keep_decoded, call->body, &call->code,
                              err) ||
            !body_reader_end(call->body->reader, &call->code, err))
            return false;
        body = arena_str(call->arena, strbuf_str(&call->body->decoded));
    }
    if (!message_read(&call->route, request, body, call->arena, &call->in, &call->code, err))
        return false;
    return permit_operation(call, service, err);
}

static void run_handler(Call *call, const Service *service)
{
    Error err = {0};
    call->parked = false;
    audit_begin(call);
    bool ok = call->operation->handle(call, &err);
    if (call->parked) {
        audit_cancel(call);
        return;
    }
    if (ok && (call->operation->flags & OPERATION_ANSWERS)) {
        audit_record(call, NULL);
        return;
    }
    if (!ok) {
        audit_record(call, &err);
        send_error(call, service, &err);
        return;
    }
    audit_record(call, NULL);
    WireAnswer answer = {0};
    message_write(&call->route, call->out, call->request_id, call->arena, &answer);
    send_answer(call, service, &answer);
}

void call_run_again(void *arg, HttpCall *http)
{
    Call *call = http->user;
    (void)arg;
    call->out = json_new_object(call->arena);
    run_handler(call, service_find(str_of(call->route.service->name)));
}

static void serve(void *arg, HttpCall *http)
{
    Dispatcher *dispatcher = arg;
    Error err = {0};
    Call *call = arena_new(http->arena, Call);
    *call = (Call){.server = dispatcher->server,
                   .arena = http->arena,
                   .http = http,
                   .now = clock_wall(),
                   .out = json_new_object(http->arena),
                   .region = str_of(dispatcher->server->options->region)};
    http->user = call;
    call->waiter = resource_is_waiter(http_field(http->request, STR("User-Agent")));
    call->request_id = call_new_id(http->arena);

    AUTO_STRBUF StrBuf raw = STRBUF(COLLECTED_BODY_BYTES_MAX);
    StrBuf decoded = STRBUF(COLLECTED_BODY_BYTES_MAX);
    const Service *service = NULL;
    Signature signature = {0};
    bool taken = false;
    bool ok = signature_parse(http->request, http->arena, &signature, &call->code, &err);
    if (!ok) route_find(http->request, (Str){0}, (Str){0}, &call->route);
    if (signature.region.len) call->region = signature.region;
    ok = ok && prepare(call, &signature, &raw, &decoded, &service, &taken, &err);
    if (!ok) {
        audit_record(call, &err);
        send_error(call, service, &err);
    } else if (!taken) {
        run_handler(call, service);
    }
    if (call->body) {
        strbuf_clear(&call->body->decoded);
        body_reader_clear(call->body->reader);
    }
}

/* ---- on the loop's thread ---- */

static bool is_invocation(const HttpRequest *request)
{
    Str path = http_path(request);
    return request->method == HTTP_POST && str_starts(path, STR("/endpoints/")) &&
           (str_ends(path, STR("/invocations")) ||
            str_ends(path, STR("/invocations-response-stream")));
}

/* S3 moves bodies; the control APIs answer from the database. */
static bool is_control(const HttpRequest *request)
{
    return http_field(request, STR("X-Amz-Target")).ptr ||
           str_starts(http_path(request), STR("/service/")) ||
           (request->method == HTTP_POST && request->content_type >= 0 &&
            str_starts(http_field_value(request, request->content_type),
                       STR("application/x-www-form-urlencoded")));
}

static void on_head(void *arg, HttpExchange *exchange)
{
    Dispatcher *dispatcher = arg;
    const HttpRequest *request = exchange->request;
    if (page_head(dispatcher->server, dispatcher->control, exchange)) return;
    if (is_invocation(request)) {
        exchange->body_max = INVOKE_BODY_BYTES_MAX;
        return; /* on_request goes on */
    }
    if (s3_quick_wants(dispatcher->server, request)) return; /* on_request goes on */
    bool control = is_control(request);
    exchange->body_max = control ? CONTROL_BODY_BYTES_MAX : (uint64_t)OBJECT_BODY_BYTES_MAX;
    http_workers_submit(control ? dispatcher->control : dispatcher->data, exchange,
                        WHOLE_BODY_BYTES_MAX, serve, dispatcher);
}

static void on_request(void *arg, HttpExchange *exchange)
{
    Dispatcher *dispatcher = arg;
    if (exchange->request->method == HTTP_GET) {
        if (!s3_quick_answer(dispatcher->server, exchange))
            http_workers_submit(dispatcher->data, exchange, WHOLE_BODY_BYTES_MAX, serve,
                                dispatcher);
        return;
    }
    runtime_invoke(dispatcher->runtime, exchange);
}

static void on_lost(void *arg, HttpExchange *exchange)
{
    Dispatcher *dispatcher = arg;
    runtime_lost(dispatcher->runtime, exchange);
}

static void on_room(void *arg, HttpExchange *exchange)
{
    Dispatcher *dispatcher = arg;
    runtime_room(dispatcher->runtime, exchange);
}

Dispatcher *dispatcher_new(Server *server, Loop *loop)
{
    Dispatcher *dispatcher = calloc(1, sizeof *dispatcher);
    if (!dispatcher) memory_exhausted(sizeof *dispatcher);
    dispatcher->server = server;
    dispatcher->control = http_workers_new(loop, CONTROL_THREADS, QUEUE_MAX);
    dispatcher->data = http_workers_new(loop, DATA_THREADS, QUEUE_MAX);
    dispatcher->runtime = runtime_new(server, loop);
    return dispatcher;
}

HttpHandler dispatcher_handler(Dispatcher *dispatcher)
{
    return (HttpHandler){.arg = dispatcher,
                         .head = on_head,
                         .request = on_request,
                         .room = on_room,
                         .lost = on_lost};
}

void dispatcher_free(Dispatcher *dispatcher)
{
    if (!dispatcher) return;
    runtime_free(dispatcher->runtime);
    http_workers_free(dispatcher->control);
    http_workers_free(dispatcher->data);
    free(dispatcher);
}
