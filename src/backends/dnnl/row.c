/* The functions that rows of one oneDNN primitive share. */
#include "backends/dnnl/row.h"
#include "backends/dnnl/memory.h"
#include "base/parallel.h"

typedef struct state {
    int threads;
    dnnl_engine_t engine;
    ltap_dnnl_primitive primitive;
    ltap_dnnl_chain chain;
} state;

bool ltap_dnnl_accepts(const ltap_query *query, ltap_dnnl_describe describe, ltap_why *why)
{
    ltap_dnnl_job job = {.n_args = 0};
    return describe(query, &job, why) && ltap_dnnl_has(&job, query->threads, why);
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

/* As much of the same type out as in, no other inputs: can be done in place. */
static bool is_in_place(const ltap_node *node, const ltap_tensor *value)
{
    const ltap_op *op = node->op;
    ltap_tensor out = {.dtype = LTAP_UNDEFINED};
    ltap_call call = {.node = node,
                      .inputs = value,
                      .n_inputs = 1,
                      .outputs = &out,
                      .n_outputs = 1,
                      .threads = 1};
    if (!op || !(op->flags & LTAP_OP_UNARY) || (op->flags & (LTAP_OP_VIEW | LTAP_OP_RANDOM)) ||
        node->n_inputs != 1 || node->n_outputs != 1)
        return false;
    return op->shape(&call, NULL) == LTAP_OK && out.dtype == value->dtype &&
           ltap_tensor_same_shape(&out, value);
}

size_t ltap_dnnl_fuses(const ltap_query *query)
{
    size_t n = 0;
    ltap_tensor value = query->outputs[0];
    value.data = NULL;
    while (n < query->n_chain && n < LTAP_DNNL_MAX_CHAIN && is_in_place(query->chain[n], &value))
        n++;
    return n;
}

void ltap_dnnl_chain_init(const ltap_query *query, ltap_dnnl_chain *chain)
{
    *chain = (ltap_dnnl_chain){.memory = query->memory,
                               .threads = query->threads,
                               .value = query->outputs[0],
                               .count = query->n_chain};
    for (size_t i = 0; i < query->n_chain; i++)
        chain->nodes[i] = query->chain[i];
}

ltap_status ltap_dnnl_chain_run(const ltap_dnnl_chain *chain, void *data, ltap_error *error)
{
    ltap_tensor value = chain->value;
    value.data = data;
    for (size_t i = 0; i < chain->count; i++) {
        ltap_tensor out = value;
        ltap_call call = {.node = chain->nodes[i],
                          .inputs = &value,
                          .n_inputs = 1,
                          .outputs = &out,
                          .n_outputs = 1,
                          .memory = chain->memory,
                          .threads = chain->threads};
        LTAP_TRY(chain->nodes[i]->op->reference(&call, error));
    }
    return LTAP_OK;
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
    s->threads = query->threads;
    ltap_dnnl_chain_init(query, &s->chain);
    LTAP_GO(ltap_dnnl_check(dnnl_engine_create(&s->engine, dnnl_cpu, 0), "an engine", error));
    LTAP_GO(ltap_dnnl_primitive_init(query, &job, s->threads, s->engine, &s->primitive,
                                     &kernel->packed_inputs, error));
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
    int before = ltap_parallel_set_threads(s->threads);
    ltap_status status = ltap_dnnl_primitive_run(&s->primitive, inputs, outputs, scratch, error);
    ltap_parallel_set_threads(before);
    return status == LTAP_OK ? ltap_dnnl_chain_run(&s->chain, outputs[0], error) : status;
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
