/* A typed tree against the constraints of its shape, and the sentences AWS has for what fails:
 *
 *     2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not
 *     be null; Value 'a b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular
 *     expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*
 *
 * Elements of lists and maps of texts or numbers are judged as a whole, as AWS does: "Map value must satisfy
 * constraint: [...]". */

#include "aws/protocol.h"

#include "base/random.h"
#include "format/regex.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { VALUE_BYTES_MAX = 512, FINDINGS_MAX = 16 };

typedef struct Path Path;
struct Path {
    const Path *up;
    const char *name; /* NULL: element `index` of a list */
    Str key;          /* of a map, when name and index are unset */
    size_t index;
};

typedef struct Findings {
    const Reading *reading;
    StrBuf text;
    int n;
    bool in_body;       /* of a REST request: the first finding is about its body */
    bool storage_class; /* the first finding is about one, for which S3 has a code */
    bool only_missing;  /* every one of them is a missing member */
    Str first_missing;  /* name of the first */
} Findings;

/* ---- the sentence ---- */

static void add_path(StrBuf *out, const Path *path)
{
    const Path *steps[MESSAGE_DEPTH_MAX + 1];
    int n = 0;
    for (; path && n <= MESSAGE_DEPTH_MAX; path = path->up) steps[n++] = path;
    for (int i = n; i-- > 0;) {
        const Path *step = steps[i];
        if (i + 1 < n) strbuf_add_char(out, '.');
        if (step->name) {
            char first = step->name[0];
            strbuf_add_char(out, (char)(first >= 'A' && first <= 'Z' ? first + 32 : first));
            strbuf_add(out, str_of(step->name + 1));
        } else if (step->key.ptr) {
            strbuf_add(out, str_slice(step->key, 0, MIN(step->key.len, 128u)));
            strbuf_add(out, STR(".member"));
        } else {
            strbuf_addf(out, "%zu.member", step->index + 1);
        }
    }
}

static Str cut(Str text)
{
    if (text.len <= VALUE_BYTES_MAX) return text;
    size_t n = VALUE_BYTES_MAX;
    while (n && ((uint8_t)text.ptr[n] & 0xc0) == 0x80) n--;
    return str_slice(text, 0, n);
}

/* "a", "[a, b]", "{k=v}": what is nested deeper is only hinted at. */
static void add_value(StrBuf *out, const Shape *shape, const Json *value)
{
    AUTO_STRBUF StrBuf text = STRBUF(8 * VALUE_BYTES_MAX);
    switch (value->type) {
    case JSON_STRING:
        if (shape->type == SHAPE_BLOB)
            strbuf_addf(&text, "java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]", value->text.len,
                        value->text.len);
        else
            strbuf_add(&text, cut(value->text));
        break;
    case JSON_NUMBER: strbuf_add(&text, cut(value->text)); break;
    case JSON_BOOL: strbuf_add(&text, str_of(value->boolean ? "true" : "false")); break;
    case JSON_ARRAY:
        strbuf_add_char(&text, '[');
        for (size_t i = 0; i < value->n && text.len < VALUE_BYTES_MAX; i++) {
            const Json *item = value->items[i];
            if (i) strbuf_add(&text, STR(", "));
            strbuf_add(&text, item->type == JSON_STRING || item->type == JSON_NUMBER
                                  ? cut(item->text)
                                  : str_of(item->type == JSON_NULL ? "null" : "..."));
        }
        strbuf_add_char(&text, ']');
        break;
    case JSON_OBJECT:
        strbuf_add_char(&text, '{');
        for (size_t i = 0; i < value->n && text.len < VALUE_BYTES_MAX; i++) {
            const Json *item = value->members[i].value;
            if (i) strbuf_add(&text, STR(", "));
            strbuf_add(&text, cut(value->members[i].name));
            strbuf_add_char(&text, '=');
            strbuf_add(&text, item->type == JSON_STRING || item->type == JSON_NUMBER
                                  ? cut(item->text)
                                  : STR("..."));
        }
        strbuf_add_char(&text, '}');
        break;
    default: break;
    }
    strbuf_add(out, cut(strbuf_str(&text)));
}

static void begin_finding(Findings *findings, const Path *path, const Shape *shape,
                          const Json *value)
{
    StrBuf *out = &findings->text;
    if (findings->n == 0) findings->storage_class = strcmp(shape->name, "StorageClass") == 0;
    if (findings->n++) strbuf_add(out, STR("; "));
    if (!value) {
        strbuf_add(out, STR("Value null at '"));
    } else if (shape->sensitive) {
        strbuf_add(out, STR("Value at '"));
    } else {
        strbuf_add(out, STR("Value '"));
        add_value(out, shape, value);
        strbuf_add(out, STR("' at '"));
    }
    if (value) findings->only_missing = false;
    add_path(out, path);
    strbuf_add(out, STR("' failed to satisfy constraint: "));
}

static void add_bound(StrBuf *out, const Shape *shape, bool upper)
{
    bool number = shape->type == SHAPE_INTEGER || shape->type == SHAPE_LONG ||
                  shape->type == SHAPE_FLOAT || shape->type == SHAPE_DOUBLE;
    strbuf_addf(out, "Member must have %s %s than or equal to %.17g", number ? "value" : "length",
                upper ? "less" : "greater", upper ? shape->max : shape->min);
}

static void add_enum(StrBuf *out, const Shape *shape)
{
    strbuf_add(out, STR("Member must satisfy enum value set: ["));
    for (const char *const *word = shape->enums; *word; word++) {
        if (word != shape->enums) strbuf_add(out, STR(", "));
        strbuf_add(out, str_of(*word));
    }
    strbuf_add_char(out, ']');
}

static void add_pattern(StrBuf *out, const Shape *shape)
{
    strbuf_addf(out, "Member must satisfy regular expression pattern: %s", shape->pattern);
}

/* ---- the constraints ---- */

typedef enum Broken {
    FITS = 0,
    TOO_SMALL = 1,
    TOO_LARGE = 2,
    NOT_IN_ENUM = 4,
    NO_MATCH = 8
} Broken;

static size_t count_characters(Str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) n += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    return n;
}

static double size_of(const Shape *shape, const Json *value)
{
    switch (shape->type) {
    case SHAPE_STRING: return (double)count_characters(value->text);
    case SHAPE_BLOB: return (double)value->text.len;
    case SHAPE_LIST:
    case SHAPE_MAP: return (double)value->n;
    default: return value->number;
    }
}

/* Patterns are compiled when first needed and kept for the life of the process: a table that only grows, filled
 * without locks.  A pattern that our matcher does not understand is not enforced; a test counts them (none). */
enum { PATTERNS_MAX = 2048 };

typedef struct Pattern {
    const char *text;
    Regex *regex; /* NULL: not understood */
} Pattern;

static _Atomic(const Pattern *) patterns[PATTERNS_MAX];

static const Pattern *pattern_of(const char *text)
{
    size_t slot = random_mix((uintptr_t)text) % PATTERNS_MAX;
    Pattern *made = NULL;
    for (size_t i = 0; i < PATTERNS_MAX; i++, slot = (slot + 1) % PATTERNS_MAX) {
        const Pattern *found = atomic_load_explicit(&patterns[slot], memory_order_acquire);
        if (!found) {
            if (!made) {
                made = calloc(1, sizeof *made);
                if (!made) return NULL;
                made->text = text;
                if (!regex_new(str_of(text), REGEX_OURS, &made->regex, NULL)) made->regex = NULL;
            }
            if (atomic_compare_exchange_strong(&patterns[slot], &found, made)) return made;
        }
        if (found->text == text) {
            if (made) regex_free(made->regex);
            free(made);
            return found;
        }
    }
    return made; /* full; cannot happen while api/ has fewer patterns */
}

static bool pattern_fits(const Shape *shape, Str text)
{
    const Pattern *pattern = pattern_of(shape->pattern);
    return !pattern || !pattern->regex || regex_matches(pattern->regex, text);
}

static unsigned broken_constraints(const Shape *shape, const Json *value)
{
    unsigned broken = FITS;
    if (shape->has_min || shape->has_max) {
        double size = size_of(shape, value);
        if (shape->has_min && size < shape->min) broken |= TOO_SMALL;
        if (shape->has_max && size > shape->max) broken |= TOO_LARGE;
    }
    if (shape->type == SHAPE_STRING && shape->enums) {
        const char *const *word = shape->enums;
        while (*word && !str_is(value->text, *word)) word++;
        if (!*word) broken |= NOT_IN_ENUM;
    }
    /* What is too long for its shape is not worth the matcher's time. */
    if (shape->type == SHAPE_STRING && shape->pattern && !(broken & TOO_LARGE) &&
        !pattern_fits(shape, value->text))
        broken |= NO_MATCH;
    return broken;
}

static void add_constraint(StrBuf *out, const Shape *shape, unsigned which)
{
    if (which == TOO_SMALL) add_bound(out, shape, false);
    if (which == TOO_LARGE) add_bound(out, shape, true);
    if (which == NOT_IN_ENUM) add_enum(out, shape);
    if (which == NO_MATCH) add_pattern(out, shape);
}

static void check_own(Findings *findings, const Path *path, const Shape *shape, const Json *value)
{
    unsigned broken = broken_constraints(shape, value);
    for (unsigned bit = TOO_SMALL; bit <= NO_MATCH; bit <<= 1)
        if (broken & bit) {
            begin_finding(findings, path, shape, value);
            add_constraint(&findings->text, shape, bit);
        }
}

/* All constraints of a list's or map's plain elements in one sentence. */
static void check_elements(Findings *findings, const Path *path, const Shape *shape,
                           const Json *whole, const Shape *element, const char *what, bool keys)
{
    bool broken = false;
    for (size_t i = 0; i < whole->n && !broken; i++) {
        Json key = {.type = JSON_STRING};
        const Json *value = &key;
        if (keys)
            key.text = whole->members[i].name;
        else
            value = whole->type == JSON_OBJECT ? whole->members[i].value : whole->items[i];
        broken = value->type == JSON_NULL || broken_constraints(element, value);
    }
    if (!broken) return;
    begin_finding(findings, path, shape, whole);
    StrBuf *out = &findings->text;
    strbuf_addf(out, "%s must satisfy constraint: [", what);
    const char *gap = "";
    const unsigned order[] = {TOO_LARGE, TOO_SMALL, NOT_IN_ENUM, NO_MATCH};
    for (size_t i = 0; i < COUNT(order); i++) {
        bool there = (order[i] == TOO_LARGE && element->has_max) ||
                     (order[i] == TOO_SMALL && element->has_min) ||
                     (order[i] == NOT_IN_ENUM && element->enums) ||
                     (order[i] == NO_MATCH && element->pattern);
        if (!there) continue;
        strbuf_add(out, str_of(gap));
        add_constraint(out, element, order[i]);
        gap = ", ";
    }
    if (!*gap) strbuf_add(out, STR("Member must not be null"));
    strbuf_add_char(out, ']');
}

/* A payload that streams is no part of the tree. */
static bool is_stream(const Findings *findings, const Shape *shape, const Member *member)
{
    const Route *route = findings->reading->route;
    return shape->payload && route && route->operation && route->operation->streams_in &&
           strcmp(shape->payload, member->name) == 0;
}

static bool is_plain(const Shape *shape)
{
    return shape->type != SHAPE_STRUCTURE && shape->type != SHAPE_LIST && shape->type != SHAPE_MAP;
}

static void check_value(Findings *findings, const Path *path, const Shape *shape, const Json *value,
                        int depth)
{
    assert(depth <= MESSAGE_DEPTH_MAX);
    if (findings->n >= FINDINGS_MAX || shape->is_document) return;
    if (shape->type == SHAPE_STRUCTURE) {
        for (int m = 0; m < shape->n_members; m++) {
            const Member *member = &shape->members[m];
            const Json *given = json_get(value, member->name);
            Path step = {.up = path, .name = member->name};
            if (!path && findings->n == 0) findings->in_body = member->location == IN_BODY;
            if (given) {
                check_value(findings, &step, member->shape, given, depth + 1);
            } else if (member->required && !is_stream(findings, shape, member)) {
                begin_finding(findings, &step, member->shape, NULL);
                strbuf_add(&findings->text, STR("Member must not be null"));
                if (!findings->first_missing.ptr) findings->first_missing = str_of(member->name);
            }
        }
        if (shape->is_union && value->n != 1) {
            begin_finding(findings, path, shape, value);
            strbuf_addf(&findings->text, "Exactly one member of %s must be set", shape->name);
        }
        return;
    }
    check_own(findings, path, shape, value);
    if (shape->type == SHAPE_LIST) {
        const Shape *element = shape->members[0].shape;
        if (is_plain(element)) {
            check_elements(findings, path, shape, value, element, "Member", false);
            return;
        }
        for (size_t i = 0; i < value->n; i++) {
            Path step = {.up = path, .index = i};
            if (value->items[i]->type != JSON_NULL) {
                check_value(findings, &step, element, value->items[i], depth + 1);
                continue;
            }
            begin_finding(findings, &step, element, NULL);
            strbuf_add(&findings->text, STR("Member must not be null"));
        }
    } else if (shape->type == SHAPE_MAP) {
        check_elements(findings, path, shape, value, shape->members[0].shape, "Map keys", true);
        const Shape *element = shape->members[1].shape;
        if (is_plain(element)) {
            check_elements(findings, path, shape, value, element, "Map value", false);
            return;
        }
        for (size_t i = 0; i < value->n; i++) {
            Path step = {.up = path, .key = value->members[i].name};
            check_value(findings, &step, element, value->members[i].value, depth + 1);
        }
    }
}

/* ---- the refusal ---- */

static const struct {
    const char *service, *code;
} codes[] = {
    {"cloudtrail", "InvalidParameterCombinationException"},
    {"cloudwatch", "ValidationError"},
    {"iam", "ValidationError"},
    {"logs", "InvalidParameterException"},
    {"s3", "InvalidArgument"},
    {"sagemaker-runtime", "ValidationError"},
    {"sts", "ValidationError"},
};

static const char *validation_code(const Route *route)
{
    for (size_t i = 0; route && route->service && i < COUNT(codes); i++)
        if (strcmp(codes[i].service, route->service->name) == 0) return codes[i].code;
    return "ValidationException";
}

bool validate(Reading *reading, const Shape *shape, const Json *value)
{
    Findings findings = {
        .reading = reading, .text = STRBUF(ERROR_TEXT_MAX - 64), .only_missing = true};
    check_value(&findings, NULL, shape, value, 0);
    if (findings.n == 0) return true;
    reading->code = validation_code(reading->route);
    const char *service = reading->route && reading->route->service ? reading->route->service->name
                                                                    : "";
    if (findings.only_missing && findings.first_missing.ptr && strcmp(service, "cloudwatch") == 0) {
        reading->code = "MissingParameter";
        error_set(reading->err, ERROR_INVALID, "The parameter %.*s is required.",
                  STR_ARG(findings.first_missing));
    } else {
        Str text = strbuf_str(&findings.text);
        bool s3 = strcmp(service, "s3") == 0;
        if (s3 && findings.in_body) reading->code = "MalformedXML";
        if (s3 && findings.storage_class) reading->code = "InvalidStorageClass";
        error_set(reading->err, ERROR_INVALID, "%d validation error%s detected: %.*s", findings.n,
                  findings.n == 1 ? "" : "s", STR_ARG(text));
    }
    strbuf_clear(&findings.text);
    return false;
}
