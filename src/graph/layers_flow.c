/* What flows: which values depend on a model input by more than its shape, and so can be features;
 * which nodes compute them. Arithmetic on shapes, constants and weights is left out of the layer
 * tree's bookkeeping here, because exporters move, merge and drop it freely.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

/* Inputs of these operators from the given one on tell a shape or a type, not data. */
typedef struct shape_only {
    const char *op_type;
    size_t from;
} shape_only;

static const shape_only shape_only_rows[] = {
    {"Shape", 0}, {"Size", 0}, {"EyeLike", 0}, {"CastLike", 1}};

static size_t data_inputs(const ltap_node *node)
{
    for (size_t i = 0; i < sizeof shape_only_rows / sizeof *shape_only_rows; i++)
        if (node->domain[0] == '\0' && strcmp(node->op_type, shape_only_rows[i].op_type) == 0)
            return shape_only_rows[i].from;
    return node->n_inputs;
}

/* A node with a subgraph may read any outer value inside it. */
static bool has_subgraph(const ltap_node *node)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (node->attrs[i].kind == LTAP_ATTR_GRAPH || node->attrs[i].kind == LTAP_ATTR_GRAPHS)
            return true;
    return false;
}

static bool computes_data(const ltap_node *node, const uint8_t *data)
{
    size_t n = data_inputs(node);
    for (size_t i = 0; i < n && i < node->n_inputs; i++)
        if (node->inputs[i] != LTAP_NO_VALUE && data[node->inputs[i]])
            return true;
    return has_subgraph(node);
}

ltap_status ltap_flow_find(ltap_layers *layers, ltap_arena *arena, ltap_flow *flow,
                           ltap_error *error)
{
    const ltap_graph *graph = layers->graph;
    void *block;
    LTAP_TRY(ltap_arena_take(&layers->arena, graph->values.count + 1, 1, &block, error));
    layers->data = block;
    LTAP_TRY(ltap_arena_take(arena, graph->nodes.count + 1, sizeof(uint32_t), &block, error));
    flow->order = block;
    LTAP_TRY(ltap_arena_take(arena, graph->nodes.count + 1, sizeof(uint32_t), &block, error));
    flow->place = block;
    flow->n_order = 0;
    for (size_t i = 0; i < graph->inputs.count; i++)
        layers->data[*LTAP_VECTOR_AT(&graph->inputs, uint32_t, i)] = 1;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        flow->place[n] = LTAP_NO_NODE;
        if (!computes_data(node, layers->data))
            continue;
        flow->place[n] = (uint32_t)flow->n_order;
        flow->order[flow->n_order++] = n;
        for (size_t i = 0; i < node->n_outputs; i++)
            if (node->outputs[i] != LTAP_NO_VALUE)
                layers->data[node->outputs[i]] = 1;
    }
    return LTAP_OK;
}

uint32_t ltap_flow_initializer(const ltap_graph *graph, uint32_t value)
{
    /* Exporters alias once; the bound keeps a long chain in a hostile file from costing its square.
     */
    for (int hops = 0; hops < 16 && value != LTAP_NO_VALUE; hops++) {
        const ltap_value *v = ltap_graph_at(graph, value);
        if (v->producer == LTAP_NO_NODE)
            return v->constant != NULL ? value : LTAP_NO_VALUE;
        const ltap_node *node = ltap_graph_node(graph, v->producer);
        if (strcmp(node->op_type, "Identity") != 0 || node->n_inputs != 1)
            return LTAP_NO_VALUE;
        value = node->inputs[0];
    }
    return LTAP_NO_VALUE;
}

uint32_t ltap_flow_weight(const ltap_graph *graph, const ltap_node *node, size_t input)
{
    if (node->inputs[input] == LTAP_NO_VALUE)
        return LTAP_NO_VALUE;
    uint32_t value = ltap_flow_initializer(graph, node->inputs[input]);
    if (value == LTAP_NO_VALUE)
        return LTAP_NO_VALUE;
    const ltap_value *v = ltap_graph_at(graph, value);
    ltap_dtype dtype = v->constant->dtype;
    if (dtype == LTAP_INT64 || dtype == LTAP_BOOL || dtype == LTAP_STRING)
        return LTAP_NO_VALUE;
    if (v->constant->rank == 0 && strchr(v->name, '.') == NULL)
        return LTAP_NO_VALUE;
    if (input >= 3 && strcmp(node->op_type, "BatchNormalization") == 0)
        return LTAP_NO_VALUE;
    return value;
}
