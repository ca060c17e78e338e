/* ConvTranspose: the reference transposed convolution, with groups.
 *
 * Written as a gather, so that tasks never share outputs: a window w describes the convolution that
 * this one transposes, from the output (its `in`) back to the input (its `out`). One output row is
 * summed in double on the stack, in runs; input element o meets window index k at output o * stride
 * + k * dilation - begin.
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"
#include "ops/window.h"

#include <string.h>

typedef struct transposed {
    const ltap_number *number;
    const ltap_tensor *x, *w, *b;
    ltap_tensor *y;
    ltap_window window;                        /* in: of the output; out: of the input */
    int64_t groups, in_channels, out_channels; /* channels of one group */
    int64_t taps, in_plane;
} transposed;

/* Extent of the full output before padding is cut off. */
static int64_t full_extent(const ltap_window *w, int axis, int64_t output_padding)
{
    return (w->out[axis] - 1) * w->stride[axis] + (w->kernel[axis] - 1) * w->dilation[axis] + 1 +
           output_padding;
}

/* Padding that makes the output as large as said; what the full output lacks comes at the end. */
static void split_padding(ltap_window *w, int axis, int64_t total, const char *mode)
{
    int64_t half = total > 0 ? total / 2 : 0;
    w->begin[axis] = strcmp(mode, "SAME_UPPER") == 0 || total < 0 ? half : total - half;
    w->end[axis] = total - w->begin[axis];
}

ltap_status ltap_window_read_transposed(const ltap_call *call, ltap_window *w, ltap_error *error)
{
    const ltap_node *node = call->node;
    const ltap_tensor *x = &call->inputs[0];
    int64_t extra[LTAP_WINDOW_AXES], wanted[LTAP_WINDOW_AXES];
    LTAP_TRY(ltap_window_read_sizes(node, x, &call->inputs[1], w, error));
    LTAP_TRY(ltap_window_ints(node, "output_padding", w->rank, 0, 0, extra, error));
    LTAP_TRY(ltap_window_ints(node, "output_shape", w->rank, 1, 0, wanted, error));
    const char *mode = ltap_node_string(node, "auto_pad", "NOTSET");
    bool same = strncmp(mode, "SAME_", 5) == 0;
    memcpy(w->out, w->in, sizeof w->out);
    for (int i = 0; i < LTAP_WINDOW_AXES; i++) {
        if (w->in[i] < 1)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "its input is %s; no spatial axis may be empty",
                                  ltap_shape_text(x).text);
        int64_t full = full_extent(w, i, extra[i]);
        if (i < LTAP_WINDOW_AXES - w->rank)
            wanted[i] = 1;
        else if (wanted[i] == 0 && same)
            wanted[i] = w->out[i] * w->stride[i];
        if (strcmp(mode, "VALID") == 0)
            w->begin[i] = w->end[i] = 0;
        if (wanted[i] != 0)
            split_padding(w, i, full - wanted[i], mode);
        w->in[i] = full - w->begin[i] - w->end[i];
        if (w->in[i] < 1)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "its pads cut off more than the %lld outputs along an axis",
                                  (long long)full);
    }
    return LTAP_OK;
}

static ltap_status transposed_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0], *w = &call->inputs[1];
    for (size_t i = 0; i < call->n_inputs; i++) {
        if (!ltap_call_has(call, i))
            continue;
        LTAP_TRY(ltap_call_check_type(call, i, LTAP_TYPES_FLOAT, error));
        LTAP_TRY(ltap_call_check_same(call, 0, i, error));
    }
    ltap_window window;
    LTAP_TRY(ltap_window_read_transposed(call, &window, error));
    int64_t groups = ltap_node_int(call->node, "group", 1);
    int64_t channels;
    if (groups < 1 || x->dims[1] != w->dims[0] || x->dims[1] % groups != 0 ||
        __builtin_mul_overflow(w->dims[1], groups, &channels))
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its input is %s and its weights are %s, which do not fit in %lld "
                              "groups",
                              ltap_shape_text(x).text, ltap_shape_text(w).text, (long long)groups);
    if (ltap_call_has(call, 2)) {
        const ltap_tensor *b = &call->inputs[2];
        if (b->rank != 1 || b->dims[0] != channels)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "its bias is %s; expected %lld",
                                  ltap_shape_text(b).text, (long long)channels);
    }
    int64_t dims[LTAP_MAX_RANK] = {x->dims[0], channels};
    for (int i = 0; i < window.rank; i++)
        dims[2 + i] = window.in[LTAP_WINDOW_AXES - window.rank + i];
    ltap_call_output(call, 0, x->dtype, x->rank, dims);
    return LTAP_OK;
}

/* Input index that meets output `at` through window index k; -1 where none does. */
static int64_t source(const ltap_window *w, int axis, int64_t at, int64_t k)
{
    int64_t scaled = at + w->begin[axis] - k * w->dilation[axis];
    if (scaled < 0 || scaled % w->stride[axis] != 0 || scaled / w->stride[axis] >= w->out[axis])
        return -1;
    return scaled / w->stride[axis];
}

/* Adds one row of weights times one row of inputs to outputs [column, column + count). */
static void add_row(const transposed *c, int64_t x_offset, int64_t w_offset, int64_t column,
                    int64_t count, double *sums)
{
    const ltap_window *w = &c->window;
    double x[LTAP_RUN];
    int64_t stride = w->stride[2];
    for (int64_t k = 0; k < w->kernel[2]; k++) {
        int64_t shift = w->begin[2] - k * w->dilation[2];
        int64_t first = column + shift > 0 ? (column + shift + stride - 1) / stride : 0;
        int64_t top = column + count - 1 + shift;
        int64_t last = top < 0 ? 0 : top / stride + 1;
        last = last < w->out[2] ? last : w->out[2];
        if (first >= last)
            continue;
        double weight;
        c->number->load(c->w->data, w_offset + k, 1, 1, &weight);
        c->number->load(c->x->data, x_offset + first, 1, last - first, x);
        double *to = sums + first * stride - shift - column;
        for (int64_t i = 0; i < last - first; i++)
            to[i * stride] += weight * x[i];
    }
}

/* Outputs [column, column + count) of one row; task counts output rows of all images, channels. */
static void compute_run(const transposed *c, int64_t task, int64_t column, int64_t count)
{
    const ltap_window *w = &c->window;
    int64_t height = task % w->in[1], depth = task / w->in[1] % w->in[0];
    int64_t channel = task / w->in[1] / w->in[0], all = c->groups * c->out_channels;
    int64_t image = channel / all, group = channel % all / c->out_channels;
    int64_t in_channel = (image * c->groups + group) * c->in_channels;
    double sums[LTAP_RUN], bias = 0;
    if (c->b)
        c->number->load(c->b->data, channel % all, 1, 1, &bias);
    for (int64_t i = 0; i < count; i++)
        sums[i] = bias;
    int64_t planes = w->kernel[0] * w->kernel[1];
    for (int64_t i = 0; i < c->in_channels * planes; i++) {
        int64_t row = i % planes, k0 = row / w->kernel[1], k1 = row % w->kernel[1];
        int64_t x0 = source(w, 0, depth, k0), x1 = source(w, 1, height, k1);
        if (x0 < 0 || x1 < 0)
            continue;
        int64_t x_channel = in_channel + i / planes;
        int64_t w_channel = (group * c->in_channels + i / planes) * c->out_channels;
        add_row(c, x_channel * c->in_plane + (x0 * w->out[1] + x1) * w->out[2],
                (w_channel + channel % c->out_channels) * c->taps + row * w->kernel[2], column,
                count, sums);
    }
    c->number->store(sums, count, c->y->data, task * w->in[2] + column, 1);
}

static void compute_rows(void *context, int64_t first, int64_t last)
{
    const transposed *c = context;
    int64_t width = c->window.in[2];
    for (int64_t task = first; task < last; task++) {
        for (int64_t column = 0; column < width; column += LTAP_RUN)
            compute_run(c, task, column, width - column < LTAP_RUN ? width - column : LTAP_RUN);
    }
}

static ltap_status transposed_reference(const ltap_call *call, ltap_error *error)
{
    transposed c = {.x = &call->inputs[0], .w = &call->inputs[1], .y = &call->outputs[0]};
    c.number = ltap_number_find(c.x->dtype);
    c.b = ltap_call_has(call, 2) ? &call->inputs[2] : NULL;
    LTAP_TRY(ltap_window_read_transposed(call, &c.window, error));
    c.groups = ltap_node_int(call->node, "group", 1);
    c.in_channels = c.x->dims[1] / c.groups;
    c.out_channels = c.w->dims[1];
    c.taps = ltap_number_product(c.window.kernel, 0, LTAP_WINDOW_AXES);
    c.in_plane = ltap_number_product(c.window.out, 0, LTAP_WINDOW_AXES);
    uint64_t count = ltap_tensor_count(c.y);
    if (count > 0 && c.y->data)
        ltap_parallel_for(call->threads, (int64_t)count / c.window.in[2], 1, compute_rows, &c);
    return LTAP_OK;
}

static uint64_t transposed_cost(const ltap_call *call)
{
    const ltap_tensor *w = &call->inputs[1];
    return ltap_tensor_count(&call->inputs[0]) * (uint64_t)ltap_number_product(w->dims, 1, w->rank);
}

const ltap_op ltap_op_conv_transpose = {
    .name = "ConvTranspose",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = transposed_shape,
    .reference = transposed_reference,
    .cost = transposed_cost,
};
