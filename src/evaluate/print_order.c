/* Figures of ranking, survival and clusters as text and JSON. */

#include "evaluate/print.h"

#include <math.h>

enum { WORST_SHOWN = 5, CLUSTERS_SHOWN = 50, FEATURES_SHOWN = 8 };

static void add_line(StrBuf *out, const char *name, double value, const char *note)
{
    if (isnan(value)) return;
    strbuf_addf(out, "%-22s %12.6g%s%s\n", name, value, note ? "   " : "", note ? note : "");
}

static void add_member(JsonWriter *json, const char *name, double value)
{
    if (!isnan(value)) json_member_double(json, name, value);
}

/* ---- ranking ---- */

static Str cut_name(const char *metric, int cut, Arena *arena)
{
    if (!ranking_cuts[cut]) return str_of(metric);
    return arena_format(arena, "%s@%lld", metric, (long long)ranking_cuts[cut]);
}

void ranking_text(const Ranking *result, StrBuf *out)
{
    ARENA(scratch);
    const char *note =
        arena_format(&scratch, "rows in random order have %.6g", result->random_ndcg).ptr;
    add_line(out, "NDCG", result->at[RANKING_CUTS - 1].ndcg, note);
    add_line(out, "MAP", result->at[RANKING_CUTS - 1].map, NULL);
    add_line(out, "MRR", result->mrr, "1 / position of the first relevant row");
    strbuf_addf(out, "\n%-12s %10s %10s %10s %10s\n", "first k", "NDCG", "MAP", "precision",
                "hits");
    for (int c = 0; c < RANKING_CUTS; c++) {
        const RankingAt *at = &result->at[c];
        if (ranking_cuts[c])
            strbuf_addf(out, "%-12lld", (long long)ranking_cuts[c]);
        else
            strbuf_addf(out, "%-12s", "all");
        strbuf_addf(out, " %10.4f %10.4f %10.4f %10.4f\n", at->ndcg, at->map, at->precision,
                    at->hit);
    }
    strbuf_addf(out, "\n%lld queries", (long long)result->n_lists);
    if (result->n_empty)
        strbuf_addf(out, ", %lld of them without a relevant row (they count 1 in NDCG and MAP)",
                    (long long)result->n_empty);
    strbuf_add_char(out, '\n');
    if (result->n_worst < 2) return;
    strbuf_addf(out, "\n%-16s %10s %10s %10s %10s %12s\n", "worst queries", "rows", "relevant",
                "NDCG@10", "AP", "first at");
    for (int64_t i = 0; i < MIN(result->n_worst, (int64_t)WORST_SHOWN); i++) {
        const RankingList *list = &result->lists[result->worst[i]];
        strbuf_addf(out, "from row %-7lld %10lld %10lld %10.4f %10.4f %12lld\n",
                    (long long)list->first_row + 1, (long long)list->n, (long long)list->n_relevant,
                    list->ndcg_10, list->average_precision, (long long)list->first_relevant);
    }
}

void ranking_json(const Ranking *result, JsonWriter *json)
{
    ARENA(scratch);
    json_member_int(json, "queries", result->n_lists);
    json_member_int(json, "queries_without_relevant", result->n_empty);
    for (int c = 0; c < RANKING_CUTS; c++) {
        const RankingAt *at = &result->at[c];
        add_member(json, cut_name("ndcg", c, &scratch).ptr, at->ndcg);
        add_member(json, cut_name("map", c, &scratch).ptr, at->map);
        add_member(json, cut_name("precision", c, &scratch).ptr, at->precision);
        add_member(json, cut_name("hit", c, &scratch).ptr, at->hit);
    }
    add_member(json, "mrr", result->mrr);
    add_member(json, "random_ndcg", result->random_ndcg);
    json_name(json, STR("groups"));
    json_begin_array(json);
    for (int64_t g = 0; g < result->n_lists; g++) {
        const RankingList *list = &result->lists[g];
        json_begin_object(json);
        json_member_int(json, "first_row", list->first_row);
        json_member_int(json, "rows", list->n);
        json_member_int(json, "relevant", list->n_relevant);
        add_member(json, "ndcg@10", list->ndcg_10);
        add_member(json, "ndcg", list->ndcg);
        add_member(json, "ap", list->average_precision);
        if (list->first_relevant) json_member_int(json, "first_relevant", list->first_relevant);
        json_end_object(json);
    }
    json_end_array(json);
}

/* ---- survival ---- */

static const char *const risk_names[SURVIVAL_GROUPS] = {"low", "middle", "high"};

void survival_text(const Survival *result, StrBuf *out)
{
    ARENA(scratch);
    add_line(out, "concordance", result->concordance,
             arena_format(&scratch, "0.5 is chance; over %.0f pairs", result->n_pairs).ptr);
    if (result->n_events < result->n) /* no prediction equals an exact time */
        add_line(out, "within bounds", result->within, "interval-regression accuracy");
    add_line(out, "MAE of events", result->time_mae, NULL);
    add_line(out, "predicted / true", result->median_time_ratio, "the middle one of the events");
    strbuf_addf(out, "\n%lld events, %lld right censored", (long long)result->n_events,
                (long long)result->n_right);
    if (result->n_other) strbuf_addf(out, ", %lld with bounds", (long long)result->n_other);
    strbuf_add_char(out, '\n');
    if (!result->groups[0].n) return;
    strbuf_addf(out, "\n%-12s %10s %10s %14s\n", "risk", "rows", "events", "median time");
    for (int g = 0; g < SURVIVAL_GROUPS; g++) {
        const SurvivalGroup *group = &result->groups[g];
        strbuf_addf(out, "%-12s %10lld %10lld ", risk_names[g], (long long)group->n_rows,
                    (long long)group->n_events);
        if (isnan(group->median))
            strbuf_addf(out, "%14s\n", "not reached");
        else
            strbuf_addf(out, "%14.6g\n", group->median);
    }
}

void survival_json(const Survival *result, JsonWriter *json)
{
    add_member(json, "concordance", result->concordance);
    json_member_double(json, "pairs", result->n_pairs);
    json_member_int(json, "events", result->n_events);
    json_member_int(json, "right_censored", result->n_right);
    json_member_int(json, "bounded", result->n_other);
    add_member(json, "interval_regression_accuracy", result->within);
    add_member(json, "time_mae", result->time_mae);
    add_member(json, "median_time_ratio", result->median_time_ratio);
    if (!result->groups[0].n) return;
    json_name(json, STR("risk_groups"));
    json_begin_array(json);
    for (int g = 0; g < SURVIVAL_GROUPS; g++) {
        json_begin_object(json);
        json_member_string(json, "risk", str_of(risk_names[g]));
        json_member_int(json, "rows", result->groups[g].n_rows);
        json_member_int(json, "events", result->groups[g].n_events);
        add_member(json, "median_time", result->groups[g].median);
        json_end_object(json);
    }
    json_end_array(json);
}

/* ---- clusters ---- */

void clusters_text(const Clusters *result, const Str *features, StrBuf *out)
{
    ARENA(scratch);
    add_line(
        out, "msd", result->msd,
        arena_format(&scratch, "one cluster has %.6g", result->total_ssd / (double)result->n_rows)
            .ptr);
    add_line(out, "ssd (inertia)", result->ssd, NULL);
    add_line(out, "silhouette", result->silhouette,
             arena_format(&scratch, "over %lld rows; 1 is well apart, 0 is overlapping",
                          (long long)result->n_sample)
                 .ptr);
    strbuf_addf(out, "\n%-8s %10s %9s %12s %10s\n", "cluster", "rows", "share", "msd",
                "silhouette");
    for (int32_t k = 0; k < MIN(result->n, CLUSTERS_SHOWN); k++) {
        const Cluster *c = &result->clusters[k];
        strbuf_addf(out, "%-8d %10lld %7.1f %% %12.6g", k, (long long)c->n_rows,
                    100 * (double)c->n_rows / (double)result->n_rows,
                    c->n_rows ? c->ssd / (double)c->n_rows : 0);
        if (isnan(c->silhouette))
            strbuf_add_char(out, '\n');
        else
            strbuf_addf(out, " %10.4f\n", c->silhouette);
    }
    if (result->n > CLUSTERS_SHOWN)
        strbuf_addf(out, "... and %d more clusters\n", result->n - CLUSTERS_SHOWN);
    int32_t shown = MIN(result->n_features, FEATURES_SHOWN);
    strbuf_addf(out, "\n%-8s", "means");
    for (int32_t j = 0; j < shown; j++) {
        Str name = features[j];
        if (name.len > 12) name.len = 12;
        strbuf_addf(out, " %12.*s", STR_ARG(name));
    }
    strbuf_addf(out, "%s\n", result->n_features > shown ? "  ..." : "");
    for (int32_t k = 0; k < MIN(result->n, CLUSTERS_SHOWN); k++) {
        strbuf_addf(out, "%-8d", k);
        for (int32_t j = 0; j < shown; j++)
            strbuf_addf(out, " %12.5g", result->means[(int64_t)k * result->n_features + j]);
        strbuf_add_char(out, '\n');
    }
}

void clusters_json(const Clusters *result, const Str *features, JsonWriter *json)
{
    json_member_double(json, "msd", result->msd);
    json_member_double(json, "ssd", result->ssd);
    json_member_double(json, "total_ssd", result->total_ssd);
    add_member(json, "silhouette", result->silhouette);
    json_name(json, STR("features"));
    json_begin_array(json);
    for (int32_t j = 0; j < result->n_features; j++) json_string(json, features[j]);
    json_end_array(json);
    json_name(json, STR("clusters"));
    json_begin_array(json);
    for (int32_t k = 0; k < result->n; k++) {
        const Cluster *c = &result->clusters[k];
        json_begin_object(json);
        json_member_int(json, "rows", c->n_rows);
        json_member_double(json, "ssd", c->ssd);
        add_member(json, "silhouette", c->silhouette);
        json_name(json, STR("mean"));
        json_begin_array(json);
        for (int32_t j = 0; j < result->n_features; j++)
            json_double(json, result->means[(int64_t)k * result->n_features + j]);
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
}
