/* Old meanings of operators, said as the newest opset says them.
 *
 * A rule is a row: operator, the opsets it is for, what to do with the node. Rules change the draft
 * of the node, and may put helper nodes before it.
 */
#ifndef LTAP_FORMATS_ONNX_OPSET_H
#define LTAP_FORMATS_ONNX_OPSET_H

#include "formats/onnx/onnx.h"

typedef ltap_status (*ltap_onnx_translate)(ltap_onnx_draft *draft, ltap_error *error);

typedef struct ltap_onnx_rule {
    const char *op;
    int64_t from, before; /* opsets [from, before); before 0: all from there on */
    ltap_onnx_translate apply;
} ltap_onnx_rule;

/* The rules of a family, ended by a row without op. */
extern const ltap_onnx_rule ltap_onnx_input_rules[], ltap_onnx_resize_rules[],
    ltap_onnx_softmax_rules[], ltap_onnx_norm_rules[], ltap_onnx_broadcast_rules[];

ltap_status ltap_onnx_opset_translate(ltap_onnx_draft *draft, ltap_error *error);

/* draft.c: what rules are made of. Whatever changes the draft marks it as translated. */
void ltap_draft_rename(ltap_onnx_draft *draft, const char *op_type);
const ltap_attr *ltap_draft_attr(const ltap_onnx_draft *draft, const char *name);
void ltap_draft_drop(ltap_onnx_draft *draft, const char *name);
ltap_status ltap_draft_set_int(ltap_onnx_draft *draft, const char *name, int64_t number,
                               ltap_error *error);
ltap_status ltap_draft_set_string(ltap_onnx_draft *draft, const char *name, const char *text,
                                  ltap_error *error);
ltap_status ltap_draft_set_tensor(ltap_onnx_draft *draft, const char *name,
                                  const ltap_tensor *tensor, ltap_error *error);
/* Input `index`, LTAP_NO_VALUE where omitted. */
uint32_t ltap_draft_input(const ltap_onnx_draft *draft, size_t index);
ltap_status ltap_draft_set_input(ltap_onnx_draft *draft, size_t index, uint32_t value,
                                 ltap_error *error);
/* A 1-d int64 constant as input. */
ltap_status ltap_draft_set_ints(ltap_onnx_draft *draft, size_t index, const int64_t *numbers,
                                size_t count, ltap_error *error);
/* A scalar constant of the element type of input 0 as input. */
ltap_status ltap_draft_set_scalar(ltap_onnx_draft *draft, size_t index, double number,
                                  ltap_error *error);
/* Moves an ints attribute to an input; nothing where it is not there. */
ltap_status ltap_draft_move_ints(ltap_onnx_draft *draft, const char *name, size_t index,
                                 ltap_error *error);
/* The constant of an input, NULL where it is none or not at hand. */
const ltap_tensor *ltap_draft_constant(const ltap_onnx_draft *draft, size_t index);
/* Says in the operator's name why it cannot be translated: "Dropout in training mode". So it is
 * refused as an operator that layertap does not have, and only where it is needed. */
ltap_status ltap_draft_refuse(ltap_onnx_draft *draft, const char *why, ltap_error *error);
/* Outputs from `index` on: the draft loses them. Where something uses one, a node of the operator
 * "<op> <what>" makes them: refused by that name, and only where it is needed. */
ltap_status ltap_draft_cut_outputs(ltap_onnx_draft *draft, size_t index, const char *what,
                                   ltap_error *error);

/* A helper node with one new output, before the draft's own. Up to 3 inputs. It has the draft's
 * names, path and metadata, so that it counts as part of the same layer. `helper.node` may be
 * changed (attributes) before it is added. */
ltap_onnx_draft ltap_draft_helper(const ltap_onnx_draft *draft, const char *op_type);
ltap_status ltap_draft_add(ltap_onnx_draft *helper, const uint32_t *inputs, size_t n_inputs,
                           uint32_t *output, ltap_error *error);

#endif
