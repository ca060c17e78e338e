/* Conv: the reference convolution over one to three spatial axes, with groups.
 *
 * A task is a block of output channels of one image. It goes over the outputs in patches that fit
 * the stack, some rows of up to LTAP_RUN outputs together, and adds one weight's worth of input row
 * at a time, in double: the inner loops are contiguous, and each output's sum has one fixed order,
 * whatever the number of threads. No transforms, no packing, no temporaries.
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"
#include "ops/window.h"

#define BLOCK 8 /* output channels that share a loaded input row */

typedef struct convolution {
    const ltap_number *number;
    const ltap_tensor *x, *w, *b; /* b: NULL without bias */
    ltap_tensor *y;
    ltap_window window;
    int64_t groups, in_channels, out_channels; /* channels of one group */
    int64_t blocks;                            /* of one group */
    int64_t taps, in_plane, out_plane;         /* elements of a kernel, of a channel */
} convolution;

/* Outputs that are summed together: rows of (depth, height), columns of width. */
typedef struct patch {
    int64_t image, group, channel; /* channel: first of the block, in its group */
    int n_channels;
    int64_t row, n_rows, column, n_columns;
    double *sums; /* [BLOCK][LTAP_RUN] */
} patch;

static ltap_status conv_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0], *w = &call->inputs[1];
    for (size_t i = 0; i < call->n_inputs; i++) {
        if (!ltap_call_has(call, i))
            continue;
        LTAP_TRY(ltap_call_check_type(call, i, LTAP_TYPES_FLOAT, error));
        LTAP_TRY(ltap_call_check_same(call, 0, i, error));
    }
    ltap_window window;
    LTAP_TRY(ltap_window_read(call->node, x, w, &window, error));
    int64_t groups = ltap_node_int(call->node, "group", 1);
    if (groups < 1 || x->dims[1] % groups != 0 || x->dims[1] / groups != w->dims[1] ||
        w->dims[0] % groups != 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its input is %s and its weights are %s, which do not fit in %lld "
                              "groups",
                              ltap_shape_text(x).text, ltap_shape_text(w).text, (long long)groups);
    if (ltap_call_has(call, 2)) {
        const ltap_tensor *b = &call->inputs[2];
        if (b->rank != 1 || b->dims[0] != w->dims[0])
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "its bias is %s; expected %lld",
                                  ltap_shape_text(b).text, (long long)w->dims[0]);
    }
    int64_t dims[LTAP_MAX_RANK] = {x->dims[0], w->dims[0]};
    for (int i = 0; i < window.rank; i++)
        dims[2 + i] = window.out[LTAP_WINDOW_AXES - window.rank + i];
    ltap_call_output(call, 0, x->dtype, x->rank, dims);
    return LTAP_OK;
}

/* Adds weights[j] * x[i] to the sums of block channel j, for count outputs. */
static void add_run(double *sums, const double *x, int64_t count, const double *weights,
                    int n_channels)
{
    for (int j = 0; j < n_channels; j++) {
        double *restrict to = sums + (int64_t)j * LTAP_RUN;
        double weight = weights[j];
        for (int64_t i = 0; i < count; i++)
            to[i] += weight * x[i];
    }
}

/* One weight position (k) of one input channel, over the rows of a patch. */
static void add_tap(const convolution *c, const patch *p, int64_t plane, const int64_t *k,
                    const double *weights)
{
    const ltap_window *w = &c->window;
    double x[LTAP_RUN];
    int64_t first = p->column, last = p->column + p->n_columns;
    ltap_window_clip(w, 2, k[2], &first, &last);
    if (first >= last)
        return;
    for (int64_t r = 0; r < p->n_rows; r++) {
        int64_t depth = ltap_window_at(w, 0, (p->row + r) / w->out[1], k[0]);
        int64_t height = ltap_window_at(w, 1, (p->row + r) % w->out[1], k[1]);
        if (depth < 0 || depth >= w->in[0] || height < 0 || height >= w->in[1])
            continue;
        int64_t offset = plane + (depth * w->in[1] + height) * w->in[2];
        c->number->load(c->x->data, offset + ltap_window_at(w, 2, first, k[2]), w->stride[2],
                        last - first, x);
        add_run(p->sums + r * p->n_columns + first - p->column, x, last - first, weights,
                p->n_channels);
    }
}

static void add_channel(const convolution *c, const patch *p, int64_t channel)
{
    const ltap_window *w = &c->window;
    int64_t in_channel = (p->image * c->groups + p->group) * c->in_channels + channel;
    int64_t out_channel = p->group * c->out_channels + p->channel;
    double weights[BLOCK];
    for (int64_t tap = 0; tap < c->taps; tap++) {
        const int64_t k[] = {tap / (w->kernel[1] * w->kernel[2]), tap / w->kernel[2] % w->kernel[1],
                             tap % w->kernel[2]};
        c->number->load(c->w->data, (out_channel * c->in_channels + channel) * c->taps + tap,
                        c->in_channels * c->taps, p->n_channels, weights);
        add_tap(c, p, in_channel * c->in_plane, k, weights);
    }
}

static void compute_patch(const convolution *c, const patch *p)
{
    int64_t out_channel = p->group * c->out_channels + p->channel, width = c->window.out[2];
    double bias[BLOCK] = {0};
    if (c->b)
        c->number->load(c->b->data, out_channel, 1, p->n_channels, bias);
    for (int j = 0; j < p->n_channels; j++) {
        for (int64_t i = 0; i < LTAP_RUN; i++)
            p->sums[j * LTAP_RUN + i] = bias[j];
    }
    for (int64_t channel = 0; channel < c->in_channels; channel++)
        add_channel(c, p, channel);
    for (int j = 0; j < p->n_channels; j++) {
        int64_t plane = (p->image * c->groups * c->out_channels + out_channel + j) * c->out_plane;
        c->number->store(p->sums + (int64_t)j * LTAP_RUN, p->n_rows * p->n_columns, c->y->data,
                         plane + p->row * width + p->column, 1);
    }
}

static void compute_blocks(void *context, int64_t first, int64_t last)
{
    const convolution *c = context;
    double sums[BLOCK * LTAP_RUN];
    int64_t rows = c->window.out[0] * c->window.out[1], width = c->window.out[2];
    int64_t n_rows = width < LTAP_RUN ? LTAP_RUN / width : 1;
    int64_t n_columns = width < LTAP_RUN ? width : LTAP_RUN;
    for (int64_t task = first; task < last; task++) {
        patch p = {.sums = sums};
        p.channel = task % c->blocks * BLOCK;
        p.group = task / c->blocks % c->groups;
        p.image = task / c->blocks / c->groups;
        int64_t left = c->out_channels - p.channel;
        p.n_channels = (int)(left < BLOCK ? left : BLOCK);
        for (p.row = 0; p.row < rows; p.row += n_rows) {
            p.n_rows = rows - p.row < n_rows ? rows - p.row : n_rows;
            for (p.column = 0; p.column < width; p.column += n_columns) {
                p.n_columns = width - p.column < n_columns ? width - p.column : n_columns;
                compute_patch(c, &p);
            }
        }
    }
}

/* A kernel of one element that visits every input has only one long row. */
static void flatten(ltap_window *w)
{
    for (int i = 0; i < LTAP_WINDOW_AXES; i++) {
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->begin[i] != 0 || w->end[i] != 0)
            return;
    }
    w->in[2] = w->out[2] = w->in[0] * w->in[1] * w->in[2];
    w->in[0] = w->in[1] = w->out[0] = w->out[1] = 1;
}

static ltap_status conv_reference(const ltap_call *call, ltap_error *error)
{
    convolution c = {.x = &call->inputs[0], .w = &call->inputs[1], .y = &call->outputs[0]};
    c.number = ltap_number_find(c.x->dtype);
    c.b = ltap_call_has(call, 2) ? &call->inputs[2] : NULL;
    LTAP_TRY(ltap_window_read(call->node, c.x, c.w, &c.window, error));
    c.groups = ltap_node_int(call->node, "group", 1);
    c.in_channels = c.x->dims[1] / c.groups;
    c.out_channels = c.w->dims[0] / c.groups;
    c.blocks = (c.out_channels + BLOCK - 1) / BLOCK;
    c.taps = ltap_number_product(c.window.kernel, 0, LTAP_WINDOW_AXES);
    c.in_plane = ltap_number_product(c.window.in, 0, LTAP_WINDOW_AXES);
    c.out_plane = ltap_number_product(c.window.out, 0, LTAP_WINDOW_AXES);
    flatten(&c.window);
    if (ltap_tensor_count(c.y) > 0 && c.y->data)
        ltap_parallel_for(call->threads, c.x->dims[0] * c.groups * c.blocks, 1, compute_blocks, &c);
    return LTAP_OK;
}

static uint64_t conv_cost(const ltap_call *call)
{
    const ltap_tensor *w = &call->inputs[1];
    return ltap_tensor_count(&call->outputs[0]) *
           (uint64_t)ltap_number_product(w->dims, 1, w->rank);
}

const ltap_op ltap_op_conv = {
    .name = "Conv",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = conv_shape,
    .reference = conv_reference,
    .cost = conv_cost,
};
