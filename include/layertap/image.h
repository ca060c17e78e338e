/* Pictures in: decode, resize, crop, scale, normalise, with the same bits as Pillow + torchvision.
 *
 * JPEG (grey, colour, CMYK), PNG (grey, palette, colour, alpha dropped, 16-bit by its high byte),
 * WebP (lossy, lossless, alpha dropped, the first frame of an animation).
 * The arithmetic is that of Pillow's antialiased 8-bit resize and torchvision's transforms.
 */
#ifndef LAYERTAP_IMAGE_H
#define LAYERTAP_IMAGE_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/tensor.h>

LTAP_BEGIN

/* A decoded picture: u8[height,width,3], RGB. */
typedef struct ltap_image ltap_image;

/* Zero-initialise for defaults. */
typedef struct ltap_image_options {
    uint64_t max_pixels; /* refuse larger pictures before decoding; 0: 178956970, as Pillow */
    int exif;            /* 1: turn as the EXIF orientation says; 0: as stored, like torchvision */
} ltap_image_options;

/* image: yours to close. Errors: not a picture, broken, too large; one line with the path. */
LTAP_API LTAP_MUST_USE ltap_status ltap_image_open(const char *path,
                                                   const ltap_image_options *options,
                                                   ltap_image **image, ltap_error *error);
/* bytes: borrowed for the call. name: for messages, may be NULL. */
LTAP_API LTAP_MUST_USE ltap_status ltap_image_open_bytes(const void *bytes, size_t size,
                                                         const char *name,
                                                         const ltap_image_options *options,
                                                         ltap_image **image, ltap_error *error);
/* From raw pixels u8[height,width,3], copied. */
LTAP_API LTAP_MUST_USE ltap_status ltap_image_open_pixels(const uint8_t *pixels, int width,
                                                          int height, ltap_image **image,
                                                          ltap_error *error);
/* NULL is fine. */
LTAP_API void ltap_image_close(ltap_image *image);
/* In pixels. */
LTAP_API int ltap_image_width(const ltap_image *image);
LTAP_API int ltap_image_height(const ltap_image *image);
/* u8[height,width,3], red first, no gaps between rows. Borrowed until the image is closed. */
LTAP_API const uint8_t *ltap_image_pixels(const ltap_image *image);

typedef enum ltap_filter {
    LTAP_FILTER_BILINEAR = 0,
    LTAP_FILTER_BICUBIC = 1,
    LTAP_FILTER_NEAREST = 2 /* the pixel under each centre, not antialiased */
} ltap_filter;

/* The steps between a picture and f32[3,H,W] (or f32[H,W,3]), in this order; 0 skips a step. */
typedef struct ltap_preprocess {
    int resize_short;                /* short side to this many pixels, aspect kept; or: */
    int resize_height, resize_width; /* exactly this */
    ltap_filter filter;
    int crop_height, crop_width; /* from the centre; smaller pictures are padded with 0 */
    float scale;                 /* pixels are divided by it; 255 */
    float mean[3], std[3];       /* (x - mean) / std; std 0 skips the step */
    int bgr;                     /* 1: channels in the order blue, green, red */
    int channels_last;           /* 1: f32[H,W,3], as Keras has it */
} ltap_preprocess;

/* Named settings: "imagenet" (resize 256, crop 224, or for a fixed input HxW: crop HxW and short
 * side round(max(H,W)*256/224)), "segmentation" (short side 520, no crop), "none" (scaled to 0..1
 * only); what keras.applications wants of keras.utils.load_img: "keras-caffe", "keras-tf",
 * "keras-torch", "keras" (0 to 255 as they are), each resized to exactly HxW (224x224), nearest.
 * height, width: the model's fixed input size, 0 where it is free. */
LTAP_API LTAP_MUST_USE ltap_status ltap_preprocess_preset(const char *name, int height, int width,
                                                          ltap_preprocess *preprocess,
                                                          ltap_error *error);
/* Reads the JSON of the ONNX metadata key `layertap.preprocess`; docs/preprocessing.md. */
LTAP_API LTAP_MUST_USE ltap_status ltap_preprocess_parse(const char *json,
                                                         ltap_preprocess *preprocess,
                                                         ltap_error *error);
/* Sets one step by name: resize ("256" or "256x320" as HxW, "off"), crop ("224" or HxW, "off"),
 * filter (bilinear, bicubic, nearest), scale ("255"), mean, std ("a,b,c"; std "off"), order (rgb,
 * bgr). */
LTAP_API LTAP_MUST_USE ltap_status ltap_preprocess_set(ltap_preprocess *preprocess,
                                                       const char *step, const char *value,
                                                       ltap_error *error);
/* Size of the result for a picture of this size. */
LTAP_API void ltap_preprocess_size(const ltap_preprocess *preprocess, int width, int height,
                                   int *out_width, int *out_height);
/* dst: f32[3,out_height,out_width], channels last where asked for, the caller's, sized by
 * ltap_preprocess_size. */
LTAP_API LTAP_MUST_USE ltap_status ltap_preprocess_apply(const ltap_preprocess *preprocess,
                                                         const ltap_image *image, float *dst,
                                                         ltap_error *error);
/* Number of steps that apply to a picture of this size, and each as words: "resized to 341x256
 * (bilinear)", "cropped to 224x224", "divided by 255", "ImageNet mean and std". */
#define LTAP_PREPROCESS_MAX_STEPS 8
LTAP_API size_t ltap_preprocess_describe(const ltap_preprocess *preprocess, int width, int height,
                                         ltap_text steps[LTAP_PREPROCESS_MAX_STEPS]);

LTAP_END

#endif
