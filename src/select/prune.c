/* Pruning: marks what the wanted values are computed from, and nothing else. */
#include "select/select.h"

#include "base/error.h"
#include <string.h>

typedef struct pruning {
    const ltap_graph *graph;
    uint8_t *keep;
    ltap_vector open; /* uint32_t: kept nodes whose inputs are not looked at yet */
    ltap_error *error;
} pruning;

static ltap_status need(pruning *prune, uint32_t value)
{
    if (value == LTAP_NO_VALUE)
        return LTAP_OK;
    uint32_t producer = ltap_graph_at(prune->graph, value)->producer;
    if (producer == LTAP_NO_NODE || prune->keep[producer])
        return LTAP_OK;
    prune->keep[producer] = 1;
    return ltap_vector_push(&prune->open, &producer, prune->error);
}

/* Values of this graph that a subgraph reads: names that it uses and does not make. A name that an
 * inner graph hides is kept needlessly at worst. The depth is limited where graphs are linked. */
static ltap_status need_captured(pruning *prune, const ltap_graph *inner)
{
    for (uint32_t v = 0; v < inner->values.count; v++) {
        const ltap_value *value = ltap_graph_at(inner, v);
        uint32_t outer;
        if (value->producer == LTAP_NO_NODE && value->constant == NULL && !value->is_input &&
            ltap_graph_find(prune->graph, value->name, &outer))
            LTAP_TRY(need(prune, outer));
    }
    for (const ltap_graph *child = inner->children; child != NULL; child = child->sibling)
        LTAP_TRY(need_captured(prune, child));
    return LTAP_OK;
}

static ltap_status need_inputs(pruning *prune, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        LTAP_TRY(need(prune, node->inputs[i]));
    for (size_t i = 0; i < node->n_attrs; i++) {
        const ltap_attr *attr = &node->attrs[i];
        bool graphs = attr->kind == LTAP_ATTR_GRAPH || attr->kind == LTAP_ATTR_GRAPHS;
        for (size_t k = 0; graphs && k < attr->count; k++)
            LTAP_TRY(need_captured(prune, attr->u.graphs[k]));
    }
    return LTAP_OK;
}

ltap_status ltap_prune(const ltap_graph *graph, const uint32_t *values, size_t n_values,
                       uint8_t *keep, ltap_error *error)
{
    pruning prune = {.graph = graph, .keep = keep, .error = error};
    ltap_status status = LTAP_OK;
    ltap_vector_init(&prune.open, graph->memory, sizeof(uint32_t));
    if (graph->nodes.count > 0)
        memset(keep, 0, graph->nodes.count);
    for (size_t i = 0; i < n_values; i++)
        LTAP_GO(need(&prune, values[i]));
    while (prune.open.count > 0) {
        uint32_t node = *LTAP_VECTOR_AT(&prune.open, uint32_t, --prune.open.count);
        LTAP_GO(need_inputs(&prune, ltap_graph_node(graph, node)));
    }
done:
    ltap_vector_clear(&prune.open);
    return status;
}
