/* What all algorithms share: the look-up by name and the table of predictions. */

#include "algo/algorithm.h"

#include "base/memory.h"

const Algorithm *algorithm_find(Str name)
{
    for (const Algorithm *const *each = algorithms; *each; each++) {
        if (str_is(name, (*each)->name)) return *each;
        for (const char *const *image = (*each)->images; image && *image; image++)
            if (str_is(name, *image)) return *each;
    }
    return NULL;
}

bool predictions_add(Predictions *predictions, const char *name, int32_t width, bool list,
                     float **ret_values, Error *err)
{
    assert(predictions->n_outputs < OUTPUTS_MAX);
    float *values = data_alloc((size_t)predictions->n_rows * (size_t)width, sizeof(float),
                               "the predictions", err);
    if (!values) return false;
    int32_t i = predictions->n_outputs++;
    predictions->outputs[i] = (OutputInfo){.name = str_of(name), .width = width, .list = list};
    predictions->values[i] = values;
    *ret_values = values;
    return true;
}

void predictions_clear(Predictions *predictions)
{
    for (int32_t i = 0; i < predictions->n_outputs; i++) data_free(predictions->values[i]);
    *predictions = (Predictions){0};
}
