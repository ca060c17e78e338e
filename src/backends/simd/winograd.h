/* Winograd's minimal filtering F(4x4, 3x3), channels last: the transforms around the products.
 *
 * A 3x3 convolution of stride 1 becomes 36 matrix products [tiles, C] x [C, K]: a quarter of the
 * multiplications. Points 0, +-a, +-b and infinity (Lavin and Gray 2016, "Fast Algorithms for
 * Convolutional Neural Networks"; a and b chosen here for small errors). A dilated convolution is
 * as many plain ones on every d-th pixel.
 */
#ifndef LTAP_BACKENDS_SIMD_WINOGRAD_H
#define LTAP_BACKENDS_SIMD_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

enum { LTAP_WINOGRAD_POINTS = 36, LTAP_WINOGRAD_LANES = 16 };

typedef struct ltap_winograd {
    int64_t channels, filters; /* multiples of LTAP_WINOGRAD_LANES */
    int64_t in[2], out[2];     /* height, width */
    int64_t begin[2];          /* padding */
    int64_t dilation[2];
    int64_t tiles[2]; /* of all phases of the dilation */
    int64_t per_image, total;
    int threads;
} ltap_winograd;

/* Fills tiles, per_image, total from the rest. */
void ltap_winograd_count(ltap_winograd *winograd, int64_t images);

/* Transformed weights of channel c and LANES filters from k on, from weights [K,C,3,3]. */
void ltap_winograd_weights(const float *weights, const ltap_winograd *winograd, int64_t c,
                           int64_t k, float transformed[LTAP_WINOGRAD_POINTS][LTAP_WINOGRAD_LANES]);

/* A piece of the work: `count` tiles from `first` on, in matrices of `rows` rows. */
typedef struct ltap_winograd_piece {
    int64_t first, count, rows;
    float *inputs;   /* [36, rows, C] */
    float *products; /* [36, rows, K] */
} ltap_winograd_piece;

/* Rows past count become 0. */
void ltap_winograd_inputs(const ltap_winograd *winograd, const ltap_winograd_piece *piece,
                          const float *src);
/* bias: [K] or NULL. A tile in which anything is NaN or Inf is computed from weights [K,C,3,3] and
 * src the plain way: the transforms would spread it. */
typedef struct ltap_winograd_plain {
    const float *src, *weights, *bias;
} ltap_winograd_plain;
void ltap_winograd_outputs(const ltap_winograd *winograd, const ltap_winograd_piece *piece,
                           const ltap_winograd_plain *plain, float *dst);

#endif
