#include "service/cloudwatch/store.h"

#include "base/clock.h"
#include "base/test.h"

#include <math.h>
#include <stdio.h>

static void open_server(Server *server, ServerOptions *options)
{
    static char path[512];
    Error err = {0};
    snprintf(path, sizeof path, "%s/clary.db", test_folder());
    *options = (ServerOptions){.account = "123456789012", .region = "us-east-1"};
    *server = (Server){.options = options};
    CHECK_OK(db_open(path, &server->db, &err), err);
    CHECK_OK(cloudwatch_open(server, &err), err);
}

static bool run(Server *server, Arena *arena, const char *name, Str in, Call *ret_call, Error *err)
{
    *ret_call = (Call){.server = server,
                       .arena = arena,
                       .region = STR("us-east-1"),
                       .now = clock_wall(),
                       .out = json_new_object(arena)};
    CHECK_OK(json_parse(in, arena, &ret_call->in, err), *err);
    ret_call->operation = service_operation_find(&cloudwatch_service, str_of(name));
    CHECK(ret_call->operation != NULL);
    return ret_call->operation->handle(ret_call, err);
}

TEST(cloudwatch, statistics_of_periods)
{
    ARENA(arena);
    Error err = {0};
    Server server;
    ServerOptions options;
    Call call;
    open_server(&server, &options);
    CHECK_OK(
        run(&server, &arena, "PutMetricData",
            STR("{\"Namespace\":\"n\",\"MetricData\":["
                "{\"MetricName\":\"m\",\"Timestamp\":600,\"Value\":1,\"Dimensions\":[{\"Name\":\"b\",\"Value\":\"2\"},{\"Name\":\"a\",\"Value\":\"1\"}]},"
                "{\"MetricName\":\"m\",\"Timestamp\":610,\"Values\":[2,4],\"Counts\":[1,2],\"Dimensions\":[{\"Name\":\"a\",\"Value\":\"1\"},{\"Name\":\"b\",\"Value\":\"2\"}]},"
                "{\"MetricName\":\"m\",\"Timestamp\":700,\"StatisticValues\":{\"SampleCount\":4,\"Sum\":10,\"Minimum\":1,\"Maximum\":5},\"Dimensions\":[{\"Name\":\"a\",\"Value\":\"1\"},{\"Name\":\"b\",\"Value\":\"2\"}]}]}"),
            &call, &err),
        err);
    CHECK_OK(
        run(&server, &arena, "GetMetricStatistics",
            STR("{\"Namespace\":\"n\",\"MetricName\":\"m\",\"StartTime\":600,\"EndTime\":720,\"Period\":60,\"Statistics\":[\"Average\",\"Sum\",\"SampleCount\",\"Minimum\",\"Maximum\"],"
                "\"ExtendedStatistics\":[\"p50\"],\"Dimensions\":[{\"Name\":\"b\",\"Value\":\"2\"},{\"Name\":\"a\",\"Value\":\"1\"}]}"),
            &call, &err),
        err);
    const Json *points = json_get(call.out, "Datapoints");
    CHECK_INT(points->n, 2);
    CHECK_NEAR(json_path(points, "0.Sum")->number, 11, 0);
    CHECK_NEAR(json_path(points, "0.SampleCount")->number, 4, 0);
    CHECK_NEAR(json_path(points, "0.Average")->number, 2.75, 0);
    CHECK_NEAR(json_path(points, "0.ExtendedStatistics.p50")->number, 3, 1e-12); /* of 1 2 4 4 */
    CHECK_NEAR(json_path(points, "1.Timestamp")->number, 660, 0);
    CHECK_NEAR(json_path(points, "1.Minimum")->number, 1, 0);
    CHECK_NEAR(json_path(points, "1.Maximum")->number, 5, 0);
    CHECK_OK(run(&server, &arena, "ListMetrics", STR("{\"Dimensions\":[{\"Name\":\"a\"}]}"), &call,
                 &err),
             err);
    CHECK_INT(json_get(call.out, "Metrics")->n, 1);
    CHECK(!run(
        &server, &arena, "GetMetricStatistics",
        STR("{\"Namespace\":\"n\",\"MetricName\":\"m\",\"StartTime\":600,\"EndTime\":600,\"Period\":60,\"Statistics\":[\"Sum\"]}"),
        &call, &err));
    CHECK_STR(str_of(call.code), STR("InvalidParameterValue"));
    cloudwatch_close(&server);
    db_close(server.db);
}

static double math_value(const char *expression, size_t at, size_t *ret_n)
{
    static double times[] = {0, 60, 180}, a[] = {1, 2, 4}, b[] = {10, 0, 30};
    ARENA(arena);
    Error err = {0};
    MathQuery queries[] = {{.id = STR("a"), .series = {times, a, 3}, .period = 60},
                           {.id = STR("b"), .series = {times, b, 3}, .period = 60},
                           {.id = STR("e"), .expression = str_of(expression)},
                           {.id = STR("twice"), .expression = STR("a * 2")}};
    if (!metric_math(queries, COUNT(queries), 2, &arena, &err)) {
        *ret_n = 0;
        return NAN;
    }
    *ret_n = queries[2].series.n;
    return at < queries[2].series.n ? queries[2].series.values[at] : NAN;
}

TEST(cloudwatch, metric_math)
{
    static const struct {
        const char *expression;
        size_t n, at;
        double want;
    } cases[] = {
        {"a + b", 3, 2, 34},
        {"a / b", 2, 0, 0.1},
        {"2 ^ a - 1", 3, 2, 15},
        {"-(a - 3) * 2", 3, 0, 4},
        {"SUM(METRICS())", 3, 0, 11},
        {"AVG(a)", 3, 1, 7.0 / 3},
        {"FILL(a, 0)", 4, 2, 0},
        {"FILL(a, REPEAT)", 4, 2, 2},
        {"RATE(a)", 2, 1, 2.0 / 120},
        {"IF(b > 5, a, 0)", 3, 1, 0},
        {"twice + 1", 3, 0, 3},
        {"RUNNING_SUM(a)", 3, 2, 7},
        {"a >= 2", 3, 0, 0},
        {"PERIOD(a)", 3, 0, 60},
        {"MAX(METRICS(\"a\"))", 3, 2, 4},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n;
        double got = math_value(cases[i].expression, cases[i].at, &n);
        if (n != cases[i].n || !test_near(got, cases[i].want, 1e-12))
            FAIL("%s gives %zu points, %g at %zu", cases[i].expression, n, got, cases[i].at);
    }
    static const char *const bad[] = {
        "",
        "a +",
        "(a",
        "a)",
        "nothing",
        "e + 1",
        "FOO(a)",
        "METRICS()",
        "a b",
        "((((((((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))))))))"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        size_t n;
        math_value(bad[i], 0, &n);
        if (n) FAIL("'%s' was accepted", bad[i]);
    }
}

TEST(cloudwatch, an_alarm_follows_its_metric)
{
    ARENA(arena);
    Error err = {0};
    Server server;
    ServerOptions options;
    Call call;
    char state[24];
    open_server(&server, &options);
    CHECK_OK(
        run(&server, &arena, "PutMetricAlarm",
            STR("{\"AlarmName\":\"x\",\"Namespace\":\"n\",\"MetricName\":\"m\",\"Statistic\":\"Average\",\"Period\":10,\"EvaluationPeriods\":1,"
                "\"Threshold\":5,\"ComparisonOperator\":\"GreaterThanThreshold\",\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"}]}"),
            &call, &err),
        err);
    CHECK_OK(alarm_state(&server, STR("us-east-1"), STR("x"), state, &err), err);
    CHECK_STR(str_of(state), STR("INSUFFICIENT_DATA"));
    CHECK_OK(run(&server, &arena, "SetAlarmState",
                 STR("{\"AlarmName\":\"x\",\"StateValue\":\"ALARM\",\"StateReason\":\"test\"}"),
                 &call, &err),
             err);
    CHECK_OK(run(&server, &arena, "DescribeAlarms", STR("{\"StateValue\":\"ALARM\"}"), &call, &err),
             err);
    CHECK_INT(json_get(call.out, "MetricAlarms")->n, 1);
    CHECK_OK(run(&server, &arena, "ListTagsForResource",
                 STR("{\"ResourceARN\":\"arn:aws:cloudwatch:us-east-1:123456789012:alarm:x\"}"),
                 &call, &err),
             err);
    CHECK_STR(json_path(call.out, "Tags.0.Value")->text, STR("v"));
    CHECK_OK(run(&server, &arena, "DeleteAlarms", STR("{\"AlarmNames\":[\"x\"]}"), &call, &err),
             err);
    CHECK_OK(alarm_state(&server, STR("us-east-1"), STR("x"), state, &err), err);
    CHECK_STR(str_of(state), STR(""));
    cloudwatch_close(&server);
    db_close(server.db);
}
