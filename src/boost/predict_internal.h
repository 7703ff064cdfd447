#ifndef CLARY_BOOST_PREDICT_INTERNAL_H
#define CLARY_BOOST_PREDICT_INTERNAL_H

/* The compiled form of a model that predict.c, predict_walk.c and predict_slice.c share. */

#include "base/arena.h"
#include "boost/predict.h"

/* ---- packed trees: for single rows, tall trees and every processor ---- */

/* Nodes in breadth-first order; children are neighbours.  A leaf points at itself and compares
 * with the extra column n_used, which holds 0: walking on from it changes nothing, so that several
 * rows or trees can go in step without a branch. */
typedef struct PackedNode {
    float threshold; /* +inf in a leaf */
    uint32_t column; /* used column << 2 | PACKED_CATEGORY | PACKED_RIGHT */
    int32_t left;    /* index in `nodes`; a leaf's own */
    union {
        float value;  /* of a leaf, tree weight included */
        uint32_t set; /* of a categorical split */
    };
} PackedNode;

enum { PACKED_RIGHT = 1, PACKED_CATEGORY = 2 }; /* missing goes right; split by a set */

/* Bit c of `words`: category c goes right.  Few and large categories stand in a sorted list instead,
 * so that the set takes no more memory than the file that it is from. */
typedef struct CategorySet {
    uint32_t n_words, n_list;
    const uint32_t *words, *list;
} CategorySet;

static inline bool set_has(const CategorySet *set, uint32_t category)
{
    if (category / 32 < set->n_words) return set->words[category / 32] >> (category % 32) & 1;
    uint32_t low = 0, high = set->n_list;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->list[middle] < category)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->n_list && set->list[low] == category;
}

typedef struct PackedTree {
    int32_t root, height, group;
    bool categorical; /* some node is */
} PackedTree;

/* ---- sliced trees: a node is one comparison over the ranks of many rows ---- */

enum {
    SLICE_ROWS = 512, /* rows of a block: one bit each in a 512-bit register */
    SLICE_HEIGHT_MAX = 8,
    SLICE_HEIGHT_TALL = 10,    /* with AVX-512 */
    SLICE_BATCH_TESTS = 16384, /* of trees that share their tests: 1 MiB of masks */
    SLICE_RANKS_8 = 255,       /* thresholds of a column whose ranks fit a byte */
    SLICE_RANKS_16 = 65535,
    SLICE_CATEGORIES = 254, /* codes 0..253, then "in no set" and "missing, goes right" */
};

typedef enum SliceKind { SLICE_U8, SLICE_U16, SLICE_SET } SliceKind;

/* A column of the data that some split looks at.  Its ranks say how many of its distinct
 * thresholds are <= the value, so that `value < threshold[k]` is `rank <= k` exactly. */
typedef struct UsedColumn {
    int32_t feature;
    SliceKind kind;
    bool sliceable;
    bool left, right;     /* some split sends missing values left / right */
    int32_t n_thresholds; /* distinct; 0 for categories */
    int32_t n_categories; /* above the largest category in any set */
    int32_t levels;       /* the search tree has 2^levels - 1 entries */
    float *thresholds;    /* ascending */
    float *search;        /* the same, level by level (Eytzinger's order), padded with +inf */
} UsedColumn;

typedef struct SliceNode {
    uint32_t slot;  /* 2 * used column + (missing goes right) */
    uint16_t rank;  /* goes right when the rank is greater */
    uint16_t place; /* in the complete tree: root 1, children 2p and 2p + 1 */
    uint32_t set;   /* SLICE_SET: number of the 256-byte table */
    uint8_t kind;   /* SliceKind */
} SliceNode;

/* Consecutive trees and the tests that their nodes make: each different one once. */
typedef struct SliceBatch {
    int32_t first_tree, end_tree;
    uint32_t first_test, n_tests;
} SliceBatch;

typedef struct SliceTree {
    bool usable;
    int32_t height; /* 6 to 10: of the complete tree it is padded to */
    uint32_t first_node, n_nodes;
    uint32_t first_leaf; /* 2^height values from here; and as many places in slice_at */
} SliceTree;

struct Predictor {
    const BoostModel *model;
    Arena arena;
    int32_t n_groups, n_features, n_trees;
    float *base; /* margin each group starts from */

    UsedColumn *used;
    int32_t n_used;
    int32_t *used_of_feature;  /* n_features: 1 + used column (numeric), or 0: memory that is never
                                  touched costs nothing, however many features a file claims */
    int32_t *used_of_category; /* the same for categorical splits */

    PackedNode *nodes;
    PackedTree *trees;
    CategorySet *sets;
    int32_t n_sets;

    bool sliced;     /* any tree is usable */
    bool all_sliced; /* every tree is */
    bool any_tall;   /* of height 9 or 10 */
    bool any_category;
    SliceTree *slices;
    SliceNode *slice_nodes;
    float *slice_leaves; /* 64-byte aligned per tree */
    SliceNode *slice_tests;
    SliceBatch *slice_batches;
    int32_t n_batches;
    uint32_t tests_max;  /* of a batch */
    uint32_t *slice_at;  /* of each place of a tree: where among the batch's masks, in bytes */
    uint8_t *slice_sets; /* 256 bytes each: 0x80 goes right */
};

/* Adds one tree for n rows of `stride` floats (the used columns and the extra zero column) to
 * acc[0 .. n).  `missing`: some value may be NaN. */
void walk_rows(const Predictor *p, int32_t tree, const float *x, int64_t stride, int32_t n,
               bool missing, float *acc);

/* One row, several trees in step. */
void walk_row(const Predictor *p, const float *x, bool missing, float *out);

/* Walks the model itself: rows of very many columns.  Adds to out. */
void walk_model(const BoostModel *model, const float *row, float *out);

/* Refuses data whose columns do not fit the model's features. */
bool predict_check(const BoostModel *model, const Matrix *data, Error *err);

/* Row i as n_features floats, whatever the layout. */
void predict_copy_row(const BoostModel *model, const Matrix *data, int64_t i, float *row);

/* Ranks of n <= SLICE_ROWS values of a column, into one or two blocks of SLICE_ROWS ranks (u8 or
 * u16 by the column's kind): missing values as 0 and as the highest rank.  Returns whether there
 * are missing ones; `right` is filled only then. */
bool slice_ranks(const UsedColumn *column, const float *x, int32_t n, void *left, void *right);

/* Adds one sliced tree to acc[0 .. n rounded up to 64).  `slots` are blocks of ranks; `scratch` has
 * slice_scratch bytes, 64-byte aligned, zeroed once.  With AVX-512 slice_batch comes first, for the batch
 * that the tree is in. */
enum { SLICE_SCRATCH = 256 * 128, SLICE_MASK = SLICE_ROWS / 8 };
static inline size_t slice_scratch(const Predictor *p)
{
    return SLICE_SCRATCH + (size_t)p->tests_max * SLICE_MASK;
}
void slice_batch(const Predictor *p, const SliceBatch *batch, const void *const *slots, int32_t n,
                 void *scratch);
void slice_tree(const Predictor *p, int32_t tree, const void *const *slots, int32_t n, float *acc,
                void *scratch);
int32_t slice_height_max(void); /* on this processor */
bool slice_supported(void);     /* by this processor */

#endif
