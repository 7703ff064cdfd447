/* A recipe of `clary prepare` from what the profile found: a place to begin, with the reasons beside the steps.
 *
 * Steps stand in the order in which they make sense: rows, columns, missing values, extremes, shapes, words, and at last what
 * follows from other columns.  It aims at linear models and distances; trees need little of it. */

#include "explore/profile.h"

#include <math.h>

enum { ONE_HOT_MAX = 12 };

/* 'name', with quotes inside doubled. */
static void add_name(StrBuf *out, Str name)
{
    strbuf_add_char(out, '\'');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '\'') strbuf_add_char(out, '\'');
        strbuf_add_char(out, name.ptr[i] == '\n' ? ' ' : name.ptr[i]);
    }
    strbuf_add_char(out, '\'');
}

typedef bool Wanted(const Profile *p, int32_t j);

static bool is_alerted(const Profile *p, int32_t j, AlertKind kind)
{
    for (int i = 0; i < p->n_alerts; i++)
        if (p->alerts[i].kind == kind && p->alerts[i].column == j) return true;
    return false;
}

static bool is_dropped(const Profile *p, int32_t j)
{
    const ColumnProfile *c = &p->columns[j];
    bool nothing = c->n == 0 || c->distinct <= 1 || is_alerted(p, j, ALERT_UNIQUE) ||
                   is_alerted(p, j, ALERT_LEAKAGE);
    return j != p->target && (nothing || c->type == COLUMN_TEXT || c->type == COLUMN_TIME);
}

static bool is_feature(const Profile *p, int32_t j, ColumnType type)
{
    return j != p->target && !is_dropped(p, j) && p->columns[j].type == type;
}

static bool lacks_numbers(const Profile *p, int32_t j)
{
    return is_feature(p, j, COLUMN_NUMBER) && p->columns[j].missing;
}

static bool lacks_words(const Profile *p, int32_t j)
{
    return is_feature(p, j, COLUMN_CATEGORY) && p->columns[j].missing;
}

static bool has_outliers(const Profile *p, int32_t j)
{
    return is_feature(p, j, COLUMN_NUMBER) && is_alerted(p, j, ALERT_OUTLIERS) &&
           p->columns[j].number.iqr > 0;
}

static bool is_skewed(const Profile *p, int32_t j)
{
    return is_feature(p, j, COLUMN_NUMBER) && is_alerted(p, j, ALERT_SKEW);
}

static bool is_skewed_and_positive(const Profile *p, int32_t j)
{
    return is_skewed(p, j) && p->columns[j].number.min >= 0;
}

static bool is_skewed_otherwise(const Profile *p, int32_t j)
{
    return is_skewed(p, j) && p->columns[j].number.min < 0;
}

static bool has_few_words(const Profile *p, int32_t j)
{
    return is_feature(p, j, COLUMN_CATEGORY) && p->columns[j].distinct <= ONE_HOT_MAX;
}

static bool has_many_words(const Profile *p, int32_t j)
{
    return is_feature(p, j, COLUMN_CATEGORY) && p->columns[j].distinct > ONE_HOT_MAX;
}

static bool is_number(const Profile *p, int32_t j)
{
    return is_feature(p, j, COLUMN_NUMBER);
}

/* "# WHY" and "STEP 'a', 'b' REST", when there is such a column. */
static void add_step(const Profile *p, const char *why, const char *step, Wanted *wanted,
                     const char *rest, StrBuf *out)
{
    bool any = false;
    for (int32_t j = 0; j < p->n_columns; j++) {
        if (!wanted(p, j)) continue;
        if (!any)
            strbuf_addf(out, "\n# %s\n%s ", why, step);
        else
            strbuf_add(out, STR(", "));
        add_name(out, p->columns[j].name);
        any = true;
    }
    if (any) strbuf_addf(out, "%s%s\n", *rest ? " " : "", rest);
}

void profile_recipe(const Profile *p, Str title, StrBuf *out)
{
    strbuf_addf(out,
                "# A place to begin, made by clary explore from %.*s: read it, change it, then\n",
                STR_ARG(title));
    strbuf_add(
        out,
        STR("#     clary prepare train.csv --recipe THIS-FILE -o ready.csv --save fitted.json\n"));
    if (p->target >= 0) {
        strbuf_add(out, STR("\ntarget "));
        add_name(out, p->columns[p->target].name);
        strbuf_add_char(out, '\n');
        if (p->columns[p->target].missing) {
            strbuf_add(out, STR("\n# rows without an answer teach nothing\ndrop-missing "));
            add_name(out, p->columns[p->target].name);
            strbuf_add_char(out, '\n');
        }
    }
    add_step(
        p, "no value, one value, another one in every row, free text, times, or the answer itself",
        "drop", is_dropped, "", out);
    if (p->duplicate_rows) strbuf_add(out, STR("\n# rows that repeat another one\ndeduplicate\n"));
    add_step(p, "missing numbers", "fill", lacks_numbers, "with median", out);
    add_step(p, "missing words", "fill", lacks_words, "with mode", out);
    add_step(p, "extremes, brought in to the fences of the box plot", "outliers", has_outliers,
             "by iqr do clip", out);
    add_step(p, "long tails to the right", "log1p", is_skewed_and_positive, "", out);
    add_step(p, "other lopsided shapes", "yeo-johnson", is_skewed_otherwise, "", out);
    add_step(p, "one scale for all numbers", "standardize", is_number, "", out);
    add_step(p, "words with few values", "one-hot", has_few_words, "", out);
    add_step(p, "words with many values", "count", has_many_words, "", out);
    bool related = false;
    for (int i = 0; i < p->n_alerts; i++)
        related |= p->alerts[i].kind == ALERT_CORRELATION || p->alerts[i].kind == ALERT_INFLATION;
    if (related)
        strbuf_add(
            out, STR("\n# columns that say the same as others\ndrop-correlated * threshold 0.9\n"));
}
