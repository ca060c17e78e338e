/* Pillow's resize of 8-bit pixels, for a window of the result. */
#ifndef LTAP_IMAGE_RESIZE_H
#define LTAP_IMAGE_RESIZE_H

#include <layertap/image.h>

/* How a picture is resized: to width x height, of which only a window inside it is made. */
typedef struct ltap_resize {
    int width, height;
    ltap_filter filter;
    int window_x, window_y, window_width, window_height;
} ltap_resize;

/* dst: u8[window_height,window_width,3]. The pixels do not depend on the window. */
ltap_status ltap_image_resize(const ltap_image *image, const ltap_resize *resize, uint8_t *dst,
                              ltap_error *error);
/* For LTAP_FILTER_NEAREST; called by ltap_image_resize. */
ltap_status ltap_image_resize_nearest(const ltap_image *image, const ltap_resize *resize,
                                      uint8_t *dst, ltap_error *error);

#endif
