/* Resize: reading attributes, sizes and scales; from output index to place in the input.
 *
 * The formulas are ONNX's; where PyTorch writes them with a step (the inverse of the scale) in
 * float32, so do we, so that the last bits of weights are the same.
 */
#include "ops/resize.h"
#include "ops/rules.h"

#include <math.h>
#include <string.h>

static double rounded(const ltap_resize *r, double value)
{
    return r->narrow ? (double)(float)value : value;
}

static double place_half_pixel(const ltap_resize *r, int axis, int64_t o)
{
    return rounded(r, rounded(r, r->step[axis] * ((double)o + 0.5)) - 0.5);
}

static double place_half_pixel_symmetric(const ltap_resize *r, int axis, int64_t o)
{
    double in = (double)r->in[axis];
    double adjustment = (double)r->out[axis] / (r->scale[axis] * in);
    return in / 2 * (1 - adjustment) + place_half_pixel(r, axis, o);
}

static double place_pytorch_half_pixel(const ltap_resize *r, int axis, int64_t o)
{
    return r->out[axis] > 1 ? place_half_pixel(r, axis, o) : 0;
}

static double place_align_corners(const ltap_resize *r, int axis, int64_t o)
{
    if (r->out[axis] == 1)
        return 0;
    return rounded(r,
                   rounded(r, (double)(r->in[axis] - 1) / (double)(r->out[axis] - 1)) * (double)o);
}

static double place_asymmetric(const ltap_resize *r, int axis, int64_t o)
{
    return rounded(r, r->step[axis] * (double)o);
}

static double place_half_pixel_for_nearest(const ltap_resize *r, int axis, int64_t o)
{
    return rounded(r, r->step[axis] * ((double)o + 0.5));
}

static double place_crop(const ltap_resize *r, int axis, int64_t o)
{
    double begin = r->roi_begin[axis], end = r->roi_end[axis], top = (double)(r->in[axis] - 1);
    if (r->out[axis] <= 1)
        return 0.5 * (begin + end) * top;
    return begin * top + (double)o * (end - begin) * top / (double)(r->out[axis] - 1);
}

static double round_prefer_floor(double place)
{
    return ceil(place - 0.5);
}

static double round_prefer_ceil(double place)
{
    return floor(place + 0.5);
}

static const struct {
    const char *name;
    ltap_resize_place place;
} places[] = {
    {"half_pixel", place_half_pixel},
    {"pytorch_half_pixel", place_pytorch_half_pixel},
    {"align_corners", place_align_corners},
    {"asymmetric", place_asymmetric},
    {"half_pixel_symmetric", place_half_pixel_symmetric},
    {"tf_half_pixel_for_nn", place_half_pixel_for_nearest},
    {"tf_crop_and_resize", place_crop},
};

static const struct {
    const char *name;
    ltap_resize_nearest nearest;
} nearests[] = {
    {"round_prefer_floor", round_prefer_floor},
    {"round_prefer_ceil", round_prefer_ceil},
    {"floor", floor},
    {"ceil", ceil},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static ltap_status read_modes(const ltap_call *call, ltap_resize *r, ltap_error *error)
{
    const ltap_node *node = call->node;
    const char *mode = ltap_node_string(node, "mode", "nearest");
    const char *place = ltap_node_string(node, "coordinate_transformation_mode", "half_pixel");
    const char *nearest = ltap_node_string(node, "nearest_mode", "round_prefer_floor");
    for (size_t i = 0; i < COUNT(places); i++) {
        if (!strcmp(place, places[i].name))
            r->place = places[i].place;
    }
    if (!r->place)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "coordinate_transformation_mode '%s' is not known", place);
    for (size_t i = 0; i < COUNT(nearests) && !strcmp(mode, "nearest"); i++) {
        if (!strcmp(nearest, nearests[i].name))
            r->nearest = nearests[i].nearest;
    }
    r->cubic = !strcmp(mode, "cubic");
    if (!r->nearest && !r->cubic && strcmp(mode, "linear") != 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "mode '%s' with nearest_mode '%s' is not known", mode, nearest);
    r->antialias = !r->nearest && ltap_node_int(node, "antialias", 0) != 0;
    r->exclude_outside = ltap_node_int(node, "exclude_outside", 0) != 0;
    r->crops = r->place == place_crop;
    r->cubic_a = ltap_node_float(node, "cubic_coeff_a", -0.75);
    r->extrapolation = ltap_node_float(node, "extrapolation_value", 0);
    return LTAP_OK;
}

/* axes[i]: the axis that entry i of scales, sizes, roi is for. */
static ltap_status read_axes(const ltap_call *call, const ltap_resize *r, int *axes, size_t *count,
                             ltap_error *error)
{
    const int64_t *ints;
    bool used[LTAP_MAX_RANK];
    *count = ltap_node_ints(call->node, "axes", &ints);
    if (*count > 0)
        LTAP_TRY(ltap_axes_check(ints, *count, r->rank, used, error));
    for (size_t i = 0; i < *count; i++)
        axes[i] = (int)(ints[i] < 0 ? ints[i] + r->rank : ints[i]);
    if (*count > 0)
        return LTAP_OK;
    *count = (size_t)r->rank;
    for (int i = 0; i < r->rank; i++)
        axes[i] = i;
    return LTAP_OK;
}

/* An omitted input, or one of no elements. */
static bool is_empty(const ltap_call *call, size_t input)
{
    return !ltap_call_has(call, input) || ltap_tensor_count(&call->inputs[input]) == 0;
}

static ltap_status read_sizes(const ltap_call *call, ltap_resize *r, const int *axes, size_t n_axes,
                              ltap_error *error)
{
    int64_t sizes[LTAP_MAX_RANK];
    size_t count;
    LTAP_TRY(ltap_call_ints(call, 3, "output size", sizes, LTAP_MAX_RANK, &count, error));
    if (count != n_axes)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "sizes has %zu entries for %zu axes", count,
                              n_axes);
    const char *policy = ltap_node_string(call->node, "keep_aspect_ratio_policy", "stretch");
    bool larger = !strcmp(policy, "not_smaller"), keep = larger || !strcmp(policy, "not_larger");
    if (!keep && strcmp(policy, "stretch") != 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "keep_aspect_ratio_policy '%s' is not known", policy);
    double common = larger ? 0 : INFINITY;
    for (size_t i = 0; i < count; i++) {
        double in = (double)r->in[axes[i]], ratio = (double)sizes[i] / in;
        if (sizes[i] < 0 || sizes[i] > INT32_MAX || (in == 0 && (keep || sizes[i] > 0)))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "cannot resize %s to a size of %lld",
                                  ltap_shape_text(&call->inputs[0]).text, (long long)sizes[i]);
        common = larger == (ratio > common) ? ratio : common;
    }
    for (size_t i = 0; i < count; i++) {
        double in = (double)r->in[axes[i]];
        double out = keep ? floor(common * in + 0.5) : (double)sizes[i];
        if (out > INT32_MAX)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "cannot resize %s by %g",
                                  ltap_shape_text(&call->inputs[0]).text, common);
        r->out[axes[i]] = (int64_t)out;
        r->scale[axes[i]] = keep ? common : out / in;
        r->step[axes[i]] = rounded(r, keep ? 1 / common : in / out);
    }
    return LTAP_OK;
}

static ltap_status read_scales(const ltap_call *call, ltap_resize *r, const int *axes,
                               size_t n_axes, ltap_error *error)
{
    const ltap_tensor *scales = &call->inputs[2];
    LTAP_TRY(ltap_call_check_type(call, 2, LTAP_TYPES_FLOAT, error));
    if (!scales->data)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its scales depend on data");
    if (ltap_tensor_count(scales) != n_axes)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "scales is %s for %zu axes",
                              ltap_shape_text(scales).text, n_axes);
    for (size_t i = 0; i < n_axes; i++) {
        double scale = ltap_tensor_double(scales, i);
        /* In float32, as the scale is: 10 * 0.7 is 7, as in PyTorch's double. */
        double out = floor((double)(float)((double)r->in[axes[i]] * scale));
        if (!(scale > 0) || !(out <= INT32_MAX))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "cannot resize %s by %g",
                                  ltap_shape_text(&call->inputs[0]).text, scale);
        r->out[axes[i]] = (int64_t)out;
        r->scale[axes[i]] = scale;
        r->step[axes[i]] = rounded(r, 1 / scale);
    }
    return LTAP_OK;
}

static ltap_status read_roi(const ltap_call *call, ltap_resize *r, const int *axes, size_t n_axes,
                            ltap_error *error)
{
    if (is_empty(call, 1) || ltap_tensor_count(&call->inputs[1]) != 2 * n_axes)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "tf_crop_and_resize needs a roi of %zu numbers", 2 * n_axes);
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_FLOAT, error));
    for (size_t i = 0; i < n_axes && call->inputs[1].data; i++) {
        r->roi_begin[axes[i]] = ltap_tensor_double(&call->inputs[1], i);
        r->roi_end[axes[i]] = ltap_tensor_double(&call->inputs[1], n_axes + i);
    }
    return LTAP_OK;
}

ltap_status ltap_resize_read(const ltap_call *call, ltap_resize *r, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    int axes[LTAP_MAX_RANK];
    size_t n_axes;
    memset(r, 0, sizeof *r);
    r->rank = x->rank;
    r->narrow = x->dtype != LTAP_FLOAT64;
    for (int i = 0; i < x->rank; i++) {
        r->in[i] = r->out[i] = x->dims[i];
        r->scale[i] = r->step[i] = 1;
        r->roi_end[i] = 1;
    }
    LTAP_TRY(read_modes(call, r, error));
    LTAP_TRY(read_axes(call, r, axes, &n_axes, error));
    if (is_empty(call, 2) == is_empty(call, 3))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "it needs either scales or sizes");
    if (is_empty(call, 2))
        LTAP_TRY(read_sizes(call, r, axes, n_axes, error));
    else
        LTAP_TRY(read_scales(call, r, axes, n_axes, error));
    if (r->crops)
        LTAP_TRY(read_roi(call, r, axes, n_axes, error));
    for (int i = 0; i < x->rank; i++)
        r->kept[i] = r->in[i] == r->out[i] && r->scale[i] == 1 &&
                     (!r->crops || (r->roi_begin[i] == 0 && r->roi_end[i] == 1));
    return LTAP_OK;
}
