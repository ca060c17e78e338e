/* Builds small zip archives byte by byte, independent of src/codec: what tests break. */
#ifndef TESTS_CODEC_ZIP_BUILD_H
#define TESTS_CODEC_ZIP_BUILD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct zip_part {
    const char *name;
    const void *data;
    size_t bytes;
    bool deflate;
    bool sizes_follow; /* flag bit 3: zeros in the local header, a descriptor behind the data */
    bool zip64;        /* saturated 32-bit fields and ZIP64 fields, though nothing is large */
} zip_part;

typedef struct zip_built {
    uint8_t bytes[65536];
    size_t size;
    size_t local[16], data[16], central[16], end; /* where things are */
} zip_built;

static inline void zip_put(zip_built *zip, uint64_t value, int n)
{
    for (int i = 0; i < n; i++)
        zip->bytes[zip->size++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static inline void zip_put_bytes(zip_built *zip, const void *data, size_t bytes)
{
    if (bytes)
        memcpy(zip->bytes + zip->size, data, bytes);
    zip->size += bytes;
}

static inline size_t zip_deflate(const void *data, size_t bytes, uint8_t *out, size_t room)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data,
                       .avail_in = (uInt)bytes,
                       .next_out = out,
                       .avail_out = (uInt)room};
    if (deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflate(&stream, Z_FINISH) != Z_STREAM_END)
        abort();
    deflateEnd(&stream);
    return room - stream.avail_out;
}

/* Versions to sizes, as both headers have them. */
static inline void zip_put_common(zip_built *zip, const zip_part *part, size_t packed, bool local)
{
    bool hidden = local && part->sizes_follow;
    uint32_t crc = (uint32_t)crc32(0, part->data, (uInt)part->bytes);
    zip_put(zip, 20, 2);
    zip_put(zip, part->sizes_follow ? 8 : 0, 2);
    zip_put(zip, part->deflate ? 8 : 0, 2);
    zip_put(zip, 0x00210000, 4);
    zip_put(zip, hidden ? 0 : crc, 4);
    zip_put(zip, hidden ? 0 : part->zip64 ? 0xFFFFFFFF : packed, 4);
    zip_put(zip, hidden ? 0 : part->zip64 ? 0xFFFFFFFF : part->bytes, 4);
    zip_put(zip, strlen(part->name), 2);
}

static inline void zip_put_end(zip_built *zip, size_t n_parts, size_t directory, bool zip64)
{
    size_t bytes = zip->size - directory, at = zip->size;
    if (zip64) {
        zip_put(zip, 0x06064b50, 4);
        zip_put(zip, 44, 8);
        zip_put(zip, 45 | 45 << 16, 4);
        zip_put(zip, 0, 8);
        zip_put(zip, n_parts, 8);
        zip_put(zip, n_parts, 8);
        zip_put(zip, bytes, 8);
        zip_put(zip, directory, 8);
        zip_put(zip, 0x07064b50, 4);
        zip_put(zip, 0, 4);
        zip_put(zip, at, 8);
        zip_put(zip, 1, 4);
    }
    zip->end = zip->size;
    zip_put(zip, 0x06054b50, 4);
    zip_put(zip, 0, 4);
    zip_put(zip, zip64 ? 0xFFFF : n_parts, 2);
    zip_put(zip, zip64 ? 0xFFFF : n_parts, 2);
    zip_put(zip, zip64 ? 0xFFFFFFFF : bytes, 4);
    zip_put(zip, zip64 ? 0xFFFFFFFF : directory, 4);
    zip_put(zip, 0, 2);
}

static inline void zip_build(zip_built *zip, const zip_part *parts, size_t n_parts)
{
    uint8_t packed[16384];
    size_t packed_bytes[16];
    bool zip64 = false;
    memset(zip, 0, sizeof *zip);
    for (size_t i = 0; i < n_parts; i++) {
        const zip_part *part = &parts[i];
        const void *data = part->deflate ? packed : part->data;
        size_t n = part->deflate ? zip_deflate(part->data, part->bytes, packed, sizeof packed)
                                 : part->bytes;
        packed_bytes[i] = n;
        zip64 |= part->zip64;
        zip->local[i] = zip->size;
        zip_put(zip, 0x04034b50, 4);
        zip_put_common(zip, part, n, true);
        zip_put(zip, part->zip64 ? 20 : 0, 2);
        zip_put_bytes(zip, part->name, strlen(part->name));
        if (part->zip64) {
            zip_put(zip, 1 | 16 << 16, 4);
            zip_put(zip, part->bytes, 8);
            zip_put(zip, n, 8);
        }
        zip->data[i] = zip->size;
        zip_put_bytes(zip, data, n);
        if (part->sizes_follow) {
            zip_put(zip, 0x08074b50, 4);
            zip_put(zip, crc32(0, part->data, (uInt)part->bytes), 4);
            zip_put(zip, n, 4);
            zip_put(zip, part->bytes, 4);
        }
    }
    size_t directory = zip->size;
    for (size_t i = 0; i < n_parts; i++) {
        const zip_part *part = &parts[i];
        zip->central[i] = zip->size;
        zip_put(zip, 0x02014b50, 4);
        zip_put(zip, 20, 2);
        zip_put_common(zip, part, packed_bytes[i], false);
        zip_put(zip, part->zip64 ? 28 : 0, 2);
        zip_put(zip, 0, 10);
        zip_put(zip, part->zip64 ? 0xFFFFFFFF : zip->local[i], 4);
        zip_put_bytes(zip, part->name, strlen(part->name));
        if (part->zip64) {
            zip_put(zip, 1 | 24 << 16, 4);
            zip_put(zip, part->bytes, 8);
            zip_put(zip, packed_bytes[i], 8);
            zip_put(zip, zip->local[i], 8);
        }
    }
    zip_put_end(zip, n_parts, directory, zip64);
}

#endif
