/* Winograd's minimal filtering F(4x4, 3x3), channels last: the transforms around the products.
 *
 * A 3x3 convolution of stride 1 becomes 36 matrix products [tiles, C] x [C, K]: a quarter of the
 * multiplications. Of a volume, each plane is an image, and where the filters have planes too, what
 * a tile sees in each of them lies side by side, as if it were so many more channels. Points 0,
 * +-a, +-b and infinity (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks";
 * a and b chosen here for small errors). A dilated convolution is as many plain ones on every d-th
 * pixel.
 *
 * Each transform is of LANES channels or filters at a time, and writes or reads 36 matrices that
 * lie `matrix` floats apart.
 */
#ifndef LTAP_BACKENDS_GEMM_WINOGRAD_TILE_H
#define LTAP_BACKENDS_GEMM_WINOGRAD_TILE_H

#include <stdbool.h>
#include <stdint.h>

enum { LTAP_WINOGRAD_POINTS = 36, LTAP_WINOGRAD_LANES = 16, LTAP_WINOGRAD_TAPS = 9 };

typedef struct ltap_winograd {
    int64_t channels, filters; /* multiples of LTAP_WINOGRAD_LANES */
    int64_t in[2], out[2];     /* height, width */
    int64_t begin[2];          /* padding */
    int64_t dilation[2];
    /* Planes of the filters, and of a volume, in and out alike; padding and dilation of that axis;
     * channels of all planes of the filters. */
    int64_t planes, volume, plane_begin, plane_dilation, depth;
    int64_t tiles[2]; /* of all phases of the dilation */
    int64_t per_image, total;
    int64_t step; /* floats from one pixel of the result to the next */
    /* Filters that lie together in the packed weights: [K/group, planes, C, 9, group]. */
    int64_t group;
} ltap_winograd;

/* Fills tiles, per_image, total from the rest. */
void ltap_winograd_count(ltap_winograd *winograd, int64_t images);

/* The pixels of a tile: [planes, C] of each. */
void ltap_winograd_spread(const ltap_winograd *winograd, int64_t tile, const float *src, float *to,
                          int64_t matrix);
/* The filters of a group in `count` channels; weights: [count, 9, group]; to: rows of `group`. */
void ltap_winograd_expand(const float *weights, int64_t count, int64_t group, float *to,
                          int64_t matrix);

/* What a tile's result needs besides its products. A result that is NaN or Inf is computed from
 * weights (packed) and src the plain way: the transforms would have spread it. */
typedef struct ltap_winograd_plain {
    const float *src, *weights, *bias; /* bias: [K] or NULL */
} ltap_winograd_plain;
/* The result of a tile for the filters [first, first + count) of one group. */
typedef struct ltap_winograd_part {
    int64_t tile, first, count;
    const float *from; /* the tile's row of the first product */
    int64_t matrix;
} ltap_winograd_part;
void ltap_winograd_gather(const ltap_winograd *winograd, const ltap_winograd_part *part,
                          const ltap_winograd_plain *plain, float *dst);

#endif
