/* The profile of a table: a pass over each column, then over pairs.
 *
 * Columns are taken by the pool one at a time.  A numeric column is sorted once, in memory that the next column uses again; quantiles,
 * counts, histogram and outliers are read off, and its ranks are kept for rank correlations (as floats: as large as the column) while
 * those are wanted. */

#include "explore/profile.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "format/number.h"
#include "stats/relation.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

enum { SEED = 20261125 };

typedef struct Work {
    Profile *profile;
    Numbers *ranks; /* of numeric columns, for the pairs; empty where there is no need */
    bool keep_ranks;
    SortSpace *spaces; /* of sorts, used again by the next column: as many as threads at most */
    int n_spaces;
    Error err;
    bool failed;
    pthread_mutex_t *mutex;
} Work;

/* ---- one column ---- */

/* Freedman and Diaconis' width, bounded by Sturges' count from below (numpy's "auto"), at most PROFILE_BINS_MAX. */
static int bin_count(const Univariate *u)
{
    double n = (double)u->n, width = 2 * u->iqr / cbrt(n), range = u->max - u->min;
    double sturges = ceil(log2(n)) + 1, diaconis = width > 0 ? ceil(range / width) : sturges;
    return (int)MAX(1.0, MIN((double)PROFILE_BINS_MAX, MAX(sturges, diaconis)));
}

static void fill_histogram(const Sorted *sorted, ColumnProfile *c)
{
    const Univariate *u = &c->number;
    if (!u->n) return;
    c->low = u->min;
    c->high = u->max;
    if (u->min == u->max) {
        c->low -= 0.5;
        c->high += 0.5;
        c->n_bins = 1;
        c->counts[0] = u->n;
        return;
    }
    c->n_bins = bin_count(u);
    int64_t before = sorted_up_to(sorted, -INFINITY);
    for (int b = 0; b < c->n_bins; b++) {
        double edge = c->low + (c->high - c->low) * (b + 1) / c->n_bins;
        int64_t below = b + 1 == c->n_bins ? sorted_up_to(sorted, c->high)
                                           : sorted_below(sorted, edge);
        c->counts[b] = below - before;
        before = below;
    }
}

static Str number_text(double x, bool single, Arena *arena)
{
    char text[NUMBER_TEXT_MAX];
    size_t n = single ? number_print_float((float)x, text) : number_print_double(x, text);
    return arena_str(arena, (Str){text, n});
}

static SortSpace space_take(Work *work)
{
    SortSpace space = {0};
    pthread_mutex_lock(work->mutex);
    if (work->n_spaces) space = work->spaces[--work->n_spaces];
    pthread_mutex_unlock(work->mutex);
    return space;
}

static void space_give(Work *work, SortSpace space)
{
    pthread_mutex_lock(work->mutex);
    work->spaces[work->n_spaces++] = space;
    pthread_mutex_unlock(work->mutex);
}

/* Average ranks as floats where those hold them exactly. */
static bool ranks_of(const Sorted *sorted, Numbers *ret_ranks, Error *err)
{
    Numbers ranks = {.n = sorted->n_rows};
    if (ranks.n <= RANKS_F32_MAX) {
        float *to = data_array(float, ranks.n, "ranks of a column", err);
        if (to) sorted_ranks_f32(sorted, to);
        ranks.f32 = to;
    } else {
        double *to = data_array(double, ranks.n, "ranks of a column", err);
        if (to) sorted_ranks(sorted, to);
        ranks.f64 = to;
    }
    if (!ranks.f32 && !ranks.f64) return false;
    *ret_ranks = ranks;
    return true;
}

static void ranks_clear(Numbers *ranks)
{
    data_free((void *)ranks->f32);
    data_free((void *)ranks->f64);
    *ranks = (Numbers){0};
}

/* ret_ranks: NULL where they are not wanted. */
static bool profile_numbers(Work *work, const Numbers *numbers, ColumnProfile *c,
                            Numbers *ret_ranks, Error *err)
{
    SortSpace space = space_take(work);
    Sorted sorted;
    bool ok = sorted_view(numbers, ret_ranks != NULL, &space, &sorted, err);
    if (ok) {
        univariate_of(numbers, &sorted, &c->number);
        c->n = c->number.n + c->number.infinite;
        c->missing = c->number.missing;
        c->distinct = c->number.distinct;
        fill_histogram(&sorted, c);
        ok = !ret_ranks || ranks_of(&sorted, ret_ranks, err);
    }
    space_give(work, space);
    if (!ok) return false;
    pthread_mutex_lock(work->mutex);
    for (int i = 0; i < c->number.n_top && i < PROFILE_TOP; i++)
        c->top[c->n_top++] = (ProfileValue){
            number_text(c->number.top[i].value, numbers->f32 != NULL, &work->profile->arena),
            c->number.top[i].count};
    pthread_mutex_unlock(work->mutex);
    return true;
}

static void top_add(ColumnProfile *c, Str text, int64_t count)
{
    if (c->n_top == PROFILE_TOP && count <= c->top[PROFILE_TOP - 1].count) return;
    int at = c->n_top < PROFILE_TOP ? c->n_top++ : PROFILE_TOP - 1;
    while (at > 0 && c->top[at - 1].count < count) {
        c->top[at] = c->top[at - 1];
        at--;
    }
    c->top[at] = (ProfileValue){text, count};
}

static int64_t code_points(Str text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++) n += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return n;
}

static void add_length(ColumnProfile *c, Str text, int64_t count)
{
    int64_t length = code_points(text);
    double number;
    if (c->length_mean == 0 && !c->length_max) c->length_min = length;
    c->length_min = MIN(c->length_min, length);
    c->length_max = MAX(c->length_max, length);
    c->length_mean += (double)length * (double)count;
    if (!str_trim(text).len) c->empty += count;
    if (str_to_double(str_trim(text), &number)) c->numeric += count;
}

static bool profile_category(const Column *column, ColumnProfile *c, Error *err)
{
    AUTO_DATA int64_t *counts = data_array(int64_t, column->n_categories, "counts of categories",
                                           err);
    if (!counts) return false;
    for (int64_t i = 0; i < column->n_rows; i++)
        if (column->codes[i] >= 0) counts[column->codes[i]]++;
    c->entropy = 0;
    for (int32_t k = 0; k < column->n_categories; k++) c->n += counts[k];
    for (int32_t k = 0; k < column->n_categories; k++) {
        if (!counts[k]) continue;
        double share = (double)counts[k] / (double)c->n;
        c->distinct++;
        c->entropy -= share * log2(share);
        top_add(c, column->categories[k], counts[k]);
        add_length(c, column->categories[k], counts[k]);
    }
    c->missing = column->n_rows - c->n;
    if (c->n) c->length_mean /= (double)c->n;
    return true;
}

/* Texts are told apart by their hashes; equal ones are runs after sorting. */
static bool profile_text(const Column *column, ColumnProfile *c, Error *err)
{
    int64_t n = column->n_rows;
    AUTO_DATA double *hashes = data_array(double, n, "texts of a column", err);
    if (!hashes) return false;
    for (int64_t i = 0; i < n; i++) {
        if (!column_is_valid(column, i)) {
            hashes[i] = NAN;
            continue;
        }
        Str text = {column->text + column->offsets[i],
                    (size_t)(column->offsets[i + 1] - column->offsets[i])};
        hashes[i] = (double)(hash_str(text, SEED) >> 11);
        add_length(c, text, 1);
        c->n++;
    }
    c->missing = n - c->n;
    if (c->n) c->length_mean /= (double)c->n;
    SortSpace space = {0};
    Sorted sorted;
    bool ok = sorted_make(&(Numbers){.f64 = hashes, .n = n}, true, &space, &sorted, err);
    sort_space_clear(&space);
    if (!ok) return false;
    for (int64_t i = 0, end; i < sorted.n; i = end) {
        for (end = i + 1; end < sorted.n && sorted.f64[end] == sorted.f64[i];) end++;
        int64_t row = sorted.rows[i];
        c->distinct++;
        top_add(c,
                (Str){column->text + column->offsets[row],
                      (size_t)(column->offsets[row + 1] - column->offsets[row])},
                end - i);
    }
    sorted_clear(&sorted);
    return true;
}

static bool profile_time(const Column *column, ColumnProfile *c, Error *err)
{
    int64_t n = column->n_rows;
    AUTO_DATA double *seconds = data_array(double, n, "times of a column", err);
    if (!seconds) return false;
    for (int64_t i = 0; i < n; i++)
        seconds[i] = column_is_valid(column, i) ? (double)column->time_us[i] / 1e6 : NAN;
    Numbers numbers = {.f64 = seconds, .n = n};
    SortSpace space = {0};
    Sorted sorted, steps;
    if (!sorted_make(&numbers, false, &space, &sorted, err)) return false;
    univariate_of(&numbers, &sorted, &c->number);
    c->n = c->number.n;
    c->missing = c->number.missing;
    c->distinct = c->number.distinct;
    fill_histogram(&sorted, c);
    if (c->n) {
        c->first_us = (int64_t)llround(c->number.min * 1e6);
        c->last_us = (int64_t)llround(c->number.max * 1e6);
    }
    c->gap_median = c->gap_max = NAN;
    int64_t m = 0;
    for (int64_t i = 1; i < sorted.n; i++)
        if (sorted.f64[i] > sorted.f64[i - 1]) seconds[m++] = sorted.f64[i] - sorted.f64[i - 1];
    bool ok = sorted_make(&(Numbers){.f64 = seconds, .n = m}, false, &space, &steps, err);
    if (ok && m) {
        c->gap_median = sorted_quantile_at(&steps, 0.5);
        c->gap_max = steps.f64[m - 1];
        c->gaps = m - sorted_up_to(&steps, 10 * c->gap_median);
    }
    if (ok) sorted_clear(&steps);
    sorted_clear(&sorted);
    sort_space_clear(&space);
    return ok;
}

static bool profile_bool(Work *work, const Column *column, ColumnProfile *c, Error *err)
{
    AUTO_DATA double *values = data_array(double, column->n_rows, "truths of a column", err);
    if (!values) return false;
    for (int64_t i = 0; i < column->n_rows; i++)
        values[i] = column_is_valid(column, i) ? column->bools[i] : NAN;
    bool ok = profile_numbers(work, &(Numbers){.f64 = values, .n = column->n_rows}, c, NULL, err);
    for (int i = 0; i < c->n_top; i++)
        c->top[i].text = c->number.top[i].value != 0 ? STR("true") : STR("false");
    return ok;
}

static double entropy_of_top(const ColumnProfile *c)
{
    double entropy = 0;
    if (c->distinct > c->n_top) return NAN;
    for (int i = 0; i < c->n_top; i++) {
        double share = (double)c->top[i].count / (double)c->n;
        entropy -= share * log2(share);
    }
    return entropy;
}

static void profile_columns(void *arg, size_t chunk, size_t begin, size_t end)
{
    Work *work = arg;
    (void)chunk;
    for (size_t j = begin; j < end; j++) {
        const Column *column = &work->profile->frame->columns[j];
        ColumnProfile *c = &work->profile->columns[j];
        Error err = {0};
        bool ok = false;
        *c = (ColumnProfile){
            .name = column->name, .type = column->type, .n_rows = column->n_rows, .entropy = NAN};
        switch (column->type) {
        case COLUMN_NUMBER:
            ok = profile_numbers(work, &(Numbers){column->f32, column->f64, column->n_rows}, c,
                                 work->keep_ranks ? &work->ranks[j] : NULL, &err);
            c->entropy = entropy_of_top(c);
            break;
        case COLUMN_CATEGORY: ok = profile_category(column, c, &err); break;
        case COLUMN_TEXT: ok = profile_text(column, c, &err); break;
        case COLUMN_TIME: ok = profile_time(column, c, &err); break;
        case COLUMN_BOOL:
            ok = profile_bool(work, column, c, &err);
            c->entropy = entropy_of_top(c);
            break;
        }
        if (ok) continue;
        pthread_mutex_lock(work->mutex);
        work->err = err;
        work->failed = true;
        pthread_mutex_unlock(work->mutex);
    }
}

/* ---- rows ---- */

enum { ROWS_BLOCK = 1024, ROWS_CHUNK = 65536 };

typedef struct Rows {
    const Frame *frame;
    double *hashes;
    int64_t *missing_cells, *complete_rows; /* one a chunk */
} Rows;

#define MISSING_HASH 0x9e3779b97f4a7c15u

static inline uint64_t mix_cell(uint64_t state, uint64_t bits)
{
    state = (state ^ bits) * 0xd1342543de82ef95u;
    return state ^ state >> 32;
}

/* One column's share in the hashes of rows [begin, end), and which lack a value. */
static int64_t hash_column(const Column *column, int64_t begin, int64_t end, uint64_t *state,
                           uint8_t *holes)
{
    int64_t missing = 0;
    size_t n = (size_t)(end - begin);
    if (column->type == COLUMN_NUMBER && column->f32) {
        const float *x = column->f32 + begin;
        for (size_t i = 0; i < n; i++) {
            float value = x[i] + 0.0f; /* -0 becomes 0 */
            uint32_t bits;
            bool hole = value != value;
            memcpy(&bits, &value, sizeof bits);
            state[i] = mix_cell(state[i], hole ? MISSING_HASH : bits);
            holes[i] |= hole;
            missing += hole;
        }
        return missing;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t row = begin + (int64_t)i;
        uint64_t bits = MISSING_HASH;
        bool hole = !column_is_valid(column, row);
        double x;
        if (!hole) switch (column->type) {
            case COLUMN_NUMBER:
                x = column->f64[row] + 0.0;
                hole = x != x;
                if (!hole) memcpy(&bits, &x, sizeof bits);
                break;
            case COLUMN_CATEGORY:
                hole = column->codes[row] < 0;
                if (!hole) bits = (uint64_t)column->codes[row];
                break;
            case COLUMN_TEXT:
                bits = hash_bytes(column->text + column->offsets[row],
                                  (size_t)(column->offsets[row + 1] - column->offsets[row]), SEED);
                break;
            case COLUMN_TIME: bits = (uint64_t)column->time_us[row]; break;
            case COLUMN_BOOL: bits = column->bools[row]; break;
            }
        state[i] = mix_cell(state[i], bits);
        holes[i] |= hole;
        missing += hole;
    }
    return missing;
}

static void hash_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    const Rows *rows = arg;
    UNINITIALIZED uint64_t state[ROWS_BLOCK];
    UNINITIALIZED uint8_t holes[ROWS_BLOCK];
    for (size_t from = begin; from < end; from += ROWS_BLOCK) {
        size_t to = MIN(from + ROWS_BLOCK, end), n = to - from;
        memset(state, 0, sizeof state);
        memset(holes, 0, sizeof holes);
        for (int32_t j = 0; j < rows->frame->n_columns; j++)
            rows->missing_cells[chunk] += hash_column(&rows->frame->columns[j], (int64_t)from,
                                                      (int64_t)to, state, holes);
        for (size_t i = 0; i < n; i++) {
            rows->hashes[from + i] = (double)(random_mix(state[i]) >> 11);
            rows->complete_rows[chunk] += !holes[i];
        }
    }
}

/* Rows that another row equals in every column: by 53 bits of a hash of the row. */
static bool look_at_rows(Profile *profile, Pool *pool, Error *err)
{
    int64_t n = profile->frame->n_rows;
    size_t chunks = chunk_count((size_t)n, ROWS_CHUNK);
    ARENA(arena);
    AUTO_DATA double *hashes = data_array(double, n, "hashes of rows", err);
    if (!hashes) return false;
    Rows rows = {profile->frame, hashes, arena_array(&arena, int64_t, chunks + 1),
                 arena_array(&arena, int64_t, chunks + 1)};
    parallel_for(pool, (size_t)n, ROWS_CHUNK, hash_rows, &rows);
    for (size_t c = 0; c < chunks; c++) {
        profile->missing_cells += rows.missing_cells[c];
        profile->complete_rows += rows.complete_rows[c];
    }
    SortSpace space = {0};
    Sorted sorted;
    bool ok = sorted_view(&(Numbers){.f64 = hashes, .n = n}, false, &space, &sorted, err);
    for (int64_t i = 1; ok && i < sorted.n; i++)
        profile->duplicate_rows += sorted.f64[i] == sorted.f64[i - 1];
    sort_space_clear(&space);
    return ok;
}

/* ---- pairs of numbers ---- */

static double value_at(const Column *column, int64_t i)
{
    return column->f32 ? (double)column->f32[i] : column->f64[i];
}

static bool correlate(Profile *profile, Work *work, Pool *pool, Error *err)
{
    const Frame *frame = profile->frame;
    Arena *arena = &profile->arena;
    int32_t p = profile->n_numbers;
    int64_t n = frame->n_rows;
    size_t cells = (size_t)p * (size_t)p;
    profile->pearson = arena_array(arena, double, cells + 1);
    profile->spearman = arena_array(arena, double, cells + 1);
    profile->vif = arena_array(arena, double, p + 1);
    profile->condition = NAN;
    if (!p) return true;
    Numbers *numbers = arena_array(arena, Numbers, p);
    double *centers = arena_array(arena, double, p);
    int64_t *n_values = arena_array(arena, int64_t, p);
    bool missing = false;
    for (int32_t j = 0; j < p; j++) {
        const Column *column = &frame->columns[profile->numbers[j]];
        const ColumnProfile *c = &profile->columns[profile->numbers[j]];
        numbers[j] = (Numbers){column->f32, column->f64, n};
        centers[j] = c->number.n ? c->number.mean : 0;
        n_values[j] = n - c->missing;
        missing |= c->number.n < n;
    }
    if (!pearson_blocks(pool, numbers, centers, p, n, missing, profile->pearson, NULL, NULL, err))
        return false;
    if (!vif_of(profile->pearson, p, profile->vif, &profile->condition, err)) return false;
    if (work->keep_ranks) {
        for (int32_t j = 0; j < p; j++) numbers[j] = work->ranks[profile->numbers[j]];
        return spearman_ranked(pool, numbers, n_values, p, n, profile->spearman, err);
    }
    /* A sample of rows, evenly spaced: the table may be in order of something, which rows at random would hide as well. */
    profile->sampled = true;
    int64_t m = MIN(n, (int64_t)PROFILE_SAMPLE_ROWS);
    AUTO_DATA double *some = data_array(double, m, "a sample of rows", err);
    if (!some) return false;
    SortSpace space = {0};
    bool ok = true;
    Numbers *ranks = arena_array(arena, Numbers, p);
    for (int32_t j = 0; j < p && ok; j++) {
        Sorted sorted;
        for (int64_t i = 0; i < m; i++)
            some[i] = value_at(&frame->columns[profile->numbers[j]], i * n / m);
        ok = sorted_view(&(Numbers){.f64 = some, .n = m}, true, &space, &sorted, err) &&
             ranks_of(&sorted, &ranks[j], err);
        if (ok) n_values[j] = sorted.n;
    }
    ok = ok && spearman_ranked(pool, ranks, n_values, p, m, profile->spearman, err);
    for (int32_t j = 0; j < p; j++) ranks_clear(&ranks[j]);
    sort_space_clear(&space);
    return ok;
}

/* ---- the target ---- */

/* A column's codes: of categories, of truths, or of a number with few values. */
static const int32_t *codes_of(const Column *column, Arena *arena, int32_t *ret_n)
{
    if (column->type == COLUMN_CATEGORY) {
        *ret_n = column->n_categories;
        return column->codes;
    }
    if (column->type != COLUMN_BOOL) return NULL;
    int32_t *codes = arena_array(arena, int32_t, column->n_rows);
    for (int64_t i = 0; i < column->n_rows; i++)
        codes[i] = column_is_valid(column, i) ? column->bools[i] : -1;
    *ret_n = 2;
    return codes;
}

static double numbers_position(const Profile *profile, int32_t column)
{
    for (int32_t j = 0; j < profile->n_numbers; j++)
        if (profile->numbers[j] == column) return j;
    return -1;
}

static bool relate_to_target(Profile *profile, Error *err)
{
    const Frame *frame = profile->frame;
    Arena *arena = &profile->arena;
    profile->relation = arena_array(arena, double, frame->n_columns + 1);
    profile->relation_kind = arena_array(arena, const char *, frame->n_columns + 1);
    if (profile->target < 0) return true;
    const Column *target = &frame->columns[profile->target];
    int32_t n_target = 0;
    const int32_t *target_codes = codes_of(target, arena, &n_target);
    int32_t target_number = (int32_t)numbers_position(profile, profile->target);
    AUTO_DATA double *numbers = data_array(double, frame->n_rows, "a column", err);
    if (!numbers) return false;
    for (int32_t j = 0; j < frame->n_columns; j++) {
        const Column *column = &frame->columns[j];
        int32_t n_codes = 0, number = (int32_t)numbers_position(profile, j);
        const int32_t *codes = codes_of(column, arena, &n_codes);
        profile->relation[j] = NAN;
        profile->relation_kind[j] = "";
        if (j == profile->target) continue;
        if (number >= 0 && target_number >= 0) {
            double r = profile->pearson[number * profile->n_numbers + target_number],
                   rho = profile->spearman[number * profile->n_numbers + target_number];
            profile->relation[j] = fmax(fabs(r), fabs(rho));
            profile->relation_kind[j] = "|r|";
        } else if ((number >= 0 && target_codes) || (codes && target_number >= 0)) {
            const Column *values = number >= 0 ? column : target;
            Anova anova;
            for (int64_t i = 0; i < frame->n_rows; i++) numbers[i] = value_at(values, i);
            anova_of(number >= 0 ? target_codes : codes, number >= 0 ? n_target : n_codes, numbers,
                     frame->n_rows, &anova);
            profile->relation[j] = sqrt(anova.eta2);
            profile->relation_kind[j] = "eta";
        } else if (codes && target_codes && n_codes <= PROFILE_LEVELS_MAX &&
                   n_target <= PROFILE_LEVELS_MAX) {
            double *table = arena_array(arena, double, (size_t)n_codes *(size_t)n_target + 1);
            ChiSquare chi;
            contingency(codes, n_codes, target_codes, n_target, frame->n_rows, table);
            chi_square(table, n_codes, n_target, false, &chi);
            profile->relation[j] = chi.v_corrected;
            profile->relation_kind[j] = "V";
        }
    }
    return true;
}

bool profile_make(const Frame *frame, int32_t target, Pool *pool, Profile **ret_profile, Error *err)
{
    double begun = clock_seconds();
    Profile *profile = calloc(1, sizeof *profile);
    if (!profile) memory_exhausted(sizeof *profile);
    profile->frame = frame;
    profile->target = target;
    profile->n_rows = frame->n_rows;
    profile->n_columns = frame->n_columns;
    profile->columns = arena_array(&profile->arena, ColumnProfile, frame->n_columns + 1);
    profile->numbers = arena_array(&profile->arena, int32_t, frame->n_columns + 1);
    for (int32_t j = 0; j < frame->n_columns; j++)
        if (frame->columns[j].type == COLUMN_NUMBER) profile->numbers[profile->n_numbers++] = j;

    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    Work work = {.profile = profile,
                 .ranks = arena_array(&profile->arena, Numbers, frame->n_columns + 1),
                 .keep_ranks = (double)profile->n_numbers * (double)frame->n_rows <=
                               PROFILE_CELLS_MAX,
                 .spaces = arena_array(&profile->arena, SortSpace, pool_threads(pool) + 1),
                 .mutex = &mutex};
    /* Rows first: what they need is given back before ranks are kept. */
    bool ok = look_at_rows(profile, pool, err);
    if (ok) parallel_for(pool, (size_t)frame->n_columns, 1, profile_columns, &work);
    for (int i = 0; i < work.n_spaces; i++) sort_space_clear(&work.spaces[i]);
    if (work.failed && err) *err = work.err;
    ok = ok && !work.failed && correlate(profile, &work, pool, err) &&
         relate_to_target(profile, err);
    for (int32_t j = 0; j < frame->n_columns; j++) ranks_clear(&work.ranks[j]);
    if (!ok) {
        profile_free(profile);
        return false;
    }
    profile_find_alerts(profile);
    profile->seconds = clock_seconds() - begun;
    *ret_profile = profile;
    return true;
}

void profile_free(Profile *profile)
{
    if (!profile) return;
    arena_clear(&profile->arena);
    free(profile);
}
