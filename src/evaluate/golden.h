#ifndef CLARY_EVALUATE_GOLDEN_H
#define CLARY_EVALUATE_GOLDEN_H

/* Tests only: reads the cases of tests/golden/evaluate/evaluate.txt (make.py there says how). */

#include "base/file.h"
#include "base/test.h"

#include <stdlib.h>

typedef struct GoldenValue {
    Str name;
    double value;
} GoldenValue;

enum { GOLDEN_VALUES_MAX = 200 };

typedef struct GoldenCase {
    Str name, kind;
    int64_t n;
    int32_t n_classes;
    float *labels, *scores, *weights; /* weights NULL: none */
    GoldenValue values[GOLDEN_VALUES_MAX];
    int n_values;
} GoldenCase;

typedef struct Golden {
    Arena *arena;
    Str rest;
} Golden;

static inline Golden golden_open(Arena *arena)
{
    Golden golden = {arena, {0}};
    Error err = {0};
    CHECK_OK(file_read(test_path("tests/golden/evaluate/evaluate.txt"), 1 << 20, arena,
                       &golden.rest, &err),
             err);
    return golden;
}

static inline double golden_number(Str *line)
{
    Str word;
    double x = 0;
    CHECK(str_next(line, ' ', &word) && str_to_double(word, &x));
    return x;
}

static inline bool golden_next(Golden *golden, GoldenCase *ret)
{
    Str line, word;
    do
        if (!str_next_line(&golden->rest, &line)) return false;
    while (!str_next(&line, ' ', &word) || !str_is(word, "case"));
    *ret = (GoldenCase){0};
    str_next(&line, ' ', &ret->name);
    str_next(&line, ' ', &ret->kind);
    ret->n = (int64_t)golden_number(&line);
    ret->n_classes = (int32_t)golden_number(&line);
    bool weighted = golden_number(&line) != 0;
    int64_t width = ret->n_classes > 2 ? ret->n_classes : 1;
    ret->labels = arena_array(golden->arena, float, ret->n);
    ret->scores = arena_array(golden->arena, float, ret->n *width);
    float *weights = arena_array(golden->arena, float, ret->n);
    for (int64_t i = 0; i < ret->n; i++) {
        CHECK(str_next_line(&golden->rest, &line));
        ret->labels[i] = (float)golden_number(&line);
        for (int64_t j = 0; j < width; j++)
            ret->scores[i * width + j] = (float)golden_number(&line);
        weights[i] = (float)golden_number(&line);
    }
    ret->weights = weighted ? weights : NULL;
    while (str_next_line(&golden->rest, &line) && str_next(&line, ' ', &word) &&
           str_is(word, "value")) {
        CHECK(ret->n_values < GOLDEN_VALUES_MAX);
        GoldenValue *value = &ret->values[ret->n_values++];
        str_next(&line, ' ', &value->name);
        value->value = golden_number(&line);
    }
    return true;
}

#endif
