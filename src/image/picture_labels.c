/* The class of each pixel in colour: the largest of the channels, by the PASCAL VOC palette.
 *
 * The first of equal channels wins; a pixel with a NaN among its channels has no class and is
 * magenta. Over a picture, each pixel is the mean of the two.
 */
#include "base/error.h"
#include "image/image.h"
#include "image/picture.h"
#include "image/resize.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#define MAP_PIXELS 256 /* at least, of the longer side where enlarge is 0 */
#define NO_CLASS   (-1)

typedef struct label_map {
    int32_t *labels; /* i32[height,width] */
    int64_t width, height, enlarge;
    uint8_t *under; /* u8[height*enlarge,width*enlarge,3], or NULL */
} label_map;

static int32_t find_label(const ltap_planes *p, int64_t i)
{
    const float *data = p->data + i * p->p_step;
    int32_t label = 0;
    for (int64_t c = 0; c < p->count; c++) {
        if (isnan(data[c * p->c_step]))
            return NO_CLASS;
        if (data[c * p->c_step] > data[label * p->c_step])
            label = (int32_t)c;
    }
    return label;
}

static uint8_t blended(uint8_t colour, const uint8_t *under, size_t at)
{
    return under ? (uint8_t)((colour + under[at] + 1) / 2) : colour;
}

static void draw_row(const void *context, int y, uint8_t *rgb)
{
    const label_map *m = context;
    int64_t width = m->width * m->enlarge;
    for (int64_t x = 0; x < width; x++) {
        int32_t label = m->labels[y / m->enlarge * m->width + x / m->enlarge];
        ltap_colour colour = label == NO_CLASS ? ltap_colour_special : ltap_colour_class(label);
        size_t at = ((size_t)y * (size_t)width + (size_t)x) * 3;
        rgb[3 * x] = blended(colour.red, m->under, at);
        rgb[3 * x + 1] = blended(colour.green, m->under, at + 1);
        rgb[3 * x + 2] = blended(colour.blue, m->under, at + 2);
    }
}

/* Equal but for the rounding of one side to whole elements. */
static bool same_proportions(const ltap_image *image, int64_t width, int64_t height)
{
    double wanted_width = (double)image->width * (double)height / image->height;
    double wanted_height = (double)image->height * (double)width / image->width;
    return fabs(wanted_width - (double)width) <= 1 || fabs(wanted_height - (double)height) <= 1;
}

static ltap_status fit_under(label_map *m, const ltap_image *under, ltap_memory *memory,
                             ltap_error *error)
{
    int64_t width = m->width * m->enlarge, height = m->height * m->enlarge;
    void *block;
    if (!same_proportions(under, m->width, m->height))
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "the picture is %dx%d, the labels are %lldx%lld: other proportions; "
                              "give the picture as the network saw it",
                              under->width, under->height, (long long)m->width,
                              (long long)m->height);
    LTAP_TRY(ltap_memory_take(memory, (uint64_t)width * (uint64_t)height * 3,
                              "the picture under labels", &block, error));
    m->under = block;
    ltap_resize resize = {(int)width, (int)height, LTAP_FILTER_BILINEAR, 0,
                          0,          (int)width,  (int)height};
    return ltap_image_resize(under, &resize, block, error);
}

static ltap_status lay_out(label_map *m, const ltap_tensor *tensor,
                           const ltap_picture_options *options, ltap_error *error)
{
    const int last = options && options->channels == 3;
    const int enlarge = options ? options->enlarge : 0;
    if (tensor->rank != 4 || tensor->dims[last ? 3 : 1] < 2)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "labels need a tensor of shape NxCxHxW with 2 classes or more, this "
                              "is %s",
                              ltap_shape_text(tensor).text);
    m->height = tensor->dims[last ? 1 : 2];
    m->width = tensor->dims[last ? 2 : 3];
    int64_t longer = m->width > m->height ? m->width : m->height;
    m->enlarge = enlarge > 0 ? enlarge : (MAP_PIXELS + longer - 1) / longer;
    double pixels = (double)m->width * (double)m->height * (double)(m->enlarge * m->enlarge);
    if (enlarge < 0 || pixels > LTAP_IMAGE_MAX_PIXELS)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "a picture of %s enlarged %d times; 1 to %u pixels are drawn",
                              ltap_shape_text(tensor).text, enlarge, LTAP_IMAGE_MAX_PIXELS);
    return LTAP_OK;
}

ltap_status ltap_picture_labels(const ltap_tensor *tensor, int64_t item, const ltap_image *under,
                                const char *path, const ltap_picture_options *options,
                                ltap_error *error)
{
    ltap_memory *memory = NULL;
    label_map m = {0};
    void *labels = NULL;
    ltap_status status;
    LTAP_TRY(ltap_picture_check(tensor, item, path, error));
    LTAP_TRY(lay_out(&m, tensor, options, error));
    const ltap_planes planes = ltap_planes_of(tensor, item, options ? options->channels : 0);
    int64_t size = m.width * m.height;
    LTAP_GO(ltap_memory_new(NULL, 0, &memory, error));
    LTAP_GO(ltap_memory_take_zeroed(memory, (uint64_t)size, sizeof(int32_t), "a map of labels",
                                    &labels, error));
    m.labels = labels;
    for (int64_t i = 0; i < size; i++)
        m.labels[i] = find_label(&planes, i);
    if (under)
        LTAP_GO(fit_under(&m, under, memory, error));
    ltap_canvas canvas = {(uint64_t)(m.width * m.enlarge), (uint64_t)(m.height * m.enlarge),
                          draw_row, &m};
    LTAP_GO(ltap_canvas_write(&canvas, path, options && options->force, memory, error));
done:
    if (memory) {
        ltap_memory_release(memory, labels);
        ltap_memory_release(memory, m.under);
    }
    ltap_memory_unref(memory);
    return status;
}
