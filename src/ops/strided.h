/* Copying between two strided views of the same dims: slices, tiles, concatenations, paddings.
 *
 * Strides are in elements; 0 repeats, negative ones run backwards.
 */
#ifndef LTAP_OPS_STRIDED_H
#define LTAP_OPS_STRIDED_H

#include "tensor/tensor.h"

#define LTAP_STRIDED_RANK (2 * LTAP_MAX_RANK) /* room to split every axis in two */

typedef struct ltap_strided {
    int rank;
    int64_t dims[LTAP_STRIDED_RANK];
    int64_t src[LTAP_STRIDED_RANK], dst[LTAP_STRIDED_RANK];
    unsigned element_bytes; /* 1, 2, 4, 8 or 16 */
    int threads;
} ltap_strided;

/* Row-major strides of dims. */
void ltap_strided_dense(int rank, const int64_t *dims, int64_t *strides);
/* src and dst point at the element of index 0 everywhere. Nothing is done when a dim is 0. */
void ltap_strided_copy(const ltap_strided *view, const void *src, void *dst);
/* Fills count elements with copies of one. */
void ltap_strided_fill(void *dst, const void *element, int64_t count, unsigned element_bytes);

#endif
