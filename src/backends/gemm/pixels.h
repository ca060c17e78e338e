/* The pixels that each output pixel of a convolution sees, channels last: one pointer a tap. */
#ifndef LTAP_BACKENDS_GEMM_PIXELS_H
#define LTAP_BACKENDS_GEMM_PIXELS_H

#include "backends/gemm/gemm.h"
#include "ops/window.h"

typedef struct ltap_pixels {
    ltap_window window;
    int64_t channels, taps;
    float *zeros; /* [channels]: a pixel of padding */
} ltap_pixels;

typedef struct ltap_pixels_source {
    const ltap_pixels *pixels;
    const float *src; /* f32[N,D,H,W,C] */
} ltap_pixels_source;

/* A ltap_work_point: rows are output pixels in order; context is a ltap_pixels_source. A tap that
 * sees nothing but padding, for all pixels of a block, is left out (NULL). */
void ltap_pixels_point(const void *context, int64_t first, const ltap_blocks *blocks,
                       const float **pointers);

/* Pixels side by side from planes that lie `plane` floats apart: to f32[count, channels]. */
void ltap_pixels_interleave(const float *from, int64_t plane, int64_t channels, int64_t count,
                            float *to);

#endif
