/* InstanceNormalization and GroupNormalization: spans of whole channels, each normalized by its own
 * mean and variance, in two passes.
 *
 * Stretches of a span are summed in vectors, the stretches in double, so that errors stay small in
 * long spans. Nothing depends on threads or on the rest of the batch.
 */
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"

#include <math.h>
#include <string.h>

enum { LANES = 16, STRETCH = 32 * LANES, GRAIN = 16384 };

typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

typedef struct plane_norm {
    int64_t spans, groups, channels, plane; /* channels: of a span */
    double epsilon;
    int threads;
} plane_norm;

typedef struct job {
    const plane_norm *state;
    const float *src, *scale, *bias;
    float *dst;
} job;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].dtype != LTAP_FLOAT32)
            return ltap_refuse(why, "not float32");
    if (ltap_tensor_count(&query->inputs[0]) == 0)
        return ltap_refuse(why, "empty");
    return true;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *x = &query->inputs[0];

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(plane_norm), "a kernel",
                                     &kernel->state, error));
    plane_norm *p = kernel->state;
    p->groups = ltap_node_int(query->node, "num_groups", x->dims[1]);
    p->spans = x->dims[0] * p->groups;
    p->channels = x->dims[1] / p->groups;
    p->plane = 1;
    for (int i = 2; i < x->rank; i++)
        p->plane *= x->dims[i];
    p->epsilon = ltap_node_float(query->node, "epsilon", 1e-5);
    p->threads = query->threads;
    kernel->state_bytes = sizeof(plane_norm);
    kernel->detail = "";
    return LTAP_OK;
}

/* The sum of x - mean, or of its squares, over at most STRETCH elements. */
LTAP_VECTOR_CLONES
static float add_stretch(const float *x, int64_t n, float mean, bool square)
{
    lanes sums = {0};
    float parts[LANES], sum = 0;
    int64_t i = 0;

    for (; square && i + LANES <= n; i += LANES) {
        lanes apart = *(const lanes *)(x + i) - mean;
        sums += apart * apart;
    }
    for (; !square && i + LANES <= n; i += LANES)
        sums += *(const lanes *)(x + i) - mean;
    memcpy(parts, &sums, sizeof(parts));
    for (int64_t k = 0; i < n; i++, k++)
        parts[k] += square ? (x[i] - mean) * (x[i] - mean) : x[i] - mean;
    for (int k = 0; k < LANES; k++)
        sum += parts[k];
    return sum;
}

static double average(const float *x, int64_t n, float mean, bool square)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i += STRETCH)
        sum += (double)add_stretch(x + i, n - i < STRETCH ? n - i : STRETCH, mean, square);
    return sum / (double)n;
}

LTAP_VECTOR_CLONES
static void scale_plane(const float *restrict x, const float *restrict factors, float *restrict y,
                        int64_t n)
{
    const float mean = factors[0], factor = factors[1], bias = factors[2];

    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * factor + bias;
}

/* Sums are of what is left above the first element, so that a large common part costs no digits. */
static void normalize_span(const job *work, int64_t span)
{
    const plane_norm *p = work->state;
    int64_t length = p->channels * p->plane, channel = span % p->groups * p->channels;
    const float *x = work->src + span * length, first = isfinite(x[0]) ? x[0] : 0;
    double mean = (double)first + average(x, length, first, false);
    double rest = mean - (double)(float)mean;
    double variance = average(x, length, (float)mean, true) - rest * rest;
    double inverse = 1 / sqrt((variance > 0 || variance != variance ? variance : 0) + p->epsilon);

    for (int64_t c = 0; c < p->channels; c++, channel++) {
        double factor = inverse * (double)work->scale[channel];
        double shift = isinf(factor) ? 0 : rest * factor;
        const float factors[3] = {(float)mean, (float)factor,
                                  (float)((double)work->bias[channel] - shift)};
        scale_plane(x + c * p->plane, factors, work->dst + span * length + c * p->plane, p->plane);
    }
}

static void normalize_spans(void *context, int64_t first, int64_t last)
{
    for (int64_t span = first; span < last; span++)
        normalize_span(context, span);
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const plane_norm *p = kernel->state;
    job work = {p, inputs[0], inputs[1], inputs[2], outputs[0]};

    (void)scratch;
    (void)error;
    ltap_parallel_for(p->threads, p->spans, GRAIN / (p->channels * p->plane) + 1, normalize_spans,
                      &work);
    return LTAP_OK;
}

#define ROW(id, operator)                                                                          \
    const ltap_impl ltap_impl_simd_##id = {                                                        \
        .op = operator,                                                                            \
        .name = "simd:plane_norm",                                                                 \
        .accepts = accepts,                                                                        \
        .prepare = prepare,                                                                        \
        .run = run,                                                                                \
        .release = ltap_kernel_release,                                                            \
    };
ROW(instance_norm, "InstanceNormalization")
ROW(group_norm, "GroupNormalization")
