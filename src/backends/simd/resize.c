/* Resize of height and width. Linear: channels last, four weighted pixels an output pixel. Nearest:
 * pixels copied as they lie, plain or channels last.
 *
 * The places and weights are the operator's own tables (ops/resize.h), so all coordinate modes are
 * those of the plain kernel; what is added here is the order of the loops: channels innermost.
 */
#include "backends/simd/rows.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/resize.h"

#include <string.h>

enum { AXIS_H = 2, AXIS_W = 3, MAX_TAPS = 2 };

typedef struct resizer {
    int64_t batch, channels, in_h, in_w, out_h, out_w;
    int threads;
    bool nearest;
    ltap_taps h, w; /* tables lie behind this struct */
} resizer;

typedef struct job {
    const resizer *state;
    const float *src;
    float *dst;
} job;

static ltap_status read_query(const ltap_query *query, ltap_resize *resize, ltap_error *error)
{
    ltap_tensor output = query->outputs[0];
    ltap_call call = {.node = query->node,
                      .inputs = query->inputs,
                      .n_inputs = query->n_inputs,
                      .outputs = &output,
                      .n_outputs = 1,
                      .threads = query->threads};

    return ltap_resize_read(&call, resize, error);
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    ltap_resize resize;

    if (query->inputs[0].rank != 4 || query->inputs[0].dtype != LTAP_FLOAT32)
        return ltap_refuse(why, "not a float32 tensor of rank 4");
    if (query->inputs[0].data || ltap_tensor_count(&query->outputs[0]) == 0)
        return ltap_refuse(why, "constant or empty");
    if (read_query(query, &resize, NULL) != LTAP_OK)
        return ltap_refuse(why, "its attributes are not known before a run");
    if (resize.cubic || resize.antialias || resize.crops)
        return ltap_refuse(why, "neither nearest nor plain linear interpolation");
    if (!resize.kept[0] || !resize.kept[1])
        return ltap_refuse(why, "resizes the batch or the channels");
    if (resize.kept[AXIS_H] || resize.kept[AXIS_W])
        return ltap_refuse(why, "keeps the height or the width");
    return true;
}

static bool is_nearest(const ltap_query *query)
{
    return strcmp(ltap_node_string(query->node, "mode", "nearest"), "nearest") == 0;
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    if (is_nearest(query) && !ltap_query_lies_last(query, 0))
        return;
    in[0] = LTAP_LAYOUT_CHANNELS_LAST;
    out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const int64_t *in = query->inputs[0].dims, *out = query->outputs[0].dims;
    uint64_t entries = (uint64_t)MAX_TAPS * ((uint64_t)out[AXIS_H] + (uint64_t)out[AXIS_W]), bytes;
    ltap_resize resize;
    void *block;

    LTAP_TRY(read_query(query, &resize, error));
    if (!ltap_checked_mul(entries, sizeof(int64_t) + sizeof(double), &bytes) ||
        !ltap_checked_add(bytes, sizeof(resizer), &bytes))
        return ltap_error_set(error, LTAP_ERROR_MEMORY, "its tables are too large");
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, bytes, "a kernel", &block, error));
    resizer *state = block;
    *state = (resizer){.batch = in[0],
                       .channels = in[1],
                       .in_h = in[AXIS_H],
                       .in_w = in[AXIS_W],
                       .out_h = out[AXIS_H],
                       .out_w = out[AXIS_W],
                       .nearest = resize.nearest != NULL,
                       .threads = query->threads};
    if (query->layout == LTAP_LAYOUT_PLAIN) { /* each channel is an image of its own */
        state->batch *= state->channels;
        state->channels = 1;
    }
    int64_t *indices = (int64_t *)(void *)(state + 1);
    double *weights = (double *)(void *)(indices + entries);
    state->h = (ltap_taps){out[AXIS_H], ltap_resize_taps(&resize, AXIS_H), indices, weights};
    indices += MAX_TAPS * out[AXIS_H];
    weights += MAX_TAPS * out[AXIS_H];
    state->w = (ltap_taps){out[AXIS_W], ltap_resize_taps(&resize, AXIS_W), indices, weights};
    kernel->state = state;
    kernel->state_bytes = bytes;
    kernel->detail = state->nearest ? "nearest" : "linear";
    ltap_resize_fill(&resize, AXIS_H, &state->h);
    ltap_resize_fill(&resize, AXIS_W, &state->w);
    return LTAP_OK;
}

static void tap(const ltap_taps *taps, int64_t t, int64_t o, int64_t *index, float *weight)
{
    *index = taps->indices[t * taps->n + o];
    *weight = (float)taps->weights[t * taps->n + o];
}

static void blend(const float *const *pixels, const float *weights, int64_t channels, float *dst)
{
    const float *a = pixels[0], *b = pixels[1], *c = pixels[2], *d = pixels[3];

    for (int64_t i = 0; i < channels; i++)
        dst[i] = weights[2] * (weights[0] * a[i] + weights[1] * b[i]) +
                 weights[3] * (weights[0] * c[i] + weights[1] * d[i]);
}

/* Rows that come from the same one are copied whole. */
static void copy_rows(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const resizer *z = work->state;
    int64_t row_floats = z->in_w * z->channels, out_floats = z->out_w * z->channels;
    const float *before = NULL;

    for (int64_t row = first; row < last; row++) {
        const float *src =
            work->src + (row / z->out_h * z->in_h + z->h.indices[row % z->out_h]) * row_floats;
        float *dst = work->dst + row * out_floats;
        if (src == before)
            memcpy(dst, dst - out_floats, (size_t)out_floats * sizeof(float));
        else if (z->channels == 1)
            for (int64_t o = 0; o < z->out_w; o++)
                dst[o] = src[z->w.indices[o]];
        else
            for (int64_t o = 0; o < z->out_w; o++)
                memcpy(dst + o * z->channels, src + z->w.indices[o] * z->channels,
                       (size_t)z->channels * sizeof(float));
        before = src;
    }
}

static void resize_rows(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const resizer *z = work->state;
    int64_t row_floats = z->in_w * z->channels, y[2], x[2];
    float weights[4];

    for (int64_t row = first; row < last; row++) {
        const float *image = work->src + row / z->out_h * z->in_h * row_floats;
        float *dst = work->dst + row * z->out_w * z->channels;
        for (int64_t t = 0; t < 2; t++)
            tap(&z->h, t, row % z->out_h, &y[t], &weights[2 + t]);
        for (int64_t o = 0; o < z->out_w; o++, dst += z->channels) {
            for (int64_t t = 0; t < 2; t++)
                tap(&z->w, t, o, &x[t], &weights[t]);
            const float *const pixels[4] = {
                image + y[0] * row_floats + x[0] * z->channels,
                image + y[0] * row_floats + x[1] * z->channels,
                image + y[1] * row_floats + x[0] * z->channels,
                image + y[1] * row_floats + x[1] * z->channels,
            };
            blend(pixels, weights, z->channels, dst);
        }
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const resizer *state = kernel->state;
    job work = {state, inputs[0], outputs[0]};

    (void)scratch;
    (void)error;
    if (outputs[0])
        ltap_parallel_for(state->threads, state->batch * state->out_h,
                          state->nearest ? 8192 / (state->out_w * state->channels) + 1 : 1,
                          state->nearest ? copy_rows : resize_rows, &work);
    return LTAP_OK;
}

const ltap_impl ltap_impl_simd_resize = {
    .op = "Resize",
    .name = "simd:resize",
    .accepts = accepts,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
