/* Bodies of inference requests: the first byte chooses type, width and form, the rest is the body.
 * Blocks of one row and of many must give the same values and the same error. */

#include "train/content.h"

#include "format/csv.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) abort();
}

/* A sum over the bits of all values, in order. */
static bool read_all(ContentType type, int32_t label_size, const ContentForm *form, Str body,
                     int64_t rows_max, uint64_t *ret_sum, Error *err)
{
    ContentReader reader = {0};
    ContentRows rows = {0};
    uint64_t sum = 0;
    bool good = content_begin(&reader, type, label_size, form, body, err);
    while (good && (good = content_next(&reader, rows_max, 1 << 16, &rows, err)) && rows.n_rows) {
        check(form->n_features == 0 || rows.n_cols == form->n_features);
        for (int64_t i = 0; i < rows.n_rows * rows.n_cols; i++) {
            uint32_t bits = 0;
            if (!isnan(rows.values[i])) memcpy(&bits, &rows.values[i], 4);
            sum = sum * 31 + bits;
        }
    }
    content_rows_clear(&rows);
    content_clear(&reader);
    *ret_sum = sum;
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Str colors[] = {STR_INIT("blue"), STR_INIT("red")};
    static Feature features[] = {
        {.name = STR_INIT("x"), .kind = FEATURE_NUMBER},
        {.name = STR_INIT("color"),
         .kind = FEATURE_CATEGORY,
         .categories = colors,
         .n_categories = 2},
        {.name = STR_INIT("y"), .kind = FEATURE_NUMBER},
    };
    static const Schema schema = {.features = features, .n_features = 3};
    if (size < 1) return 0;
    ContentForm form;
    bool known = data[0] & 0x40;
    content_form_init(&form, data[0] & 0x20 ? &schema : NULL, known || (data[0] & 0x20) ? 3 : 0,
                      data[0] & 0x80);
    ContentType type = (ContentType)(data[0] % 8 % 5);
    char *copy = calloc(1, size - 1 + CSV_SLACK);
    if (!copy) return 0;
    memcpy(copy, data + 1, size - 1);
    Str body = {copy, size - 1};
    static Error a, b;
    uint64_t sum_a, sum_b;
    a.text[0] = b.text[0] = 0;
    bool good_a = read_all(type, data[0] & 0x10 ? 1 : 0, &form, body, 1, &sum_a, &a);
    bool good_b = read_all(type, data[0] & 0x10 ? 1 : 0, &form, body, 1000, &sum_b, &b);
    check(good_a == good_b);
    check(!good_a || sum_a == sum_b);
    check(strcmp(a.text, b.text) == 0);
    free(copy);
    return 0;
}
