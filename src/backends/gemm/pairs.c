/* Conversion to pairs of bfloat16; see pairs.h. */
#include "backends/gemm/pairs.h"

#include "backends/gemm/tile.h"
#include "base/parallel.h"

enum { BLOCK = 4096 };

typedef struct conversion {
    const float *from;
    int64_t count;
    float *to;
} conversion;

static void convert_plain(const float *from, int64_t count, float *to)
{
    for (int64_t i = 0; i + 1 < count; i += 2)
        to[i / 2] = ltap_pair(from[i], from[i + 1]);
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#include <immintrin.h>

__attribute__((target("avx512f,avx512bf16"))) static void convert_run(const float *from,
                                                                      int64_t count, float *to)
{
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m512 low = _mm512_loadu_ps(from + i), high = _mm512_loadu_ps(from + i + 16);
        _mm512_storeu_ps(to + i / 2, (__m512)_mm512_cvtne2ps_pbh(high, low));
    }
    convert_plain(from + i, count - i, to + i / 2);
}
#else
#define convert_run convert_plain
#endif

static void convert_blocks(void *context, int64_t first, int64_t last)
{
    const conversion *c = context;
    int64_t begin = first * BLOCK, end = last * BLOCK < c->count ? last * BLOCK : c->count;

    convert_run(c->from + begin, end - begin, c->to + begin / 2);
}

void ltap_pairs_convert(const float *from, int64_t count, float *to, int threads)
{
    conversion c = {from, count, to};

    ltap_parallel_for(threads, (count + BLOCK - 1) / BLOCK, 8, convert_blocks, &c);
}

bool ltap_pairs_wanted(const ltap_query *query, ltap_why *why)
{
    if (!query->bf16)
        return ltap_refuse(why, "only for bfloat16");
    if (!ltap_tiles_pairs())
        return ltap_refuse(why, "this processor has no products of bfloat16");
    return true;
}
