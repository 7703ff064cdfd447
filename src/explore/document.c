/* The profile as a JSON document.  Members are only ever added; what changes meaning raises PROFILE_VERSION. */

#include "explore/profile.h"
#include "format/json.h"

#include <math.h>

static void number(JsonWriter *json, const char *name, double x)
{
    if (!isnan(x)) json_member_double(json, name, x);
}

static void fences(JsonWriter *json, const char *name, const Fences *f)
{
    json_name(json, str_of(name));
    json_begin_object(json);
    number(json, "low", f->low);
    number(json, "high", f->high);
    json_member_int(json, "below", f->below);
    json_member_int(json, "above", f->above);
    json_end_object(json);
}

static void univariate(JsonWriter *json, const Univariate *u)
{
    const struct {
        const char *name;
        double value;
    } members[] = {
        {"mean", u->mean},
        {"std", u->std},
        {"std_population", u->std_population},
        {"variance", u->variance},
        {"standard_error", u->standard_error},
        {"coefficient_of_variation", u->variation},
        {"sum", u->sum},
        {"min", u->min},
        {"p01", u->p01},
        {"p05", u->p05},
        {"q1", u->q1},
        {"median", u->median},
        {"q3", u->q3},
        {"p95", u->p95},
        {"p99", u->p99},
        {"max", u->max},
        {"iqr", u->iqr},
        {"mad", u->mad},
        {"mode", u->mode},
        {"skewness", u->skewness},
        {"kurtosis", u->kurtosis},
        {"skewness_biased", u->skewness_biased},
        {"kurtosis_biased", u->kurtosis_biased},
    };
    for (size_t i = 0; i < COUNT(members); i++) number(json, members[i].name, members[i].value);
    json_member_int(json, "zeros", u->zeros);
    json_member_int(json, "negative", u->negative);
    json_member_int(json, "infinite", u->infinite);
    json_name(json, STR("outliers"));
    json_begin_object(json);
    fences(json, "z_score", &u->z);
    fences(json, "modified_z_score", &u->modified_z);
    fences(json, "iqr", &u->tukey);
    json_end_object(json);
}

static void column(JsonWriter *json, const Profile *p, int32_t j)
{
    const ColumnProfile *c = &p->columns[j];
    json_begin_object(json);
    json_member_string(json, "name", c->name);
    json_member_string(json, "type", str_of(column_type_name(c->type)));
    json_member_int(json, "count", c->n);
    json_member_int(json, "missing", c->missing);
    json_member_int(json, "distinct", c->distinct);
    number(json, "entropy_bits", c->entropy);
    if (c->type == COLUMN_NUMBER || c->type == COLUMN_BOOL) univariate(json, &c->number);
    if (c->type == COLUMN_TEXT || c->type == COLUMN_CATEGORY) {
        json_member_int(json, "length_min", c->length_min);
        json_member_double(json, "length_mean", c->length_mean);
        json_member_int(json, "length_max", c->length_max);
        json_member_int(json, "empty", c->empty);
        json_member_int(json, "numeric", c->numeric);
    }
    if (c->type == COLUMN_TIME && c->n) {
        json_member_double(json, "first", (double)c->first_us / 1e6);
        json_member_double(json, "last", (double)c->last_us / 1e6);
        number(json, "step_median_seconds", c->gap_median);
        number(json, "step_max_seconds", c->gap_max);
        json_member_int(json, "gaps", c->gaps);
    }
    json_name(json, STR("top"));
    json_begin_array(json);
    for (int i = 0; i < c->n_top; i++) {
        json_begin_object(json);
        json_member_string(json, "value", c->top[i].text);
        json_member_int(json, "count", c->top[i].count);
        json_end_object(json);
    }
    json_end_array(json);
    if (c->n_bins) {
        json_name(json, STR("histogram"));
        json_begin_object(json);
        json_member_double(json, "low", c->low);
        json_member_double(json, "high", c->high);
        json_name(json, STR("counts"));
        json_begin_array(json);
        for (int b = 0; b < c->n_bins; b++) json_int(json, c->counts[b]);
        json_end_array(json);
        json_end_object(json);
    }
    if (p->target >= 0 && j != p->target && !isnan(p->relation[j])) {
        json_member_double(json, "relation_to_target", p->relation[j]);
        json_member_string(json, "relation_kind", str_of(p->relation_kind[j]));
    }
    json_end_object(json);
}

static void matrix(JsonWriter *json, const char *name, const double *values, int32_t n)
{
    json_name(json, str_of(name));
    json_begin_array(json);
    for (int32_t i = 0; i < n; i++) {
        json_begin_array(json);
        for (int32_t j = 0; j < n; j++) json_double(json, values[i * n + j]);
        json_end_array(json);
    }
    json_end_array(json);
}

void profile_document(const Profile *p, Str title, StrBuf *out)
{
    JsonWriter json = JSON_WRITER(out);
    json_begin_object(&json);
    json_member_int(&json, "version", PROFILE_VERSION);
    json_member_string(&json, "source", title);
    json_member_int(&json, "rows", p->n_rows);
    json_member_int(&json, "columns_count", p->n_columns);
    json_member_int(&json, "missing_cells", p->missing_cells);
    json_member_int(&json, "complete_rows", p->complete_rows);
    json_member_int(&json, "duplicate_rows", p->duplicate_rows);
    json_member_double(&json, "seconds", p->seconds);
    json_member_bool(&json, "rank_correlations_sampled", p->sampled);
    if (p->target >= 0) json_member_string(&json, "target", p->columns[p->target].name);
    json_name(&json, STR("alerts"));
    json_begin_array(&json);
    for (int i = 0; i < p->n_alerts; i++) {
        const Alert *alert = &p->alerts[i];
        json_begin_object(&json);
        json_member_string(&json, "kind", str_of(alert_name(alert->kind)));
        json_member_double(&json, "harm", alert->harm);
        if (alert->column >= 0) json_member_string(&json, "column", p->columns[alert->column].name);
        if (alert->other >= 0) json_member_string(&json, "other", p->columns[alert->other].name);
        json_member_string(&json, "text", alert->text);
        json_member_string(&json, "remedy", alert->remedy);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_name(&json, STR("columns"));
    json_begin_array(&json);
    for (int32_t j = 0; j < p->n_columns; j++) column(&json, p, j);
    json_end_array(&json);
    json_name(&json, STR("numeric"));
    json_begin_object(&json);
    json_name(&json, STR("columns"));
    json_begin_array(&json);
    for (int32_t j = 0; j < p->n_numbers; j++) json_string(&json, p->columns[p->numbers[j]].name);
    json_end_array(&json);
    matrix(&json, "pearson", p->pearson, p->n_numbers);
    matrix(&json, "spearman", p->spearman, p->n_numbers);
    json_name(&json, STR("vif"));
    json_begin_array(&json);
    for (int32_t j = 0; j < p->n_numbers; j++)
        if (isinf(p->vif[j]))
            json_string(&json, STR("infinite"));
        else
            json_double(&json, p->vif[j]);
    json_end_array(&json);
    number(&json, "condition_number", isinf(p->condition) ? NAN : p->condition);
    json_end_object(&json);
    json_end_object(&json);
    strbuf_add_char(out, '\n');
}
