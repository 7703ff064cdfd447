#ifndef CLARY_BOOST_PARTITION_H
#define CLARY_BOOST_PARTITION_H

/* Which rows of a node go left, by bins; and the stable move of rows to the two children. */

#include "boost/hist.h"

/* A split as the loop over bins wants it. */
typedef struct BinTest {
    int32_t column;
    bool default_left;
    bool categorical;
    int32_t bin; /* numeric: the last bin that goes left, -1: only missing ones do */
    const uint8_t
        *right; /* categorical: 1 for the bins that go right; n_right entries, others left */
    int32_t n_right;
} BinTest;

bool bin_goes_left(const BinTest *test, const Bins *bins, uint32_t bin);

/* Bit i of `bits` says whether rows[i] (NULL: row first + i) goes left; bits of a last partial word are 0
 * beyond n.  Returns how many do. */
size_t partition_bits(const Bins *bins, const BinTest *test, const uint32_t *rows, size_t first,
                      size_t n, uint64_t *bits);

/* label[row] = left where the bit is set, else right. */
void partition_label(const uint64_t *bits, const uint32_t *rows, size_t first, size_t n,
                     uint8_t left, uint8_t right, uint8_t *label);

/* Moves rows (NULL: first + i) and their pairs in order: to left_rows and left where the bit is
 * set, else to the right.  Where left.q or right.q is NULL, that side's pairs are not wanted.
 * n_left is the number of bits set. */
void partition_move(const uint64_t *bits, const uint32_t *rows, HistPairs pairs, size_t first,
                    size_t n, size_t n_left, uint32_t *left_rows, HistPairs left,
                    uint32_t *right_rows, HistPairs right);

#endif
