/* RoiAlign: each region is cut into bins, each bin sampled bilinearly at some points. */
#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/rules.h"
#include <math.h>
#include <string.h>

/* Points of a bin along an axis, if the file says so. */
enum { MAX_RATIO = 1024 };

static double read_real(const ltap_tensor *t, int64_t at)
{
    double number;
    ltap_load_doubles(t->dtype, t->data, at, 1, &number);
    return number;
}

typedef struct align {
    const ltap_call *call;
    int64_t channels, height, width, out_height, out_width, ratio;
    double scale, shift;
    bool takes_max, keeps_tiny;
} align;

static ltap_status read_align(const ltap_call *call, align *a, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    const char *mode = ltap_node_string(call->node, "mode", "avg");
    const char *way = ltap_node_string(call->node, "coordinate_transformation_mode", "half_pixel");
    bool half = strcmp(way, "half_pixel") == 0;
    if ((strcmp(mode, "avg") != 0 && strcmp(mode, "max") != 0) ||
        (!half && strcmp(way, "output_half_pixel") != 0))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "mode '%s', coordinates '%s'", mode, way);
    *a = (align){.call = call,
                 .channels = x->dims[1],
                 .height = x->dims[2],
                 .width = x->dims[3],
                 .out_height = ltap_node_int(call->node, "output_height", 1),
                 .out_width = ltap_node_int(call->node, "output_width", 1),
                 .ratio = ltap_node_int(call->node, "sampling_ratio", 0),
                 .scale = ltap_node_float(call->node, "spatial_scale", 1),
                 .shift = half ? 0.5 : 0,
                 .takes_max = strcmp(mode, "max") == 0,
                 .keeps_tiny = half};
    if (a->ratio > MAX_RATIO)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "its sampling_ratio is %lld; layertap has it up to %d",
                              (long long)a->ratio, (int)MAX_RATIO);
    if (a->out_height < 1 || a->out_width < 1 || a->ratio < 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "an output of %lldx%lld, ratio %lld",
                              (long long)a->out_height, (long long)a->out_width,
                              (long long)a->ratio);
    return LTAP_OK;
}

static ltap_status roi_align_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *rois = &call->inputs[1], *batch = &call->inputs[2];
    align a;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    LTAP_TRY(ltap_call_check_same(call, 0, 1, error));
    LTAP_TRY(ltap_call_check_type(call, 2, LTAP_TYPES_INDEX, error));
    LTAP_TRY(ltap_call_check_rank(call, 0, 4, error));
    LTAP_TRY(ltap_call_check_rank(call, 1, 2, error));
    LTAP_TRY(ltap_call_check_rank(call, 2, 1, error));
    LTAP_TRY(read_align(call, &a, error));
    if (rois->dims[1] != 4 || batch->dims[0] != rois->dims[0])
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its regions are %s, their images %s",
                              ltap_shape_text(rois).text, ltap_shape_text(batch).text);
    const int64_t dims[4] = {rois->dims[0], a.channels, a.out_height, a.out_width};
    ltap_call_output(call, 0, call->inputs[0].dtype, 4, dims);
    return LTAP_OK;
}

/* One of the two neighbours of a sample along an axis. */
typedef struct side {
    int64_t low, high;
    double part; /* of high */
} side;

static bool find_side(double at, int64_t length, side *s)
{
    if (!(at >= -1 && at <= (double)length))
        return false;
    at = at > 0 ? at : 0;
    s->low = (int64_t)at;
    s->high = s->low + 1;
    if (s->low >= length - 1) {
        s->low = s->high = length - 1;
        at = (double)s->low;
    }
    s->part = at - (double)s->low;
    return true;
}

/* The value at a point; with max, the largest of the four weighted neighbours, as ONNX has it. */
static double sample(const align *a, int64_t plane, double y, double x)
{
    const ltap_tensor *src = &a->call->inputs[0];
    side v, h;
    if (!find_side(y, a->height, &v) || !find_side(x, a->width, &h))
        return 0;
    const double parts[4] = {
        (1 - v.part) * (1 - h.part) * read_real(src, plane + v.low * a->width + h.low),
        (1 - v.part) * h.part * read_real(src, plane + v.low * a->width + h.high),
        v.part * (1 - h.part) * read_real(src, plane + v.high * a->width + h.low),
        v.part * h.part * read_real(src, plane + v.high * a->width + h.high)};
    return a->takes_max ? fmax(fmax(parts[0], parts[1]), fmax(parts[2], parts[3]))
                        : parts[0] + parts[1] + parts[2] + parts[3];
}

/* A region in pixels: where it begins, the size of a bin, and points in a bin along each axis. */
typedef struct region {
    double top, left, bin_height, bin_width;
    int64_t rows, columns;
} region;

static int64_t points(const align *a, double bin)
{
    double count = ceil(bin);
    if (a->ratio > 0)
        return a->ratio;
    return count > 1e6 ? 1000000 : count >= 1 ? (int64_t)count : 1;
}

static region read_region(const align *a, int64_t index)
{
    const ltap_tensor *rois = &a->call->inputs[1];
    double left = read_real(rois, index * 4) * a->scale - a->shift;
    double top = read_real(rois, index * 4 + 1) * a->scale - a->shift;
    double width = read_real(rois, index * 4 + 2) * a->scale - a->shift - left;
    double height = read_real(rois, index * 4 + 3) * a->scale - a->shift - top;
    width = a->keeps_tiny ? width : fmax(width, 1);
    height = a->keeps_tiny ? height : fmax(height, 1);
    region r = {.top = top,
                .left = left,
                .bin_height = height / (double)a->out_height,
                .bin_width = width / (double)a->out_width};
    r.rows = points(a, r.bin_height);
    r.columns = points(a, r.bin_width);
    return r;
}

/* Points of a bin along an axis: where the first lies, how far apart, and those near the image. */
typedef struct steps {
    double begin, step;
    int64_t first, last;
} steps;

/* However large a region is, only what lies on the image is looked at: the rest is 0. */
static steps find_steps(double begin, double step, int64_t count, int64_t length)
{
    steps s = {.begin = begin, .step = step};
    double low = (-1 - begin) / step, high = ((double)length - begin) / step;
    if (!isfinite(low) || !isfinite(high)) {
        s.last = step == 0 && isfinite(begin) ? count : 0;
        return s;
    }
    s.first = (int64_t)fmin(fmax(fmin(low, high) - 1, 0), (double)count);
    s.last = (int64_t)fmin(fmax(fmax(low, high) + 2, 0), (double)count);
    return s;
}

static double pool_bin(const align *a, const region *r, int64_t plane, int64_t row, int64_t column)
{
    double tall = r->bin_height / (double)r->rows, wide = r->bin_width / (double)r->columns;
    steps v = find_steps(r->top + r->bin_height * (double)row + tall / 2, tall, r->rows, a->height);
    steps h =
        find_steps(r->left + r->bin_width * (double)column + wide / 2, wide, r->columns, a->width);
    bool all = v.last - v.first == r->rows && h.last - h.first == r->columns;
    double sum = 0, most = all ? -INFINITY : 0;
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t k = h.first; k < h.last; k++) {
            double value =
                sample(a, plane, v.begin + v.step * (double)i, h.begin + h.step * (double)k);
            sum += value;
            most = value > most ? value : most;
        }
    return a->takes_max ? most : sum / ((double)r->rows * (double)r->columns);
}

static void align_regions(void *context, int64_t first, int64_t last)
{
    const align *a = context;
    const ltap_tensor *y = &a->call->outputs[0];
    int64_t size = a->out_height * a->out_width;
    for (int64_t task = first; task < last; task++) {
        int64_t index = task / a->channels, channel = task % a->channels;
        int64_t image = ltap_tensor_int(&a->call->inputs[2], (uint64_t)index);
        int64_t plane = (image * a->channels + channel) * a->height * a->width;
        region r = read_region(a, index);
        for (int64_t i = 0; i < size; i++) {
            double value = pool_bin(a, &r, plane, i / a->out_width, i % a->out_width);
            ltap_store_doubles(y->dtype, y->data, task * size + i, 1, &value);
        }
    }
}

static ltap_status roi_align_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0], *images = &call->inputs[2];
    align a;
    LTAP_TRY(read_align(call, &a, error));
    for (uint64_t i = 0; i < ltap_tensor_count(images); i++) {
        int64_t image = ltap_tensor_int(images, i);
        if (image < 0 || image >= x->dims[0])
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "a region of image %lld of %lld",
                                  (long long)image, (long long)x->dims[0]);
    }
    if (ltap_call_wants(call, 0) && a.height > 0 && a.width > 0)
        ltap_parallel_for(call->threads, call->inputs[1].dims[0] * a.channels, 1, align_regions,
                          &a);
    return LTAP_OK;
}

const ltap_op ltap_op_roi_align = {
    .name = "RoiAlign",
    .domain = "",
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = roi_align_shape,
    .reference = roi_align_reference,
};
