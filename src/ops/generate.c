/* Operators whose output is made rather than copied: Shape, Size, ConstantOfShape, Range, EyeLike,
 * OneHot.
 */
#include "ops/elements.h"
#include "ops/rules.h"
#include "ops/strided.h"
#include <math.h>
#include <string.h>

/* Shape: axes start..end, clamped. */
static int clamp_axis(int64_t axis, int rank)
{
    axis += axis < 0 ? rank : 0;
    return (int)(axis < 0 ? 0 : axis > rank ? rank : axis);
}

static int shape_range(const ltap_call *call, int *start)
{
    int rank = call->inputs[0].rank;
    *start = clamp_axis(ltap_node_int(call->node, "start", 0), rank);
    int end = clamp_axis(ltap_node_int(call->node, "end", rank), rank);
    return end > *start ? end - *start : 0;
}

static ltap_status shape_shape(const ltap_call *call, ltap_error *error)
{
    int start;
    const int64_t dims[1] = {shape_range(call, &start)};
    ltap_call_output(call, 0, LTAP_INT64, 1, dims);
    return LTAP_OK;
}

static ltap_status shape_reference(const ltap_call *call, ltap_error *error)
{
    int start, count = shape_range(call, &start);
    if (ltap_call_wants(call, 0))
        memcpy(call->outputs[0].data, call->inputs[0].dims + start,
               (size_t)count * sizeof(int64_t));
    return LTAP_OK;
}

static ltap_status size_shape(const ltap_call *call, ltap_error *error)
{
    ltap_call_output(call, 0, LTAP_INT64, 0, NULL);
    return LTAP_OK;
}

static ltap_status size_reference(const ltap_call *call, ltap_error *error)
{
    if (ltap_call_wants(call, 0))
        *(int64_t *)call->outputs[0].data = (int64_t)ltap_tensor_count(&call->inputs[0]);
    return LTAP_OK;
}

static const ltap_tensor *fill_value(const ltap_call *call)
{
    const ltap_attr *value = ltap_node_attr(call->node, "value");
    return value && value->kind == LTAP_ATTR_TENSOR ? value->u.tensors : NULL;
}

static ltap_status constant_of_shape_shape(const ltap_call *call, ltap_error *error)
{
    int64_t dims[LTAP_MAX_RANK];
    size_t rank = 0;
    const ltap_tensor *value = fill_value(call);
    LTAP_TRY(ltap_call_ints(call, 0, "shape", dims, LTAP_MAX_RANK, &rank, error));
    if (value && (ltap_tensor_count(value) != 1 || !value->data))
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its value has shape %s, one number is needed",
                              ltap_shape_text(value).text);
    if (value && !(LTAP_TYPES_BYTES & LTAP_TYPE(value->dtype)))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "its value is %s, which layertap does not make",
                              ltap_dtype_name(value->dtype));
    ltap_call_output(call, 0, value ? value->dtype : LTAP_FLOAT32, (int)rank, dims);
    return LTAP_OK;
}

static ltap_status constant_of_shape_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *value = fill_value(call), *out = &call->outputs[0];
    const float zero = 0;
    if (ltap_call_wants(call, 0))
        ltap_strided_fill(out->data, value ? value->data : &zero, (int64_t)ltap_tensor_count(out),
                          ltap_dtype_bits(out->dtype) / 8);
    return LTAP_OK;
}

/* Range: start, limit and delta are constants, so that the length is known. */
static bool range_is_whole(const ltap_call *call)
{
    return (LTAP_TYPES_INT & LTAP_TYPE(call->inputs[0].dtype)) != 0;
}

static uint64_t whole_length(const ltap_call *call)
{
    int64_t start = ltap_tensor_int(&call->inputs[0], 0);
    int64_t limit = ltap_tensor_int(&call->inputs[1], 0);
    int64_t delta = ltap_tensor_int(&call->inputs[2], 0);
    if (delta == 0 || (delta > 0 && start >= limit) || (delta < 0 && start <= limit))
        return 0;
    uint64_t way =
        delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    return (way - 1) / step + 1;
}

static ltap_status range_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT | LTAP_TYPES_SIGNED, error));
    for (size_t i = 0; i < 3; i++) {
        LTAP_TRY(ltap_call_check_same(call, 0, i, error));
        if (ltap_tensor_count(&call->inputs[i]) != 1)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "input %zu has shape %s, one number is needed", i,
                                  ltap_shape_text(&call->inputs[i]).text);
        if (!call->inputs[i].data)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its length depends on data");
    }
    double start = ltap_tensor_double(&call->inputs[0], 0);
    double limit = ltap_tensor_double(&call->inputs[1], 0);
    double delta = ltap_tensor_double(&call->inputs[2], 0);
    double length = ceil((limit - start) / delta);
    if (delta == 0 || length >= 0x1p62 || isnan(length))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "a range from %g to %g by steps of %g",
                              start, limit, delta);
    int64_t dims[1] = {length > 0 ? (int64_t)length : 0};
    if (range_is_whole(call))
        dims[0] = (int64_t)whole_length(call);
    ltap_call_output(call, 0, call->inputs[0].dtype, 1, dims);
    return LTAP_OK;
}

/* Each element from the start, not from the one before: errors do not add up. */
static ltap_status range_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *out = &call->outputs[0];
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    int64_t count = out->dims[0];
    if (range_is_whole(call)) {
        uint64_t number = (uint64_t)ltap_tensor_int(&call->inputs[0], 0);
        uint64_t delta = (uint64_t)ltap_tensor_int(&call->inputs[2], 0);
        for (int64_t i = 0; i < count; i++, number += delta)
            ltap_store_ints(out->dtype, out->data, i, 1, &(int64_t){(int64_t)number});
        return LTAP_OK;
    }
    double start = ltap_tensor_double(&call->inputs[0], 0);
    double delta = ltap_tensor_double(&call->inputs[2], 0);
    for (int64_t i = 0; i < count; i++)
        ltap_store_doubles(out->dtype, out->data, i, 1, &(double){start + (double)i * delta});
    return LTAP_OK;
}

static ltap_status eye_like_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t dtype = ltap_node_int(call->node, "dtype", in->dtype);
    LTAP_TRY(ltap_call_check_rank(call, 0, 2, error));
    if (dtype <= 0 || dtype >= LTAP_DTYPES ||
        !((LTAP_TYPES_NUMBER | LTAP_TYPES_BOOL) & LTAP_TYPE(dtype)))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "makes %s, which layertap does not",
                              ltap_dtype_name((ltap_dtype)dtype));
    ltap_call_output(call, 0, (ltap_dtype)dtype, 2, in->dims);
    return LTAP_OK;
}

static ltap_status eye_like_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *out = &call->outputs[0];
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    int64_t k = ltap_node_int(call->node, "k", 0), rows = out->dims[0], columns = out->dims[1];
    const double one = 1;
    memset(out->data, 0, (size_t)ltap_tensor_bytes(out));
    if (k <= -rows || k >= columns)
        return LTAP_OK;
    for (int64_t row = k < 0 ? -k : 0; row < rows && row + k < columns; row++)
        ltap_store_doubles(out->dtype, out->data, row * columns + row + k, 1, &one);
    return LTAP_OK;
}

/* OneHot: indices, depth, [off, on]; a new axis of length depth. */
static ltap_status one_hot_axis(const ltap_call *call, int *axis, ltap_error *error)
{
    return ltap_axis_check(ltap_node_int(call->node, "axis", -1), call->inputs[0].rank + 1, axis,
                           error);
}

static ltap_status one_hot_depth(const ltap_call *call, int64_t *depth, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_NUMBER, error));
    if (ltap_tensor_count(&call->inputs[1]) != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its depth has shape %s, not one number",
                              ltap_shape_text(&call->inputs[1]).text);
    if (!call->inputs[1].data)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its depth depends on data");
    *depth = ltap_tensor_int(&call->inputs[1], 0);
    if (*depth < 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its depth is %lld", (long long)*depth);
    return LTAP_OK;
}

static ltap_status one_hot_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *indices = &call->inputs[0];
    int64_t dims[LTAP_MAX_RANK + 1], depth = 0;
    int axis = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_NUMBER, error));
    LTAP_TRY(ltap_call_check_type(call, 2, LTAP_TYPES_BYTES, error));
    LTAP_TRY(one_hot_axis(call, &axis, error));
    LTAP_TRY(one_hot_depth(call, &depth, error));
    if (ltap_tensor_count(&call->inputs[2]) != 2)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its values have shape %s, two are needed",
                              ltap_shape_text(&call->inputs[2]).text);
    for (int i = 0; i <= indices->rank; i++)
        dims[i] = i == axis ? depth : indices->dims[i - (i > axis)];
    ltap_call_output(call, 0, call->inputs[2].dtype, indices->rank + 1, dims);
    return LTAP_OK;
}

static ltap_status one_hot_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *indices = &call->inputs[0], *out = &call->outputs[0];
    unsigned bytes = ltap_dtype_bits(out->dtype) / 8;
    const char *on = (const char *)call->inputs[2].data + bytes;
    int64_t inner = 1;
    int axis = 0;
    LTAP_TRY(one_hot_axis(call, &axis, error));
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    for (int i = axis + 1; i < out->rank; i++)
        inner *= out->dims[i];
    int64_t depth = out->dims[axis], count = (int64_t)ltap_tensor_count(indices);
    ltap_strided_fill(out->data, call->inputs[2].data, (int64_t)ltap_tensor_count(out), bytes);
    for (int64_t i = 0; i < count; i++) {
        int64_t index = ltap_tensor_int(indices, (uint64_t)i);
        index += index < 0 ? depth : 0;
        if (index >= 0 && index < depth)
            memcpy((char *)out->data + ((i / inner * depth + index) * inner + i % inner) * bytes,
                   on, bytes);
    }
    return LTAP_OK;
}

const ltap_op ltap_op_shape_of = {
    .name = "Shape",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = shape_shape,
    .reference = shape_reference,
};

const ltap_op ltap_op_size = {
    .name = "Size",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = size_shape,
    .reference = size_reference,
};

const ltap_op ltap_op_constant_of_shape = {
    .name = "ConstantOfShape",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = constant_of_shape_shape,
    .reference = constant_of_shape_reference,
};

const ltap_op ltap_op_range = {
    .name = "Range",
    .domain = "",
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = range_shape,
    .reference = range_reference,
};

const ltap_op ltap_op_eye_like = {
    .name = "EyeLike",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = eye_like_shape,
    .reference = eye_like_reference,
};

const ltap_op ltap_op_one_hot = {
    .name = "OneHot",
    .domain = "",
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = one_hot_shape,
    .reference = one_hot_reference,
};
