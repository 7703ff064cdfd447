/* Processor features, found once. */

#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>

static CpuLevel detect(void)
{
    CpuLevel level = CPU_BASE;
#if CLARY_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
        level = CPU_AVX2;
    if (level == CPU_AVX2 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
        __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bitalg") &&
        __builtin_cpu_supports("avx512vpopcntdq"))
        level = CPU_AVX512;
#endif
    const char *wish = getenv("CLARY_CPU");
    if (wish && strcmp(wish, "base") == 0) level = CPU_BASE;
    if (wish && strcmp(wish, "avx2") == 0) level = MIN(level, CPU_AVX2);
    return level;
}

CpuLevel cpu_level(void)
{
    static int known = -1; /* the same value whoever writes it first */
    int level = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (level < 0) {
        level = (int)detect();
        __atomic_store_n(&known, level, __ATOMIC_RELAXED);
    }
    return (CpuLevel)level;
}
