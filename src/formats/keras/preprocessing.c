/* Layers that prepare inputs, and those that resize. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

/* Numbers of a key, in whatever lists they stand. */
static size_t flatten(const ltap_json *json, float *numbers, size_t count, size_t room, int depth)
{
    double number;
    if (ltap_keras_is_number(json, &number)) {
        if (count < room)
            numbers[count] = (float)number;
        return count + 1;
    }
    if (json != NULL && json->kind == LTAP_JSON_OBJECT) /* a serialized array */
        return flatten(ltap_json_find(ltap_json_find(json, "config"), "value"), numbers, count,
                       room, depth + 1);
    if (json == NULL || json->kind != LTAP_JSON_ARRAY || depth > 8)
        return count;
    for (const ltap_json *j = json->first; j != NULL; j = j->next)
        count = flatten(j, numbers, count, room, depth + 1);
    return count;
}

enum { MAX_NUMBERS = 4096 };

/* A number, or one for each place of the last axis. */
static ltap_keras_tensor numbers_of(ltap_keras_call *c, const char *key, double otherwise)
{
    float numbers[MAX_NUMBERS];
    const ltap_json *json = ltap_json_find(c->config, key);
    if (json == NULL || json->kind == LTAP_JSON_NULL)
        return ltap_keras_scalar(c->b, otherwise);
    size_t count = flatten(json, numbers, 0, MAX_NUMBERS, 0);
    if (count == 1)
        return ltap_keras_scalar(c->b, (double)numbers[0]);
    ltap_keras_tensor x = {.mask = LTAP_NO_VALUE, .rank = 1, .dtype = LTAP_FLOAT32};
    x.dims[0] = (int64_t)count;
    if (count == 0 || count > MAX_NUMBERS)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its '%s' has %zu numbers", key, count);
    else
        x.value = ltap_keras_floats(c->b, numbers, 1, x.dims);
    return x;
}

void ltap_keras_run_rescaling(ltap_keras_call *c)
{
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_FLOAT32);
    ltap_keras_tensor scale = numbers_of(c, "scale", 1), offset = numbers_of(c, "offset", 0);
    x = ltap_keras_binary(c->b, "Mul", x, scale);
    c->outputs[0] = ltap_keras_binary(c->b, "Add", x, offset);
}

/* A statistic as the layer's inputs want it: [1,...,C]. */
static ltap_keras_tensor statistic(ltap_keras_call *c, const char *name)
{
    int64_t dims[LTAP_KERAS_MAX_RANK], axes[LTAP_KERAS_MAX_RANK] = {-1};
    const ltap_json *axis = ltap_json_find(c->config, "axis");
    const int rank = c->inputs[0].rank;
    size_t n_axes = 0;
    if (!ltap_keras_has(c, NULL, name))
        return numbers_of(c, name, 0);
    ltap_keras_tensor x = ltap_keras_weight(c, NULL, name, -1);
    if (axis != NULL && axis->kind != LTAP_JSON_NULL)
        n_axes = ltap_keras_ints_of(c, axis, "axis", axes, LTAP_KERAS_MAX_RANK);
    if (!ltap_keras_is_good(c->b) || x.rank <= 1)
        if (n_axes == 0 || x.rank == 0 || axes[0] == -1 || axes[0] == rank - 1)
            return x;
    for (int i = 0; i < rank; i++)
        dims[i] = 1;
    for (size_t i = 0; i < n_axes && (int)i < x.rank; i++)
        dims[ltap_keras_axis(c->b, axes[i], rank)] = x.dims[i];
    return ltap_keras_is_good(c->b) ? ltap_keras_reshape(c->b, x, rank, dims) : x;
}

void ltap_keras_run_normalization(ltap_keras_call *c)
{
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_FLOAT32);
    ltap_keras_tensor mean = statistic(c, "mean"), deviation = statistic(c, "variance");
    deviation = ltap_keras_unary(c->b, "Sqrt", deviation);
    deviation = ltap_keras_binary_scalar(c->b, "Max", deviation, 1e-7);
    if (ltap_keras_bool(c, "invert", false))
        x = ltap_keras_binary(c->b, "Add", ltap_keras_binary(c->b, "Mul", x, deviation), mean);
    else
        x = ltap_keras_binary(c->b, "Div", ltap_keras_binary(c->b, "Sub", x, mean), deviation);
    c->outputs[0] = x;
}

/* --- Resizing. ----------------------------------------------------------------------------------
 */

typedef struct interpolation {
    const char *name, *mode;
} interpolation;

static const interpolation *find_interpolation(ltap_keras_call *c, const char *otherwise)
{
    /* bicubic is not the same in all of Keras' backends. */
    static const interpolation known[] = {{"nearest", "nearest"}, {"bilinear", "linear"}};
    const char *name = ltap_keras_text(c, "interpolation", otherwise);
    for (size_t i = 0; i < 2; i++)
        if (ltap_keras_is(known[i].name, name))
            return &known[i];
    return NULL;
}

/* Centers of pixels, as TensorFlow has it. */
static uint32_t add_resize(ltap_keras_call *c, ltap_keras_tensor x, const interpolation *how,
                           uint32_t scales, uint32_t sizes)
{
    int64_t axes[LTAP_KERAS_MAX_RANK];
    for (int i = 2; i < x.rank; i++)
        axes[i - 2] = i;
    const ltap_attr attrs[] = {LTAP_ATTR_S("mode", how->mode),
                               LTAP_ATTR_S("coordinate_transformation_mode", "half_pixel"),
                               LTAP_ATTR_S("nearest_mode", "round_prefer_ceil"),
                               LTAP_ATTR_N("axes", (size_t)x.rank - 2, axes)};
    uint32_t inputs[4] = {x.value, LTAP_NO_VALUE, scales, sizes};
    return ltap_keras_add(c->b, (ltap_keras_node){.op = "Resize",
                                                  .inputs = inputs,
                                                  .n_inputs = sizes == LTAP_NO_VALUE ? 3 : 4,
                                                  .attrs = attrs,
                                                  .n_attrs = 4});
}

void ltap_keras_run_resizing(ltap_keras_call *c)
{
    const interpolation *how = find_interpolation(c, "bilinear");
    const int64_t sizes[2] = {ltap_keras_int(c, "height", 0), ltap_keras_int(c, "width", 0)};
    if (how == NULL || c->inputs[0].rank != 4 || sizes[0] < 1 || sizes[1] < 1 ||
        ltap_keras_bool(c, "crop_to_aspect_ratio", false) ||
        ltap_keras_bool(c, "pad_to_aspect_ratio", false) ||
        ltap_keras_bool(c, "antialias", false)) {
        ltap_keras_cannot(c, "of this kind");
        return;
    }
    ltap_keras_tensor x = ltap_keras_channels_second(c);
    x = ltap_keras_cast(c->b, x, LTAP_FLOAT32);
    x.value = add_resize(c, x, how, LTAP_NO_VALUE, ltap_keras_ints(c->b, sizes, 2));
    x.dims[2] = sizes[0];
    x.dims[3] = sizes[1];
    c->outputs[0] = ltap_keras_as_given(c, x);
}

void ltap_keras_run_up_sampling(ltap_keras_call *c)
{
    const int n = ltap_keras_spatial(c);
    const interpolation *how = find_interpolation(c, "nearest");
    int64_t size[3] = {0}, three = n;
    float scales[3];
    ltap_keras_list(c, "size", 2, size, (size_t)n);
    if (how == NULL) {
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
    y.value = add_resize(c, x, how, ltap_keras_floats(c->b, scales, 1, &three), LTAP_NO_VALUE);
    c->outputs[0] = ltap_keras_as_given(c, y);
}

void ltap_keras_run_center_crop(ltap_keras_call *c)
{
    const int64_t wanted[2] = {ltap_keras_int(c, "height", 0), ltap_keras_int(c, "width", 0)};
    ltap_keras_tensor x = c->inputs[0];
    for (int i = 0; i < 2; i++) {
        int axis = i + (ltap_keras_channels_first(c) ? 2 : 1);
        if (x.rank != 4 || x.dims[axis] < wanted[i] || wanted[i] < 1) {
            ltap_keras_cannot(c, "of an input of unknown or smaller size");
            return;
        }
        int64_t begin = (x.dims[axis] - wanted[i]) / 2;
        x = ltap_keras_slice(c->b, x, axis, begin, begin + wanted[i], 1);
    }
    c->outputs[0] = x;
}

/* --- Categories. --------------------------------------------------------------------------------
 */

/* How many boundaries are not above the number. */
void ltap_keras_run_discretization(ltap_keras_call *c)
{
    if (!ltap_keras_is(ltap_keras_text(c, "output_mode", "int"), "int") ||
        ltap_json_find(c->config, "bin_boundaries") == NULL || c->inputs[0].rank >= 7) {
        ltap_keras_cannot(c, "of this kind");
        return;
    }
    ltap_keras_tensor bounds = numbers_of(c, "bin_boundaries", 0);
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_FLOAT32);
    const int64_t last = x.rank;
    x = ltap_keras_unsqueeze(c->b, x, x.rank);
    x = ltap_keras_binary(c->b, "GreaterOrEqual", x, bounds);
    x.dtype = LTAP_BOOL;
    x = ltap_keras_cast(c->b, x, LTAP_INT32);
    c->outputs[0] = ltap_keras_reduce(c->b, "ReduceSum", x, &last, 1, false);
}

void ltap_keras_run_category_encoding(ltap_keras_call *c)
{
    const char *mode = ltap_keras_text(c, "output_mode", "multi_hot");
    const int64_t tokens = ltap_keras_int(c, "num_tokens", 0), two = 2;
    const float off_on[2] = {0, 1};
    bool one_hot = ltap_keras_is(mode, "one_hot"), count = ltap_keras_is(mode, "count");
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_INT64);
    if (tokens < 1 || c->n_inputs != 1 || x.rank != 2 ||
        (!one_hot && !count && !ltap_keras_is(mode, "multi_hot"))) {
        ltap_keras_cannot(c, "of this kind");
        return;
    }
    if (one_hot && x.dims[1] == 1)
        x = ltap_keras_squeeze(c->b, x, 1);
    uint32_t inputs[3] = {x.value, ltap_keras_ints(c->b, &tokens, 1),
                          ltap_keras_floats(c->b, off_on, 1, &two)};
    ltap_keras_tensor y = x;
    y.value =
        ltap_keras_add(c->b, (ltap_keras_node){.op = "OneHot", .inputs = inputs, .n_inputs = 3});
    y.dims[y.rank++] = tokens;
    y.dtype = LTAP_FLOAT32;
    const int64_t axis = 1;
    c->outputs[0] =
        one_hot ? y
                : ltap_keras_reduce(c->b, count ? "ReduceSum" : "ReduceMax", y, &axis, 1, false);
}
