/* DepthToSpace and SpaceToDepth, which exchange channels for resolution, and Trilu, which blanks
 * one side of a diagonal.
 */
#include "ops/rules.h"
#include <string.h>

/* The six axes that both operators permute: input [N, a, b, c, H..., ...] in their own order. */
typedef struct exchange {
    int64_t dims[6];
    int perm[6];
} exchange;

static ltap_status check_space(const ltap_call *call, int64_t *block, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_call_check_rank(call, 0, 4, error));
    *block = ltap_node_int(call->node, "blocksize", 0);
    if (*block < 1 || *block > INT32_MAX)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "blocksize is %lld", (long long)*block);
    return LTAP_OK;
}

static ltap_status permute(const ltap_call *call, const exchange *e)
{
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    ltap_dtype dtype = call->inputs[0].dtype;
    ltap_tensor src = ltap_tensor_make(dtype, 6, e->dims, call->inputs[0].data), dst = src;
    for (int i = 0; i < 6; i++)
        dst.dims[i] = e->dims[e->perm[i]];
    dst.data = call->outputs[0].data;
    ltap_tensor_permute(&src, e->perm, &dst, call->threads);
    return LTAP_OK;
}

static ltap_status depth_to_space_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t b = 1;
    LTAP_TRY(check_space(call, &b, error));
    const char *mode = ltap_node_string(call->node, "mode", "DCR");
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "mode is '%s', known are 'DCR' and 'CRD'",
                              mode);
    int64_t dims[4] = {in->dims[0], in->dims[1] / (b * b), 0, 0};
    if (in->dims[1] % (b * b) != 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "%lld channels do not divide into blocks of %lldx%lld",
                              (long long)in->dims[1], (long long)b, (long long)b);
    if (__builtin_mul_overflow(in->dims[2], b, &dims[2]) ||
        __builtin_mul_overflow(in->dims[3], b, &dims[3]))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its output is too large");
    ltap_call_output(call, 0, in->dtype, 4, dims);
    return LTAP_OK;
}

static ltap_status depth_to_space_reference(const ltap_call *call, ltap_error *error)
{
    const int64_t *in = call->inputs[0].dims;
    int64_t b = ltap_node_int(call->node, "blocksize", 1), c = in[1] / (b * b);
    const exchange dcr = {{in[0], b, b, c, in[2], in[3]}, {0, 3, 4, 1, 5, 2}};
    const exchange crd = {{in[0], c, b, b, in[2], in[3]}, {0, 1, 4, 2, 5, 3}};
    bool columns = strcmp(ltap_node_string(call->node, "mode", "DCR"), "CRD") == 0;
    return permute(call, columns ? &crd : &dcr);
}

static ltap_status space_to_depth_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t b = 1;
    LTAP_TRY(check_space(call, &b, error));
    int64_t dims[4] = {in->dims[0], 0, in->dims[2] / b, in->dims[3] / b};
    if (in->dims[2] % b != 0 || in->dims[3] % b != 0)
        return ltap_error_set(
            error, LTAP_ERROR_FORMAT, "%lldx%lld does not divide into blocks of %lldx%lld",
            (long long)in->dims[2], (long long)in->dims[3], (long long)b, (long long)b);
    if (__builtin_mul_overflow(in->dims[1], b * b, &dims[1]))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its output is too large");
    ltap_call_output(call, 0, in->dtype, 4, dims);
    return LTAP_OK;
}

static ltap_status space_to_depth_reference(const ltap_call *call, ltap_error *error)
{
    const int64_t *in = call->inputs[0].dims;
    int64_t b = ltap_node_int(call->node, "blocksize", 1);
    const exchange blocks = {{in[0], in[1], in[2] / b, b, in[3] / b, b}, {0, 3, 5, 1, 2, 4}};
    return permute(call, &blocks);
}

static ltap_status trilu_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    if (call->inputs[0].rank < 2)
        return ltap_call_check_rank(call, 0, 2, error);
    if (ltap_call_has(call, 1)) {
        LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_INDEX, error));
        if (ltap_tensor_count(&call->inputs[1]) != 1)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "its diagonal has shape %s, one number is needed",
                                  ltap_shape_text(&call->inputs[1]).text);
    }
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status trilu_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    if (!ltap_call_wants(call, 0) || ltap_tensor_count(in) == 0)
        return LTAP_OK;
    bool upper = ltap_node_int(call->node, "upper", 1) != 0;
    int64_t rows = in->dims[in->rank - 2], columns = in->dims[in->rank - 1];
    int64_t k = ltap_call_has(call, 1) ? ltap_tensor_int(&call->inputs[1], 0) : 0;
    size_t bytes = ltap_dtype_bits(in->dtype) / 8, row_bytes = (size_t)columns * bytes;
    k = k < -rows ? -rows : k > columns ? columns : k;
    int64_t n = (int64_t)(ltap_tensor_count(in) / (uint64_t)columns);
    for (int64_t i = 0; i < n; i++) {
        /* The first column of the upper part; the diagonal belongs to both parts. */
        int64_t edge = i % rows + k + !upper;
        size_t kept = (size_t)(edge < 0 ? 0 : edge > columns ? columns : edge) * bytes;
        char *dst = (char *)out->data + (size_t)i * row_bytes;
        memcpy(dst, (const char *)in->data + (size_t)i * row_bytes, row_bytes);
        if (upper)
            memset(dst, 0, kept);
        else
            memset(dst + kept, 0, row_bytes - kept);
    }
    return LTAP_OK;
}

const ltap_op ltap_op_depth_to_space = {
    .name = "DepthToSpace",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = depth_to_space_shape,
    .reference = depth_to_space_reference,
};

const ltap_op ltap_op_space_to_depth = {
    .name = "SpaceToDepth",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = space_to_depth_shape,
    .reference = space_to_depth_reference,
};

const ltap_op ltap_op_trilu = {
    .name = "Trilu",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = trilu_shape,
    .reference = trilu_reference,
};
