#ifndef CLARY_PREPARE_RECIPE_H
#define CLARY_PREPARE_RECIPE_H

/* Recipes: steps that turn a raw table into features, learned on one table and applied to others.
 *
 *     fill age, fare with median
 *     one-hot city drop first
 *     standardize *
 *
 * A recipe is parsed, then either fitted on the training table or read back from the document that a
 * fitted one wrote.  What is learned (means, words, fences) comes from the training table alone. */

#include "base/strbuf.h"
#include "data/frame.h"
#include "format/json.h"

enum {
    RECIPE_VERSION = 1,
    RECIPE_STEPS_MAX = 1000,
    RECIPE_LINE_WORDS_MAX = 20000,
    RECIPE_BYTES_MAX = 256 << 20, /* of the document */
    TABLE_COLUMNS_MAX = 200000,   /* that steps may make */
};

typedef struct Step Step;

typedef struct RecipeColumn { /* of the raw training table */
    Str name;
    ColumnType type;
} RecipeColumn;

typedef struct Recipe {
    Arena arena;
    Step *steps;
    int32_t n_steps, capacity;
    RecipeColumn *columns; /* once fitted */
    int32_t n_columns;
    bool fitted;
} Recipe;

void recipe_init(Recipe *recipe);
void recipe_clear(Recipe *recipe);

/* Adds the steps of a text, one a line; '#' begins a comment.  Errors say "NAME line 3: ...". */
bool recipe_parse(Recipe *recipe, const char *name, Str text, Error *err);

/* Learns each step from the table as the steps before it leave it, and applies it.  A split puts rows
 * aside: *ret_held is NULL without one. */
bool recipe_fit(Recipe *recipe, Frame *train, Frame **ret_held, Error *err);

/* Applies a fitted recipe.  The table needs the columns that the steps name, not the target. */
bool recipe_apply(const Recipe *recipe, Frame *frame, Error *err);

/* Where a table was read with other types than the training table: the columns of it that must be
 * numbers and those that must be categories, for a second reading.  Views into `frame`. */
bool recipe_types_differ(const Recipe *recipe, const Frame *frame, Arena *arena, Str **ret_numbers,
                         int32_t *ret_n_numbers, Str **ret_categories, int32_t *ret_n_categories);

/* The fitted recipe as a document, and back. */
void recipe_document(const Recipe *recipe, StrBuf *out);
bool recipe_from_document(Recipe *recipe, Str text, Error *err);

/* All steps for people: name, what it does, its words, aliases.  markdown: for doc/prepare.md. */
void recipe_steps_help(StrBuf *out, bool markdown);

#endif
