/* Building a graph: values by name, nodes in the order of adding.
 *
 * Everything is put into the graph's arena; only the growing lists and the table of names are on
 * the account by themselves. Nothing is sorted or checked here beyond "made once": that is link.c.
 */
#include "graph/graph.h"

#include "base/error.h"
#include <string.h>

static void init(ltap_graph *graph, ltap_memory *memory)
{
    *graph = (ltap_graph){.name = "",
                          .format = "",
                          .version = "",
                          .producer = "",
                          .producer_version = "",
                          .memory = ltap_memory_ref(memory)};
    ltap_arena_init(&graph->arena, memory);
    ltap_vector_init(&graph->nodes, memory, sizeof(ltap_node));
    ltap_vector_init(&graph->values, memory, sizeof(ltap_value));
    ltap_vector_init(&graph->inputs, memory, sizeof(uint32_t));
    ltap_vector_init(&graph->outputs, memory, sizeof(uint32_t));
    ltap_vector_init(&graph->output_names, memory, sizeof(const char *));
    ltap_vector_init(&graph->calls, memory, sizeof(ltap_graph_call));
    ltap_map_init(&graph->value_by_name, memory);
}

ltap_status ltap_graph_new(ltap_memory *memory, ltap_graph **graph, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_memory_take(memory, sizeof **graph, "the graph", &block, error));
    *graph = block;
    init(*graph, memory);
    return LTAP_OK;
}

ltap_status ltap_graph_new_inside(ltap_graph *parent, ltap_graph **graph, ltap_error *error)
{
    LTAP_TRY(ltap_graph_new(parent->memory, graph, error));
    (*graph)->parent = parent;
    (*graph)->sibling = parent->children;
    parent->children = *graph;
    return LTAP_OK;
}

static void free_one(ltap_graph *graph)
{
    ltap_memory *memory = graph->memory;
    ltap_vector_clear(&graph->nodes);
    ltap_vector_clear(&graph->values);
    ltap_vector_clear(&graph->inputs);
    ltap_vector_clear(&graph->outputs);
    ltap_vector_clear(&graph->output_names);
    ltap_vector_clear(&graph->calls);
    ltap_map_clear(&graph->value_by_name);
    ltap_arena_clear(&graph->arena);
    ltap_memory_release(memory, graph);
    ltap_memory_unref(memory);
}

void ltap_graph_free(ltap_graph *graph)
{
    /* Without recursion: a graph's children are put in front of what is still to be freed. */
    ltap_graph *rest = graph;
    if (graph != NULL)
        graph->sibling = NULL;
    while (rest != NULL) {
        ltap_graph *next = rest->sibling, *last = rest->children;
        while (last != NULL && last->sibling != NULL)
            last = last->sibling;
        if (last != NULL) {
            last->sibling = next;
            next = rest->children;
        }
        free_one(rest);
        rest = next;
    }
}

/* Adds a value whose name is in the arena and not known yet. */
static ltap_status add_value(ltap_graph *graph, const char *name, size_t bytes, uint32_t *value,
                             ltap_error *error)
{
    ltap_value made = {
        .name = name, .producer = LTAP_NO_NODE, .second = LTAP_NO_VALUE, .type = {.rank = -1}};
    if (graph->values.count >= LTAP_NO_VALUE)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "the graph has over 4 billion values");
    made.index = (uint32_t)graph->values.count;
    LTAP_TRY(ltap_vector_push(&graph->values, &made, error));
    ltap_status status = ltap_map_set(&graph->value_by_name, name, bytes, made.index, error);
    if (status != LTAP_OK) {
        graph->values.count--;
        return status;
    }
    *value = made.index;
    return LTAP_OK;
}

ltap_status ltap_graph_value(ltap_graph *graph, const char *name, size_t bytes, uint32_t *value,
                             ltap_error *error)
{
    const char *copy;
    if (ltap_map_get(&graph->value_by_name, name, bytes, value))
        return LTAP_OK;
    if (bytes > 0 && memchr(name, '\0', bytes) != NULL)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "the name of a value has a NUL byte inside (it begins '%s')", name);
    LTAP_TRY(ltap_arena_text(&graph->arena, name, bytes, &copy, error));
    return add_value(graph, copy, bytes, value, error);
}

ltap_status ltap_graph_value_new(ltap_graph *graph, const char *hint, uint32_t *value,
                                 ltap_error *error)
{
    const char *name;
    uint32_t known;
    do {
        LTAP_TRY(ltap_arena_format(&graph->arena, &name, error, "\1%s%u", hint,
                                   (unsigned)graph->n_made_up++));
    } while (ltap_map_get(&graph->value_by_name, name, strlen(name), &known));
    return add_value(graph, name, strlen(name), value, error);
}

ltap_status ltap_graph_set_constant(ltap_graph *graph, uint32_t value, const ltap_tensor *tensor,
                                    ltap_error *error)
{
    void *copy, *block;
    LTAP_TRY(ltap_arena_take(&graph->arena, 1, sizeof *tensor, &copy, error));
    LTAP_TRY(
        ltap_arena_take(&graph->arena, (uint64_t)tensor->rank, sizeof(ltap_dim), &block, error));
    memcpy(copy, tensor, sizeof *tensor);
    ltap_dim *dims = block;
    for (int i = 0; i < tensor->rank; i++)
        dims[i] = (ltap_dim){tensor->dims[i], NULL};
    size_t bytes = ltap_dtype_bits(tensor->dtype) / 8;
    ltap_value *made = ltap_graph_at(graph, value);
    made->constant = copy;
    made->unaligned = bytes > 0 && (uintptr_t)tensor->data % bytes != 0;
    made->type = (ltap_type){LTAP_TYPE_TENSOR, tensor->dtype, tensor->rank, dims, NULL};
    return LTAP_OK;
}

ltap_status ltap_graph_constant(ltap_graph *graph, const char *hint, const ltap_tensor *tensor,
                                uint32_t *value, ltap_error *error)
{
    LTAP_TRY(ltap_graph_value_new(graph, hint, value, error));
    return ltap_graph_set_constant(graph, *value, tensor, error);
}

ltap_status ltap_graph_constant_ints(ltap_graph *graph, const char *hint, const int64_t *numbers,
                                     size_t count, uint32_t *value, ltap_error *error)
{
    void *copy;
    int64_t dims[1] = {(int64_t)count};
    LTAP_TRY(ltap_arena_take(&graph->arena, count, sizeof *numbers, &copy, error));
    if (count > 0)
        memcpy(copy, numbers, count * sizeof *numbers);
    ltap_tensor tensor = ltap_tensor_make(LTAP_INT64, 1, dims, copy);
    return ltap_graph_constant(graph, hint, &tensor, value, error);
}

static ltap_status copy_numbers(ltap_graph *graph, uint32_t **numbers, size_t count,
                                ltap_error *error)
{
    void *copy;
    LTAP_TRY(ltap_arena_take(&graph->arena, count, sizeof **numbers, &copy, error));
    for (size_t i = 0; i < count; i++)
        if ((*numbers)[i] != LTAP_NO_VALUE && (*numbers)[i] >= graph->values.count)
            return ltap_error_set(error, LTAP_ERROR_INTERNAL, "a node names value %u of %zu",
                                  (unsigned)(*numbers)[i], graph->values.count);
    if (count > 0)
        memcpy(copy, *numbers, count * sizeof **numbers);
    *numbers = copy;
    return LTAP_OK;
}

static ltap_status set_producers(ltap_graph *graph, const ltap_node *node, ltap_error *error)
{
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == LTAP_NO_VALUE)
            continue;
        ltap_value *value = ltap_graph_at(graph, node->outputs[i]);
        if (value->producer != LTAP_NO_NODE)
            return ltap_error_set(
                error, LTAP_ERROR_FORMAT, "the value '%s' is made twice: by %s and by %s",
                value->name, ltap_node_text(graph, ltap_graph_node(graph, value->producer)).text,
                ltap_node_text(graph, node).text);
        value->producer = node->index;
        value->slot = (uint32_t)i;
    }
    return LTAP_OK;
}

ltap_status ltap_graph_node_add(ltap_graph *graph, const ltap_node *node, ltap_node **added,
                                ltap_error *error)
{
    ltap_node copy = *node;
    const char **texts[] = {&copy.name, &copy.domain, &copy.op_type, &copy.call_path, &copy.doc};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (*texts[i] == NULL)
            *texts[i] = "";
    if (graph->nodes.count >= LTAP_NO_NODE)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "the graph has over 4 billion nodes");
    copy.index = copy.origin = (uint32_t)graph->nodes.count;
    LTAP_TRY(copy_numbers(graph, &copy.inputs, copy.n_inputs, error));
    LTAP_TRY(copy_numbers(graph, &copy.outputs, copy.n_outputs, error));
    LTAP_TRY(ltap_vector_push(&graph->nodes, &copy, error));
    LTAP_TRY(set_producers(graph, &copy, error));
    if (added != NULL)
        *added = ltap_graph_node(graph, copy.index);
    return LTAP_OK;
}

bool ltap_graph_find(const ltap_graph *graph, const char *name, uint32_t *value)
{
    return ltap_map_get(&graph->value_by_name, name, strlen(name), value);
}
