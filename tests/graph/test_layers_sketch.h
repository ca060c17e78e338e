/* Graphs in a few words, for tests of names: a line a node,
 *
 *     name | Op | inputs | outputs | name_scopes | classes | rule | fx_node | stack_trace
 *
 * words apart by spaces, parts at the end may be missing. A value that nothing makes is a weight of
 * four elements, "#2" and the like an int64 constant. "scopes" and "classes" are Python
 * lists as the dynamo exporter writes them; a name that begins with '@' is a call path instead. The
 * Ops "Turn", "Last" and "Second" are Transposes: of the first two axes of three, of channels to
 * the end, of channels behind the batch.
 */
#ifndef LTAP_TESTS_LAYERS_SKETCH_H
#define LTAP_TESTS_LAYERS_SKETCH_H

#include "base/error.h"
#include "graph/layers.h"
#include <string.h>

#define SKETCH_PARTS 7

typedef struct layers_sketch {
    const char *inputs, *outputs;
    const char *lines[48];
} layers_sketch;

static const char *sketch_part(const char *line, int part, size_t *bytes)
{
    for (; part > 0 && line != NULL; part--) {
        line = strchr(line, '|');
        line = line != NULL ? line + 1 : NULL;
    }
    *bytes = 0;
    if (line == NULL)
        return "";
    line += strspn(line, " ");
    *bytes = strcspn(line, "|");
    while (*bytes > 0 && line[*bytes - 1] == ' ')
        (*bytes)--;
    return line;
}

static ltap_status sketch_values(ltap_graph *graph, const char *words, size_t bytes,
                                 uint32_t *values, size_t *count, ltap_error *error)
{
    const char *end = words + bytes;
    *count = 0;
    while (words < end) {
        size_t length = 0;
        while (words + length < end && words[length] != ' ')
            length++;
        if (length > 0)
            LTAP_TRY(ltap_graph_value(graph, words, length, &values[(*count)++], error));
        words += length + 1;
    }
    return LTAP_OK;
}

static ltap_status sketch_properties(ltap_graph *graph, const char *line, ltap_node *node,
                                     ltap_error *error)
{
    static const char *const keys[] = {"pkg.torch.onnx.name_scopes",
                                       "pkg.torch.onnx.class_hierarchy",
                                       "pkg.onnxscript.rewriter.rule_name",
                                       "pkg.torch.onnx.fx_node", "pkg.torch.onnx.stack_trace"};
    enum { N_KEYS = sizeof keys / sizeof *keys };
    void *block;
    LTAP_TRY(ltap_arena_take(&graph->arena, N_KEYS, sizeof(ltap_property), &block, error));
    ltap_property *properties = block;
    for (int i = 0; i < N_KEYS; i++) {
        size_t bytes;
        const char *text = sketch_part(line, 4 + i, &bytes);
        if (bytes == 0)
            continue;
        properties[node->n_properties].key = keys[i];
        LTAP_TRY(ltap_arena_text(&graph->arena, text, bytes,
                                 &properties[node->n_properties++].value, error));
    }
    node->properties = properties;
    return LTAP_OK;
}

static int64_t sketch_axes[][4] = {{1, 0, 2}, {0, 2, 3, 1}, {0, 3, 1, 2}};
static const struct {
    const char *op;
    ltap_attr perm;
} sketch_turns[] = {
    {"Turn", {.name = "perm", .kind = LTAP_ATTR_INTS, .count = 3, .u.ints = sketch_axes[0]}},
    {"Last", {.name = "perm", .kind = LTAP_ATTR_INTS, .count = 4, .u.ints = sketch_axes[1]}},
    {"Second", {.name = "perm", .kind = LTAP_ATTR_INTS, .count = 4, .u.ints = sketch_axes[2]}},
};

static ltap_status sketch_node(ltap_graph *graph, const char *line, ltap_error *error)
{
    uint32_t inputs[16], outputs[16];
    size_t bytes;
    const char *text = sketch_part(line, 0, &bytes);
    ltap_node node = {.inputs = inputs, .outputs = outputs, .name = ""};
    LTAP_TRY(ltap_arena_text(&graph->arena, text, bytes, &node.name, error));
    if (bytes > 0 && text[0] == '@') {
        node.call_path = node.name + 1;
        node.name = "";
    }
    text = sketch_part(line, 1, &bytes);
    LTAP_TRY(ltap_arena_text(&graph->arena, text, bytes, &node.op_type, error));
    for (size_t i = 0; i < sizeof(sketch_turns) / sizeof(*sketch_turns); i++) {
        if (strcmp(node.op_type, sketch_turns[i].op) != 0)
            continue;
        node.op_type = "Transpose";
        node.attrs = &sketch_turns[i].perm;
        node.n_attrs = 1;
    }
    text = sketch_part(line, 2, &bytes);
    LTAP_TRY(sketch_values(graph, text, bytes, inputs, &node.n_inputs, error));
    text = sketch_part(line, 3, &bytes);
    LTAP_TRY(sketch_values(graph, text, bytes, outputs, &node.n_outputs, error));
    LTAP_TRY(sketch_properties(graph, line, &node, error));
    return ltap_graph_node_add(graph, &node, NULL, error);
}

static float sketch_floats[4];
static int64_t sketch_ints[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static ltap_status sketch_weights(ltap_graph *graph, ltap_error *error)
{
    static const int64_t dims[] = {2, 2}, one[] = {1};
    for (uint32_t v = 0; v < graph->values.count; v++) {
        ltap_value *value = ltap_graph_at(graph, v);
        if (value->producer != LTAP_NO_NODE || value->is_input)
            continue;
        bool whole = value->name[0] == '#' && value->name[1] >= '0' && value->name[1] <= '9';
        void *block;
        LTAP_TRY(ltap_arena_take(&graph->arena, 1, sizeof(ltap_tensor), &block, error));
        *(ltap_tensor *)block =
            whole ? ltap_tensor_make(LTAP_INT64, 1, one, &sketch_ints[value->name[1] - '0'])
                  : ltap_tensor_make(LTAP_FLOAT32, 2, dims, sketch_floats);
        value->constant = block;
    }
    return LTAP_OK;
}

static ltap_status sketch_fill(ltap_graph *graph, const layers_sketch *sketch, ltap_error *error)
{
    uint32_t values[16];
    size_t count;
    LTAP_TRY(sketch_values(graph, sketch->inputs, strlen(sketch->inputs), values, &count, error));
    for (size_t i = 0; i < count; i++) {
        ltap_graph_at(graph, values[i])->is_input = true;
        LTAP_TRY(ltap_vector_push(&graph->inputs, &values[i], error));
    }
    for (size_t i = 0; i < 48 && sketch->lines[i] != NULL; i++)
        LTAP_TRY(sketch_node(graph, sketch->lines[i], error));
    LTAP_TRY(sketch_values(graph, sketch->outputs, strlen(sketch->outputs), values, &count, error));
    for (size_t i = 0; i < count; i++) {
        ltap_graph_at(graph, values[i])->is_output = true;
        LTAP_TRY(ltap_vector_push(&graph->outputs, &values[i], error));
        LTAP_TRY(
            ltap_vector_push(&graph->output_names, &ltap_graph_at(graph, values[i])->name, error));
    }
    LTAP_TRY(sketch_weights(graph, error));
    return ltap_graph_link(graph, error);
}

/* graph and layers are yours to free; both NULL after an error. */
static ltap_status sketch_layers(ltap_memory *memory, const layers_sketch *sketch,
                                 ltap_graph **graph, ltap_layers **layers, ltap_error *error)
{
    *graph = NULL;
    *layers = NULL;
    ltap_status status = ltap_graph_new(memory, graph, error);
    if (status == LTAP_OK)
        status = sketch_fill(*graph, sketch, error);
    if (status == LTAP_OK)
        status = ltap_layers_new(*graph, layers, error);
    if (status != LTAP_OK) {
        ltap_graph_free(*graph);
        *graph = NULL;
    }
    return status;
}

#endif
