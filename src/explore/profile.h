#ifndef CLARY_EXPLORE_PROFILE_H
#define CLARY_EXPLORE_PROFILE_H

/* What a table says about itself: every column, how columns go together, what is wrong with them.
 *
 * Everything is exact unless the profile says that it was sampled. */

#include "base/thread.h"
#include "data/frame.h"
#include "stats/univariate.h"

#include "base/strbuf.h"

enum {
    PROFILE_TOP = 10,      /* values shown of a column */
    PROFILE_BINS_MAX = 50, /* of a histogram */
    PROFILE_LEVELS_MAX =
        1000, /* categories up to which pairs of categorical columns are looked at */
    PROFILE_CELLS_MAX =
        1 << 26, /* numbers up to which rank correlations are exact; beyond, on a sample of rows */
    PROFILE_SAMPLE_ROWS = 100000,
    PROFILE_KENDALL_ROWS = 5000, /* rows that Kendall's tau is taken over */
};

typedef struct ProfileValue {
    Str text;
    int64_t count;
} ProfileValue;

typedef struct ColumnProfile {
    Str name;
    ColumnType type;
    int64_t n_rows, n, missing, distinct;
    ProfileValue top[PROFILE_TOP]; /* most frequent first */
    int n_top;
    double entropy; /* of the values, in bits; NaN for texts */

    Univariate number; /* COLUMN_NUMBER; COLUMN_BOOL as 0 and 1 */
    int64_t
        counts[PROFILE_BINS_MAX]; /* histogram of finite numbers (seconds since 1970 for times) */
    double low, high;
    int n_bins;

    int64_t length_min, length_max; /* COLUMN_TEXT, COLUMN_CATEGORY: characters (code points) */
    double length_mean;
    int64_t empty;   /* texts without characters or of blanks only */
    int64_t numeric; /* values that are numbers, though the column is not one */

    int64_t first_us, last_us;  /* COLUMN_TIME */
    double gap_median, gap_max; /* seconds between neighbors in order of time */
    int64_t gaps;               /* larger than ten times the median */
} ColumnProfile;

typedef struct ProfilePair {
    int32_t a, b; /* columns of the frame, a < b */
    double value;
} ProfilePair;

typedef enum AlertKind {
    ALERT_LEAKAGE,
    ALERT_CONSTANT,
    ALERT_MISSING,
    ALERT_DUPLICATES,
    ALERT_INFLATION,
    ALERT_CORRELATION,
    ALERT_UNIQUE,
    ALERT_MIXED,
    ALERT_IMBALANCE,
    ALERT_OUTLIERS,
    ALERT_SKEW,
    ALERT_ZEROS,
    ALERT_INFINITE,
    ALERT_GAPS,
    ALERT_DRIFT,
} AlertKind;

typedef struct Alert {
    AlertKind kind;
    double harm;           /* 0 to 100: what they are ranked by */
    int32_t column, other; /* of the frame; -1: none */
    Str text;              /* what is the case */
    Str remedy;            /* what to do about it */
} Alert;

typedef struct Profile {
    Arena arena;
    const Frame *frame;
    ColumnProfile *columns;
    int32_t n_columns;
    int64_t n_rows, missing_cells, duplicate_rows, complete_rows;

    int32_t *numbers; /* the numeric columns; the matrices below are over these */
    int32_t n_numbers;
    double *pearson, *spearman, *vif;
    double condition;
    bool sampled; /* spearman is of PROFILE_SAMPLE_ROWS rows */

    int32_t target;             /* -1: none */
    double *relation;           /* of each column with the target, 0 to 1; NaN: unknown */
    const char **relation_kind; /* "|r|", "eta", "V" */

    Alert *alerts;
    int n_alerts;
    double seconds;
} Profile;

/* The frame must outlive the profile.  target: -1 or a column. */
bool profile_make(const Frame *frame, int32_t target, Pool *pool, Profile **ret_profile,
                  Error *err);
void profile_free(Profile *profile);
AUTO_FREE(Profile, profile_free);

/* Adds what is wrong, ranked by harm (alerts.c). */
void profile_find_alerts(Profile *profile);
const char *alert_name(AlertKind kind); /* "high correlation" */

/* For a terminal of so many columns (summary.c); a document of version PROFILE_VERSION (document.c). */
enum { PROFILE_VERSION = 1 };
void profile_summary(const Profile *profile, Str title, int width, StrBuf *out);
void profile_document(const Profile *profile, Str title, StrBuf *out);

/* The profile as one HTML page that needs nothing else (page.c): no script, no outside address. */
enum { PAGE_BYTES_MAX = 2 << 20 };
bool profile_page(const Profile *profile, Str title, StrBuf *out, Error *err);

/* A recipe of `clary prepare` that mends what was found, with its reasons (suggest.c). */
void profile_recipe(const Profile *profile, Str title, StrBuf *out);

/* ---- then and now (compare.c) ---- */

typedef struct Drift {
    Str name;
    ColumnType type;
    bool only_before, only_after; /* the other table lacks the column */
    double psi, js;               /* population stability index; Jensen-Shannon divergence (nats) */
    double statistic, p;          /* numbers: Kolmogorov-Smirnov; else chi-square */
    double missing_before, missing_after; /* shares */
    double mean_before, mean_after;
} Drift;

/* A row per column of either table; in `arena`. */
bool drift_of(const Frame *before, const Frame *after, Pool *pool, Arena *arena, Drift **ret_drift,
              int32_t *ret_n, Error *err);
void drift_summary(const Drift *drift, int32_t n, StrBuf *out);
/* The same as a page (page_drift.c), with the distributions of what changed most. */
bool drift_page(const Frame *before, const Frame *after, const Drift *drift, int32_t n, Str title,
                Str against, StrBuf *out, Error *err);
const char *drift_word(double psi); /* "stable", "shifted", "changed" */

/* One sentence for people who learn: "VIF", "skewness", ...; NULL when there is none (explain.c). */
const char *explain_term(Str term);
void explain_all(StrBuf *out);
/* The nearest word there is, for "did you mean"; below 0: none. */
int explain_nearest(Str term, Str *ret_name);

#endif
