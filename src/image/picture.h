/* What the pictures of features share: colours, and a PNG written row by row. */
#ifndef LTAP_IMAGE_PICTURE_H
#define LTAP_IMAGE_PICTURE_H

#include "base/memory.h"
#include <layertap/picture.h>
#include <stdbool.h>

typedef struct ltap_colour {
    uint8_t red, green, blue;
} ltap_colour;

extern const ltap_colour ltap_colour_special;    /* NaN and Inf: magenta */
extern const ltap_colour ltap_colour_constant;   /* no range: grey */
extern const ltap_colour ltap_colour_background; /* between and after tiles: white */

/* viridis at t in 0..1. */
ltap_colour ltap_colour_viridis(double t);
/* The PASCAL VOC colour of a class. */
ltap_colour ltap_colour_class(int index);

/* A picture of which each row can be made on request: rgb is u8[width,3]. */
typedef struct ltap_canvas {
    uint64_t width, height;
    void (*draw_row)(const void *context, int y, uint8_t *rgb);
    const void *context;
} ltap_canvas;

ltap_status ltap_canvas_write(const ltap_canvas *canvas, const char *path, bool force,
                              ltap_memory *memory, ltap_error *error);

/* One item of a tensor of four axes as planes: element (c, i) is data[c * c_step + i * p_step]. */
typedef struct ltap_planes {
    const float *data;
    int64_t count, height, width, c_step, p_step;
} ltap_planes;

/* channels: 3 where they are last. The tensor has four axes. */
ltap_planes ltap_planes_of(const ltap_tensor *tensor, int64_t item, int channels);

/* Checks arguments all pictures have: a float32 tensor with elements, an item within it, a path. */
ltap_status ltap_picture_check(const ltap_tensor *tensor, int64_t item, const char *path,
                               ltap_error *error);

#endif
