/* Conv of one to three spatial axes as a matrix product, channels last: a row of the left side is
 * the pixels that an output pixel sees, read where they lie. Sums run in one order, whatever the
 * threads and the batch. Groups are products side by side.
 *
 * A picture of few channels is copied with its padding first: then a whole line of the kernel is
 * one stretch of memory, and is taken as one tap.
 */
#include "backends/gemm/pairs.h"
#include "backends/gemm/pixels.h"
#include "backends/gemm/rows.h"
#include "backends/gemm/work.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/window.h"

#include <string.h>

enum { FEW_CHANNELS = 8 };
/* So many channels and filters of a group pay for their conversion to bfloat16, and fill vectors of
 * their own. */
enum { FEW_PAIRED = 16 };

typedef struct conv {
    ltap_pixels pixels; /* as the products see them: of a copied picture, a line is one tap */
    int64_t images, channels;
    int64_t picture[LTAP_WINDOW_AXES], begin[LTAP_WINDOW_AXES]; /* what is copied: its size, its
                                                                   place in the copy */
    bool copied, from_last, has_bias; /* from_last: what is copied lies channels last */
    bool pairs; /* of bfloat16: the whole picture is converted first; channels count pairs then */
    uint64_t copy_bytes;
    ltap_work work;
} conv;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    ltap_window w;

    if (query->exact)
        return ltap_refuse(why, "not for exact mode, which adds up in double");
    return ltap_gemm_conv_fits(query, &w, why);
}

/* Whether the picture is copied with its padding. */
static bool is_copied(const ltap_query *query)
{
    const ltap_tensor *weights = &query->inputs[1];
    const ltap_attr *dilations = ltap_node_attr(query->node, "dilations");

    int last = weights->rank - 1;

    return query->inputs[0].dims[1] <= FEW_CHANNELS && weights->dims[last] > 1 &&
           weights->dims[1] == query->inputs[0].dims[1] &&
           (!dilations || dilations->u.ints[last - 2] == 1);
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    bool plain = is_copied(query) && !ltap_query_lies_last(query, 0);

    in[0] = plain ? LTAP_LAYOUT_PLAIN : LTAP_LAYOUT_CHANNELS_LAST;
    out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

/* The window on the copy: no padding, and one tap a line. */
static void see_copy(conv *s)
{
    ltap_window *w = &s->pixels.window;

    for (int i = 0; i < LTAP_WINDOW_AXES; i++) {
        s->picture[i] = w->in[i];
        s->begin[i] = w->begin[i];
        w->in[i] = (w->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1;
        w->begin[i] = 0;
    }
    w->kernel[2] = 1;
}

static void size_work(const ltap_query *query, conv *s)
{
    const ltap_window *w = &s->pixels.window;
    int64_t groups = ltap_node_int(query->node, "group", 1);
    const ltap_tensor *weights = &query->inputs[1];
    int64_t depth = s->channels / groups * (s->copied ? weights->dims[weights->rank - 1] : 1);
    ltap_work_size size = {.rows = s->images * w->out[0] * w->out[1] * w->out[2],
                           .taps = s->pixels.taps,
                           .depth = depth,
                           .columns = query->outputs[0].dims[1] / groups,
                           .groups = groups,
                           .pairs = s->pairs};

    int64_t planes = w->kernel[0] > w->stride[0] ? w->kernel[0] : w->stride[0];
    size.plane = w->kernel[0] > 1 && w->out[0] > 1 ? w->out[1] * w->out[2] : 0;
    size.row_bytes = s->channels * planes * w->stride[1] * w->stride[2] * (int64_t)sizeof(float);
    ltap_work_init(query, &size, &s->work);
}

/* Scratch: the copy or the pairs, then the pointers. */
static bool measure(conv *s, uint64_t *scratch)
{
    const ltap_window *w = &s->pixels.window;
    uint64_t copy = 0;

    if ((s->copied || s->pairs) &&
        (!ltap_checked_mul((uint64_t)s->images * sizeof(float), (uint64_t)s->channels, &copy) ||
         !ltap_checked_mul(copy, (uint64_t)w->in[0], &copy) ||
         !ltap_checked_mul(copy, (uint64_t)w->in[1], &copy) ||
         !ltap_checked_mul(copy, (uint64_t)w->in[2], &copy) ||
         !ltap_checked_round_up(copy, LTAP_ALIGNMENT, &copy)))
        return false;
    s->copy_bytes = copy;
    return ltap_checked_add(copy, ltap_work_scratch(&s->work), scratch);
}

static ltap_status pack(const ltap_query *query, conv *s, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *weights = &query->inputs[1];
    int64_t width = s->copied ? weights->dims[weights->rank - 1] : 1;
    ltap_panels_source source = {.src = weights->data,
                                 .column = weights->dims[1] * s->pixels.taps * width,
                                 .tap = width,
                                 .depth = s->pixels.taps * width,
                                 .inner = weights->dims[1],
                                 .outer = 1};

    return ltap_work_pack(query, &source, &s->work, kernel, error);
}

static ltap_status make(const ltap_query *query, bool pairs, ltap_kernel *kernel, ltap_error *error)
{
    uint64_t pixel = (uint64_t)query->inputs[0].dims[1] * sizeof(float);
    ltap_status status = LTAP_OK;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(conv) + pixel, "a kernel",
                                     &kernel->state, error));
    conv *s = kernel->state;
    kernel->state_bytes = sizeof(conv) + pixel;
    s->pixels.zeros = (float *)(s + 1);
    s->images = query->inputs[0].dims[0];
    s->channels = query->inputs[0].dims[1] / (pairs ? 2 : 1);
    s->pairs = pairs;
    s->copied = !pairs && is_copied(query);
    s->from_last = ltap_query_lies_last(query, 0);
    s->has_bias = ltap_gemm_has_bias(query);
    LTAP_GO(ltap_window_read(query->node, &query->inputs[0], &query->inputs[1], &s->pixels.window,
                             error));
    if (s->copied)
        see_copy(s);
    s->pixels.channels = s->channels;
    const ltap_window *w = &s->pixels.window;
    s->pixels.taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    size_work(query, s);
    LTAP_GO(pack(query, s, kernel, error));
    if (!measure(s, &kernel->scratch_bytes))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_MEMORY, "its working memory is too large"));
    kernel->packed_inputs = 1u << 1;
    kernel->detail = s->work.panels.tiles->name;
done:
    if (status != LTAP_OK)
        ltap_kernel_release(kernel, query->memory);
    return status;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    return make(query, false, kernel, error);
}

/* What a run reads. */
typedef struct pictures {
    const conv *state;
    const float *given;
    float *copy;
} pictures;

/* Pixels of line (z, y) of an image, side by side. */
static void copy_line(const pictures *p, int64_t image, int64_t line, int64_t count, float *to)
{
    const conv *s = p->state;
    int64_t width = s->picture[2], channels = s->channels;
    int64_t lines = s->picture[0] * s->picture[1], plane = lines * width;

    if (s->from_last)
        memcpy(to, p->given + (image * lines + line) * width * channels,
               (size_t)(count * channels) * sizeof(float));
    else
        ltap_pixels_interleave(p->given + image * channels * plane + line * width, plane, channels,
                               count, to);
}

/* Lines of the copy, with padding around. */
static void copy_lines(void *context, int64_t first, int64_t last)
{
    const pictures *p = context;
    const conv *s = p->state;
    const ltap_window *w = &s->pixels.window;
    int64_t depth = s->picture[0], height = s->picture[1], room = w->in[2] - s->begin[2];
    int64_t live = room < s->picture[2] ? room : s->picture[2], floats = w->in[2] * s->channels;

    for (int64_t line = first; line < last; line++) {
        int64_t y = line % w->in[1] - s->begin[1], plane = line / w->in[1];
        int64_t z = plane % w->in[0] - s->begin[0];
        float *to = p->copy + line * floats;
        memset(to, 0, (size_t)floats * sizeof(float));
        if (z >= 0 && z < depth && y >= 0 && y < height && live > 0)
            copy_line(p, plane / w->in[0], z * height + y, live, to + s->begin[2] * s->channels);
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const conv *s = kernel->state;
    const ltap_window *w = &s->pixels.window;
    pictures p = {.state = s, .given = inputs[0], .copy = scratch};
    ltap_pixels_source source = {&s->pixels, s->copied || s->pairs ? scratch : inputs[0]};
    ltap_work_job job = {.work = &s->work,
                         .point = ltap_pixels_point,
                         .context = &source,
                         .inputs = inputs,
                         .bias = s->has_bias ? inputs[2] : NULL,
                         .outputs = outputs,
                         .scratch = (char *)scratch + s->copy_bytes};

    (void)error;
    if (s->copied)
        ltap_parallel_for(s->work.threads, s->images * w->in[0] * w->in[1], 16, copy_lines, &p);
    if (s->pairs)
        ltap_pairs_convert(inputs[0], 2 * s->images * s->channels * w->in[0] * w->in[1] * w->in[2],
                           scratch, s->work.threads);
    ltap_work_run(&job);
    return LTAP_OK;
}

const ltap_impl ltap_gemm_conv = {
    .op = "Conv",
    .name = "gemm:conv",
    .chains = true,
    .apart = true,
    .loose = 1u << 1,
    .accepts = accepts,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};

static bool accepts_pairs(const ltap_query *query, ltap_why *why)
{
    ltap_window w;
    int64_t groups = ltap_node_int(query->node, "group", 1), depth, filters;

    if (!ltap_pairs_wanted(query, why) || !ltap_gemm_conv_fits(query, &w, why))
        return false;
    depth = query->inputs[1].dims[1];
    filters = query->outputs[0].dims[1] / groups;
    if (depth % 2 != 0)
        return ltap_refuse(why, "an odd number of channels");
    if (depth < FEW_PAIRED || filters < FEW_PAIRED)
        return ltap_refuse(why, "few channels: converting them costs more");
    return true;
}

static ltap_status prepare_pairs(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    return make(query, true, kernel, error);
}

const ltap_impl ltap_bf16_conv = {
    .op = "Conv",
    .name = "bf16:conv",
    .chains = true,
    .apart = true,
    .loose = 1u << 1,
    .accepts = accepts_pairs,
    .layouts = ltap_gemm_layouts,
    .prepare = prepare_pairs,
    .run = run,
    .release = ltap_kernel_release,
};
