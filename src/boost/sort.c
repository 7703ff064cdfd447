/* Sorting of floats: insertion for short arrays, merging for middling ones, and for long ones a
 * radix sort from the least significant digit, three passes of eleven bits. */

#include "boost/sort.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum {
    DIGIT_BITS = 11,
    DIGITS = 1 << DIGIT_BITS,
    PASSES = 3,
    INSERTION_MAX = 24,
    MERGE_MAX = 1500
};

/* Bits that sort as the floats do. */
static inline uint32_t ascending_bits(float value)
{
    uint32_t bits;
    value += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits ^ (bits >> 31 ? UINT32_MAX : 0x80000000u);
}

static void insertion_sort(SortItem *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        SortItem item = items[i];
        size_t j = i;
        for (; j > 0 && items[j - 1].key > item.key; j--) items[j] = items[j - 1];
        items[j] = item;
    }
}

static SortItem *merge_sort(SortItem *from, SortItem *to, size_t n)
{
    for (size_t i = 0; i < n; i += INSERTION_MAX)
        insertion_sort(from + i, MIN((size_t)INSERTION_MAX, n - i));
    for (size_t width = INSERTION_MAX; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t a = i, mid = MIN(n, i + width), b = mid, end = MIN(n, i + 2 * width);
            for (size_t k = i; k < end; k++)
                to[k] = b == end || (a < mid && from[a].key <= from[b].key) ? from[a++] : from[b++];
        }
        SortItem *other = from;
        from = to;
        to = other;
    }
    return from;
}

static SortItem *radix_sort(SortItem *from, SortItem *to, size_t n)
{
    uint32_t count[PASSES][DIGITS] = {{0}};
    for (size_t i = 0; i < n; i++)
        for (int p = 0; p < PASSES; p++) count[p][from[i].key >> (p * DIGIT_BITS) & (DIGITS - 1)]++;
    for (int p = 0; p < PASSES; p++) {
        uint32_t *c = count[p], sum = 0;
        if (c[from[0].key >> (p * DIGIT_BITS) & (DIGITS - 1)] == n) continue;
        for (int d = 0; d < DIGITS; d++) {
            uint32_t here = c[d];
            c[d] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++)
            to[c[from[i].key >> (p * DIGIT_BITS) & (DIGITS - 1)]++] = from[i];
        SortItem *other = from;
        from = to;
        to = other;
    }
    return from;
}

void sort_order(const float *key, bool descending, uint32_t *order, size_t n, SortItem *work)
{
    if (n == 0) return;
    uint32_t flip = descending ? UINT32_MAX : 0;
    for (size_t i = 0; i < n; i++) work[i] = (SortItem){ascending_bits(key[i]) ^ flip, (uint32_t)i};
    SortItem *sorted = n <= MERGE_MAX ? merge_sort(work, work + n, n)
                                      : radix_sort(work, work + n, n);
    for (size_t i = 0; i < n; i++) order[i] = sorted[i].row;
}

/* Moves the k-th smallest to values[k], smaller ones before it (Hoare's selection). */
static void select_kth(float *values, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = values[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (values[i] < pivot) i++;
            while (values[j] > pivot) j--;
            if (i >= j) break;
            float kept = values[i];
            values[i++] = values[j];
            values[j--] = kept;
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
}

float quantile_plain(float *values, size_t n, double alpha)
{
    if (n == 0) return 0;
    double position = alpha * ((double)n + 1);
    size_t k = position <= 1 ? 0 : position >= (double)n ? n - 1 : (size_t)floor(position) - 1;
    select_kth(values, n, k);
    double fraction = position - 1 - (double)k;
    if (position <= 1 || position >= (double)n) return values[k];
    float next = values[k + 1];
    for (size_t i = k + 2; i < n; i++) next = values[i] < next ? values[i] : next;
    return (float)((double)values[k] + fraction * ((double)next - (double)values[k]));
}

bool quantile_weighted(const float *values, const float *weight, size_t n, double alpha,
                       float *ret_quantile, Error *err)
{
    if (n == 0) {
        *ret_quantile = 0;
        return true;
    }
    AUTO_DATA SortItem *work = data_array(SortItem, 2 * n, "the sorting of a quantile", err);
    if (!work) return false;
    AUTO_DATA uint32_t *order = data_array(uint32_t, n, "the order of a quantile", err);
    if (!order) return false;
    sort_order(values, false, order, n, work);
    double total = 0, sum = 0;
    for (size_t i = 0; i < n; i++) total += (double)weight[order[i]];
    size_t i = 0;
    for (; i < n; i++) {
        sum += (double)weight[order[i]];
        if (sum >= total * alpha) break;
    }
    *ret_quantile = values[order[MIN(i, n - 1)]];
    return true;
}
