/* Over- and underfitting from two curves.
 *
 * A gap is wide when it passes 0.05 on metrics within [0, 1] that are maximised; on losses, when it
 * passes 15 % of the validation value and a tenth of what training has gained since its first round.  Validation counts as getting worse when it has lost, since its best
 * round, more than a fiftieth of all it had gained; as still improving when the last tenth of the
 * rounds brought more than a hundredth of all it gained. */

#include "evaluate/diagnosis.h"

#include <math.h>

static const char *const verdict_names[] = {"good", "overfitting", "underfitting", "unfinished"};

const char *diagnosis_verdict_name(FitVerdict verdict)
{
    return verdict_names[verdict];
}

static void advise(Diagnosis *diagnosis, Str text)
{
    if (diagnosis->n_advice < ADVICE_MAX) diagnosis->advice[diagnosis->n_advice++] = text;
}

/* How much better a is than b. */
static double better_by(const DiagnosisInput *input, double a, double b)
{
    return input->maximize ? a - b : b - a;
}

typedef struct Shape {
    double gained, lost, late; /* of validation: to its best, since its best, in the last tenth */
    double wide;               /* from where on a gap is wide */
} Shape;

static Shape shape_of(const DiagnosisInput *input, int64_t last, int64_t best)
{
    const double *v = input->validation;
    int64_t late_from = last - MAX(1, (last + 1) / 10);
    return (Shape){
        .gained = better_by(input, v[best], v[0]),
        .lost = better_by(input, v[best], v[last]),
        .late = late_from >= 0 ? better_by(input, v[last], v[late_from]) : 0,
        .wide = input->maximize ? 0.05
                                : fmax(0.15 * fabs(v[last]),
                                       0.1 * better_by(input, input->train[last], input->train[0])),
    };
}

static void say_overfitting(const DiagnosisInput *input, const Shape *shape, Arena *arena,
                            Diagnosis *out)
{
    int64_t last = input->final_round;
    bool past_best = shape->lost > 0.02 * shape->gained && out->best_round < last;
    out->seen = arena_format(
        arena, "overfitting: %.*s is %.5g on the training data and %.5g on validation%s",
        STR_ARG(input->metric), input->train[last], input->validation[last],
        past_best ? arena_format(arena, "; validation was best (%.5g) at round %lld of %lld",
                                 input->validation[out->best_round], (long long)out->best_round + 1,
                                 (long long)last + 1)
                        .ptr
                  : "");
    if (past_best)
        advise(out,
               arena_format(arena, "stop earlier: --early_stopping_rounds 20, or --num_round %lld",
                            (long long)out->best_round + 1));
    advise(out,
           STR("a simpler model: smaller max_depth, larger min_child_weight, gamma or lambda"));
    advise(out, STR("more randomness: subsample 0.8, colsample_bytree 0.8, with a smaller eta"));
    advise(out, STR("more rows, or fewer features: drop those that hardly matter"));
}

static void say_underfitting(const DiagnosisInput *input, Arena *arena, Diagnosis *out)
{
    int64_t last = input->final_round;
    out->seen = arena_format(
        arena, "underfitting: %.*s hardly moved, from %.5g to %.5g on the training data",
        STR_ARG(input->metric), input->train[0], input->train[last]);
    advise(out, STR("a more flexible model: larger max_depth, more rounds, larger eta"));
    advise(out, STR("less regularisation: smaller lambda, alpha, gamma and min_child_weight"));
    advise(out, STR("better features: the ones there may say little about the target"));
}

bool diagnosis_make(const DiagnosisInput *input, Arena *arena, Diagnosis *ret_diagnosis)
{
    int64_t last = input->final_round;
    if (input->n_rounds < 1 || last < 0 || last >= input->n_rounds) return false;
    for (int64_t r = 0; r < input->n_rounds; r++)
        if (!isfinite(input->train[r]) || !isfinite(input->validation[r])) return false;

    Diagnosis out = {0};
    for (int64_t r = 1; r <= last; r++)
        if (better_by(input, input->validation[r], input->validation[out.best_round]) > 0)
            out.best_round = r;
    Shape shape = shape_of(input, last, out.best_round);
    out.gap = better_by(input, input->train[last], input->validation[last]);
    double moved = better_by(input, input->train[last], input->train[0]);
    double scale = MAX(fabs(input->train[0]), 1e-12);

    if (out.gap > shape.wide ||
        (shape.gained > 0 && shape.lost > 0.02 * shape.gained && out.gap > 0.2 * shape.wide)) {
        out.verdict = FIT_OVER;
        say_overfitting(input, &shape, arena, &out);
    } else if (last >= 4 && moved < 0.02 * scale) {
        out.verdict = FIT_UNDER;
        say_underfitting(input, arena, &out);
    } else if (last >= 9 && shape.late > 0.01 * MAX(shape.gained, 1e-12)) {
        out.verdict = FIT_UNFINISHED;
        out.seen = arena_format(
            arena, "%.*s on validation was still getting better at the last round (%.5g)",
            STR_ARG(input->metric), input->validation[last]);
        advise(&out, arena_format(arena, "more rounds: --num_round %lld --early_stopping_rounds 20",
                                  (long long)(last + 1) * 3));
        advise(&out, STR("or larger steps: a larger eta"));
    } else {
        out.verdict = FIT_GOOD;
        out.seen = arena_format(
            arena, "a good fit: %.*s is %.5g on the training data and %.5g on validation",
            STR_ARG(input->metric), input->train[last], input->validation[last]);
    }
    *ret_diagnosis = out;
    return true;
}
