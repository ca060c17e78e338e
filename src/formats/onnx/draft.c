/* Drafts of nodes: changing attributes and inputs, adding constants and helper nodes.
 *
 * A draft's arrays are its own, in the arena; they grow by being copied there.
 */
#include "base/error.h"
#include "formats/onnx/opset.h"
#include <string.h>

void ltap_draft_rename(ltap_onnx_draft *draft, const char *op_type)
{
    draft->node.op_type = op_type;
    draft->node.translated = true;
}

const ltap_attr *ltap_draft_attr(const ltap_onnx_draft *draft, const char *name)
{
    return ltap_node_attr(&draft->node, name);
}

void ltap_draft_drop(ltap_onnx_draft *draft, const char *name)
{
    ltap_attr *attrs = (ltap_attr *)(uintptr_t)draft->node.attrs;
    size_t kept = 0;
    for (size_t i = 0; i < draft->node.n_attrs; i++)
        if (strcmp(attrs[i].name, name) != 0)
            attrs[kept++] = attrs[i];
    draft->node.translated |= kept < draft->node.n_attrs;
    draft->node.n_attrs = kept;
}

/* Room for one more attribute of that name, instead of an old one. */
static ltap_status set_attr(ltap_onnx_draft *draft, const ltap_attr *attr, ltap_error *error)
{
    void *block = NULL;
    ltap_draft_drop(draft, attr->name);
    size_t count = draft->node.n_attrs;
    LTAP_TRY(ltap_arena_take(draft->scope->load->arena, count + 1, sizeof(*attr), &block, error));
    if (count > 0)
        memcpy(block, draft->node.attrs, count * sizeof(*attr));
    memcpy((ltap_attr *)block + count, attr, sizeof(*attr));
    draft->node.attrs = block;
    draft->node.n_attrs = count + 1;
    draft->node.translated = true;
    return LTAP_OK;
}

ltap_status ltap_draft_set_int(ltap_onnx_draft *draft, const char *name, int64_t number,
                               ltap_error *error)
{
    ltap_attr attr = {.name = name, .kind = LTAP_ATTR_INT, .count = 1, .u.i = number};
    return set_attr(draft, &attr, error);
}

ltap_status ltap_draft_set_string(ltap_onnx_draft *draft, const char *name, const char *text,
                                  ltap_error *error)
{
    ltap_attr attr = {
        .name = name, .kind = LTAP_ATTR_STRING, .count = 1, .u.s = {text, strlen(text)}};
    return set_attr(draft, &attr, error);
}

ltap_status ltap_draft_set_tensor(ltap_onnx_draft *draft, const char *name,
                                  const ltap_tensor *tensor, ltap_error *error)
{
    void *copy = NULL;
    LTAP_TRY(ltap_arena_take(draft->scope->load->arena, 1, sizeof(*tensor), &copy, error));
    memcpy(copy, tensor, sizeof(*tensor));
    ltap_attr attr = {.name = name, .kind = LTAP_ATTR_TENSOR, .count = 1, .u.tensors = copy};
    return set_attr(draft, &attr, error);
}

uint32_t ltap_draft_input(const ltap_onnx_draft *draft, size_t index)
{
    return index < draft->node.n_inputs ? draft->node.inputs[index] : LTAP_NO_VALUE;
}

ltap_status ltap_draft_set_input(ltap_onnx_draft *draft, size_t index, uint32_t value,
                                 ltap_error *error)
{
    ltap_node *node = &draft->node;
    if (index >= node->n_inputs) {
        void *block = NULL;
        LTAP_TRY(
            ltap_arena_take(draft->scope->load->arena, index + 1, sizeof(uint32_t), &block, error));
        uint32_t *inputs = block;
        for (size_t i = 0; i <= index; i++)
            inputs[i] = ltap_draft_input(draft, i);
        node->inputs = inputs;
        node->n_inputs = index + 1;
    }
    node->inputs[index] = value;
    node->translated = true;
    return LTAP_OK;
}

ltap_status ltap_draft_set_ints(ltap_onnx_draft *draft, size_t index, const int64_t *numbers,
                                size_t count, ltap_error *error)
{
    uint32_t value;
    LTAP_TRY(ltap_graph_constant_ints(draft->scope->graph, "ints", numbers, count, &value, error));
    return ltap_draft_set_input(draft, index, value, error);
}

ltap_status ltap_draft_move_ints(ltap_onnx_draft *draft, const char *name, size_t index,
                                 ltap_error *error)
{
    const int64_t *ints = NULL;
    size_t count = ltap_node_ints(&draft->node, name, &ints);
    if (count == 0)
        return LTAP_OK;
    LTAP_TRY(ltap_draft_set_ints(draft, index, ints, count, error));
    ltap_draft_drop(draft, name);
    return LTAP_OK;
}

/* The element type of a value: what the file says, or what flows in from where it says something
 * (operators that have old forms keep the type of their first input). */
static ltap_dtype type_of(const ltap_onnx_draft *draft, uint32_t value)
{
    enum { MAX_STEPS = 64 };
    const ltap_graph *graph = draft->scope->graph;
    for (int i = 0; i < MAX_STEPS && value != LTAP_NO_VALUE; i++) {
        const ltap_value *at = ltap_graph_at(graph, value);
        if (at->type.kind == LTAP_TYPE_TENSOR && at->type.dtype != LTAP_UNDEFINED)
            return at->type.dtype;
        if (at->producer == LTAP_NO_NODE)
            break;
        const ltap_node *node = ltap_graph_node(graph, at->producer);
        if (strcmp(node->op_type, "Cast") == 0)
            return (ltap_dtype)ltap_node_int(node, "to", LTAP_FLOAT32);
        value = node->n_inputs > 0 ? node->inputs[0] : LTAP_NO_VALUE;
    }
    return LTAP_FLOAT32;
}

ltap_status ltap_draft_set_scalar(ltap_onnx_draft *draft, size_t index, double number,
                                  ltap_error *error)
{
    void *block = NULL;
    uint32_t value;
    ltap_dtype dtype = type_of(draft, ltap_draft_input(draft, 0));
    ltap_dtype stored = dtype == LTAP_FLOAT64 ? LTAP_FLOAT64 : LTAP_FLOAT32;
    LTAP_TRY(ltap_arena_take(draft->scope->load->arena, 1, sizeof(double), &block, error));
    if (stored == LTAP_FLOAT64)
        *(double *)block = number;
    else
        *(float *)block = (float)number;
    ltap_tensor tensor = ltap_tensor_make(stored, 0, NULL, block);
    LTAP_TRY(ltap_graph_constant(draft->scope->graph, "number", &tensor, &value, error));
    if (dtype != stored) {
        ltap_onnx_draft cast = ltap_draft_helper(draft, "Cast");
        LTAP_TRY(ltap_draft_set_int(&cast, "to", dtype, error));
        LTAP_TRY(ltap_draft_add(&cast, &value, 1, &value, error));
    }
    return ltap_draft_set_input(draft, index, value, error);
}

const ltap_tensor *ltap_draft_constant(const ltap_onnx_draft *draft, size_t index)
{
    uint32_t value = ltap_draft_input(draft, index);
    if (value == LTAP_NO_VALUE)
        return NULL;
    const ltap_value *at = ltap_graph_at(draft->scope->graph, value);
    return at->constant && at->constant->data && !at->unaligned ? at->constant : NULL;
}

ltap_status ltap_draft_refuse(ltap_onnx_draft *draft, const char *why, ltap_error *error)
{
    draft->node.translated = true;
    return ltap_arena_format(draft->scope->load->arena, &draft->node.op_type, error, "%s %s",
                             draft->node.op_type, why);
}

ltap_status ltap_draft_cut_outputs(ltap_onnx_draft *draft, size_t index, const char *what,
                                   ltap_error *error)
{
    ltap_node *node = &draft->node;
    bool any = false;
    for (size_t i = index; i < node->n_outputs && !any; i++)
        LTAP_TRY(ltap_onnx_scope_uses(draft->scope, draft->proto->outputs.items[i], &any, error));
    if (any) {
        ltap_onnx_draft rest = *draft;
        rest.node.outputs += index;
        rest.node.n_outputs -= index;
        rest.node.span.bytes = 0;
        LTAP_TRY(ltap_draft_refuse(&rest, what, error));
        LTAP_TRY(ltap_graph_node_add(draft->scope->graph, &rest.node, NULL, error));
    }
    if (node->n_outputs > index) {
        node->n_outputs = index;
        node->translated = true;
    }
    return LTAP_OK;
}

ltap_onnx_draft ltap_draft_helper(const ltap_onnx_draft *draft, const char *op_type)
{
    ltap_onnx_draft helper = *draft;
    helper.node.op_type = op_type;
    helper.node.attrs = NULL;
    helper.node.n_attrs = 0;
    helper.node.translated = true;
    helper.node.span.bytes = 0;
    return helper;
}

ltap_status ltap_draft_add(ltap_onnx_draft *helper, const uint32_t *inputs, size_t n_inputs,
                           uint32_t *output, ltap_error *error)
{
    ltap_graph *graph = helper->scope->graph;
    uint32_t copies[3] = {LTAP_NO_VALUE, LTAP_NO_VALUE, LTAP_NO_VALUE};
    for (size_t i = 0; i < n_inputs && i < 3; i++)
        copies[i] = inputs[i];
    LTAP_TRY(ltap_graph_value_new(graph, helper->node.op_type, output, error));
    helper->node.inputs = copies;
    helper->node.n_inputs = n_inputs;
    helper->node.outputs = output;
    helper->node.n_outputs = 1;
    if (helper->node.name[0])
        LTAP_TRY(ltap_arena_format(helper->scope->load->arena, &helper->node.name, error, "%s:%s",
                                   helper->node.name, helper->node.op_type));
    return ltap_graph_node_add(graph, &helper->node, NULL, error);
}
