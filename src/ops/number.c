/* Numbers: loading and storing runs of each element type as doubles.
 *
 * Half precisions are converted by their bits, rounded to nearest even straight from double, so
 * that no result is rounded twice.
 */
#include "ops/number.h"

#include <math.h>
#include <string.h>

#define PLAIN_NUMBER(name, type)                                                                   \
    static void name##_load(const void *src, int64_t offset, int64_t step, int64_t count,          \
                            double *dst)                                                           \
    {                                                                                              \
        const type *from = (const type *)src + offset;                                             \
        if (step == 1) {                                                                           \
            for (int64_t i = 0; i < count; i++)                                                    \
                dst[i] = (double)from[i];                                                          \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < count; i++)                                                        \
            dst[i] = (double)from[i * step];                                                       \
    }                                                                                              \
    static void name##_store(const double *src, int64_t count, void *dst, int64_t offset,          \
                             int64_t step)                                                         \
    {                                                                                              \
        type *to = (type *)dst + offset;                                                           \
        if (step == 1) {                                                                           \
            for (int64_t i = 0; i < count; i++)                                                    \
                to[i] = (type)src[i];                                                              \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < count; i++)                                                        \
            to[i * step] = (type)src[i];                                                           \
    }                                                                                              \
    static void name##_gather(const void *src, int64_t offset, const int64_t *indices,             \
                              int64_t count, double *dst)                                          \
    {                                                                                              \
        for (int64_t i = 0; i < count; i++)                                                        \
            dst[i] = (double)((const type *)src)[offset + indices[i]];                             \
    }

PLAIN_NUMBER(f32, float)
PLAIN_NUMBER(f64, double)
PLAIN_NUMBER(i8, int8_t)
PLAIN_NUMBER(u8, uint8_t)

static double half_to_double(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude;
    if (exponent == 31)
        magnitude = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, -24);
    else
        magnitude = ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static uint16_t double_to_half(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    if (isnan(value))
        return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 65520.0)
        return (uint16_t)(sign | 0x7c00);
    int exponent = -24; /* of 0 */
    if (magnitude > 0)
        frexp(magnitude, &exponent);
    /* The weight of the last bit; rounding up to the next power of two carries by itself. */
    int last = exponent < -13 ? -24 : exponent - 11;
    uint16_t units = (uint16_t)nearbyint(ldexp(magnitude, -last));
    return (uint16_t)(sign | (units + ((last + 24) << 10)));
}

static double brain_to_double(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static uint16_t double_to_brain(double value)
{
    float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40);
    if (isinf(narrow))
        return (uint16_t)(bits >> 16);
    /* Round to odd first: the float remembers on which side of a tie the double was. */
    double back = narrow;
    if (back != value && !(bits & 1))
        bits += fabs(back) < fabs(value) ? 1U : (uint32_t)-1;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#define BITS_NUMBER(name, from_bits, to_bits)                                                      \
    static void name##_load(const void *src, int64_t offset, int64_t step, int64_t count,          \
                            double *dst)                                                           \
    {                                                                                              \
        for (int64_t i = 0; i < count; i++)                                                        \
            dst[i] = from_bits(((const uint16_t *)src)[offset + i * step]);                        \
    }                                                                                              \
    static void name##_store(const double *src, int64_t count, void *dst, int64_t offset,          \
                             int64_t step)                                                         \
    {                                                                                              \
        for (int64_t i = 0; i < count; i++)                                                        \
            ((uint16_t *)dst)[offset + i * step] = to_bits(src[i]);                                \
    }                                                                                              \
    static void name##_gather(const void *src, int64_t offset, const int64_t *indices,             \
                              int64_t count, double *dst)                                          \
    {                                                                                              \
        for (int64_t i = 0; i < count; i++)                                                        \
            dst[i] = from_bits(((const uint16_t *)src)[offset + indices[i]]);                      \
    }

BITS_NUMBER(f16, half_to_double, double_to_half)
BITS_NUMBER(bf16, brain_to_double, double_to_brain)

static const ltap_number numbers[] = {
    {LTAP_FLOAT32, -INFINITY, f32_load, f32_store, f32_gather},
    {LTAP_FLOAT64, -INFINITY, f64_load, f64_store, f64_gather},
    {LTAP_FLOAT16, -INFINITY, f16_load, f16_store, f16_gather},
    {LTAP_BFLOAT16, -INFINITY, bf16_load, bf16_store, bf16_gather},
    {LTAP_INT8, INT8_MIN, i8_load, i8_store, i8_gather},
    {LTAP_UINT8, 0, u8_load, u8_store, u8_gather},
};

const ltap_number *ltap_number_find(ltap_dtype dtype)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].dtype == dtype)
            return &numbers[i];
    }
    return NULL;
}

int64_t ltap_number_product(const int64_t *dims, int first, int last)
{
    int64_t product = 1;
    for (int i = first; i < last; i++)
        product *= dims[i];
    return product;
}
