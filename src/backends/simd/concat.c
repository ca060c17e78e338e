/* Concat of channels, channels last where an input lies so: each pixel's channels are copied side
 * by side. Otherwise axis 1 often is no channels, and whole images are copied.
 *
 * Copies only, so the bits are those of the plain kernel.
 */
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"

#include <string.h>

enum { MAX_PARTS = 64 };

typedef struct concat {
    int64_t pixels, channels; /* of the output */
    int threads;
    size_t n_parts;
    int64_t parts[MAX_PARTS]; /* channels of each input */
} concat;

typedef struct job {
    const concat *state;
    const void *const *inputs;
    float *output;
} job;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    int64_t axis = ltap_node_int(query->node, "axis", 0);

    if (query->n_inputs > MAX_PARTS)
        return ltap_refuse(why, "more than 64 inputs");
    int rank = query->outputs[0].rank;

    if (!ltap_layout_applies(rank) || (axis != 1 && axis != 1 - rank))
        return ltap_refuse(why, "not along the channels of one to three spatial axes");
    if (query->outputs[0].dtype != LTAP_FLOAT32)
        return ltap_refuse(why, "not float32");
    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].data)
            return ltap_refuse(why, "an input is constant");
    return true;
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    bool last = false;

    for (size_t i = 0; i < query->n_inputs; i++)
        last = last || ltap_query_lies_last(query, i);
    for (size_t i = 0; i < query->n_inputs; i++)
        in[i] = last ? LTAP_LAYOUT_CHANNELS_LAST : LTAP_LAYOUT_PLAIN;
    out[0] = in[0];
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const int64_t *dims = query->outputs[0].dims;
    void *block;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(concat), "a kernel", &block, error));
    concat *state = block;
    int64_t inner = 1;

    for (int i = 2; i < query->outputs[0].rank; i++)
        inner *= dims[i];
    state->pixels = dims[0] * inner;
    if (query->layout == LTAP_LAYOUT_CHANNELS_LAST)
        inner = 1;
    else
        state->pixels = dims[0];
    state->channels = dims[1] * inner;
    state->threads = query->threads;
    state->n_parts = query->n_inputs;
    for (size_t i = 0; i < query->n_inputs; i++)
        state->parts[i] = query->inputs[i].dims[1] * inner;
    kernel->state = state;
    kernel->state_bytes = sizeof(concat);
    kernel->detail = "";
    return LTAP_OK;
}

static void copy_pixels(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const concat *state = work->state;
    int64_t offset = 0;

    for (size_t i = 0; i < state->n_parts; i++) {
        int64_t part = state->parts[i];
        const float *src = work->inputs[i];
        float *dst = work->output + offset;
        for (int64_t p = first; part && p < last; p++)
            memcpy(dst + p * state->channels, src + p * part, (size_t)part * sizeof(float));
        offset += part;
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const concat *state = kernel->state;
    job work = {state, inputs, outputs[0]};

    (void)scratch;
    (void)error;
    if (outputs[0])
        ltap_parallel_for(state->threads, state->pixels, 256, copy_pixels, &work);
    return LTAP_OK;
}

const ltap_impl ltap_impl_simd_concat = {
    .op = "Concat",
    .name = "simd:concat",
    .accepts = accepts,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};
