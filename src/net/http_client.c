/* The client: a pool of links (connections) to one upstream, and fetches (requests) on them.
 *
 * The short way of a request: one sendmsg of head and body on an idle link, one recv of the whole
 * answer into the client's shared input, the parser, the callbacks.  A fetch gets memory of its own
 * only for what the socket does not take, and a link for an answer that comes in parts.
 *
 * A link carries one fetch at a time.  It goes back to the pool only when the request was sent
 * whole, the answer was read whole, nothing came behind it, and both sides want to go on.
 *
 * An idle link may be dead without our knowing.  When not one byte of a request was taken by it,
 * the request quietly moves to another link; when some were, only the caller can know whether
 * trying again is safe, and is told. */

#include "net/http_client.h"

#include "net/http_bytes.h"
#include "net/http_grammar.h"

#include "base/memory.h"
#include "base/strbuf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    INPUT_SIZE = 64 * 1024,
    READS_MAX = 16,
    TEXT_MAX = 200, /* of a failure that is told later */
    COMPACT_MIN = 64 * 1024,
};
static const double connect_again_seconds = 0.002;

const HttpClientOptions http_client_options = {
    .limits = HTTP_LIMITS,
    .connections_max = 64,
    .queue_max = 1024,
    .idle_max = 16,
    .connect_seconds = 0.25,
    .answer_seconds = 60,
    .stall_seconds = 60,
    .idle_seconds = 30,
};

typedef enum LinkStage { LINK_CONNECT, LINK_READY, LINK_CLOSED } LinkStage;

typedef struct Link {
    HttpClient *client;
    struct Link *previous, *next;           /* of all links */
    struct Link *previous_idle, *next_idle; /* the last used first */
    LoopSource source;
    LoopTimer timer; /* connecting, or idle */
    double idle_since;
    HttpFetch *fetch;
    int fd;
    uint32_t events;
    LinkStage stage;
    bool idle, used; /* used: it carried an answer before */
    bool reading;
    Bytes in; /* the beginning of a head, or what came while the caller paused */
} Link;

typedef enum FetchStage { FETCH_HEAD, FETCH_BODY, FETCH_FAILED } FetchStage;

struct HttpFetch {
    HttpClient *client;
    Link *link;                 /* NULL: waits for one */
    HttpFetch *previous, *next; /* in the queue */
    HttpFetch *previous_of_all, *next_of_all;
    HttpReceiver receiver;
    void *arg;
    LoopTimer timer;
    double deadline;
    FetchStage stage;
    bool queued;
    bool starting;  /* within http_client_send: nobody may be called */
    bool sent;      /* a byte of the request left */
    bool ended;     /* the request is complete in `out` */
    bool in_chunks; /* its body goes in chunks */
    bool broken;    /* the upstream takes no more of the request */
    bool paused;    /* no more of the answer for now */
    bool wants_room;
    int64_t left;      /* of a request's body in pieces with a length */
    uint64_t body_len; /* of the answer so far */
    HttpChunks chunks;
    Bytes out;
    size_t out_sent;
    Bytes head;     /* the answer's, when it must outlive the shared input */
    ErrorKind kind; /* of a failure to be told */
    char text[TEXT_MAX];
    HttpResponse response; /* last */
};

struct HttpClient {
    Loop *loop;
    HttpClientOptions options;
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
    socklen_t address_len;
    char name[128]; /* for errors and the Host field */
    HttpClientCounts counts;
    Link *links, *idle;
    HttpFetch *first, *last; /* waiting for a link */
    HttpFetch *fetches;      /* all */
    bool giving;             /* give_links is at work */
    Bytes input, scratch;
};

static void begin(HttpFetch *fetch);
static void read_answer(Link *link);
static void give_links(HttpClient *client);

/* ---- lists ---- */

static void enqueue(HttpFetch *fetch)
{
    HttpClient *client = fetch->client;
    fetch->queued = true;
    fetch->next = NULL;
    fetch->previous = client->last;
    if (client->last)
        client->last->next = fetch;
    else
        client->first = fetch;
    client->last = fetch;
    client->counts.waiting++;
}

static void dequeue(HttpFetch *fetch)
{
    if (!fetch->queued) return;
    HttpClient *client = fetch->client;
    if (fetch->previous)
        fetch->previous->next = fetch->next;
    else
        client->first = fetch->next;
    if (fetch->next)
        fetch->next->previous = fetch->previous;
    else
        client->last = fetch->previous;
    fetch->queued = false;
    client->counts.waiting--;
}

static void set_idle(Link *link, bool idle)
{
    if (link->idle == idle) return;
    HttpClient *client = link->client;
    link->idle = idle;
    client->counts.idle += idle ? 1 : -1;
    if (idle) {
        link->previous_idle = NULL;
        link->next_idle = client->idle;
        if (client->idle) client->idle->previous_idle = link;
        client->idle = link;
        return;
    }
    if (link->previous_idle)
        link->previous_idle->next_idle = link->next_idle;
    else
        client->idle = link->next_idle;
    if (link->next_idle) link->next_idle->previous_idle = link->previous_idle;
}

/* ---- the end of links and fetches ---- */

static void release_link(LoopSource *source)
{
    free(LOOP_OWNER(source, Link, source));
}

static void close_link(Link *link)
{
    if (link->stage == LINK_CLOSED) return;
    HttpClient *client = link->client;
    set_idle(link, false);
    link->stage = LINK_CLOSED;
    if (link->fetch) link->fetch->link = NULL;
    link->fetch = NULL;
    loop_timer_stop(client->loop, &link->timer);
    loop_remove(client->loop, link->fd, &link->source);
    close(link->fd);
    bytes_clear(&link->in);
    if (link->previous)
        link->previous->next = link->next;
    else
        client->links = link->next;
    if (link->next) link->next->previous = link->previous;
    client->counts.open--;
}

static void free_fetch(HttpFetch *fetch)
{
    HttpClient *client = fetch->client;
    loop_timer_stop(client->loop, &fetch->timer);
    dequeue(fetch);
    client->counts.in_flight--;
    if (fetch->previous_of_all)
        fetch->previous_of_all->next_of_all = fetch->next_of_all;
    else
        client->fetches = fetch->next_of_all;
    if (fetch->next_of_all) fetch->next_of_all->previous_of_all = fetch->previous_of_all;
    bytes_clear(&fetch->out);
    bytes_clear(&fetch->head);
    free(fetch);
}

static void tell_failure(HttpFetch *fetch)
{
    HttpClient *client = fetch->client;
    Error err = {0};
    error_set(&err, fetch->kind, "%s: %s", client->name, fetch->text);
    dequeue(fetch);
    if (fetch->receiver.done) fetch->receiver.done(fetch->arg, &err, fetch->sent);
    free_fetch(fetch);
    give_links(client);
}

/* Ends a fetch that has not ended; its link is closed. */
PRINTF_LIKE(3, 4) static void fail(HttpFetch *fetch, ErrorKind kind, const char *format, ...)
{
    HttpClient *client = fetch->client;
    if (fetch->stage == FETCH_FAILED) return;
    va_list args;
    va_start(args, format);
    vsnprintf(fetch->text, sizeof fetch->text, format, args);
    va_end(args);
    fetch->kind = kind;
    fetch->stage = FETCH_FAILED;
    client->counts.failures++;
    dequeue(fetch);
    if (fetch->link) close_link(fetch->link);
    if (fetch->starting)
        loop_timer_start(client->loop, &fetch->timer, loop_now(client->loop));
    else
        tell_failure(fetch);
}

/* The link broke.  A request of which nothing left may go over another one. */
static void lose_link(Link *link, ErrorKind kind, const char *what)
{
    HttpFetch *fetch = link->fetch;
    bool again = fetch && link->used && !fetch->sent;
    if (!again && fetch) {
        fail(fetch, kind, "%s", what);
        return;
    }
    close_link(link);
    if (fetch) begin(fetch);
}

void http_fetch_cancel(HttpFetch *fetch)
{
    HttpClient *client = fetch->client;
    if (fetch->link) close_link(fetch->link);
    free_fetch(fetch);
    give_links(client);
}

/* The answer is complete.  `alone`: nothing came behind it. */
static void complete(Link *link, bool alone)
{
    HttpFetch *fetch = link->fetch;
    HttpClient *client = link->client;
    bool reuse = alone && fetch->ended && !fetch->broken && fetch->out_sent == fetch->out.len &&
                 fetch->response.keep_alive && client->counts.idle < client->options.idle_max;
    link->fetch = NULL;
    fetch->link = NULL;
    if (reuse) {
        bytes_clear(&link->in);
        link->used = true;
        link->idle_since = loop_now(client->loop);
        set_idle(link, true);
        if (!link->timer.position)
            loop_timer_start(client->loop, &link->timer,
                             link->idle_since + client->options.idle_seconds);
    } else {
        close_link(link);
    }
    if (fetch->receiver.done) fetch->receiver.done(fetch->arg, NULL, true);
    free_fetch(fetch);
    give_links(client);
}

/* ---- waiting ---- */

static void wait_for(Link *link, uint32_t events)
{
    if (link->events == events) return;
    link->events = events;
    loop_change(link->client->loop, link->fd, events, &link->source);
}

/* What epoll reports always (the other side has ended) it reports once: the end is found when
 * reading goes on, behind what came before it. */
static const uint32_t silent = EPOLLET;

static void set_events(Link *link)
{
    const HttpFetch *fetch = link->fetch;
    uint32_t events = fetch && fetch->paused ? silent : EPOLLIN;
    if (link->stage == LINK_CONNECT) events = EPOLLOUT;
    if (link->stage == LINK_READY && fetch && fetch->out_sent < fetch->out.len) events |= EPOLLOUT;
    wait_for(link, events);
}

/* Timers are lazy: one that fires too early is started again for the rest. */
static void set_deadline(HttpFetch *fetch, double at)
{
    fetch->deadline = at;
    if (isfinite(at) && (!fetch->timer.position || fetch->timer.at > at))
        loop_timer_start(fetch->client->loop, &fetch->timer, at);
}

static void fetch_timeout(LoopTimer *timer)
{
    HttpFetch *fetch = LOOP_OWNER(timer, HttpFetch, timer);
    if (fetch->stage == FETCH_FAILED)
        tell_failure(fetch);
    else if (fetch->deadline > loop_now(fetch->client->loop))
        set_deadline(fetch, fetch->deadline);
    else if (fetch->stage == FETCH_BODY)
        fail(fetch, ERROR_TIMEOUT, "the answer stalls");
    else
        fail(fetch, ERROR_TIMEOUT,
             fetch->link ? "no answer in time" : "no free connection in time");
}

/* ---- sending ---- */

static bool is_wait(int code)
{
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

/* Sends what waits in `out`; false when the link (and maybe the fetch) is gone. */
static bool flush(Link *link)
{
    HttpFetch *fetch = link->fetch;
    Bytes *out = &fetch->out;
    while (fetch->out_sent < out->len) {
        ssize_t n = send(link->fd, out->ptr + fetch->out_sent, out->len - fetch->out_sent,
                         MSG_NOSIGNAL);
        if (n < 0 && is_wait(errno)) break;
        if (n < 0 && fetch->sent && errno == EPIPE) {
            /* It reads no more, perhaps because it has answered already. */
            fetch->broken = true;
            fetch->out_sent = out->len;
            break;
        }
        if (n < 0) {
            lose_link(link, ERROR_IO, "the connection broke while the request was sent");
            return false;
        }
        fetch->sent = true;
        fetch->out_sent += (size_t)n;
    }
    if (fetch->out_sent == out->len) {
        bytes_clear(out);
        fetch->out_sent = 0;
    } else if (fetch->out_sent > out->len / 2 && fetch->out_sent >= COMPACT_MIN) {
        out->len -= fetch->out_sent;
        memmove(out->ptr, out->ptr + fetch->out_sent, out->len);
        fetch->out_sent = 0;
    }
    set_events(link);
    return true;
}

static void give_room(Link *link)
{
    HttpFetch *fetch = link->fetch;
    if (!fetch || !fetch->wants_room || fetch->ended || fetch->out.len) return;
    fetch->wants_room = false;
    if (fetch->receiver.room) fetch->receiver.room(fetch->arg);
}

static void connected(Link *link)
{
    link->stage = LINK_READY;
    loop_timer_stop(link->client->loop, &link->timer);
    if (link->fetch) {
        if (flush(link)) give_room(link);
        return;
    }
    set_events(link);
}

/* Connects, or goes on when the listener's queue was full. */
static void try_connect(Link *link)
{
    HttpClient *client = link->client;
    if (connect(link->fd, &client->address.any, client->address_len) == 0 || errno == EISCONN) {
        connected(link);
    } else if (errno == EAGAIN) { /* a Unix listener with a full queue */
        wait_for(link, silent);
        loop_timer_start(client->loop, &link->timer,
                         loop_now(client->loop) + connect_again_seconds);
    } else if (errno == EINPROGRESS || errno == EINTR || errno == EALREADY) {
        set_events(link);
    } else {
        char text[TEXT_MAX];
        snprintf(text, sizeof text, "connect: %s", strerror(errno));
        lose_link(link, ERROR_IO, text);
    }
}

static void link_timeout(LoopTimer *timer)
{
    Link *link = LOOP_OWNER(timer, Link, timer);
    HttpClient *client = link->client;
    double now = loop_now(client->loop), idle_seconds = client->options.idle_seconds;
    if (link->stage == LINK_CONNECT) {
        if (now < link->idle_since + client->options.connect_seconds)
            try_connect(link);
        else
            lose_link(link, ERROR_TIMEOUT, "no connection in time");
        return;
    }
    if (link->idle && now >= link->idle_since + idle_seconds)
        close_link(link);
    else
        loop_timer_start(client->loop, timer, (link->idle ? link->idle_since : now) + idle_seconds);
}

static void link_ready(LoopSource *source, uint32_t events)
{
    Link *link = LOOP_OWNER(source, Link, source);
    if (link->stage == LINK_CLOSED) return;
    if (link->stage == LINK_CONNECT) {
        if (link->events == silent) return; /* waits for the timer */
        int code = 0;
        socklen_t len = sizeof code;
        getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &code, &len);
        if (code) {
            char text[TEXT_MAX];
            snprintf(text, sizeof text, "connect: %s", strerror(code));
            lose_link(link, ERROR_IO, text);
        } else if (events & EPOLLOUT) {
            connected(link);
        }
        return;
    }
    if (!link->fetch) { /* an idle link must be silent */
        close_link(link);
        return;
    }
    /* The answer first: one that came before the request was sent whole says why. */
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_answer(link);
    if (link->stage == LINK_READY && link->fetch && (events & EPOLLOUT) && flush(link))
        give_room(link);
}

static Link *new_link(HttpClient *client, HttpFetch *fetch)
{
    int fd = socket(client->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    Link *link = fd >= 0 ? calloc(1, sizeof *link) : NULL;
    if (link) {
        *link = (Link){
            .client = client,
            .fd = fd,
            .fetch = fetch,
            .source = {.ready = link_ready, .release = release_link},
            .timer.fire = link_timeout,
            .events = EPOLLOUT,
        };
        if (!loop_add(client->loop, fd, EPOLLOUT, &link->source, NULL)) {
            free(link);
            link = NULL;
        }
    }
    if (!link) {
        if (fd >= 0) close(fd);
        return NULL;
    }
    int yes = 1;
    if (client->address.any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    link->next = client->links;
    if (link->next) link->next->previous = link;
    client->links = link;
    client->counts.open++;
    client->counts.connects++;
    return link;
}

/* Gives a fetch, whose request lies in `out`, a link, or a place in the queue. */
static void begin(HttpFetch *fetch)
{
    HttpClient *client = fetch->client;
    Link *link = client->idle;
    if (link) {
        set_idle(link, false);
        link->fetch = fetch;
        fetch->link = link;
        if (flush(link)) give_room(link);
        return;
    }
    if (client->counts.open >= client->options.connections_max) {
        if (client->counts.waiting >= client->options.queue_max)
            fail(fetch, ERROR_LIMIT, "too many requests wait for a connection");
        else
            enqueue(fetch);
        return;
    }
    link = new_link(client, fetch);
    if (!link) {
        fail(fetch, ERROR_IO, "no descriptor or memory for a connection");
        return;
    }
    fetch->link = link;
    link->idle_since = loop_now(client->loop);
    loop_timer_start(client->loop, &link->timer,
                     link->idle_since + client->options.connect_seconds);
    try_connect(link);
}

static void give_links(HttpClient *client)
{
    if (client->giving) return; /* the loop below goes on */
    client->giving = true;
    while (client->first &&
           (client->idle || client->counts.open < client->options.connections_max)) {
        HttpFetch *fetch = client->first;
        dequeue(fetch);
        begin(fetch);
    }
    client->giving = false;
}

/* ---- the request's head ---- */

/* Fields that belong to one connection, not to the message (RFC 9110 section 7.6.1), or that we
 * write ourselves. */
static bool is_own_field(Str name)
{
    static const Str own[] = {
        STR_INIT("host"),       STR_INIT("connection"),          STR_INIT("content-length"),
        STR_INIT("keep-alive"), STR_INIT("transfer-encoding"),   STR_INIT("te"),
        STR_INIT("trailer"),    STR_INIT("proxy-connection"),    STR_INIT("upgrade"),
        STR_INIT("expect"),     STR_INIT("proxy-authorization"),
    };
    for (size_t i = 0; i < COUNT(own); i++)
        if (str_eq_nocase(name, own[i])) return true;
    return false;
}

static bool is_value(Str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] < ' ' && s.ptr[i] != '\t') || s.ptr[i] == 0x7f) return false;
    return true;
}

static bool is_target(Str s)
{
    if (s.len == 0 || s.ptr[0] != '/') return false;
    for (size_t i = 0; i < s.len; i++)
        if (!http_is(s.ptr[i], CHAR_TARGET) && s.ptr[i] != '%') return false;
    return true;
}

static void put(Bytes *to, Str s)
{
    if (!bytes_add(to, s)) memory_exhausted(s.len);
}

/* Builds the head; false when a part of it is not what it should be. */
static bool put_head(const HttpClient *client, const HttpSend *send, Bytes *to)
{
    Str host = send->host.len ? send->host : str_of(client->name);
    if (client->address.any.sa_family == AF_UNIX && !send->host.len) host = STR("localhost");
    if (!http_is_token(send->method) || !is_target(send->target) || !is_value(host)) return false;
    put(to, send->method);
    put(to, STR(" "));
    put(to, send->target);
    put(to, STR(" HTTP/1.1\r\nHost: "));
    put(to, host);
    put(to, STR("\r\n"));
    for (size_t i = 0; i < send->n_fields; i++) {
        Str name = send->fields[i].name, value = send->fields[i].value;
        if (is_own_field(name)) continue;
        if (!http_is_token(name) || !is_value(value)) return false;
        put(to, name);
        put(to, STR(": "));
        put(to, value);
        put(to, STR("\r\n"));
    }
    bool bodiless = !send->in_pieces && !send->body.len && !str_is(send->method, "POST") &&
                    !str_is(send->method, "PUT") && !str_is(send->method, "PATCH");
    char text[64];
    int n = 0;
    if (send->in_pieces && send->length < 0)
        n = snprintf(text, sizeof text, "Transfer-Encoding: chunked\r\n");
    else if (!bodiless)
        n = snprintf(text, sizeof text, "Content-Length: %lld\r\n",
                     send->in_pieces ? (long long)send->length : (long long)send->body.len);
    put(to, (Str){text, (size_t)n});
    put(to, STR("\r\n"));
    return true;
}

/* Head and body straight onto an idle link; what it does not take is left in `out`. */
static bool send_direct(HttpFetch *fetch, Str head, Str body)
{
    HttpClient *client = fetch->client;
    while (client->idle) {
        Link *link = client->idle;
        struct iovec parts[2] = {{(char *)(uintptr_t)head.ptr, head.len},
                                 {(char *)(uintptr_t)body.ptr, body.len}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = body.len ? 2 : 1};
        ssize_t n = sendmsg(link->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && !is_wait(errno)) {
            close_link(link);
            continue;
        }
        set_idle(link, false);
        link->fetch = fetch;
        fetch->link = link;
        size_t sent = n > 0 ? (size_t)n : 0, of_head = MIN(sent, head.len);
        fetch->sent = sent > 0;
        put(&fetch->out, str_from(head, of_head));
        put(&fetch->out, str_from(body, sent - of_head));
        if (fetch->out.len == 0) bytes_clear(&fetch->out);
        set_events(link);
        return true;
    }
    return false;
}

HttpFetch *http_client_send(HttpClient *client, const HttpSend *send, const HttpReceiver *receiver,
                            void *arg)
{
    HttpFetch *fetch = malloc(sizeof *fetch);
    if (!fetch) memory_exhausted(sizeof *fetch);
    memset(fetch, 0, offsetof(HttpFetch, response));
    fetch->client = client;
    fetch->receiver = *receiver;
    fetch->arg = arg;
    fetch->timer.fire = fetch_timeout;
    fetch->starting = true;
    fetch->ended = !send->in_pieces || send->length == 0;
    fetch->in_chunks = send->in_pieces && send->length < 0;
    fetch->left = send->in_pieces ? send->length : 0;
    http_response_init(&fetch->response, NULL, str_is(send->method, "HEAD"));
    client->counts.requests++;
    client->counts.in_flight++;
    fetch->next_of_all = client->fetches;
    if (client->fetches) client->fetches->previous_of_all = fetch;
    client->fetches = fetch;

    Bytes *head = &client->scratch;
    head->len = 0;
    Str body = send->in_pieces ? (Str){0} : send->body;
    if (!put_head(client, send, head)) {
        fail(fetch, ERROR_INVALID, "the request's method, target or a field is malformed");
    } else {
        double timeout = send->timeout > 0 ? send->timeout : client->options.answer_seconds;
        set_deadline(fetch, loop_now(client->loop) + timeout);
        Str text = {head->ptr, head->len};
        if (client->first || !send_direct(fetch, text, body)) {
            put(&fetch->out, text);
            put(&fetch->out, body);
            begin(fetch);
        }
    }
    fetch->starting = false;
    return fetch;
}

/* ---- a request's body in pieces ---- */

static void push(HttpFetch *fetch)
{
    if (!fetch->link || fetch->link->stage != LINK_READY) return;
    fetch->starting = true;
    flush(fetch->link);
    fetch->starting = false;
}

void http_fetch_write(HttpFetch *fetch, Str piece)
{
    assert(!fetch->ended || fetch->stage == FETCH_FAILED);
    if (fetch->ended || fetch->broken || fetch->stage == FETCH_FAILED || piece.len == 0) return;
    if (!fetch->in_chunks) {
        assert((uint64_t)fetch->left >= piece.len);
        piece.len = MIN(piece.len, (size_t)fetch->left);
        fetch->left -= (int64_t)piece.len;
    } else {
        char size[24];
        int n = snprintf(size, sizeof size, "%zx\r\n", piece.len);
        put(&fetch->out, (Str){size, (size_t)n});
    }
    put(&fetch->out, piece);
    if (fetch->in_chunks) put(&fetch->out, STR("\r\n"));
    push(fetch);
    fetch->wants_room = fetch->out.len > 0;
}

size_t http_fetch_queued(const HttpFetch *fetch)
{
    return fetch->out.len - fetch->out_sent;
}

void http_fetch_end(HttpFetch *fetch)
{
    if (fetch->ended || fetch->stage == FETCH_FAILED) return;
    assert(fetch->in_chunks || fetch->left == 0 || fetch->broken);
    fetch->ended = true;
    if (fetch->broken) return;
    if (fetch->in_chunks) put(&fetch->out, STR("0\r\n\r\n"));
    push(fetch);
}

/* ---- the answer ---- */

/* Gives a piece to the caller; false when it cancelled or the answer is too long. */
static bool give(Link *link, Str piece)
{
    HttpFetch *fetch = link->fetch;
    fetch->body_len += piece.len;
    if (fetch->body_len > link->client->options.limits.body_max) {
        fail(fetch, ERROR_LIMIT, "the answer's body is larger than is accepted");
        return false;
    }
    if (piece.len && fetch->receiver.body) fetch->receiver.body(fetch->arg, piece);
    return link->fetch == fetch;
}

/* Takes bytes of the body; *ret_used of them.  False when the fetch is over. */
static bool take_body(Link *link, Str bytes, size_t *ret_used)
{
    HttpFetch *fetch = link->fetch;
    const HttpResponse *response = &fetch->response;
    const HttpLimits *limits = &link->client->options.limits;
    size_t at = 0;
    bool whole = response->framing == HTTP_BODY_NONE;
    if (response->framing == HTTP_BODY_LENGTH) {
        if (!fetch->paused) {
            at = (size_t)MIN((uint64_t)bytes.len, response->content_length - fetch->body_len);
            if (!give(link, str_slice(bytes, 0, at))) return false;
        }
        whole = fetch->body_len == response->content_length;
    } else if (response->framing == HTTP_BODY_END && !fetch->paused) {
        at = bytes.len;
        if (!give(link, bytes)) return false;
    } else if (response->framing == HTTP_BODY_CHUNKS) {
        while (!whole && !fetch->paused && at < bytes.len) {
            Str piece;
            size_t used;
            HttpResult result = http_chunks_next(&fetch->chunks, str_from(bytes, at), limits, &used,
                                                 &piece);
            at += used;
            if (result == HTTP_REFUSED) {
                fail(fetch, ERROR_IO, "malformed answer: %s", fetch->chunks.reason);
                return false;
            }
            if (!give(link, piece)) return false;
            whole = result == HTTP_DONE;
        }
    }
    *ret_used = at;
    if (!whole) return true;
    complete(link, at == bytes.len);
    return false;
}

/* The head is parsed in place; when the body goes on later, it moves to the fetch. */
static bool take_head(Link *link, Bytes *in, size_t *ret_used)
{
    HttpFetch *fetch = link->fetch;
    HttpResponse *response = &fetch->response;
    response->bytes = in->ptr;
    HttpResult result = http_response_parse(response, in->len, &link->client->options.limits);
    if (result == HTTP_REFUSED) {
        fail(fetch, ERROR_IO, "malformed answer: %s", response->refusal);
        return false;
    }
    *ret_used = 0;
    if (result == HTTP_MORE) return true;
    *ret_used = response->head_len;
    fetch->stage = FETCH_BODY;
    if (fetch->receiver.head) fetch->receiver.head(fetch->arg, response);
    return link->fetch == fetch;
}

/* All that can be done with the bytes at hand; what is left of them stays in link->in. */
static bool process(Link *link, Bytes *in)
{
    HttpFetch *fetch = link->fetch;
    size_t used = 0, of_body = 0;
    if (fetch->stage == FETCH_HEAD && !take_head(link, in, &used)) return false;
    if (fetch->stage == FETCH_BODY) {
        Str rest = {in->ptr + used, in->len - used};
        if (!take_body(link, rest, &of_body)) return false;
        if (used) {
            put(&fetch->head, (Str){in->ptr, used});
            fetch->response.bytes = fetch->head.ptr;
        }
        set_deadline(fetch, fetch->paused ? INFINITY
                                          : loop_now(link->client->loop) +
                                                link->client->options.stall_seconds);
    }
    used += of_body;
    if (in == &link->in) {
        in->len -= used;
        if (used) memmove(in->ptr, in->ptr + used, in->len);
        if (!in->len) bytes_clear(in);
    } else if (used < in->len) {
        put(&link->in, (Str){in->ptr + used, in->len - used});
    }
    return true;
}

static void end_of_input(Link *link, int code)
{
    HttpFetch *fetch = link->fetch;
    if (code == 0 && fetch->stage == FETCH_BODY && fetch->response.framing == HTTP_BODY_END) {
        complete(link, false);
        return;
    }
    lose_link(link, ERROR_IO,
              fetch->stage == FETCH_BODY || link->in.len
                  ? "the connection ended within the answer"
                  : "the connection ended without an answer");
}

static void read_answer(Link *link)
{
    HttpClient *client = link->client;
    if (link->reading) return;
    link->reading = true;
    for (int i = 0; i < READS_MAX && link->fetch && !link->fetch->paused; i++) {
        Bytes *in = link->in.len ? &link->in : &client->input;
        if (in == &client->input) in->len = 0;
        if (!bytes_reserve(in, in == &client->input ? INPUT_SIZE : INPUT_SIZE / 4))
            memory_exhausted(INPUT_SIZE);
        size_t room = in->capacity - in->len;
        ssize_t n = recv(link->fd, in->ptr + in->len, room, 0);
        if (n < 0 && is_wait(errno)) break;
        if (n <= 0) {
            end_of_input(link, n < 0 ? errno : 0);
            break;
        }
        in->len += (size_t)n;
        if (!process(link, in) || (size_t)n < room) break;
    }
    link->reading = false;
    if (link->stage == LINK_READY) set_events(link);
}

void http_fetch_pause(HttpFetch *fetch, bool pause)
{
    if (fetch->paused == pause) return;
    fetch->paused = pause;
    Link *link = fetch->link;
    if (!link || link->stage != LINK_READY) return;
    if (fetch->stage == FETCH_BODY)
        set_deadline(fetch,
                     pause ? INFINITY
                           : loop_now(fetch->client->loop) + fetch->client->options.stall_seconds);
    if (link->reading) return; /* the reader looks at `paused` itself */
    link->reading = true;
    bool goes_on = pause || !link->in.len || process(link, &link->in);
    link->reading = false;
    if (goes_on) set_events(link);
}

/* ---- life ---- */

/* "/path", "127.0.0.1:80", "[::1]:80", "localhost:80". */
static bool parse_address(HttpClient *client, const char *address)
{
    size_t len = strlen(address);
    snprintf(client->name, sizeof client->name, "%s", address);
    if (address[0] == '/') {
        if (len >= sizeof client->address.un.sun_path) return false;
        client->address.un.sun_family = AF_UNIX;
        memcpy(client->address.un.sun_path, address, len + 1);
        client->address_len = sizeof client->address.un;
        return true;
    }
    const char *colon = strrchr(address, ':');
    int64_t port;
    char host[64];
    if (!colon || !str_to_int64(str_of(colon + 1), &port) || port < 1 || port > 65535) return false;
    Str name = {address, (size_t)(colon - address)};
    bool six = name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
    if (six) name = str_slice(name, 1, name.len - 1);
    if (str_eq_nocase(name, STR("localhost"))) name = STR("127.0.0.1");
    if (name.len >= sizeof host) return false;
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    if (six) {
        client->address.in6.sin6_family = AF_INET6;
        client->address.in6.sin6_port = htons((uint16_t)port);
        client->address_len = sizeof client->address.in6;
        return inet_pton(AF_INET6, host, &client->address.in6.sin6_addr) == 1;
    }
    client->address.in.sin_family = AF_INET;
    client->address.in.sin_port = htons((uint16_t)port);
    client->address_len = sizeof client->address.in;
    return inet_pton(AF_INET, host, &client->address.in.sin_addr) == 1;
}

HttpClient *http_client_new(Loop *loop, const char *address, const HttpClientOptions *options)
{
    HttpClient *client = calloc(1, sizeof *client);
    if (!client) memory_exhausted(sizeof *client);
    client->loop = loop;
    client->options = options ? *options : http_client_options;
    if (!parse_address(client, address)) {
        free(client);
        return NULL;
    }
    return client;
}

void http_client_free(HttpClient *client)
{
    if (!client) return;
    while (client->links) close_link(client->links);
    while (client->fetches) free_fetch(client->fetches);
    bytes_clear(&client->input);
    bytes_clear(&client->scratch);
    free(client);
}

HttpClientCounts http_client_counts(const HttpClient *client)
{
    return client->counts;
}

/* ---- one request, waiting ---- */

typedef struct Wait {
    Loop *loop;
    LoopTimer timer;
    bool over, timed_out;
    int status;
    StrBuf body;
    Error err;
} Wait;

enum { CALL_BODY_MAX = 64 << 20 };

static void call_head(void *arg, const HttpResponse *response)
{
    Wait *wait = arg;
    wait->status = response->status;
}

static void call_body(void *arg, Str piece)
{
    Wait *wait = arg;
    strbuf_add(&wait->body, piece);
}

static void call_done(void *arg, const Error *err, bool sent UNUSED)
{
    Wait *wait = arg;
    if (err) wait->err = *err;
    wait->over = true;
    loop_stop(wait->loop);
}

static void call_timeout(LoopTimer *timer)
{
    Wait *wait = LOOP_OWNER(timer, Wait, timer);
    wait->timed_out = true;
    loop_stop(wait->loop);
}

bool http_call(const char *address, Str method, Str target, const HttpNameValue *fields,
               size_t n_fields, Str body, double timeout, Arena *arena, int *ret_status,
               Str *ret_body, Error *err)
{
    AUTO(loop_free) Loop *loop = NULL;
    if (!loop_new(&loop, err)) return false;
    HttpClientOptions options = http_client_options;
    options.limits.body_max = CALL_BODY_MAX;
    options.connect_seconds = options.answer_seconds = options.stall_seconds = timeout;
    AUTO(http_client_free) HttpClient *client = http_client_new(loop, address, &options);
    if (!client)
        return error_set(err, ERROR_INVALID,
                         "'%s' is neither the path of a socket nor an address and a port", address);
    Wait wait = {.loop = loop, .timer.fire = call_timeout, .body = STRBUF(CALL_BODY_MAX)};
    static const HttpReceiver receiver = {.head = call_head, .body = call_body, .done = call_done};
    const HttpSend send = {
        .method = method, .target = target, .fields = fields, .n_fields = n_fields, .body = body};
    loop_timer_start(loop, &wait.timer, loop_now(loop) + timeout);
    http_client_send(client, &send, &receiver, &wait);
    bool ran = loop_run(loop, err);
    if (ran && wait.over && wait.err.kind == ERROR_NONE) {
        *ret_status = wait.status;
        *ret_body = arena_str(arena, strbuf_str(&wait.body));
    }
    strbuf_clear(&wait.body);
    if (!ran) return false;
    if (wait.timed_out)
        return error_set(err, ERROR_TIMEOUT, "%s: no answer within %g seconds", address, timeout);
    if (wait.err.kind == ERROR_NONE) return true;
    if (err) *err = wait.err;
    return false;
}
