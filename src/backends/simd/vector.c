/* Elementary functions over stretches of floats; see vector.h.
 *
 * exp is 2^n times a polynomial on [-ln2/2, ln2/2]; erf and tanh are an odd polynomial near zero,
 * and made of exp further out. The coefficients are minimax fits made for this file, rounded to
 * float32.
 */
#include "backends/simd/vector.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

LTAP_VECTOR_CONTRACT

#define ROUNDER      12582912.0f /* 1.5 * 2^23: adding it rounds to an integer */
#define ROUNDER_BITS 0x4B400000u
#define SQRT_HALF    0.70710678118654752440f
#define ROOT_2_BY_PI 0.79788456080286535588f

/* Unsigned: what a NaN leaves here overflows without harm. */
LTAP_VECTOR_INLINE float power_of_two(uint32_t n)
{
    uint32_t bits = (n + 127u) << 23;
    float power;
    memcpy(&power, &bits, sizeof(power));
    return power;
}

/* x = n ln 2 + r: e^r; n comes as an integer. */
LTAP_VECTOR_INLINE float exp_rest(float x, uint32_t *whole)
{
    float z = x * 1.44269504f + ROUNDER, n = z - ROUNDER;
    uint32_t bits;
    memcpy(&bits, &z, sizeof(bits));
    *whole = bits - ROUNDER_BITS;
    /* ln 2 in two parts, the first so short that its product with n is exact. */
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    /* In pairs (Estrin), so that fewer steps wait for each other. */
    float square = r * r, middle = 0.0416662544f * r + 0.166666672f;
    float p = 0.000199180897f * r + 0.00139472564f;
    p = p * r + 0.00833326485f;
    p = p * square + middle;
    p = p * r + 0.5f;
    return p * square + r + 1.0f;
}

LTAP_VECTOR_INLINE float exp_of(float x)
{
    uint32_t whole;
    float c = x > 89.0f ? 89.0f : x;
    c = c < -104.0f ? -104.0f : c;
    float p = exp_rest(c, &whole);
    /* 2^n in two steps: it may be too large or too small for one. */
    uint32_t half = (uint32_t)((int32_t)whole >> 1);
    return p * power_of_two(half) * power_of_two(whole - half);
}

/* For x from -80 to 80. */
LTAP_VECTOR_INLINE float exp_near(float x)
{
    uint32_t whole;
    float p = exp_rest(x, &whole);
    return p * power_of_two(whole);
}

LTAP_VECTOR_INLINE float erf_of(float x)
{
    float t = fabsf(x), s = x * x, c = t > 4.0f ? 4.0f : t;
    float p = 7.88911493e-05f * s - 0.000802083989f;
    p = p * s + 0.00518953521f;
    p = p * s - 0.0268544443f;
    p = p * s + 0.112836003f;
    p = p * s - 0.37612626f;
    p = p * s + 1.12837911f;
    /* ln(1 - erf(c)) */
    float q = 9.11017253e-08f * c - 2.29962498e-05f;
    q = q * c + 0.000449402374f;
    q = q * c - 0.00423238333f;
    q = q * c + 0.0252670459f;
    q = q * c - 0.108496547f;
    q = q * c - 0.633156478f;
    q = q * c - 1.12960732f;
    q = q * c + 0.000193708518f;
    float far = copysignf(1.0f - exp_near(q), x);
    return t < 1.0f ? x * p : far;
}

LTAP_VECTOR_INLINE float tanh_of(float x)
{
    float t = fabsf(x), s = x * x;
    float p = 0.00199650484f * s - 0.00801197067f;
    p = p * s + 0.0216317289f;
    p = p * s - 0.0539338365f;
    p = p * s + 0.133331016f;
    p = p * s - 0.333333284f;
    float far = copysignf(1.0f - 2.0f / (exp_of(2.0f * t) + 1.0f), x);
    return t < 0.67f ? x + x * s * p : far;
}

LTAP_VECTOR_INLINE float clamp(float y, float low, float high)
{
    float raised = y < low ? low : y;
    return raised > high ? high : raised;
}

/* Of e^-x half is taken: it is too large for a float only where the quotient is nothing, and where
 * it is too small it does not count. */
LTAP_VECTOR_INLINE float logistic_of(float x)
{
    uint32_t whole;
    float p = exp_rest(-clamp(x, -89.5f, 87), &whole);
    return 0.5f / (0.5f + p * power_of_two(whole - 1));
}

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

/* Sums and maxima are kept in this many lanes, whatever the processor's width. */
enum { LANES = 16 };

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

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

LTAP_VECTOR_INLINE float add_lanes(const vector *lanes)
{
    float eight[8], sum = 0;

    for (int i = 0; i < 8; i++)
        eight[i] = (*lanes)[i] + (*lanes)[i + 8];
    for (int i = 0; i < 8; i++)
        sum += eight[i];
    return sum;
}

/* As integers that are ordered as the floats are, for the vectoriser's sake. NaN is anywhere: its
 * exponential makes the lane NaN all the same. */
LTAP_VECTOR_INLINE float largest(const float *x, int64_t n)
{
    int32_t most = INT32_MIN;
    float result;

    for (int64_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, x + i, sizeof(bits));
        bits ^= (bits >> 31) & INT32_MAX;
        most = bits > most ? bits : most;
    }
    most ^= (most >> 31) & INT32_MAX;
    memcpy(&result, &most, sizeof(result));
    return result;
}

LTAP_VECTOR_CLONES
static void softmax(const float *x, float *y, int64_t n)
{
    vector lanes = {0};
    float most = largest(x, n);
    int64_t i = 0;

    LTAP_VECTOR_LOOP
    for (int64_t k = 0; k < n; k++)
        y[k] = exp_of(x[k] - most);
    for (; i + LANES <= n; i += LANES)
        lanes += *(const vector *)(y + i);
    for (; i < n; i++)
        lanes[i % LANES] += y[i];
    const float sum = add_lanes(&lanes);
    LTAP_VECTOR_LOOP
    for (int64_t k = 0; k < n; k++) {
        /* Subnormal numbers are nothing beside the largest, and make the products after it slow. */
        float share = y[k] / sum;
        y[k] = share < FLT_MIN ? 0 : share;
    }
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

void ltap_vector_softmax(const float *x, float *y, int64_t n)
{
    softmax(x, y, n);
}

void ltap_vector_normalize(const float *x, const ltap_vector_norm *norm, float *y, int64_t n)
{
    normalize(x, norm, y, n);
}
