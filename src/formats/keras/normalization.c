/* Normalizations as at inference. Means of batches are never taken. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

/* The axes of a layer: a number or a list, as Keras counts them; sorted by the file. */
static size_t read_axes(ltap_keras_call *c, int64_t *axes)
{
    const ltap_json *json = ltap_json_find(c->config, "axis");
    size_t count = 1;
    axes[0] = -1;
    if (json != NULL && json->kind != LTAP_JSON_NULL)
        count = ltap_keras_ints_of(c, json, "axis", axes, LTAP_KERAS_MAX_RANK);
    for (size_t i = 0; i < count; i++)
        axes[i] = ltap_keras_axis(c->b, axes[i], c->inputs[0].rank);
    return count;
}

/* A constant vector of one number. */
static uint32_t filled(ltap_keras_call *c, int64_t size, float number)
{
    uint32_t inputs[2] = {ltap_keras_floats(c->b, &number, 0, NULL),
                          ltap_keras_ints(c->b, &size, 1)};
    return ltap_keras_add(c->b, (ltap_keras_node){.op = "Expand", .inputs = inputs, .n_inputs = 2});
}

static uint32_t vector_or(ltap_keras_call *c, const char *name, int64_t size, float otherwise)
{
    if (ltap_keras_has(c, NULL, name))
        return ltap_keras_vector(c, name, size).value;
    return filled(c, size, otherwise);
}

static ltap_keras_tensor move_axis(ltap_keras_call *c, ltap_keras_tensor x, int from, int to)
{
    int64_t perm[LTAP_KERAS_MAX_RANK];
    int at = 0;
    for (int i = 0; i < x.rank; i++) {
        at += at == from;
        perm[i] = i == to ? from : at++;
    }
    return from == to ? x : ltap_keras_transpose(c->b, x, perm);
}

/* Where channels are, to axis 1 and back. */
static ltap_keras_tensor to_second(ltap_keras_call *c, ltap_keras_tensor x, int axis)
{
    return axis == x.rank - 1 ? ltap_keras_to_second(c->b, x) : move_axis(c, x, axis, 1);
}

static ltap_keras_tensor from_second(ltap_keras_call *c, ltap_keras_tensor x, int axis)
{
    return axis == x.rank - 1 ? ltap_keras_to_last(c->b, x) : move_axis(c, x, 1, axis);
}

/* The channels of what the layer was trained on, by any of its vectors. */
static int64_t channels_of(ltap_keras_call *c, const char *const *names, size_t count, int64_t size)
{
    for (size_t i = 0; i < count && size < 0; i++)
        if (ltap_keras_has(c, NULL, names[i]))
            size = ltap_keras_weight(c, NULL, names[i], 1).dims[0];
    return size;
}

void ltap_keras_run_batch_norm(ltap_keras_call *c)
{
    static const char *const names[] = {"moving_mean"};
    int64_t axes[LTAP_KERAS_MAX_RANK];
    size_t n_axes = read_axes(c, axes);
    if (!ltap_keras_is_good(c->b))
        return;
    if (n_axes != 1 || axes[0] == 0) {
        ltap_keras_cannot(c, "over several axes");
        return;
    }
    int axis = (int)axes[0];
    int64_t size = channels_of(c, names, 1, c->inputs[0].dims[axis]);
    const ltap_attr attr = LTAP_ATTR_F("epsilon", ltap_keras_number(c, "epsilon", 1e-3));
    ltap_keras_tensor x = to_second(c, c->inputs[0], axis);
    uint32_t inputs[5] = {x.value, vector_or(c, "gamma", size, 1.0F),
                          vector_or(c, "beta", size, 0.0F),
                          ltap_keras_vector(c, "moving_mean", size).value,
                          ltap_keras_vector(c, "moving_variance", size).value};
    ltap_keras_tensor y =
        ltap_keras_with(x, ltap_keras_add(c->b, (ltap_keras_node){.op = "BatchNormalization",
                                                                  .inputs = inputs,
                                                                  .n_inputs = 5,
                                                                  .attrs = &attr,
                                                                  .n_attrs = 1}));
    c->outputs[0] = from_second(c, y, axis);
}

/* Over the last axes, which is what the operator does; any others are brought there. */
static ltap_keras_tensor over_last(ltap_keras_call *c, const char *op, ltap_keras_tensor x,
                                   size_t n_axes, double epsilon)
{
    int64_t dims[LTAP_KERAS_MAX_RANK];
    const char *scale_name = ltap_keras_has(c, NULL, "scale") ? "scale" : "gamma";
    bool is_rms = ltap_keras_is(op, "RMSNormalization");
    const ltap_attr attrs[] = {LTAP_ATTR_I("axis", x.rank - (int64_t)n_axes),
                               LTAP_ATTR_F("epsilon", epsilon)};
    for (size_t i = 0; i < n_axes; i++)
        dims[i] = x.dims[(size_t)x.rank - n_axes + i];
    ltap_keras_tensor scale;
    if (ltap_keras_has(c, NULL, scale_name))
        scale = ltap_keras_weight(c, NULL, scale_name, (int)n_axes);
    else if (n_axes == 1 && dims[0] > 0)
        scale = (ltap_keras_tensor){.value = filled(c, dims[0], 1.0F), .rank = 1};
    else
        scale = ltap_keras_scalar(c->b, 1.0);
    for (size_t i = 0; ltap_keras_is_good(c->b) && i < n_axes && scale.rank == (int)n_axes; i++)
        if (ltap_keras_has(c, NULL, scale_name) && dims[i] >= 0 && dims[i] != scale.dims[i])
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT,
                             "its weight '%s' has %lld numbers along an axis of %lld", scale_name,
                             (long long)scale.dims[i], (long long)dims[i]);
    uint32_t inputs[3] = {x.value, scale.value, LTAP_NO_VALUE};
    size_t n_inputs = 2;
    if (!is_rms && ltap_keras_has(c, NULL, "beta"))
        inputs[n_inputs++] = ltap_keras_weight(c, NULL, "beta", (int)n_axes).value;
    return ltap_keras_with(x, ltap_keras_add(c->b, (ltap_keras_node){.op = op,
                                                                     .inputs = inputs,
                                                                     .n_inputs = n_inputs,
                                                                     .attrs = attrs,
                                                                     .n_attrs = 2}));
}

/* The axes behind all others, and the way back. */
static ltap_keras_tensor axes_last(ltap_keras_call *c, ltap_keras_tensor x, const int64_t *axes,
                                   size_t n_axes, bool back)
{
    int64_t perm[LTAP_KERAS_MAX_RANK], inverse[LTAP_KERAS_MAX_RANK];
    int n = 0;
    bool sorted = true;
    for (int i = 0; i < x.rank; i++) {
        bool is_axis = false;
        for (size_t k = 0; k < n_axes; k++)
            is_axis |= axes[k] == i;
        if (!is_axis)
            perm[n++] = i;
    }
    for (size_t k = 0; k < n_axes && n < x.rank; k++)
        perm[n++] = axes[k];
    for (int i = 0; i < n; i++) {
        inverse[perm[i]] = i;
        sorted &= perm[i] == i;
    }
    return sorted || n != x.rank ? x : ltap_keras_transpose(c->b, x, back ? inverse : perm);
}

static void over_axes(ltap_keras_call *c, const char *op, double epsilon)
{
    int64_t axes[LTAP_KERAS_MAX_RANK];
    size_t n_axes = read_axes(c, axes);
    if (!ltap_keras_is_good(c->b))
        return;
    ltap_keras_tensor x = axes_last(c, c->inputs[0], axes, n_axes, false);
    c->outputs[0] = axes_last(c, over_last(c, op, x, n_axes, epsilon), axes, n_axes, true);
}

void ltap_keras_run_layer_norm(ltap_keras_call *c)
{
    /* With rms_scaling it divides by the standard deviation, and takes no mean away. */
    if (ltap_keras_bool(c, "rms_scaling", false))
        ltap_keras_cannot(c, "with rms_scaling");
    else
        over_axes(c, "LayerNormalization", ltap_keras_number(c, "epsilon", 1e-3));
}

void ltap_keras_run_rms_norm(ltap_keras_call *c)
{
    over_axes(c, "RMSNormalization", ltap_keras_number(c, "epsilon", 1e-6));
}

void ltap_keras_run_group_norm(ltap_keras_call *c)
{
    static const char *const names[] = {"gamma", "beta"};
    int64_t axes[LTAP_KERAS_MAX_RANK], groups = ltap_keras_int(c, "groups", 32);
    size_t n_axes = read_axes(c, axes);
    if (!ltap_keras_is_good(c->b))
        return;
    int axis = (int)axes[0];
    int64_t size = channels_of(c, names, 2, c->inputs[0].dims[axis]);
    groups = groups == -1 ? size : groups;
    if (n_axes != 1 || axis == 0 || size < 1 || c->inputs[0].rank < 3) {
        ltap_keras_cannot(c, NULL);
        return;
    }
    if (groups < 1 || size % groups != 0)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "%lld channels in %lld groups", (long long)size,
                         (long long)groups);
    const ltap_attr attrs[] = {LTAP_ATTR_I("num_groups", groups),
                               LTAP_ATTR_F("epsilon", ltap_keras_number(c, "epsilon", 1e-3))};
    ltap_keras_tensor x = to_second(c, c->inputs[0], axis);
    uint32_t inputs[3] = {x.value, vector_or(c, "gamma", size, 1.0F),
                          vector_or(c, "beta", size, 0.0F)};
    ltap_keras_tensor y =
        ltap_keras_with(x, ltap_keras_add(c->b, (ltap_keras_node){.op = "GroupNormalization",
                                                                  .inputs = inputs,
                                                                  .n_inputs = 3,
                                                                  .attrs = attrs,
                                                                  .n_attrs = 2}));
    c->outputs[0] = from_second(c, y, axis);
}

/* x / sqrt(max(sum of squares, 1e-12)) */
void ltap_keras_run_unit_norm(ltap_keras_call *c)
{
    int64_t axes[LTAP_KERAS_MAX_RANK];
    size_t n_axes = read_axes(c, axes);
    ltap_keras_tensor x = c->inputs[0];
    if (!ltap_keras_is_good(c->b))
        return;
    ltap_keras_tensor sum = ltap_keras_reduce(c->b, "ReduceSumSquare", x, axes, n_axes, true);
    sum = ltap_keras_binary_scalar(c->b, "Max", sum, 1e-12);
    c->outputs[0] = ltap_keras_binary(c->b, "Div", x, ltap_keras_unary(c->b, "Sqrt", sum));
}

void ltap_keras_run_layer_scale(ltap_keras_call *c)
{
    ltap_keras_tensor gamma = ltap_keras_weight(c, NULL, "gamma", 1);
    c->outputs[0] = ltap_keras_binary(c->b, "Mul", c->inputs[0], gamma);
}

void ltap_keras_run_wrapped(ltap_keras_call *c)
{
    c->outputs[0] = ltap_keras_run_held(c, &c->layer->held[0], c->inputs[0]);
}
