/* Fields of CSV to numbers, eight at a time.
 *
 * A field lies right-aligned in a lane of 16 bytes.  The bytes before its point move one place to the
 * right over it; then multiplications that add neighbors make one integer below 10^16 of the digits:
 * pairs, fours, eights, sixteen.  The place of the point gives the power of ten.
 *
 * To float: the integer times the inverse power in double is wrong by less than 4 units in its last
 * place, so its rounding to float is right unless it lies within 4 units of the middle between two
 * floats; such fields are left to the exact way.  To double: up to 2^53 the integer over an exact
 * power is one correctly rounded operation (Clinger 1990); larger ones are left to the exact way.
 *
 * Anything else than a sign, digits and a point makes a field odd: its position is kept. */

#include "format/csv.h"

#include <math.h>

#if CLARY_X86
#include <immintrin.h>
#endif

/* A call would pass vectors through memory and clear registers afterwards. */
#define INLINE __attribute__((always_inline))

/* What the vector code may not touch: fields that end in the first 16 bytes, and too few of them. */
static size_t odd_prefix(const uint32_t *ends, size_t n, uint32_t *odd)
{
    size_t first = 0;
    while (first < n && ends[first] < 16) first++;
    if (n - first < 8) first = n;
    for (size_t i = 0; i < first; i++) odd[i] = (uint32_t)i;
    return first;
}

static bool any_empty(const uint32_t *begins, uint32_t add, const uint32_t *ends, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (begins[i] + add == ends[i]) return true;
    return false;
}

#if CLARY_X86

/* By the place of the point + 1, from the left: 10^-(16 - place); 0: no point. */
static const double inverse_powers[16] = {1,    1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9,
                                          1e-8, 1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,  1e-1};
static const double powers[16] = {1,   1e15, 1e14, 1e13, 1e12, 1e11, 1e10, 1e9,
                                  1e8, 1e7,  1e6,  1e5,  1e4,  1e3,  1e2,  1e1};

enum { TIE_WINDOW = 4, SIGN_MARK = 32 };

/* ---- AVX-512 ---- */

/* Four fields: the lanes of the even or of the odd fields of a group. */
typedef struct Lanes {
    __m512i bytes, digits;
    __mmask64 within, sign, point, good;
} Lanes;

TARGET_AVX512 static inline INLINE __m512i load_4(const char *text, const uint32_t *ends)
{
    const char *from = text - 16;
    __m512i lanes = _mm512_castsi128_si512(
        _mm_loadu_si128((const __m128i *)(const void *)(from + ends[0])));
    lanes = _mm512_inserti32x4(lanes,
                               _mm_loadu_si128((const __m128i *)(const void *)(from + ends[2])), 1);
    lanes = _mm512_inserti32x4(lanes,
                               _mm_loadu_si128((const __m128i *)(const void *)(from + ends[4])), 2);
    return _mm512_inserti32x4(lanes,
                              _mm_loadu_si128((const __m128i *)(const void *)(from + ends[6])), 3);
}

/* The classes of the bytes; `begin` holds, in every byte of a lane, where its field begins. */
TARGET_AVX512 static inline INLINE Lanes classify(__m512i bytes, __m512i begin, __m512i iota)
{
    Lanes lanes = {.bytes = bytes};
    __m512i values = _mm512_sub_epi8(bytes, _mm512_set1_epi8('0'));
    lanes.within = _mm512_cmpge_epu8_mask(iota, begin);
    __mmask64 first = _mm512_cmpeq_epi8_mask(iota, begin);
    __mmask64 digit = _mm512_mask_cmple_epu8_mask(lanes.within, values, _mm512_set1_epi8(9));
    lanes.sign = _mm512_mask_cmpeq_epi8_mask(first, bytes, _mm512_set1_epi8('-'));
    lanes.point = _mm512_mask_cmpeq_epi8_mask(lanes.within, bytes, _mm512_set1_epi8('.'));
    lanes.good = digit | lanes.sign | lanes.point;
    lanes.digits = _mm512_maskz_mov_epi8(digit, values);
    return lanes;
}

/* In each half lane: the place of the point + 1, and SIGN_MARK for a sign. */
TARGET_AVX512 static inline INLINE __m512i places(const Lanes *lanes, __m512i iota_1)
{
    __m512i marks = _mm512_maskz_mov_epi8(lanes->point, iota_1);
    marks = _mm512_mask_mov_epi8(marks, lanes->sign, _mm512_set1_epi8(SIGN_MARK));
    return _mm512_sad_epu8(marks, _mm512_setzero_si512());
}

/* Closes the gap of the point, then pairs and fours of digits. */
TARGET_AVX512 static inline INLINE __m512i fours(__m512i digits, __m512i place, __m512i iota)
{
    __mmask64 before = _mm512_cmplt_epu8_mask(iota, place);
    digits = _mm512_mask_mov_epi8(digits, before, _mm512_bslli_epi128(digits, 1));
    __m512i pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(1 << 8 | 10));
    return _mm512_madd_epi16(pairs, _mm512_set1_epi32(1 << 16 | 100));
}

typedef struct Group {
    __m512d value;
    __mmask8 odd, empty;
} Group;

/* Eight fields to |digits| in double, point and sign aside. */
TARGET_AVX512 static inline INLINE Group convert_8(const char *text, const uint32_t *begins,
                                                   __m256i add, const uint32_t *ends, bool exact)
{
    const __m512i iota = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m512i iota_1 = _mm512_add_epi8(iota, _mm512_set1_epi8(1));
    const __m512i even_bytes = _mm512_setzero_si512(), odd_bytes = _mm512_set1_epi8(8);

    __m256i begin = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)(const void *)begins),
                                     add);
    __m256i length = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(const void *)ends),
                                      begin);
    __mmask8 empty = _mm256_testn_epi32_mask(length, length);
    __mmask8 odd = _mm256_cmpgt_epu32_mask(length, _mm256_set1_epi32(16));
    __m512i start = _mm512_cvtepu32_epi64(_mm256_sub_epi32(_mm256_set1_epi32(16), length));

    Lanes a = classify(load_4(text, ends), _mm512_shuffle_epi8(start, even_bytes), iota);
    Lanes b = classify(load_4(text, ends + 1), _mm512_shuffle_epi8(start, odd_bytes), iota);

    __m512i place_a = places(&a, iota_1), place_b = places(&b, iota_1);
    __m512i marks = _mm512_add_epi64(_mm512_unpacklo_epi64(place_a, place_b),
                                     _mm512_unpackhi_epi64(place_a, place_b));
    __m512i place = _mm512_and_si512(marks, _mm512_set1_epi64(31));
    __mmask8 pointed = _mm512_test_epi64_mask(place, place);

    __m512i fours_a = fours(a.digits, _mm512_shuffle_epi8(place, even_bytes), iota);
    __m512i fours_b = fours(b.digits, _mm512_shuffle_epi8(place, odd_bytes), iota);
    __m512i eights = _mm512_madd_epi16(_mm512_packus_epi32(fours_a, fours_b),
                                       _mm512_set1_epi32(1 << 16 | 10000));
    __m512i whole = _mm512_add_epi64(_mm512_mul_epu32(eights, _mm512_set1_epi64(100000000)),
                                     _mm512_srli_epi64(eights, 32));

    /* Odd: other bytes; two points; no digit.  In one comparison as long as all is well. */
    uint64_t strange = (a.within ^ a.good) | (b.within ^ b.good);
    int points = (int)_mm_popcnt_u64(a.point) + (int)_mm_popcnt_u64(b.point);
    __m512i no_digits = _mm512_add_epi64(_mm512_srli_epi64(marks, 5),
                                         _mm512_maskz_set1_epi64(pointed, 1));
    odd |= (__mmask8)(_mm512_cmple_epu64_mask(_mm512_cvtepu32_epi64(length), no_digits) & ~empty);
    if (UNLIKELY(strange || points != (int)_mm_popcnt_u32(pointed))) {
        __m512i wrong_a = _mm512_maskz_set1_epi8(a.within ^ a.good, 1);
        __m512i wrong_b = _mm512_maskz_set1_epi8(b.within ^ b.good, 1);
        __m512i wrong = _mm512_or_si512(_mm512_unpacklo_epi64(wrong_a, wrong_b),
                                        _mm512_unpackhi_epi64(wrong_a, wrong_b));
        odd |= _mm512_test_epi64_mask(wrong, wrong);
        if (points != (int)_mm_popcnt_u32(pointed)) odd = 0xff;
    }

    __m512d value = _mm512_cvtepu64_pd(whole);
    if (exact) {
        odd |= _mm512_cmpgt_epu64_mask(whole, _mm512_set1_epi64((int64_t)1 << 53));
        value = _mm512_div_pd(value, _mm512_permutex2var_pd(_mm512_loadu_pd(powers), place,
                                                            _mm512_loadu_pd(powers + 8)));
    } else {
        value = _mm512_mul_pd(value, _mm512_permutex2var_pd(_mm512_loadu_pd(inverse_powers), place,
                                                            _mm512_loadu_pd(inverse_powers + 8)));
    }
    /* SIGN_MARK is bit 5: to the top with it. */
    __m512i sign = _mm512_and_si512(_mm512_slli_epi64(marks, 58), _mm512_set1_epi64(INT64_MIN));
    value = _mm512_castsi512_pd(_mm512_or_si512(_mm512_castpd_si512(value), sign));
    value = _mm512_mask_mov_pd(value, empty, _mm512_set1_pd(NAN));
    return (Group){value, (__mmask8)(odd & ~empty), empty};
}

static inline size_t keep_odd(uint32_t bits, size_t at, uint32_t *odd, size_t n)
{
    for (; bits; bits &= bits - 1) odd[n++] = (uint32_t)at + (uint32_t)__builtin_ctz(bits);
    return n;
}

/* Groups of eight; the last one overlaps the one before, and counts only what is new. */
TARGET_AVX512 static bool floats_avx512(const char *text, const uint32_t *begins, uint32_t add,
                                        const uint32_t *ends, size_t n, float *out, uint32_t *odd,
                                        size_t *ret_n_odd)
{
    size_t first = odd_prefix(ends, n, odd), n_odd = first;
    uint32_t empty = any_empty(begins, add, ends, first);
    const __m256i add_8 = _mm256_set1_epi32((int)add);
    for (size_t i = first; i < n; i += 8) {
        size_t at = MIN(i, n - 8);
        Group group = convert_8(text, begins + at, add_8, ends + at, false);
        __m512i bits = _mm512_castpd_si512(group.value);
        bits = _mm512_add_epi64(bits, _mm512_set1_epi64(TIE_WINDOW - 0x10000000));
        bits = _mm512_and_si512(bits, _mm512_set1_epi64(0x1fffffff));
        __mmask8 ties = _mm512_cmple_epu64_mask(bits, _mm512_set1_epi64(2 * TIE_WINDOW));
        _mm256_storeu_ps(out + at, _mm512_cvtpd_ps(group.value));
        empty |= group.empty;
        uint32_t strange = (group.odd | (uint32_t)ties) & ~(uint32_t)group.empty;
        if (UNLIKELY(strange)) n_odd = keep_odd(strange & (0xffu << (i - at)), at, odd, n_odd);
    }
    *ret_n_odd = n_odd;
    return empty;
}

TARGET_AVX512 static bool doubles_avx512(const char *text, const uint32_t *begins, uint32_t add,
                                         const uint32_t *ends, size_t n, double *out, uint32_t *odd,
                                         size_t *ret_n_odd)
{
    size_t first = odd_prefix(ends, n, odd), n_odd = first;
    uint32_t empty = any_empty(begins, add, ends, first);
    const __m256i add_8 = _mm256_set1_epi32((int)add);
    for (size_t i = first; i < n; i += 8) {
        size_t at = MIN(i, n - 8);
        Group group = convert_8(text, begins + at, add_8, ends + at, true);
        _mm512_storeu_pd(out + at, group.value);
        empty |= group.empty;
        uint32_t strange = group.odd;
        if (UNLIKELY(strange)) n_odd = keep_odd(strange & (0xffu << (i - at)), at, odd, n_odd);
    }
    *ret_n_odd = n_odd;
    return empty;
}

/* 16 rows of 16 columns to 16 columns: neighbors, pairs, then the quarters of the registers. */
TARGET_AVX512 static inline INLINE void turn_16(const float *rows, size_t n, size_t row,
                                                size_t column, float *const *columns)
{
    size_t width = MIN(n - column, (size_t)16);
    __mmask16 within = (__mmask16)((1u << width) - 1);
    UNINITIALIZED __m512 a[16], b[16];
    for (size_t i = 0; i < 16; i += 2) {
        __m512 even = _mm512_maskz_loadu_ps(within, rows + (row + i) * n + column);
        __m512 odd = _mm512_maskz_loadu_ps(within, rows + (row + i + 1) * n + column);
        a[i] = _mm512_unpacklo_ps(even, odd);
        a[i + 1] = _mm512_unpackhi_ps(even, odd);
    }
    for (size_t i = 0; i < 16; i += 4)
        for (size_t j = 0; j < 2; j++) {
            __m512d low = _mm512_castps_pd(a[i + j]), high = _mm512_castps_pd(a[i + j + 2]);
            b[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            b[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    for (size_t j = 0; j < 4; j++) {
        __m512 top_even = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x88);
        __m512 top_odd = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xdd);
        __m512 bottom_even = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x88);
        __m512 bottom_odd = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xdd);
        if (j < width)
            _mm512_storeu_ps(columns[column + j] + row,
                             _mm512_shuffle_f32x4(top_even, bottom_even, 0x88));
        if (j + 4 < width)
            _mm512_storeu_ps(columns[column + j + 4] + row,
                             _mm512_shuffle_f32x4(top_odd, bottom_odd, 0x88));
        if (j + 8 < width)
            _mm512_storeu_ps(columns[column + j + 8] + row,
                             _mm512_shuffle_f32x4(top_even, bottom_even, 0xdd));
        if (j + 12 < width)
            _mm512_storeu_ps(columns[column + j + 12] + row,
                             _mm512_shuffle_f32x4(top_odd, bottom_odd, 0xdd));
    }
}

TARGET_AVX512 static void turn_avx512(const float *rows, size_t n_rows, size_t n,
                                      float *const *columns)
{
    for (size_t column = 0; column < n; column += 16)
        for (size_t row = 0; row + 16 <= n_rows; row += 16) turn_16(rows, n, row, column, columns);
}

/* ---- AVX2: a field at a time, by the same steps ---- */

/* Sliding windows over these give masks of the last `length` or the first `place` bytes. */
static const uint8_t last_bytes[32] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t first_bytes[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0};

typedef struct Single {
    uint64_t whole;
    uint32_t place;
    bool negative, good;
} Single;

TARGET_AVX2 static inline INLINE Single convert_1(const char *begin, const char *end)
{
    uint32_t length = (uint32_t)(end - begin);
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(end - 16));
    __m128i within = _mm_loadu_si128((const __m128i *)(const void *)(last_bytes + length));
    __m128i values = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values);
    digit = _mm_and_si128(digit, within);
    __m128i dot = _mm_and_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.')), within);
    uint32_t points = (uint32_t)_mm_movemask_epi8(dot), digits = (uint32_t)_mm_movemask_epi8(digit);
    uint32_t negative = *begin == '-';
    uint32_t wanted = 0xffffu & ~((1u << (16 - length)) - 1), sign = negative << (16 - length);
    Single single = {.place = points ? (uint32_t)__builtin_ctz(points) + 1 : 0,
                     .negative = negative};
    single.good = (digits | points | sign) == wanted && digits != 0 && (points & (points - 1)) == 0;

    values = _mm_and_si128(values, digit);
    __m128i before = _mm_loadu_si128(
        (const __m128i *)(const void *)(first_bytes + 16 - single.place));
    values = _mm_blendv_epi8(values, _mm_bslli_si128(values, 1), before);
    __m128i pairs = _mm_maddubs_epi16(values, _mm_set1_epi16(1 << 8 | 10));
    __m128i fours_1 = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
    __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours_1, fours_1),
                                    _mm_set1_epi32(1 << 16 | 10000));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    single.whole = (both & 0xffffffff) * 100000000 + (both >> 32);
    return single;
}

TARGET_AVX2 static bool floats_avx2(const char *text, const uint32_t *begins, uint32_t add,
                                    const uint32_t *ends, size_t n, float *out, uint32_t *odd,
                                    size_t *ret_n_odd)
{
    size_t first = odd_prefix(ends, n, odd), n_odd = first;
    bool empty = any_empty(begins, add, ends, first);
    for (size_t i = first; i < n; i++) {
        uint32_t begin = begins[i] + add, length = ends[i] - begin;
        if (UNLIKELY(length - 1 > 15)) {
            if (length == 0) {
                out[i] = NAN;
                empty = true;
            } else {
                odd[n_odd++] = (uint32_t)i;
            }
            continue;
        }
        Single single = convert_1(text + begin, text + ends[i]);
        double value = (double)(int64_t)single.whole * inverse_powers[single.place & 15];
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        bool tie = ((bits + TIE_WINDOW - 0x10000000) & 0x1fffffff) <= 2 * TIE_WINDOW;
        out[i] = (float)(single.negative ? -value : value);
        odd[n_odd] = (uint32_t)i;
        n_odd += !single.good || tie;
    }
    *ret_n_odd = n_odd;
    return empty;
}

TARGET_AVX2 static bool doubles_avx2(const char *text, const uint32_t *begins, uint32_t add,
                                     const uint32_t *ends, size_t n, double *out, uint32_t *odd,
                                     size_t *ret_n_odd)
{
    size_t first = odd_prefix(ends, n, odd), n_odd = first;
    bool empty = any_empty(begins, add, ends, first);
    for (size_t i = first; i < n; i++) {
        uint32_t begin = begins[i] + add, length = ends[i] - begin;
        if (UNLIKELY(length - 1 > 15)) {
            if (length == 0) {
                out[i] = (double)NAN;
                empty = true;
            } else {
                odd[n_odd++] = (uint32_t)i;
            }
            continue;
        }
        Single single = convert_1(text + begin, text + ends[i]);
        double value = (double)(int64_t)single.whole / powers[single.place & 15];
        out[i] = single.negative ? -value : value;
        odd[n_odd] = (uint32_t)i;
        n_odd += !single.good || single.whole > (uint64_t)1 << 53;
    }
    *ret_n_odd = n_odd;
    return empty;
}

#endif

static bool all_odd(const uint32_t *begins, uint32_t add, const uint32_t *ends, size_t n,
                    uint32_t *odd, size_t *ret_n_odd)
{
    for (size_t i = 0; i < n; i++) odd[i] = (uint32_t)i;
    *ret_n_odd = n;
    return any_empty(begins, add, ends, n);
}

bool csv_floats_at(CpuLevel level, const char *text, const uint32_t *begins, uint32_t add,
                   const uint32_t *ends, size_t n, float *out, uint32_t *odd, size_t *ret_n_odd)
{
#if CLARY_X86
    if (level >= CPU_AVX512) return floats_avx512(text, begins, add, ends, n, out, odd, ret_n_odd);
    if (level >= CPU_AVX2) return floats_avx2(text, begins, add, ends, n, out, odd, ret_n_odd);
#endif
    (void)level;
    (void)text;
    (void)out;
    return all_odd(begins, add, ends, n, odd, ret_n_odd);
}

bool csv_doubles_at(CpuLevel level, const char *text, const uint32_t *begins, uint32_t add,
                    const uint32_t *ends, size_t n, double *out, uint32_t *odd, size_t *ret_n_odd)
{
#if CLARY_X86
    if (level >= CPU_AVX512) return doubles_avx512(text, begins, add, ends, n, out, odd, ret_n_odd);
    if (level >= CPU_AVX2) return doubles_avx2(text, begins, add, ends, n, out, odd, ret_n_odd);
#endif
    (void)level;
    (void)text;
    (void)out;
    return all_odd(begins, add, ends, n, odd, ret_n_odd);
}

bool csv_floats(const char *text, const uint32_t *begins, uint32_t add, const uint32_t *ends,
                size_t n, float *out, uint32_t *odd, size_t *ret_n_odd)
{
    return csv_floats_at(cpu_level(), text, begins, add, ends, n, out, odd, ret_n_odd);
}

bool csv_doubles(const char *text, const uint32_t *begins, uint32_t add, const uint32_t *ends,
                 size_t n, double *out, uint32_t *odd, size_t *ret_n_odd)
{
    return csv_doubles_at(cpu_level(), text, begins, add, ends, n, out, odd, ret_n_odd);
}

void csv_turn_floats(const float *rows, size_t n_rows, size_t n, float *const *columns)
{
    size_t done = 0;
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) {
        turn_avx512(rows, n_rows, n, columns);
        done = n_rows & ~(size_t)15;
    }
#endif
    for (size_t column = 0; column < n; column++)
        for (size_t row = done; row < n_rows; row++) columns[column][row] = rows[row * n + column];
}
