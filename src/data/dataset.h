#ifndef CLARY_DATA_DATASET_H
#define CLARY_DATA_DATASET_H

/* What algorithms learn from: features as float32, and beside them labels, weights and groups.
 *
 * A Dataset owns its memory, column by column, so that a trainer may give back each column as soon
 * as it has its own form of it (dataset_release_column). */

#include "data/frame.h"
#include "num/matrix.h"

typedef enum FeatureKind { FEATURE_NUMBER, FEATURE_CATEGORY } FeatureKind;

/* What a model must know to read the same columns again; stored with it. */
typedef struct Feature {
    Str name; /* "f0", "f1", ... where the data has no names */
    FeatureKind kind;
    Str *categories; /* FEATURE_CATEGORY: value = position here; unknown ones become missing */
    int32_t n_categories;
} Feature;

typedef struct Schema {
    Feature *features;
    int32_t n_features;
    Str target;   /* name of the target column, "" when unknown */
    Str *classes; /* the target's values, sorted, when it is text; the label is the position */
    int32_t n_classes;
} Schema;

/* Which column is what.  Names, or zero-based positions as text; "" means there is none. */
typedef struct DatasetRoles {
    Str target;
    Str weight;
    Str group;          /* query id of ranking data; rows of a query must be adjacent */
    const Str *ignored; /* columns to leave out */
    int32_t n_ignored;
    int32_t label_size; /* SageMaker's form: the first label_size columns are labels, no names
                            (-1: not given; 0: no label).  Used when `target` is "". */
    bool csv_weights;   /* the column after the label is the weight (XGBoost's csv_weights) */
    bool no_target;     /* the data has no target column (prediction, unsupervised) */
    const Schema
        *schema; /* read for this model: same columns by name, its dictionaries, NULL: new */
} DatasetRoles;

typedef struct Dataset {
    Arena arena;
    Schema schema; /* in the arena */
    int64_t n_rows;
    int32_t n_features;

    float *
        *columns; /* dense: n_features arrays of n_rows, each its own data_alloc; NULL if sparse */
    int64_t *row_start; /* sparse (CSR): n_rows + 1, else NULL */
    int32_t *col;
    float *value;

    int32_t label_width;  /* labels a row: 0, 1 or more */
    float *label;         /* n_rows x label_width */
    float *weight;        /* NULL: all 1 */
    int64_t *group_start; /* ranking: n_groups + 1 row numbers, or NULL */
    int64_t n_groups;

    int64_t
        n_unknown; /* values of categories that the given schema does not know: read as missing */
    Str unknown_example; /* "'Mars' in column 'planet'" */
    int32_t index_min;   /* libsvm: the smallest feature index in the file (1 in many files, which
                            count from 1), else 0 */

    Str *uid; /* RecordIO: uid and metadata of each record where there were any, else NULL */
    Str *metadata;
} Dataset;

Dataset *dataset_new(void);
void dataset_free(Dataset *dataset);
AUTO_FREE(Dataset, dataset_free);

/* The features as numeric code takes them.  `absent` of a sparse view is NaN; change it if needed. */
Matrix dataset_matrix(const Dataset *dataset);

/* Gives back one dense column; the view's pointer to it must not be used again. */
void dataset_release_column(Dataset *dataset, int32_t column);

/* Columns are matched with `roles->schema` by name where the data has names, else by position.
 *
 * Takes the columns over from `frame` (which is emptied, but still to be freed), in their order.
 * Categories become their codes, bools 0 and 1, times seconds; text columns are refused, as are
 * targets with missing values, with the row and the way out. */
bool dataset_from_frame(Frame *frame, const DatasetRoles *roles, Dataset **ret_dataset, Error *err);

/* Ids of rows to groups of adjacent rows; an id that comes back later is refused with its row. */
bool groups_from_ids(const int64_t *ids, int64_t n_rows, int64_t **ret_start, int64_t *ret_n,
                     Error *err);

/* Refuses weights that are missing, negative or infinite, and those that are all 0. */
bool weights_check(const float *weight, int64_t n_rows, Error *err);

/* Schema as JSON text and back (the file `clary.json` of a model has it). */
void schema_copy(const Schema *schema, Arena *arena, Schema *ret_schema);

#endif
