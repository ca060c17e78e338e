/* Softmax along the last axis: each lane by simd/vector.h. */
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"

enum { GRAIN = 4096 };

typedef struct softmax {
    int64_t lanes, width;
    int threads;
} softmax;

typedef struct job {
    const softmax *state;
    const float *src;
    float *dst;
} job;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_tensor *x = &query->inputs[0];
    int64_t axis = ltap_node_int(query->node, "axis", -1);

    if (x->dtype != LTAP_FLOAT32 || ltap_tensor_count(x) == 0)
        return ltap_refuse(why, "not float32, or empty");
    if (x->rank < 1 || (axis != -1 && axis != x->rank - 1))
        return ltap_refuse(why, "not along the last axis");
    return true;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *x = &query->inputs[0];

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(softmax), "a kernel", &kernel->state,
                                     error));
    softmax *state = kernel->state;
    state->width = x->dims[x->rank - 1];
    state->lanes = (int64_t)ltap_tensor_count(x) / state->width;
    state->threads = query->threads;
    kernel->state_bytes = sizeof(softmax);
    kernel->detail = "";
    return LTAP_OK;
}

static void compute_lanes(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    int64_t width = work->state->width;

    for (int64_t lane = first; lane < last; lane++)
        ltap_vector_softmax(work->src + lane * width, work->dst + lane * width, width);
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const softmax *state = kernel->state;
    job work = {state, inputs[0], outputs[0]};

    (void)scratch;
    (void)error;
    if (work.dst)
        ltap_parallel_for(state->threads, state->lanes, GRAIN / state->width, compute_lanes, &work);
    return LTAP_OK;
}

const ltap_impl ltap_impl_simd_softmax = {
    .op = "Softmax",
    .name = "simd:softmax",
    .accepts = accepts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
