/* Moves between layouts against the general way of exchanging axes, on odd sizes. */
#include "backends/layout.h"
#include "tensor/tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Unused axes are 0. */
static const int64_t shapes[][5] = {
    {1, 3, 5, 7},  {2, 8, 4, 4}, {1, 16, 4, 4},   {1, 21, 13, 11},  {3, 7, 16, 2},    {1, 9, 17, 1},
    {2, 64, 7, 7}, {1, 1, 6, 6}, {2, 40, 1, 1},   {0, 3, 4, 4},     {2, 5, 31},       {1, 40, 16},
    {3, 1, 9},     {2, 6, 1},    {2, 5, 3, 4, 7}, {1, 17, 4, 1, 9}, {1, 64, 2, 6, 5},
};

static void check(const int64_t *dims, ltap_dtype dtype, int threads)
{
    static const int orders[][5] = {{0, 2, 1}, {0, 2, 3, 1}, {0, 2, 3, 4, 1}};
    int rank = dims[3] == 0 ? 3 : dims[4] == 0 ? 4 : 5;
    const int *to_last = orders[rank - 3];
    ltap_tensor plain = ltap_tensor_make(dtype, rank, dims, NULL), last = plain;
    size_t bytes = (size_t)ltap_tensor_bytes(&plain);
    unsigned char *src = malloc(bytes + 1), *expected = malloc(bytes + 1);
    unsigned char *moved = malloc(bytes + 1), *back = malloc(bytes + 1);

    for (size_t i = 0; i < bytes; i++)
        src[i] = (unsigned char)(i * 31 + i / 251);
    for (int i = 0; i < rank; i++)
        last.dims[i] = dims[to_last[i]];
    plain.data = src;
    last.data = expected;
    ltap_tensor_permute(&plain, to_last, &last, 1);
    const ltap_layout_side sides[3] = {{src, LTAP_LAYOUT_PLAIN, 0},
                                       {moved, LTAP_LAYOUT_CHANNELS_LAST, 0},
                                       {back, LTAP_LAYOUT_PLAIN, 0}};
    ltap_layout_convert(&plain, &sides[0], &sides[1], threads);
    ltap_layout_convert(&plain, &sides[1], &sides[2], threads);
    assert_memory_equal(moved, expected, bytes);
    assert_memory_equal(back, src, bytes);
    free(src);
    free(expected);
    free(moved);
    free(back);
}

static void there_and_back_is_as_exchanging_axes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        check(shapes[i], LTAP_FLOAT32, 1);
        check(shapes[i], LTAP_FLOAT32, 3);
        check(shapes[i], LTAP_FLOAT64, 2);
        check(shapes[i], LTAP_UINT8, 2);
    }
}

/* Into the middle of wider pixels and out again; what is around stays. */
static void a_part_of_wider_pixels(void **state)
{
    enum { MORE = 5, AT = 2 };
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        ltap_tensor plain = ltap_tensor_make(LTAP_FLOAT32, 4, shapes[i], NULL);
        int64_t channels = shapes[i][1], step = channels + MORE;
        size_t count = (size_t)ltap_tensor_count(&plain);
        size_t pixels = channels ? count / (size_t)channels : 0;
        float *src = calloc(count + 1, sizeof(float)), *last = calloc(count + 1, sizeof(float));
        float *back = calloc(count + 1, sizeof(float)), *again = calloc(count + 1, sizeof(float));
        float *wide = calloc(pixels * (size_t)step + AT + 1, sizeof(float));
        for (size_t k = 0; k < count; k++)
            src[k] = (float)k + 1;
        const ltap_layout_side whole = {src, LTAP_LAYOUT_PLAIN, 0},
                               part = {wide + AT, LTAP_LAYOUT_CHANNELS_LAST, step};
        ltap_layout_convert(&plain, &whole, &(ltap_layout_side){last, LTAP_LAYOUT_CHANNELS_LAST, 0},
                            2);
        ltap_layout_convert(&plain, &whole, &part, 2);
        ltap_layout_convert(&plain, &part, &(ltap_layout_side){back, LTAP_LAYOUT_PLAIN, 0}, 2);
        ltap_layout_convert(&plain, &part, &(ltap_layout_side){again, LTAP_LAYOUT_CHANNELS_LAST, 0},
                            2);
        assert_memory_equal(back, src, count * sizeof(float));
        assert_memory_equal(again, last, count * sizeof(float));
        for (size_t k = 0; k < pixels * (size_t)step; k++)
            assert_true((wide[k] != 0) == (k >= AT && (k - AT) % (size_t)step < (size_t)channels));
        free(src);
        free(last);
        free(back);
        free(again);
        free(wide);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back_is_as_exchanging_axes),
        cmocka_unit_test(a_part_of_wider_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
