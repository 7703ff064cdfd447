/* Hyperparameters by table: parse, refuse, describe.
 *
 * All problems of a call are reported together, a line each, since each round trip to a training
 * service costs its user minutes. */

#include "algo/param.h"

#include "base/strbuf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t param_count(const Param *params)
{
    size_t n = 0;
    while (params[n].type != PARAM_TYPE_END) n++;
    return n;
}

const Param *param_find(const Param *params, Str name)
{
    for (const Param *param = params; param->type != PARAM_TYPE_END; param++)
        if (str_is(name, param->name) || (param->alias && str_is(name, param->alias))) return param;
    return NULL;
}

bool param_is_ignored(Str name)
{
    return str_starts(name, STR("_")) || str_is(name, "seed") || str_is(name, "force_dense") ||
           str_is(name, "batch_metrics_publish_interval");
}

static bool has_bounds(const Param *param)
{
    return param->no_max || param->min != 0 || param->max != 0;
}

static bool in_range(const Param *param, double x)
{
    if (!has_bounds(param)) return true;
    if (param->open_min ? !(x > param->min) : !(x >= param->min)) return false;
    if (param->no_max) return true;
    return param->open_max ? x < param->max : x <= param->max;
}

/* A number for people: no exponent for what has at most nine digits. */
static const char *bound_text(double x, char text[static 32])
{
    snprintf(text, 32, "%.9g", x);
    return text;
}

static Str interval_text(const Param *param, Arena *arena)
{
    char low[32], high[32];
    bound_text(param->min, low);
    bound_text(param->max, high);
    if (!has_bounds(param)) return STR("any");
    if (param->no_max) return arena_format(arena, "%s%s, inf)", param->open_min ? "(" : "[", low);
    return arena_format(arena, "%s%s, %s%s", param->open_min ? "(" : "[", low, high,
                        param->open_max ? ")" : "]");
}

static Str choices_text(const char *const *choices, Arena *arena)
{
    AUTO_STRBUF StrBuf text = STRBUF(4096);
    for (int i = 0; choices[i]; i++)
        strbuf_addf(&text, "%s%s", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
    return arena_str(arena, strbuf_str(&text));
}

Str param_range_text(const Param *param, Arena *arena)
{
    const char *automatic = param->automatic ? " or auto" : "";
    char low[32];
    switch (param->type) {
    case PARAM_TYPE_BOOL: return STR("true or false");
    case PARAM_TYPE_CHOICE: return choices_text(param->choices, arena);
    case PARAM_TYPE_TEXT: return STR("text");
    case PARAM_TYPE_INT:
    case PARAM_TYPE_REAL: break;
    case PARAM_TYPE_END: return STR("");
    }
    const char *kind = param->type == PARAM_TYPE_INT ? "integer" : "number";
    if (!has_bounds(param)) return arena_format(arena, "%s%s", kind, automatic);
    if (param->no_max)
        return arena_format(arena, "%s %s %s%s", kind,
                            param->open_min ? ">" : ">=", bound_text(param->min, low), automatic);
    Str interval = interval_text(param, arena);
    return arena_format(arena, "%s in %.*s%s", kind, STR_ARG(interval), automatic);
}

/* "" when the value was stored, else the reason why not. */
static Str store_value(const Param *param, Str value, ParamStyle style, Arena *arena, void *params)
{
    char *field = (char *)params + param->offset;
    bool plain = style == PARAM_STYLE_PLAIN;
    double x = 0;

    switch (param->type) {
    case PARAM_TYPE_INT:
    case PARAM_TYPE_REAL:
        if (param->automatic && str_eq_nocase(value, STR("auto"))) {
            if (param->type == PARAM_TYPE_INT)
                *(int64_t *)(void *)field = PARAM_UNSET_INT;
            else
                *(double *)(void *)field = NAN;
            return STR("");
        }
        if (!str_to_double(value, &x) || isnan(x) ||
            (param->type == PARAM_TYPE_INT && (x != floor(x) || fabs(x) > 0x1p53)))
            return plain ? arena_format(arena, "'%.*s' is not %s", STR_ARG(value),
                                        param->type == PARAM_TYPE_INT ? "an integer" : "a number")
                         : STR("could not parse value");
        if (!in_range(param, x)) {
            Str interval = interval_text(param, arena);
            return arena_format(arena, plain ? "%.*s is outside %.*s" : "%.*s is not in %.*s",
                                STR_ARG(value), STR_ARG(interval));
        }
        if (param->type == PARAM_TYPE_INT)
            *(int64_t *)(void *)field = (int64_t)x;
        else
            *(double *)(void *)field = x;
        return STR("");
    case PARAM_TYPE_BOOL:
        if (str_eq_nocase(value, STR("true")) || str_is(value, "1"))
            *(bool *)field = true;
        else if (str_eq_nocase(value, STR("false")) || str_is(value, "0"))
            *(bool *)field = false;
        else
            return plain ? arena_format(arena, "'%.*s' is not true or false", STR_ARG(value))
                         : STR("could not parse value");
        return STR("");
    case PARAM_TYPE_CHOICE:
        for (int i = 0; param->choices[i]; i++)
            if (str_is(value, param->choices[i])) {
                *(int *)(void *)field = i;
                return STR("");
            }
        Str all = choices_text(param->choices, arena);
        return plain ? arena_format(arena, "'%.*s' is not %.*s", STR_ARG(value), STR_ARG(all))
                     : arena_format(arena, "%.*s is not in [%.*s]", STR_ARG(value), STR_ARG(all));
    case PARAM_TYPE_TEXT: *(Str *)(void *)field = arena_str(arena, value); return STR("");
    case PARAM_TYPE_END: break;
    }
    return STR("unknown type");
}

static void store_unset(const Param *param, void *params)
{
    char *field = (char *)params + param->offset;
    switch (param->type) {
    case PARAM_TYPE_INT: *(int64_t *)(void *)field = PARAM_UNSET_INT; break;
    case PARAM_TYPE_REAL: *(double *)(void *)field = NAN; break;
    case PARAM_TYPE_TEXT: *(Str *)(void *)field = STR(""); break;
    case PARAM_TYPE_BOOL: *(bool *)field = false; break;
    case PARAM_TYPE_CHOICE: *(int *)(void *)field = 0; break;
    case PARAM_TYPE_END: break;
    }
}

/* Clients send str() of values and sometimes JSON-encode each once more: "\"abc\"" means abc. */
static Str without_quotes(Str value)
{
    value = str_trim(value);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"' &&
        str_find(str_slice(value, 1, value.len - 1), '\\') == value.len - 2)
        return str_slice(value, 1, value.len - 1);
    return value;
}

static void add_problem(StrBuf *problems, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_problem(StrBuf *problems, const char *format, ...)
{
    if (problems->len) strbuf_add_char(problems, '\n');
    va_list args;
    va_start(args, format);
    strbuf_addv(problems, format, args);
    va_end(args);
}

static void add_unknown(StrBuf *problems, const Param *params, Str name, ParamStyle style)
{
    ARENA(scratch);
    size_t n = param_count(params);
    Str *names = arena_array(&scratch, Str, n);
    for (size_t i = 0; i < n; i++) names[i] = str_of(params[i].name);
    int nearest = str_nearest(name, names, n);
    Str hint = nearest < 0 ? STR("")
                           : arena_format(&scratch, " (did you mean '%s'?)", params[nearest].name);
    if (style == PARAM_STYLE_XGBOOST)
        add_problem(problems, "Extraneous hyperparameter found: %.*s%.*s", STR_ARG(name),
                    STR_ARG(hint));
    else
        add_problem(problems, "unknown hyperparameter '%.*s'%.*s", STR_ARG(name), STR_ARG(hint));
}

bool params_parse(const Param *params, const ParamText *texts, size_t n, ParamStyle style,
                  Arena *arena, void *ret_struct, Error *err)
{
    ARENA(scratch);
    AUTO_STRBUF StrBuf problems = STRBUF(ERROR_TEXT_MAX);
    bool *given = arena_array(&scratch, bool, param_count(params));

    for (const Param *param = params; param->type != PARAM_TYPE_END; param++) {
        store_unset(param, ret_struct);
        if (!param->preset) continue;
        Str why = store_value(param, str_of(param->preset), PARAM_STYLE_PLAIN, arena, ret_struct);
        assert(why.len == 0); /* a preset outside its own range */
        (void)why;
    }
    for (size_t i = 0; i < n; i++) {
        const Param *param = param_find(params, texts[i].name);
        if (!param) {
            if (!param_is_ignored(texts[i].name))
                add_unknown(&problems, params, texts[i].name, style);
            continue;
        }
        given[param - params] = true;
        Str why = store_value(param, without_quotes(texts[i].value), style, arena, ret_struct);
        if (!why.len) continue;
        if (style == PARAM_STYLE_XGBOOST)
            add_problem(&problems, "Hyperparameter %.*s: %.*s", STR_ARG(texts[i].name),
                        STR_ARG(why));
        else
            add_problem(&problems, "hyperparameter '%.*s': %.*s", STR_ARG(texts[i].name),
                        STR_ARG(why));
    }
    for (const Param *param = params; param->type != PARAM_TYPE_END; param++) {
        if (given[param - params] || param->preset || param->optional) continue;
        if (style == PARAM_STYLE_XGBOOST)
            add_problem(&problems, "Missing required hyperparameter: %s", param->name);
        else
            add_problem(&problems, "hyperparameter '%s' is required", param->name);
    }
    if (problems.len) return error_set(err, ERROR_INVALID, "%s", strbuf_cstr(&problems));
    return true;
}

Str param_value_text(const Param *param, const void *params, Arena *arena)
{
    const char *field = (const char *)params + param->offset;
    switch (param->type) {
    case PARAM_TYPE_INT: {
        int64_t value = *(const int64_t *)(const void *)field;
        if (value == PARAM_UNSET_INT) return param->automatic ? STR("auto") : STR("");
        return arena_format(arena, "%lld", (long long)value);
    }
    case PARAM_TYPE_REAL: {
        double value = *(const double *)(const void *)field;
        if (isnan(value)) return param->automatic ? STR("auto") : STR("");
        return arena_format(arena, "%.10g", value);
    }
    case PARAM_TYPE_BOOL: return *(const bool *)field ? STR("true") : STR("false");
    case PARAM_TYPE_CHOICE: return str_of(param->choices[*(const int *)(const void *)field]);
    case PARAM_TYPE_TEXT: return *(const Str *)(const void *)field;
    case PARAM_TYPE_END: break;
    }
    return STR("");
}
