/* Columns of few values, joined to one: see bins.h.
 *
 * A histogram costs an addition per row and column.  Columns that take at most 256 combinations of bins in
 * the data stand in a row as one byte, the number of the combination; what a combination sums up to is
 * added to the bins of its columns when the rows are done.  Sums are integers, so nothing is lost and the
 * trees are the same.  Four columns of three values each become one; of the 41 of KDD Cup 99, which hang
 * together, 18 are left.
 *
 * Bundling only columns that exclude each other (LightGBM's) is a case of this. */

#include "boost/bins.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    JOIN_ROWS_MIN = 16384, /* below that the additions at the end weigh more */
    JOIN_BINS_MAX = 128,   /* of a column that can be joined */
    OPEN_MAX = 16,         /* joins that a column is tried with */
};

typedef struct Candidate {
    int32_t column, n_bins;
} Candidate;

typedef struct Room {
    uint16_t *number; /* of combination id * 256 + bin, plus 1; 0: not seen */
    uint16_t seen[COMBINATIONS_MAX];
} Room;

static int compare_candidates(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    return x->n_bins != y->n_bins ? (x->n_bins < y->n_bins) - (x->n_bins > y->n_bins)
                                  : (x->column > y->column) - (x->column < y->column);
}

/* Numbers the combinations of `id` and `bin`; false when there are too many. */
static bool number_combinations(Room *room, const uint8_t *id, const uint8_t *bin, size_t n,
                                size_t step, int32_t *ret_n)
{
    int32_t n_seen = 0;
    size_t i = 0;
    for (; i < n; i += step) {
        uint16_t *number = &room->number[id[i] * 256 + bin[i]];
        if (*number) continue;
        if (n_seen == COMBINATIONS_MAX) break;
        room->seen[n_seen] = (uint16_t)(id[i] * 256 + bin[i]);
        *number = (uint16_t)++n_seen;
    }
    *ret_n = n_seen;
    if (i >= n) return true;
    for (int32_t k = 0; k < n_seen; k++) room->number[room->seen[k]] = 0;
    return false;
}

static void forget_combinations(Room *room, int32_t n)
{
    for (int32_t k = 0; k < n; k++) room->number[room->seen[k]] = 0;
}

static bool try_join(Room *room, JoinedColumns *join, const uint8_t *bin, int32_t column, size_t n)
{
    enum { SAMPLE_STEP = 64 };
    int32_t n_seen;
    if (!number_combinations(room, join->id, bin, n, SAMPLE_STEP, &n_seen)) return false;
    forget_combinations(room, n_seen);
    if (!number_combinations(room, join->id, bin, n, 1, &n_seen)) return false;
    for (size_t i = 0; i < n; i++)
        join->id[i] = (uint8_t)(room->number[join->id[i] * 256 + bin[i]] - 1);
    /* The bins of the older columns, by the new numbers. */
    for (int32_t m = 0; m < join->n_columns; m++) {
        uint8_t old[COMBINATIONS_MAX];
        memcpy(old, join->bin[m], sizeof old);
        for (int32_t k = 0; k < n_seen; k++) join->bin[m][k] = old[room->seen[k] >> 8];
    }
    for (int32_t k = 0; k < n_seen; k++)
        join->bin[join->n_columns][k] = (uint8_t)(room->seen[k] & 255);
    join->column[join->n_columns++] = column;
    join->n_combinations = n_seen;
    forget_combinations(room, n_seen);
    return true;
}

static bool start_join(Bins *bins, const uint8_t *bin, int32_t column, Error *err)
{
    JoinedColumns *join = &bins->joins[bins->n_joins];
    *join = (JoinedColumns){.n_columns = 1, .n_combinations = COMBINATIONS_MAX};
    join->id = data_array(uint8_t, bins->n_rows, "the joined columns", err);
    if (!join->id) return false;
    memcpy(join->id, bin, (size_t)bins->n_rows);
    join->column[0] = column;
    for (int32_t k = 0; k < COMBINATIONS_MAX; k++) join->bin[0][k] = (uint8_t)k;
    bins->n_joins++;
    return true;
}

bool bins_join(Bins *bins, Error *err)
{
    ARENA(scratch);
    bins->joined = arena_array(&bins->arena, int16_t, bins->n_cols + 1);
    for (int32_t j = 0; j < bins->n_cols; j++) bins->joined[j] = -1;
    if (bins->width != 1 || bins->n_rows < JOIN_ROWS_MIN) return true;
    Candidate *candidates = arena_array(&scratch, Candidate, bins->n_cols);
    int32_t n = 0;
    for (int32_t j = 0; j < bins->n_cols; j++) {
        int32_t n_bins = bins_count(bins, j) + bins->has_missing[j];
        if (n_bins > 0 && n_bins <= JOIN_BINS_MAX) candidates[n++] = (Candidate){j, n_bins};
    }
    if (n < 2) return true;
    qsort(candidates, (size_t)n, sizeof *candidates, compare_candidates);

    Room *room = arena_alloc(&scratch, sizeof *room);
    room->number = arena_array(&scratch, uint16_t, 65536);
    bins->joins = arena_array(&bins->arena, JoinedColumns, n);
    for (int32_t c = 0; c < n; c++) {
        int32_t column = candidates[c].column;
        const uint8_t *bin = bins->cols + (size_t)column * bins->col_stride;
        bool done = false;
        for (int32_t k = MAX(0, bins->n_joins - OPEN_MAX); k < bins->n_joins && !done; k++)
            done = bins->joins[k].n_columns < JOIN_COLUMNS_MAX &&
                   try_join(room, &bins->joins[k], bin, column, (size_t)bins->n_rows);
        if (!done && !start_join(bins, bin, column, err)) return false;
    }
    /* Those that stayed alone stand in the rows by themselves. */
    int32_t kept = 0;
    for (int32_t k = 0; k < bins->n_joins; k++) {
        JoinedColumns *join = &bins->joins[k];
        if (join->n_columns == 1) {
            data_free(STEAL(join->id));
            continue;
        }
        for (int32_t m = 0; m < join->n_columns; m++) bins->joined[join->column[m]] = (int16_t)kept;
        if (kept < k) {
            bins->joins[kept] = *join;
            join->id = NULL;
        }
        kept++;
    }
    bins->n_joins = kept;
    return true;
}
