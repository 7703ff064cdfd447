/* Search: a look at every document of a kind.
 *
 * A property is a path of members; lists on the way are searched through, and a nested filter holds when one element
 * of its list satisfies all its conditions.  "Tags.KEY" and "Metrics.NAME" are looked up by key.  The first pass keeps
 * only sort keys and names; documents of the page are read again. */

#include "format/timestamp.h"
#include "service/sagemaker/hosting.h"
#include "service/sagemaker/training.h"

#include <stdlib.h>

enum {
    SEARCH_PAGE = 10,
    SEARCH_PAGE_MAX = 100,
    SEARCH_DEPTH_MAX = 20,   /* subexpressions in subexpressions */
    SEARCH_HITS_MAX = 200000 /* further ones are not found */
};

typedef struct Searchable {
    const char *resource; /* of the request */
    const ResourceKind *kind;
    const char *record; /* member of a result */
    const char *inner;  /* a member within it that has the document, or NULL */
} Searchable;

static const Searchable searchables[] = {
    {"TrainingJob", &training_job_kind, "TrainingJob", NULL},
    {"Endpoint", &endpoint_kind, "Endpoint", NULL},
    {"Model", &model_kind, "Model", "Model"},
};

/* ---- values ---- */

static bool as_number(Str text, double *ret_value)
{
    int64_t us;
    if (str_to_double(text, ret_value)) return true;
    if (!timestamp_parse(text, &us)) return false;
    *ret_value = (double)us / 1e6;
    return true;
}

static Str scalar_text(Arena *arena, const Json *value)
{
    if (value->type == JSON_STRING) return value->text;
    if (value->type == JSON_BOOL) return value->boolean ? STR("true") : STR("false");
    return json_text(arena, value);
}

/* <0, 0, >0; by number where both are one. */
static int compare(Arena *arena, const Json *value, Str text)
{
    double a = value->number, b;
    bool numeric = value->type == JSON_NUMBER ||
                   (value->type == JSON_STRING && as_number(value->text, &a));
    if (numeric && as_number(text, &b)) return a < b ? -1 : a > b;
    return str_compare(scalar_text(arena, value), text);
}

static bool is_among(Str text, Str list)
{
    Str part;
    while (str_next(&list, ',', &part))
        if (str_eq(str_trim(part), text)) return true;
    return false;
}

static bool satisfies(Arena *arena, const Json *value, Str operator, Str want)
{
    if (value->type == JSON_OBJECT || value->type == JSON_ARRAY || value->type == JSON_NULL)
        return false;
    if (str_is(operator, "Contains")) return str_has(scalar_text(arena, value), want);
    if (str_is(operator, "In")) return is_among(scalar_text(arena, value), want);
    if (str_is(operator, "Equals"))
        return str_eq(scalar_text(arena, value), want) ||
               (value->type == JSON_NUMBER && compare(arena, value, want) == 0);
    int order = compare(arena, value, want);
    if (str_is(operator, "GreaterThan")) return order > 0;
    if (str_is(operator, "GreaterThanOrEqualTo")) return order >= 0;
    if (str_is(operator, "LessThan")) return order < 0;
    return str_is(operator, "LessThanOrEqualTo") && order <= 0;
}

/* ---- properties ---- */

static const Json *member_of(const Json *object, Str name)
{
    for (size_t i = 0; object && object->type == JSON_OBJECT && i < object->n; i++)
        if (str_eq(object->members[i].name, name)) return object->members[i].value;
    return NULL;
}

/* [{key_member: key, value_member: x}]: x. */
static const Json *entry_of(const Json *list, const char *key_member, const char *value_member,
                            Str key)
{
    for (size_t i = 0; list && list->type == JSON_ARRAY && i < list->n; i++)
        if (str_eq(json_get_text(json_at(list, i), key_member), key))
            return json_get(json_at(list, i), value_member);
    return NULL;
}

typedef struct Seek {
    Arena *arena;
    Str operator, want;
    bool any; /* is there a value at all? */
} Seek;

/* Does a value at `path` below `value` satisfy?  The depth is that of the path. */
static bool seek(const Seek *s, const Json *value, Str path)
{
    if (!value || value->type == JSON_NULL) return false;
    if (value->type == JSON_ARRAY) {
        for (size_t i = 0; i < value->n; i++)
            if (seek(s, json_at(value, i), path)) return true;
        return s->any && !path.ptr && value->n > 0;
    }
    if (!path.ptr) return s->any || satisfies(s->arena, value, s->operator, s->want);
    /* Names of hyperparameters may have dots: the whole rest first. */
    const Json *whole = member_of(value, path);
    if (whole) return seek(s, whole, (Str){0});
    Str rest = path, name;
    return str_next(&rest, '.', &name) && seek(s, member_of(value, name), rest);
}

typedef struct Subject {
    Arena *arena;
    const Json *document, *tags;
} Subject;

static bool seek_in(const Seek *s, const Subject *subject, Str path)
{
    if (str_starts(path, STR("Tags.")))
        return seek(s, entry_of(subject->tags, "Key", "Value", str_from(path, 5)), (Str){0});
    if (str_starts(path, STR("Metrics.")))
        return seek(s,
                    entry_of(json_get(subject->document, "FinalMetricDataList"), "MetricName",
                             "Value", str_from(path, 8)),
                    (Str){0});
    return seek(s, subject->document, path);
}

static bool filter_holds(const Subject *subject, const Json *filter)
{
    Str name = json_get_text(filter, "Name"), operator= json_get_text(filter, "Operator"),
        want = json_get_text(filter, "Value");
    Seek s = {subject->arena, operator.ptr ? operator: STR("Equals"), want.ptr ? want : STR(""),
              false };
    if (str_is(s.operator, "Exists") || str_is(s.operator, "NotExists")) {
        s.any = true;
        return seek_in(&s, subject, name) == str_is(s.operator, "Exists");
    }
    if (str_is(s.operator, "NotEquals")) {
        s.operator= STR("Equals");
        return !seek_in(&s, subject, name);
    }
    return seek_in(&s, subject, name);
}

/* Names within begin with the nested property's own. */
static bool nested_holds(const Subject *subject, const Json *nested)
{
    Str property = json_get_text(nested, "NestedPropertyName");
    const Json *filters = json_get(nested, "Filters"), *list = subject->document;
    Str rest = property, name;
    while (str_next(&rest, '.', &name)) list = member_of(list, name);
    for (size_t i = 0; list && list->type == JSON_ARRAY && i < list->n; i++) {
        Subject element = {subject->arena, json_at(list, i), NULL};
        bool all = true;
        for (size_t k = 0; all && k < filters->n; k++) {
            Json *inner = json_copy(subject->arena, json_at(filters, k));
            Str full = json_get_text(inner, "Name");
            if (str_starts(full, property) && full.len > property.len)
                json_set_text(subject->arena, inner, "Name", str_from(full, property.len + 1));
            all = filter_holds(&element, inner);
        }
        if (all) return true;
    }
    return false;
}

/* The depth was checked before. */
static bool expression_holds(const Subject *subject, const Json *expression)
{
    if (!expression) return true;
    bool any = str_is(json_get_text(expression, "Operator"), "Or"), none = true;
    static const struct {
        const char *member;
        bool (*holds)(const Subject *subject, const Json *part);
    } kinds[] = {
        {"Filters", filter_holds},
        {"NestedFilters", nested_holds},
        {"SubExpressions", expression_holds},
    };
    for (size_t k = 0; k < COUNT(kinds); k++) {
        const Json *list = json_get(expression, kinds[k].member);
        for (size_t i = 0; list && i < list->n; i++) {
            none = false;
            if (kinds[k].holds(subject, json_at(list, i)) == any) return any;
        }
    }
    return none || !any;
}

static bool too_deep(const Json *expression, int depth)
{
    const Json *list = json_get(expression, "SubExpressions");
    if (depth > SEARCH_DEPTH_MAX) return true;
    for (size_t i = 0; list && i < list->n; i++)
        if (too_deep(json_at(list, i), depth + 1)) return true;
    return false;
}

/* ---- hits ---- */

typedef struct Hit {
    double number;
    Str text, name;
} Hit;

typedef struct Search {
    Call *call;
    const Searchable *what;
    const Json *expression;
    Str sort_by;
    Hit *hits;
    size_t n, capacity;
    Arena scratch; /* of one document */
} Search;

static bool look_at(void *arg, const Resource *resource, Error *err)
{
    Search *search = arg;
    Call *call = search->call;
    Json *tags = NULL;
    if (!str_eq(resource->region, call->region) || search->n == SEARCH_HITS_MAX) return true;
    arena_clear(&search->scratch);
    if (search->expression &&
        !resource_tags_get(call->server, resource->arn, &search->scratch, &tags, err))
        return false;
    Subject subject = {&search->scratch, resource->document, tags};
    if (!expression_holds(&subject, search->expression)) return true;
    if (search->n == search->capacity) {
        size_t capacity = MAX(2 * search->capacity, (size_t)64);
        search->hits = arena_grow(call->arena, search->hits, search->n, capacity,
                                  sizeof *search->hits);
        search->capacity = capacity;
    }
    const Json *key = resource->document;
    Str rest = search->sort_by, name;
    while (key && str_next(&rest, '.', &name)) key = member_of(key, name);
    Hit hit = {.number = -1e308, .text = STR(""), .name = arena_str(call->arena, resource->name)};
    if (key && key->type == JSON_NUMBER) hit.number = key->number;
    if (key && key->type == JSON_STRING && !as_number(key->text, &hit.number))
        hit.text = arena_str(call->arena, key->text);
    search->hits[search->n++] = hit;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const Hit *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    int order = str_compare(x->text, y->text);
    return order ? order : str_compare(x->name, y->name);
}

static bool add_result(Search *search, Str name, Json *results, Error *err)
{
    Call *call = search->call;
    Arena *arena = call->arena;
    Resource resource;
    Json *tags, *result = json_new_object(arena), *record;
    const Member *list = member_find(call->route.operation->output, STR("Results"));
    const Shape *shape =
        member_find(list->shape->members[0].shape, str_of(search->what->record))->shape;
    if (!resource_load(call->server, search->what->kind, call->region, name, arena, &resource, err))
        return false;
    if (!resource.document) return true; /* gone meanwhile */
    if (!resource_tags_get(call->server, resource.arn, arena, &tags, err)) return false;
    if (tags->n) json_set(arena, resource.document, "Tags", tags);
    if (search->what->inner) {
        record = json_new_object(arena);
        shape = member_find(shape, str_of(search->what->inner))->shape;
        json_set(arena, record, search->what->inner, resource_cut(arena, shape, resource.document));
    } else {
        record = resource_cut(arena, shape, resource.document);
    }
    json_set(arena, result, search->what->record, record);
    json_push(arena, results, result);
    return true;
}

static bool search(Call *call, Error *err)
{
    Str resource = call_text(call, "Resource"), token = call_text(call, "NextToken"),
        by = call_text(call, "SortBy");
    Search search = {.call = call,
                     .expression = json_get(call->in, "SearchExpression"),
                     .sort_by = by.ptr ? by : STR("LastModifiedTime")};
    for (size_t i = 0; i < COUNT(searchables); i++)
        if (str_is(resource, searchables[i].resource)) search.what = &searchables[i];
    if (!search.what)
        return call_error(
            call, err, "ValidationException",
            "Search over the resource %.*s is not served by clary yet; it is over TrainingJob, "
            "Endpoint and Model",
            STR_ARG(resource));
    if (too_deep(search.expression, 0))
        return call_error(call, err, "ValidationException",
                          "SearchExpression is nested too deeply");
    if (!by.ptr && !search.what->kind->modified_at) search.sort_by = STR("CreationTime");
    int64_t first = 0,
            limit = MIN(json_get_int(call->in, "MaxResults", SEARCH_PAGE), SEARCH_PAGE_MAX);
    if (token.ptr && (!str_to_int64(token, &first) || first < 0))
        return call_error(call, err, "ValidationException", "Invalid pagination token.");

    bool ok = resource_each(call->server, search.what->kind, NULL, look_at, &search, err);
    arena_clear(&search.scratch);
    if (!ok) return false;
    if (search.n) qsort(search.hits, search.n, sizeof *search.hits, by_key);
    bool up = str_is(call_text(call, "SortOrder"), "Ascending");
    Json *results = json_new_array(call->arena), *total = json_new_object(call->arena);
    for (size_t i = (size_t)first; i < search.n && (int64_t)results->n < limit; i++)
        if (!add_result(&search, search.hits[up ? i : search.n - 1 - i].name, results, err))
            return false;
    if (first + limit < (int64_t)search.n)
        json_set_text(call->arena, call->out, "NextToken",
                      arena_format(call->arena, "%lld", (long long)(first + limit)));
    json_set(call->arena, call->out, "Results", results);
    if (member_find(call->route.operation->output, STR("TotalHits"))) {
        json_set_int(call->arena, total, "Value", (int64_t)search.n);
        json_set_text(call->arena, total, "Relation", STR("EqualTo"));
        json_set(call->arena, call->out, "TotalHits", total);
    }
    return true;
}

const ServiceOperation search_operations[] = {
    {"Search", search, NULL, "*", NULL, 0},
    {0},
};
