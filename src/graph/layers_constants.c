/* Modules that compute on weights and buffers alone: a small network that makes a position bias, an
 * embedding of fixed places. Their nodes look like the arithmetic on weights that exporters leave
 * around and drop at will, but nothing else ran in their scopes, so they are what the modules did.
 */
#include "graph/layers_build.h"

#include "base/error.h"

static uint32_t innermost(const ltap_scopes *scopes, uint32_t node)
{
    const ltap_chain *chain = &scopes->chains[node];
    return chain->n_steps > 0 ? chain->steps[chain->n_steps - 1].scope : LTAP_NO_STEP;
}

/* Scopes in which, or inside which, something runs on data. */
static void mark_busy(const ltap_scopes *scopes, const ltap_flow *flow, uint8_t *busy)
{
    for (size_t i = 0; i < flow->n_order; i++) {
        const ltap_chain *chain = &scopes->chains[flow->order[i]];
        for (uint32_t s = 0; s < chain->n_steps; s++)
            busy[chain->steps[s].scope] = 1;
    }
}

static bool reads_weight(const ltap_layers *layers, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != LTAP_NO_VALUE &&
            (layers->data[node->inputs[i]] ||
             ltap_flow_weight(layers->graph, node, i) != LTAP_NO_VALUE))
            return true;
    return false;
}

ltap_status ltap_flow_constants(ltap_layers *layers, const ltap_scopes *scopes, ltap_flow *flow,
                                ltap_error *error)
{
    const ltap_graph *graph = layers->graph;
    void *busy;
    LTAP_TRY(ltap_arena_take(scopes->arena, scopes->scopes.count + 1, 1, &busy, error));
    mark_busy(scopes, flow, busy);
    flow->n_order = 0;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        uint32_t scope = innermost(scopes, n);
        bool joins = flow->place[n] == LTAP_NO_NODE && scope != LTAP_NO_STEP &&
                     !((uint8_t *)busy)[scope] && reads_weight(layers, node);
        for (size_t i = 0; i < node->n_outputs && joins; i++)
            if (node->outputs[i] != LTAP_NO_VALUE)
                layers->data[node->outputs[i]] = 1;
        if (!joins && flow->place[n] == LTAP_NO_NODE)
            continue;
        flow->place[n] = (uint32_t)flow->n_order;
        flow->order[flow->n_order++] = n;
    }
    return LTAP_OK;
}
