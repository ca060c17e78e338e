/* oneDNN primitives: from the description of an operation to something that runs.
 *
 * An ltap_dnnl_job says what is computed, and for each argument where its data comes from. An
 * ltap_dnnl_primitive is the job made ready, immutable, run by any number of threads at once:
 * memory objects and the stream live for one run only. Nothing is shared but oneDNN's own
 * process-wide cache of generated code.
 */
#ifndef LTAP_BACKENDS_DNNL_PRIMITIVE_H
#define LTAP_BACKENDS_DNNL_PRIMITIVE_H

#include "backends/impl.h"
#include <dnnl.h>

#define LTAP_DNNL_MAX_ARGS 4

typedef enum ltap_dnnl_place {
    LTAP_DNNL_INPUT,  /* the node's input `index`, as it lies */
    LTAP_DNNL_PACKED, /* the same, a constant in the layout that oneDNN chooses */
    LTAP_DNNL_OUTPUT
} ltap_dnnl_place;

typedef struct ltap_dnnl_arg {
    int arg; /* DNNL_ARG_SRC, ... */
    ltap_dnnl_place place;
    size_t index;
    dnnl_memory_desc_t desc; /* in a job: as it lies in the graph; in a primitive: as it wants it */
} ltap_dnnl_arg;

/* Makes the packed bytes of an argument, where they are more than the constant laid out anew. */
typedef void (*ltap_dnnl_fill)(const ltap_query *query, const dnnl_memory_desc_t *desc,
                               void *packed);

typedef struct ltap_dnnl_job {
    union {
        dnnl_convolution_desc_t convolution;
        dnnl_pooling_v2_desc_t pooling;
        dnnl_inner_product_desc_t inner_product;
        dnnl_matmul_desc_t matmul;
    } operation;
    ltap_dnnl_arg args[LTAP_DNNL_MAX_ARGS];
    size_t n_args;
    ltap_dnnl_fill fill; /* NULL: packed arguments are laid out anew */
    const char *fill_name;
} ltap_dnnl_job;

typedef struct ltap_dnnl_primitive {
    dnnl_engine_t engine; /* borrowed */
    dnnl_primitive_t primitive;
    char detail[64]; /* the implementation that oneDNN chose */
    size_t n_args;
    ltap_dnnl_arg args[LTAP_DNNL_MAX_ARGS];
    const void *packed[LTAP_DNNL_MAX_ARGS]; /* of packed arguments; borrowed from packs */
    dnnl_memory_desc_t scratch;
    uint64_t scratch_bytes;
} ltap_dnnl_primitive;

/* float32, all dims of all inputs and of output 0 at least 1 and below 2^31. */
bool ltap_dnnl_fits(const ltap_query *query, ltap_why *why);

/* Adds an argument to a job. */
void ltap_dnnl_add(ltap_dnnl_job *job, int arg, ltap_dnnl_place place, size_t index,
                   const dnnl_memory_desc_t *desc);

/* Whether oneDNN has a real implementation of a job. */
/* oneDNN on one thread from here on; returns what to leave with. */
int ltap_dnnl_enter(void);
void ltap_dnnl_leave(int before);

bool ltap_dnnl_has(const ltap_dnnl_job *job, ltap_why *why);

/* Makes a primitive, packs its constants, marks them in packed_inputs. On
 * error, clear it all the same. */
ltap_status ltap_dnnl_primitive_init(const ltap_query *query, const ltap_dnnl_job *job,
                                     dnnl_engine_t engine, ltap_dnnl_primitive *primitive,
                                     uint32_t *packed_inputs, ltap_error *error);
void ltap_dnnl_primitive_clear(ltap_dnnl_primitive *primitive);
/* On the calling thread alone. */
ltap_status ltap_dnnl_primitive_run(const ltap_dnnl_primitive *primitive, const void *const *inputs,
                                    void *const *outputs, void *scratch, ltap_error *error);

#endif
