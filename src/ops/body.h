/* Bodies of If, Loop and Scan: a subgraph worked through node by node with reference kernels.
 *
 * Shapes are found on the way, so a body may make shapes that only data can tell. Without the data
 * of its inputs a body gives shapes, and the data of what needs none of theirs.
 */
#ifndef LTAP_OPS_BODY_H
#define LTAP_OPS_BODY_H

#include "ops/op.h"

typedef struct ltap_body_value {
    ltap_tensor tensor; /* dtype LTAP_UNDEFINED: not known yet */
    void *block;        /* owned memory of data, or NULL */
} ltap_body_value;

typedef struct ltap_body {
    const ltap_graph *graph;
    ltap_memory *memory;
    int threads;
    bool blind;              /* computes only what is small and needs no data of the inputs */
    ltap_observer *observer; /* the call's */
    uint64_t *temporary;     /* of a blind one: where what running takes is put; NULL: nowhere */
    uint64_t held, made;     /* bytes that are carried meanwhile; that a run has made so far */
    ltap_body_value *values; /* one a value of the graph */
    ltap_tensor *scratch;
} ltap_body;

/* The graph in an attribute of the call's node, in *graph; FORMAT where it is not there. */
ltap_status ltap_body_find(const ltap_call *call, const char *attr, const ltap_graph **graph,
                           ltap_error *error);

/* blind where the call is a shape rule's: memory is then the graph's. */
ltap_status ltap_body_init(ltap_body *body, const ltap_graph *graph, const ltap_call *call,
                           ltap_error *error);
/* Clears what the last run made, keeps nothing. */
void ltap_body_reset(ltap_body *body);
void ltap_body_clear(ltap_body *body);

/* Input `index` of the graph; data is borrowed until the next reset. */
void ltap_body_set(ltap_body *body, size_t index, const ltap_tensor *tensor);
/* What the node captured, then the nodes in order. */
ltap_status ltap_body_run(ltap_body *body, const ltap_call *call, ltap_error *error);
/* The same, as one iteration of a loop. */
ltap_status ltap_body_iterate(ltap_body *body, const ltap_call *call, int64_t iteration,
                              ltap_error *error);
/* Output `index` of the graph; borrowed until reset. */
const ltap_tensor *ltap_body_output(const ltap_body *body, size_t index);

/* For operators with bodies: what its shape rule says that running takes. */
uint64_t ltap_body_temporary(const ltap_call *call);

/* Copies what a body made into an output of the call, whose shape it must have. */
ltap_status ltap_body_hand_out(const ltap_call *call, size_t index, const ltap_tensor *made,
                               ltap_error *error);

/* A tensor carried from one run of a body to the next. */
typedef struct ltap_carried {
    ltap_tensor tensor; /* data NULL: not known */
    void *block;
} ltap_carried;
/* Replaces the carried tensor by a copy of another one. */
ltap_status ltap_carried_take(ltap_carried *carried, const ltap_tensor *tensor, ltap_memory *memory,
                              ltap_error *error);
void ltap_carried_clear(ltap_carried *carried, size_t count, ltap_memory *memory);
/* Bytes of all of them, one of them replaced. */
uint64_t ltap_carried_bytes(const ltap_carried *carried, size_t count);

#endif
