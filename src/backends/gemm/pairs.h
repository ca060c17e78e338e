/* Pairs of bfloat16, for tiles of pairs: two numbers of neighbouring depths in the place of one
 * float (see tile.h). Rounded to the nearest, ties to even; NaN stays NaN; what is too small for a
 * normal float32 becomes 0, as processors do it.
 */
#ifndef LTAP_BACKENDS_GEMM_PAIRS_H
#define LTAP_BACKENDS_GEMM_PAIRS_H

#include "backends/impl.h"

#include <stdint.h>
#include <string.h>

static inline uint32_t ltap_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return bits >> 16 | 0x40;
    if ((bits & 0x7f800000) == 0)
        return bits >> 31 << 15;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* The pair as a float's bits. */
static inline float ltap_pair(float first, float second)
{
    uint32_t bits = ltap_bf16(first) | ltap_bf16(second) << 16;
    float pair;
    memcpy(&pair, &bits, sizeof pair);
    return pair;
}

/* Whether products of pairs are wanted, and this processor has them. */
bool ltap_pairs_wanted(const ltap_query *query, ltap_why *why);
/* f32[count] to pairs, count / 2 of them, on so many threads; count is even. */
void ltap_pairs_convert(const float *from, int64_t count, float *to, int threads);

#endif
