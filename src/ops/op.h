/* Operators: one const struct each, in its family's file, and one line in ops.def.
 *
 * There is no enum of operators, so nobody can switch over one. Attributes and inputs have the
 * meaning of the newest opset; loaders translate old ones at the border. Shapes are concrete when a
 * rule is called: a plan is made per set of input shapes. A constant (a weight, or arithmetic on
 * shapes) has data, everything else has data NULL at that time.
 */
#ifndef LTAP_OPS_OP_H
#define LTAP_OPS_OP_H

#include "graph/graph.h"

#define LTAP_MAX_LOOPS 16 /* loops in loops whose iterations are told */

/* Who is told of what the bodies of If, Loop and Scan make while they run. */
typedef struct ltap_observer {
    /* Before a node of a body runs, its inputs; after it, its outputs, whose data may be written.
     * Omitted ones have dtype LTAP_UNDEFINED. An error ends the forward. */
    ltap_status (*see)(struct ltap_observer *observer, const ltap_graph *body,
                       const ltap_node *node, bool before, const ltap_tensor *tensors,
                       ltap_error *error);
    size_t iterations[LTAP_MAX_LOOPS]; /* of the loops around, the outermost first */
    size_t n_iterations;
} ltap_observer;

/* One application of an operator to concrete tensors. */
typedef struct ltap_call {
    const ltap_node *node;
    const ltap_tensor *inputs; /* n_inputs; an omitted one has dtype LTAP_UNDEFINED */
    size_t n_inputs;
    ltap_tensor *outputs; /* n_outputs as in the node */
    size_t n_outputs;
    ltap_memory *memory; /* for temporaries; NULL in shape rules */
    int threads;
    uint64_t *temporary;     /* where shape rules of bodies put what running takes; else NULL */
    ltap_observer *observer; /* NULL: nobody */
    bool constant;           /* in shape rules: no input depends on the model's, data or not */
} ltap_call;

enum {
    LTAP_OP_VIEW = 1,      /* output 0 is input 0's bytes under another shape */
    LTAP_OP_POINTWISE = 2, /* output element depends on the broadcast-aligned input elements only:
                              axes may be permuted alike on all inputs and outputs */
    LTAP_OP_UNARY = 4,     /* POINTWISE, with one non-constant input of the output's shape */
    LTAP_OP_RANDOM = 8     /* never folded */
};

typedef struct ltap_op {
    const char *name;
    const char *domain;                                   /* "" for ONNX's own */
    int min_inputs, max_inputs, min_outputs, max_outputs; /* max -1: any number */
    unsigned flags;
    /* Checks types, shapes and attributes; fills dtype, rank and dims of all outputs. Errors:
     * LTAP_ERROR_FORMAT (the model contradicts itself), LTAP_ERROR_UNSUPPORTED (a type or attribute
     * value that layertap does not have; the message names it), both without the node's name (the
     * caller adds it). An input that must be constant and has no data:
     * LTAP_ERROR_UNSUPPORTED "its ... depends on data". Omitted outputs are filled all the same. */
    ltap_status (*shape)(const ltap_call *call, ltap_error *error);
    /* Computes all outputs; data of inputs and outputs is dense row-major; an output that is not
     * wanted has data NULL. Plain portable C, the oracle for every fast kernel. Errors: memory, and
     * LTAP_ERROR_FORMAT for data that cannot be computed with (an index out of range). */
    ltap_status (*reference)(const ltap_call *call, ltap_error *error);
    /* Bytes that the reference takes of call->memory at a time, at the most; after shape, without
     * data as there. NULL: none. */
    uint64_t (*temporary)(const ltap_call *call);
    /* Multiply-adds; NULL: none worth counting. */
    uint64_t (*cost)(const ltap_call *call);
} ltap_op;

/* ltap_op_relu and all its siblings. */
#define LTAP_OP(id) extern const ltap_op ltap_op_##id;
#include "ops/ops.def"
#undef LTAP_OP

/* NULL where layertap does not have it. */
const ltap_op *ltap_ops_find(const char *domain, const char *name);
/* All operators, for tests and listings. */
size_t ltap_ops_count(void);
const ltap_op *ltap_ops_at(size_t index);
/* Sets node->op everywhere, in subgraphs too; unknown ones stay NULL. */
void ltap_ops_bind(ltap_graph *graph);
/* Checks counts of inputs and outputs, then calls op->shape and checks that every output's size is
 * representable. Adds the node's name to errors. */
ltap_status ltap_op_shape(const ltap_graph *graph, const ltap_call *call, ltap_error *error);

#endif
