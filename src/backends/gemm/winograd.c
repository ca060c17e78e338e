/* Conv 3x3 of stride 1, of pictures and of volumes, by Winograd's F(4x4, 3x3).
 *
 * The transformed filters are four times as large as the filters, and would have to come from main
 * memory each time; so they are made anew for each use, a block of channels at a time, and never
 * leave the cache. Threads share the tiles out among them, or, where these are few, the filters.
 *
 * Fast mode only: its error is some 1e-6 of a layer's largest magnitude, ten times that of a direct
 * one. Taken by a rule on the shape alone, measured offline.
 */
#include "backends/gemm/gemm.h"
#include "backends/gemm/rows.h"
#include "backends/gemm/winograd_tile.h"
#include "backends/simd/links.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/window.h"

#include <string.h>

/* DEPTH: channels of transformed filters at a time. PIECE_BYTES, PIECE_LEAST: transformed pixels
 * and products at a time, in bytes, but not fewer tiles. FEW_TILES: of so few for each thread,
 * filters are shared out. APART: floats that keep the matrices of a tile off each other's place in
 * the cache. */
enum { DEPTH = 64, PIECE_BYTES = 640 << 10, PIECE_LEAST = 48, FEW_TILES = 40, APART = 16 };
enum { POINTS = LTAP_WINOGRAD_POINTS, LANES = LTAP_WINOGRAD_LANES };

typedef struct winograd {
    ltap_winograd w;
    ltap_panels panels; /* of one block of one point: columns are the filters */
    int threads;
    bool by_group, has_bias;
    int64_t rows;                                 /* tiles at a time */
    uint64_t pixels_bytes, own_bytes;             /* of one piece; of one thread */
    int64_t pixels_step, filters_step, sums_step; /* from one point's matrix to the next */
    size_t n_inputs;
    const float *packed; /* NULL: packed at each run, from weights */
    const void *weights;
    uint64_t weights_bytes, packed_bytes;
    const ltap_packs *packs;
    int fillers; /* threads that pack */
    ltap_links chain;
} winograd;

static bool read_shape(const ltap_query *query, ltap_winograd *shape, ltap_why *why)
{
    ltap_window w;

    if (!ltap_gemm_conv_fits(query, &w, why))
        return false;
    if (w.stride[0] != 1 || w.out[0] != w.in[0])
        return ltap_refuse(why, "other planes out than in");
    if (w.kernel[1] != 3 || w.kernel[2] != 3 || w.stride[1] != 1 || w.stride[2] != 1 ||
        ltap_node_int(query->node, "group", 1) != 1)
        return ltap_refuse(why, "not 3x3 of stride 1 in one group");
    *shape =
        (ltap_winograd){.channels = query->inputs[0].dims[1], .filters = query->outputs[0].dims[1]};
    shape->planes = w.kernel[0];
    shape->volume = w.in[0];
    shape->plane_begin = w.begin[0];
    shape->plane_dilation = w.dilation[0];
    shape->depth = shape->planes * shape->channels;
    for (int i = 0; i < 2; i++) {
        shape->in[i] = w.in[i + 1];
        shape->out[i] = w.out[i + 1];
        shape->begin[i] = w.begin[i + 1];
        shape->dilation[i] = w.dilation[i + 1];
    }
    if (shape->channels % LANES || shape->filters % LANES)
        return ltap_refuse(why, "channels are no multiple of 16");
    ltap_winograd_count(shape, query->inputs[0].dims[0] * w.in[0]);
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

/* The part of the filters' planes that meets the volume. */
static double met_planes(const ltap_winograd *w)
{
    int64_t count = 0;

    for (int64_t plane = 0; plane < w->planes; plane++) {
        int64_t shift = plane * w->plane_dilation - w->plane_begin;
        shift = shift < 0 ? -shift : shift;
        count += shift < w->volume ? w->volume - shift : 0;
    }
    return (double)count / (double)(w->planes * w->volume);
}

/* Multiplications of the direct way for each one of this: at most 4. What the transforms cost is as
 * much as so many tiles more. */
static double saving(const ltap_winograd *w)
{
    const double filters_cost = 2.5;
    double tiles = (double)w->total + filters_cost,
           images = (double)w->total / (double)w->per_image;

    return met_planes(w) * images * (double)met(w, 0) * (double)met(w, 1) / (tiles * POINTS);
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    ltap_winograd w;

    if (query->exact)
        return ltap_refuse(why, "Winograd is not for exact mode");
    if (!read_shape(query, &w, why))
        return false;
    return saving(&w) >= 1.8 || ltap_refuse(why, "too few or too empty tiles");
}

/* Groups of equal size, as large as a panel may be, and at least `least` of them. */
static void group_filters(winograd *s, int least)
{
    const ltap_tiles *tiles = s->panels.tiles;
    int64_t units = s->w.filters / LANES, most = (int64_t)tiles->vectors * tiles->lanes / LANES;
    int64_t unit = most < units ? most : units;

    while (unit > 1 && (units % unit || units / unit < least))
        unit--;
    s->w.group = unit * LANES;
    s->panels.vectors = (int)(s->w.group / tiles->lanes);
    s->panels.rows = tiles->rows[s->panels.vectors - 1];
    s->panels.count = units / unit;
}

/* How the work is cut: a pure function of shapes and the number of threads. */
static void cut(winograd *s, int threads)
{
    ltap_winograd *w = &s->w;
    int64_t tiles = w->total, most, pieces;

    s->threads = threads;
    s->by_group = threads > 1 && tiles < (int64_t)threads * FEW_TILES;
    s->panels = (ltap_panels){.tiles = ltap_tiles_best(),
                              .taps = 1,
                              .depth = w->depth < DEPTH ? w->depth : DEPTH,
                              .columns = w->filters,
                              .groups = 1};
    ltap_panels_cut(&s->panels, 1);
    group_filters(s, s->by_group ? threads : 1);
    if (s->by_group && s->panels.count < threads)
        s->threads = (int)s->panels.count;
    if (!s->by_group && tiles < threads)
        s->threads = (int)tiles;
    int64_t share = s->by_group ? tiles : (tiles + s->threads - 1) / s->threads;
    most = PIECE_BYTES / (POINTS * (w->depth + w->group) * (int64_t)sizeof(float));
    most = most < PIECE_LEAST ? PIECE_LEAST : most;
    pieces = s->by_group ? 1 : (share - 1) / most + 1;
    s->rows = (share - 1) / pieces + 1;
    s->pixels_step = s->rows * w->depth + APART;
    s->filters_step = s->panels.depth * w->group + APART;
    s->sums_step = s->rows * w->group + APART;
}

/* Scratch: the transformed pixels, once or for each thread, and each thread's filters and sums. */
static bool measure(winograd *s, uint64_t *scratch)
{
    uint64_t point = POINTS * sizeof(float), own;

    return ltap_checked_mul(point, (uint64_t)s->pixels_step, &s->pixels_bytes) &&
           ltap_checked_mul(point, (uint64_t)(s->filters_step + s->sums_step), &s->own_bytes) &&
           ltap_checked_mul(s->own_bytes, (uint64_t)s->threads, &own) &&
           ltap_checked_mul(s->pixels_bytes, (uint64_t)(s->by_group ? 1 : s->threads), scratch) &&
           ltap_checked_add(own, *scratch, scratch) &&
           ltap_checked_add(s->packed_bytes, *scratch, scratch);
}

/* Packing: [K/group, planes, C, 9, group]. */
typedef struct filling {
    const ltap_winograd *w;
    const char *weights;
    float *packed;
    int threads;
} filling;

static void fill_groups(void *context, int64_t first, int64_t last)
{
    const filling *f = context;
    const ltap_winograd *w = f->w;
    int64_t filter = w->depth * LTAP_WINOGRAD_TAPS;

    for (int64_t g = first; g < last; g++) {
        ltap_panels panels = {.tiles = ltap_tiles_best(),
                              .taps = w->planes,
                              .depth = w->channels * LTAP_WINOGRAD_TAPS,
                              .columns = w->group,
                              .groups = 1,
                              .together = 1,
                              .count = 1};
        ltap_panels_source source = {.src = f->weights +
                                            g * w->group * filter * (int64_t)sizeof(float),
                                     .column = filter,
                                     .tap = LTAP_WINOGRAD_TAPS,
                                     .depth = 1,
                                     .inner = LTAP_WINOGRAD_TAPS,
                                     .outer = w->planes * LTAP_WINOGRAD_TAPS};
        panels.vectors = (int)(w->group / panels.tiles->lanes);
        ltap_panels_fill(&panels, &source, 0, 1, f->packed + g * w->group * filter);
    }
}

static ltap_status fill(void *context, void *packed, ltap_error *error)
{
    filling *f = context;

    (void)error;
    f->packed = packed;
    ltap_parallel_for(f->threads, f->w->filters / f->w->group, 1, fill_groups, f);
    return LTAP_OK;
}

static ltap_status pack(const ltap_query *query, winograd *s, ltap_kernel *kernel,
                        ltap_error *error)
{
    filling f = {.w = &s->w, .weights = query->inputs[1].data, .threads = query->threads};
    uint64_t bytes = ltap_tensor_bytes(&query->inputs[1]);
    const void *packed;
    char key[48];

    s->fillers = query->threads;
    if ((query->again >> 1 & 1u) &&
        ltap_checked_round_up(bytes, LTAP_ALIGNMENT, &s->packed_bytes)) {
        s->weights = query->inputs[1].data;
        s->packs = query->packs;
        s->weights_bytes = kernel->mapped_bytes = bytes;
        return LTAP_OK;
    }
    snprintf(key, sizeof key, "winograd %d", (int)s->w.group);
    LTAP_TRY(
        ltap_packs_get(query->packs, query->identities[1], key, bytes, fill, &f, &packed, error));
    s->packed = packed;
    return LTAP_OK;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    ltap_why why;
    ltap_status status;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(winograd), "a kernel", &kernel->state,
                                     error));
    winograd *s = kernel->state;
    kernel->state_bytes = sizeof *s;
    s->n_inputs = query->n_inputs;
    s->has_bias = ltap_gemm_has_bias(query);
    ltap_links_after(query, &s->chain);
    if (!read_shape(query, &s->w, &why))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_INTERNAL, "%s", why.text));
    s->w.step = query->step ? query->step : s->w.filters;
    cut(s, query->threads);
    LTAP_GO(pack(query, s, kernel, error));
    if (!measure(s, &kernel->scratch_bytes))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_MEMORY, "its working memory is too large"));
    kernel->packed_inputs = 1u << 1;
    kernel->detail = s->panels.tiles->name;
done:
    if (status != LTAP_OK)
        ltap_kernel_release(kernel, query->memory);
    return status;
}

typedef struct job {
    const winograd *state;
    const float *packed;
    ltap_winograd_plain plain;
    float *dst;
    char *scratch;
} job;

/* What a thread works on: tiles [first, first + count). */
typedef struct desk {
    const job *work;
    int64_t first, count;
    float *pixels, *filters, *sums;
} desk;

static desk open_desk(const job *work, int64_t thread)
{
    const winograd *s = work->state;
    uint64_t shared = s->by_group ? 1 : (uint64_t)s->threads;
    char *own = work->scratch + shared * s->pixels_bytes + (uint64_t)thread * s->own_bytes;
    desk d = {.work = work};

    d.pixels =
        (float *)(void *)(work->scratch + (s->by_group ? 0 : (uint64_t)thread * s->pixels_bytes));
    d.filters = (float *)(void *)own;
    d.sums = d.filters + POINTS * s->filters_step;
    return d;
}

static void spread_rows(const desk *d, int64_t first, int64_t last)
{
    const winograd *s = d->work->state;

    for (int64_t row = first; row < last; row++)
        ltap_winograd_spread(&s->w, d->first + row, d->work->plain.src,
                             d->pixels + row * s->w.depth, s->pixels_step);
}

/* One point's product over the channels [c, c + depth), a block of tiles at a time. */
static void multiply_point(const desk *d, int64_t point, int64_t c, int64_t depth,
                           const char *ahead)
{
    static const float zeros[LTAP_TILE_VECTORS * LANES];
    const winograd *s = d->work->state;
    ltap_blocks blocks = ltap_blocks_of(&s->panels, d->count);
    const float *pixels = d->pixels + point * s->pixels_step;
    const float *rows[LTAP_TILE_ROWS];
    ltap_tile_job tile = {.rows = rows,
                          .taps = 1,
                          .first = c,
                          .depth = depth,
                          .panel = d->filters + point * s->filters_step,
                          .start = c == 0 ? zeros : NULL,
                          .stride = s->w.group,
                          .ahead = ahead};

    for (int64_t b = 0; b < blocks.count; b++) {
        int64_t begin = ltap_blocks_begin(&blocks, b), end = ltap_blocks_begin(&blocks, b + 1);
        for (int64_t r = begin; r < end; r++)
            rows[r - begin] = pixels + r * s->w.depth;
        tile.dst = d->sums + point * s->sums_step + begin * s->w.group;
        s->panels.tiles->tiles[s->panels.vectors - 1][end - begin - 1](&tile);
    }
}

/* A group of filters for the tiles on the desk. */
static void do_group(const desk *d, int64_t group)
{
    const winograd *s = d->work->state;
    const ltap_winograd *w = &s->w;

    for (int64_t c = 0; c < w->depth; c += s->panels.depth) {
        int64_t left = w->depth - c, depth = left < s->panels.depth ? left : s->panels.depth;
        const float *weights =
            d->work->packed + (group * w->depth + c) * LTAP_WINOGRAD_TAPS * w->group;
        const char *ahead = (const char *)(weights + depth * LTAP_WINOGRAD_TAPS * w->group);
        ltap_winograd_expand(weights, depth, w->group, d->filters, s->filters_step);
        for (int64_t point = 0; point < POINTS; point++)
            multiply_point(d, point, c, depth, ahead + point * depth * 64);
    }
    for (int64_t row = 0; row < d->count; row++) {
        ltap_winograd_part part = {d->first + row, group * w->group, w->group,
                                   d->sums + row * w->group, s->sums_step};
        ltap_winograd_gather(w, &part, &d->work->plain, d->work->dst);
    }
}

/* A thread's share of the tiles, a piece after the other. */
static void run_tiles(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const winograd *s = work->state;

    for (int64_t thread = first; thread < last; thread++) {
        desk d = open_desk(work, thread);
        int64_t end = s->w.total * (thread + 1) / s->threads;
        for (d.first = s->w.total * thread / s->threads; d.first < end; d.first += d.count) {
            d.count = end - d.first < s->rows ? end - d.first : s->rows;
            spread_rows(&d, 0, d.count);
            for (int64_t group = 0; group < s->panels.count; group++)
                do_group(&d, group);
        }
    }
}

static void spread_shared(void *context, int64_t first, int64_t last)
{
    desk d = open_desk(context, 0);

    spread_rows(&d, first, last);
}

/* A thread's share of the groups, for all tiles. */
static void run_groups(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const winograd *s = work->state;

    for (int64_t thread = first; thread < last; thread++) {
        desk d = open_desk(work, thread);
        int64_t end = s->panels.count * (thread + 1) / s->threads;
        d.count = s->w.total;
        for (int64_t g = s->panels.count * thread / s->threads; g < end; g++)
            do_group(&d, g);
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const winograd *s = kernel->state;
    const float *packed = s->packed ? s->packed : scratch;
    job work = {.state = s,
                .packed = packed,
                .plain = {inputs[0], packed, s->has_bias ? inputs[2] : NULL},
                .dst = outputs[0],
                .scratch = (char *)scratch + s->packed_bytes};
    filling f = {.w = &s->w, .weights = s->weights, .threads = s->fillers};

    if (!s->packed) {
        LTAP_TRY(fill(&f, scratch, error));
        ltap_packs_let_go(s->packs, s->weights, s->weights_bytes);
    }
    if (s->by_group)
        ltap_parallel_for(s->threads, s->w.total, 1, spread_shared, &work);
    ltap_parallel_for(s->threads, s->threads, 1, s->by_group ? run_groups : run_tiles, &work);
    ltap_links_finish(&s->chain, inputs, s->n_inputs, outputs);
    return LTAP_OK;
}

const ltap_impl ltap_gemm_winograd = {
    .op = "Conv",
    .name = "gemm:winograd",
    .chains = true,
    .apart = true,
    .loose = 1u << 1,
    .accepts = accepts,
    .layouts = ltap_gemm_layouts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
