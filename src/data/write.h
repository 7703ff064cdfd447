#ifndef CLARY_DATA_WRITE_H
#define CLARY_DATA_WRITE_H

/* Writing tables and datasets, row by row through a buffer, to a file descriptor.  What is written
 * reads back to the same values; numbers are in their shortest form.
 *
 *                 a frame                     a dataset
 *   CSV           header, then a row a line   labels, weight and features in this order
 *   JSON Lines    an object a line            an object a line; of sparse rows what they have
 *   libsvm        -                           label[:weight] [qid:group] index:value, by position
 *   RecordIO      -                           features["values"], label["values"], uid, metadata
 *
 * Missing is an empty field in CSV, null in JSON, left out in libsvm and NaN in dense RecordIO. */

#include "base/strbuf.h"
#include "data/dataset.h"
#include "data/frame.h"
#include "data/read.h"

typedef struct WriteOptions {
    DataFormat format; /* DATA_AUTO: CSV.  Parquet is not written. */
    bool no_header;    /* CSV */
    char separator;    /* CSV; 0: a comma */
} WriteOptions;

/* `name` is for messages. */
bool frame_write(const Frame *frame, const WriteOptions *options, int fd, const char *name,
                 Error *err);
bool dataset_write(const Dataset *dataset, const WriteOptions *options, int fd, const char *name,
                   Error *err);

/* Text as a CSV field: quoted only where it must be. */
void csv_write_field(StrBuf *out, Str text, char separator);

#endif
