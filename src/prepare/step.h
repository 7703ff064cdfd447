#ifndef CLARY_PREPARE_STEP_H
#define CLARY_PREPARE_STEP_H

/* What the files of this folder share: the description of a step, and tables that steps can change.
 *
 * Tables are frames in one form: numbers are doubles with NaN where missing, texts are categories with
 * code -1 where missing, times and bools have validity bits. */

#include "base/memory.h"
#include "data/dictionary.h"
#include "format/json_build.h"
#include "prepare/recipe.h"
#include "stats/univariate.h"

#include <math.h>

enum { STEP_WORDS_MAX = 10, STEP_ALIASES_MAX = 12 };

typedef enum WordKind {
    WORD_END,
    WORD_CHOICE,
    WORD_NUMBER,
    WORD_TEXT,   /* a value of the table, a new name */
    WORD_TEXTS,  /* several, with commas */
    WORD_COLUMN, /* of the table */
} WordKind;

/* A word that a step takes, followed by its value. */
typedef struct StepWord {
    const char *name, *alias;
    WordKind kind;
    const char *const *choices; /* NULL-terminated */
    const char *preset;         /* as a user would write it; NULL: required unless `optional` */
    bool optional;
    double min, max;
    const char *help;
} StepWord;

/* Another name: the step with words after it, "with median". */
typedef struct StepAlias {
    const char *name, *words;
} StepAlias;

#define TYPE_BIT(type) (1u << (type))
enum {
    TAKES_NUMBERS = TYPE_BIT(COLUMN_NUMBER),
    TAKES_WORDS = TYPE_BIT(COLUMN_CATEGORY) | TYPE_BIT(COLUMN_BOOL),
    TAKES_TIMES = TYPE_BIT(COLUMN_TIME),
    TAKES_ALL = TAKES_NUMBERS | TAKES_WORDS | TAKES_TIMES,
};

typedef enum TableRole { TABLE_TRAIN, TABLE_OTHER } TableRole;

typedef struct StepKind {
    const char *name, *group, *summary, *example;
    StepAlias aliases[STEP_ALIASES_MAX];
    bool no_columns;                      /* takes none */
    bool one_column;                      /* exactly one */
    unsigned takes;                       /* TAKES_..., of the columns; `*` means all of these */
    unsigned (*takes_with)(const Step *); /* where it depends on the words */
    bool whole_table;                     /* no columns named: all */
    bool explicit_all; /* `*` is every column, the target too: select, drop, deduplicate */
    StepWord words[STEP_WORDS_MAX];
    bool (*check)(const Step *step, Error *err); /* rules that span words; or NULL */
    /* Sets what step_learned() is to find at the time of apply; or NULL. */
    bool (*fit)(Step *step, Frame *table, Error *err);
    bool (*apply)(const Step *step, Frame *table, TableRole role, Error *err);
} StepKind;

typedef struct StepValue {
    bool given; /* or preset */
    int choice;
    double number;
    Str text;
    Str *texts;
    int32_t n_texts;
} StepValue;

struct Step {
    const StepKind *kind;
    Arena *arena; /* the recipe's */
    Str text;     /* as it was written */
    Str *columns; /* names; the resolved ones after fit */
    int32_t n_columns;
    bool all; /* `*` */
    Str *except;
    int32_t n_except;
    StepValue values[STEP_WORDS_MAX];
    Json *learned;      /* an object, made by fit */
    const Json *loaded; /* or read from a document */
    Str target;         /* that `*` leaves out */
    uint8_t *held;      /* split: rows that go aside; data_alloc'ed, taken by recipe_fit */
};

extern const StepKind *const step_kinds[]; /* NULL-terminated */

/* A word's value by name; the name must be in the table. */
const StepValue *step_value(const Step *step, const char *name);
#define step_choice(step, name) (step_value(step, name)->choice)
#define step_number(step, name) (step_value(step, name)->number)
#define step_text(step, name) (step_value(step, name)->text)
#define step_given(step, name) (step_value(step, name)->given)

const Json *step_learned(const Step *step);

/* One learned number or text a column, kept as {"NAME": ...} in the object `what`. */
void step_learn_number(Step *step, const char *what, Str column, double x);
bool step_learned_number(const Step *step, const char *what, Str column, double *ret_x, Error *err);

/* An array of doubles of a JSON value, into `arena`. */
bool json_doubles(const Json *array, Arena *arena, double **ret_x, int32_t *ret_n, Error *err);
Json *json_of_doubles(Arena *arena, const double *x, int64_t n);

/* The column, which must be there and of a type that the step takes. */
bool step_column(const Step *step, const Frame *table, Str name, unsigned takes,
                 Column **ret_column, Error *err);
unsigned step_takes(const Step *step);

/* ---- tables (table.c) ---- */

bool table_normalize(Frame *table, Error *err); /* to the one form */

static inline bool cell_missing(const Column *c, int64_t row)
{
    switch (c->type) {
    case COLUMN_NUMBER: return isnan(c->f64[row]);
    case COLUMN_CATEGORY: return c->codes[row] < 0;
    default: return !column_is_valid(c, row);
    }
}

/* A value that can be put into a column. */
typedef struct Cell {
    double number;
    int32_t code;
    int64_t time_us;
    uint8_t boolean;
} Cell;

Cell cell_get(const Column *c, int64_t row);
void cell_set(Column *c, int64_t row, Cell cell); /* makes it valid */
/* A text as a value of the column; categories get the word when it is new. */
bool cell_parse(Frame *table, Column *c, Str text, Cell *ret_cell, Error *err);

/* Puts `n_insert` columns in place of `n_remove` at position `at`. */
void table_splice(Frame *table, int32_t at, int32_t n_remove, const Column *insert,
                  int32_t n_insert);
void table_remove(Frame *table, int32_t at);
/* A column of n_rows zeros; its name must be new. */
bool number_column(Frame *table, Str name, Column *ret_column, Error *err);

/* Keeps the rows with keep[row] != 0; the others go to *ret_rest unless that is NULL. */
bool table_keep(Frame *table, const uint8_t *keep, Frame **ret_rest, Error *err);

bool column_statistics(const Column *c, Univariate *ret, Error *err);

/* The rows in this order, each as often as it is named. */
bool table_gather(Frame *table, const int64_t *rows, int64_t n, Error *err);

/* Codes of the distinct values in the order in which people expect them: numbers by value, else bytewise.
 * codes[row] is -1 where missing; words are what column_text prints. */
typedef struct Levels {
    Arena arena;
    Str *words;
    int32_t n;
    int32_t *codes; /* data_alloc'ed */
} Levels;
bool levels_of(const Column *c, Levels *ret_levels, Error *err);
void levels_clear(Levels *levels);
#define LEVELS(name) __attribute__((cleanup(levels_clear))) Levels name = {0}

/* What is learned goes into a JSON document, which holds UTF-8 only. */
bool need_utf8(Str column, Str text, Error *err);

/* Position of each row's value among the learned words: -1 missing, -2 unknown. */
bool codes_in(const Column *c, const Json *words, int32_t **ret_codes, Error *err);
/* The words of each column, learned as {"words": {"city": [...]}}. */
bool words_fit(Step *step, Frame *table, Error *err);
bool learned_words(const Step *step, Str column, const Json **ret_words, Error *err);
Json *json_of_words(Arena *arena, const Str *words, int32_t n);

#endif
