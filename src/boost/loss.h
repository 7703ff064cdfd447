#ifndef CLARY_BOOST_LOSS_H
#define CLARY_BOOST_LOSS_H

/* The vector loops behind objectives and metrics.  All of them give the same bits at every
 * processor level; none allocates or fails.  Internal to `boost`. */

#include "base/base.h"

/* Losses of one margin and one label a row. */
typedef enum LossKind {
    LOSS_SQUARED,
    LOSS_SQUARED_LOG,
    LOSS_LOGISTIC,
    LOSS_HINGE,
    LOSS_POISSON,
    LOSS_GAMMA,
    LOSS_TWEEDIE,
    LOSS_PSEUDO_HUBER,
    LOSS_ABSOLUTE,
} LossKind;

typedef struct LossArgs {
    LossKind kind;
    const float *margin, *label;
    const float *weight;  /* NULL: all 1 */
    float scale_positive; /* factor of the weight where the label is 1 */
    float shape;          /* poisson: max_delta_step; tweedie: rho; pseudohuber: slope */
    float *gh;            /* g and h of each row, interleaved */
} LossArgs;

/* Gradient and second derivative of rows [begin, end). */
void loss_gradients(const LossArgs *args, size_t begin, size_t end);

/* Softmax over n_classes margins a row: gh[2 * (i * n_classes + k)]. */
typedef struct SoftmaxArgs {
    const float *margin, *label, *weight;
    int32_t n_classes;
    float *gh;
} SoftmaxArgs;

void softmax_gradients(const SoftmaxArgs *args, size_t begin, size_t end);

/* Maps in place. */
void lanes_exp(float *x, size_t n);
void lanes_sigmoid(float *x, size_t n);
void softmax_rows(float *x, size_t n_rows, int32_t n_classes);

/* Losses of n rows that metrics average; `p` are outputs (probabilities, means). */
typedef enum RowLoss {
    ROW_SQUARED,
    ROW_ABSOLUTE,
    ROW_SQUARED_LOG,
    ROW_LOG_LOSS,
} RowLoss;

void row_losses(RowLoss kind, const float *p, const float *y, float *loss, size_t n);

/* -log of max(x, 1e-16), in place. */
void lanes_neg_log(float *x, size_t n);

#endif
