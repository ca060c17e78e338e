/* Gather, GatherElements and GatherND: reading elements by index. Writing by index is in scatter.c.
 *
 * Negative indices count from the end. An index outside is an error while running, which says so.
 */
#include "ops/indices.h"
#include "ops/rules.h"
#include <string.h>

/* Product of dims[first..last). */
static int64_t product(const int64_t *dims, int first, int last)
{
    int64_t n = 1;
    for (int i = first; i < last; i++)
        n *= dims[i];
    return n;
}

static ltap_status read_axis(const ltap_call *call, int *axis, ltap_error *error)
{
    return ltap_axis_check(ltap_node_int(call->node, "axis", 0), call->inputs[0].rank, axis, error);
}

static ltap_status gather_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *at = &call->inputs[1];
    int64_t dims[2 * LTAP_MAX_RANK];
    int axis = 0, rank = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_INDEX, error));
    LTAP_TRY(read_axis(call, &axis, error));
    for (int i = 0; i < axis; i++)
        dims[rank++] = in->dims[i];
    for (int i = 0; i < at->rank; i++)
        dims[rank++] = at->dims[i];
    for (int i = axis + 1; i < in->rank; i++)
        dims[rank++] = in->dims[i];
    ltap_call_output(call, 0, in->dtype, rank, dims);
    return LTAP_OK;
}

static ltap_status gather_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *at = &call->inputs[1];
    int axis = 0;
    LTAP_TRY(read_axis(call, &axis, error));
    if (!ltap_call_wants(call, 0) || ltap_tensor_count(&call->outputs[0]) == 0)
        return LTAP_OK;
    int64_t outer = product(in->dims, 0, axis), length = in->dims[axis];
    int64_t count = (int64_t)ltap_tensor_count(at);
    size_t inner = (size_t)product(in->dims, axis + 1, in->rank) * ltap_dtype_bits(in->dtype) / 8;
    const char *src = in->data;
    char *dst = call->outputs[0].data;
    for (int64_t o = 0; o < outer; o++, src += (size_t)length * inner)
        for (int64_t i = 0; i < count; i++, dst += inner) {
            int64_t index = 0;
            LTAP_TRY(ltap_index_read(at, (uint64_t)i, length, &index, error));
            memcpy(dst, src + (size_t)index * inner, inner);
        }
    return LTAP_OK;
}

static ltap_status gather_elements_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *at = &call->inputs[1];
    int axis = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_index_check_elements(call, &axis, error));
    ltap_call_output(call, 0, in->dtype, at->rank, at->dims);
    return LTAP_OK;
}

static ltap_status gather_elements_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    unsigned bytes = ltap_dtype_bits(in->dtype) / 8;
    ltap_index_walk walk;
    int axis = 0;
    LTAP_TRY(read_axis(call, &axis, error));
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    uint64_t count = ltap_tensor_count(out);
    ltap_index_walk_init(&walk, &call->inputs[1], in, axis);
    for (uint64_t i = 0; i < count; i++) {
        int64_t offset = 0;
        LTAP_TRY(ltap_index_walk_next(&walk, &offset, error));
        memcpy((char *)out->data + i * bytes, (const char *)in->data + offset * bytes, bytes);
    }
    return LTAP_OK;
}

static ltap_status gather_nd_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *at = &call->inputs[1];
    int64_t dims[2 * LTAP_MAX_RANK], batch = ltap_node_int(call->node, "batch_dims", 0);
    int rank = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_index_check_tuples(call, batch, error));
    for (int i = 0; i + 1 < at->rank; i++)
        dims[rank++] = at->dims[i];
    for (int i = (int)(batch + at->dims[at->rank - 1]); i < in->rank; i++)
        dims[rank++] = in->dims[i];
    for (int i = 0; i < batch; i++)
        if (in->dims[i] != at->dims[i])
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "shapes %s and %s differ in the first %lld axes, its batch",
                                  ltap_shape_text(in).text, ltap_shape_text(at).text,
                                  (long long)batch);
    ltap_call_output(call, 0, in->dtype, rank, dims);
    return LTAP_OK;
}

static ltap_status gather_nd_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *at = &call->inputs[1];
    int batch = (int)ltap_node_int(call->node, "batch_dims", 0);
    if (!ltap_call_wants(call, 0) || ltap_tensor_count(&call->outputs[0]) == 0)
        return LTAP_OK;
    int64_t tuple = at->dims[at->rank - 1], batches = product(in->dims, 0, batch);
    int64_t per_batch = product(at->dims, batch, at->rank - 1);
    int64_t stride = product(in->dims, batch, in->rank);
    size_t bytes = ltap_dtype_bits(in->dtype) / 8;
    size_t part = (size_t)product(in->dims, batch + (int)tuple, in->rank) * bytes;
    char *dst = call->outputs[0].data;
    for (int64_t i = 0; i < batches * per_batch; i++, dst += part) {
        int64_t offset = 0;
        LTAP_TRY(ltap_index_read_tuple(at, i, in->dims + batch, in->rank - batch, &offset, error));
        const char *src = (const char *)in->data + (size_t)(i / per_batch * stride) * bytes;
        memcpy(dst, src + (size_t)offset * bytes, part);
    }
    return LTAP_OK;
}

const ltap_op ltap_op_gather = {
    .name = "Gather",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = gather_shape,
    .reference = gather_reference,
};

const ltap_op ltap_op_gather_elements = {
    .name = "GatherElements",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = gather_elements_shape,
    .reference = gather_elements_reference,
};

const ltap_op ltap_op_gather_nd = {
    .name = "GatherND",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = gather_nd_shape,
    .reference = gather_nd_reference,
};
