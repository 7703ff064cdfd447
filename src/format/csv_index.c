/* Where the fields of a CSV text end.
 *
 * Blocks of 64 bytes become bit masks of separators, newlines and quotes.  A running exclusive-or
 * over the quote bits (a carry-less product with all ones) tells what lies inside quotes; what is
 * left of separators and newlines are the ends.  Their positions are compressed into a register and
 * stored from there: compressing to memory is microcode on some processors.
 *
 * Langdale, Lemire: Parsing Gigabytes of JSON per Second, 2019 (the masks and the product). */

#include "format/csv.h"

#if CLARY_X86
#include <immintrin.h>
#endif

typedef struct Block {
    uint64_t separators, newlines, quotes, returns;
    uint64_t beyond; /* behind the end of the text */
} Block;

typedef struct State {
    uint64_t inside;        /* all ones: the block begins inside quotes */
    uint64_t before_start;  /* bit 0: the byte before lets a quote open here */
    uint64_t after_closing; /* bit 0: the byte before closed quotes */
    uint64_t bad, quotes;
    size_t n_rows;
} State;

static const State start_state = {.before_start = 1};

static inline uint64_t prefix_xor(uint64_t x)
{
    x ^= x << 1;
    x ^= x << 2;
    x ^= x << 4;
    x ^= x << 8;
    x ^= x << 16;
    return x ^ x << 32;
}

/* Bits of the field ends of a block that has quotes in or around it. */
static inline uint64_t quoted_ends(const Block *block, uint64_t inside, State *state)
{
    inside ^= state->inside; /* ones from an opening quote to before the closing one */
    uint64_t ends = (block->separators | block->newlines) & ~inside;
    uint64_t opening = block->quotes & inside, closing = block->quotes & ~inside;
    uint64_t may_open = (ends | closing) << 1 | state->before_start;
    uint64_t follows = closing << 1 | state->after_closing;
    state->bad |= opening & ~may_open;
    state->bad |= follows & ~(ends | block->quotes | block->returns | block->beyond);
    state->quotes |= block->quotes;
    state->inside = (uint64_t)((int64_t)inside >> 63);
    state->before_start = (ends | closing) >> 63;
    state->after_closing = closing >> 63;
    return ends;
}

static inline uint64_t plain_ends(const Block *block, State *state)
{
    uint64_t ends = block->separators | block->newlines;
    state->before_start = ends >> 63;
    return ends;
}

static void finish(const State *state, size_t n_ends, bool nul, CsvIndex *index)
{
    *index = (CsvIndex){n_ends,          state->n_rows, state->inside != 0,
                        state->bad != 0, nul,           state->quotes != 0};
}

/* A block byte by byte: the last one of a text, and all where there is no vector code. */
static Block byte_block(const char *text, size_t n, char separator, bool *nul)
{
    Block block = {.beyond = n < 64 ? ~(uint64_t)0 << n : 0};
    for (size_t i = 0; i < n; i++) {
        uint64_t bit = (uint64_t)1 << i;
        if (text[i] == separator) block.separators |= bit;
        if (text[i] == '\n') block.newlines |= bit;
        if (text[i] == '"') block.quotes |= bit;
        if (text[i] == '\r') block.returns |= bit;
        if (text[i] == 0) *nul = true;
    }
    return block;
}

static inline size_t write_ends(uint64_t bits, size_t at, uint32_t *ends, size_t n)
{
    for (; bits; bits &= bits - 1) ends[n++] = (uint32_t)(at + (size_t)__builtin_ctzll(bits));
    return n;
}

static size_t byte_ends(const char *text, size_t at, size_t size, char separator, State *state,
                        bool *nul, uint32_t *ends, size_t n)
{
    Block block = byte_block(text + at, size, separator, nul);
    uint64_t bits = (block.quotes | state->inside | state->after_closing)
                        ? quoted_ends(&block, prefix_xor(block.quotes), state)
                        : plain_ends(&block, state);
    state->n_rows += (size_t)__builtin_popcountll(bits & block.newlines);
    return write_ends(bits, at, ends, n);
}

static void index_bytes(Str text, char separator, uint32_t *ends, CsvIndex *index)
{
    State state = start_state;
    bool nul = false;
    size_t n = 0;
    for (size_t at = 0; at < text.len; at += 64)
        n = byte_ends(text.ptr, at, MIN(text.len - at, (size_t)64), separator, &state, &nul, ends,
                      n);
    finish(&state, n, nul, index);
}

#if CLARY_X86

TARGET_AVX2 static inline uint64_t equal_32(__m256i low, __m256i high, char c)
{
    __m256i wanted = _mm256_set1_epi8(c);
    uint32_t a = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted));
    uint32_t b = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted));
    return a | (uint64_t)b << 32;
}

/* Eight at a time without asking; what is too much is overwritten by the next block. */
TARGET_AVX2 static inline size_t write_ends_avx2(uint64_t bits, size_t at, uint32_t *ends, size_t n)
{
    size_t count = (size_t)_mm_popcnt_u64(bits);
    uint32_t *to = ends + n;
    for (size_t done = 0; done < count; done += 8) {
        for (int i = 0; i < 8; i++) {
            to[i] = (uint32_t)at + (uint32_t)_tzcnt_u64(bits);
            bits = _blsr_u64(bits);
        }
        to += 8;
    }
    return n + count;
}

TARGET_AVX2 static void index_avx2(Str text, char separator, uint32_t *ends, CsvIndex *index)
{
    State state = start_state;
    bool nul = false;
    size_t n = 0, at = 0;
    __m256i least = _mm256_set1_epi8(-1);
    for (; at + 64 <= text.len; at += 64) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)(text.ptr + at));
        __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(text.ptr + at + 32));
        Block block = {.separators = equal_32(low, high, separator),
                       .newlines = equal_32(low, high, '\n'),
                       .quotes = equal_32(low, high, '"')};
        least = _mm256_min_epu8(least, _mm256_min_epu8(low, high));
        uint64_t bits;
        if (UNLIKELY(block.quotes | state.inside | state.after_closing)) {
            block.returns = equal_32(low, high, '\r');
            bits = quoted_ends(&block, prefix_xor(block.quotes), &state);
        } else {
            bits = plain_ends(&block, &state);
        }
        state.n_rows += (size_t)_mm_popcnt_u64(bits & block.newlines);
        n = write_ends_avx2(bits, at, ends, n);
    }
    __m256i zero = _mm256_cmpeq_epi8(least, _mm256_setzero_si256());
    if (_mm256_movemask_epi8(zero)) nul = true;
    if (at < text.len) n = byte_ends(text.ptr, at, text.len - at, separator, &state, &nul, ends, n);
    finish(&state, n, nul, index);
}

TARGET_AVX512 static inline void store_16(uint32_t *to, __m512i base, __m128i positions)
{
    _mm512_storeu_si512(to, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(positions)));
}

TARGET_AVX512 static void index_avx512(Str text, char separator, uint32_t *ends, CsvIndex *index)
{
    static const uint8_t counting[64] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const __m512i iota = _mm512_loadu_si512(counting), separators = _mm512_set1_epi8(separator);
    const __m512i newlines = _mm512_set1_epi8('\n'), quotes = _mm512_set1_epi8('"');
    const __m128i ones = _mm_set1_epi8(-1);
    State state = start_state;
    size_t n = 0;
    __m512i least = _mm512_set1_epi8(-1);
    for (size_t at = 0; at < text.len; at += 64) {
        __m512i bytes;
        uint64_t within = ~(uint64_t)0;
        if (LIKELY(at + 64 <= text.len)) {
            bytes = _mm512_loadu_si512(text.ptr + at);
        } else {
            within >>= 64 - (text.len - at);
            bytes = _mm512_mask_loadu_epi8(_mm512_set1_epi8(1), within, text.ptr + at);
        }
        Block block = {.separators = _mm512_cmpeq_epi8_mask(bytes, separators),
                       .newlines = _mm512_cmpeq_epi8_mask(bytes, newlines),
                       .quotes = _mm512_cmpeq_epi8_mask(bytes, quotes),
                       .beyond = ~within};
        least = _mm512_min_epu8(least, bytes);
        uint64_t bits;
        if (UNLIKELY(block.quotes | state.inside | state.after_closing)) {
            block.returns = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\r'));
            __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)block.quotes), ones,
                                                   0);
            bits = quoted_ends(&block, (uint64_t)_mm_cvtsi128_si64(product), &state);
        } else {
            bits = plain_ends(&block, &state);
        }
        state.n_rows += (size_t)_mm_popcnt_u64(bits & block.newlines);
        __m512i positions = _mm512_maskz_compress_epi8(bits, iota);
        __m512i base = _mm512_set1_epi32((int)(uint32_t)at);
        size_t count = (size_t)_mm_popcnt_u64(bits);
        store_16(ends + n, base, _mm512_castsi512_si128(positions));
        if (UNLIKELY(count > 16)) {
            store_16(ends + n + 16, base, _mm512_extracti32x4_epi32(positions, 1));
            store_16(ends + n + 32, base, _mm512_extracti32x4_epi32(positions, 2));
            store_16(ends + n + 48, base, _mm512_extracti32x4_epi32(positions, 3));
        }
        n += count;
    }
    bool nul = _mm512_testn_epi8_mask(least, least) != 0;
    finish(&state, n, nul, index);
}

TARGET_AVX2 static size_t count_quotes_avx2(Str text)
{
    size_t n = 0, at = 0;
    for (; at + 64 <= text.len; at += 64) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)(text.ptr + at));
        __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(text.ptr + at + 32));
        n += (size_t)_mm_popcnt_u64(equal_32(low, high, '"'));
    }
    for (; at < text.len; at++) n += text.ptr[at] == '"';
    return n;
}

TARGET_AVX512 static size_t count_quotes_avx512(Str text)
{
    size_t n = 0, at = 0;
    for (; at + 64 <= text.len; at += 64)
        n += (size_t)_mm_popcnt_u64(
            _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(text.ptr + at), _mm512_set1_epi8('"')));
    for (; at < text.len; at++) n += text.ptr[at] == '"';
    return n;
}

#endif

void csv_index_at(CpuLevel level, Str text, char separator, uint32_t *ends, CsvIndex *ret_index)
{
#if CLARY_X86
    if (level >= CPU_AVX512) {
        index_avx512(text, separator, ends, ret_index);
        return;
    }
    if (level >= CPU_AVX2) {
        index_avx2(text, separator, ends, ret_index);
        return;
    }
#endif
    (void)level;
    index_bytes(text, separator, ends, ret_index);
}

void csv_index(Str text, char separator, uint32_t *ends, CsvIndex *ret_index)
{
    csv_index_at(cpu_level(), text, separator, ends, ret_index);
}

size_t csv_count_quotes(Str text)
{
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) return count_quotes_avx512(text);
    if (cpu_level() >= CPU_AVX2) return count_quotes_avx2(text);
#endif
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) n += text.ptr[i] == '"';
    return n;
}
