#ifndef CLARY_EVALUATE_CLUSTERS_H
#define CLARY_EVALUATE_CLUSTERS_H

/* What clusters look like: sizes, how tight and how far apart, what their rows have in common, and a
 * map of them on the two directions in which the rows differ most. */

#include "base/arena.h"
#include "base/error.h"
#include "num/matrix.h"

enum { CLUSTERS_MAX = 65536, CLUSTER_SAMPLE = 2000 };

typedef struct ClustersInput {
    Matrix features;        /* no missing values */
    const int32_t *cluster; /* of each row, below n_clusters */
    const float *distance;  /* to its center */
    int32_t n_clusters;     /* as far as rows say */
} ClustersInput;

typedef struct Cluster {
    int64_t n_rows;
    double ssd;        /* squared distances to the center, summed */
    double silhouette; /* mean over the sample's rows; NaN: none of them is in it */
} Cluster;

typedef struct Clusters {
    int64_t n_rows;
    int32_t n, n_features;
    Cluster *clusters;
    double ssd, msd;          /* the inertia, and its mean over rows */
    double total_ssd;         /* about the mean of all rows: one cluster would have it */
    double silhouette;        /* over the sample; NaN when its rows are of one cluster */
    double *means;            /* n x n_features: the mean row of each cluster */
    double *mean, *deviation; /* n_features each, over all rows */

    int64_t n_sample; /* rows evenly spread over the data, at most CLUSTER_SAMPLE */
    int32_t *sample_cluster;
    double *map_x, *map_y; /* the sample on its two first principal components (standardized) */
    double map_share[2];   /* of the sample's variance */
} Clusters;

bool clusters_evaluate(const ClustersInput *input, Arena *arena, Clusters *ret_result, Error *err);

#endif
