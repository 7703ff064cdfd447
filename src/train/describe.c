/* Descriptions of algorithms from their tables. */

#include "train/describe.h"

#include "format/number.h"

static const char *type_name(ParamType type)
{
    switch (type) {
    case PARAM_TYPE_INT: return "Integer";
    case PARAM_TYPE_REAL: return "Continuous";
    case PARAM_TYPE_BOOL:
    case PARAM_TYPE_CHOICE: return "Categorical";
    case PARAM_TYPE_TEXT: return "FreeText";
    case PARAM_TYPE_END: break;
    }
    return "";
}

static const char *goal_name(MetricGoal goal)
{
    return goal == GOAL_MAXIMIZE ? "Maximize" : goal == GOAL_MINIMIZE ? "Minimize" : "None";
}

static void add_range(const Param *param, JsonWriter *json)
{
    if (param->type == PARAM_TYPE_BOOL || param->type == PARAM_TYPE_CHOICE) {
        static const char *const booleans[] = {"true", "false", NULL};
        const char *const *values = param->type == PARAM_TYPE_BOOL ? booleans : param->choices;
        json_name(json, STR("values"));
        json_begin_array(json);
        for (; *values; values++) json_string(json, str_of(*values));
        json_end_array(json);
        return;
    }
    if (param->type == PARAM_TYPE_TEXT || (!param->no_max && param->min == 0 && param->max == 0))
        return;
    json_member_double(json, "min", param->min);
    if (param->open_min) json_member_bool(json, "min_excluded", true);
    if (!param->no_max) json_member_double(json, "max", param->max);
    if (param->open_max) json_member_bool(json, "max_excluded", true);
}

static void add_param(const Param *param, JsonWriter *json)
{
    json_begin_object(json);
    json_member_string(json, "name", str_of(param->name));
    if (param->alias) json_member_string(json, "alias", str_of(param->alias));
    json_member_string(json, "type", str_of(type_name(param->type)));
    add_range(param, json);
    if (param->automatic) json_member_bool(json, "auto", true);
    if (param->preset) json_member_string(json, "default", str_of(param->preset));
    json_member_bool(json, "required", !param->preset && !param->optional);
    json_member_bool(json, "tunable", param->tune.scale != SCALE_NONE);
    if (param->tune.scale != SCALE_NONE) {
        json_name(json, STR("tune"));
        json_begin_object(json);
        json_member_double(json, "min", param->tune.low);
        json_member_double(json, "max", param->tune.high);
        json_member_string(json, "scale",
                           param->tune.scale == SCALE_LOG ? STR("Logarithmic") : STR("Linear"));
        json_end_object(json);
    }
    if (param->help) json_member_string(json, "description", str_of(param->help));
    json_end_object(json);
}

static void add_names(const char *name, const char *const *values, JsonWriter *json)
{
    json_name(json, str_of(name));
    json_begin_array(json);
    for (; values && *values; values++) json_string(json, str_of(*values));
    json_end_array(json);
}

void describe_json(const Algorithm *algorithm, JsonWriter *json)
{
    json_begin_object(json);
    json_member_string(json, "name", str_of(algorithm->name));
    json_member_string(json, "summary", str_of(algorithm->summary));
    add_names("images", algorithm->images, json);
    json_member_bool(json, "supervised", algorithm->supervised);
    json_member_bool(json, "iterative", algorithm->iterative);
    add_names("content_types", algorithm->content_types, json);
    json_member_string(json, "default_accept", str_of(algorithm->default_accept));
    json_name(json, STR("channels"));
    json_begin_array(json);
    for (const ChannelInfo *channel = algorithm->channels; channel->name; channel++) {
        json_begin_object(json);
        json_member_string(json, "name", str_of(channel->name));
        json_member_bool(json, "required", channel->required);
        json_member_string(json, "description", str_of(channel->help));
        json_end_object(json);
    }
    json_end_array(json);
    json_name(json, STR("hyperparameters"));
    json_begin_array(json);
    for (const Param *param = algorithm->params; param->type != PARAM_TYPE_END; param++)
        add_param(param, json);
    json_end_array(json);
    json_name(json, STR("metrics"));
    json_begin_array(json);
    for (const MetricInfo *metric = algorithm->metrics; metric && metric->name; metric++) {
        json_begin_object(json);
        json_member_string(json, "name", str_of(metric->name));
        json_member_string(json, "goal", str_of(goal_name(metric->goal)));
        json_member_string(json, "regex", str_of(metric->regex));
        json_end_object(json);
    }
    json_end_array(json);
    json_end_object(json);
}

void describe_all_json(StrBuf *out)
{
    JsonWriter json = JSON_WRITER(out);
    json_begin_object(&json);
    json_member_string(&json, "clary", STR(CLARY_VERSION));
    json_name(&json, STR("algorithms"));
    json_begin_array(&json);
    for (const Algorithm *const *each = algorithms; *each; each++) describe_json(*each, &json);
    json_end_array(&json);
    json_end_object(&json);
    strbuf_add_char(out, '\n');
}

/* ---- Markdown ---- */

/* '|' ends a cell. */
static void add_cell(StrBuf *out, Str text)
{
    strbuf_add(out, STR(" "));
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '|') strbuf_add_char(out, '\\');
        strbuf_add_char(out, text.ptr[i]);
    }
    strbuf_add(out, STR(" |"));
}

static void add_param_row(const Param *param, StrBuf *out)
{
    ARENA(scratch);
    Str name = param->alias ? arena_format(&scratch, "`%s`, `%s`", param->name, param->alias)
                            : arena_format(&scratch, "`%s`", param->name);
    Str preset = param->preset     ? str_of(param->preset)
                 : param->optional ? STR("")
                                   : STR("required");
    Str tune = param->tune.scale == SCALE_NONE
                   ? STR("")
                   : arena_format(&scratch, "%g to %g%s", param->tune.low, param->tune.high,
                                  param->tune.scale == SCALE_LOG ? " (log)" : "");
    strbuf_add_char(out, '|');
    add_cell(out, name);
    add_cell(out, param_range_text(param, &scratch));
    add_cell(out, preset);
    add_cell(out, tune);
    add_cell(out, str_of(param->help ? param->help : ""));
    strbuf_add_char(out, '\n');
}

void describe_markdown(const Algorithm *algorithm, StrBuf *out)
{
    strbuf_addf(out, "## Channels\n\n| channel | required | holds |\n|---|---|---|\n");
    for (const ChannelInfo *channel = algorithm->channels; channel->name; channel++)
        strbuf_addf(out, "| `%s` | %s | %s |\n", channel->name, channel->required ? "yes" : "no",
                    channel->help);
    strbuf_addf(out, "\nContent types:");
    for (const char *const *type = algorithm->content_types; type && *type; type++)
        strbuf_addf(out, "%s `%s`", type == algorithm->content_types ? "" : ",", *type);
    strbuf_addf(
        out, ". Answers of the model server are `%s` unless the request accepts something else.\n",
        algorithm->default_accept);
    strbuf_addf(
        out,
        "\n## Hyperparameters\n\n| name | values | default | tuned over | meaning |\n|---|---|---|---|---|\n");
    for (const Param *param = algorithm->params; param->type != PARAM_TYPE_END; param++)
        add_param_row(param, out);
    strbuf_addf(out, "\n## Metrics a tuner may watch\n\n| metric | goal |\n|---|---|\n");
    for (const MetricInfo *metric = algorithm->metrics; metric && metric->name; metric++)
        strbuf_addf(out, "| `%s` | %s |\n", metric->name,
                    metric->goal == GOAL_MAXIMIZE ? "higher is better" : "lower is better");
}
