/* Pictures of other sizes: Resizing, UpSampling, CenterCrop. As TensorFlow computes it, whose
 * bicubic takes its weights from a table.
 */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool find_interpolation(ltap_keras_call *c, const char *otherwise, const char **mode)
{
    /* Lanczos and area are not the operator's. */
    static const char *const known[][2] = {
        {"nearest", "nearest"}, {"bilinear", "linear"}, {"bicubic", "cubic"}};
    const char *name = ltap_keras_text(c, "interpolation", otherwise);
    for (size_t i = 0; i < 3; i++)
        if (ltap_keras_is(known[i][0], name)) {
            *mode = known[i][1];
            return true;
        }
    return false;
}

/* Centers of pixels, as TensorFlow has it. */
static uint32_t add_resize(ltap_keras_call *c, ltap_keras_tensor x, const char *mode,
                           bool antialias, uint32_t scales, uint32_t sizes)
{
    int64_t axes[LTAP_KERAS_MAX_RANK];
    for (int i = 2; i < x.rank; i++)
        axes[i - 2] = i;
    const ltap_attr attrs[] = {LTAP_ATTR_S("mode", mode),
                               LTAP_ATTR_S("coordinate_transformation_mode", "half_pixel"),
                               LTAP_ATTR_S("nearest_mode", "round_prefer_ceil"),
                               LTAP_ATTR_N("axes", (size_t)x.rank - 2, axes),
                               LTAP_ATTR_F("cubic_coeff_a", -0.5),
                               LTAP_ATTR_I("exclude_outside", 1),
                               LTAP_ATTR_I("antialias", antialias)};
    const bool cubic = ltap_keras_is(mode, "cubic");
    uint32_t inputs[4] = {x.value, LTAP_NO_VALUE, scales, sizes};
    return ltap_keras_add(c->b, (ltap_keras_node){.op = "Resize",
                                                  .inputs = inputs,
                                                  .n_inputs = sizes == LTAP_NO_VALUE ? 3 : 4,
                                                  .attrs = attrs,
                                                  .n_attrs = cubic || antialias ? 7 : 4});
}

/* Place `out` of an axis: TensorFlow's four cubic weights, from its table of 1024 steps. */
static void cubic_weights(float step, int64_t out, int64_t size, int64_t *places, float *weights)
{
    enum { TABLE = 1024 };
    const double a = -0.5;
    const float at = ((float)out + 0.5F) * step - 0.5F;
    const double first = floor((double)at);
    const double offset = nearbyint((double)(at - (float)first) * TABLE) / TABLE;
    float sum = 0;
    for (int k = 0; k < 4; k++) {
        const double place = first - 1 + k, x = fabs(offset + 1 - k);
        const bool inside = place >= 0 && place < (double)size;
        places[k] = place < 0 ? 0 : inside ? (int64_t)place : size - 1;
        weights[k] = (float)(x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1
                                    : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a);
        weights[k] = inside ? weights[k] : 0;
        sum += weights[k];
    }
    for (int k = 0; k < 4; k++)
        weights[k] /= sum;
}

enum { MAX_CUBIC = 8192 };

/* One axis of x, made `size` long. */
static ltap_keras_tensor resize_cubic(ltap_keras_call *c, ltap_keras_tensor x, int axis,
                                      int64_t size)
{
    int64_t places[4][MAX_CUBIC], dims[LTAP_KERAS_MAX_RANK];
    float weights[4][MAX_CUBIC];
    const float step = (float)x.dims[axis] / (float)size;
    const ltap_attr attr = LTAP_ATTR_I("axis", axis);
    ltap_keras_tensor sum = x;
    for (int64_t i = 0; i < size; i++) {
        int64_t at[4];
        float weight[4];
        cubic_weights(step, i, x.dims[axis], at, weight);
        for (int k = 0; k < 4; k++) {
            places[k][i] = at[k];
            weights[k][i] = weight[k];
        }
    }
    for (int i = 0; i < x.rank; i++)
        dims[i] = i == axis ? size : 1;
    for (int k = 0; k < 4; k++) {
        ltap_keras_tensor part = x, weight = {.mask = LTAP_NO_VALUE, .dtype = LTAP_FLOAT32};
        uint32_t inputs[2] = {x.value, ltap_keras_ints(c->b, places[k], (size_t)size)};
        part.value = ltap_keras_add(
            c->b,
            (ltap_keras_node){
                .op = "Gather", .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1});
        part.dims[axis] = size;
        weight.rank = x.rank;
        memcpy(weight.dims, dims, sizeof dims);
        weight.value = ltap_keras_floats(c->b, weights[k], x.rank, dims);
        part = ltap_keras_binary(c->b, "Mul", part, weight);
        sum = k == 0 ? part : ltap_keras_binary(c->b, "Add", sum, part);
    }
    return sum;
}

/* Of a picture's size and the one that is wanted: as much of both sides as has its proportions,
 * in TensorFlow's float32. */
static void fit_sides(const int64_t *have, const int64_t *wanted, int64_t *fit)
{
    for (int i = 0; i < 2; i++)
        fit[i] = (int64_t)((float)(have[!i] * wanted[i]) / (float)wanted[!i]);
}

static ltap_keras_tensor crop_sides(ltap_keras_call *c, ltap_keras_tensor x, const int64_t *wanted)
{
    int64_t fit[2];
    fit_sides(&x.dims[2], wanted, fit);
    for (int i = 0; i < 2; i++) {
        int64_t had = x.dims[2 + i], size = fit[i] < had ? fit[i] : had;
        size = size < 1 ? 1 : size;
        int64_t begin = (had - size) / 2;
        if (size < had)
            x = ltap_keras_slice(c->b, x, 2 + i, begin, begin + size, 1);
    }
    return x;
}

static ltap_keras_tensor pad_sides(ltap_keras_call *c, ltap_keras_tensor x, const int64_t *wanted)
{
    int64_t fit[2], pads[8] = {0};
    ltap_keras_tensor y = x, value = ltap_keras_scalar(c->b, ltap_keras_number(c, "fill_value", 0));
    fit_sides(&x.dims[2], wanted, fit);
    for (int i = 0; i < 2; i++) {
        int64_t more = fit[i] > x.dims[2 + i] ? (fit[i] - x.dims[2 + i]) / 2 : 0;
        pads[2 + i] = pads[6 + i] = more;
        y.dims[2 + i] += 2 * more;
    }
    uint32_t inputs[3] = {x.value, ltap_keras_ints(c->b, pads, 8), value.value};
    y.value = ltap_keras_add(c->b, (ltap_keras_node){.op = "Pad", .inputs = inputs, .n_inputs = 3});
    return y;
}

/* How a picture gets its size. */
typedef struct resizing {
    const char *mode;
    bool antialias, crops, pads;
} resizing;

/* x: channels second. False: its size must be known, and is not. */
static bool resize(ltap_keras_call *c, ltap_keras_tensor *x, const int64_t *sizes,
                   const resizing *how)
{
    const bool table = ltap_keras_is(how->mode, "cubic") && !how->antialias;
    bool known = true;
    for (int i = 0; i < 2; i++)
        known = known && x->dims[2 + i] > 0 && x->dims[2 + i] < 1 << 20 && sizes[i] < 1 << 20;
    if (!known && (table || how->crops || how->pads))
        return false;
    if (table && (sizes[0] > MAX_CUBIC || sizes[1] > MAX_CUBIC))
        return false;
    *x = how->crops ? crop_sides(c, *x, sizes) : how->pads ? pad_sides(c, *x, sizes) : *x;
    for (int i = 0; i < 2 && table; i++)
        *x = resize_cubic(c, *x, 3 - i, sizes[1 - i]);
    if (!table)
        x->value = add_resize(c, *x, how->mode, how->antialias, LTAP_NO_VALUE,
                              ltap_keras_ints(c->b, sizes, 2));
    memcpy(&x->dims[2], sizes, 2 * sizeof *sizes);
    return true;
}

void ltap_keras_run_resizing(ltap_keras_call *c)
{
    int64_t sizes[2] = {ltap_keras_int(c, "height", 0), ltap_keras_int(c, "width", 0)};
    if (ltap_json_find(c->config, "size") != NULL) /* the operation */
        ltap_keras_list(c, "size", 0, sizes, 2);
    resizing how = {.antialias = ltap_keras_bool(c, "antialias", false),
                    .crops = ltap_keras_bool(c, "crop_to_aspect_ratio", false),
                    .pads = ltap_keras_bool(c, "pad_to_aspect_ratio", false)};
    char why[80];
    if (!find_interpolation(c, "bilinear", &how.mode)) {
        snprintf(why, sizeof why, "by %.40s", ltap_keras_text(c, "interpolation", "?"));
        ltap_keras_cannot(c, why);
        return;
    }
    if (c->inputs[0].rank != 4 || sizes[0] < 1 || sizes[1] < 1 || sizes[0] > INT32_MAX ||
        sizes[1] > INT32_MAX) {
        ltap_keras_cannot(c, "of this input");
        return;
    }
    how.antialias = how.antialias && !ltap_keras_is(how.mode, "nearest");
    ltap_keras_tensor x = ltap_keras_channels_second(c);
    x = ltap_keras_cast(c->b, x, LTAP_FLOAT32);
    if (resize(c, &x, sizes, &how))
        c->outputs[0] = ltap_keras_as_given(c, x);
    else
        ltap_keras_cannot(c, "of an input of unknown or huge size");
}

/* Bicubic, of which TensorFlow has a table, for sizes that are known. */
static void up_sample_cubic(ltap_keras_call *c, ltap_keras_tensor x, const int64_t *size)
{
    const resizing how = {.mode = "cubic"};
    const int64_t sizes[2] = {x.dims[2] * size[0], x.dims[3] * size[1]};
    if (x.rank == 4 && resize(c, &x, sizes, &how))
        c->outputs[0] = ltap_keras_as_given(c, x);
    else
        ltap_keras_cannot(c, "of an input of unknown or huge size");
}

void ltap_keras_run_up_sampling(ltap_keras_call *c)
{
    const int n = ltap_keras_spatial(c);
    const char *mode;
    int64_t size[3] = {0}, three = n;
    float scales[3];
    ltap_keras_list(c, "size", 2, size, (size_t)n);
    if (!find_interpolation(c, "nearest", &mode)) {
        ltap_keras_cannot(c, "of this interpolation");
        return;
    }
    ltap_keras_tensor x = ltap_keras_channels_second(c), y = x;
    for (int i = 0; i < n; i++) {
        if (size[i] < 1 || size[i] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its size is not positive");
        scales[i] = (float)size[i];
        if (x.dims[2 + i] >= 0)
            y.dims[2 + i] = x.dims[2 + i] * size[i];
    }
    if (!ltap_keras_is_good(c->b))
        return;
    if (ltap_keras_is(mode, "cubic")) {
        up_sample_cubic(c, x, size);
        return;
    }
    y.value =
        add_resize(c, x, mode, false, ltap_keras_floats(c->b, scales, 1, &three), LTAP_NO_VALUE);
    c->outputs[0] = ltap_keras_as_given(c, y);
}

/* A part that has the proportions, made as large as is wanted. */
static bool crop_smartly(ltap_keras_call *c, ltap_keras_tensor *x, const int64_t *wanted)
{
    const resizing how = {.mode = "linear", .crops = true};
    if (resize(c, x, wanted, &how))
        return true;
    ltap_keras_cannot(c, "of an input of huge size");
    return false;
}

static bool read_wanted(ltap_keras_call *c, ltap_keras_tensor *x, int64_t *wanted)
{
    wanted[0] = ltap_keras_int(c, "height", 0);
    wanted[1] = ltap_keras_int(c, "width", 0);
    *x = ltap_keras_channels_second(c);
    if (x->rank == 4 && x->dims[2] > 0 && x->dims[3] > 0 && wanted[0] > 0 && wanted[1] > 0)
        return true;
    ltap_keras_cannot(c, "of an input of unknown size");
    return false;
}

/* The middle, of a picture that is large enough. */
void ltap_keras_run_center_crop(ltap_keras_call *c)
{
    int64_t wanted[2];
    ltap_keras_tensor x;
    if (!read_wanted(c, &x, wanted))
        return;
    bool small = x.dims[2] < wanted[0] || x.dims[3] < wanted[1];
    if (small && !crop_smartly(c, &x, wanted))
        return;
    for (int i = 0; i < 2 && !small; i++) {
        int64_t begin = (x.dims[2 + i] - wanted[i]) / 2;
        x = ltap_keras_slice(c->b, x, 2 + i, begin, begin + wanted[i], 1);
    }
    c->outputs[0] = ltap_keras_as_given(c, x);
}

void ltap_keras_run_random_crop(ltap_keras_call *c)
{
    int64_t wanted[2];
    ltap_keras_tensor x;
    if (!c->r->weights.is_keras_2)
        ltap_keras_run_identity(c);
    else if (read_wanted(c, &x, wanted) && crop_smartly(c, &x, wanted))
        c->outputs[0] = ltap_keras_as_given(c, x);
}
