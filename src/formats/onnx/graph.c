/* One graph: weights, inputs, names, types, nodes, outputs.
 *
 * In that order whatever the order in the file, so that a node finds every name known: a name that
 * a subgraph uses is the outer one's only where the subgraph does not make it.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <string.h>

static ltap_status set_weight(ltap_onnx_scope *scope, const ltap_onnx_tensor *tensor,
                              ltap_wire_span span, ltap_error *error)
{
    uint32_t value;
    if (tensor->name[0] == '\0')
        return ltap_error_at(error, LTAP_ERROR_FORMAT, span.offset, "a weight has no name");
    LTAP_TRY(ltap_onnx_scope_declare(scope, tensor->name_span, &value, error));
    return ltap_onnx_constant_set(scope->load, scope->graph, value, tensor, ltap_onnx_span(span),
                                  error);
}

static ltap_status read_weights(ltap_onnx_scope *scope, const ltap_proto_graph *proto,
                                ltap_error *error)
{
    ltap_onnx_tensor tensor;
    for (size_t i = 0; i < proto->initializers.count; i++) {
        ltap_wire_span span = proto->initializers.items[i];
        LTAP_TRY(ltap_onnx_tensor_read(scope->load, span, &tensor, error));
        LTAP_TRY(set_weight(scope, &tensor, span, error));
    }
    for (size_t i = 0; i < proto->sparse_initializers.count; i++) {
        ltap_wire_span span = proto->sparse_initializers.items[i];
        LTAP_TRY(ltap_onnx_sparse_read(scope->load, span, &tensor, error));
        LTAP_TRY(set_weight(scope, &tensor, span, error));
    }
    return LTAP_OK;
}

/* Decodes a ValueInfoProto and, where the value's type is not known yet, sets it. */
static ltap_status set_type(ltap_onnx_scope *scope, const ltap_proto_value *proto, uint32_t value,
                            ltap_error *error)
{
    ltap_value *at = ltap_graph_at(scope->graph, value);
    if (at->type.kind != LTAP_TYPE_UNKNOWN || !ltap_wire_seen(&proto->type))
        return LTAP_OK;
    if (at->span.bytes == 0)
        at->span = ltap_onnx_span(proto->head.span);
    return ltap_onnx_type_read(scope->load, proto->type, at->name, &at->type, error);
}

static ltap_status decode_value(ltap_onnx_scope *scope, ltap_wire_span span,
                                ltap_proto_value *proto, ltap_error *error)
{
    return ltap_wire_decode(&scope->load->wire, span, &ltap_proto_value_message,
                            &scope->load->scratch, proto, error);
}

/* An input that has a weight only names its default (always so before IR version 4). */
static ltap_status read_inputs(ltap_onnx_scope *scope, ltap_wire_list list, ltap_error *error)
{
    for (size_t i = 0; i < list.count; i++) {
        ltap_proto_value proto;
        uint32_t value;
        LTAP_TRY(decode_value(scope, list.items[i], &proto, error));
        if (proto.name.bytes == 0)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, list.items[i].offset,
                                 "input %zu has no name", i);
        LTAP_TRY(ltap_onnx_scope_declare(scope, proto.name, &value, error));
        ltap_value *at = ltap_graph_at(scope->graph, value);
        if (at->constant)
            continue;
        if (at->is_input)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, proto.name.offset,
                                 "the input '%s' is listed twice", at->name);
        at->is_input = true;
        LTAP_TRY(set_type(scope, &proto, value, error));
        LTAP_TRY(ltap_vector_push(&scope->graph->inputs, &value, error));
    }
    return LTAP_OK;
}

/* One list of many. */
static ltap_status join(ltap_onnx *load, const ltap_wire_list *lists, size_t n_lists,
                        ltap_wire_list *joined, ltap_error *error)
{
    void *block = NULL;
    size_t count = 0;
    for (size_t i = 0; i < n_lists; i++)
        count += lists[i].count;
    LTAP_TRY(ltap_arena_take(&load->scratch, count, sizeof(ltap_wire_span), &block, error));
    ltap_wire_span *next = block;
    *joined = (ltap_wire_list){next, count};
    for (size_t i = 0; i < n_lists; i++)
        for (size_t k = 0; k < lists[i].count; k++)
            *next++ = lists[i].items[k];
    return LTAP_OK;
}

ltap_status ltap_onnx_names_read(ltap_onnx *load, ltap_wire_list nodes, ltap_wire_list *made,
                                 ltap_wire_list *used, ltap_error *error)
{
    void *block = NULL;
    LTAP_TRY(
        ltap_arena_take(&load->scratch, nodes.count, 2 * sizeof(ltap_wire_list), &block, error));
    ltap_wire_list *outputs = block, *inputs = outputs + nodes.count;
    for (size_t i = 0; i < nodes.count; i++) {
        ltap_proto_node proto;
        LTAP_TRY(ltap_wire_decode(&load->wire, nodes.items[i], &ltap_proto_node_message,
                                  &load->scratch, &proto, error));
        outputs[i] = proto.outputs;
        inputs[i] = proto.inputs;
    }
    LTAP_TRY(join(load, outputs, nodes.count, made, error));
    return join(load, inputs, nodes.count, used, error);
}

/* Makes known what the nodes make, and what is used. */
static ltap_status read_names(ltap_onnx_scope *scope, const ltap_proto_graph *proto,
                              ltap_error *error)
{
    ltap_onnx *load = scope->load;
    ltap_wire_list made;
    void *block = NULL;
    uint32_t value;
    LTAP_TRY(ltap_onnx_names_read(load, proto->nodes, &made, &scope->used[0], error));
    for (size_t i = 0; i < made.count; i++)
        LTAP_TRY(ltap_onnx_scope_declare(scope, made.items[i], &value, error));
    LTAP_TRY(ltap_arena_take(&load->scratch, proto->outputs.count, sizeof(ltap_wire_span), &block,
                             error));
    ltap_wire_span *names = block;
    for (size_t i = 0; i < proto->outputs.count; i++) {
        ltap_proto_value output;
        LTAP_TRY(decode_value(scope, proto->outputs.items[i], &output, error));
        names[i] = output.name;
    }
    scope->used[1] = (ltap_wire_list){names, proto->outputs.count};
    return LTAP_OK;
}

/* Types of values in between, and of outputs: only of names that exist. */
static ltap_status read_types(ltap_onnx_scope *scope, ltap_wire_list list, ltap_error *error)
{
    for (size_t i = 0; i < list.count; i++) {
        ltap_proto_value proto;
        uint32_t value;
        LTAP_TRY(decode_value(scope, list.items[i], &proto, error));
        const char *name = (const char *)scope->load->wire.data + proto.name.offset;
        if (proto.name.bytes > 0 &&
            ltap_map_get(&scope->names, name, (size_t)proto.name.bytes, &value))
            LTAP_TRY(set_type(scope, &proto, value, error));
    }
    return LTAP_OK;
}

static ltap_status read_outputs(ltap_onnx_scope *scope, ltap_wire_list list, ltap_error *error)
{
    for (size_t i = 0; i < list.count; i++) {
        ltap_proto_value proto;
        uint32_t value;
        const char *name = NULL;
        LTAP_TRY(decode_value(scope, list.items[i], &proto, error));
        LTAP_TRY(ltap_onnx_text(scope->load, proto.name, "output name", &name, error));
        if (name[0] == '\0')
            return ltap_error_at(error, LTAP_ERROR_FORMAT, list.items[i].offset,
                                 "output %zu has no name", i);
        LTAP_TRY(ltap_onnx_scope_value(scope, proto.name, &value, error));
        ltap_graph_at(scope->graph, value)->is_output = true;
        LTAP_TRY(ltap_vector_push(&scope->graph->outputs, &value, error));
        LTAP_TRY(ltap_vector_push(&scope->graph->output_names, &name, error));
    }
    return LTAP_OK;
}

ltap_status ltap_onnx_spans_keep(ltap_onnx *load, ltap_graph *graph, ltap_wire_list list,
                                 ltap_error *error)
{
    void *block = NULL;
    size_t before = graph->n_other_fields;
    LTAP_TRY(ltap_arena_take(load->arena, before + list.count, sizeof(ltap_span), &block, error));
    ltap_span *spans = block;
    if (before > 0)
        memcpy(spans, graph->other_fields, before * sizeof(ltap_span));
    for (size_t i = 0; i < list.count; i++)
        spans[before + i] = ltap_onnx_span(list.items[i]);
    graph->other_fields = spans;
    graph->n_other_fields = before + list.count;
    return LTAP_OK;
}

ltap_status ltap_onnx_graph_fill(ltap_onnx_scope *scope, ltap_wire_span span, ltap_error *error)
{
    ltap_onnx *load = scope->load;
    ltap_graph *graph = scope->graph;
    ltap_proto_graph proto;
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_graph_message, &load->scratch, &proto,
                              error));
    LTAP_TRY(ltap_onnx_text(load, proto.name, "graph name", &graph->name, error));
    graph->span = ltap_onnx_span(span);
    LTAP_TRY(ltap_onnx_spans_keep(load, graph, proto.head.unknown, error));
    LTAP_TRY(read_weights(scope, &proto, error));
    LTAP_TRY(read_inputs(scope, proto.inputs, error));
    LTAP_TRY(read_names(scope, &proto, error));
    LTAP_TRY(read_types(scope, proto.value_infos, error));
    LTAP_TRY(read_types(scope, proto.outputs, error));
    for (size_t i = 0; i < proto.nodes.count; i++)
        LTAP_TRY(ltap_onnx_node_read(scope, proto.nodes.items[i], error));
    return read_outputs(scope, proto.outputs, error);
}

ltap_status ltap_onnx_graph_child(ltap_onnx_scope *scope, ltap_wire_span span, ltap_graph **graph,
                                  ltap_error *error)
{
    ltap_onnx_scope inner;
    if (scope->depth == LTAP_ONNX_MAX_GRAPH_DEPTH)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, span.offset,
                             "subgraphs are nested deeper than %d", LTAP_ONNX_MAX_GRAPH_DEPTH);
    LTAP_TRY(ltap_graph_new_inside(scope->graph, graph, error));
    ltap_onnx_scope_init(&inner, scope->load, *graph);
    inner.outer = scope;
    inner.call = scope->call;
    inner.opset = (*graph)->opset = scope->opset;
    inner.depth = scope->depth + 1;
    ltap_status status = ltap_onnx_graph_fill(&inner, span, error);
    ltap_onnx_scope_clear(&inner);
    return status;
}
