/* Operators that hand on the bytes of their first input, with the same or another shape: Identity,
 * Reshape, Flatten, Squeeze, Unsqueeze, Dropout.
 *
 * A plan may let the output share the input's memory; the reference kernel copies.
 */
#include "ops/rules.h"
#include <string.h>

static ltap_status copy(const ltap_call *call, ltap_error *error)
{
    if (ltap_call_wants(call, 0) && ltap_tensor_bytes(&call->inputs[0]) > 0)
        memcpy(call->outputs[0].data, call->inputs[0].data,
               (size_t)ltap_tensor_bytes(&call->inputs[0]));
    return LTAP_OK;
}

static ltap_status check_sized(const ltap_call *call, ltap_error *error)
{
    return ltap_dtype_bits(call->inputs[0].dtype) ? LTAP_OK
                                                  : ltap_call_check_type(call, 0, 0, error);
}

static ltap_status identity_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(check_sized(call, error));
    ltap_call_output_like(call);
    return LTAP_OK;
}

/* Puts sizes for 0 (as in the input, unless allowzero) and -1 (what is left). */
static ltap_status resolve_dims(const ltap_call *call, size_t rank, int64_t *dims,
                                ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    bool allow_zero = ltap_node_int(call->node, "allowzero", 0) != 0;
    int64_t *inferred = NULL;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] == 0 && !allow_zero && i >= (size_t)in->rank)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "its shape copies axis %zu of an input of rank %d", i, in->rank);
        if (dims[i] == 0 && !allow_zero)
            dims[i] = in->dims[i];
        if (dims[i] < -1 || (dims[i] == -1 && inferred))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "its shape has %lld at axis %zu",
                                  (long long)dims[i], i);
        if (dims[i] == -1)
            inferred = &dims[i];
    }
    if (!inferred)
        return LTAP_OK;
    uint64_t known = 1, count = ltap_tensor_count(in);
    *inferred = 1;
    bool fits = ltap_dims_count((int)rank, dims, &known);
    *inferred = fits && known > 0 && count % known == 0 ? (int64_t)(count / known) : 0;
    return LTAP_OK;
}

static ltap_status set_view(const ltap_call *call, size_t rank, const int64_t *dims,
                            ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    uint64_t count;
    ltap_tensor view = ltap_tensor_make(in->dtype, (int)rank, dims, NULL);
    if (!ltap_dims_count((int)rank, dims, &count) || count != ltap_tensor_count(in))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "shape %s does not become %s",
                              ltap_shape_text(in).text, ltap_shape_text(&view).text);
    ltap_call_output(call, 0, in->dtype, (int)rank, dims);
    return LTAP_OK;
}

static ltap_status reshape_shape(const ltap_call *call, ltap_error *error)
{
    int64_t dims[LTAP_MAX_RANK];
    size_t rank = 0;
    LTAP_TRY(check_sized(call, error));
    LTAP_TRY(ltap_call_ints(call, 1, "shape", dims, LTAP_MAX_RANK, &rank, error));
    LTAP_TRY(resolve_dims(call, rank, dims, error));
    return set_view(call, rank, dims, error);
}

static ltap_status flatten_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t axis = ltap_node_int(call->node, "axis", 1);
    LTAP_TRY(check_sized(call, error));
    if (axis < -in->rank || axis > in->rank)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "axis %lld is outside a tensor of rank %d",
                              (long long)axis, in->rank);
    axis += axis < 0 ? in->rank : 0;
    int64_t dims[2] = {1, 1};
    for (int i = 0; i < in->rank; i++)
        dims[i >= axis] *= in->dims[i];
    return set_view(call, 2, dims, error);
}

static ltap_status squeeze_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t axes[LTAP_MAX_RANK], dims[LTAP_MAX_RANK];
    bool drop[LTAP_MAX_RANK];
    size_t count = 0, rank = 0;
    LTAP_TRY(check_sized(call, error));
    if (ltap_call_has(call, 1)) {
        LTAP_TRY(ltap_call_ints(call, 1, "axes", axes, LTAP_MAX_RANK, &count, error));
        LTAP_TRY(ltap_axes_check(axes, count, in->rank, drop, error));
    } else {
        for (int i = 0; i < in->rank; i++)
            drop[i] = in->dims[i] == 1;
    }
    for (int i = 0; i < in->rank; i++) {
        if (drop[i] && in->dims[i] != 1)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "axis %d has length %lld, not 1", i,
                                  (long long)in->dims[i]);
        if (!drop[i])
            dims[rank++] = in->dims[i];
    }
    return set_view(call, rank, dims, error);
}

static ltap_status unsqueeze_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t axes[LTAP_MAX_RANK], dims[LTAP_MAX_RANK];
    bool is_new[LTAP_MAX_RANK];
    size_t count = 0;
    LTAP_TRY(check_sized(call, error));
    LTAP_TRY(ltap_call_ints(call, 1, "axes", axes, LTAP_MAX_RANK, &count, error));
    int rank = in->rank + (int)count;
    if (rank > LTAP_MAX_RANK)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "its output has %d dimensions, at most %d are supported", rank,
                              LTAP_MAX_RANK);
    LTAP_TRY(ltap_axes_check(axes, count, rank, is_new, error));
    for (int i = 0, k = 0; i < rank; i++)
        dims[i] = is_new[i] ? 1 : in->dims[k++];
    return set_view(call, (size_t)rank, dims, error);
}

/* Outside training, Dropout hands on its input; its mask is all true. */
static ltap_status dropout_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(check_sized(call, error));
    if (ltap_call_has(call, 2)) {
        const ltap_tensor *training = &call->inputs[2];
        if (!training->data)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "its training_mode depends on data");
        if (ltap_tensor_count(training) != 1 || ltap_tensor_int(training, 0) != 0)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "it is in training mode, which draws random numbers; export the "
                                  "model in eval mode");
    }
    ltap_call_output_like(call);
    ltap_call_output(call, 1, LTAP_BOOL, call->inputs[0].rank, call->inputs[0].dims);
    return LTAP_OK;
}

static ltap_status dropout_reference(const ltap_call *call, ltap_error *error)
{
    if (ltap_call_wants(call, 1))
        memset(call->outputs[1].data, 1, (size_t)ltap_tensor_bytes(&call->outputs[1]));
    return copy(call, error);
}

const ltap_op ltap_op_identity = {
    .name = "Identity",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_VIEW | LTAP_OP_POINTWISE | LTAP_OP_UNARY,
    .shape = identity_shape,
    .reference = copy,
};

const ltap_op ltap_op_reshape = {
    .name = "Reshape",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_VIEW,
    .shape = reshape_shape,
    .reference = copy,
};

const ltap_op ltap_op_flatten = {
    .name = "Flatten",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_VIEW,
    .shape = flatten_shape,
    .reference = copy,
};

const ltap_op ltap_op_squeeze = {
    .name = "Squeeze",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_VIEW,
    .shape = squeeze_shape,
    .reference = copy,
};

const ltap_op ltap_op_unsqueeze = {
    .name = "Unsqueeze",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_VIEW,
    .shape = unsqueeze_shape,
    .reference = copy,
};

const ltap_op ltap_op_dropout = {
    .name = "Dropout",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 2,
    .flags = LTAP_OP_POINTWISE | LTAP_OP_UNARY,
    .shape = dropout_shape,
    .reference = dropout_reference,
};
