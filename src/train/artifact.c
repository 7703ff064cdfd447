/* Model folders and their clary.json. */

#include "train/artifact.h"

#include "base/file.h"
#include "format/json.h"

#include <math.h>

enum { FORMAT_VERSION = 1, FEATURES_MAX = 1 << 24 };

/* ---- writing ---- */

static void write_strings(JsonWriter *json, const char *name, const Str *strings, int32_t n)
{
    json_name(json, str_of(name));
    json_begin_array(json);
    for (int32_t i = 0; i < n; i++) json_string(json, strings[i]);
    json_end_array(json);
}

static void write_schema(JsonWriter *json, const Schema *schema)
{
    if (schema->target.len) json_member_string(json, "target", schema->target);
    if (schema->n_classes) write_strings(json, "classes", schema->classes, schema->n_classes);
    json_name(json, STR("features"));
    json_begin_array(json);
    for (int32_t j = 0; j < schema->n_features; j++) {
        const Feature *feature = &schema->features[j];
        json_begin_object(json);
        json_member_string(json, "name", feature->name);
        json_member_string(json, "kind",
                           feature->kind == FEATURE_CATEGORY ? STR("category") : STR("number"));
        if (feature->kind == FEATURE_CATEGORY)
            write_strings(json, "categories", feature->categories, feature->n_categories);
        json_end_object(json);
    }
    json_end_array(json);
}

static const char *goal_name(MetricGoal goal)
{
    return goal == GOAL_MAXIMIZE ? "maximize" : goal == GOAL_MINIMIZE ? "minimize" : "none";
}

static void write_history(JsonWriter *json, const Artifact *artifact)
{
    json_member_int(json, "final_round", artifact->final_round);
    json_name(json, STR("history"));
    json_begin_array(json);
    for (size_t i = 0; i < artifact->n_history; i++) {
        const ArtifactHistory *history = &artifact->history[i];
        json_begin_object(json);
        json_member_string(json, "data", history->data);
        json_member_string(json, "metric", history->name);
        json_member_string(json, "goal", str_of(goal_name(history->goal)));
        json_name(json, STR("values"));
        int indent = json->indent;
        json->indent = 0; /* one line */
        json_begin_array(json);
        for (int64_t r = 0; r < history->n; r++) json_float(json, (float)history->values[r]);
        json_end_array(json);
        json->indent = indent;
        json_end_object(json);
    }
    json_end_array(json);
}

bool artifact_save(const Artifact *artifact, const char *folder, Error *err)
{
    ARENA(scratch);
    if (!artifact->algorithm->save(artifact->model, folder, err))
        return error_in(err, "saving the model");

    AUTO_STRBUF StrBuf text = STRBUF(CLARY_JSON_BYTES_MAX);
    JsonWriter json = JSON_WRITER(&text);
    json.indent = 2;
    json_begin_object(&json);
    json_member_int(&json, "format", FORMAT_VERSION);
    json_member_string(&json, "clary", STR(CLARY_VERSION));
    json_member_string(&json, "algorithm", str_of(artifact->algorithm->name));
    json_member_int(&json, "seed", (int64_t)artifact->seed);
    json_name(&json, STR("hyperparameters"));
    json_begin_object(&json);
    for (size_t i = 0; i < artifact->n_params; i++) {
        json_name(&json, artifact->params[i].name);
        json_string(&json, artifact->params[i].value);
    }
    json_end_object(&json);
    json_name(&json, STR("metrics"));
    json_begin_object(&json);
    for (size_t i = 0; i < artifact->n_metrics; i++) {
        const ArtifactMetric *metric = &artifact->metrics[i];
        json_name(&json, arena_format(&scratch, "%.*s:%.*s", STR_ARG(metric->data),
                                      STR_ARG(metric->name)));
        json_double(&json, metric->value);
    }
    json_end_object(&json);
    if (artifact->n_history) write_history(&json, artifact);
    if (artifact->has_schema) write_schema(&json, &artifact->schema);
    json_end_object(&json);
    strbuf_add_char(&text, '\n');
    if (text.overflow)
        return error_set(err, ERROR_LIMIT, "the description of the columns is larger than %d MiB",
                         CLARY_JSON_BYTES_MAX >> 20);
    return file_commit(path_join(&scratch, folder, "clary.json"), strbuf_str(&text), err);
}

/* ---- reading ---- */

static bool read_strings(const Json *array, Arena *arena, Str **ret_strings, int32_t *ret_n,
                         Error *err)
{
    if (array->n > FEATURES_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d names", FEATURES_MAX);
    Str *strings = arena_array(arena, Str, array->n);
    for (size_t i = 0; i < array->n; i++) {
        const Json *item = json_at(array, i);
        if (!item || item->type != JSON_STRING)
            return error_set(err, ERROR_INVALID, "a name is not a string");
        strings[i] = arena_str(arena, item->text);
    }
    *ret_strings = strings;
    *ret_n = (int32_t)array->n;
    return true;
}

static bool read_feature(const Json *item, Arena *arena, Feature *ret_feature, Error *err)
{
    const Json *name, *kind, *categories;
    if (!json_need(item, "name", JSON_STRING, &name, err) ||
        !json_need(item, "kind", JSON_STRING, &kind, err))
        return false;
    *ret_feature = (Feature){.name = arena_str(arena, name->text)};
    if (str_is(kind->text, "number")) return true;
    if (!str_is(kind->text, "category"))
        return error_set(err, ERROR_UNSUPPORTED, "kind '%.*s' is not known here",
                         STR_ARG(kind->text));
    ret_feature->kind = FEATURE_CATEGORY;
    return json_need(item, "categories", JSON_ARRAY, &categories, err) &&
           read_strings(categories, arena, &ret_feature->categories, &ret_feature->n_categories,
                        err);
}

static bool read_schema(const Json *top, Artifact *artifact, Error *err)
{
    const Json *features = json_get(top, "features"), *classes = json_get(top, "classes");
    const Json *target = json_get(top, "target");
    Schema *schema = &artifact->schema;
    schema->target = target && target->type == JSON_STRING
                         ? arena_str(&artifact->arena, target->text)
                         : STR("");
    if (classes &&
        !(classes->type == JSON_ARRAY &&
          read_strings(classes, &artifact->arena, &schema->classes, &schema->n_classes, err)))
        return error_set(err, ERROR_INVALID, "member 'classes' is not a list of names");
    if (!features) return true;
    if (features->type != JSON_ARRAY || features->n > FEATURES_MAX)
        return error_set(err, ERROR_INVALID, "member 'features' is not a list");
    schema->features = arena_array(&artifact->arena, Feature, features->n);
    for (size_t j = 0; j < features->n; j++)
        if (!read_feature(json_at(features, j), &artifact->arena, &schema->features[j], err))
            return error_in(err, "feature %zu", j);
    schema->n_features = (int32_t)features->n;
    artifact->has_schema = true;
    return true;
}

static bool read_params(const Json *top, Artifact *artifact)
{
    const Json *params = json_get(top, "hyperparameters");
    if (!params || params->type != JSON_OBJECT) return true;
    artifact->params = arena_array(&artifact->arena, ParamText, params->n);
    for (size_t i = 0; i < params->n; i++) {
        if (params->members[i].value->type != JSON_STRING) continue;
        artifact->params[artifact->n_params++] = (ParamText){
            arena_str(&artifact->arena, params->members[i].name),
            arena_str(&artifact->arena, params->members[i].value->text)};
    }
    return true;
}

static bool read_history(const Json *top, Artifact *artifact, Error *err)
{
    const Json *list = json_get(top, "history"), *final = json_get(top, "final_round");
    artifact->final_round = final && final->type == JSON_NUMBER ? (int64_t) final->number : -1;
    if (!list || list->type != JSON_ARRAY) return true;
    artifact->history = arena_array(&artifact->arena, ArtifactHistory, list->n);
    for (size_t i = 0; i < list->n; i++) {
        const Json *item = json_at(list, i), *data, *name, *goal, *values;
        if (!json_need(item, "data", JSON_STRING, &data, err) ||
            !json_need(item, "metric", JSON_STRING, &name, err) ||
            !json_need(item, "goal", JSON_STRING, &goal, err) ||
            !json_need(item, "values", JSON_ARRAY, &values, err))
            return error_in(err, "history %zu", i);
        double *numbers = arena_array(&artifact->arena, double, values->n);
        for (size_t r = 0; r < values->n; r++)
            if (!json_number_at(values, r, &numbers[r])) numbers[r] = NAN; /* null */
        artifact->history[artifact->n_history++] = (ArtifactHistory){
            .data = arena_str(&artifact->arena, data->text),
            .name = arena_str(&artifact->arena, name->text),
            .goal = str_is(goal->text, "maximize") ? GOAL_MAXIMIZE : GOAL_MINIMIZE,
            .values = numbers,
            .n = (int64_t)values->n,
        };
    }
    return true;
}

static bool read_description(const char *path, Artifact *artifact, Error *err)
{
    ARENA(scratch);
    Str text;
    const Json *top, *name;
    if (!file_read(path, CLARY_JSON_BYTES_MAX, &scratch, &text, err)) return false;
    if (!json_parse(text, &scratch, &top, err)) return false;
    const Json *format = json_get(top, "format");
    if (!format || format->type != JSON_NUMBER || format->number != FORMAT_VERSION)
        return error_set(err, ERROR_UNSUPPORTED,
                         "the model was written by another version of clary");
    if (!json_need(top, "algorithm", JSON_STRING, &name, err)) return false;
    artifact->algorithm = algorithm_find(name->text);
    if (!artifact->algorithm)
        return error_set(err, ERROR_UNSUPPORTED, "algorithm '%.*s' is not known here",
                         STR_ARG(name->text));
    return read_params(top, artifact) && read_schema(top, artifact, err) &&
           read_history(top, artifact, err);
}

/* What SageMaker's own artifacts are called. */
static const Algorithm *algorithm_of_files(const char *folder)
{
    ARENA(scratch);
    Str *names;
    size_t n;
    Error ignored;
    if (!folder_list(folder, 0, false, 1000, &scratch, &names, &n, &ignored)) return NULL;
    for (size_t i = 0; i < n; i++)
        if (str_starts(names[i], STR("xgboost-model"))) return algorithm_find(STR("xgboost"));
    for (size_t i = 0; i < n; i++)
        if (str_starts(names[i], STR("model_algo-"))) return algorithm_find(STR("kmeans"));
    return NULL;
}

bool artifact_load(const char *folder, const Algorithm *algorithm, Artifact *ret_artifact,
                   Error *err)
{
    ARENA(scratch);
    AUTO_ARTIFACT Artifact artifact = {.algorithm = algorithm};
    const char *description = path_join(&scratch, folder, "clary.json");
    if (!folder_exists(folder))
        return error_set(err, ERROR_NOT_FOUND, "there is no model folder '%s'", folder);
    if (file_exists(description)) {
        if (!read_description(description, &artifact, err))
            return error_in(err, "reading '%s'", description);
    } else if (!algorithm) {
        artifact.algorithm = algorithm_of_files(folder);
        if (!artifact.algorithm)
            return error_set(err, ERROR_INVALID,
                             "'%s' has neither clary.json nor files of a known algorithm; "
                             "name it with --algorithm",
                             folder);
    }
    if (!artifact.algorithm->load(folder, &artifact.model, err))
        return error_in(err, "loading the %s model in '%s'", artifact.algorithm->name, folder);
    int32_t n_features = artifact.algorithm->n_features
                             ? artifact.algorithm->n_features(artifact.model)
                             : 0;
    if (artifact.has_schema && n_features && artifact.schema.n_features != n_features)
        return error_set(err, ERROR_INVALID, "'%s' describes %d features, but the model has %d",
                         description, artifact.schema.n_features, n_features);
    *ret_artifact = artifact;
    artifact = (Artifact){0};
    return true;
}

void artifact_clear(Artifact *artifact)
{
    if (artifact->algorithm && artifact->model) artifact->algorithm->free(artifact->model);
    arena_clear(&artifact->arena);
    *artifact = (Artifact){0};
}
