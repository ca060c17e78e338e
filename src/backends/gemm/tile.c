/* The kinds of tiles, and which one this processor gets; see tile.h.
 *
 * Not under the address sanitizer: its own stack does not keep the alignment of wide vectors.
 */
#include "backends/gemm/tile.h"

#include "backends/simd/vector.h"

#include <stddef.h>

LTAP_VECTOR_CONTRACT

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define TILE_X86 1
#include <immintrin.h>

#define TILE(name) name##_avx512
#if defined(__clang__)
#define TILE_TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma")))
#else
#define TILE_TARGET                                                                                \
    __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512")))
#endif
#define TILE_LANES   16
#define TILE_VECTORS 4
#define TILE_ROWS    12, 12, 6, 6
#define TILE_NAME    "avx512"
#define TILE_NARROW  12
#define TILE_LOAD_SOME(src, n)                                                                     \
    (TILE(vector)) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), src)
#define TILE_STORE_SOME(dst, n, v)                                                                 \
    _mm512_mask_storeu_ps(dst, (__mmask16)((1u << (n)) - 1), (__m512)(v))
#define TILE_PERMUTE(v, places)                                                                    \
    (TILE(vector)) _mm512_permutexvar_ps(_mm512_loadu_si512(places), (__m512)(v))
#include "backends/gemm/tile.inc"

/* The same of pairs: what looks like a float is two bfloat16, the lower first. */
#define TILE(name) name##_bf16
#if defined(__clang__)
#define TILE_TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,fma")))
#else
#define TILE_TARGET                                                                                \
    __attribute__((                                                                                \
        target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,fma,prefer-vector-width=512")))
#endif
#define TILE_LANES   16
#define TILE_VECTORS 4
#define TILE_ROWS    12, 12, 6, 6
#define TILE_NAME    "avx512_bf16"
#define TILE_LOAD_SOME(src, n)                                                                     \
    (TILE(vector)) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), src)
#define TILE_STORE_SOME(dst, n, v)                                                                 \
    _mm512_mask_storeu_ps(dst, (__mmask16)((1u << (n)) - 1), (__m512)(v))
#define TILE_ADD(sum, x, column)                                                                   \
    (sum) = (TILE(vector))_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(column),                      \
                                           (__m512bh)_mm512_set1_ps(x))
#include "backends/gemm/tile.inc"

/* Eight of these from the n-th before the middle on mask n lanes. */
static const int32_t some_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

#define TILE(name)   name##_avx2
#define TILE_TARGET  __attribute__((target("avx2,fma")))
#define TILE_LANES   8
#define TILE_VECTORS 2
#define TILE_ROWS    12, 6, 3, 3
#define TILE_NAME    "avx2"
#define TILE_NARROW  6
#define TILE_SOME(n)                                                                               \
    _mm256_loadu_si256((const __m256i *)(const void *)(some_lanes + TILE_LANES - (n)))
#define TILE_LOAD_SOME(src, n)     (TILE(vector)) _mm256_maskload_ps(src, TILE_SOME(n))
#define TILE_STORE_SOME(dst, n, v) _mm256_maskstore_ps(dst, TILE_SOME(n), (__m256)(v))
#define TILE_PERMUTE(v, places)                                                                    \
    (TILE(vector)) _mm256_permutevar8x32_ps(                                                       \
        (__m256)(v), _mm256_loadu_si256((const __m256i *)(const void *)(places)))
#include "backends/gemm/tile.inc"
#endif

#define TILE(name) name##_plain
#define TILE_TARGET
#define TILE_LANES   4
#define TILE_VECTORS 4
#define TILE_ROWS    12, 6, 4, 3
#define TILE_NAME    "plain"
#define TILE_NARROW  6
#include "backends/gemm/tile.inc"

const ltap_tiles *ltap_tiles_at(int index)
{
    const ltap_tiles *all[3] = {NULL};
    int count = 0;

#if defined(TILE_X86)
    int most = LTAP_PROCESSOR_MOST;

    if (most >= LTAP_PROCESSOR_AVX512 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq"))
        all[count++] = &tiles_avx512;
    if (most >= LTAP_PROCESSOR_AVX2 && __builtin_cpu_supports("avx2") &&
        __builtin_cpu_supports("fma"))
        all[count++] = &tiles_avx2;
#endif
    all[count++] = &tiles_plain;
    return index < count ? all[index] : NULL;
}

const ltap_tiles *ltap_tiles_pairs(void)
{
#if defined(TILE_X86)
    if (ltap_tiles_at(0) == &tiles_avx512 && __builtin_cpu_supports("avx512bf16"))
        return &tiles_bf16;
#endif
    return NULL;
}

const ltap_tiles *ltap_tiles_best(void)
{
    return ltap_tiles_at(0);
}
