/* Conv for exact mode: every product and every sum in double, rounded to float32 once.
 *
 * Products of two float32 numbers are exact in double, so what is left of the error is that of the
 * framework one compares with. Each output is one sum in one order (window rows, window columns,
 * channels), whatever the batch, the threads or its neighbours are. Channels last; a block of
 * outputs is a few pixels of one row by 16 channels, kept in registers.
 */
#include "backends/simd/rows.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/window.h"

#include <math.h>
#include <string.h>

/* Products are exact here, so fused multiply-adds change no bit. */
#if defined(__GNUC__) && !defined(__clang__)
#define CONTRACT __attribute__((optimize("fp-contract=fast")))
#else
#define CONTRACT
#endif

enum { PIXELS = 6, BLOCK = 16, LANES = 8 };

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef float lanes_float __attribute__((vector_size(LANES * sizeof(float))));

typedef struct exact_conv {
    ltap_window window;
    int64_t batch, groups, in_channels, out_channels; /* channels of one group */
    int64_t blocks;                                   /* of output channels of one group */
    int threads;
    const float *weights; /* [group][block][kh][kw][channel][BLOCK], zero beyond the channels */
    const float *bias;    /* [group][block][BLOCK] */
} exact_conv;

typedef struct job {
    const exact_conv *conv;
    const float *src;
    const double *wide; /* the input in double, a group's channels side by side, then zeros */
    double *widened;
    float *dst;
} job;

/* Of weights as they lie in the file, which need not be aligned while rows are chosen. */
static bool all_finite(const ltap_tensor *tensor)
{
    const uint8_t *data = tensor->data;
    float weight;

    for (uint64_t i = 0; i < ltap_tensor_count(tensor); i++) {
        memcpy(&weight, data + i * sizeof weight, sizeof weight);
        if (!isfinite(weight))
            return false;
    }
    return true;
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_tensor *weights = &query->inputs[1];
    bool biased = query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED;

    if (!query->exact)
        return ltap_refuse(why, "for exact mode only");
    if (query->inputs[0].rank != 4 || query->inputs[0].dtype != LTAP_FLOAT32)
        return ltap_refuse(why, "not a float32 tensor of rank 4");
    if (query->inputs[0].data || !weights->data || (biased && !query->inputs[2].data))
        return ltap_refuse(why, "its weights are not constant");
    if (ltap_tensor_count(&query->outputs[0]) == 0 || ltap_tensor_count(weights) == 0)
        return ltap_refuse(why, "empty");
    if (weights->dims[0] / ltap_node_int(query->node, "group", 1) < LANES / 2)
        return ltap_refuse(why, "too few channels a group");
    if (!all_finite(weights))
        return ltap_refuse(why, "a weight is not finite");
    return true;
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    (void)query;
    in[0] = LTAP_LAYOUT_CHANNELS_LAST;
    out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

typedef struct packing {
    const exact_conv *conv;
    const float *weights, *bias; /* [group * out_channels][in_channels][kh * kw] */
    int64_t taps;
} packing;

static ltap_status pack_weights(void *context, void *packed, ltap_error *error)
{
    const packing *p = context;
    const exact_conv *c = p->conv;
    float *dst = packed;

    (void)error;
    for (int64_t row = 0; row < c->groups * c->blocks; row++)
        for (int64_t tap = 0; tap < p->taps; tap++)
            for (int64_t i = 0; i < c->in_channels; i++)
                for (int64_t o = 0; o < BLOCK; o++, dst++) {
                    int64_t inside = row % c->blocks * BLOCK + o;
                    int64_t channel = row / c->blocks * c->out_channels + inside;
                    *dst = inside < c->out_channels
                               ? p->weights[(channel * c->in_channels + i) * p->taps + tap]
                               : 0.0f;
                }
    return LTAP_OK;
}

static ltap_status pack_bias(void *context, void *packed, ltap_error *error)
{
    const packing *p = context;
    const exact_conv *c = p->conv;
    float *dst = packed;

    (void)error;
    for (int64_t row = 0; row < c->groups * c->blocks; row++)
        for (int64_t o = 0; o < BLOCK; o++) {
            int64_t inside = row % c->blocks * BLOCK + o;
            int64_t channel = row / c->blocks * c->out_channels + inside;
            *dst++ = p->bias && inside < c->out_channels ? p->bias[channel] : 0.0f;
        }
    return LTAP_OK;
}

static ltap_status pack(const ltap_query *query, exact_conv *conv, ltap_error *error)
{
    bool biased = query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED;
    packing p = {.conv = conv,
                 .weights = query->inputs[1].data,
                 .bias = biased ? query->inputs[2].data : NULL,
                 .taps = conv->window.kernel[1] * conv->window.kernel[2]};
    uint64_t rows = (uint64_t)(conv->groups * conv->blocks) * BLOCK * sizeof(float), bytes;
    const void *packed;

    if (!ltap_checked_mul(rows, (uint64_t)(p.taps * conv->in_channels), &bytes))
        return ltap_error_set(error, LTAP_ERROR_MEMORY, "its weights are too large");
    LTAP_TRY(ltap_packs_get(query->packs, query->identities[1], "simd:exact_conv weights", bytes,
                            pack_weights, &p, &packed, error));
    conv->weights = packed;
    LTAP_TRY(ltap_packs_get(query->packs, query->identities[biased ? 2 : 1], "simd:exact_conv bias",
                            rows, pack_bias, &p, &packed, error));
    conv->bias = packed;
    return LTAP_OK;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const int64_t *w = query->inputs[1].dims;
    uint64_t count = ltap_tensor_count(&query->inputs[0]), wide;
    void *block;

    LTAP_TRY(
        ltap_memory_take_zeroed(query->memory, 1, sizeof(exact_conv), "a kernel", &block, error));
    exact_conv *conv = kernel->state = block;
    conv->batch = query->inputs[0].dims[0];
    conv->groups = ltap_node_int(query->node, "group", 1);
    conv->in_channels = w[1];
    conv->out_channels = w[0] / conv->groups;
    conv->blocks = (conv->out_channels + BLOCK - 1) / BLOCK;
    conv->threads = query->threads;
    ltap_status status =
        ltap_window_read(query->node, &query->inputs[0], &query->inputs[1], &conv->window, error);
    if (status == LTAP_OK && (!ltap_checked_add(count, (uint64_t)conv->in_channels, &wide) ||
                              !ltap_checked_mul(wide, sizeof(double), &kernel->scratch_bytes)))
        status = ltap_error_set(error, LTAP_ERROR_MEMORY, "its input is too large");
    if (status == LTAP_OK)
        status = pack(query, conv, error);
    if (status != LTAP_OK) {
        ltap_memory_release(query->memory, block);
        return status;
    }
    kernel->state_bytes = sizeof(exact_conv);
    kernel->packed_inputs = 1u << 1 | 1u << 2;
    kernel->detail = "double";
    return LTAP_OK;
}

static void widen(void *context, int64_t first, int64_t last)
{
    const job *work = context;

    for (int64_t i = first; i < last; i++)
        work->widened[i] = work->src[i];
}

/* sums[p][o] += over channels of pixels[p][i] * weights[i][o]. */
LTAP_VECTOR_FOR("avx512f", "fma", "default")
CONTRACT static void add_tap(const double *const *pixels, const float *weights, int64_t channels,
                             lanes sums[PIXELS][2])
{
    lanes s[PIXELS][2];

    memcpy(s, sums, sizeof(s));
    for (int64_t i = 0; i < channels; i++) {
        lanes_float low, high;
        memcpy(&low, weights + i * BLOCK, sizeof(low));
        memcpy(&high, weights + i * BLOCK + LANES, sizeof(high));
        lanes a = __builtin_convertvector(low, lanes), b = __builtin_convertvector(high, lanes);
        for (int p = 0; p < PIXELS; p++) {
            double x = pixels[p][i];
            s[p][0] += a * x;
            s[p][1] += b * x;
        }
    }
    memcpy(sums, s, sizeof(s));
}

/* Where the pixels of a block meet the input for one tap; zeros outside. False: all outside. */
static bool find_pixels(const job *work, int64_t group, const int64_t at[2], const int64_t tap[2],
                        const double **pixels)
{
    const exact_conv *c = work->conv;
    const ltap_window *w = &c->window;
    int64_t image = at[0] / w->out[1], all = c->groups * c->in_channels;
    int64_t y = ltap_window_at(w, 1, at[0] % w->out[1], tap[0]);
    const double *zeros = work->wide + c->batch * w->in[1] * w->in[2] * all;
    bool any = false;

    if (y < 0 || y >= w->in[1])
        return false;
    for (int64_t p = 0; p < PIXELS; p++) {
        int64_t x = ltap_window_at(w, 2, at[1] + p, tap[1]);
        bool inside = at[1] + p < w->out[2] && x >= 0 && x < w->in[2];
        pixels[p] = inside ? work->wide + ((image * w->in[1] + y) * w->in[2] + x) * all +
                                 group * c->in_channels
                           : zeros;
        any = any || inside;
    }
    return any;
}

static void store(const job *work, int64_t row, const int64_t at[2], lanes sums[PIXELS][2])
{
    const exact_conv *c = work->conv;
    int64_t group = row / c->blocks, first = row % c->blocks * BLOCK;
    int64_t n = c->out_channels - first < BLOCK ? c->out_channels - first : BLOCK;
    float *dst = work->dst + (at[0] * c->window.out[2] + at[1]) * c->groups * c->out_channels +
                 group * c->out_channels + first;
    double values[BLOCK];

    for (int64_t p = 0; p < PIXELS && at[1] + p < c->window.out[2]; p++) {
        memcpy(values, sums[p], sizeof(values));
        for (int64_t o = 0; o < n; o++)
            dst[p * c->groups * c->out_channels + o] = (float)values[o];
    }
}

/* One block: PIXELS pixels of an output row by BLOCK channels. */
static void do_block(const job *work, int64_t row, const int64_t at[2])
{
    const exact_conv *c = work->conv;
    const ltap_window *w = &c->window;
    const float *weights = c->weights + row * w->kernel[1] * w->kernel[2] * c->in_channels * BLOCK;
    const double *pixels[PIXELS];
    lanes sums[PIXELS][2];
    double bias[BLOCK];
    int64_t tap[2];

    for (int o = 0; o < BLOCK; o++)
        bias[o] = c->bias[row * BLOCK + o];
    for (int p = 0; p < PIXELS; p++)
        memcpy(sums[p], bias, sizeof(bias));
    for (tap[0] = 0; tap[0] < w->kernel[1]; tap[0]++)
        for (tap[1] = 0; tap[1] < w->kernel[2]; tap[1]++, weights += c->in_channels * BLOCK)
            if (find_pixels(work, row / c->blocks, at, tap, pixels))
                add_tap(pixels, weights, c->in_channels, sums);
    store(work, row, at, sums);
}

/* Tasks: output rows of all images, for each block of channels. */
static void do_rows(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const ltap_window *w = &work->conv->window;
    int64_t rows = work->conv->batch * w->out[1], at[2];

    for (int64_t task = first; task < last; task++)
        for (at[0] = task % rows, at[1] = 0; at[1] < w->out[2]; at[1] += PIXELS)
            do_block(work, task / rows, at);
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const exact_conv *c = kernel->state;
    int64_t count = c->batch * c->window.in[1] * c->window.in[2] * c->groups * c->in_channels;
    job work = {
        .conv = c, .src = inputs[0], .wide = scratch, .widened = scratch, .dst = outputs[0]};

    (void)error;
    if (!outputs[0])
        return LTAP_OK;
    memset(work.widened + count, 0, (size_t)c->in_channels * sizeof(double));
    ltap_parallel_for(c->threads, count, 1 << 14, widen, &work);
    ltap_parallel_for(c->threads, c->groups * c->blocks * c->batch * c->window.out[1], 1, do_rows,
                      &work);
    return LTAP_OK;
}

const ltap_impl ltap_impl_simd_exact_conv = {
    .op = "Conv",
    .name = "simd:exact_conv",
    .accepts = accepts,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
