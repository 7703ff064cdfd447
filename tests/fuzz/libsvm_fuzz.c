#include "data/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whole and in small blocks: the rows must be the same.  A model of few features, because naming
 * millions of them for each input would be all that is tried. */
static Feature features[1000];
static const Schema schema = {.features = features, .n_features = COUNT(features)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Dataset *datasets[2] = {NULL, NULL};
    bool ok[2];
    for (int i = 0; i < 2; i++) {
        Error err = {0};
        ReadReport report = {0};
        AUTO(source_close) Source *source = NULL;
        SourceOptions how = {.block_bytes = 5, .never_map = i == 1};
        Str text = {(const char *)data, size};
        ok[i] = source_open_bytes(text, "fuzz", &how, &source, &err) &&
                dataset_read_libsvm(source, &(ReadOptions){.skip_bad_rows = true},
                                    &(DatasetRoles){.schema = &schema}, NULL, &datasets[i], &report,
                                    &err);
    }
    if (ok[0] != ok[1]) __builtin_trap();
    if (ok[0]) {
        const Dataset *a = datasets[0], *b = datasets[1];
        if (a->n_rows != b->n_rows || a->row_start[a->n_rows] != b->row_start[b->n_rows])
            __builtin_trap();
        for (int64_t i = 0; i < a->n_rows; i++)
            for (int64_t k = a->row_start[i]; k < a->row_start[i + 1]; k++) {
                if (a->col[k] < 0 || a->col[k] >= a->n_features || a->col[k] != b->col[k])
                    __builtin_trap();
                if (k > a->row_start[i] && a->col[k] <= a->col[k - 1]) __builtin_trap();
            }
    }
    dataset_free(datasets[0]);
    dataset_free(datasets[1]);
    return 0;
}
