/* CRC-32 at the speed of memory. Where the processor multiplies without carries, 64 bytes at a time
 * are folded into a remainder of 16 bytes that has the same CRC (Gopal et al., "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009); zlib does the rest, and all of
 * it elsewhere. Much memory is cut in pieces for several threads; the pieces' CRCs combine to the
 * same number.
 */
#include "codec/zip.h"
#include <zlib.h>

#define FOLD_BYTES 64

#if defined(__x86_64__)
#include <immintrin.h>

#define FOLDS __attribute__((target("pclmul,sse2")))

/* Moves a remainder over the bytes between it and `next`; factors are x^(d+32), x^(d-32) modulo the
 * polynomial, bits reversed, for a distance of d bits. */
FOLDS static __m128i fold(__m128i remainder, __m128i factors, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(remainder, factors, 0x00);
    __m128i high = _mm_clmulepi64_si128(remainder, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* size: a multiple of FOLD_BYTES, at least one. */
FOLDS static uint32_t crc_folded(uint32_t crc, const uint8_t *bytes, uint64_t size)
{
    const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i *p = (const __m128i *)(const void *)bytes;
    const __m128i *end = p + size / sizeof *p;
    __m128i lanes[4], remainder;
    uint8_t last[16];
    for (int i = 0; i < 4; i++)
        lanes[i] = _mm_loadu_si128(p + i);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)~crc));
    for (p += 4; p < end; p += 4)
        for (int i = 0; i < 4; i++)
            lanes[i] = fold(lanes[i], by_512, _mm_loadu_si128(p + i));
    remainder = lanes[0];
    for (int i = 1; i < 4; i++)
        remainder = fold(remainder, by_128, lanes[i]);
    _mm_storeu_si128((__m128i *)(void *)last, remainder);
    /* zlib inverts what it is given: this begins with zeros. */
    return (uint32_t)crc32_z(0xFFFFFFFF, last, sizeof last);
}

static bool can_fold(void)
{
    return __builtin_cpu_supports("pclmul");
}
#else
static uint32_t crc_folded(uint32_t crc, const uint8_t *bytes, uint64_t size)
{
    return (uint32_t)crc32_z(crc, bytes, size);
}

static bool can_fold(void)
{
    return false;
}
#endif

uint32_t ltap_zip_crc(uint32_t crc, const void *bytes, uint64_t size)
{
    const uint8_t *next = bytes;
    uint64_t folded = can_fold() ? size / FOLD_BYTES * FOLD_BYTES : 0;
    if (size == 0)
        return crc;
    if (folded > 0)
        crc = crc_folded(crc, next, folded);
    return (uint32_t)crc32_z(crc, next + folded, size - folded);
}
