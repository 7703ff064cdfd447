/* Model files of XGBoost in every form: whatever is accepted predicts, explains, and is written in a
 * form that is read again. */

#include "boost/model_file.h"
#include "boost/predict.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const BoostModel *model)
{
    enum { ROWS = 40 };
    size_t n = (size_t)model->n_features, n_groups = (size_t)model->n_groups;
    if (n > 64 || n_groups > 64 || model->n_trees > 1000) return;
    float *x = calloc(ROWS * n + 1, sizeof *x);
    float *out = calloc(ROWS * (n_groups * (n + 1) * (n + 1) + (size_t)model->n_trees),
                        sizeof *out);
    for (size_t i = 0; i < ROWS * n; i++) x[i] = i % 7 ? (float)(i % 11) - 5 : __builtin_nanf("");
    Matrix rows = {.layout = MATRIX_ROWS,
                   .n_rows = ROWS,
                   .n_cols = (int32_t)n,
                   .rows = x,
                   .row_stride = (int64_t)n};
    Predictor *predictor = NULL;
    Error err;
    if (predictor_new(model, &predictor, &err)) {
        predict_margin(predictor, &rows, NULL, out, &err);
        predict_margin_row(predictor, x, out);
        predictor_free(predictor);
    }
    predict_leaf(model, &rows, NULL, out, &err);
    rows.n_rows = 3;
    predict_contributions(model, &rows, NULL, out, &err);
    predict_interactions(model, &rows, NULL, out, &err);
    free(x);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BoostModel *model = NULL, *again = NULL;
    Error err;
    if (!boost_model_parse((Str){(const char *)data, size}, &model, &err)) return 0;
    use(model);
    StrBuf bytes = STRBUF((size_t)1 << 30);
    if (boost_model_print(model, size % 2 ? MODEL_JSON : MODEL_UBJSON, &bytes, &err) &&
        !boost_model_parse(strbuf_str(&bytes), &again, &err))
        abort();
    strbuf_clear(&bytes);
    boost_model_free(model);
    boost_model_free(again);
    return 0;
}
