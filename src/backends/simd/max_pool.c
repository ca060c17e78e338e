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
#include <string.h>

enum { WIDE = 64, MIDDLE = 16, NARROW = 8 };

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
    if (!ltap_layout_applies(query->inputs[0].rank))
        return ltap_refuse(why, "not one to three spatial axes");
    if (query->exact && query->inputs[0].rank != 4)
        return ltap_refuse(why, "exact mode keeps it plain");
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

/* The part of a window that lies in the input, as pixels from `first` on. */
typedef struct patch {
    const float *first;
    int64_t planes, rows, columns;                  /* at least one of each, unless planes is 0 */
    int64_t plane_stride, row_stride, pixel_stride; /* in floats */
} patch;

/* As the plain kernel compares: NaN comes through, the first of equals stays. */
LTAP_VECTOR_INLINE float larger(float most, float x)
{
    float larger = x > most ? x : most;
    return x != x ? x : larger;
}

/* A short loop that is unrolled first would not become one vector. */
LTAP_VECTOR_INLINE void take_pixel(float *most, const float *src, int width)
{
    if (width == WIDE)
        for (int i = 0; i < width; i++)
            most[i] = larger(most[i], src[i]);
    else
#pragma GCC unroll 1
        for (int i = 0; i < width; i++)
            most[i] = larger(most[i], src[i]);
}

/* Channels that stay in registers. */
LTAP_VECTOR_INLINE void pool_block(const patch *p, const float *first, int width, float *dst)
{
    float most[WIDE];

    for (int i = 0; i < width; i++)
        most[i] = -INFINITY;
    for (int64_t plane = 0; plane < p->planes; plane++) {
        for (int64_t row = 0; row < p->rows; row++) {
            const float *src = first + plane * p->plane_stride + row * p->row_stride;
            for (int64_t column = 0; column < p->columns; column++, src += p->pixel_stride)
                take_pixel(most, src, width);
        }
    }
    memcpy(dst, most, (size_t)width * sizeof(float));
}

/* The last block of a width overlaps the one before it where it does not fit in. */
LTAP_VECTOR_CLONES
static void pool_channels(const patch *p, int64_t channels, float *dst)
{
    int64_t c = 0;

    for (; c + WIDE <= channels; c += WIDE)
        pool_block(p, p->first + c, WIDE, dst + c);
    for (; c + MIDDLE <= channels; c += MIDDLE)
        pool_block(p, p->first + c, MIDDLE, dst + c);
    for (; c < channels && channels >= NARROW; c += NARROW) {
        c = c + NARROW <= channels ? c : channels - NARROW;
        pool_block(p, p->first + c, NARROW, dst + c);
    }
    for (; c < channels; c++)
        pool_block(p, p->first + c, 1, dst + c);
}

/* Window indices of an axis that meet the input: *first is where the first of them is in the input,
 * the result how many there are. */
static int64_t clip_window(const ltap_window *w, int axis, int64_t o, int64_t *first)
{
    int64_t start = ltap_window_at(w, axis, o, 0), step = w->dilation[axis], k = 0, end;

    while (k < w->kernel[axis] && start + k * step < 0)
        k++;
    for (end = w->kernel[axis]; end > k && start + (end - 1) * step >= w->in[axis];)
        end--;
    *first = start + k * step;
    return end - k;
}

/* Rows of all planes and images. */
static void pool_rows(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const max_pool *state = work->state;
    const ltap_window *w = &state->window;
    int64_t channels = state->channels, line = w->in[2] * channels, z, y, x;
    patch p = {.plane_stride = w->dilation[0] * w->in[1] * line,
               .row_stride = w->dilation[1] * line,
               .pixel_stride = w->dilation[2] * channels};

    for (int64_t row = first; row < last; row++) {
        int64_t plane = row / w->out[1], image = plane / w->out[0];
        float *dst = work->dst + row * w->out[2] * channels;
        int64_t planes = clip_window(w, 0, plane % w->out[0], &z);
        p.rows = clip_window(w, 1, row % w->out[1], &y);
        for (int64_t o = 0; o < w->out[2]; o++, dst += channels) {
            p.columns = clip_window(w, 2, o, &x);
            p.planes = p.rows && p.columns ? planes : 0;
            p.first = work->src;
            if (p.planes)
                p.first += ((image * w->in[0] + z) * w->in[1] + y) * line + x * channels;
            pool_channels(&p, channels, dst);
        }
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const max_pool *state = kernel->state;
    job work = {state, inputs[0], outputs[0]};

    if (work.dst)
        ltap_parallel_for(state->threads,
                          state->images * state->window.out[0] * state->window.out[1], 1, pool_rows,
                          &work);
    return LTAP_OK;
}

const ltap_impl ltap_impl_simd_max_pool = {
    .op = "MaxPool",
    .name = "simd:max_pool",
    .accepts = accepts,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
