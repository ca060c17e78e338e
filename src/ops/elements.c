/* Conversion of runs of elements, and the two half-width floats.
 *
 * Kernels that exist in a few types only reach the others through these. Not the operator Cast,
 * which converts each pair of types directly.
 */
#include "ops/elements.h"
#include <math.h>
#include <string.h>

static uint32_t float_bits(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

static float bits_float(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

float ltap_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 31u;
    uint32_t fraction = half & 0x3ffu;
    if (exponent == 0)
        return bits_float(sign | float_bits((float)fraction * 0x1p-24f));
    if (exponent == 31)
        return bits_float(sign | 0x7f800000u | fraction << 13);
    return bits_float(sign | (exponent + 112u) << 23 | fraction << 13);
}

uint16_t ltap_half_from_float(float number)
{
    uint32_t bits = float_bits(number), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (size >= 0x477ff000u) /* 65520, from where on it rounds to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (size < 0x38800000u) /* 2^-14: below are multiples of 2^-24 */
        return (uint16_t)(sign | (uint32_t)rintf(fabsf(number) * 0x1p24f));
    size += 0xfffu + (size >> 13 & 1u);
    return (uint16_t)(sign | (size - 0x38000000u) >> 13);
}

float ltap_bfloat_to_float(uint16_t bfloat)
{
    return bits_float((uint32_t)bfloat << 16);
}

uint16_t ltap_bfloat_from_float(float number)
{
    uint32_t bits = float_bits(number);
    if (isnan(number))
        return (uint16_t)((bits >> 16 & 0x8000u) | 0x7fc0u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float ltap_float_for_narrowing(double number)
{
    float near = (float)number;
    if (isnan(number) || (double)near == number || isinf(near))
        return near;
    if (fabs((double)near) > fabs(number))
        near = nextafterf(near, 0.0f);
    return bits_float(float_bits(near) |
                      1u); /* "round to odd" keeps what the next rounding needs */
}

#define LOAD_CASE(tag, type, T, W, D)                                                              \
    case type:                                                                                     \
        for (int64_t i = 0; i < n; i++)                                                            \
            dst[i] = (D)((const T *)src)[start + i];                                               \
        break;

#define LOAD_HALF_CASES(D)                                                                         \
    case LTAP_FLOAT16:                                                                             \
        for (int64_t i = 0; i < n; i++)                                                            \
            dst[i] = (D)ltap_half_to_float(((const uint16_t *)src)[start + i]);                    \
        break;                                                                                     \
    case LTAP_BFLOAT16:                                                                            \
        for (int64_t i = 0; i < n; i++)                                                            \
            dst[i] = (D)ltap_bfloat_to_float(((const uint16_t *)src)[start + i]);                  \
        break;

void ltap_load_floats(ltap_dtype dtype, const void *src, int64_t start, int64_t n, float *dst)
{
    switch (dtype) {
        LTAP_EACH_NUMBER(LOAD_CASE, float)
        LTAP_EACH_BOOL(LOAD_CASE, float)
        LOAD_HALF_CASES(float)
    default:
        break;
    }
}

void ltap_load_doubles(ltap_dtype dtype, const void *src, int64_t start, int64_t n, double *dst)
{
    switch (dtype) {
        LTAP_EACH_NUMBER(LOAD_CASE, double)
        LTAP_EACH_BOOL(LOAD_CASE, double)
        LOAD_HALF_CASES(double)
    default:
        break;
    }
}

void ltap_load_ints(ltap_dtype dtype, const void *src, int64_t start, int64_t n, int64_t *dst)
{
    switch (dtype) {
        LTAP_EACH_INT(LOAD_CASE, int64_t)
        LTAP_EACH_BOOL(LOAD_CASE, int64_t)
    default:
        break;
    }
}

/* The ends of each integer type as doubles; 2^63 and 2^64 themselves are past the end. */
static const struct ends {
    double low, high;
} ends[LTAP_DTYPES] = {
    [LTAP_UINT8] = {0, UINT8_MAX},
    [LTAP_INT8] = {INT8_MIN, INT8_MAX},
    [LTAP_UINT16] = {0, UINT16_MAX},
    [LTAP_INT16] = {INT16_MIN, INT16_MAX},
    [LTAP_UINT32] = {0, UINT32_MAX},
    [LTAP_INT32] = {INT32_MIN, INT32_MAX},
    [LTAP_UINT64] = {0, 0x1.fffffffffffffp63},
    [LTAP_INT64] = {-0x1p63, 0x1.fffffffffffffp62},
};

static double clamp_to(ltap_dtype dtype, double number)
{
    if (isnan(number))
        return 0;
    double low = ends[dtype].low, high = ends[dtype].high;
    return number < low ? low : number > high ? high : number;
}

#define STORE_CLAMPED(tag, type, T, W, D)                                                          \
    case type:                                                                                     \
        for (int64_t i = 0; i < n; i++)                                                            \
            ((T *)dst)[start + i] = (T)clamp_to(type, (double)src[i]);                             \
        break;
#define STORE_PLAIN(tag, type, T, W, D)                                                            \
    case type:                                                                                     \
        for (int64_t i = 0; i < n; i++)                                                            \
            ((T *)dst)[start + i] = (T)src[i];                                                     \
        break;
#define STORE_BOOL(tag, type, T, W, D)                                                             \
    case type:                                                                                     \
        for (int64_t i = 0; i < n; i++)                                                            \
            ((T *)dst)[start + i] = src[i] != 0;                                                   \
        break;
#define STORE_HALF_CASES(NARROW)                                                                   \
    case LTAP_FLOAT16:                                                                             \
        for (int64_t i = 0; i < n; i++)                                                            \
            ((uint16_t *)dst)[start + i] = ltap_half_from_float(NARROW(src[i]));                   \
        break;                                                                                     \
    case LTAP_BFLOAT16:                                                                            \
        for (int64_t i = 0; i < n; i++)                                                            \
            ((uint16_t *)dst)[start + i] = ltap_bfloat_from_float(NARROW(src[i]));                 \
        break;

void ltap_store_floats(ltap_dtype dtype, void *dst, int64_t start, int64_t n, const float *src)
{
    switch (dtype) {
        LTAP_EACH_FLOAT(STORE_PLAIN, float)
        LTAP_EACH_INT(STORE_CLAMPED, float)
        LTAP_EACH_BOOL(STORE_BOOL, float)
        STORE_HALF_CASES((float))
    default:
        break;
    }
}

void ltap_store_doubles(ltap_dtype dtype, void *dst, int64_t start, int64_t n, const double *src)
{
    switch (dtype) {
        LTAP_EACH_FLOAT(STORE_PLAIN, double)
        LTAP_EACH_INT(STORE_CLAMPED, double)
        LTAP_EACH_BOOL(STORE_BOOL, double)
        STORE_HALF_CASES(ltap_float_for_narrowing)
    default:
        break;
    }
}

void ltap_store_ints(ltap_dtype dtype, void *dst, int64_t start, int64_t n, const int64_t *src)
{
    switch (dtype) {
        LTAP_EACH_INT(STORE_PLAIN, int64_t)
        LTAP_EACH_BOOL(STORE_BOOL, int64_t)
    default:
        break;
    }
}
