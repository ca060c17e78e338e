/* Puts folded convolutions back where they ran.
 *
 * The TorchScript exporter writes a convolution that took in a BatchNorm where the BatchNorm ran.
 * If another module ran in between, that stands inside the convolution's own module now, and would
 * cut its call in two. Nothing but the BatchNorm reads the convolution, so it may stand anywhere
 * behind what it reads: it is moved next to the operations that share most of its scopes.
 */
#include "graph/layers_build.h"

#include <string.h>

/* As far as a convolution is looked for at most: the cost stays linear in hostile files. */
#define MAX_WINDOW 512

static bool is_folded(const ltap_graph *graph, const ltap_node *node)
{
    return strcmp(node->op_type, "Conv") == 0 && node->n_inputs > 1 &&
           node->inputs[0] != LTAP_NO_VALUE && ltap_flow_weight(graph, node, 1) != LTAP_NO_VALUE &&
           ltap_name_renamed(ltap_graph_at(graph, node->inputs[1])->name);
}

static uint32_t shared_steps(const ltap_chain *a, const ltap_chain *b)
{
    uint32_t n = 0;
    while (n < a->n_steps && n < b->n_steps && a->steps[n].scope == b->steps[n].scope)
        n++;
    return n;
}

static bool same_module(const ltap_chain *a, const ltap_chain *b)
{
    return a->n_steps == b->n_steps && shared_steps(a, b) == a->n_steps;
}

/* Where the convolution at `place` belongs: not before `first`. */
static uint32_t find_place(const ltap_flow *flow, const ltap_scopes *scopes, uint32_t first,
                           uint32_t place)
{
    const ltap_chain *mine = &scopes->chains[flow->order[place]];
    uint32_t best = place, most = 0;
    for (uint32_t p = place; p >= first && p > 0; p--) {
        const ltap_chain *before = &scopes->chains[flow->order[p - 1]];
        uint32_t shared = shared_steps(mine, before);
        if (p == place && shared + 1 >= mine->n_steps)
            return place;
        if (same_module(mine, before))
            return place; /* an earlier call of the same module: it may belong to either */
        if (p == place || shared > most) {
            best = p;
            most = shared;
        }
    }
    return best;
}

static void move(ltap_flow *flow, uint32_t from, uint32_t to)
{
    uint32_t node = flow->order[from];
    memmove(&flow->order[to + 1], &flow->order[to], (from - to) * sizeof *flow->order);
    flow->order[to] = node;
    for (uint32_t p = to; p <= from; p++)
        flow->place[flow->order[p]] = p;
}

void ltap_flow_restore(const ltap_graph *graph, const ltap_scopes *scopes, ltap_flow *flow)
{
    for (uint32_t place = 1; place < flow->n_order; place++) {
        const ltap_node *node = ltap_graph_node(graph, flow->order[place]);
        if (scopes->chains[node->index].n_steps < 2 || !is_folded(graph, node))
            continue;
        uint32_t producer = ltap_graph_at(graph, node->inputs[0])->producer;
        uint32_t first = 0;
        if (producer != LTAP_NO_NODE && flow->place[producer] != LTAP_NO_NODE)
            first = flow->place[producer] + 1;
        if (place - first > MAX_WINDOW)
            first = place - MAX_WINDOW;
        uint32_t to = find_place(flow, scopes, first, place);
        if (to < place)
            move(flow, place, to);
    }
}
