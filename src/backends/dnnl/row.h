/* Rows that are one oneDNN primitive: all their functions from one that describes the job. */
#ifndef LTAP_BACKENDS_DNNL_ROW_H
#define LTAP_BACKENDS_DNNL_ROW_H

#include "backends/dnnl/primitive.h"

/* Fills a job; false with `why` where oneDNN is not to be used. */
typedef bool (*ltap_dnnl_describe)(const ltap_query *query, ltap_dnnl_job *job, ltap_why *why);

bool ltap_dnnl_accepts(const ltap_query *query, ltap_dnnl_describe describe, ltap_why *why);
ltap_status ltap_dnnl_prepare(const ltap_query *query, ltap_dnnl_describe describe,
                              ltap_kernel *kernel, ltap_error *error);
/* Channels last for input 0 and outputs of two spatial axes. */
void ltap_dnnl_layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out);
ltap_status ltap_dnnl_run(const ltap_kernel *kernel, const void *const *inputs,
                          void *const *outputs, void *scratch, ltap_error *error);
void ltap_dnnl_release(ltap_kernel *kernel, ltap_memory *memory);

/* A row from its describe function; layouts_of: ltap_dnnl_layouts, or NULL for plain. */
#define LTAP_DNNL_ROW(id, operator, title, layouts_of)                                             \
    static bool id##_accepts(const ltap_query *query, ltap_why *why)                               \
    {                                                                                              \
        return ltap_dnnl_accepts(query, id##_describe, why);                                       \
    }                                                                                              \
    static ltap_status id##_prepare(const ltap_query *query, ltap_kernel *kernel,                  \
                                    ltap_error *error)                                             \
    {                                                                                              \
        return ltap_dnnl_prepare(query, id##_describe, kernel, error);                             \
    }                                                                                              \
    const ltap_impl ltap_dnnl_##id = {                                                             \
        .op = operator,                                                                            \
        .name = title,                                                                             \
        .accepts = id##_accepts,                                                                   \
        .layouts = layouts_of,                                                                     \
        .chains = true,                                                                            \
        .prepare = id##_prepare,                                                                   \
        .run = ltap_dnnl_run,                                                                      \
        .release = ltap_dnnl_release,                                                              \
    };

#endif
