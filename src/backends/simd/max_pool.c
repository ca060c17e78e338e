/* MaxPool, channels last: each output pixel's channels are compared with those of its window's
 * pixels, side by side.
 *
 * oneDNN's own drops NaN and raises -Inf to the lowest finite number, which PyTorch does not. Here
 * the comparisons are those of the plain kernel, in its order, so the bits are its bits.
 */
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"
#include "ops/window.h"

#include <math.h>

typedef struct max_pool {
    ltap_window window;
    int64_t images, channels;
    int threads;
} max_pool;

typedef struct job {
    const max_pool *state;
    const float *src;
    float *dst;
} job;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    if (query->inputs[0].rank != 4)
        return ltap_refuse(why, "not two spatial axes");
    if (query->inputs[0].dtype != LTAP_FLOAT32)
        return ltap_refuse(why, "not float32");
    if (query->inputs[0].data)
        return ltap_refuse(why, "its input is constant");
    if (query->n_outputs > 1 && query->node->outputs[1] != LTAP_NO_VALUE)
        return ltap_refuse(why, "its indices are wanted");
    return true;
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    in[0] = LTAP_LAYOUT_CHANNELS_LAST;
    out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *x = &query->inputs[0];
    ltap_window window;
    void *block;

    LTAP_TRY(ltap_window_read(query->node, x, NULL, &window, error));
    LTAP_TRY(
        ltap_memory_take_zeroed(query->memory, 1, sizeof(max_pool), "a kernel", &block, error));
    max_pool *state = block;
    *state = (max_pool){
        .window = window, .images = x->dims[0], .channels = x->dims[1], .threads = query->threads};
    kernel->state = state;
    kernel->state_bytes = sizeof(max_pool);
    kernel->detail = "";
    return LTAP_OK;
}

static void take_pixel(const float *src, float *dst, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        dst[c] = src[c] > dst[c] || src[c] != src[c] ? src[c] : dst[c];
}

/* Output pixel (y, x) of an image that begins at src. */
static void pool_pixel(const max_pool *state, const float *src, int64_t y, int64_t x, float *dst)
{
    const ltap_window *w = &state->window;

    for (int64_t c = 0; c < state->channels; c++)
        dst[c] = -INFINITY;
    for (int64_t k = 0; k < w->kernel[1] * w->kernel[2]; k++) {
        int64_t row = ltap_window_at(w, 1, y, k / w->kernel[2]);
        int64_t column = ltap_window_at(w, 2, x, k % w->kernel[2]);
        if (row >= 0 && row < w->in[1] && column >= 0 && column < w->in[2])
            take_pixel(src + (row * w->in[2] + column) * state->channels, dst, state->channels);
    }
}

/* Rows of all images. */
static void pool_rows(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const max_pool *state = work->state;
    const ltap_window *w = &state->window;

    for (int64_t row = first; row < last; row++) {
        const float *src = work->src + row / w->out[1] * w->in[1] * w->in[2] * state->channels;
        float *dst = work->dst + row * w->out[2] * state->channels;
        for (int64_t x = 0; x < w->out[2]; x++)
            pool_pixel(state, src, row % w->out[1], x, dst + x * state->channels);
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const max_pool *state = kernel->state;
    job work = {state, inputs[0], outputs[0]};

    if (work.dst)
        ltap_parallel_for(state->threads, state->images * state->window.out[1], 1, pool_rows,
                          &work);
    return LTAP_OK;
}

static void release(ltap_kernel *kernel, ltap_memory *memory)
{
    ltap_memory_release(memory, kernel->state);
}

const ltap_impl ltap_impl_simd_max_pool = {
    .op = "MaxPool",
    .name = "simd:max_pool",
    .accepts = accepts,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = release,
};
