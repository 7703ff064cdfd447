/* Which columns and rows there are, how they are called, what they hold. */

#include "prepare/steps.h"

#include "base/hash.h"
#include "format/timestamp.h"

/* ---- target ---- */

const StepKind target_step = {
    .name = "target",
    .group = "Table",
    .summary = "names the column to be predicted: '*' leaves it out from here on",
    .example = "target price",
    .one_column = true,
    .takes = TAKES_ALL,
};

/* ---- select, drop, rename ---- */

static bool is_named(const Step *step, Str name)
{
    for (int32_t k = 0; k < step->n_columns; k++)
        if (str_eq(step->columns[k], name)) return true;
    return false;
}

/* The target may be missing in tables that are to be predicted. */
static bool may_lack(const Step *step, TableRole role, Str name)
{
    return role == TABLE_OTHER && str_eq(step->target, name);
}

static bool select_apply(const Step *step, Frame *table, TableRole role, Error *err)
{
    Column *c;
    for (int32_t k = 0; k < step->n_columns; k++)
        if (!frame_column(table, step->columns[k]) && !may_lack(step, role, step->columns[k]) &&
            !step_column(step, table, step->columns[k], TAKES_ALL, &c, err))
            return false;
    for (int32_t j = table->n_columns; j-- > 0;)
        if (!is_named(step, table->columns[j].name)) table_remove(table, j);
    /* in the order of the step */
    int32_t to = 0;
    for (int32_t k = 0; k < step->n_columns; k++) {
        c = frame_column(table, step->columns[k]);
        if (!c) continue;
        Column moved = *c, swapped = table->columns[to];
        *c = swapped;
        table->columns[to++] = moved;
    }
    return true;
}

const StepKind select_step = {
    .name = "select",
    .group = "Table",
    .summary = "keeps these columns, in this order",
    .example = "select age, fare, city",
    .takes = TAKES_ALL,
    .explicit_all = true,
    .apply = select_apply,
};

static bool drop_apply(const Step *step, Frame *table, TableRole role, Error *err)
{
    for (int32_t k = 0; k < step->n_columns; k++) {
        Column *c = frame_column(table, step->columns[k]);
        if (!c && role == TABLE_OTHER) continue;
        if (!c && !step_column(step, table, step->columns[k], TAKES_ALL, &c, err)) return false;
        table_remove(table, (int32_t)(c - table->columns));
    }
    return true;
}

const StepKind drop_step = {
    .name = "drop",
    .group = "Table",
    .summary = "leaves out these columns",
    .example = "drop id, name",
    .aliases = {{"DELETE", ""}, {"remove", ""}},
    .takes = TAKES_ALL,
    .apply = drop_apply,
};

static bool rename_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    Column *c;
    Str to = step_text(step, "to");
    if (!step_column(step, table, step->columns[0], TAKES_ALL, &c, err)) return false;
    if (!str_eq(c->name, to) && frame_column(table, to))
        return error_set(err, ERROR_CONFLICT, "there is a column '%.*s' already", STR_ARG(to));
    c->name = arena_str(&table->arena, to);
    return true;
}

const StepKind rename_step = {
    .name = "rename",
    .group = "Table",
    .summary = "gives a column another name",
    .example = "rename Fare to fare",
    .one_column = true,
    .takes = TAKES_ALL,
    .words = {{.name = "to", .alias = "targetColumn", .kind = WORD_TEXT, .help = "the new name"}},
    .apply = rename_apply,
};

/* ---- cast ---- */

enum { CAST_NUMBER, CAST_CATEGORY, CAST_TIME, CAST_BOOL };
static const char *const cast_names[] = {"number", "category", "time", "bool", NULL};
enum { BAD_ERROR, BAD_MISSING };
static const char *const bad_names[] = {"error", "missing", NULL};

static bool cast_cell(Frame *table, Column *out, Str text, int64_t row, Dictionary *words,
                      bool *ret_ok)
{
    Cell cell = {0};
    *ret_ok = true;
    if (out->type == COLUMN_CATEGORY)
        cell.code = dictionary_add(words, text);
    else
        *ret_ok = cell_parse(table, out, str_trim(text), &cell, NULL);
    if (*ret_ok) cell_set(out, row, cell);
    return *ret_ok;
}

static bool cast_column(const Step *step, Frame *table, Column *c, Column *out, Error *err)
{
    ARENA(scratch);
    Dictionary words = DICTIONARY(&table->arena);
    for (int64_t i = 0; i < c->n_rows; i++) {
        bool ok;
        if (out->type == COLUMN_NUMBER) out->f64[i] = NAN;
        if (out->type == COLUMN_CATEGORY) out->codes[i] = -1;
        if (cell_missing(c, i)) continue;
        Str text = column_text(c, i, &scratch);
        if (c->type == COLUMN_BOOL && out->type == COLUMN_NUMBER)
            out->f64[i] = c->bools[i];
        else if (!cast_cell(table, out, text, i, &words, &ok) &&
                 step_choice(step, "bad") == BAD_ERROR)
            return error_set(
                err, ERROR_INVALID,
                "column '%.*s' row %lld: '%.*s' is no %s; 'bad missing' leaves it empty",
                STR_ARG(c->name), (long long)i + 1, STR_ARG(text), column_type_name(out->type));
        if (i % 4096 == 0) arena_clear(&scratch);
    }
    out->categories = words.words;
    out->n_categories = words.n;
    return true;
}

static bool cast_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    static const ColumnType types[] = {COLUMN_NUMBER, COLUMN_CATEGORY, COLUMN_TIME, COLUMN_BOOL};
    for (int32_t k = 0; k < step->n_columns; k++) {
        Column *c;
        if (!step_column(step, table, step->columns[k], TAKES_ALL, &c, err)) return false;
        Column out = {.name = c->name, .n_rows = c->n_rows, .type = types[step_choice(step, "to")]};
        if (out.type == c->type) continue;
        size_t n = (size_t)c->n_rows;
        bool ok = true;
        switch (out.type) {
        case COLUMN_NUMBER: ok = (out.f64 = data_array(double, n, "the column", err)); break;
        case COLUMN_CATEGORY: ok = (out.codes = data_array(int32_t, n, "the column", err)); break;
        case COLUMN_TIME: ok = (out.time_us = data_array(int64_t, n, "the column", err)); break;
        default: ok = (out.bools = data_array(uint8_t, n, "the column", err));
        }
        if (ok && (out.type == COLUMN_TIME || out.type == COLUMN_BOOL))
            ok = (out.valid = data_array(uint64_t, (n + 63) / 64, "the column", err));
        if (!ok || !cast_column(step, table, c, &out, err)) {
            column_clear(&out);
            return false;
        }
        table_splice(table, (int32_t)(c - table->columns), 1, &out, 1);
    }
    return true;
}

const StepKind cast_step = {
    .name = "cast",
    .group = "Table",
    .summary = "reads the values as another type",
    .example = "cast zip to category",
    .aliases = {{"CHANGE_DATA_TYPE", ""}},
    .takes = TAKES_ALL,
    .words = {{.name = "to",
               .alias = "columnDataType",
               .kind = WORD_CHOICE,
               .choices = cast_names,
               .help = "the type"},
              {.name = "bad",
               .kind = WORD_CHOICE,
               .choices = bad_names,
               .preset = "error",
               .help = "what is no such value: refuse, or leave it empty"}},
    .apply = cast_apply,
};

/* ---- filter ---- */

enum { IS_MISSING, IS_PRESENT };
static const char *const is_names[] = {"missing", "present", NULL};
static const char *const comparisons[] = {"=", "!=", "<", "<=", ">", ">=", "in", "is"};

static int comparison_of(const Step *step, int *ret_n)
{
    int found = -1;
    *ret_n = 0;
    for (int k = 0; k < (int)COUNT(comparisons); k++)
        if (step_given(step, comparisons[k])) {
            found = k;
            ++*ret_n;
        }
    return found;
}

static bool filter_check(const Step *step, Error *err)
{
    int n;
    comparison_of(step, &n);
    if (n == 1) return true;
    return error_set(err, ERROR_INVALID, "step 'filter' needs one comparison, as in: %s",
                     step->kind->example);
}

/* <0, 0, >0: the row's value against a cell of the column's type; words bytewise. */
static int compare_cell(const Column *c, int64_t row, Cell cell)
{
    Cell x = cell_get(c, row);
    switch (c->type) {
    case COLUMN_NUMBER: return (x.number > cell.number) - (x.number < cell.number);
    case COLUMN_CATEGORY: return str_compare(c->categories[x.code], c->categories[cell.code]);
    case COLUMN_TIME: return (x.time_us > cell.time_us) - (x.time_us < cell.time_us);
    default: return (x.boolean > cell.boolean) - (x.boolean < cell.boolean);
    }
}

static bool holds(int comparison, int order)
{
    switch (comparison) {
    case 0: return order == 0;
    case 1: return order != 0;
    case 2: return order < 0;
    case 3: return order <= 0;
    case 4: return order > 0;
    case 5: return order >= 0;
    default: return order == 0;
    }
}

static bool filter_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    Column *c;
    int n, comparison = comparison_of(step, &n);
    const StepValue *value = step_value(step, comparisons[comparison]);
    if (!step_column(step, table, step->columns[0], TAKES_ALL, &c, err)) return false;
    AUTO_DATA uint8_t *keep = data_array(uint8_t, table->n_rows, "the rows", err);
    if (!keep) return false;
    if (comparison == 7) {
        for (int64_t i = 0; i < c->n_rows; i++)
            keep[i] = cell_missing(c, i) == (value->choice == IS_MISSING);
        return table_keep(table, keep, NULL, err);
    }
    for (int32_t k = 0; k < value->n_texts; k++) {
        Cell cell;
        if (!cell_parse(table, c, value->texts[k], &cell, err)) return false;
        for (int64_t i = 0; i < c->n_rows; i++)
            keep[i] |= !cell_missing(c, i) && holds(comparison, compare_cell(c, i, cell));
    }
    return table_keep(table, keep, NULL, err);
}

#define COMPARISON(name_, help_)                                                                   \
    {                                                                                              \
        .name = name_, .kind = WORD_TEXT, .optional = true, .help = help_                          \
    }

const StepKind filter_step = {
    .name = "filter",
    .group = "Table",
    .summary = "keeps the rows for which this holds; a missing value satisfies only 'is missing'",
    .example = "filter age >= 18",
    .one_column = true,
    .takes = TAKES_ALL,
    .words = {COMPARISON("=", "equal"),
              COMPARISON("!=", "not equal"),
              COMPARISON("<", "below; words in the order of their bytes"),
              COMPARISON("<=", "at most"),
              COMPARISON(">", "above"),
              COMPARISON(">=", "at least"),
              {.name = "in", .kind = WORD_TEXTS, .optional = true, .help = "one of these"},
              {.name = "is",
               .kind = WORD_CHOICE,
               .choices = is_names,
               .optional = true,
               .help = "whether there is a value"}},
    .check = filter_check,
    .apply = filter_apply,
};

/* ---- deduplicate ---- */

static uint64_t row_hash(const Step *step, const Frame *table, int64_t row)
{
    uint64_t hash = 0;
    for (int32_t k = 0; k < step->n_columns; k++) {
        const Column *c = frame_column(table, step->columns[k]);
        Cell cell = {0};
        if (!cell_missing(c, row)) {
            cell = cell_get(c, row);
            if (cell.number == 0) cell.number = 0; /* -0 equals 0 */
        } else {
            cell.code = -1;
        }
        uint64_t parts[3];
        memcpy(&parts[0], &cell.number, sizeof parts[0]);
        parts[1] = (uint64_t)cell.time_us;
        parts[2] = (uint64_t)(uint32_t)cell.code << 8 | cell.boolean;
        hash = hash_bytes(parts, sizeof parts, hash);
    }
    return hash;
}

static bool rows_equal(const Step *step, const Frame *table, int64_t a, int64_t b)
{
    for (int32_t k = 0; k < step->n_columns; k++) {
        const Column *c = frame_column(table, step->columns[k]);
        bool missing = cell_missing(c, a);
        if (missing != cell_missing(c, b)) return false;
        if (missing) continue;
        Cell x = cell_get(c, a), y = cell_get(c, b);
        if (x.number != y.number || x.code != y.code || x.time_us != y.time_us ||
            x.boolean != y.boolean)
            return false;
    }
    return true;
}

static bool deduplicate_apply(const Step *step, Frame *table, TableRole role, Error *err)
{
    if (role != TABLE_TRAIN) return true;
    int64_t n_slots = 16;
    while (n_slots < 2 * table->n_rows) n_slots *= 2;
    AUTO_DATA uint8_t *keep = data_array(uint8_t, table->n_rows, "the rows", err);
    AUTO_DATA int64_t *slots = keep ? data_array(int64_t, n_slots, "the rows", err) : NULL;
    if (!slots) return false;
    for (int64_t i = 0; i < table->n_rows; i++) {
        uint64_t at = row_hash(step, table, i);
        for (;; at++) {
            int64_t *slot = &slots[at & (uint64_t)(n_slots - 1)];
            if (*slot && !rows_equal(step, table, *slot - 1, i)) continue;
            keep[i] = *slot == 0;
            if (keep[i]) *slot = i + 1;
            break;
        }
    }
    return table_keep(table, keep, NULL, err);
}

const StepKind deduplicate_step = {
    .name = "deduplicate",
    .group = "Table",
    .summary =
        "keeps the first of rows that are equal in these columns; in the training table only",
    .example = "deduplicate",
    .aliases = {{"REMOVE_DUPLICATES", ""}, {"distinct", ""}},
    .takes = TAKES_ALL,
    .whole_table = true,
    .explicit_all = true,
    .apply = deduplicate_apply,
};
