/* What subgraphs take from around them becomes inputs of their node, behind its own.
 *
 * So whoever looks at a node's inputs (pruning, life spans, folding, layers) sees all that it
 * reads, and nobody else has to walk into bodies.
 */
#include "graph/graph.h"

#include "base/error.h"
#include <string.h>

typedef struct capturing {
    ltap_graph *graph;
    ltap_vector values; /* uint32_t: of the graph, in order of finding */
    ltap_vector names;  /* const char *: the same */
    ltap_map known;     /* by name */
} capturing;

static bool is_free(const ltap_value *value)
{
    return value->producer == LTAP_NO_NODE && !value->is_input && value->constant == NULL;
}

static ltap_status take_free(capturing *c, const ltap_graph *inner, uint32_t index,
                             ltap_error *error)
{
    const ltap_value *value = index != LTAP_NO_VALUE ? ltap_graph_at(inner, index) : NULL;
    size_t bytes = value != NULL ? strlen(value->name) : 0;
    uint32_t outer;
    if (value == NULL || !is_free(value) || ltap_map_get(&c->known, value->name, bytes, &outer))
        return LTAP_OK;
    LTAP_TRY(ltap_graph_value(c->graph, value->name, bytes, &outer, error));
    const char *name = ltap_graph_at(c->graph, outer)->name;
    LTAP_TRY(ltap_map_set(&c->known, name, bytes, outer, error));
    LTAP_TRY(ltap_vector_push(&c->values, &outer, error));
    return ltap_vector_push(&c->names, &name, error);
}

/* What nodes read, and what is handed out. */
static ltap_status take_all_free(capturing *c, const ltap_graph *inner, ltap_error *error)
{
    for (size_t i = 0; i < inner->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(inner, (uint32_t)i);
        for (size_t k = 0; k < node->n_inputs; k++)
            LTAP_TRY(take_free(c, inner, node->inputs[k], error));
    }
    for (size_t i = 0; i < inner->outputs.count; i++)
        LTAP_TRY(take_free(c, inner, *LTAP_VECTOR_AT(&inner->outputs, uint32_t, i), error));
    return LTAP_OK;
}

static ltap_status append_inputs(const capturing *c, ltap_node *node, ltap_error *error)
{
    size_t n_own = node->n_inputs, count = c->values.count;
    void *inputs, *names;

    if (count == 0)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_take(&c->graph->arena, n_own + count, sizeof(uint32_t), &inputs, error));
    LTAP_TRY(ltap_arena_take(&c->graph->arena, count, sizeof(const char *), &names, error));
    if (n_own > 0)
        memcpy(inputs, node->inputs, n_own * sizeof(uint32_t));
    memcpy((uint32_t *)inputs + n_own, c->values.data, count * sizeof(uint32_t));
    memcpy(names, c->names.data, count * sizeof(const char *));
    node->inputs = inputs;
    node->n_inputs = n_own + count;
    node->captured = names;
    node->n_captured = count;
    return LTAP_OK;
}

static ltap_status capture_for(ltap_graph *graph, uint32_t index, int depth, ltap_error *error);

static ltap_status capture_all(ltap_graph *graph, int depth, ltap_error *error)
{
    if (depth > LTAP_GRAPH_MAX_DEPTH)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "subgraphs are nested deeper than %d",
                              LTAP_GRAPH_MAX_DEPTH);
    for (size_t i = 0; !graph->captured && i < graph->nodes.count; i++)
        LTAP_TRY(capture_for(graph, (uint32_t)i, depth, error));
    graph->captured = true;
    return LTAP_OK;
}

static ltap_status capture_for(ltap_graph *graph, uint32_t index, int depth, ltap_error *error)
{
    const ltap_node *node = ltap_graph_node(graph, index);
    capturing c = {.graph = graph};
    ltap_status status = LTAP_OK;

    ltap_vector_init(&c.values, graph->memory, sizeof(uint32_t));
    ltap_vector_init(&c.names, graph->memory, sizeof(const char *));
    ltap_map_init(&c.known, graph->memory);
    for (size_t i = 0; i < node->n_attrs; i++) {
        const ltap_attr *attr = &node->attrs[i];
        bool graphs = attr->kind == LTAP_ATTR_GRAPH || attr->kind == LTAP_ATTR_GRAPHS;
        for (size_t k = 0; graphs && k < attr->count; k++) {
            LTAP_GO(capture_all(attr->u.graphs[k], depth + 1, error));
            LTAP_GO(take_all_free(&c, attr->u.graphs[k], error));
        }
    }
    LTAP_GO(append_inputs(&c, ltap_graph_node(graph, index), error));
done:
    ltap_map_clear(&c.known);
    ltap_vector_clear(&c.names);
    ltap_vector_clear(&c.values);
    return status;
}

ltap_status ltap_graph_capture(ltap_graph *graph, ltap_error *error)
{
    return capture_all(graph, 0, error);
}
