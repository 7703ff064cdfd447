/* Rows that are alike, trained on as one: see bins.h.
 *
 * Rows with the same bins and the same label have the same margin in every round, hence the same
 * gradients: one row with their weights summed up says all that they say.  Logs and tables of
 * categories repeat themselves a lot (of four rows of KDD Cup 99 three); measurements do not, and a sample of
 * rows tells so before much time is spent.
 *
 * Rows are laid out with their label behind the bins, hashed, and compared byte by byte where the hash
 * says so.  They keep the order of their first appearance. */

#include "boost/bins.h"

#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

enum {
    ALIKE_ROWS_MIN = 16384, /* below that there is nothing to be gained */
    SAMPLE_STEP = 16,
    HASH_CHUNK = 4096,
};

/* A sample holds fewer rows alike than the whole: one in fifty there is many here. */
#define SAMPLE_SHARE 0.98
#define ALIKE_SHARE 0.875

typedef struct RowKeys { /* of rows 0, step, 2 step, ... */
    const Bins *bins;
    const float *label;
    size_t n, step, stride;
    uint8_t *bytes;
    uint64_t *hash;
} RowKeys;

static void make_keys(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    RowKeys *keys = arg;
    const Bins *bins = keys->bins;
    size_t width = (size_t)bins->width, stride = keys->stride;
    /* Blocks whose keys stay in L1 while the columns pass by. */
    for (size_t block = begin; block < end; block += 256) {
        size_t stop = MIN(end, block + 256);
        for (int32_t j = 0; j < bins->n_cols; j++) {
            const uint8_t *col = bins->cols + (size_t)j * bins->col_stride;
            uint8_t *out = keys->bytes + (size_t)j * width;
            if (width == 1)
                for (size_t i = block; i < stop; i++) out[i * stride] = col[i * keys->step];
            else
                for (size_t i = block; i < stop; i++)
                    memcpy(out + i * stride, col + 2 * i * keys->step, 2);
        }
        for (size_t i = block; i < stop; i++) {
            uint8_t *key = keys->bytes + i * stride;
            memcpy(key + (size_t)bins->n_cols * width, &keys->label[i * keys->step], sizeof(float));
            keys->hash[i] = hash_bytes(key, stride, 0);
        }
    }
}

/* Gives every row the number of its kind, in the order of first appearance; returns the number of kinds,
 * 0 with an error. */
static size_t number_kinds(const Bins *bins, const float *label, size_t step, Pool *pool,
                           uint32_t *kind, Error *err)
{
    RowKeys keys = {.bins = bins, .label = label, .step = step};
    keys.n = chunk_count((size_t)bins->n_rows, step);
    keys.stride = ((size_t)bins->n_cols * (size_t)bins->width + sizeof(float) + 7) & ~(size_t)7;
    size_t capacity = 1024;
    while (capacity < 2 * keys.n) capacity *= 2;
    AUTO_DATA uint8_t *bytes = data_alloc(keys.n, keys.stride, "the rows", err);
    AUTO_DATA uint64_t *hash = data_array(uint64_t, keys.n, "the rows", err);
    AUTO_DATA uint32_t *first = data_array(uint32_t, keys.n, "the rows", err);
    AUTO_DATA uint32_t *table = data_array(uint32_t, capacity, "the rows", err);
    if (!bytes || !hash || !first || !table) return 0;
    keys.bytes = bytes;
    keys.hash = hash;
    parallel_for(pool, keys.n, HASH_CHUNK, make_keys, &keys);

    size_t n_kinds = 0;
    for (size_t i = 0; i < keys.n; i++) {
        size_t at = hash[i] & (capacity - 1);
        for (;; at = (at + 1) & (capacity - 1)) {
            if (!table[at]) {
                first[n_kinds] = (uint32_t)i;
                table[at] = (uint32_t)++n_kinds; /* 0: empty */
                break;
            }
            size_t other = first[table[at] - 1];
            if (hash[other] == hash[i] &&
                !memcmp(bytes + other * keys.stride, bytes + i * keys.stride, keys.stride))
                break;
        }
        kind[i] = table[at] - 1;
    }
    return n_kinds;
}

typedef struct Squeeze {
    Bins *bins;
    const uint32_t *first; /* row of each kind, ascending */
    size_t n_kinds;
} Squeeze;

static void squeeze_column(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    const Squeeze *squeeze = arg;
    uint8_t *col = squeeze->bins->cols + chunk * squeeze->bins->col_stride;
    if (squeeze->bins->width == 1)
        for (size_t k = 0; k < squeeze->n_kinds; k++) col[k] = col[squeeze->first[k]];
    else
        for (size_t k = 0; k < squeeze->n_kinds; k++)
            memmove(col + 2 * k, col + 2 * (size_t)squeeze->first[k], 2);
}

bool bins_merge_alike(Bins *bins, const Labels *labels, Pool *pool, Error *err)
{
    size_t n = (size_t)bins->n_rows;
    if (n < ALIKE_ROWS_MIN || bins->width == 0) return true;
    AUTO_DATA uint32_t *kind = data_array(uint32_t, n, "the rows", err);
    if (!kind) return false;
    size_t n_sample = chunk_count(n, SAMPLE_STEP);
    size_t n_kinds = number_kinds(bins, labels->label, SAMPLE_STEP, pool, kind, err);
    if (!n_kinds) return false;
    if ((double)n_kinds > SAMPLE_SHARE * (double)n_sample) return true;
    n_kinds = number_kinds(bins, labels->label, 1, pool, kind, err);
    if (!n_kinds) return false;
    if ((double)n_kinds > ALIKE_SHARE * (double)n) return true;

    AUTO_DATA double *weight = data_array(double, n_kinds, "the weights", err);
    AUTO_DATA uint32_t *first = data_array(uint32_t, n_kinds, "the rows", err);
    bins->alike_label = data_array(float, n_kinds, "the labels", err);
    bins->alike_weight = data_array(float, n_kinds, "the weights", err);
    if (!weight || !first || !bins->alike_label || !bins->alike_weight) return false;
    for (size_t i = n; i-- > 0;) first[kind[i]] = (uint32_t)i;
    for (size_t i = 0; i < n; i++) {
        weight[kind[i]] += labels->weight ? (double)labels->weight[i] : 1;
        bins->alike_label[kind[i]] = labels->label[i];
    }
    for (size_t k = 0; k < n_kinds; k++) bins->alike_weight[k] = (float)weight[k];
    Squeeze squeeze = {bins, first, n_kinds};
    parallel_for(pool, (size_t)bins->n_cols, 1, squeeze_column, &squeeze);
    bins->n_rows = (int64_t)n_kinds;
    bins->alike = STEAL(kind);
    return true;
}
