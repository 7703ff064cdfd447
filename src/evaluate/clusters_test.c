#include "evaluate/clusters.h"

#include "base/random.h"
#include "base/test.h"

#include <math.h>

TEST(clusters, values_counted_by_hand)
{
    const float rows[] = {0, 1, 10, 11}, distance[] = {0.5f, 0.5f, 0.5f, 0.5f};
    const int32_t cluster[] = {0, 0, 1, 1};
    ClustersInput input = {.features = {.layout = MATRIX_ROWS,
                                        .n_rows = 4,
                                        .n_cols = 1,
                                        .rows = rows,
                                        .row_stride = 1},
                           .cluster = cluster,
                           .distance = distance,
                           .n_clusters = 2};
    ARENA(arena);
    Error err = {0};
    Clusters result;
    CHECK_OK(clusters_evaluate(&input, &arena, &result, &err), err);
    CHECK_NEAR(result.silhouette, 0.899749373433584, 1e-14); /* scikit-learn's */
    CHECK_NEAR(result.ssd, 1, 1e-15);
    CHECK_NEAR(result.msd, 0.25, 1e-15);
    CHECK_NEAR(result.total_ssd, 101, 1e-12);
    CHECK_NEAR(result.means[0], 0.5, 1e-15);
    CHECK_NEAR(result.means[1], 10.5, 1e-15);
    CHECK_INT(result.clusters[1].n_rows, 2);

    const int32_t one[] = {0, 0, 0, 0}, alone[] = {0, 1, 1, 1};
    input.cluster = one;
    input.n_clusters = 1;
    CHECK_OK(clusters_evaluate(&input, &arena, &result, &err), err);
    CHECK(isnan(result.silhouette));
    input.cluster = alone;
    input.n_clusters = 2;
    CHECK_OK(clusters_evaluate(&input, &arena, &result, &err), err);
    CHECK_NEAR(result.clusters[0].silhouette, 0, 0); /* a row by itself */
}

TEST(clusters, the_map_shows_where_rows_differ)
{
    /* A long direction across both features, noise across it: the first component is the long one
     * and has nearly all of the variance. */
    enum { N = 3000 };
    static float rows[N * 3], distance[N];
    static int32_t cluster[N];
    Random random = random_stream(3, 1);
    for (int i = 0; i < N; i++) {
        double t = random_unit(random, 2 * (uint64_t)i) * 10,
               noise = random_unit(random, 2 * (uint64_t)i + 1) - 0.5;
        rows[3 * i] = (float)(t + noise);
        rows[3 * i + 1] = (float)(100 * (t - noise));
        rows[3 * i + 2] = 7;
        cluster[i] = t > 5;
    }
    ClustersInput input = {.features = {.layout = MATRIX_ROWS,
                                        .n_rows = N,
                                        .n_cols = 3,
                                        .rows = rows,
                                        .row_stride = 3},
                           .cluster = cluster,
                           .distance = distance,
                           .n_clusters = 2};
    ARENA(arena);
    Error err = {0};
    Clusters result;
    CHECK_OK(clusters_evaluate(&input, &arena, &result, &err), err);
    CHECK_INT(result.n_sample, CLUSTER_SAMPLE);
    CHECK(result.map_share[0] > 0.97);
    CHECK_NEAR(result.map_share[0] + result.map_share[1], 1, 1e-6);
    double side = 0;
    for (int64_t i = 0; i < result.n_sample; i++) {
        double s = result.map_x[i] > 0 ? 1 : -1;
        side += s * (result.sample_cluster[i] ? 1 : -1);
    }
    CHECK(fabs(side) > 0.95 * (double)result.n_sample);
    CHECK_NEAR(result.deviation[2], 0, 0);
}
