/* oneDNN memory: descriptions, and laying out constants anew. */
#include "backends/dnnl/memory.h"

#include "backends/impl.h"

#include <stdio.h>
#include <string.h>

ltap_status ltap_dnnl_check(dnnl_status_t status, const char *what, ltap_error *error)
{
    if (status == dnnl_success)
        return LTAP_OK;
    if (status == dnnl_out_of_memory)
        return ltap_error_set(error, LTAP_ERROR_MEMORY, "oneDNN has no memory left for %s", what);
    if (status == dnnl_unimplemented)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "oneDNN does not have %s", what);
    return ltap_error_set(error, LTAP_ERROR_INTERNAL, "oneDNN answers %d when asked for %s",
                          (int)status, what);
}

bool ltap_dnnl_tensor(const ltap_tensor *tensor, bool channels_last, dnnl_memory_desc_t *desc)
{
    static const dnnl_format_tag_t plain[] = {dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    static const dnnl_format_tag_t last[] = {dnnl_acb, dnnl_acdb, dnnl_acdeb};
    dnnl_dims_t dims = {0};
    if (tensor->rank < 1 || tensor->rank > 5)
        return false;
    for (int i = 0; i < tensor->rank; i++)
        dims[i] = tensor->dims[i];
    dnnl_format_tag_t tag = channels_last && ltap_layout_applies(tensor->rank)
                                ? last[tensor->rank - 3]
                                : plain[tensor->rank - 1];
    return dnnl_memory_desc_init_by_tag(desc, tensor->rank, dims, dnnl_f32, tag) == dnnl_success;
}

dnnl_memory_desc_t ltap_dnnl_any(const dnnl_memory_desc_t *desc)
{
    dnnl_memory_desc_t any = *desc;
    any.format_kind = dnnl_format_kind_any;
    return any;
}

static ltap_status reorder_constant(void *context, void *packed, ltap_error *error)
{
    const ltap_dnnl_reorder *r = context;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, NULL}, {DNNL_ARG_TO, NULL}};
    ltap_status status = LTAP_OK;
    LTAP_GO(ltap_dnnl_check(
        dnnl_reorder_primitive_desc_create(&desc, &r->from, r->engine, &r->to, r->engine, NULL),
        "a reorder", error));
    LTAP_GO(ltap_dnnl_check(dnnl_primitive_create(&primitive, desc), "a reorder", error));
    LTAP_GO(ltap_dnnl_check(dnnl_stream_create(&stream, r->engine, dnnl_stream_default_flags),
                            "a stream", error));
    LTAP_GO(ltap_dnnl_check(
        dnnl_memory_create(&args[0].memory, &r->from, r->engine, (void *)(uintptr_t)r->data),
        "a memory object", error));
    LTAP_GO(ltap_dnnl_check(dnnl_memory_create(&args[1].memory, &r->to, r->engine, packed),
                            "a memory object", error));
    LTAP_GO(
        ltap_dnnl_check(dnnl_primitive_execute(primitive, stream, 2, args), "a reorder", error));
    LTAP_GO(ltap_dnnl_check(dnnl_stream_wait(stream), "a reorder", error));
done:
    for (int i = 0; i < 2; i++) {
        if (args[i].memory)
            dnnl_memory_destroy(args[i].memory);
    }
    if (stream)
        dnnl_stream_destroy(stream);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    return status;
}

ltap_dnnl_key ltap_dnnl_key_of(const dnnl_memory_desc_t *desc, const char *name)
{
    const dnnl_blocking_desc_t *blocking = &desc->format_desc.blocking;
    ltap_dnnl_key key;
    int size = (int)sizeof(key.text);
    int at = snprintf(key.text, sizeof(key.text), "%s %d %llx", name, desc->ndims,
                      (unsigned long long)desc->extra.flags);
    for (int i = 0; i < desc->ndims; i++)
        at += snprintf(key.text + at, (size_t)(size - at), " %lld/%lld/%lld",
                       (long long)desc->dims[i], (long long)desc->padded_dims[i],
                       (long long)blocking->strides[i]);
    for (int i = 0; i < blocking->inner_nblks; i++)
        at += snprintf(key.text + at, (size_t)(size - at), " %lld@%lld",
                       (long long)blocking->inner_blks[i], (long long)blocking->inner_idxs[i]);
    return key;
}

ltap_status ltap_dnnl_pack(ltap_packs *packs, const void *identity, ltap_dnnl_reorder *reorder,
                           const void **packed, ltap_error *error)
{
    ltap_dnnl_key key = ltap_dnnl_key_of(&reorder->to, "dnnl");
    return ltap_packs_get(packs, identity, key.text, dnnl_memory_desc_get_size(&reorder->to),
                          reorder_constant, reorder, packed, error);
}
