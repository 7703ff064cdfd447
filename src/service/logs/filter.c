/* Filter patterns of CloudWatch Logs: terms and conditions on JSON messages.
 *
 *     ERROR "out of memory" -retry            all terms, none of the excluded ones
 *     ?ERROR ?WARN                            any of them
 *     { $.level = "error" && ($.code >= 500 || $.user.name = a*) }
 *
 * Conditions become a postfix program (Dijkstra's shunting yard), so nothing calls itself however deep the parentheses.
 * Patterns for lines of blank-separated fields ("[a, b]") and regular expressions ("%..%") are refused.
 *
 * docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html */

#include "service/logs/store.h"

enum { TERMS_MAX = 64, PROGRAM_MAX = 128, PATTERN_BYTES_MAX = 1024 };

typedef enum Compare {
    EQUAL,
    UNEQUAL,
    LESS,
    LESS_EQUAL,
    GREATER,
    GREATER_EQUAL,
    IS_NULL,
    IS_TRUE,
    IS_FALSE,
    NOT_EXISTS
} Compare;

typedef struct Step {
    enum { CONDITION, AND, OR, OPEN } type;
    Str path; /* "$.a.b[0]" without "$." */
    Compare compare;
    Str text;
    double number;
    bool is_number;
} Step;

typedef struct Term {
    char sign; /* 0, '-' or '?' */
    Str text;
} Term;

struct LogFilter {
    bool json;
    Term terms[TERMS_MAX];
    int n_terms;
    Step steps[PROGRAM_MAX];
    int n_steps;
};

/* ---- terms ---- */

static bool parse_terms(Str rest, LogFilter *filter, Error *err)
{
    for (rest = str_trim(rest); rest.len; rest = str_trim(rest)) {
        Term term = {0};
        if (rest.ptr[0] == '-' || rest.ptr[0] == '?') {
            term.sign = rest.ptr[0];
            rest = str_from(rest, 1);
        }
        size_t end;
        if (rest.len && rest.ptr[0] == '"') {
            rest = str_from(rest, 1);
            end = str_find(rest, '"');
            if (end == rest.len) return error_set(err, ERROR_INVALID, "a quote is not closed");
            term.text = str_slice(rest, 0, end);
            rest = str_from(rest, end + 1);
        } else {
            for (end = 0; end < rest.len && rest.ptr[end] != ' ' && rest.ptr[end] != '\t';) end++;
            term.text = str_slice(rest, 0, end);
            rest = str_from(rest, end);
        }
        if (!term.text.len) return error_set(err, ERROR_INVALID, "a term is empty");
        if (filter->n_terms == TERMS_MAX)
            return error_set(err, ERROR_LIMIT, "more than %d terms", TERMS_MAX);
        filter->terms[filter->n_terms++] = term;
    }
    return true;
}

static bool match_terms(const LogFilter *filter, Str message)
{
    bool has_plain = false, has_any = false, any = false;
    for (int i = 0; i < filter->n_terms; i++) {
        const Term *term = &filter->terms[i];
        bool found = str_has(message, term->text);
        if (term->sign == '?') {
            has_any = true;
            any |= found;
            continue;
        }
        has_plain |= term->sign == 0;
        if (found == (term->sign == '-')) return false;
    }
    return has_plain || !has_any || any;
}

/* ---- conditions ---- */

static bool take(Str *rest, const char *word)
{
    *rest = str_trim(*rest);
    if (!str_starts(*rest, str_of(word))) return false;
    *rest = str_from(*rest, strlen(word));
    return true;
}

static Str take_word(Str *rest, const char *stops)
{
    *rest = str_trim(*rest);
    size_t end = 0;
    while (end < rest->len && !strchr(stops, rest->ptr[end])) end++;
    Str word = str_slice(*rest, 0, end);
    *rest = str_from(*rest, end);
    return word;
}

static bool parse_condition(Str *rest, Step *step, Error *err)
{
    static const struct {
        const char *sign;
        Compare compare;
    } signs[] = {{"!=", UNEQUAL}, {"<=", LESS_EQUAL}, {">=", GREATER_EQUAL},
                 {"=", EQUAL},    {"<", LESS},        {">", GREATER}};
    *step = (Step){.type = CONDITION};
    if (!take(rest, "$.")) return error_set(err, ERROR_INVALID, "a condition must begin with '$.'");
    step->path = take_word(rest, " =!<>)&|");
    if (!step->path.len) return error_set(err, ERROR_INVALID, "a condition names no member");
    if (take(rest, "IS NULL")) return step->compare = IS_NULL, true;
    if (take(rest, "IS TRUE")) return step->compare = IS_TRUE, true;
    if (take(rest, "IS FALSE")) return step->compare = IS_FALSE, true;
    if (take(rest, "NOT EXISTS")) return step->compare = NOT_EXISTS, true;
    size_t s = 0;
    while (s < COUNT(signs) && !take(rest, signs[s].sign)) s++;
    if (s == COUNT(signs))
        return error_set(err, ERROR_INVALID, "'$.%.*s' is not compared with anything",
                         STR_ARG(step->path));
    step->compare = signs[s].compare;
    if (take(rest, "\"")) {
        step->text = take_word(rest, "\"");
        if (!take(rest, "\"")) return error_set(err, ERROR_INVALID, "a quote is not closed");
        return true;
    }
    step->text = take_word(rest, " )&|");
    step->is_number = str_to_double(step->text, &step->number);
    return step->text.len > 0 ||
           error_set(err, ERROR_INVALID, "'$.%.*s' is compared with nothing", STR_ARG(step->path));
}

static bool emit(LogFilter *filter, Step step, Error *err)
{
    if (filter->n_steps == PROGRAM_MAX)
        return error_set(err, ERROR_LIMIT, "the pattern has too many conditions");
    filter->steps[filter->n_steps++] = step;
    return true;
}

/* Operators that wait for their right side; AND binds tighter than OR. */
static bool parse_conditions(Str rest, LogFilter *filter, Error *err)
{
    Step waiting[PROGRAM_MAX];
    int n = 0;
    for (bool operand = true;;) {
        Step step = {0};
        if (operand) {
            if (take(&rest, "(")) {
                step.type = OPEN;
            } else {
                if (!parse_condition(&rest, &step, err) || !emit(filter, step, err)) return false;
                operand = false;
                continue;
            }
        } else if (take(&rest, ")")) {
            while (n && waiting[n - 1].type != OPEN)
                if (!emit(filter, waiting[--n], err)) return false;
            if (!n) return error_set(err, ERROR_INVALID, "a parenthesis is not opened");
            n--;
            continue;
        } else if (take(&rest, "&&")) {
            step.type = AND;
            operand = true;
        } else if (take(&rest, "||")) {
            step.type = OR;
            operand = true;
        } else {
            break;
        }
        while (step.type != OPEN && n && waiting[n - 1].type != OPEN &&
               waiting[n - 1].type <= step.type)
            if (!emit(filter, waiting[--n], err)) return false;
        if (n == PROGRAM_MAX)
            return error_set(err, ERROR_LIMIT, "the pattern has too many parentheses");
        waiting[n++] = step;
    }
    rest = str_trim(rest);
    if (rest.len) return error_set(err, ERROR_INVALID, "'%.*s' is left over", STR_ARG(rest));
    while (n)
        if (waiting[--n].type == OPEN)
            return error_set(err, ERROR_INVALID, "a parenthesis is not closed");
        else if (!emit(filter, waiting[n], err))
            return false;
    return true;
}

/* '*' stands for any text. */
static bool text_matches(Str pattern, Str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

/* "a.b[0].c" in a tree. */
static const Json *find_path(const Json *value, Str path)
{
    Str part;
    while (value && str_next(&path, '.', &part)) {
        size_t bracket = str_find(part, '[');
        Str name = str_slice(part, 0, bracket), index = str_from(part, bracket);
        if (name.len) {
            const Json *found = NULL;
            for (size_t i = 0; value->type == JSON_OBJECT && i < value->n; i++)
                if (str_eq(value->members[i].name, name)) found = value->members[i].value;
            value = found;
        }
        while (value && index.len > 2 && index.ptr[0] == '[') {
            size_t close = str_find(index, ']');
            int64_t i;
            if (close == index.len || !str_to_int64(str_slice(index, 1, close), &i) || i < 0)
                return NULL;
            value = json_at(value, (size_t)i);
            index = str_from(index, close + 1);
        }
    }
    return value;
}

static bool holds(const Step *step, const Json *message)
{
    const Json *value = find_path(message, step->path);
    switch (step->compare) {
    case NOT_EXISTS: return !value;
    case IS_NULL: return value && value->type == JSON_NULL;
    case IS_TRUE: return value && value->type == JSON_BOOL && value->boolean;
    case IS_FALSE: return value && value->type == JSON_BOOL && !value->boolean;
    default: break;
    }
    if (!value) return false;
    if (value->type == JSON_STRING) {
        bool equal = text_matches(step->text, value->text);
        return step->compare == EQUAL ? equal : step->compare == UNEQUAL && !equal;
    }
    if (value->type != JSON_NUMBER) return false;
    if (!step->is_number) return step->compare == EQUAL && str_is(step->text, "*");
    double x = value->number, y = step->number;
    switch (step->compare) {
    case EQUAL: return x == y;
    case UNEQUAL: return x != y;
    case LESS: return x < y;
    case LESS_EQUAL: return x <= y;
    case GREATER: return x > y;
    default: return x >= y;
    }
}

static bool match_json(const LogFilter *filter, Str message)
{
    ARENA(arena);
    const Json *value;
    bool stack[PROGRAM_MAX] = {0};
    int n = 0;
    message = str_trim(message);
    if (!message.len || message.ptr[0] != '{' || !json_parse(message, &arena, &value, NULL))
        return false;
    for (int i = 0; i < filter->n_steps; i++) {
        const Step *step = &filter->steps[i];
        if (step->type == CONDITION) {
            stack[n++] = holds(step, value);
        } else {
            n--;
            stack[n - 1] = step->type == AND ? stack[n - 1] && stack[n] : stack[n - 1] || stack[n];
        }
    }
    return stack[0];
}

const LogFilter *log_filter_parse(Str pattern, Arena *arena, Error *err)
{
    LogFilter *filter = arena_new(arena, LogFilter);
    if (pattern.len > PATTERN_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "it is longer than %d bytes", PATTERN_BYTES_MAX), NULL;
    pattern = str_trim(arena_str(arena, pattern));
    if (pattern.len && pattern.ptr[0] == '{') {
        if (pattern.ptr[pattern.len - 1] != '}')
            return error_set(err, ERROR_INVALID, "'{' is not closed"), NULL;
        filter->json = true;
        return parse_conditions(str_slice(pattern, 1, pattern.len - 1), filter, err) ? filter
                                                                                     : NULL;
    }
    if (pattern.len && (pattern.ptr[0] == '[' || pattern.ptr[0] == '%'))
        return error_set(err, ERROR_UNSUPPORTED, "patterns that begin with '%c' are not served",
                         pattern.ptr[0]),
               NULL;
    return parse_terms(pattern, filter, err) ? filter : NULL;
}

bool log_filter_matches(const LogFilter *filter, Str message)
{
    return filter->json ? match_json(filter, message) : match_terms(filter, message);
}
