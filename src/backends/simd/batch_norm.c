/* BatchNormalization that no convolution took in (DenseNet's before its convolutions): a factor and
 * a shift for each channel, as two links in front of those that follow.
 *
 * It takes its input as it lies, plain or channels last: element by element, the layout does not
 * change a bit.
 */
#include "backends/simd/links.h"
#include "backends/simd/rows.h"

#include "backends/layout.h"
#include "base/error.h"

#include <math.h>

enum { SCALE = 1, BIAS, MEAN, VARIANCE, N_PARAMETERS };

typedef struct batch_norm {
    ltap_links links;
    int64_t channels;
    float factors[]; /* channels of them, then as many shifts */
} batch_norm;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_tensor *x = &query->inputs[0];

    if (x->dtype != LTAP_FLOAT32 || x->data || ltap_tensor_count(x) == 0 || x->rank < 2)
        return ltap_refuse(why, "not float32, or constant, or empty");
    for (size_t i = SCALE; i < N_PARAMETERS; i++)
        if (!query->inputs[i].data || query->inputs[i].dtype != LTAP_FLOAT32)
            return ltap_refuse(why, "a statistic is computed, or not float32");
    return true;
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    if (ltap_query_lies_last(query, 0))
        in[0] = out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

static void fill_factors(const ltap_query *query, batch_norm *state)
{
    const float *scale = query->inputs[SCALE].data, *bias = query->inputs[BIAS].data;
    const float *mean = query->inputs[MEAN].data, *variance = query->inputs[VARIANCE].data;
    double epsilon = ltap_node_float(query->node, "epsilon", 1e-5);

    for (int64_t c = 0; c < state->channels; c++) {
        double factor = scale[c] / sqrt(variance[c] + epsilon);
        state->factors[c] = (float)factor;
        state->factors[state->channels + c] = (float)(bias[c] - mean[c] * factor);
    }
}

/* The two links, and what follows. */
static void make_links(const ltap_query *query, batch_norm *state)
{
    const ltap_tensor *x = &query->inputs[0];
    ltap_tensor channels = *x, own[3];
    const ltap_link heads[2] = {
        {query->node, ltap_vector_find("Mul"), {0}, 2, {0, 1}},
        {query->node, ltap_vector_find("Add"), {0}, 2, {~0, 2}},
    };

    for (int i = 0; i < x->rank; i++)
        channels.dims[i] = i == 1 ? x->dims[1] : 1;
    own[0] = ltap_layout_told(x, query->layout, x->rank);
    own[1] = own[2] = ltap_layout_told(&channels, query->layout, x->rank);
    ltap_links_from(query, &(ltap_links_heads){heads, 2, own, 3}, &state->links);
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    int64_t channels = query->inputs[0].dims[1];
    uint64_t bytes = sizeof(batch_norm) + 2 * (uint64_t)channels * sizeof(float);

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, bytes, "a kernel", &kernel->state, error));
    batch_norm *state = kernel->state;
    state->channels = channels;
    fill_factors(query, state);
    make_links(query, state);
    kernel->state_bytes = bytes;
    kernel->packed_inputs = 1u << SCALE | 1u << BIAS | 1u << MEAN | 1u << VARIANCE;
    kernel->detail = "";
    return LTAP_OK;
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const batch_norm *state = kernel->state;
    const void *operands[LTAP_LINKS_OPERANDS] = {inputs[0], state->factors,
                                                 state->factors + state->channels};

    (void)scratch;
    (void)error;
    for (size_t k = 3; k < state->links.n_operands; k++)
        operands[k] = inputs[N_PARAMETERS + k - 3];
    if (outputs[0])
        ltap_links_run(&state->links, operands, outputs);
    return LTAP_OK;
}

const ltap_impl ltap_impl_simd_batch_norm = {
    .op = "BatchNormalization",
    .name = "simd:batch_norm",
    .chains = true,
    .accepts = accepts,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
