/* The first page and the server's own routes.
 *
 * A web page in the user's browser is a stranger (threat model, section 1): these routes answer only to a Host
 * that is the server's own, and nothing is changed for a request that a page could have made (one with Origin). */

#include "service/page.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "format/json.h"
#include "service/call.h"
#include "service/check.h"

#include <stdio.h>

enum { PAGE_BYTES_MAX = 1 << 20 };

static bool is_own_host(const Server *server, const HttpRequest *request)
{
    Str host = http_field_value(request, request->host);
    bool bracket = host.len && host.ptr[0] == '[';
    Str name = bracket ? str_slice(host, 0, MIN(host.len, str_find(host, ']') + 1)) : host;
    if (!bracket) name.len = str_find(host, ':');
    return str_is(name, "127.0.0.1") || str_eq_nocase(name, STR("localhost")) ||
           str_is(name, "[::1]") || str_is(name, server->options->host);
}

static void answer_json(HttpCall *call, int status, StrBuf *out)
{
    http_call_field(call, STR("Cache-Control"), STR("no-store"));
    http_call_answer(call, status, STR("application/json"), strbuf_str(out));
}

static void answer_health(void *arg, HttpCall *call)
{
    (void)arg;
    http_call_answer(call, 200, STR("application/json"), STR("{\"status\":\"ok\"}\n"));
}

static void answer_status(void *arg, HttpCall *call)
{
    Server *server = arg;
    AUTO_STRBUF StrBuf out = STRBUF(PAGE_BYTES_MAX);
    JsonWriter json = JSON_WRITER(&out);
    Error err = {0};
    Str sandbox = {0};
    json_begin_object(&json);
    json_member_string(&json, "status", STR("ok"));
    json_member_string(&json, "version", STR(CLARY_VERSION));
    json_member_double(&json, "uptime_seconds", clock_wall() - server->started);
    json_member_string(&json, "region", str_of(server->options->region));
    json_member_string(&json, "account", str_of(server->options->account));
    json_member_string(&json, "home", str_of(server->options->home));
    json_member_string(&json, "database", str_of(db_about(server->db)));
    json_member_bool(&json, "ephemeral", server->options->ephemeral);
    if (sandbox_about(call->arena, &sandbox, &err)) json_member_string(&json, "sandbox", sandbox);
    for (const Part *part = parts; part->name; part++)
        if (part->status) part->status(server, &json);
    json_end_object(&json);
    strbuf_add_char(&out, '\n');
    answer_json(call, 200, &out);
}

static void answer_reset(void *arg, HttpCall *call)
{
    Server *server = arg;
    Error err = {0};
    AUTO_STRBUF StrBuf out = STRBUF(4096);
    JsonWriter json = JSON_WRITER(&out);
    int status = 200;
    json_begin_object(&json);
    if (!server->options->ephemeral) {
        status = 403;
        json_member_string(
            &json, "message",
            STR("reset is for servers that were started with --ephemeral: this one keeps its data"));
    } else if (http_field(call->request, STR("Origin")).ptr) {
        status = 403;
        json_member_string(&json, "message", STR("reset is not for web pages"));
    } else if (!parts_reset(server, &err)) {
        status = 500;
        json_member_string(&json, "message", str_of(err.text));
    } else {
        json_member_string(&json, "status", STR("empty"));
    }
    json_end_object(&json);
    strbuf_add_char(&out, '\n');
    answer_json(call, status, &out);
}

static void answer_check(void *arg, HttpCall *call)
{
    Error err = {0};
    AUTO_STRBUF StrBuf out = STRBUF(PAGE_BYTES_MAX);
    JsonWriter json = JSON_WRITER(&out);
    int status = 200;
    json_begin_object(&json);
    if (http_field(call->request, STR("Origin")).ptr) {
        status = 403;
        json_member_string(&json, "message", STR("check is not for web pages"));
    } else if (!server_check(arg, &json, &err)) {
        status = 500;
        json_member_string(&json, "message", str_of(err.text));
    }
    json_end_object(&json);
    strbuf_add_char(&out, '\n');
    answer_json(call, status, &out);
}

static void add_text(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++) switch (text.ptr[i]) {
        case '<': strbuf_add(out, STR("&lt;")); break;
        case '>': strbuf_add(out, STR("&gt;")); break;
        case '&': strbuf_add(out, STR("&amp;")); break;
        case '"': strbuf_add(out, STR("&quot;")); break;
        case '\'': strbuf_add(out, STR("&#39;")); break;
        default: strbuf_add_char(out, text.ptr[i]);
        }
}

void page_table_begin(Page *page, const char *title, const char *const *columns)
{
    StrBuf *out = page->out;
    strbuf_addf(out, "<section><h2>%s</h2><table><thead><tr>", title);
    for (; *columns; columns++) strbuf_addf(out, "<th scope=\"col\">%s</th>", *columns);
    strbuf_add(out, STR("</tr></thead><tbody>"));
    page->rows = 0;
}

void page_row_begin(Page *page)
{
    strbuf_add(page->out, STR("<tr>"));
    page->rows++;
}

void page_cell(Page *page, Str text)
{
    strbuf_add(page->out, STR("<td>"));
    add_text(page->out, text);
    strbuf_add(page->out, STR("</td>"));
}

void page_state(Page *page, Str state)
{
    static const struct {
        const char *state, *class;
    } classes[] = {{"Completed", "good"},  {"InService", "good"}, {"Failed", "bad"},
                   {"InProgress", "busy"}, {"Creating", "busy"},  {"Updating", "busy"}};
    const char *class = "";
    for (size_t i = 0; i < COUNT(classes); i++)
        if (str_is(state, classes[i].state)) class = classes[i].class;
    strbuf_addf(page->out, "<td class=\"%s\">", class);
    add_text(page->out, state);
    strbuf_add(page->out, STR("</td>"));
}

void page_time(Page *page, double seconds)
{
    time_t when = (time_t)seconds;
    struct tm tm;
    char text[40];
    gmtime_r(&when, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    page_cell(page, str_of(text));
}

void page_row_end(Page *page)
{
    strbuf_add(page->out, STR("</tr>"));
}

void page_table_end(Page *page, const char *none)
{
    strbuf_add(page->out, STR("</tbody></table>"));
    if (!page->rows) strbuf_addf(page->out, "<p class=\"none\">%s</p>", none);
    strbuf_add(page->out, STR("</section>"));
}

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1a2126;--dim:#5a6a74;--line:#d5dce0;--paper:#fff;--good:#0b6e4f;"
    "--bad:#a3262a;--busy:#1f5fa8}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6ecef;--dim:#9fb0ba;--line:#39464e;--paper:#14191c;"
    "--good:#5fd0a5;--bad:#ff8f8f;--busy:#86b9f5}}"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:62rem;"
    "margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .4rem}"
    "p{margin:.3rem 0}.dim,.none{color:var(--dim)}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);"
    "overflow-wrap:anywhere}th{font-weight:600;color:var(--dim)}code{font-size:.95em}"
    ".good{color:var(--good)}.bad{color:var(--bad)}.busy{color:var(--busy)}";

static void answer_page(void *arg, HttpCall *call)
{
    Server *server = arg;
    AUTO_STRBUF StrBuf out = STRBUF(PAGE_BYTES_MAX);
    Page page = {.out = &out, .arena = call->arena};
    double up = clock_wall() - server->started;
    strbuf_addf(
        &out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>clary</title>"
        "<meta name=\"viewport\" content=\"width=device-width\"><style>%s</style></head><body><main>"
        "<h1>clary</h1><p class=\"dim\">version %s &middot; account %s &middot; up for ",
        style, CLARY_VERSION, server->options->account);
    if (up < 120)
        strbuf_addf(&out, "%.0f seconds", up);
    else if (up < 7200)
        strbuf_addf(&out, "%.0f minutes", up / 60);
    else
        strbuf_addf(&out, "%.0f hours", up / 3600);
    strbuf_add(&out, STR("</p><p class=\"dim\">Times are UTC. Point a shell at this server with "
                         "<code>eval \"$(clary env)\"</code>.</p>"));
    for (const Part *part = parts; part->name; part++)
        if (part->page) part->page(server, &page);
    strbuf_add(&out, STR("</main></body></html>\n"));
    http_call_field(call, STR("Content-Security-Policy"),
                    STR("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"));
    http_call_field(call, STR("Cache-Control"), STR("no-store"));
    http_call_field(call, STR("X-Content-Type-Options"), STR("nosniff"));
    http_call_answer(call, 200, STR("text/html; charset=utf-8"), strbuf_str(&out));
}

bool page_head(Server *server, HttpWorkers *workers, HttpExchange *exchange)
{
    static const struct {
        const char *path;
        HttpMethod method;
        HttpCallFunction *run;
    } routes[] = {
        {"/_clary/health", HTTP_GET, answer_health},
        {"/_clary/status", HTTP_GET, answer_status},
        {"/_clary/reset", HTTP_POST, answer_reset},
        {"/_clary/check", HTTP_POST, answer_check},
    };
    const HttpRequest *request = exchange->request;
    Str path = http_path(request);
    HttpCallFunction *run = NULL;
    if (str_is(path, "/")) {
        bool browser = request->method == HTTP_GET && !request->query_len && request->accept >= 0 &&
                       str_has(http_field_value(request, request->accept), STR("text/html")) &&
                       !http_field(request, STR("Authorization")).ptr;
        if (!browser) return false;
        run = answer_page;
    } else if (str_starts(path, STR("/_clary/"))) {
        for (size_t i = 0; i < COUNT(routes); i++)
            if (str_is(path, routes[i].path) && request->method == routes[i].method)
                run = routes[i].run;
    } else {
        return false;
    }
    if (!is_own_host(server, request))
        http_answer(exchange, 403, STR("text/plain"), STR("this name is not the server's own\n"));
    else if (!run)
        http_answer(exchange, 404, STR("text/plain"), STR("no such page\n"));
    else
        http_workers_submit(workers, exchange, 1024, run, server);
    return true;
}
