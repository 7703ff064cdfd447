/* Lloyd's iterations with bounds.
 *
 * Each row keeps an upper bound on the distance to its center and a lower bound on the distance to
 * any other.  When centers move, the bounds are loosened by how far they moved; a row whose bounds
 * still do not meet keeps its center without a look at the data (Hamerly).  The lower bound is
 * loosened only by the moves of centers near the row's own; the others are so far away that the
 * triangle inequality bounds them by the distance between the centers (after Rysavy, Hamerly).
 *
 * Where the bounds meet, the distance to the row's own center is measured first, which often settles
 * it.  Then come the centers that can be nearest or second-nearest: those within twice the row's
 * distance plus the distance to the next center of the row's own (after Newling, Fleuret: Exponion);
 * each center keeps a list of its neighbors for that.  Only when there are many of these, and in the
 * first iteration, is the row compared with all centers, 64 rows at a time (nearest.h).
 *
 * Comparing with all centers begins in 8-bit numbers, whose bounds leave one center for most rows where
 * the data has any structure (screen.h); only the other rows are compared in fp32.
 *
 * Bounds allow for the rounding of fp32 distances, so pruning does not change the result by more
 * than rounding does.
 *
 * Sums are in double and are kept between iterations: once few rows change their center, only these
 * are moved from sum to sum.  The cost needs no look at the rows either: it is the sum of squares
 * less the squares of the sums over the counts.  Chunks of rows and their order are fixed, so that
 * any number of threads gives the same bits.
 *
 * Hamerly: Making k-means even faster, 2010.  Rysavy, Hamerly: Geometric methods to accelerate
 * k-means algorithms, 2016.  Newling, Fleuret: Fast k-means with accurate bounds, 2016.  Arthur,
 * Vassilvitskii: k-means++, 2007. */

#include "num/lloyd.h"

#include "num/lloyd_inside.h"
#include "num/screen.h"

#include "base/memory.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_ROWS = 65536, /* of sums; a multiple of CHUNK_ROWS */
    NEIGHBORS_MAX = 48, /* kept of each center, the nearest first */
    ROW_LINES = 256,    /* of a row that is screened */
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
    float *padded;  /* the same with zeros up to whole lines */
    float *packed;
    float norm_max; /* of centers, squared */
    Screen screen;
    bool can_screen;

    int32_t n_neighbors; /* of each center; 0: not known */
    int32_t *neighbors;  /* k x n_neighbors, the nearest first */
    float *neighbor_distance;

    int32_t *assigned;
    float *upper, *lower;
    bool first; /* nothing is assigned yet */

    Change *changes;    /* in the place of their chunk's rows */
    int32_t *n_changes; /* of each chunk */
    int64_t n_changed;

    /* Cheap comparisons pay only where they settle many rows; of each chunk, and what follows. */
    struct Tries {
        int32_t own, own_left, neighbors, neighbors_left, screen, screen_left;
    } * tries;
    bool try_own, try_neighbors, try_screen;
    int64_t n_assigned; /* how often rows were assigned */

    /* Sums of rows by center: dense in groups of 16 columns, [group][center][16], sparse
     * [center][column]. */
    double *sums, *counts;
    bool sums_valid, delta;
    int64_t block_rows;
    size_t n_blocks;
    double *partial;        /* dense only: n_blocks x as many as in sums */
    double *partial_counts; /* n_blocks x k */
    float *partial_upper;   /* n_blocks x k: the largest upper bound of a center's rows */
    int32_t *order;         /* sparse only: rows by center */
    int64_t *order_start;

    float *moved;        /* k: how far each center went, at most */
    float *drop;         /* by how much the lower bounds of its rows must be lowered */
    float *beyond;       /* distance to the nearest center that `drop` does not cover */
    float *gap;          /* half the distance to the nearest other center */
    float *reach;        /* the largest upper bound among its rows */
    double *square_part; /* of the cost */

    float *panels; /* one for each thread that may be inside */
    atomic_uchar *panel_busy;
    int n_panels;
    size_t panel_floats;
} Lloyd;

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

/* ---- assignment ---- */

static void settle(Lloyd *lloyd, int64_t begin, int32_t r, int32_t center, float upper, float lower,
                   size_t chunk)
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
        float l = lower[r] - lloyd->drop[a], m = lloyd->beyond[a] - u, gap = lloyd->gap[a];
        l = MIN(l, m);
        upper[r] = u;
        lower[r] = l;
        list[n] = r;
        n += u > MAX(l, gap);
    }
    return n;
}

/* Measures the distance of the listed rows to their own centers; keeps those that it does not settle. */
static int tighten(Lloyd *lloyd, int64_t begin, int32_t *list, int n)
{
    float squares[CHUNK_ROWS] UNINITIALIZED;
    const int32_t *assigned = lloyd->assigned + begin;
    nearest_own(&lloyd->data->lines, begin, list, n, lloyd->padded, assigned, squares);
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int32_t r = list[i], a = assigned[r];
        float u = sqrtf(squares[i] * (1 + lloyd->relative)), l = lloyd->lower[begin + r],
              gap = lloyd->gap[a];
        lloyd->upper[begin + r] = u;
        list[kept] = r;
        kept += u > MAX(l, gap);
    }
    return kept;
}

/* Compares the listed rows with the neighbors of their centers, as far as these can matter; keeps
 * those for which that would be as much work as all centers. */
static int compare_neighbors(Lloyd *lloyd, size_t chunk, int64_t begin, int32_t *list, int n,
                             float *row)
{
    int32_t m = lloyd->n_neighbors, many = MIN(m, lloyd->k * 2 / 5);
    if (lloyd->try_screen) many = MIN(many, lloyd->k / 10); /* which costs less */
    float squares[NEIGHBORS_MAX] UNINITIALIZED;
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int32_t r = list[i], a = lloyd->assigned[begin + r];
        const int32_t *neighbors = lloyd->neighbors + (int64_t)a * m;
        const float *distance = lloyd->neighbor_distance + (int64_t)a * m;
        float u = lloyd->upper[begin + r], within = 2 * (u + lloyd->gap[a]) * (1 + 1e-6f);
        int32_t count = 0;
        while (count < many && distance[count] <= within) count++;
        if (count == many && many < lloyd->k - 1) { /* there may be more */
            list[kept++] = r;
            continue;
        }
        nearest_row(&lloyd->data->lines, begin + r, row);
        nearest_squares(row, lloyd->padded, lloyd->d, neighbors, count, squares);
        float best = u * u, next = INFINITY;
        int32_t nearest = a;
        for (int32_t c = 0; c < count; c++) {
            float square = squares[c];
            bool better = square < best;
            float worse = better ? best : square;
            nearest = better ? neighbors[c] : nearest;
            best = better ? square : best;
            next = MIN(next, worse);
        }
        float upper = nearest == a ? u : sqrtf(best * (1 + lloyd->relative));
        settle(lloyd, begin, r, nearest, upper, sqrtf(next * (1 - lloyd->relative)), chunk);
    }
    return kept;
}

static void compare_all(Lloyd *lloyd, size_t chunk, int64_t begin, const int32_t *list, int n,
                        float *panel)
{
    float norms[NEAREST_ROWS] UNINITIALIZED, upper[NEAREST_ROWS] UNINITIALIZED,
        lower[NEAREST_ROWS] UNINITIALIZED;
    int32_t rows[NEAREST_ROWS] UNINITIALIZED;
    Nearest nearest UNINITIALIZED;
    for (int i = 0; i < n; i += NEAREST_ROWS) {
        int m = MIN(n - i, (int)NEAREST_ROWS);
        for (int r = 0; r < NEAREST_ROWS; r++) rows[r] = list[i + MIN(r, m - 1)];
        nearest_fill(&lloyd->data->lines, begin, rows, panel, norms);
        nearest_find(panel, lloyd->packed, lloyd->k, lloyd->d, &nearest);
        nearest_bounds(&nearest, norms, lloyd->relative, lloyd->norm_max, upper, lower);
        for (int r = 0; r < m; r++)
            settle(lloyd, begin, rows[r], nearest.index[r], upper[r], lower[r], chunk);
    }
}

/* Settles a row that is nearest to one of few candidates. */
static void compare_candidates(Lloyd *lloyd, size_t chunk, int64_t begin, int32_t r,
                               const Screened *screened, int at)
{
    UNINITIALIZED float row[NEAREST_LINE * ROW_LINES], squares[SCREEN_CANDIDATES];
    int32_t n = screened->n_candidates[at];
    const int32_t *candidates = screened->candidates[at];
    nearest_row(&lloyd->data->lines, begin + r, row);
    nearest_squares(row, lloyd->padded, lloyd->d, candidates, n, squares);
    float best = INFINITY, next = INFINITY;
    int32_t nearest = 0;
    for (int32_t c = 0; c < n; c++) {
        bool better = squares[c] < best;
        next = MIN(next, better ? best : squares[c]);
        nearest = better ? candidates[c] : nearest;
        best = better ? squares[c] : best;
    }
    float lower = sqrtf(next * (1 - lloyd->relative));
    settle(lloyd, begin, r, nearest, sqrtf(best * (1 + lloyd->relative)),
           MIN(lower, screened->lower[at]), chunk);
}

/* Settles those of the listed rows whose nearest center 8-bit numbers tell, or nearly; keeps the others. */
static int screen_all(Lloyd *lloyd, size_t chunk, int64_t begin, int32_t *list, int n, float *panel,
                      int slot)
{
    int32_t rows[2 * NEAREST_ROWS] UNINITIALIZED;
    float norms[NEAREST_ROWS] UNINITIALIZED;
    Screened screened UNINITIALIZED;
    int kept = 0;
    for (int i = 0; i < n; i += NEAREST_ROWS) {
        int m = MIN(n - i, (int)NEAREST_ROWS);
        for (int r = 0; r < NEAREST_ROWS; r++) {
            rows[r] = list[i + MIN(r, m - 1)];
            norms[r] = lloyd->data->norm[begin + rows[r]];
        }
        int next = MIN(n - i - m, (int)NEAREST_ROWS);
        memcpy(rows + NEAREST_ROWS, list + i + m, (size_t)next * sizeof *rows);
        screen_find(&lloyd->screen, &lloyd->data->lines, begin, rows, next, norms,
                    lloyd->data->most[chunk], (uint8_t *)panel, slot, lloyd->relative,
                    lloyd->norm_max, &screened);
        for (int r = 0; r < m; r++) {
            if (screened.certain >> r & 1)
                settle(lloyd, begin, rows[r], screened.index[r], screened.upper[r],
                       screened.lower[r], chunk);
            else if (screened.n_candidates[r] <= SCREEN_CANDIDATES)
                compare_candidates(lloyd, chunk, begin, rows[r], &screened, r);
            else
                list[kept++] = rows[r];
        }
    }
    return kept;
}

static void assign_sparse(Lloyd *lloyd, size_t chunk, int64_t begin, const int32_t *list, int n)
{
    const Matrix *matrix = &lloyd->data->matrix;
    for (int i = 0; i < n; i++) {
        int64_t row = begin + list[i], first = matrix->row_start[row],
                entries = matrix->row_start[row + 1] - first;
        const int32_t *col = matrix->col + first;
        const float *value = matrix->value + first;
        float norm = 0;
        for (int64_t e = 0; e < entries; e++) norm += value[e] * value[e];
        NearestRow found = nearest_find_sparse(col, value, entries, lloyd->packed, lloyd->k,
                                               lloyd->d);
        float slack = lloyd->relative * (norm + lloyd->norm_max);
        float near = norm - 2 * found.best, next = norm - 2 * found.second - slack;
        float upper = sqrtf(MAX(near, 0) + slack), lower = sqrtf(MAX(next, 0));
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
    lloyd->tries[chunk] = (struct Tries){0};
    if (lloyd->first)
        for (; n < (int)(end - begin); n++) list[n] = n;
    else
        n = list_active(lloyd, begin, end, list);
    if (n == 0) return;
    if (lloyd->sparse) {
        assign_sparse(lloyd, chunk, begin, list, n);
        return;
    }
    int slot;
    float *panel = panel_take(lloyd, &slot);
    struct Tries *tries = &lloyd->tries[chunk];
    if (lloyd->try_own) {
        tries->own = n;
        tries->own_left = n = tighten(lloyd, begin, list, n);
    }
    if (lloyd->try_own && lloyd->try_neighbors) { /* it needs the measured distance */
        tries->neighbors = n;
        tries->neighbors_left = n = compare_neighbors(lloyd, chunk, begin, list, n, panel);
    }
    if (lloyd->try_screen) {
        tries->screen = n;
        tries->screen_left = n = screen_all(lloyd, chunk, begin, list, n, panel, slot);
    }
    compare_all(lloyd, chunk, begin, list, n, panel);
    panel_give(lloyd, slot);
}

static void pack_centers(Lloyd *lloyd)
{
    int32_t d = lloyd->d, stride = padded_width(d);
    lloyd->norm_max = 0;
    for (int32_t c = 0; c < lloyd->k; c++) {
        const float *center = lloyd->centers + (int64_t)c * d;
        double norm = 0;
        for (int32_t j = 0; j < d; j++) norm += (double)center[j] * (double)center[j];
        lloyd->norm_max = MAX(lloyd->norm_max, (float)norm);
        memcpy(lloyd->padded + (int64_t)c * stride, center, (size_t)d * sizeof *center);
    }
    if (lloyd->sparse)
        nearest_pack_sparse(lloyd->centers, d, lloyd->k, d, lloyd->packed);
    else
        nearest_pack(lloyd->centers, d, lloyd->k, d, lloyd->packed);
    if (lloyd->can_screen) screen_pack(&lloyd->screen, lloyd->centers, d);
}

/* Whether to try cheap comparisons next time: while they settle a tenth of the rows or more, and now
 * and then to see whether they would. */
static void plan_tries(Lloyd *lloyd)
{
    enum { AGAIN = 4 };
    struct {
        int64_t own, own_left, neighbors, neighbors_left, screen, screen_left;
    } sum = {0};
    size_t n_chunks = chunk_count((size_t)lloyd->n, CHUNK_ROWS);
    for (size_t chunk = 0; chunk < n_chunks; chunk++) {
        sum.own += lloyd->tries[chunk].own;
        sum.own_left += lloyd->tries[chunk].own_left;
        sum.neighbors += lloyd->tries[chunk].neighbors;
        sum.neighbors_left += lloyd->tries[chunk].neighbors_left;
        sum.screen += lloyd->tries[chunk].screen;
        sum.screen_left += lloyd->tries[chunk].screen_left;
    }
    bool again = ++lloyd->n_assigned % AGAIN == 0;
    /* Measured: a third of what looking at all centers costs with the screen, a tenth without. */
    int64_t pays = sum.own / (lloyd->try_screen ? 3 : 10);
    lloyd->try_own = again || sum.own - sum.own_left > pays;
    lloyd->try_neighbors = lloyd->n_neighbors &&
                           (again || sum.neighbors - sum.neighbors_left > sum.neighbors / 10);
    /* It costs a quarter of what it saves. */
    lloyd->try_screen = lloyd->can_screen &&
                        (again || sum.screen == 0 || sum.screen_left < sum.screen * 2 / 3);
}

static void assign(Lloyd *lloyd)
{
    parallel_for(lloyd->data->pool, (size_t)lloyd->n, CHUNK_ROWS, assign_chunk, lloyd);
    lloyd->n_changed = 0;
    size_t n_chunks = chunk_count((size_t)lloyd->n, CHUNK_ROWS);
    for (size_t chunk = 0; chunk < n_chunks; chunk++) lloyd->n_changed += lloyd->n_changes[chunk];
    plan_tries(lloyd);
    lloyd->first = false;
}

/* ---- sums ---- */

/* What changed in a group of a block. */
static void sum_changes(const Lloyd *lloyd, int32_t group, int64_t begin, int64_t end, double *to)
{
    const LloydData *data = lloyd->data;
    int32_t rows[CHUNK_ROWS] UNINITIALIZED, now[CHUNK_ROWS] UNINITIALIZED,
        old[CHUNK_ROWS] UNINITIALIZED;
    for (int64_t chunk = begin; chunk < end; chunk += CHUNK_ROWS) {
        const Change *changes = lloyd->changes + chunk;
        int32_t n = lloyd->n_changes[chunk / CHUNK_ROWS];
        for (int32_t i = 0; i < n; i++) {
            rows[i] = changes[i].row;
            old[i] = changes[i].old;
            now[i] = lloyd->assigned[chunk + changes[i].row];
        }
        nearest_sum(&data->lines, group, chunk, rows, now, data->weight, n, 1, to);
        nearest_sum(&data->lines, group, chunk, rows, old, data->weight, n, -1, to);
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

static int32_t sum_groups(const Lloyd *lloyd)
{
    return lloyd->sparse ? 0 : nearest_groups(lloyd->d);
}

/* Task t: group t % (groups + 1) of block t / (groups + 1); the last "group" are the counts.  Of
 * sparse data only the counts. */
static void sum_task(void *arg, size_t task, size_t unused0, size_t unused1)
{
    (void)unused0;
    (void)unused1;
    Lloyd *lloyd = arg;
    size_t groups = (size_t)sum_groups(lloyd), block = task / (groups + 1),
           group = task % (groups + 1);
    int64_t begin = (int64_t)block * lloyd->block_rows,
            end = MIN(begin + lloyd->block_rows, lloyd->n);
    if (group == groups) {
        count_block(lloyd, block, begin, end);
        return;
    }
    size_t size = (size_t)lloyd->k * NEAREST_LINE;
    double *to = lloyd->partial + (block * groups + group) * size;
    memset(to, 0, size * sizeof *to);
    if (lloyd->delta)
        sum_changes(lloyd, (int32_t)group, begin, end, to);
    else
        nearest_sum(&lloyd->data->lines, (int32_t)group, begin, NULL, lloyd->assigned + begin,
                    lloyd->data->weight, (int32_t)(end - begin), 1, to);
}

/* Adds the blocks' sums of some groups. */
static void combine_groups(void *arg, size_t unused, size_t begin, size_t end)
{
    (void)unused;
    Lloyd *lloyd = arg;
    size_t size = (size_t)lloyd->k * NEAREST_LINE, groups = (size_t)sum_groups(lloyd);
    for (size_t group = begin; group < end; group++) {
        double *sums = lloyd->sums + group * size;
        if (!lloyd->delta) memset(sums, 0, size * sizeof *sums);
        for (size_t block = 0; block < lloyd->n_blocks; block++) {
            const double *part = lloyd->partial + (block * groups + group) * size;
            for (size_t i = 0; i < size; i++) sums[i] += part[i];
        }
    }
}

/* The sums of a center for one group of columns (sparse: group 0 is all). */
static inline double *sums_of(const Lloyd *lloyd, int32_t center, int32_t column)
{
    if (lloyd->sparse) return lloyd->sums + (int64_t)center * lloyd->d + column;
    return lloyd->sums + ((int64_t)(column / NEAREST_LINE) * lloyd->k + center) * NEAREST_LINE +
           column % NEAREST_LINE;
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
    const Matrix *matrix = &lloyd->data->matrix;
    double *sums = lloyd->sums + c * (size_t)lloyd->d;
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
    size_t k = (size_t)lloyd->k, groups = (size_t)sum_groups(lloyd);
    lloyd->delta = !lloyd->sparse && lloyd->sums_valid && lloyd->n_changed < lloyd->n / 4;
    parallel_for(pool, lloyd->n_blocks * (groups + 1), 1, sum_task, lloyd);
    if (lloyd->sparse) {
        order_by_center(lloyd);
        parallel_for(pool, k, 1, sum_sparse_center, lloyd);
    } else {
        parallel_for(pool, groups, 1, combine_groups, lloyd);
    }
    for (size_t c = 0; c < k; c++) {
        lloyd->counts[c] = 0;
        lloyd->reach[c] = 0;
        for (size_t block = 0; block < lloyd->n_blocks; block++) {
            float upper = lloyd->partial_upper[block * k + c];
            lloyd->counts[c] += lloyd->partial_counts[block * k + c];
            lloyd->reach[c] = MAX(lloyd->reach[c], upper);
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
        lloyd_copy_row(lloyd->data, farthest, row);
        double w = weight_of(lloyd->data, farthest);
        int32_t old = lloyd->assigned[farthest];
        for (int32_t j = 0; j < lloyd->d; j++) {
            double v = w * (double)row[j];
            *sums_of(lloyd, old, j) -= v;
            *sums_of(lloyd, c, j) = v;
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
    for (int32_t j = 0; j < lloyd->d; j++) {
        double sum = *sums_of(lloyd, (int32_t)c, j);
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

typedef struct Neighbor {
    float distance;
    int32_t center;
} Neighbor;

static int compare_neighbor(const void *a, const void *b)
{
    const Neighbor *x = a, *y = b;
    int order = (x->distance > y->distance) - (x->distance < y->distance);
    return order ? order : (x->center > y->center) - (x->center < y->center);
}

static void sift_down(Neighbor *heap, int32_t i, int32_t n)
{
    for (int32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && compare_neighbor(&heap[child + 1], &heap[child]) > 0) child++;
        if (compare_neighbor(&heap[i], &heap[child]) >= 0) return;
        Neighbor swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
    }
}

/* The nearest `m` of n, sorted, at the front: those up to the m-th smallest distance are found with a
 * heap of m (the farthest on top). */
static void nearest_first(Neighbor *all, int32_t n, int32_t m)
{
    if (m < n) {
        for (int32_t i = m / 2; i-- > 0;) sift_down(all, i, m);
        for (int32_t i = m; i < n; i++) {
            if (compare_neighbor(&all[i], &all[0]) >= 0) continue;
            all[0] = all[i];
            sift_down(all, 0, m);
        }
    }
    qsort(all, (size_t)m, sizeof *all, compare_neighbor);
}

/* The bounds of a center's rows after all have moved, and its neighbors. */
static void bound_center(void *arg, size_t a, size_t unused0, size_t unused1)
{
    (void)unused0;
    (void)unused1;
    Lloyd *lloyd = arg;
    int32_t k = lloyd->k, n = 0;
    Error err;
    AUTO_DATA float *squares = data_array(float, k, "distances of centers", &err);
    AUTO_DATA Neighbor *others = squares ? data_array(Neighbor, k, "distances of centers", &err)
                                         : NULL;
    if (!others) memory_exhausted((size_t)k * sizeof *others);
    nearest_squares(lloyd->padded + (int64_t)a * padded_width(lloyd->d), lloyd->padded, lloyd->d,
                    NULL, k, squares);

    float covered = 2 * (lloyd->reach[a] + lloyd->moved[a]), drop = 0, beyond = INFINITY;
    for (int32_t c = 0; c < k; c++) {
        if ((size_t)c == a) continue;
        float distance = sqrtf(squares[c] * (1 - lloyd->relative));
        others[n++] = (Neighbor){distance, c};
        if (distance < covered)
            drop = MAX(drop, lloyd->moved[c]);
        else
            beyond = MIN(beyond, distance);
    }
    nearest_first(others, n, lloyd->n_neighbors);
    lloyd->drop[a] = drop;
    lloyd->beyond[a] = beyond;
    lloyd->gap[a] = n ? others[0].distance / 2 : INFINITY;
    for (int32_t i = 0; i < lloyd->n_neighbors; i++) {
        lloyd->neighbors[(int64_t)a * lloyd->n_neighbors + i] = others[i].center;
        lloyd->neighbor_distance[(int64_t)a * lloyd->n_neighbors + i] = others[i].distance;
    }
}

static void bound_centers(Lloyd *lloyd)
{
    if (lloyd->n_neighbors) {
        parallel_for(lloyd->data->pool, (size_t)lloyd->k, 1, bound_center, lloyd);
        return;
    }
    float most = 0; /* comparing the centers would not pay */
    for (int32_t c = 0; c < lloyd->k; c++) most = MAX(most, lloyd->moved[c]);
    for (int32_t c = 0; c < lloyd->k; c++) {
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
        const Matrix *matrix = &data->matrix;
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
        int32_t n = (int32_t)(end - begin);
        float squares[CHUNK_ROWS] UNINITIALIZED;
        nearest_own(&data->lines, (int64_t)begin, NULL, n, lloyd->padded, lloyd->assigned + begin,
                    squares);
        for (int32_t r = 0; r < n; r++)
            total += (double)squares[r] * weight_of(data, (int64_t)begin + r);
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
    screen_clear(&lloyd->screen);
    data_free(lloyd->packed);
    data_free(lloyd->padded);
    data_free(lloyd->neighbors);
    data_free(lloyd->neighbor_distance);
    data_free(lloyd->assigned);
    data_free(lloyd->upper);
    data_free(lloyd->lower);
    data_free(lloyd->changes);
    data_free(lloyd->n_changes);
    data_free(lloyd->tries);
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
    int32_t d = data->d;
    int64_t n = data->n;
    bool sparse = data->sparse;
    int64_t block_rows = MAX((int64_t)BLOCK_ROWS, 64 * (int64_t)k / CHUNK_ROWS * CHUNK_ROWS);
    size_t n_chunks = chunk_count((size_t)n, CHUNK_ROWS),
           n_blocks = chunk_count((size_t)n, (size_t)block_rows);
    size_t cells = (size_t)k * (size_t)(sparse ? d : padded_width(d));
    *lloyd = (Lloyd){.data = data,
                     .n = n,
                     .d = d,
                     .k = k,
                     .sparse = sparse,
                     .centers = centers,
                     .first = true,
                     .block_rows = block_rows,
                     .n_blocks = n_blocks};
    lloyd->relative = ((float)d + 8) * 0x1p-24f;
    /* Comparing all centers with one another must cost less than it saves. */
    if ((int64_t)k * 8 <= n) lloyd->n_neighbors = MIN(k - 1, (int32_t)NEIGHBORS_MAX);
    size_t n_pairs = (size_t)k * (size_t)lloyd->n_neighbors;
    lloyd->panel_floats = sparse ? 0 : (size_t)padded_width(d) * NEAREST_ROWS;
    lloyd->n_panels = pool_threads(data->pool);
    lloyd->panel_busy = calloc((size_t)lloyd->n_panels, sizeof *lloyd->panel_busy);
    if (!lloyd->panel_busy) memory_exhausted((size_t)lloyd->n_panels);

#define NEED(field, Type, count) (lloyd->field = data_array(Type, count, "the clusters", err))
    bool ok = NEED(packed, float, sparse ? nearest_sparse_size(k, d) : nearest_packed_size(k, d)) &&
              NEED(padded, float, (size_t)k *(size_t)padded_width(d)) &&
              NEED(neighbors, int32_t, n_pairs) && NEED(neighbor_distance, float, n_pairs) &&
              NEED(assigned, int32_t, n) && NEED(upper, float, n) && NEED(lower, float, n) &&
              NEED(changes, Change, n) && NEED(n_changes, int32_t, n_chunks) &&
              NEED(tries, struct Tries, n_chunks) && NEED(sums, double, cells) &&
              NEED(counts, double, k) && NEED(partial, double, sparse ? 0 : n_blocks *cells) &&
              NEED(partial_counts, double, n_blocks *(size_t)k) &&
              NEED(partial_upper, float, n_blocks *(size_t)k) &&
              NEED(order, int32_t, sparse ? n : 0) && NEED(order_start, int64_t, k + 1) &&
              NEED(moved, float, k) && NEED(drop, float, k) && NEED(beyond, float, k) &&
              NEED(gap, float, k) && NEED(reach, float, k) && NEED(square_part, double, k) &&
              NEED(panels, float, lloyd->panel_floats *(size_t)lloyd->n_panels);
#undef NEED
    lloyd->can_screen = lloyd->try_screen = !sparse && screen_possible(k, d);
    if (ok && lloyd->can_screen) ok = screen_init(&lloyd->screen, k, d, lloyd->n_panels, err);
    if (ok) pack_centers(lloyd);
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
        pack_centers(&lloyd);
        bound_centers(&lloyd);
        result.n_reseeded += reseeded;
        result.iterations = i + 1;
        result.converged = !reseeded &&
                           (before - msd <= options->tol * before || lloyd.n_changed == 0);
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

bool lloyd_msd(const LloydData *data, int32_t k, const float *centers, double *ret_msd, Error *err)
{
    __attribute__((cleanup(lloyd_clear))) Lloyd lloyd = {0};
    if (!lloyd_init(&lloyd, data, k, (float *)(uintptr_t)centers, err))
        return false; /* they stay as they are */
    assign(&lloyd);
    return exact_msd(&lloyd, ret_msd, err);
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
            double mean = *sums_of(&lloyd, c, j) / n;
            *x = (float)((1 - share) * (double)*x + share * mean);
        }
        counts[c] += n;
    }
    return true;
}
