/* Little-endian numbers at any address. The caller has checked that the bytes are there. */
#ifndef LTAP_CODEC_BYTES_H
#define LTAP_CODEC_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t ltap_load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t ltap_load_u32(const uint8_t *p)
{
    return (uint32_t)ltap_load_u16(p) | (uint32_t)ltap_load_u16(p + 2) << 16;
}

static inline uint64_t ltap_load_u64(const uint8_t *p)
{
    return (uint64_t)ltap_load_u32(p) | (uint64_t)ltap_load_u32(p + 4) << 32;
}

/* Each store returns the address after it. */
static inline uint8_t *ltap_store_u16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    return p + 2;
}

static inline uint8_t *ltap_store_u32(uint8_t *p, uint32_t value)
{
    return ltap_store_u16(ltap_store_u16(p, (uint16_t)value), (uint16_t)(value >> 16));
}

static inline uint8_t *ltap_store_u64(uint8_t *p, uint64_t value)
{
    return ltap_store_u32(ltap_store_u32(p, (uint32_t)value), (uint32_t)(value >> 32));
}

static inline uint8_t *ltap_store_bytes(uint8_t *p, const void *bytes, size_t count)
{
    memcpy(p, bytes, count);
    return p + count;
}

#endif
