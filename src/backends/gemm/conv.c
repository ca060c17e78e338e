/* Conv of two spatial axes as a matrix product, channels last: a row of the left side is the pixels
 * that an output pixel sees, read where they lie. Sums run in one order, whatever the threads and
 * the batch.
 *
 * A picture of few channels is copied with its padding first: then a whole line of the kernel is
 * one stretch of memory, and is taken as one tap.
 */
#include "backends/gemm/rows.h"
#include "backends/gemm/work.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/window.h"

#include <string.h>

enum { FEW_CHANNELS = 8 };

typedef struct conv {
    ltap_window window; /* as the products see it: of a copied picture, a line is one tap */
    int64_t images, channels;
    int64_t picture[2], begin[2]; /* what is copied: its size, its place in the copy */
    bool copied, padded, has_bias;
    uint64_t copy_bytes;
    ltap_work work;
    float *zeros; /* a pixel of padding */
} conv;

bool ltap_gemm_conv_fits(const ltap_query *query, ltap_why *why)
{
    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].dtype != LTAP_FLOAT32 && query->inputs[i].dtype != LTAP_UNDEFINED)
            return ltap_refuse(why, "not float32");
    if (!query->inputs[1].data)
        return ltap_refuse(why, "its weights are computed");
    if (query->inputs[0].rank != 4 || ltap_node_int(query->node, "group", 1) != 1)
        return ltap_refuse(why, "not two spatial axes in one group");
    if (ltap_tensor_count(&query->outputs[0]) == 0 || ltap_tensor_count(&query->inputs[0]) == 0)
        return ltap_refuse(why, "empty");
    return true;
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    ltap_window w;

    if (query->exact)
        return ltap_refuse(why, "not for exact mode, which adds up in double");
    if (!ltap_gemm_conv_fits(query, why))
        return false;
    if (ltap_window_read(query->node, &query->inputs[0], &query->inputs[1], &w, NULL) != LTAP_OK)
        return ltap_refuse(why, "its attributes do not fit");
    return true;
}

/* Whether the picture is copied with its padding. */
static bool is_copied(const ltap_query *query)
{
    const ltap_tensor *weights = &query->inputs[1];
    const ltap_attr *dilations = ltap_node_attr(query->node, "dilations");

    return weights->dims[1] <= FEW_CHANNELS && weights->dims[3] > 1 &&
           (!dilations || dilations->u.ints[1] == 1);
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    in[0] = is_copied(query) ? LTAP_LAYOUT_PLAIN : LTAP_LAYOUT_CHANNELS_LAST;
    out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

/* The window on the copy: no padding, and one tap a line. */
static void see_copy(conv *s)
{
    ltap_window *w = &s->window;

    for (int i = 0; i < 2; i++) {
        s->picture[i] = w->in[i + 1];
        s->begin[i] = w->begin[i + 1];
        w->in[i + 1] = (w->out[i + 1] - 1) * w->stride[i + 1] +
                       (w->kernel[i + 1] - 1) * w->dilation[i + 1] + 1;
        w->begin[i + 1] = 0;
    }
    w->kernel[2] = 1;
}

static void size_work(const ltap_query *query, conv *s)
{
    const ltap_window *w = &s->window;
    int64_t depth = s->channels * (s->copied ? query->inputs[1].dims[3] : 1);
    ltap_work_size size = {.rows = s->images * w->out[1] * w->out[2],
                           .taps = w->kernel[1] * w->kernel[2],
                           .depth = depth,
                           .columns = query->outputs[0].dims[1]};

    size.row_bytes = s->channels * w->stride[1] * w->stride[2] * (int64_t)sizeof(float);
    ltap_work_init(query, &size, &s->work);
}

static void release(ltap_kernel *kernel, ltap_memory *memory)
{
    ltap_memory_release(memory, kernel->state);
    kernel->state = NULL;
}

/* Scratch: the copy, then the pointers. */
static bool measure(conv *s, uint64_t *scratch)
{
    const ltap_window *w = &s->window;
    uint64_t copy = 0;

    if (s->copied &&
        (!ltap_checked_mul((uint64_t)s->images * sizeof(float), (uint64_t)s->channels, &copy) ||
         !ltap_checked_mul(copy, (uint64_t)w->in[1], &copy) ||
         !ltap_checked_mul(copy, (uint64_t)w->in[2], &copy) ||
         !ltap_checked_round_up(copy, LTAP_ALIGNMENT, &copy)))
        return false;
    s->copy_bytes = copy;
    return ltap_checked_add(copy, ltap_work_scratch(&s->work), scratch);
}

static ltap_status pack(const ltap_query *query, conv *s, ltap_error *error)
{
    const ltap_tensor *weights = &query->inputs[1];
    int64_t height = weights->dims[2], width = weights->dims[3];
    ltap_panels_source source = {.src = weights->data,
                                 .column = s->channels * height * width,
                                 .tap = s->copied ? width : 1,
                                 .depth = height * width,
                                 .inner = s->channels,
                                 .outer = 1};

    return ltap_work_pack(query, &source, &s->work, error);
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    uint64_t pixel = (uint64_t)query->inputs[0].dims[1] * sizeof(float);
    ltap_status status = LTAP_OK;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(conv) + pixel, "a kernel",
                                     &kernel->state, error));
    conv *s = kernel->state;
    kernel->state_bytes = sizeof(conv) + pixel;
    s->zeros = (float *)(s + 1);
    s->images = query->inputs[0].dims[0];
    s->channels = query->inputs[0].dims[1];
    s->copied = is_copied(query);
    s->has_bias = query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED;
    LTAP_GO(ltap_window_read(query->node, &query->inputs[0], &query->inputs[1], &s->window, error));
    s->padded = s->window.begin[1] || s->window.begin[2] || s->window.end[1] || s->window.end[2];
    if (s->copied)
        see_copy(s);
    size_work(query, s);
    LTAP_GO(pack(query, s, error));
    if (!measure(s, &kernel->scratch_bytes))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_MEMORY, "its working memory is too large"));
    kernel->packed_inputs = 1u << 1;
    kernel->detail = s->work.panels.tiles->name;
done:
    if (status != LTAP_OK)
        release(kernel, query->memory);
    return status;
}

/* What a run reads. */
typedef struct pictures {
    const conv *state;
    const float *src; /* as the products see it */
    const float *given;
    float *copy;
} pictures;

/* Lines of the copy: pixels side by side, padding around. */
static void copy_lines(void *context, int64_t first, int64_t last)
{
    const pictures *p = context;
    const conv *s = p->state;
    const ltap_window *w = &s->window;
    int64_t height = s->picture[0], width = s->picture[1], channels = s->channels;
    int64_t live = w->in[2] - s->begin[1] < width ? w->in[2] - s->begin[1] : width;

    for (int64_t line = first; line < last; line++) {
        int64_t image = line / w->in[1], y = line % w->in[1] - s->begin[0];
        float *to = p->copy + line * w->in[2] * channels;
        memset(to, 0, (size_t)(w->in[2] * channels) * sizeof(float));
        if (y < 0 || y >= height)
            continue;
        for (int64_t c = 0; c < channels; c++) {
            const float *from = p->given + ((image * channels + c) * height + y) * width;
            for (int64_t x = 0; x < live; x++)
                to[(s->begin[1] + x) * channels + c] = from[x];
        }
    }
}

/* Output pixels side by side. */
typedef struct stretch {
    int64_t image, y, x, count;
} stretch;

/* What they see through taps, `step` pointers from one tap to the next. */
static void point_stretch(const pictures *p, const stretch *at, int64_t step, const float **to)
{
    const conv *s = p->state;
    const ltap_window *w = &s->window;

    for (int64_t ky = 0; ky < w->kernel[1]; ky++) {
        int64_t y = ltap_window_at(w, 1, at->y, ky);
        bool there = y >= 0 && y < w->in[1];
        const float *line =
            p->src + (at->image * w->in[1] + (there ? y : 0)) * w->in[2] * s->channels;
        for (int64_t kx = 0; kx < w->kernel[2]; kx++, to += step) {
            int64_t x = ltap_window_at(w, 2, at->x, kx);
            for (int64_t i = 0; i < at->count; i++, x += w->stride[2])
                to[i] = there && x >= 0 && x < w->in[2] ? line + x * s->channels : s->zeros;
        }
    }
}

/* A tap that sees nothing but padding is left out. */
static void leave_out(const conv *s, int64_t n_rows, const float **to)
{
    for (int64_t tap = 0; tap < s->work.panels.taps; tap++, to += n_rows) {
        bool empty = true;
        for (int64_t r = 0; r < n_rows; r++)
            empty = empty && to[r] == s->zeros;
        if (empty)
            to[0] = NULL;
    }
}

static void start_line(const ltap_window *w, stretch *at)
{
    at->x = 0;
    at->y++;
    if (at->y == w->out[1]) {
        at->y = 0;
        at->image++;
    }
}

static void point(const void *context, int64_t first, const ltap_blocks *blocks,
                  const float **pointers)
{
    const pictures *p = context;
    const ltap_window *w = &p->state->window;
    int64_t taps = p->state->work.panels.taps, width = w->out[2], line = first / width;
    stretch at = {line / w->out[1], line % w->out[1], first % width, 0};

    for (int64_t b = 0; b < blocks->count; b++) {
        int64_t begin = ltap_blocks_begin(blocks, b), end = ltap_blocks_begin(blocks, b + 1);
        const float **to = pointers + begin * taps;
        for (int64_t r = begin; r < end; r += at.count, at.x += at.count) {
            if (at.x == width)
                start_line(w, &at);
            at.count = end - r < width - at.x ? end - r : width - at.x;
            point_stretch(p, &at, end - begin, to + r - begin);
        }
        if (p->state->padded)
            leave_out(p->state, end - begin, to);
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const conv *s = kernel->state;
    pictures p = {
        .state = s, .src = s->copied ? scratch : inputs[0], .given = inputs[0], .copy = scratch};
    ltap_work_job job = {.work = &s->work,
                         .point = point,
                         .context = &p,
                         .inputs = inputs,
                         .bias = s->has_bias ? inputs[2] : NULL,
                         .dst = outputs[0],
                         .scratch = (char *)scratch + s->copy_bytes};

    (void)error;
    if (s->copied)
        ltap_parallel_for(s->work.threads, s->images * s->window.in[1], 16, copy_lines, &p);
    ltap_work_run(&job);
    return LTAP_OK;
}

const ltap_impl ltap_gemm_conv = {
    .op = "Conv",
    .name = "gemm:conv",
    .chains = true,
    .accepts = accepts,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = release,
};
