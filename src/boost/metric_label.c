/* SageMaker's metrics of predicted labels, by scikit-learn's definitions.
 *
 * The predicted class is the largest margin, or margin > 0 where there is one.  Averages run over the
 * classes that occur in truth or prediction; 0/0 counts as 0.  Weights are disregarded, as in
 * SageMaker's container. */

#include "boost/metric_kind.h"

#include "base/memory.h"
#include "boost/objective_spec.h"

#include <math.h>

typedef struct Counts { /* of one class */
    int64_t right, truth, predicted;
} Counts;

typedef struct LabelArgs {
    const Labels *labels;
    const float *margins;
    size_t n_outputs, n_classes;
    Counts *counts; /* n_classes a chunk */
} LabelArgs;

static void label_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    const LabelArgs *a = arg;
    Counts *counts = a->counts + chunk * a->n_classes;
    for (size_t i = begin; i < end; i++) {
        const float *m = a->margins + i * a->n_outputs;
        size_t guess = 0, truth = (size_t)a->labels->label[i];
        if (a->n_outputs == 1) guess = m[0] > 0;
        for (size_t k = 1; k < a->n_outputs; k++)
            if (m[k] > m[guess]) guess = k;
        if (truth >= a->n_classes) continue; /* refused when training began */
        counts[truth].truth++;
        counts[guess].predicted++;
        counts[guess].right += guess == truth;
    }
}

static double ratio(double part, double whole)
{
    return whole == 0 ? 0 : part / whole;
}

static double class_value(MetricKind kind, Counts c)
{
    double right = (double)c.right, truth = (double)c.truth, predicted = (double)c.predicted;
    switch (kind) {
    case METRIC_PRECISION_BINARY:
    case METRIC_PRECISION_MACRO: return ratio(right, predicted);
    case METRIC_RECALL_BINARY:
    case METRIC_RECALL_MACRO:
    case METRIC_BALANCED_ACCURACY: return ratio(right, truth);
    default: return ratio(2 * right, truth + predicted); /* f1 */
    }
}

static double value_of(MetricKind kind, const Counts *counts, size_t n_classes)
{
    double right = 0, rows = 0, sum = 0, present = 0;
    for (size_t c = 0; c < n_classes; c++) {
        right += (double)counts[c].right;
        rows += (double)counts[c].truth;
        bool counted = counts[c].truth || (counts[c].predicted && kind != METRIC_BALANCED_ACCURACY);
        if (!counted) continue;
        sum += class_value(kind, counts[c]);
        present++;
    }
    switch (kind) {
    case METRIC_ACCURACY:
    case METRIC_PRECISION_MICRO:
    case METRIC_RECALL_MICRO: return ratio(right, rows);
    case METRIC_F1_BINARY:
    case METRIC_PRECISION_BINARY:
    case METRIC_RECALL_BINARY: return class_value(kind, counts[1]);
    default: return ratio(sum, present);
    }
}

bool metric_labels(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                   const float *margins, Pool *pool, double *ret_value, Error *err)
{
    size_t n = (size_t)labels->n_rows, n_chunks = chunk_count(n, LOSS_GRAIN);
    LabelArgs args = {.labels = labels, .margins = margins, .n_outputs = (size_t)model->n_groups};
    args.n_classes = MAX(args.n_outputs, 2);
    AUTO_DATA Counts *counts = data_array(Counts, n_chunks * args.n_classes,
                                          "the counts of classes", err);
    if (!counts) return false;
    args.counts = counts;
    parallel_for(pool, n, LOSS_GRAIN, label_chunk, &args);
    for (size_t i = args.n_classes; i < n_chunks * args.n_classes; i++) {
        Counts *total = &counts[i % args.n_classes];
        total->right += counts[i].right;
        total->truth += counts[i].truth;
        total->predicted += counts[i].predicted;
    }
    *ret_value = value_of(metric_kind(metric), counts, args.n_classes);
    return true;
}
