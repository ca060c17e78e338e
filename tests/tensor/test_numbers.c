#include "tensor/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Element by element, from the definition. */
static void permute_plainly(const ltap_tensor *src, const int *perm, ltap_tensor *dst)
{
    size_t bytes = ltap_dtype_bits(src->dtype) / 8;
    uint64_t count = ltap_tensor_count(src);
    int64_t at[LTAP_MAX_RANK] = {0}, strides[LTAP_MAX_RANK] = {0};
    int64_t stride = 1;
    for (int i = src->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= src->dims[i];
    }
    for (uint64_t n = 0; n < count; n++) {
        int64_t from = 0;
        for (int i = 0; i < dst->rank; i++)
            from += at[i] * strides[perm[i]];
        memcpy((char *)dst->data + n * bytes, (const char *)src->data + (size_t)from * bytes,
               bytes);
        for (int i = dst->rank - 1; i >= 0 && ++at[i] == dst->dims[i]; i--)
            at[i] = 0;
    }
}

static void check_permutation(ltap_dtype dtype, int rank, const int64_t *dims, const int *perm,
                              int threads)
{
    ltap_tensor src = ltap_tensor_make(dtype, rank, dims, NULL), dst = src, plain;
    for (int i = 0; i < rank; i++)
        dst.dims[i] = dims[perm[i]];
    size_t bytes = (size_t)ltap_tensor_bytes(&src);
    unsigned char *data = malloc(bytes + 1);
    src.data = data;
    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    plain = dst;
    dst.data = calloc(bytes + 1, 1);
    plain.data = calloc(bytes + 1, 1);
    permute_plainly(&src, perm, &plain);
    ltap_tensor_permute(&src, perm, &dst, threads);
    assert_memory_equal(dst.data, plain.data, bytes + 1);
    free(src.data);
    free(dst.data);
    free(plain.data);
}

static void a_permutation_is_the_plain_one(void **state)
{
    static const struct {
        int rank;
        int64_t dims[6];
        int perm[6];
    } rows[] = {
        {0, {0}, {0}},
        {1, {5}, {0}},
        {2, {3, 5}, {0, 1}},
        {2, {3, 5}, {1, 0}},
        {2, {1, 1}, {1, 0}},
        {2, {40, 70}, {1, 0}},
        {4, {2, 3, 17, 19}, {0, 2, 3, 1}},
        {4, {2, 17, 19, 33}, {0, 3, 1, 2}},
        {4, {1, 64, 40, 40}, {0, 2, 3, 1}},
        {4, {2, 1, 5, 1}, {3, 2, 1, 0}},
        {4, {2, 3, 4, 5}, {0, 2, 1, 3}},
        {4, {2, 3, 4, 5}, {3, 1, 2, 0}},
        {5, {2, 3, 4, 2, 3}, {2, 0, 4, 1, 3}},
        {6, {2, 3, 1, 2, 3, 2}, {5, 4, 3, 2, 1, 0}},
        {3, {2, 0, 5}, {2, 1, 0}},
        {3, {7, 6, 5}, {1, 0, 2}},
    };
    static const ltap_dtype dtypes[] = {LTAP_UINT8, LTAP_FLOAT16, LTAP_FLOAT32, LTAP_INT64,
                                        LTAP_COMPLEX128};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t k = 0; k < sizeof dtypes / sizeof dtypes[0]; k++)
            for (int threads = 1; threads < 4; threads += 2)
                check_permutation(dtypes[k], rows[i].rank, rows[i].dims, rows[i].perm, threads);
}

static void every_permutation_of_four_axes_is_right(void **state)
{
    static const int64_t dims[] = {3, 18, 5, 20};
    for (int n = 0; n < 256; n++) {
        int perm[4] = {n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3};
        if ((1 << perm[0] | 1 << perm[1] | 1 << perm[2] | 1 << perm[3]) == 15)
            check_permutation(LTAP_FLOAT32, 4, dims, perm, 2);
    }
}

static void statistics_are_over_the_finite_numbers(void **state)
{
    float numbers[] = {1, -2, NAN, 5, INFINITY, -INFINITY, NAN, 4};
    ltap_tensor tensor = {LTAP_FLOAT32, 1, {8}, numbers};
    ltap_stats stats;
    assert_int_equal(ltap_tensor_stats(&tensor, &stats, NULL), LTAP_OK);
    assert_int_equal(stats.count, 8);
    assert_int_equal(stats.n_nan, 2);
    assert_int_equal(stats.n_inf, 2);
    assert_true(stats.min == -2 && stats.max == 5 && stats.mean == 2);
}

static void without_a_finite_number_there_is_no_mean(void **state)
{
    float numbers[] = {NAN, INFINITY};
    ltap_tensor tensor = {LTAP_FLOAT32, 1, {2}, numbers};
    ltap_stats stats;
    assert_int_equal(ltap_tensor_stats(&tensor, &stats, NULL), LTAP_OK);
    assert_true(isnan(stats.min) && isnan(stats.max) && isnan(stats.mean));
    tensor.dims[0] = 0;
    assert_int_equal(ltap_tensor_stats(&tensor, &stats, NULL), LTAP_OK);
    assert_int_equal(stats.count, 0);
    assert_true(isnan(stats.mean));
}

static void statistics_of_other_types(void **state)
{
    static uint8_t bools[] = {0, 7, 1, 0};
    static int64_t big[] = {-5, 3, 8, 2};
    ltap_tensor tensor = {LTAP_BOOL, 1, {4}, bools};
    ltap_stats stats;
    ltap_error error;
    assert_int_equal(ltap_tensor_stats(&tensor, &stats, NULL), LTAP_OK);
    assert_true(stats.min == 0 && stats.max == 1 && stats.mean == 0.5);
    tensor = (ltap_tensor){LTAP_INT64, 1, {4}, big};
    assert_int_equal(ltap_tensor_stats(&tensor, &stats, NULL), LTAP_OK);
    assert_true(stats.min == -5 && stats.max == 8 && stats.mean == 2);
    tensor.dtype = LTAP_STRING;
    assert_int_equal(ltap_tensor_stats(&tensor, &stats, &error), LTAP_ERROR_UNSUPPORTED);
    assert_string_equal(error.message,
                        "a tensor of type string has no smallest and largest number");
    tensor = (ltap_tensor){LTAP_INT64, 1, {4}, NULL};
    assert_int_equal(ltap_tensor_stats(&tensor, &stats, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_tensor_stats(NULL, &stats, NULL), LTAP_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_permutation_is_the_plain_one),
        cmocka_unit_test(every_permutation_of_four_axes_is_right),
        cmocka_unit_test(statistics_are_over_the_finite_numbers),
        cmocka_unit_test(without_a_finite_number_there_is_no_mean),
        cmocka_unit_test(statistics_of_other_types),
    };
    return cmocka_run_group_tests_name("tensor/numbers", tests, NULL, NULL);
}
