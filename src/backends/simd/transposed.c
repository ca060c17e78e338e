/* ConvTranspose as products: each input pixel times the weights of every output channel and window
 * index, then added where that index puts it.
 *
 * A thread takes a few output channels at a time: their products lie in its part of the scratch
 * memory, from which the channels' planes are put together. Each product is summed in the order of
 * the input's channels, each output in the order of window indices, so the bits depend on nothing
 * else. Plain layout.
 */
#include "backends/simd/product.h"
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"
#include "ops/window.h"

enum { LEAST_ROWS = 32 }; /* of a product, for the sake of laying out its right side */

typedef struct transposed {
    ltap_window window;             /* in: of the output; out: of the input */
    int64_t images, groups, in, to; /* in, to: channels of a group */
    int64_t taps, plane, out_plane; /* plane: of the input */
    int64_t together, units;        /* output channels at a time; how often, in all groups */
    int threads;
    const float *packed; /* [groups][to * taps][in] */
    bool has_bias;
} transposed;

typedef struct job {
    const transposed *state;
    const float *src, *bias;
    float *dst, *scratch;
} job;

static ltap_status read_window(const ltap_query *query, ltap_window *window, ltap_error *error)
{
    const ltap_call call = {
        .node = query->node, .inputs = query->inputs, .n_inputs = query->n_inputs, .threads = 1};
    return ltap_window_read_transposed(&call, window, error);
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    if (query->exact)
        return ltap_refuse(why, "not in exact mode");
    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].dtype != LTAP_FLOAT32 && query->inputs[i].dtype != LTAP_UNDEFINED)
            return ltap_refuse(why, "not float32");
    if (!query->inputs[1].data)
        return ltap_refuse(why, "its weights are computed");
    if (ltap_tensor_count(&query->inputs[0]) == 0 || ltap_tensor_count(&query->outputs[0]) == 0)
        return ltap_refuse(why, "empty");
    return true;
}

typedef struct turning {
    const transposed *state;
    const float *src;
} turning;

static ltap_status turn_weights(void *context, void *packed, ltap_error *error)
{
    const turning *t = context;
    int64_t rows = t->state->to * t->state->taps, depth = t->state->in;

    (void)error;
    for (int64_t g = 0; g < t->state->groups; g++)
        for (int64_t c = 0; c < depth; c++)
            for (int64_t r = 0; r < rows; r++)
                ((float *)packed)[(g * rows + r) * depth + c] = t->src[(g * depth + c) * rows + r];
    return LTAP_OK;
}

static void read_sizes(const ltap_query *query, transposed *t)
{
    const ltap_tensor *x = &query->inputs[0], *w = &query->inputs[1];

    t->images = x->dims[0];
    t->groups = ltap_node_int(query->node, "group", 1);
    t->in = x->dims[1] / t->groups;
    t->to = w->dims[1];
    t->taps = t->plane = t->out_plane = 1;
    for (int i = 0; i < LTAP_WINDOW_AXES; i++) {
        t->taps *= t->window.kernel[i];
        t->plane *= t->window.out[i];
        t->out_plane *= t->window.in[i];
    }
    t->together = (LEAST_ROWS + t->taps - 1) / t->taps;
    t->together = t->together < t->to ? t->together : t->to;
    t->units = t->groups * ((t->to + t->together - 1) / t->together);
    t->threads = query->threads;
    t->has_bias = query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *w = &query->inputs[1];
    const void *packed;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(transposed), "a kernel",
                                     &kernel->state, error));
    transposed *t = kernel->state;
    turning weights = {t, w->data};
    ltap_status status = read_window(query, &t->window, error);
    if (status == LTAP_OK) {
        read_sizes(query, t);
        status = ltap_packs_get(query->packs, query->identities[1], "simd:conv_transpose",
                                ltap_tensor_bytes(w), turn_weights, &weights, &packed, error);
    }
    if (status != LTAP_OK) {
        ltap_memory_release(query->memory, kernel->state);
        return status;
    }
    t->packed = packed;
    kernel->packed_inputs = 2;
    kernel->state_bytes = sizeof(transposed);
    kernel->scratch_bytes =
        (uint64_t)(t->threads * t->together * t->taps * t->plane) * sizeof(float);
    kernel->detail = "";
    return LTAP_OK;
}

/* One row of products, added to one row of outputs. */
LTAP_VECTOR_CLONES
static void add_row(const float *restrict src, float *restrict dst, int64_t count, int64_t stride)
{
    if (stride == 1) {
        for (int64_t i = 0; i < count; i++)
            dst[i] += src[i];
    } else if (stride == 2) {
        for (int64_t i = 0; i < count; i++)
            dst[2 * i] += src[i];
    } else {
        for (int64_t i = 0; i < count; i++)
            dst[i * stride] += src[i];
    }
}

/* The products of one window index, to where they belong in one output plane. */
static void add_tap(const transposed *t, int64_t tap, const float *products, float *plane)
{
    const ltap_window *w = &t->window;
    const int64_t k[3] = {tap / w->kernel[2] / w->kernel[1], tap / w->kernel[2] % w->kernel[1],
                          tap % w->kernel[2]};
    int64_t first[3] = {0, 0, 0}, last[3];

    for (int i = 0; i < 3; i++) {
        last[i] = w->out[i];
        ltap_window_clip(w, i, k[i], &first[i], &last[i]);
    }
    if (first[2] >= last[2])
        return;
    for (int64_t a = first[0]; a < last[0]; a++)
        for (int64_t b = first[1]; b < last[1]; b++) {
            const float *src = products + (a * w->out[1] + b) * w->out[2] + first[2];
            int64_t row = ltap_window_at(w, 0, a, k[0]) * w->in[1] + ltap_window_at(w, 1, b, k[1]);
            add_row(src, plane + row * w->in[2] + ltap_window_at(w, 2, first[2], k[2]),
                    last[2] - first[2], w->stride[2]);
        }
}

static void compute_unit(const job *work, int64_t image, int64_t unit, float *products)
{
    const transposed *t = work->state;
    int64_t parts = t->units / t->groups, group = unit / parts;
    int64_t channel = unit % parts * t->together, left = t->to - channel;
    int64_t count = left < t->together ? left : t->together, rows = t->to * t->taps;
    const ltap_simd_product product = {.rows = count * t->taps,
                                       .columns = t->plane,
                                       .depth = t->in,
                                       .left_row = t->in,
                                       .left_depth = 1,
                                       .right_depth = t->plane,
                                       .right_column = 1};

    ltap_simd_product_rows(&product, t->packed + (group * rows + channel * t->taps) * t->in,
                           work->src + (image * t->groups + group) * t->in * t->plane, 0,
                           product.rows, products);
    for (int64_t c = 0; c < count; c++) {
        int64_t at = group * t->to + channel + c;
        float *plane = work->dst + (image * t->groups * t->to + at) * t->out_plane;
        float start = work->bias ? work->bias[at] : 0;
        for (int64_t i = 0; i < t->out_plane; i++)
            plane[i] = start;
        for (int64_t tap = 0; tap < t->taps; tap++)
            add_tap(t, tap, products + (c * t->taps + tap) * t->plane, plane);
    }
}

/* Each thread has its own part of the scratch memory and every so many-th unit. */
static void compute_units(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const transposed *t = work->state;

    for (int64_t thread = first; thread < last; thread++)
        for (int64_t i = thread; i < t->images * t->units; i += t->threads)
            compute_unit(work, i / t->units, i % t->units,
                         work->scratch + thread * t->together * t->taps * t->plane);
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const transposed *t = kernel->state;
    job work = {t, inputs[0], t->has_bias ? inputs[2] : NULL, outputs[0], scratch};

    (void)error;
    ltap_parallel_for(t->threads, t->threads, 1, compute_units, &work);
    return LTAP_OK;
}

const ltap_impl ltap_impl_simd_conv_transpose = {
    .op = "ConvTranspose",
    .name = "simd:conv_transpose",
    .accepts = accepts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
