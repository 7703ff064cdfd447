/* Requests to answers with a toy linear model, first without a network, then a real server process
 * on a Unix socket that is talked to byte by byte, signalled and killed. */

#include "train/serve.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/test.h"
#include "format/csv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---- the toy: score = 1 x0 + 2 x1 + 3 x2 + 0.5; with `softprob` three scores ---- */

struct Model {
    int32_t n_out;
    const char *objective;
};

static float toy_score(const float *row, int32_t k)
{
    return row[0] + 2 * row[1] + 3 * row[2] + 0.5F + (float)k;
}

static bool toy_predict(const Model *model, const Matrix *data, PredictKind kind UNUSED,
                        Pool *pool UNUSED, Predictions *ret_predictions, Error *err)
{
    float *values;
    if (!predictions_add(ret_predictions, "score", model->n_out, model->n_out > 1, &values, err))
        return false;
    for (int64_t i = 0; i < data->n_rows; i++)
        for (int32_t k = 0; k < model->n_out; k++)
            values[i * model->n_out + k] = toy_score(data->rows + i * data->row_stride, k);
    return true;
}

static int32_t toy_predict_row(const Model *model, const float *row, float *out, int32_t max)
{
    int32_t n = MIN(model->n_out, max);
    for (int32_t k = 0; k < n; k++) out[k] = toy_score(row, k);
    return n;
}

static bool toy_load(const char *folder, Model **ret_model, Error *err)
{
    ARENA(scratch);
    Str text;
    if (!file_read(path_join(&scratch, folder, "toy"), 100, &scratch, &text, err)) return false;
    Model *model = calloc(1, sizeof *model);
    if (!model) memory_exhausted(sizeof *model);
    *model = (Model){.n_out = 1, .objective = ""};
    *ret_model = model;
    return true;
}

static void toy_free(Model *model)
{
    free(model);
}

static int32_t toy_n_features(const Model *model UNUSED)
{
    return 3;
}

static int32_t toy_n_classes(const Model *model)
{
    return model->n_out > 1 ? model->n_out : 0;
}

static Str toy_objective(const Model *model)
{
    return str_of(model->objective);
}

static const Algorithm toy = {
    .name = "toy",
    .default_accept = "application/json",
    .missing = true,
    .predict = toy_predict,
    .predict_row = toy_predict_row,
    .load = toy_load,
    .free = toy_free,
    .n_features = toy_n_features,
    .n_classes = toy_n_classes,
    .objective = toy_objective,
};

/* ---- without a network ---- */

typedef struct Ask {
    const char *content_type, *accept;
    Str body;
    int status;
    Str answer;
    const char *type;
} Ask;

static int ask_invoker(const Invoker *invoker, InvokeState *state, Str content_type, Str accept,
                       Str body, Str *ret_type)
{
    ARENA(arena);
    char *copy = arena_alloc(&arena, body.len + CSV_SLACK);
    memcpy(copy, body.ptr, body.len);
    return invoke(invoker, state, content_type, accept, (Str){copy, body.len}, ret_type);
}

static void check_asks(const Algorithm *algorithm, Model *model, const InvokeOptions *options,
                       const Ask *asks, size_t n)
{
    Artifact artifact = {.algorithm = algorithm, .model = model};
    Invoker invoker;
    InvokeState state = {0};
    Error err = {0};
    CHECK_OK(invoker_init(&invoker, &artifact, options, &err), err);
    for (size_t i = 0; i < n; i++) {
        Str type;
        int status = ask_invoker(&invoker, &state, str_of(asks[i].content_type),
                                 str_of(asks[i].accept), asks[i].body, &type);
        if (status != asks[i].status || !str_eq(strbuf_str(&state.out), asks[i].answer))
            FAIL("case %zu: %d '%.*s', not\n  %d '%.*s'", i, status,
                 STR_ARG(strbuf_str(&state.out)), asks[i].status, STR_ARG(asks[i].answer));
        CHECK_STR(type, str_of(asks[i].type));
    }
    invoke_state_clear(&state);
}

#define CSV "text/csv"
#define JSON "application/json"
#define LINES "application/jsonlines"
#define TEXT "text/plain"
static const char answers[] =
    "none of the types in Accept is offered; ask for text/csv, application/json, "
    "application/jsonlines or application/x-recordio-protobuf";

TEST(invoke, content_types_and_answers)
{
    Model model = {.n_out = 1, .objective = ""};
    const Ask asks[] = {
        {CSV, NULL, STR("1,1,1"), 200, STR("{\"predictions\":[{\"score\":6.5}]}"), JSON},
        {CSV, "*/*", STR("1,1,1\n0,0,0\n"), 200,
         STR("{\"predictions\":[{\"score\":6.5},{\"score\":0.5}]}"), JSON},
        {CSV, CSV, STR("1,1,1"), 200, STR("6.5"), CSV},
        {CSV, CSV, STR("1,1,1\n0,0,0\n0,0,0.1"), 200, STR("6.5\n0.5\n0.8"), CSV},
        {CSV, CSV, STR("1,1,1\n0,0,0\n1,1,1\n1,1,1\n1,1,1\n"), 200, STR("6.5\n0.5\n6.5\n6.5\n6.5"),
         CSV},
        {CSV, LINES, STR("1,1,1\n0,0,0"), 200, STR("{\"score\":6.5}\n{\"score\":0.5}\n"), LINES},
        {LINES, LINES, STR("[1,1,1]\n{\"features\":[0,0,0]}"), 200,
         STR("{\"score\":6.5}\n{\"score\":0.5}\n"), LINES},
        {JSON, JSON, STR("{\"instances\":[{\"features\":[1,1,1]}]}"), 200,
         STR("{\"predictions\":[{\"score\":6.5}]}"), JSON},
        {JSON, CSV, STR("{\"instances\":[[1,1,1],[0,0,0]]}"), 200, STR("6.5\n0.5"), CSV},
        {JSON, JSON, STR("{\"instances\":[]}"), 200, STR("{\"predictions\":[]}"), JSON},
        {CSV, "text/html, text/csv;q=0.5, application/jsonlines;q=0.7", STR("1,1,1"), 200,
         STR("{\"score\":6.5}\n"), LINES},
        {CSV, "text/csv;q=0", STR("1,1,1"), 406, str_of(answers), TEXT},
        {CSV, "image/png", STR("1,1,1"), 406, str_of(answers), TEXT},
        {CSV, NULL, STR(""), 204, STR(""), ""},
        {CSV, NULL, STR("\n\n"), 204, STR(""), ""},
        {CSV, CSV, STR("1,1,1,1"), 400, STR("expected 3 features, got 4 in record 0"), TEXT},
        {CSV, CSV, STR("1,1,1\n1,1"), 400, STR("expected 3 features, got 2 in record 1"), TEXT},
        {CSV, CSV, STR("1,1,x"), 415,
         STR("record 0, column 2: 'x' is not a number (requests have no header line)"), TEXT},
        {"", NULL, STR("1,1,1"), 415,
         STR("the request has no Content-Type; send text/csv, application/json, application/jsonlines, "
             "application/x-recordio-protobuf or text/libsvm"),
         TEXT},
        {"text/libsvm", NULL, STR("0:1"), 415, STR("text/libsvm is for xgboost, this model is toy"),
         TEXT},
    };
    InvokeOptions options = {0};
    check_asks(&toy, &model, &options, asks, COUNT(asks));

    const Ask batch[] = {{CSV, NULL, STR("1,1,1\n0,0,0"), 200, STR("6.5\n0.5\n"), CSV}};
    options = (InvokeOptions){.batch = true, .default_accept = STR("text/csv")};
    check_asks(&toy, &model, &options, batch, 1);
}

TEST(invoke, broken_json_is_415)
{
    Model model = {.n_out = 1, .objective = ""};
    Artifact artifact = {.algorithm = &toy, .model = &model};
    Invoker invoker;
    InvokeState state = {0};
    Error err = {0};
    InvokeOptions options = {0};
    CHECK_OK(invoker_init(&invoker, &artifact, &options, &err), err);
    Str type;
    CHECK_INT(
        ask_invoker(&invoker, &state, STR(JSON), STR(""), STR("{\"instances\":[[1,1,1]"), &type),
        415);
    CHECK(str_starts(strbuf_str(&state.out), STR("JSON: byte ")));
    invoke_state_clear(&state);
}

TEST(invoke, recordio_answers_keep_uid)
{
    Model model = {.n_out = 1, .objective = ""};
    Artifact artifact = {.algorithm = &toy, .model = &model};
    Invoker invoker;
    InvokeState state = {0};
    Error err = {0};
    InvokeOptions options = {0};
    CHECK_OK(invoker_init(&invoker, &artifact, &options, &err), err);
    AUTO_STRBUF StrBuf body = STRBUF(1 << 16);
    const float values[] = {1, 1, 1};
    RecordOutput features = {.name = STR("values"), .values = values, .n = 3};
    CHECK(recordio_write_record(&body, &features, 1, NULL, 0, (Str){0}, (Str){0}));
    CHECK(recordio_write_record(&body, &features, 1, NULL, 0, STR("u7"), STR("{}")));
    Str type, payload, recordio = STR("application/x-recordio-protobuf");
    CHECK_INT(ask_invoker(&invoker, &state, recordio, recordio, strbuf_str(&body), &type), 200);
    CHECK_STR(type, recordio);
    size_t used;
    AUTO_STRBUF StrBuf joined = STRBUF(100);
    Record record;
    RecordTensor tensor = {0};
    Str answer = strbuf_str(&state.out);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(recordio_next(answer, true, &joined, &payload, &used, &err), err);
        CHECK_OK(record_parse(payload, &record, &err), err);
        CHECK_INT(record.n_labels, 1);
        CHECK_STR(record.labels[0].name, STR("score"));
        CHECK_OK(record_tensor(record.labels[0].value, &tensor, &err), err);
        CHECK_NEAR(tensor.values[0], 6.5, 0);
        if (i) CHECK_STR(record.uid, STR("u7"));
        answer = str_from(answer, used);
    }
    CHECK_INT(answer.len, 0);
    record_tensor_clear(&tensor);
    invoke_state_clear(&state);
}

TEST(invoke, selectable_output_of_xgboost)
{
    Algorithm xgboost = toy;
    xgboost.name = "xgboost";
    xgboost.default_accept = "text/csv";
    Model model = {.n_out = 1, .objective = "binary:logistic"};
    InvokeOptions options = {
        .inference_output = STR(
            "predicted_label, labels,probability,probabilities,raw_score,raw_scores,predicted_score"),
    };
    const Ask logistic[] = {
        {CSV, NULL, STR("0.25,0,0\n0,-0.125,0"), 200,
         STR("1,\"[0, 1]\",0.75,\"[0.25, 0.75]\",0.75,\"[0.25, 0.75]\",nan\n"
             "0,\"[0, 1]\",0.25,\"[0.75, 0.25]\",0.25,\"[0.75, 0.25]\",nan"),
         CSV},
        {CSV, JSON, STR("0.25,0,0"), 200,
         STR("{\"predictions\":[{\"predicted_label\":1,\"labels\":[0,1],\"probability\":0.75,\"probabilities\":[0.25,0.75],"
             "\"raw_score\":0.75,\"raw_scores\":[0.25,0.75],\"predicted_score\":null}]}"),
         JSON},
    };
    check_asks(&xgboost, &model, &options, logistic, COUNT(logistic));

    model = (Model){.n_out = 3, .objective = "multi:softprob"};
    options.inference_output = STR("predicted_label,probability,probabilities,labels");
    const Ask softprob[] = {
        {CSV, LINES, STR("0.25,0,0"), 200,
         STR("{\"predicted_label\":2,\"probability\":2.75,\"probabilities\":[0.75,1.75,2.75],\"labels\":[0,1,2]}\n"),
         LINES},
    };
    check_asks(&xgboost, &model, &options, softprob, COUNT(softprob));
    const Ask plain[] = {
        {CSV, NULL, STR("0,0,0\n0,0,0"), 200, STR("0.5,1.5,2.5\n0.5,1.5,2.5"), CSV}};
    options = (InvokeOptions){0};
    check_asks(&xgboost, &model, &options, plain, 1);
    const Ask batch[] = {{CSV, NULL, STR("0,0,0"), 200, STR("[0.5, 1.5, 2.5]\n"), CSV}};
    options.batch = true;
    check_asks(&xgboost, &model, &options, batch, 1);

    model = (Model){.n_out = 1, .objective = "reg:squarederror"};
    options = (InvokeOptions){.inference_output = STR("predicted_score,probability")};
    const Ask regression[] = {{CSV, NULL, STR("0,0,0"), 200, STR("0.5,nan"), CSV}};
    check_asks(&xgboost, &model, &options, regression, 1);

    Artifact artifact = {.algorithm = &xgboost, .model = &model};
    Invoker invoker;
    Error err = {0};
    options.inference_output = STR("score");
    CHECK(!invoker_init(&invoker, &artifact, &options, &err));
    CHECK(str_starts(str_of(err.text), STR("SAGEMAKER_INFERENCE_OUTPUT: 'score' is not one of ")));
    artifact.algorithm = &toy;
    CHECK(!invoker_init(&invoker, &artifact, &options, &err));
}

TEST(invoke, many_rows_come_in_blocks)
{
    Model model = {.n_out = 1, .objective = ""};
    Artifact artifact = {.algorithm = &toy, .model = &model};
    Invoker invoker;
    InvokeState state = {0};
    Error err = {0};
    InvokeOptions options = {0};
    CHECK_OK(invoker_init(&invoker, &artifact, &options, &err), err);
    AUTO_STRBUF StrBuf body = STRBUF(8 << 20), want = STRBUF(8 << 20);
    for (int i = 0; i < 20001; i++) {
        strbuf_addf(&body, "%d,0,0\n", i);
        strbuf_addf(&want, "%s%d.5", i ? "\n" : "", i);
    }
    Str type;
    CHECK_INT(ask_invoker(&invoker, &state, STR(CSV), STR(CSV), strbuf_str(&body), &type), 200);
    CHECK_STR(strbuf_str(&state.out), strbuf_str(&want));
    CHECK_INT(ask_invoker(&invoker, &state, STR(CSV), STR(JSON), strbuf_str(&body), &type), 200);
    CHECK(str_starts(strbuf_str(&state.out),
                     STR("{\"predictions\":[{\"score\":0.5},{\"score\":1.5},")));
    CHECK(str_ends(strbuf_str(&state.out), STR(",{\"score\":20000.5}]}")));
    /* Few rows now go the short way, and answer the same. */
    CHECK_INT(ask_invoker(&invoker, &state, STR(CSV), STR(JSON), STR("1,1,1\n0,0,0"), &type), 200);
    CHECK_STR(strbuf_str(&state.out), STR("{\"predictions\":[{\"score\":6.5},{\"score\":0.5}]}"));
    /* A wrong row in a late block refuses the whole request. */
    strbuf_add(&body, STR("1,2\n"));
    CHECK_INT(ask_invoker(&invoker, &state, STR(CSV), STR(JSON), strbuf_str(&body), &type), 400);
    CHECK_STR(strbuf_str(&state.out), STR("expected 3 features, got 2 in record 20001"));
    invoke_state_clear(&state);
}

/* ---- a server process ---- */

typedef struct Server {
    pid_t pid;
    const char *socket;
} Server;

static int ready_pipe[2];

static void say_ready(const ServeOptions *options UNUSED, const Artifact *artifact UNUSED,
                      int port UNUSED)
{
    if (write(ready_pipe[1], "r", 1) != 1) abort();
}

static Server start(int n_threads)
{
    static Arena arena;
    const char *folder = path_join(&arena, test_folder(), "model");
    Error err = {0};
    CHECK_OK(folder_make(folder, &err), err);
    CHECK_OK(file_commit(path_join(&arena, folder, "toy"), STR("x"), &err), err);
    Server server = {.socket = path_join(&arena, test_folder(), "s")};
    CHECK(pipe(ready_pipe) == 0);
    server.pid = fork();
    CHECK(server.pid >= 0);
    if (server.pid == 0) {
        ServeOptions options = {
            .folder = folder,
            .algorithm = &toy,
            .socket = server.socket,
            .n_threads = n_threads,
            .body_max = 1 << 20,
        };
        bool good = serve_run(&options, say_ready, &err);
        if (!good) fprintf(stderr, "%s\n", err.text);
        _exit(good ? 0 : 1);
    }
    close(ready_pipe[1]);
    char c;
    CHECK(read(ready_pipe[0], &c, 1) == 1);
    close(ready_pipe[0]);
    return server;
}

static int stop(Server *server, int signal)
{
    int status;
    kill(server->pid, signal);
    CHECK(waitpid(server->pid, &status, 0) == server->pid);
    return status;
}

static int dial(const Server *server)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, server->socket, strlen(server->socket) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        FAIL("connect: %s", strerror(errno));
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static Str hear_all(int fd, Arena *arena)
{
    AUTO_STRBUF StrBuf text = STRBUF(64 << 20);
    char part[4096];
    ssize_t n;
    while ((n = recv(fd, part, sizeof part, 0)) > 0) strbuf_add(&text, (Str){part, (size_t)n});
    close(fd);
    return arena_str(arena, strbuf_str(&text));
}

/* "200 BODY" of the only answer to one request; the Date and other fields are left out. */
static Str ask(const Server *server, const char *request, Arena *arena)
{
    int fd = dial(server);
    say(fd, request);
    Str answer = hear_all(fd, arena);
    for (size_t i = 12; i + 4 <= answer.len; i++)
        if (memcmp(answer.ptr + i, "\r\n\r\n", 4) == 0)
            return arena_format(arena, "%.3s %.*s", answer.ptr + 9,
                                STR_ARG(str_from(answer, i + 4)));
    FAIL("no answer but '%.*s'", STR_ARG(answer));
}

#define REST " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"

TEST(serve, answers_over_a_socket)
{
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
        Server server = start(n_threads);
        ARENA(arena);
        CHECK_STR(ask(&server, "GET /ping" REST "\r\n", &arena), STR("200 "));
        CHECK_STR(ask(&server,
                      "POST /invocations" REST "Content-Type: text/csv\r\nAccept: text/csv\r\n"
                      "Content-Length: 5\r\n\r\n1,1,1",
                      &arena),
                  STR("200 6.5"));
        CHECK_STR(ask(&server,
                      "POST /invocations" REST
                      "Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "2\r\n1,\r\n3\r\n1,1\r\n0\r\n\r\n",
                      &arena),
                  STR("200 {\"predictions\":[{\"score\":6.5}]}"));
        CHECK_STR(ask(&server,
                      "POST /invocations" REST
                      "Content-Type: text/csv\r\nContent-Length: 3\r\n\r\n1,1",
                      &arena),
                  STR("400 expected 3 features, got 2 in record 0"));
        CHECK_STR(ask(&server,
                      "POST /invocations" REST
                      "Content-Type: text/csv\r\nContent-Length: 0\r\n\r\n",
                      &arena),
                  STR("204 "));
        CHECK_STR(ask(&server, "POST /invocations" REST "Content-Length: 1048577\r\n\r\n", &arena),
                  STR("413 the body is larger than this server accepts"));
        CHECK_STR(ask(&server, "GET /invocations" REST "\r\n", &arena),
                  STR("405 this method is not offered here"));
        CHECK_STR(ask(&server, "GET /nothing" REST "\r\n", &arena),
                  STR("404 there is /ping, /invocations and /execution-parameters"));
        CHECK_STR(ask(&server, "GET /ping HTTP/1.1\r\n\r\n", &arena), STR("400 Host is missing"));
        Str parameters = ask(&server, "GET /execution-parameters" REST "\r\n", &arena);
        CHECK_STR(
            parameters,
            arena_format(&arena,
                         "200 {\"MaxConcurrentTransforms\":%d,\"BatchStrategy\":\"MULTI_RECORD\","
                         "\"MaxPayloadInMB\":1}",
                         n_threads));
        /* Pipelined, on one connection, the last one ends it. */
        int fd = dial(&server);
        for (int i = 0; i < 50; i++)
            say(fd,
                "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nAccept: text/csv\r\n"
                "Content-Length: 5\r\n\r\n1,1,1");
        shutdown(fd, SHUT_WR);
        Str answers_all = hear_all(fd, &arena);
        int found = 0;
        for (size_t i = 0; i + 7 <= answers_all.len; i++)
            found += memcmp(answers_all.ptr + i, "\r\n\r\n6.5", 7) == 0;
        CHECK_INT(found, 50);
        int status = stop(&server, SIGTERM);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK(!file_exists(server.socket));
    }
}

TEST(serve, sigterm_lets_running_requests_finish)
{
    Server server = start(1);
    ARENA(arena);
    int idle = dial(&server), running = dial(&server);
    say(idle, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    say(running,
        "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Length: 5\r\n\r\n1,");
    usleep(50000);
    kill(server.pid, SIGTERM);
    Str ping = hear_all(idle, &arena); /* closed at once */
    CHECK(str_starts(ping, STR("HTTP/1.1 200 OK\r\n")));
    usleep(50000);
    say(running, "1,1");
    Str answer = hear_all(running, &arena);
    CHECK(str_ends(answer, STR("{\"predictions\":[{\"score\":6.5}]}")));
    CHECK(str_has(answer, STR("Connection: close\r\n")));
    int status;
    CHECK(waitpid(server.pid, &status, 0) == server.pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(serve, a_killed_server_can_start_again)
{
    Server server = start(2);
    ARENA(arena);
    int fd = dial(&server);
    say(fd, "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n1,");
    usleep(10000);
    int status = stop(&server, SIGKILL);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(hear_all(fd, &arena).len, 0);
    CHECK(file_exists(server.socket)); /* a stale one */
    server = start(2);
    CHECK_STR(ask(&server, "GET /ping" REST "\r\n", &arena), STR("200 "));
    stop(&server, SIGTERM);
}

TEST(serve, start_says_what_is_wrong)
{
    ARENA(arena);
    Error err = {0};
    ServeOptions options = {
        .folder = path_join(&arena, test_folder(), "none"), .algorithm = &toy, .host = "127.0.0.1"};
    CHECK(!serve_run(&options, NULL, &err));
    CHECK(str_starts(str_of(err.text), STR("there is no model folder")));
    options.folder = test_folder();
    CHECK(!serve_run(&options, NULL, &err));
    CHECK(str_starts(str_of(err.text), STR("loading the toy model in '")));

    setenv("SAGEMAKER_BIND_TO_PORT", "99999", 1);
    CHECK(!serve_options_from_environment(&arena, &options, &err));
    CHECK_STR(str_of(err.text),
              STR("SAGEMAKER_BIND_TO_PORT: '99999' is not a number from 0 to 65535"));
    setenv("SAGEMAKER_BIND_TO_PORT", "9000", 1);
    setenv("SAGEMAKER_BASE_DIR", "/jobs/a", 1);
    setenv("SAGEMAKER_BATCH", "true", 1);
    setenv("SAGEMAKER_MAX_PAYLOAD_IN_MB", "20", 1);
    setenv("MODEL_SERVER_WORKERS", "3", 1);
    CHECK_OK(serve_options_from_environment(&arena, &options, &err), err);
    CHECK_INT(options.port, 9000);
    CHECK_STR(str_of(options.folder), STR("/jobs/a/model"));
    CHECK(options.invoke.batch);
    CHECK_INT(options.body_max, 20 << 20);
    CHECK_INT(options.n_threads, 3);
}
