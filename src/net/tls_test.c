/* TLS as a client of OpenSSL sees it: with certificates from files, and behind CONNECT with those
 * of an authority, verified by the authority's certificate. */

#include "net/tls.h"

#include "net/http_server.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/test.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Fixture {
    Loop *loop;
    HttpServer *server;
    TlsContext *files, *authority;
    pthread_t thread;
    const char *plain_path, *tls_path, *key, *certificate;
} Fixture;

static Fixture fixture;
static char big[3 << 20];

static void answer(void *arg UNUSED, HttpExchange *exchange)
{
    Str path = http_path(exchange->request);
    if (str_is(path, "/big"))
        http_answer(exchange, 200, (Str){0}, (Str){big, sizeof big});
    else if (str_is(path, "/file"))
        http_answer_file(exchange, 200, (Str){0}, open(fixture.certificate, O_RDONLY | O_CLOEXEC),
                         0, 100);
    else if (str_is(path, "/secure"))
        http_answer(exchange, 200, (Str){0}, exchange->secure ? STR("yes") : STR("no"));
    else
        http_answer(exchange, 200, (Str){0}, exchange->body);
}

static void *run_loop(void *arg UNUSED)
{
    if (!loop_run(fixture.loop, NULL)) abort();
    return NULL;
}

static void start(bool proxy)
{
    static Arena arena;
    static const HttpHandler handler = {.request = answer};
    Error err = {0};
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 999);
    const char *folder = test_folder();
    fixture.key = path_join(&arena, folder, "ca.key");
    fixture.certificate = path_join(&arena, folder, "ca.pem");
    fixture.plain_path = path_join(&arena, folder, "plain");
    fixture.tls_path = path_join(&arena, folder, "tls");
    CHECK_OK(tls_authority_create(fixture.key, fixture.certificate, &err), err);
    CHECK_OK(tls_authority_new(fixture.key, fixture.certificate, &fixture.authority, &err), err);
    CHECK_OK(tls_context_new(fixture.certificate, fixture.key, &fixture.files, &err), err);
    CHECK_OK(loop_new(&fixture.loop, &err), err);
    HttpOptions options = http_options;
    if (proxy) {
        options.proxy = fixture.authority;
        options.proxy_for = tls_is_aws_name;
    }
    fixture.server = http_server_new(fixture.loop, &handler, &options);
    int fd;
    CHECK_OK(http_listen_unix(fixture.plain_path, &fd, &err), err);
    CHECK_OK(http_server_listen(fixture.server, fd, false, &err), err);
    CHECK_OK(http_listen_unix(fixture.tls_path, &fd, &err), err);
    CHECK_OK(http_server_listen_tls(fixture.server, fd, false, fixture.files, &err), err);
    CHECK(pthread_create(&fixture.thread, NULL, run_loop, NULL) == 0);
}

static void finish(void)
{
    loop_stop(fixture.loop);
    pthread_join(fixture.thread, NULL);
    http_server_free(fixture.server);
    tls_context_free(fixture.files);
    tls_context_free(fixture.authority);
    loop_free(fixture.loop);
}

/* ---- the client ---- */

static int dial(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

/* A session that verifies the server as `host`, or NULL; host NULL: anyone will do. */
static SSL *shake(int fd, const char *host, const char *sni, int version, const char *alpn)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    if (version) SSL_CTX_set_max_proto_version(context, version);
    CHECK(SSL_CTX_load_verify_file(context, fixture.certificate) == 1);
    if (host) SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    if (host) SSL_set1_host(ssl, host);
    if (sni) SSL_set_tlsext_host_name(ssl, sni);
    if (alpn) SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1) return ssl;
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

/* Sends and reads to the end of the connection. */
static Str ask(SSL *ssl, Str request, Arena *arena)
{
    for (Str rest = request; rest.len;) {
        int n = SSL_write(ssl, rest.ptr, (int)MIN(rest.len, (size_t)50000));
        CHECK(n > 0);
        rest = str_from(rest, (size_t)n);
    }
    AUTO_STRBUF StrBuf text = STRBUF(64 << 20);
    char part[20000];
    int n;
    while ((n = SSL_read(ssl, part, sizeof part)) > 0) strbuf_add(&text, (Str){part, (size_t)n});
    /* The end was said, not just cut off. */
    CHECK_INT(SSL_get_error(ssl, n), SSL_ERROR_ZERO_RETURN);
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
    return arena_str(arena, strbuf_str(&text));
}

static Str body_of(Str answer)
{
    for (size_t i = 0; i + 4 <= answer.len; i++)
        if (memcmp(answer.ptr + i, "\r\n\r\n", 4) == 0) return str_from(answer, i + 4);
    return (Str){0};
}

#define LAST " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"

TEST(tls, requests_and_answers_of_any_size)
{
    start(false);
    ARENA(arena);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL *ssl = shake(dial(fixture.tls_path), NULL, NULL, version, NULL);
        CHECK(ssl && SSL_version(ssl) == version);
        CHECK_STR(body_of(ask(ssl, STR("GET /secure" LAST "\r\n"), &arena)), STR("yes"));
        ssl = shake(dial(fixture.tls_path), NULL, NULL, version, NULL);
        Str answer = body_of(ask(ssl, STR("GET /big" LAST "\r\n"), &arena));
        CHECK_INT(answer.len, sizeof big);
        CHECK(memcmp(answer.ptr, big, sizeof big) == 0);
        ssl = shake(dial(fixture.tls_path), NULL, NULL, version, NULL);
        AUTO_STRBUF StrBuf request = STRBUF(64 << 20);
        strbuf_addf(&request, "PUT /echo" LAST "Content-Length: %zu\r\n\r\n", sizeof big);
        strbuf_add(&request, (Str){big, sizeof big});
        answer = body_of(ask(ssl, strbuf_str(&request), &arena));
        CHECK_INT(answer.len, sizeof big);
        CHECK(memcmp(answer.ptr, big, sizeof big) == 0);
        ssl = shake(dial(fixture.tls_path), NULL, NULL, version, NULL);
        CHECK_INT(body_of(ask(ssl, STR("GET /file" LAST "\r\n"), &arena)).len, 100);
        ssl = shake(dial(fixture.tls_path), NULL, NULL, version, NULL);
        answer = ask(ssl, STR("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /secure" LAST "\r\n"), &arena);
        CHECK(str_ends(answer, STR("yes")));
    }
    finish();
}

TEST(tls, what_is_not_offered)
{
    start(false);
    CHECK(!shake(dial(fixture.tls_path), NULL, NULL, TLS1_1_VERSION, NULL));
    CHECK(!shake(dial(fixture.tls_path), NULL, NULL, 0, "\x04spdy"));
    int fd = dial(fixture.tls_path);
    CHECK(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
    char answer[512];
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    CHECK(n <= 0 || answer[0] == 21); /* an alert at most */
    close(fd);
    SSL *ssl = shake(dial(fixture.tls_path), NULL, NULL, 0, "\x08http/1.1");
    CHECK(ssl != NULL);
    SSL_free(ssl);
    finish();
}

static Str connect_to(int fd, const char *target, Arena *arena)
{
    char request[500], answer[1000];
    int n = snprintf(request, sizeof request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target,
                     target);
    CHECK(send(fd, request, (size_t)n, MSG_NOSIGNAL) == n);
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    return arena_str(arena, (Str){answer, got > 0 ? (size_t)got : 0});
}

TEST(tls, connect_makes_us_the_server_that_was_asked_for)
{
    start(true);
    ARENA(arena);
    static const char *const hosts[] = {
        "s3.us-east-1.amazonaws.com", "my-bucket.s3.eu-central-1.amazonaws.com",
        "runtime.sagemaker.us-west-2.amazonaws.com", "s3.us-east-1.amazonaws.com"};
    for (size_t i = 0; i < COUNT(hosts); i++)
        for (int sni = 0; sni < 2; sni++) {
            int fd = dial(fixture.plain_path);
            char target[200];
            snprintf(target, sizeof target, "%s:443", hosts[i]);
            Str established = connect_to(fd, target, &arena);
            CHECK(str_starts(established, STR("HTTP/1.1 200 ")));
            SSL *ssl = shake(fd, hosts[i], sni ? hosts[i] : NULL, 0, NULL);
            if (!ssl) FAIL("no session with %s", hosts[i]);
            CHECK_STR(body_of(ask(ssl, STR("GET /secure" LAST "\r\n"), &arena)), STR("yes"));
        }
    static const char *const refused[] = {
        "example.com:443",       "s3.amazonaws.com:80",
        "evilamazonaws.com:443", "amazonaws.com.evil.org:443",
        "127.0.0.1:443",         "s3.amazonaws.com:4430",
    };
    for (size_t i = 0; i < COUNT(refused); i++) {
        int fd = dial(fixture.plain_path);
        CHECK(str_starts(connect_to(fd, refused[i], &arena), STR("HTTP/1.1 403 ")));
        close(fd);
    }
    static const char *const malformed[] = {"s3.amazonaws.com", "http://a/", "/", "a:b", ":443"};
    for (size_t i = 0; i < COUNT(malformed); i++) {
        int fd = dial(fixture.plain_path);
        CHECK(str_starts(connect_to(fd, malformed[i], &arena), STR("HTTP/1.1 400 ")));
        close(fd);
    }
    /* Another name within: no certificate, so no session. */
    int fd = dial(fixture.plain_path);
    connect_to(fd, "s3.us-east-1.amazonaws.com:443", &arena);
    CHECK(!shake(fd, NULL, "example.com", 0, NULL));
    close(fd);
    /* The authority is good for those names only, whatever a certificate of it says. */
    CHECK(!tls_is_aws_name(STR("amazonaws.com.")) == false);
    CHECK(!tls_is_aws_name(STR("xamazonaws.com")) && !tls_is_aws_name(STR("")) &&
          !tls_is_aws_name(STR("a b.amazonaws.com")));
    finish();
}

TEST(tls, connect_is_refused_where_there_is_no_proxy)
{
    start(false);
    ARENA(arena);
    int fd = dial(fixture.plain_path);
    CHECK(str_starts(connect_to(fd, "s3.amazonaws.com:443", &arena), STR("HTTP/1.1 501 ")));
    close(fd);
    finish();
}

TEST(tls, an_authority_is_made_once_and_kept_private)
{
    ARENA(arena);
    const char *key = path_join(&arena, test_folder(), "key"),
               *certificate = path_join(&arena, test_folder(), "certificate");
    Error err = {0};
    CHECK_OK(tls_authority_create(key, certificate, &err), err);
    struct stat status, again;
    CHECK(stat(key, &status) == 0 && (status.st_mode & 0777) == 0600);
    CHECK_OK(tls_authority_create(key, certificate, &err), err);
    CHECK(stat(key, &again) == 0 && again.st_ino == status.st_ino);
    unlink(certificate);
    CHECK(!tls_authority_create(key, certificate, &err));
    CHECK(err.kind == ERROR_CONFLICT);
    TlsContext *context;
    CHECK(!tls_authority_new(key, certificate, &context, &err));
    CHECK(!tls_context_new(key, key, &context, &err));
    CHECK(strstr(err.text, "reading the certificate"));
}
