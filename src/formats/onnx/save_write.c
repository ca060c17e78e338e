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
    return ltap_wire_out_bytes(&saving->to.model, ltap_onnx_saving_at(saving, span), span.bytes,
                               error);
}

static bool is_direct(const ltap_saved_value *value)
{
    return strcmp(value->name, value->value) == 0;
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
    ltap_type read; /* a second one of a value is not read when the model is */
    *complete = false;
    if (!ltap_wire_seen(&type))
        return LTAP_OK;
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, type, &ltap_proto_type_message,
                              &saving->load.scratch, &proto, error));
    LTAP_TRY(ltap_onnx_type_read(&saving->load, type, "an output", &read, error));
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

static ltap_status put_type(ltap_onnx_saving *saving, const ltap_saved_value *value,
                            ltap_error *error)
{
    ltap_wire_out *out = &saving->to.model;
    const ltap_type *type = &value->type;
    ltap_wire_span span;
    LTAP_TRY(find_type(saving, value->value, &span, error));
    if (ltap_wire_seen(&span))
        return ltap_wire_out_field(out, 2, ltap_onnx_saving_at(saving, span), span.bytes, error);
    if (type->kind != LTAP_TYPE_TENSOR || type->dtype == LTAP_UNDEFINED || type->rank < 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "the type of '%s' is neither in the file nor can layertap tell it; "
                              "let Python's onnx.shape_inference.infer_shapes(model) write it",
                              value->layer);
    return ltap_onnx_put_type(out, 2, type, error);
}

/* A ValueInfoProto: the file's own where the value keeps its name as an output. */
static ltap_status put_value(ltap_onnx_saving *saving, uint32_t number,
                             const ltap_saved_value *value, ltap_error *error)
{
    ltap_wire_out *out = &saving->to.model;
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
static bool is_described(const ltap_onnx_saving *saving, ltap_string name)
{
    const ltap_save *save = saving->save;
    for (size_t i = 0; i < save->n_outputs + save->n_starts; i++) {
        const ltap_saved_value *value =
            i < save->n_outputs ? &save->outputs[i] : &save->starts[i - save->n_outputs];
        if (is_direct(value) && strlen(value->name) == name.bytes &&
            memcmp(value->name, name.data, name.bytes) == 0)
            return true;
    }
    return false;
}

static bool makes_start(const ltap_onnx_saving *saving, const ltap_onnx_saved_node *node)
{
    for (size_t i = 0; i < node->proto.outputs.count; i++)
        if (ltap_onnx_saving_has(saving, &saving->starts, node->proto.outputs.items[i]))
            return true;
    return false;
}

/* A node of the main graph, or what is put in place of it. */
static ltap_status put_nodes(ltap_onnx_saving *saving, const ltap_wire_field *field, size_t *next,
                             ltap_error *error)
{
    const ltap_onnx_saved_node *node = ltap_onnx_saving_node(saving, *next);
    uint32_t main = node->main;
    for (; *next < saving->nodes.count; ++*next) {
        node = ltap_onnx_saving_node(saving, *next);
        ltap_wire_field inner = {.number = GRAPH_NODE, .content = node->proto.head.span};
        if (node->main != main)
            break;
        if (!node->keep)
            continue;
        if (node->from)
            LTAP_TRY(ltap_onnx_put_identity(&saving->to.model, &saving->node_names, node->from,
                                            node->to, node->to, error));
        else if (node->in || makes_start(saving, node))
            LTAP_TRY(ltap_onnx_saving_put_node(saving, node->in, &inner, error));
        else
            LTAP_TRY(put_raw(saving, field->whole, error));
    }
    return LTAP_OK;
}

/* Whether a name in a body is one that is written, and not said otherwise. */
static ltap_status is_told(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                           ltap_wire_span span, bool *told, ltap_error *error)
{
    ltap_string name;
    uint32_t found;
    *told = false;
    if (ltap_map_get(&in->bound, ltap_onnx_saving_at(saving, span), (size_t)span.bytes, &found))
        return LTAP_OK;
    LTAP_TRY(ltap_onnx_saving_name(saving, in, span, &name, error));
    *told =
        ltap_map_get(&saving->taken, name.data, name.bytes, &found) && !is_described(saving, name);
    return LTAP_OK;
}

/* What the functions of opened calls say of the types in their bodies. The reader does not look at
 * that, so it is read here: what is written must be fit to be read. */
static ltap_status put_inner_values(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                    ltap_error *error)
{
    ltap_wire_list list = in->function->proto.value_infos;
    for (size_t i = 0; i < list.count; i++) {
        ltap_wire_field value = {.number = GRAPH_VALUE, .content = list.items[i]};
        ltap_proto_value proto;
        ltap_type type;
        bool told;
        LTAP_TRY(ltap_wire_decode(&saving->load.wire, list.items[i], &ltap_proto_value_message,
                                  &saving->load.scratch, &proto, error));
        LTAP_TRY(is_told(saving, in, proto.name, &told, error));
        if (!told)
            continue;
        if (ltap_wire_seen(&proto.type))
            LTAP_TRY(ltap_onnx_type_read(&saving->load, proto.type, in->path, &type, error));
        LTAP_TRY(ltap_onnx_saving_put_value(saving, in, &value, error));
    }
    return LTAP_OK;
}

static ltap_status put_graph_field(ltap_onnx_saving *saving, const ltap_wire_field *field,
                                   size_t *node, ltap_error *error)
{
    ltap_wire_span name = {0, 0};
    bool keep = true;
    switch (field->number) {
    case GRAPH_NODE:
        return put_nodes(saving, field, node, error);
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
        keep = ltap_onnx_saving_has(saving, &saving->taken, name) &&
               !is_described(saving,
                             (ltap_string){ltap_onnx_saving_at(saving, name), (size_t)name.bytes});
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
    for (size_t i = 0; i < saving->opened.count; i++)
        LTAP_TRY(put_inner_values(saving, *LTAP_VECTOR_AT(&saving->opened, ltap_onnx_opened *, i),
                                  error));
    for (size_t i = 0; i < save->n_starts; i++)
        LTAP_TRY(put_value(saving, GRAPH_INPUT, &save->starts[i], error));
    for (size_t i = 0; i < save->n_outputs; i++)
        if (!is_direct(&save->outputs[i]))
            LTAP_TRY(ltap_onnx_put_identity(&saving->to.model, &saving->node_names,
                                            save->outputs[i].value, save->outputs[i].name,
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
    LTAP_TRY(ltap_wire_out_begin(&saving->to.model, MODEL_GRAPH, &place, error));
    for (size_t i = 0; i < save->n_starts; i++)
        if (!is_direct(&save->starts[i]))
            LTAP_TRY(ltap_onnx_put_identity(&saving->to.model, &saving->node_names,
                                            save->starts[i].name, save->starts[i].value,
                                            save->starts[i].name, error));
    while (at < end) {
        ltap_wire_field field;
        LTAP_TRY(ltap_wire_next(&saving->load.wire, &at, end, &field, error));
        LTAP_TRY(put_graph_field(saving, &field, &node, error));
    }
    LTAP_TRY(put_ends(saving, error));
    return ltap_wire_out_end(&saving->to.model, place, error);
}

static ltap_status read_import(ltap_onnx_saving *saving, const char *domain, int64_t *version,
                               ltap_error *error)
{
    ltap_wire_list list = saving->model.opset_imports;
    *version = 0;
    for (size_t i = 0; i < list.count; i++) {
        ltap_proto_opset proto;
        const char *text = NULL;
        LTAP_TRY(ltap_wire_decode(&saving->load.wire, list.items[i], &ltap_proto_opset_message,
                                  &saving->load.scratch, &proto, error));
        LTAP_TRY(ltap_onnx_domain(&saving->load, proto.domain, &text, error));
        if (strcmp(text, domain) == 0)
            *version = proto.version;
    }
    return LTAP_OK;
}

ltap_status ltap_onnx_saving_import(ltap_onnx_saving *saving, const char *domain, int64_t wanted,
                                    int64_t *version, ltap_error *error)
{
    ltap_onnx_import added = {domain, wanted};
    LTAP_TRY(read_import(saving, domain, version, error));
    for (size_t i = 0; *version == 0 && i < saving->imports.count; i++) {
        const ltap_onnx_import *import = LTAP_VECTOR_AT(&saving->imports, ltap_onnx_import, i);
        if (strcmp(import->domain, domain) == 0)
            *version = import->version;
    }
    if (*version != 0)
        return LTAP_OK;
    *version = wanted;
    return ltap_vector_push(&saving->imports, &added, error);
}

/* Those of opened bodies that the model lacks; Identity needs ONNX's own operators. */
static ltap_status put_imports(ltap_onnx_saving *saving, ltap_error *error)
{
    int64_t opset;
    LTAP_TRY(ltap_onnx_saving_import(saving, "", OPSET_FOR_IDENTITY, &opset, error));
    for (size_t i = 0; i < saving->imports.count; i++) {
        const ltap_onnx_import *import = LTAP_VECTOR_AT(&saving->imports, ltap_onnx_import, i);
        LTAP_TRY(ltap_onnx_put_import(&saving->to.model, MODEL_OPSET, import->domain,
                                      import->version, error));
    }
    return LTAP_OK;
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
    return put_imports(saving, error);
}
