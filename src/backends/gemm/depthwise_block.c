/* Vectors of channels of a few pixels, summed over the taps; see depthwise_block.h. */
#include "backends/gemm/depthwise_block.h"

#include "backends/simd/vector.h"

LTAP_VECTOR_CONTRACT

enum { LANES = LTAP_DEPTHWISE_LANES, MOST = 8 };

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

/* Channels [c, c + n_vectors * LANES) of n_pixels from `first` on. */
LTAP_VECTOR_INLINE void sum_pixels(const ltap_depthwise_block *b, int64_t first, int64_t c,
                                   const int n_pixels, const int n_vectors)
{
    vector sums[MOST][MOST];
    const float *src = b->src + first * b->pixel + c, *weights = b->weights + c;
    float *dst = b->dst + first * b->channels + c;

#pragma GCC unroll 8
    for (int p = 0; p < n_pixels; p++)
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++)
            sums[p][v] = b->bias ? *(const vector *)(b->bias + c + v * LANES) : (vector){0};
    for (int64_t y = 0; y < b->height; y++, src += b->line, weights += b->weights_line) {
        const float *at = src, *w = weights;
        for (int64_t x = 0; x < b->width; x++, at += b->tap, w += b->channels) {
#pragma GCC unroll 8
            for (int p = 0; p < n_pixels; p++)
#pragma GCC unroll 8
                for (int v = 0; v < n_vectors; v++)
                    sums[p][v] += *(const vector *)(at + p * b->pixel + v * LANES) *
                                  *(const vector *)(w + v * LANES);
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < n_pixels; p++)
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++)
            *(vector *)(dst + p * b->channels + v * LANES) = sums[p][v];
}

/* As many sums at once as hide each other's waiting: pixels, or vectors where pixels are few. */
LTAP_VECTOR_INLINE void sum_vectors(const ltap_depthwise_block *b, int64_t c, const int n_vectors)
{
    int64_t p = 0;

    for (; p + MOST / n_vectors <= b->count; p += MOST / n_vectors)
        sum_pixels(b, p, c, MOST / n_vectors, n_vectors);
    for (; p < b->count; p++)
        sum_pixels(b, p, c, 1, n_vectors);
}

/* The last vector may do channels over again that the one before has done. */
LTAP_VECTOR_CLONES
static void sum_all(const ltap_depthwise_block *b)
{
    int64_t c = 0;

    for (; b->count < 4 && c + 8 * LANES <= b->channels; c += 8 * LANES)
        sum_vectors(b, c, 8);
    for (; b->count < 8 && c + 4 * LANES <= b->channels; c += 4 * LANES)
        sum_vectors(b, c, 4);
    for (; c + 2 * LANES <= b->channels; c += 2 * LANES)
        sum_vectors(b, c, 2);
    for (; c < b->channels; c += LANES)
        sum_vectors(b, c + LANES <= b->channels ? c : b->channels - LANES, 1);
}

void ltap_depthwise_sum(const ltap_depthwise_block *block)
{
    sum_all(block);
}
