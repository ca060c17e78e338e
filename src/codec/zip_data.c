/* The bytes of zip entries: their CRC, and zlib's deflate. Inflating writes only into a block of
 * the declared size: more or less than that is an error.
 */
#include "base/checked.h"
#include "base/error.h"
#include "codec/zip.h"
#include <string.h>
#include <zlib.h>

#define STEP_BYTES (1u << 30) /* zlib counts in unsigned int */

static ltap_status check_crc(const ltap_zip_entry *entry, uint32_t crc, ltap_error *error)
{
    if (crc == entry->crc)
        return LTAP_OK;
    return ltap_error_at(error, LTAP_ERROR_FORMAT, entry->data_offset,
                         "zip: '%s' is damaged: its CRC is %08x, expected %08x", entry->name, crc,
                         entry->crc);
}

ltap_status ltap_zip_check(const ltap_zip *zip, const ltap_zip_entry *entry, ltap_error *error)
{
    return check_crc(entry, ltap_zip_crc(0, zip->bytes + entry->data_offset, entry->bytes), error);
}

static voidpf take_for_zlib(voidpf opaque, uInt items, uInt size)
{
    void *block;
    uint64_t bytes = (uint64_t)items * size;
    return ltap_memory_take(opaque, bytes, "inflating", &block, NULL) == LTAP_OK ? block : Z_NULL;
}

static void release_for_zlib(voidpf opaque, voidpf block)
{
    ltap_memory_release(opaque, block);
}

/* Runs the stream to its end, to an error, or to where it wants more than there is. */
static int inflate_all(z_stream *stream, uint64_t in_bytes, uint64_t out_bytes)
{
    uint64_t in_left = in_bytes, out_left = out_bytes;
    int result = Z_OK;
    while (result == Z_OK) {
        uInt in = (uInt)(in_left < STEP_BYTES ? in_left : STEP_BYTES);
        uInt out = (uInt)(out_left < STEP_BYTES ? out_left : STEP_BYTES);
        stream->avail_in = in;
        stream->avail_out = out;
        result = inflate(stream, Z_NO_FLUSH);
        in_left -= in - stream->avail_in;
        out_left -= out - stream->avail_out;
    }
    return result == Z_STREAM_END && (in_left || out_left) ? Z_DATA_ERROR : result;
}

static ltap_status inflate_into(const ltap_zip *zip, const ltap_zip_entry *entry,
                                ltap_memory *memory, uint8_t *out, ltap_error *error)
{
    uint8_t *in = (uint8_t *)(uintptr_t)(zip->bytes + entry->data_offset);
    z_stream stream = {.zalloc = take_for_zlib,
                       .zfree = release_for_zlib,
                       .opaque = memory,
                       .next_in = in,
                       .next_out = out};
    int result = inflateInit2(&stream, -MAX_WBITS);
    if (result == Z_OK) {
        result = inflate_all(&stream, entry->packed_bytes, entry->bytes);
        inflateEnd(&stream);
    }
    if (result == Z_MEM_ERROR)
        return ltap_error_set(error, LTAP_ERROR_MEMORY, "no memory left to inflate '%s'",
                              entry->name);
    if (result != Z_STREAM_END)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, entry->data_offset,
                             "zip: the deflated bytes of '%s' are damaged or not of their declared "
                             "size",
                             entry->name);
    return check_crc(entry, ltap_zip_crc(0, out, entry->bytes), error);
}

ltap_status ltap_zip_inflate(const ltap_zip *zip, const ltap_zip_entry *entry, ltap_memory *memory,
                             void **block, ltap_error *error)
{
    void *made;
    LTAP_TRY(ltap_memory_take(memory, entry->bytes, entry->name, &made, error));
    ltap_status status = inflate_into(zip, entry, memory, made, error);
    if (status != LTAP_OK) {
        ltap_memory_release(memory, made);
        return status;
    }
    *block = made;
    return LTAP_OK;
}
