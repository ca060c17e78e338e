/* What a pruned model needs: found over the file's own names, because the graph that runs is a
 * translation. A name that a subgraph uses may be the main graph's; then it is needed. */
#include "base/error.h"
#include "formats/onnx/save.h"
#include <string.h>

static ltap_status decode(ltap_onnx_saving *saving, ltap_wire_span span,
                          const ltap_wire_message *message, void *out, ltap_error *error)
{
    return ltap_wire_decode(&saving->load.wire, span, message, &saving->load.scratch, out, error);
}

static ltap_status set(ltap_onnx_saving *saving, ltap_map *map, ltap_wire_span name, uint32_t value,
                       ltap_error *error)
{
    if (name.bytes == 0)
        return LTAP_OK;
    return ltap_map_set(map, ltap_onnx_saving_at(saving, name), (size_t)name.bytes, value, error);
}

static ltap_status need(ltap_onnx_saving *saving, const char *name, size_t bytes, ltap_error *error)
{
    uint32_t node, known;
    if (bytes == 0 || ltap_map_get(&saving->needed, name, bytes, &known))
        return LTAP_OK;
    LTAP_TRY(ltap_map_set(&saving->needed, name, bytes, 1, error));
    LTAP_TRY(ltap_map_set(&saving->taken, name, bytes, 1, error));
    if (ltap_map_get(&saving->starts, name, bytes, &known) ||
        !ltap_map_get(&saving->made, name, bytes, &node) ||
        ltap_onnx_saving_node(saving, node)->keep)
        return LTAP_OK;
    ltap_onnx_saving_node(saving, node)->keep = true;
    saving->to.n_nodes++;
    return ltap_vector_push(&saving->open, &node, error);
}

static ltap_status take(ltap_onnx_saving *saving, const ltap_onnx_opened *in, ltap_wire_span span,
                        ltap_error *error)
{
    ltap_string name;
    LTAP_TRY(ltap_onnx_saving_name(saving, in, span, &name, error));
    return name.bytes == 0 ? LTAP_OK
                           : ltap_map_set(&saving->taken, name.data, name.bytes, 1, error);
}

static ltap_status need_all(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                            ltap_wire_list names, ltap_error *error)
{
    for (size_t i = 0; i < names.count; i++) {
        ltap_string name;
        LTAP_TRY(ltap_onnx_saving_name(saving, in, names.items[i], &name, error));
        LTAP_TRY(need(saving, name.data, name.bytes, error));
    }
    return LTAP_OK;
}

static ltap_status take_all(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                            ltap_wire_list names, ltap_error *error)
{
    for (size_t i = 0; i < names.count; i++)
        LTAP_TRY(take(saving, in, names.items[i], error));
    return LTAP_OK;
}

/* Where nodes stand that are looked at: in an opened call (NULL: in the main graph), in subgraphs
 * `depth` deep; in the body of a call that stays one, names mean nothing outside. */
typedef struct place {
    const ltap_onnx_opened *in;
    int depth;
    bool is_called;
} place;

static ltap_status look_into(ltap_onnx_saving *saving, const ltap_proto_node *node, place at,
                             ltap_error *error);

static ltap_status look_at_nodes(ltap_onnx_saving *saving, ltap_wire_list nodes, place at,
                                 ltap_error *error)
{
    for (size_t i = 0; i < nodes.count; i++) {
        ltap_proto_node node;
        LTAP_TRY(decode(saving, nodes.items[i], &ltap_proto_node_message, &node, error));
        if (!at.is_called) {
            LTAP_TRY(need_all(saving, at.in, node.inputs, error));
            LTAP_TRY(take_all(saving, at.in, node.outputs, error));
        }
        LTAP_TRY(look_into(saving, &node, at, error));
    }
    return LTAP_OK;
}

/* Names that a subgraph uses may be those of the graph around it. */
static ltap_status look_at_graph(ltap_onnx_saving *saving, ltap_wire_span span, place at,
                                 ltap_error *error)
{
    ltap_proto_graph graph;
    ltap_proto_value value;
    if (at.depth > LTAP_ONNX_MAX_GRAPH_DEPTH)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, span.offset,
                             "subgraphs are nested deeper than %d", LTAP_ONNX_MAX_GRAPH_DEPTH);
    LTAP_TRY(decode(saving, span, &ltap_proto_graph_message, &graph, error));
    for (size_t i = 0; i < graph.outputs.count; i++) {
        LTAP_TRY(decode(saving, graph.outputs.items[i], &ltap_proto_value_message, &value, error));
        if (!at.is_called)
            LTAP_TRY(need_all(saving, at.in, (ltap_wire_list){&value.name, 1}, error));
    }
    for (size_t i = 0; i < graph.inputs.count; i++) {
        LTAP_TRY(decode(saving, graph.inputs.items[i], &ltap_proto_value_message, &value, error));
        LTAP_TRY(take(saving, at.in, value.name, error));
    }
    for (size_t i = 0; i < graph.initializers.count; i++) {
        ltap_proto_tensor tensor;
        LTAP_TRY(decode(saving, graph.initializers.items[i], &ltap_proto_tensor_message, &tensor,
                        error));
        LTAP_TRY(take(saving, at.in, tensor.name, error));
        LTAP_TRY(ltap_onnx_saving_note(saving, graph.initializers.items[i], true, error));
    }
    return look_at_nodes(saving, graph.nodes, at, error);
}

/* The function that a node calls, and what that calls. */
static ltap_status need_function(ltap_onnx_saving *saving, const ltap_proto_node *node, place at,
                                 ltap_error *error)
{
    ltap_onnx_function *function = NULL;
    LTAP_TRY(ltap_onnx_saving_function(saving, node, &function, error));
    if (!function || saving->keep_function[function - saving->load.functions])
        return LTAP_OK;
    saving->keep_function[function - saving->load.functions] = 1;
    return look_at_nodes(saving, function->proto.nodes, (place){NULL, at.depth + 1, true}, error);
}

static ltap_status look_at_attr(ltap_onnx_saving *saving, ltap_proto_attr *attr, place at,
                                ltap_error *error)
{
    bool dropped;
    at.depth++;
    LTAP_TRY(ltap_onnx_saving_attr(saving, &at.in, attr, &dropped, error));
    if (dropped)
        return LTAP_OK;
    if (ltap_wire_seen(&attr->t))
        LTAP_TRY(ltap_onnx_saving_note(saving, attr->t, true, error));
    for (size_t k = 0; k < attr->tensors.count; k++)
        LTAP_TRY(ltap_onnx_saving_note(saving, attr->tensors.items[k], true, error));
    if (ltap_wire_seen(&attr->g))
        LTAP_TRY(look_at_graph(saving, attr->g, at, error));
    for (size_t k = 0; k < attr->graphs.count; k++)
        LTAP_TRY(look_at_graph(saving, attr->graphs.items[k], at, error));
    return LTAP_OK;
}

static ltap_status look_into(ltap_onnx_saving *saving, const ltap_proto_node *node, place at,
                             ltap_error *error)
{
    LTAP_TRY(need_function(saving, node, at, error));
    for (size_t i = 0; i < node->attrs.count; i++) {
        ltap_proto_attr attr;
        LTAP_TRY(decode(saving, node->attrs.items[i], &ltap_proto_attr_message, &attr, error));
        LTAP_TRY(look_at_attr(saving, &attr, at, error));
    }
    return LTAP_OK;
}

static ltap_status look_at(ltap_onnx_saving *saving, const ltap_onnx_saved_node *node,
                           ltap_error *error)
{
    ltap_string name;
    if (node->from) {
        LTAP_TRY(ltap_map_set(&saving->taken, node->to, strlen(node->to), 1, error));
        return need(saving, node->from, strlen(node->from), error);
    }
    LTAP_TRY(need_all(saving, node->in, node->proto.inputs, error));
    LTAP_TRY(take_all(saving, node->in, node->proto.outputs, error));
    LTAP_TRY(ltap_onnx_saving_node_name(saving, node->in, node->proto.name, &name, error));
    if (name.bytes > 0)
        LTAP_TRY(ltap_map_set(&saving->node_names, name.data, name.bytes, 1, error));
    return look_into(saving, &node->proto, (place){node->in, 0, false}, error);
}

static ltap_status walk(ltap_onnx_saving *saving, ltap_error *error)
{
    while (saving->open.count > 0) {
        uint32_t index = *LTAP_VECTOR_AT(&saving->open, uint32_t, --saving->open.count);
        LTAP_TRY(look_at(saving, ltap_onnx_saving_node(saving, index), error));
    }
    return LTAP_OK;
}

static ltap_status need_parameters(ltap_onnx_saving *saving, ltap_wire_span span, ltap_error *error)
{
    ltap_proto_annotation annotation;
    LTAP_TRY(decode(saving, span, &ltap_proto_annotation_message, &annotation, error));
    if (!ltap_onnx_saving_has(saving, &saving->taken, annotation.name))
        return LTAP_OK;
    for (size_t i = 0; i < annotation.parameters.count; i++) {
        ltap_proto_property property;
        LTAP_TRY(decode(saving, annotation.parameters.items[i], &ltap_proto_property_message,
                        &property, error));
        LTAP_TRY(need_all(saving, NULL, (ltap_wire_list){&property.value, 1}, error));
    }
    return LTAP_OK;
}

/* Scales and zero points that annotations of kept values name. */
static ltap_status need_annotated(ltap_onnx_saving *saving, ltap_error *error)
{
    uint64_t before;
    do {
        before = saving->to.n_nodes;
        for (size_t i = 0; i < saving->graph.annotations.count; i++)
            LTAP_TRY(need_parameters(saving, saving->graph.annotations.items[i], error));
        LTAP_TRY(walk(saving, error));
    } while (saving->to.n_nodes > before);
    return LTAP_OK;
}

static ltap_status read_given(ltap_onnx_saving *saving, ltap_error *error)
{
    const ltap_proto_graph *graph = &saving->graph;
    ltap_proto_tensor tensor;
    ltap_proto_value value;
    ltap_proto_sparse sparse;
    for (size_t i = 0; i < graph->inputs.count; i++) {
        LTAP_TRY(decode(saving, graph->inputs.items[i], &ltap_proto_value_message, &value, error));
        LTAP_TRY(set(saving, &saving->given, value.name, 1, error));
    }
    for (size_t i = 0; i < graph->initializers.count; i++) {
        LTAP_TRY(decode(saving, graph->initializers.items[i], &ltap_proto_tensor_message, &tensor,
                        error));
        LTAP_TRY(set(saving, &saving->given, tensor.name, 1, error));
    }
    for (size_t i = 0; i < graph->sparse_initializers.count; i++) {
        LTAP_TRY(decode(saving, graph->sparse_initializers.items[i], &ltap_proto_sparse_message,
                        &sparse, error));
        LTAP_TRY(decode(saving, sparse.values, &ltap_proto_tensor_message, &tensor, error));
        LTAP_TRY(set(saving, &saving->given, tensor.name, 1, error));
    }
    return LTAP_OK;
}

static ltap_status read_model(ltap_onnx_saving *saving, ltap_error *error)
{
    ltap_onnx *load = &saving->load;
    void *block;
    LTAP_TRY(decode(saving, (ltap_wire_span){0, load->wire.size}, &ltap_proto_model_message,
                    &saving->model, error));
    if (saving->model.graphs.count != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "the model changed meanwhile");
    LTAP_TRY(decode(saving, saving->model.graphs.items[0], &ltap_proto_graph_message,
                    &saving->graph, error));
    LTAP_TRY(ltap_onnx_functions_read(load, saving->model.functions, error));
    LTAP_TRY(ltap_arena_take(&load->scratch, load->n_functions, 1, &block, error));
    saving->keep_function = block;
    LTAP_TRY(read_given(saving, error));
    return ltap_onnx_saving_nodes(saving, error);
}

static ltap_status check_value(const ltap_onnx_saving *saving, const ltap_saved_value *value,
                               ltap_error *error)
{
    uint32_t found;
    size_t bytes = strlen(value->value);
    if (ltap_map_get(&saving->made, value->value, bytes, &found) ||
        ltap_map_get(&saving->given, value->value, bytes, &found))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "'%s' cannot be written: its value is not in the file, but was made when "
                          "an old form of an operator was read",
                          value->layer);
}

/* A name that is given to a value must be no other value's. */
static ltap_status check_name(const ltap_onnx_saving *saving, const ltap_saved_value *value,
                              ltap_error *error)
{
    uint32_t found;
    if (strcmp(value->name, value->value) == 0 ||
        !ltap_map_get(&saving->taken, value->name, strlen(value->name), &found))
        return LTAP_OK;
    return ltap_onnx_refuse_name(value, error);
}

static ltap_status check_names(const ltap_onnx_saving *saving, ltap_error *error)
{
    const ltap_save *save = saving->save;
    for (size_t i = 0; i < save->n_outputs; i++)
        LTAP_TRY(check_name(saving, &save->outputs[i], error));
    for (size_t i = 0; i < save->n_starts; i++)
        LTAP_TRY(check_name(saving, &save->starts[i], error));
    return ltap_onnx_check_ends(save, error);
}

ltap_status ltap_onnx_saving_keep(ltap_onnx_saving *saving, ltap_error *error)
{
    const ltap_save *save = saving->save;
    for (size_t i = 0; i < save->n_starts; i++) {
        const char *name = save->starts[i].value;
        LTAP_TRY(ltap_map_set(&saving->starts, name, strlen(name), (uint32_t)i, error));
    }
    LTAP_TRY(read_model(saving, error));
    for (size_t i = 0; i < save->n_starts; i++)
        LTAP_TRY(check_value(saving, &save->starts[i], error));
    for (size_t i = 0; i < save->n_outputs; i++) {
        LTAP_TRY(check_value(saving, &save->outputs[i], error));
        LTAP_TRY(need(saving, save->outputs[i].value, strlen(save->outputs[i].value), error));
    }
    LTAP_TRY(walk(saving, error));
    LTAP_TRY(need_annotated(saving, error));
    return check_names(saving, error);
}
