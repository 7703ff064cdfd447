/* The page's charts for ranking, survival and clusters. */

#include "evaluate/report_inside.h"

#include <math.h>
#include <stdlib.h>

enum {
    LIST_BINS = 20,
    MAP_CLUSTERS_MAX = 6, /* as many as there are colours */
    HEAT_FEATURES_MAX = 20,
    HEAT_CLUSTERS_MAX = 12,
    BARS_MAX = 100
};

/* ---- ranking ---- */

void draw_ranking_cuts(const Report *report, bool alone, StrBuf *out)
{
    const Ranking *r = report->ranking;
    if (!r || isnan(r->at[0].ndcg)) return;
    ARENA(scratch);
    enum { N = RANKING_CUTS - 1 };
    double x[N], ndcg[N], map[N], precision[N], hit[N];
    for (int c = 0; c < N; c++) {
        x[c] = (double)ranking_cuts[c];
        ndcg[c] = r->at[c].ndcg;
        map[c] = r->at[c].map;
        precision[c] = r->at[c].precision;
        hit[c] = r->at[c].hit;
    }
    Chart chart = {
        .title = arena_format(&scratch, "The first k rows: NDCG@10 is %.4f", r->at[3].ndcg),
        .x_label = STR("k"),
        .y_label = STR("mean over queries"),
        .fixed_y = true,
        .y_max = 1};
    chart_add(&chart, "NDCG", CHART_LINE_POINTS, x, ndcg, N);
    chart_add(&chart, "MAP", CHART_LINE_POINTS, x, map, N);
    chart_add(&chart, "precision", CHART_LINE_POINTS, x, precision, N);
    chart_add(&chart, "hit rate", CHART_LINE_POINTS, x, hit, N);
    chart_svg(&chart, alone, out);
}

void draw_ranking_lists(const Report *report, bool alone, StrBuf *out)
{
    const Ranking *r = report->ranking;
    if (!r || r->n_worst < 2) return;
    double x[LIST_BINS], y[LIST_BINS] = {0};
    for (int b = 0; b < LIST_BINS; b++) x[b] = (b + 0.5) / LIST_BINS;
    for (int64_t i = 0; i < r->n_worst; i++)
        y[MIN((int)(r->lists[r->worst[i]].ndcg_10 * LIST_BINS), LIST_BINS - 1)]++;
    Chart chart = {.title = STR("Queries by NDCG@10: the left ones are worth a look"),
                   .x_label = STR("NDCG@10"),
                   .y_label = STR("queries"),
                   .fixed_x = true,
                   .x_max = 1};
    chart_add(&chart, "queries", CHART_BARS, x, y, LIST_BINS);
    chart_svg(&chart, alone, out);
}

/* ---- survival ---- */

void draw_survival(const Report *report, bool alone, StrBuf *out)
{
    static const char *const names[SURVIVAL_GROUPS] = {"low risk", "middle", "high risk"};
    const Survival *s = report->survival;
    if (!s || s->groups[0].n == 0) return;
    Chart chart = {.title = STR("Still alive, by the model's risk: the curves should lie apart"),
                   .x_label = STR("time"),
                   .y_label = STR("share (Kaplan-Meier)"),
                   .fixed_y = true,
                   .y_max = 1};
    for (int g = 0; g < SURVIVAL_GROUPS; g++)
        chart_add(&chart, names[g], CHART_LINE, s->groups[g].time, s->groups[g].alive,
                  s->groups[g].n);
    chart_svg(&chart, alone, out);
}

/* ---- clusters ---- */

typedef struct Sized {
    int32_t cluster;
    int64_t n_rows;
} Sized;

static int by_size(const void *a, const void *b)
{
    const Sized *x = a, *y = b;
    if (x->n_rows != y->n_rows) return x->n_rows < y->n_rows ? 1 : -1;
    return x->cluster - y->cluster;
}

static Sized *largest_first(const Clusters *c, Arena *arena)
{
    Sized *sized = arena_array(arena, Sized, c->n);
    for (int32_t k = 0; k < c->n; k++) sized[k] = (Sized){k, c->clusters[k].n_rows};
    qsort(sized, (size_t)c->n, sizeof *sized, by_size);
    return sized;
}

void draw_cluster_map(const Report *report, bool alone, StrBuf *out)
{
    const Clusters *c = report->clusters;
    if (!c || c->n_sample < 2 || c->n_features < 2) return;
    ARENA(scratch);
    const Sized *sized = largest_first(c, &scratch);
    int32_t n_shown = MIN(c->n, MAP_CLUSTERS_MAX);
    Chart chart = {.title = arena_format(&scratch, "Map of %lld rows%s", (long long)c->n_sample,
                                         c->n > n_shown ? " (the largest clusters)" : ""),
                   .x_label = arena_format(&scratch,
                                           "first principal component (%.0f %% of variance)",
                                           100 * c->map_share[0]),
                   .y_label = arena_format(&scratch, "second (%.0f %%)", 100 * c->map_share[1])};
    for (int32_t s = 0; s < n_shown; s++) {
        double *x = arena_array(&scratch, double, c->n_sample);
        double *y = arena_array(&scratch, double, c->n_sample);
        int64_t n = 0;
        for (int64_t i = 0; i < c->n_sample; i++) {
            if (c->sample_cluster[i] != sized[s].cluster) continue;
            x[n] = c->map_x[i];
            y[n++] = c->map_y[i];
        }
        chart_add(&chart, arena_format(&scratch, "%d", sized[s].cluster).ptr, CHART_POINTS, x, y,
                  n);
    }
    chart_svg(&chart, alone, out);
}

static void draw_bars_of(const Clusters *c, Str title, Str label, bool sizes, bool alone,
                         StrBuf *out)
{
    ARENA(scratch);
    int32_t n = MIN(c->n, BARS_MAX);
    double *x = arena_array(&scratch, double, n), *y = arena_array(&scratch, double, n);
    for (int32_t k = 0; k < n; k++) {
        x[k] = k;
        y[k] = sizes ? (double)c->clusters[k].n_rows : c->clusters[k].silhouette;
    }
    Chart chart = {.title = title,
                   .x_label = STR("cluster"),
                   .y_label = label,
                   .fixed_x = true,
                   .x_min = -0.5,
                   .x_max = n - 0.5};
    chart_add(&chart, "clusters", CHART_BARS, x, y, n);
    chart_svg(&chart, alone, out);
}

void draw_cluster_sizes(const Report *report, bool alone, StrBuf *out)
{
    if (report->clusters)
        draw_bars_of(report->clusters, STR("Rows of each cluster"), STR("rows"), true, alone, out);
}

void draw_cluster_silhouettes(const Report *report, bool alone, StrBuf *out)
{
    const Clusters *c = report->clusters;
    if (!c || isnan(c->silhouette)) return;
    ARENA(scratch);
    draw_bars_of(c,
                 arena_format(&scratch,
                              "Silhouettes (mean %.3f): near 1 is apart, below 0 is amiss",
                              c->silhouette),
                 STR("mean silhouette"), false, alone, out);
}

void draw_cluster_centers(const Report *report, bool alone UNUSED, StrBuf *out)
{
    const Clusters *c = report->clusters;
    if (!c || c->n < 2) return;
    ARENA(scratch);
    /* The features in which the clusters differ most, in standard deviations. */
    int32_t d = c->n_features, n_rows = MIN(c->n, HEAT_CLUSTERS_MAX),
            n_cols = MIN(d, HEAT_FEATURES_MAX);
    const Sized *sized = largest_first(c, &scratch);
    Sized *features = arena_array(&scratch, Sized, d);
    for (int32_t j = 0; j < d; j++) {
        double square = 0;
        for (int32_t k = 0; k < c->n; k++) {
            double v = c->means[(int64_t)k * d + j] - c->mean[j];
            square += v * v * (double)c->clusters[k].n_rows;
        }
        double share = c->deviation[j] > 0
                           ? square / (c->deviation[j] * c->deviation[j] * (double)c->n_rows)
                           : 0;
        features[j] = (Sized){j, (int64_t)(share * 1e9)};
    }
    qsort(features, (size_t)d, sizeof *features, by_size);
    Str *row_names = arena_array(&scratch, Str, n_cols),
        *column_names = arena_array(&scratch, Str, n_rows);
    double *values = arena_array(&scratch, double, n_rows *n_cols);
    for (int32_t s = 0; s < n_rows; s++)
        column_names[s] = arena_format(&scratch, "%d", sized[s].cluster);
    for (int32_t f = 0; f < n_cols; f++) {
        int32_t j = features[f].cluster;
        row_names[f] = report->feature_names[j];
        for (int32_t s = 0; s < n_rows; s++)
            values[f * n_rows + s] = c->deviation[j] > 0
                                         ? (c->means[(int64_t)sized[s].cluster * d + j] -
                                            c->mean[j]) /
                                               c->deviation[j]
                                         : 0;
    }
    chart_heat_svg(STR("Centers, in standard deviations from the mean"), row_names, n_cols,
                   column_names, n_rows, values, out);
}

/* ---- figures at the head ---- */

void report_order_tiles(const Report *report, StrBuf *out)
{
    ARENA(scratch);
    if (report->ranking) {
        const Ranking *r = report->ranking;
        report_tile(out, "NDCG@10", r->at[3].ndcg, NULL);
        report_tile(out, "NDCG", r->at[RANKING_CUTS - 1].ndcg,
                    arena_format(&scratch, "random order %.4g", r->random_ndcg).ptr);
        report_tile(out, "MAP", r->at[RANKING_CUTS - 1].map, NULL);
        report_tile(out, "MRR", r->mrr, NULL);
        report_tile(out, "hit rate @1", r->at[0].hit, NULL);
        report_tile(out, "queries", (double)r->n_lists, NULL);
    }
    if (report->survival) {
        const Survival *s = report->survival;
        report_tile(out, "concordance", s->concordance, "chance has 0.5");
        report_tile(out, "events", (double)s->n_events, NULL);
        report_tile(out, "censored", (double)(s->n_right + s->n_other), NULL);
        if (s->n_events < s->n) report_tile(out, "within bounds", s->within, NULL);
        report_tile(out, "MAE of events", s->time_mae, NULL);
    }
    if (report->clusters) {
        const Clusters *c = report->clusters;
        report_tile(out, "clusters", (double)c->n, NULL);
        report_tile(out, "inertia (ssd)", c->ssd,
                    arena_format(&scratch, "one cluster %.4g", c->total_ssd).ptr);
        report_tile(out, "msd", c->msd, NULL);
        report_tile(out, "silhouette", c->silhouette, "over a sample");
    }
}
