#ifndef CLARY_STATS_UNIVARIATE_H
#define CLARY_STATS_UNIVARIATE_H

/* What one column of numbers says: exact, with the definitions of numpy, scipy and pandas.
 *
 * Missing values (NaN) are skipped and counted.  Infinite values are counted, and then skipped too: pandas would answer inf and NaN for
 * everything.  What is undefined is NaN: the standard deviation of one value, the skewness of a constant. */

#include "stats/sorted.h"

enum { TOP_VALUES = 10 };

typedef struct Fences {
    double low, high;     /* values outside are outliers; NaN: the rule cannot be applied */
    int64_t below, above; /* how many there are */
} Fences;

typedef struct TopValue {
    double value;
    int64_t count;
} TopValue;

typedef struct Univariate {
    int64_t n_rows, n, missing, infinite;
    int64_t distinct, zeros, negative;
    double sum, mean, min, max;
    double variance, std;                    /* ddof 1: pandas */
    double std_population;                   /* ddof 0: numpy, StandardScaler */
    double standard_error, variation;        /* std / sqrt(n); std / mean */
    double skewness, kurtosis;               /* adjusted G1 and G2: pandas */
    double skewness_biased, kurtosis_biased; /* g1 and excess g2: scipy */
    double p01, p05, q1, median, q3, p95, p99, iqr;
    double mad;  /* median of |x - median| */
    double mode; /* the smallest of the most frequent values */
    int64_t mode_count;
    TopValue top[TOP_VALUES]; /* most frequent first, smaller first among equals */
    int n_top;
    Fences z;          /* |x - mean| > 3 std (ddof 0); blind below 11 values */
    Fences modified_z; /* 0.6745 |x - median| / MAD > 3.5; the mean deviation where MAD is 0 */
    Fences tukey;      /* outside of [q1 - 1.5 IQR, q3 + 1.5 IQR] */
} Univariate;

/* Everything, from the column and its sorted values. */
void univariate_of(const Numbers *numbers, const Sorted *sorted, Univariate *ret);

#endif
