/* Predictions as text. */

#include "train/answer.h"

#include "format/number.h"

#include <math.h>

static void add_number(StrBuf *out, float x, bool json)
{
    if (json && !isfinite(x)) {
        strbuf_add(out, STR("null"));
        return;
    }
    char text[NUMBER_TEXT_MAX];
    strbuf_add(out, (Str){text, number_print_float(x, text)});
}

void answer_csv(const Predictions *predictions, int64_t begin, int64_t end, StrBuf *out)
{
    for (int64_t i = begin; i < end; i++) {
        bool first = true;
        for (int32_t o = 0; o < predictions->n_outputs; o++) {
            int32_t width = predictions->outputs[o].width;
            for (int32_t k = 0; k < width; k++, first = false) {
                if (!first) strbuf_add_char(out, ',');
                add_number(out, predictions->values[o][i * width + k], false);
            }
        }
        strbuf_add_char(out, '\n');
    }
}

void answer_object(const Predictions *predictions, int64_t row, StrBuf *out)
{
    strbuf_add_char(out, '{');
    for (int32_t o = 0; o < predictions->n_outputs; o++) {
        const OutputInfo *output = &predictions->outputs[o];
        const float *values = predictions->values[o] + row * output->width;
        strbuf_addf(out, "%s\"%.*s\":", o ? "," : "", STR_ARG(output->name));
        if (output->list) strbuf_add_char(out, '[');
        for (int32_t k = 0; k < output->width; k++) {
            if (k) strbuf_add_char(out, ',');
            add_number(out, values[k], true);
        }
        if (output->list) strbuf_add_char(out, ']');
    }
    strbuf_add_char(out, '}');
}

void answer_jsonl(const Predictions *predictions, int64_t begin, int64_t end, StrBuf *out)
{
    for (int64_t i = begin; i < end; i++) {
        answer_object(predictions, i, out);
        strbuf_add_char(out, '\n');
    }
}

void answer_json_items(const Predictions *predictions, int64_t begin, int64_t end, StrBuf *out)
{
    for (int64_t i = begin; i < end; i++) {
        if (i > begin) strbuf_add_char(out, ',');
        answer_object(predictions, i, out);
    }
}
