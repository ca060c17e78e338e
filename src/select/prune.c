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

static ltap_status need_inputs(pruning *prune, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        LTAP_TRY(need(prune, node->inputs[i]));
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
