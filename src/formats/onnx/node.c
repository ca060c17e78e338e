/* One node: its names and attributes; then it is a call to inline, a constant, or a node as the
 * newest opset would say it.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/opset.h"
#include "ops/op.h"
#include <string.h>

ltap_status ltap_onnx_node_count(ltap_onnx *load, uint64_t offset, ltap_error *error)
{
    if (load->n_nodes++ < LTAP_ONNX_MAX_NODES)
        return LTAP_OK;
    return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, offset,
                         "the model has more than %d nodes with its functions inlined",
                         LTAP_ONNX_MAX_NODES);
}

ltap_status ltap_onnx_steps_count(ltap_onnx *load, uint64_t steps, ltap_error *error)
{
    uint64_t used = ltap_memory_used(load->source->memory);
    uint64_t grown = used > load->before_call ? used - load->before_call : 0;
    load->steps += steps;
    if (load->steps <= LTAP_ONNX_MAX_STEPS && load->inlined + grown <= LTAP_ONNX_MAX_INLINED)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "the model's functions grow to more than %d MB when they are inlined",
                          (int)(LTAP_ONNX_MAX_INLINED >> 20));
}

static ltap_status read_values(ltap_onnx_scope *scope, ltap_wire_list names, uint32_t **values,
                               ltap_error *error)
{
    void *block = NULL;
    LTAP_TRY(ltap_arena_take(scope->load->arena, names.count, sizeof(uint32_t), &block, error));
    *values = block;
    for (size_t i = 0; i < names.count; i++)
        LTAP_TRY(ltap_onnx_scope_value(scope, names.items[i], *values + i, error));
    return LTAP_OK;
}

static ltap_status read_texts(ltap_onnx_scope *scope, const ltap_proto_node *proto, ltap_node *node,
                              ltap_error *error)
{
    ltap_onnx *load = scope->load;
    ltap_string doc;
    LTAP_TRY(ltap_onnx_text(load, proto->name, "node name", &node->name, error));
    LTAP_TRY(ltap_onnx_text(load, proto->op_type, "node's operator", &node->op_type, error));
    LTAP_TRY(ltap_onnx_domain(load, proto->domain, &node->domain, error));
    LTAP_TRY(ltap_onnx_string(load, proto->doc, &doc, error));
    node->doc = doc.data;
    node->call_path = scope->call ? scope->call->path : "";
    if (scope->call && node->name[0])
        LTAP_TRY(ltap_arena_format(load->arena, &node->name, error, "%s/%s", node->call_path,
                                   node->name));
    if (node->op_type[0] == '\0')
        return ltap_error_at(error, LTAP_ERROR_FORMAT, proto->head.span.offset,
                             "node '%s' names no operator", node->name);
    LTAP_TRY(ltap_onnx_properties(load, proto->properties, &node->properties, error));
    node->n_properties = proto->properties.count;
    return LTAP_OK;
}

/* Without omitted ones at the end: they are as good as not there. */
static size_t count_given(const uint32_t *values, size_t count)
{
    while (count > 0 && values[count - 1] == LTAP_NO_VALUE)
        count--;
    return count;
}

static ltap_status read_draft(ltap_onnx_scope *scope, const ltap_proto_node *proto,
                              ltap_onnx_draft *draft, ltap_error *error)
{
    ltap_node *node = &draft->node;
    LTAP_TRY(ltap_onnx_attrs_read(scope, proto->attrs, &node->attrs, &node->n_attrs, error));
    LTAP_TRY(read_values(scope, proto->inputs, &node->inputs, error));
    LTAP_TRY(read_values(scope, proto->outputs, &node->outputs, error));
    node->n_inputs = count_given(node->inputs, proto->inputs.count);
    node->n_outputs = count_given(node->outputs, proto->outputs.count);
    return LTAP_OK;
}

static ltap_status check_outputs(const ltap_graph *graph, const ltap_node *node, ltap_error *error)
{
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == LTAP_NO_VALUE)
            continue;
        const ltap_value *value = ltap_graph_at(graph, node->outputs[i]);
        if (value->is_input || value->constant)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, node->span.offset,
                                 "the value '%s' is made by %s and is also %s", value->name,
                                 ltap_node_text(graph, node).text,
                                 value->is_input ? "an input" : "a weight");
    }
    return LTAP_OK;
}

static ltap_status read_body(ltap_onnx_scope *scope, const ltap_proto_node *proto,
                             ltap_onnx_draft *draft, ltap_error *error)
{
    const char *overload = NULL;
    ltap_node *node = &draft->node;
    LTAP_TRY(ltap_onnx_text(scope->load, proto->overload, "overload", &overload, error));
    ltap_onnx_function *function = NULL;
    LTAP_TRY(ltap_onnx_function_find(scope->load, node, overload, &function, error));
    if (strcmp(node->domain, "layertap") == 0 && ltap_ops_find(node->domain, node->op_type))
        function = NULL; /* our own, spelled out for others */
    if (!function && node->domain[0] == '\0' && strcmp(node->op_type, "Constant") == 0)
        return ltap_onnx_constant_read(scope, proto, error);
    LTAP_TRY(read_draft(scope, proto, draft, error));
    if (function)
        return ltap_onnx_function_inline(draft, function, error);
    if (node->domain[0] == '\0')
        LTAP_TRY(ltap_onnx_opset_translate(draft, error));
    LTAP_TRY(check_outputs(scope->graph, node, error));
    return ltap_graph_node_add(scope->graph, node, NULL, error);
}

ltap_status ltap_onnx_node_read(ltap_onnx_scope *scope, ltap_wire_span span, ltap_error *error)
{
    ltap_proto_node proto;
    ltap_onnx_draft draft = {.scope = scope, .proto = &proto};
    draft.node.span = ltap_onnx_span(span);
    LTAP_TRY(ltap_onnx_node_count(scope->load, span.offset, error));
    if (scope->call)
        LTAP_TRY(ltap_onnx_steps_count(scope->load, 1, error));
    LTAP_TRY(ltap_wire_decode(&scope->load->wire, span, &ltap_proto_node_message,
                              &scope->load->scratch, &proto, error));
    LTAP_TRY(read_texts(scope, &proto, &draft.node, error));
    return ltap_onnx_locate(error, read_body(scope, &proto, &draft, error), span.offset);
}
