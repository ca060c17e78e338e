/* Transposing a square tile of floats in registers. */
#ifndef LTAP_BACKENDS_SIMD_TRANSPOSE_H
#define LTAP_BACKENDS_SIMD_TRANSPOSE_H

#include <stdint.h>

enum { LTAP_TRANSPOSE_TILE = 8 };

/* dst[c * dst_stride + r] = src[r * src_stride + c] for r, c < LTAP_TRANSPOSE_TILE. Any four bytes,
 * moved as they are; src need not be aligned. Strides are in elements. */
void ltap_transpose_tile(const void *src, int64_t src_stride, void *dst, int64_t dst_stride);

#endif
