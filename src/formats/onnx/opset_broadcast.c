/* Opset 6: operators of two inputs say by attributes where the second stands in the first.
 *
 * "broadcast" with "axis" puts the axes of b at that axis of a; today's rule lines them up at the
 * end. So b gets axes of length 1 behind its own, as many as are left; a slope of PRelu likewise.
 */
#include "base/error.h"
#include "formats/onnx/opset.h"

/* How many axes a value has, as a list of one number. */
static ltap_status add_rank(const ltap_onnx_draft *draft, uint32_t shape, uint32_t *rank,
                            ltap_error *error)
{
    const int64_t flat[1] = {-1};
    uint32_t size, target;
    ltap_onnx_draft count = ltap_draft_helper(draft, "Size");
    LTAP_TRY(ltap_draft_add(&count, &shape, 1, &size, error));
    LTAP_TRY(ltap_graph_constant_ints(draft->scope->graph, "shape", flat, 1, &target, error));
    ltap_onnx_draft list = ltap_draft_helper(draft, "Reshape");
    return ltap_draft_add(&list, (uint32_t[]){size, target}, 2, rank, error);
}

static ltap_status subtract(const ltap_onnx_draft *draft, uint32_t a, uint32_t b, uint32_t *result,
                            ltap_error *error)
{
    ltap_onnx_draft sub = ltap_draft_helper(draft, "Sub");
    return ltap_draft_add(&sub, (uint32_t[]){a, b}, 2, result, error);
}

/* Axes of a behind those of b, when b begins at `axis`: rank(a) - axis - rank(b). */
static ltap_status count_behind(const ltap_onnx_draft *draft, uint32_t b_shape, int64_t axis,
                                uint32_t *behind, ltap_error *error)
{
    const int64_t from_end = -axis;
    uint32_t a = ltap_draft_input(draft, 0), shape, rank, b_rank, start;
    ltap_graph *graph = draft->scope->graph;
    LTAP_TRY(add_rank(draft, b_shape, &b_rank, error));
    LTAP_TRY(
        ltap_graph_constant_ints(graph, "axis", axis < 0 ? &from_end : &axis, 1, &start, error));
    if (axis < 0)
        return subtract(draft, start, b_rank, behind, error);
    ltap_onnx_draft read = ltap_draft_helper(draft, "Shape");
    LTAP_TRY(ltap_draft_add(&read, &a, 1, &shape, error));
    LTAP_TRY(add_rank(draft, shape, &rank, error));
    LTAP_TRY(subtract(draft, rank, start, &rank, error));
    return subtract(draft, rank, b_rank, behind, error);
}

/* Input 1 gets axes of length 1 at its end. */
static ltap_status stand_at(ltap_onnx_draft *draft, int64_t axis, ltap_error *error)
{
    static const int64_t one = 1;
    const int64_t dims[1] = {1};
    const ltap_tensor fill = ltap_tensor_make(LTAP_INT64, 1, dims, (void *)(uintptr_t)&one);
    uint32_t b = ltap_draft_input(draft, 1), shape, behind, ones, target;
    ltap_onnx_draft read = ltap_draft_helper(draft, "Shape");
    LTAP_TRY(ltap_draft_add(&read, &b, 1, &shape, error));
    LTAP_TRY(count_behind(draft, shape, axis, &behind, error));
    ltap_onnx_draft make = ltap_draft_helper(draft, "ConstantOfShape");
    LTAP_TRY(ltap_draft_set_tensor(&make, "value", &fill, error));
    LTAP_TRY(ltap_draft_add(&make, &behind, 1, &ones, error));
    ltap_onnx_draft join = ltap_draft_helper(draft, "Concat");
    LTAP_TRY(ltap_draft_set_int(&join, "axis", 0, error));
    LTAP_TRY(ltap_draft_add(&join, (uint32_t[]){shape, ones}, 2, &target, error));
    ltap_onnx_draft reshape = ltap_draft_helper(draft, "Reshape");
    LTAP_TRY(ltap_draft_add(&reshape, (uint32_t[]){b, target}, 2, &b, error));
    return ltap_draft_set_input(draft, 1, b, error);
}

static ltap_status broadcast(ltap_onnx_draft *draft, ltap_error *error)
{
    bool moves = ltap_node_int(&draft->node, "broadcast", 0) != 0 && draft->node.n_inputs == 2 &&
                 ltap_draft_attr(draft, "axis");
    if (moves)
        LTAP_TRY(stand_at(draft, ltap_node_int(&draft->node, "axis", 0), error));
    ltap_draft_drop(draft, "axis");
    ltap_draft_drop(draft, "broadcast");
    return LTAP_OK;
}

static ltap_status channel_slope(ltap_onnx_draft *draft, ltap_error *error)
{
    return draft->node.n_inputs == 2 ? stand_at(draft, 1, error) : LTAP_OK;
}

static ltap_status bias_anyway(ltap_onnx_draft *draft, ltap_error *error)
{
    (void)error;
    ltap_draft_drop(draft, "broadcast");
    return LTAP_OK;
}

const ltap_onnx_rule ltap_onnx_broadcast_rules[] = {
    {"Add", 6, 7, broadcast},     {"Sub", 6, 7, broadcast},  {"Mul", 6, 7, broadcast},
    {"Div", 6, 7, broadcast},     {"Pow", 6, 7, broadcast},  {"And", 6, 7, broadcast},
    {"Or", 6, 7, broadcast},      {"Xor", 6, 7, broadcast},  {"Equal", 6, 7, broadcast},
    {"Greater", 6, 7, broadcast}, {"Less", 6, 7, broadcast}, {"PRelu", 6, 7, channel_slope},
    {"Gemm", 6, 7, bias_anyway},  {NULL, 0, 0, NULL},
};
