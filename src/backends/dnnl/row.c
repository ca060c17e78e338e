/* The functions that rows of one oneDNN primitive share. */
#include "backends/dnnl/row.h"
#include "backends/dnnl/memory.h"
#include "backends/simd/links.h"

typedef struct state {
    dnnl_engine_t engine;
    ltap_dnnl_primitive primitive;
    size_t n_inputs;
    ltap_links chain; /* oneDNN's own fused ReLU turns NaN into 0, which PyTorch does not */
} state;

bool ltap_dnnl_accepts(const ltap_query *query, ltap_dnnl_describe describe, ltap_why *why)
{
    ltap_dnnl_job job = {.n_args = 0};
    return describe(query, &job, why) && ltap_dnnl_has(&job, why);
}

void ltap_dnnl_layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    if (query->inputs[0].rank == 4)
        in[0] = LTAP_LAYOUT_CHANNELS_LAST;
    for (size_t i = 0; i < query->n_outputs; i++) {
        if (query->outputs[i].rank == 4)
            out[i] = LTAP_LAYOUT_CHANNELS_LAST;
    }
}

ltap_status ltap_dnnl_prepare(const ltap_query *query, ltap_dnnl_describe describe,
                              ltap_kernel *kernel, ltap_error *error)
{
    ltap_dnnl_job job = {.n_args = 0};
    ltap_why why = {""};
    if (!describe(query, &job, &why))
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "oneDNN was chosen, but %s", why.text);
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(state), "a kernel", &kernel->state,
                                     error));
    ltap_status status = LTAP_OK;
    state *s = kernel->state;
    s->n_inputs = query->n_inputs;
    ltap_links_after(query, &s->chain);
    LTAP_GO(ltap_dnnl_check(dnnl_engine_create(&s->engine, dnnl_cpu, 0), "an engine", error));
    LTAP_GO(ltap_dnnl_primitive_init(query, &job, s->engine, &s->primitive, &kernel->packed_inputs,
                                     error));
    kernel->state_bytes = sizeof *s;
    kernel->scratch_bytes = s->primitive.scratch_bytes;
    kernel->detail = s->primitive.detail;
done:
    if (status != LTAP_OK)
        ltap_dnnl_release(kernel, query->memory);
    return status;
}

ltap_status ltap_dnnl_run(const ltap_kernel *kernel, const void *const *inputs,
                          void *const *outputs, void *scratch, ltap_error *error)
{
    const state *s = kernel->state;
    ltap_status status = ltap_dnnl_primitive_run(&s->primitive, inputs, outputs, scratch, error);
    if (status == LTAP_OK)
        ltap_links_finish(&s->chain, inputs, s->n_inputs, outputs);
    return status;
}

void ltap_dnnl_release(ltap_kernel *kernel, ltap_memory *memory)
{
    state *s = kernel->state;
    if (!s)
        return;
    ltap_dnnl_primitive_clear(&s->primitive);
    if (s->engine)
        dnnl_engine_destroy(s->engine);
    ltap_memory_release(memory, s);
    kernel->state = NULL;
}
