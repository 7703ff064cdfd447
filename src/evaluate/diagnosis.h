#ifndef CLARY_EVALUATE_DIAGNOSIS_H
#define CLARY_EVALUATE_DIAGNOSIS_H

/* Over- or underfitting?  Compares a metric on the training data with the same on validation data,
 * round by round, and says what to try.  Hints, never verdicts: thresholds are rules of thumb. */

#include "base/arena.h"

typedef enum FitVerdict {
    FIT_GOOD,
    FIT_OVER,      /* a wide gap, or validation has been getting worse while training gets better */
    FIT_UNDER,     /* hardly better than where it started, on both */
    FIT_UNFINISHED /* validation was still getting better at the last round */
} FitVerdict;

typedef struct DiagnosisInput {
    Str metric;
    bool maximize;
    const double *train, *validation; /* one value a round */
    int64_t n_rounds;                 /* 1: only the final values are known */
    int64_t final_round;              /* the round the model ends with */
    double baseline;                  /* validation value of a constant guess; NaN: unknown */
} DiagnosisInput;

enum { ADVICE_MAX = 6 };

typedef struct Diagnosis {
    FitVerdict verdict;
    double gap;         /* train - validation, the sign turned for metrics to be minimised */
    int64_t best_round; /* of validation, 0-based */
    Str seen;           /* what the numbers show, one or two sentences */
    Str advice[ADVICE_MAX];
    int n_advice;
} Diagnosis;

/* False when there is nothing to compare (no rounds, or values that are not numbers). */
bool diagnosis_make(const DiagnosisInput *input, Arena *arena, Diagnosis *ret_diagnosis);

const char *diagnosis_verdict_name(FitVerdict verdict); /* "good", "overfitting", ... */

#endif
