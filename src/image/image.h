/* Pictures inside the library: the pixels, and the table of what can be decoded. */
#ifndef LTAP_IMAGE_IMAGE_H
#define LTAP_IMAGE_IMAGE_H

#include "base/memory.h"
#include <layertap/image.h>
#include <stdbool.h>

#define LTAP_IMAGE_MAX_PIXELS 178956970u /* Pillow's; 512 MiB of RGB */

struct ltap_image {
    ltap_memory *memory;
    int width, height;
    uint8_t *pixels; /* u8[height,width,3] */
};

/* The bytes of a file as a decoder gets them; all borrowed. */
typedef struct ltap_image_source {
    const uint8_t *bytes;
    size_t size;
    uint64_t max_pixels;
} ltap_image_source;

/* A row of the table of formats. In magic, '?' is any byte. decode gives `image` (which has its
 * memory) its size and pixels. exif returns the TIFF block of the EXIF data, or NULL. */
typedef struct ltap_image_format {
    const char *name;
    const char *magic;
    size_t magic_bytes;
    ltap_status (*decode)(const ltap_image_source *source, ltap_image *image, ltap_error *error);
    const uint8_t *(*exif)(const uint8_t *bytes, size_t size, size_t *exif_bytes);
} ltap_image_format;

ltap_status ltap_jpeg_decode(const ltap_image_source *source, ltap_image *image, ltap_error *error);
ltap_status ltap_png_decode(const ltap_image_source *source, ltap_image *image, ltap_error *error);
ltap_status ltap_webp_decode(const ltap_image_source *source, ltap_image *image, ltap_error *error);
const uint8_t *ltap_jpeg_exif(const uint8_t *bytes, size_t size, size_t *exif_bytes);
const uint8_t *ltap_png_exif(const uint8_t *bytes, size_t size, size_t *exif_bytes);
const uint8_t *ltap_webp_exif(const uint8_t *bytes, size_t size, size_t *exif_bytes);

/* Probes by content and decodes, on an account of the caller's; a reference is kept. image: yours
 * to close. */
ltap_status ltap_image_decode(const ltap_image_source *source, bool exif, ltap_memory *memory,
                              ltap_image **image, ltap_error *error);
/* An image without pixels. */
ltap_status ltap_image_new(ltap_memory *memory, ltap_image **image, ltap_error *error);
/* Checks the declared size against the cap, and takes the pixels. */
ltap_status ltap_image_take_pixels(ltap_image *image, uint64_t width, uint64_t height,
                                   uint64_t max_pixels, ltap_error *error);

/* The orientation 1..8 of a TIFF block; 1 where it has none. */
int ltap_exif_orientation(const uint8_t *tiff, size_t size);
/* Turns and mirrors so that orientation 1 is left. */
ltap_status ltap_image_turn(ltap_image *image, int orientation, ltap_error *error);

#endif
