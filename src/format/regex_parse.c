/* From the text of a regular expression to its tree, by recursive descent of limited depth. */

#include "format/regex_parse.h"

#include "format/regex_unicode.h"
#include "format/utf8.h"

#include <stdlib.h>

enum { REPEAT_MAX = 100000, SETS_MAX = REGEX_OUR_BYTES_MAX, CODE_MAX = 0x10ffff };

typedef struct Parser {
    Str pattern;
    size_t at;
    Arena *scratch, *arena;
    RegexTree *tree;
    const RegexSet **sets;
    int n_sets, depth;
    bool ignore_case, dot_all, lines;
    Error *err;
} Parser;

/* A set that is being put together. */
typedef struct Ranges {
    RegexRange *ranges;
    size_t n, capacity;
} Ranges;

static bool refuse(Parser *p, ErrorKind kind, const char *what)
{
    return error_set(p->err, kind, "position %zu of the pattern: %s", p->at + 1, what);
}

static bool ended(const Parser *p)
{
    return p->at >= p->pattern.len;
}

static char peek(const Parser *p)
{
    return ended(p) ? '\0' : p->pattern.ptr[p->at];
}

static bool take(Parser *p, const char *text)
{
    if (!str_starts(str_from(p->pattern, p->at), str_of(text))) return false;
    p->at += strlen(text);
    return true;
}

static RegexNode *new_node(Parser *p, RegexNodeType type, int number)
{
    RegexNode *node = arena_new(p->scratch, RegexNode);
    node->type = type;
    node->number = number;
    return node;
}

/* ---- sets ---- */

static void add_range(Parser *p, Ranges *set, uint32_t first, uint32_t last)
{
    if (set->n == set->capacity) {
        size_t more = set->capacity ? 2 * set->capacity : 8;
        set->ranges = arena_grow(p->scratch, set->ranges, set->n, more, sizeof *set->ranges);
        set->capacity = more;
    }
    set->ranges[set->n++] = (RegexRange){first, last};
}

static int compare_ranges(const void *a, const void *b)
{
    const RegexRange *r = a, *s = b;
    return r->first < s->first ? -1 : r->first > s->first;
}

static void join_ranges(Ranges *set)
{
    if (set->n == 0) return;
    qsort(set->ranges, set->n, sizeof *set->ranges, compare_ranges);
    size_t n = 1;
    for (size_t i = 1; i < set->n; i++) {
        RegexRange *last = &set->ranges[n - 1];
        if (set->ranges[i].first <= last->last + 1)
            last->last = MAX(last->last, set->ranges[i].last);
        else
            set->ranges[n++] = set->ranges[i];
    }
    set->n = n;
}

/* What is not in `set`. */
static void invert(Parser *p, Ranges *set)
{
    Ranges other = {0};
    uint32_t from = 0;
    join_ranges(set);
    for (size_t i = 0; i < set->n; i++) {
        if (set->ranges[i].first > from) add_range(p, &other, from, set->ranges[i].first - 1);
        from = set->ranges[i].last + 1;
    }
    if (from <= CODE_MAX) add_range(p, &other, from, CODE_MAX);
    *set = other;
}

static void add_all(Parser *p, Ranges *to, const Ranges *from)
{
    for (size_t i = 0; i < from->n; i++)
        add_range(p, to, from->ranges[i].first, from->ranges[i].last);
}

static void add_other_case(Parser *p, Ranges *set)
{
    size_t n = set->n;
    for (size_t i = 0; i < n; i++) {
        uint32_t first = set->ranges[i].first, last = set->ranges[i].last;
        if (first <= 'z' && last >= 'a')
            add_range(p, set, MAX(first, (uint32_t)'a') - 32, MIN(last, (uint32_t)'z') - 32);
        if (first <= 'Z' && last >= 'A')
            add_range(p, set, MAX(first, (uint32_t)'A') + 32, MIN(last, (uint32_t)'Z') + 32);
    }
}

static RegexNode *new_set(Parser *p, Ranges *set)
{
    if (p->ignore_case) add_other_case(p, set);
    join_ranges(set);
    RegexSet *made = arena_new(p->arena, RegexSet);
    RegexRange *high = arena_array(p->arena, RegexRange, set->n);
    for (size_t i = 0; i < set->n; i++) {
        RegexRange range = set->ranges[i];
        for (uint32_t code = range.first; code < 128 && code <= range.last; code++)
            made->ascii[code / 64] |= (uint64_t)1 << (code % 64);
        if (range.last >= 128) high[made->n++] = (RegexRange){MAX(range.first, 128u), range.last};
    }
    made->ranges = high;
    p->sets[p->n_sets] = made; /* never more than bytes in the pattern */
    return new_node(p, REGEX_SET, p->n_sets++);
}

static const struct {
    const char *name;
    const RegexRange ranges[5];
} classes[] = {
    {"d", {{'0', '9'}}},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"s", {{'\t', '\r'}, {' ', ' '}}},
    {"ASCII", {{0, 127}}},
    {"Alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"Alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"Blank", {{'\t', '\t'}, {' ', ' '}}},
    {"Cntrl", {{0, 31}, {127, 127}}},
    {"Digit", {{'0', '9'}}},
    {"Graph", {{'!', '~'}}},
    {"Lower", {{'a', 'z'}}},
    {"Print", {{' ', '~'}}},
    {"Punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"Space", {{'\t', '\r'}, {' ', ' '}}},
    {"Upper", {{'A', 'Z'}}},
    {"XDigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

/* A named class, or false. */
static bool add_class(Parser *p, Ranges *set, Str name, bool inverted)
{
    Ranges found = {0};
    bool known = false;
    for (size_t i = 0; i < COUNT(classes) && !known; i++) {
        if (!str_is(name, classes[i].name)) continue;
        known = true;
        for (size_t k = 0; k < COUNT(classes[i].ranges); k++)
            if (classes[i].ranges[k].last || k == 0)
                add_range(p, &found, classes[i].ranges[k].first, classes[i].ranges[k].last);
    }
    if (!known && str_starts(name, STR("Is"))) name = str_from(name, 2);
    if (!known && (name.len == 1 || name.len == 2))
        for (size_t i = 0; i < n_unicode_ranges; i++)
            if (memcmp(unicode_ranges[i].category, name.ptr, name.len) == 0) {
                add_range(p, &found, unicode_ranges[i].first, unicode_ranges[i].last);
                known = true;
            }
    if (!known) return false;
    if (inverted) invert(p, &found);
    add_all(p, set, &found);
    return true;
}

/* ---- characters and escapes ---- */

static bool read_char(Parser *p, uint32_t *ret_code)
{
    const unsigned char *at = (const unsigned char *)p->pattern.ptr + p->at;
    size_t n = utf8_sequence(at, (const unsigned char *)p->pattern.ptr + p->pattern.len);
    if (n == 0) return refuse(p, ERROR_INVALID, "not UTF-8");
    uint32_t code = n == 1 ? at[0] : at[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) code = code << 6 | (at[i] & 63u);
    p->at += n;
    *ret_code = code;
    return true;
}

static bool read_hex(Parser *p, int n, uint32_t *ret_code)
{
    uint32_t code = 0;
    for (int i = 0; i < n; i++) {
        char c = peek(p);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return refuse(p, ERROR_INVALID, "a hexadecimal digit is missing");
        code = code << 4 | (uint32_t)digit;
        p->at++;
    }
    *ret_code = code;
    return true;
}

/* \uXXXX, two of them where they are a surrogate pair. */
static bool read_unicode(Parser *p, uint32_t *ret_code)
{
    uint32_t low;
    if (!read_hex(p, 4, ret_code)) return false;
    if (*ret_code < 0xd800 || *ret_code > 0xdbff) return true;
    size_t before = p->at;
    if (take(p, "\\u") && read_hex(p, 4, &low) && low >= 0xdc00 && low <= 0xdfff)
        *ret_code = 0x10000 + ((*ret_code - 0xd800) << 10) + (low - 0xdc00);
    else
        p->at = before;
    return true;
}

/* Behind a backslash: a character in *ret_code, or a class that is added to `set` (*ret_class). */
static bool read_escape(Parser *p, Ranges *set, bool *ret_class, uint32_t *ret_code)
{
    *ret_class = false;
    char c = peek(p);
    if (ended(p)) return refuse(p, ERROR_INVALID, "nothing follows the backslash");
    if ((uint8_t)c >= 0x80) return read_char(p, ret_code);
    p->at++;
    switch (c) {
    case 't': *ret_code = '\t'; return true;
    case 'n': *ret_code = '\n'; return true;
    case 'r': *ret_code = '\r'; return true;
    case 'f': *ret_code = '\f'; return true;
    case 'v': *ret_code = '\v'; return true;
    case 'a': *ret_code = 7; return true;
    case 'e': *ret_code = 27; return true;
    case '0': *ret_code = 0; return true;
    case 'x': return read_hex(p, 2, ret_code);
    case 'u': return read_unicode(p, ret_code);
    case 'd':
    case 'w':
    case 's':
    case 'D':
    case 'W':
    case 'S': {
        char name = (char)(c | 32);
        *ret_class = true;
        return add_class(p, set, (Str){&name, 1}, c != name);
    }
    case 'p':
    case 'P': {
        *ret_class = true;
        Str name;
        if (peek(p) == '{') {
            Str rest = str_from(p->pattern, p->at + 1);
            size_t end = str_find(rest, '}');
            if (end == rest.len) return refuse(p, ERROR_INVALID, "'}' is missing");
            name = str_slice(rest, 0, end);
            p->at += end + 2;
        } else {
            if (ended(p)) return refuse(p, ERROR_INVALID, "the name of a class is missing");
            name = str_slice(p->pattern, p->at, p->at + 1);
            p->at++;
        }
        return add_class(p, set, name, c == 'P') ||
               refuse(p, ERROR_UNSUPPORTED, "an unknown class of characters");
    }
    default: break;
    }
    if (c >= '1' && c <= '9')
        return refuse(p, ERROR_UNSUPPORTED, "back-references are not supported");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return refuse(p, ERROR_UNSUPPORTED, "an unknown escape");
    *ret_code = (uint8_t)c;
    return true;
}

/* Behind '['. */
static bool parse_class(Parser *p, RegexNode **ret_node)
{
    Ranges set = {0};
    bool inverted = take(p, "^");
    for (bool first = true; first || peek(p) != ']'; first = false) {
        if (ended(p)) return refuse(p, ERROR_INVALID, "']' is missing");
        uint32_t low, high;
        bool class = false;
        if (take(p, "\\")) {
            if (!read_escape(p, &set, &class, &low)) return false;
        } else if (!read_char(p, &low)) {
            return false;
        }
        if (class) continue;
        high = low;
        bool range = peek(p) == '-' && p->at + 1 < p->pattern.len &&
                     p->pattern.ptr[p->at + 1] != ']';
        if (range) {
            size_t dash = p->at++;
            if (take(p, "\\")) {
                if (!read_escape(p, &set, &class, &high)) return false;
            } else if (!read_char(p, &high)) {
                return false;
            }
            if (class) { /* "[a-\d]": the '-' stands for itself */
                add_range(p, &set, '-', '-');
                high = low;
            } else if (high < low) {
                p->at = dash;
                return refuse(p, ERROR_INVALID, "a range ends before it begins");
            }
        }
        add_range(p, &set, low, high);
    }
    p->at++;
    if (p->ignore_case) add_other_case(p, &set);
    if (inverted) invert(p, &set);
    bool ignore_case = p->ignore_case;
    p->ignore_case = false; /* has been seen to, before the inversion */
    *ret_node = new_set(p, &set);
    p->ignore_case = ignore_case;
    return true;
}

/* ---- groups ---- */

static bool parse_alternatives(Parser *p, RegexNode **ret_node);

static bool close_group(Parser *p)
{
    return take(p, ")") || refuse(p, ERROR_INVALID, "')' is missing");
}

static bool parse_look(Parser *p, bool ahead, bool negated, RegexNode **ret_node)
{
    RegexNode *inner;
    if (!parse_alternatives(p, &inner) || !close_group(p)) return false;
    RegexTree *tree = p->tree;
    if (tree->n_looks == REGEX_LOOKS_MAX) return refuse(p, ERROR_LIMIT, "too many look-arounds");
    int number = tree->n_looks++;
    tree->looks[number].tree = inner;
    tree->looks[number].ahead = ahead;
    tree->looks[number].negated = negated;
    *ret_node = new_node(p, REGEX_LOOK, number);
    return true;
}

/* "(?i)", "(?s-i:...)": switches flags for the rest of the group, or for what is inside. */
static bool parse_flags(Parser *p, RegexNode **ret_node)
{
    bool on = true, ignore_case = p->ignore_case, dot_all = p->dot_all, lines = p->lines;
    for (;; p->at++) {
        char c = peek(p);
        if (c == 'i')
            p->ignore_case = on;
        else if (c == 's')
            p->dot_all = on;
        else if (c == 'm')
            p->lines = on;
        else if (c == '-' && on)
            on = false;
        else if (c != 'u' && c != 'a')
            break;
    }
    if (take(p, ")")) {
        *ret_node = new_node(p, REGEX_EMPTY, 0);
        return true;
    }
    if (!take(p, ":")) return refuse(p, ERROR_UNSUPPORTED, "an unknown kind of group");
    if (!parse_alternatives(p, ret_node) || !close_group(p)) return false;
    p->ignore_case = ignore_case;
    p->dot_all = dot_all;
    p->lines = lines;
    return true;
}

static bool skip_name(Parser *p)
{
    Str rest = str_from(p->pattern, p->at);
    size_t end = str_find(rest, '>');
    if (end == rest.len || end == 0)
        return refuse(p, ERROR_INVALID, "the name of a group does not end");
    p->at += end + 1;
    return true;
}

/* Behind '('. */
static bool parse_group(Parser *p, RegexNode **ret_node)
{
    bool ignore_case = p->ignore_case, dot_all = p->dot_all, lines = p->lines, captures = true;
    if (take(p, "?=")) return parse_look(p, true, false, ret_node);
    if (take(p, "?!")) return parse_look(p, true, true, ret_node);
    if (take(p, "?<=")) return parse_look(p, false, false, ret_node);
    if (take(p, "?<!")) return parse_look(p, false, true, ret_node);
    if (take(p, "?:")) {
        captures = false;
    } else if (take(p, "?P<") || take(p, "?<")) {
        if (!skip_name(p)) return false;
    } else if (take(p, "?")) {
        return parse_flags(p, ret_node);
    }
    int number = captures ? p->tree->n_groups++ : 0;
    RegexNode *inner;
    if (!parse_alternatives(p, &inner) || !close_group(p)) return false;
    p->ignore_case = ignore_case;
    p->dot_all = dot_all;
    p->lines = lines;
    *ret_node = inner;
    if (captures) {
        *ret_node = new_node(p, REGEX_GROUP, number);
        (*ret_node)->first = inner;
    }
    return true;
}

/* ---- atoms, repetition, lists ---- */

static bool parse_atom(Parser *p, RegexNode **ret_node)
{
    Ranges set = {0};
    uint32_t code;
    bool class;
    switch (peek(p)) {
    case '(': p->at++; return parse_group(p, ret_node);
    case '[': p->at++; return parse_class(p, ret_node);
    case '^':
        p->at++;
        *ret_node = new_node(p, REGEX_ASSERT, p->lines ? REGEX_LINE_BEGIN : REGEX_BEGIN);
        return true;
    case '$':
        p->at++;
        *ret_node = new_node(p, REGEX_ASSERT, p->lines ? REGEX_LINE_END : REGEX_END_LINE);
        return true;
    case '.':
        p->at++;
        if (!p->dot_all) add_range(p, &set, '\n', '\n');
        invert(p, &set);
        *ret_node = new_set(p, &set);
        return true;
    case '*':
    case '+':
    case '?': return refuse(p, ERROR_INVALID, "nothing to repeat");
    case '\\': {
        static const struct {
            char text[3];
            RegexAssertion assertion;
        } assertions[] = {{"\\A", REGEX_BEGIN},
                          {"\\z", REGEX_END},
                          {"\\Z", REGEX_END_LINE},
                          {"\\b", REGEX_WORD_EDGE},
                          {"\\B", REGEX_NO_WORD_EDGE}};
        for (size_t i = 0; i < COUNT(assertions); i++)
            if (take(p, assertions[i].text)) {
                *ret_node = new_node(p, REGEX_ASSERT, (int)assertions[i].assertion);
                return true;
            }
        p->at++;
        if (!read_escape(p, &set, &class, &code)) return false;
        break;
    }
    default:
        class = false;
        if (!read_char(p, &code)) return false;
    }
    if (!class) add_range(p, &set, code, code);
    *ret_node = new_set(p, &set);
    return true;
}

static bool read_count(Parser *p, int *ret_count)
{
    int count = 0;
    bool any = false;
    for (; peek(p) >= '0' && peek(p) <= '9'; p->at++, any = true)
        if (count <= REPEAT_MAX) count = count * 10 + (peek(p) - '0');
    if (any) *ret_count = count;
    return any;
}

/* "{2}", "{2,}", "{2,5}", "{,5}"; anything else is a brace that stands for itself. */
static bool take_counts(Parser *p, int *ret_min, int *ret_max)
{
    size_t before = p->at;
    if (!take(p, "{")) return false;
    *ret_min = 0;
    bool has_min = read_count(p, ret_min);
    *ret_max = *ret_min;
    if (take(p, ",")) {
        *ret_max = -1;
        if (!read_count(p, ret_max) && !has_min)
            has_min = false;
        else
            has_min = true;
    }
    if (has_min && take(p, "}")) return true;
    p->at = before;
    return false;
}

static bool parse_repeat(Parser *p, RegexNode **node)
{
    int min, max;
    for (bool again = false;; again = true) {
        if (take(p, "*"))
            min = 0, max = -1;
        else if (take(p, "+"))
            min = 1, max = -1;
        else if (take(p, "?"))
            min = 0, max = 1;
        else if (!take_counts(p, &min, &max))
            return true;
        if (again)
            return refuse(p, ERROR_UNSUPPORTED,
                          "a repetition of a repetition (possessive ones are not supported)");
        if (max >= 0 && max < min) return refuse(p, ERROR_INVALID, "the larger count comes first");
        RegexNode *repeat = new_node(p, REGEX_REPEAT, 0);
        repeat->first = *node;
        repeat->min = min;
        repeat->max = max;
        repeat->lazy = take(p, "?");
        *node = repeat;
    }
}

static bool parse_list(Parser *p, RegexNode **ret_node)
{
    RegexNode *list = new_node(p, REGEX_LIST, 0), **end = &list->first;
    while (!ended(p) && peek(p) != '|' && peek(p) != ')') {
        RegexNode *node;
        if (take(p, "(?#")) {
            Str rest = str_from(p->pattern, p->at);
            p->at += str_find(rest, ')');
            if (!close_group(p)) return false;
            continue;
        }
        if (!parse_atom(p, &node) || !parse_repeat(p, &node)) return false;
        *end = node;
        end = &node->next;
    }
    *ret_node = list;
    return true;
}

static bool parse_alternatives(Parser *p, RegexNode **ret_node)
{
    if (++p->depth > REGEX_DEPTH_MAX) return refuse(p, ERROR_LIMIT, "groups are nested too deeply");
    RegexNode *node;
    if (!parse_list(p, &node)) return false;
    if (peek(p) == '|' && !ended(p)) {
        RegexNode *all = new_node(p, REGEX_ALTERNATIVES, 0);
        all->first = node;
        for (RegexNode *last = node; take(p, "|"); last = last->next)
            if (!parse_list(p, &last->next)) return false;
        node = all;
    }
    p->depth--;
    *ret_node = node;
    return true;
}

bool regex_parse(Str pattern, int flags, Arena *scratch, Arena *arena, RegexTree *ret_tree,
                 Error *err)
{
    size_t most = flags & REGEX_OURS ? REGEX_OUR_BYTES_MAX : REGEX_BYTES_MAX;
    if (pattern.len > most)
        return error_set(err, ERROR_LIMIT, "the pattern has %zu bytes; at most %zu are allowed",
                         pattern.len, most);
    RegexTree tree = {.n_groups = 1};
    Parser parser = {.pattern = pattern,
                     .scratch = scratch,
                     .arena = arena,
                     .tree = &tree,
                     .ignore_case = flags & REGEX_IGNORE_CASE,
                     .err = err};
    parser.sets = arena_array(arena, const RegexSet *, pattern.len + 1);
    RegexNode *top;
    if (!parse_alternatives(&parser, &top)) return false;
    if (!ended(&parser)) return refuse(&parser, ERROR_INVALID, "')' without its '('");
    tree.top = top;
    tree.sets = parser.sets;
    *ret_tree = tree;
    return true;
}
