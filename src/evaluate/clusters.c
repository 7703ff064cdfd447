/* Sizes and sums over all rows; silhouettes and the map over a sample.
 *
 * A silhouette takes the distance to every other row, so it is that of the sample's rows within the
 * sample: (b - a) / max(a, b), a the mean distance to the others of the same cluster, b the smallest
 * mean distance to the rows of another.  A row alone in its cluster has 0.
 *
 * The map's directions come from repeated multiplication with the sample's rows (subspace iteration),
 * which needs no square matrix of features.
 *
 * Rousseeuw: Silhouettes: a Graphical Aid to the Interpretation and Validation of Cluster Analysis,
 * 1987. */

#include "evaluate/clusters.h"

#include "base/memory.h"

#include <math.h>

enum { BLOCK = 256, ITERATIONS = 300 };

/* ---- all rows ---- */

static bool sum_rows(const ClustersInput *input, Clusters *result, Error *err)
{
    int32_t d = result->n_features;
    AUTO_DATA float *rows = data_array(float, (int64_t)BLOCK *d, "a block of rows", err);
    if (!rows) return false;
    for (int64_t begin = 0; begin < result->n_rows; begin += BLOCK) {
        int64_t end = MIN(begin + BLOCK, result->n_rows);
        matrix_copy_rows(&input->features, begin, end, rows, d);
        for (int64_t i = begin; i < end; i++) {
            const float *row = rows + (i - begin) * d;
            double *mean = result->means + (int64_t)input->cluster[i] * d;
            Cluster *cluster = &result->clusters[input->cluster[i]];
            double distance = (double)input->distance[i];
            cluster->n_rows++;
            cluster->ssd += distance * distance;
            result->ssd += distance * distance;
            for (int32_t j = 0; j < d; j++) {
                double x = (double)row[j], delta = x - result->mean[j];
                mean[j] += x;
                result->mean[j] += delta / (double)(i + 1); /* Welford's way: no cancellation */
                result->deviation[j] += delta * (x - result->mean[j]);
            }
        }
    }
    for (int32_t j = 0; j < d; j++) {
        result->total_ssd += result->deviation[j];
        result->deviation[j] = sqrt(result->deviation[j] / (double)result->n_rows);
    }
    for (int32_t k = 0; k < result->n; k++)
        for (int32_t j = 0; j < d; j++)
            result->means[(int64_t)k * d + j] /= (double)MAX(result->clusters[k].n_rows, 1);
    result->msd = result->ssd / (double)result->n_rows;
    return true;
}

/* ---- the sample ---- */

static void find_silhouettes(const float *rows, double *sums, const int64_t *counts, int64_t *n_of,
                             Clusters *result)
{
    int64_t m = result->n_sample, n_seen = 0;
    int32_t d = result->n_features;
    double total = 0;
    for (int64_t i = 0; i < m; i++) {
        memset(sums, 0, (size_t)result->n * sizeof *sums);
        for (int64_t k = 0; k < m; k++) {
            double square = 0;
            for (int32_t j = 0; j < d; j++) {
                double v = (double)rows[i * d + j] - (double)rows[k * d + j];
                square += v * v;
            }
            sums[result->sample_cluster[k]] += sqrt(square);
        }
        int32_t own = result->sample_cluster[i];
        double other = INFINITY;
        for (int32_t c = 0; c < result->n; c++)
            if (c != own && counts[c]) other = fmin(other, sums[c] / (double)counts[c]);
        if (isinf(other)) return; /* one cluster: there is nothing to be apart from */
        double same = counts[own] > 1 ? sums[own] / (double)(counts[own] - 1) : 0, larger,
               value = 0;
        larger = fmax(same, other);
        if (counts[own] > 1 && larger > 0) value = (other - same) / larger;
        Cluster *cluster = &result->clusters[own];
        cluster->silhouette = n_of[own] ? cluster->silhouette + value : value;
        n_of[own]++;
        total += value;
        n_seen++;
    }
    for (int32_t c = 0; c < result->n; c++)
        if (n_of[c]) result->clusters[c].silhouette /= (double)n_of[c];
    result->silhouette = total / (double)n_seen;
}

/* Standardizes the sample in place: features of different units count alike on the map. */
static void standardize(float *rows, Clusters *result)
{
    int32_t d = result->n_features;
    int64_t m = result->n_sample;
    for (int32_t j = 0; j < d; j++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < m; i++) mean += (double)rows[i * d + j];
        mean /= (double)m;
        for (int64_t i = 0; i < m; i++) {
            double v = (double)rows[i * d + j] - mean;
            square += v * v;
        }
        double scale = square > 0 ? 1 / sqrt(square / (double)m) : 0;
        for (int64_t i = 0; i < m; i++)
            rows[i * d + j] = (float)(((double)rows[i * d + j] - mean) * scale);
    }
}

static double normalize(double *v, int32_t d)
{
    double square = 0;
    for (int32_t j = 0; j < d; j++) square += v[j] * v[j];
    double length = sqrt(square);
    for (int32_t j = 0; j < d; j++) v[j] = length > 0 ? v[j] / length : 0;
    return length;
}

static void take_out(double *v, const double *direction, int32_t d)
{
    double dot = 0;
    for (int32_t j = 0; j < d; j++) dot += v[j] * direction[j];
    for (int32_t j = 0; j < d; j++) v[j] -= dot * direction[j];
}

static void project(const float *rows, int64_t m, int32_t d, const double *direction, double *out)
{
    for (int64_t i = 0; i < m; i++) {
        double dot = 0;
        for (int32_t j = 0; j < d; j++) dot += (double)rows[i * d + j] * direction[j];
        out[i] = dot;
    }
}

static void make_map(const float *rows, double *first, double *second, Clusters *result)
{
    int32_t d = result->n_features;
    int64_t m = result->n_sample;
    double *directions[] = {first, second}, *places[] = {result->map_x, result->map_y};
    for (int a = 0; a < 2; a++) {
        double *v = directions[a];
        for (int32_t j = 0; j < d; j++) v[j] = cos((double)j * (a + 1)) + 1.5; /* any start */
        for (int t = 0; t < ITERATIONS; t++) {
            if (a) take_out(v, first, d);
            normalize(v, d);
            project(rows, m, d, v, places[a]);
            memset(v, 0, (size_t)d * sizeof *v);
            for (int64_t i = 0; i < m; i++)
                for (int32_t j = 0; j < d; j++) v[j] += places[a][i] * (double)rows[i * d + j];
        }
        if (a) take_out(v, first, d);
        normalize(v, d);
        project(rows, m, d, v, places[a]);
    }
    double total = 0;
    for (int64_t i = 0; i < m * d; i++) total += (double)rows[i] * (double)rows[i];
    for (int a = 0; a < 2; a++) {
        double square = 0;
        for (int64_t i = 0; i < m; i++) square += places[a][i] * places[a][i];
        result->map_share[a] = total > 0 ? square / total : 0;
    }
}

static bool look_at_sample(const ClustersInput *input, Arena *arena, Clusters *result, Error *err)
{
    int32_t d = result->n_features;
    /* At most a billion differences of features. */
    int64_t m = MIN((int64_t)CLUSTER_SAMPLE, (int64_t)sqrt(1e9 / MAX(d, 1)));
    m = result->n_sample = MIN(result->n_rows, m);
    AUTO_DATA float *rows = data_array(float, m *d, "the sample of rows", err);
    if (!rows) return false;
    result->sample_cluster = arena_array(arena, int32_t, m);
    int64_t *counts = arena_array(arena, int64_t, result->n);
    for (int64_t i = 0; i < m; i++) {
        int64_t row = (int64_t)((double)i * (double)result->n_rows / (double)m);
        matrix_copy_rows(&input->features, row, row + 1, rows + i * d, d);
        result->sample_cluster[i] = input->cluster[row];
        counts[input->cluster[row]]++;
    }
    find_silhouettes(rows, arena_array(arena, double, result->n), counts,
                     arena_array(arena, int64_t, result->n), result);
    standardize(rows, result);
    result->map_x = arena_array(arena, double, m);
    result->map_y = arena_array(arena, double, m);
    make_map(rows, arena_array(arena, double, d), arena_array(arena, double, d), result);
    return true;
}

bool clusters_evaluate(const ClustersInput *input, Arena *arena, Clusters *ret_result, Error *err)
{
    int32_t d = input->features.n_cols;
    Clusters result = {.n_rows = input->features.n_rows,
                       .n = input->n_clusters,
                       .n_features = d,
                       .silhouette = (double)NAN};
    if (result.n > CLUSTERS_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d clusters", CLUSTERS_MAX);
    if (result.n_rows == 0) return error_set(err, ERROR_INVALID, "there are no rows");
    result.clusters = arena_array(arena, Cluster, result.n);
    for (int32_t k = 0; k < result.n; k++) result.clusters[k].silhouette = (double)NAN;
    result.means = arena_array(arena, double, (int64_t)result.n *d);
    result.mean = arena_array(arena, double, d);
    result.deviation = arena_array(arena, double, d);
    if (!sum_rows(input, &result, err) || !look_at_sample(input, arena, &result, err)) return false;
    *ret_result = result;
    return true;
}
