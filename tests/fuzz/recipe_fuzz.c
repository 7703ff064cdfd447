/* Recipes and the documents of fitted ones: whatever they say, a small table survives it; and what was fitted,
 * saved and read back says the same again. */

#include "base/test.h"
#include "prepare/recipe.h"

#include "base/memory.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 4 };

/* a, b: numbers, one missing; w: words. */
static Frame *table(void)
{
    Error err = {0};
    static const double values[2][ROWS] = {{1, 2, NAN, 4}, {0.5, -1, 3, 3}};
    Frame *frame = frame_new(3);
    frame->n_rows = ROWS;
    for (int j = 0; j < 3; j++) {
        Column *c = &frame->columns[j];
        c->n_rows = ROWS;
        if (j < 2) {
            c->name = j ? STR("b") : STR("a");
            c->type = COLUMN_NUMBER;
            c->f64 = data_array(double, ROWS, "a test", &err);
            memcpy(c->f64, values[j], sizeof values[j]);
        } else {
            c->name = STR("w");
            c->type = COLUMN_CATEGORY;
            c->categories = arena_array(&frame->arena, Str, 2);
            c->categories[0] = STR("x");
            c->categories[1] = STR("y z");
            c->n_categories = 2;
            c->codes = data_array(int32_t, ROWS, "a test", &err);
            c->codes[1] = 1;
            c->codes[3] = -1;
        }
    }
    return frame;
}

static void apply_document(Str text)
{
    Error err = {0};
    Recipe recipe;
    AUTO(frame_free) Frame *frame = table();
    recipe_init(&recipe);
    if (recipe_from_document(&recipe, text, &err)) recipe_apply(&recipe, frame, &err);
    recipe_clear(&recipe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error err = {0};
    Recipe recipe, again;
    AUTO_STRBUF StrBuf first = STRBUF(1 << 26);
    AUTO_STRBUF StrBuf second = STRBUF(1 << 26);
    AUTO(frame_free) Frame *frame = table();
    AUTO(frame_free) Frame *held = NULL;
    Str text = {(const char *)data, size};
    apply_document(text);
    recipe_init(&recipe);
    if (recipe_parse(&recipe, "fuzz", text, &err) && recipe_fit(&recipe, frame, &held, &err)) {
        recipe_document(&recipe, &first);
        recipe_init(&again);
        if (!first.overflow) {
            if (!recipe_from_document(&again, strbuf_str(&first), &err)) __builtin_trap();
            recipe_document(&again, &second);
            if (!str_eq(strbuf_str(&first), strbuf_str(&second))) __builtin_trap();
            apply_document(strbuf_str(&first));
        }
        recipe_clear(&again);
    }
    recipe_clear(&recipe);
    return 0;
}
