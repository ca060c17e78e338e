/* Tensors: a type, a shape and dense row-major bytes (last index fastest, no gaps).
 *
 * An ltap_tensor is a plain view; it never owns `data`. Who owns the bytes is said where a tensor
 * is handed over. Rank 0 is a scalar (one element).
 */
#ifndef LAYERTAP_TENSOR_H
#define LAYERTAP_TENSOR_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <stddef.h>
#include <stdint.h>

LTAP_BEGIN

/* Element types; the numbers are ONNX's TensorProto.DataType. */
typedef enum ltap_dtype {
    LTAP_UNDEFINED = 0,
    LTAP_FLOAT32 = 1,
    LTAP_UINT8 = 2,
    LTAP_INT8 = 3,
    LTAP_UINT16 = 4,
    LTAP_INT16 = 5,
    LTAP_INT32 = 6,
    LTAP_INT64 = 7,
    LTAP_STRING = 8,
    LTAP_BOOL = 9,
    LTAP_FLOAT16 = 10,
    LTAP_FLOAT64 = 11,
    LTAP_UINT32 = 12,
    LTAP_UINT64 = 13,
    LTAP_COMPLEX64 = 14,
    LTAP_COMPLEX128 = 15,
    LTAP_BFLOAT16 = 16,
    LTAP_FLOAT8E4M3FN = 17,
    LTAP_FLOAT8E4M3FNUZ = 18,
    LTAP_FLOAT8E5M2 = 19,
    LTAP_FLOAT8E5M2FNUZ = 20,
    LTAP_UINT4 = 21,
    LTAP_INT4 = 22,
    LTAP_FLOAT4E2M1 = 23,
    LTAP_FLOAT8E8M0 = 24,
    LTAP_UINT2 = 25,
    LTAP_INT2 = 26
} ltap_dtype;

#define LTAP_MAX_RANK 12

typedef struct ltap_tensor {
    ltap_dtype dtype;
    int rank;
    int64_t dims[LTAP_MAX_RANK];
    void *data;
} ltap_tensor;

/* "float32", "int64", ...; "undefined" for anything else. Never NULL. */
LTAP_API const char *ltap_dtype_name(ltap_dtype dtype);

/* Bits of one element (4 for int4); 0 for undefined and string. */
LTAP_API unsigned ltap_dtype_bits(ltap_dtype dtype);

/* Number of elements: the product of dims, 1 for rank 0. Dims must be >= 0 and not overflow, which
 * holds for every tensor that layertap hands out. */
LTAP_API uint64_t ltap_tensor_count(const ltap_tensor *tensor);

/* Size of the data in bytes. */
LTAP_API uint64_t ltap_tensor_bytes(const ltap_tensor *tensor);

/* A text that is a value: nothing to free. */
typedef struct ltap_text {
    char text[256];
} ltap_text;
/* ltap_shape_text(&t).text is "1x64x56x56"; "scalar" for rank 0; an unknown dimension is "?". */
LTAP_API ltap_text ltap_shape_text(const ltap_tensor *tensor);

/* Facts about the numbers of a tensor. min, max and mean are over the finite elements and NaN where
 * there are none; sums are in double. Booleans count as 0 and 1. */
typedef struct ltap_stats {
    uint64_t count, n_nan, n_inf;
    double min, max, mean;
} ltap_stats;
/* stats: filled. Errors: LTAP_ERROR_UNSUPPORTED for strings and complex numbers. */
LTAP_API LTAP_MUST_USE ltap_status ltap_tensor_stats(const ltap_tensor *tensor, ltap_stats *stats,
                                                     ltap_error *error);

LTAP_END

#endif
