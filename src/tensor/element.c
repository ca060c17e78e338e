/* Reading one element of any numeric type, small floats and packed integers included.
 *
 * Data may lie anywhere in a file, so nothing is assumed about its alignment. Small floats are
 * decoded by one routine from the numbers of their bits; ONNX packs sub-byte types from the low
 * bits up.
 */
#include "tensor/element.h"

#include <math.h>
#include <string.h>

#define INTEGER(name, type)                                                                        \
    static int64_t int_##name(const void *data, uint64_t index)                                    \
    {                                                                                              \
        type x;                                                                                    \
        memcpy(&x, (const char *)data + index * sizeof x, sizeof x);                               \
        return (int64_t)x;                                                                         \
    }                                                                                              \
    static double real_##name(const void *data, uint64_t index)                                    \
    {                                                                                              \
        type x;                                                                                    \
        memcpy(&x, (const char *)data + index * sizeof x, sizeof x);                               \
        return (double)x;                                                                          \
    }

INTEGER(u8, uint8_t)
INTEGER(i8, int8_t)
INTEGER(u16, uint16_t)
INTEGER(i16, int16_t)
INTEGER(u32, uint32_t)
INTEGER(i32, int32_t)
INTEGER(u64, uint64_t)
INTEGER(i64, int64_t)

static double real_f32(const void *data, uint64_t index)
{
    float x;
    memcpy(&x, (const char *)data + index * sizeof x, sizeof x);
    return x;
}

static double real_f64(const void *data, uint64_t index)
{
    double x;
    memcpy(&x, (const char *)data + index * sizeof x, sizeof x);
    return x;
}

/* Any byte but 0 is true. */
static int64_t int_bool(const void *data, uint64_t index)
{
    return ((const uint8_t *)data)[index] != 0;
}

static double real_bool(const void *data, uint64_t index)
{
    return (double)int_bool(data, index);
}

/* Which codes of a small float are not finite. */
typedef enum special_codes {
    SPECIAL_IEEE, /* the largest exponent: Inf and NaN */
    SPECIAL_FN,   /* all ones: NaN; no Inf */
    SPECIAL_FNUZ, /* minus zero: NaN; no Inf */
    SPECIAL_NONE
} special_codes;

typedef struct small_float {
    unsigned exponent_bits, mantissa_bits;
    int bias;
    special_codes special;
} small_float;

static double decode(const small_float *kind, uint32_t code)
{
    uint32_t mantissa_mask = (1u << kind->mantissa_bits) - 1;
    uint32_t exponent_mask = (1u << kind->exponent_bits) - 1;
    uint32_t mantissa = code & mantissa_mask;
    uint32_t exponent = code >> kind->mantissa_bits & exponent_mask;
    uint32_t sign = code >> (kind->mantissa_bits + kind->exponent_bits) & 1;
    if (kind->special == SPECIAL_IEEE && exponent == exponent_mask)
        return mantissa != 0 ? NAN : sign ? -INFINITY : INFINITY;
    if (kind->special == SPECIAL_FN && exponent == exponent_mask && mantissa == mantissa_mask)
        return NAN;
    if (kind->special == SPECIAL_FNUZ && sign && exponent == 0 && mantissa == 0)
        return NAN;
    uint32_t significand = exponent != 0 ? mantissa | (mantissa_mask + 1) : mantissa;
    int power = (exponent != 0 ? (int)exponent : 1) - kind->bias - (int)kind->mantissa_bits;
    double magnitude = ldexp((double)significand, power);
    return sign ? -magnitude : magnitude;
}

static uint32_t code16(const void *data, uint64_t index)
{
    uint16_t x;
    memcpy(&x, (const char *)data + index * sizeof x, sizeof x);
    return x;
}

static uint32_t code8(const void *data, uint64_t index)
{
    return ((const uint8_t *)data)[index];
}

static uint32_t code4(const void *data, uint64_t index)
{
    return ((const uint8_t *)data)[index / 2] >> (4 * (index % 2)) & 15u;
}

static uint32_t code2(const void *data, uint64_t index)
{
    return ((const uint8_t *)data)[index / 4] >> (2 * (index % 4)) & 3u;
}

#define SMALL_FLOAT(name, code, exponent, mantissa, bias, special)                                 \
    static double real_##name(const void *data, uint64_t index)                                    \
    {                                                                                              \
        static const small_float kind = {exponent, mantissa, bias, special};                       \
        return decode(&kind, code(data, index));                                                   \
    }

SMALL_FLOAT(f16, code16, 5, 10, 15, SPECIAL_IEEE)
SMALL_FLOAT(bf16, code16, 8, 7, 127, SPECIAL_IEEE)
SMALL_FLOAT(e4m3fn, code8, 4, 3, 7, SPECIAL_FN)
SMALL_FLOAT(e4m3fnuz, code8, 4, 3, 8, SPECIAL_FNUZ)
SMALL_FLOAT(e5m2, code8, 5, 2, 15, SPECIAL_IEEE)
SMALL_FLOAT(e5m2fnuz, code8, 5, 2, 16, SPECIAL_FNUZ)
SMALL_FLOAT(e2m1, code4, 2, 1, 1, SPECIAL_NONE)

/* A power of two without sign or mantissa. */
static double real_e8m0(const void *data, uint64_t index)
{
    uint32_t code = code8(data, index);
    return code == 255 ? NAN : ldexp(1, (int)code - 127);
}

#define PACKED(name, code, half, wrap)                                                             \
    static int64_t int_##name(const void *data, uint64_t index)                                    \
    {                                                                                              \
        int64_t x = code(data, index);                                                             \
        return x >= (half) ? x - (wrap) : x;                                                       \
    }                                                                                              \
    static double real_##name(const void *data, uint64_t index)                                    \
    {                                                                                              \
        return (double)int_##name(data, index);                                                    \
    }

PACKED(u4, code4, 16, 0)
PACKED(i4, code4, 8, 16)
PACKED(u2, code2, 4, 0)
PACKED(i2, code2, 2, 4)

static const ltap_element_row rows[] = {
    [LTAP_FLOAT32] = {real_f32, NULL},
    [LTAP_UINT8] = {real_u8, int_u8},
    [LTAP_INT8] = {real_i8, int_i8},
    [LTAP_UINT16] = {real_u16, int_u16},
    [LTAP_INT16] = {real_i16, int_i16},
    [LTAP_INT32] = {real_i32, int_i32},
    [LTAP_INT64] = {real_i64, int_i64},
    [LTAP_BOOL] = {real_bool, int_bool},
    [LTAP_FLOAT16] = {real_f16, NULL},
    [LTAP_FLOAT64] = {real_f64, NULL},
    [LTAP_UINT32] = {real_u32, int_u32},
    [LTAP_UINT64] = {real_u64, int_u64},
    [LTAP_BFLOAT16] = {real_bf16, NULL},
    [LTAP_FLOAT8E4M3FN] = {real_e4m3fn, NULL},
    [LTAP_FLOAT8E4M3FNUZ] = {real_e4m3fnuz, NULL},
    [LTAP_FLOAT8E5M2] = {real_e5m2, NULL},
    [LTAP_FLOAT8E5M2FNUZ] = {real_e5m2fnuz, NULL},
    [LTAP_UINT4] = {real_u4, int_u4},
    [LTAP_INT4] = {real_i4, int_i4},
    [LTAP_FLOAT4E2M1] = {real_e2m1, NULL},
    [LTAP_FLOAT8E8M0] = {real_e8m0, NULL},
    [LTAP_UINT2] = {real_u2, int_u2},
    [LTAP_INT2] = {real_i2, int_i2},
};

const ltap_element_row *ltap_element_find(ltap_dtype dtype)
{
    size_t index = (size_t)dtype;
    return &rows[index < sizeof rows / sizeof rows[0] ? index : LTAP_UNDEFINED];
}
