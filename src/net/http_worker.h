#ifndef CLARY_NET_HTTP_WORKER_H
#define CLARY_NET_HTTP_WORKER_H

/* Straight-line handlers on worker threads: they read a body and write an answer with calls that
 * block, while the loop's thread moves the bytes.
 *
 *     static void put_object(void *arg, HttpCall *call)        on a worker thread
 *     {
 *         Str piece;
 *         do {
 *             if (!http_call_next(call, &piece, &err)) return;          the client has gone
 *             ... use the piece ...
 *         } while (piece.len);
 *         http_call_field(call, STR("ETag"), etag);
 *         http_call_answer(call, 200, (Str){0}, (Str){0});
 *     }
 *
 *     static void head(void *arg, HttpExchange *exchange)      HttpHandler.head, on the loop
 *     {
 *         exchange->body_max = 5LL << 30;
 *         http_workers_submit(server->data, exchange, 64 << 10, put_object, server);
 *     }
 *
 * Submit in `head` (the usual place) or in `request`.  From then on the exchange belongs to the
 * pool: none of the server's other callbacks are called for it, and the caller forgets it.
 *
 * The function is called once the body is complete, if it is no longer than whole_max: `body` then
 * holds it.  Of a longer body it gets the rest while it arrives (`body` is empty, `streamed` true);
 * about 256 KiB are read ahead, then the client waits.  http_call_next and http_call_read serve
 * both cases alike.  With `Expect: 100-continue` a body that may be longer than whole_max is asked
 * for by the first read: a function that refuses without reading spares the client the sending.
 *
 * A whole answer is sent when the function returns, so that a request costs one wake-up each way.
 * Pieces are sent as they are written.  Without any answer the client gets 500; an answer begun and
 * not ended, or shorter than its length, cuts the connection.
 *
 * When the client goes away the function is not interrupted: the next read or write fails with
 * ERROR_CANCELLED, http_call_lost turns true, and an answer is dropped.  All that `call` shows and
 * its arena stay until the function returns.
 *
 * The function is not called at all when the pool refuses the call or the client goes first, so what
 * `arg` points to must not belong to the call.
 *
 * A pool serves one loop, whose thread calls new, free and submit.  Use one pool for control and
 * one for data, so that neither starves the other. */

#include "net/http_server.h"

#include "base/arena.h"

typedef struct HttpWorkers HttpWorkers;

typedef struct HttpCall {
    const HttpRequest *request; /* a copy with its bytes: http_path, http_field ... work on it */
    Str body;                   /* the whole body, unless streamed; HTTP_SLACK bytes are readable
                                   behind it */
    bool streamed;
    Arena *arena; /* released after the call */
    void *user;   /* the handler's own; NULL at first, kept over http_call_park */
} HttpCall;

typedef void HttpCallFunction(void *arg, HttpCall *call);

enum {
    HTTP_QUEUE_SECONDS = 1, /* a call that waited longer for a thread gets 503 */
    HTTP_PARKED_MAX = 4096, /* calls of a pool that are parked at a time */
    HTTP_READ_AHEAD = 256 << 10,
};

/* At most queue_max calls wait for a thread, further ones get 503 with Retry-After. */
HttpWorkers *http_workers_new(Loop *loop, int n_threads, size_t queue_max);

/* Waits for running functions, whose reads and writes fail from now on.  Call it after
 * http_server_free, so that no exchange is left.  NULL is fine. */
void http_workers_free(HttpWorkers *workers);
AUTO_FREE(HttpWorkers, http_workers_free);

void http_workers_submit(HttpWorkers *workers, HttpExchange *exchange, size_t whole_max,
                         HttpCallFunction *run, void *arg);

typedef struct HttpWorkerCounts {
    size_t waiting, running, parked;
    int64_t calls, refused; /* refused: 503 because the queue was full or slow */
} HttpWorkerCounts;

HttpWorkerCounts http_workers_counts(HttpWorkers *workers); /* from any thread */

/* ---- in the function: the body ---- */

/* The next piece, as a view that is good until the next read; its length is 0 at the end, and only
 * there.  Waits for it: pieces have 128 KiB or more, except the last, to save wake-ups.  Fails with ERROR_CANCELLED when the client is gone or sent a malformed or
 * too long body (it has been answered then). */
bool http_call_next(HttpCall *call, Str *ret_piece, Error *err);

/* The same, copied: 1 to `capacity` bytes, 0 at the end. */
bool http_call_read(HttpCall *call, char *buffer, size_t capacity, size_t *ret_n, Error *err);

/* The connection ended: nobody waits for the answer.  From any thread. */
bool http_call_lost(const HttpCall *call);

/* ---- the answer ---- */

/* A field of the answer; name and value are copied.  Before the answer is given or begun. */
void http_call_field(HttpCall *shown, Str name, Str value);

/* The whole answer, once; the body is copied.  The second answer is ignored (and an assert). */
void http_call_answer(HttpCall *shown, int status, Str content_type, Str body);

/* `length` bytes of a file from `offset`, by sendfile; the call closes fd in any case. */
void http_call_answer_file(HttpCall *shown, int status, Str content_type, int fd, int64_t offset,
                           int64_t length);

/* The head that GET would have, and no body: for HEAD requests. */
void http_call_answer_head(HttpCall *shown, int status, Str content_type, int64_t length);

/* An answer in pieces; length -1: unknown.  Write waits while about 256 KiB are unsent, and fails
 * when the client is gone. */
void http_call_begin(HttpCall *shown, int status, Str content_type, int64_t length);
bool http_call_write(HttpCall *shown, Str piece, Error *err);
void http_call_flush(HttpCall *shown); /* what was written leaves now, not with the next 16 KiB */
void http_call_end(HttpCall *shown);

bool http_call_answered(const HttpCall *call); /* an answer was given or begun */

/* ---- long polls ---- */

/* The function returns after this without an answer, and gives its thread back.  `run` is called
 * later, on any worker thread: after http_call_resume, after `seconds`, when the client is gone, or
 * when the pool ends, whichever is first; sometimes for no reason.  So it looks again at what it
 * waits for, and answers or parks again.  False, and nothing happens, when too many calls are parked
 * or the client has gone: answer now.
 *
 * Whoever resumes must know that the call still is: put the call on your list of waiters (under
 * your lock) before the last look at the condition and before parking; take it off (under the same
 * lock) at the beginning of `run`; resume under that lock. */
bool http_call_park(HttpCall *call, double seconds, HttpCallFunction *run, void *arg);

/* From any thread.  Harmless for a call that is queued or running: it may be run once too often. */
void http_call_resume(HttpCall *shown);

#endif
