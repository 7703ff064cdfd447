/* Lloyd's iterations with bounds.
 *
 * Each row keeps an upper bound on the distance to its center and a lower bound on the distance to
 * any other.  When centers move, the bounds are loosened by how far they moved; a row whose bounds
 * still do not meet keeps its center without a look at the data (Hamerly).  The lower bound is
 * loosened only by the moves of centers near the row's own; the others are so far away that the
 * triangle inequality bounds them by the distance between the centers (after Rysavy, Hamerly).
 * Late iterations therefore cost little more than reading the bounds.
 *
 * Rows whose bounds meet are copied into panels of 64 and compared with all centers (nearest.h).
 * Bounds allow for the rounding of fp32 distances, so pruning does not change the result by more
 * than rounding does.
 *
 * Sums are in double and are kept between iterations: once few rows change their center, only these
 * are moved from sum to sum.  The cost needs no look at the rows either: it is the sum of squares
 * less the squares of the sums over the counts.  Chunks of rows and their order are fixed, so that
 * any number of threads gives the same bits.
 *
 * Hamerly: Making k-means even faster, 2010.  Rysavy, Hamerly: Geometric methods to accelerate
 * k-means algorithms, 2016.  Arthur, Vassilvitskii: k-means++, 2007. */

#include "num/lloyd.h"

#include "base/memory.h"
#include "num/nearest.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_ROWS = 4096,  /* of the search for nearest centers */
    BLOCK_ROWS = 65536, /* of sums; a multiple of CHUNK_ROWS */
};

/* A row that changed its center. */
typedef struct Change {
    int32_t row; /* within its chunk */
    int32_t old;
} Change;

typedef struct Lloyd {
    const LloydData *data;
    int64_t n;
    int32_t d, k;
    bool sparse;
    float relative; /* error of a squared distance, in units of the sum of both norms */

    float *centers; /* the caller's */
    float *packed;
    float norm_max; /* of centers */
    float *norms;   /* squared, of each center */

    int32_t *assigned;
    float *upper, *lower;
    bool first; /* nothing is assigned yet */

    Change *changes; /* in the place of their chunk's rows */
    int32_t *n_changes; /* of each chunk */
    int64_t n_changed;

    /* Sums of rows by center; of column j and center c at c * by_center + j * by_column. */
    double *sums, *counts;
    size_t by_center, by_column;
    bool sums_valid, delta;
    int64_t block_rows;
    size_t n_blocks;
    double *partial;  /* n_blocks x d x k, dense only */
    double *partial_counts; /* n_blocks x k */
    float *partial_upper;   /* n_blocks x k: the largest upper bound of a center's rows */
    int32_t *order;   /* sparse only: rows by center */
    int64_t *order_start;

    float *moved;  /* k: how far each center went, at most */
    float *drop;   /* by how much the lower bounds of its rows must be lowered */
    float *beyond; /* distance to the nearest center that `drop` does not cover */
    float *gap;    /* half the distance to the nearest other center */
    float *reach;  /* the largest upper bound among its rows */
    double *square_part; /* d or k: of the cost */

    float *panels; /* one for each thread that may be inside */
    atomic_uchar *panel_busy;
    int n_panels;
    size_t panel_floats;
} Lloyd;

/* ---- data ---- */

void lloyd_data_clear(LloydData *data)
{
    data_free(data->shift);
    data->shift = NULL;
}

typedef struct Moments {
    const LloydData *data;
    double *sum, *square; /* per column (dense) or per block of rows (sparse) */
    int64_t *bad;         /* first row that is not finite, or -1 */
} Moments;

static inline double weight_of(const LloydData *data, int64_t row)
{
    return data->weight ? (double)data->weight[row] : 1;
}

static void column_moments(void *arg, size_t j, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    Moments *moments = arg;
    const LloydData *data = moments->data;
    const float *x = data->matrix->column[j];
    int64_t n = data->matrix->n_rows;
    enum { LANES = 8 };
    double sum[LANES] = {0}, square[LANES] = {0}, shift = 0;
    float check = 0; /* becomes NaN when a value is not finite */
    for (int pass = 0; pass < 2; pass++) {
        double *to = pass ? square : sum;
        for (int64_t i = 0; i < n; i += LANES) {
            int64_t lanes = MIN(n - i, (int64_t)LANES);
            for (int64_t l = 0; l < lanes; l++) {
                double v = (double)x[i + l] - shift, w = weight_of(data, i + l);
                to[l] += pass ? w * v * v : w * v;
                check += x[i + l] * 0;
            }
        }
        if (pass) break;
        double total = 0;
        for (int l = 0; l < LANES; l++) total += sum[l];
        shift = (double)(float)(data->weight_sum > 0 ? total / data->weight_sum : 0);
    }
    moments->bad[j] = -1;
    if (check != 0)
        for (int64_t i = n; i-- > 0;)
            if (!isfinite(x[i])) moments->bad[j] = i;
    double total = 0;
    for (int l = 0; l < LANES; l++) total += square[l];
    moments->sum[j] = shift;
    moments->square[j] = total;
}

static void sparse_moments(void *arg, size_t block, size_t begin, size_t end)
{
    Moments *moments = arg;
    const LloydData *data = moments->data;
    const Matrix *matrix = data->matrix;
    double square = 0;
    moments->bad[block] = -1;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        double sum = 0;
        for (int64_t e = matrix->row_start[i]; e < matrix->row_start[i + 1]; e++)
            sum += (double)matrix->value[e] * (double)matrix->value[e];
        if (!isfinite(sum) && moments->bad[block] < 0) moments->bad[block] = i;
        square += weight_of(data, i) * sum;
    }
    moments->square[block] = square;
}

static bool report_bad(LloydData *data, int64_t row, int32_t column, float value, Error *err)
{
    data->bad_row = row;
    data->bad_column = column;
    data->bad_value = value;
    return error_set(err, ERROR_INVALID, "row %lld, column %d: %g is no finite number", (long long)row + 1,
                     column + 1, (double)value);
}

bool lloyd_data_init(LloydData *data, const Matrix *matrix, const float *weight, Pool *pool, Error *err)
{
    bool sparse = matrix->layout == MATRIX_CSR;
    assert(sparse || matrix->layout == MATRIX_COLUMNS);
    *data = (LloydData){.matrix = matrix, .weight = weight, .pool = pool, .bad_row = -1};
    data->shift = data_array(float, matrix->n_cols, "the means", err);
    if (!data->shift) return false;
    for (int64_t i = 0; i < matrix->n_rows; i++) data->weight_sum += weight_of(data, i);

    size_t n = sparse ? chunk_count((size_t)matrix->n_rows, BLOCK_ROWS) : (size_t)matrix->n_cols;
    AUTO_DATA double *sum = data_array(double, n, "the means", err);
    AUTO_DATA double *square = sum ? data_array(double, n, "the means", err) : NULL;
    AUTO_DATA int64_t *bad = square ? data_array(int64_t, n, "the means", err) : NULL;
    if (!bad) return false;
    Moments moments = {data, sum, square, bad};
    if (sparse)
        parallel_for(pool, (size_t)matrix->n_rows, BLOCK_ROWS, sparse_moments, &moments);
    else
        parallel_for(pool, n, 1, column_moments, &moments);

    int64_t worst = -1;
    size_t at = 0;
    for (size_t p = 0; p < n; p++) {
        data->square_sum += square[p];
        if (!sparse) data->shift[p] = (float)sum[p];
        if (bad[p] >= 0 && (worst < 0 || bad[p] < worst)) {
            worst = bad[p];
            at = p;
        }
    }
    if (worst < 0) return true;
    if (!sparse) return report_bad(data, worst, (int32_t)at, matrix->column[at][worst], err);
    for (int64_t e = matrix->row_start[worst]; e < matrix->row_start[worst + 1]; e++)
        if (!isfinite(matrix->value[e])) return report_bad(data, worst, matrix->col[e], matrix->value[e], err);
    return error_set(err, ERROR_NUMERIC, "row %lld: the values are too large to be squared", (long long)worst + 1);
}

void lloyd_unshift(const LloydData *data, int32_t k, float *centers)
{
    for (int32_t c = 0; c < k; c++)
        for (int32_t j = 0; j < data->matrix->n_cols; j++)
            centers[(int64_t)c * data->matrix->n_cols + j] += data->shift[j];
}

void lloyd_shift(const LloydData *data, int32_t k, float *centers)
{
    for (int32_t c = 0; c < k; c++)
        for (int32_t j = 0; j < data->matrix->n_cols; j++)
            centers[(int64_t)c * data->matrix->n_cols + j] -= data->shift[j];
}

/* One row, less shift. */
static void copy_row(const LloydData *data, int64_t row, float *out)
{
    int32_t d = data->matrix->n_cols;
    matrix_copy_rows(data->matrix, row, row + 1, out, d);
    for (int32_t j = 0; j < d; j++) out[j] -= data->shift[j];
}

/* ---- panels ---- */

static float *panel_take(Lloyd *lloyd, int *ret_slot)
{
    for (int slot = 0;; slot = (slot + 1) % lloyd->n_panels) {
        if (atomic_exchange_explicit(&lloyd->panel_busy[slot], 1, memory_order_acquire)) continue;
        *ret_slot = slot;
        return lloyd->panels + (size_t)slot * lloyd->panel_floats;
    }
}

static void panel_give(Lloyd *lloyd, int slot)
{
    atomic_store_explicit(&lloyd->panel_busy[slot], 0, memory_order_release);
}

/* The listed rows (at most 64, counted from `begin`) into a panel. */
static void fill_listed(const LloydData *data, int64_t begin, const int32_t *rows, int n, float *panel, float *norms)
{
    memset(norms, 0, NEAREST_ROWS * sizeof *norms);
    for (int32_t j = 0; j < data->matrix->n_cols; j++, panel += NEAREST_ROWS) {
        const float *x = data->matrix->column[j] + begin;
        float shift = data->shift[j];
        for (int r = 0; r < n; r++) panel[r] = x[rows[r]];
        for (int r = n; r < NEAREST_ROWS; r++) panel[r] = shift;
        for (int r = 0; r < NEAREST_ROWS; r++) {
            panel[r] -= shift;
            norms[r] += panel[r] * panel[r];
        }
    }
}

/* ---- assignment ---- */

static void settle(Lloyd *lloyd, int64_t begin, int32_t r, int32_t center, float upper, float lower, size_t chunk)
{
    int64_t row = begin + r;
    int32_t old = lloyd->assigned[row];
    lloyd->upper[row] = upper;
    lloyd->lower[row] = lower;
    if (old == center) return;
    lloyd->assigned[row] = center;
    lloyd->changes[begin + lloyd->n_changes[chunk]++] = (Change){r, old};
}

/* Loosens the bounds of all rows of a chunk and lists those whose bounds meet. */
static int list_active(Lloyd *lloyd, int64_t begin, int64_t end, int32_t *list)
{
    int n = 0;
    const int32_t *assigned = lloyd->assigned + begin;
    float *upper = lloyd->upper + begin, *lower = lloyd->lower + begin;
    for (int32_t r = 0; r < (int32_t)(end - begin); r++) {
        int32_t a = assigned[r];
        float u = upper[r] + lloyd->moved[a];
        float l = fminf(lower[r] - lloyd->drop[a], lloyd->beyond[a] - u);
        upper[r] = u;
        lower[r] = l;
        list[n] = r;
        n += u > fmaxf(l, lloyd->gap[a]);
    }
    return n;
}

static void assign_dense(Lloyd *lloyd, size_t chunk, int64_t begin, int64_t end, const int32_t *list, int n)
{
    const LloydData *data = lloyd->data;
    int slot;
    float *panel = panel_take(lloyd, &slot);
    float norms[NEAREST_ROWS] UNINITIALIZED, upper[NEAREST_ROWS] UNINITIALIZED, lower[NEAREST_ROWS] UNINITIALIZED;
    int32_t straight[NEAREST_ROWS] UNINITIALIZED;
    Nearest nearest UNINITIALIZED;
    bool all = 4 * n > 3 * (int)(end - begin); /* most of them: copying whole lines is quicker */
    if (all) n = (int)(end - begin);

    for (int i = 0; i < n; i += NEAREST_ROWS) {
        int m = MIN(n - i, (int)NEAREST_ROWS);
        const int32_t *rows = list + i;
        if (all) {
            for (int r = 0; r < m; r++) straight[r] = i + r;
            rows = straight;
        }
        if (all && m == NEAREST_ROWS)
            nearest_fill(data->matrix->column, data->shift, lloyd->d, begin + i, panel, norms);
        else
            fill_listed(data, begin, rows, m, panel, norms);
        nearest_find(panel, lloyd->packed, lloyd->k, lloyd->d, &nearest);
        nearest_bounds(&nearest, norms, lloyd->relative, lloyd->norm_max, upper, lower);
        for (int r = 0; r < m; r++) settle(lloyd, begin, rows[r], nearest.index[r], upper[r], lower[r], chunk);
    }
    panel_give(lloyd, slot);
}

static void assign_sparse(Lloyd *lloyd, size_t chunk, int64_t begin, const int32_t *list, int n)
{
    const Matrix *matrix = lloyd->data->matrix;
    for (int i = 0; i < n; i++) {
        int64_t row = begin + list[i], first = matrix->row_start[row], entries = matrix->row_start[row + 1] - first;
        const int32_t *col = matrix->col + first;
        const float *value = matrix->value + first;
        float norm = 0;
        for (int64_t e = 0; e < entries; e++) norm += value[e] * value[e];
        NearestRow found = nearest_find_sparse(col, value, entries, lloyd->packed, lloyd->k, lloyd->d);
        float slack = lloyd->relative * (norm + lloyd->norm_max);
        float upper = sqrtf(fmaxf(norm - 2 * found.best, 0) + slack);
        float lower = sqrtf(fmaxf(norm - 2 * found.second - slack, 0));
        settle(lloyd, begin, list[i], found.index, upper, lower, chunk);
    }
}

static void assign_chunk(void *arg, size_t chunk, size_t begin_, size_t end_)
{
    Lloyd *lloyd = arg;
    int64_t begin = (int64_t)begin_, end = (int64_t)end_;
    int32_t list[CHUNK_ROWS] UNINITIALIZED;
    int n = 0;
    lloyd->n_changes[chunk] = 0;
    if (lloyd->first)
        for (; n < (int)(end - begin); n++) list[n] = n;
    else
        n = list_active(lloyd, begin, end, list);
    if (n == 0) return;
    if (lloyd->sparse)
        assign_sparse(lloyd, chunk, begin, list, n);
    else
        assign_dense(lloyd, chunk, begin, end, list, n);
}

static void pack_centers(Lloyd *lloyd)
{
    lloyd->norm_max = 0;
    for (int32_t c = 0; c < lloyd->k; c++) {
        const float *center = lloyd->centers + (int64_t)c * lloyd->d;
        lloyd->norms[c] = nearest_dot(center, center, lloyd->d);
        lloyd->norm_max = fmaxf(lloyd->norm_max, lloyd->norms[c]);
    }
    if (lloyd->sparse)
        nearest_pack_sparse(lloyd->centers, lloyd->d, lloyd->k, lloyd->d, lloyd->packed);
    else
        nearest_pack(lloyd->centers, lloyd->d, lloyd->k, lloyd->d, lloyd->packed);
}

static void assign(Lloyd *lloyd)
{
    pack_centers(lloyd);
    parallel_for(lloyd->data->pool, (size_t)lloyd->n, CHUNK_ROWS, assign_chunk, lloyd);
    lloyd->n_changed = 0;
    size_t n_chunks = chunk_count((size_t)lloyd->n, CHUNK_ROWS);
    for (size_t chunk = 0; chunk < n_chunks; chunk++) lloyd->n_changed += lloyd->n_changes[chunk];
    lloyd->first = false;
}

/* ---- sums ---- */

/* Column j of a block of rows into partial sums; two rows at a time into two sets, because adding to
 * a number that was just stored waits for the store. */
static void sum_column(const Lloyd *lloyd, int32_t j, int64_t begin, int64_t end, double *to)
{
    const LloydData *data = lloyd->data;
    const float *x = data->matrix->column[j];
    const int32_t *assigned = lloyd->assigned;
    double shift = (double)data->shift[j];
    if (data->weight) {
        for (int64_t i = begin; i < end; i++)
            to[assigned[i]] += ((double)x[i] - shift) * (double)data->weight[i];
        return;
    }
    enum { SETS_MAX = 512 };
    double other[SETS_MAX] UNINITIALIZED;
    int64_t i = begin;
    if (lloyd->k <= SETS_MAX) {
        memset(other, 0, (size_t)lloyd->k * sizeof *other);
        for (; i + 2 <= end; i += 2) {
            to[assigned[i]] += (double)x[i] - shift;
            other[assigned[i + 1]] += (double)x[i + 1] - shift;
        }
        for (int32_t c = 0; c < lloyd->k; c++) to[c] += other[c];
    }
    for (; i < end; i++) to[assigned[i]] += (double)x[i] - shift;
}

/* What changed in a column of a block. */
static void sum_column_changes(const Lloyd *lloyd, int32_t j, int64_t begin, int64_t end, double *to)
{
    const LloydData *data = lloyd->data;
    const float *x = data->matrix->column[j];
    double shift = (double)data->shift[j];
    for (int64_t chunk = begin; chunk < end; chunk += CHUNK_ROWS) {
        const Change *changes = lloyd->changes + chunk;
        int32_t n = lloyd->n_changes[chunk / CHUNK_ROWS];
        for (int32_t i = 0; i < n; i++) {
            int64_t row = chunk + changes[i].row;
            double v = ((double)x[row] - shift) * weight_of(data, row);
            to[lloyd->assigned[row]] += v;
            to[changes[i].old] -= v;
        }
    }
}

/* Counts and the largest upper bounds of a block. */
static void count_block(Lloyd *lloyd, size_t block, int64_t begin, int64_t end)
{
    double *counts = lloyd->partial_counts + block * (size_t)lloyd->k;
    float *upper = lloyd->partial_upper + block * (size_t)lloyd->k;
    memset(counts, 0, (size_t)lloyd->k * sizeof *counts);
    memset(upper, 0, (size_t)lloyd->k * sizeof *upper);
    for (int64_t i = begin; i < end; i++) {
        int32_t a = lloyd->assigned[i];
        counts[a] += weight_of(lloyd->data, i);
        upper[a] = MAX(upper[a], lloyd->upper[i]);
    }
}

/* Task t: column t % (d + 1) of block t / (d + 1); the last "column" are the counts.  Of sparse data
 * only the counts. */
static void sum_task(void *arg, size_t task, size_t unused0, size_t unused1)
{
    (void)unused0;
    (void)unused1;
    Lloyd *lloyd = arg;
    size_t columns = lloyd->sparse ? 0 : (size_t)lloyd->d, block = task / (columns + 1), j = task % (columns + 1);
    int64_t begin = (int64_t)block * lloyd->block_rows, end = MIN(begin + lloyd->block_rows, lloyd->n);
    if (j == columns) {
        count_block(lloyd, block, begin, end);
        return;
    }
    double *to = lloyd->partial + (block * columns + j) * (size_t)lloyd->k;
    memset(to, 0, (size_t)lloyd->k * sizeof *to);
    if (lloyd->delta)
        sum_column_changes(lloyd, (int32_t)j, begin, end, to);
    else
        sum_column(lloyd, (int32_t)j, begin, end, to);
}

/* Adds the blocks' sums of some columns. */
static void combine_columns(void *arg, size_t unused, size_t begin, size_t end)
{
    (void)unused;
    Lloyd *lloyd = arg;
    size_t k = (size_t)lloyd->k, d = (size_t)lloyd->d;
    for (size_t j = begin; j < end; j++) {
        double *sums = lloyd->sums + j * k;
        if (!lloyd->delta) memset(sums, 0, k * sizeof *sums);
        for (size_t block = 0; block < lloyd->n_blocks; block++) {
            const double *part = lloyd->partial + (block * d + j) * k;
            for (size_t c = 0; c < k; c++) sums[c] += part[c];
        }
    }
}

static void order_by_center(Lloyd *lloyd)
{
    int64_t *start = lloyd->order_start;
    memset(start, 0, ((size_t)lloyd->k + 1) * sizeof *start);
    for (int64_t i = 0; i < lloyd->n; i++) start[lloyd->assigned[i] + 1]++;
    for (int32_t c = 0; c < lloyd->k; c++) start[c + 1] += start[c];
    for (int64_t i = 0; i < lloyd->n; i++) lloyd->order[start[lloyd->assigned[i]]++] = (int32_t)i;
    for (int32_t c = lloyd->k; c > 0; c--) start[c] = start[c - 1];
    start[0] = 0;
}

static void sum_sparse_center(void *arg, size_t c, size_t unused0, size_t unused1)
{
    (void)unused0;
    (void)unused1;
    Lloyd *lloyd = arg;
    const Matrix *matrix = lloyd->data->matrix;
    double *sums = lloyd->sums + c * lloyd->by_center;
    memset(sums, 0, (size_t)lloyd->d * sizeof *sums);
    for (int64_t o = lloyd->order_start[c]; o < lloyd->order_start[c + 1]; o++) {
        int64_t row = lloyd->order[o];
        double w = weight_of(lloyd->data, row);
        for (int64_t e = matrix->row_start[row]; e < matrix->row_start[row + 1]; e++)
            sums[matrix->col[e]] += w * (double)matrix->value[e];
    }
}

static void sum_rows(Lloyd *lloyd)
{
    Pool *pool = lloyd->data->pool;
    size_t k = (size_t)lloyd->k, columns = lloyd->sparse ? 0 : (size_t)lloyd->d;
    lloyd->delta = !lloyd->sparse && lloyd->sums_valid && lloyd->n_changed < lloyd->n / 4;
    parallel_for(pool, lloyd->n_blocks * (columns + 1), 1, sum_task, lloyd);
    if (lloyd->sparse) {
        order_by_center(lloyd);
        parallel_for(pool, k, 1, sum_sparse_center, lloyd);
    } else {
        parallel_for(pool, columns, 8, combine_columns, lloyd);
    }
    for (size_t c = 0; c < k; c++) {
        lloyd->counts[c] = 0;
        lloyd->reach[c] = 0;
        for (size_t block = 0; block < lloyd->n_blocks; block++) {
            lloyd->counts[c] += lloyd->partial_counts[block * k + c];
            lloyd->reach[c] = fmaxf(lloyd->reach[c], lloyd->partial_upper[block * k + c]);
        }
    }
    lloyd->sums_valid = true;
}

/* ---- centers without rows ---- */

/* Gives each the row that is farthest from its center, of those that are not alone. */
static int64_t reseed_empty(Lloyd *lloyd)
{
    int64_t n_reseeded = 0;
    float *row = NULL;
    for (int32_t c = 0; c < lloyd->k; c++) {
        if (lloyd->counts[c] > 0) continue;
        int64_t farthest = -1;
        double distance = 0;
        for (int64_t i = 0; i < lloyd->n; i++) {
            double w = weight_of(lloyd->data, i), u = (double)lloyd->upper[i];
            if (w > 0 && w * u * u > distance && lloyd->counts[lloyd->assigned[i]] > w) {
                distance = w * u * u;
                farthest = i;
            }
        }
        if (farthest < 0) break; /* fewer distinct rows than centers: the rest stay as they are */
        if (!row) row = malloc((size_t)lloyd->d * sizeof *row);
        if (!row) memory_exhausted((size_t)lloyd->d * sizeof *row);
        copy_row(lloyd->data, farthest, row);
        double w = weight_of(lloyd->data, farthest);
        int32_t old = lloyd->assigned[farthest];
        for (int32_t j = 0; j < lloyd->d; j++) {
            size_t at = (size_t)j * lloyd->by_column;
            double v = w * (double)row[j];
            lloyd->sums[(size_t)old * lloyd->by_center + at] -= v;
            lloyd->sums[(size_t)c * lloyd->by_center + at] = v;
        }
        lloyd->counts[old] -= w;
        lloyd->counts[c] = w;
        lloyd->assigned[farthest] = c;
        lloyd->upper[farthest] = 0;
        lloyd->lower[farthest] = 0; /* nothing is known: it will be compared again */
        n_reseeded++;
    }
    free(row);
    return n_reseeded;
}

/* ---- centers ---- */

/* Moves a center to the mean of its rows; notes how far it went and the square of its sum. */
static void move_center(void *arg, size_t c, size_t unused0, size_t unused1)
{
    (void)unused0;
    (void)unused1;
    Lloyd *lloyd = arg;
    double count = lloyd->counts[c], way = 0, square = 0;
    if (!(count > 0)) {
        lloyd->moved[c] = 0;
        lloyd->square_part[c] = 0;
        return;
    }
    float *center = lloyd->centers + c * (size_t)lloyd->d;
    const double *sums = lloyd->sums + c * lloyd->by_center;
    for (size_t j = 0; j < (size_t)lloyd->d; j++) {
        double sum = sums[j * lloyd->by_column];
        float mean = (float)(sum / count);
        double step = (double)mean - (double)center[j];
        way += step * step;
        square += sum * sum;
        center[j] = mean;
    }
    lloyd->moved[c] = (float)(sqrt(way) * (1 + 1e-6));
    lloyd->square_part[c] = square / count;
}

/* The mean squared distance of all rows to the means of their centers, from the sums. */
static double move_centers(Lloyd *lloyd)
{
    parallel_for(lloyd->data->pool, (size_t)lloyd->k, 1, move_center, lloyd);
    double cost = lloyd->data->square_sum;
    for (int32_t c = 0; c < lloyd->k; c++) cost -= lloyd->square_part[c];
    return fmax(cost, 0) / lloyd->data->weight_sum;
}

/* The bounds of a center's rows after all have moved. */
static void bound_center(void *arg, size_t a, size_t unused0, size_t unused1)
{
    (void)unused0;
    (void)unused1;
    Lloyd *lloyd = arg;
    const float *center = lloyd->centers + a * (size_t)lloyd->d;
    float covered = 2 * (lloyd->reach[a] + lloyd->moved[a]);
    float drop = 0, beyond = INFINITY, nearest = INFINITY;
    for (int32_t c = 0; c < lloyd->k; c++) {
        if ((size_t)c == a) continue;
        const float *other = lloyd->centers + (int64_t)c * lloyd->d;
        float norms = lloyd->norms[a] + lloyd->norms[c];
        float square = norms - 2 * nearest_dot(center, other, lloyd->d) - lloyd->relative * norms;
        float distance = square > 0 ? sqrtf(square) : 0;
        nearest = fminf(nearest, distance);
        if (distance < covered)
            drop = fmaxf(drop, lloyd->moved[c]);
        else
            beyond = fminf(beyond, distance);
    }
    lloyd->drop[a] = drop;
    lloyd->beyond[a] = beyond;
    lloyd->gap[a] = nearest / 2;
}

static void bound_centers(Lloyd *lloyd)
{
    if ((int64_t)lloyd->k * 8 <= lloyd->n) {
        for (int32_t c = 0; c < lloyd->k; c++) {
            const float *center = lloyd->centers + (int64_t)c * lloyd->d;
            lloyd->norms[c] = nearest_dot(center, center, lloyd->d);
        }
        parallel_for(lloyd->data->pool, (size_t)lloyd->k, 1, bound_center, lloyd);
        return;
    }
    float most = 0;
    for (int32_t c = 0; c < lloyd->k; c++) most = fmaxf(most, lloyd->moved[c]);
    for (int32_t c = 0; c < lloyd->k; c++) { /* comparing the centers would not pay */
        lloyd->drop[c] = most;
        lloyd->beyond[c] = INFINITY;
        lloyd->gap[c] = 0;
    }
}

/* ---- exact cost ---- */

typedef struct Exact {
    const Lloyd *lloyd;
    double *part;
} Exact;

static void exact_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    Exact *exact = arg;
    const Lloyd *lloyd = exact->lloyd;
    const LloydData *data = lloyd->data;
    double total = 0;
    if (lloyd->sparse) {
        const Matrix *matrix = data->matrix;
        for (size_t i = begin; i < end; i++) {
            const float *center = lloyd->centers + (int64_t)lloyd->assigned[i] * lloyd->d;
            double square = 0, norm = 0;
            for (int32_t j = 0; j < lloyd->d; j++) norm += (double)center[j] * (double)center[j];
            for (int64_t e = matrix->row_start[i]; e < matrix->row_start[i + 1]; e++) {
                double x = (double)matrix->value[e];
                square += x * x - 2 * x * (double)center[matrix->col[e]];
            }
            total += fmax(norm + square, 0) * weight_of(data, (int64_t)i);
        }
    } else {
        double squares[CHUNK_ROWS];
        memset(squares, 0, (end - begin) * sizeof *squares);
        for (int32_t j = 0; j < lloyd->d; j++) {
            const float *x = data->matrix->column[j];
            for (size_t i = begin; i < end; i++) {
                float v = x[i] - data->shift[j] - lloyd->centers[(int64_t)lloyd->assigned[i] * lloyd->d + j];
                squares[i - begin] += (double)v * (double)v;
            }
        }
        for (size_t i = begin; i < end; i++) total += squares[i - begin] * weight_of(data, (int64_t)i);
    }
    exact->part[chunk] = total;
}

static bool exact_msd(const Lloyd *lloyd, double *ret_msd, Error *err)
{
    size_t n_chunks = chunk_count((size_t)lloyd->n, CHUNK_ROWS);
    AUTO_DATA double *part = data_array(double, n_chunks, "the distances", err);
    if (!part) return false;
    Exact exact = {lloyd, part};
    parallel_for(lloyd->data->pool, (size_t)lloyd->n, CHUNK_ROWS, exact_chunk, &exact);
    double total = 0;
    for (size_t chunk = 0; chunk < n_chunks; chunk++) total += part[chunk];
    *ret_msd = total / lloyd->data->weight_sum;
    return true;
}

/* ---- the loop ---- */

static void lloyd_clear(Lloyd *lloyd)
{
    data_free(lloyd->packed);
    data_free(lloyd->norms);
    data_free(lloyd->assigned);
    data_free(lloyd->upper);
    data_free(lloyd->lower);
    data_free(lloyd->changes);
    data_free(lloyd->n_changes);
    data_free(lloyd->sums);
    data_free(lloyd->counts);
    data_free(lloyd->partial);
    data_free(lloyd->partial_counts);
    data_free(lloyd->partial_upper);
    data_free(lloyd->order);
    data_free(lloyd->order_start);
    data_free(lloyd->moved);
    data_free(lloyd->drop);
    data_free(lloyd->beyond);
    data_free(lloyd->gap);
    data_free(lloyd->reach);
    data_free(lloyd->square_part);
    data_free(lloyd->panels);
    free(lloyd->panel_busy);
}

static bool lloyd_init(Lloyd *lloyd, const LloydData *data, int32_t k, float *centers, Error *err)
{
    const Matrix *matrix = data->matrix;
    int32_t d = matrix->n_cols;
    int64_t n = matrix->n_rows;
    bool sparse = matrix->layout == MATRIX_CSR;
    int64_t block_rows = MAX((int64_t)BLOCK_ROWS, 64 * (int64_t)k / CHUNK_ROWS * CHUNK_ROWS);
    size_t n_chunks = chunk_count((size_t)n, CHUNK_ROWS), n_blocks = chunk_count((size_t)n, (size_t)block_rows);
    size_t cells = (size_t)k * (size_t)d;
    *lloyd = (Lloyd){.data = data, .n = n, .d = d, .k = k, .sparse = sparse, .centers = centers, .first = true,
                     .block_rows = block_rows, .n_blocks = n_blocks};
    lloyd->relative = ((float)d + 8) * 0x1p-24f;
    lloyd->by_center = sparse ? (size_t)d : 1;
    lloyd->by_column = sparse ? 1 : (size_t)k;
    lloyd->panel_floats = sparse ? 0 : (size_t)d * NEAREST_ROWS;
    lloyd->n_panels = pool_threads(data->pool);
    lloyd->panel_busy = calloc((size_t)lloyd->n_panels, sizeof *lloyd->panel_busy);
    if (!lloyd->panel_busy) memory_exhausted((size_t)lloyd->n_panels);

#define NEED(field, Type, count) (lloyd->field = data_array(Type, count, "the clusters", err))
    bool ok = NEED(packed, float, sparse ? nearest_sparse_size(k, d) : nearest_packed_size(k, d)) &&
              NEED(norms, float, k) && NEED(assigned, int32_t, n) && NEED(upper, float, n) &&
              NEED(lower, float, n) && NEED(changes, Change, n) && NEED(n_changes, int32_t, n_chunks) &&
              NEED(sums, double, cells) && NEED(counts, double, k) &&
              NEED(partial, double, sparse ? 0 : n_blocks * cells) && NEED(partial_counts, double, n_blocks * (size_t)k) &&
              NEED(partial_upper, float, n_blocks * (size_t)k) && NEED(order, int32_t, sparse ? n : 0) &&
              NEED(order_start, int64_t, k + 1) && NEED(moved, float, k) && NEED(drop, float, k) &&
              NEED(beyond, float, k) && NEED(gap, float, k) && NEED(reach, float, k) && NEED(square_part, double, k) &&
              NEED(panels, float, lloyd->panel_floats * (size_t)lloyd->n_panels);
#undef NEED
    return ok;
}

bool lloyd_run(const LloydData *data, int32_t k, float *centers, double *counts,
               const LloydOptions *options, LloydResult *ret_result, Error *err)
{
    __attribute__((cleanup(lloyd_clear))) Lloyd lloyd = {0};
    if (!lloyd_init(&lloyd, data, k, centers, err)) return false;
    LloydResult result = {0};
    double before = INFINITY;

    for (int64_t i = 0; i < options->iterations_max && !result.converged; i++) {
        assign(&lloyd);
        sum_rows(&lloyd);
        int64_t reseeded = reseed_empty(&lloyd);
        double msd = move_centers(&lloyd);
        bound_centers(&lloyd);
        result.n_reseeded += reseeded;
        result.iterations = i + 1;
        result.converged = !reseeded && (before - msd <= options->tol * before || lloyd.n_changed == 0);
        before = msd;
        if (options->step && !options->step(options->host, i, msd)) break;
    }
    assign(&lloyd);
    if (counts) {
        sum_rows(&lloyd);
        memcpy(counts, lloyd.counts, (size_t)k * sizeof *counts);
    }
    if (!exact_msd(&lloyd, &result.msd, err)) return false;
    *ret_result = result;
    return true;
}

bool lloyd_batch(const LloydData *data, int32_t k, float *centers, double *counts, Error *err)
{
    __attribute__((cleanup(lloyd_clear))) Lloyd lloyd = {0};
    if (!lloyd_init(&lloyd, data, k, centers, err)) return false;
    assign(&lloyd);
    sum_rows(&lloyd);
    for (int32_t c = 0; c < k; c++) {
        double n = lloyd.counts[c];
        if (!(n > 0)) continue;
        double share = n / (counts[c] + n);
        for (int32_t j = 0; j < lloyd.d; j++) {
            float *x = &centers[(int64_t)c * lloyd.d + j];
            double mean = lloyd.sums[(size_t)c * lloyd.by_center + (size_t)j * lloyd.by_column] / n;
            *x = (float)((1 - share) * (double)*x + share * mean);
        }
        counts[c] += n;
    }
    return true;
}

/* ---- first centers ---- */

bool lloyd_start_random(const LloydData *data, int32_t k, Random random, float *centers, Error *err)
{
    int64_t n = data->matrix->n_rows;
    int32_t d = data->matrix->n_cols;
    if (k > n) return error_set(err, ERROR_INVALID, "%d centers of %lld rows", k, (long long)n);
    /* Of each k-th part of the rows one: distinct, and spread over sorted data. */
    for (int32_t c = 0; c < k; c++) {
        int64_t begin = n * c / k, end = n * (c + 1) / k;
        int64_t row = begin + (int64_t)random_below(random, (uint64_t)c, (uint64_t)(end - begin));
        copy_row(data, row, centers + (int64_t)c * d);
    }
    return true;
}

typedef struct Seeding {
    const LloydData *data;
    const float *packed; /* of the newest center */
    float *square;       /* of each row: squared distance to the nearest center so far */
    double *part;        /* of each chunk: their weighted sum */
    float norm;          /* squared, of the newest center */
} Seeding;

static void seed_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    Seeding *seeding = arg;
    const LloydData *data = seeding->data;
    const Matrix *matrix = data->matrix;
    int32_t d = matrix->n_cols;
    float relative = ((float)d + 8) * 0x1p-24f;
    AUTO_DATA float *panel = NULL;
    Error err;
    if (matrix->layout == MATRIX_COLUMNS) {
        panel = data_array(float, (size_t)d * NEAREST_ROWS, "a panel", &err);
        if (!panel) memory_exhausted((size_t)d * NEAREST_ROWS * sizeof *panel);
    }
    double total = 0;
    for (size_t i = begin; i < end; i += NEAREST_ROWS) {
        int m = (int)MIN(end - i, (size_t)NEAREST_ROWS);
        float norms[NEAREST_ROWS] UNINITIALIZED;
        Nearest nearest UNINITIALIZED;
        if (panel && m == NEAREST_ROWS) {
            nearest_fill(matrix->column, data->shift, d, (int64_t)i, panel, norms);
        } else if (panel) {
            int32_t rows[NEAREST_ROWS];
            for (int r = 0; r < m; r++) rows[r] = r;
            fill_listed(data, (int64_t)i, rows, m, panel, norms);
        }
        if (panel) nearest_find(panel, seeding->packed, 1, d, &nearest);
        for (int r = 0; r < m; r++) {
            int64_t row = (int64_t)i + r;
            float norm = norms[r], score = nearest.best[r];
            if (!panel) {
                int64_t first = matrix->row_start[row], n = matrix->row_start[row + 1] - first;
                norm = 0;
                for (int64_t e = 0; e < n; e++) norm += matrix->value[first + e] * matrix->value[first + e];
                score = nearest_find_sparse(matrix->col + first, matrix->value + first, n, seeding->packed, 1, d).best;
            }
            float square = norm - 2 * score;
            if (square <= relative * (norm + seeding->norm)) square = 0; /* the same place, but for rounding */
            seeding->square[row] = fminf(seeding->square[row], square);
            total += (double)seeding->square[row] * weight_of(data, row);
        }
    }
    seeding->part[chunk] = total;
}

/* The row at which the running sum of weighted squared distances passes `target`. */
static int64_t row_at(const Seeding *seeding, size_t n_chunks, double target)
{
    int64_t n = seeding->data->matrix->n_rows, row = 0, last = 0;
    size_t chunk = 0;
    for (; chunk + 1 < n_chunks && target >= seeding->part[chunk]; chunk++) target -= seeding->part[chunk];
    row = (int64_t)chunk * CHUNK_ROWS;
    for (last = row; row < n; row++) {
        double share = (double)seeding->square[row] * weight_of(seeding->data, row);
        if (!(share > 0)) continue;
        last = row;
        if (target < share) break;
        target -= share;
    }
    return last;
}

bool lloyd_start_plus_plus(const LloydData *data, int32_t k, Random random, float *centers,
                           int32_t *ret_distinct, Error *err)
{
    const Matrix *matrix = data->matrix;
    int64_t n = matrix->n_rows;
    int32_t d = matrix->n_cols;
    bool sparse = matrix->layout == MATRIX_CSR;
    if (k > n) return error_set(err, ERROR_INVALID, "%d centers of %lld rows", k, (long long)n);
    size_t n_chunks = chunk_count((size_t)n, CHUNK_ROWS);
    AUTO_DATA float *packed = data_array(float, sparse ? nearest_sparse_size(1, d) : nearest_packed_size(1, d), "the start", err);
    AUTO_DATA float *square = packed ? data_array(float, n, "the start", err) : NULL;
    AUTO_DATA double *part = square ? data_array(double, n_chunks, "the start", err) : NULL;
    if (!part) return false;
    for (int64_t i = 0; i < n; i++) square[i] = INFINITY;

    Seeding seeding = {data, packed, square, part, 0};
    int64_t row = (int64_t)random_below(random, 0, (uint64_t)n);
    int32_t distinct = k;
    for (int32_t c = 0; c < k; c++) {
        float *center = centers + (int64_t)c * d;
        copy_row(data, row, center);
        if (c + 1 == k || distinct < k) continue;
        seeding.norm = nearest_dot(center, center, d);
        if (sparse)
            nearest_pack_sparse(center, d, 1, d, packed);
        else
            nearest_pack(center, d, 1, d, packed);
        parallel_for(data->pool, (size_t)n, CHUNK_ROWS, seed_chunk, &seeding);
        double total = 0;
        for (size_t chunk = 0; chunk < n_chunks; chunk++) total += part[chunk];
        if (total > 0)
            row = row_at(&seeding, n_chunks, random_unit(random, (uint64_t)c + 1) * total);
        else
            distinct = c + 1; /* all other rows are where a center is already */
    }
    *ret_distinct = distinct;
    return true;
}

/* ---- answers ---- */

typedef struct Search {
    const Matrix *matrix;
    int32_t k, d;
    const float *centers, *shifted, *packed, *shift;
    float *index, *distance;
} Search;

static void search_chunk(void *arg, size_t unused, size_t begin, size_t end)
{
    (void)unused;
    Search *search = arg;
    const Matrix *matrix = search->matrix;
    int32_t d = search->d;
    bool sparse = matrix->layout == MATRIX_CSR;
    Error err;
    AUTO_DATA float *panel = data_array(float, (size_t)d * NEAREST_ROWS, "a panel", &err);
    AUTO_DATA float *rows = panel ? data_array(float, (size_t)d * NEAREST_ROWS, "a panel", &err) : NULL;
    if (!rows) memory_exhausted((size_t)d * NEAREST_ROWS * sizeof *rows);
    for (size_t i = begin; i < end; i += NEAREST_ROWS) {
        int m = (int)MIN(end - i, (size_t)NEAREST_ROWS);
        Nearest nearest UNINITIALIZED;
        if (sparse && matrix->absent == 0) {
            for (int r = 0; r < m; r++) {
                int64_t first = matrix->row_start[i + (size_t)r], n = matrix->row_start[i + (size_t)r + 1] - first;
                nearest.index[r] = nearest_find_sparse(matrix->col + first, matrix->value + first, n, search->packed,
                                                       search->k, d).index;
            }
        } else {
            matrix_copy_rows(matrix, (int64_t)i, (int64_t)i + m, rows, d);
            for (int32_t j = 0; j < d; j++)
                for (int r = 0; r < NEAREST_ROWS; r++)
                    panel[j * NEAREST_ROWS + r] = r < m ? rows[(int64_t)r * d + j] - search->shift[j] : 0;
            nearest_find(panel, search->packed, search->k, d, &nearest);
        }
        if (sparse) matrix_copy_rows(matrix, (int64_t)i, (int64_t)i + m, rows, d);
        for (int r = 0; r < m; r++) {
            const float *center = search->centers + (int64_t)nearest.index[r] * d, *row = rows + (int64_t)r * d;
            double square = 0;
            for (int32_t j = 0; j < d; j++) {
                double v = (double)row[j] - (double)center[j];
                square += v * v;
            }
            search->index[i + (size_t)r] = (float)nearest.index[r];
            search->distance[i + (size_t)r] = (float)sqrt(square);
        }
    }
}

bool lloyd_nearest(const Matrix *matrix, const float *centers, int32_t k, Pool *pool, float *index,
                   float *distance, Error *err)
{
    int32_t d = matrix->n_cols;
    bool sparse = matrix->layout == MATRIX_CSR && matrix->absent == 0;
    size_t cells = (size_t)k * (size_t)d;
    AUTO_DATA float *shift = data_array(float, d, "the centers", err);
    AUTO_DATA float *shifted = shift ? data_array(float, cells, "the centers", err) : NULL;
    AUTO_DATA float *packed =
        shifted ? data_array(float, sparse ? nearest_sparse_size(k, d) : nearest_packed_size(k, d), "the centers", err) : NULL;
    if (!packed) return false;
    for (int32_t j = 0; j < d && !sparse; j++) {
        double sum = 0;
        for (int32_t c = 0; c < k; c++) sum += (double)centers[(int64_t)c * d + j];
        shift[j] = (float)(sum / k);
    }
    for (int32_t c = 0; c < k; c++)
        for (int32_t j = 0; j < d; j++)
            shifted[(int64_t)c * d + j] = centers[(int64_t)c * d + j] - shift[j];
    if (sparse)
        nearest_pack_sparse(shifted, d, k, d, packed);
    else
        nearest_pack(shifted, d, k, d, packed);
    Search search = {matrix, k, d, centers, shifted, packed, shift, index, distance};
    parallel_for(pool, (size_t)matrix->n_rows, CHUNK_ROWS, search_chunk, &search);
    return true;
}
