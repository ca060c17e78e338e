/* Convolutions. Keras has channels last and kernels [window..., in, out]; the operators want both
 * second and first.
 */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

#define MAX_SPATIAL LTAP_KERAS_MAX_SPATIAL

typedef ltap_keras_window window;

int ltap_keras_spatial_of(const ltap_keras_call *c)
{
    const char *digit = strpbrk(c->layer->class_name, "123");
    return digit != NULL ? *digit - '0' : c->inputs[0].rank - 2;
}

int ltap_keras_spatial(ltap_keras_call *c)
{
    const int n = ltap_keras_spatial_of(c);
    if (c->inputs[0].rank != n + 2)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its input has %d axes; expected %d",
                         c->inputs[0].rank, n + 2);
    return n;
}

void ltap_keras_run_identity(ltap_keras_call *c)
{
    c->outputs[0] = ltap_keras_unary(c->b, "Identity", c->inputs[0]);
}

window ltap_keras_read_window(ltap_keras_call *c, int n)
{
    window w = {.n = n, .padding = ltap_keras_text(c, "padding", "valid")};
    static const char *const known[] = {"valid", "same", "causal"};
    ltap_keras_list(c, "strides", 1, w.strides, (size_t)w.n);
    ltap_keras_list(c, "dilation_rate", 1, w.dilations, (size_t)w.n);
    bool is_known = false;
    for (size_t i = 0; i < 3; i++)
        is_known |= ltap_keras_is(w.padding, known[i]);
    if (!is_known || (w.n != 1 && ltap_keras_is(w.padding, "causal")))
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT,
                         "its padding is '%.40s'; expected valid, same or causal (one axis)",
                         w.padding);
    for (int i = 0; i < w.n; i++)
        if (w.strides[i] < 1 || w.dilations[i] < 1 || w.dilations[i] > INT32_MAX ||
            w.strides[i] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its strides or dilation are not positive");
    return w;
}

static int64_t extent(const window *w, int axis)
{
    return (w->size[axis] - 1) * w->dilations[axis] + 1;
}

static int64_t size_after(const window *w, int axis, int64_t size)
{
    if (size < 0)
        return -1;
    int64_t left = ltap_keras_is(w->padding, "valid") ? size - extent(w, axis) : size - 1;
    return left < 0 ? 0 : left / w->strides[axis] + 1;
}

ltap_keras_tensor ltap_keras_convolve(ltap_keras_call *c, ltap_keras_tensor x, const window *w,
                                      ltap_keras_tensor kernel, int64_t groups, uint32_t bias)
{
    const bool causal = ltap_keras_is(w->padding, "causal");
    const int64_t pads[2 * MAX_SPATIAL] = {causal ? extent(w, 0) - 1 : 0};
    const size_t n = (size_t)w->n;
    ltap_attr attrs[] = {LTAP_ATTR_N("strides", n, w->strides),
                         LTAP_ATTR_N("dilations", n, w->dilations), LTAP_ATTR_I("group", groups),
                         LTAP_ATTR_N("pads", 2 * n, pads)};
    if (ltap_keras_is(w->padding, "same"))
        attrs[3] = LTAP_ATTR_S("auto_pad", "SAME_UPPER");
    uint32_t inputs[3] = {x.value, kernel.value, bias};
    ltap_keras_tensor y = ltap_keras_with(
        x, ltap_keras_add(c->b, (ltap_keras_node){.op = "Conv",
                                                  .inputs = inputs,
                                                  .n_inputs = bias == LTAP_NO_VALUE ? 2 : 3,
                                                  .attrs = attrs,
                                                  .n_attrs = 4}));
    y.dims[1] = kernel.dims[0];
    for (int i = 0; i < w->n; i++)
        y.dims[2 + i] = size_after(w, i, x.dims[2 + i]);
    return y;
}

ltap_keras_tensor ltap_keras_turn_kernel(ltap_keras_call *c, ltap_keras_tensor kernel, bool swap)
{
    int n = kernel.rank - 2;
    int64_t perm[LTAP_KERAS_MAX_RANK] = {n + swap, n + !swap};
    for (int i = 0; i < n; i++)
        perm[2 + i] = i;
    return ltap_keras_transpose(c->b, kernel, perm);
}

static uint32_t bias_of(ltap_keras_call *c, int64_t size)
{
    return ltap_keras_has(c, NULL, "bias") ? ltap_keras_vector(c, "bias", size).value
                                           : LTAP_NO_VALUE;
}

static void check_channels(ltap_keras_call *c, const ltap_keras_tensor *kernel, int64_t wanted,
                           int64_t channels)
{
    if (channels >= 0 && wanted != channels)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT,
                         "its kernel wants an input of %lld channels, which has %lld",
                         (long long)wanted, (long long)channels);
    for (int i = 0; i < kernel->rank; i++)
        if (kernel->dims[i] < 1 || kernel->dims[i] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its kernel has an axis of size %lld",
                             (long long)kernel->dims[i]);
}

static ltap_keras_tensor make_conv(ltap_keras_call *c)
{
    window w = ltap_keras_read_window(c, ltap_keras_spatial(c));
    ltap_keras_tensor x = ltap_keras_channels_second(c);
    ltap_keras_tensor kernel = ltap_keras_weight(c, NULL, "kernel", w.n + 2);
    int64_t groups = ltap_keras_int(c, "groups", 1);
    if (!ltap_keras_is_good(c->b))
        return x;
    if (groups < 1 || kernel.dims[w.n + 1] % groups != 0)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "%lld filters in %lld groups",
                         (long long)kernel.dims[w.n + 1], (long long)groups);
    else if (kernel.dims[w.n] <= INT32_MAX && groups <= INT32_MAX)
        check_channels(c, &kernel, kernel.dims[w.n] * groups, x.dims[1]);
    memcpy(w.size, kernel.dims, sizeof(int64_t) * (size_t)w.n);
    kernel = ltap_keras_turn_kernel(c, kernel, true);
    uint32_t bias = bias_of(c, kernel.dims[0]);
    return ltap_keras_as_given(c, ltap_keras_convolve(c, x, &w, kernel, groups, bias));
}

void ltap_keras_run_conv(ltap_keras_call *c)
{
    ltap_keras_finish(c, make_conv);
}

/* Each input channel by itself; name: of the kernel [window...,in,multiplier]. */
static ltap_keras_tensor depthwise(ltap_keras_call *c, ltap_keras_tensor x, window *w,
                                   const char *name, bool biased)
{
    ltap_keras_tensor kernel = ltap_keras_weight(c, NULL, name, w->n + 2);
    if (!ltap_keras_is_good(c->b))
        return x;
    check_channels(c, &kernel, kernel.dims[w->n], x.dims[1]);
    memcpy(w->size, kernel.dims, sizeof(int64_t) * (size_t)w->n);
    int64_t groups = kernel.dims[w->n], dims[LTAP_KERAS_MAX_RANK];
    if (!ltap_keras_is_good(c->b))
        return x;
    dims[0] = groups * kernel.dims[w->n + 1];
    dims[1] = 1;
    memcpy(&dims[2], w->size, sizeof(int64_t) * (size_t)w->n);
    kernel = ltap_keras_reshape(c->b, ltap_keras_turn_kernel(c, kernel, false), w->n + 2, dims);
    uint32_t bias = biased ? bias_of(c, dims[0]) : LTAP_NO_VALUE;
    return ltap_keras_convolve(c, x, w, kernel, groups, bias);
}

static ltap_keras_tensor make_depthwise(ltap_keras_call *c)
{
    window w = ltap_keras_read_window(c, ltap_keras_spatial(c));
    /* Keras 2 and 3 call it by different names; it is the first variable. */
    return ltap_keras_as_given(c, depthwise(c, ltap_keras_channels_second(c), &w, "kernel", true));
}

void ltap_keras_run_depthwise(ltap_keras_call *c)
{
    ltap_keras_finish(c, make_depthwise);
}

static ltap_keras_tensor make_separable(ltap_keras_call *c)
{
    window w = ltap_keras_read_window(c, ltap_keras_spatial(c)),
           one = {.n = w.n, .padding = "valid"};
    ltap_keras_tensor x =
        depthwise(c, ltap_keras_channels_second(c), &w, "depthwise_kernel", false);
    ltap_keras_tensor kernel = ltap_keras_weight(c, NULL, "pointwise_kernel", w.n + 2);
    if (!ltap_keras_is_good(c->b))
        return x;
    for (int i = 0; i < w.n; i++) {
        one.size[i] = one.strides[i] = one.dilations[i] = 1;
        if (kernel.dims[i] != 1)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its pointwise kernel has a window");
    }
    check_channels(c, &kernel, kernel.dims[w.n], x.dims[1]);
    kernel = ltap_keras_turn_kernel(c, kernel, true);
    return ltap_keras_as_given(
        c, ltap_keras_convolve(c, x, &one, kernel, 1, bias_of(c, kernel.dims[0])));
}

void ltap_keras_run_separable(ltap_keras_call *c)
{
    ltap_keras_finish(c, make_separable);
}

/* What the transposed window makes more than Keras hands out, on one axis: cut in front and behind,
 * or, where negative, to be added behind. */
static int64_t surplus(ltap_keras_call *c, const window *w, int axis, int64_t output_padding)
{
    int64_t made = extent(w, axis), step = w->strides[axis];
    bool same = ltap_keras_is(w->padding, "same");
    (void)c;
    if (output_padding < 0) /* not given */
        return same ? made - step : made < step ? made - step : 0;
    return same ? 2 * (made / 2) - output_padding : -output_padding;
}

static ltap_keras_tensor add_transposed(ltap_keras_call *c, ltap_keras_tensor x, const window *w,
                                        ltap_keras_tensor kernel, uint32_t bias)
{
    const size_t n = (size_t)w->n;
    int64_t pads[2 * MAX_SPATIAL] = {0}, behind[MAX_SPATIAL] = {0}, given[MAX_SPATIAL];
    ltap_keras_list(c, "output_padding", -1, given, n);
    for (size_t i = 0; i < n; i++)
        if (given[i] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its output_padding is too large");
    if (!ltap_keras_is_good(c->b))
        return x;
    ltap_keras_tensor y = x;
    y.dims[1] = kernel.dims[1];
    for (size_t i = 0; i < n; i++) {
        int64_t over = surplus(c, w, (int)i, given[i]);
        pads[i] = over > 0 ? over / 2 : 0;
        pads[n + i] = over > 0 ? over - over / 2 : 0;
        behind[i] = over < 0 ? -over : 0;
        if (x.dims[2 + i] >= 0)
            y.dims[2 + i] = (x.dims[2 + i] - 1) * w->strides[i] + extent(w, (int)i) - over;
    }
    const ltap_attr attrs[] = {
        LTAP_ATTR_N("strides", n, w->strides), LTAP_ATTR_N("dilations", n, w->dilations),
        LTAP_ATTR_N("pads", 2 * n, pads), LTAP_ATTR_N("output_padding", n, behind)};
    uint32_t inputs[3] = {x.value, kernel.value, bias};
    y.value = ltap_keras_add(c->b, (ltap_keras_node){.op = "ConvTranspose",
                                                     .inputs = inputs,
                                                     .n_inputs = bias == LTAP_NO_VALUE ? 2 : 3,
                                                     .attrs = attrs,
                                                     .n_attrs = 4});
    return y;
}

static ltap_keras_tensor make_transposed(ltap_keras_call *c)
{
    window w = ltap_keras_read_window(c, ltap_keras_spatial(c));
    ltap_keras_tensor x = ltap_keras_channels_second(c);
    /* [window...,out,in] */
    ltap_keras_tensor kernel = ltap_keras_weight(c, NULL, "kernel", w.n + 2);
    if (!ltap_keras_is_good(c->b))
        return x;
    check_channels(c, &kernel, kernel.dims[w.n + 1], x.dims[1]);
    memcpy(w.size, kernel.dims, sizeof(int64_t) * (size_t)w.n);
    kernel = ltap_keras_turn_kernel(c, kernel, true);
    uint32_t bias = bias_of(c, kernel.dims[1]);
    return ltap_keras_as_given(c, add_transposed(c, x, &w, kernel, bias));
}

void ltap_keras_run_conv_transpose(ltap_keras_call *c)
{
    ltap_keras_finish(c, make_transposed);
}
