/* Metric math: expressions over the series of a GetMetricData request.
 *
 *     expression = sum { ('<' | '>' | '<=' | '>=' | '==' | '!=') sum }
 *     sum        = product { ('+' | '-') product }
 *     product    = power { ('*' | '/') power }
 *     power      = value [ '^' power ] ;  value = number | id | call | '(' expression ')' | '-' value
 *
 * A value is a number, a series or a list of series (METRICS()).  Two series meet where both have a point.  The depth of parentheses is
 * bounded, so this descends by calling itself.  Division by zero leaves the point out.
 *
 * docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html; served: + - * / ^, comparisons, ABS AVG CEIL DIFF
 * DIFF_TIME FILL FLOOR IF LOG LOG10 MAX METRICS METRIC_COUNT MIN PERIOD RATE RUNNING_SUM STDDEV SUM. */

#include "service/cloudwatch/store.h"

#include <math.h>
#include <stdlib.h>

enum { DEPTH_MAX = 32, ARGUMENTS_MAX = 8 };

typedef struct Value {
    enum { NUMBER, SERIES, LIST } type;
    double number;
    Series series;
    Series *list;
    size_t n_list;
    int64_t period;
} Value;

typedef struct Parser {
    MathQuery *queries;
    size_t n_queries;
    Arena *arena;
    Error *err;
    int depth;
    int64_t period; /* of the last metric that was used */
} Parser;

static bool evaluate(Parser *outer, size_t i, Error *err);
static bool parse_expression(Parser *parser, Str *rest, Value *ret);

static bool fails(Parser *parser, const char *what, Str at)
{
    return error_set(parser->err, ERROR_INVALID, "%s at '%.*s'", what, (int)MIN(at.len, 40u),
                     at.ptr);
}

static bool take(Str *rest, const char *sign)
{
    *rest = str_trim(*rest);
    if (!str_starts(*rest, str_of(sign))) return false;
    *rest = str_from(*rest, strlen(sign));
    return true;
}

/* ---- arithmetic ---- */

static double apply(char op, double a, double b)
{
    switch (op) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return b == 0 ? NAN : a / b;
    case '^': return pow(a, b);
    case '<': return a < b;
    case '>': return a > b;
    case 'l': return a <= b;
    case 'g': return a >= b;
    case 'm': return MIN(a, b);
    case 'M': return MAX(a, b);
    case '=': return a == b;
    default: return a != b;
    }
}

static Series new_series(Arena *arena, size_t n)
{
    return (Series){arena_array(arena, double, n + 1), arena_array(arena, double, n + 1), 0};
}

static void add_point(Series *series, double time, double value)
{
    if (isnan(value)) return;
    series->times[series->n] = time;
    series->values[series->n++] = value;
}

static Series combine(Arena *arena, char op, const Series *a, const Series *b)
{
    Series out = new_series(arena, MIN(a->n, b->n));
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        if (a->times[i] < b->times[k]) {
            i++;
        } else if (b->times[k] < a->times[i]) {
            k++;
        } else {
            add_point(&out, a->times[i], apply(op, a->values[i], b->values[k]));
            i++;
            k++;
        }
    }
    return out;
}

static Series with_number(Arena *arena, char op, const Series *a, double x, bool number_first)
{
    Series out = new_series(arena, a->n);
    for (size_t i = 0; i < a->n; i++)
        add_point(&out, a->times[i],
                  number_first ? apply(op, x, a->values[i]) : apply(op, a->values[i], x));
    return out;
}

static bool operate(Parser *parser, char op, const Value *a, const Value *b, Value *ret)
{
    Value out = {.period = MAX(a->period, b->period)};
    if (a->type == LIST || b->type == LIST)
        return error_set(
            parser->err, ERROR_UNSUPPORTED,
            "arithmetic on lists of series is not served; use SUM(METRICS()) and the like");
    if (a->type == NUMBER && b->type == NUMBER) {
        out.type = NUMBER;
        out.number = apply(op, a->number, b->number);
    } else {
        out.type = SERIES;
        out.series = a->type == NUMBER ? with_number(parser->arena, op, &b->series, a->number, true)
                     : b->type == NUMBER
                         ? with_number(parser->arena, op, &a->series, b->number, false)
                         : combine(parser->arena, op, &a->series, &b->series);
    }
    *ret = out;
    return true;
}

/* ---- functions ---- */

/* Of a list: the series of sums (minima, ...) per time.  Of a series: one number. */
static bool reduce(Parser *parser, Str name, const Value *of, Value *ret)
{
    Series all = of->series;
    char op = str_is(name, "MIN") ? 'm' : str_is(name, "MAX") ? 'M' : '+';
    *ret = (Value){.type = NUMBER, .period = of->period};
    if (of->type == NUMBER) {
        ret->number = of->number;
        return true;
    }
    if (of->type == LIST) {
        /* A time that some series lack counts the others: SUM(METRICS()) of sparse series is their sum. */
        size_t room = 0;
        for (size_t i = 0; i < of->n_list; i++) room += of->list[i].n;
        Series out = new_series(parser->arena, room);
        size_t *at = arena_array(parser->arena, size_t, of->n_list + 1);
        for (;;) {
            double time = INFINITY, value = 0;
            int n = 0;
            for (size_t i = 0; i < of->n_list; i++)
                if (at[i] < of->list[i].n) time = MIN(time, of->list[i].times[at[i]]);
            if (isinf(time)) break;
            for (size_t i = 0; i < of->n_list; i++) {
                if (at[i] == of->list[i].n || of->list[i].times[at[i]] != time) continue;
                double x = of->list[i].values[at[i]++];
                value = n++ ? apply(op, value, x) : x;
            }
            add_point(&out, time, str_is(name, "AVG") ? value / n : value);
        }
        *ret = (Value){.type = SERIES, .series = out, .period = of->period};
        return true;
    }
    double value = NAN, squares = 0, mean = 0;
    for (size_t i = 0; i < all.n; i++) value = i ? apply(op, value, all.values[i]) : all.values[i];
    if (str_is(name, "STDDEV")) {
        mean = value / (double)all.n;
        for (size_t i = 0; i < all.n; i++)
            squares += (all.values[i] - mean) * (all.values[i] - mean);
        value = sqrt(squares / (double)all.n);
    } else if (str_is(name, "AVG")) {
        value /= (double)all.n;
    }
    ret->number = value;
    return true;
}

static bool map_series(Parser *parser, Str name, const Value *of, Value *ret)
{
    *ret = *of;
    if (of->type == NUMBER) {
        double x = of->number;
        ret->number = str_is(name, "ABS")     ? fabs(x)
                      : str_is(name, "CEIL")  ? ceil(x)
                      : str_is(name, "FLOOR") ? floor(x)
                      : str_is(name, "LOG")   ? log(x)
                                              : log10(x);
        return true;
    }
    if (of->type == LIST)
        return error_set(parser->err, ERROR_UNSUPPORTED, "%.*s of a list is not served",
                         STR_ARG(name));
    ret->series = new_series(parser->arena, of->series.n);
    double sum = 0;
    for (size_t i = 0; i < of->series.n; i++) {
        double time = of->series.times[i], x = of->series.values[i], y;
        bool first = i == 0;
        double before = first ? 0 : of->series.values[i - 1],
               seconds = first ? 0 : time - of->series.times[i - 1];
        sum += x;
        if (str_is(name, "RUNNING_SUM"))
            y = sum;
        else if (str_is(name, "DIFF"))
            y = first ? NAN : x - before;
        else if (str_is(name, "DIFF_TIME"))
            y = first ? NAN : seconds;
        else if (str_is(name, "RATE"))
            y = first ? NAN : (x - before) / seconds;
        else if (str_is(name, "ABS"))
            y = fabs(x);
        else if (str_is(name, "CEIL"))
            y = ceil(x);
        else if (str_is(name, "FLOOR"))
            y = floor(x);
        else if (str_is(name, "LOG"))
            y = log(x);
        else
            y = log10(x);
        add_point(&ret->series, time, y);
    }
    return true;
}

/* Points that are missing between the first and the last one. */
static bool fill(Parser *parser, const Value *of, const Value *with, bool repeat, Value *ret)
{
    if (of->type != SERIES || of->period <= 0)
        return error_set(parser->err, ERROR_INVALID, "FILL needs a metric with a period");
    size_t n = of->series.n;
    double step = (double)of->period;
    size_t room = n ? (size_t)((of->series.times[n - 1] - of->series.times[0]) / step) + 2 : 1;
    if (room > METRIC_DATA_MAX)
        return error_set(parser->err, ERROR_LIMIT, "FILL would make too many points");
    *ret = *of;
    ret->series = new_series(parser->arena, room);
    for (size_t i = 0; i < n; i++) {
        for (double t = i ? of->series.times[i - 1] + step : INFINITY;
             t < of->series.times[i] && ret->series.n < room; t += step)
            add_point(&ret->series, t, repeat ? of->series.values[i - 1] : with->number);
        if (ret->series.n < room)
            add_point(&ret->series, of->series.times[i], of->series.values[i]);
    }
    return true;
}

static bool choose(Parser *parser, const Value *args, int n, Value *ret)
{
    if (n < 2) return error_set(parser->err, ERROR_INVALID, "IF needs a condition and a value");
    if (args[0].type == NUMBER) {
        *ret = args[0].number != 0 ? args[1] : n > 2 ? args[2] : (Value){.type = SERIES};
        return true;
    }
    if (args[0].type != SERIES)
        return error_set(parser->err, ERROR_INVALID, "IF needs a series or a number as condition");
    const Series *condition = &args[0].series;
    *ret = (Value){.type = SERIES,
                   .series = new_series(parser->arena, condition->n),
                   .period = args[0].period};
    for (size_t i = 0; i < condition->n; i++) {
        int which = condition->values[i] != 0 ? 1 : 2;
        double value = NAN;
        if (which < n && args[which].type == NUMBER) value = args[which].number;
        if (which < n && args[which].type == SERIES)
            for (size_t k = 0; k < args[which].series.n; k++)
                if (args[which].series.times[k] == condition->times[i])
                    value = args[which].series.values[k];
        add_point(&ret->series, condition->times[i], value);
    }
    return true;
}

static bool metrics_list(Parser *parser, Str with, Value *ret)
{
    *ret = (Value){.type = LIST, .list = arena_array(parser->arena, Series, parser->n_queries + 1)};
    for (size_t i = 0; i < parser->n_queries; i++) {
        if (parser->queries[i].expression.len ||
            (with.len && !str_has(parser->queries[i].id, with)))
            continue;
        ret->list[ret->n_list++] = parser->queries[i].series;
        ret->period = MAX(ret->period, parser->queries[i].period);
    }
    return true;
}

static bool is_one_of(Str name, const char *const *names)
{
    for (; *names; names++)
        if (str_is(name, *names)) return true;
    return false;
}

static bool run_function(Parser *parser, Str name, Value *args, int n, Value *ret)
{
    static const char *const reducers[] = {"SUM", "AVG", "MIN", "MAX", "STDDEV", NULL};
    static const char *const maps[] = {"ABS",         "CEIL", "FLOOR",     "LOG",  "LOG10",
                                       "RUNNING_SUM", "DIFF", "DIFF_TIME", "RATE", NULL};
    if (!n) return error_set(parser->err, ERROR_INVALID, "%.*s needs an argument", STR_ARG(name));
    if (is_one_of(name, reducers)) return reduce(parser, name, &args[0], ret);
    if (is_one_of(name, maps)) return map_series(parser, name, &args[0], ret);
    if (str_is(name, "IF")) return choose(parser, args, n, ret);
    if (str_is(name, "PERIOD")) {
        *ret = (Value){.type = NUMBER, .number = (double)args[0].period};
        return true;
    }
    if (str_is(name, "METRIC_COUNT")) {
        *ret = (Value){.type = NUMBER, .number = args[0].type == LIST ? (double)args[0].n_list : 1};
        return true;
    }
    return error_set(parser->err, ERROR_UNSUPPORTED, "the function %.*s is not served",
                     STR_ARG(name));
}

static bool parse_call(Parser *parser, Str name, Str *rest, Value *ret)
{
    Value args[ARGUMENTS_MAX];
    int n = 0;
    if (str_is(name, "METRICS")) {
        Str with = {0};
        if (take(rest, "\"")) {
            with = str_slice(*rest, 0, str_find(*rest, '"'));
            *rest = str_from(*rest, MIN(rest->len, with.len + 1));
        }
        return take(rest, ")") ? metrics_list(parser, with, ret)
                               : fails(parser, "')' is missing", *rest);
    }
    bool repeat = false;
    while (!take(rest, ")")) {
        if (n == ARGUMENTS_MAX || (n && !take(rest, ",")))
            return fails(parser, "')' is missing", *rest);
        if (str_is(name, "FILL") && n == 1 && take(rest, "REPEAT")) {
            repeat = true;
            args[n++] = (Value){.type = NUMBER};
            continue;
        }
        if (!parse_expression(parser, rest, &args[n++])) return false;
    }
    if (str_is(name, "FILL"))
        return n == 2 ? fill(parser, &args[0], &args[1], repeat, ret)
                      : error_set(parser->err, ERROR_INVALID, "FILL needs two arguments");
    return run_function(parser, name, args, n, ret);
}

/* ---- the grammar ---- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '.';
}

static bool parse_value(Parser *parser, Str *rest, Value *ret)
{
    *rest = str_trim(*rest);
    if (take(rest, "(")) {
        if (++parser->depth > DEPTH_MAX) return fails(parser, "too many parentheses", *rest);
        if (!parse_expression(parser, rest, ret)) return false;
        parser->depth--;
        return take(rest, ")") || fails(parser, "')' is missing", *rest);
    }
    if (take(rest, "-")) {
        Value value, zero = {.type = NUMBER};
        if (++parser->depth > DEPTH_MAX) return fails(parser, "too many signs", *rest);
        bool ok = parse_value(parser, rest, &value) && operate(parser, '-', &zero, &value, ret);
        parser->depth--;
        return ok;
    }
    size_t n = 0;
    while (n < rest->len && is_word(rest->ptr[n])) n++;
    Str word = str_slice(*rest, 0, n);
    if (!n) return fails(parser, "a value is missing", *rest);
    *rest = str_from(*rest, n);
    double number;
    if (str_to_double(word, &number)) {
        *ret = (Value){.type = NUMBER, .number = number};
        return true;
    }
    if (take(rest, "(")) {
        if (++parser->depth > DEPTH_MAX) return fails(parser, "too many parentheses", *rest);
        bool ok = parse_call(parser, word, rest, ret);
        parser->depth--;
        return ok;
    }
    for (size_t i = 0; i < parser->n_queries; i++)
        if (str_eq(parser->queries[i].id, word)) {
            if (!evaluate(parser, i, parser->err)) return false;
            *ret = (Value){.type = SERIES,
                           .series = parser->queries[i].series,
                           .period = parser->queries[i].period};
            return true;
        }
    return error_set(parser->err, ERROR_INVALID, "there is no query with the id '%.*s'",
                     STR_ARG(word));
}

static bool parse_power(Parser *parser, Str *rest, Value *ret)
{
    if (!parse_value(parser, rest, ret)) return false;
    while (take(rest, "^")) {
        Value right;
        if (!parse_value(parser, rest, &right) || !operate(parser, '^', ret, &right, ret))
            return false;
    }
    return true;
}

static bool parse_product(Parser *parser, Str *rest, Value *ret)
{
    if (!parse_power(parser, rest, ret)) return false;
    for (;;) {
        char op = take(rest, "*") ? '*' : take(rest, "/") ? '/' : 0;
        Value right;
        if (!op) return true;
        if (!parse_power(parser, rest, &right) || !operate(parser, op, ret, &right, ret))
            return false;
    }
}

static bool parse_sum(Parser *parser, Str *rest, Value *ret)
{
    if (!parse_product(parser, rest, ret)) return false;
    for (;;) {
        char op = take(rest, "+") ? '+' : take(rest, "-") ? '-' : 0;
        Value right;
        if (!op) return true;
        if (!parse_product(parser, rest, &right) || !operate(parser, op, ret, &right, ret))
            return false;
    }
}

static bool parse_expression(Parser *parser, Str *rest, Value *ret)
{
    if (!parse_sum(parser, rest, ret)) return false;
    for (;;) {
        char op = take(rest, "<=")   ? 'l'
                  : take(rest, ">=") ? 'g'
                  : take(rest, "==") ? '='
                  : take(rest, "!=") ? '!'
                  : take(rest, "<")  ? '<'
                  : take(rest, ">")  ? '>'
                                     : 0;
        Value right;
        if (!op) return true;
        if (!parse_sum(parser, rest, &right) || !operate(parser, op, ret, &right, ret))
            return false;
    }
}

enum { NEW, UNDERWAY, DONE };

static bool evaluate(Parser *outer, size_t i, Error *err)
{
    MathQuery *query = &outer->queries[i];
    Parser parser = {outer->queries, outer->n_queries, outer->arena, err, outer->depth, 0};
    Value value;
    if (!query->expression.len || query->state == DONE) return true;
    if (query->state == UNDERWAY || ++parser.depth > DEPTH_MAX)
        return error_set(err, ERROR_INVALID, "'%.*s' needs itself", STR_ARG(query->id));
    query->state = UNDERWAY;
    Str rest = query->expression;
    if (!parse_expression(&parser, &rest, &value)) return false;
    rest = str_trim(rest);
    if (rest.len) return error_set(err, ERROR_INVALID, "'%.*s' is left over", STR_ARG(rest));
    if (value.type == LIST)
        return error_set(err, ERROR_UNSUPPORTED,
                         "an expression must end in one series; use SUM(METRICS()) and the like");
    if (value.type == NUMBER) { /* at every time of the metrics of the request */
        Value all;
        metrics_list(&parser, (Str){0}, &all);
        Value times;
        if (!reduce(&parser, STR("SUM"), &all, &times)) return false;
        value.series = with_number(outer->arena, '*', &times.series, 0, false);
        for (size_t k = 0; k < value.series.n; k++) value.series.values[k] = value.number;
        value.period = all.period;
    }
    query->series = value.series;
    query->period = value.period;
    query->state = DONE;
    return true;
}

bool metric_math(MathQuery *queries, size_t n, size_t i, Arena *arena, Error *err)
{
    Parser parser = {queries, n, arena, err, 0, 0};
    return evaluate(&parser, i, err);
}
