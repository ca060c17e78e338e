/* LayerNormalization over trailing axes, scale and bias of just those axes: each span by
 * simd/vector.h.
 */
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"

enum { GRAIN = 4096 };

typedef struct layer_norm {
    int64_t spans, width;
    float epsilon;
    int threads;
    bool has_bias;
} layer_norm;

typedef struct job {
    const layer_norm *state;
    const float *src;
    ltap_vector_norm norm;
    float *dst;
} job;

static int64_t span_of(const ltap_query *query)
{
    const ltap_tensor *x = &query->inputs[0];
    int64_t axis = ltap_node_int(query->node, "axis", -1), span = 1;

    for (int64_t i = axis < 0 ? axis + x->rank : axis; i < x->rank; i++)
        span *= x->dims[i];
    return span;
}

/* One number for each element of a span, and the same for all spans. */
static bool fits_span(const ltap_query *query, const ltap_tensor *factor)
{
    const ltap_tensor *x = &query->inputs[0];
    int64_t axis = ltap_node_int(query->node, "axis", -1), span = 1;
    for (int64_t i = x->rank - 1; i >= (axis < 0 ? axis + x->rank : axis); i--)
        span *= factor->rank - x->rank + i < 0 ? 1 : factor->dims[factor->rank - x->rank + i];
    return span == span_of(query) && (int64_t)ltap_tensor_count(factor) == span;
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].dtype != LTAP_FLOAT32 && query->inputs[i].dtype != LTAP_UNDEFINED)
            return ltap_refuse(why, "not float32");
    if (ltap_tensor_count(&query->inputs[0]) == 0)
        return ltap_refuse(why, "empty");
    for (size_t i = 1; i < query->n_outputs; i++)
        if (query->node->outputs[i] != LTAP_NO_VALUE)
            return ltap_refuse(why, "its statistics are wanted");
    for (size_t i = 1; i < query->n_inputs; i++)
        if (query->inputs[i].dtype != LTAP_UNDEFINED && !fits_span(query, &query->inputs[i]))
            return ltap_refuse(why, "its scale or bias is not of the normalized axes");
    return true;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(layer_norm), "a kernel",
                                     &kernel->state, error));
    layer_norm *state = kernel->state;
    state->width = span_of(query);
    state->spans = (int64_t)ltap_tensor_count(&query->inputs[0]) / state->width;
    state->epsilon = (float)ltap_node_float(query->node, "epsilon", 1e-5f);
    state->threads = query->threads;
    state->has_bias = query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED;
    kernel->state_bytes = sizeof(layer_norm);
    kernel->detail = "";
    return LTAP_OK;
}

static void normalize_spans(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    int64_t width = work->state->width;

    for (int64_t span = first; span < last; span++)
        ltap_vector_normalize(work->src + span * width, &work->norm, work->dst + span * width,
                              width);
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const layer_norm *state = kernel->state;
    job work = {state, inputs[0], {inputs[1], NULL, state->epsilon}, outputs[0]};

    (void)scratch;
    (void)error;
    if (state->has_bias)
        work.norm.bias = inputs[2];
    if (work.dst)
        ltap_parallel_for(state->threads, state->spans, GRAIN / state->width, normalize_spans,
                          &work);
    return LTAP_OK;
}

const ltap_impl ltap_impl_simd_layer_norm = {
    .op = "LayerNormalization",
    .name = "simd:layer_norm",
    .accepts = accepts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
