/* What the network sees, brought back to pixels: preprocessing undone, as far as it can be.
 *
 * Normalising and scaling are undone and rounded, the order of channels is put back; resize and
 * crop stay. A pixel with a NaN or Inf is magenta.
 */
#include "base/error.h"
#include "image/image.h"
#include "image/picture.h"
#include "image/steps.h"
#include <math.h>
#include <string.h>

ltap_status ltap_picture_check(const ltap_tensor *tensor, int64_t item, const char *path,
                               ltap_error *error)
{
    if (!tensor || !tensor->data || !path)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "a picture needs a tensor and a path");
    if (tensor->dtype != LTAP_FLOAT32)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "pictures are made of float32, this is %s",
                              ltap_dtype_name(tensor->dtype));
    if (tensor->rank < 1 || ltap_tensor_count(tensor) == 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "a picture needs elements and axes, this is %s",
                              ltap_shape_text(tensor).text);
    if (item < 0 || item >= tensor->dims[0])
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "no item %lld in %s", (long long)item,
                              ltap_shape_text(tensor).text);
    return LTAP_OK;
}

ltap_planes ltap_planes_of(const ltap_tensor *tensor, int64_t item, int channels)
{
    const int64_t *dims = tensor->dims;
    bool last = channels == 3;
    ltap_planes p = {
        .count = dims[last ? 3 : 1], .height = dims[last ? 1 : 2], .width = dims[last ? 2 : 3]};
    p.c_step = last ? 1 : p.height * p.width;
    p.p_step = last ? p.count : 1;
    p.data = (const float *)tensor->data + item * p.count * p.height * p.width;
    return p;
}

static uint8_t to_level(const ltap_preprocess *p, int c, float value)
{
    double x = value;
    if (ltap_preprocess_normalises(p))
        x = x * (double)p->std[c] + (double)p->mean[c];
    if (p->scale != 0)
        x *= (double)p->scale;
    x = floor(x + 0.5);
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

static void fill_pixel(const ltap_preprocess *p, const float *src, int64_t step, uint8_t *rgb)
{
    for (int c = 0; c < 3; c++) {
        float value = src[c * step];
        if (!isfinite(value)) {
            memcpy(rgb, &ltap_colour_special, 3);
            return;
        }
        rgb[p->bgr ? 2 - c : c] = to_level(p, c, value);
    }
}

ltap_status ltap_image_open_tensor(const ltap_tensor *tensor, int64_t item,
                                   const ltap_preprocess *preprocess, ltap_image **image,
                                   ltap_error *error)
{
    ltap_memory *memory = NULL;
    ltap_image *made = NULL;
    ltap_status status;
    LTAP_TRY(ltap_picture_check(tensor, item, "", error));
    if (!preprocess || !image)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "bringing a picture back needs settings and a place");
    *image = NULL;
    LTAP_TRY(ltap_preprocess_check(preprocess, error));
    const int axis = preprocess->channels_last ? 3 : 1;
    if (tensor->rank != 4 || tensor->dims[axis] != 3)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "a picture comes back from a tensor of shape %s, this is %s",
                              axis == 3 ? "NxHxWx3" : "Nx3xHxW", ltap_shape_text(tensor).text);
    const ltap_planes planes = ltap_planes_of(tensor, item, axis);
    LTAP_GO(ltap_memory_new(NULL, 0, &memory, error));
    LTAP_GO(ltap_image_new(memory, &made, error));
    LTAP_GO(ltap_image_take_pixels(made, (uint64_t)planes.width, (uint64_t)planes.height,
                                   LTAP_IMAGE_MAX_PIXELS, error));
    size_t size = (size_t)made->width * (size_t)made->height;
    for (size_t i = 0; i < size; i++)
        fill_pixel(preprocess, planes.data + (int64_t)i * planes.p_step, planes.c_step,
                   made->pixels + 3 * i);
    *image = made;
    made = NULL;
done:
    ltap_image_close(made);
    ltap_memory_unref(memory);
    return status;
}

typedef struct enlarged {
    const ltap_image *image;
    int64_t times;
} enlarged;

static void draw_row(const void *context, int y, uint8_t *rgb)
{
    const enlarged *e = context;
    size_t width = (size_t)e->image->width, times = (size_t)e->times;
    const uint8_t *src = e->image->pixels + (size_t)y / times * width * 3;
    for (size_t x = 0; x < width * times; x++)
        memcpy(rgb + 3 * x, src + 3 * (x / times), 3);
}

ltap_status ltap_picture_input(const ltap_tensor *tensor, int64_t item,
                               const ltap_preprocess *preprocess, const char *path,
                               const ltap_picture_options *options, ltap_error *error)
{
    ltap_image *image = NULL;
    int times = options && options->enlarge > 0 ? options->enlarge : 1;
    LTAP_TRY(ltap_picture_check(tensor, item, path, error));
    LTAP_TRY(ltap_image_open_tensor(tensor, item, preprocess, &image, error));
    enlarged e = {image, times};
    ltap_canvas canvas = {(uint64_t)image->width * (uint64_t)times,
                          (uint64_t)image->height * (uint64_t)times, draw_row, &e};
    ltap_status status =
        ltap_canvas_write(&canvas, path, options && options->force, image->memory, error);
    ltap_image_close(image);
    return status;
}
