/* BatchNormalization, GroupNormalization, Dropout. */
#include "base/error.h"
#include "formats/onnx/opset.h"

/* Until 13 a node that hands out its statistics is in training: it normalizes by the batch. */
static ltap_status batch_norm(ltap_onnx_draft *draft, ltap_error *error)
{
    bool training = false;
    for (size_t i = 1; i < draft->node.n_outputs; i++)
        training |= draft->node.outputs[i] != LTAP_NO_VALUE;
    if (ltap_node_int(&draft->node, "spatial", 1) == 0)
        return ltap_draft_refuse(draft, "with spatial=0", error);
    ltap_draft_drop(draft, "spatial");
    ltap_draft_drop(draft, "is_test");
    if (training)
        LTAP_TRY(ltap_draft_set_int(draft, "training_mode", 1, error));
    return ltap_draft_cut_outputs(draft, 1, "statistics", error);
}

static ltap_status batch_norm_new(ltap_onnx_draft *draft, ltap_error *error)
{
    return ltap_draft_cut_outputs(draft, 1, "statistics", error);
}

/* A parameter of one number a group -> one a channel: [G] -> [G,1] -> [G,C/G] -> [C]. */
static ltap_status spread(ltap_onnx_draft *draft, size_t index, uint32_t shape, int64_t groups,
                          ltap_error *error)
{
    const int64_t column[2] = {groups, 1}, flat[1] = {-1};
    uint32_t value = ltap_draft_input(draft, index), target;
    ltap_graph *graph = draft->scope->graph;
    LTAP_TRY(ltap_graph_constant_ints(graph, "shape", column, 2, &target, error));
    ltap_onnx_draft stand = ltap_draft_helper(draft, "Reshape");
    LTAP_TRY(ltap_draft_add(&stand, (uint32_t[]){value, target}, 2, &value, error));
    ltap_onnx_draft expand = ltap_draft_helper(draft, "Expand");
    LTAP_TRY(ltap_draft_add(&expand, (uint32_t[]){value, shape}, 2, &value, error));
    LTAP_TRY(ltap_graph_constant_ints(graph, "shape", flat, 1, &target, error));
    ltap_onnx_draft lie = ltap_draft_helper(draft, "Reshape");
    LTAP_TRY(ltap_draft_add(&lie, (uint32_t[]){value, target}, 2, &value, error));
    return ltap_draft_set_input(draft, index, value, error);
}

static ltap_status group_norm(ltap_onnx_draft *draft, ltap_error *error)
{
    int64_t groups = ltap_node_int(&draft->node, "num_groups", 0);
    uint32_t x = ltap_draft_input(draft, 0), channels, count, shape;
    if (groups < 1 || draft->node.n_inputs != 3)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, draft->node.span.offset,
                             "node '%s': GroupNormalization needs num_groups and three inputs",
                             draft->node.name);
    ltap_onnx_draft read_shape = ltap_draft_helper(draft, "Shape");
    LTAP_TRY(ltap_draft_set_int(&read_shape, "start", 1, error));
    LTAP_TRY(ltap_draft_set_int(&read_shape, "end", 2, error));
    LTAP_TRY(ltap_draft_add(&read_shape, &x, 1, &channels, error));
    LTAP_TRY(ltap_graph_constant_ints(draft->scope->graph, "groups", &groups, 1, &count, error));
    ltap_onnx_draft divide = ltap_draft_helper(draft, "Div");
    LTAP_TRY(ltap_draft_add(&divide, (uint32_t[]){channels, count}, 2, &shape, error));
    ltap_onnx_draft concat = ltap_draft_helper(draft, "Concat");
    LTAP_TRY(ltap_draft_set_int(&concat, "axis", 0, error));
    LTAP_TRY(ltap_draft_add(&concat, (uint32_t[]){count, shape}, 2, &shape, error));
    LTAP_TRY(spread(draft, 1, shape, groups, error));
    return spread(draft, 2, shape, groups, error);
}

/* The mask of a Dropout that keeps everything. */
static ltap_status full_mask(ltap_onnx_draft *draft, ltap_error *error)
{
    static const uint8_t yes = 1;
    int64_t dims[1] = {1};
    uint32_t x = ltap_draft_input(draft, 0), shape;
    ltap_tensor value = ltap_tensor_make(LTAP_BOOL, 1, dims, (void *)(uintptr_t)&yes);
    ltap_onnx_draft read_shape = ltap_draft_helper(draft, "Shape");
    LTAP_TRY(ltap_draft_add(&read_shape, &x, 1, &shape, error));
    ltap_onnx_draft fill = ltap_draft_helper(draft, "ConstantOfShape");
    LTAP_TRY(ltap_draft_set_tensor(&fill, "value", &value, error));
    fill.node.inputs = &shape;
    fill.node.n_inputs = 1;
    fill.node.outputs = draft->node.outputs + 1;
    fill.node.n_outputs = 1;
    return ltap_graph_node_add(draft->scope->graph, &fill.node, NULL, error);
}

/* Training that draws nothing: some networks leave it on with a ratio of 0. */
static bool drops_nothing(const ltap_onnx_draft *draft)
{
    const ltap_tensor *ratio = ltap_draft_constant(draft, 1);
    return ratio && ltap_tensor_count(ratio) == 1 && ltap_tensor_double(ratio, 0) == 0;
}

/* At inference the output is the input. */
static ltap_status dropout(ltap_onnx_draft *draft, ltap_error *error)
{
    const ltap_tensor *training = ltap_draft_constant(draft, 2);
    bool given = ltap_draft_input(draft, 2) != LTAP_NO_VALUE;
    bool off = training && ltap_tensor_count(training) == 1 && ltap_tensor_int(training, 0) == 0;
    bool mask = false;
    if (given && !off && !drops_nothing(draft))
        return ltap_draft_refuse(draft, "in training mode", error);
    if (draft->node.n_outputs > 1)
        LTAP_TRY(ltap_onnx_scope_uses(draft->scope, draft->proto->outputs.items[1], &mask, error));
    /* Before 12 nothing says what the mask is at inference. */
    if (mask && draft->scope->opset < 12)
        LTAP_TRY(ltap_draft_cut_outputs(draft, 1, "mask", error));
    else if (mask)
        LTAP_TRY(full_mask(draft, error));
    ltap_draft_rename(draft, "Identity");
    draft->node.attrs = NULL;
    draft->node.n_attrs = 0;
    draft->node.n_inputs = draft->node.n_inputs > 0;
    draft->node.n_outputs = draft->node.n_outputs > 0;
    return LTAP_OK;
}

const ltap_onnx_rule ltap_onnx_norm_rules[] = {
    {"BatchNormalization", 6, 14, batch_norm},
    {"BatchNormalization", 14, 0, batch_norm_new},
    {"GroupNormalization", 18, 21, group_norm},
    {"Dropout", 6, 0, dropout},
    {NULL, 0, 0, NULL},
};
