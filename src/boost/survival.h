#ifndef CLARY_BOOST_SURVIVAL_H
#define CLARY_BOOST_SURVIVAL_H

/* Survival times that are seen exactly, or only known to lie within bounds; internal to `boost`.
 *
 * Barnwal, Cho, Hocking: Survival Regression with Accelerated Failure Time Model in XGBoost, 2022. */

#include "boost/objective.h"

typedef enum AftDistribution { AFT_NORMAL, AFT_LOGISTIC, AFT_EXTREME } AftDistribution;

AftDistribution aft_distribution(Str name); /* normal unless it says logistic or extreme */

/* Negative log likelihood of a time in [lower, upper] (upper infinite: still alive; lower 0: only the
 * upper bound is known; equal: exact) under margin m = log of the median-like location. */
double aft_loss(AftDistribution distribution, double sigma, double lower, double upper,
                double margin);

/* Its derivatives by m, clipped as XGBoost does. */
void aft_derivatives(AftDistribution distribution, double sigma, double lower, double upper,
                     double margin, double *ret_g, double *ret_h);

/* Rows by ascending time, the absolute label; a data_alloc. */
bool cox_order(const Labels *labels, uint32_t **ret_order, Error *err);

#endif
