/* Radix sort of columns of numbers.
 *
 * Numbers become unsigned keys of the same order (the sign flipped for positive ones, all bits for negative ones).  Least significant
 * digit first, 11 bits at a time: three passes for floats, six for doubles; a pass whose digit is the same everywhere is left out, so
 * doubles that are small integers cost as much as floats.  All digits are counted in one read.
 *
 * With rows, a key travels with its row as one 64-bit word (floats) or beside it (doubles). */

#include "stats/sorted.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES_MAX = 6 };

typedef struct Keyed {
    uint64_t key;
    uint32_t row;
} Keyed;

static inline uint32_t key_of_float(float x)
{
    uint32_t bits;
    x += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static inline float float_of_key(uint32_t key)
{
    float x;
    key = key & 0x80000000u ? key & 0x7fffffffu : ~key;
    memcpy(&x, &key, sizeof x);
    return x;
}

static inline uint64_t key_of_double(double x)
{
    uint64_t bits;
    x += 0.0;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

static inline double double_of_key(uint64_t key)
{
    double x;
    key = key >> 63 ? key & ~(1ull << 63) : ~key;
    memcpy(&x, &key, sizeof x);
    return x;
}

static bool space_need(SortSpace *space, size_t bytes, Error *err)
{
    if (bytes <= space->bytes) return true;
    sort_space_clear(space);
    space->a = data_alloc(bytes, 1, "sorting a column", err);
    space->b = space->a ? data_alloc(bytes, 1, "sorting a column", err) : NULL;
    if (!space->b) {
        sort_space_clear(space);
        return false;
    }
    space->bytes = bytes;
    return true;
}

void sort_space_clear(SortSpace *space)
{
    data_free(space->a);
    data_free(space->b);
    *space = (SortSpace){0};
}

/* Starts of the digits' ranges from their counts; false when all keys have the same digit. */
static bool starts_of(uint32_t *counts, size_t n)
{
    uint32_t sum = 0;
    for (size_t d = 0; d < DIGITS; d++) {
        uint32_t count = counts[d];
        if (count == n && n) return false;
        counts[d] = sum;
        sum += count;
    }
    return true;
}

/* One function per kind of element; `key` is the expression of an element's key. */
#define SORT_FUNCTION(name, Type, key, passes)                                                     \
    static Type *name(Type *from, Type *to, size_t n)                                              \
    {                                                                                              \
        UNINITIALIZED uint32_t counts[passes][DIGITS];                                             \
        memset(counts, 0, sizeof counts);                                                          \
        for (size_t i = 0; i < n; i++) {                                                           \
            uint64_t k = key(from[i]);                                                             \
            for (int p = 0; p < (passes); p++) counts[p][k >> (p * DIGIT_BITS) & (DIGITS - 1)]++;  \
        }                                                                                          \
        for (int p = 0; p < (passes); p++) {                                                       \
            if (!starts_of(counts[p], n)) continue;                                                \
            uint32_t *start = counts[p];                                                           \
            for (size_t i = 0; i < n; i++) {                                                       \
                Type element = from[i];                                                            \
                to[start[key(element) >> (p * DIGIT_BITS) & (DIGITS - 1)]++] = element;            \
            }                                                                                      \
            Type *other = from;                                                                    \
            from = to;                                                                             \
            to = other;                                                                            \
        }                                                                                          \
        return from;                                                                               \
    }

#define KEY_ITSELF(element) ((uint64_t)(element))
#define KEY_HIGH(element) ((element) >> 32)
#define KEY_FIELD(element) ((element).key)
SORT_FUNCTION(sort_u32, uint32_t, KEY_ITSELF, 3)
SORT_FUNCTION(sort_u32_rows, uint64_t, KEY_HIGH, 3)
SORT_FUNCTION(sort_u64, uint64_t, KEY_ITSELF, 6)
SORT_FUNCTION(sort_u64_rows, Keyed, KEY_FIELD, 6)

static size_t collect_floats(const float *x, size_t n, uint32_t *keys)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        keys[k] = key_of_float(x[i]);
        k += x[i] == x[i];
    }
    return k;
}

static size_t collect_floats_rows(const float *x, size_t n, uint64_t *keys)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        keys[k] = (uint64_t)key_of_float(x[i]) << 32 | i;
        k += x[i] == x[i];
    }
    return k;
}

static size_t collect_doubles(const double *x, size_t n, uint64_t *keys)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        keys[k] = key_of_double(x[i]);
        k += x[i] == x[i];
    }
    return k;
}

static size_t collect_doubles_rows(const double *x, size_t n, Keyed *keys)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        keys[k] = (Keyed){key_of_double(x[i]), (uint32_t)i};
        k += x[i] == x[i];
    }
    return k;
}

/* Sorts in `space` and unpacks into the buffer that the sort has left free, or into `out` where that has arrays. */
static bool sort_into(const Numbers *numbers, bool with_rows, SortSpace *space, Sorted *out,
                      Error *err)
{
    size_t n = (size_t)numbers->n, m;
    bool single = numbers->f32 != NULL;
    size_t width = single      ? with_rows ? sizeof(uint64_t) : sizeof(uint32_t)
                        : with_rows ? sizeof(Keyed)
                               : sizeof(uint64_t);
    assert(n < UINT32_MAX);
    /* One element more: the last missing value is written and then not counted. */
    if (!space_need(space, (n + 1) * width, err)) return false;
    const void *keys;
    if (single && with_rows) {
        m = collect_floats_rows(numbers->f32, n, space->a);
        keys = sort_u32_rows(space->a, space->b, m);
    } else if (single) {
        m = collect_floats(numbers->f32, n, space->a);
        keys = sort_u32(space->a, space->b, m);
    } else if (with_rows) {
        m = collect_doubles_rows(numbers->f64, n, space->a);
        keys = sort_u64_rows(space->a, space->b, m);
    } else {
        m = collect_doubles(numbers->f64, n, space->a);
        keys = sort_u64(space->a, space->b, m);
    }
    void *values = keys == space->a ? space->b : space->a;
    if (!out->f32 && !out->f64) { /* a value and its row are no larger than its key */
        if (single)
            out->f32 = values;
        else
            out->f64 = values;
        if (with_rows) out->rows = (uint32_t *)((char *)values + n * (single ? 4 : 8));
    }
    if (single && with_rows) {
        const uint64_t *k = keys;
        for (size_t i = 0; i < m; i++) {
            out->f32[i] = float_of_key((uint32_t)(k[i] >> 32));
            out->rows[i] = (uint32_t)k[i];
        }
    } else if (single) {
        const uint32_t *k = keys;
        for (size_t i = 0; i < m; i++) out->f32[i] = float_of_key(k[i]);
    } else if (with_rows) {
        const Keyed *k = keys;
        for (size_t i = 0; i < m; i++) {
            out->f64[i] = double_of_key(k[i].key);
            out->rows[i] = k[i].row;
        }
    } else {
        const uint64_t *k = keys;
        for (size_t i = 0; i < m; i++) out->f64[i] = double_of_key(k[i]);
    }
    out->n = (int64_t)m;
    out->n_rows = numbers->n;
    return true;
}

bool sorted_view(const Numbers *numbers, bool with_rows, SortSpace *space, Sorted *ret_sorted,
                 Error *err)
{
    Sorted out = {0};
    if (!sort_into(numbers, with_rows, space, &out, err)) return false;
    *ret_sorted = out;
    return true;
}

bool sorted_make(const Numbers *numbers, bool with_rows, SortSpace *space, Sorted *ret_sorted,
                 Error *err)
{
    Sorted out = {0};
    if (numbers->f32)
        out.f32 = data_array(float, numbers->n, "a sorted column", err);
    else
        out.f64 = data_array(double, numbers->n, "a sorted column", err);
    if (with_rows && (out.f32 || out.f64))
        out.rows = data_array(uint32_t, numbers->n, "the order of a column", err);
    if ((!out.f32 && !out.f64) || (with_rows && !out.rows) ||
        !sort_into(numbers, with_rows, space, &out, err)) {
        sorted_clear(&out);
        return false;
    }
    *ret_sorted = out;
    return true;
}

void sorted_clear(Sorted *sorted)
{
    data_free(sorted->f32);
    data_free(sorted->f64);
    data_free(sorted->rows);
    *sorted = (Sorted){0};
}

double sorted_quantile_at(const Sorted *sorted, double p)
{
    if (!sorted->n) return NAN;
    double h = (double)(sorted->n - 1) * p;
    int64_t below = (int64_t)h;
    double low = sorted_at(sorted, below);
    if (below + 1 >= sorted->n || h == (double)below) return low;
    double high = sorted_at(sorted, below + 1), t = h - (double)below;
    if (low == high) return low; /* also two infinities */
    return t < 0.5 ? low + (high - low) * t : high - (high - low) * (1 - t); /* as numpy rounds */
}

int64_t sorted_below(const Sorted *sorted, double x)
{
    int64_t low = 0, high = sorted->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sorted_at(sorted, middle) < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t sorted_up_to(const Sorted *sorted, double x)
{
    int64_t low = 0, high = sorted->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sorted_at(sorted, middle) <= x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void sorted_ranks(const Sorted *sorted, double *ranks)
{
    for (int64_t i = 0; i < sorted->n_rows; i++) ranks[i] = NAN;
    for (int64_t i = 0; i < sorted->n;) {
        int64_t end = i + 1;
        double value = sorted_at(sorted, i);
        while (end < sorted->n && sorted_at(sorted, end) == value) end++;
        double rank = (double)(i + 1 + end) / 2;
        for (; i < end; i++) ranks[sorted->rows[i]] = rank;
    }
}

void sorted_ranks_f32(const Sorted *sorted, float *ranks)
{
    assert(sorted->n_rows <= RANKS_F32_MAX);
    if (sorted->n < sorted->n_rows)
        for (int64_t i = 0; i < sorted->n_rows; i++) ranks[i] = NAN;
    for (int64_t i = 0; i < sorted->n;) {
        int64_t end = i + 1;
        double value = sorted_at(sorted, i);
        while (end < sorted->n && sorted_at(sorted, end) == value) end++;
        float rank = (float)(i + 1 + end) / 2;
        for (; i < end; i++) ranks[sorted->rows[i]] = rank;
    }
}

/* Deviation number k (from 0) in order.  Those below and above the center are two ascending lists; i of the first k + 1 come from below,
 * where i is found by halving. */
static double deviation_at(const Sorted *sorted, double center, int64_t up, int64_t k)
{
    int64_t above = sorted->n - up, low = MAX((int64_t)0, k + 1 - above), high = MIN(k + 1, up);
    while (low < high) {
        int64_t i = low + (high - low) / 2;
        if (center - sorted_at(sorted, up - 1 - i) < sorted_at(sorted, up + k - i) - center)
            low = i + 1;
        else
            high = i;
    }
    double below_last = low > 0 ? center - sorted_at(sorted, up - low) : 0,
           above_last = k - low >= 0 ? sorted_at(sorted, up + k - low) - center : 0;
    return MAX(below_last, above_last);
}

double sorted_median_deviation(const Sorted *sorted, double center)
{
    int64_t n = sorted->n, up = sorted_below(sorted, center);
    if (!n) return NAN;
    double last = deviation_at(sorted, center, up, n / 2);
    return n % 2 ? last : (deviation_at(sorted, center, up, n / 2 - 1) + last) / 2;
}
