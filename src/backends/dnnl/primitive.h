/* What all oneDNN rows share: describing tensors, making a primitive, packing weights, running.
 *
 * A row fills an ltap_dnnl_job: the operation, and for each of its arguments where the data comes
 * from. Everything else is done here. No other folder sees a oneDNN type.
 *
 * Nothing is shared by kernels but oneDNN's own process-wide cache of generated code: each kernel
 * has its engine; memory objects and the stream live for one run, since a kernel is run by many
 * threads.
 */
#ifndef LTAP_BACKENDS_DNNL_PRIMITIVE_H
#define LTAP_BACKENDS_DNNL_PRIMITIVE_H

#include "backends/impl.h"
#include <dnnl.h>

#define LTAP_DNNL_MAX_ARGS  4
#define LTAP_DNNL_MAX_CHAIN 8

typedef enum ltap_dnnl_place {
    LTAP_DNNL_INPUT,  /* the node's input `index`, as it lies */
    LTAP_DNNL_PACKED, /* the same, a constant in the layout that oneDNN chooses */
    LTAP_DNNL_OUTPUT
} ltap_dnnl_place;

typedef struct ltap_dnnl_arg {
    int arg; /* DNNL_ARG_SRC, ... */
    ltap_dnnl_place place;
    size_t index;
    dnnl_memory_desc_t desc; /* as it lies in the graph */
} ltap_dnnl_arg;

typedef struct ltap_dnnl_job {
    union {
        dnnl_convolution_desc_t convolution;
        dnnl_pooling_v2_desc_t pooling;
        dnnl_inner_product_desc_t inner_product;
        dnnl_matmul_desc_t matmul;
    } operation;
    ltap_dnnl_arg args[LTAP_DNNL_MAX_ARGS];
    size_t n_args;
} ltap_dnnl_job;

/* Fills a job; false with `why` where oneDNN is not to be used. */
typedef bool (*ltap_dnnl_describe)(const ltap_query *query, ltap_dnnl_job *job, ltap_why *why);

/* float32, all dims of all inputs and outputs at least 1 and below 2^31. */
bool ltap_dnnl_fits(const ltap_query *query, ltap_why *why);

/* Adds an argument to a job. */
void ltap_dnnl_add(ltap_dnnl_job *job, int arg, ltap_dnnl_place place, size_t index,
                   const dnnl_memory_desc_t *desc);

/* The functions of a row, given its describe. */
bool ltap_dnnl_accepts(const ltap_query *query, ltap_dnnl_describe describe, ltap_why *why);
ltap_status ltap_dnnl_prepare(const ltap_query *query, ltap_dnnl_describe describe,
                              ltap_kernel *kernel, ltap_error *error);
/* Channels last for input 0 and outputs of two spatial axes. */
void ltap_dnnl_layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out);
size_t ltap_dnnl_fuses(const ltap_query *query);
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
        .fuses = ltap_dnnl_fuses,                                                                  \
        .prepare = id##_prepare,                                                                   \
        .run = ltap_dnnl_run,                                                                      \
        .release = ltap_dnnl_release,                                                              \
    };

#endif
