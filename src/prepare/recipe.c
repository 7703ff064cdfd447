/* Fitting and applying a recipe, and the document of a fitted one:
 *
 *     {"format": "clary recipe", "version": 1,
 *      "columns": [{"name": "age", "type": "number"}, ...],
 *      "steps": [{"step": "fill age with median", "columns": ["age"], "learned": {"value": {"age": 28}}}, ...]}
 *
 * A step is read back by parsing its text again, so that the document needs no second grammar. */

#include "prepare/recipe.h"

#include "prepare/parse.h"

void recipe_init(Recipe *recipe)
{
    *recipe = (Recipe){0};
}

void recipe_clear(Recipe *recipe)
{
    for (int32_t k = 0; k < recipe->n_steps; k++) data_free(recipe->steps[k].held);
    arena_clear(&recipe->arena);
    *recipe = (Recipe){0};
}

void recipe_push(Recipe *recipe, const Step *step)
{
    if (recipe->n_steps == recipe->capacity) {
        int32_t capacity = MAX(16, 2 * recipe->capacity);
        recipe->steps = arena_grow(&recipe->arena, recipe->steps, (size_t)recipe->n_steps,
                                   (size_t)capacity, sizeof(Step));
        recipe->capacity = capacity;
    }
    recipe->steps[recipe->n_steps++] = *step;
}

/* ---- what steps ask for ---- */

const StepValue *step_value(const Step *step, const char *name)
{
    for (int k = 0; k < STEP_WORDS_MAX && step->kind->words[k].name; k++)
        if (strcmp(step->kind->words[k].name, name) == 0) return &step->values[k];
    assert(false); /* every word that a step asks for is in its table */
    return NULL;
}

const Json *step_learned(const Step *step)
{
    return step->learned ? step->learned : step->loaded;
}

void step_learn_number(Step *step, const char *what, Str column, double x)
{
    Json *of = (Json *)(uintptr_t)json_get(step->learned, what);
    if (!of) {
        of = json_new_object(step->arena);
        json_set(step->arena, step->learned, what, of);
    }
    json_set_str(step->arena, of, column, json_new_double(step->arena, x));
}

static const Json *member(const Json *object, Str name)
{
    for (size_t i = 0; object && object->type == JSON_OBJECT && i < object->n; i++)
        if (str_eq(object->members[i].name, name)) return object->members[i].value;
    return NULL;
}

bool step_learned_number(const Step *step, const char *what, Str column, double *ret_x, Error *err)
{
    const Json *value = member(json_get(step_learned(step), what), column);
    if (!value || value->type != JSON_NUMBER)
        return error_set(err, ERROR_INVALID, "the document has no number '%s' of column '%.*s'",
                         what, STR_ARG(column));
    *ret_x = value->number;
    return true;
}

unsigned step_takes(const Step *step)
{
    return step->kind->takes_with ? step->kind->takes_with(step) : step->kind->takes;
}

bool step_column(const Step *step, const Frame *table, Str name, unsigned takes,
                 Column **ret_column, Error *err)
{
    Column *c = frame_column(table, name);
    if (!c) {
        ARENA(scratch);
        Str *names = arena_array(&scratch, Str, table->n_columns);
        for (int32_t j = 0; j < table->n_columns; j++) names[j] = table->columns[j].name;
        return no_such_column(name, names, table->n_columns, err);
    }
    if (!(takes & TYPE_BIT(c->type))) {
        error_set(err, ERROR_INVALID, "column '%.*s' holds %s; '%.*s' takes", STR_ARG(name),
                  c->type == COLUMN_NUMBER ? "numbers"
                  : c->type == COLUMN_TIME ? "times"
                                           : "words",
                  STR_ARG(step->text));
        return error_more(err, "%s%s%s", takes & TAKES_NUMBERS ? " numbers" : "",
                          takes & TAKES_WORDS ? " words" : "", takes & TAKES_TIMES ? " times" : "");
    }
    *ret_column = c;
    return true;
}

static bool is_in(Str name, const Str *names, int32_t n)
{
    for (int32_t k = 0; k < n; k++)
        if (str_eq(name, names[k])) return true;
    return false;
}

static bool resolve(Step *step, const Frame *table, Error *err)
{
    Column *c;
    if (step->kind->no_columns) return true;
    for (int32_t k = 0; k < step->n_except; k++)
        if (!step_column(step, table, step->except[k], TAKES_ALL, &c, err)) return false;
    if (step->all) {
        step->columns = arena_array(step->arena, Str, table->n_columns);
        step->n_columns = 0;
        for (int32_t j = 0; j < table->n_columns; j++) {
            c = &table->columns[j];
            if (!(step_takes(step) & TYPE_BIT(c->type)) ||
                is_in(c->name, step->except, step->n_except) ||
                (!step->kind->explicit_all && str_eq(c->name, step->target)))
                continue;
            step->columns[step->n_columns++] = arena_str(step->arena, c->name);
        }
        if (!step->n_columns)
            return error_set(err, ERROR_INVALID, "the table has no column that it takes");
    }
    for (int32_t k = 0; k < step->n_columns; k++) {
        if (!step_column(step, table, step->columns[k], step_takes(step), &c, err)) return false;
        if (is_in(step->columns[k], step->columns, k))
            return error_set(err, ERROR_INVALID, "column '%.*s' is named twice",
                             STR_ARG(step->columns[k]));
    }
    return true;
}

static void count_missing(Frame *table)
{
    for (int32_t j = 0; j < table->n_columns; j++) {
        Column *c = &table->columns[j];
        c->n_missing = 0;
        for (int64_t i = 0; i < c->n_rows; i++) c->n_missing += cell_missing(c, i);
    }
}

/* ---- fit and apply ---- */

static bool is_target(const Step *step)
{
    return strcmp(step->kind->name, "target") == 0;
}

static bool fit_step(Step *step, Frame *table, Frame **ret_rest, Error *err)
{
    step->learned = json_new_object(step->arena);
    if (!resolve(step, table, err) || (step->kind->fit && !step->kind->fit(step, table, err)))
        return false;
    if (step->held) {
        AUTO_DATA uint8_t *keep = STEAL(step->held);
        if (*ret_rest)
            return error_set(err, ERROR_CONFLICT, "a recipe can split the table only once");
        return table_keep(table, keep, ret_rest, err);
    }
    if (!step->kind->apply) return true;
    if (*ret_rest && !step->kind->apply(step, *ret_rest, TABLE_OTHER, err)) return false;
    return step->kind->apply(step, table, TABLE_TRAIN, err);
}

bool recipe_fit(Recipe *recipe, Frame *train, Frame **ret_held, Error *err)
{
    Str target = STR("");
    AUTO(frame_free) Frame *held = NULL;
    if (!table_normalize(train, err)) return false;
    recipe->columns = arena_array(&recipe->arena, RecipeColumn, train->n_columns);
    recipe->n_columns = train->n_columns;
    for (int32_t j = 0; j < train->n_columns; j++)
        if (!need_utf8(train->columns[j].name, STR(""), err)) return false;
    for (int32_t j = 0; j < train->n_columns; j++)
        recipe->columns[j] = (RecipeColumn){arena_str(&recipe->arena, train->columns[j].name),
                                            train->columns[j].type};
    for (int32_t k = 0; k < recipe->n_steps; k++) {
        Step *step = &recipe->steps[k];
        step->target = target;
        if (train->n_rows == 0)
            return error_set(err, ERROR_INVALID, "no row is left before step %d ('%.*s')", k + 1,
                             STR_ARG(step->text));
        if (!fit_step(step, train, &held, err))
            return error_in(err, "step %d ('%.*s')", k + 1, STR_ARG(step->text));
        if (is_target(step)) target = step->columns[0];
    }
    recipe->fitted = true;
    count_missing(train);
    if (held) count_missing(held);
    *ret_held = STEAL(held);
    return true;
}

bool recipe_apply(const Recipe *recipe, Frame *frame, Error *err)
{
    assert(recipe->fitted);
    if (!table_normalize(frame, err)) return false;
    for (int32_t k = 0; k < recipe->n_steps; k++) {
        const Step *step = &recipe->steps[k];
        if (step->kind->apply && !step->kind->apply(step, frame, TABLE_OTHER, err))
            return error_in(err, "step %d ('%.*s')", k + 1, STR_ARG(step->text));
    }
    count_missing(frame);
    return true;
}

static ColumnType kept_type(ColumnType type)
{
    return type == COLUMN_TEXT ? COLUMN_CATEGORY : type;
}

bool recipe_types_differ(const Recipe *recipe, const Frame *frame, Arena *arena, Str **ret_numbers,
                         int32_t *ret_n_numbers, Str **ret_categories, int32_t *ret_n_categories)
{
    bool differ = false;
    *ret_numbers = arena_array(arena, Str, recipe->n_columns);
    *ret_categories = arena_array(arena, Str, recipe->n_columns);
    *ret_n_numbers = *ret_n_categories = 0;
    for (int32_t k = 0; k < recipe->n_columns; k++) {
        const RecipeColumn *want = &recipe->columns[k];
        const Column *c = frame_column(frame, want->name);
        if (!c) continue;
        differ |= kept_type(c->type) != want->type;
        Str name = arena_str(arena, want->name);
        if (want->type == COLUMN_NUMBER) (*ret_numbers)[(*ret_n_numbers)++] = name;
        if (want->type == COLUMN_CATEGORY) (*ret_categories)[(*ret_n_categories)++] = name;
    }
    return differ;
}

/* ---- the document ---- */

void recipe_document(const Recipe *recipe, StrBuf *out)
{
    JsonWriter json = JSON_WRITER(out);
    json.indent = 1;
    json_begin_object(&json);
    json_member_string(&json, "format", STR("clary recipe"));
    json_member_int(&json, "version", RECIPE_VERSION);
    json_name(&json, STR("columns"));
    json_begin_array(&json);
    for (int32_t j = 0; j < recipe->n_columns; j++) {
        json_begin_object(&json);
        json_member_string(&json, "name", recipe->columns[j].name);
        json_member_string(&json, "type", str_of(column_type_name(recipe->columns[j].type)));
        json_end_object(&json);
    }
    json_end_array(&json);
    json_name(&json, STR("steps"));
    json_begin_array(&json);
    for (int32_t k = 0; k < recipe->n_steps; k++) {
        const Step *step = &recipe->steps[k];
        json_begin_object(&json);
        json_member_string(&json, "step", step->text);
        json_name(&json, STR("columns"));
        json_begin_array(&json);
        for (int32_t j = 0; j < step->n_columns; j++) json_string(&json, step->columns[j]);
        json_end_array(&json);
        json_name(&json, STR("learned"));
        json_value(&json, step_learned(step));
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    strbuf_add_char(out, '\n');
}

static bool load_column(const Json *json, Arena *arena, RecipeColumn *ret, Error *err)
{
    const Json *name, *type;
    if (!json_need(json, "name", JSON_STRING, &name, err) ||
        !json_need(json, "type", JSON_STRING, &type, err))
        return false;
    for (int k = 0; k <= COLUMN_BOOL; k++)
        if (str_is(type->text, column_type_name((ColumnType)k))) {
            *ret = (RecipeColumn){arena_str(arena, name->text), (ColumnType)k};
            return true;
        }
    return error_set(err, ERROR_INVALID, "column '%.*s' has the unknown type '%.*s'",
                     STR_ARG(name->text), STR_ARG(type->text));
}

static bool load_step(const Json *json, Recipe *recipe, Error *err)
{
    const Json *text, *columns, *learned;
    Step step;
    bool empty;
    if (!json_need(json, "step", JSON_STRING, &text, err) ||
        !json_need(json, "columns", JSON_ARRAY, &columns, err) ||
        !json_need(json, "learned", JSON_OBJECT, &learned, err) ||
        !step_parse(text->text, &recipe->arena, &step, &empty, err))
        return false;
    if (empty) return error_set(err, ERROR_INVALID, "a step is empty");
    step.loaded = learned;
    step.columns = arena_array(&recipe->arena, Str, columns->n);
    step.n_columns = 0;
    for (size_t k = 0; k < columns->n; k++) {
        if (columns->items[k]->type != JSON_STRING)
            return error_set(err, ERROR_INVALID, "a column is not named by a text");
        if (is_in(columns->items[k]->text, step.columns, step.n_columns))
            return error_set(err, ERROR_INVALID, "column '%.*s' is named twice",
                             STR_ARG(columns->items[k]->text));
        step.columns[step.n_columns++] = columns->items[k]->text;
    }
    if (!step.kind->no_columns && step.n_columns == 0)
        return error_set(err, ERROR_INVALID, "it has no columns");
    if (step.kind->one_column && step.n_columns != 1)
        return error_set(err, ERROR_INVALID, "step '%s' has %d columns, not one", step.kind->name,
                         step.n_columns);
    for (int32_t k = 0; k < recipe->n_steps; k++)
        if (is_target(&recipe->steps[k])) step.target = recipe->steps[k].columns[0];
    recipe_push(recipe, &step);
    return true;
}

bool recipe_from_document(Recipe *recipe, Str text, Error *err)
{
    const Json *json, *columns, *steps;
    Str kept = arena_str(&recipe->arena, text);
    if (!json_parse(kept, &recipe->arena, &json, err)) return false;
    if (!str_is(json_get_text(json, "format"), "clary recipe"))
        return error_set(err, ERROR_INVALID,
                         "it is no fitted recipe (one is written by 'clary prepare --save')");
    if (json_get_int(json, "version", 0) != RECIPE_VERSION)
        return error_set(err, ERROR_UNSUPPORTED, "its version is %lld, this clary reads version %d",
                         (long long)json_get_int(json, "version", 0), RECIPE_VERSION);
    if (!json_need(json, "columns", JSON_ARRAY, &columns, err) ||
        !json_need(json, "steps", JSON_ARRAY, &steps, err))
        return false;
    if (steps->n > RECIPE_STEPS_MAX)
        return error_set(err, ERROR_LIMIT, "it has more than %d steps", RECIPE_STEPS_MAX);
    recipe->columns = arena_array(&recipe->arena, RecipeColumn, columns->n);
    for (size_t j = 0; j < columns->n; j++)
        if (!load_column(columns->items[j], &recipe->arena, &recipe->columns[j], err)) return false;
    recipe->n_columns = (int32_t)columns->n;
    for (size_t k = 0; k < steps->n; k++)
        if (!load_step(steps->items[k], recipe, err)) return error_in(err, "step %zu", k + 1);
    recipe->fitted = true;
    return true;
}

/* ---- help ---- */

static void word_help(const StepWord *word, StrBuf *out, bool markdown)
{
    strbuf_addf(out, markdown ? "- `%s` " : "      %s ", word->name);
    if (word->kind == WORD_CHOICE)
        for (int k = 0; word->choices[k]; k++)
            strbuf_addf(out, "%s%s", k ? "|" : "", word->choices[k]);
    else
        strbuf_add(out, word->kind == WORD_NUMBER   ? STR("NUMBER")
                        : word->kind == WORD_COLUMN ? STR("COLUMN")
                        : word->kind == WORD_TEXTS  ? STR("TEXT, ...")
                                                    : STR("TEXT"));
    strbuf_addf(out, ": %s", word->help);
    if (word->preset) strbuf_addf(out, " (%s)", word->preset);
    strbuf_add_char(out, '\n');
}

void recipe_steps_help(StrBuf *out, bool markdown)
{
    const char *group = "";
    for (const StepKind *const *each = step_kinds; *each; each++) {
        const StepKind *kind = *each;
        if (strcmp(group, kind->group) != 0) {
            strbuf_addf(out, markdown ? "%s## %s\n\n" : "%s%s\n", *group ? "\n" : "", kind->group);
            group = kind->group;
        } else if (markdown) {
            strbuf_add_char(out, '\n');
        }
        if (markdown)
            strbuf_addf(out, "### %s\n\n`%s`: %s.\n", kind->name, kind->example, kind->summary);
        else
            strbuf_addf(out, "  %-15s %s: %s\n", kind->name, kind->summary, kind->example);
        if (markdown && kind->words[0].name) strbuf_add_char(out, '\n');
        for (const StepWord *word = kind->words; word->name; word++) word_help(word, out, markdown);
        if (!kind->aliases[0].name) continue;
        strbuf_add(out, markdown ? STR("\nOther names: ") : STR("      also: "));
        for (int k = 0; k < STEP_ALIASES_MAX && kind->aliases[k].name; k++) {
            const StepAlias *alias = &kind->aliases[k];
            strbuf_addf(out, markdown ? "%s`%s`" : "%s%s", k ? ", " : "", alias->name);
            if (*alias->words) strbuf_addf(out, " (%s)", alias->words);
        }
        strbuf_add_char(out, '\n');
    }
}
