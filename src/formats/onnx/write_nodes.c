/* Nodes, their attributes and subgraphs as messages. Field numbers are those of onnx.proto. */
#include "base/error.h"
#include "formats/onnx/write.h"
#include <string.h>

enum { NODE = 1, GRAPH_NAME = 2, INITIALIZER = 5, INPUT = 11, OUTPUT = 12, ATTRIBUTE = 5 };

/* --- subgraphs ------------------------------------------------------------------------------- */

/* Readers leave subgraphs unlinked: then nobody has counted who reads a constant. */
static ltap_status put_constants(ltap_onnx_writing *writing, const ltap_onnx_frame *frame,
                                 ltap_error *error)
{
    for (uint32_t i = 0; i < frame->graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(frame->graph, i);
        bool used = !frame->graph->linked || value->n_consumers > 0 || value->is_output;
        if (value->constant && used)
            LTAP_TRY(ltap_onnx_put_tensor(writing, INITIALIZER, frame->names[i], value->constant,
                                          error));
    }
    return LTAP_OK;
}

/* What is not made inside is handed on by an Identity, and so is what is handed out twice. */
static ltap_status put_outputs(ltap_onnx_writing *writing, const ltap_onnx_frame *frame,
                               ltap_error *error)
{
    const ltap_graph *graph = frame->graph;
    void *block;
    LTAP_TRY(ltap_arena_take(&writing->arena, graph->outputs.count + 1, sizeof(const char *),
                             &block, error));
    const char **names = block;
    for (size_t i = 0; i < graph->outputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&graph->outputs, uint32_t, i);
        bool own = ltap_graph_at(graph, value)->producer != LTAP_NO_NODE;
        names[i] = frame->names[value];
        for (size_t k = 0; k < i; k++)
            own = own && *LTAP_VECTOR_AT(&graph->outputs, uint32_t, k) != value;
        if (own)
            continue;
        LTAP_TRY(
            ltap_onnx_fresh_name(&writing->arena, &writing->taken, names[i], &names[i], error));
        LTAP_TRY(ltap_onnx_put_identity(&writing->to.model, &writing->node_names,
                                        frame->names[value], names[i], names[i], error));
    }
    for (size_t i = 0; i < graph->outputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&graph->outputs, uint32_t, i);
        LTAP_TRY(ltap_onnx_put_value(&writing->to.model, OUTPUT, names[i],
                                     &ltap_graph_at(graph, value)->type, error));
    }
    return LTAP_OK;
}

static ltap_status put_subgraph(ltap_onnx_writing *writing, const ltap_onnx_frame *outer,
                                uint32_t number, const ltap_graph *graph, ltap_error *error)
{
    ltap_wire_out *out = &writing->to.model;
    ltap_onnx_frame frame = {.graph = graph, .outer = outer};
    size_t place;
    LTAP_TRY(ltap_onnx_writing_name_inner(writing, &frame, error));
    LTAP_TRY(ltap_wire_out_begin(out, number, &place, error));
    for (size_t i = 0; i < graph->nodes.count; i++)
        LTAP_TRY(ltap_onnx_put_node(writing, &frame, ltap_graph_node(graph, (uint32_t)i), error));
    LTAP_TRY(ltap_wire_out_text(out, GRAPH_NAME,
                                graph->name && graph->name[0] ? graph->name : "body", error));
    LTAP_TRY(put_constants(writing, &frame, error));
    for (size_t i = 0; i < graph->inputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&graph->inputs, uint32_t, i);
        LTAP_TRY(ltap_onnx_put_value(out, INPUT, frame.names[value],
                                     &ltap_graph_at(graph, value)->type, error));
    }
    LTAP_TRY(put_outputs(writing, &frame, error));
    return ltap_wire_out_end(out, place, error);
}

/* --- attributes ------------------------------------------------------------------------------ */

typedef struct attr_place {
    ltap_onnx_writing *writing;
    const ltap_onnx_frame *frame;
    const ltap_node *node;
    const ltap_attr *attr;
} attr_place;

static ltap_status put_f(const attr_place *at, ltap_error *error)
{
    return ltap_wire_out_float(&at->writing->to.model, 2, (float)at->attr->u.f, error);
}

static ltap_status put_i(const attr_place *at, ltap_error *error)
{
    return ltap_wire_out_int(&at->writing->to.model, 3, (uint64_t)at->attr->u.i, error);
}

static ltap_status put_s(const attr_place *at, ltap_error *error)
{
    return ltap_wire_out_field(&at->writing->to.model, 4, at->attr->u.s.data, at->attr->u.s.bytes,
                               error);
}

static ltap_status put_tensors(const attr_place *at, ltap_error *error)
{
    uint32_t number = at->attr->kind == LTAP_ATTR_TENSOR ? 5 : 10;
    for (size_t i = 0; i < at->attr->count; i++)
        LTAP_TRY(ltap_onnx_put_tensor(at->writing, number, NULL, &at->attr->u.tensors[i], error));
    return LTAP_OK;
}

static ltap_status put_graphs(const attr_place *at, ltap_error *error)
{
    uint32_t number = at->attr->kind == LTAP_ATTR_GRAPH ? 6 : 11;
    for (size_t i = 0; i < at->attr->count; i++)
        LTAP_TRY(put_subgraph(at->writing, at->frame, number, at->attr->u.graphs[i], error));
    return LTAP_OK;
}

static ltap_status put_floats(const attr_place *at, ltap_error *error)
{
    for (size_t i = 0; i < at->attr->count; i++)
        LTAP_TRY(ltap_wire_out_float(&at->writing->to.model, 7, at->attr->u.floats[i], error));
    return LTAP_OK;
}

static ltap_status put_ints(const attr_place *at, ltap_error *error)
{
    for (size_t i = 0; i < at->attr->count; i++)
        LTAP_TRY(
            ltap_wire_out_int(&at->writing->to.model, 8, (uint64_t)at->attr->u.ints[i], error));
    return LTAP_OK;
}

static ltap_status put_strings(const attr_place *at, ltap_error *error)
{
    for (size_t i = 0; i < at->attr->count; i++)
        LTAP_TRY(ltap_wire_out_field(&at->writing->to.model, 9, at->attr->u.strings[i].data,
                                     at->attr->u.strings[i].bytes, error));
    return LTAP_OK;
}

static ltap_status put_type(const attr_place *at, ltap_error *error)
{
    return ltap_onnx_put_type(&at->writing->to.model, 14, at->attr->u.type, error);
}

static ltap_status refuse_other(const attr_place *at, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "%s: the attribute '%s' is of a kind that layertap does not write",
                          ltap_node_text(at->frame->graph, at->node).text, at->attr->name);
}

/* AttributeProto's number of a kind, and what writes its content. */
static const struct {
    uint64_t type;
    ltap_status (*put)(const attr_place *at, ltap_error *error);
} kinds[] = {
    [LTAP_ATTR_FLOAT] = {1, put_f},         [LTAP_ATTR_INT] = {2, put_i},
    [LTAP_ATTR_STRING] = {3, put_s},        [LTAP_ATTR_TENSOR] = {4, put_tensors},
    [LTAP_ATTR_GRAPH] = {5, put_graphs},    [LTAP_ATTR_FLOATS] = {6, put_floats},
    [LTAP_ATTR_INTS] = {7, put_ints},       [LTAP_ATTR_STRINGS] = {8, put_strings},
    [LTAP_ATTR_TENSORS] = {9, put_tensors}, [LTAP_ATTR_GRAPHS] = {10, put_graphs},
    [LTAP_ATTR_TYPE] = {13, put_type},      [LTAP_ATTR_OTHER] = {0, refuse_other},
};

static ltap_status put_attr(const attr_place *at, ltap_error *error)
{
    ltap_wire_out *out = &at->writing->to.model;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, ATTRIBUTE, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, at->attr->name, error));
    LTAP_TRY(kinds[at->attr->kind].put(at, error));
    LTAP_TRY(ltap_wire_out_int(out, 20, kinds[at->attr->kind].type, error));
    return ltap_wire_out_end(out, place, error);
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* An output that is given from outside instead is handed to nobody. */
static ltap_status put_made(ltap_onnx_writing *writing, const ltap_onnx_frame *frame,
                            uint32_t value, ltap_error *error)
{
    const char *name = ltap_onnx_frame_name(frame, value);
    if (value != LTAP_NO_VALUE && frame == &writing->frame && writing->is_start[value]) {
        LTAP_TRY(ltap_arena_format(&writing->arena, &name, error, "layertap.%s", name));
        LTAP_TRY(ltap_onnx_fresh_name(&writing->arena, &writing->taken, name, &name, error));
    }
    return ltap_wire_out_text(&writing->to.model, 2, name, error);
}

static ltap_status put_texts(ltap_onnx_writing *writing, const ltap_node *node, ltap_error *error)
{
    ltap_wire_out *out = &writing->to.model;
    const char *name = node->name;
    if (name[0]) {
        LTAP_TRY(ltap_onnx_fresh_name(&writing->arena, &writing->node_names, name, &name, error));
        LTAP_TRY(ltap_wire_out_text(out, 3, name, error));
    }
    LTAP_TRY(ltap_wire_out_text(out, 4, node->op_type, error));
    if (node->doc && node->doc[0])
        LTAP_TRY(ltap_wire_out_text(out, 6, node->doc, error));
    if (node->domain[0])
        LTAP_TRY(ltap_wire_out_text(out, 7, node->domain, error));
    for (size_t i = 0; i < node->n_properties; i++)
        LTAP_TRY(ltap_onnx_put_property(out, 9, node->properties[i].key, node->properties[i].value,
                                        error));
    return LTAP_OK;
}

ltap_status ltap_onnx_put_node(ltap_onnx_writing *writing, const ltap_onnx_frame *frame,
                               const ltap_node *node, ltap_error *error)
{
    ltap_wire_out *out = &writing->to.model;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, NODE, &place, error));
    for (size_t i = 0; i < ltap_node_own_inputs(node); i++)
        LTAP_TRY(ltap_wire_out_text(out, 1, ltap_onnx_frame_name(frame, node->inputs[i]), error));
    for (size_t i = 0; i < node->n_outputs; i++)
        LTAP_TRY(put_made(writing, frame, node->outputs[i], error));
    LTAP_TRY(put_texts(writing, node, error));
    for (size_t i = 0; i < node->n_attrs; i++) {
        const attr_place at = {writing, frame, node, &node->attrs[i]};
        LTAP_TRY(put_attr(&at, error));
    }
    return ltap_wire_out_end(out, place, error);
}
