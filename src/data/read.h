#ifndef CLARY_DATA_READ_H
#define CLARY_DATA_READ_H

/* Reading tables, whatever their format and packing.
 *
 * A path is a file, a folder (its files are read in the order of their names, as one table), "-"
 * for standard input, or a named pipe.  gzip and zstd are recognised by their first bytes.
 *
 * What is wrong with the input is collected (the first five places, and how many there are in all)
 * and said with file, row, column, value and the way out; rows count from 1 and do not include the
 * header. */

#include "base/thread.h"
#include "data/dataset.h"
#include "data/frame.h"

typedef enum DataFormat {
    DATA_AUTO, /* by the ending of the name, else by the first bytes */
    DATA_CSV,
    DATA_LIBSVM,
    DATA_RECORDIO, /* RecordIO-protobuf */
    DATA_JSONL,
    DATA_PARQUET,
} DataFormat;

typedef enum HeaderMode { HEADER_AUTO, HEADER_YES, HEADER_NO } HeaderMode;

typedef struct ReadOptions {
    DataFormat format;
    HeaderMode header;  /* HEADER_AUTO: yes when the first line has no number and a later one does,
                            or all its fields are distinct names over differently typed values */
    char separator;     /* 0: found from the first line among , ; tab | */
    bool numeric;       /* every field must be a number or empty; a text is an error */
    bool f64;           /* number columns as double instead of float */
    bool skip_bad_rows; /* drop rows that are wrong and count them, instead of failing */
    int64_t rows_max;   /* stop after so many rows; 0: no limit */
    int depth;          /* folders below the given one that are looked into (SageMaker: 3) */
    const Str *numbers; /* names (or zero-based positions) of columns that must be numbers */
    int32_t n_numbers;
    const Str *categories; /* and of those that are categories even if they look like numbers */
    int32_t n_categories;
} ReadOptions;

typedef struct ReadReport {
    int64_t n_rows;
    int64_t n_skipped; /* rows that --skip-bad-rows dropped */
    int64_t n_bytes;   /* of the unpacked text */
    int32_t n_files;
    DataFormat format;       /* what it was */
    bool header;             /* whether a header was found */
    char first_skipped[512]; /* why the first row was dropped */
} ReadReport;

/* Reads a table into columns.  Sparse formats (libsvm, sparse RecordIO) are refused with the advice
 * to use dataset_read, which keeps them sparse. */
bool frame_read(const char *path, const ReadOptions *options, Pool *pool, Frame **ret_frame,
                ReadReport *ret_report, Error *err);

/* Reads rows of numbers with their labels: see dataset.h for what `role` says about columns. */
bool dataset_read(const char *path, const ReadOptions *options, const DatasetRoles *roles,
                  Pool *pool, Dataset **ret_dataset, ReadReport *ret_report, Error *err);

#endif
