/* npy headers: what numpy writes in all its versions, what it never writes, and what we write. */
#include "base/error.h"
#include "codec/npy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A file: version, dictionary, data bytes of zeros. */
static size_t build(uint8_t *out, int version, const char *dictionary, size_t data_bytes)
{
    size_t length = strlen(dictionary), start = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version;
    memset(out + 7, 0, 5);
    out[8] = (uint8_t)length;
    out[9] = (uint8_t)(length >> 8);
    memcpy(out + start, dictionary, length);
    memset(out + start + length, 0, data_bytes);
    return start + length + data_bytes;
}

/* Parses a copy of exactly that size, so that a sanitizer sees every byte too far. */
static ltap_status parse(const uint8_t *bytes, size_t size, ltap_npy *npy, ltap_error *error)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    ltap_status status = ltap_npy_parse(copy, size, 0, npy, error);
    free(copy);
    return status;
}

typedef struct good_row {
    int version;
    const char *dictionary;
    size_t data_bytes;
    ltap_dtype dtype;
    int rank;
    int64_t dims[3];
    bool big_endian, fortran;
} good_row;

static const good_row good[] = {
    {1,
     "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n",
     24,
     LTAP_FLOAT32,
     2,
     {2, 3},
     false,
     false},
    {2,
     "{'descr': '>f8', 'fortran_order': True, 'shape': (3,), }\n",
     24,
     LTAP_FLOAT64,
     1,
     {3},
     true,
     true},
    {3,
     "{'shape': (), 'descr': '|u1', 'fortran_order': False}",
     1,
     LTAP_UINT8,
     0,
     {0},
     false,
     false},
    {1,
     "{'descr': '<i8', 'fortran_order': False, 'shape': (2L, 1L), }",
     16,
     LTAP_INT64,
     2,
     {2, 1},
     false,
     false},
    {1,
     "{\"descr\":\"=f2\",\"fortran_order\":False,\"shape\":(2,3,)}",
     12,
     LTAP_FLOAT16,
     2,
     {2, 3},
     false,
     false},
    {1,
     " { u'descr' : 'i4' , 'fortran_order' : False , 'shape' : ( 0 , 5 ) , } \n",
     0,
     LTAP_INT32,
     2,
     {0, 5},
     false,
     false},
    {1,
     "{'descr': '|b1', 'fortran_order': False, 'shape': (4,)}",
     4,
     LTAP_BOOL,
     1,
     {4},
     false,
     false},
    {1,
     "{'descr': '>i1', 'fortran_order': False, 'shape': (4,)}",
     4,
     LTAP_INT8,
     1,
     {4},
     false,
     false},
    {1,
     "{'descr': '>c16', 'fortran_order': False, 'shape': (1,)}",
     16,
     LTAP_COMPLEX128,
     1,
     {1},
     true,
     false},
    {1,
     "{'descr': '<c8', 'fortran_order': False, 'shape': (9223372036854775807, 0, 9)}",
     0,
     LTAP_COMPLEX64,
     3,
     {INT64_MAX, 0, 9},
     false,
     false},
    {1,
     "{'descr': '>u2', 'fortran_order': False, 'shape': (1,)}",
     2,
     LTAP_UINT16,
     1,
     {1},
     true,
     false},
};

static void headers_of_every_form_are_read(void **state)
{
    uint8_t bytes[512];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const good_row *row = &good[i];
        ltap_npy npy;
        ltap_error error = {0};
        size_t size = build(bytes, row->version, row->dictionary, row->data_bytes);
        if (parse(bytes, size, &npy, &error) != LTAP_OK)
            fail_msg("%s: %s", row->dictionary, error.message);
        assert_int_equal(npy.tensor.dtype, row->dtype);
        assert_int_equal(npy.tensor.rank, row->rank);
        for (int k = 0; k < row->rank; k++)
            assert_true(npy.tensor.dims[k] == row->dims[k]);
        assert_int_equal(npy.big_endian, row->big_endian);
        assert_int_equal(npy.fortran, row->fortran);
        assert_int_equal(npy.data_bytes, row->data_bytes);
        assert_int_equal(npy.data_offset, size - row->data_bytes);
    }
}

#define BEFORE_SHAPE "{'descr':'<f4','fortran_order':False,'shape':"

typedef struct bad_row {
    const char *dictionary;
    size_t data_bytes;
    ltap_status status;
    uint64_t offset;     /* from the start of the file; the dictionary begins at 10 */
    const char *message; /* a part of it */
} bad_row;

static const bad_row bad[] = {
    {"", 0, LTAP_ERROR_FORMAT, 10, "ends where '{'"},
    {"[]", 0, LTAP_ERROR_FORMAT, 10, "expected '{', found '['"},
    {"{}", 0, LTAP_ERROR_FORMAT, 12, "'descr' is missing"},
    {"{'descr':'<f4','fortran_order':False}", 0, LTAP_ERROR_FORMAT, 47, "'shape' is missing"},
    {"{'descr':'<f4','descr':'<f4'}", 0, LTAP_ERROR_FORMAT, 25, "occurs twice"},
    {"{'other':1}", 0, LTAP_ERROR_FORMAT, 11, "'other' is not known"},
    {"{'descr' '<f4'}", 0, LTAP_ERROR_FORMAT, 19, "expected ':'"},
    {"{'descr':'<f4' 'shape':()}", 0, LTAP_ERROR_FORMAT, 25, "expected ',' or '}'"},
    {"{'descr':'<f4", 0, LTAP_ERROR_FORMAT, 23, "closing quote"},
    {"{'descr':'<f\\x34'}", 0, LTAP_ERROR_FORMAT, 22, "closing quote"},
    {"{'descr':[('a','<f4')]}", 0, LTAP_ERROR_UNSUPPORTED, 19, "structured"},
    {"{'descr':'|O'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "pickle"},
    {"{'descr':'<U7'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "text"},
    {"{'descr':'|S3'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "byte strings"},
    {"{'descr':'<M8[ns]'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "dates"},
    {"{'descr':'<V2'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "bfloat16"},
    {"{'descr':'<f16'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "another width"},
    {"{'descr':'<f44'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "another width"},
    {"{'descr':'<i3'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "not known"},
    {"{'descr':'<'}", 0, LTAP_ERROR_UNSUPPORTED, 19, "not known"},
    {"{'descr':''}", 0, LTAP_ERROR_UNSUPPORTED, 19, "not known"},
    {"{'descr':4}", 0, LTAP_ERROR_FORMAT, 19, "a type like"},
    {"{'fortran_order':0}", 0, LTAP_ERROR_FORMAT, 27, "True or False"},
    {"{'shape':(3)}", 0, LTAP_ERROR_FORMAT, 19, "(3,)"},
    {"{'shape':[3]}", 0, LTAP_ERROR_FORMAT, 19, "a shape like"},
    {"{'shape':(-3,)}", 0, LTAP_ERROR_FORMAT, 20, "a dimension or ')'"},
    {"{'shape':(,)}", 0, LTAP_ERROR_FORMAT, 20, "a dimension or ')'"},
    {"{'shape':(3 4)}", 0, LTAP_ERROR_FORMAT, 22, "',' or ')'"},
    {"{'shape':(3,,4)}", 0, LTAP_ERROR_FORMAT, 22, "a dimension"},
    {"{'shape':(9223372036854775808,)}", 0, LTAP_ERROR_FORMAT, 20, "64 bits"},
    {"{'shape':(1,1,1,1,1,1,1,1,1,1,1,1,1)}", 0, LTAP_ERROR_UNSUPPORTED, 19, "12 dimensions"},
    {BEFORE_SHAPE "()} x", 4, LTAP_ERROR_FORMAT, 59, "the end of the header"},
    {BEFORE_SHAPE "(4294967296,4294967296,9)}", 0, LTAP_ERROR_FORMAT, 0, "too large"},
    {BEFORE_SHAPE "(1000000000000,)}", 16, LTAP_ERROR_FORMAT, 72, "takes 4000000000000 bytes"},
    {BEFORE_SHAPE "(4,)}", 15, LTAP_ERROR_FORMAT, 60, "takes 16 bytes, 15 are there"},
    {BEFORE_SHAPE "(4,)}", 17, LTAP_ERROR_FORMAT, 60, "takes 16 bytes, 17 are there"},
};

static void broken_headers_are_refused_with_their_byte(void **state)
{
    uint8_t bytes[512];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const bad_row *row = &bad[i];
        ltap_npy npy;
        ltap_error error = {0};
        size_t size = build(bytes, 1, row->dictionary, row->data_bytes);
        ltap_status status = parse(bytes, size, &npy, &error);
        if (status != row->status || error.offset != row->offset ||
            !strstr(error.message, row->message))
            fail_msg("%s: status %d, byte %llu, '%s'; expected %d, %llu, '%s'", row->dictionary,
                     status, (unsigned long long)error.offset, error.message, row->status,
                     (unsigned long long)row->offset, row->message);
    }
}

static void versions_that_do_not_exist_are_refused(void **state)
{
    uint8_t bytes[512];
    ltap_npy npy;
    ltap_error error;
    size_t size = build(bytes, 1, good[0].dictionary, 24);
    for (int version = 0; version < 256; version++) {
        bytes[6] = (uint8_t)version;
        ltap_status status = parse(bytes, size, &npy, &error);
        if (version == 0 || version > 3)
            assert_int_equal(status, LTAP_ERROR_UNSUPPORTED);
    }
    bytes[6] = bytes[7] = 1;
    assert_int_equal(parse(bytes, size, &npy, &error), LTAP_ERROR_UNSUPPORTED);
    assert_int_equal(error.offset, 6);
}

static void every_truncation_is_an_error(void **state)
{
    uint8_t bytes[512];
    ltap_npy npy;
    for (int version = 1; version <= 3; version++) {
        size_t size = build(bytes, version, good[0].dictionary, 24);
        assert_int_equal(parse(bytes, size, &npy, NULL), LTAP_OK);
        for (size_t n = 0; n < size; n++)
            assert_int_equal(parse(bytes, n, &npy, NULL), LTAP_ERROR_FORMAT);
    }
}

static void flipped_bytes_never_crash(void **state)
{
    uint8_t bytes[512];
    ltap_npy npy;
    size_t size = build(bytes, 1, good[0].dictionary, 24);
    for (size_t i = 0; i < size; i++)
        for (int value = 0; value < 256; value++) {
            uint8_t before = bytes[i];
            bytes[i] = (uint8_t)value;
            if (parse(bytes, size, &npy, NULL) == LTAP_OK)
                assert_int_equal(npy.data_offset + npy.data_bytes, size);
            bytes[i] = before;
        }
}

static void written_headers_are_read_for_every_type_and_rank(void **state)
{
    char header[LTAP_NPY_HEADER_MAX];
    size_t bytes;
    int n_types = 0;
    for (int dtype = 0; dtype < 30; dtype++)
        for (int rank = 0; rank <= LTAP_MAX_RANK; rank++) {
            int64_t dims[LTAP_MAX_RANK];
            for (int i = 0; i < LTAP_MAX_RANK; i++)
                dims[i] = i == 3 ? 0 : INT64_MAX - i;
            if (rank < 4)
                dims[0] = 0;
            ltap_tensor tensor = ltap_tensor_make((ltap_dtype)dtype, rank, dims, NULL);
            ltap_status status = ltap_npy_header(&tensor, header, &bytes, NULL);
            if (status == LTAP_ERROR_UNSUPPORTED)
                continue;
            assert_int_equal(status, LTAP_OK);
            assert_int_equal(bytes % 64, 0);
            assert_int_equal(header[bytes - 1], '\n');
            ltap_npy npy;
            uint8_t file[LTAP_NPY_HEADER_MAX + 16] = {0};
            memcpy(file, header, bytes);
            size_t data = rank ? 0 : ltap_dtype_bits((ltap_dtype)dtype) / 8;
            assert_int_equal(parse(file, bytes + data, &npy, NULL), LTAP_OK);
            assert_int_equal(npy.tensor.dtype, dtype);
            assert_true(ltap_tensor_same_shape(&npy.tensor, &tensor));
            n_types += rank == 0;
        }
    assert_int_equal(n_types, 14);
}

static void types_that_numpy_lacks_are_refused_with_a_way_out(void **state)
{
    static const ltap_dtype dtypes[] = {LTAP_BFLOAT16, LTAP_FLOAT8E4M3FN, LTAP_INT4, LTAP_STRING};
    for (size_t i = 0; i < 4; i++) {
        char header[LTAP_NPY_HEADER_MAX];
        size_t bytes;
        ltap_error error;
        ltap_tensor tensor = ltap_tensor_make(dtypes[i], 0, NULL, NULL);
        assert_int_equal(ltap_npy_header(&tensor, header, &bytes, &error), LTAP_ERROR_UNSUPPORTED);
        assert_non_null(strstr(error.message, ltap_dtype_name(dtypes[i])));
        assert_non_null(strstr(error.message, ".safetensors"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_every_form_are_read),
        cmocka_unit_test(broken_headers_are_refused_with_their_byte),
        cmocka_unit_test(versions_that_do_not_exist_are_refused),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(flipped_bytes_never_crash),
        cmocka_unit_test(written_headers_are_read_for_every_type_and_rank),
        cmocka_unit_test(types_that_numpy_lacks_are_refused_with_a_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
