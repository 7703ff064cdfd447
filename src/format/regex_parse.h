#ifndef CLARY_FORMAT_REGEX_PARSE_H
#define CLARY_FORMAT_REGEX_PARSE_H

/* The tree of a regular expression; see regex.h. */

#include "base/arena.h"
#include "format/regex.h"

typedef struct RegexRange {
    uint32_t first, last;
} RegexRange;

/* Characters; `ascii` already has the negation in it. */
typedef struct RegexSet {
    uint64_t ascii[2];
    const RegexRange *ranges; /* those from 128 on, in order, apart */
    size_t n;
    bool negated;
} RegexSet;

typedef enum RegexNodeType {
    REGEX_EMPTY,
    REGEX_SET,
    REGEX_ASSERT,
    REGEX_LOOK,
    REGEX_LIST,
    REGEX_ALTERNATIVES,
    REGEX_REPEAT,
    REGEX_GROUP,
} RegexNodeType;

typedef enum RegexAssertion {
    REGEX_BEGIN,      /* \A, ^ */
    REGEX_END,        /* \z */
    REGEX_END_LINE,   /* $, \Z: also before a last line feed */
    REGEX_LINE_BEGIN, /* (?m)^ */
    REGEX_LINE_END,   /* (?m)$ */
    REGEX_WORD_EDGE,
    REGEX_NO_WORD_EDGE,
} RegexAssertion;

typedef struct RegexNode RegexNode;
struct RegexNode {
    RegexNodeType type;
    int number;   /* SET, LOOK, GROUP: which; ASSERT: RegexAssertion */
    int min, max; /* REPEAT; max -1: no end */
    bool lazy;
    RegexNode *first, *next; /* inside; behind, in the node that both are in */
};

typedef struct RegexTree {
    const RegexNode *top;
    const RegexSet *const *sets;
    int n_groups; /* with group 0 */
    int n_looks;
    struct {
        const RegexNode *tree;
        bool ahead, negated;
    } looks[REGEX_LOOKS_MAX]; /* those inside others first */
} RegexTree;

/* Nodes go into `scratch`, sets into `arena`. */
bool regex_parse(Str pattern, int flags, Arena *scratch, Arena *arena, RegexTree *ret_tree,
                 Error *err);

#endif
