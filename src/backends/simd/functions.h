/* The functions of simd/vector.h, one float at a time, for the compiler's vectoriser.
 *
 * exp is 2^n times a polynomial on [-ln2/2, ln2/2]; erf and tanh are an odd polynomial near zero,
 * and made of exp further out. The coefficients are minimax fits made for this file, rounded to
 * float32. To be included where LTAP_VECTOR_CONTRACT stands.
 */
#ifndef LTAP_BACKENDS_SIMD_FUNCTIONS_H
#define LTAP_BACKENDS_SIMD_FUNCTIONS_H

#include "backends/simd/vector.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define ROUNDER      12582912.0f /* 1.5 * 2^23: adding it rounds to an integer */
#define ROUNDER_BITS 0x4B400000u

/* Unsigned: what a NaN leaves here overflows without harm. */
LTAP_VECTOR_INLINE float power_of_two(uint32_t n)
{
    uint32_t bits = (n + 127u) << 23;
    float power;
    memcpy(&power, &bits, sizeof(power));
    return power;
}

/* x = n ln 2 + r: e^r - 1; n comes as an integer. */
LTAP_VECTOR_INLINE float exp_less(float x, uint32_t *whole)
{
    float z = x * 1.44269504f + ROUNDER, n = z - ROUNDER;
    uint32_t bits;
    memcpy(&bits, &z, sizeof(bits));
    *whole = bits - ROUNDER_BITS;
    /* ln 2 in two parts, the first so short that its product with n is exact. */
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    /* In pairs (Estrin), so that fewer steps wait for each other. */
    float square = r * r, middle = 0.0416662544f * r + 0.166666672f;
    float p = 0.000199180897f * r + 0.00139472564f;
    p = p * r + 0.00833326485f;
    p = p * square + middle;
    p = p * r + 0.5f;
    return p * square + r;
}

LTAP_VECTOR_INLINE float exp_rest(float x, uint32_t *whole)
{
    return exp_less(x, whole) + 1.0f;
}

LTAP_VECTOR_INLINE float exp_of(float x)
{
    uint32_t whole;
    float c = x > 89.0f ? 89.0f : x;
    c = c < -104.0f ? -104.0f : c;
    float p = exp_rest(c, &whole);
    /* 2^n in two steps: it may be too large or too small for one. */
    uint32_t half = (uint32_t)((int32_t)whole >> 1);
    return p * power_of_two(half) * power_of_two(whole - half);
}

/* For x from -80 to 80. */
LTAP_VECTOR_INLINE float exp_near(float x)
{
    uint32_t whole;
    float p = exp_rest(x, &whole);
    return p * power_of_two(whole);
}

LTAP_VECTOR_INLINE float erf_of(float x)
{
    float t = fabsf(x), s = x * x, c = t > 4.0f ? 4.0f : t;
    float p = 7.88911493e-05f * s - 0.000802083989f;
    p = p * s + 0.00518953521f;
    p = p * s - 0.0268544443f;
    p = p * s + 0.112836003f;
    p = p * s - 0.37612626f;
    p = p * s + 1.12837911f;
    /* ln(1 - erf(c)) */
    float q = 9.11017253e-08f * c - 2.29962498e-05f;
    q = q * c + 0.000449402374f;
    q = q * c - 0.00423238333f;
    q = q * c + 0.0252670459f;
    q = q * c - 0.108496547f;
    q = q * c - 0.633156478f;
    q = q * c - 1.12960732f;
    q = q * c + 0.000193708518f;
    float far = copysignf(1.0f - exp_near(q), x);
    return t < 1.0f ? x * p : far;
}

LTAP_VECTOR_INLINE float tanh_of(float x)
{
    float t = fabsf(x), s = x * x;
    float p = 0.00199650484f * s - 0.00801197067f;
    p = p * s + 0.0216317289f;
    p = p * s - 0.0539338365f;
    p = p * s + 0.133331016f;
    p = p * s - 0.333333284f;
    float far = copysignf(1.0f - 2.0f / (exp_of(2.0f * t) + 1.0f), x);
    return t < 0.67f ? x + x * s * p : far;
}

LTAP_VECTOR_INLINE float clamp(float y, float low, float high)
{
    float raised = y < low ? low : y;
    return raised > high ? high : raised;
}

/* Of e^-x half is taken: it is too large for a float only where the quotient is nothing, and where
 * it is too small it does not count. */
LTAP_VECTOR_INLINE float logistic_of(float x)
{
    uint32_t whole;
    float p = exp_rest(-clamp(x, -89.5f, 87), &whole);
    return 0.5f / (0.5f + p * power_of_two(whole - 1));
}

/* By half of 2^n, which may be too large for a float. */
LTAP_VECTOR_INLINE float expm1_of(float x)
{
    uint32_t whole;
    float less = exp_less(clamp(x, -80, 89), &whole), half = power_of_two(whole - 1);
    return (half * less + (half - 0.5f)) * 2.0f;
}

/* x = m 2^n with m from 1/sqrt(2) to sqrt(2); of f = m - 1 and s = f / (2 + f), ln m is the series
 * of 2 artanh s, put so that f is added last, whole. */
LTAP_VECTOR_INLINE float log_of(float x)
{
    float whole = x < FLT_MIN ? x * 8388608.0f : x, m;
    uint32_t bits, root = 0x3f3504f3u;
    memcpy(&bits, &whole, sizeof(bits));
    bits -= root;
    float n = (float)((int32_t)bits >> 23) - (x < FLT_MIN ? 23.0f : 0.0f);
    bits = (bits & 0x7fffffu) + root;
    memcpy(&m, &bits, sizeof(m));
    float f = m - 1.0f, s = f / (2.0f + f), z = s * s, half = 0.5f * f * f;
    float p = z * (2.0f / 9) + 2.0f / 7;
    p = p * z + 0.4f;
    p = p * z + 2.0f / 3;
    float y = n * 0.693359375f - ((half - (s * (half + z * p) - n * 2.12194440e-4f)) - f);
    float end = x == 0 ? -INFINITY : NAN;
    float top = x < INFINITY ? y : x;
    return x > 0 ? top : end;
}

/* For u from 0 to 1: what rounding 1 + u has lost is given back. */
LTAP_VECTOR_INLINE float log1p_of(float u)
{
    float w = 1.0f + u;
    return log_of(w) + (u - (w - 1.0f)) / w;
}

LTAP_VECTOR_INLINE float softplus_of(float x)
{
    return (x > 0 ? x : 0) + log1p_of(exp_of(-fabsf(x)));
}

/* tanh(ln(1 + u)), u = e^x, without either. */
LTAP_VECTOR_INLINE float mish_of(float x)
{
    float u = exp_of(x > 20 ? 20 : x), w = u * (u + 2.0f);
    return x * (w / (w + 2.0f));
}

/* Sums and maxima are kept in this many lanes, whatever the processor's width. */
enum { LANES = 16 };

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

LTAP_VECTOR_INLINE float add_lanes(const vector *lanes)
{
    float eight[8], sum = 0;

    for (int i = 0; i < 8; i++)
        eight[i] = (*lanes)[i] + (*lanes)[i + 8];
    for (int i = 0; i < 8; i++)
        sum += eight[i];
    return sum;
}

#endif
