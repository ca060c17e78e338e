/* NonZero and Compress: operators whose output's size depends on data.
 *
 * They exist where that data is constant (masks and shape arithmetic that the exporter left in);
 * elsewhere the shape rule refuses, because a plan needs every shape before it runs.
 */
#include "ops/elements.h"
#include "ops/rules.h"
#include <string.h>

static bool is_set(const ltap_tensor *t, uint64_t i)
{
    return ltap_tensor_double(t, i) != 0; /* NaN is not zero */
}

static int64_t count_set(const ltap_tensor *t, uint64_t limit)
{
    int64_t n = 0;
    for (uint64_t i = 0; i < limit; i++)
        n += is_set(t, i);
    return n;
}

static ltap_status non_zero_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    uint64_t count = ltap_tensor_count(in);
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_NUMBER | LTAP_TYPES_BOOL, error));
    if (!in->data && count > 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its output's size depends on data");
    const int64_t dims[2] = {in->rank, count_set(in, count)};
    ltap_call_output(call, 0, LTAP_INT64, 2, dims);
    return LTAP_OK;
}

static ltap_status non_zero_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    int64_t found = 0, *dst = out->data;
    for (uint64_t i = 0; i < ltap_tensor_count(in) && found < out->dims[1]; i++) {
        if (!is_set(in, i))
            continue;
        int64_t rest = (int64_t)i;
        for (int axis = in->rank - 1; axis >= 0; rest /= in->dims[axis], axis--)
            dst[axis * out->dims[1] + found] = rest % in->dims[axis];
        found++;
    }
    return LTAP_OK;
}

/* Compress: the slices along an axis (or the elements of the flattened input) that a mask keeps. */
typedef struct layout {
    int64_t outer, length;
    size_t bytes; /* of one slice */
} layout;

static ltap_status read_layout(const ltap_call *call, int *axis, layout *l, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    bool flat = !ltap_node_attr(call->node, "axis");
    *l = (layout){1, (int64_t)ltap_tensor_count(in), ltap_dtype_bits(in->dtype) / 8};
    *axis = -1;
    if (flat)
        return LTAP_OK;
    LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", 0), in->rank, axis, error));
    l->length = in->dims[*axis];
    for (int i = 0; i < *axis; i++)
        l->outer *= in->dims[i];
    for (int i = *axis + 1; i < in->rank; i++)
        l->bytes *= (size_t)in->dims[i];
    return LTAP_OK;
}

static uint64_t mask_length(const ltap_call *call, const layout *l)
{
    uint64_t n = ltap_tensor_count(&call->inputs[1]);
    return n < (uint64_t)l->length ? n : (uint64_t)l->length;
}

static ltap_status compress_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *mask = &call->inputs[1];
    int64_t dims[LTAP_MAX_RANK];
    int axis = 0;
    layout l;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_BOOL, error));
    LTAP_TRY(ltap_call_check_rank(call, 1, 1, error));
    LTAP_TRY(read_layout(call, &axis, &l, error));
    if (!mask->data && ltap_tensor_count(mask) > 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its output's size depends on data");
    memcpy(dims, in->dims, sizeof(dims));
    dims[axis < 0 ? 0 : axis] = count_set(mask, mask_length(call, &l));
    ltap_call_output(call, 0, in->dtype, axis < 0 ? 1 : in->rank, dims);
    return LTAP_OK;
}

static ltap_status compress_reference(const ltap_call *call, ltap_error *error)
{
    const char *src = call->inputs[0].data;
    char *dst = call->outputs[0].data;
    int axis = 0;
    layout l;
    LTAP_TRY(read_layout(call, &axis, &l, error));
    if (!ltap_call_wants(call, 0) || ltap_tensor_count(&call->outputs[0]) == 0)
        return LTAP_OK;
    uint64_t n = mask_length(call, &l);
    for (int64_t o = 0; o < l.outer; o++, src += (size_t)l.length * l.bytes)
        for (uint64_t i = 0; i < n; i++)
            if (is_set(&call->inputs[1], i)) {
                memcpy(dst, src + i * l.bytes, l.bytes);
                dst += l.bytes;
            }
    return LTAP_OK;
}

const ltap_op ltap_op_non_zero = {
    .name = "NonZero",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = non_zero_shape,
    .reference = non_zero_reference,
};

const ltap_op ltap_op_compress = {
    .name = "Compress",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = compress_shape,
    .reference = compress_reference,
};
