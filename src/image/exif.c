/* EXIF orientation: the one tag that changes pixels, read only on request.
 *
 * Finds the TIFF block in a JPEG's APP1 segment, a PNG's eXIf chunk or a WebP's EXIF chunk, and in
 * it tag 0x0112 of the first directory. Whatever is odd counts as "no orientation", as everywhere
 * else. Orientations in XMP texts are not read.
 */
#include "base/error.h"
#include "image/image.h"
#include <string.h>

const uint8_t *ltap_jpeg_exif(const uint8_t *bytes, size_t size, size_t *exif_bytes)
{
    size_t at = 2;
    while (at + 4 <= size && bytes[at] == 0xff) {
        uint8_t marker = bytes[at + 1];
        if (marker == 0xff) { /* padding */
            at++;
            continue;
        }
        size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (marker == 0xda || marker == 0xd9 || length < 2 || length > size - at - 2)
            return NULL;
        if (marker == 0xe1 && length >= 8 && memcmp(bytes + at + 4, "Exif\0\0", 6) == 0) {
            *exif_bytes = length - 8;
            return bytes + at + 10;
        }
        at += 2 + length;
    }
    return NULL;
}

const uint8_t *ltap_png_exif(const uint8_t *bytes, size_t size, size_t *exif_bytes)
{
    size_t at = 8;
    while (at + 12 <= size) {
        const uint8_t *p = bytes + at;
        uint64_t length = (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
        if (length > size - at - 12)
            return NULL;
        if (memcmp(p + 4, "eXIf", 4) == 0) {
            *exif_bytes = (size_t)length;
            return p + 8;
        }
        at += 12 + (size_t)length;
    }
    return NULL;
}

static uint32_t read_number(const uint8_t *bytes, int n, bool big)
{
    uint32_t value = 0;
    for (int i = 0; i < n; i++)
        value = value << 8 | bytes[big ? i : n - 1 - i];
    return value;
}

/* A chunk counts where the header announces it, with or without the six bytes of a JPEG's segment.
 */
const uint8_t *ltap_webp_exif(const uint8_t *bytes, size_t size, size_t *exif_bytes)
{
    const size_t first = 12;
    const uint8_t announced = 0x08;
    if (size < 30 || memcmp(bytes + first, "VP8X", 4) != 0 || !(bytes[first + 8] & announced))
        return NULL;
    uint64_t end = (uint64_t)read_number(bytes + 4, 4, false) + 8;
    if (end < size)
        size = (size_t)end;
    for (size_t at = first; at < size && size - at >= 8;) {
        const uint8_t *p = bytes + at;
        uint64_t length = read_number(p + 4, 4, false);
        if (length > size - at - 8)
            return NULL;
        if (memcmp(p, "EXIF", 4) == 0) {
            size_t prefix = length >= 6 && memcmp(p + 8, "Exif\0\0", 6) == 0 ? 6 : 0;
            *exif_bytes = (size_t)length - prefix;
            return p + 8 + prefix;
        }
        at += 8 + (size_t)(length + (length & 1));
    }
    return NULL;
}

int ltap_exif_orientation(const uint8_t *tiff, size_t size)
{
    if (size < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
        return 1;
    bool big = tiff[0] == 'M';
    size_t at = read_number(tiff + 4, 4, big);
    if (at > size - 2)
        return 1;
    size_t n_entries = read_number(tiff + at, 2, big);
    at += 2;
    for (size_t i = 0; i < n_entries && size - at >= 12; i++, at += 12) {
        const uint8_t *entry = tiff + at;
        if (read_number(entry, 2, big) != 0x0112)
            continue;
        bool is_short = read_number(entry + 2, 2, big) == 3 && read_number(entry + 4, 4, big) == 1;
        uint32_t value = read_number(entry + 8, 2, big);
        return is_short && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Where the pixel (x, y) of the result comes from: mirrored along each axis, then transposed. */
typedef struct turn {
    bool mirror_x, mirror_y, transpose;
} turn;

static const turn turns[9] = {
    [2] = {true, false, false}, [3] = {true, true, false}, [4] = {false, true, false},
    [5] = {false, false, true}, [6] = {false, true, true}, [7] = {true, true, true},
    [8] = {true, false, true},
};

ltap_status ltap_image_turn(ltap_image *image, int orientation, ltap_error *error)
{
    if (orientation < 2 || orientation > 8)
        return LTAP_OK;
    turn t = turns[orientation];
    size_t width = (size_t)image->width, height = (size_t)image->height;
    size_t new_width = t.transpose ? height : width, new_height = t.transpose ? width : height;
    void *block;
    LTAP_TRY(ltap_memory_take(image->memory, (uint64_t)width * height * 3, "a turned picture",
                              &block, error));
    uint8_t *dst = block;
    for (size_t y = 0; y < new_height; y++)
        for (size_t x = 0; x < new_width; x++) {
            size_t from_x = t.transpose ? y : x, from_y = t.transpose ? x : y;
            from_x = t.mirror_x ? width - 1 - from_x : from_x;
            from_y = t.mirror_y ? height - 1 - from_y : from_y;
            memcpy(dst + 3 * (y * new_width + x), image->pixels + 3 * (from_y * width + from_x), 3);
        }
    ltap_memory_release(image->memory, image->pixels);
    image->pixels = dst;
    image->width = (int)new_width;
    image->height = (int)new_height;
    return LTAP_OK;
}
