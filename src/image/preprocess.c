/* Applying preprocessing: resize the part that the crop keeps, then levels to float32.
 *
 * Only the pixels inside the crop are resized (each pixel of a resize is made on its own, so the
 * bits are those of resizing all). Padding is the level 0, which is then scaled and normalised like
 * any other pixel, as torchvision does.
 */
#include "base/error.h"
#include "image/image.h"
#include "image/resize.h"
#include "image/steps.h"
#include <string.h>

/* The overlap of [start, start + length) with [0, size). */
static void overlap(int start, int length, int size, int *first, int *count)
{
    int64_t end = (int64_t)start + length;
    *first = start < 0 ? 0 : start;
    end = end > size ? size : end;
    *count = (int)(end - *first);
}

/* One channel of the window into the result, whose pixels are `step` apart, padded around it. */
static void fill_channel(const ltap_steps *s, const ltap_resize *r, const uint8_t *src,
                         const float levels[256], float *dst, size_t step)
{
    size_t width = (size_t)s->crop_width, height = (size_t)s->crop_height;
    size_t left = (size_t)(r->window_x - s->crop_x), top = (size_t)(r->window_y - s->crop_y);
    size_t inner_width = (size_t)r->window_width, inner_height = (size_t)r->window_height;
    if (inner_width < width || inner_height < height)
        for (size_t i = 0; i < width * height; i++)
            dst[i * step] = levels[0];
    for (size_t y = 0; y < inner_height; y++) {
        const uint8_t *row = src + y * inner_width * 3;
        float *out = dst + ((top + y) * width + left) * step;
        for (size_t x = 0; x < inner_width; x++)
            out[x * step] = levels[row[3 * x]];
    }
}

ltap_status ltap_preprocess_apply(const ltap_preprocess *preprocess, const ltap_image *image,
                                  float *dst, ltap_error *error)
{
    if (!preprocess || !image || !dst)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "preprocessing needs settings, a picture and a place");
    LTAP_TRY(ltap_preprocess_check(preprocess, error));
    ltap_steps s = ltap_steps_plan(preprocess, image->width, image->height);
    ltap_resize r = {s.resized_width, s.resized_height, preprocess->filter, 0, 0, 0, 0};
    overlap(s.crop_x, s.crop_width, s.resized_width, &r.window_x, &r.window_width);
    overlap(s.crop_y, s.crop_height, s.resized_height, &r.window_y, &r.window_height);

    void *pixels = NULL;
    float levels[256];
    ltap_status status;
    LTAP_GO(ltap_memory_take(image->memory,
                             (uint64_t)r.window_width * (uint64_t)r.window_height * 3,
                             "a resized picture", &pixels, error));
    LTAP_GO(ltap_image_resize(image, &r, pixels, error));
    size_t step = preprocess->channels_last ? 3 : 1;
    size_t plane = step == 3 ? 1 : (size_t)s.crop_width * (size_t)s.crop_height;
    for (int c = 0; c < 3; c++) {
        ltap_preprocess_levels(preprocess, c, levels);
        fill_channel(&s, &r, (uint8_t *)pixels + (preprocess->bgr ? 2 - c : c), levels,
                     dst + (size_t)c * plane, step);
    }
done:
    ltap_memory_release(image->memory, pixels);
    return status;
}
