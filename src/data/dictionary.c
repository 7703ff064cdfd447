/* Words and their positions: open addressing with linear steps, at most half full. */

#include "data/dictionary.h"

#include "base/hash.h"

#include <math.h>
#include <stdlib.h>

enum { SEED = 0x5eed };

static uint32_t slot_of(const Dictionary *dictionary, Str word)
{
    uint32_t mask = dictionary->n_slots - 1, slot = (uint32_t)hash_str(word, SEED) & mask;
    while (dictionary->slots[slot] && !str_eq(dictionary->words[dictionary->slots[slot] - 1], word))
        slot = (slot + 1) & mask;
    return slot;
}

static void rehash(Dictionary *dictionary, uint32_t n_slots)
{
    dictionary->n_slots = n_slots;
    dictionary->slots = arena_array(dictionary->arena, int32_t, n_slots);
    for (int32_t i = 0; i < dictionary->n; i++) {
        uint32_t slot = slot_of(dictionary, dictionary->words[i]);
        if (!dictionary->slots[slot]) dictionary->slots[slot] = i + 1;
    }
}

int32_t dictionary_find(const Dictionary *dictionary, Str word)
{
    return dictionary->n_slots ? dictionary->slots[slot_of(dictionary, word)] - 1 : -1;
}

int32_t dictionary_add(Dictionary *dictionary, Str word)
{
    if (2 * ((uint32_t)dictionary->n + 1) > dictionary->n_slots)
        rehash(dictionary, MAX(2 * dictionary->n_slots, 16u));
    uint32_t slot = slot_of(dictionary, word);
    if (dictionary->slots[slot]) return dictionary->slots[slot] - 1;

    if (dictionary->n == dictionary->capacity) {
        int32_t capacity = MAX(2 * dictionary->capacity, 16);
        dictionary->words = arena_grow(dictionary->arena, dictionary->words, (size_t)dictionary->n,
                                       (size_t)capacity, sizeof(Str));
        dictionary->capacity = capacity;
    }
    dictionary->words[dictionary->n] = arena_str(dictionary->arena, word);
    dictionary->slots[slot] = ++dictionary->n;
    return dictionary->n - 1;
}

void dictionary_of(Dictionary *dictionary, Arena *arena, Str *words, int32_t n)
{
    uint32_t n_slots = 16;
    while (n_slots < 2 * (uint32_t)n) n_slots *= 2;
    *dictionary = (Dictionary){.arena = arena, .words = words, .n = n, .capacity = n};
    rehash(dictionary, n_slots);
}

typedef struct Sortable {
    Str word;
    double number;
    int32_t position;
} Sortable;

static int compare_words(const void *a, const void *b)
{
    const Sortable *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return str_compare(x->word, y->word);
}

void words_sort(const Str *words, int32_t n, int32_t *order)
{
    ARENA(scratch);
    Sortable *sortable = arena_array(&scratch, Sortable, n);
    bool numbers = true;
    for (int32_t i = 0; i < n; i++) {
        sortable[i] = (Sortable){words[i], 0, i};
        numbers = numbers && str_to_double(words[i], &sortable[i].number) &&
                  !isnan(sortable[i].number);
    }
    if (!numbers)
        for (int32_t i = 0; i < n; i++) sortable[i].number = 0;
    if (n) qsort(sortable, (size_t)n, sizeof *sortable, compare_words);
    for (int32_t i = 0; i < n; i++) order[i] = sortable[i].position;
}
