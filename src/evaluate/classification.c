/* Classification metrics.
 *
 * Everything about scores comes from one ranking per class: rows in the order of falling scores,
 * taken in groups of equal scores.  The area under the ROC curve is the share of (positive, negative)
 * pairs in the right order, ties counted half; average precision is the sum of precision times the
 * step in recall, without interpolation.
 *
 * Definitions as in scikit-learn (1.2 to 1.9, which agree where not stated otherwise). */

#include "evaluate/classification.h"

#include "base/memory.h"
#include "evaluate/rank.h"

#include <math.h>

#define NOT_DEFINED ((double)NAN)

typedef struct Evaluation {
    const ClassificationInput *input;
    Arena *arena;
    Classification result;
    int32_t *label;     /* n */
    int32_t *predicted; /* n */
    Ranked *ranked, *spare;
} Evaluation;

static inline double weight_at(const Evaluation *evaluation, int64_t row)
{
    return evaluation->input->weights ? (double)evaluation->input->weights[row] : 1;
}

static double ratio(double a, double b, double otherwise)
{
    return b != 0 ? a / b : otherwise;
}

/* ---- input ---- */

static bool read_class(float x, int32_t n_classes, const char *what, int64_t row,
                       int32_t *ret_class, Error *err)
{
    if (!(x >= 0 && x < (float)n_classes && x == truncf(x)))
        return error_set(err, ERROR_INVALID,
                         "row %lld: the %s is %g, which is no class from 0 to %d",
                         (long long)row + 1, what, (double)x, n_classes - 1);
    *ret_class = (int32_t)x;
    return true;
}

static int32_t answer_of(const ClassificationInput *input, int64_t row)
{
    int32_t k = input->n_classes, best = 0;
    if (k == 2) return (double)input->scores[row] >= input->threshold;
    for (int32_t c = 1; c < k; c++)
        if (input->scores[row * k + c] > input->scores[row * k + best]) best = c;
    return best;
}

static bool check_scores(const ClassificationInput *input, Error *err)
{
    int64_t width = input->n_classes == 2 ? 1 : input->n_classes;
    for (int64_t i = 0; i < input->n * width; i++) {
        float x = input->scores[i];
        if (isnan(x))
            return error_set(err, ERROR_INVALID, "row %lld: the score is NaN",
                             (long long)(i / width) + 1);
        if (input->probabilities && (x < 0 || x > 1))
            return error_set(err, ERROR_INVALID, "row %lld: %g is no probability",
                             (long long)(i / width) + 1, (double)x);
    }
    return true;
}

static bool read_rows(Evaluation *evaluation, Error *err)
{
    const ClassificationInput *input = evaluation->input;
    if (input->n_classes < 2)
        return error_set(err, ERROR_INVALID, "%d classes; at least two are needed",
                         input->n_classes);
    if (!input->predicted && !input->scores)
        return error_set(err, ERROR_INVALID, "neither answers nor scores are given");
    if (input->n >= UINT32_MAX) return error_set(err, ERROR_LIMIT, "more than 4294967294 rows");
    if (input->scores && !check_scores(input, err)) return false;
    for (int64_t i = 0; i < input->n; i++) {
        if (!read_class(input->labels[i], input->n_classes, "label", i, &evaluation->label[i], err))
            return false;
        if (!input->predicted)
            evaluation->predicted[i] = answer_of(input, i);
        else if (!read_class(input->predicted[i], input->n_classes, "answer", i,
                             &evaluation->predicted[i], err))
            return false;
        double w = weight_at(evaluation, i);
        if (!(w >= 0) || !isfinite(w))
            return error_set(err, ERROR_INVALID, "row %lld: the weight is %g", (long long)i + 1, w);
    }
    return true;
}

/* ---- from classes ---- */

static void count_confusion(Evaluation *evaluation)
{
    Classification *result = &evaluation->result;
    int64_t n = evaluation->input->n, k = evaluation->input->n_classes;
    result->n = n;
    result->n_classes = (int32_t)k;
    result->confusion = arena_array(evaluation->arena, double, k *k);
    result->classes = arena_array(evaluation->arena, ClassMetrics, k);
    for (int64_t i = 0; i < n; i++) {
        double w = weight_at(evaluation, i);
        result->confusion[evaluation->label[i] * k + evaluation->predicted[i]] += w;
        result->weight += w;
    }
}

static double f1_of(double tp, double fp, double fn)
{
    return ratio(2 * tp, 2 * tp + fp + fn, 0);
}

static void measure_class(const Classification *result, int32_t c, ClassMetrics *metrics)
{
    int64_t k = result->n_classes;
    double truth = 0, answers = 0, tp = result->confusion[c * k + c];
    for (int32_t other = 0; other < k; other++) {
        truth += result->confusion[c * k + other];
        answers += result->confusion[other * k + c];
    }
    *metrics = (ClassMetrics){.support = truth, .tp = tp, .fp = answers - tp, .fn = truth - tp};
    metrics->tn = result->weight - truth - answers + tp;
    metrics->precision = ratio(tp, answers, 0);
    metrics->recall = ratio(tp, truth, 0);
    metrics->f1 = f1_of(tp, metrics->fp, metrics->fn);
    metrics->specificity = ratio(metrics->tn, metrics->tn + metrics->fp, NOT_DEFINED);
    metrics->npv = ratio(metrics->tn, metrics->tn + metrics->fn, NOT_DEFINED);
    metrics->roc_auc = metrics->average_precision = NOT_DEFINED;
}

static void measure_classes(Classification *result)
{
    int32_t n_seen = 0;
    double right = 0, recalls = 0, chance = 0, truth_squares = 0, answer_squares = 0;
    for (int32_t c = 0; c < result->n_classes; c++) {
        ClassMetrics *metrics = &result->classes[c];
        measure_class(result, c, metrics);
        double answers = metrics->tp + metrics->fp, truth = metrics->support;
        right += metrics->tp;
        chance += truth * answers;
        truth_squares += truth * truth;
        answer_squares += answers * answers;
        if (truth > result->classes[result->majority_class].support) result->majority_class = c;
        if (truth > 0) {
            result->n_present++;
            recalls += metrics->recall;
        }
        result->weighted.precision += truth * metrics->precision;
        result->weighted.recall += truth * metrics->recall;
        result->weighted.f1 += truth * metrics->f1;
        if (truth == 0 && answers == 0) continue;
        n_seen++;
        result->macro.precision += metrics->precision;
        result->macro.recall += metrics->recall;
        result->macro.f1 += metrics->f1;
    }
    double total = result->weight;
    result->accuracy = ratio(right, total, NOT_DEFINED);
    result->majority_accuracy = ratio(result->classes[result->majority_class].support, total,
                                      NOT_DEFINED);
    result->balanced_accuracy = ratio(recalls, result->n_present, NOT_DEFINED);
    result->micro = (AverageMetrics){result->accuracy, result->accuracy, result->accuracy};
    result->macro = (AverageMetrics){ratio(result->macro.precision, n_seen, NOT_DEFINED),
                                     ratio(result->macro.recall, n_seen, NOT_DEFINED),
                                     ratio(result->macro.f1, n_seen, NOT_DEFINED)};
    result->weighted = (AverageMetrics){ratio(result->weighted.precision, total, NOT_DEFINED),
                                        ratio(result->weighted.recall, total, NOT_DEFINED),
                                        ratio(result->weighted.f1, total, NOT_DEFINED)};
    double spread = sqrt(total * total - truth_squares) * sqrt(total * total - answer_squares);
    result->mcc = total > 0 ? ratio(right * total - chance, spread, 0) : NOT_DEFINED;
    double expected = ratio(chance, total * total, NOT_DEFINED);
    result->kappa = ratio(result->accuracy - expected, 1 - expected, NOT_DEFINED);
}

/* ---- from probabilities ---- */

static double probability_of(const ClassificationInput *input, int64_t row, int32_t c)
{
    if (input->n_classes > 2) return (double)input->scores[row * input->n_classes + c];
    double p = (double)input->scores[row];
    return c == 1 ? p : 1 - p;
}

/* Bins are open below and closed above; 0 belongs to the first. */
static int bin_of(double p)
{
    int bin = 0;
    while (bin + 1 < CALIBRATION_BINS && p > (double)(bin + 1) / CALIBRATION_BINS) bin++;
    return bin;
}

static void measure_probabilities(Evaluation *evaluation)
{
    static const double SMALLEST = 2.220446049250313e-16;
    const ClassificationInput *input = evaluation->input;
    Classification *result = &evaluation->result;
    int32_t k = input->n_classes;
    double log_loss = 0, brier = 0, scores[CALIBRATION_BINS] = {0}, hits[CALIBRATION_BINS] = {0};
    for (int64_t i = 0; i < input->n; i++) {
        int32_t truth = evaluation->label[i], likely = 0;
        double w = weight_at(evaluation, i), sum = 0, square = 0;
        for (int32_t c = 0; c < k; c++) {
            double p = probability_of(input, i, c), miss = p - (c == truth);
            sum += p;
            square += miss * miss;
            if (p > probability_of(input, i, likely)) likely = c;
        }
        double p = ratio(probability_of(input, i, truth), sum, 0);
        log_loss -= w * log(fmin(fmax(p, SMALLEST), 1 - SMALLEST));
        brier += w * (k == 2 ? square / 2 : square);

        int32_t shown = k == 2 ? 1 : likely; /* the class whose calibration is shown */
        double score = probability_of(input, i, shown);
        int bin = bin_of(score);
        result->calibration[bin].weight += w;
        scores[bin] += w * score;
        hits[bin] += w * (truth == shown);
    }
    result->log_loss = ratio(log_loss, result->weight, NOT_DEFINED);
    result->brier = ratio(brier, result->weight, NOT_DEFINED);
    result->ece = ratio(0, result->weight, NOT_DEFINED);
    for (int bin = 0; bin < CALIBRATION_BINS; bin++) {
        CalibrationBin *to = &result->calibration[bin];
        to->mean_score = ratio(scores[bin], to->weight, NOT_DEFINED);
        to->share = ratio(hits[bin], to->weight, NOT_DEFINED);
        if (to->weight > 0)
            result->ece += to->weight / result->weight * fabs(to->share - to->mean_score);
    }
}

/* ---- from ranks ---- */

/* One class against each other: `wins[b]` gets the weight of (class c, class b) pairs in the right
 * order by the scores that are ranked, ties counted half.  Also the average precision of class c. */
static double rank_wins(const Evaluation *evaluation, int32_t c, double support, double *wins)
{
    const Ranked *ranked = evaluation->ranked;
    int64_t n = evaluation->input->n;
    double before = 0, answers = 0, precision_sum = 0;
    for (int64_t begin = 0, end; begin < n; begin = end) {
        double positive = 0;
        for (end = begin; end < n && ranked[end].key == ranked[begin].key; end++) {
            double w = weight_at(evaluation, ranked[end].row);
            answers += w;
            if (evaluation->label[ranked[end].row] == c) positive += w;
        }
        for (int64_t i = begin; i < end; i++) {
            uint32_t row = ranked[i].row;
            wins[evaluation->label[row]] += weight_at(evaluation, row) * (before + positive / 2);
        }
        before += positive;
        if (positive > 0) precision_sum += positive * before / answers;
    }
    return ratio(precision_sum, support, 0);
}

static void average_over_classes(Classification *result)
{
    double area = 0, weighted = 0, precision = 0;
    for (int32_t c = 0; c < result->n_classes; c++) {
        const ClassMetrics *metrics = &result->classes[c];
        area += metrics->roc_auc; /* NaN of a class that is absent makes the mean NaN */
        weighted += metrics->support / result->weight * metrics->roc_auc;
        precision += metrics->average_precision;
    }
    result->roc_auc = area / result->n_classes;
    result->roc_auc_weighted = weighted;
    result->average_precision = precision / result->n_classes;
}

static void rank_classes(Evaluation *evaluation)
{
    const ClassificationInput *input = evaluation->input;
    Classification *result = &evaluation->result;
    int32_t k = input->n_classes;
    double *pairs = arena_array(evaluation->arena, double, (int64_t)k *k);
    for (int32_t c = 0; c < k; c++) {
        ClassMetrics *metrics = &result->classes[c];
        double *wins = pairs + (int64_t)c * k;
        double others = result->weight - metrics->support, sum = 0;
        rank_descending(input->scores + c, k, input->n, evaluation->ranked, evaluation->spare);
        metrics->average_precision = rank_wins(evaluation, c, metrics->support, wins);
        for (int32_t b = 0; b < k; b++)
            if (b != c) sum += wins[b];
        metrics->roc_auc = ratio(sum, metrics->support * others, NOT_DEFINED);
    }
    average_over_classes(result);

    double mean = 0, weighted = 0, shares = 0;
    for (int32_t a = 0; a < k; a++) {
        for (int32_t b = 0; b < a; b++) {
            double both = result->classes[a].support * result->classes[b].support;
            double area = ratio(pairs[(int64_t)a * k + b] + pairs[(int64_t)b * k + a], 2 * both,
                                NOT_DEFINED);
            double share = (result->classes[a].support + result->classes[b].support) /
                           result->weight;
            mean += area;
            weighted += share * area;
            shares += share;
        }
    }
    if (!input->probabilities) return;
    result->roc_auc_ovo = mean / ((double)(k * (k - 1)) / 2);
    result->roc_auc_ovo_weighted = weighted / shares;
}

static void measure_top_k(Evaluation *evaluation)
{
    static const int32_t tops[] = {2, 3, 5};
    const ClassificationInput *input = evaluation->input;
    Classification *result = &evaluation->result;
    int32_t k = input->n_classes;
    double hits[COUNT(tops)] = {0};
    for (int64_t i = 0; i < input->n; i++) {
        const float *scores = input->scores + i * k;
        int32_t truth = evaluation->label[i], above = 0;
        for (int32_t c = 0; c < k; c++)
            above += scores[c] > scores[truth] || (scores[c] == scores[truth] && c > truth);
        for (size_t t = 0; t < COUNT(tops); t++)
            hits[t] += above < tops[t] ? weight_at(evaluation, i) : 0;
    }
    for (size_t t = 0; t < COUNT(tops); t++)
        if (tops[t] < k) result->top_k_accuracy[t] = ratio(hits[t], result->weight, NOT_DEFINED);
}

/* ---- two classes ---- */

static ThresholdRow threshold_row(double threshold, double tp, double fp, double positive,
                                  double negative)
{
    double fn = positive - tp, tn = negative - fp;
    ThresholdRow row = {.threshold = threshold, .tp = tp, .fp = fp, .fn = fn, .tn = tn};
    row.precision = ratio(tp, tp + fp, 0);
    row.recall = ratio(tp, positive, 0);
    row.specificity = ratio(tn, negative, NOT_DEFINED);
    row.f1 = f1_of(tp, fp, fn);
    row.accuracy = ratio(tp + tn, positive + negative, NOT_DEFINED);
    row.youden = row.recall + row.specificity - 1;
    row.mcc = ratio(tp * tn - fp * fn, sqrt((tp + fp) * (tp + fn)) * sqrt((tn + fp) * (tn + fn)),
                    0);
    return row;
}

static void keep_best(ThresholdRow *best, double *best_value, const ThresholdRow *row, double value)
{
    if (!(value > *best_value)) return;
    *best_value = value;
    *best = *row;
}

/* Cumulated weights at each distinct score, the highest first. */
typedef struct Steps {
    int64_t n;
    double *threshold, *tp, *fp;
} Steps;

static Steps steps_of(const Evaluation *evaluation)
{
    const ClassificationInput *input = evaluation->input;
    const Ranked *ranked = evaluation->ranked;
    int64_t distinct = 0;
    for (int64_t i = 0; i < input->n; i++) distinct += i == 0 || ranked[i].key != ranked[i - 1].key;
    Steps steps = {.threshold = arena_array(evaluation->arena, double, distinct),
                   .tp = arena_array(evaluation->arena, double, distinct),
                   .fp = arena_array(evaluation->arena, double, distinct)};
    double tp = 0, fp = 0;
    for (int64_t i = 0; i < input->n; i++) {
        uint32_t row = ranked[i].row;
        double w = weight_at(evaluation, row);
        if (evaluation->label[row] == 1)
            tp += w;
        else
            fp += w;
        if (i + 1 < input->n && ranked[i + 1].key == ranked[i].key) continue;
        steps.threshold[steps.n] = (double)input->scores[row];
        steps.tp[steps.n] = tp;
        steps.fp[steps.n++] = fp;
    }
    return steps;
}

static Curve curve_new(Arena *arena, int64_t n)
{
    return (Curve){.x = arena_array(arena, double, n),
                   .y = arena_array(arena, double, n),
                   .threshold = arena_array(arena, double, n)};
}

static void curve_add(Curve *curve, double x, double y, double threshold)
{
    curve->x[curve->n] = x;
    curve->y[curve->n] = y;
    curve->threshold[curve->n++] = threshold;
}

/* A point whose neighbors are equally far in both directions lies on a straight line. */
static bool on_line(const Steps *steps, int64_t i)
{
    if (i == 0 || i + 1 == steps->n) return false;
    double tp2 = (steps->tp[i + 1] - steps->tp[i]) - (steps->tp[i] - steps->tp[i - 1]);
    double fp2 = (steps->fp[i + 1] - steps->fp[i]) - (steps->fp[i] - steps->fp[i - 1]);
    return tp2 == 0 && fp2 == 0;
}

static void make_curves(Evaluation *evaluation, const Steps *steps, double positive,
                        double negative)
{
    Classification *result = &evaluation->result;
    result->roc = curve_new(evaluation->arena, steps->n + 1);
    result->pr = curve_new(evaluation->arena, steps->n + 1);
    curve_add(&result->roc, 0, 0, (double)INFINITY);
    curve_add(&result->pr, 0, 1, (double)INFINITY);
    for (int64_t i = 0; i < steps->n; i++) {
        double tpr = ratio(steps->tp[i], positive, NOT_DEFINED),
               fpr = ratio(steps->fp[i], negative, NOT_DEFINED);
        if (!on_line(steps, i)) curve_add(&result->roc, fpr, tpr, steps->threshold[i]);
        /* Without positives scikit-learn says that recall is 1. */
        curve_add(&result->pr, positive > 0 ? tpr : 1,
                  ratio(steps->tp[i], steps->tp[i] + steps->fp[i], 0), steps->threshold[i]);
    }
}

static void choose_thresholds(Classification *result, const Steps *steps, double positive,
                              double negative)
{
    double f1 = -1, youden = -2, accuracy = -1, mcc = -2;
    for (int64_t i = 0; i < steps->n; i++) {
        ThresholdRow row = threshold_row(steps->threshold[i], steps->tp[i], steps->fp[i], positive,
                                         negative);
        keep_best(&result->best_f1, &f1, &row, row.f1);
        keep_best(&result->best_youden, &youden, &row, row.youden);
        keep_best(&result->best_accuracy, &accuracy, &row, row.accuracy);
        keep_best(&result->best_mcc, &mcc, &row, row.mcc);
    }
    /* NaN when one class is absent: then no row was better than another. */
    result->ks = positive > 0 && negative > 0 ? fmax(youden, 0) : NOT_DEFINED;
}

static ThresholdRow row_at_threshold(const Steps *steps, double threshold, double positive,
                                     double negative)
{
    int64_t low = 0, high = steps->n; /* how many distinct scores are at or above it */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (steps->threshold[middle] >= threshold)
            low = middle + 1;
        else
            high = middle;
    }
    return threshold_row(threshold, low ? steps->tp[low - 1] : 0, low ? steps->fp[low - 1] : 0,
                         positive, negative);
}

static void rank_two_classes(Evaluation *evaluation)
{
    const ClassificationInput *input = evaluation->input;
    Classification *result = &evaluation->result;
    double positive = result->classes[1].support, negative = result->classes[0].support,
           wins[2] = {0};
    rank_descending(input->scores, 1, input->n, evaluation->ranked, evaluation->spare);
    result->average_precision = rank_wins(evaluation, 1, positive, wins);
    result->roc_auc = result->roc_auc_weighted = ratio(wins[0], positive * negative, NOT_DEFINED);
    result->classes[1].roc_auc = result->roc_auc;
    result->classes[1].average_precision = result->average_precision;

    Steps steps = steps_of(evaluation);
    make_curves(evaluation, &steps, positive, negative);
    choose_thresholds(result, &steps, positive, negative);
    result->at_threshold = row_at_threshold(&steps, input->threshold, positive, negative);
    for (int i = 0; i < THRESHOLD_ROWS; i++)
        result->thresholds[i] = row_at_threshold(&steps, (double)(i + 1) / (THRESHOLD_ROWS + 1),
                                                 positive, negative);
}

/* ---- all of it ---- */

static void mark_undefined(Classification *result)
{
    result->log_loss = result->brier = result->ece = NOT_DEFINED;
    result->roc_auc = result->roc_auc_weighted = NOT_DEFINED;
    result->roc_auc_ovo = result->roc_auc_ovo_weighted = NOT_DEFINED;
    result->average_precision = result->ks = NOT_DEFINED;
    for (size_t t = 0; t < COUNT(result->top_k_accuracy); t++)
        result->top_k_accuracy[t] = NOT_DEFINED;
    for (int bin = 0; bin < CALIBRATION_BINS; bin++)
        result->calibration[bin] = (CalibrationBin){(double)bin / CALIBRATION_BINS,
                                                    (double)(bin + 1) / CALIBRATION_BINS, 0,
                                                    NOT_DEFINED, NOT_DEFINED};
}

bool classification_evaluate(const ClassificationInput *input, Arena *arena,
                             Classification *ret_result, Error *err)
{
    size_t n = (size_t)input->n, n_ranked = input->scores ? n : 0;
    AUTO_DATA int32_t *label = data_array(int32_t, n, "the labels", err);
    AUTO_DATA int32_t *predicted = label ? data_array(int32_t, n, "the answers", err) : NULL;
    AUTO_DATA Ranked *ranked = predicted ? data_array(Ranked, n_ranked, "the ranks", err) : NULL;
    AUTO_DATA Ranked *spare = ranked ? data_array(Ranked, n_ranked, "the ranks", err) : NULL;
    if (!spare) return false;
    Evaluation evaluation = {.input = input,
                             .arena = arena,
                             .label = label,
                             .predicted = predicted,
                             .ranked = ranked,
                             .spare = spare};
    if (!read_rows(&evaluation, err)) return false;
    mark_undefined(&evaluation.result);
    count_confusion(&evaluation);
    measure_classes(&evaluation.result);
    if (input->scores && n > 0) {
        if (input->probabilities) measure_probabilities(&evaluation);
        if (input->n_classes == 2) {
            rank_two_classes(&evaluation);
        } else {
            rank_classes(&evaluation);
            measure_top_k(&evaluation);
        }
    }
    *ret_result = evaluation.result;
    return true;
}

Curve curve_thin(const Curve *curve, int64_t n_max, Arena *arena)
{
    if (curve->n <= n_max || n_max < 2) return *curve;
    /* A point per equal stretch of way along the curve: steps of x and y both count. */
    Curve thin = curve_new(arena, n_max);
    double way = 0, done = 0;
    for (int64_t i = 1; i < curve->n; i++)
        way += fabs(curve->x[i] - curve->x[i - 1]) + fabs(curve->y[i] - curve->y[i - 1]);
    curve_add(&thin, curve->x[0], curve->y[0], curve->threshold[0]);
    for (int64_t i = 1; i + 1 < curve->n && thin.n + 1 < n_max; i++) {
        done += fabs(curve->x[i] - curve->x[i - 1]) + fabs(curve->y[i] - curve->y[i - 1]);
        if (done >= way * (double)thin.n / (double)(n_max - 1))
            curve_add(&thin, curve->x[i], curve->y[i], curve->threshold[i]);
    }
    curve_add(&thin, curve->x[curve->n - 1], curve->y[curve->n - 1],
              curve->threshold[curve->n - 1]);
    return thin;
}
