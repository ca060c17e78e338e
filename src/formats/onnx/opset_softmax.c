/* Softmax, LogSoftmax and Hardmax before 13.
 *
 * They saw their input as a matrix: all axes before `axis` are rows, the rest one row's numbers.
 * That is the newest meaning where `axis` is the last one; else: Flatten, the operator on the last
 * axis, Reshape to the input's shape.
 */
#include "base/error.h"
#include "formats/onnx/opset.h"

static bool is_last(const ltap_onnx_draft *draft, int64_t axis)
{
    if (axis == -1)
        return true;
    const ltap_value *in = ltap_graph_at(draft->scope->graph, ltap_draft_input(draft, 0));
    uint32_t made = draft->node.n_outputs > 0 ? draft->node.outputs[0] : LTAP_NO_VALUE;
    int rank = in->type.rank;
    if (rank < 0 && made != LTAP_NO_VALUE)
        rank = ltap_graph_at(draft->scope->graph, made)->type.rank;
    return rank > 0 && axis == rank - 1;
}

static ltap_status as_matrix(ltap_onnx_draft *draft, int64_t axis, ltap_error *error)
{
    uint32_t x = ltap_draft_input(draft, 0), flat, result, shape;
    ltap_onnx_draft flatten = ltap_draft_helper(draft, "Flatten");
    LTAP_TRY(ltap_draft_set_int(&flatten, "axis", axis, error));
    LTAP_TRY(ltap_draft_add(&flatten, &x, 1, &flat, error));
    ltap_onnx_draft op = ltap_draft_helper(draft, draft->node.op_type);
    LTAP_TRY(ltap_draft_set_int(&op, "axis", -1, error));
    LTAP_TRY(ltap_draft_add(&op, &flat, 1, &result, error));
    ltap_onnx_draft read_shape = ltap_draft_helper(draft, "Shape");
    LTAP_TRY(ltap_draft_add(&read_shape, &x, 1, &shape, error));
    ltap_draft_rename(draft, "Reshape");
    draft->node.attrs = NULL;
    draft->node.n_attrs = 0;
    /* A 0 in the shape is an empty axis here, not "as in the input". */
    LTAP_TRY(ltap_draft_set_int(draft, "allowzero", 1, error));
    LTAP_TRY(ltap_draft_set_input(draft, 0, result, error));
    return ltap_draft_set_input(draft, 1, shape, error);
}

static ltap_status coerced(ltap_onnx_draft *draft, ltap_error *error)
{
    int64_t axis = ltap_node_int(&draft->node, "axis", 1);
    if (ltap_draft_input(draft, 0) == LTAP_NO_VALUE)
        return LTAP_OK;
    return is_last(draft, axis) ? ltap_draft_set_int(draft, "axis", -1, error)
                                : as_matrix(draft, axis, error);
}

const ltap_onnx_rule ltap_onnx_softmax_rules[] = {
    {"Softmax", 6, 13, coerced},
    {"LogSoftmax", 6, 13, coerced},
    {"Hardmax", 6, 13, coerced},
    {NULL, 0, 0, NULL},
};
