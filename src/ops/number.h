/* Numbers: the element types that the heavy operators compute with, seen as runs of doubles.
 *
 * A kernel is written once, in double, over short runs on its stack; a row of this table loads and
 * stores the runs. So one kernel serves every float type, and a float32 result is rounded once.
 */
#ifndef LTAP_OPS_NUMBER_H
#define LTAP_OPS_NUMBER_H

#include "tensor/tensor.h"

/* Elements of the runs that kernels keep on their stacks. */
#define LTAP_RUN 256

typedef struct ltap_number {
    ltap_dtype dtype;
    double lowest; /* where a maximum starts */
    /* dst[i] = src[offset + i * step], and back; gather: dst[i] = src[offset + indices[i]]. */
    void (*load)(const void *src, int64_t offset, int64_t step, int64_t count, double *dst);
    void (*store)(const double *src, int64_t count, void *dst, int64_t offset, int64_t step);
    void (*gather)(const void *src, int64_t offset, const int64_t *indices, int64_t count,
                   double *dst);
} ltap_number;

/* The row of a float type (float32, float64, float16, bfloat16), int8 or uint8; else NULL. */
const ltap_number *ltap_number_find(ltap_dtype dtype);

/* Product of dims[first..last). Dims are of checked tensors. */
int64_t ltap_number_product(const int64_t *dims, int first, int last);

#endif
