/* What screening says of rows must hold of the true distances. */

#include "num/screen.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <math.h>

typedef struct Case {
    int32_t k, d;
    double spread; /* of the centers, against that of the rows about them */
    double scale;
} Case;

static double distance(const float *a, const float *b, int32_t d)
{
    double sum = 0;
    for (int32_t j = 0; j < d; j++) {
        double v = (double)a[j] - (double)b[j];
        sum += v * v;
    }
    return sqrt(sum);
}

static void check_row(const Case *c, const float *row, const float *centers,
                      const Screened *screened, int r)
{
    double near = INFINITY, second = INFINITY, upper = (double)screened->upper[r],
           lower = (double)screened->lower[r], rounding = 1e-6 * upper;
    int32_t nearest = 0;
    for (int32_t i = 0; i < c->k; i++) {
        double x = distance(row, centers + (int64_t)i * c->d, c->d);
        second = MIN(second, MAX(x, near));
        nearest = x < near ? i : nearest;
        near = MIN(near, x);
    }
    if (screened->certain >> r & 1) {
        CHECK(near <= upper + rounding);
        CHECK_INT(screened->index[r], nearest);
        CHECK(second >= lower - rounding);
        return;
    }
    int32_t n = screened->n_candidates[r];
    CHECK(n > 1);
    if (n > SCREEN_CANDIDATES) return;
    for (int32_t i = 0; i < c->k; i++) {
        bool listed = false;
        for (int32_t m = 0; m < n; m++) listed |= screened->candidates[r][m] == i;
        if (!listed) CHECK(distance(row, centers + (int64_t)i * c->d, c->d) >= lower - rounding);
    }
    bool found = false;
    for (int32_t m = 0; m < n; m++) found |= screened->candidates[r][m] == nearest;
    CHECK(found);
}

/* Returns how many rows of 640 are certain. */
static int check_case(const Case *c)
{
    enum { ROWS = 640 };
    Error err = {0};
    int32_t d = c->d, groups = nearest_groups(d);
    AUTO_DATA float *centers = data_array(float, c->k *d, "a test", &err);
    AUTO_DATA float *rows = data_array(float, ROWS *d, "a test", &err);
    AUTO_DATA float *norms = data_array(float, ROWS, "a test", &err);
    AUTO_DATA uint8_t *panel = data_array(uint8_t, groups * NEAREST_LINE * NEAREST_ROWS, "a test",
                                          &err);
    AUTO_DATA float **group = data_array(float *, groups, "a test", &err);
    float most = 0, norm_max = 0;
    for (int64_t i = 0; i < (int64_t)c->k * d; i++)
        centers[i] = (float)(c->scale * c->spread *
                             random_normal(random_stream(1, 1), (uint64_t)i));
    for (int32_t i = 0; i < c->k; i++) {
        float norm = 0;
        for (int32_t j = 0; j < d; j++) norm += centers[i * d + j] * centers[i * d + j];
        norm_max = MAX(norm_max, norm);
    }
    for (int32_t i = 0; i < ROWS; i++) {
        for (int32_t j = 0; j < d; j++) {
            float x = centers[i % c->k * d + j] +
                      (float)(c->scale * random_normal(random_stream(1, 2), (uint64_t)(i * d + j)));
            rows[i * d + j] = x;
            norms[i] += x * x;
            most = MAX(most, fabsf(x));
        }
    }
    NearestLines lines = {group, d};
    for (int32_t g = 0; g < groups; g++) {
        int32_t width = nearest_width(d, g);
        group[g] = data_array(float, ROWS *width, "a test", &err);
        for (int32_t i = 0; i < ROWS; i++)
            for (int32_t j = 0; j < width; j++)
                group[g][i * width + j] = rows[i * d + g * NEAREST_LINE + j];
    }
    __attribute__((cleanup(screen_clear))) Screen screen;
    CHECK_OK(screen_init(&screen, c->k, d, 2, &err), err);
    screen_pack(&screen, centers, d);
    int n_certain = 0;
    for (int32_t begin = 0; begin < ROWS; begin += NEAREST_ROWS) {
        int32_t list[NEAREST_ROWS];
        float norm[NEAREST_ROWS];
        for (int r = 0; r < NEAREST_ROWS; r++) {
            list[r] = NEAREST_ROWS - 1 - r;
            norm[r] = norms[begin + list[r]];
        }
        Screened screened;
        screen_find(&screen, &lines, begin, list, 0, norm, most, panel, 1,
                    ((float)d + 8) * 0x1p-24f, norm_max, &screened);
        for (int r = 0; r < NEAREST_ROWS; r++)
            check_row(c, rows + (int64_t)(begin + list[r]) * d, centers, &screened, r);
        n_certain += __builtin_popcountll(screened.certain);
    }
    for (int32_t g = 0; g < groups; g++) data_free(group[g]);
    return n_certain;
}

TEST(screen, what_is_certain_is_true_and_what_is_not_is_a_candidate)
{
    if (!screen_possible(100, 64)) SKIP("a processor without AVX-512");
    static const Case apart[] = {
        {100, 64, 2, 1}, {12, 16, 4, 1}, {17, 70, 2, 1e6}, {50, 130, 1, 1e-6}};
    static const Case close[] = {{100, 64, 0.1, 1}, {13, 20, 0.5, 1e-3}, {40, 200, 0.05, 1}};
    for (size_t i = 0; i < COUNT(apart); i++) CHECK(check_case(&apart[i]) > 600);
    for (size_t i = 0; i < COUNT(close); i++) CHECK(check_case(&close[i]) < 600);
    static const Case tiny = {20, 32, 1, 1e-30}; /* squares vanish in fp32: nothing is certain */
    CHECK_INT(check_case(&tiny), 0);
}
