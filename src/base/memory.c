/* Data-sized memory.
 *
 * Blocks of 1 MiB and more are mapped directly: they come zeroed without being touched, go back
 * to the system when freed (the peak is what users pay for), and are advised to use huge pages,
 * which halves the time of random access over large tables.  A 64-byte header before the block
 * keeps its size. */

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

typedef struct Header {
    size_t mapped; /* bytes of the mapping, 0 when the block came from the heap */
    size_t bytes;
} Header;

enum { HEADER_BYTES = 64, SLACK_BYTES = 64, MAP_FROM = 1 << 20, HUGE_PAGE = 2 << 20 };

/* Whole huge pages only, so that the end of a block is not rounded up to one in memory. */
static void advise_huge(char *base, size_t mapped)
{
    if (mapped >= HUGE_PAGE) madvise(base, mapped & ~(size_t)(HUGE_PAGE - 1), MADV_HUGEPAGE);
}

/* Large mappings begin on a huge page: the kernel can use none elsewhere. */
static char *map_memory(size_t size)
{
    size_t more = size >= HUGE_PAGE ? HUGE_PAGE : 0;
    char *room = mmap(NULL, size + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                      0);
    if (room == MAP_FAILED) return NULL;
    if (!more) return room;
    size_t before = -(uintptr_t)room & (HUGE_PAGE - 1);
    if (before) munmap(room, before);
    if (before < more) munmap(room + before + size, more - before);
    advise_huge(room + before, size);
    return room + before;
}

static Header *header_of(void *block)
{
    return (Header *)(void *)((char *)block - HEADER_BYTES);
}

void *data_alloc(size_t n, size_t size, const char *what, Error *err)
{
    size_t bytes, total;
    char text[32];
    if (__builtin_mul_overflow(n, size, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)(HEADER_BYTES + SLACK_BYTES + 4096), &total)) {
        error_set(err, ERROR_NO_MEMORY, "no memory for %s: %s", what,
                  bytes_text((double)n * (double)size, text));
        return NULL;
    }

    char *base;
    Header header = {0, bytes};
    if (bytes >= MAP_FROM) {
        header.mapped = total & ~(size_t)4095;
        base = map_memory(header.mapped);
    } else {
        size_t heap = (bytes + HEADER_BYTES + SLACK_BYTES + 63) & ~(size_t)63;
        base = aligned_alloc(64, heap);
        if (base) memset(base, 0, heap);
    }
    if (!base) {
        error_set(err, ERROR_NO_MEMORY, "no memory for %s: %s", what,
                  bytes_text((double)bytes, text));
        return NULL;
    }
    memcpy(base, &header, sizeof header);
    return base + HEADER_BYTES;
}

void *data_grow(void *block, size_t n_old, size_t n, size_t size, const char *what, Error *err)
{
    size_t bytes, total;
    Header *header = block ? header_of(block) : NULL;
    if (header && header->mapped && !__builtin_mul_overflow(n, size, &bytes) &&
        !__builtin_add_overflow(bytes, (size_t)(HEADER_BYTES + SLACK_BYTES + 4096), &total)) {
        total &= ~(size_t)4095;
        char *base = mremap(header, header->mapped, total, MREMAP_MAYMOVE);
        if (base != MAP_FAILED) {
            *(Header *)(void *)base = (Header){total, bytes};
            advise_huge(base, total);
            return base + HEADER_BYTES;
        }
    }
    void *grown = data_alloc(n, size, what, err);
    if (!grown) return NULL;
    if (block) memcpy(grown, block, MIN(n_old, n) * size);
    data_free(block);
    return grown;
}

void data_free(void *block)
{
    if (!block) return;
    Header *header = header_of(block);
    if (header->mapped)
        munmap(header, header->mapped);
    else
        free(header);
}

const char *bytes_text(double bytes, char buffer[static 32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < COUNT(units)) {
        bytes /= 1000;
        unit++;
    }
    snprintf(buffer, 32, unit && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return buffer;
}

int64_t peak_rss_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

void memory_exhausted(size_t size)
{
    fprintf(stderr, "clary: out of memory: %zu bytes were refused\n", size);
    abort();
}
