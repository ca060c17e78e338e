/* Elementary functions over stretches of floats; see vector.h. */
#include "backends/simd/vector.h"

LTAP_VECTOR_CONTRACT

#include "backends/simd/functions.h"

#define SQRT_HALF    0.70710678118654752440f
#define ROOT_2_BY_PI 0.79788456080286535588f

/* x, y: operands; p: parameters. */
#define MAP(name, EXPR)                                                                            \
    LTAP_VECTOR_CLONES                                                                             \
    static void map_##name(const float *a, const float *b, const float *p, float *out, int64_t n)  \
    {                                                                                              \
        const float first = p[0], second = p[1];                                                   \
        (void)first;                                                                               \
        (void)second;                                                                              \
        (void)b;                                                                                   \
        LTAP_VECTOR_LOOP                                                                           \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const float x = a[i];                                                                  \
            out[i] = (EXPR);                                                                       \
        }                                                                                          \
    }

MAP(add, x + b[i])
MAP(sub, x - b[i])
MAP(mul, x *b[i])
MAP(div, x / b[i])
MAP(relu, x < 0 ? 0 : x)
MAP(leaky_relu, x < 0 ? first * x : x)
MAP(clip, clamp(x, first, second))
MAP(hard_sigmoid, clamp(first *x + second, 0, 1))
MAP(hard_swish, x *clamp(x + 3, 0, 6) / 6)
MAP(sigmoid, logistic_of(x))
MAP(swish, x *logistic_of(first *x))
MAP(tanh, tanh_of(x))
MAP(erf, erf_of(x))
MAP(exp, exp_of(x))
MAP(gelu, x * 0.5f * (1.0f + erf_of(x * SQRT_HALF)))
MAP(gelu_tanh, x * 0.5f * (1.0f + tanh_of(ROOT_2_BY_PI * (x + 0.044715f * x * x * x))))
MAP(elu, x > 0 ? x : first * expm1_of(x))
MAP(celu, x > 0 ? x : first * expm1_of(x / first))
MAP(selu, second *(x > 0 ? x : first * expm1_of(x)))
MAP(softplus, softplus_of(x))
MAP(softsign, x / (1 + fabsf(x)))
MAP(mish, mish_of(x))
MAP(log, log_of(x))
MAP(sqrt, sqrtf(x))
MAP(reciprocal, 1.0f / x)
MAP(neg, -x)
MAP(abs, fabsf(x))
MAP(identity, x) /* in the middle of a chain; alone it is a view */

static const ltap_vector_function functions[] = {
    {.op = "Add", .map = map_add, .n_sources = 2},
    {.op = "Sub", .map = map_sub, .n_sources = 2},
    {.op = "Mul", .map = map_mul, .n_sources = 2},
    {.op = "Div", .map = map_div, .n_sources = 2},
    {.op = "Relu", .map = map_relu, .n_sources = 1},
    {.op = "LeakyRelu", .map = map_leaky_relu, .n_sources = 1, .params = {{"alpha", 0.01f}}},
    {.op = "Clip",
     .map = map_clip,
     .n_sources = 1,
     .params = {{NULL, -INFINITY}, {NULL, INFINITY}},
     .limits = true},
    {.op = "HardSigmoid",
     .map = map_hard_sigmoid,
     .n_sources = 1,
     .params = {{"alpha", 0.2f}, {"beta", 0.5f}}},
    {.op = "HardSwish", .map = map_hard_swish, .n_sources = 1},
    {.op = "Sigmoid", .map = map_sigmoid, .n_sources = 1},
    {.op = "Swish", .map = map_swish, .n_sources = 1, .params = {{"alpha", 1}}},
    {.op = "Tanh", .map = map_tanh, .n_sources = 1},
    {.op = "Erf", .map = map_erf, .n_sources = 1},
    {.op = "Exp", .map = map_exp, .n_sources = 1},
    {.op = "Gelu", .map = map_gelu, .n_sources = 1, .text_attr = "approximate", .text = "none"},
    {.op = "Gelu",
     .map = map_gelu_tanh,
     .n_sources = 1,
     .text_attr = "approximate",
     .text = "tanh"},
    {.op = "Elu", .map = map_elu, .n_sources = 1, .params = {{"alpha", 1}}},
    {.op = "Celu", .map = map_celu, .n_sources = 1, .params = {{"alpha", 1}}},
    {.op = "Selu",
     .map = map_selu,
     .n_sources = 1,
     .params = {{"alpha", 1.67326319217681884765625f}, {"gamma", 1.05070102214813232421875f}}},
    {.op = "Softplus", .map = map_softplus, .n_sources = 1},
    {.op = "Softsign", .map = map_softsign, .n_sources = 1},
    {.op = "Mish", .map = map_mish, .n_sources = 1},
    {.op = "Log", .map = map_log, .n_sources = 1},
    {.op = "Sqrt", .map = map_sqrt, .n_sources = 1},
    {.op = "Reciprocal", .map = map_reciprocal, .n_sources = 1},
    {.op = "Neg", .map = map_neg, .n_sources = 1},
    {.op = "Abs", .map = map_abs, .n_sources = 1},
    {.op = "Identity", .map = map_identity, .n_sources = 1},
    {.op = NULL},
};

const ltap_vector_function *ltap_vector_functions(void)
{
    return functions;
}

ltap_vector_map ltap_vector_find(const char *op)
{
    const ltap_vector_function *f = functions;

    while (strcmp(f->op, op) != 0)
        f++;
    return f->map;
}

void ltap_vector_apply(ltap_vector_map map, const float *a, const float *b, const float *params,
                       float *y, int64_t n)
{
    float left[LANES] = {0}, right[LANES] = {0}, result[LANES];
    int64_t whole = n / LANES * LANES, rest = n - whole;

    if (whole)
        map(a, b, params, y, whole);
    if (!rest)
        return;
    memcpy(left, a + whole, (size_t)rest * sizeof(float));
    if (b)
        memcpy(right, b + whole, (size_t)rest * sizeof(float));
    map(left, right, params, result, LANES);
    memcpy(y + whole, result, (size_t)rest * sizeof(float));
}

LTAP_VECTOR_CLONES
static void normalize(const float *x, const ltap_vector_norm *norm, float *y, int64_t n)
{
    vector lanes = {0}, squares = {0};
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        lanes += *(const vector *)(x + i);
    for (; i < n; i++)
        lanes[i % LANES] += x[i];
    const float mean = add_lanes(&lanes) / (float)n;
    for (i = 0; i + LANES <= n; i += LANES) {
        vector apart = *(const vector *)(x + i) - mean;
        squares += apart * apart;
    }
    for (; i < n; i++)
        squares[i % LANES] += (x[i] - mean) * (x[i] - mean);
    const float factor = 1.0f / sqrtf(add_lanes(&squares) / (float)n + norm->epsilon);
    if (norm->bias) {
        LTAP_VECTOR_LOOP
        for (int64_t k = 0; k < n; k++)
            y[k] = (x[k] - mean) * factor * norm->scale[k] + norm->bias[k];
    } else {
        LTAP_VECTOR_LOOP
        for (int64_t k = 0; k < n; k++)
            y[k] = (x[k] - mean) * factor * norm->scale[k];
    }
}

void ltap_vector_normalize(const float *x, const ltap_vector_norm *norm, float *y, int64_t n)
{
    normalize(x, norm, y, n);
}
