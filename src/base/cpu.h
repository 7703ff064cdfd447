#ifndef CLARY_BASE_CPU_H
#define CLARY_BASE_CPU_H

/* What this processor can do.  Hot functions come in up to three versions that give the same bits:
 * plain C, TARGET_AVX2 and TARGET_AVX512; the caller chooses by cpu_level() once per loop.
 * The environment variable CLARY_CPU=base|avx2|avx512 lowers the level, for tests. */

#include "base/base.h"

typedef enum CpuLevel {
    CPU_BASE,   /* any x86-64, and every other architecture */
    CPU_AVX2,   /* AVX2, FMA, BMI1/2, F16C */
    CPU_AVX512, /* F, BW, DQ, VL, CD, VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ (Ice Lake, Zen 4) */
} CpuLevel;

CpuLevel cpu_level(void);

#if defined(__x86_64__)
#define CLARY_X86 1
#define TARGET_AVX2 __attribute__((target("avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c")))
#define TARGET_AVX512_NAMES                                                                        \
    "avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c,pclmul,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,"      \
    "avx512vbmi,avx512vbmi2,avx512vnni,avx512bitalg,avx512vpopcntdq"
#if defined(__clang__) /* knows no preference; it takes the width from the code */
#define TARGET_AVX512 __attribute__((target(TARGET_AVX512_NAMES)))
#else
#define TARGET_AVX512 __attribute__((target(TARGET_AVX512_NAMES ",prefer-vector-width=512")))
#endif
static inline void cpu_pause(void)
{
    __builtin_ia32_pause();
}
#else
#define CLARY_X86 0
static inline void cpu_pause(void) {}
#endif

#endif
