#ifndef CLARY_BASE_ARENA_H
#define CLARY_BASE_ARENA_H

/* Memory that dies together: an arena per phase (request, parse, report, training step).
 *
 *     ARENA(scratch);
 *     Str *names = arena_array(&scratch, Str, n);
 *
 * Everything is zeroed and aligned to 16 bytes.  Bookkeeping memory does not fail: the process
 * ends with a message.  Data-sized memory belongs in data_alloc (memory.h). */

#include "base/str.h"

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
    ArenaBlock *blocks;
    char *next, *end;
} Arena;

#define ARENA(name) __attribute__((cleanup(arena_clear))) Arena name = {0}

void *arena_alloc(Arena *arena, size_t size);
#define arena_new(arena, Type) ((Type *)arena_alloc(arena, sizeof(Type)))
#define arena_array(arena, Type, n) ((Type *)arena_alloc_array(arena, (size_t)(n), sizeof(Type)))
void *arena_alloc_array(Arena *arena, size_t n, size_t size);

/* A larger copy of an array of n_old elements; the old one stays in the arena until it is cleared. */
void *arena_grow(Arena *arena, const void *old, size_t n_old, size_t n_new, size_t size);

Str arena_str(Arena *arena, Str s);    /* a copy; NUL-terminated beyond its length */
char *arena_cstr(Arena *arena, Str s); /* the same as a C string */
Str arena_format(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3); /* NUL-terminated too */

void arena_clear(Arena *arena); /* releases all; the arena may be used again */
void arena_reset(
    Arena *arena); /* the same, but keeps a block: for arenas that are filled again and again */

#endif
