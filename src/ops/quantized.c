/* MatMulInteger, QLinearMatMul, ConvInteger, QLinearConv: products of 8-bit integers.
 *
 * Zero points are subtracted first; then the product is the float64 one of MatMul or Conv, which is
 * exact for sums of 8-bit products; at last it is scaled and rounded.
 */
#include "ops/elements.h"
#include "ops/quantize.h"
#include "ops/rules.h"
#include <math.h>

#define BYTES (LTAP_TYPE(LTAP_INT8) | LTAP_TYPE(LTAP_UINT8))
#define NONE  SIZE_MAX

/* Where an operator has what; axes count from the end when negative. */
typedef struct form {
    const ltap_op *op;
    size_t a, b, a_zero, b_zero, a_scale, b_scale, y_scale, y_zero, bias;
    int a_axis, b_axis;     /* along which zero points of a, b run */
    int y_a_axis, y_b_axis; /* the same axes in the output, for scales */
} form;

static const form matmul_integer = {
    &ltap_op_matmul, 0, 1, 2, 3, NONE, NONE, NONE, NONE, NONE, -2, -1, -2, -1};
static const form matmul_linear = {&ltap_op_matmul, 0, 3, 2, 5, 1, 4, 6, 7, NONE, -2, -1, -2, -1};
static const form conv_integer = {&ltap_op_conv, 0,    1,    2, 3, NONE, NONE,
                                  NONE,          NONE, NONE, 1, 0, 1,    1};
static const form conv_linear = {&ltap_op_conv, 0, 3, 2, 5, 1, 4, 6, 7, 8, 1, 0, 1, 1};

/* Numbers that are one for all, or one for each index of an axis of `of`. */
typedef struct spread {
    const ltap_tensor *numbers; /* NULL: `otherwise` everywhere */
    int64_t inner, length;      /* length 1: one number */
} spread;

static ltap_status read_spread(const ltap_call *call, size_t input, const ltap_tensor *of, int axis,
                               const char *what, spread *s, ltap_error *error)
{
    *s = (spread){.inner = 1, .length = 1};
    if (input == NONE || !ltap_call_has(call, input))
        return LTAP_OK;
    s->numbers = &call->inputs[input];
    uint64_t count = ltap_tensor_count(s->numbers);
    if (count == 1)
        return LTAP_OK;
    axis += axis < 0 ? of->rank : 0;
    if (axis < 0 || axis >= of->rank || count != (uint64_t)of->dims[axis])
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "its %s has shape %s; one number, or one for each index of an axis, "
                              "is supported",
                              what, ltap_shape_text(s->numbers).text);
    s->length = of->dims[axis];
    for (int i = axis + 1; i < of->rank; i++)
        s->inner *= of->dims[i];
    return LTAP_OK;
}

static double spread_at(const spread *s, int64_t element, double otherwise)
{
    if (!s->numbers)
        return otherwise;
    return ltap_tensor_double(s->numbers, (uint64_t)(element / s->inner % s->length));
}

static ltap_status product_shape(const ltap_call *call, const form *f, ltap_tensor *y,
                                 ltap_error *error)
{
    ltap_tensor inputs[2] = {call->inputs[f->a], call->inputs[f->b]};
    for (int i = 0; i < 2; i++) {
        inputs[i].dtype = LTAP_FLOAT64;
        inputs[i].data = NULL;
    }
    *y = (ltap_tensor){.dtype = LTAP_UNDEFINED};
    ltap_call product = {
        .node = call->node, .inputs = inputs, .n_inputs = 2, .outputs = y, .n_outputs = 1};
    return f->op->shape(&product, error);
}

static ltap_status check_scales(const ltap_call *call, const form *f, const ltap_tensor *y,
                                ltap_error *error)
{
    const size_t scales[3] = {f->a_scale, f->b_scale, f->y_scale};
    spread unused;
    for (int i = 0; i < 3; i++)
        LTAP_TRY(ltap_call_check_type(call, scales[i], LTAP_TYPES_FLOAT, error));
    LTAP_TRY(ltap_call_check_type(call, f->y_zero, BYTES, error));
    if (f->bias != NONE && ltap_call_has(call, f->bias))
        LTAP_TRY(ltap_call_check_type(call, f->bias, LTAP_TYPE(LTAP_INT32), error));
    LTAP_TRY(read_spread(call, f->a_scale, y, f->y_a_axis, "scale", &unused, error));
    LTAP_TRY(read_spread(call, f->b_scale, y, f->y_b_axis, "scale", &unused, error));
    LTAP_TRY(read_spread(call, f->bias, y, 1, "bias", &unused, error));
    LTAP_TRY(read_spread(call, f->y_zero, y, f->y_b_axis, "zero point", &unused, error));
    return read_spread(call, f->y_scale, y, f->y_b_axis, "scale", &unused, error);
}

static ltap_status shape(const ltap_call *call, const form *f, ltap_error *error)
{
    const size_t bytes[4] = {f->a, f->b, f->a_zero, f->b_zero};
    spread unused;
    ltap_tensor y;
    for (int i = 0; i < 4; i++)
        if (i < 2 || ltap_call_has(call, bytes[i]))
            LTAP_TRY(ltap_call_check_type(call, bytes[i], BYTES, error));
    LTAP_TRY(product_shape(call, f, &y, error));
    LTAP_TRY(
        read_spread(call, f->a_zero, &call->inputs[f->a], f->a_axis, "zero point", &unused, error));
    LTAP_TRY(
        read_spread(call, f->b_zero, &call->inputs[f->b], f->b_axis, "zero point", &unused, error));
    bool scaled = f->y_zero != NONE;
    if (scaled)
        LTAP_TRY(check_scales(call, f, &y, error));
    ltap_call_output(call, 0, scaled ? call->inputs[f->y_zero].dtype : LTAP_INT32, y.rank, y.dims);
    return LTAP_OK;
}

/* An input less its zero point, in float64. */
static ltap_status widen(const ltap_call *call, size_t input, size_t zero, int axis,
                         ltap_tensor *wide, ltap_error *error)
{
    int64_t count = (int64_t)ltap_tensor_count(&call->inputs[input]);
    spread zeros;
    *wide = call->inputs[input];
    LTAP_TRY(read_spread(call, zero, wide, axis, "zero point", &zeros, error));
    const void *src = wide->data;
    ltap_dtype dtype = wide->dtype;
    wide->dtype = LTAP_FLOAT64;
    wide->data = NULL;
    LTAP_TRY(ltap_memory_take(call->memory, (uint64_t)count * sizeof(double), "widened integers",
                              &wide->data, error));
    double *dst = wide->data;
    ltap_load_doubles(dtype, src, 0, count, dst);
    for (int64_t i = 0; i < count; i++)
        dst[i] -= spread_at(&zeros, i, 0);
    return LTAP_OK;
}

static void store_integers(const ltap_call *call, const double *sums)
{
    int32_t *y = call->outputs[0].data;
    int64_t count = (int64_t)ltap_tensor_count(&call->outputs[0]);
    for (int64_t i = 0; i < count; i++)
        y[i] = (int32_t)(uint32_t)(int64_t)sums[i];
}

static ltap_status store_scaled(const ltap_call *call, const form *f, const double *sums,
                                ltap_error *error)
{
    const ltap_tensor *y = &call->outputs[0];
    int64_t count = (int64_t)ltap_tensor_count(y);
    spread a, b, scale, zero, bias;
    LTAP_TRY(read_spread(call, f->a_scale, y, f->y_a_axis, "scale", &a, error));
    LTAP_TRY(read_spread(call, f->b_scale, y, f->y_b_axis, "scale", &b, error));
    LTAP_TRY(read_spread(call, f->y_scale, y, f->y_b_axis, "scale", &scale, error));
    LTAP_TRY(read_spread(call, f->y_zero, y, f->y_b_axis, "zero point", &zero, error));
    LTAP_TRY(read_spread(call, f->bias, y, 1, "bias", &bias, error));
    for (int64_t i = 0; i < count; i++) {
        float factor = (float)spread_at(&a, i, 1) * (float)spread_at(&b, i, 1) /
                       (float)spread_at(&scale, i, 1);
        double sum = sums[i] + spread_at(&bias, i, 0);
        double rounded = rintf((float)sum * factor) + spread_at(&zero, i, 0);
        double stored = ltap_quantized(rounded, y->dtype);
        ltap_store_doubles(y->dtype, y->data, i, 1, &stored);
    }
    return LTAP_OK;
}

static ltap_status reference(const ltap_call *call, const form *f, ltap_error *error)
{
    ltap_tensor inputs[2] = {{.data = NULL}, {.data = NULL}}, sums = call->outputs[0];
    ltap_status status = LTAP_OK;
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    sums.dtype = LTAP_FLOAT64;
    sums.data = NULL;
    LTAP_GO(widen(call, f->a, f->a_zero, f->a_axis, &inputs[0], error));
    LTAP_GO(widen(call, f->b, f->b_zero, f->b_axis, &inputs[1], error));
    LTAP_GO(ltap_memory_take_zeroed(call->memory, ltap_tensor_count(&sums), sizeof(double),
                                    "sums of integers", &sums.data, error));
    ltap_call product = *call;
    product.inputs = inputs;
    product.n_inputs = 2;
    product.outputs = &sums;
    LTAP_GO(f->op->reference(&product, error));
    if (f->y_zero == NONE)
        store_integers(call, sums.data);
    else
        LTAP_GO(store_scaled(call, f, sums.data, error));
done:
    /* Whatever widen did not replace is still the caller's. */
    for (int i = 0; i < 2; i++)
        if (inputs[i].dtype == LTAP_FLOAT64)
            ltap_memory_release(call->memory, inputs[i].data);
    ltap_memory_release(call->memory, sums.data);
    return status;
}

/* Both inputs and the sums, in float64. */
static uint64_t temporary(const ltap_call *call, const form *f)
{
    return (ltap_tensor_count(&call->inputs[f->a]) + ltap_tensor_count(&call->inputs[f->b]) +
            ltap_tensor_count(&call->outputs[0])) *
           sizeof(double);
}

#define OPERATOR(id, onnx_name, f, least, most)                                                    \
    static ltap_status id##_shape(const ltap_call *call, ltap_error *error)                        \
    {                                                                                              \
        return shape(call, &f, error);                                                             \
    }                                                                                              \
    static ltap_status id##_reference(const ltap_call *call, ltap_error *error)                    \
    {                                                                                              \
        return reference(call, &f, error);                                                         \
    }                                                                                              \
    static uint64_t id##_temporary(const ltap_call *call)                                          \
    {                                                                                              \
        return temporary(call, &f);                                                                \
    }                                                                                              \
    const ltap_op ltap_op_##id = {.name = onnx_name,                                               \
                                  .domain = "",                                                    \
                                  .min_inputs = least,                                             \
                                  .max_inputs = most,                                              \
                                  .min_outputs = 1,                                                \
                                  .max_outputs = 1,                                                \
                                  .shape = id##_shape,                                             \
                                  .reference = id##_reference,                                     \
                                  .temporary = id##_temporary};

OPERATOR(matmul_integer, "MatMulInteger", matmul_integer, 2, 4)
OPERATOR(qlinear_matmul, "QLinearMatMul", matmul_linear, 8, 8)
OPERATOR(conv_integer, "ConvInteger", conv_integer, 2, 4)
OPERATOR(qlinear_conv, "QLinearConv", conv_linear, 8, 9)
