/* The steps in the order of the help. */

#include "prepare/steps.h"

const StepKind *const step_kinds[] = {
    &target_step,   &select_step,      &drop_step,         &rename_step,       &cast_step,
    &filter_step,   &deduplicate_step, &drop_missing_step, &flag_missing_step, &fill_step,
    &outliers_step, &scale_step,       &unit_norm_step,    &quantile_step,     &log1p_step,
    &ordinal_step,  &one_hot_step,     &count_step,        &hash_step,         NULL,
};
