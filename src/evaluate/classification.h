#ifndef CLARY_EVALUATE_CLASSIFICATION_H
#define CLARY_EVALUATE_CLASSIFICATION_H

/* How good a classifier's answers are.  Definitions and edge cases are scikit-learn's.
 *
 * What a value is not defined for is NaN: the area under the ROC curve of one class only, log loss
 * without probabilities, anything of no rows.  Weighted rows count with their weight everywhere. */

#include "base/arena.h"
#include "base/error.h"

typedef struct ClassificationInput {
    int64_t n;
    int32_t n_classes;      /* at least 2 */
    const float *labels;    /* the true class of each row, 0 to n_classes - 1 */
    const float *predicted; /* the class that was answered; NULL: follows from the scores */
    const float *scores; /* two classes: n, of class 1; more: n x n_classes; NULL: there are none */
    bool probabilities;  /* scores are probabilities: of log loss, Brier and calibration */
    const float *weights; /* NULL: all 1 */
    double threshold;     /* two classes: class 1 is answered from this score on (customary: 0.5) */
} ClassificationInput;

/* One class against the rest. */
typedef struct ClassMetrics {
    double support; /* rows that are of this class (their weight) */
    double tp, fp, fn, tn;
    double precision, recall, f1;      /* 0 where the denominator is 0 */
    double specificity, npv;           /* NaN there */
    double roc_auc, average_precision; /* needs scores */
} ClassMetrics;

typedef struct AverageMetrics {
    double precision, recall, f1;
} AverageMetrics;

/* Points in the order of falling thresholds. */
typedef struct Curve {
    int64_t n;
    double *x, *y;
    double *threshold; /* scores >= threshold are answered with class 1 at this point */
} Curve;

enum { CALIBRATION_BINS = 10 };

typedef struct CalibrationBin {
    double low, high;
    double weight;     /* rows in it */
    double mean_score; /* NaN when it is empty */
    double share;      /* of them that are of class 1 (of several classes: that are right) */
} CalibrationBin;

/* What one threshold means. */
typedef struct ThresholdRow {
    double threshold;
    double tp, fp, fn, tn;
    double precision, recall, specificity, f1, accuracy;
    double youden; /* recall + specificity - 1 */
    double mcc;
} ThresholdRow;

enum { THRESHOLD_ROWS = 19 }; /* 0.05, 0.10, ... 0.95 */

typedef struct Classification {
    int64_t n;
    int32_t n_classes;
    int32_t n_present; /* classes that occur among the labels */
    double weight;     /* of all rows */

    double *confusion; /* n_classes x n_classes: a row per true class, a column per answer */
    ClassMetrics *classes;
    double accuracy;
    int32_t majority_class; /* the most frequent label, and the accuracy of always answering it */
    double majority_accuracy;
    /* `macro` is over the classes among labels and answers, `weighted` by support. */
    AverageMetrics micro, macro, weighted;
    double balanced_accuracy, mcc, kappa;

    /* From probabilities. */
    double log_loss, brier, ece;
    CalibrationBin calibration[CALIBRATION_BINS]; /* several classes: of the highest probability */

    /* From scores. */
    double roc_auc; /* two classes: of class 1; more: one against the rest, mean over the classes */
    double roc_auc_weighted; /* the same weighted by support */
    double roc_auc_ovo,
        roc_auc_ovo_weighted; /* one against one (Hand, Till); needs probabilities */
    double average_precision; /* two classes: of class 1; more: mean over the classes */
    double top_k_accuracy[3]; /* several classes: truth among the 2, 3, 5 highest */

    /* Two classes with scores only. */
    Curve
        roc; /* x: false positive rate, y: true positive rate; points on straight lines left out */
    Curve
        pr; /* x: recall, y: precision; the last point is (0, 1) in scikit-learn's order: first here */
    double ks;                               /* max (TPR - FPR) */
    ThresholdRow at_threshold;               /* of the input */
    ThresholdRow thresholds[THRESHOLD_ROWS]; /* needs probabilities */
    ThresholdRow best_f1, best_youden, best_accuracy, best_mcc;
} Classification;

/* Fails for labels, answers or scores that cannot be, with the row.  Curves live in `arena`. */
bool classification_evaluate(const ClassificationInput *input, Arena *arena,
                             Classification *ret_result, Error *err);

/* At most n_max points of a curve that look the same (the ends stay), for drawing. */
Curve curve_thin(const Curve *curve, int64_t n_max, Arena *arena);

#endif
