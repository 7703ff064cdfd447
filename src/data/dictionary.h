#ifndef CLARY_DATA_DICTIONARY_H
#define CLARY_DATA_DICTIONARY_H

/* Words and their positions in the order in which they were first added. */

#include "base/arena.h"

typedef struct Dictionary {
    Arena *arena; /* words and tables live in it */
    Str *words;
    int32_t n;
    int32_t capacity;
    int32_t *slots; /* position + 1 of a word, 0: free; a power of two of them */
    uint32_t n_slots;
} Dictionary;

#define DICTIONARY(in_arena)                                                                       \
    {                                                                                              \
        .arena = (in_arena)                                                                        \
    }

/* Position of the word, which is copied into the arena when it is new. */
int32_t dictionary_add(Dictionary *dictionary, Str word);

/* Position of the word, or -1. */
int32_t dictionary_find(const Dictionary *dictionary, Str word);

/* A dictionary over words that are there already (of equal ones, the first counts). */
void dictionary_of(Dictionary *dictionary, Arena *arena, Str *words, int32_t n);

/* The order in which people expect the words: by value when all are numbers, else bytewise.
 * order[k] is the position of the k-th; `order` has room for n. */
void words_sort(const Str *words, int32_t n, int32_t *order);

#endif
