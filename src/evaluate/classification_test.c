/* Classification metrics against scikit-learn (tests/golden/evaluate) and at their edges. */

#include "base/file.h"
#include "base/test.h"
#include "evaluate/classification.h"
#include "evaluate/golden.h"

#include <math.h>

/* One number that changes when any value of a curve or their order does; as in make.py. */
static double checksum(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * cos((double)(i + 1));
    return sum;
}

static double calibration_checksum(const Classification *result, bool share)
{
    double values[CALIBRATION_BINS];
    int n = 0;
    for (int bin = 0; bin < CALIBRATION_BINS; bin++)
        if (result->calibration[bin].weight > 0)
            values[n++] = share ? result->calibration[bin].share
                                : result->calibration[bin].mean_score;
    return checksum(values, n);
}

static double average_by_name(const AverageMetrics *average, Str name)
{
    return str_is(name, "precision") ? average->precision
           : str_is(name, "recall")  ? average->recall
                                     : average->f1;
}

/* "precision_2": of class 2. */
static bool class_value(const Classification *result, Str name, double *ret)
{
    static const struct {
        const char *name;
        size_t offset;
    } members[] = {{"precision_", offsetof(ClassMetrics, precision)},
                   {"recall_", offsetof(ClassMetrics, recall)},
                   {"f1_", offsetof(ClassMetrics, f1)},
                   {"support_", offsetof(ClassMetrics, support)}};
    for (size_t i = 0; i < COUNT(members); i++) {
        int64_t c;
        if (!str_starts(name, str_of(members[i].name)) ||
            !str_to_int64(str_from(name, strlen(members[i].name)), &c))
            continue;
        *ret = *(const double *)(const void *)((const char *)&result->classes[c] +
                                               members[i].offset);
        return true;
    }
    return false;
}

static double value_of(const Classification *result, Str name)
{
    const struct {
        const char *name;
        double value;
    } plain[] = {
        {"accuracy", result->accuracy},
        {"balanced_accuracy", result->balanced_accuracy},
        {"mcc", result->mcc},
        {"kappa", result->kappa},
        {"log_loss", result->log_loss},
        {"brier", result->brier},
        {"ece", result->ece},
        {"roc_auc", result->roc_auc},
        {"roc_auc_weighted", result->roc_auc_weighted},
        {"roc_auc_ovo", result->roc_auc_ovo},
        {"roc_auc_ovo_weighted", result->roc_auc_ovo_weighted},
        {"average_precision", result->average_precision},
        {"ks", result->ks},
        {"top_0", result->top_k_accuracy[0]},
        {"top_1", result->top_k_accuracy[1]},
        {"top_2", result->top_k_accuracy[2]},
        {"roc_points", (double)result->roc.n},
        {"pr_points", (double)result->pr.n},
        {"roc_x", checksum(result->roc.x, result->roc.n)},
        {"roc_y", checksum(result->roc.y, result->roc.n)},
        {"roc_threshold",
         result->roc.n ? checksum(result->roc.threshold + 1, result->roc.n - 1) : 0},
        {"pr_x", checksum(result->pr.x, result->pr.n)},
        {"pr_y", checksum(result->pr.y, result->pr.n)},
        {"best_f1", result->best_f1.f1},
        {"best_mcc", result->best_mcc.mcc},
        {"best_accuracy", result->best_accuracy.accuracy},
        {"f1_at_5", result->thresholds[4].f1},
        {"f1_at_10", result->at_threshold.f1},
        {"f1_at_15", result->thresholds[14].f1},
        {"calibration_share", calibration_checksum(result, true)},
        {"calibration_mean", calibration_checksum(result, false)},
    };
    for (size_t i = 0; i < COUNT(plain); i++)
        if (str_is(name, plain[i].name)) return plain[i].value;
    double value;
    if (class_value(result, name, &value)) return value;
    Str rest = name, kind;
    str_next(&rest, '_', &kind);
    if (str_is(kind, "confusion")) {
        int64_t a, b;
        Str row;
        str_next(&rest, '_', &row);
        CHECK(str_to_int64(row, &a) && str_to_int64(rest, &b));
        return result->confusion[a * result->n_classes + b];
    }
    if (str_is(kind, "micro")) return average_by_name(&result->micro, rest);
    if (str_is(kind, "macro")) return average_by_name(&result->macro, rest);
    if (str_is(kind, "weighted")) return average_by_name(&result->weighted, rest);
    FAIL("no value '%.*s'", STR_ARG(name));
}

TEST(classification, values_equal_those_of_scikit_learn)
{
    ARENA(arena);
    Golden golden = golden_open(&arena);
    GoldenCase each;
    int n = 0;
    while (golden_next(&golden, &each)) {
        if (!str_is(each.kind, "classes")) continue;
        Error err = {0};
        Classification result;
        ClassificationInput input = {.n = each.n,
                                     .n_classes = each.n_classes,
                                     .labels = each.labels,
                                     .scores = each.scores,
                                     .probabilities = true,
                                     .weights = each.weights,
                                     .threshold = 0.5};
        CHECK_OK(classification_evaluate(&input, &arena, &result, &err), err);
        for (int v = 0; v < each.n_values; v++) {
            double got = value_of(&result, each.values[v].name), want = each.values[v].value;
            if (!test_near(got, want, 1e-9))
                FAIL("%.*s: %.*s is %.17g, not %.17g", STR_ARG(each.name),
                     STR_ARG(each.values[v].name), got, want);
            n++;
        }
    }
    CHECK(n > 300);
}

/* The example of many textbooks, whose values can be counted by hand. */
TEST(classification, answers_without_scores_are_counted)
{
    ARENA(arena);
    Error err = {0};
    static const float labels[] = {0, 1, 2, 2, 2}, answers[] = {0, 0, 2, 2, 1};
    Classification result;
    ClassificationInput input = {.n = 5, .n_classes = 3, .labels = labels, .predicted = answers};
    CHECK_OK(classification_evaluate(&input, &arena, &result, &err), err);
    static const double confusion[] = {1, 0, 0, 1, 0, 0, 0, 1, 2};
    for (int i = 0; i < 9; i++) CHECK(result.confusion[i] == confusion[i]);
    CHECK_NEAR(result.accuracy, 0.6, 1e-15);
    CHECK_NEAR(result.macro.precision, 0.5, 1e-15);
    CHECK_NEAR(result.macro.f1, 0.48888888888888893, 1e-15);
    CHECK_NEAR(result.weighted.f1, 0.6133333333333334, 1e-15);
    CHECK_NEAR(result.kappa, 0.375, 1e-15);
    CHECK_NEAR(result.mcc, 0.4008918628686366, 1e-15);
    CHECK_INT(result.majority_class, 2);
    CHECK_NEAR(result.majority_accuracy, 0.6, 1e-15);
    CHECK(isnan(result.roc_auc) && isnan(result.log_loss) && result.roc.n == 0);
}

TEST(classification, one_class_leaves_areas_undefined)
{
    ARENA(arena);
    Error err = {0};
    static const float labels[] = {1, 1, 1}, none[] = {0, 0, 0}, scores[] = {0.2f, 0.7f, 0.9f};
    Classification result;
    ClassificationInput input = {.n = 3,
                                 .n_classes = 2,
                                 .labels = labels,
                                 .scores = scores,
                                 .probabilities = true,
                                 .threshold = 0.5};
    CHECK_OK(classification_evaluate(&input, &arena, &result, &err), err);
    CHECK_INT(result.n_present, 1);
    CHECK(isnan(result.roc_auc) && isnan(result.ks) && isnan(result.classes[1].specificity));
    CHECK_NEAR(result.classes[1].recall, 2.0 / 3, 1e-15);
    CHECK_NEAR(result.average_precision, 1, 0);
    input.labels = none;
    CHECK_OK(classification_evaluate(&input, &arena, &result, &err), err);
    CHECK_NEAR(result.average_precision, 0, 0);
    CHECK_NEAR(result.classes[1].precision, 0, 0);
    input.n = 0;
    CHECK_OK(classification_evaluate(&input, &arena, &result, &err), err);
    CHECK(isnan(result.accuracy) && isnan(result.log_loss) && isnan(result.roc_auc));
}

TEST(classification, a_certain_miss_costs_what_it_costs_elsewhere)
{
    ARENA(arena);
    Error err = {0};
    static const float labels[] = {1}, scores[] = {0};
    Classification result;
    ClassificationInput input = {
        .n = 1, .n_classes = 2, .labels = labels, .scores = scores, .probabilities = true};
    CHECK_OK(classification_evaluate(&input, &arena, &result, &err), err);
    CHECK_NEAR(result.log_loss, 36.04365338911715, 1e-15);
}

TEST(classification, impossible_input_is_named)
{
    static const float labels[] = {0, 1, 2}, half[] = {0, 0.5f, 1}, good[] = {0, 1, 0},
                       scores[] = {0.1f, NAN, 2};
    static const float negative[] = {1, -1, 1};
    static const struct {
        ClassificationInput input;
        const char *want;
    } cases[] = {
        {{.n = 3, .n_classes = 2, .labels = labels, .predicted = good},
         "row 3: the label is 2, which is no class from 0 to 1"},
        {{.n = 3, .n_classes = 2, .labels = half, .predicted = good},
         "row 2: the label is 0.5, which is no class from 0 to 1"},
        {{.n = 3, .n_classes = 2, .labels = good, .predicted = labels},
         "row 3: the answer is 2, which is no class from 0 to 1"},
        {{.n = 3, .n_classes = 2, .labels = good, .scores = scores}, "row 2: the score is NaN"},
        {{.n = 3, .n_classes = 2, .labels = good, .scores = labels, .probabilities = true},
         "row 3: 2 is no probability"},
        {{.n = 3, .n_classes = 2, .labels = good}, "neither answers nor scores are given"},
        {{.n = 3, .n_classes = 1, .labels = good, .predicted = good},
         "1 classes; at least two are needed"},
        {{.n = 3, .n_classes = 2, .labels = good, .predicted = good, .weights = negative},
         "row 2: the weight is -1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Error err = {0};
        Classification result;
        if (classification_evaluate(&cases[i].input, &arena, &result, &err))
            FAIL("accepted: %s", cases[i].want);
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
}

TEST(classification, thin_curves_keep_their_ends)
{
    ARENA(arena);
    enum { N = 5000 };
    static double x[N], y[N], threshold[N];
    for (int i = 0; i < N; i++) {
        x[i] = (double)i / (N - 1);
        y[i] = sqrt(x[i]);
        threshold[i] = 1 - x[i];
    }
    Curve curve = {N, x, y, threshold}, thin = curve_thin(&curve, 100, &arena);
    CHECK(thin.n > 80 && thin.n <= 100);
    CHECK(thin.x[0] == 0 && thin.x[thin.n - 1] == 1);
    for (int64_t i = 1; i < thin.n; i++)
        CHECK(thin.x[i] > thin.x[i - 1] && thin.x[i] - thin.x[i - 1] < 0.05);
    CHECK_INT(curve_thin(&curve, N, &arena).n, N);
}
