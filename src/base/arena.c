/* Arenas: blocks that double up to 1 MiB, handed out from the front, freed together. */

#include "base/arena.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct ArenaBlock {
    ArenaBlock *older;
    size_t size;
    _Alignas(16) char bytes[];
};

enum { BLOCK_MIN = 4096 - sizeof(ArenaBlock), BLOCK_MAX = 1 << 20, BLOCK_KEPT_MAX = 64 << 10 };

void *arena_alloc(Arena *arena, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded < size) memory_exhausted(size);
    if (!arena->blocks || rounded > (size_t)(arena->end - arena->next)) { /* never NULL */
        size_t block_size = arena->blocks ? MIN(arena->blocks->size * 2, (size_t)BLOCK_MAX)
                                          : BLOCK_MIN;
        block_size = MAX(block_size, rounded);
        ArenaBlock *block = calloc(1, sizeof *block + block_size);
        if (!block) memory_exhausted(block_size);
        block->older = arena->blocks;
        block->size = block_size;
        arena->blocks = block;
        arena->next = block->bytes;
        arena->end = block->bytes + block_size;
    }
    void *memory = arena->next;
    arena->next += rounded;
    return memory;
}

void *arena_alloc_array(Arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) memory_exhausted(SIZE_MAX);
    return arena_alloc(arena, bytes);
}

void *arena_grow(Arena *arena, const void *old, size_t n_old, size_t n_new, size_t size)
{
    void *grown = arena_alloc_array(arena, n_new, size);
    if (n_old) memcpy(grown, old, n_old * size);
    return grown;
}

Str arena_str(Arena *arena, Str s)
{
    return (Str){arena_cstr(arena, s), s.len};
}

char *arena_cstr(Arena *arena, Str s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    if (s.len) memcpy(copy, s.ptr, s.len);
    return copy;
}

Str arena_format(Arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0);
    char *text = arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return (Str){text, (size_t)n};
}

void arena_clear(Arena *arena)
{
    for (ArenaBlock *block = arena->blocks, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    *arena = (Arena){0};
}

void arena_reset(Arena *arena)
{
    ArenaBlock *block = arena->blocks;
    if (!block || block->size > BLOCK_KEPT_MAX) {
        arena_clear(arena);
        return;
    }
    /* The newest is the largest.  What is handed out must be zero again. */
    arena->blocks = block->older;
    memset(block->bytes, 0, (size_t)(arena->next - block->bytes));
    arena_clear(arena);
    block->older = NULL;
    *arena = (Arena){block, block->bytes, block->bytes + block->size};
}
