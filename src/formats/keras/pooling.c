/* Pooling: windows, global, adaptive. Padding is not counted into averages. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

static bool takes_maximum(const ltap_keras_call *c)
{
    return strstr(c->layer->class_name, "Max") != NULL;
}

void ltap_keras_run_pool(ltap_keras_call *c)
{
    const int n = ltap_keras_spatial(c);
    const char *padding = ltap_keras_text(c, "padding", "valid");
    const bool same = ltap_keras_is(padding, "same");
    int64_t size[3] = {0}, strides[3];
    ltap_keras_list(c, "pool_size", 2, size, (size_t)n);
    for (int i = 0; i < n; i++)
        strides[i] = size[i];
    if (ltap_json_find(c->config, "strides") != NULL &&
        ltap_json_find(c->config, "strides")->kind != LTAP_JSON_NULL)
        ltap_keras_list(c, "strides", 1, strides, (size_t)n);
    if (!same && !ltap_keras_is(padding, "valid"))
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its padding is '%.40s'; expected valid or same",
                         padding);
    const ltap_attr attrs[] = {LTAP_ATTR_N("kernel_shape", (size_t)n, size),
                               LTAP_ATTR_N("strides", (size_t)n, strides),
                               LTAP_ATTR_S("auto_pad", same ? "SAME_UPPER" : "VALID")};
    ltap_keras_tensor x = ltap_keras_channels_second(c), y = x;
    y.value =
        ltap_keras_add(c->b, (ltap_keras_node){.op = takes_maximum(c) ? "MaxPool" : "AveragePool",
                                               .inputs = &x.value,
                                               .n_inputs = 1,
                                               .attrs = attrs,
                                               .n_attrs = 3});
    for (int i = 0; i < n; i++) {
        if (size[i] < 1 || strides[i] < 1 || size[i] > INT32_MAX || strides[i] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its window or strides are not positive");
        else if (x.dims[2 + i] >= 0)
            y.dims[2 + i] = same ? (x.dims[2 + i] + strides[i] - 1) / strides[i]
                            : x.dims[2 + i] < size[i] ? 0
                                                      : (x.dims[2 + i] - size[i]) / strides[i] + 1;
    }
    c->outputs[0] = ltap_keras_as_given(c, y);
}

/* The mean over the steps that count. */
static ltap_keras_tensor masked_mean(ltap_keras_call *c, ltap_keras_tensor x, bool keep)
{
    ltap_keras_tensor mask = ltap_keras_mask_numbers(c, &x);
    const int64_t time = 1;
    mask = ltap_keras_unsqueeze(c->b, mask, 2);
    x.mask = mask.mask = LTAP_NO_VALUE;
    x = ltap_keras_reduce(c->b, "ReduceSum", ltap_keras_binary(c->b, "Mul", x, mask), &time, 1,
                          keep);
    mask = ltap_keras_reduce(c->b, "ReduceSum", mask, &time, 1, keep);
    return ltap_keras_binary(c->b, "Div", x, mask);
}

void ltap_keras_run_global_pool(ltap_keras_call *c)
{
    const int n = ltap_keras_spatial(c);
    const bool keep = ltap_keras_bool(c, "keepdims", false);
    if (n == 1 && !takes_maximum(c) && c->inputs[0].mask != LTAP_NO_VALUE &&
        !ltap_keras_channels_first(c)) {
        c->outputs[0] = masked_mean(c, c->inputs[0], keep);
        return;
    }
    ltap_keras_tensor x = ltap_keras_channels_second(c);
    ltap_keras_tensor y =
        ltap_keras_unary(c->b, takes_maximum(c) ? "GlobalMaxPool" : "GlobalAveragePool", x);
    for (int i = 0; i < n; i++)
        y.dims[2 + i] = 1;
    if (keep) {
        c->outputs[0] = ltap_keras_as_given(c, y);
        return;
    }
    const int64_t dims[2] = {0, y.dims[1] >= 0 ? y.dims[1] : -1};
    y.mask = LTAP_NO_VALUE;
    c->outputs[0] = ltap_keras_reshape(c->b, y, 2, dims);
}

enum { MAX_CELLS = 64 };

/* One axis cut into cells of nearly equal size, which may share their borders. */
static ltap_keras_tensor cut_axis(ltap_keras_call *c, ltap_keras_tensor x, int axis, int64_t count)
{
    ltap_keras_tensor cells[MAX_CELLS];
    const int64_t size = x.dims[axis], one = axis;
    for (int64_t i = 0; i < count; i++) {
        int64_t begin = i * size / count, end = ((i + 1) * size + count - 1) / count;
        cells[i] = ltap_keras_slice(c->b, x, axis, begin, end, 1);
        cells[i] = ltap_keras_reduce(c->b, takes_maximum(c) ? "ReduceMax" : "ReduceMean", cells[i],
                                     &one, 1, true);
    }
    return ltap_keras_concat(c->b, cells, (size_t)count, axis);
}

/* Windows are products of cells, so axes go one after the other. */
static void cut_axes(ltap_keras_call *c, int n, const int64_t *size)
{
    ltap_keras_tensor x = c->inputs[0];
    for (int i = 0; i < n; i++) {
        int axis = i + (ltap_keras_channels_first(c) ? 2 : 1);
        if (x.dims[axis] < 1 || x.dims[axis] > INT32_MAX || size[i] > MAX_CELLS) {
            ltap_keras_cannot(c, "of an input of unknown size, or into many cells");
            return;
        }
        x = cut_axis(c, x, axis, size[i]);
    }
    c->outputs[0] = x;
}

void ltap_keras_run_adaptive_pool(ltap_keras_call *c)
{
    const int n = ltap_keras_spatial(c);
    int64_t size[3] = {0};
    ltap_keras_list(c, "output_size", 1, size, (size_t)n);
    for (int i = 0; i < n; i++)
        if (size[i] < 1)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its output_size is not positive");
    if (!ltap_keras_is_good(c->b))
        return;
    if (n != 2 || takes_maximum(c)) {
        cut_axes(c, n, size);
        return;
    }
    const ltap_attr attr = LTAP_ATTR_N("output_size", (size_t)n, size);
    ltap_keras_tensor x = ltap_keras_channels_second(c), y = x;
    y.value = ltap_keras_add(c->b, (ltap_keras_node){.op = "AdaptiveAveragePool",
                                                     .domain = "layertap",
                                                     .inputs = &x.value,
                                                     .n_inputs = 1,
                                                     .attrs = &attr,
                                                     .n_attrs = 1});
    memcpy(&y.dims[2], size, sizeof(int64_t) * (size_t)n);
    c->outputs[0] = ltap_keras_as_given(c, y);
}
