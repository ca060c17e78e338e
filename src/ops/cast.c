/* Cast and CastLike: every number type and bool to every other.
 *
 * To a float: rounded once, to nearest even. From a float to an integer: towards zero; what does
 * not fit wraps around in 8 and 16 bits (as PyTorch's does), and is brought to the nearest end in
 * 32 and 64; NaN gives 0. Between integers: wraps around. To bool: not zero.
 */
#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/rules.h"
#include <string.h>

typedef struct job {
    const ltap_tensor *src, *dst;
} job;

enum { GRAIN = 64 }; /* blocks that are worth a thread */

static const unsigned exact_types = LTAP_TYPES_INT | LTAP_TYPES_BOOL;
static const unsigned narrow_types =
    LTAP_TYPE(LTAP_INT8) | LTAP_TYPE(LTAP_UINT8) | LTAP_TYPE(LTAP_INT16) | LTAP_TYPE(LTAP_UINT16);

static void cast_block(const job *j, int64_t start, int64_t n)
{
    ltap_dtype from = j->src->dtype, to = j->dst->dtype;
    int64_t ints[LTAP_BLOCK];
    double doubles[LTAP_BLOCK];
    if (to == LTAP_FLOAT32) {
        ltap_load_floats(from, j->src->data, start, n, (float *)j->dst->data + start);
    } else if (to == LTAP_FLOAT64) {
        ltap_load_doubles(from, j->src->data, start, n, (double *)j->dst->data + start);
    } else if ((exact_types & LTAP_TYPE(from)) && (exact_types & LTAP_TYPE(to))) {
        ltap_load_ints(from, j->src->data, start, n, ints);
        ltap_store_ints(to, j->dst->data, start, n, ints);
    } else {
        ltap_load_doubles(from, j->src->data, start, n, doubles);
        if (narrow_types & LTAP_TYPE(to)) {
            ltap_store_doubles(LTAP_INT64, ints, 0, n, doubles);
            ltap_store_ints(to, j->dst->data, start, n, ints);
        } else {
            ltap_store_doubles(to, j->dst->data, start, n, doubles);
        }
    }
}

static void cast_blocks(void *context, int64_t first, int64_t last)
{
    const job *j = context;
    int64_t count = (int64_t)ltap_tensor_count(j->dst);
    for (int64_t block = first; block < last; block++) {
        int64_t start = block * LTAP_BLOCK;
        cast_block(j, start, count - start < LTAP_BLOCK ? count - start : LTAP_BLOCK);
    }
}

static ltap_status cast_reference(const ltap_call *call, ltap_error *error)
{
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    job j = {&call->inputs[0], &call->outputs[0]};
    int64_t count = (int64_t)ltap_tensor_count(j.dst);
    if (j.src->dtype == j.dst->dtype)
        memcpy(j.dst->data, j.src->data, (size_t)ltap_tensor_bytes(j.src));
    else
        ltap_parallel_for(call->threads, (count + LTAP_BLOCK - 1) / LTAP_BLOCK, GRAIN, cast_blocks,
                          &j);
    return LTAP_OK;
}

static ltap_status cast_to(const ltap_call *call, int64_t to, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_NUMBER | LTAP_TYPES_BOOL, error));
    if (to <= 0 || to >= LTAP_DTYPES || !((LTAP_TYPES_NUMBER | LTAP_TYPES_BOOL) & LTAP_TYPE(to)))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "casts to %s (type %lld), which layertap does not",
                              ltap_dtype_name((ltap_dtype)to), (long long)to);
    ltap_call_output(call, 0, (ltap_dtype)to, call->inputs[0].rank, call->inputs[0].dims);
    return LTAP_OK;
}

static ltap_status cast_shape(const ltap_call *call, ltap_error *error)
{
    return cast_to(call, ltap_node_int(call->node, "to", 0), error);
}

static ltap_status cast_like_shape(const ltap_call *call, ltap_error *error)
{
    return cast_to(call, call->inputs[1].dtype, error);
}

const ltap_op ltap_op_cast = {
    .name = "Cast",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_POINTWISE | LTAP_OP_UNARY,
    .shape = cast_shape,
    .reference = cast_reference,
};

const ltap_op ltap_op_cast_like = {
    .name = "CastLike",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = cast_like_shape,
    .reference = cast_reference,
};
