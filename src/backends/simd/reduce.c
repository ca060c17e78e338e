/* ReduceMean, its siblings and GlobalMaxPool over one run of axes: seen as [outer, run, inner].
 *
 * The run is folded into eight partial results, element i into number i % 8, and these are added to
 * totals after so many rounds, so that errors stay small in long runs. With inner 1 the eight lie
 * side by side in one vector; otherwise each is a vector of neighbours. The order is the same, so
 * the bits do not depend on how the input lies, nor on threads or the batch.
 */
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"

#include <math.h>
#include <string.h>

enum { PARTS = 8, WIDTH = 16, ROUNDS = 32, GRAIN = 8192 };

typedef float parts __attribute__((vector_size(PARTS * sizeof(float)), aligned(4)));
typedef int32_t part_bits __attribute__((vector_size(PARTS * sizeof(float)), aligned(4)));
typedef float wide __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4)));
typedef int32_t wide_bits __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4)));

typedef enum fold { SUM, ABSOLUTE, SQUARE, MOST, LEAST } fold;

typedef struct reduction {
    fold fold;
    bool mean, root;
} reduction;

typedef struct reducer {
    reduction what;
    int64_t outer, run, inner;
    int threads;
} reducer;

typedef struct job {
    const reducer *state;
    const float *src;
    float *dst;
} job;

static const struct row {
    const char *op;
    reduction what;
} rows[] = {
    {"ReduceMean", {SUM, true, false}},          {"ReduceSum", {SUM, false, false}},
    {"ReduceL1", {ABSOLUTE, false, false}},      {"ReduceL2", {SQUARE, false, true}},
    {"ReduceSumSquare", {SQUARE, false, false}}, {"ReduceMax", {MOST, false, false}},
    {"ReduceMin", {LEAST, false, false}},        {"GlobalMaxPool", {MOST, false, false}},
};

static reduction find_reduction(const char *op)
{
    size_t i = 0;

    while (strcmp(rows[i].op, op) != 0)
        i++;
    return rows[i].what;
}

static void mark_axes(const ltap_query *query, bool *gone)
{
    const ltap_tensor *axes = query->n_inputs > 1 ? &query->inputs[1] : NULL;
    uint64_t count = axes && axes->dtype != LTAP_UNDEFINED ? ltap_tensor_count(axes) : 0;
    int rank = query->inputs[0].rank;

    int kept = strncmp(query->node->op_type, "Global", 6) == 0 ? 2 : 0;

    for (int i = 0; i < rank; i++)
        gone[i] = count == 0 && i >= kept;
    for (uint64_t i = 0; i < count; i++) {
        int64_t axis = ltap_tensor_int(axes, i);
        gone[axis < 0 ? axis + rank : axis] = true;
    }
}

/* False: the axes that go are not neighbours. */
static bool split_axes(const ltap_query *query, bool last, reducer *r)
{
    const ltap_tensor *x = &query->inputs[0];
    bool gone[LTAP_MAX_RANK];

    mark_axes(query, gone);
    r->outer = r->run = r->inner = 1;
    for (int i = 0; i < x->rank; i++) {
        int axis = last ? ltap_layout_axis(LTAP_LAYOUT_CHANNELS_LAST, x->rank, i) : i;
        int64_t length = x->dims[axis];
        if (length == 1)
            continue;
        if (gone[axis] && r->inner > 1)
            return false;
        if (gone[axis])
            r->run *= length;
        else if (r->run > 1)
            r->inner *= length;
        else
            r->outer *= length;
    }
    return true;
}

/* Whether the input is taken channels last: where it lies so, what goes is met in the same order,
 * and what stays comes out in the order that the output wants. */
static bool reads_last(const ltap_query *query)
{
    bool gone[LTAP_MAX_RANK], some = false, all = true;
    int rank = query->inputs[0].rank;
    reducer r;

    if (!ltap_query_lies_last(query, 0) || !split_axes(query, true, &r))
        return false;
    mark_axes(query, gone);
    for (int i = 2; i < rank; i++) {
        some = some || gone[i];
        all = all && gone[i];
    }
    if (gone[1] && some)
        return false;
    return query->outputs[0].rank == rank || gone[1] || all;
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_tensor *x = &query->inputs[0];
    reducer r;

    if (x->dtype != LTAP_FLOAT32 || x->data || ltap_tensor_count(x) == 0)
        return ltap_refuse(why, "not float32, or constant, or empty");
    if (query->n_inputs > 1 && query->inputs[1].dtype != LTAP_UNDEFINED && !query->inputs[1].data)
        return ltap_refuse(why, "its axes are computed");
    if (ltap_node_int(query->node, "noop_with_empty_axes", 0) != 0)
        return ltap_refuse(why, "it may reduce nothing");
    if (!split_axes(query, false, &r) || (x->rank == 4 && !split_axes(query, true, &r)))
        return ltap_refuse(why, "its axes are not neighbours");
    return true;
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    if (!reads_last(query))
        return;
    in[0] = LTAP_LAYOUT_CHANNELS_LAST;
    if (query->outputs[0].rank == query->inputs[0].rank)
        out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(reducer), "a kernel", &kernel->state,
                                     error));
    reducer *state = kernel->state;
    split_axes(query, reads_last(query), state);
    state->what = find_reduction(query->node->op_type);
    state->threads = query->threads;
    kernel->state_bytes = sizeof(reducer);
    kernel->detail = "";
    return LTAP_OK;
}

static float first_of(fold f)
{
    return f == MOST ? -INFINITY : f == LEAST ? INFINITY : 0;
}

/* acc = acc with x, element by element; vector and its integers: of one shape. */
#define TAKE(f, vector, bits, acc, x)                                                              \
    do {                                                                                           \
        vector term = (x), taken = (acc) + term;                                                   \
        if ((f) == SQUARE)                                                                         \
            taken = (acc) + term * term;                                                           \
        if ((f) == ABSOLUTE)                                                                       \
            taken = (acc) + (vector)((bits)term & INT32_MAX);                                      \
        if ((f) == MOST || (f) == LEAST) {                                                         \
            bits better = (f) == MOST ? term > (acc) : term < (acc);                               \
            better |= term != term;                                                                \
            taken = (vector)((better & (bits)term) | (~better & (bits)(acc)));                     \
        }                                                                                          \
        (acc) = taken;                                                                             \
    } while (0)

/* How partial results join: sums of squares are plain sums by then. */
static fold joining(fold f)
{
    return f == MOST || f == LEAST ? f : SUM;
}

/* Which NaN a sum of several is, compilers decide; here it is always the same. */
static float finish(const reducer *r, float folded)
{
    bool summed = joining(r->what.fold) == SUM;

    if (summed && folded != folded)
        return NAN;
    float result = r->what.mean ? folded / (float)r->run : folded;
    return r->what.root ? sqrtf(result) : result;
}

/* The eight in a fixed order. */
static float join(fold f, const float *eight, int64_t step)
{
    float result = eight[0];

    for (int i = 1; i < PARTS; i++) {
        float x = eight[i * step];
        if (f == MOST)
            result = x > result || x != x ? x : result;
        else if (f == LEAST)
            result = x < result || x != x ? x : result;
        else
            result += x;
    }
    return result;
}

/* inner is 1: the run lies side by side. */
LTAP_VECTOR_INLINE float fold_run(fold f, const float *x, int64_t n)
{
    parts total = (parts){0} + first_of(f), rest = total;
    float eight[PARTS];
    int64_t i = 0;

    while (i + PARTS <= n) {
        parts acc = (parts){0} + first_of(f);
        int64_t end = n - i < PARTS * ROUNDS ? n : i + PARTS * ROUNDS;
        for (; i + PARTS <= end; i += PARTS)
            TAKE(f, parts, part_bits, acc, *(const parts *)(x + i));
        TAKE(joining(f), parts, part_bits, total, acc);
    }
    for (int k = 0; k < PARTS; k++)
        eight[k] = i + k < n ? x[i + k] : first_of(f);
    memcpy(&rest, eight, sizeof(rest));
    TAKE(f, parts, part_bits, total, rest);
    memcpy(eight, &total, sizeof(eight));
    return join(f, eight, 1);
}

/* One round of at most eight elements; x: the first, stride: to the next. */
LTAP_VECTOR_INLINE void take_round(fold f, const float *x, int64_t stride, int64_t n, wide *acc)
{
    if (n == PARTS) {
#pragma GCC unroll 8
        for (int k = 0; k < PARTS; k++)
            TAKE(f, wide, wide_bits, acc[k], *(const wide *)(x + k * stride));
        return;
    }
    for (int64_t k = 0; k < n; k++)
        TAKE(f, wide, wide_bits, acc[k], *(const wide *)(x + k * stride));
}

/* A round whose rows are narrower than a vector, laid out for one. */
static const float *lay_out(const float *x, int64_t stride, int64_t n, int64_t width, float *desk)
{
    for (int64_t k = 0; k < n; k++)
        memcpy(desk + k * WIDTH, x + k * stride, (size_t)width * sizeof(float));
    return desk;
}

/* At most WIDTH neighbours of `inner`, each folded along the run; all[k * WIDTH]: the parts. */
LTAP_VECTOR_INLINE void fold_wide(fold f, const reducer *r, const float *x, int64_t width,
                                  float *all)
{
    float desk[PARTS * WIDTH] = {0};
    wide total[PARTS], acc[PARTS];
    int64_t i = 0, n = r->run, stride = r->inner;

    for (int k = 0; k < PARTS; k++)
        total[k] = (wide){0} + first_of(f);
    while (i + PARTS <= n) {
        int64_t end = n - i < PARTS * ROUNDS ? n : i + PARTS * ROUNDS;
#pragma GCC unroll 8
        for (int k = 0; k < PARTS; k++)
            acc[k] = (wide){0} + first_of(f);
        for (; i + PARTS <= end; i += PARTS) {
            const float *row = x + i * stride;
            if (width < WIDTH)
                row = lay_out(row, stride, PARTS, width, desk);
            take_round(f, row, width < WIDTH ? WIDTH : stride, PARTS, acc);
        }
        for (int k = 0; k < PARTS; k++)
            TAKE(joining(f), wide, wide_bits, total[k], acc[k]);
    }
    take_round(f, lay_out(x + i * stride, stride, n - i, width, desk), WIDTH, n - i, total);
    memcpy(all, total, sizeof(total));
}

LTAP_VECTOR_INLINE void reduce_with(fold f, const reducer *r, const float *x, int64_t width,
                                    float *y)
{
    float all[PARTS * WIDTH];

    if (r->inner == 1) {
        *y = finish(r, fold_run(f, x, r->run));
        return;
    }
    fold_wide(f, r, x, width, all);
    for (int64_t i = 0; i < width; i++)
        y[i] = finish(r, join(joining(f), all + i, WIDTH));
}

LTAP_VECTOR_CLONES
static void reduce_piece(const reducer *r, const float *x, int64_t width, float *y)
{
    switch (r->what.fold) {
    case SUM:
        reduce_with(SUM, r, x, width, y);
        return;
    case ABSOLUTE:
        reduce_with(ABSOLUTE, r, x, width, y);
        return;
    case SQUARE:
        reduce_with(SQUARE, r, x, width, y);
        return;
    case MOST:
        reduce_with(MOST, r, x, width, y);
        return;
    case LEAST:
        reduce_with(LEAST, r, x, width, y);
        return;
    }
}

/* A piece is WIDTH neighbours of one outer index, or what is left of them. */
static void reduce_pieces(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const reducer *r = work->state;
    int64_t pieces = (r->inner + WIDTH - 1) / WIDTH;

    for (int64_t piece = first; piece < last; piece++) {
        int64_t outer = piece / pieces, at = piece % pieces * WIDTH;
        int64_t width = r->inner - at < WIDTH ? r->inner - at : WIDTH;
        reduce_piece(r, work->src + outer * r->run * r->inner + at, width,
                     work->dst + outer * r->inner + at);
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const reducer *r = kernel->state;
    job work = {r, inputs[0], outputs[0]};
    int64_t width = r->inner < WIDTH ? r->inner : WIDTH;

    (void)scratch;
    (void)error;
    if (outputs[0])
        ltap_parallel_for(r->threads, r->outer * ((r->inner + WIDTH - 1) / WIDTH),
                          GRAIN / r->run / width + 1, reduce_pieces, &work);
    return LTAP_OK;
}

#define ROW(id, operator)                                                                          \
    const ltap_impl ltap_impl_simd_##id = {                                                        \
        .op = operator,                                                                            \
        .name = "simd:reduce",                                                                     \
        .accepts = accepts,                                                                        \
        .layouts = layouts,                                                                        \
        .prepare = prepare,                                                                        \
        .run = run,                                                                                \
        .release = ltap_kernel_release,                                                            \
    };
LTAP_SIMD_REDUCTIONS(ROW)
