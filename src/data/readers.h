#ifndef CLARY_DATA_READERS_H
#define CLARY_DATA_READERS_H

/* The reader of each format, over an open source; read.c chooses among them.  The report's n_rows,
 * n_bytes and n_files are filled by read.c; readers fill n_skipped and first_skipped.
 *
 * The reader of CSV is in read_csv.h. */

#include "data/dictionary.h"
#include "data/read.h"
#include "data/source.h"

enum {
    LINE_BYTES_MAX = 16 << 20, /* of a row of text */
    FEATURES_MAX = 1 << 22,    /* of sparse data; each costs bookkeeping in every trainer */
    COLUMNS_MAX = 1 << 16,     /* of dense data */
};

/* Rows of "label[:weight] [qid:Q] index:value ...", as sparse data. */
bool dataset_read_libsvm(Source *source, const ReadOptions *options, const DatasetRoles *roles,
                         Pool *pool, Dataset **ret_dataset, ReadReport *report, Error *err);

/* RecordIO-protobuf: dense or sparse as the first record is. */
bool dataset_read_recordio(Source *source, const ReadOptions *options, const DatasetRoles *roles,
                           Pool *pool, Dataset **ret_dataset, ReadReport *report, Error *err);

/* A JSON object or array a line, or one array of them. */
bool frame_read_jsonl(Source *source, const ReadOptions *options, Pool *pool, Frame **ret_frame,
                      ReadReport *report, Error *err);

/* Through DuckDB's library.  The source is asked for its files only. */
bool frame_read_parquet(Source *source, const ReadOptions *options, Pool *pool, Frame **ret_frame,
                        ReadReport *report, Error *err);

/* ---- what readers of rows share (rows.c) ---- */

/* A dataset that grows row by row. */
typedef struct RowBuilder {
    Dataset *dataset;
    bool sparse;
    int64_t rows_capacity, values_capacity;
    int64_t n_values;
    int64_t *group_ids; /* per row, NULL while no row has one */
} RowBuilder;

/* Makes room for that many further rows (of n_features and label_width numbers, which are set) and,
 * when sparse, further stored values. */
bool rows_reserve(RowBuilder *builder, int64_t n_rows, int64_t n_values, Error *err);

/* Gives back what is not needed, makes the groups, and names the features f0, f1, ... */
bool rows_finish(RowBuilder *builder, const DatasetRoles *roles, Error *err);
void rows_clear(RowBuilder *builder);

/* A column of words, whose codes are set: with few different ones (CATEGORIES_FREE, or one in
 * CATEGORIES_SHARE rows) it is a category, as it is when `category_only`; else it becomes text. */
enum { CATEGORIES_FREE = 256, CATEGORIES_SHARE = 20 };
bool column_take_words(Frame *frame, Column *column, const Dictionary *words, bool category_only,
                       Error *err);

#endif
