/* Putting a pruned model together: the file's fields in the file's order, without what is not
 * needed; what is new stands before and behind. Field numbers are those of onnx.proto. */
#include "base/error.h"
#include "formats/onnx/save.h"
#include <string.h>

enum {
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_TRAINING = 20,
    MODEL_FUNCTION = 25,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_VALUE = 13,
    GRAPH_ANNOTATION = 14,
    GRAPH_SPARSE = 15,
    OPSET_FOR_IDENTITY = 13
};

static ltap_status put_raw(ltap_onnx_saving *saving, ltap_wire_span span, ltap_error *error)
{
    return ltap_wire_out_bytes(&saving->out, ltap_onnx_saving_at(saving, span), span.bytes, error);
}

static bool is_direct(const ltap_saved_value *value)
{
    return strcmp(value->name, value->value) == 0;
}

/* A name for a new node that no kept node has. */
static ltap_status name_node(ltap_onnx_saving *saving, const char *value, const char **name,
                             ltap_error *error)
{
    uint32_t found;
    LTAP_TRY(ltap_arena_format(&saving->arena, name, error, "layertap.%s", value));
    for (unsigned i = 1; ltap_map_get(&saving->node_names, *name, strlen(*name), &found); i++)
        LTAP_TRY(ltap_arena_format(&saving->arena, name, error, "layertap.%s.%u", value, i));
    return ltap_map_set(&saving->node_names, *name, strlen(*name), 1, error);
}

static ltap_status put_identity(ltap_onnx_saving *saving, const char *from, const char *to,
                                const char *what, ltap_error *error)
{
    ltap_wire_out *out = &saving->out;
    const char *name = NULL;
    size_t node;
    LTAP_TRY(name_node(saving, what, &name, error));
    LTAP_TRY(ltap_wire_out_begin(out, GRAPH_NODE, &node, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, from, error));
    LTAP_TRY(ltap_wire_out_text(out, 2, to, error));
    LTAP_TRY(ltap_wire_out_text(out, 3, name, error));
    LTAP_TRY(ltap_wire_out_text(out, 4, "Identity", error));
    return ltap_wire_out_end(out, node, error);
}

/* --- types ----------------------------------------------------------------------------------- */

/* Finds a ValueInfoProto by name in a list; proto->name.bytes is 0 where there is none. */
static ltap_status find_value(ltap_onnx_saving *saving, ltap_wire_list list, const char *name,
                              ltap_proto_value *proto, ltap_error *error)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i < list.count; i++) {
        LTAP_TRY(ltap_wire_decode(&saving->load.wire, list.items[i], &ltap_proto_value_message,
                                  &saving->load.scratch, proto, error));
        if (proto->name.bytes == bytes &&
            memcmp(ltap_onnx_saving_at(saving, proto->name), name, bytes) == 0)
            return LTAP_OK;
    }
    memset(proto, 0, sizeof(*proto));
    return LTAP_OK;
}

/* Whether a TypeProto is all that a checker wants of an output: a tensor's has a shape. */
static ltap_status is_complete(ltap_onnx_saving *saving, ltap_wire_span type, bool *complete,
                               ltap_error *error)
{
    ltap_proto_type proto;
    ltap_proto_tensor_type tensor;
    *complete = false;
    if (!ltap_wire_seen(&type))
        return LTAP_OK;
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, type, &ltap_proto_type_message,
                              &saving->load.scratch, &proto, error));
    *complete = !ltap_wire_seen(&proto.tensor) && proto.head.span.bytes > 0;
    if (*complete || !ltap_wire_seen(&proto.tensor))
        return LTAP_OK;
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, proto.tensor, &ltap_proto_tensor_type_message,
                              &saving->load.scratch, &tensor, error));
    *complete = ltap_wire_seen(&tensor.shape) && tensor.elem_type != 0;
    return LTAP_OK;
}

/* The type that the file gives a value; an empty span where it does not in full. */
static ltap_status find_type(ltap_onnx_saving *saving, const char *name, ltap_wire_span *type,
                             ltap_error *error)
{
    const ltap_wire_list lists[] = {saving->graph.outputs, saving->graph.value_infos,
                                    saving->graph.inputs};
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        ltap_proto_value proto;
        bool complete = false;
        LTAP_TRY(find_value(saving, lists[i], name, &proto, error));
        *type = proto.type;
        LTAP_TRY(is_complete(saving, *type, &complete, error));
        if (complete)
            return LTAP_OK;
    }
    *type = (ltap_wire_span){0, 0};
    return LTAP_OK;
}

static ltap_status put_dims(ltap_onnx_saving *saving, const ltap_type *type, ltap_error *error)
{
    ltap_wire_out *out = &saving->out;
    size_t shape, dim;
    LTAP_TRY(ltap_wire_out_begin(out, 2, &shape, error));
    for (int i = 0; i < type->rank; i++) {
        LTAP_TRY(ltap_wire_out_begin(out, 1, &dim, error));
        if (type->dims[i].size >= 0)
            LTAP_TRY(ltap_wire_out_int(out, 1, (uint64_t)type->dims[i].size, error));
        else if (type->dims[i].symbol)
            LTAP_TRY(ltap_wire_out_text(out, 2, type->dims[i].symbol, error));
        LTAP_TRY(ltap_wire_out_end(out, dim, error));
    }
    return ltap_wire_out_end(out, shape, error);
}

static ltap_status put_type(ltap_onnx_saving *saving, const ltap_saved_value *value,
                            ltap_error *error)
{
    ltap_wire_out *out = &saving->out;
    const ltap_type *type = &value->type;
    ltap_wire_span span;
    size_t outer, tensor;
    LTAP_TRY(find_type(saving, value->value, &span, error));
    if (ltap_wire_seen(&span))
        return ltap_wire_out_field(out, 2, ltap_onnx_saving_at(saving, span), span.bytes, error);
    if (type->kind != LTAP_TYPE_TENSOR || type->dtype == LTAP_UNDEFINED || type->rank < 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "the type of '%s' is neither in the file nor can layertap tell it; "
                              "let Python's onnx.shape_inference.infer_shapes(model) write it",
                              value->layer);
    LTAP_TRY(ltap_wire_out_begin(out, 2, &outer, error));
    LTAP_TRY(ltap_wire_out_begin(out, 1, &tensor, error));
    LTAP_TRY(ltap_wire_out_int(out, 1, (uint64_t)type->dtype, error));
    LTAP_TRY(put_dims(saving, type, error));
    LTAP_TRY(ltap_wire_out_end(out, tensor, error));
    return ltap_wire_out_end(out, outer, error);
}

/* A ValueInfoProto: the file's own where the value keeps its name as an output. */
static ltap_status put_value(ltap_onnx_saving *saving, uint32_t number,
                             const ltap_saved_value *value, ltap_error *error)
{
    ltap_wire_out *out = &saving->out;
    ltap_proto_value proto;
    bool complete = false;
    size_t place;
    LTAP_TRY(find_value(saving, saving->graph.outputs, value->value, &proto, error));
    if (is_direct(value) && number == GRAPH_OUTPUT && proto.name.bytes > 0)
        LTAP_TRY(is_complete(saving, proto.type, &complete, error));
    if (complete)
        return ltap_wire_out_field(out, number, ltap_onnx_saving_at(saving, proto.head.span),
                                   proto.head.span.bytes, error);
    LTAP_TRY(ltap_wire_out_begin(out, number, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, value->name, error));
    LTAP_TRY(put_type(saving, value, error));
    return ltap_wire_out_end(out, place, error);
}

/* --- what is kept ---------------------------------------------------------------------------- */

/* The first field of a message, where that is its name; all messages asked here have it as 1. */
static ltap_status read_name(ltap_onnx_saving *saving, ltap_wire_span span, ltap_wire_span *name,
                             ltap_error *error)
{
    ltap_proto_value proto;
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, span, &ltap_proto_value_message,
                              &saving->load.scratch, &proto, error));
    *name = proto.name;
    return LTAP_OK;
}

static ltap_status read_tensor_name(ltap_onnx_saving *saving, ltap_wire_span span, bool sparse,
                                    ltap_wire_span *name, ltap_error *error)
{
    ltap_proto_sparse outer;
    ltap_proto_tensor tensor;
    if (sparse) {
        LTAP_TRY(ltap_wire_decode(&saving->load.wire, span, &ltap_proto_sparse_message,
                                  &saving->load.scratch, &outer, error));
        span = outer.values;
    }
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, span, &ltap_proto_tensor_message,
                              &saving->load.scratch, &tensor, error));
    *name = tensor.name;
    return LTAP_OK;
}

/* A value that is an input or output itself is described there. */
static bool is_described(const ltap_onnx_saving *saving, ltap_wire_span name)
{
    const ltap_save *save = saving->save;
    const char *text = ltap_onnx_saving_at(saving, name);
    for (size_t i = 0; i < save->n_outputs + save->n_starts; i++) {
        const ltap_saved_value *value =
            i < save->n_outputs ? &save->outputs[i] : &save->starts[i - save->n_outputs];
        if (is_direct(value) && strlen(value->name) == name.bytes &&
            memcmp(value->name, text, (size_t)name.bytes) == 0)
            return true;
    }
    return false;
}

static ltap_status put_graph_field(ltap_onnx_saving *saving, const ltap_wire_field *field,
                                   size_t *node, ltap_error *error)
{
    ltap_wire_span name = {0, 0};
    bool keep = true;
    switch (field->number) {
    case GRAPH_NODE:
        keep = saving->keep_node[(*node)++];
        break;
    case GRAPH_OUTPUT:
        return LTAP_OK;
    case GRAPH_INITIALIZER:
    case GRAPH_SPARSE:
        LTAP_TRY(
            read_tensor_name(saving, field->content, field->number == GRAPH_SPARSE, &name, error));
        if (!ltap_onnx_saving_has(saving, &saving->needed, name))
            return LTAP_OK;
        if (field->number == GRAPH_INITIALIZER)
            return ltap_onnx_saving_weight(saving, field, error);
        break;
    case GRAPH_INPUT:
        LTAP_TRY(read_name(saving, field->content, &name, error));
        keep = ltap_onnx_saving_has(saving, &saving->needed, name);
        break;
    case GRAPH_VALUE:
        LTAP_TRY(read_name(saving, field->content, &name, error));
        keep = ltap_onnx_saving_has(saving, &saving->taken, name) && !is_described(saving, name);
        break;
    case GRAPH_ANNOTATION: {
        ltap_proto_annotation annotation;
        LTAP_TRY(ltap_wire_decode(&saving->load.wire, field->content,
                                  &ltap_proto_annotation_message, &saving->load.scratch,
                                  &annotation, error));
        keep = ltap_onnx_saving_has(saving, &saving->taken, annotation.name);
        break;
    }
    default:
        break;
    }
    return keep ? put_raw(saving, field->whole, error) : LTAP_OK;
}

static ltap_status put_ends(ltap_onnx_saving *saving, ltap_error *error)
{
    const ltap_save *save = saving->save;
    for (size_t i = 0; i < save->n_starts; i++)
        LTAP_TRY(put_value(saving, GRAPH_INPUT, &save->starts[i], error));
    for (size_t i = 0; i < save->n_outputs; i++)
        if (!is_direct(&save->outputs[i]))
            LTAP_TRY(put_identity(saving, save->outputs[i].value, save->outputs[i].name,
                                  save->outputs[i].name, error));
    for (size_t i = 0; i < save->n_outputs; i++)
        LTAP_TRY(put_value(saving, GRAPH_OUTPUT, &save->outputs[i], error));
    return LTAP_OK;
}

static ltap_status put_graph(ltap_onnx_saving *saving, ltap_wire_span span, ltap_error *error)
{
    const ltap_save *save = saving->save;
    uint64_t at = span.offset, end = span.offset + span.bytes;
    size_t place, node = 0;
    LTAP_TRY(ltap_wire_out_begin(&saving->out, MODEL_GRAPH, &place, error));
    for (size_t i = 0; i < save->n_starts; i++)
        if (!is_direct(&save->starts[i]))
            LTAP_TRY(put_identity(saving, save->starts[i].name, save->starts[i].value,
                                  save->starts[i].name, error));
    while (at < end) {
        ltap_wire_field field;
        LTAP_TRY(ltap_wire_next(&saving->load.wire, &at, end, &field, error));
        LTAP_TRY(put_graph_field(saving, &field, &node, error));
    }
    LTAP_TRY(put_ends(saving, error));
    return ltap_wire_out_end(&saving->out, place, error);
}

/* Identity needs ONNX's own operators. */
static ltap_status put_opset(ltap_onnx_saving *saving, ltap_error *error)
{
    int64_t opset = 0;
    size_t place;
    LTAP_TRY(ltap_onnx_opset_read(&saving->load, saving->model.opset_imports, &opset, error));
    if (opset != 0)
        return LTAP_OK;
    LTAP_TRY(ltap_wire_out_begin(&saving->out, MODEL_OPSET, &place, error));
    LTAP_TRY(ltap_wire_out_text(&saving->out, 1, "", error));
    LTAP_TRY(ltap_wire_out_int(&saving->out, 2, OPSET_FOR_IDENTITY, error));
    return ltap_wire_out_end(&saving->out, place, error);
}

ltap_status ltap_onnx_saving_write(ltap_onnx_saving *saving, ltap_error *error)
{
    const ltap_wire *wire = &saving->load.wire;
    uint64_t at = 0;
    size_t function = 0;
    while (at < wire->size) {
        ltap_wire_field field;
        LTAP_TRY(ltap_wire_next(wire, &at, wire->size, &field, error));
        if (field.number == MODEL_GRAPH)
            LTAP_TRY(put_graph(saving, field.content, error));
        else if (field.number != MODEL_TRAINING &&
                 (field.number != MODEL_FUNCTION || saving->keep_function[function++]))
            LTAP_TRY(put_raw(saving, field.whole, error));
    }
    return put_opset(saving, error);
}
