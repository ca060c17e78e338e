/* Names of what is written: the graph's own, but for values that are made up, that are asked for
 * under another name, or that are given under one.
 */
#include "base/error.h"
#include "formats/onnx/write.h"
#include <string.h>

const char *ltap_onnx_frame_name(const ltap_onnx_frame *frame, uint32_t value)
{
    return value != LTAP_NO_VALUE ? frame->names[value] : "";
}

static bool is_written(const ltap_onnx_writing *writing, const ltap_value *value)
{
    return writing->needed[value->index] ||
           (value->producer != LTAP_NO_NODE && writing->keep[value->producer]);
}

/* Gives a value a name that was asked for, which no other may have. */
static ltap_status name_asked(ltap_onnx_writing *writing, const ltap_saved_value *asked,
                              uint32_t value, ltap_error *error)
{
    const char **name = &writing->frame.names[value];
    uint32_t found;
    if (*name && strcmp(*name, asked->name) == 0)
        return LTAP_OK;
    if (ltap_map_get(&writing->taken, asked->name, strlen(asked->name), &found))
        return ltap_onnx_refuse_name(asked, error);
    if (!*name)
        *name = asked->name;
    return ltap_map_set(&writing->taken, asked->name, strlen(asked->name), 1, error);
}

/* A layer that a node makes is called as its output; one that is given, a weight, or one that is
 * asked for twice is handed on. */
static bool can_rename(const ltap_onnx_writing *writing, size_t output)
{
    uint32_t value = writing->outputs[output];
    const ltap_value *at = ltap_graph_at(writing->save->graph, value);
    for (size_t i = 0; i < output; i++)
        if (writing->outputs[i] == value)
            return false;
    return at->producer != LTAP_NO_NODE && !writing->is_start[value];
}

static ltap_status name_outputs(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_save *save = writing->save;
    for (size_t i = 0; i < save->n_outputs; i++) {
        uint32_t value = writing->outputs[i];
        LTAP_TRY(name_asked(writing, &save->outputs[i], value, error));
        writing->hands_on[i] = strcmp(writing->frame.names[value], save->outputs[i].name) != 0;
    }
    return LTAP_OK;
}

/* "\1shape3" is "layertap.shape3". */
static ltap_status name_own(ltap_onnx_writing *writing, const ltap_value *value, const char **name,
                            ltap_error *error)
{
    const char *base = value->name;
    if (base[0] == '\1' || base[0] == '\0')
        LTAP_TRY(ltap_arena_format(&writing->arena, &base, error, "layertap.%s",
                                   base[0] ? base + 1 : "value"));
    return ltap_onnx_fresh_name(&writing->arena, &writing->taken, base, name, error);
}

/* Values whose names the file's user chose are named last, so that a clash is told as one. */
static ltap_status name_kept(ltap_onnx_writing *writing, const uint8_t *renamed, ltap_error *error)
{
    const ltap_graph *graph = writing->save->graph;
    for (uint32_t i = 0; i < graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(graph, i);
        if (is_written(writing, value) && !renamed[i])
            LTAP_TRY(name_own(writing, value, &writing->frame.names[i], error));
    }
    return LTAP_OK;
}

ltap_status ltap_onnx_writing_name(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_save *save = writing->save;
    void *block;
    LTAP_TRY(ltap_onnx_check_ends(save, error));
    LTAP_TRY(ltap_arena_take(&writing->arena, save->graph->values.count + 1, 1, &block, error));
    uint8_t *renamed = block;
    for (size_t i = 0; i < save->n_starts; i++)
        renamed[writing->starts[i]] = 1;
    for (size_t i = 0; i < save->n_outputs; i++)
        renamed[writing->outputs[i]] |= can_rename(writing, i);
    LTAP_TRY(name_kept(writing, renamed, error));
    for (size_t i = 0; i < save->n_starts; i++)
        LTAP_TRY(name_asked(writing, &save->starts[i], writing->starts[i], error));
    return name_outputs(writing, error);
}

/* What a value of a subgraph that is not made there is called around it. */
static const char *find_outer(const ltap_onnx_frame *frame, const char *name)
{
    for (; frame; frame = frame->outer) {
        uint32_t value;
        if (ltap_graph_find(frame->graph, name, &value) && frame->names[value])
            return frame->names[value];
    }
    return NULL;
}

ltap_status ltap_onnx_writing_name_inner(ltap_onnx_writing *writing, ltap_onnx_frame *frame,
                                         ltap_error *error)
{
    const ltap_graph *graph = frame->graph;
    void *block;
    LTAP_TRY(ltap_arena_take(&writing->arena, graph->values.count + 1, sizeof(const char *), &block,
                             error));
    frame->names = block;
    for (uint32_t i = 0; i < graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(graph, i);
        bool made = value->producer != LTAP_NO_NODE || value->is_input || value->constant;
        if (!made)
            frame->names[i] = find_outer(frame->outer, value->name);
        if (!frame->names[i])
            LTAP_TRY(name_own(writing, value, &frame->names[i], error));
    }
    return LTAP_OK;
}
