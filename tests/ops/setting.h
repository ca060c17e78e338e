/* A case of the tables made into a call: node, attributes, subgraphs, tensors.
 *
 * Tensors lie in blocks of their exact size, so that sanitizers see every step outside.
 */
#ifndef LTAP_TESTS_OPS_SETTING_H
#define LTAP_TESTS_OPS_SETTING_H

#include "cases.h"

typedef struct setting {
    const op_case *test;
    ltap_node node;
    uint32_t values[2 * CASE_TENSORS]; /* the node's inputs, then outputs, from CASE_TENSORS on */
    ltap_tensor inputs[CASE_TENSORS], outputs[CASE_TENSORS];
    void *input_blocks[CASE_TENSORS];
    ltap_attr attrs[CASE_ATTRS + CASE_BODIES];
    ltap_graph *graph; /* around the bodies */
    ltap_graph *bodies[CASE_BODIES];
    const char *captured[CASE_TENSORS];
    ltap_call call;
} setting;

/* Type and shape; no data. */
ltap_tensor case_shape(const case_tensor *t);
const ltap_op *setting_find_op(const char *name);
/* The case is borrowed. What the shape rule is to see the data of has it. */
void setting_init(setting *s, const op_case *test);
ltap_status setting_shape(setting *s, ltap_error *error);
/* Runs the reference kernel. wanted: bit i: output i, in a fresh block that the setting owns. */
ltap_status setting_compute(setting *s, int threads, unsigned wanted, ltap_memory *memory,
                            ltap_error *error);
void setting_clear(setting *s);

#endif
