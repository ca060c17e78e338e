/* Opening pictures: from a file, from memory, from pixels.
 *
 * The format is told by the first bytes, never by the name. The table has one row per format that
 * can be decoded, and a second table names those that cannot, so that the refusal says what the
 * file is. The file is copied, not mapped: a picture that shrinks meanwhile is then harmless.
 */
#include "image/image.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const ltap_image_format formats[] = {
    {"JPEG", "\xff\xd8\xff", 3, ltap_jpeg_decode, ltap_jpeg_exif},
    {"PNG", "\x89PNG\r\n\x1a\n", 8, ltap_png_decode, ltap_png_exif},
#ifdef LTAP_HAVE_WEBP
    {"WebP", "RIFF????WEBP", 12, ltap_webp_decode, ltap_webp_exif},
#endif
};

/* Known by sight only. */
typedef struct stranger {
    const char *magic;
    const char *message;
} stranger;

#define CONVERT "; JPEG, PNG and WebP are read: convert it first"

static const stranger strangers[] = {
#ifndef LTAP_HAVE_WEBP
    {"RIFF????WEBP",
     "a WebP picture, and this layertap was built without WebP: install libwebp-dev "
     "and build it again, or convert the picture to PNG"},
#endif
    {"GIF8", "a GIF picture" CONVERT},
    {"II*", "a TIFF picture" CONVERT},
    {"MM", "a TIFF picture" CONVERT},
    {"BM", "a BMP picture" CONVERT},
    {"????ftyp", "an AVIF or HEIC picture" CONVERT},
    {"\xff\n", "a JPEG XL picture" CONVERT},
    {"%PDF-", "a PDF document" CONVERT},
};

static bool begins(const uint8_t *bytes, size_t size, const char *magic, size_t magic_bytes)
{
    if (size < magic_bytes)
        return false;
    for (size_t i = 0; i < magic_bytes; i++)
        if (magic[i] != '?' && bytes[i] != (uint8_t)magic[i])
            return false;
    return true;
}

static ltap_status refuse_stranger(const uint8_t *bytes, size_t size, ltap_error *error)
{
    char start[32] = "";
    size_t n = size < 4 ? size : 4;
    bool printable = true;
    if (size == 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "not a JPEG, PNG, WebP or array file (empty)");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        const stranger *s = &strangers[i];
        if (begins(bytes, size, s->magic, strlen(s->magic)))
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "%s", s->message);
    }
    for (size_t i = 0; i < n; i++)
        printable = printable && bytes[i] >= 0x20 && bytes[i] < 0x7f;
    if (printable)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "not a JPEG, PNG, WebP or array file (starts with '%.*s')", (int)n,
                              (const char *)bytes);
    for (size_t i = 0; i < n; i++)
        snprintf(start + 3 * i, sizeof start - 3 * i, " %02x", bytes[i]);
    return ltap_error_set(error, LTAP_ERROR_FORMAT,
                          "not a JPEG, PNG, WebP or array file (starts with bytes%s)", start);
}

static const ltap_image_format *probe(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (begins(bytes, size, formats[i].magic, formats[i].magic_bytes))
            return &formats[i];
    return NULL;
}

ltap_status ltap_image_new(ltap_memory *memory, ltap_image **image, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_memory_take_zeroed(memory, 1, sizeof(ltap_image), "a picture", &block, error));
    *image = block;
    (*image)->memory = ltap_memory_ref(memory);
    return LTAP_OK;
}

ltap_status ltap_image_take_pixels(ltap_image *image, uint64_t width, uint64_t height,
                                   uint64_t max_pixels, ltap_error *error)
{
    uint64_t pixels, bytes;
    void *block;
    if (width == 0 || height == 0 || width > INT_MAX / 2 || height > INT_MAX / 2 ||
        !ltap_checked_mul(width, height, &pixels) || pixels > max_pixels ||
        !ltap_checked_mul(pixels, 3, &bytes))
        return ltap_error_set(
            error, LTAP_ERROR_FORMAT, "a picture of %llux%llu pixels; 1 to %llu pixels are read",
            (unsigned long long)width, (unsigned long long)height, (unsigned long long)max_pixels);
    LTAP_TRY(ltap_memory_take(image->memory, bytes, "a picture's pixels", &block, error));
    image->width = (int)width;
    image->height = (int)height;
    image->pixels = block;
    return LTAP_OK;
}

ltap_status ltap_image_decode(const ltap_image_source *source, bool exif, ltap_memory *memory,
                              ltap_image **image, ltap_error *error)
{
    const ltap_image_format *format = probe(source->bytes, source->size);
    ltap_image *made = NULL;
    ltap_status status = LTAP_OK;
    if (!format)
        return refuse_stranger(source->bytes, source->size, error);
    LTAP_GO(ltap_image_new(memory, &made, error));
    LTAP_GO(format->decode(source, made, error));
    if (exif) {
        size_t bytes = 0;
        const uint8_t *tiff = format->exif(source->bytes, source->size, &bytes);
        LTAP_GO(ltap_image_turn(made, tiff ? ltap_exif_orientation(tiff, bytes) : 1, error));
    }
    *image = made;
    made = NULL;
done:
    ltap_image_close(made);
    return status;
}

static ltap_status decode_with(const void *bytes, size_t size, const ltap_image_options *options,
                               ltap_memory *memory, ltap_image **image, ltap_error *error)
{
    ltap_image_source source = {bytes, size, LTAP_IMAGE_MAX_PIXELS};
    if (options && options->max_pixels)
        source.max_pixels = options->max_pixels;
    return ltap_image_decode(&source, options && options->exif, memory, image, error);
}

ltap_status ltap_image_open(const char *path, const ltap_image_options *options, ltap_image **image,
                            ltap_error *error)
{
    ltap_memory *memory = NULL;
    ltap_file file = {NULL, 0, NULL};
    bool opened = false;
    ltap_status status;
    if (!path || !image)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "a picture needs a path and a place");
    *image = NULL;
    LTAP_GO(ltap_memory_new(NULL, 0, &memory, error));
    LTAP_GO(ltap_file_open(path, true, memory, &file, error));
    opened = true;
    status = decode_with(file.data, file.size, options, memory, image, error);
    if (status != LTAP_OK)
        status = ltap_error_prefix(error, status, "%s", path);
done:
    if (opened)
        ltap_file_close(&file);
    ltap_memory_unref(memory);
    return status;
}

ltap_status ltap_image_open_bytes(const void *bytes, size_t size, const char *name,
                                  const ltap_image_options *options, ltap_image **image,
                                  ltap_error *error)
{
    ltap_memory *memory = NULL;
    ltap_status status;
    if (!image || (!bytes && size))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "a picture needs bytes and a place");
    *image = NULL;
    LTAP_GO(ltap_memory_new(NULL, 0, &memory, error));
    status = decode_with(bytes, size, options, memory, image, error);
    if (status != LTAP_OK && name)
        status = ltap_error_prefix(error, status, "%s", name);
done:
    ltap_memory_unref(memory);
    return status;
}

ltap_status ltap_image_open_pixels(const uint8_t *pixels, int width, int height, ltap_image **image,
                                   ltap_error *error)
{
    ltap_memory *memory = NULL;
    ltap_image *made = NULL;
    ltap_status status;
    if (!image || !pixels || width <= 0 || height <= 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "a picture needs pixels, a width and a height of 1 or more");
    *image = NULL;
    LTAP_GO(ltap_memory_new(NULL, 0, &memory, error));
    LTAP_GO(ltap_image_new(memory, &made, error));
    LTAP_GO(ltap_image_take_pixels(made, (uint64_t)width, (uint64_t)height, UINT64_MAX / 3, error));
    memcpy(made->pixels, pixels, (size_t)width * (size_t)height * 3);
    *image = made;
    made = NULL;
done:
    ltap_image_close(made);
    ltap_memory_unref(memory);
    return status;
}

void ltap_image_close(ltap_image *image)
{
    if (!image)
        return;
    ltap_memory *memory = image->memory;
    ltap_memory_release(memory, image->pixels);
    ltap_memory_release(memory, image);
    ltap_memory_unref(memory);
}

int ltap_image_width(const ltap_image *image)
{
    return image ? image->width : 0;
}

int ltap_image_height(const ltap_image *image)
{
    return image ? image->height : 0;
}

const uint8_t *ltap_image_pixels(const ltap_image *image)
{
    return image ? image->pixels : NULL;
}
