/* Pictures of features: grids of channels, label maps in colour.
 *
 * All are PNG, written under a temporary name and renamed. docs/pictures.md says what each colour
 * means: viridis for a grid (each channel from its own minimum to its own maximum, or one scale for
 * all), a constant channel in flat grey, NaN and Inf in magenta.
 */
#ifndef LAYERTAP_PICTURE_H
#define LAYERTAP_PICTURE_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/image.h>
#include <layertap/tensor.h>

LTAP_BEGIN

typedef enum ltap_scaling { LTAP_SCALE_CHANNEL = 0, LTAP_SCALE_LAYER = 1 } ltap_scaling;

/* Zero-initialise for defaults. */
typedef struct ltap_picture_options {
    int force;            /* 1: replace what is there */
    ltap_scaling scaling; /* per channel, or one scale for the layer */
    int columns;          /* of the grid; 0: the ceiling of the square root of the channels */
    int max_channels;     /* 0: all */
    int channels; /* of four axes that with the channels: 1, or 3 where they are last; 0: 1 */
    int enlarge;  /* pixels per element; 0: the longer side of a tile gets 64 pixels or
                     more, that of a label map 256, a strip about 512, an input 1:1 */
} ltap_picture_options;

/* A grid of the channels of f32[N,C,H,W] (or f32[N,H,W,C], see `channels`), item `item` of axis 0;
 * C last tiles are background. f32[N,C] and f32[N,L,C] are drawn as one strip. Errors: other ranks
 * and types. */
LTAP_API LTAP_MUST_USE ltap_status ltap_picture_grid(const ltap_tensor *tensor, int64_t item,
                                                     const char *path,
                                                     const ltap_picture_options *options,
                                                     ltap_error *error);

/* The class of the largest channel of such a tensor (C >= 2) at each pixel, in the colours of the
 * PASCAL VOC palette; over `under` (half transparent) unless that is NULL. under: the picture as
 * the network saw it; other proportions than those of the labels are refused. */
LTAP_API LTAP_MUST_USE ltap_status ltap_picture_labels(const ltap_tensor *tensor, int64_t item,
                                                       const ltap_image *under, const char *path,
                                                       const ltap_picture_options *options,
                                                       ltap_error *error);

/* The preprocessed picture f32[N,3,H,W] as the network sees it, or f32[N,H,W,3] where the settings
 * have channels last, brought back to pixels. */
LTAP_API LTAP_MUST_USE ltap_status ltap_picture_input(const ltap_tensor *tensor, int64_t item,
                                                      const ltap_preprocess *preprocess,
                                                      const char *path,
                                                      const ltap_picture_options *options,
                                                      ltap_error *error);

/* The same as a picture in memory, e.g. to lie under labels. image: yours to close. */
LTAP_API LTAP_MUST_USE ltap_status ltap_image_open_tensor(const ltap_tensor *tensor, int64_t item,
                                                          const ltap_preprocess *preprocess,
                                                          ltap_image **image, ltap_error *error);

LTAP_END

#endif
