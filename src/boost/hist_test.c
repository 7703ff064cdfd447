/* Histograms, however the columns lie in the rows, against sums over bins_at. */

#include "boost/hist.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 20000, COLUMNS_MAX = 48 };

/* kinds[j]: how many values column j has; 0 is a number of its own for each row, 1 a column that nearly
 * always has the same value; negative: as many, some of them missing. */
static Bins *make_bins(const int *kinds, int32_t n_cols, float **column, Error *err)
{
    for (int32_t j = 0; j < n_cols; j++) {
        column[j] = data_array(float, ROWS, "a test", err);
        CHECK(column[j] != NULL);
        Random random = random_stream(4, (uint64_t)j);
        for (size_t i = 0; i < ROWS; i++) {
            float *x = &column[j][i];
            if (kinds[j] == 0)
                *x = (float)random_normal(random, i);
            else if (kinds[j] == 1)
                *x = i % 50 ? 0 : (float)random_below(random, i, 200);
            else
                *x = (float)random_below(random, i, (uint64_t)abs(kinds[j]));
            if (kinds[j] < 0 && i % 11 == 0) *x = (float)NAN;
        }
    }
    BoostParams params = {.max_bin = 256};
    BoostData data = {
        .features = {.layout = MATRIX_COLUMNS, .n_rows = ROWS, .n_cols = n_cols, .column = column}};
    Bins *bins;
    CHECK_OK(bins_new(&params, &data, true, false, NULL, &bins, err), *err);
    return bins;
}

/* Pairs of 16 and 16 bits give what the same pairs of 32 and 32 do. */
static void check_narrow(const Bins *bins, const uint32_t *rows, size_t n, const HistSum *q,
                         const HistSum *want)
{
    Error err = {0};
    AUTO_DATA HistSum *hist = data_array(HistSum, bins->n_slots + 256, "a test", &err);
    AUTO_DATA uint32_t *narrow = data_array(uint32_t, n, "a test", &err);
    CHECK(hist && narrow);
    HistSum sum = 0;
    for (size_t i = 0; i < n; i++) {
        narrow[i] = (uint32_t)(q[i] >> 32) << 16 | (uint32_t)(q[i] & 0xffff);
        sum += q[i];
    }
    hist_add(bins, rows, 0, n, (HistPairs){narrow, true}, hist);
    hist_complete(bins, sum, hist);
    CHECK(!memcmp(want, hist, (size_t)bins->n_slots * sizeof *hist));
}

static void check_hist(const Bins *bins, const uint32_t *rows, size_t n, HistSum *q)
{
    Error err = {0};
    AUTO_DATA HistSum *hist = data_array(HistSum, bins->n_slots + 256, "a test", &err);
    CHECK(hist != NULL);
    HistSum sum = 0;
    for (size_t i = 0; i < n; i++) sum += q[i];
    hist_add(bins, rows, 0, n, (HistPairs){q, false}, hist);
    hist_complete(bins, sum, hist);
    for (int32_t j = 0; j < bins->n_cols; j++) {
        HistSum want[256] = {0};
        for (size_t i = 0; i < n; i++) want[bins_at(bins, rows ? rows[i] : (int64_t)i, j)] += q[i];
        int32_t n_bins = bins_count(bins, j);
        if (memcmp(want, hist + bins->slot[j], (size_t)n_bins * sizeof *want) != 0)
            FAIL("column %d of %d bins", (int)j, (int)n_bins);
    }
    check_narrow(bins, rows, n, q, hist);
}

static void check_kinds(const int *kinds, int32_t n_cols, int32_t n_joins, bool frequent)
{
    Error err = {0};
    float *column[COLUMNS_MAX];
    AUTO(bins_free) Bins *bins = make_bins(kinds, n_cols, column, &err);
    CHECK_INT(bins->n_joins, n_joins);
    CHECK_INT(bins->any_frequent, frequent);
    AUTO_DATA HistSum *q = data_array(HistSum, ROWS, "a test", &err);
    AUTO_DATA uint32_t *rows = data_array(uint32_t, ROWS + HIST_ROWS_AHEAD, "a test", &err);
    CHECK(q && rows);
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++) {
        int16_t g = (int16_t)random_u64(random_stream(9, 0), i);
        q[i] = ((HistSum)(int64_t)g << 32) + (random_u64(random_stream(9, 1), i) & 0xffff);
        if (i % 3 == 1) rows[n++] = (uint32_t)i;
    }
    check_hist(bins, NULL, ROWS, q);
    check_hist(bins, rows, n, q);
    for (int32_t j = 0; j < n_cols; j++) data_free(column[j]);
}

TEST(hist, is_the_sum_over_the_rows_of_each_bin)
{
    /* One to forty-one wide columns: every width of a pass. */
    int kinds[COLUMNS_MAX] = {0};
    for (int32_t n = 1; n <= 41; n += n < 20 ? 1 : 7) check_kinds(kinds, n, 0, false);
}

TEST(hist, is_the_same_where_columns_are_joined)
{
    static const int tags[] = {3, 0, 3, 0, 3, -3};
    check_kinds(tags, 6, 1, false);
    static const int two[] = {100, 40, 30, 2, 2, 0, -5, 5, -2}; /* 200, 240, 150, 6 */
    check_kinds(two, 9, 4, false);
    static const int apart[] = {100, 90, 80, 70, 65, 60, 55, 50, 45, 40, 35, 30};
    check_kinds(apart, 12, 0, false);
}

TEST(hist, is_the_same_where_a_column_mostly_has_one_bin)
{
    static const int kinds[] = {1, 0, 1, 1, 0, 1, 1, 3};
    check_kinds(kinds, 8, 0, true);
}
