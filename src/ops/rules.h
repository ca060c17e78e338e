/* What shape rules share: sets of element types, axes, constant inputs, outputs.
 *
 * Messages say which input and what was found; ltap_op_shape puts the node's name in front.
 */
#ifndef LTAP_OPS_RULES_H
#define LTAP_OPS_RULES_H

#include "ops/op.h"

/* Sets of element types, one bit each. */
#define LTAP_TYPE(dtype) (1u << (dtype))
#define LTAP_TYPES_HALF  (LTAP_TYPE(LTAP_FLOAT16) | LTAP_TYPE(LTAP_BFLOAT16))
#define LTAP_TYPES_FLOAT (LTAP_TYPE(LTAP_FLOAT32) | LTAP_TYPE(LTAP_FLOAT64) | LTAP_TYPES_HALF)
#define LTAP_TYPES_SIGNED                                                                          \
    (LTAP_TYPE(LTAP_INT8) | LTAP_TYPE(LTAP_INT16) | LTAP_TYPE(LTAP_INT32) | LTAP_TYPE(LTAP_INT64))
#define LTAP_TYPES_UNSIGNED                                                                        \
    (LTAP_TYPE(LTAP_UINT8) | LTAP_TYPE(LTAP_UINT16) | LTAP_TYPE(LTAP_UINT32) |                     \
     LTAP_TYPE(LTAP_UINT64))
#define LTAP_TYPES_INT    (LTAP_TYPES_SIGNED | LTAP_TYPES_UNSIGNED)
#define LTAP_TYPES_NUMBER (LTAP_TYPES_FLOAT | LTAP_TYPES_INT)
#define LTAP_TYPES_BOOL   LTAP_TYPE(LTAP_BOOL)
#define LTAP_TYPES_INDEX  (LTAP_TYPE(LTAP_INT32) | LTAP_TYPE(LTAP_INT64))
/* Whatever has elements of whole bytes and is only moved about. */
#define LTAP_TYPES_BYTES                                                                           \
    (LTAP_TYPES_NUMBER | LTAP_TYPES_BOOL | LTAP_TYPE(LTAP_COMPLEX64) |                             \
     LTAP_TYPE(LTAP_COMPLEX128) | LTAP_TYPE(LTAP_FLOAT8E4M3FN) | LTAP_TYPE(LTAP_FLOAT8E4M3FNUZ) |  \
     LTAP_TYPE(LTAP_FLOAT8E5M2) | LTAP_TYPE(LTAP_FLOAT8E5M2FNUZ) | LTAP_TYPE(LTAP_FLOAT8E8M0))

static inline bool ltap_call_has(const ltap_call *call, size_t input)
{
    return input < call->n_inputs && call->inputs[input].dtype != LTAP_UNDEFINED;
}

/* Is output `index` there and wanted (in a kernel)? */
static inline bool ltap_call_wants(const ltap_call *call, size_t index)
{
    return index < call->n_outputs && call->outputs[index].data;
}

/* LTAP_ERROR_UNSUPPORTED naming the type unless input `input` is of one of `types`. */
ltap_status ltap_call_check_type(const ltap_call *call, size_t input, unsigned types,
                                 ltap_error *error);
/* Inputs a and b must be of one type. */
ltap_status ltap_call_check_same(const ltap_call *call, size_t a, size_t b, ltap_error *error);
/* Input `input` must have this rank. */
ltap_status ltap_call_check_rank(const ltap_call *call, size_t input, int rank, ltap_error *error);

/* Turns a possibly negative axis into 0..rank-1; FORMAT otherwise. */
ltap_status ltap_axis_check(int64_t axis, int rank, int *checked, ltap_error *error);
/* Marks axes in used[rank]; negative ones count from the end; twice the same is FORMAT. */
ltap_status ltap_axes_check(const int64_t *axes, size_t count, int rank, bool *used,
                            ltap_error *error);

/* The numbers of a constant integer input; `what` names it: "shape". Without data:
 * LTAP_ERROR_UNSUPPORTED "its shape depends on data". More than max: FORMAT. */
ltap_status ltap_call_ints(const ltap_call *call, size_t input, const char *what, int64_t *ints,
                           size_t max, size_t *count, ltap_error *error);
/* The same for one number, a scalar or a tensor of one element. */
ltap_status ltap_call_int(const ltap_call *call, size_t input, const char *what, int64_t *number,
                          ltap_error *error);
/* Fills output `index` where the node has it. */
void ltap_call_output(const ltap_call *call, size_t index, ltap_dtype dtype, int rank,
                      const int64_t *dims);
/* Output 0 is as input 0. */
void ltap_call_output_like(const ltap_call *call);

#endif
