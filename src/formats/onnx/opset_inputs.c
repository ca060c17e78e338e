/* Attributes that became inputs, and renamed values of attributes. */
#include "base/error.h"
#include "formats/onnx/opset.h"
#include <string.h>

static ltap_status axes_to_input(ltap_onnx_draft *draft, ltap_error *error)
{
    return ltap_draft_move_ints(draft, "axes", 1, error);
}

static ltap_status move_float(ltap_onnx_draft *draft, const char *name, size_t index,
                              ltap_error *error)
{
    if (!ltap_draft_attr(draft, name))
        return LTAP_OK;
    LTAP_TRY(ltap_draft_set_scalar(draft, index, ltap_node_float(&draft->node, name, 0), error));
    ltap_draft_drop(draft, name);
    return LTAP_OK;
}

static ltap_status clip_bounds(ltap_onnx_draft *draft, ltap_error *error)
{
    LTAP_TRY(move_float(draft, "min", 1, error));
    return move_float(draft, "max", 2, error);
}

static ltap_status pad_pads(ltap_onnx_draft *draft, ltap_error *error)
{
    LTAP_TRY(ltap_draft_move_ints(draft, "pads", 1, error));
    return move_float(draft, "value", 2, error);
}

static ltap_status slice_ranges(ltap_onnx_draft *draft, ltap_error *error)
{
    LTAP_TRY(ltap_draft_move_ints(draft, "starts", 1, error));
    LTAP_TRY(ltap_draft_move_ints(draft, "ends", 2, error));
    return ltap_draft_move_ints(draft, "axes", 3, error);
}

static ltap_status top_k(ltap_onnx_draft *draft, ltap_error *error)
{
    int64_t k = ltap_node_int(&draft->node, "k", 0);
    ltap_draft_drop(draft, "k");
    return ltap_draft_set_ints(draft, 1, &k, 1, error);
}

/* Without sizes: as many equal parts as there are outputs. */
static ltap_status split_sizes(ltap_onnx_draft *draft, ltap_error *error)
{
    LTAP_TRY(ltap_draft_move_ints(draft, "split", 1, error));
    if (ltap_draft_input(draft, 1) != LTAP_NO_VALUE || ltap_draft_attr(draft, "num_outputs"))
        return LTAP_OK;
    return ltap_draft_set_int(draft, "num_outputs", (int64_t)draft->node.n_outputs, error);
}

static ltap_status dft_axis(ltap_onnx_draft *draft, ltap_error *error)
{
    void *block = NULL;
    uint32_t value;
    LTAP_TRY(ltap_arena_take(draft->scope->load->arena, 1, sizeof(int64_t), &block, error));
    *(int64_t *)block = ltap_node_int(&draft->node, "axis", 1);
    ltap_tensor axis = ltap_tensor_make(LTAP_INT64, 0, NULL, block);
    LTAP_TRY(ltap_graph_constant(draft->scope->graph, "axis", &axis, &value, error));
    ltap_draft_drop(draft, "axis");
    return ltap_draft_set_input(draft, 2, value, error);
}

static ltap_status grid_sample_mode(ltap_onnx_draft *draft, ltap_error *error)
{
    const char *mode = ltap_node_string(&draft->node, "mode", "bilinear");
    if (strcmp(mode, "bilinear") == 0)
        return ltap_draft_set_string(draft, "mode", "linear", error);
    if (strcmp(mode, "bicubic") == 0)
        return ltap_draft_set_string(draft, "mode", "cubic", error);
    return LTAP_OK;
}

static ltap_status roi_align_mode(ltap_onnx_draft *draft, ltap_error *error)
{
    return ltap_draft_set_string(draft, "coordinate_transformation_mode", "output_half_pixel",
                                 error);
}

static ltap_status scatter(ltap_onnx_draft *draft, ltap_error *error)
{
    ltap_draft_rename(draft, "ScatterElements");
    return LTAP_OK;
}

static ltap_status scan(ltap_onnx_draft *draft, ltap_error *error)
{
    return ltap_draft_refuse(draft, "of opset 8", error);
}

const ltap_onnx_rule ltap_onnx_input_rules[] = {
    {"Clip", 6, 11, clip_bounds},
    {"Pad", 6, 11, pad_pads},
    {"Slice", 6, 10, slice_ranges},
    {"TopK", 6, 10, top_k},
    {"Squeeze", 6, 13, axes_to_input},
    {"Unsqueeze", 6, 13, axes_to_input},
    {"ReduceSum", 6, 13, axes_to_input},
    {"ReduceL1", 6, 18, axes_to_input},
    {"ReduceL2", 6, 18, axes_to_input},
    {"ReduceLogSum", 6, 18, axes_to_input},
    {"ReduceLogSumExp", 6, 18, axes_to_input},
    {"ReduceMax", 6, 18, axes_to_input},
    {"ReduceMean", 6, 18, axes_to_input},
    {"ReduceMin", 6, 18, axes_to_input},
    {"ReduceProd", 6, 18, axes_to_input},
    {"ReduceSumSquare", 6, 18, axes_to_input},
    {"Split", 6, 18, split_sizes},
    {"DFT", 17, 20, dft_axis},
    {"GridSample", 16, 20, grid_sample_mode},
    {"RoiAlign", 10, 16, roi_align_mode},
    {"Scatter", 9, 0, scatter},
    {"Scan", 8, 9, scan},
    {NULL, 0, 0, NULL},
};
