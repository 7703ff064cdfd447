/* Bins, products of columns, and columns that say what others say already: scikit-learn's KBinsDiscretizer and
 * PolynomialFeatures; Pearson's r and variance inflation factors as pandas and statsmodels have them. */

#include "prepare/steps.h"
#include "stats/relation.h"

/* ---- bins ---- */

enum { BINS_UNIFORM, BINS_QUANTILE };
static const char *const bins_names[] = {"uniform", "quantile", NULL};

static bool bin_check(const Step *step, Error *err)
{
    const StepValue *edges = step_value(step, "edges");
    double x, before = -INFINITY;
    for (int32_t k = 0; k < edges->n_texts; k++, before = x)
        if (!str_to_double(edges->texts[k], &x) || !(x > before))
            return error_set(err, ERROR_INVALID, "'edges' has '%.*s': they must be rising numbers",
                             STR_ARG(edges->texts[k]));
    return true;
}

/* The inner edges: a value's bin is how many are at or below it. */
static bool bin_fit(Step *step, Frame *table, Error *err)
{
    int n = (int)step_number(step, "n");
    Json *all = json_new_object(step->arena);
    json_set(step->arena, step->learned, "edges", all);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c = frame_column(table, step->columns[j]);
        Json *edges = json_new_array(step->arena);
        const StepValue *given = step_value(step, "edges");
        json_set_str(step->arena, all, step->columns[j], edges);
        for (int32_t k = 0; k < given->n_texts; k++) {
            double x = NAN;
            str_to_double(given->texts[k], &x);
            json_push(step->arena, edges, json_new_double(step->arena, x));
        }
        if (given->given) continue;
        SortSpace space = {0};
        Sorted sorted;
        Numbers numbers = {.f64 = c->f64, .n = c->n_rows};
        bool ok = sorted_make(&numbers, false, &space, &sorted, err);
        sort_space_clear(&space);
        if (!ok) return false;
        if (!sorted.n) {
            sorted_clear(&sorted);
            return error_set(err, ERROR_INVALID, "column '%.*s' has no value in any row",
                             STR_ARG(c->name));
        }
        double low = sorted_at(&sorted, 0), high = sorted_at(&sorted, sorted.n - 1), before = low;
        for (int k = 1; k < n; k++) {
            double edge = step_choice(step, "by") == BINS_UNIFORM
                              ? low + k * ((high - low) / n)
                              : sorted_quantile_at(&sorted, (double)k / n);
            /* bins without width fall together */
            if (edge - before <= 1e-8 || high - edge <= 1e-8) continue;
            json_push(step->arena, edges, json_new_double(step->arena, edge));
            before = edge;
        }
        sorted_clear(&sorted);
    }
    return true;
}

static bool bin_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    ARENA(arena);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        double *edges;
        int32_t n;
        const Json *all = json_get(step_learned(step), "edges");
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &c, err) ||
            !json_doubles(json_get(all, arena_cstr(&arena, c->name)), &arena, &edges, &n, err))
            return false;
        for (int64_t i = 0; i < c->n_rows; i++) {
            if (isnan(c->f64[i])) continue;
            int32_t low = 0, high = n;
            while (low < high) {
                int32_t mid = low + (high - low) / 2;
                if (edges[mid] <= c->f64[i])
                    low = mid + 1;
                else
                    high = mid;
            }
            c->f64[i] = low;
        }
    }
    return true;
}

const StepKind bin_step = {
    .name = "bin",
    .group = "Features",
    .summary = "each number becomes the number of its bin, from 0",
    .example = "bin age by quantile n 5",
    .aliases = {{"BUCKETIZATION", ""}, {"BINARIZATION", ""}},
    .takes = TAKES_NUMBERS,
    .words = {{.name = "by",
               .kind = WORD_CHOICE,
               .choices = bins_names,
               .preset = "quantile",
               .help = "bins of equal width, or with equally many rows"},
              {.name = "n",
               .kind = WORD_NUMBER,
               .preset = "5",
               .min = 2,
               .max = 10000,
               .help = "how many"},
              {.name = "edges",
               .alias = "threshold",
               .kind = WORD_TEXTS,
               .optional = true,
               .help = "where one bin ends and the next begins, instead; one edge: 0 and 1"}},
    .check = bin_check,
    .fit = bin_fit,
    .apply = bin_apply,
};

/* ---- products ---- */

enum { POLYNOMIAL_MAX = 5000, DEGREE_MAX = 4 };
static const char *const yes_no[] = {"no", "yes", NULL};

/* The next combination in order; false after the last. */
static bool next_combination(int32_t *of, int degree, int32_t n, bool distinct)
{
    int k = degree - 1;
    while (k >= 0 && of[k] == n - 1 - (distinct ? degree - 1 - k : 0)) k--;
    if (k < 0) return false;
    of[k]++;
    for (int i = k + 1; i < degree; i++) of[i] = of[i - 1] + distinct;
    return true;
}

/* "a^2 b" */
static Str product_name(const Step *step, const int32_t *of, int degree, Arena *arena)
{
    Str name = STR("");
    for (int k = 0; k < degree;) {
        int power = 1;
        while (k + power < degree && of[k + power] == of[k]) power++;
        Str column = step->columns[of[k]];
        name = power > 1 ? arena_format(arena, "%.*s%s%.*s^%d", STR_ARG(name), k ? " " : "",
                                        STR_ARG(column), power)
                         : arena_format(arena, "%.*s%s%.*s", STR_ARG(name), k ? " " : "",
                                        STR_ARG(column));
        k += power;
    }
    return name;
}

static bool add_products(const Step *step, Frame *table, int degree, bool distinct, int *n_made,
                         Error *err)
{
    ARENA(arena);
    int32_t of[DEGREE_MAX] = {0};
    if (distinct && degree > step->n_columns) return true;
    for (int k = 1; k < degree; k++) of[k] = distinct ? k : 0;
    do {
        Column out;
        if (++*n_made > POLYNOMIAL_MAX)
            return error_set(err, ERROR_LIMIT, "more than %d products: name fewer columns",
                             POLYNOMIAL_MAX);
        if (!number_column(table, product_name(step, of, degree, &arena), &out, err)) return false;
        for (int64_t i = 0; i < table->n_rows; i++) out.f64[i] = 1;
        for (int k = 0; k < degree; k++) {
            const Column *c = frame_column(table, step->columns[of[k]]);
            for (int64_t i = 0; i < table->n_rows; i++) out.f64[i] *= c->f64[i];
        }
        table_splice(table, table->n_columns, 0, &out, 1);
    } while (next_combination(of, degree, step->n_columns, distinct));
    return true;
}

static bool polynomial_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    Column *c;
    int n_made = 0;
    for (int32_t j = 0; j < step->n_columns; j++)
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &c, err)) return false;
    for (int degree = 2; degree <= (int)step_number(step, "degree"); degree++)
        if (!add_products(step, table, degree, step_choice(step, "interactions") == 1, &n_made,
                          err))
            return false;
    return true;
}

const StepKind polynomial_step = {
    .name = "polynomial",
    .group = "Features",
    .summary = "adds squares and products of the columns",
    .example = "polynomial width, height degree 2",
    .aliases = {{"interactions", "interactions yes"}},
    .takes = TAKES_NUMBERS,
    .words = {{.name = "degree",
               .kind = WORD_NUMBER,
               .preset = "2",
               .min = 2,
               .max = DEGREE_MAX,
               .help = "factors of a product, at most"},
              {.name = "interactions",
               .kind = WORD_CHOICE,
               .choices = yes_no,
               .preset = "no",
               .help = "products of different columns only, no squares"}},
    .apply = polynomial_apply,
};

/* ---- columns that others say ---- */

static bool correlations(const Step *step, const Frame *table, double **ret_r, Error *err)
{
    ARENA(arena);
    int32_t p = step->n_columns;
    const double **columns = arena_array(&arena, const double *, p);
    AUTO_DATA double *r = data_array(double, (size_t)p *p, "the correlations", err);
    if (!r) return false;
    for (int32_t j = 0; j < p; j++) columns[j] = frame_column(table, step->columns[j])->f64;
    if (!pearson_matrix(NULL, columns, p, table->n_rows, r, NULL, NULL, err)) return false;
    *ret_r = STEAL(r);
    return true;
}

static void learn_dropped(Step *step, const bool *dropped)
{
    Json *names = json_new_array(step->arena);
    for (int32_t j = 0; j < step->n_columns; j++)
        if (dropped[j]) json_push(step->arena, names, json_new_text(step->arena, step->columns[j]));
    json_set(step->arena, step->learned, "dropped", names);
}

static bool dropped_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    const Json *names = json_get(step_learned(step), "dropped");
    if (!names || names->type != JSON_ARRAY)
        return error_set(err, ERROR_INVALID, "the document has no list of dropped columns");
    for (size_t k = 0; k < names->n; k++) {
        Column *c = frame_column(table, names->items[k]->text);
        if (c) table_remove(table, (int32_t)(c - table->columns));
    }
    return true;
}

static bool drop_correlated_fit(Step *step, Frame *table, Error *err)
{
    ARENA(arena);
    AUTO_DATA double *r = NULL;
    double threshold = step_number(step, "threshold");
    int32_t p = step->n_columns;
    bool *dropped = arena_array(&arena, bool, p);
    if (!correlations(step, table, &r, err)) return false;
    for (int32_t j = 1; j < p; j++)
        for (int32_t i = 0; i < j && !dropped[j]; i++)
            dropped[j] = !dropped[i] && fabs(r[(size_t)i * (size_t)p + (size_t)j]) > threshold;
    learn_dropped(step, dropped);
    return true;
}

const StepKind drop_correlated_step = {
    .name = "drop-correlated",
    .group = "Features",
    .summary = "leaves out each column that goes with an earlier one",
    .example = "drop-correlated * threshold 0.9",
    .takes = TAKES_NUMBERS,
    .words = {{.name = "threshold",
               .kind = WORD_NUMBER,
               .preset = "0.9",
               .min = 1e-9,
               .max = 1,
               .help = "of Pearson's |r|"}},
    .fit = drop_correlated_fit,
    .apply = dropped_apply,
};

static bool drop_vif_fit(Step *step, Frame *table, Error *err)
{
    ARENA(arena);
    AUTO_DATA double *r = NULL;
    double threshold = step_number(step, "threshold");
    int32_t p = step->n_columns, n = p;
    bool *dropped = arena_array(&arena, bool, p);
    int32_t *left = arena_array(&arena, int32_t, p);
    double *part = arena_alloc(&arena, sizeof(double) * (size_t)p * (size_t)p);
    double *vif = arena_array(&arena, double, p), condition;
    if (!correlations(step, table, &r, err)) return false;
    for (;;) {
        n = 0;
        for (int32_t j = 0; j < p; j++)
            if (!dropped[j]) left[n++] = j;
        for (int32_t a = 0; a < n; a++)
            for (int32_t b = 0; b < n; b++)
                part[(size_t)a * (size_t)n + (size_t)b] =
                    r[(size_t)left[a] * (size_t)p + (size_t)left[b]];
        if (!vif_of(part, n, vif, &condition, err)) return false;
        int32_t worst = -1;
        for (int32_t a = 0; a < n; a++)
            if (vif[a] > threshold && (worst < 0 || vif[a] >= vif[worst])) worst = a;
        if (worst < 0) break;
        dropped[left[worst]] = true;
        step_learn_number(step, "vif", step->columns[left[worst]], fmin(vif[worst], 1e300));
    }
    learn_dropped(step, dropped);
    return true;
}

const StepKind drop_vif_step = {
    .name = "drop-vif",
    .group = "Features",
    .summary =
        "leaves out the column that the others say best, again and again; of equal ones the last",
    .example = "drop-vif * threshold 5",
    .takes = TAKES_NUMBERS,
    .words = {{.name = "threshold",
               .kind = WORD_NUMBER,
               .preset = "5",
               .min = 1,
               .max = 1e9,
               .help = "of the variance inflation factor"}},
    .fit = drop_vif_fit,
    .apply = dropped_apply,
};
