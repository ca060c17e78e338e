/* Tensors inside the library: the public view plus what kernels and readers need. */
#ifndef LTAP_TENSOR_TENSOR_H
#define LTAP_TENSOR_TENSOR_H

#include "base/error.h"
#include <layertap/tensor.h>
#include <stdbool.h>
#include <stddef.h>

/* A row of the table of element types. */
typedef struct ltap_dtype_row {
    ltap_dtype dtype;
    const char *name;
    unsigned bits;
} ltap_dtype_row;
const ltap_dtype_row *ltap_dtype_find(ltap_dtype dtype); /* NULL where unknown */

/* Bytes of `count` elements, packed types rounded up; false on overflow or a type without size. */
bool ltap_dtype_bytes(ltap_dtype dtype, uint64_t count, uint64_t *bytes);

/* Builds a view. rank 0..LTAP_MAX_RANK. */
ltap_tensor ltap_tensor_make(ltap_dtype dtype, int rank, const int64_t *dims, void *data);

/* Product of dims with overflow and sign checks; false when negative or too large for memory. */
bool ltap_dims_count(int rank, const int64_t *dims, uint64_t *count);
/* Checks that the whole tensor's size in bytes is representable; LTAP_ERROR_INPUT-free: sets
 * LTAP_ERROR_FORMAT with "a tensor of shape ... is too large". */
ltap_status ltap_tensor_check(const ltap_tensor *tensor, ltap_error *error);
bool ltap_tensor_same_shape(const ltap_tensor *a, const ltap_tensor *b);

/* "float32[1,3,224,224]", unknown dims as "?". */
ltap_text ltap_tensor_text(const ltap_tensor *tensor);

/* Reads element `index` of an integer or boolean tensor as int64; float types are truncated. */
int64_t ltap_tensor_int(const ltap_tensor *tensor, uint64_t index);
double ltap_tensor_double(const ltap_tensor *tensor, uint64_t index);

/* The axis that holds channels: `given`, negative from the end; 0: axis 1, of three the last. */
int ltap_channel_axis(int rank, int given);

/* Numpy broadcasting of two shapes; false where they do not fit. */
bool ltap_dims_broadcast(const ltap_tensor *a, const ltap_tensor *b, ltap_tensor *out);
/* Row-major strides in elements of `t` seen as shape `out` (0 where broadcast). */
void ltap_dims_strides(const ltap_tensor *t, const ltap_tensor *out, int64_t *strides);

/* Copies with a permutation of axes: dst dims are src dims[perm[i]]. Same dtype, dense both.
 * src and dst do not overlap. */
void ltap_tensor_permute(const ltap_tensor *src, const int *perm, ltap_tensor *dst, int threads);

#endif
