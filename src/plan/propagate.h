/* Types, shapes and constants of every value, for one set of input shapes.
 *
 * Walks the kept nodes in order. Arithmetic on shapes is computed on the way (the shape of a value
 * is a constant once the input shapes are known); large constants (weights that need computing) are
 * only marked, and computed when somebody needs them.
 */
#ifndef LTAP_PLAN_PROPAGATE_H
#define LTAP_PLAN_PROPAGATE_H

#include "base/file.h"
#include "base/vector.h"
#include "ops/op.h"

typedef struct ltap_known {
    ltap_tensor tensor; /* dtype LTAP_UNDEFINED: not known; data: a constant, aligned */
    bool constant;      /* its value depends on no input; data may still be NULL: deferred */
    bool asked;         /* by ltap_propagation_compute, for itself; not dropped since */
    void *block;        /* owned memory of data, or NULL */
} ltap_known;

typedef struct ltap_propagation {
    const ltap_graph *graph; /* linked, bound; borrowed */
    const uint8_t *keep;     /* a flag a node; NULL: all */
    ltap_memory *memory;     /* borrowed */
    ltap_known *values;      /* one a value of the graph */
    ltap_reader reader;      /* told what was read of the files */
    int threads;
    uint64_t held, most_held; /* bytes of computed constants; the most since it was set */
    bool lenient;             /* what cannot be told stays unknown instead of being an error */
} ltap_propagation;

/* inputs: shapes, one a graph input (dtype LTAP_UNDEFINED: not given). */
ltap_status ltap_propagation_init(ltap_propagation *propagation, const ltap_graph *graph,
                                  ltap_memory *memory, ltap_error *error);
ltap_status ltap_propagation_run(ltap_propagation *propagation, const ltap_tensor *inputs,
                                 ltap_error *error);
void ltap_propagation_clear(ltap_propagation *propagation);

/* Computes a deferred constant (and what it needs); does nothing for one that has data. */
ltap_status ltap_propagation_compute(ltap_propagation *propagation, uint32_t value,
                                     ltap_error *error);
/* Gives back the memory of a constant, which may be computed again. */
void ltap_propagation_drop(ltap_propagation *propagation, uint32_t value);
/* Gives a constant that has data memory of its own, unless it has. */
ltap_status ltap_propagation_own(ltap_propagation *propagation, uint32_t value, ltap_error *error);
/* Takes over the memory of a constant (NULL when it owns none). */
void *ltap_propagation_detach(ltap_propagation *propagation, uint32_t value);

/* Fills a call for a node: tensors point into scratch arrays of at least as many entries. */
void ltap_propagation_call(const ltap_propagation *propagation, const ltap_node *node,
                           ltap_tensor *inputs, ltap_tensor *outputs, ltap_call *call);

#endif
