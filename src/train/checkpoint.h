#ifndef CLARY_TRAIN_CHECKPOINT_H
#define CLARY_TRAIN_CHECKPOINT_H

/* Checkpoints: complete models named NAME-checkpoint.ROUND, the newest five kept.  A file that is
 * being uploaded (a sibling NAME.sagemaker-uploading without NAME.sagemaker-uploaded) stays. */

#include "algo/algorithm.h"

typedef struct Checkpoints {
    const char *folder; /* NULL: none are kept */
    const Algorithm *algorithm;
} Checkpoints;

bool checkpoints_save(const Checkpoints *checkpoints, int64_t round, const Model *model,
                      Error *err);

/* The newest one; *ret_model is NULL when there is none. */
bool checkpoints_load(const Checkpoints *checkpoints, Model **ret_model, int64_t *ret_round,
                      Error *err);

#endif
