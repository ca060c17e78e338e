/* Transposing a tile of 8x8: pairs, then fours, then halves change places. */
#include "backends/simd/transpose.h"

#include "backends/simd/vector.h"

enum { TILE = LTAP_TRANSPOSE_TILE };

typedef int32_t row __attribute__((vector_size(TILE * sizeof(int32_t)), aligned(1)));

#define LOW_PAIRS(a, b)   __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH_PAIRS(a, b)  __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW_FOURS(a, b)   __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH_FOURS(a, b)  __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define LOW_HALVES(a, b)  __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

LTAP_VECTOR_CLONES
static void transpose_tile(const void *src, int64_t src_stride, void *dst, int64_t dst_stride)
{
    const char *from = src;
    int32_t *to = dst;
    row a[TILE], b[TILE];

    for (int i = 0; i < TILE; i++)
        a[i] = *(const row *)(from + i * src_stride * (int64_t)sizeof(int32_t));
    for (int i = 0; i < TILE; i += 2) {
        b[i] = LOW_PAIRS(a[i], a[i + 1]);
        b[i + 1] = HIGH_PAIRS(a[i], a[i + 1]);
    }
    for (int i = 0; i < TILE; i += 4) {
        a[i] = LOW_FOURS(b[i], b[i + 2]);
        a[i + 1] = HIGH_FOURS(b[i], b[i + 2]);
        a[i + 2] = LOW_FOURS(b[i + 1], b[i + 3]);
        a[i + 3] = HIGH_FOURS(b[i + 1], b[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        *(row *)(to + i * dst_stride) = LOW_HALVES(a[i], a[i + 4]);
        *(row *)(to + (i + 4) * dst_stride) = HIGH_HALVES(a[i], a[i + 4]);
    }
}

void ltap_transpose_tile(const void *src, int64_t src_stride, void *dst, int64_t dst_stride)
{
    transpose_tile(src, src_stride, dst, dst_stride);
}
