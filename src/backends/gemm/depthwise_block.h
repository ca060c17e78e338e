/* The inner loop of depthwise convolutions: output pixels side by side that see the same taps. */
#ifndef LTAP_BACKENDS_GEMM_DEPTHWISE_BLOCK_H
#define LTAP_BACKENDS_GEMM_DEPTHWISE_BLOCK_H

#include <stdint.h>

enum { LTAP_DEPTHWISE_LANES = 16 };

typedef struct ltap_depthwise_block {
    const float *src;      /* what the first output pixel sees through the first tap */
    int64_t pixel;         /* floats from what one output pixel sees to the next */
    int64_t line, tap;     /* and from one tap to the next, down and across */
    int64_t height, width; /* taps, at least 1 each */
    const float *weights;  /* of the first tap; the others lie alike */
    int64_t weights_line;  /* floats from one line of taps to the next */
    int64_t channels;      /* at least LTAP_DEPTHWISE_LANES; also floats between weights */
    const float *bias;     /* [channels] or NULL */
    float *dst;            /* [count, channels] */
    int64_t count;         /* output pixels */
} ltap_depthwise_block;

/* Each sum runs over the taps in order, on top of the bias. */
void ltap_depthwise_sum(const ltap_depthwise_block *block);

#endif
