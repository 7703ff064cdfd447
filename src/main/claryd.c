/* claryd: all of AWS's services that clary serves, on one port.
 *
 * The process splits into a keeper, which holds the listening socket and the children, and the server, which has
 * the network and the database (job/keeper.h).  Starting is recovering: there is no other code for what a crash
 * left behind. */

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cli/settings.h"
#include "format/json.h"
#include "net/http2.h"
#include "service/api_doc.h"
#include "service/call.h"
#include "service/dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
    LOOPS_MAX = 8,
    BUNDLE_BYTES_MAX = 16 << 20,
    LOCK_SECONDS = 2,
    DESCRIPTORS_WANTED = 65536,
    CONTROL_STOP_SECONDS = 30
};

/* One thread with its loop, HTTP server and dispatcher. */
typedef struct Front {
    Server *server;
    Loop *loop;
    HttpServer *http;
    Dispatcher *dispatcher;
    pthread_t thread;
    LoopTask stop;
} Front;

static Front fronts[LOOPS_MAX];
static int n_fronts;
static TlsContext *certificate, *proxy; /* NULL without TLS; without --proxy */

/* ---- home ---- */

static bool prepare_home(const char *home, Error *err)
{
    struct stat st;
    umask(077);
    if (!folder_make(home, err)) return false;
    if (stat(home, &st) != 0) return error_sys(err, errno, "looking at '%s'", home);
    if (st.st_mode & S_IWOTH)
        return error_set(
            err, ERROR_DENIED,
            "anybody may write to '%s': its keys and data would not be safe; chmod 700 %s", home,
            home);
    if (st.st_uid != geteuid())
        return error_set(err, ERROR_DENIED, "'%s' belongs to another user", home);
    if (chmod(home, 0700) != 0) return error_sys(err, errno, "closing '%s' to others", home);
    return true;
}

/* One server a home: the lock is the keeper's and the server's, and goes with them. */
static bool lock_home(const char *home, Error *err)
{
    ARENA(arena);
    const char *path = path_join(&arena, home, "lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return error_sys(err, errno, "opening '%s'", path);
    for (double until = clock_seconds() + LOCK_SECONDS; flock(fd, LOCK_EX | LOCK_NB) != 0;) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_sys(err, errno, "locking '%s'", path);
        if (clock_seconds() > until)
            return error_set(err, ERROR_CONFLICT,
                             "another server uses the home '%s'; 'clary down' stops it", home);
        usleep(10000);
    }
    return true;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    remove(path);
    return 0;
}

static void remove_home(const char *home)
{
    nftw(home, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
}

/* ---- TLS ---- */

/* What clients of the proxy trust: the machine's authorities and ours. */
static bool write_bundle(const char *home, const char *authority, Error *err)
{
    ARENA(arena);
    Str system = {0}, own;
    Error none = {0};
    if (!file_read("/etc/ssl/certs/ca-certificates.crt", BUNDLE_BYTES_MAX, &arena, &system, &none))
        system = STR("");
    return file_read(authority, BUNDLE_BYTES_MAX, &arena, &own, err) &&
           file_commit(path_join(&arena, home, "ca-bundle.pem"),
                       arena_format(&arena, "%.*s\n%.*s", STR_ARG(system), STR_ARG(own)), err);
}

static bool open_tls(const ServerOptions *options, Error *err)
{
    ARENA(arena);
    if (options->certificate) {
        if (!options->certificate_key)
            return error_set(err, ERROR_INVALID, "--certificate needs --certificate-key");
        if (!tls_context_new(options->certificate, options->certificate_key, &certificate, err))
            return false;
    }
    if (!options->proxy) return true;
    const char *key = path_join(&arena, options->home, "proxy-ca.key"),
               *pem = path_join(&arena, options->home, "proxy-ca.pem");
    return tls_authority_create(key, pem, err) && tls_authority_new(key, pem, &proxy, err) &&
           write_bundle(options->home, pem, err);
}

/* ---- options ---- */

static bool is_loopback(const char *host)
{
    return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

static bool read_options(const Settings *settings, Arena *arena, ServerOptions *ret_options,
                         Error *err)
{
    int64_t port, jobs;
    ServerOptions options = {0};
    if (!settings_int(settings, "port", 0, 65535, &port, err) ||
        !settings_int(settings, "jobs", 0, 4096, &jobs, err))
        return false;
    options.port = (int)port;
    options.job_slots = jobs ? (int)jobs : processor_count();
    options.host = settings_text(settings, "host").ptr;
    options.region = settings_text(settings, "region").ptr;
    options.account = settings_text(settings, "account").ptr;
    options.database = settings_text(settings, "database").ptr;
    options.certificate = settings_text(settings, "certificate").ptr;
    options.certificate_key = settings_text(settings, "certificate-key").ptr;
    options.ephemeral = settings_on(settings, "ephemeral");
    options.proxy = settings_on(settings, "proxy");
    options.allow_unconfined = settings_on(settings, "allow-unconfined");
    options.n_loops = MIN(processor_count(), LOOPS_MAX);

    Str account = str_of(options.account);
    bool digits = account.len == 12;
    for (size_t i = 0; i < account.len; i++)
        digits &= account.ptr[i] >= '0' && account.ptr[i] <= '9';
    if (!digits)
        return error_set(err, ERROR_INVALID, "setting 'account': '%s' is not twelve digits",
                         options.account);

    Str pair = settings_text(settings, "access-key");
    if (pair.len) {
        size_t colon = str_find(pair, ':');
        if (colon == pair.len || colon == 0 || colon + 1 == pair.len)
            return error_set(err, ERROR_INVALID,
                             "setting 'access-key' is no pair ACCESSKEY:SECRETKEY");
        options.access_key = arena_cstr(arena, str_slice(pair, 0, colon));
        options.secret_key = arena_cstr(arena, str_from(pair, colon + 1));
    }
    Str auth = settings_text(settings, "auth");
    if (auth.len) {
        if (!str_is(auth, "any"))
            return error_set(err, ERROR_INVALID,
                             "setting 'auth': '%.*s' is not 'any', the one choice there is",
                             STR_ARG(auth));
        if (!options.ephemeral || !is_loopback(options.host))
            return error_set(
                err, ERROR_INVALID,
                "--auth any is for servers started with --ephemeral on the loopback only: others "
                "would be open to everybody");
        options.auth_any = true;
    }
    if (!is_loopback(options.host) && !options.certificate && !settings_on(settings, "insecure"))
        return error_set(
            err, ERROR_INVALID,
            "listening on %s without TLS would show every key's requests to the network: give "
            "--certificate and --certificate-key, or say --insecure",
            options.host);
    const char **buckets = arena_array(arena, const char *, settings->n_repeated + 1);
    for (int i = 0; i < settings->n_repeated; i++) {
        Str bucket = settings->repeated[i];
        if (str_find(bucket, '=') == bucket.len)
            return error_set(err, ERROR_INVALID, "--bucket %.*s is no NAME=FOLDER",
                             STR_ARG(bucket));
        buckets[i] = arena_cstr(arena, bucket);
    }
    options.buckets = buckets;
    *ret_options = options;
    return true;
}

/* The folder of this program: clary-train and clary-serve lie beside it. */
static const char *own_folder(Arena *arena)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return "/usr/bin";
    path[n] = 0;
    char *slash = strrchr(path, '/');
    if (slash && slash != path) *slash = 0;
    return arena_cstr(arena, str_of(path));
}

/* ---- running ---- */

static void *run_front(void *arg)
{
    Front *front = arg;
    Error err = {0};
    if (!loop_run(front->loop, &err)) {
        log_error("%s", err.text);
        abort();
    }
    return NULL;
}

static void stopped(void *arg)
{
    Front *front = arg;
    loop_stop(front->loop);
}

static void stop_front(LoopTask *task)
{
    Front *front = LOOP_OWNER(task, Front, stop);
    http_server_stop(front->http, stopped, front);
}

static void on_signal(void *arg, int signal)
{
    Server *server = arg;
    if (__atomic_exchange_n(&server->stopping, true, __ATOMIC_RELAXED)) return;
    log_info("stopping on signal %d; running requests may end", signal);
    for (int i = 0; i < n_fronts; i++) loop_post(fronts[i].loop, &fronts[i].stop);
}

static bool open_front(Front *front, Server *server, int fd, Error *err)
{
    HttpOptions options = http_options;
    options.limits.body_max = OBJECT_BODY_BYTES_MAX;
    options.body_preset = CONTROL_BODY_BYTES_MAX;
    options.http2 = &http2;
    options.proxy = proxy;
    options.proxy_for = tls_is_aws_name;
    front->server = server;
    front->stop.run = stop_front;
    if (!loop_new(&front->loop, err)) return false;
    front->dispatcher = dispatcher_new(server, front->loop);
    HttpHandler handler = dispatcher_handler(front->dispatcher);
    front->http = http_server_new(front->loop, &handler, &options);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0) return error_sys(err, errno, "sharing the listening socket");
    bool shared = server->options->n_loops > 1;
    return certificate ? http_server_listen_tls(front->http, own, shared, certificate, err)
                       : http_server_listen(front->http, own, shared, err);
}

static void close_fronts(void)
{
    for (int i = 0; i < n_fronts; i++) {
        http_server_free(fronts[i].http);
        dispatcher_free(fronts[i].dispatcher);
        loop_free(fronts[i].loop);
    }
}

static const char *scheme(void)
{
    return certificate ? "https" : "http";
}

static void say_ready(const Server *server, double begun)
{
    const ServerOptions *options = server->options;
    double ms = (clock_seconds() - begun) * 1e3;
    if (options->ephemeral) {
        AUTO_STRBUF StrBuf out = STRBUF(8192);
        JsonWriter json = JSON_WRITER(&out);
        char url[128];
        snprintf(url, sizeof url, "%s://%s:%d", scheme(), options->host, server->port);
        json_begin_object(&json);
        json_member_string(&json, "endpoint_url", str_of(url));
        json_member_int(&json, "port", server->port);
        json_member_string(&json, "region", str_of(options->region));
        json_member_string(&json, "account", str_of(options->account));
        json_member_string(&json, "home", str_of(options->home));
        json_member_int(&json, "pid", getpid());
        json_member_double(&json, "ready_ms", (double)(int)(ms * 10) / 10);
        json_end_object(&json);
        puts(strbuf_cstr(&out));
    } else {
        printf(
            "clary is ready at http://%s:%d (%.0f ms)\n"
            "  home   %s\n"
            "  keys   %s/credentials\n"
            "  next   eval \"$(clary env)\"   then use the AWS CLI, boto3 or the SageMaker SDK as ever\n",
            options->host, server->port, ms, options->home, options->home);
    }
    fflush(stdout);
}

static bool write_address(const Server *server, Error *err)
{
    ARENA(arena);
    Str text = arena_format(&arena, "%s://%s:%d\n%d\n", scheme(), server->options->host,
                            server->port, getpid());
    return file_commit(path_join(&arena, server->options->home, "address"), text, err);
}

/* Before the first thread, so that none of them is ended by a signal that a loop waits for. */
static void block_signals(const int *signals)
{
    sigset_t set;
    sigemptyset(&set);
    for (; *signals; signals++) sigaddset(&set, *signals);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* A socket in the home folder for commands of the same user, whatever the port speaks.  Paths that are too long for a socket have none. */
static bool listen_home(const Server *server, Error *err)
{
    ARENA(arena);
    const char *path = path_join(&arena, server->options->home, "socket");
    int fd;
    if (strlen(path) >= sizeof((struct sockaddr_un){0}).sun_path) return true;
    return http_listen_unix(path, &fd, err) && http_server_listen(fronts[0].http, fd, false, err);
}

static bool serve(Server *server, int fd, double begun, Error *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
    ARENA(arena);
    const ServerOptions *options = server->options;
    block_signals(signals);
    const char *database = options->database ? options->database
                                             : path_join(&arena, options->home, "clary.db");
    if (!db_open_with(database, !options->ephemeral, &server->db, err)) return false;
    if (!open_tls(options, err) || !parts_open(server, err)) return false;
    for (n_fronts = 0; n_fronts < options->n_loops; n_fronts++)
        if (!open_front(&fronts[n_fronts], server, fd, err)) return false;
    if (!listen_home(server, err)) return false;
    if (!loop_signals(fronts[0].loop, signals, on_signal, server, err)) return false;
    for (int i = 1; i < n_fronts; i++) {
        int code = pthread_create(&fronts[i].thread, NULL, run_front, &fronts[i]);
        if (code) return error_sys(err, code, "starting a thread");
    }
    if (!write_address(server, err)) return false;
    say_ready(server, begun);
    run_front(&fronts[0]);
    for (int i = 1; i < n_fronts; i++) pthread_join(fronts[i].thread, NULL);
    close_fronts();
    tls_context_free(certificate);
    tls_context_free(proxy);
    parts_close(server);
    db_close(server->db);
    return true;
}

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)DESCRIPTORS_WANTED);
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int fail(const Error *err)
{
    log_error("%s", err->text);
    return err->kind == ERROR_INVALID ? 2 : 1;
}

static void print_help(void)
{
    puts("claryd: the services of clary on one port; `clary up` starts it\n\nExamples\n"
         "  clary up\n"
         "  clary up --port 4600 --home /srv/clary\n"
         "  clary up --ephemeral --port 0\n\nOptions");
    for (const Option *option = server_options; option->name; option++)
        printf("  --%-16s %-9s %s\n", option->name, option->value ? option->value : "",
               option->help);
}

static int run(const Args *args, Arena *arena)
{
    double begun = clock_seconds();
    Error err = {0};
    Settings settings;
    ServerOptions options;
    if (args_has(args, "help")) {
        print_help();
        return 0;
    }
    if (args_has(args, "version")) {
        puts("claryd " CLARY_VERSION);
        return 0;
    }
    if (!settings_load(args, arena, &settings, &err) ||
        !read_options(&settings, arena, &options, &err))
        return fail(&err);
    options.programs = own_folder(arena);
    options.home = settings_home(&settings, arena).ptr;
    if (options.ephemeral && !settings_text(&settings, "home").len) {
        char *folder = arena_cstr(arena, STR("/tmp/clary-XXXXXX"));
        if (!mkdtemp(folder)) return error_sys(&err, errno, "making a temporary home"), fail(&err);
        options.home = folder;
    }
    if (!prepare_home(options.home, &err) || !lock_home(options.home, &err)) return fail(&err);
    prctl(PR_SET_DUMPABLE, 0);
    raise_descriptors();

    Server server = {.options = &options, .started = clock_wall()};
    int fd;
    if (!http_listen_tcp(options.host, options.port, false, &fd, &server.port, &err))
        return fail(&err);
    if (!keeper_split(fd, &server.keeper, &err)) return fail(&err);
    bool ok = serve(&server, fd, begun, &err);
    keeper_close(server.keeper);
    if (options.ephemeral && !settings_text(&settings, "home").len) remove_home(options.home);
    return ok ? 0 : fail(&err);
}

static int describe_api(void)
{
    AUTO_STRBUF StrBuf out = STRBUF(API_DESCRIPTION_BYTES_MAX);
    api_describe(&out);
    return puts(strbuf_cstr(&out)) < 0 || out.overflow;
}

int main(int argc, char **argv)
{
    Error err = {0};
    ARENA(arena);
    Args args;
    int status = 2;
    if (argc == 2 && strcmp(argv[1], "--describe-api") == 0) return describe_api();
    if (args_parse(server_options, NULL, argc - 1, argv + 1, &args, &err))
        status = run(&args, &arena);
    else
        fprintf(stderr, "claryd: %s\ntry 'claryd --help'\n", err.text);
    args_clear(&args);
    return status;
}
