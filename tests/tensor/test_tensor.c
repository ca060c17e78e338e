#include "tensor/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_type_has_a_name_and_a_size(void **state)
{
    static const struct {
        ltap_dtype dtype;
        const char *name;
        unsigned bits;
    } rows[] = {
        {LTAP_FLOAT32, "float32", 32},
        {LTAP_UINT8, "uint8", 8},
        {LTAP_INT8, "int8", 8},
        {LTAP_UINT16, "uint16", 16},
        {LTAP_INT16, "int16", 16},
        {LTAP_INT32, "int32", 32},
        {LTAP_INT64, "int64", 64},
        {LTAP_STRING, "string", 0},
        {LTAP_BOOL, "bool", 8},
        {LTAP_FLOAT16, "float16", 16},
        {LTAP_FLOAT64, "float64", 64},
        {LTAP_UINT32, "uint32", 32},
        {LTAP_UINT64, "uint64", 64},
        {LTAP_COMPLEX64, "complex64", 64},
        {LTAP_COMPLEX128, "complex128", 128},
        {LTAP_BFLOAT16, "bfloat16", 16},
        {LTAP_FLOAT8E4M3FN, "float8e4m3fn", 8},
        {LTAP_FLOAT8E4M3FNUZ, "float8e4m3fnuz", 8},
        {LTAP_FLOAT8E5M2, "float8e5m2", 8},
        {LTAP_FLOAT8E5M2FNUZ, "float8e5m2fnuz", 8},
        {LTAP_UINT4, "uint4", 4},
        {LTAP_INT4, "int4", 4},
        {LTAP_FLOAT4E2M1, "float4e2m1", 4},
        {LTAP_FLOAT8E8M0, "float8e8m0", 8},
        {LTAP_UINT2, "uint2", 2},
        {LTAP_INT2, "int2", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(rows[i].dtype, i + 1);
        assert_string_equal(ltap_dtype_name(rows[i].dtype), rows[i].name);
        assert_int_equal(ltap_dtype_bits(rows[i].dtype), rows[i].bits);
        assert_int_equal(ltap_dtype_find(rows[i].dtype)->dtype, rows[i].dtype);
    }
    static const int unknown[] = {0, 27, 1000, -1, INT32_MIN};
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(ltap_dtype_name((ltap_dtype)unknown[i]), "undefined");
        assert_int_equal(ltap_dtype_bits((ltap_dtype)unknown[i]), 0);
        assert_null(ltap_dtype_find((ltap_dtype)unknown[i]));
    }
}

static void sizes_are_rounded_up_and_checked(void **state)
{
    static const struct {
        ltap_dtype dtype;
        uint64_t count;
        bool fits;
        uint64_t bytes;
    } rows[] = {
        {LTAP_FLOAT32, 3, true, 12},
        {LTAP_INT4, 3, true, 2},
        {LTAP_INT4, 4, true, 2},
        {LTAP_UINT2, 5, true, 2},
        {LTAP_UINT2, 0, true, 0},
        {LTAP_INT4, UINT64_MAX, true, UINT64_MAX / 2 + 1},
        {LTAP_FLOAT32, UINT64_MAX / 4, true, UINT64_MAX - 3},
        {LTAP_FLOAT32, UINT64_MAX / 4 + 1, false, 0},
        {LTAP_COMPLEX128, UINT64_MAX / 8, false, 0},
        {LTAP_STRING, 1, false, 0},
        {LTAP_UNDEFINED, 1, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = 0;
        assert_int_equal(ltap_dtype_bytes(rows[i].dtype, rows[i].count, &bytes), rows[i].fits);
        if (rows[i].fits)
            assert_true(bytes == rows[i].bytes);
    }
}

static void counts_and_shapes_and_checks_agree(void **state)
{
    static const struct {
        int rank;
        int64_t dims[LTAP_MAX_RANK];
        bool fits;
        uint64_t count;
        const char *shape, *text;
    } rows[] = {
        {0, {0}, true, 1, "scalar", "float32[]"},
        {1, {7}, true, 7, "7", "float32[7]"},
        {4, {1, 64, 56, 56}, true, 200704, "1x64x56x56", "float32[1,64,56,56]"},
        {2, {0, 5}, true, 0, "0x5", "float32[0,5]"},
        {3,
         {INT64_MAX, INT64_MAX, 0},
         true,
         0,
         "9223372036854775807x9223372036854775807x0",
         "float32[9223372036854775807,9223372036854775807,0]"},
        {2, {-1, 5}, false, 0, "?x5", "float32[?,5]"},
        {2, {INT64_MAX, 2}, false, 0, "9223372036854775807x2", "float32[9223372036854775807,2]"},
        {1, {INT64_MAX}, false, 0, "9223372036854775807", "float32[9223372036854775807]"},
        {1,
         {INT64_MAX / 4},
         true,
         INT64_MAX / 4,
         "2305843009213693951",
         "float32[2305843009213693951]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_tensor tensor = ltap_tensor_make(LTAP_FLOAT32, rows[i].rank, rows[i].dims, NULL);
        ltap_error error;
        assert_int_equal(ltap_tensor_check(&tensor, &error) == LTAP_OK, rows[i].fits);
        if (rows[i].fits) {
            assert_true(ltap_tensor_count(&tensor) == rows[i].count);
            assert_true(ltap_tensor_bytes(&tensor) == rows[i].count * 4);
        }
        assert_string_equal(ltap_shape_text(&tensor).text, rows[i].shape);
        assert_string_equal(ltap_tensor_text(&tensor).text, rows[i].text);
    }
}

static void a_check_says_what_is_wrong(void **state)
{
    static const struct {
        ltap_tensor tensor;
        const char *message;
    } rows[] = {
        {{LTAP_FLOAT32, 2, {3, -7}, NULL},
         "dimension 1 of a tensor of shape 3x? is -7; it must be 0 or more"},
        {{LTAP_FLOAT32, 13, {0}, NULL}, "a tensor has 13 dimensions; layertap takes 0 to 12"},
        {{LTAP_FLOAT32, -1, {0}, NULL}, "a tensor has -1 dimensions; layertap takes 0 to 12"},
        {{(ltap_dtype)99, 0, {0}, NULL}, "a tensor has the unknown element type 99"},
        {{LTAP_UINT8, 2, {INT64_MAX, 3}, NULL},
         "a tensor of shape 9223372036854775807x3 is too large"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_error error;
        assert_int_equal(ltap_tensor_check(&rows[i].tensor, &error), LTAP_ERROR_FORMAT);
        assert_string_equal(error.message, rows[i].message);
    }
}

static void the_longest_shape_fits_its_text(void **state)
{
    ltap_tensor tensor = {.dtype = LTAP_FLOAT8E4M3FNUZ, .rank = LTAP_MAX_RANK};
    for (int i = 0; i < LTAP_MAX_RANK; i++)
        tensor.dims[i] = INT64_MAX;
    assert_int_equal(strlen(ltap_shape_text(&tensor).text), 12 * 19 + 11);
    ltap_text text = ltap_tensor_text(&tensor);
    assert_int_equal(text.text[strlen(text.text) - 1], ']');
}

static void elements_of_every_type_are_read(void **state)
{
    static const struct {
        ltap_dtype dtype;
        const char *bytes;
        uint64_t index;
        double real;
        int64_t integer;
    } rows[] = {
        {LTAP_UINT8, "\xff", 0, 255, 255},
        {LTAP_INT8, "\xff", 0, -1, -1},
        {LTAP_UINT16, "\0\0\xff\xff", 1, 65535, 65535},
        {LTAP_INT16, "\0\0\xff\xff", 1, -1, -1},
        {LTAP_UINT32, "\xff\xff\xff\xff", 0, 4294967295.0, 4294967295},
        {LTAP_INT32, "\xfe\xff\xff\xff", 0, -2, -2},
        {LTAP_INT64, "\1\0\0\0\0\0\0\x80", 0, -9223372036854775807.0, INT64_MIN + 1},
        {LTAP_UINT64, "\0\0\0\0\0\0\0\x80", 0, 9223372036854775808.0, INT64_MIN},
        {LTAP_BOOL, "\0\2", 1, 1, 1},
        {LTAP_BOOL, "\0\2", 0, 0, 0},
        {LTAP_FLOAT32, "\0\0\xc0\xbf", 0, -1.5, -1},
        {LTAP_FLOAT64, "\0\0\0\0\0\0\xf8\x3f", 0, 1.5, 1},
        {LTAP_FLOAT16, "\x01\x3c", 0, 1 + 1.0 / 1024, 1},
        {LTAP_FLOAT16, "\xff\x7b", 0, 65504, 65504},
        {LTAP_FLOAT16, "\x01\x00", 0, 0x1p-24, 0},
        {LTAP_FLOAT16, "\x00\xfc", 0, -INFINITY, INT64_MIN},
        {LTAP_FLOAT16, "\x01\x7c", 0, NAN, 0},
        {LTAP_BFLOAT16, "\xc0\xbf", 0, -1.5, -1},
        {LTAP_BFLOAT16, "\x80\x7f", 0, INFINITY, INT64_MAX},
        {LTAP_FLOAT8E4M3FN, "\x7e", 0, 448, 448},
        {LTAP_FLOAT8E4M3FN, "\xff", 0, NAN, 0},
        {LTAP_FLOAT8E4M3FN, "\x01", 0, 0x1p-9, 0},
        {LTAP_FLOAT8E4M3FNUZ, "\x7f", 0, 240, 240},
        {LTAP_FLOAT8E4M3FNUZ, "\x80", 0, NAN, 0},
        {LTAP_FLOAT8E5M2, "\x7b", 0, 57344, 57344},
        {LTAP_FLOAT8E5M2, "\xfc", 0, -INFINITY, INT64_MIN},
        {LTAP_FLOAT8E5M2FNUZ, "\x7f", 0, 57344, 57344},
        {LTAP_FLOAT8E8M0, "\x80", 0, 2, 2},
        {LTAP_FLOAT8E8M0, "\xff", 0, NAN, 0},
        {LTAP_FLOAT4E2M1, "\x7f", 0, -6, -6},
        {LTAP_FLOAT4E2M1, "\x7f", 1, 6, 6},
        {LTAP_UINT4, "\xf8", 0, 8, 8},
        {LTAP_UINT4, "\xf8", 1, 15, 15},
        {LTAP_INT4, "\xf7", 0, 7, 7},
        {LTAP_INT4, "\xf7", 1, -1, -1},
        {LTAP_UINT2, "\xe4", 3, 3, 3},
        {LTAP_UINT2, "\xe4", 1, 1, 1},
        {LTAP_INT2, "\xe4", 2, -2, -2},
        {LTAP_INT2, "\xe4", 1, 1, 1},
        {LTAP_COMPLEX64, "\0\0\xc0\xbf\0\0\0\0", 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        union {
            char *text;
            void *data;
        } bytes = {.data = (void *)(uintptr_t)rows[i].bytes};
        ltap_tensor tensor = {.dtype = rows[i].dtype, .data = bytes.data};
        double real = ltap_tensor_double(&tensor, rows[i].index);
        assert_true(isnan(rows[i].real) ? isnan(real) : real == rows[i].real);
        assert_true(ltap_tensor_int(&tensor, rows[i].index) == rows[i].integer);
    }
}

static void data_may_lie_unaligned(void **state)
{
    char bytes[17] = {0};
    double number = 2.5;
    memcpy(bytes + 9, &number, 8);
    ltap_tensor tensor = {.dtype = LTAP_FLOAT64, .rank = 1, .dims = {2}, .data = bytes + 1};
    assert_true(ltap_tensor_double(&tensor, 1) == 2.5);
}

static void shapes_broadcast_as_in_numpy(void **state)
{
    static const struct {
        ltap_tensor a, b;
        bool fits;
        ltap_tensor out;
        int64_t strides[4]; /* of a, seen as out */
    } rows[] = {
        {{0, 2, {3, 1}, 0}, {0, 1, {4}, 0}, true, {0, 2, {3, 4}, 0}, {1, 0}},
        {{0, 0, {0}, 0}, {0, 2, {2, 3}, 0}, true, {0, 2, {2, 3}, 0}, {0, 0}},
        {{0, 3, {2, 1, 4}, 0}, {0, 3, {2, 5, 1}, 0}, true, {0, 3, {2, 5, 4}, 0}, {4, 0, 1}},
        {{0, 1, {0}, 0}, {0, 1, {1}, 0}, true, {0, 1, {0}, 0}, {1}},
        {{0, 1, {1}, 0}, {0, 1, {0}, 0}, true, {0, 1, {0}, 0}, {0}},
        {{0, 1, {3}, 0}, {0, 1, {4}, 0}, false, {0}, {0}},
        {{0, 1, {0}, 0}, {0, 1, {3}, 0}, false, {0}, {0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_tensor out = {.dtype = LTAP_FLOAT32};
        int64_t strides[LTAP_MAX_RANK];
        assert_int_equal(ltap_dims_broadcast(&rows[i].a, &rows[i].b, &out), rows[i].fits);
        if (!rows[i].fits)
            continue;
        assert_true(ltap_tensor_same_shape(&out, &rows[i].out));
        assert_int_equal(out.dtype, LTAP_FLOAT32);
        ltap_dims_strides(&rows[i].a, &out, strides);
        for (int k = 0; k < out.rank; k++)
            assert_int_equal(strides[k], rows[i].strides[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_a_name_and_a_size),
        cmocka_unit_test(sizes_are_rounded_up_and_checked),
        cmocka_unit_test(counts_and_shapes_and_checks_agree),
        cmocka_unit_test(a_check_says_what_is_wrong),
        cmocka_unit_test(the_longest_shape_fits_its_text),
        cmocka_unit_test(elements_of_every_type_are_read),
        cmocka_unit_test(data_may_lie_unaligned),
        cmocka_unit_test(shapes_broadcast_as_in_numpy),
    };
    return cmocka_run_group_tests_name("tensor/tensor", tests, NULL, NULL);
}
