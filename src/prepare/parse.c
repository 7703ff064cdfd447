/* The text of a recipe to steps.
 *
 *     line    = STEP [COLUMNS] {WORD VALUE}
 *     COLUMNS = NAME {"," NAME} | "*" ["except" NAME {"," NAME}]
 *     VALUE   = TEXT {"," TEXT}
 *
 * Names and texts with blanks, commas or '#' in them, or equal to a word of the step, stand in quotes, single or
 * double; a doubled quote is one.  Comparisons (=, !=, <, <=, >, >=) are words and need no blanks. */

#include "prepare/parse.h"

#include "format/utf8.h"

typedef struct Token {
    Str text;
    bool quoted;
} Token;

typedef struct Line {
    Token *tokens;
    int n, at;
    Arena *arena;
} Line;

static bool is_compare(char c)
{
    return c == '<' || c == '>' || c == '=' || c == '!';
}

static bool quoted_token(Str line, size_t *at, Arena *arena, Token *ret, Error *err)
{
    char quote = line.ptr[(*at)++], *text = arena_alloc(arena, line.len + 1);
    size_t n = 0;
    for (; *at < line.len; (*at)++) {
        if (line.ptr[*at] == quote) {
            if (*at + 1 == line.len || line.ptr[*at + 1] != quote) break;
            (*at)++;
        }
        text[n++] = line.ptr[*at];
    }
    if (*at == line.len) return error_set(err, ERROR_INVALID, "a quote %c is not closed", quote);
    (*at)++;
    *ret = (Token){{text, n}, true};
    return true;
}

static bool tokens_of(Str line, Arena *arena, Line *ret, Error *err)
{
    Line out = {.arena = arena, .tokens = arena_array(arena, Token, line.len + 1)};
    for (size_t at = 0; at < line.len;) {
        char c = line.ptr[at];
        if (c == '#') break;
        if (c == ' ' || c == '\t' || c == '\r') {
            at++;
            continue;
        }
        if (out.n == RECIPE_LINE_WORDS_MAX)
            return error_set(err, ERROR_LIMIT, "more than %d words in a line",
                             RECIPE_LINE_WORDS_MAX);
        Token *token = &out.tokens[out.n++];
        if (c == '\'' || c == '"') {
            if (!quoted_token(line, &at, arena, token, err)) return false;
            continue;
        }
        size_t begin = at++;
        if (is_compare(c))
            while (at < line.len && is_compare(line.ptr[at])) at++;
        else if (c != ',')
            while (at < line.len && !memchr(" \t\r,#", line.ptr[at], 5) &&
                   !is_compare(line.ptr[at]))
                at++;
        token->text = arena_str(arena, str_slice(line, begin, at));
    }
    *ret = out;
    return true;
}

/* "Min_Max" and "min-max" are the same name. */
static bool same_name(Str a, const char *b)
{
    if (a.len != strlen(b)) return false;
    for (size_t i = 0; i < a.len; i++) {
        char x = a.ptr[i] == '_' ? '-' : a.ptr[i], y = b[i] == '_' ? '-' : b[i];
        if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
        if (x != y) return false;
    }
    return true;
}

/* ---- finding the step ---- */

static Str lower(Str s, Arena *arena)
{
    char *text = arena_cstr(arena, s);
    for (size_t i = 0; i < s.len; i++)
        if (text[i] == '_')
            text[i] = '-';
        else if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + 32);
    return (Str){text, s.len};
}

/* What is known elsewhere but not built. */
static const char *const not_built[] = {
    "iterative",           "smote", "group-by", "pivot", "unpivot", "join", "union", "merge",
    "categorical-mapping", NULL,
};

static bool find_step(Str name, Arena *arena, const StepKind **ret_kind, const char **ret_words,
                      Error *err)
{
    Str names[256];
    size_t n = 0;
    for (const StepKind *const *each = step_kinds; *each; each++) {
        *ret_kind = *each;
        *ret_words = "";
        if (same_name(name, (*each)->name)) return true;
        if (n < COUNT(names)) names[n++] = str_of((*each)->name);
        for (const StepAlias *alias = (*each)->aliases;
             alias < (*each)->aliases + STEP_ALIASES_MAX && alias->name; alias++) {
            *ret_words = alias->words;
            if (same_name(name, alias->name)) return true;
            if (n < COUNT(names)) names[n++] = lower(str_of(alias->name), arena);
        }
    }
    for (const char *const *each = not_built; *each; each++)
        if (same_name(name, *each))
            return error_set(err, ERROR_UNSUPPORTED, "step '%.*s' is not built yet", STR_ARG(name));
    int nearest = str_nearest(lower(name, arena), names, n);
    error_set(err, ERROR_INVALID, "unknown step '%.*s'", STR_ARG(name));
    if (nearest >= 0) error_more(err, " (did you mean '%.*s'?)", STR_ARG(names[nearest]));
    return error_more(err, "; 'clary prepare --steps' lists all");
}

static const StepWord *find_word(const StepKind *kind, Token token)
{
    for (const StepWord *word = kind->words; !token.quoted && word->name; word++)
        if (same_name(token.text, word->name) ||
            (word->alias && same_name(token.text, word->alias)))
            return word;
    return NULL;
}

static void say_words(const StepKind *kind, Error *err)
{
    bool first = true;
    for (const StepWord *word = kind->words; word->name; word++, first = false)
        error_more(err, "%s'%s'", first ? "; it takes " : ", ", word->name);
    if (first) error_more(err, "; it takes no words after its columns");
    error_more(err, ", as in: %s", kind->example);
}

/* ---- columns and values ---- */

static bool is_comma(const Line *line)
{
    return line->at < line->n && !line->tokens[line->at].quoted &&
           str_is(line->tokens[line->at].text, ",");
}

/* NAME {"," NAME} */
static bool list(Line *line, const char *what, Str **ret_texts, int32_t *ret_n, Error *err)
{
    Str *texts = arena_array(line->arena, Str, line->n - line->at);
    int32_t n = 0;
    do {
        if (line->at == line->n || is_comma(line))
            return error_set(err, ERROR_INVALID, "%s is missing %s", what,
                             line->at == line->n ? "at the end" : "before a comma");
        texts[n++] = line->tokens[line->at++].text;
    } while (is_comma(line) && ++line->at);
    *ret_texts = texts;
    *ret_n = n;
    return true;
}

static bool take_columns(Line *line, Step *step, Error *err)
{
    const StepKind *kind = step->kind;
    bool none = line->at == line->n || find_word(kind, line->tokens[line->at]);
    if (!none && same_name(line->tokens[line->at].text, "sourceColumn")) line->at++;
    if (!none && line->at < line->n && same_name(line->tokens[line->at].text, "sourceColumns"))
        line->at++;
    if (kind->no_columns) return true;
    if (none && kind->whole_table) {
        step->all = true;
        return true;
    }
    if (none)
        return error_set(err, ERROR_INVALID, "step '%s' needs columns%s, as in: %s", kind->name,
                         kind->one_column ? "" : " (or * for all that it can take)", kind->example);
    if (line->at < line->n && str_is(line->tokens[line->at].text, "*") &&
        !line->tokens[line->at].quoted) {
        line->at++;
        step->all = true;
        if (line->at < line->n && !line->tokens[line->at].quoted &&
            str_is(line->tokens[line->at].text, "except")) {
            line->at++;
            if (!list(line, "a column", &step->except, &step->n_except, err)) return false;
        }
    } else if (!list(line, "a column", &step->columns, &step->n_columns, err)) {
        return false;
    }
    if (kind->one_column && (step->all || step->n_columns != 1))
        return error_set(err, ERROR_INVALID, "step '%s' takes one column, as in: %s", kind->name,
                         kind->example);
    return true;
}

static bool set_choice(const StepWord *word, Str text, StepValue *value, Error *err)
{
    Str names[64];
    int n = 0;
    for (; word->choices[n] && n < (int)COUNT(names); n++) {
        names[n] = str_of(word->choices[n]);
        if (same_name(text, word->choices[n])) {
            value->choice = n;
            return true;
        }
    }
    int nearest = str_nearest(text, names, (size_t)n);
    error_set(err, ERROR_INVALID, "'%s' is '%.*s'", word->name, STR_ARG(text));
    if (nearest >= 0) error_more(err, " (did you mean '%s'?)", word->choices[nearest]);
    error_more(err, ", but must be one of ");
    for (int k = 0; k < n; k++) error_more(err, "%s%s", k ? ", " : "", word->choices[k]);
    return false;
}

static bool set_value(const StepWord *word, Str *texts, int32_t n, StepValue *value, Error *err)
{
    *value = (StepValue){.given = true, .text = texts[0], .texts = texts, .n_texts = n};
    if (n > 1 && word->kind != WORD_TEXTS)
        return error_set(err, ERROR_INVALID, "'%s' takes one value, not %d", word->name, n);
    switch (word->kind) {
    case WORD_CHOICE: return set_choice(word, texts[0], value, err);
    case WORD_NUMBER:
        if (!str_to_double(texts[0], &value->number) || value->number - value->number != 0)
            return error_set(err, ERROR_INVALID, "'%s' is '%.*s', which is no number", word->name,
                             STR_ARG(texts[0]));
        if (word->max > word->min && (value->number < word->min || value->number > word->max))
            return error_set(err, ERROR_INVALID, "'%s' is %.*s, outside of %g to %g", word->name,
                             STR_ARG(texts[0]), word->min, word->max);
        return true;
    default: return true;
    }
}

static bool take_words(Line *line, Step *step, Error *err)
{
    const StepKind *kind = step->kind;
    while (line->at < line->n) {
        Token token = line->tokens[line->at];
        const StepWord *word = find_word(kind, token);
        if (!word) {
            Str names[STEP_WORDS_MAX];
            size_t n = 0;
            for (; kind->words[n].name; n++) names[n] = str_of(kind->words[n].name);
            int nearest = str_nearest(token.text, names, n);
            error_set(err, ERROR_INVALID, "step '%s' has no word '%.*s'", kind->name,
                      STR_ARG(token.text));
            if (nearest >= 0) error_more(err, " (did you mean '%.*s'?)", STR_ARG(names[nearest]));
            say_words(kind, err);
            return false;
        }
        StepValue *value = &step->values[word - kind->words];
        if (value->given) return error_set(err, ERROR_INVALID, "'%s' is given twice", word->name);
        line->at++;
        Str *texts;
        int32_t n;
        if (!list(line, "a value", &texts, &n, err))
            return error_in(err, "step '%s': after '%s'", kind->name, word->name);
        if (!set_value(word, texts, n, value, err)) return error_in(err, "step '%s'", kind->name);
    }
    return true;
}

/* Values of the alias and presets, where the line gave none. */
static bool add_defaults(Step *step, const char *words, Arena *arena, Error *err)
{
    const StepKind *kind = step->kind;
    Line line;
    if (!tokens_of(str_of(words), arena, &line, err)) return false;
    for (int i = 0; i + 1 < line.n; i += 2) {
        const StepWord *word = find_word(kind, line.tokens[i]);
        assert(word);
        if (!step->values[word - kind->words].given &&
            !set_value(word, &line.tokens[i + 1].text, 1, &step->values[word - kind->words], err))
            return false;
    }
    for (int k = 0; kind->words[k].name; k++) {
        const StepWord *word = &kind->words[k];
        if (step->values[k].given) continue;
        if (word->preset) {
            Str *text = arena_new(arena, Str);
            *text = str_of(word->preset);
            if (!set_value(word, text, 1, &step->values[k], err)) return false;
        } else if (!word->optional) {
            return error_set(err, ERROR_INVALID, "step '%s' needs '%s' (%s), as in: %s", kind->name,
                             word->name, word->help, kind->example);
        }
    }
    return true;
}

bool step_parse(Str text, Arena *arena, Step *ret_step, bool *ret_empty, Error *err)
{
    Line line;
    *ret_empty = false;
    if (utf8_check(text) != text.len)
        return error_set(err, ERROR_INVALID, "byte %zu is not UTF-8", utf8_check(text) + 1);
    if (memchr(text.ptr, 0, text.len)) return error_set(err, ERROR_INVALID, "it holds a zero byte");
    if (!tokens_of(text, arena, &line, err)) return false;
    if (!line.n) {
        *ret_empty = true;
        return true;
    }
    const char *words = NULL;
    Step step = {.arena = arena, .text = arena_str(arena, str_trim(text))};
    if (!find_step(line.tokens[0].text, arena, &step.kind, &words, err)) return false;
    line.at = 1;
    if (!take_columns(&line, &step, err) || !take_words(&line, &step, err) ||
        !add_defaults(&step, words, arena, err) ||
        (step.kind->check && !step.kind->check(&step, err)))
        return false;
    *ret_step = step;
    return true;
}

bool recipe_parse(Recipe *recipe, const char *name, Str text, Error *err)
{
    Str line;
    for (int number = 1; str_next_line(&text, &line); number++) {
        Step step;
        bool empty;
        if (!step_parse(line, &recipe->arena, &step, &empty, err))
            return error_in(err, "%s line %d", name, number);
        if (empty) continue;
        if (recipe->n_steps == RECIPE_STEPS_MAX)
            return error_set(err, ERROR_LIMIT, "%s line %d: more than %d steps", name, number,
                             RECIPE_STEPS_MAX);
        recipe_push(recipe, &step);
    }
    return true;
}
