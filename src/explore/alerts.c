/* What is wrong with a table, ranked by harm, each with what to do about it.
 *
 * Thresholds are the usual ones: |r| > 0.9, VIF > 5, |skewness| > 1, 5 % missing, 5 % outliers.  They are hints, not verdicts. */

#include "explore/profile.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

enum { ALERTS_MAX = 200, PAIRS_MAX = 20, UNIQUE_ROWS_MIN = 50 };

const char *alert_name(AlertKind kind)
{
    static const char *const names[] = {
        "possible leakage",  "constant",         "missing values", "duplicate rows",
        "multicollinearity", "high correlation", "near-unique",    "mixed types",
        "imbalance",         "outliers",         "skew",           "zeros",
        "infinite values",   "gaps in time",     "drift",
    };
    return names[kind];
}

static void add(Profile *p, AlertKind kind, double harm, int32_t column, int32_t other, Str remedy,
                const char *format, ...) PRINTF_LIKE(7, 8);

static void add(Profile *p, AlertKind kind, double harm, int32_t column, int32_t other, Str remedy,
                const char *format, ...)
{
    AUTO_STRBUF StrBuf text = STRBUF(4096);
    if (p->n_alerts == ALERTS_MAX) return;
    va_list args;
    va_start(args, format);
    strbuf_addv(&text, format, args);
    va_end(args);
    p->alerts[p->n_alerts++] = (Alert){
        kind, harm, column, other, arena_str(&p->arena, strbuf_str(&text)), remedy};
}

#define NAME(p, j) STR_ARG((p)->columns[j].name)

/* "ADVICE: clary prepare ... --step "STEP 'COLUMN' REST"". */
static Str with_step(Profile *p, int32_t j, const char *advice, const char *step, const char *rest)
{
    return arena_format(&p->arena, "%s: clary prepare ... --step \"%s '%.*s'%s%s\"", advice, step,
                        NAME(p, j), *rest ? " " : "", rest);
}

static Str ignore(Profile *p, int32_t j)
{
    return with_step(p, j, "leave it out", "drop", "");
}

static void look_at_column(Profile *p, int32_t j)
{
    const ColumnProfile *c = &p->columns[j];
    const Univariate *u = &c->number;
    double n = (double)c->n_rows, missing = n > 0 ? (double)c->missing / n : 0;
    bool is_target = j == p->target;
    if (c->missing == c->n_rows && n > 0) {
        add(p, ALERT_MISSING, 95, j, -1, ignore(p, j), "'%.*s' has no value in any row",
            NAME(p, j));
        return;
    }
    if (missing > 0.05)
        add(p, ALERT_MISSING, is_target ? 98 : 30 + 60 * missing, j, -1,
            is_target ? with_step(p, j, "rows without an answer teach nothing", "drop-missing", "")
                      : with_step(p, j, "trees take missing values as they are; for linear models",
                                  "fill", c->type == COLUMN_NUMBER ? "with median" : "with mode"),
            "'%.*s' lacks %.1f %% of its values", NAME(p, j), 100 * missing);
    if (c->distinct == 1) {
        add(p, ALERT_CONSTANT, 80, j, -1, ignore(p, j), "'%.*s' has only one value%s", NAME(p, j),
            c->missing ? ", where it has one" : "");
        return;
    }
    bool words = c->type == COLUMN_TEXT || c->type == COLUMN_CATEGORY;
    if (words && c->n >= UNIQUE_ROWS_MIN && (double)c->distinct > 0.95 * (double)c->n &&
        c->length_mean < 64)
        add(p, ALERT_UNIQUE, is_target ? 90 : 60, j, -1, ignore(p, j),
            "'%.*s' has another value in nearly every row (%lld of %lld): a name or number of the row, not a feature",
            NAME(p, j), (long long)c->distinct, (long long)c->n);
    if (words && (double)c->numeric > 0.5 * (double)c->n && c->numeric < c->n)
        add(p, ALERT_MIXED, 75, j, -1,
            with_step(p, j, "if words stand for missing numbers", "cast", "to number bad missing"),
            "'%.*s' is read as text, but %.1f %% of its values are numbers", NAME(p, j),
            100 * (double)c->numeric / (double)c->n);
    if (words && c->type == COLUMN_CATEGORY && c->distinct > 1 && c->n_top) {
        double top = (double)c->top[0].count / (double)c->n,
               least = (double)c->top[MIN(c->n_top, (int)c->distinct) - 1].count / (double)c->n;
        if (is_target && c->distinct <= PROFILE_TOP && least < 0.1)
            add(p, ALERT_IMBALANCE, 70 - 300 * least, j, -1,
                with_step(p, j,
                          "accuracy will mislead: look at recall, F1 and AUC; weight the classes",
                          "balance", "by weight"),
                "the target '%.*s' is unbalanced: its rarest class is %.1f %% of the rows",
                NAME(p, j), 100 * least);
        else if (!is_target && top > 0.95)
            add(p, ALERT_IMBALANCE, 40, j, -1, STR("it can say little; try leaving it out"),
                "'%.*s' is '%.*s' in %.1f %% of the rows", NAME(p, j), STR_ARG(c->top[0].text),
                100 * top);
    }
    if (c->type == COLUMN_TIME && c->gaps)
        add(p, ALERT_GAPS, 35, j, -1,
            STR("check whether data is lost; split by time, not at random"),
            "'%.*s' has %lld gaps of more than ten times the usual step; the longest is %.1f days",
            NAME(p, j), (long long)c->gaps, c->gap_max / 86400);
    if (c->type != COLUMN_NUMBER) return;
    if (u->infinite)
        add(p, ALERT_INFINITE, 85, j, -1,
            STR("an infinite value is usually a division by zero: make it missing"),
            "'%.*s' has %lld infinite values", NAME(p, j), (long long)u->infinite);
    double outside = u->n ? (double)(u->tukey.below + u->tukey.above) / (double)u->n : 0;
    if (outside > 0.05 && u->distinct > 10)
        add(p, ALERT_OUTLIERS, 20 + 100 * MIN(outside, 0.3), j, -1,
            with_step(p, j, "trees do not mind; for linear models and distances", "outliers",
                      "by iqr do clip"),
            "%.1f %% of '%.*s' lie outside of [%.4g, %.4g] (1.5 IQR)", 100 * outside, NAME(p, j),
            u->tukey.low, u->tukey.high);
    if (fabs(u->skewness) > 1 && u->distinct > 10)
        add(p, ALERT_SKEW, 15 + MIN(15.0, fabs(u->skewness)), j, -1,
            with_step(p, j, "for linear models", u->min >= 0 ? "log1p" : "yeo-johnson", ""),
            "'%.*s' is highly skewed (%.2f)", NAME(p, j), u->skewness);
    double zeros = u->n ? (double)u->zeros / (double)u->n : 0;
    if (zeros > 0.5 && u->distinct > 2)
        add(p, ALERT_ZEROS, 15, j, -1,
            STR("ask whether 0 stands for \"unknown\"; if so leave the field empty"),
            "%.1f %% of '%.*s' are zero", 100 * zeros, NAME(p, j));
}

static void look_at_pairs(Profile *p)
{
    int32_t n = p->n_numbers;
    int found = 0;
    for (int32_t a = 0; a < n; a++)
        for (int32_t b = a + 1; b < n; b++) {
            double r = p->pearson[a * n + b];
            int32_t i = p->numbers[a], j = p->numbers[b];
            if (!(fabs(r) > 0.9) || i == p->target || j == p->target || found++ >= PAIRS_MAX)
                continue;
            add(p, ALERT_CORRELATION, 40 + 20 * (fabs(r) - 0.9) / 0.1, i, j,
                STR("trees do not mind; else: clary prepare ... --step \"drop-correlated * threshold 0.9\""),
                "'%.*s' and '%.*s' say nearly the same (r = %.3f)", NAME(p, i), NAME(p, j), r);
        }
    for (int32_t a = 0; a < n; a++) {
        if (!(p->vif[a] > 5) || p->numbers[a] == p->target) continue;
        if (isinf(p->vif[a]))
            add(p, ALERT_INFLATION, 65, p->numbers[a], -1, ignore(p, p->numbers[a]),
                "'%.*s' follows exactly from other columns (VIF is infinite)",
                NAME(p, p->numbers[a]));
        else
            add(p, ALERT_INFLATION, 35 + MIN(20.0, p->vif[a] / 5), p->numbers[a], -1,
                STR("trees do not mind; coefficients of linear models are unsure: clary prepare ... --step \"drop-vif * threshold 5\""),
                "'%.*s' follows nearly from other columns (VIF %.1f)", NAME(p, p->numbers[a]),
                p->vif[a]);
    }
    for (int32_t j = 0; p->target >= 0 && j < p->n_columns; j++)
        if (j != p->target && p->relation[j] > 0.98)
            add(p, ALERT_LEAKAGE, 99, j, p->target, ignore(p, j),
                "'%.*s' all but gives the target away (%s = %.3f): is it known before the answer is?",
                NAME(p, j), p->relation_kind[j], p->relation[j]);
}

static int by_harm(const void *a, const void *b)
{
    const Alert *x = a, *y = b;
    if (x->harm != y->harm) return x->harm > y->harm ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

void profile_find_alerts(Profile *p)
{
    p->alerts = arena_array(&p->arena, Alert, ALERTS_MAX);
    p->n_alerts = 0;
    for (int32_t j = 0; j < p->n_columns; j++) look_at_column(p, j);
    look_at_pairs(p);
    if (p->duplicate_rows)
        add(p, ALERT_DUPLICATES, 30 + 40 * (double)p->duplicate_rows / (double)p->n_rows, -1, -1,
            STR("the same row in training and test data flatters a model: clary prepare ... --step \"deduplicate\""),
            "%lld rows (%.1f %%) repeat another one in every column", (long long)p->duplicate_rows,
            100 * (double)p->duplicate_rows / (double)p->n_rows);
    qsort(p->alerts, (size_t)p->n_alerts, sizeof *p->alerts, by_harm);
}
