/* Conv in which each channel has a filter of its own, channels last.
 *
 * Threads share the lines of the output out among them, or the pixels of few lines; the chain that
 * follows is done on a part of them before they leave the cache. Padding is never multiplied.
 */
#include "backends/gemm/depthwise_block.h"
#include "backends/gemm/rows.h"
#include "backends/simd/links.h"
#include "base/error.h"
#include "base/parallel.h"

#include <stdio.h>

/* CHUNK_BYTES: pixels in and out that are worked on together. LEAST_WORK: multiply-adds that are
 * worth a thread. FEW_LINES: of fewer for each thread, lines are cut. */
enum { CHUNK_BYTES = 256 << 10, LEAST_WORK = 100000, FEW_LINES = 3 };

typedef struct depthwise {
    ltap_window window;
    int64_t channels, lines, chunk;  /* lines of all images; pixels of them at a time */
    int64_t inner_first, inner_last; /* pixels of a line that see no padding beside them */
    int threads;
    bool has_bias;
    size_t n_inputs;
    const float *packed;
    ltap_links chain;
} depthwise;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    ltap_window w;
    int64_t channels;

    if (query->exact)
        return ltap_refuse(why, "not for exact mode, which adds up in double");
    if (!ltap_gemm_conv_fits(query, &w, why))
        return false;
    channels = query->inputs[0].dims[1];
    if (!ltap_gemm_is_flat(&w))
        return ltap_refuse(why, "not in one or two axes");
    if (ltap_node_int(query->node, "group", 1) != channels || query->outputs[0].dims[1] != channels)
        return ltap_refuse(why, "not one filter a channel");
    return channels >= LTAP_DEPTHWISE_LANES || ltap_refuse(why, "fewer than 16 channels");
}

typedef struct filling {
    const float *weights; /* [channels, taps] */
    int64_t channels, taps;
} filling;

static ltap_status fill(void *context, void *packed, ltap_error *error)
{
    const filling *f = context;
    float *to = packed;

    (void)error;
    for (int64_t tap = 0; tap < f->taps; tap++)
        for (int64_t c = 0; c < f->channels; c++)
            to[tap * f->channels + c] = f->weights[c * f->taps + tap];
    return LTAP_OK;
}

static ltap_status pack(const ltap_query *query, depthwise *s, ltap_error *error)
{
    const ltap_window *w = &s->window;
    filling f = {query->inputs[1].data, s->channels, w->kernel[1] * w->kernel[2]};
    const void *packed;

    LTAP_TRY(ltap_packs_get(query->packs, query->identities[1], "depthwise",
                            ltap_tensor_bytes(&query->inputs[1]), fill, &f, &packed, error));
    s->packed = packed;
    return LTAP_OK;
}

static void cut(const ltap_query *query, depthwise *s)
{
    const ltap_window *w = &s->window;
    int64_t line = (w->in[2] * w->stride[1] + w->out[2]) * s->channels * (int64_t)sizeof(float);
    int64_t parts = line / CHUNK_BYTES + 1;
    double work = (double)ltap_tensor_count(&query->outputs[0]) * (double)w->kernel[1] *
                  (double)w->kernel[2] / LEAST_WORK;

    s->lines = query->outputs[0].dims[0] * w->out[0] * w->out[1];
    s->chunk = parts > 1 ? (w->out[2] - 1) / parts + 1 : CHUNK_BYTES / line * w->out[2];
    s->threads = work < query->threads ? (int)work : query->threads;
    s->threads = s->threads < 1 ? 1 : s->threads;
    s->inner_last = w->out[2];
    for (int64_t kx = 0; kx < w->kernel[2]; kx++)
        ltap_window_clip(w, 2, kx, &s->inner_first, &s->inner_last);
    if (s->inner_last <= s->inner_first)
        s->inner_first = s->inner_last = w->out[2];
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    ltap_status status = LTAP_OK;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(depthwise), "a kernel",
                                     &kernel->state, error));
    depthwise *s = kernel->state;
    kernel->state_bytes = sizeof *s;
    s->channels = query->inputs[0].dims[1];
    s->n_inputs = query->n_inputs;
    s->has_bias = ltap_gemm_has_bias(query);
    ltap_links_after(query, &s->chain);
    LTAP_GO(ltap_window_read(query->node, &query->inputs[0], &query->inputs[1], &s->window, error));
    cut(query, s);
    LTAP_GO(pack(query, s, error));
    kernel->packed_inputs = 1u << 1;
    kernel->detail = "vectors";
done:
    if (status != LTAP_OK)
        ltap_kernel_release(kernel, query->memory);
    return status;
}

typedef struct job {
    const depthwise *state;
    const void *const *inputs;
    void *const *outputs;
} job;

/* Taps of an axis that are inside for output index o. */
static void clip_taps(const ltap_window *w, int axis, int64_t o, int64_t *first, int64_t *count)
{
    int64_t last = w->kernel[axis];

    *first = 0;
    while (*first < last && ltap_window_at(w, axis, o, *first) < 0)
        ++*first;
    while (last > *first && ltap_window_at(w, axis, o, last - 1) >= w->in[axis])
        last--;
    *count = last - *first;
}

/* Pixels [x, x + count) of a line, which all see the same taps; b has the taps of the line. */
static void sum_stretch(const depthwise *s, const ltap_depthwise_block *line, int64_t x,
                        int64_t count)
{
    const ltap_window *w = &s->window;
    ltap_depthwise_block b = *line;
    int64_t kx;

    clip_taps(w, 2, x, &kx, &b.width);
    b.src += ltap_window_at(w, 2, x, kx) * s->channels;
    b.weights += kx * s->channels;
    b.dst += x * s->channels;
    b.count = count;
    if (b.width == 0) {
        b.height = 0;
        b.src = line->src;
    }
    ltap_depthwise_sum(&b);
}

/* Pixels [first, last) of a line. */
static void sum_line(const job *work, int64_t line, int64_t first, int64_t last)
{
    const depthwise *s = work->state;
    const ltap_window *w = &s->window;
    int64_t image = line / w->out[1], y = line % w->out[1], ky;
    ltap_depthwise_block b = {.pixel = w->stride[2] * s->channels,
                              .line = w->dilation[1] * w->in[2] * s->channels,
                              .tap = w->dilation[2] * s->channels,
                              .weights = s->packed,
                              .weights_line = w->kernel[2] * s->channels,
                              .channels = s->channels,
                              .bias = s->has_bias ? work->inputs[2] : NULL,
                              .dst = (float *)work->outputs[0] + line * w->out[2] * s->channels};

    clip_taps(w, 1, y, &ky, &b.height);
    b.src = (const float *)work->inputs[0] + image * w->in[1] * w->in[2] * s->channels;
    if (b.height > 0)
        b.src += ltap_window_at(w, 1, y, ky) * w->in[2] * s->channels;
    b.weights += ky * b.weights_line;
    for (; first < last && first < s->inner_first; first++)
        sum_stretch(s, &b, first, 1);
    int64_t end = last < s->inner_last ? last : s->inner_last;
    if (first < end)
        sum_stretch(s, &b, first, end - first);
    for (first = first < end ? end : first; first < last; first++)
        sum_stretch(s, &b, first, 1);
}

/* Pixels of all lines. */
static void run_pixels(const job *work, int64_t first, int64_t last)
{
    const depthwise *s = work->state;
    int64_t width = s->window.out[2];

    while (first < last) {
        int64_t end = last - first < s->chunk ? last : first + s->chunk, next;
        for (int64_t at = first; at < end; at = next) {
            int64_t line = at / width;
            next = (line + 1) * width < end ? (line + 1) * width : end;
            sum_line(work, line, at % width, next - line * width);
        }
        ltap_links_finish_part(&s->chain, work->inputs, s->n_inputs, work->outputs,
                               first * s->channels, end * s->channels);
        first = end;
    }
}

/* Where the share of thread `index` begins: with a line, where there are many. */
static int64_t begin_share(const depthwise *s, int64_t index)
{
    int64_t width = s->window.out[2];

    if (s->lines >= (int64_t)s->threads * FEW_LINES)
        return s->lines * index / s->threads * width;
    return s->lines * width * index / s->threads;
}

static void run_shares(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const depthwise *s = work->state;

    for (int64_t i = first; i < last; i++)
        run_pixels(work, begin_share(s, i), begin_share(s, i + 1));
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const depthwise *s = kernel->state;
    job work = {s, inputs, outputs};

    (void)scratch;
    (void)error;
    ltap_parallel_for(s->threads, s->threads, 1, run_shares, &work);
    return LTAP_OK;
}

const ltap_impl ltap_gemm_depthwise = {
    .op = "Conv",
    .name = "gemm:depthwise",
    .chains = true,
    .accepts = accepts,
    .layouts = ltap_gemm_layouts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
