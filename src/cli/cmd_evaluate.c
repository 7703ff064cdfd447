/* clary evaluate: how good a model is on labelled data. */

#include "cli/cli.h"

#include "base/file.h"
#include "base/memory.h"
#include "evaluate/print.h"
#include "evaluate/report.h"
#include "train/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const Option options[] = {
    {"target", 0, "COLUMN", "the column with the truth, where it is not the one of training", false,
     NULL},
    {"weight", 0, "COLUMN", "the column with the rows' weights", false, NULL},
    {"group", 0, "COLUMN", "ranking: the column with the query ids", false, NULL},
    {"threshold", 0, "P", "two classes: answer the second one from this probability on (0.5)",
     false, NULL},
    {"report", 0, "PATH",
     "write a page with charts: ROC, calibration, residuals, survival, clusters, ...", false, NULL},
    {"charts", 0, "FOLDER", "write each chart as an SVG file", false, NULL},
    {"json", 0, NULL, "all figures as one JSON object", false, NULL},
    {"ignore", 0, "COLUMN", "leave the column out (may be repeated)", true, NULL},
    READ_OPTIONS,
    {0},
};

static const char *const examples[] = {
    "clary evaluate model.tar.gz test.csv",
    "clary evaluate model.tar.gz test.csv --report report.html",
    "clary evaluate model.tar.gz test.csv --target income --threshold 0.3 --json",
    "clary evaluate ranker.tar.gz test.csv --group query",
    "clary evaluate clusters.tar.gz data.csv --report clusters.html",
    NULL,
};

enum { TEXT_MAX = 64 << 20, CLASSES_MAX = 65536, MEASURES_MAX = 4 };

typedef struct Job {
    const Args *args;
    Arena arena;
    Pool *pool;
    Artifact artifact;
    Dataset *dataset;
    Task task;
    int32_t width; /* scores a row */
    float *scores; /* n_rows x width */
    double threshold;
    Classification classification;
    Regression regression;
    Ranking ranking;
    Survival survival;
    Clusters clusters;
    bool is_classification, has_scores;
    int n_measures; /* what the algorithm itself measures */
    const char *measure_names[MEASURES_MAX];
    double measures[MEASURES_MAX];
    Str *class_names;
    StrBuf figures;
} Job;

/* ---- reading and predicting ---- */

static bool read_data(Job *job, const ReadOptions *read, Error *err)
{
    const Args *args = job->args;
    const Schema *schema = &job->artifact.schema;
    DatasetRoles roles = {
        .target = args_has(args, "target") ? args_get(args, "target") : schema->target,
        .weight = args_get(args, "weight"),
        .group = args_get(args, "group"),
        .label_size = job->artifact.has_schema && schema->target.len
                          ? -1
                          : 1, /* SageMaker's: label first */
        .schema = job->artifact.has_schema ? schema : NULL,
    };
    if (job->task == TASK_CLUSTERING)
        roles = (DatasetRoles){.no_target = true, .schema = roles.schema};
    roles.ignored = args_all(args, "ignore", &roles.n_ignored);
    if (!read_dataset(args->positional[1].ptr, read, &roles, job->pool, &job->dataset, err))
        return false;
    bool bounds = job->task == TASK_SURVIVAL && job->dataset->label_width == 2;
    if (job->task != TASK_CLUSTERING && job->dataset->label_width != 1 && !bounds)
        return error_set(err, ERROR_INVALID, "which column holds the truth? say --target COLUMN");
    return run_fit_data(job->artifact.algorithm, job->dataset, "given", err);
}

static bool take_scores(void *arg, int64_t first_row, const Predictions *predictions, Error *err)
{
    Job *job = arg;
    int32_t width = predictions->outputs[0].width;
    if (!job->scores) {
        job->width = width;
        job->scores = data_array(float, job->dataset->n_rows *width, "the predictions", err);
        if (!job->scores) return false;
    }
    memcpy(job->scores + first_row * width, predictions->values[0],
           (size_t)predictions->n_rows * (size_t)width * sizeof(float));
    return true;
}

/* ---- figures ---- */

static int32_t count_classes(const Job *job)
{
    int32_t n = job->task == TASK_BINARY ? 2
                                         : job->artifact.algorithm->n_classes(job->artifact.model);
    return MAX(MAX(n, job->artifact.schema.n_classes), 2);
}

static void name_classes(Job *job, int32_t n)
{
    const Schema *schema = &job->artifact.schema;
    job->class_names = arena_array(&job->arena, Str, n);
    for (int32_t k = 0; k < n; k++)
        job->class_names[k] = k < schema->n_classes ? schema->classes[k]
                                                    : arena_format(&job->arena, "%d", k);
}

static bool scores_are_probabilities(const Job *job)
{
    for (int64_t i = 0; i < job->dataset->n_rows * job->width; i++)
        if (!(job->scores[i] >= 0 && job->scores[i] <= 1)) return false;
    return true;
}

static bool evaluate_classes(Job *job, Error *err)
{
    int32_t n_classes = count_classes(job);
    if (n_classes > CLASSES_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d classes", CLASSES_MAX);
    name_classes(job, n_classes);
    job->has_scores = job->task == TASK_BINARY || job->width > 1;
    bool probabilities = job->has_scores && scores_are_probabilities(job);
    ClassificationInput input = {
        .n = job->dataset->n_rows,
        .n_classes = n_classes,
        .labels = job->dataset->label,
        .predicted = job->has_scores ? NULL : job->scores,
        .scores = job->has_scores ? job->scores : NULL,
        .probabilities = probabilities,
        .weights = job->dataset->weight,
        .threshold = probabilities ? job->threshold : 0,
    };
    if (!classification_evaluate(&input, &job->arena, &job->classification, err)) return false;
    classification_text(&job->classification, job->class_names, job->has_scores, &job->figures);
    return true;
}

static bool evaluate_values(Job *job, Error *err)
{
    RegressionInput input = {
        .n = job->dataset->n_rows,
        .labels = job->dataset->label,
        .predictions = job->scores,
        .weights = job->dataset->weight,
        .n_features = job->dataset->n_features,
    };
    if (job->width != 1)
        return error_set(err, ERROR_UNSUPPORTED,
                         "a model with %d values a row cannot be evaluated here", job->width);
    if (!regression_evaluate(&input, &job->regression, err)) return false;
    regression_text(&job->regression, &job->figures);
    return true;
}

/* ---- order: ranking and survival ---- */

static bool check_width(const Job *job, Error *err)
{
    if (job->width == 1) return true;
    return error_set(err, ERROR_UNSUPPORTED, "the model gives %d values a row, not one score",
                     job->width);
}

static bool evaluate_ranking(Job *job, Error *err)
{
    const Dataset *dataset = job->dataset;
    if (!check_width(job, err)) return false;
    if (!dataset->group_start)
        return error_set(err, ERROR_INVALID,
                         "which rows belong to one query? say --group COLUMN (libsvm has qid:)");
    RankingInput input = {
        .n = dataset->n_rows,
        .labels = dataset->label,
        .scores = job->scores,
        .group_start = dataset->group_start,
        .n_groups = dataset->n_groups,
        .weights = dataset->weight,
    };
    if (!ranking_evaluate(&input, &job->arena, &job->ranking, err)) return false;
    ranking_text(&job->ranking, &job->figures);
    return true;
}

static bool measure(Job *job, const char *name, Error *err)
{
    const Algorithm *algorithm = job->artifact.algorithm;
    if (!algorithm->measure) return true;
    double value;
    if (!algorithm->measure(job->artifact.model, job->dataset, name, job->pool, &value, err))
        return false;
    job->measure_names[job->n_measures] = name;
    job->measures[job->n_measures++] = value;
    strbuf_addf(&job->figures, "%-22s %12.6g\n", name, value);
    return true;
}

/* Cox's model answers with hazards and marks censored times by a minus; accelerated failure time
 * answers with times and takes bounds. */
static bool evaluate_survival(Job *job, Error *err)
{
    const Dataset *dataset = job->dataset;
    int64_t n = dataset->n_rows;
    if (!check_width(job, err)) return false;
    const Algorithm *algorithm = job->artifact.algorithm;
    bool cox = algorithm->objective &&
               str_is(algorithm->objective(job->artifact.model), "survival:cox");
    AUTO_DATA float *bounds = data_array(float, 3 * n, "the times", err);
    if (!bounds) return false;
    float *lower = bounds, *upper = bounds + n, *risks = bounds + 2 * n;
    int32_t width = dataset->label_width;
    if (cox && width != 1)
        return error_set(err, ERROR_INVALID,
                         "the model takes one time a row (negative: censored), not bounds");
    if (cox) survival_cox_bounds(dataset->label, n, lower, upper);
    for (int64_t i = 0; i < n; i++) {
        risks[i] = cox ? job->scores[i] : -job->scores[i];
        if (cox) continue;
        lower[i] = dataset->label[i * width];
        upper[i] = dataset->label[i * width + width - 1];
    }
    SurvivalInput input = {
        .n = n, .lower = lower, .upper = upper, .risks = risks, .times = cox ? NULL : job->scores};
    if (!survival_evaluate(&input, &job->arena, &job->survival, err)) return false;
    bool ok = cox ? job->survival.n_events == 0 || measure(job, "cox-nloglik", err)
                  : measure(job, "aft-nloglik", err);
    if (ok) survival_text(&job->survival, &job->figures);
    return ok;
}

/* ---- clusters ---- */

typedef struct Assigned {
    int32_t *cluster;
    float *distance;
    int32_t n_clusters;
} Assigned;

static bool take_clusters(void *arg, int64_t first_row, const Predictions *predictions, Error *err)
{
    Assigned *assigned = arg;
    if (predictions->n_outputs != 2 || predictions->outputs[0].width != 1 ||
        predictions->outputs[1].width != 1)
        return error_set(err, ERROR_UNSUPPORTED,
                         "this clustering does not answer with a cluster and a distance");
    for (int64_t i = 0; i < predictions->n_rows; i++) {
        int32_t cluster = (int32_t)predictions->values[0][i];
        if (cluster < 0 || cluster >= CLUSTERS_MAX)
            return error_set(err, ERROR_LIMIT, "more than %d clusters", CLUSTERS_MAX);
        assigned->cluster[first_row + i] = cluster;
        assigned->distance[first_row + i] = predictions->values[1][i];
        assigned->n_clusters = MAX(assigned->n_clusters, cluster + 1);
    }
    return true;
}

static const Str *feature_names(Job *job)
{
    const Dataset *dataset = job->dataset;
    Str *names = arena_array(&job->arena, Str, dataset->n_features);
    for (int32_t j = 0; j < dataset->n_features; j++)
        names[j] = j < dataset->schema.n_features ? dataset->schema.features[j].name
                                                  : arena_format(&job->arena, "f%d", j);
    return names;
}

static bool evaluate_clusters(Job *job, Error *err)
{
    int64_t n = job->dataset->n_rows;
    AUTO_DATA int32_t *cluster = data_array(int32_t, n, "the clusters of the rows", err);
    AUTO_DATA float *distance = cluster ? data_array(float, n, "the distances", err) : NULL;
    if (!distance) return false;
    Assigned assigned = {cluster, distance, 0};
    if (!run_predict(job->artifact.algorithm, job->artifact.model, job->dataset, PREDICT_DEFAULT,
                     job->pool, take_clusters, &assigned, err))
        return false;
    ClustersInput input = {.features = dataset_matrix(job->dataset),
                           .cluster = cluster,
                           .distance = distance,
                           .n_clusters = assigned.n_clusters};
    input.features.absent = 0;
    if (!clusters_evaluate(&input, &job->arena, &job->clusters, err)) return false;
    clusters_text(&job->clusters, feature_names(job), &job->figures);
    return true;
}

static bool evaluate_task(Job *job, Error *err)
{
    job->is_classification = job->task == TASK_BINARY || job->task == TASK_MULTICLASS;
    if (job->task == TASK_CLUSTERING) return evaluate_clusters(job, err);
    if (!run_predict(job->artifact.algorithm, job->artifact.model, job->dataset, PREDICT_DEFAULT,
                     job->pool, take_scores, job, err))
        return false;
    if (job->task == TASK_RANKING) return evaluate_ranking(job, err);
    if (job->task == TASK_SURVIVAL) return evaluate_survival(job, err);
    return job->is_classification ? evaluate_classes(job, err) : evaluate_values(job, err);
}

/* ---- training and validation compared ---- */

static const ArtifactHistory *find_history(const Artifact *artifact, const char *data, Str name)
{
    for (size_t i = artifact->n_history; i-- > 0;)
        if (str_is(artifact->history[i].data, data) &&
            (!name.len || str_eq(artifact->history[i].name, name)))
            return &artifact->history[i];
    return NULL;
}

static bool diagnose(Job *job, Diagnosis *ret_diagnosis)
{
    const Artifact *artifact = &job->artifact;
    const ArtifactHistory *validation = find_history(artifact, "validation", STR(""));
    const ArtifactHistory *train = validation ? find_history(artifact, "train", validation->name)
                                              : NULL;
    if (!train) return false;
    int64_t n = MIN(train->n, validation->n);
    DiagnosisInput input = {
        .metric = validation->name,
        .maximize = validation->goal == GOAL_MAXIMIZE,
        .train = train->values,
        .validation = validation->values,
        .n_rounds = n,
        .final_round = artifact->final_round >= 0 ? MIN(artifact->final_round, n - 1) : n - 1,
        .baseline = NAN,
    };
    return diagnosis_make(&input, &job->arena, ret_diagnosis);
}

/* ---- output ---- */

typedef struct Ranked {
    Str name;
    double value;
} Ranked;

static int by_value_falling(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    return str_compare(x->name, y->name);
}

static void rank_features(Job *job, Report *report)
{
    double *values;
    Error ignored;
    const Algorithm *algorithm = job->artifact.algorithm;
    if (!algorithm->importance ||
        !algorithm->importance(job->artifact.model, "total_gain", &job->arena, &values, &ignored))
        return;
    int32_t n = job->dataset->n_features, used = 0;
    Ranked *ranked = arena_array(&job->arena, Ranked, n);
    for (int32_t j = 0; j < n; j++)
        ranked[j] = (Ranked){job->dataset->schema.features[j].name, values[j]};
    qsort(ranked, (size_t)n, sizeof(Ranked), by_value_falling);
    Str *names = arena_array(&job->arena, Str, n);
    for (int32_t j = 0; j < n && ranked[j].value > 0; j++) {
        names[j] = ranked[j].name;
        values[j] = ranked[j].value;
        used++;
    }
    report->importance_names = names;
    report->importance = values;
    report->n_importance = used;
}

static Str base_name(Str path)
{
    for (size_t i = path.len; i-- > 1;)
        if (path.ptr[i - 1] == '/') return str_from(path, i);
    return path;
}

static void fill_report(Job *job, const Diagnosis *diagnosis, Report *report)
{
    const Artifact *artifact = &job->artifact;
    ReportCurve *curves = arena_array(&job->arena, ReportCurve, artifact->n_history);
    for (size_t i = 0; i < artifact->n_history; i++)
        curves[i] = (ReportCurve){artifact->history[i].data, artifact->history[i].name,
                                  artifact->history[i].values, artifact->history[i].n};
    Str target = job->dataset->schema.target;
    *report = (Report){
        .title = arena_format(&job->arena, "%.*s by %.*s on %.*s",
                              STR_ARG(target.len                     ? target
                                      : job->task == TASK_CLUSTERING ? STR("Clusters")
                                                                     : STR("Predictions")),
                              STR_ARG(base_name(job->args->positional[0])),
                              STR_ARG(base_name(job->args->positional[1]))),
        .subtitle = arena_format(&job->arena, "%s, %lld rows, %d features",
                                 artifact->algorithm->name, (long long)job->dataset->n_rows,
                                 job->dataset->n_features),
        .classification = job->is_classification ? &job->classification : NULL,
        .regression = job->task == TASK_REGRESSION ? &job->regression : NULL,
        .ranking = job->task == TASK_RANKING ? &job->ranking : NULL,
        .survival = job->task == TASK_SURVIVAL ? &job->survival : NULL,
        .clusters = job->task == TASK_CLUSTERING ? &job->clusters : NULL,
        .feature_names = feature_names(job),
        .class_names = job->class_names,
        .scores = job->has_scores,
        .labels = job->dataset->label,
        .predictions = job->scores,
        .n = job->dataset->n_rows,
        .curves = curves,
        .n_curves = (int)artifact->n_history,
        .diagnosis = diagnosis,
        .figures = strbuf_str(&job->figures),
    };
    rank_features(job, report);
}

static bool write_chart(void *arg, const char *name, Str svg, Error *err)
{
    ARENA(scratch);
    return file_commit(path_join(&scratch, arg, name), svg, err);
}

static bool write_pages(Job *job, const Diagnosis *diagnosis, Error *err)
{
    if (!args_has(job->args, "report") && !args_has(job->args, "charts")) return true;
    Report report;
    fill_report(job, diagnosis, &report);
    if (args_has(job->args, "report")) {
        AUTO_STRBUF StrBuf page = STRBUF(TEXT_MAX);
        report_html(&report, &page);
        if (!file_commit(args_get(job->args, "report").ptr, strbuf_str(&page), err)) return false;
    }
    if (!args_has(job->args, "charts")) return true;
    char *folder = arena_cstr(&job->arena, args_get(job->args, "charts"));
    return folder_make(folder, err) && report_charts(&report, write_chart, folder, err);
}

static const char *const task_names[] = {
    [TASK_REGRESSION] = "regression", [TASK_BINARY] = "binary",
    [TASK_MULTICLASS] = "multiclass", [TASK_RANKING] = "ranking",
    [TASK_SURVIVAL] = "survival",     [TASK_CLUSTERING] = "clustering",
};

static void print_json(Job *job, const Diagnosis *diagnosis)
{
    const Str *names = feature_names(job);
    AUTO_STRBUF StrBuf text = STRBUF(TEXT_MAX);
    JsonWriter json = JSON_WRITER(&text);
    json_begin_object(&json);
    json_member_string(&json, "model", job->args->positional[0]);
    json_member_string(&json, "data", job->args->positional[1]);
    json_member_int(&json, "rows", job->dataset->n_rows);
    json_member_string(&json, "task", str_of(task_names[job->task]));
    for (int i = 0; i < job->n_measures; i++)
        json_member_double(&json, job->measure_names[i], job->measures[i]);
    switch (job->task) {
    case TASK_REGRESSION: regression_json(&job->regression, &json); break;
    case TASK_RANKING: ranking_json(&job->ranking, &json); break;
    case TASK_SURVIVAL: survival_json(&job->survival, &json); break;
    case TASK_CLUSTERING: clusters_json(&job->clusters, names, &json); break;
    case TASK_BINARY:
    case TASK_MULTICLASS:
        classification_json(&job->classification, job->class_names, job->has_scores, &json);
    }
    if (diagnosis) diagnosis_json(diagnosis, &json);
    json_end_object(&json);
    puts(strbuf_cstr(&text));
}

static void print_text(Job *job, const Diagnosis *diagnosis)
{
    printf("%lld rows\n\n%s", (long long)job->dataset->n_rows, strbuf_cstr(&job->figures));
    if (diagnosis) {
        printf("\ntraining         %.*s\n", STR_ARG(diagnosis->seen));
        for (int i = 0; i < diagnosis->n_advice; i++)
            printf("  - %.*s\n", STR_ARG(diagnosis->advice[i]));
    }
    if (args_has(job->args, "report"))
        printf("\nreport           %s\n", args_get(job->args, "report").ptr);
}

static bool run_job(Job *job, bool *ret_usage, Error *err)
{
    const Args *args = job->args;
    ReadOptions read;
    if (!read_options(args, &read, err) || !threads_option(args, &job->pool, err) ||
        !args_real(args, "threshold", 0, 1, 0.5, &job->threshold, err)) {
        *ret_usage = true;
        return false;
    }
    if (!artifact_open(args->positional[0].ptr, &job->artifact, err)) return false;
    job->task = job->artifact.algorithm->task(job->artifact.model);
    if (!read_data(job, &read, err) || !evaluate_task(job, err)) return false;
    Diagnosis diagnosis;
    bool diagnosed = diagnose(job, &diagnosis);
    if (!write_pages(job, diagnosed ? &diagnosis : NULL, err)) return false;
    if (args_has(args, "json"))
        print_json(job, diagnosed ? &diagnosis : NULL);
    else
        print_text(job, diagnosed ? &diagnosis : NULL);
    return true;
}

static bool evaluate_run(const Args *args, bool *ret_usage, Error *err)
{
    if (args->n_positional != 2)
        return USAGE("say the model and the data: clary evaluate MODEL DATA");
    Job job = {.args = args, .figures = STRBUF(TEXT_MAX)};
    bool ok = run_job(&job, ret_usage, err);
    strbuf_clear(&job.figures);
    data_free(job.scores);
    dataset_free(job.dataset);
    artifact_clear(&job.artifact);
    pool_free(job.pool);
    arena_clear(&job.arena);
    return ok;
}

const Command evaluate_command = {
    .name = "evaluate",
    .synopsis = "MODEL DATA [OPTION...]",
    .summary = "how good a model is on data: metrics, charts, advice",
    .examples = examples,
    .options = options,
    .run = evaluate_run,
};
