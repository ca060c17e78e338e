/* oneDNN primitives: made for one node of one plan, run by any number of threads.
 *
 * oneDNN fixes the number of threads when a primitive is made, so it is set around making and
 * around running. What follows a node at once (a ReLU) is done in place on the output by its
 * reference kernel: oneDNN's own fused ReLU turns NaN into 0, which PyTorch does not.
 */
#include "backends/dnnl/primitive.h"
#include "backends/dnnl/memory.h"
#include "base/parallel.h"

#include <string.h>

typedef struct state {
    ltap_memory *memory;
    int threads;
    dnnl_engine_t engine;
    dnnl_primitive_t primitive;
    char detail[64];
    size_t n_args;
    ltap_dnnl_arg args[LTAP_DNNL_MAX_ARGS]; /* desc: as the primitive wants it */
    const void *packed[LTAP_DNNL_MAX_ARGS];
    dnnl_memory_desc_t scratch;
    ltap_tensor output; /* of the node, for the chain */
    size_t n_chain;
    const ltap_node *chain[LTAP_DNNL_MAX_CHAIN];
} state;

/* Makes the description of the primitive that the query is answered with. */
static dnnl_status_t describe_primitive(const ltap_dnnl_job *job, dnnl_engine_t engine,
                                        dnnl_primitive_desc_t *desc)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(desc, &job->operation, attr, engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

static const char *implementation(const_dnnl_primitive_desc_t desc)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name) != dnnl_success)
        return "";
    return name ? name : "";
}

static bool fits(const ltap_tensor *t)
{
    if (t->dtype != LTAP_FLOAT32 && t->dtype != LTAP_UNDEFINED)
        return false;
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] < 1 || t->dims[i] > INT32_MAX)
            return false;
    }
    return true;
}

bool ltap_dnnl_fits(const ltap_query *query, ltap_why *why)
{
    bool all = true;
    for (size_t i = 0; i < query->n_inputs; i++)
        all = all && fits(&query->inputs[i]);
    all = all && fits(&query->outputs[0]);
    return all || ltap_refuse(why, "not float32, or an axis is empty or too long");
}

void ltap_dnnl_add(ltap_dnnl_job *job, int arg, ltap_dnnl_place place, size_t index,
                   const dnnl_memory_desc_t *desc)
{
    job->args[job->n_args++] =
        (ltap_dnnl_arg){.arg = arg, .place = place, .index = index, .desc = *desc};
}

bool ltap_dnnl_accepts(const ltap_query *query, ltap_dnnl_describe describe, ltap_why *why)
{
    ltap_dnnl_job job = {.n_args = 0};
    dnnl_engine_t engine;
    dnnl_primitive_desc_t desc;
    if (!describe(query, &job, why))
        return false;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success)
        return ltap_refuse(why, "oneDNN has no engine for this processor");
    int before = ltap_parallel_set_threads(query->threads);
    bool accepted = describe_primitive(&job, engine, &desc) == dnnl_success;
    ltap_parallel_set_threads(before);
    if (!accepted) {
        ltap_refuse(why, "oneDNN does not have it");
    } else {
        accepted = strncmp(implementation(desc), "ref", 3) != 0;
        if (!accepted)
            ltap_refuse(why, "oneDNN has only its own reference for it");
        dnnl_primitive_desc_destroy(desc);
    }
    dnnl_engine_destroy(engine);
    return accepted;
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

/* Float32 in, as much float32 out, no other inputs: can be done in place. */
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

/* Brings argument i into the layout that the primitive wants. */
static ltap_status pack_arg(const ltap_query *query, state *s, size_t i,
                            const_dnnl_primitive_desc_t desc, ltap_kernel *kernel,
                            ltap_error *error)
{
    ltap_dnnl_arg *arg = &s->args[i];
    const dnnl_memory_desc_t *wanted =
        dnnl_primitive_desc_query_md(desc, dnnl_query_exec_arg_md, arg->arg);
    if (arg->place != LTAP_DNNL_PACKED)
        return LTAP_OK;
    if (dnnl_memory_desc_equal(wanted, &arg->desc)) {
        arg->place = LTAP_DNNL_INPUT;
        return LTAP_OK;
    }
    ltap_dnnl_reorder reorder = {.engine = s->engine,
                                 .from = arg->desc,
                                 .to = *wanted,
                                 .data = query->inputs[arg->index].data};
    LTAP_TRY(ltap_dnnl_pack(query->packs, query->identities[arg->index], &reorder, &s->packed[i],
                            error));
    arg->desc = *wanted;
    kernel->packed_inputs |= 1U << arg->index;
    return LTAP_OK;
}

static ltap_status make_primitive(const ltap_query *query, const ltap_dnnl_job *job, state *s,
                                  ltap_kernel *kernel, ltap_error *error)
{
    dnnl_primitive_desc_t desc = NULL;
    ltap_status status = LTAP_OK;
    LTAP_GO(ltap_dnnl_check(dnnl_engine_create(&s->engine, dnnl_cpu, 0), "an engine", error));
    LTAP_GO(ltap_dnnl_check(describe_primitive(job, s->engine, &desc), kernel->impl->name, error));
    LTAP_GO(ltap_dnnl_check(dnnl_primitive_create(&s->primitive, desc), kernel->impl->name, error));
    strncpy(s->detail, implementation(desc), sizeof s->detail - 1);
    for (size_t i = 0; i < s->n_args; i++)
        LTAP_GO(pack_arg(query, s, i, desc, kernel, error));
    s->scratch = *dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    kernel->scratch_bytes = dnnl_memory_desc_get_size(&s->scratch);
    kernel->detail = s->detail;
done:
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    return status;
}

ltap_status ltap_dnnl_prepare(const ltap_query *query, ltap_dnnl_describe describe,
                              ltap_kernel *kernel, ltap_error *error)
{
    ltap_dnnl_job job = {.n_args = 0};
    ltap_why why = {""};
    if (!describe(query, &job, &why))
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "%s was chosen, but %s",
                              kernel->impl->name, why.text);
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(state), "a kernel", &kernel->state,
                                     error));
    state *s = kernel->state;
    kernel->state_bytes = sizeof *s;
    s->memory = query->memory;
    s->threads = query->threads;
    s->n_args = job.n_args;
    memcpy(s->args, job.args, sizeof job.args);
    s->output = query->outputs[0];
    s->n_chain = query->n_chain;
    for (size_t i = 0; i < query->n_chain; i++)
        s->chain[i] = query->chain[i];
    int before = ltap_parallel_set_threads(query->threads);
    ltap_status status = make_primitive(query, &job, s, kernel, error);
    ltap_parallel_set_threads(before);
    if (status != LTAP_OK)
        ltap_dnnl_release(kernel, query->memory);
    return status;
}

static ltap_status run_chain(const state *s, void *data, ltap_error *error)
{
    ltap_tensor value = s->output;
    value.data = data;
    for (size_t i = 0; i < s->n_chain; i++) {
        ltap_tensor out = value;
        ltap_call call = {.node = s->chain[i],
                          .inputs = &value,
                          .n_inputs = 1,
                          .outputs = &out,
                          .n_outputs = 1,
                          .memory = s->memory,
                          .threads = s->threads};
        LTAP_TRY(s->chain[i]->op->reference(&call, error));
    }
    return LTAP_OK;
}

/* Where argument i's data is in this run. */
static void *find_data(const state *s, size_t i, const void *const *inputs, void *const *outputs)
{
    const ltap_dnnl_arg *arg = &s->args[i];
    if (arg->place == LTAP_DNNL_OUTPUT)
        return outputs[arg->index];
    /* oneDNN takes pointers to mutable data for what it only reads. */
    return (void *)(uintptr_t)(arg->place == LTAP_DNNL_PACKED ? s->packed[i] : inputs[arg->index]);
}

ltap_status ltap_dnnl_run(const ltap_kernel *kernel, const void *const *inputs,
                          void *const *outputs, void *scratch, ltap_error *error)
{
    const state *s = kernel->state;
    dnnl_exec_arg_t args[LTAP_DNNL_MAX_ARGS + 1] = {{0, NULL}};
    int n_args = 0;
    dnnl_stream_t stream = NULL;
    ltap_status status = LTAP_OK;
    int before = ltap_parallel_set_threads(s->threads);
    LTAP_GO(ltap_dnnl_check(dnnl_stream_create(&stream, s->engine, dnnl_stream_default_flags),
                            "a stream", error));
    for (; n_args <= (int)s->n_args; n_args++) {
        size_t i = (size_t)n_args;
        bool last = i == s->n_args;
        args[i].arg = last ? DNNL_ARG_SCRATCHPAD : s->args[i].arg;
        LTAP_GO(ltap_dnnl_check(
            dnnl_memory_create(&args[i].memory, last ? &s->scratch : &s->args[i].desc, s->engine,
                               last ? scratch : find_data(s, i, inputs, outputs)),
            "a memory object", error));
    }
    LTAP_GO(ltap_dnnl_check(dnnl_primitive_execute(s->primitive, stream, n_args, args),
                            kernel->impl->name, error));
    LTAP_GO(ltap_dnnl_check(dnnl_stream_wait(stream), kernel->impl->name, error));
    LTAP_GO(run_chain(s, outputs[0], error));
done:
    for (int i = 0; i < n_args; i++)
        dnnl_memory_destroy(args[i].memory);
    if (stream)
        dnnl_stream_destroy(stream);
    ltap_parallel_set_threads(before);
    return status;
}

void ltap_dnnl_release(ltap_kernel *kernel, ltap_memory *memory)
{
    state *s = kernel->state;
    if (!s)
        return;
    if (s->primitive)
        dnnl_primitive_destroy(s->primitive);
    if (s->engine)
        dnnl_engine_destroy(s->engine);
    ltap_memory_release(memory, s);
    kernel->state = NULL;
}
