/* Softmax and LogSoftmax along any axis.
 *
 * What is reduced lies side by side, or `inner` floats apart; then a tile of neighbouring lanes is
 * done at a time. Both add up in the same order, so how the input lies does not change a bit.
 */
#include "backends/simd/rows.h"

#include "backends/layout.h"
#include "base/error.h"
#include "base/parallel.h"

LTAP_VECTOR_CONTRACT

#include "backends/simd/functions.h"

/* GRAIN: numbers that are worth a thread. */
enum { GRAIN = 4096 };

typedef struct softmax {
    int64_t outer, width, inner;
    int threads;
    bool log;
} softmax;

typedef struct job {
    const softmax *state;
    const float *src;
    float *dst, *desks; /* of each share, for a tile before and after */
} job;

static int64_t desk_of(const softmax *s)
{
    return s->inner % LANES == 0 || s->inner == 1 ? 0 : 2 * LANES * s->width;
}

static int axis_of(const ltap_query *query)
{
    int64_t axis = ltap_node_int(query->node, "axis", -1);

    return (int)(axis < 0 ? axis + query->inputs[0].rank : axis);
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_tensor *x = &query->inputs[0];

    if (x->dtype != LTAP_FLOAT32 || ltap_tensor_count(x) == 0)
        return ltap_refuse(why, "not float32, or empty");
    if (x->rank < 1)
        return ltap_refuse(why, "a single number");
    return true;
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    if (ltap_query_lies_last(query, 0))
        in[0] = out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *x = &query->inputs[0];
    int64_t count = (int64_t)ltap_tensor_count(x), worth = count / GRAIN + 1;
    int place = 0, axis = axis_of(query);

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(softmax), "a kernel", &kernel->state,
                                     error));
    softmax *state = kernel->state;
    *state = (softmax){.width = x->dims[axis], .inner = 1};
    state->threads = worth < query->threads ? (int)worth : query->threads;
    state->threads = state->threads < 1 ? 1 : state->threads;
    while (ltap_layout_axis(query->layout, x->rank, place) != axis)
        place++;
    for (int i = place + 1; i < x->rank; i++)
        state->inner *= x->dims[ltap_layout_axis(query->layout, x->rank, i)];
    state->outer = count / state->width / state->inner;
    state->log = strcmp(query->node->op_type, "LogSoftmax") == 0;
    kernel->state_bytes = sizeof(softmax);
    kernel->scratch_bytes = (uint64_t)(state->threads * desk_of(state)) * sizeof(float);
    kernel->detail = "";
    return LTAP_OK;
}

/* As integers that are ordered as the floats are, for the vectoriser's sake. NaN is anywhere: its
 * exponential makes the lane NaN all the same. */
LTAP_VECTOR_INLINE int32_t rank_of(float x)
{
    int32_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return bits ^ ((bits >> 31) & INT32_MAX);
}

LTAP_VECTOR_INLINE float float_of(int32_t rank)
{
    float x;

    rank ^= (rank >> 31) & INT32_MAX;
    memcpy(&x, &rank, sizeof(x));
    return x;
}

/* Subnormal numbers are nothing beside the largest, and make the products after it slow. */
LTAP_VECTOR_INLINE float share_of(float e, float sum)
{
    float share = e / sum;

    return share < FLT_MIN ? 0 : share;
}

/* Exponentials of a block of LANES, added to the lanes. */
LTAP_VECTOR_INLINE void add_block(const float *x, float most, float *y, vector *lanes)
{
    for (int i = 0; i < LANES; i++)
        y[i] = exp_of(x[i] - most);
    *lanes += *(const vector *)y;
}

LTAP_VECTOR_CLONES
static void reduce_lane(const float *x, float *y, int64_t n, bool log)
{
    float last[LANES];
    int64_t whole = n / LANES * LANES;
    int32_t rank = INT32_MIN;
    vector lanes = {0};

    for (int64_t i = 0; i < n; i++)
        rank = rank_of(x[i]) > rank ? rank_of(x[i]) : rank;
    const float most = float_of(rank);
    for (int64_t i = 0; i < whole; i += LANES)
        add_block(x + i, most, y + i, &lanes);
    if (n > whole) {
        for (int i = 0; i < LANES; i++)
            last[i] = i < n - whole ? x[whole + i] : -INFINITY;
        add_block(last, most, last, &lanes);
        memcpy(y + whole, last, (size_t)(n - whole) * sizeof(float));
    }
    const float sum = add_lanes(&lanes), log_sum = log_of(sum);
    if (log) {
        LTAP_VECTOR_LOOP
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] - most - log_sum;
    } else {
        LTAP_VECTOR_LOOP
        for (int64_t i = 0; i < n; i++)
            y[i] = share_of(y[i], sum);
    }
}

/* LANES lanes side by side. */
typedef float tile[LANES];

/* As add_lanes does. */
LTAP_VECTOR_INLINE void add_partial(tile *partial, float *sums)
{
    for (int j = 0; j < LANES; j++)
        sums[j] = 0;
    for (int i = 0; i < LANES / 2; i++)
        for (int j = 0; j < LANES; j++)
            sums[j] += partial[i][j] + partial[i + LANES / 2][j];
}

/* `width` numbers of each lane, LANES apart or `inner`. Whole vectors only: what the compiler does
 * with a rest may round otherwise. */
LTAP_VECTOR_CLONES
static void reduce_tile(const float *x, float *y, int64_t width, int64_t inner, bool log)
{
    tile partial[LANES] = {{0}}, most, sums;
    int32_t ranks[LANES];

    for (int j = 0; j < LANES; j++)
        ranks[j] = INT32_MIN;
    for (int64_t k = 0; k < width; k++)
        for (int j = 0; j < LANES; j++) {
            int32_t rank = rank_of(x[k * inner + j]);
            ranks[j] = rank > ranks[j] ? rank : ranks[j];
        }
    for (int j = 0; j < LANES; j++)
        most[j] = float_of(ranks[j]);
    for (int64_t k = 0; k < width; k++) {
        float *to = y + k * inner;
        LTAP_VECTOR_LOOP
        for (int j = 0; j < LANES; j++)
            to[j] = exp_of(x[k * inner + j] - most[j]);
        for (int j = 0; j < LANES; j++)
            partial[k % LANES][j] += to[j];
    }
    add_partial(partial, sums);
    for (int j = 0; j < LANES && log; j++)
        sums[j] = log_of(sums[j]);
    for (int64_t k = 0; k < width; k++)
        for (int j = 0; j < LANES; j++) {
            float *to = y + k * inner + j;
            *to = log ? x[k * inner + j] - most[j] - sums[j] : share_of(*to, sums[j]);
        }
}

/* Fewer lanes than fill a tile: in a tile of their own, of which the input is a part. */
static void reduce_few(const softmax *s, const float *x, float *y, int64_t count, float *desk)
{
    for (int64_t k = 0; k < s->width; k++)
        memcpy(desk + k * LANES, x + k * s->inner, (size_t)count * sizeof(float));
    reduce_tile(desk, desk + s->width * LANES, s->width, LANES, s->log);
    for (int64_t k = 0; k < s->width; k++)
        memcpy(y + k * s->inner, desk + (s->width + k) * LANES, (size_t)count * sizeof(float));
}
/* Tiles or lanes of what one outer index has. */
static int64_t units_of(const softmax *s)
{
    return s->inner == 1 ? 1 : (s->inner + LANES - 1) / LANES;
}

static void reduce_unit(const job *work, int64_t unit, float *desk)
{
    const softmax *s = work->state;
    int64_t units = units_of(s), at = unit % units * LANES, count = s->inner - at;
    int64_t begin = unit / units * s->width * s->inner + at;

    if (s->inner == 1)
        reduce_lane(work->src + begin, work->dst + begin, s->width, s->log);
    else if (count < LANES)
        reduce_few(s, work->src + begin, work->dst + begin, count, desk);
    else
        reduce_tile(work->src + begin, work->dst + begin, s->width, s->inner, s->log);
}

static void reduce_shares(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const softmax *s = work->state;
    int64_t all = s->outer * units_of(s);

    for (int64_t share = first; share < last; share++)
        for (int64_t unit = all * share / s->threads; unit < all * (share + 1) / s->threads; unit++)
            reduce_unit(work, unit, work->desks + share * desk_of(s));
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const softmax *state = kernel->state;
    job work = {state, inputs[0], outputs[0], scratch};

    (void)error;
    if (work.dst)
        ltap_parallel_for(state->threads, state->threads, 1, reduce_shares, &work);
    return LTAP_OK;
}

#define ROW(id, operator)                                                                          \
    const ltap_impl ltap_impl_simd_##id = {                                                        \
        .op = operator,                                                                            \
        .name = "simd:softmax",                                                                    \
        .accepts = accepts,                                                                        \
        .layouts = layouts,                                                                        \
        .prepare = prepare,                                                                        \
        .run = run,                                                                                \
        .release = ltap_kernel_release,                                                            \
    };
ROW(softmax, "Softmax")
ROW(log_softmax, "LogSoftmax")
