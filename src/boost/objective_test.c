#include "boost/objective_spec.h"
#include "boost/sort.h"
#include "boost/survival.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static ObjectiveParams params_of(const char *name)
{
    static const double alpha[] = {0.2, 0.5, 0.9};
    return (ObjectiveParams){
        .name = str_of(name),
        .quantile_alpha = alpha,
        .n_quantiles = COUNT(alpha),
        .n_classes = 5,
        .scale_pos_weight = 1,
        .max_delta_step = 0.7,
        .tweedie_variance_power = 1.3,
        .huber_slope = 1.5,
        .aft_distribution = STR("normal"),
        .aft_scale = 1,
        .lambdarank_pair_method = STR("topk"),
        .lambdarank_normalization = true,
        .ndcg_exp_gain = true,
    };
}

/* The distance of two floats in units in the last place. */
static double ulps(float got, double want)
{
    float near = (float)want;
    double unit = (double)nextafterf(fabsf(near), INFINITY) - (double)fabsf(near);
    return fabs((double)got - want) / unit;
}

TEST(loss, exp_and_sigmoid_are_within_two_units)
{
    enum { N = 200003 };
    static float x[N], e[N], s[N];
    for (int i = 0; i < N; i++) x[i] = e[i] = s[i] = -87.0f + 175.0f * (float)i / N;
    lanes_exp(e, N);
    lanes_sigmoid(s, N);
    for (int i = 0; i < N; i++) {
        if (ulps(e[i], exp((double)x[i])) > 2)
            FAIL("exp(%.9g) is %.9g", (double)x[i], (double)e[i]);
        if (ulps(s[i], 1 / (1 + exp(-(double)x[i]))) > 2.5 && x[i] > -86)
            FAIL("sigmoid(%.9g) is %.9g", (double)x[i], (double)s[i]);
    }
    float edge[] = {-INFINITY, INFINITY, NAN, -100, 90, 0};
    lanes_exp(edge, COUNT(edge));
    CHECK(edge[0] == 0 && isinf(edge[1]) && isnan(edge[2]) && isinf(edge[4]) && edge[5] == 1);
    CHECK_NEAR((double)edge[3] / 3.720076e-44, 1, 0.05); /* subnormal: few bits */
}

TEST(loss, logarithms_are_within_two_units)
{
    enum { N = 100003 };
    static float x[N], y[N];
    for (int i = 0; i < N; i++) x[i] = y[i] = expf(-36 + 36 * (float)i / N);
    lanes_neg_log(y, N);
    for (int i = 0; i < N; i++)
        if (ulps(y[i], -log((double)x[i])) > 2)
            FAIL("-log(%.9g) is %.9g", (double)x[i], (double)y[i]);
}

/* The loss whose derivatives the elementwise objectives are. */
static double loss_of(const char *name, double m, double y)
{
    double p = 1 / (1 + exp(-m)), rho = 1.3, slope = 1.5;
    if (strcmp(name, "reg:squarederror") == 0) return (m - y) * (m - y) / 2;
    if (strcmp(name, "reg:squaredlogerror") == 0) return pow(log1p(m) - log1p(y), 2) / 2;
    if (strstr(name, "logi")) return -y * log(p) - (1 - y) * log(1 - p);
    if (strcmp(name, "count:poisson") == 0) return exp(m) - y * m;
    if (strcmp(name, "reg:gamma") == 0) return m + y * exp(-m);
    if (strcmp(name, "reg:tweedie") == 0)
        return -y * exp((1 - rho) * m) / (1 - rho) + exp((2 - rho) * m) / (2 - rho);
    if (strcmp(name, "reg:pseudohubererror") == 0)
        return slope * slope * (sqrt(1 + pow((m - y) / slope, 2)) - 1);
    return fabs(m - y);
}

TEST(objective, gradients_are_the_derivatives_of_the_losses)
{
    static const char *const names[] = {
        "reg:squarederror", "reg:squaredlogerror",  "reg:logistic", "binary:logistic",
        "binary:logitraw",  "reg:pseudohubererror", "reg:gamma",    "reg:tweedie"};
    enum { N = 1003 };
    Random random = random_stream(7, 1);
    static float m[N], y[N], w[N], gh[2 * N];
    for (size_t i = 0; i < N; i++) {
        m[i] = (float)(random_unit(random, 3 * i) * 4 - 0.9);
        y[i] = (float)random_unit(random, 3 * i + 1);
        w[i] = (float)random_unit(random, 3 * i + 2) + 0.5f;
    }
    for (size_t k = 0; k < COUNT(names); k++) {
        ObjectiveParams params = params_of(names[k]);
        Error err = {0};
        AUTO(objective_free) Objective *objective = NULL;
        CHECK_OK(objective_new(&params, &objective, &err), err);
        Labels labels = {.n_rows = N, .label = y, .weight = w};
        CHECK_OK(objective_gradients(objective, &labels, m, 0, NULL, gh, &err), err);
        for (size_t i = 0; i < N; i++) {
            double d = 1e-5, a = (double)m[i], b = (double)y[i], wi = (double)w[i];
            double low = loss_of(names[k], a - d, b), mid = loss_of(names[k], a, b),
                   high = loss_of(names[k], a + d, b);
            CHECK_NEAR((double)gh[2 * i], wi * (high - low) / (2 * d), 2e-5);
            double h = fmax(wi * (high - 2 * mid + low) / (d * d), wi * 1e-6);
            CHECK_NEAR((double)gh[2 * i + 1], h, 2e-4);
        }
    }
}

TEST(survival, aft_derivatives_are_those_of_the_loss)
{
    static const double bounds[][2] = {{1.5, 1.5}, {0.7, INFINITY}, {0, 2.5}, {0.4, 3}};
    for (int distribution = AFT_NORMAL; distribution <= AFT_EXTREME; distribution++)
        for (size_t k = 0; k < COUNT(bounds); k++)
            for (double m = -2; m < 2; m += 0.25) {
                double g, h, d = 1e-4, low = bounds[k][0], high = bounds[k][1], at[3];
                aft_derivatives((AftDistribution)distribution, 0.9, low, high, m, &g, &h);
                for (int j = 0; j < 3; j++)
                    at[j] = aft_loss((AftDistribution)distribution, 0.9, low, high,
                                     m + (j - 1) * d);
                CHECK_NEAR(g, (at[2] - at[0]) / (2 * d), 1e-6);
                CHECK_NEAR(h, fmin((at[2] - 2 * at[1] + at[0]) / (d * d), 15), 1e-5);
            }
}

TEST(survival, cox_gradients_are_those_of_the_partial_likelihood)
{
    /* times 1 2 2 3 4; the second and the last are censored; rows are not in order of time */
    float y[] = {3, 1, -2, 2, -4}, m[] = {0.3f, -0.2f, 0.5f, 1, -1}, gh[10];
    double at[2], d = 1e-3;
    Labels labels = {.n_rows = 5, .label = y};
    Error err = {0};
    CHECK_OK(cox_gradients(NULL, &labels, m, 0, NULL, gh, &err), err);
    for (int i = 0; i < 5; i++) {
        for (int side = 0; side < 2; side++) {
            double e[5], sum = 0;
            for (int k = 0; k < 5; k++) e[k] = (double)m[k] + (k == i ? (side ? d : -d) : 0);
            for (int k = 0; k < 5; k++) {
                if (y[k] < 0) continue;
                double risk = 0;
                for (int j = 0; j < 5; j++)
                    if (fabsf(y[j]) >= y[k]) risk += exp(e[j]);
                sum += log(risk) - e[k];
            }
            at[side] = sum;
        }
        CHECK_NEAR((double)gh[2 * i], (at[1] - at[0]) / (2 * d), 1e-6);
    }
}

TEST(rank, pulls_cancel_within_a_group_and_threads_do_not_matter)
{
    enum { N = 5000, G = 100 };
    Random random = random_stream(11, 1);
    static float m[N], y[N], gh[2][2 * N];
    static int64_t start[G + 1];
    for (size_t g = 0; g <= G; g++) start[g] = (int64_t)(g * g * N / (G * G)); /* sizes 0 to 99 */
    for (size_t i = 0; i < N; i++) {
        m[i] = (float)random_normal(random, i);
        y[i] = (float)random_below(random, 50000 + i, 4);
    }
    static const char *const methods[] = {"topk", "mean"};
    for (size_t k = 0; k < COUNT(methods); k++) {
        Error err = {0};
        AUTO(pool_free) Pool *pool = pool_new(4);
        ObjectiveParams params = params_of("rank:ndcg");
        params.lambdarank_pair_method = str_of(methods[k]);
        params.lambdarank_num_pair = 3;
        AUTO(objective_free) Objective *objective = NULL;
        CHECK_OK(objective_new(&params, &objective, &err), err);
        Labels labels = {.n_rows = N, .label = y, .group_start = start, .n_groups = G};
        CHECK_OK(objective_gradients(objective, &labels, m, 5, NULL, gh[0], &err), err);
        CHECK_OK(objective_gradients(objective, &labels, m, 5, pool, gh[1], &err), err);
        CHECK(memcmp(gh[0], gh[1], sizeof gh[0]) == 0);
        for (size_t g = 0; g < G; g++) {
            double sum = 0, size = 0;
            for (int64_t i = start[g]; i < start[g + 1]; i++) {
                sum += (double)gh[0][2 * i];
                size += fabs((double)gh[0][2 * i]);
            }
            CHECK(fabs(sum) <= 1e-6 * size);
        }
    }
}

TEST(sort, orders_are_stable_at_every_length)
{
    Random random = random_stream(12, 1);
    static float key[5000];
    static uint32_t order[5000];
    static SortItem work[10000];
    for (size_t n = 1; n <= COUNT(key); n = n * 3 / 2 + 1)
        for (int descending = 0; descending < 2; descending++) {
            for (size_t i = 0; i < n; i++)
                key[i] = (float)random_below(random, i * n, 50) * 0.5f - 10;
            sort_order(key, descending, order, n, work);
            for (size_t i = 1; i < n; i++) {
                float a = key[order[i - 1]], b = key[order[i]];
                CHECK(descending ? a >= b : a <= b);
                CHECK(a != b || order[i - 1] < order[i]);
            }
        }
}

TEST(sort, quantiles_are_those_of_numpy)
{
    float v[] = {5, 1, 4, 2, 3, 9, 7}, w[] = {1, 1, 1, 1, 1, 1, 1}, q;
    CHECK_NEAR((double)quantile_plain(v, 7, 0.5), 4, 0); /* method="weibull" */
    CHECK_NEAR((double)quantile_plain(v, 7, 0.2), 1.6, 1e-7);
    CHECK_NEAR((double)quantile_plain(v, 7, 0.95), 9, 0);
    CHECK_NEAR((double)quantile_plain(v, 7, 0.01), 1, 0);
    float u[] = {5, 1, 4, 2, 3, 9, 7};
    CHECK(quantile_weighted(u, w, 7, 0.5, &q, NULL));
    CHECK_NEAR((double)q, 4, 0);
    w[5] = 20; /* the 9 outweighs the rest */
    CHECK(quantile_weighted(u, w, 7, 0.5, &q, NULL));
    CHECK_NEAR((double)q, 9, 0);
}

TEST(objective, softmax_gradients_are_probabilities_less_truth)
{
    enum { N = 517, K = 5 };
    Random random = random_stream(8, 1);
    static float m[N * K], y[N], w[N], gh[2 * N * K];
    for (size_t i = 0; i < N; i++) {
        y[i] = (float)random_below(random, 9000 + i, K);
        w[i] = (float)random_unit(random, 10000 + i) + 0.1f;
        for (size_t k = 0; k < K; k++) m[i * K + k] = (float)random_normal(random, i * K + k) * 3;
    }
    ObjectiveParams params = params_of("multi:softprob");
    Error err = {0};
    AUTO(objective_free) Objective *objective = NULL;
    CHECK_OK(objective_new(&params, &objective, &err), err);
    CHECK_INT(objective_groups(objective), K);
    Labels labels = {.n_rows = N, .label = y, .weight = w};
    AUTO(pool_free) Pool *pool = pool_new(3);
    CHECK_OK(objective_gradients(objective, &labels, m, 0, pool, gh, &err), err);
    for (size_t i = 0; i < N; i++) {
        double sum = 0;
        for (size_t k = 0; k < K; k++) sum += exp((double)m[i * K + k]);
        for (size_t k = 0; k < K; k++) {
            double p = exp((double)m[i * K + k]) / sum, wi = (double)w[i];
            CHECK_NEAR((double)gh[2 * (i * K + k)], wi * (p - (k == (size_t)y[i])), 1e-6);
            CHECK_NEAR((double)gh[2 * (i * K + k) + 1], wi * fmax(2 * p * (1 - p), 1e-16), 1e-6);
        }
    }
}

TEST(objective, bad_labels_are_refused_with_row_and_value)
{
    static const struct {
        const char *name;
        float bad;
        const char *want;
    } cases[] = {
        {"binary:logistic", 2, "label must be in [0,1] for logistic regression: row 3 has 2"},
        {"multi:softmax", 5, "SoftmaxMultiClassObj: label must be in [0, num_class): row 3 has 5"},
        {"reg:squarederror", NAN, "the label of row 3 is nan: labels must be finite numbers"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        float y[] = {0, 1, cases[i].bad};
        ObjectiveParams params = params_of(cases[i].name);
        Error err = {0};
        AUTO(objective_free) Objective *objective = NULL;
        CHECK_OK(objective_new(&params, &objective, &err), err);
        CHECK(!objective_check(objective, &(Labels){.n_rows = 3, .label = y}, &err));
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
    Error err = {0};
    Objective *objective = NULL;
    ObjectiveParams params = params_of("binary:logistics");
    CHECK(!objective_new(&params, &objective, &err));
    CHECK_STR(str_of(err.text),
              STR("unknown objective 'binary:logistics'; did you mean 'binary:logistic'?"));
}

/* FNV-1a over bytes. */
static uint64_t hash_bytes(const void *data, size_t n, uint64_t hash)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_of_gradients(void)
{
    enum { N = 4099, K = 5 };
    static float m[N * K], y[N], w[N], gh[2 * N * K];
    uint64_t hash = 0xcbf29ce484222325u;
    Random random = random_stream(9, 1);
    for (size_t i = 0; i < N * K; i++) m[i] = (float)(random_unit(random, i) * 40 - 20);
    for (size_t i = 0; i < N; i++) w[i] = (float)random_unit(random, 100000 + i);
    for (const char *const *name = objective_names; *name; name++) {
        ObjectiveParams params = params_of(*name);
        params.scale_pos_weight = 3;
        Error err = {0};
        AUTO(objective_free) Objective *objective = NULL;
        CHECK_OK(objective_new(&params, &objective, &err), err);
        for (size_t i = 0; i < N; i++) y[i] = (float)(random_u64(random, 200000 + i) & 1);
        Labels labels = {.n_rows = N, .label = y, .weight = w};
        if (strncmp(*name, "rank:", 5) == 0) labels.weight = NULL;
        CHECK_OK(objective_gradients(objective, &labels, m, 0, NULL, gh, &err), err);
        hash = hash_bytes(gh, 2 * N * (size_t)objective_groups(objective) * sizeof(float), hash);
    }
    return hash;
}

TEST(objective, all_processor_levels_give_the_same_bits)
{
    static const char *const levels[] = {"base", "avx2", "avx512"};
    uint64_t hash[COUNT(levels)];
    for (size_t i = 0; i < COUNT(levels); i++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) { /* the level is read once, so each needs a process of its own */
            setenv("CLARY_CPU", levels[i], 1);
            uint64_t mine = hash_of_gradients();
            _exit(write(ends[1], &mine, sizeof mine) == sizeof mine ? 0 : 1);
        }
        close(ends[1]);
        CHECK(read(ends[0], &hash[i], sizeof hash[i]) == sizeof hash[i]);
        close(ends[0]);
        waitpid(child, NULL, 0);
    }
    CHECK(hash[0] == hash[1] && hash[1] == hash[2]);
}
