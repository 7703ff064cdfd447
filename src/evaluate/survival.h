#ifndef CLARY_EVALUATE_SURVIVAL_H
#define CLARY_EVALUATE_SURVIVAL_H

/* How good a model tells who fails first.
 *
 * Each row's time lies in [lower, upper]: both equal when the event was seen, upper infinite when the
 * row was still alive at `lower` (right censored), anything else when only bounds are known. */

#include "base/arena.h"
#include "base/error.h"

typedef struct SurvivalInput {
    int64_t n;
    const float *lower, *upper;
    const float *risks; /* higher: expected to fail earlier */
    const float *times; /* predicted times; NULL: the model gives risks only */
} SurvivalInput;

enum { SURVIVAL_GROUPS = 3 };

/* Kaplan-Meier's estimate of the share that is still alive, for a third of the rows by risk. */
typedef struct SurvivalGroup {
    int64_t n_rows, n_events;
    int64_t n; /* points; a step function, both ends of each step */
    double *time, *alive;
    double median; /* NaN: more than half outlive the data */
} SurvivalGroup;

typedef struct Survival {
    int64_t n, n_events, n_right, n_other; /* exact, right censored, other bounds */
    /* Harrell's: of the pairs of which it is known who failed first, the share that the model puts
     * in this order; equal risks count half.  NaN: there is no such pair. */
    double concordance;
    double n_pairs;
    double within; /* share of rows whose predicted time is within its bounds; NaN without times */
    double time_mae;                       /* over the events; NaN without times or events */
    double median_time_ratio;              /* predicted / true, the middle one of the events */
    SurvivalGroup groups[SURVIVAL_GROUPS]; /* low, middle, high risk; n 0: not estimated (there are
                                              rows that only have bounds) */
} Survival;

/* Bounds from the labels of Cox's model: the time, negative when it is censored. */
void survival_cox_bounds(const float *labels, int64_t n, float *ret_lower, float *ret_upper);

/* Fails for bounds that are no interval of times and risks that are not numbers, with the row. */
bool survival_evaluate(const SurvivalInput *input, Arena *arena, Survival *ret_result, Error *err);

#endif
