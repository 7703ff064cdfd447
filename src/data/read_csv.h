#ifndef CLARY_DATA_READ_CSV_H
#define CLARY_DATA_READ_CSV_H

/* CSV to a frame of typed columns; read.h says what options mean.
 *
 * Types follow from the first rows: a column is number, time (ISO 8601) or bool (true, false) when all
 * its fields there are, else category, or text when many rows have a value of their own.  When a later
 * row disagrees, the input is read again with that column as category: files from the start, pipes
 * from an unlinked temporary copy (under TMPDIR), which is kept only while types may still change.
 *
 * Missing are empty fields and, in number and time columns that are not demanded by
 * options.numeric or options.numbers, NA, N/A, NULL, None, nan and ?. */

#include "data/read.h"
#include "data/source.h"

/* `source` is open and not yet read (source_peek is fine). */
bool frame_read_csv(Source *source, const ReadOptions *options, Pool *pool, Frame **ret_frame,
                    ReadReport *report, Error *err);

#endif
