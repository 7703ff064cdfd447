/* Least significant digit first radix sort of floats: three passes of eleven bits. */

#include "boost/sort.h"

#include "base/memory.h"

#include <string.h>

typedef struct Item {
    uint32_t key, row;
} Item;

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 3 };

/* Bits that sort as the floats do. */
static inline uint32_t ascending_bits(float value)
{
    uint32_t bits;
    value += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits ^ (bits >> 31 ? UINT32_MAX : 0x80000000u);
}

static bool sort(const float *key, uint32_t flip, uint32_t *order, size_t n, Error *err)
{
    AUTO_DATA Item *items = data_array(Item, 2 * n, "the sorting of scores", err);
    if (!items) return false;
    uint32_t count[PASSES][DIGITS] = {{0}};
    Item *from = items, *to = items + n;
    for (size_t i = 0; i < n; i++) {
        uint32_t k = ascending_bits(key[i]) ^ flip;
        from[i] = (Item){k, (uint32_t)i};
        for (int p = 0; p < PASSES; p++) count[p][k >> (p * DIGIT_BITS) & (DIGITS - 1)]++;
    }
    for (int p = 0; p < PASSES; p++) {
        uint32_t *c = count[p], sum = 0;
        if (n && c[from[0].key >> (p * DIGIT_BITS) & (DIGITS - 1)] == n) continue;
        for (int d = 0; d < DIGITS; d++) {
            uint32_t here = c[d];
            c[d] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++) to[c[from[i].key >> (p * DIGIT_BITS) & (DIGITS - 1)]++] = from[i];
        Item *other = from;
        from = to;
        to = other;
    }
    for (size_t i = 0; i < n; i++) order[i] = from[i].row;
    return true;
}

bool sort_descending(const float *key, uint32_t *order, size_t n, Error *err)
{
    return sort(key, UINT32_MAX, order, n, err);
}

bool sort_ascending(const float *key, uint32_t *order, size_t n, Error *err)
{
    return sort(key, 0, order, n, err);
}
