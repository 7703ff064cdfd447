#ifndef CLARY_NUM_LLOYD_INSIDE_H
#define CLARY_NUM_LLOYD_INSIDE_H

/* What the files of lloyd.h share. */

#include "num/lloyd.h"

enum { CHUNK_ROWS = 4096 }; /* of loops over rows */

static inline int32_t padded_width(int32_t d)
{
    return nearest_groups(d) * NEAREST_LINE;
}

static inline double weight_of(const LloydData *data, int64_t row)
{
    return data->weight ? (double)data->weight[row] : 1;
}

void lloyd_copy_row(const LloydData *data, int64_t row, float *out); /* less shift */

#endif
