/* Losses, softmax and elementwise functions over arrays, for three processor levels.
 *
 * loss_lanes.inc is compiled once for each level; the functions here choose by cpu_level().
 * Everything is single precision, as XGBoost's own; sums over rows are the callers' business. */

#include "boost/loss.h"

#include "base/cpu.h"

#include <float.h>
#include <string.h>

#define LANES 4
#define LEVEL_TARGET
#define NAME(x) x##_base
#include "boost/loss_lanes.inc"
#undef LANES
#undef LEVEL_TARGET
#undef NAME

#if CLARY_X86
#define LANES 8
#define LEVEL_TARGET TARGET_AVX2
#define NAME(x) x##_avx2
#include "boost/loss_lanes.inc"
#undef LANES
#undef LEVEL_TARGET
#undef NAME

#define LANES 16
#define LEVEL_TARGET TARGET_AVX512
#define NAME(x) x##_avx512
#include "boost/loss_lanes.inc"
#undef LANES
#undef LEVEL_TARGET
#undef NAME

#define BY_LEVEL(function, ...)                                                                    \
    do {                                                                                           \
        switch (cpu_level()) {                                                                     \
        case CPU_AVX512: function##_avx512(__VA_ARGS__); break;                                    \
        case CPU_AVX2: function##_avx2(__VA_ARGS__); break;                                        \
        case CPU_BASE: function##_base(__VA_ARGS__); break;                                        \
        }                                                                                          \
    } while (0)
#else
#define BY_LEVEL(function, ...) function##_base(__VA_ARGS__)
#endif

void loss_gradients(const LossArgs *args, size_t begin, size_t end)
{
    BY_LEVEL(gradients, args, begin, end);
}

void lanes_exp(float *x, size_t n)
{
    BY_LEVEL(map_exp, x, n);
}

void lanes_sigmoid(float *x, size_t n)
{
    BY_LEVEL(map_sigmoid, x, n);
}

void lanes_neg_log(float *x, size_t n)
{
    BY_LEVEL(map_neg_log, x, n);
}

void row_losses(RowLoss kind, const float *p, const float *y, float *loss, size_t n)
{
    BY_LEVEL(losses, kind, p, y, loss, n);
}

/* Margins minus the row's largest, so that exp cannot overflow. */
static void subtract_row_max(const float *margin, float *out, size_t n_rows, size_t n_classes)
{
    for (size_t i = 0; i < n_rows; i++) {
        const float *m = margin + i * n_classes;
        float top = m[0];
        for (size_t k = 1; k < n_classes; k++) top = m[k] > top ? m[k] : top;
        for (size_t k = 0; k < n_classes; k++) out[i * n_classes + k] = m[k] - top;
    }
}

static void divide_by_sums(float *x, size_t n_rows, size_t n_classes)
{
    for (size_t i = 0; i < n_rows; i++) {
        float *p = x + i * n_classes, sum = 0;
        for (size_t k = 0; k < n_classes; k++) sum += p[k];
        for (size_t k = 0; k < n_classes; k++) p[k] /= sum;
    }
}

void softmax_rows(float *x, size_t n_rows, int32_t n_classes)
{
    size_t width = (size_t)n_classes;
    subtract_row_max(x, x, n_rows, width);
    lanes_exp(x, n_rows * width);
    divide_by_sums(x, n_rows, width);
}

enum { SOFTMAX_BLOCK = 4096 }; /* floats that go through the stages together, in L1 */

void softmax_gradients(const SoftmaxArgs *a, size_t begin, size_t end)
{
    size_t width = (size_t)a->n_classes;
    UNINITIALIZED float p[SOFTMAX_BLOCK];
    if (width > SOFTMAX_BLOCK) { /* never in practice: such rows are their own workspace */
        for (size_t i = begin; i < end; i++) {
            float *gh = a->gh + 2 * i * width, w = a->weight ? a->weight[i] : 1;
            memcpy(gh + width, a->margin + i * width, width * sizeof(float));
            softmax_rows(gh + width, 1, a->n_classes);
            for (size_t k = 0; k < width; k++) {
                float q = gh[width + k], h = 2.0f * q * (1.0f - q);
                gh[2 * k] = (k == (size_t)a->label[i] ? q - 1.0f : q) * w;
                gh[2 * k + 1] = (h < 1e-16f ? 1e-16f : h) * w;
            }
        }
        return;
    }

    size_t step = SOFTMAX_BLOCK / width;
    for (size_t i = begin; i < end; i += step) {
        size_t n = MIN(step, end - i);
        subtract_row_max(a->margin + i * width, p, n, width);
        lanes_exp(p, n * width);
        divide_by_sums(p, n, width);
        float *gh = a->gh + 2 * i * width;
        if (!a->weight)
            BY_LEVEL(softmax_pairs, p, 1.0f, n * width, gh);
        else
            for (size_t r = 0; r < n; r++)
                BY_LEVEL(softmax_pairs, p + r * width, a->weight[i + r], width, gh + 2 * r * width);
        for (size_t r = 0; r < n; r++) {
            size_t k = r * width + (size_t)a->label[i + r];
            gh[2 * k] = (p[k] - 1.0f) * (a->weight ? a->weight[i + r] : 1.0f);
        }
    }
}
