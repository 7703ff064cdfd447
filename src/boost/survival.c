/* Survival objectives: the accelerated failure time model and Cox's proportional hazards.
 *
 * aft: log T = margin + sigma Z.  The likelihood of an exact time is Z's density, that of an interval
 * a difference of its distribution function.  Far from the data both vanish; gradients there take
 * their limits, and all are clipped to [-15, 15] and [1e-16, 15] as in XGBoost.
 *
 * cox: the partial likelihood with Breslow's ties; a negative label is a time of censoring.  XGBoost
 * gives rows of one time different parts of that time's events, by their place in an unstable order;
 * here all of them get the whole, which is the derivative. */

#include "boost/survival.h"

#include "boost/objective_spec.h"
#include "boost/sort.h"

#include "base/memory.h"

#include <math.h>

enum { SURVIVAL_GRAIN = 4096 };

static const double tiny = 1e-12, gradient_max = 15, hessian_min = 1e-16, hessian_max = 15;

/* Density of Z, its first two derivatives, and the distribution function. */
typedef struct Shape {
    double density, slope, bend, below;
} Shape;

static Shape shape_at(AftDistribution distribution, double z)
{
    Shape s = {0};
    double w = exp(z);
    switch (distribution) {
    case AFT_NORMAL:
        s.density = exp(-z * z / 2) / sqrt(2 * M_PI);
        s.slope = -z * s.density;
        s.bend = (z * z - 1) * s.density;
        s.below = 0.5 * (1 + erf(z / M_SQRT2));
        break;
    case AFT_LOGISTIC:
        s.below = isinf(w) ? 1 : w / (1 + w);
        if (isinf(w * w)) break;
        s.density = w / ((1 + w) * (1 + w));
        s.slope = s.density * (1 - w) / (1 + w);
        s.bend = s.density * (w * w - 4 * w + 1) / ((1 + w) * (1 + w));
        break;
    case AFT_EXTREME:
        s.below = 1 - exp(-w);
        if (isinf(w)) break;
        s.density = w * exp(-w);
        s.slope = (1 - w) * s.density;
        s.bend = isinf(w * w) ? 0 : (w * w - 3 * w + 1) * s.density;
        break;
    }
    return s;
}

AftDistribution aft_distribution(Str name)
{
    return str_is(name, "logistic")  ? AFT_LOGISTIC
           : str_is(name, "extreme") ? AFT_EXTREME
                                     : AFT_NORMAL;
}

double aft_loss(AftDistribution distribution, double sigma, double lower, double upper,
                double margin)
{
    if (lower == upper) {
        Shape s = shape_at(distribution, (log(lower) - margin) / sigma);
        return -log(fmax(s.density / (sigma * lower), tiny));
    }
    double above = isinf(upper) ? 1 : shape_at(distribution, (log(upper) - margin) / sigma).below;
    double below = lower <= 0 ? 0 : shape_at(distribution, (log(lower) - margin) / sigma).below;
    return -log(fmax(above - below, tiny));
}

typedef enum Censoring { EXACT, RIGHT, LEFT, INTERVAL } Censoring;

/* Where the likelihood is 0/0: `high` says that the time lies far above the prediction. */
static void limits(AftDistribution distribution, double sigma, Censoring kind, bool high,
                   double *ret_g, double *ret_h)
{
    double pull = distribution == AFT_NORMAL ? gradient_max
                                             : 1 / sigma; /* towards smaller margins */
    double push = distribution == AFT_LOGISTIC ? 1 / sigma : gradient_max;
    *ret_g = high ? -push : pull;
    if (kind == RIGHT && !high) *ret_g = 0;
    if (kind == LEFT && high) *ret_g = 0;

    *ret_h = hessian_min;
    bool flat = (kind == RIGHT && !high) || (kind == LEFT && high);
    if (distribution == AFT_NORMAL && !flat) *ret_h = 1 / (sigma * sigma);
    if (distribution == AFT_EXTREME && kind != LEFT && high) *ret_h = hessian_max;
}

void aft_derivatives(AftDistribution distribution, double sigma, double lower, double upper,
                     double margin, double *ret_g, double *ret_h)
{
    Censoring kind = EXACT;
    double over, under, over2, under2; /* numerators and denominators of g and h */
    bool high;
    if (lower == upper) {
        double z = (log(lower) - margin) / sigma;
        Shape s = shape_at(distribution, z);
        over = s.slope;
        under = sigma * s.density;
        over2 = -(s.density * s.bend - s.slope * s.slope);
        under2 = sigma * sigma * s.density * s.density;
        high = z > 0;
    } else {
        Shape u = {.below = 1}, l = {0};
        double z_u = 0, z_l = 0;
        kind = INTERVAL;
        if (isinf(upper)) {
            kind = RIGHT;
        } else {
            z_u = (log(upper) - margin) / sigma;
            u = shape_at(distribution, z_u);
        }
        if (lower <= 0) {
            kind = LEFT;
        } else {
            z_l = (log(lower) - margin) / sigma;
            l = shape_at(distribution, z_l);
        }
        double mass = u.below - l.below, density = u.density - l.density, slope = u.slope - l.slope;
        over = density;
        under = sigma * mass;
        over2 = -(mass * slope - density * density);
        under2 = under * under;
        high = z_u > 0 || z_l > 0;
    }
    double g = over / under, h = over2 / under2, limit_g, limit_h;
    limits(distribution, sigma, kind, high, &limit_g, &limit_h);
    if (under < tiny && !isfinite(g)) g = limit_g;
    if (under2 < tiny && !isfinite(h)) h = limit_h;
    *ret_g = fmin(fmax(g, -gradient_max), gradient_max);
    *ret_h = fmin(fmax(h, hessian_min), hessian_max);
}

typedef struct AftArgs {
    const Labels *labels;
    const float *margins;
    float *gh;
    AftDistribution distribution;
    double sigma;
} AftArgs;

static void aft_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const AftArgs *a = arg;
    const float *upper = a->labels->label_upper ? a->labels->label_upper : a->labels->label;
    for (size_t i = begin; i < end; i++) {
        double g, h, w = a->labels->weight ? (double)a->labels->weight[i] : 1;
        aft_derivatives(a->distribution, a->sigma, (double)a->labels->label[i], (double)upper[i],
                        (double)a->margins[i], &g, &h);
        a->gh[2 * i] = (float)(g * w);
        a->gh[2 * i + 1] = (float)(h * w);
    }
}

bool aft_gradients(Objective *objective, const Labels *labels, const float *margins, int64_t round,
                   Pool *pool, float *gh, Error *err)
{
    (void)round, (void)err;
    AftArgs args = {labels, margins, gh, aft_distribution(objective->params.aft_distribution),
                    objective->params.aft_scale};
    parallel_for(pool, (size_t)labels->n_rows, SURVIVAL_GRAIN, aft_chunk, &args);
    return true;
}

bool cox_order(const Labels *labels, uint32_t **ret_order, Error *err)
{
    size_t n = (size_t)labels->n_rows;
    AUTO_DATA float *time = data_array(float, n, "the times of cox", err);
    if (!time) return false;
    AUTO_DATA SortItem *work = data_array(SortItem, 2 * n, "the sorting of cox's times", err);
    if (!work) return false;
    uint32_t *order = data_array(uint32_t, n, "the order of cox's times", err);
    if (!order) return false;
    for (size_t i = 0; i < n; i++) time[i] = fabsf(labels->label[i]);
    sort_order(time, false, order, n, work);
    *ret_order = order;
    return true;
}

/* Sums over the risk set of each row's time, backwards in time, then the sums over events forwards. */
bool cox_gradients(Objective *objective, const Labels *labels, const float *margins, int64_t round,
                   Pool *pool, float *gh, Error *err)
{
    (void)objective, (void)round, (void)pool;
    AUTO_DATA uint32_t *order = NULL;
    if (!cox_order(labels, &order, err)) return false;
    size_t n = (size_t)labels->n_rows;
    AUTO_DATA double *at_risk = data_array(double, n + 1, "the risk sets of cox", err);
    if (!at_risk) return false;
    for (size_t k = n; k-- > 0;) at_risk[k] = at_risk[k + 1] + exp((double)margins[order[k]]);

    double r = 0, s = 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        float time = fabsf(labels->label[order[begin]]);
        for (end = begin; end < n && fabsf(labels->label[order[end]]) == time; end++) {
            if (labels->label[order[end]] <= 0) continue;
            r += 1 / at_risk[begin];
            s += 1 / (at_risk[begin] * at_risk[begin]);
        }
        for (size_t k = begin; k < end; k++) {
            size_t i = order[k];
            double hazard = exp((double)margins[i]),
                   w = labels->weight ? (double)labels->weight[i] : 1;
            gh[2 * i] = (float)((hazard * r - (labels->label[i] > 0)) * w);
            gh[2 * i + 1] = (float)((hazard * r - hazard * hazard * s) * w);
        }
    }
    return true;
}
