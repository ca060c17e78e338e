/* Every fast row against the reference kernel: random and wide-ranging numbers, NaN and Inf, sizes
 * that fill no vector, one and several threads.
 */
#include "kernels.h"

#include "backends/simd/vector.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INTS(key, ...)                                                                             \
    {                                                                                              \
        .name = key, .kind = LTAP_ATTR_INTS,                                                       \
        .count = sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                         \
        .u.ints = (const int64_t[])                                                                \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define INT(key, value)                                                                            \
    {                                                                                              \
        .name = key, .kind = LTAP_ATTR_INT, .count = 1, .u.i = value                               \
    }
#define FLOAT(key, value)                                                                          \
    {                                                                                              \
        .name = key, .kind = LTAP_ATTR_FLOAT, .count = 1, .u.f = value                             \
    }

#define SHAPE(n, ...)                                                                              \
    {                                                                                              \
        n,                                                                                         \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* Tolerance of what is exact: none. */
static const kernels_case pointwise[] = {
    {.title = "Add of two alike",
     "Add",
     "simd:pointwise",
     2,
     {SHAPE(4, 2, 5, 7, 9), SHAPE(4, 2, 5, 7, 9)}},
    {.title = "Add of a channel's number",
     "Add",
     "simd:pointwise",
     2,
     {SHAPE(4, 2, 5, 7, 9), SHAPE(3, 5, 1, 1)},
     2},
    {.title = "Sub of a row", "Sub", "simd:pointwise", 2, {SHAPE(3, 3, 7, 600), SHAPE(1, 600)}},
    {.title = "Mul by each image's channels",
     "Mul",
     "simd:pointwise",
     2,
     {SHAPE(4, 3, 17, 6, 5), SHAPE(4, 3, 17, 1, 1)}},
    {.title = "Mul of a column and a row",
     "Mul",
     "simd:pointwise",
     2,
     {SHAPE(2, 33, 1), SHAPE(2, 1, 65)}},
    {.title = "Div by rows' own numbers",
     "Div",
     "simd:pointwise",
     2,
     {SHAPE(3, 4, 11, 13), SHAPE(3, 4, 11, 1)}},
    {.title = "Add with axes that merge nowhere",
     "Add",
     "simd:pointwise",
     2,
     {SHAPE(5, 2, 1, 3, 1, 5), SHAPE(5, 1, 4, 1, 6, 1)}},
    {.title = "Relu", "Relu", "simd:pointwise", 1, {SHAPE(2, 3, 1001)}},
    {.title = "LeakyRelu",
     "LeakyRelu",
     "simd:pointwise",
     1,
     {SHAPE(2, 3, 1001)},
     0,
     1,
     {FLOAT("alpha", 0.1f)}},
    {.title = "Clip", "Clip", "simd:pointwise", 1, {SHAPE(1, 777)}},
    {.title = "HardSigmoid",
     "HardSigmoid",
     "simd:pointwise",
     1,
     {SHAPE(1, 777)},
     0,
     0,
     {{0}},
     2e-7f},
    {.title = "HardSwish", "HardSwish", "simd:pointwise", 1, {SHAPE(1, 777)}},
    {.title = "Sqrt", "Sqrt", "simd:pointwise", 1, {SHAPE(1, 777)}},
    {.title = "Reciprocal", "Reciprocal", "simd:pointwise", 1, {SHAPE(1, 777)}},
    {.title = "Neg", "Neg", "simd:pointwise", 1, {SHAPE(1, 777)}},
    {.title = "Abs", "Abs", "simd:pointwise", 1, {SHAPE(1, 777)}},
    {.title = "Sigmoid",
     "Sigmoid",
     "simd:pointwise",
     1,
     {SHAPE(4, 1, 19, 8, 5)},
     0,
     0,
     {{0}},
     2e-7f},
    {.title = "Tanh", "Tanh", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 2e-7f},
    {.title = "Erf", "Erf", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 2e-7f},
    {.title = "Exp", "Exp", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 2e-7f},
    {.title = "Gelu", "Gelu", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 4e-7f},
    {.title = "Elu",
     "Elu",
     "simd:pointwise",
     1,
     {SHAPE(1, 20001)},
     0,
     1,
     {FLOAT("alpha", 0.7f)},
     4e-7f},
    {.title = "Celu",
     "Celu",
     "simd:pointwise",
     1,
     {SHAPE(1, 20001)},
     0,
     1,
     {FLOAT("alpha", 0.7f)},
     4e-7f},
    {.title = "Selu", "Selu", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 4e-7f},
    {.title = "Softplus", "Softplus", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 4e-7f},
    {.title = "Softsign", "Softsign", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 2e-7f},
    {.title = "Mish", "Mish", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 4e-7f},
    {.title = "Log", "Log", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 2e-7f},
    {.title = "Swish", "Swish", "simd:pointwise", 1, {SHAPE(1, 20001)}, 0, 0, {{0}}, 4e-7f},
};

static const kernels_case others[] = {
    {.title = "Softmax of few",
     "Softmax",
     "simd:softmax",
     1,
     {SHAPE(3, 2, 3, 5)},
     0,
     0,
     {{0}},
     4e-7f},
    {.title = "Softmax of many",
     "Softmax",
     "simd:softmax",
     1,
     {SHAPE(3, 2, 3, 333)},
     0,
     0,
     {{0}},
     4e-7f},
    {.title = "LogSoftmax over channels",
     "LogSoftmax",
     "simd:softmax",
     1,
     {SHAPE(4, 2, 21, 9, 11)},
     0,
     1,
     {INT("axis", 1)},
     4e-7f},
    {.title = "LayerNormalization",
     "LayerNormalization",
     "simd:layer_norm",
     3,
     {SHAPE(3, 3, 4, 77), SHAPE(1, 77), SHAPE(1, 77)},
     6,
     0,
     {{0}},
     1e-6f},
    {.title = "LayerNormalization without bias",
     "LayerNormalization",
     "simd:layer_norm",
     2,
     {SHAPE(3, 3, 4, 6), SHAPE(2, 4, 6)},
     2,
     1,
     {INT("axis", 1)},
     1e-6f},
    {.title = "MatMul of windows",
     "MatMul",
     "simd:matmul",
     2,
     {SHAPE(4, 2, 3, 49, 49), SHAPE(4, 2, 3, 49, 32)},
     0,
     0,
     {{0}},
     1e-6f},
    {.title = "MatMul of odd sizes",
     "MatMul",
     "simd:matmul",
     2,
     {SHAPE(3, 5, 9, 7), SHAPE(3, 5, 7, 37)},
     0,
     0,
     {{0}},
     1e-6f},
    {.title = "MatMul of one number each",
     "MatMul",
     "simd:matmul",
     2,
     {SHAPE(3, 5, 1, 1), SHAPE(3, 5, 1, 1)},
     0,
     0,
     {{0}},
     1e-6f},
#ifdef LTAP_HAVE_DNNL
    {.title = "MatMul of rows by one matrix",
     "MatMul",
     "dnnl:matmul",
     2,
     {SHAPE(3, 5, 9, 20), SHAPE(2, 20, 37)},
     2,
     0,
     {{0}},
     2e-6f},
    {.title = "Conv 3x3 with padding",
     "Conv",
     "gemm:winograd",
     3,
     {SHAPE(4, 1, 32, 17, 19), SHAPE(4, 48, 32, 3, 3), SHAPE(1, 48)},
     6,
     1,
     {INTS("pads", 1, 1, 1, 1)},
     1e-5f},
    {.title = "Conv 3x3 without padding or bias, two images",
     "Conv",
     "gemm:winograd",
     2,
     {SHAPE(4, 2, 16, 22, 18), SHAPE(4, 16, 16, 3, 3)},
     2,
     0,
     {{0}},
     1e-5f},
    {.title = "Conv 3x3, dilated, with other padding on each side",
     "Conv",
     "gemm:winograd",
     2,
     {SHAPE(4, 1, 16, 37, 33), SHAPE(4, 32, 16, 3, 3)},
     2,
     2,
     {INTS("pads", 2, 1, 3, 4), INTS("dilations", 2, 3)},
     1e-5f},
#endif
};

static void check_all(const kernels_case *cases, size_t count, kernels_numbers numbers)
{
    for (size_t i = 0; i < count; i++)
        for (int threads = 1; threads <= 3; threads += 2)
            kernels_check(&cases[i], numbers, threads);
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void pointwise_rows_give_the_plain_kernels_numbers(void **state)
{
    (void)state;
    check_all(pointwise, COUNT(pointwise), KERNELS_RANDOM);
}

static void pointwise_rows_take_numbers_of_all_sizes(void **state)
{
    (void)state;
    check_all(pointwise, COUNT(pointwise), KERNELS_WIDE);
}

static void pointwise_rows_keep_nan_and_inf_in_their_places(void **state)
{
    (void)state;
    check_all(pointwise, COUNT(pointwise), KERNELS_BROKEN);
}

static void other_rows_agree_with_the_plain_kernels(void **state)
{
    (void)state;
    check_all(others, COUNT(others), KERNELS_RANDOM);
    check_all(others, COUNT(others), KERNELS_WIDE);
}

static void other_rows_keep_nan_and_inf_in_their_places(void **state)
{
    (void)state;
    check_all(others, COUNT(others), KERNELS_BROKEN);
}

typedef double (*truth)(double x);

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double elu(double x)
{
    return x > 0 ? x : expm1(x);
}

/* Bit patterns in even steps over all floats, NaN and Inf among them. */
static void functions_are_within_two_ten_millionths_over_all_floats(void **state)
{
    static const struct {
        const char *op;
        truth truth;
    } known[] = {{"Exp", exp},           {"Erf", erf}, {"Tanh", tanh}, {"Sigmoid", logistic},
                 {"Softplus", softplus}, {"Log", log}, {"Elu", elu}};
    const float params[2] = {1, 0};

    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        const ltap_vector_function *f = ltap_vector_functions();
        while (strcmp(f->op, known[i].op) != 0)
            f++;
        for (uint32_t bits = 0; bits < UINT32_MAX - 104729; bits += 104729) {
            float x, y, smallest = 1.1754944e-38f;
            memcpy(&x, &bits, sizeof(x));
            ltap_vector_apply(f->map, &x, NULL, params, &y, 1);
            double exact = known[i].truth(x), rounded = (double)(float)exact;
            bool good = isnan(exact)     ? isnan(y)
                        : isinf(rounded) ? y == rounded
                                         : fabs(y - exact) <= 2e-7 * fabs(exact) + smallest;
            if (!good)
                fail_msg("%s of %.9g is %.9g, expected %.9g", f->op, (double)x, (double)y, exact);
        }
    }
}

static void every_length_gives_the_same_bits(void **state)
{
    const float params[2] = {0.5f, 0.25f};
    float x[83], y[83], whole[83], alone;

    (void)state;
    for (int i = 0; i < 83; i++) {
        x[i] = (float)(i - 41) * 0.37f;
        y[i] = (float)(i + 1) * 0.11f;
    }
    for (const ltap_vector_function *f = ltap_vector_functions(); f->op; f++) {
        ltap_vector_apply(f->map, x, y, params, whole, 83);
        for (int i = 0; i < 83; i++) {
            ltap_vector_apply(f->map, x + i, y + i, params, &alone, 1);
            if (memcmp(&alone, whole + i, sizeof(alone)) != 0)
                fail_msg("%s of %.9g has other bits alone", f->op, (double)x[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointwise_rows_give_the_plain_kernels_numbers),
        cmocka_unit_test(pointwise_rows_take_numbers_of_all_sizes),
        cmocka_unit_test(pointwise_rows_keep_nan_and_inf_in_their_places),
        cmocka_unit_test(other_rows_agree_with_the_plain_kernels),
        cmocka_unit_test(other_rows_keep_nan_and_inf_in_their_places),
        cmocka_unit_test(functions_are_within_two_ten_millionths_over_all_floats),
        cmocka_unit_test(every_length_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
