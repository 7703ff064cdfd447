/* Command lines by table. */

#include "cli/args.h"

#include <string.h>

static int option_count(const Option *options)
{
    int n = 0;
    while (options[n].name) n++;
    assert(n <= OPTIONS_MAX);
    return n;
}

static int find_option(const Option *options, Str name)
{
    for (int i = 0; options[i].name; i++)
        if (str_is(name, options[i].name)) return i;
    return -1;
}

static const Param *find_param(const Param *params, Str name, Arena *arena)
{
    if (!params) return NULL;
    char *spelled = arena_cstr(arena, name);
    for (size_t i = 0; i < name.len; i++)
        if (spelled[i] == '-') spelled[i] = '_';
    return param_find(params, (Str){spelled, name.len});
}

static bool unknown_option(const Option *options, const Param *params, Str name, Error *err)
{
    ARENA(scratch);
    size_t n = 0, n_params = 0;
    while (params && params[n_params].type != PARAM_TYPE_END) n_params++;
    Str *names = arena_array(&scratch, Str, (size_t)option_count(options) + n_params);
    for (int i = 0; options[i].name; i++) names[n++] = str_of(options[i].name);
    for (size_t i = 0; i < n_params; i++) names[n++] = str_of(params[i].name);
    int nearest = str_nearest(name, names, n);
    if (nearest >= 0)
        return error_set(err, ERROR_INVALID, "unknown option '--%.*s' (did you mean '--%.*s'?)",
                         STR_ARG(name), STR_ARG(names[nearest]));
    return error_set(err, ERROR_INVALID, "unknown option '--%.*s'", STR_ARG(name));
}

static bool choice_is_valid(const Option *option, Str value, Error *err)
{
    if (!option->choices) return true;
    char all[512] = "";
    for (int i = 0; option->choices[i]; i++) {
        if (str_is(value, option->choices[i])) return true;
        size_t used = strlen(all);
        if (used + strlen(option->choices[i]) + 3 < sizeof all) {
            memcpy(all + used, i ? ", " : "", i ? 3 : 1);
            memcpy(all + strlen(all), option->choices[i], strlen(option->choices[i]) + 1);
        }
    }
    return error_set(err, ERROR_INVALID, "option '--%s': '%.*s' is none of %s", option->name,
                     STR_ARG(value), all);
}

static bool store(Args *args, int i, Str value, Error *err)
{
    const Option *option = &args->options[i];
    if (!choice_is_valid(option, value, err)) return false;
    if (args->given[i] && !option->repeat)
        return error_set(err, ERROR_INVALID, "option '--%s' is given twice", option->name);
    args->given[i] = true;
    args->values[i] = arena_str(&args->arena, value);
    if (!option->repeat) return true;
    if (!args->repeated[i]) args->repeated[i] = arena_array(&args->arena, Str, REPEAT_MAX);
    if (args->n_repeated[i] == REPEAT_MAX)
        return error_set(err, ERROR_LIMIT, "option '--%s' is given more than %d times",
                         option->name, REPEAT_MAX);
    args->repeated[i][args->n_repeated[i]++] = args->values[i];
    return true;
}

/* One "--name", "--name=value" or "-x"; takes the next word where a value is due. */
static bool parse_option(Args *args, const Param *params, int argc, char **argv, int *at,
                         Error *err)
{
    Str word = str_of(argv[*at]), name = str_from(word, 2), value = {0};
    int i = -1;
    if (word.ptr[1] != '-') {
        for (int k = 0; args->options[k].name; k++)
            if (args->options[k].letter && args->options[k].letter == word.ptr[1]) i = k;
        if (i < 0) return error_set(err, ERROR_INVALID, "unknown option '-%c'", word.ptr[1]);
        if (word.len > 2) value = str_from(word, word.ptr[2] == '=' ? 3 : 2);
        name = str_of(args->options[i].name);
    } else {
        size_t equals = str_find(name, '=');
        if (equals < name.len) {
            value = str_from(name, equals + 1);
            name = str_slice(name, 0, equals);
        }
        i = find_option(args->options, name);
    }
    const Param *param = i < 0 ? find_param(params, name, &args->arena) : NULL;
    if (i < 0 && !param) return unknown_option(args->options, params, name, err);

    bool takes_value = param || args->options[i].value;
    if (!takes_value && value.ptr)
        return error_set(err, ERROR_INVALID, "option '--%.*s' takes no value", STR_ARG(name));
    if (takes_value && !value.ptr) {
        if (*at + 1 >= argc)
            return error_set(err, ERROR_INVALID, "option '--%.*s' needs a value", STR_ARG(name));
        value = str_of(argv[++*at]);
    }
    if (i >= 0) return store(args, i, takes_value ? value : STR(""), err);
    args->params[args->n_params++] = (ParamText){str_of(param->name), value};
    return true;
}

bool args_parse(const Option *options, const Param *params, int argc, char **argv, Args *ret_args,
                Error *err)
{
    Args *args = ret_args;
    *args = (Args){.options = options};
    args->params = arena_array(&args->arena, ParamText, argc + 1);
    bool options_end = false;
    for (int i = 0; i < argc; i++) {
        bool is_option = !options_end && argv[i][0] == '-' && argv[i][1];
        if (is_option && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (is_option) {
            if (!parse_option(args, params, argc, argv, &i, err)) return false;
        } else {
            if (args->n_positional == POSITIONALS_MAX)
                return error_set(err, ERROR_LIMIT, "more than %d arguments", POSITIONALS_MAX);
            args->positional[args->n_positional++] = str_of(argv[i]);
        }
    }
    return true;
}

void args_clear(Args *args)
{
    arena_clear(&args->arena);
}

static int must_find(const Args *args, const char *name)
{
    int i = find_option(args->options, str_of(name));
    assert(i >= 0);
    return i;
}

bool args_has(const Args *args, const char *name)
{
    return args->given[must_find(args, name)];
}

Str args_get(const Args *args, const char *name)
{
    Str value = args->values[must_find(args, name)];
    return value.ptr ? value : STR("");
}

const Str *args_all(const Args *args, const char *name, int *ret_n)
{
    int i = must_find(args, name);
    *ret_n = args->n_repeated[i];
    return args->repeated[i];
}

bool args_int(const Args *args, const char *name, int64_t min, int64_t max, int64_t preset,
              int64_t *ret_value, Error *err)
{
    *ret_value = preset;
    if (!args_has(args, name)) return true;
    Str text = args_get(args, name);
    if (!str_to_int64(text, ret_value))
        return error_set(err, ERROR_INVALID, "option '--%s': '%.*s' is not an integer", name,
                         STR_ARG(text));
    if (*ret_value < min || *ret_value > max)
        return error_set(err, ERROR_INVALID, "option '--%s': %lld is outside [%lld, %lld]", name,
                         (long long)*ret_value, (long long)min, (long long)max);
    return true;
}

bool args_real(const Args *args, const char *name, double min, double max, double preset,
               double *ret_value, Error *err)
{
    *ret_value = preset;
    if (!args_has(args, name)) return true;
    Str text = args_get(args, name);
    if (!str_to_double(text, ret_value) || !(*ret_value >= min && *ret_value <= max))
        return error_set(err, ERROR_INVALID, "option '--%s': '%.*s' is not a number in [%g, %g]",
                         name, STR_ARG(text), min, max);
    return true;
}
