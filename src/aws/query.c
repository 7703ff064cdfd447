/* The query protocol's requests: a form whose names are paths, "Dimensions.member.2.Name=x".  Sorted by
 * name, everything below a path lies together, so each step is a binary search. */

#include "aws/protocol.h"

#include "aws/text.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Parameter {
    Str name, value;
    size_t at; /* in the form */
} Parameter;

typedef struct Form {
    Reading *reading;
    Parameter *sorted;
    size_t n;
    StrBuf path; /* being looked at */
} Form;

static int compare_names(const void *a, const void *b)
{
    const Parameter *p = a, *q = b;
    int order = str_compare(p->name, q->name);
    return order ? order : p->at < q->at ? -1 : p->at > q->at;
}

static size_t lower_bound(const Form *form, Str name)
{
    size_t low = 0, high = form->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_compare(form->sorted[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const Parameter *find_exact(const Form *form)
{
    Str path = strbuf_str(&form->path);
    size_t at = lower_bound(form, path);
    return at < form->n && str_eq(form->sorted[at].name, path) ? &form->sorted[at] : NULL;
}

static bool has_below(Form *form)
{
    strbuf_add_char(&form->path, '.');
    Str path = strbuf_str(&form->path);
    size_t at = lower_bound(form, path);
    form->path.len--;
    return at < form->n && str_starts(form->sorted[at].name, path);
}

/* Appends ".name" (no dot at the beginning); the result is what to cut back to. */
static size_t push(Form *form, const char *name)
{
    size_t before = form->path.len;
    if (before) strbuf_add_char(&form->path, '.');
    strbuf_add(&form->path, str_of(name));
    return before;
}

static size_t push_number(Form *form, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    return push(form, text);
}

static bool read_value(Form *form, const Shape *shape, const Member *member, int depth,
                       const Json **ret_value);

static bool read_structure(Form *form, const Shape *shape, int depth, const Json **ret_value)
{
    TreeList list = tree_list(form->reading->arena, JSON_OBJECT, (size_t)shape->n_members);
    for (int m = 0; m < shape->n_members; m++) {
        const Json *value = NULL;
        size_t before = push(form, shape->members[m].wire);
        bool ok = read_value(form, shape->members[m].shape, &shape->members[m], depth + 1, &value);
        form->path.len = before;
        if (!ok) return false;
        if (value) tree_list_add(&list, str_of(shape->members[m].name), value);
    }
    *ret_value = list.value;
    return true;
}

/* How many of PATH.1, PATH.2, ... there are. */
static size_t count_numbered(Form *form)
{
    for (size_t n = 0;; n++) {
        size_t before = push_number(form, n + 1);
        bool there = find_exact(form) || has_below(form);
        form->path.len = before;
        if (!there) return n;
    }
}

static bool read_list(Form *form, const Shape *shape, bool flattened, int depth,
                      const Json **ret_value)
{
    size_t before = form->path.len;
    if (!flattened) push(form, shape->members[0].wire);
    size_t n = count_numbered(form);
    TreeList list = tree_list(form->reading->arena, JSON_ARRAY, n);
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        const Json *value = NULL;
        size_t item = push_number(form, i + 1);
        ok = read_value(form, shape->members[0].shape, &shape->members[0], depth + 1, &value);
        form->path.len = item;
        if (ok && value) tree_list_add(&list, (Str){0}, value);
    }
    form->path.len = before;
    *ret_value = list.value;
    return ok;
}

static bool read_map(Form *form, const Shape *shape, bool flattened, int depth,
                     const Json **ret_value)
{
    size_t before = form->path.len;
    if (!flattened) push(form, "entry");
    size_t n = count_numbered(form);
    TreeList list = tree_list(form->reading->arena, JSON_OBJECT, n);
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        const Json *value = NULL;
        size_t entry = push_number(form, i + 1), part = push(form, shape->members[0].wire);
        const Parameter *key = find_exact(form);
        form->path.len = part;
        push(form, shape->members[1].wire);
        ok = read_value(form, shape->members[1].shape, &shape->members[1], depth + 1, &value);
        form->path.len = entry;
        if (ok && key && value) tree_list_add(&list, key->value, value);
    }
    form->path.len = before;
    *ret_value = list.value;
    return ok;
}

/* *ret_value stays NULL when nothing was sent. */
static bool read_value(Form *form, const Shape *shape, const Member *member, int depth,
                       const Json **ret_value)
{
    if (depth > MESSAGE_DEPTH_MAX) return reading_refuse(form->reading, "nested too deeply");
    const Parameter *own = find_exact(form);
    if (shape->type == SHAPE_STRUCTURE || shape->type == SHAPE_LIST || shape->type == SHAPE_MAP) {
        if (!own && !has_below(form)) return true; /* "Tags=" is an empty list */
        if (shape->type == SHAPE_STRUCTURE) return read_structure(form, shape, depth, ret_value);
        bool flattened = member && member->flattened;
        return shape->type == SHAPE_LIST ? read_list(form, shape, flattened, depth, ret_value)
                                         : read_map(form, shape, flattened, depth, ret_value);
    }
    if (!own) return true;
    TimeForm time = shape->time ? shape->time : TIME_DEFAULT;
    return scalar_read(form->reading, shape, time, own->value, member ? member->name : shape->name,
                       ret_value);
}

bool query_read(Reading *reading, const Shape *shape, Str text, const Json **ret_value)
{
    Form form = {.reading = reading, .path = STRBUF(HTTP_FIELD_BYTES_MAX)};
    Str rest = text, name, value;
    size_t n = 0;
    while (form_next(&rest, &name, &value)) n++;
    if (n > FORM_PARAMETERS_MAX)
        return reading_refuse(reading, "more than %d parameters", FORM_PARAMETERS_MAX);
    form.sorted = arena_array(reading->arena, Parameter, n ? n : 1);
    rest = text;
    while (form_next(&rest, &name, &value)) {
        Parameter *parameter = &form.sorted[form.n];
        parameter->at = form.n++;
        if (!percent_read(reading->arena, name, true, &parameter->name) ||
            !percent_read(reading->arena, value, true, &parameter->value))
            return reading_refuse(reading,
                                  "a percent sign is not followed by two hexadecimal digits");
    }
    qsort(form.sorted, form.n, sizeof *form.sorted, compare_names);
    bool ok = read_structure(&form, shape, 0, ret_value);
    strbuf_clear(&form.path);
    return ok;
}
