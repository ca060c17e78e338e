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
    ltap_layout_convert(&plain, src, LTAP_LAYOUT_PLAIN, moved, LTAP_LAYOUT_CHANNELS_LAST, threads);
    ltap_layout_convert(&plain, moved, LTAP_LAYOUT_CHANNELS_LAST, back, LTAP_LAYOUT_PLAIN, threads);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back_is_as_exchanging_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
