/* Conv 3x3 of stride 1 by Winograd's F(4x4, 3x3): our transforms, oneDNN's matrix products.
 *
 * Fast mode only: its error is some 1e-6 of a layer's largest magnitude, ten times that of a direct
 * one. Taken by a rule on the shape alone, measured offline: where the tiles fit the picture well
 * enough, and are enough that the weights, four times as many, are worth reading.
 */
#include "backends/simd/winograd.h"
#include "backends/dnnl/convolution.h"
#include "backends/dnnl/memory.h"
#include "backends/dnnl/row.h"
#include "backends/dnnl/rows.h"
#include "backends/simd/links.h"
#include "base/checked.h"
#include "base/parallel.h"

#include <string.h>

/* PIECE_BYTES: what a piece's matrices take, so that they stay in the cache; not below PIECE_ROWS
 * tiles, for the products' sake. */
enum { PIECE_BYTES = 1 << 20, PIECE_ROWS = 96, LEAST_TILES = 16, INPUTS = 2 };

typedef struct state {
    ltap_winograd winograd;
    int64_t rows;
    bool has_bias;
    uint64_t inputs_bytes, products_bytes;
    size_t n_inputs;
    dnnl_engine_t engine;
    ltap_dnnl_primitive products;
    ltap_links chain;
} state;

static bool read_shape(const ltap_query *query, ltap_winograd *winograd, ltap_why *why)
{
    ltap_window w;

    if (!ltap_dnnl_conv_read(query, &w, why))
        return false;
    if (w.rank != 2 || w.kernel[1] != 3 || w.kernel[2] != 3 || w.stride[1] != 1 ||
        w.stride[2] != 1 || ltap_node_int(query->node, "group", 1) != 1)
        return ltap_refuse(why, "not 3x3 of stride 1 in one group");
    *winograd = (ltap_winograd){.channels = query->inputs[0].dims[1],
                                .filters = query->outputs[0].dims[1],
                                .threads = query->threads};
    for (int i = 0; i < 2; i++) {
        winograd->in[i] = w.in[i + 1];
        winograd->out[i] = w.out[i + 1];
        winograd->begin[i] = w.begin[i + 1];
        winograd->dilation[i] = w.dilation[i + 1];
    }
    if (winograd->channels % LTAP_WINOGRAD_LANES || winograd->filters % LTAP_WINOGRAD_LANES)
        return ltap_refuse(why, "channels are no multiple of 16");
    ltap_winograd_count(winograd, query->inputs[0].dims[0]);
    return true;
}

/* Pixels along an axis that meet a tap, over all taps: the direct way skips padding. */
static int64_t met(const ltap_winograd *w, int axis)
{
    int64_t count = 0;

    for (int tap = 0; tap < 3; tap++) {
        int64_t shift = tap * w->dilation[axis] - w->begin[axis];
        int64_t first = shift < 0 ? -shift : 0, last = w->in[axis] - shift;
        last = last < w->out[axis] ? last : w->out[axis];
        count += last > first ? last - first : 0;
    }
    return count;
}

/* Multiplications of the direct way for each one of this: at most 4. */
static double saving(const ltap_winograd *w)
{
    return (double)met(w, 0) * (double)met(w, 1) / ((double)w->per_image * LTAP_WINOGRAD_POINTS);
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    ltap_winograd w;

    if (query->exact)
        return ltap_refuse(why, "Winograd is not for exact mode");
    if (!read_shape(query, &w, why))
        return false;
    if (w.per_image < LEAST_TILES || saving(&w) < 1.8)
        return ltap_refuse(why, "too few or too empty tiles");
    return true;
}

/* Places the transformed weights into oneDNN's layout of [36, C, K]. */
typedef struct filler {
    const float *weights;
    const ltap_winograd *winograd;
    const dnnl_memory_desc_t *desc;
    float *packed;
} filler;

/* Filters from k on, of channel c. Filters may lie apart. */
static void place_filters(const filler *f, int64_t c, int64_t k,
                          float transformed[LTAP_WINOGRAD_POINTS][LTAP_WINOGRAD_LANES])
{
    int64_t matrix = f->desc->format_desc.blocking.strides[0], places[LTAP_WINOGRAD_LANES];

    for (int lane = 0; lane < LTAP_WINOGRAD_LANES; lane++)
        places[lane] = ltap_dnnl_offset(f->desc, (const int64_t[]){0, c, k + lane});
    bool together = places[LTAP_WINOGRAD_LANES - 1] == places[0] + LTAP_WINOGRAD_LANES - 1;
    for (int point = 0; point < LTAP_WINOGRAD_POINTS; point++) {
        float *to = f->packed + point * matrix;
        if (together)
            memcpy(to + places[0], transformed[point], sizeof(transformed[point]));
        for (int lane = 0; lane < LTAP_WINOGRAD_LANES && !together; lane++)
            to[places[lane]] = transformed[point][lane];
    }
}

static void fill_channels(void *context, int64_t first, int64_t last)
{
    const filler *f = context;
    float transformed[LTAP_WINOGRAD_POINTS][LTAP_WINOGRAD_LANES];

    for (int64_t k = 0; k < f->winograd->filters; k += LTAP_WINOGRAD_LANES) {
        for (int64_t c = first; c < last; c++) {
            ltap_winograd_weights(f->weights, f->winograd, c, k, transformed);
            place_filters(f, c, k, transformed);
        }
    }
}

static void fill(const ltap_query *query, const dnnl_memory_desc_t *desc, void *packed)
{
    ltap_winograd winograd = {.channels = query->inputs[0].dims[1],
                              .filters = query->outputs[0].dims[1]};
    filler f = {query->inputs[1].data, &winograd, desc, packed};

    ltap_parallel_for(query->threads, winograd.channels, 1, fill_channels, &f);
}

static bool describe_products(const ltap_query *query, state *s, ltap_dnnl_job *job)
{
    const ltap_winograd *w = &s->winograd;
    ltap_tensor inputs = {LTAP_FLOAT32, 3, {LTAP_WINOGRAD_POINTS, s->rows, w->channels}, NULL};
    ltap_tensor weights = {LTAP_FLOAT32, 3, {LTAP_WINOGRAD_POINTS, w->channels, w->filters}, NULL};
    ltap_tensor products = {LTAP_FLOAT32, 3, {LTAP_WINOGRAD_POINTS, s->rows, w->filters}, NULL};
    dnnl_memory_desc_t x, u, y;

    (void)query;
    if (!ltap_dnnl_tensor(&inputs, false, &x) || !ltap_dnnl_tensor(&weights, false, &u) ||
        !ltap_dnnl_tensor(&products, false, &y))
        return false;
    ltap_dnnl_add(job, DNNL_ARG_SRC, LTAP_DNNL_INPUT, 0, &x);
    ltap_dnnl_add(job, DNNL_ARG_WEIGHTS, LTAP_DNNL_PACKED, 1, &u);
    ltap_dnnl_add(job, DNNL_ARG_DST, LTAP_DNNL_OUTPUT, 0, &y);
    job->fill = fill;
    job->fill_name = "winograd 4x4";
    dnnl_memory_desc_t any = ltap_dnnl_any(&u);
    return dnnl_matmul_desc_init(&job->operation.matmul, &x, &any, NULL, &y) == dnnl_success;
}

/* Pieces of equal size. */
static void cut(state *s)
{
    const ltap_winograd *w = &s->winograd;
    int64_t row_bytes = LTAP_WINOGRAD_POINTS * (w->channels + w->filters) * (int64_t)sizeof(float);
    int64_t most = PIECE_BYTES / row_bytes > PIECE_ROWS ? PIECE_BYTES / row_bytes : PIECE_ROWS;
    int64_t pieces = (w->total - 1) / most + 1;

    s->rows = (w->total - 1) / pieces + 1;
}

static bool measure(state *s, uint64_t *scratch)
{
    const ltap_winograd *w = &s->winograd;
    uint64_t floats = (uint64_t)LTAP_WINOGRAD_POINTS * sizeof(float);

    return ltap_checked_mul(floats, (uint64_t)s->rows, &floats) &&
           ltap_checked_mul(floats, (uint64_t)w->channels, &s->inputs_bytes) &&
           ltap_checked_mul(floats, (uint64_t)w->filters, &s->products_bytes) &&
           ltap_checked_round_up(s->inputs_bytes, LTAP_ALIGNMENT, &s->inputs_bytes) &&
           ltap_checked_round_up(s->products_bytes, LTAP_ALIGNMENT, &s->products_bytes) &&
           ltap_checked_add(s->inputs_bytes, s->products_bytes, scratch) &&
           ltap_checked_add(*scratch, s->products.scratch_bytes, scratch);
}

static void release(ltap_kernel *kernel, ltap_memory *memory)
{
    state *s = kernel->state;

    if (!s)
        return;
    ltap_dnnl_primitive_clear(&s->products);
    if (s->engine)
        dnnl_engine_destroy(s->engine);
    ltap_memory_release(memory, s);
    kernel->state = NULL;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    ltap_dnnl_job job = {.n_args = 0};
    ltap_status status = LTAP_OK;
    uint32_t packed = 0;
    ltap_why why;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(state), "a kernel", &kernel->state,
                                     error));
    state *s = kernel->state;
    kernel->state_bytes = sizeof *s;
    s->n_inputs = query->n_inputs;
    s->has_bias = query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED;
    ltap_links_after(query, &s->chain);
    if (!read_shape(query, &s->winograd, &why))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_INTERNAL, "%s", why.text));
    cut(s);
    LTAP_GO(ltap_dnnl_check(dnnl_engine_create(&s->engine, dnnl_cpu, 0), "an engine", error));
    if (!describe_products(query, s, &job))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_INTERNAL, "oneDNN cannot describe its products"));
    LTAP_GO(ltap_dnnl_primitive_init(query, &job, query->threads, s->engine, &s->products, &packed,
                                     error));
    if (!measure(s, &kernel->scratch_bytes))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_MEMORY, "its working memory is too large"));
    kernel->detail = s->products.detail;
done:
    if (status != LTAP_OK)
        release(kernel, query->memory);
    return status;
}

static ltap_status run_products(const state *s, const ltap_winograd_piece *piece, void *scratch,
                                ltap_error *error)
{
    const void *inputs[INPUTS] = {piece->inputs, NULL};
    void *outputs[] = {piece->products};
    int before = ltap_parallel_set_threads(s->winograd.threads);
    ltap_status status = ltap_dnnl_primitive_run(&s->products, inputs, outputs, scratch, error);

    ltap_parallel_set_threads(before);
    return status;
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const state *s = kernel->state;
    const ltap_winograd *w = &s->winograd;
    ltap_winograd_plain plain = {inputs[0], inputs[1], s->has_bias ? inputs[2] : NULL};
    char *memory = scratch;
    ltap_winograd_piece piece = {.rows = s->rows,
                                 .inputs = (float *)(void *)memory,
                                 .products = (float *)(void *)(memory + s->inputs_bytes)};

    for (; piece.first < w->total; piece.first += piece.rows) {
        piece.count = w->total - piece.first < piece.rows ? w->total - piece.first : piece.rows;
        ltap_winograd_inputs(w, &piece, plain.src);
        LTAP_TRY(run_products(s, &piece, memory + s->inputs_bytes + s->products_bytes, error));
        ltap_winograd_outputs(w, &piece, &plain, outputs[0]);
    }
    ltap_links_finish(&s->chain, inputs, s->n_inputs, outputs[0]);
    return LTAP_OK;
}

const ltap_impl ltap_dnnl_winograd = {
    .op = "Conv",
    .name = "dnnl:winograd",
    .accepts = accepts,
    .layouts = ltap_dnnl_layouts,
    .chains = true,
    .prepare = prepare,
    .run = run,
    .release = release,
};
