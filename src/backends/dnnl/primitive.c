/* oneDNN primitives: making, packing, running.
 *
 * Always on one thread: its own threads would wait for each other in busy loops beside ours. It
 * fixes the number when a primitive is described, looks it up in its cache by the number when it is
 * created, and uses it when it runs: so the number is set around all three.
 */
#include "backends/dnnl/primitive.h"
#include "backends/dnnl/memory.h"

#include <string.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

int ltap_dnnl_enter(void)
{
#if defined(_OPENMP)
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    return before;
#else
    return 1;
#endif
}

void ltap_dnnl_leave(int before)
{
#if defined(_OPENMP)
    omp_set_num_threads(before);
#else
    (void)before;
#endif
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
    bool all = fits(&query->outputs[0]);
    for (size_t i = 0; i < query->n_inputs; i++)
        all = all && fits(&query->inputs[i]);
    return all || ltap_refuse(why, "not float32, or an axis is empty or too long");
}

void ltap_dnnl_add(ltap_dnnl_job *job, int arg, ltap_dnnl_place place, size_t index,
                   const dnnl_memory_desc_t *desc)
{
    job->args[job->n_args++] =
        (ltap_dnnl_arg){.arg = arg, .place = place, .index = index, .desc = *desc};
}

/* Describes the primitive for a job; scratch memory is the caller's. */
static dnnl_status_t describe(const ltap_dnnl_job *job, dnnl_engine_t engine,
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
    if (dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name) != dnnl_success)
        return "";
    return name ? name : "";
}

bool ltap_dnnl_has(const ltap_dnnl_job *job, ltap_why *why)
{
    dnnl_engine_t engine;
    dnnl_primitive_desc_t desc;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success)
        return ltap_refuse(why, "oneDNN has no engine for this processor");
    int before = ltap_dnnl_enter();
    bool described = describe(job, engine, &desc) == dnnl_success;
    bool real = described && strncmp(implementation(desc), "ref", 3) != 0;
    if (described)
        dnnl_primitive_desc_destroy(desc);
    ltap_dnnl_leave(before);
    dnnl_engine_destroy(engine);
    return real || ltap_refuse(why, described ? "oneDNN has only its own reference for it"
                                              : "oneDNN does not have it");
}

typedef struct filling {
    const ltap_query *query;
    ltap_dnnl_fill fill;
    const dnnl_memory_desc_t *desc;
} filling;

static ltap_status fill_packed(void *context, void *packed, ltap_error *error)
{
    const filling *f = context;
    memset(packed, 0, dnnl_memory_desc_get_size(f->desc));
    f->fill(f->query, f->desc, packed);
    return LTAP_OK;
}

/* An argument whose packed bytes the job makes itself. */
static ltap_status fill_arg(const ltap_query *query, const ltap_dnnl_job *job,
                            ltap_dnnl_primitive *p, size_t i, ltap_error *error)
{
    const dnnl_memory_desc_t *wanted = &p->args[i].desc;
    filling f = {query, job->fill, wanted};
    if (wanted->format_kind != dnnl_blocked)
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "oneDNN wants an unknown layout");
    ltap_dnnl_key key = ltap_dnnl_key_of(wanted, job->fill_name);
    return ltap_packs_get(query->packs, query->identities[p->args[i].index], key.text,
                          dnnl_memory_desc_get_size(wanted), fill_packed, &f, &p->packed[i], error);
}

/* Brings argument i into the layout that the primitive wants. */
static ltap_status pack_arg(const ltap_query *query, const ltap_dnnl_job *job,
                            ltap_dnnl_primitive *p, size_t i, const_dnnl_primitive_desc_t desc,
                            ltap_error *error)
{
    ltap_dnnl_arg *arg = &p->args[i];
    if (arg->place != LTAP_DNNL_PACKED)
        return LTAP_OK;
    const dnnl_memory_desc_t *wanted =
        dnnl_primitive_desc_query_md(desc, dnnl_query_exec_arg_md, arg->arg);
    if (job->fill) {
        arg->desc = *wanted;
        return fill_arg(query, job, p, i, error);
    }
    if (dnnl_memory_desc_equal(wanted, &arg->desc)) {
        arg->place = LTAP_DNNL_INPUT;
        return LTAP_OK;
    }
    ltap_dnnl_reorder reorder = {.engine = p->engine,
                                 .from = arg->desc,
                                 .to = *wanted,
                                 .data = query->inputs[arg->index].data};
    LTAP_TRY(ltap_dnnl_pack(query->packs, query->identities[arg->index], &reorder, &p->packed[i],
                            error));
    arg->desc = *wanted;
    return LTAP_OK;
}

ltap_status ltap_dnnl_primitive_init(const ltap_query *query, const ltap_dnnl_job *job,
                                     dnnl_engine_t engine, ltap_dnnl_primitive *p,
                                     uint32_t *packed_inputs, ltap_error *error)
{
    dnnl_primitive_desc_t desc = NULL;
    ltap_status status = LTAP_OK;
    int before = ltap_dnnl_enter();
    *p = (ltap_dnnl_primitive){.engine = engine, .n_args = job->n_args};
    memcpy(p->args, job->args, sizeof job->args);
    LTAP_GO(ltap_dnnl_check(describe(job, engine, &desc), query->node->op_type, error));
    LTAP_GO(
        ltap_dnnl_check(dnnl_primitive_create(&p->primitive, desc), query->node->op_type, error));
    strncpy(p->detail, implementation(desc), sizeof p->detail - 1);
    for (size_t i = 0; i < p->n_args; i++) {
        LTAP_GO(pack_arg(query, job, p, i, desc, error));
        if (p->args[i].place == LTAP_DNNL_PACKED)
            *packed_inputs |= 1U << p->args[i].index;
    }
    p->scratch = *dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    p->scratch_bytes = dnnl_memory_desc_get_size(&p->scratch);
done:
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    ltap_dnnl_leave(before);
    return status;
}

void ltap_dnnl_primitive_clear(ltap_dnnl_primitive *p)
{
    if (p->primitive)
        dnnl_primitive_destroy(p->primitive);
    p->primitive = NULL;
}

/* Where argument i's data is in this run. */
static void *find_data(const ltap_dnnl_primitive *p, size_t i, const void *const *inputs,
                       void *const *outputs)
{
    const ltap_dnnl_arg *arg = &p->args[i];
    if (arg->place == LTAP_DNNL_OUTPUT)
        return outputs[arg->index];
    /* oneDNN takes pointers to mutable data for what it only reads. */
    return (void *)(uintptr_t)(arg->place == LTAP_DNNL_PACKED ? p->packed[i] : inputs[arg->index]);
}

ltap_status ltap_dnnl_primitive_run(const ltap_dnnl_primitive *p, const void *const *inputs,
                                    void *const *outputs, void *scratch, ltap_error *error)
{
    dnnl_exec_arg_t args[LTAP_DNNL_MAX_ARGS + 1] = {{0, NULL}};
    int n_args = 0;
    dnnl_stream_t stream = NULL;
    ltap_status status = LTAP_OK;
    int before = ltap_dnnl_enter();
    LTAP_GO(ltap_dnnl_check(dnnl_stream_create(&stream, p->engine, dnnl_stream_default_flags),
                            "a stream", error));
    for (; n_args <= (int)p->n_args; n_args++) {
        size_t i = (size_t)n_args;
        bool last = i == p->n_args;
        args[i].arg = last ? DNNL_ARG_SCRATCHPAD : p->args[i].arg;
        LTAP_GO(ltap_dnnl_check(
            dnnl_memory_create(&args[i].memory, last ? &p->scratch : &p->args[i].desc, p->engine,
                               last ? scratch : find_data(p, i, inputs, outputs)),
            "a memory object", error));
    }
    LTAP_GO(ltap_dnnl_check(dnnl_primitive_execute(p->primitive, stream, n_args, args), "a run",
                            error));
    LTAP_GO(ltap_dnnl_check(dnnl_stream_wait(stream), "a run", error));
done:
    for (int i = 0; i < n_args; i++)
        dnnl_memory_destroy(args[i].memory);
    if (stream)
        dnnl_stream_destroy(stream);
    ltap_dnnl_leave(before);
    return status;
}
