#ifndef CLARY_PREPARE_STEPS_H
#define CLARY_PREPARE_STEPS_H

/* Every kind of step; steps.c puts them in the order of the help. */

#include "prepare/step.h"

/* shape.c */
extern const StepKind target_step, select_step, drop_step, rename_step, cast_step, filter_step,
    deduplicate_step;
/* split.c */
extern const StepKind split_step;
/* fill.c, neighbors.c */
extern const StepKind drop_missing_step, flag_missing_step, fill_step, fill_knn_step;
/* outliers.c */
extern const StepKind outliers_step;
/* scale.c, power.c */
extern const StepKind scale_step, unit_norm_step, quantile_step, log1p_step, power_step;
/* encode.c, encode_target.c */
extern const StepKind ordinal_step, one_hot_step, hash_step, count_step, target_encode_step,
    leave_one_out_step, woe_step;
/* dates.c */
extern const StepKind cyclical_step, date_parts_step;
/* features.c, components.c */
extern const StepKind bin_step, polynomial_step, drop_correlated_step, drop_vif_step, pca_step;

/* words.c */
extern const StepKind words_step;
/* balance.c */
extern const StepKind balance_step;

#endif
