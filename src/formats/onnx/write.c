/* Writing a graph as ONNX: what is needed of it, put together as a model, in files. */
#include "formats/onnx/write.h"

#include "base/error.h"
#include <string.h>

enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_DOC = 6,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_PROPERTY = 14,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12
};

/* --- what is needed -------------------------------------------------------------------------- */

static ltap_status find_value(const ltap_onnx_writing *writing, const ltap_saved_value *saved,
                              uint32_t *value, ltap_error *error)
{
    if (ltap_graph_find(writing->save->graph, saved->value, value))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_INTERNAL, "the value of '%s' is not in the graph",
                          saved->layer);
}

static ltap_status find_ends(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_save *save = writing->save;
    for (size_t i = 0; i < save->n_starts; i++) {
        LTAP_TRY(find_value(writing, &save->starts[i], &writing->starts[i], error));
        writing->is_start[writing->starts[i]] = 1;
    }
    for (size_t i = 0; i < save->n_outputs; i++)
        LTAP_TRY(find_value(writing, &save->outputs[i], &writing->outputs[i], error));
    return LTAP_OK;
}

static ltap_status check_types(const ltap_save *save, ltap_error *error)
{
    for (size_t i = 0; i < save->n_starts; i++)
        LTAP_TRY(ltap_onnx_check_type(&save->starts[i], error));
    for (size_t i = 0; i < save->n_outputs; i++)
        LTAP_TRY(ltap_onnx_check_type(&save->outputs[i], error));
    return LTAP_OK;
}

static ltap_status need(ltap_onnx_writing *writing, uint32_t value, ltap_vector *open,
                        ltap_error *error)
{
    if (value == LTAP_NO_VALUE || writing->needed[value])
        return LTAP_OK;
    writing->needed[value] = 1;
    return ltap_vector_push(open, &value, error);
}

/* Marks a value's node, and opens what that reads. */
static ltap_status keep_producer(ltap_onnx_writing *writing, uint32_t value, ltap_vector *open,
                                 ltap_error *error)
{
    const ltap_graph *graph = writing->save->graph;
    uint32_t producer = ltap_graph_at(graph, value)->producer;
    if (producer == LTAP_NO_NODE || writing->is_start[value] || writing->keep[producer])
        return LTAP_OK;
    writing->keep[producer] = 1;
    writing->to.n_nodes++;
    const ltap_node *node = ltap_graph_node(graph, producer);
    for (size_t i = 0; i < node->n_inputs; i++)
        LTAP_TRY(need(writing, node->inputs[i], open, error));
    return LTAP_OK;
}

static ltap_status keep_needed(ltap_onnx_writing *writing, ltap_error *error)
{
    ltap_vector open;
    ltap_status status = LTAP_OK;
    ltap_vector_init(&open, writing->arena.memory, sizeof(uint32_t));
    for (size_t i = 0; i < writing->save->n_outputs; i++)
        LTAP_GO(need(writing, writing->outputs[i], &open, error));
    while (open.count > 0) {
        uint32_t value = *LTAP_VECTOR_AT(&open, uint32_t, --open.count);
        LTAP_GO(keep_producer(writing, value, &open, error));
    }
done:
    ltap_vector_clear(&open);
    return status;
}

/* --- the model ------------------------------------------------------------------------------- */

static ltap_status put_weights(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_graph *graph = writing->save->graph;
    for (uint32_t i = 0; i < graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(graph, i);
        if (!value->constant || !writing->needed[i] || writing->is_start[i])
            continue;
        if (value->missing)
            return ltap_error_set(error, LTAP_ERROR_FILE, "%s", value->missing);
        LTAP_TRY(ltap_onnx_put_tensor(writing, GRAPH_INITIALIZER, writing->frame.names[i],
                                      value->constant, error));
    }
    return LTAP_OK;
}

static ltap_status put_ends(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_save *save = writing->save;
    ltap_wire_out *out = &writing->to.model;
    for (size_t i = 0; i < save->graph->inputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&save->graph->inputs, uint32_t, i);
        if (writing->needed[value] && !writing->is_start[value])
            LTAP_TRY(ltap_onnx_put_value(out, GRAPH_INPUT, writing->frame.names[value],
                                         &ltap_graph_at(save->graph, value)->type, error));
    }
    for (size_t i = 0; i < save->n_starts; i++)
        LTAP_TRY(ltap_onnx_put_value(out, GRAPH_INPUT, save->starts[i].name, &save->starts[i].type,
                                     error));
    for (size_t i = 0; i < save->n_outputs; i++)
        LTAP_TRY(ltap_onnx_put_value(out, GRAPH_OUTPUT, save->outputs[i].name,
                                     &save->outputs[i].type, error));
    return LTAP_OK;
}

static ltap_status put_graph(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_save *save = writing->save;
    const ltap_graph *graph = save->graph;
    ltap_wire_out *out = &writing->to.model;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, MODEL_GRAPH, &place, error));
    for (uint32_t i = 0; i < graph->nodes.count; i++)
        if (writing->keep[i])
            LTAP_TRY(
                ltap_onnx_put_node(writing, &writing->frame, ltap_graph_node(graph, i), error));
    for (size_t i = 0; i < save->n_outputs; i++)
        if (writing->hands_on[i])
            LTAP_TRY(ltap_onnx_put_identity(out, &writing->node_names,
                                            writing->frame.names[writing->outputs[i]],
                                            save->outputs[i].name, save->outputs[i].name, error));
    LTAP_TRY(ltap_wire_out_text(out, GRAPH_NAME,
                                graph->name && graph->name[0] ? graph->name : "main_graph", error));
    LTAP_TRY(put_weights(writing, error));
    LTAP_TRY(put_ends(writing, error));
    return ltap_wire_out_end(out, place, error);
}

static ltap_status put_head(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_graph *graph = writing->save->graph;
    ltap_wire_out *out = &writing->to.model;
    const char *doc = NULL;
    LTAP_TRY(ltap_wire_out_int(out, MODEL_IR_VERSION,
                               (uint64_t)ltap_onnx_ir_version(writing->opset), error));
    LTAP_TRY(ltap_wire_out_text(out, MODEL_PRODUCER, "layertap", error));
    LTAP_TRY(ltap_wire_out_text(out, MODEL_PRODUCER_VERSION, LTAP_VERSION, error));
    LTAP_TRY(ltap_arena_format(&writing->arena, &doc, error, "from a %s: %s",
                               graph->format ? graph->format : "graph",
                               graph->version ? graph->version : ""));
    return ltap_wire_out_text(out, MODEL_DOC, doc, error);
}

static ltap_status put_model(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_graph *graph = writing->save->graph;
    ltap_wire_out *out = &writing->to.model;
    LTAP_TRY(put_head(writing, error));
    LTAP_TRY(put_graph(writing, error));
    LTAP_TRY(ltap_onnx_put_import(out, MODEL_OPSET, "", writing->opset, error));
    if (writing->calls.count > 0)
        LTAP_TRY(ltap_onnx_put_import(out, MODEL_OPSET, "layertap", 1, error));
    for (size_t i = 0; i < graph->n_properties; i++)
        LTAP_TRY(ltap_onnx_put_property(out, MODEL_PROPERTY, graph->properties[i].key,
                                        graph->properties[i].value, error));
    for (size_t i = 0; i < writing->calls.count; i++)
        LTAP_TRY(ltap_onnx_put_body(
            writing, *LTAP_VECTOR_AT(&writing->calls, const ltap_onnx_body *, i), error));
    return LTAP_OK;
}

/* --- all together ---------------------------------------------------------------------------- */

static void init(void *work, const ltap_save *save, bool repack)
{
    ltap_onnx_writing *writing = work;
    ltap_memory *memory = save->source->memory;
    *writing = (ltap_onnx_writing){.save = save, .frame.graph = save->graph};
    ltap_arena_init(&writing->arena, memory);
    ltap_onnx_output_init(&writing->to, save, save->source, repack, &writing->arena);
    ltap_map_init(&writing->taken, memory);
    ltap_map_init(&writing->node_names, memory);
    ltap_vector_init(&writing->calls, memory, sizeof(const ltap_onnx_body *));
}

static void clear(void *work)
{
    ltap_onnx_writing *writing = work;
    ltap_vector_clear(&writing->calls);
    ltap_map_clear(&writing->node_names);
    ltap_map_clear(&writing->taken);
    ltap_onnx_output_clear(&writing->to);
    ltap_arena_clear(&writing->arena);
}

static ltap_status take_arrays(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_save *save = writing->save;
    size_t n_values = save->graph->values.count;
    void *blocks[7];
    const struct {
        uint64_t count, size;
    } sizes[] = {
        {n_values, sizeof(const char *)},    {save->graph->nodes.count, 1},      {n_values, 1},
        {save->n_outputs, sizeof(uint32_t)}, {save->n_starts, sizeof(uint32_t)}, {n_values, 1},
        {save->n_outputs, sizeof(bool)},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        LTAP_TRY(
            ltap_arena_take(&writing->arena, sizes[i].count + 1, sizes[i].size, &blocks[i], error));
    writing->frame.names = blocks[0];
    writing->keep = blocks[1];
    writing->needed = blocks[2];
    writing->outputs = blocks[3];
    writing->starts = blocks[4];
    writing->is_start = blocks[5];
    writing->hands_on = blocks[6];
    return LTAP_OK;
}

static ltap_status put_together(void *work, ltap_error *error)
{
    ltap_onnx_writing *writing = work;
    LTAP_TRY(ltap_onnx_output_name(&writing->to, error));
    LTAP_TRY(ltap_onnx_check_beside(writing, error));
    LTAP_TRY(take_arrays(writing, error));
    LTAP_TRY(find_ends(writing, error));
    LTAP_TRY(keep_needed(writing, error));
    LTAP_TRY(ltap_onnx_writing_opset(writing, error));
    LTAP_TRY(check_types(writing->save, error));
    LTAP_TRY(ltap_onnx_writing_name(writing, error));
    LTAP_TRY(put_model(writing, error));
    writing->to.n_nodes_before = writing->save->graph->nodes.count;
    return ltap_onnx_output_check(&writing->to, error);
}

ltap_status ltap_onnx_write(const ltap_save *saves, size_t count, ltap_pruned *pruned,
                            ltap_error *error)
{
    static const ltap_onnx_writer writer = {sizeof(ltap_onnx_writing), init, put_together, clear};
    ltap_onnx_writing works[LTAP_ONNX_MAX_OUTPUTS];
    return ltap_onnx_outputs_write(&writer, works, saves, count, pruned, error);
}
