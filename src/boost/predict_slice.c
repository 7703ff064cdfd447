/* Low trees for many rows at a time, without following a pointer.
 *
 * A column's values become ranks among the model's own thresholds for it, so a split is a comparison
 * of small integers, and it compares the same column with the same rank in every row.  So each node
 * of a tree is evaluated for all rows, 64 rows an instruction, one bit a row; that is 63 comparisons
 * where a walk makes 6, but they are sequential, without latency, gathers or mispredictions, and each
 * different one is made once for all trees (AVX-512): thresholds are cuts of the training data, and trees
 * come back to the same ones.  The
 * bits of the nodes on each level are then narrowed to the one on each row's path: bit 0 chooses
 * between the two nodes of level 1, and so on.  With one bit a row, 512 rows take one instruction a
 * choice, and a tree of height 6 takes 57 of them.  The path's bits number the leaf, whose value is
 * looked up in registers that hold all leaves.
 *
 * Missing values need no test either: they have rank 0 (always left) in one copy of a column's ranks
 * and the highest rank (always right) in another; each node reads the copy that fits.
 *
 * The idea of evaluating all nodes by bit masks is that of Lucchese, Nardini, Orlando, Perego,
 * Tonellotto, Venturini: QuickScorer, 2015; the narrowing level by level is ours. */

#include "boost/predict_internal.h"

#include "base/cpu.h"

#include <math.h>

/* Categories as codes; not worth a vector. */
static bool category_codes(const UsedColumn *column, const float *x, int32_t n, uint8_t *left,
                           uint8_t *right)
{
    bool missing = false;
    float end = (float)column->n_categories;
    for (int32_t i = 0; i < n; i++) {
        missing |= isnan(x[i]) != 0;
        left[i] = x[i] >= 0 && x[i] < end ? (uint8_t)x[i] : SLICE_CATEGORIES;
    }
    if (missing)
        for (int32_t i = 0; i < n; i++)
            right[i] = isnan(x[i]) ? (uint8_t)(SLICE_CATEGORIES + 1) : left[i];
    return missing;
}

#if CLARY_X86

#include <immintrin.h>

#define INLINE __attribute__((always_inline)) inline

/* Everything about a tree's shape is known when these loops are compiled.  With the address sanitizer
 * the unrolled code takes a compiler minutes, so it keeps its loops there. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define UNROLL(n)
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNROLL(n)
#endif
#ifndef UNROLL
#define UNROLL_TEXT(text) _Pragma(#text)
#define UNROLL(n) UNROLL_TEXT(GCC unroll n)
#endif

/* ================================ AVX-512 ================================ */

typedef struct Search512 {
    __m512 level[5]; /* 1, 2, 4, 8, 16 entries */
    __m512 level5[2], level6[4], level7[8];
} Search512;

/* Walks `levels` levels of the search tree for 16 values; the first 8 are in registers. */
static INLINE TARGET_AVX512 __m512i search_512(const Search512 *s, const float *tree, __m512 x,
                                               int levels)
{
    __m512i one = _mm512_set1_epi32(1);
    __mmask16 first = _mm512_cmp_ps_mask(x, s->level[0], _CMP_GE_OQ), second = 0;
    __m512i k = _mm512_maskz_mov_epi32(first, one);
    UNROLL(8)
    for (int l = 1; l < 8; l++) {
        if (l >= levels) break;
        __m512 t;
        if (l < 5) {
            t = _mm512_permutexvar_ps(k, s->level[l]);
        } else if (l == 5) {
            t = _mm512_permutex2var_ps(s->level5[0], k, s->level5[1]);
        } else if (l == 6) {
            /* The highest bit of k is the first comparison's outcome. */
            t = _mm512_mask_blend_ps(first, _mm512_permutex2var_ps(s->level6[0], k, s->level6[1]),
                                     _mm512_permutex2var_ps(s->level6[2], k, s->level6[3]));
        } else {
            t = _mm512_mask_blend_ps(
                first,
                _mm512_mask_blend_ps(second, _mm512_permutex2var_ps(s->level7[0], k, s->level7[1]),
                                     _mm512_permutex2var_ps(s->level7[2], k, s->level7[3])),
                _mm512_mask_blend_ps(second, _mm512_permutex2var_ps(s->level7[4], k, s->level7[5]),
                                     _mm512_permutex2var_ps(s->level7[6], k, s->level7[7])));
        }
        __mmask16 right = _mm512_cmp_ps_mask(x, t, _CMP_GE_OQ);
        if (l == 1) second = right;
        k = _mm512_add_epi32(k, k);
        k = _mm512_mask_add_epi32(k, right, k, one);
    }
    for (int l = 8; l < levels; l++) {
        __m512i at = _mm512_add_epi32(k, _mm512_set1_epi32((1 << l) - 1));
        __mmask16 right = _mm512_cmp_ps_mask(x, _mm512_i32gather_ps(at, tree, 4), _CMP_GE_OQ);
        k = _mm512_add_epi32(k, k);
        k = _mm512_mask_add_epi32(k, right, k, one);
    }
    return k;
}

static INLINE TARGET_AVX512 bool ranks_512(const UsedColumn *c, const float *x, int32_t n,
                                           void *out, int levels)
{
    const float *tree = c->search;
    UNINITIALIZED Search512 s;
    s.level[0] = _mm512_set1_ps(tree[0]);
    __m512 none = _mm512_setzero_ps();
    for (int l = 1; l < 5; l++)
        s.level[l] = l < levels ? _mm512_loadu_ps(tree + (1 << l) - 1) : none;
    for (int i = 0; i < 2; i++)
        s.level5[i] = levels > 5 ? _mm512_loadu_ps(tree + 31 + 16 * i) : none;
    for (int i = 0; i < 4; i++)
        s.level6[i] = levels > 6 ? _mm512_loadu_ps(tree + 63 + 16 * i) : none;
    for (int i = 0; i < 8; i++)
        s.level7[i] = levels > 7 ? _mm512_loadu_ps(tree + 127 + 16 * i) : none;
    __m512i top = _mm512_set1_epi32(c->n_thresholds);
    __mmask16 missing = 0;
    for (int32_t i = 0; i < n; i += 16) {
        __m512 v = _mm512_loadu_ps(x + i);
        missing |= _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        /* +inf passes the padding too. */
        __m512i rank = _mm512_min_epi32(search_512(&s, tree, v, levels), top);
        if (levels <= 8)
            _mm_storeu_si128((__m128i *)((uint8_t *)out + i), _mm512_cvtepi32_epi8(rank));
        else
            _mm256_storeu_si256((__m256i *)(void *)((uint16_t *)out + i),
                                _mm512_cvtepi32_epi16(rank));
    }
    return missing != 0;
}

static TARGET_AVX512 bool column_ranks_512(const UsedColumn *c, const float *x, int32_t n,
                                           void *left, void *right)
{
    bool missing;
    switch (c->levels) {
    case 1: missing = ranks_512(c, x, n, left, 1); break;
    case 2: missing = ranks_512(c, x, n, left, 2); break;
    case 3: missing = ranks_512(c, x, n, left, 3); break;
    case 4: missing = ranks_512(c, x, n, left, 4); break;
    case 5: missing = ranks_512(c, x, n, left, 5); break;
    case 6: missing = ranks_512(c, x, n, left, 6); break;
    case 7: missing = ranks_512(c, x, n, left, 7); break;
    case 8: missing = ranks_512(c, x, n, left, 8); break;
    default: missing = ranks_512(c, x, n, left, c->levels); break;
    }
    if (!missing || !c->right) return false;
    for (int32_t i = 0; i < n; i += 16) {
        __m512 v = _mm512_loadu_ps(x + i);
        __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        if (c->kind == SLICE_U8) {
            __m128i rank = _mm_loadu_si128((const __m128i *)((const uint8_t *)left + i));
            rank = _mm_mask_mov_epi8(rank, nan, _mm_set1_epi8((char)c->n_thresholds));
            _mm_storeu_si128((__m128i *)((uint8_t *)right + i), rank);
        } else {
            __m256i rank = _mm256_loadu_si256(
                (const __m256i *)(const void *)((const uint16_t *)left + i));
            rank = _mm256_mask_mov_epi16(rank, nan, _mm256_set1_epi16((short)c->n_thresholds));
            _mm256_storeu_si256((__m256i *)(void *)((uint16_t *)right + i), rank);
        }
    }
    return true;
}

/* Bit i of `bits`: row i goes right at this node. */
static INLINE TARGET_AVX512 void node_bits_512(const Predictor *p, const SliceNode *node,
                                               const void *const *slots, int n_groups,
                                               uint64_t *bits)
{
    const uint8_t *ranks = slots[node->slot];
    if (LIKELY(node->kind == SLICE_U8)) {
        __m512i rank = _mm512_set1_epi8((char)node->rank);
        if (LIKELY(n_groups == 8)) {
            UNROLL(8)
            for (int g = 0; g < 8; g++)
                bits[g] = _mm512_cmpgt_epu8_mask(_mm512_loadu_si512(ranks + 64 * g), rank);
        } else {
            for (int g = 0; g < n_groups; g++)
                bits[g] = _mm512_cmpgt_epu8_mask(_mm512_loadu_si512(ranks + 64 * g), rank);
        }
    } else if (node->kind == SLICE_U16) {
        __m512i rank = _mm512_set1_epi16((short)node->rank);
        for (int g = 0; g < n_groups; g++) {
            uint64_t low = _mm512_cmpgt_epu16_mask(_mm512_loadu_si512(ranks + 128 * g), rank);
            uint64_t high = _mm512_cmpgt_epu16_mask(_mm512_loadu_si512(ranks + 128 * g + 64), rank);
            bits[g] = low | high << 32;
        }
    } else {
        const uint8_t *set = p->slice_sets + (size_t)node->set * 256;
        __m512i t0 = _mm512_loadu_si512(set), t1 = _mm512_loadu_si512(set + 64);
        __m512i t2 = _mm512_loadu_si512(set + 128), t3 = _mm512_loadu_si512(set + 192);
        for (int g = 0; g < n_groups; g++) {
            __m512i code = _mm512_loadu_si512(ranks + 64 * g);
            __m512i low = _mm512_permutex2var_epi8(t0, code, t1);
            __m512i high = _mm512_permutex2var_epi8(t2, code, t3);
            bits[g] = _mm512_movepi8_mask(
                _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high));
        }
    }
}

/* The tests of one byte column for all rows: its ranks stay in registers. */
static TARGET_AVX512 void column_bits_512(const SliceNode *test, uint32_t n, const uint8_t *ranks,
                                          uint64_t *bits)
{
    __m512i rank[8];
    UNROLL(8)
    for (int g = 0; g < 8; g++) rank[g] = _mm512_loadu_si512(ranks + 64 * g);
    for (uint32_t i = 0; i < n; i++, bits += 8) {
        __m512i than = _mm512_set1_epi8((char)test[i].rank);
        UNROLL(8)
        for (int g = 0; g < 8; g++) bits[g] = _mm512_cmpgt_epu8_mask(rank[g], than);
    }
}

static TARGET_AVX512 void batch_512(const Predictor *p, const SliceBatch *batch,
                                    const void *const *slots, int32_t n, char *masks)
{
    int n_groups = (n + 63) / 64;
    const SliceNode *test = p->slice_tests + batch->first_test, *end = test + batch->n_tests;
    while (test < end) {
        uint32_t same = 1;
        if (test->kind == SLICE_U8 && n_groups == 8) {
            while (test + same < end && test[same].slot == test->slot) same++;
            column_bits_512(test, same, slots[test->slot], (uint64_t *)(void *)masks);
        } else {
            node_bits_512(p, test, slots, n_groups, (uint64_t *)(void *)masks);
        }
        test += same;
        masks += (size_t)same * SLICE_MASK;
    }
}

typedef struct Masks { /* of the places of a tree */
    const char *masks;
    const uint32_t *at;
} Masks;

static INLINE TARGET_AVX512 __m512i mask_of(Masks m, int place)
{
    return _mm512_load_si512(m.masks + m.at[place]);
}

enum { CHOOSE = 0xca }; /* of _mm512_ternarylogic: a ? b : c */

/* The bit of the node that is on each row's path at level `d`. */
static INLINE TARGET_AVX512 __m512i narrow_512(Masks m, const __m512i *path, int d)
{
    UNINITIALIZED __m512i v[64];
    int n = 1 << (d - 1);
    UNROLL(16)
    for (int i = 0; i < n; i++)
        v[i] = _mm512_ternarylogic_epi64(path[d - 1], mask_of(m, 2 * n + 2 * i + 1),
                                         mask_of(m, 2 * n + 2 * i), CHOOSE);
    UNROLL(8)
    for (int j = d - 2; j >= 0; j--) {
        n /= 2;
        UNROLL(16)
        for (int i = 0; i < n; i++)
            v[i] = _mm512_ternarylogic_epi64(path[j], v[2 * i + 1], v[2 * i], CHOOSE);
    }
    return v[0];
}

static INLINE TARGET_AVX512 void tree_512(const Predictor *p, const SliceTree *tree, int32_t n,
                                          float *acc, const char *masks, int height)
{
    int n_groups = (n + 63) / 64;
    Masks m = {masks, p->slice_at + tree->first_leaf};
    UNINITIALIZED __m512i path[SLICE_HEIGHT_MAX];
    path[0] = mask_of(m, 1);
    UNROLL(8)
    for (int d = 1; d < height; d++) path[d] = narrow_512(m, path, d);

    /* The lowest five bits of the leaf's number choose within 32 leaves, in two registers; those
     * above choose among the results. */
    const float *leaves = p->slice_leaves + tree->first_leaf;
    UNINITIALIZED __m512 leaf[16];
    int n_leaves = (1 << height) / 16;
    UNROLL(16)
    for (int i = 0; i < n_leaves; i++) leaf[i] = _mm512_loadu_ps(leaves + 16 * i);
    UNINITIALIZED uint64_t words[SLICE_HEIGHT_MAX][8];
    UNROLL(8)
    for (int d = 0; d < height; d++) _mm512_storeu_si512(words[d], path[d]);
    int over = height - 5;
    for (int g = 0; g < n_groups; g++) {
        __m512i number = _mm512_setzero_si512();
        UNROLL(5)
        for (int d = 0; d < 5; d++)
            number = _mm512_mask_add_epi8(number, words[over + d][g], number,
                                          _mm512_set1_epi8((char)(16 >> d)));
        __m128i part[4] = {_mm512_castsi512_si128(number), _mm512_extracti32x4_epi32(number, 1),
                           _mm512_extracti32x4_epi32(number, 2),
                           _mm512_extracti32x4_epi32(number, 3)};
        UNROLL(4)
        for (int q = 0; q < 4; q++) {
            __m512i k = _mm512_cvtepu8_epi32(part[q]);
            UNINITIALIZED __m512 v[8];
            int m_ = n_leaves / 2;
            UNROLL(8)
            for (int i = 0; i < m_; i++)
                v[i] = _mm512_permutex2var_ps(leaf[2 * i], k, leaf[2 * i + 1]);
            UNROLL(3)
            for (int d = over - 1; d >= 0; d--) {
                __mmask16 bit = (__mmask16)(words[d][g] >> (16 * q));
                m_ /= 2;
                UNROLL(4)
                for (int i = 0; i < m_; i++)
                    v[i] = _mm512_mask_blend_ps(bit, v[2 * i], v[2 * i + 1]);
            }
            float *to = acc + 64 * g + 16 * q;
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), v[0]));
        }
    }
}

/* The same for level d >= 3 of a tall tree: eight masks at a time become one. */
static INLINE TARGET_AVX512 __m512i narrow_tall_512(Masks m, const __m512i *path, int d, __m512i *v)
{
    int n = 1 << (d - 3);
    __m512i low = path[d - 1], middle = path[d - 2], high = path[d - 3];
    for (int i = 0; i < n; i++) {
        int place = 8 * (n + i);
        UNINITIALIZED __m512i w[4];
        UNROLL(4)
        for (int k = 0; k < 4; k++)
            w[k] = _mm512_ternarylogic_epi64(low, mask_of(m, place + 2 * k + 1),
                                             mask_of(m, place + 2 * k), CHOOSE);
        w[0] = _mm512_ternarylogic_epi64(middle, w[1], w[0], CHOOSE);
        w[2] = _mm512_ternarylogic_epi64(middle, w[3], w[2], CHOOSE);
        v[i] = _mm512_ternarylogic_epi64(high, w[2], w[0], CHOOSE);
    }
    for (int j = d - 4; j >= 0; j--) {
        n /= 2;
        for (int i = 0; i < n; i++)
            v[i] = _mm512_ternarylogic_epi64(path[j], v[2 * i + 1], v[2 * i], CHOOSE);
    }
    return v[0];
}

static TARGET_AVX512 void tall_tree_512(const Predictor *p, const SliceTree *tree, int32_t n,
                                        float *acc, const char *masks, void *scratch)
{
    int height = tree->height;
    Masks m = {masks, p->slice_at + tree->first_leaf};
    UNINITIALIZED __m512i path[SLICE_HEIGHT_TALL];
    path[0] = mask_of(m, 1);
    path[1] = narrow_512(m, path, 1);
    path[2] = narrow_512(m, path, 2);
    for (int d = 3; d < height; d++) path[d] = narrow_tall_512(m, path, d, scratch);

    const float *leaves = p->slice_leaves + tree->first_leaf;
    UNINITIALIZED uint16_t words[SLICE_HEIGHT_TALL][32];
    for (int d = 0; d < height; d++) _mm512_storeu_si512(words[d], path[d]);
    for (int g = 0; g < (n + 15) / 16; g++) {
        __m512i number = _mm512_setzero_si512();
        for (int d = 0; d < height; d++)
            number = _mm512_mask_add_epi32(number, words[d][g], number,
                                           _mm512_set1_epi32(1 << (height - 1 - d)));
        float *to = acc + 16 * g;
        _mm512_storeu_ps(
            to, _mm512_add_ps(_mm512_loadu_ps(to), _mm512_i32gather_ps(number, leaves, 4)));
    }
}

static TARGET_AVX512 void slice_tree_512(const Predictor *p, int32_t t, int32_t n, float *acc,
                                         char *scratch)
{
    const SliceTree *tree = &p->slices[t];
    const char *masks = scratch + SLICE_SCRATCH;
    if (tree->height == 6)
        tree_512(p, tree, n, acc, masks, 6);
    else if (tree->height == 7)
        tree_512(p, tree, n, acc, masks, 7);
    else if (tree->height == 8)
        tree_512(p, tree, n, acc, masks, 8);
    else
        tall_tree_512(p, tree, n, acc, masks, scratch);
}

/* ================================= AVX2 ================================= */

/* The same with a byte a row, 32 rows a register: AVX2 has no masks, and its byte comparison is
 * signed, so ranks are kept with the highest bit turned over. */

static TARGET_AVX2 bool column_ranks_256(const UsedColumn *c, const float *x, int32_t n, void *left,
                                         void *right)
{
    const float *tree = c->search;
    __m256 first = _mm256_set1_ps(tree[0]);
    __m256 l1 = _mm256_loadu_ps(tree + 1), l2 = _mm256_loadu_ps(tree + 3),
           l3 = _mm256_loadu_ps(tree + 7);
    __m256i top = _mm256_set1_epi32(c->n_thresholds);
    int levels = c->levels, missing = 0;
    for (int32_t i = 0; i < n; i += 8) {
        __m256 v = _mm256_loadu_ps(x + i);
        missing |= _mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
        /* A true comparison is -1. */
        __m256i k = _mm256_sub_epi32(_mm256_setzero_si256(),
                                     _mm256_castps_si256(_mm256_cmp_ps(v, first, _CMP_GE_OQ)));
        for (int l = 1; l < levels; l++) {
            __m256 t;
            if (l == 1)
                t = _mm256_permutevar8x32_ps(l1, k);
            else if (l == 2)
                t = _mm256_permutevar8x32_ps(l2, k);
            else if (l == 3)
                t = _mm256_permutevar8x32_ps(l3, k);
            else
                t = _mm256_i32gather_ps(tree + (1 << l) - 1, k, 4);
            k = _mm256_sub_epi32(_mm256_add_epi32(k, k),
                                 _mm256_castps_si256(_mm256_cmp_ps(v, t, _CMP_GE_OQ)));
        }
        k = _mm256_min_epi32(k, top);
        __m128i k16 = _mm_packus_epi32(_mm256_castsi256_si128(k), _mm256_extracti128_si256(k, 1));
        if (c->kind == SLICE_U8) {
            __m128i k8 = _mm_xor_si128(_mm_packus_epi16(k16, k16), _mm_set1_epi8((char)0x80));
            _mm_storel_epi64((__m128i *)(void *)((uint8_t *)left + i), k8);
        } else {
            k16 = _mm_xor_si128(k16, _mm_set1_epi16((short)0x8000));
            _mm_storeu_si128((__m128i *)(void *)((uint16_t *)left + i), k16);
        }
    }
    if (!missing || !c->right) return false;
    for (int32_t i = 0; i < n; i++) {
        bool nan = isnan(x[i]);
        if (c->kind == SLICE_U8)
            ((uint8_t *)right)[i] = nan ? (uint8_t)(c->n_thresholds ^ 0x80) : ((uint8_t *)left)[i];
        else
            ((uint16_t *)right)[i] = nan ? (uint16_t)(c->n_thresholds ^ 0x8000)
                                         : ((uint16_t *)left)[i];
    }
    return true;
}

enum { LANES_256 = 4 }; /* registers of 32 rows at a time */

static INLINE TARGET_AVX2 void node_bytes_256(const Predictor *p, const SliceNode *node,
                                              const void *const *slots, int32_t row, __m256i *to)
{
    const uint8_t *ranks = slots[node->slot];
    if (LIKELY(node->kind == SLICE_U8)) {
        __m256i rank = _mm256_set1_epi8((char)(node->rank ^ 0x80));
        UNROLL(4)
        for (int i = 0; i < LANES_256; i++)
            to[i] = _mm256_cmpgt_epi8(
                _mm256_loadu_si256((const __m256i *)(const void *)(ranks + row + 32 * i)), rank);
    } else if (node->kind == SLICE_U16) {
        __m256i rank = _mm256_set1_epi16((short)(node->rank ^ 0x8000));
        for (int i = 0; i < LANES_256; i++) {
            const __m256i *from = (const __m256i *)(const void *)(ranks + 2 * (row + 32 * i));
            __m256i low = _mm256_cmpgt_epi16(_mm256_loadu_si256(from), rank);
            __m256i high = _mm256_cmpgt_epi16(_mm256_loadu_si256(from + 1), rank);
            to[i] = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);
        }
    } else {
        const uint8_t *set = p->slice_sets + (size_t)node->set * 256;
        int8_t *bytes = (int8_t *)to;
        for (int i = 0; i < 32 * LANES_256; i++)
            bytes[i] = (int8_t)((int8_t)set[ranks[row + i]] >> 7);
    }
}

static INLINE TARGET_AVX2 void tree_256(const Predictor *p, const SliceTree *tree,
                                        const void *const *slots, int32_t n, float *acc, __m256i *m,
                                        int height)
{
    const SliceNode *nodes = p->slice_nodes + tree->first_node;
    const float *leaves = p->slice_leaves + tree->first_leaf;
    for (int32_t row = 0; row < n; row += 32 * LANES_256) {
        for (uint32_t i = 0; i < tree->n_nodes; i++)
            node_bytes_256(p, &nodes[i], slots, row, m + LANES_256 * nodes[i].place);
        for (int lane = 0; lane < LANES_256 && row + 32 * lane < n; lane++) {
            UNINITIALIZED __m256i path[SLICE_HEIGHT_MAX];
            path[0] = m[LANES_256 + lane];
            __m256i number = _mm256_and_si256(path[0], _mm256_set1_epi8((char)(1 << (height - 1))));
            UNROLL(8)
            for (int d = 1; d < height; d++) {
                UNINITIALIZED __m256i v[64];
                int w = 1 << (d - 1);
                UNROLL(16)
                for (int i = 0; i < w; i++)
                    v[i] = _mm256_blendv_epi8(m[LANES_256 * (2 * w + 2 * i) + lane],
                                              m[LANES_256 * (2 * w + 2 * i + 1) + lane],
                                              path[d - 1]);
                UNROLL(8)
                for (int j = d - 2; j >= 0; j--) {
                    w /= 2;
                    UNROLL(16)
                    for (int i = 0; i < w; i++)
                        v[i] = _mm256_blendv_epi8(v[2 * i], v[2 * i + 1], path[j]);
                }
                path[d] = v[0];
                number = _mm256_or_si256(
                    number,
                    _mm256_and_si256(v[0], _mm256_set1_epi8((char)(1 << (height - 1 - d)))));
            }
            UNINITIALIZED uint8_t at[32];
            _mm256_storeu_si256((__m256i *)(void *)at, number);
            float *to = acc + row + 32 * lane;
            for (int i = 0; i < 32; i++) to[i] += leaves[at[i]];
        }
    }
}

static TARGET_AVX2 void slice_tree_256(const Predictor *p, int32_t t, const void *const *slots,
                                       int32_t n, float *acc, void *scratch)
{
    const SliceTree *tree = &p->slices[t];
    if (tree->height == 6)
        tree_256(p, tree, slots, n, acc, scratch, 6);
    else if (tree->height == 7)
        tree_256(p, tree, slots, n, acc, scratch, 7);
    else
        tree_256(p, tree, slots, n, acc, scratch, 8);
}

bool slice_supported(void)
{
    return cpu_level() >= CPU_AVX2;
}

int32_t slice_height_max(void)
{
    return cpu_level() >= CPU_AVX512 ? SLICE_HEIGHT_TALL : SLICE_HEIGHT_MAX;
}

void slice_batch(const Predictor *p, const SliceBatch *batch, const void *const *slots, int32_t n,
                 void *scratch)
{
    if (cpu_level() >= CPU_AVX512) batch_512(p, batch, slots, n, (char *)scratch + SLICE_SCRATCH);
}

bool slice_ranks(const UsedColumn *column, const float *x, int32_t n, void *left, void *right)
{
    if (column->kind == SLICE_SET) return category_codes(column, x, n, left, right);
    return cpu_level() >= CPU_AVX512 ? column_ranks_512(column, x, n, left, right)
                                     : column_ranks_256(column, x, n, left, right);
}

void slice_tree(const Predictor *p, int32_t t, const void *const *slots, int32_t n, float *acc,
                void *scratch)
{
    if (cpu_level() >= CPU_AVX512)
        slice_tree_512(p, t, n, acc, scratch);
    else
        slice_tree_256(p, t, slots, n, acc, scratch);
}

#else

bool slice_supported(void)
{
    return false;
}

int32_t slice_height_max(void)
{
    return SLICE_HEIGHT_MAX;
}

void slice_batch(const Predictor *p, const SliceBatch *batch, const void *const *slots, int32_t n,
                 void *scratch)
{
    (void)p, (void)batch, (void)slots, (void)n, (void)scratch;
}

bool slice_ranks(const UsedColumn *column, const float *x, int32_t n, void *left, void *right)
{
    return category_codes(column, x, n, left, right);
}

void slice_tree(const Predictor *p, int32_t t, const void *const *slots, int32_t n, float *acc,
                void *scratch)
{
    (void)p, (void)t, (void)slots, (void)n, (void)acc, (void)scratch;
    assert(!"no vectors here");
}

#endif
