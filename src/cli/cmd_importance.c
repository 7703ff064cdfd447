/* clary importance: which features a model relies on. */

#include "cli/cli.h"

#include "train/artifact.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const kinds[] = {"gain", "weight", "cover", "total_gain", "total_cover", NULL};

static const Option options[] = {
    {"kind", 0, "KIND",
     "gain: mean improvement of its splits; weight: number of splits; cover: rows behind them; "
     "total_gain, total_cover: the sums (total_gain)",
     false, kinds},
    {"json", 0, NULL, "as a JSON object", false, NULL},
    {0},
};

static const char *const examples[] = {
    "clary importance model.tar.gz",
    "clary importance model.tar.gz --kind weight --json",
    NULL,
};

typedef struct Row {
    Str name;
    double value;
} Row;

static int by_value_falling(const void *a, const void *b)
{
    const Row *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    return str_compare(x->name, y->name);
}

static void print_rows(const Row *rows, int32_t n, double total)
{
    for (int32_t i = 0; i < n && rows[i].value != 0; i++) {
        double share = total > 0 ? rows[i].value / total : 0;
        printf("%-32.*s %12.6g  %5.1f %%  ", STR_ARG(rows[i].name), rows[i].value, 100 * share);
        for (int k = 0; k < (int)(share * 40 + 0.5); k++) putchar('#');
        putchar('\n');
    }
}

static bool importance_run(const Args *args, bool *ret_usage, Error *err)
{
    if (args->n_positional != 1) return USAGE("say the model: clary importance MODEL");
    ARENA(scratch);
    AUTO_ARTIFACT Artifact artifact = {0};
    if (!artifact_open(args->positional[0].ptr, &artifact, err)) return false;
    const Algorithm *algorithm = artifact.algorithm;
    if (!algorithm->importance)
        return error_set(err, ERROR_UNSUPPORTED, "models of %s have no feature importance",
                         algorithm->name);
    const char *kind = args_has(args, "kind") ? args_get(args, "kind").ptr : "total_gain";
    double *values, total = 0;
    if (!algorithm->importance(artifact.model, kind, &scratch, &values, err)) return false;

    int32_t n = algorithm->n_features(artifact.model);
    Row *rows = arena_array(&scratch, Row, n);
    for (int32_t j = 0; j < n; j++) {
        rows[j] = (Row){artifact.has_schema ? artifact.schema.features[j].name
                                            : arena_format(&scratch, "f%d", j),
                        values[j]};
        total += values[j];
    }
    qsort(rows, (size_t)n, sizeof(Row), by_value_falling);
    if (!args_has(args, "json")) {
        print_rows(rows, n, total);
        return true;
    }
    AUTO_STRBUF StrBuf text = STRBUF(256 << 20);
    JsonWriter json = JSON_WRITER(&text);
    json_begin_object(&json);
    for (int32_t j = 0; j < n; j++) {
        json_name(&json, rows[j].name);
        json_double(&json, rows[j].value);
    }
    json_end_object(&json);
    puts(strbuf_cstr(&text));
    return true;
}

const Command importance_command = {
    .name = "importance",
    .synopsis = "MODEL [--kind KIND] [--json]",
    .summary = "which features a model relies on",
    .examples = examples,
    .options = options,
    .run = importance_run,
};
