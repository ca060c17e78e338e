/* Which layertap this is, and what it runs on. */
#include <layertap/error.h>

#include <stddef.h>

const char *ltap_version(void)
{
    return LTAP_VERSION;
}

#define THREADS "\nthreads: " LTAP_THREADS_TEXT
#define KERNELS "\nkernels: " LTAP_KERNELS_TEXT

const char *ltap_version_details(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bf16"))
        return "processor: x86-64 with AVX-512 and bfloat16" KERNELS THREADS;
    if (__builtin_cpu_supports("avx512f"))
        return "processor: x86-64 with AVX-512" KERNELS THREADS;
    if (__builtin_cpu_supports("avx2"))
        return "processor: x86-64 with AVX2" KERNELS THREADS;
    return "processor: x86-64" KERNELS THREADS;
#elif defined(__aarch64__)
    return "processor: arm64" KERNELS THREADS;
#else
    return "processor: other" KERNELS THREADS;
#endif
}
