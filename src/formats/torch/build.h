/* What layers are made with. Private to src/formats/torch. */
#ifndef LTAP_FORMATS_TORCH_BUILD_H
#define LTAP_FORMATS_TORCH_BUILD_H

#include "formats/torch/builder.h"

bool ltap_build_is_good(const ltap_builder *b);
void ltap_build_take(ltap_builder *b, ltap_status status);
/* Adds a node with one output in the module that runs; its name, properties and output are given
 * here. All else is copied. */
uint32_t ltap_build_node(ltap_builder *b, ltap_node node);
/* The same of values alone; with an attribute "axis"; a Transpose. */
uint32_t ltap_build_op(ltap_builder *b, const char *op_type, size_t count, const uint32_t *inputs);
uint32_t ltap_build_op_along(ltap_builder *b, const char *op_type, int64_t axis, size_t count,
                             const uint32_t *inputs);
/* dims: 0 keeps the size, -1 takes the rest. */
uint32_t ltap_build_reshape(ltap_builder *b, uint32_t value, size_t rank, const int64_t *dims);
/* The sizes of axes first to end - 1, as int64 numbers. */
uint32_t ltap_build_sizes(ltap_builder *b, uint32_t value, int64_t first, int64_t end);
uint32_t ltap_build_cast(ltap_builder *b, uint32_t value, ltap_dtype dtype);
uint32_t ltap_build_transpose(ltap_builder *b, uint32_t value, size_t rank, const int64_t *perm);
/* Constants that are in no file: a number, an integer, a list of integers. */
uint32_t ltap_build_number(ltap_builder *b, float number);
uint32_t ltap_build_index(ltap_builder *b, int64_t index);
uint32_t ltap_build_list(ltap_builder *b, size_t count, const int64_t *ints);
/* A weight of the module that runs, as float32; NULL: it is not there, or not such a tensor. */
const ltap_torch_tensor *ltap_build_weight(ltap_builder *b, const char *leaf, int rank,
                                           uint32_t *value);
/* The same, refused where it is missing. */
const ltap_torch_tensor *ltap_build_need(ltap_builder *b, const char *leaf, int rank,
                                         uint32_t *value);
/* A weight of just that shape. */
void ltap_build_shaped(ltap_builder *b, const char *leaf, int rank, const int64_t *dims,
                       uint32_t *value);
/* int64[size] that is no parameter. */
void ltap_build_integers(ltap_builder *b, const char *leaf, int64_t size, uint32_t *value);
/* A vector of so many elements, refused where it is not that. */
void ltap_build_vector(ltap_builder *b, const char *leaf, int64_t size, uint32_t *value);

#endif
