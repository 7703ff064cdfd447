/* CRC-32 (ISO 3309), CRC-32C (Castagnoli) and CRC-64/NVME.
 *
 * All three are bit-reflected, start with ones and end inverted, so one code serves them: the
 * register holds the polynomial's remainder with x^(width-1) in bit 0.  Plain code takes eight
 * bytes a step through eight tables.  With carry-less multiplication four blocks of 128 bits are
 * folded forward by 512 bits at a time: a block's halves times x^(512+64) and x^512 mod P are
 * congruent to the block moved on.  The last folded block is 16 bytes that have the same remainder
 * as all that was folded, so the tables finish it and there is no second reduction to get wrong.
 *
 * Gopal et al.: Fast CRC Computation for Generic Polynomials Using PCLMULQDQ, 2009. */

#include "aws/crc.h"

#include "base/cpu.h"

#include <pthread.h>

#if CLARY_X86
#include <immintrin.h>
#endif

typedef struct Crc {
    int width;
    uint64_t polynomial;    /* reflected */
    uint64_t table[8][256]; /* table[k][b]: remainder of byte b with k bytes of zeros behind */
    uint64_t fold4[2];      /* x^(512+64), x^512 mod P, as multipliers */
    uint64_t fold1[2];      /* x^(128+64), x^128 mod P */
} Crc;

static Crc crcs[3] = {
    {.width = 32, .polynomial = 0xedb88320},
    {.width = 32, .polynomial = 0x82f63b78},
    {.width = 64, .polynomial = 0x9a6c9329ac4bc9b5},
};
static pthread_once_t made = PTHREAD_ONCE_INIT;

static uint64_t times_x(const Crc *crc, uint64_t a)
{
    return a & 1 ? a >> 1 ^ crc->polynomial : a >> 1;
}

static uint64_t power_of_x(const Crc *crc, int n)
{
    uint64_t a = (uint64_t)1 << (crc->width - 1);
    while (n--) a = times_x(crc, a);
    return a;
}

/* The product of two reflected words is reflected about one bit more: hence the power less one. */
static uint64_t multiplier(const Crc *crc, int n)
{
    return power_of_x(crc, n - 1) << (64 - crc->width);
}

static void make_tables(void)
{
    for (size_t i = 0; i < COUNT(crcs); i++) {
        Crc *crc = &crcs[i];
        for (uint64_t b = 0; b < 256; b++) {
            uint64_t a = b;
            for (int k = 0; k < 8; k++) a = times_x(crc, a);
            crc->table[0][b] = a;
        }
        for (int k = 1; k < 8; k++)
            for (int b = 0; b < 256; b++) {
                uint64_t a = crc->table[k - 1][b];
                crc->table[k][b] = a >> 8 ^ crc->table[0][a & 255];
            }
        crc->fold4[0] = multiplier(crc, 512 + 64);
        crc->fold4[1] = multiplier(crc, 512);
        crc->fold1[0] = multiplier(crc, 128 + 64);
        crc->fold1[1] = multiplier(crc, 128);
    }
}

static uint64_t by_tables(const Crc *crc, uint64_t a, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word = 0;
        for (int k = 0; k < 8; k++) word |= (uint64_t)p[k] << (8 * k); /* one load */
        word ^= a;
        a = 0;
        for (int k = 0; k < 8; k++) a ^= crc->table[7 - k][word >> (8 * k) & 255];
    }
    for (; n; n--, p++) a = a >> 8 ^ crc->table[0][(a ^ *p) & 255];
    return a;
}

#if CLARY_X86
__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i block, __m128i by,
                                                                    __m128i next)
{
    __m128i first = _mm_clmulepi64_si128(block, by, 0x00);
    __m128i second = _mm_clmulepi64_si128(block, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

/* n: at least 64. */
__attribute__((target("pclmul,sse4.1"))) static uint64_t by_folding(const Crc *crc, uint64_t a,
                                                                    const uint8_t *p, size_t n)
{
    const __m128i by4 = _mm_set_epi64x((int64_t)crc->fold4[1], (int64_t)crc->fold4[0]);
    const __m128i by1 = _mm_set_epi64x((int64_t)crc->fold1[1], (int64_t)crc->fold1[0]);
#define LOAD(i) _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * (i)))
    __m128i x0 = _mm_xor_si128(LOAD(0), _mm_set_epi64x(0, (int64_t)a));
    __m128i x1 = LOAD(1), x2 = LOAD(2), x3 = LOAD(3);
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        x0 = fold(x0, by4, LOAD(0));
        x1 = fold(x1, by4, LOAD(1));
        x2 = fold(x2, by4, LOAD(2));
        x3 = fold(x3, by4, LOAD(3));
    }
    x0 = fold(fold(fold(x0, by1, x1), by1, x2), by1, x3);
    for (; n >= 16; p += 16, n -= 16) x0 = fold(x0, by1, LOAD(0));
#undef LOAD
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)(void *)rest, x0);
    return by_tables(crc, by_tables(crc, 0, rest, sizeof rest), p, n);
}
#endif

static uint64_t ones(const Crc *crc)
{
    return UINT64_MAX >> (64 - crc->width);
}

static const Crc *crc_of(DigestKind kind)
{
    assert(kind >= DIGEST_CRC32);
    pthread_once(&made, make_tables);
    return &crcs[kind - DIGEST_CRC32];
}

uint64_t crc_add(DigestKind kind, uint64_t value, Str bytes)
{
    const Crc *crc = crc_of(kind);
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    uint64_t a = value ^ ones(crc);
#if CLARY_X86
    if (bytes.len >= 64 && cpu_level() >= CPU_AVX2 && __builtin_cpu_supports("pclmul"))
        return by_folding(crc, a, p, bytes.len) ^ ones(crc);
#endif
    return by_tables(crc, a, p, bytes.len) ^ ones(crc);
}

/* a times b mod P. */
static uint64_t product(const Crc *crc, uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    for (int i = crc->width - 1; i >= 0; i--) {
        if (a >> i & 1) sum ^= b;
        b = times_x(crc, b);
    }
    return sum;
}

uint64_t digest_crc_combine(DigestKind kind, uint64_t a, uint64_t b, uint64_t b_bytes)
{
    /* The ones before and after cancel: only a moves on by b's length. */
    const Crc *crc = crc_of(kind);
    uint64_t power = power_of_x(crc, 8);
    for (; b_bytes; b_bytes >>= 1) {
        if (b_bytes & 1) a = product(crc, a, power);
        power = product(crc, power, power);
    }
    return a ^ b;
}
