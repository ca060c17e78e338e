/* Activation functions: one expression each, for float32 and float64 (half-width floats through
 * float32).
 *
 * NaN comes out where NaN goes in. Formulas that subtract nearly equal numbers use expm1 and log1p.
 * Clip and PRelu, which have more inputs, are in clip.c.
 */
#include "ops/pointwise.h"
#include <string.h>
#include <tgmath.h>

#define SQRT_HALF             0.70710678118654752440
#define SQRT_TWO_BY_PI        0.79788456080286535588

#define RELU(T, W, x)         (x < 0 ? 0 : x)
#define LEAKY_RELU(T, W, x)   (x < 0 ? a * x : x)
#define ELU(T, W, x)          (x > 0 ? x : a * expm1(x))
#define CELU(T, W, x)         (x > 0 ? x : a * expm1(x / a))
#define SELU(T, W, x)         (b * (x > 0 ? x : a * expm1(x)))
#define THRESHOLDED(T, W, x)  (x <= a ? 0 : x)
#define UNIT(T, y)            ((y) < 0 ? (T)0 : (y) > 1 ? (T)1 : (y))
#define HARD_SIGMOID(T, W, x) UNIT(T, a *x + b)
#define SIX(T, y)             ((y) < 0 ? (T)0 : (y) > 6 ? (T)6 : (y))
#define HARD_SWISH(T, W, x)   (x * SIX(T, x + 3) / 6)
#define LOGISTIC(T, x)        (1 / (1 + exp(-(x))))
#define SIGMOID(T, W, x)      LOGISTIC(T, x)
#define SWISH(T, W, x)        (x * LOGISTIC(T, a * x))
#define TANH(T, W, x)         tanh(x)
#define SOFTPLUS(T, W, x)     (x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))
#define SOFTSIGN(T, W, x)     (x / (1 + fabs(x)))
#define MISH(T, W, x)         (x * tanh(SOFTPLUS(T, W, x)))
#define GELU(T, W, x)         (x * (T)0.5 * (1 + erf(x * (T)SQRT_HALF)))
#define GELU_TANH(T, W, x)                                                                         \
    (x * (T)0.5 * (1 + tanh((T)SQRT_TWO_BY_PI * (x + (T)0.044715 * x * x * x))))
#define SHRINK(T, W, x) (x < -b ? x + a : x <= b ? 0 : x - a)

/* A float activation: its kernels, table row, and operator. */
#define ACTIVATION(id, onnx_name, EXPR, attr0, default0, attr1, default1)                          \
    LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, id, EXPR)                                                   \
    static const ltap_pointwise id##_pointwise = {                                                 \
        .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, id)},                                         \
        .params = {{attr0, default0}, {attr1, default1}},                                          \
    };                                                                                             \
    LTAP_POINTWISE_OP(id, onnx_name, 1, LTAP_OP_UNARY)

ACTIVATION(leaky_relu, "LeakyRelu", LEAKY_RELU, "alpha", 0.01f, NULL, 0)
ACTIVATION(elu, "Elu", ELU, "alpha", 1, NULL, 0)
ACTIVATION(celu, "Celu", CELU, "alpha", 1, NULL, 0)
ACTIVATION(selu, "Selu", SELU, "alpha", 1.67326319217681884765625, "gamma",
           1.05070102214813232421875)
ACTIVATION(thresholded_relu, "ThresholdedRelu", THRESHOLDED, "alpha", 1, NULL, 0)
ACTIVATION(hard_sigmoid, "HardSigmoid", HARD_SIGMOID, "alpha", 0.2f, "beta", 0.5)
ACTIVATION(hard_swish, "HardSwish", HARD_SWISH, NULL, 0, NULL, 0)
ACTIVATION(sigmoid, "Sigmoid", SIGMOID, NULL, 0, NULL, 0)
ACTIVATION(swish, "Swish", SWISH, "alpha", 1, NULL, 0)
ACTIVATION(tanh, "Tanh", TANH, NULL, 0, NULL, 0)
ACTIVATION(softplus, "Softplus", SOFTPLUS, NULL, 0, NULL, 0)
ACTIVATION(softsign, "Softsign", SOFTSIGN, NULL, 0, NULL, 0)
ACTIVATION(mish, "Mish", MISH, NULL, 0, NULL, 0)

LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, relu, RELU)
LTAP_EACH_SIGNED(LTAP_UNARY_KERNEL, relu, RELU)
static const ltap_pointwise relu_pointwise = {
    .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, relu) LTAP_EACH_SIGNED(LTAP_KERNEL_ROW, relu)},
};
LTAP_POINTWISE_OP(relu, "Relu", 1, LTAP_OP_UNARY)

LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, shrink, SHRINK)
#define SHRINK_INT_KERNEL(tag, dtype, T, W, id)                                                    \
    static void id##_##tag(const ltap_stretch *s)                                                  \
    {                                                                                              \
        const double a = s->params[0], b = s->params[1];                                           \
        for (int64_t i = 0; i < s->n; i++) {                                                       \
            const double x = (double)((const T *)s->src[0])[i], y = SHRINK(double, W, x);          \
            ltap_store_doubles(dtype, s->dst, i, 1, &y);                                           \
        }                                                                                          \
    }
LTAP_EACH_INT(SHRINK_INT_KERNEL, shrink)
static const ltap_pointwise shrink_pointwise = {
    .kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, shrink)},
    .params = {{"bias", 0}, {"lambd", 0.5}},
};
LTAP_POINTWISE_OP(shrink, "Shrink", 1, LTAP_OP_UNARY)

/* Gelu chooses its formula by an attribute. */
LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, gelu, GELU)
LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, gelu_tanh, GELU_TANH)
static const ltap_pointwise gelu_pointwise = {.kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, gelu)}};
static const ltap_pointwise gelu_tanh_pointwise = {
    .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, gelu_tanh)}};

static const ltap_pointwise *gelu_formula(const ltap_call *call)
{
    const char *approximate = ltap_node_string(call->node, "approximate", "none");
    if (strcmp(approximate, "none") == 0)
        return &gelu_pointwise;
    return strcmp(approximate, "tanh") == 0 ? &gelu_tanh_pointwise : NULL;
}

static ltap_status gelu_shape(const ltap_call *call, ltap_error *error)
{
    if (!gelu_formula(call))
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "approximate is '%s', known are 'none' and 'tanh'",
                              ltap_node_string(call->node, "approximate", ""));
    return ltap_pointwise_shape(call, &gelu_pointwise, error);
}

static ltap_status gelu_reference(const ltap_call *call, ltap_error *error)
{
    ltap_pointwise_run(call, gelu_formula(call), 1, NULL);
    return LTAP_OK;
}

const ltap_op ltap_op_gelu = {
    .name = "Gelu",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_POINTWISE | LTAP_OP_UNARY,
    .shape = gelu_shape,
    .reference = gelu_reference,
};
