/* Element types for kernels: lists to stamp out loops from, and conversion of runs of elements.
 *
 * X(tag, dtype, T, W, ...) where T is the C type and W the type to calculate in: itself for floats,
 * for integers an unsigned one that is at least as wide as int, so that overflow wraps around.
 */
#ifndef LTAP_OPS_ELEMENTS_H
#define LTAP_OPS_ELEMENTS_H

#include "tensor/tensor.h"
#include <stdint.h>

#define LTAP_EACH_FLOAT(X, ...)                                                                    \
    X(f32, LTAP_FLOAT32, float, float, __VA_ARGS__)                                                \
    X(f64, LTAP_FLOAT64, double, double, __VA_ARGS__)
#define LTAP_EACH_SIGNED(X, ...)                                                                   \
    X(i8, LTAP_INT8, int8_t, uint32_t, __VA_ARGS__)                                                \
    X(i16, LTAP_INT16, int16_t, uint32_t, __VA_ARGS__)                                             \
    X(i32, LTAP_INT32, int32_t, uint32_t, __VA_ARGS__)                                             \
    X(i64, LTAP_INT64, int64_t, uint64_t, __VA_ARGS__)
#define LTAP_EACH_UNSIGNED(X, ...)                                                                 \
    X(u8, LTAP_UINT8, uint8_t, uint32_t, __VA_ARGS__)                                              \
    X(u16, LTAP_UINT16, uint16_t, uint32_t, __VA_ARGS__)                                           \
    X(u32, LTAP_UINT32, uint32_t, uint32_t, __VA_ARGS__)                                           \
    X(u64, LTAP_UINT64, uint64_t, uint64_t, __VA_ARGS__)
#define LTAP_EACH_BOOL(X, ...) X(b8, LTAP_BOOL, uint8_t, uint32_t, __VA_ARGS__)

#define LTAP_EACH_INT(X, ...)                                                                      \
    LTAP_EACH_SIGNED(X, __VA_ARGS__)                                                               \
    LTAP_EACH_UNSIGNED(X, __VA_ARGS__)
#define LTAP_EACH_NUMBER(X, ...)                                                                   \
    LTAP_EACH_FLOAT(X, __VA_ARGS__)                                                                \
    LTAP_EACH_INT(X, __VA_ARGS__)

#define LTAP_DTYPES 32 /* more than any dtype's number: tables are indexed by dtype */

/* How many elements kernels convert at a time. */
#define LTAP_BLOCK 256

static inline bool ltap_dtype_is_half(ltap_dtype dtype)
{
    return dtype == LTAP_FLOAT16 || dtype == LTAP_BFLOAT16;
}

/* IEEE 754 binary16 and bfloat16, rounding to nearest even. */
float ltap_half_to_float(uint16_t half);
uint16_t ltap_half_from_float(float number);
float ltap_bfloat_to_float(uint16_t bfloat);
uint16_t ltap_bfloat_from_float(float number);
/* The float that rounds to any narrower type as the double itself does. */
float ltap_float_for_narrowing(double number);

/* n elements from element `start` of `src`. All types of numbers and bool; nothing is done for
 * others. Storing to an integer converts as C does, with values out of range brought to the ends;
 * to bool: not zero. */
void ltap_load_floats(ltap_dtype dtype, const void *src, int64_t start, int64_t n, float *dst);
void ltap_store_floats(ltap_dtype dtype, void *dst, int64_t start, int64_t n, const float *src);
void ltap_load_doubles(ltap_dtype dtype, const void *src, int64_t start, int64_t n, double *dst);
void ltap_store_doubles(ltap_dtype dtype, void *dst, int64_t start, int64_t n, const double *src);
/* Integers and bool; uint64 keeps its bits. Storing wraps around; to bool: not zero. */
void ltap_load_ints(ltap_dtype dtype, const void *src, int64_t start, int64_t n, int64_t *dst);
void ltap_store_ints(ltap_dtype dtype, void *dst, int64_t start, int64_t n, const int64_t *src);

#endif
