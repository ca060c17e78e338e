/* Brings operations back to where they ran.
 *
 * Converters sort operations their own way. What belongs to one scope is brought together, as far
 * as what each reads allows; nothing else moves. And then folded convolutions: The TorchScript
 * exporter writes a convolution that took in a BatchNorm where the BatchNorm ran. If another module
 * ran in between, that stands inside the convolution's own module now, and would cut its call in
 * two. Nothing but the BatchNorm reads the convolution, so it may stand anywhere behind what it
 * reads: it is moved next to the operations that share most of its scopes.
 */
#include "graph/layers_build.h"

#include "base/error.h"
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

/* The same call, as far as the file counts calls. */
static bool same_call(const ltap_chain *a, const ltap_chain *b)
{
    for (uint32_t n = 0; same_module(a, b) && n < a->n_steps; n++)
        if (a->steps[n].turn != b->steps[n].turn)
            return false;
    return same_module(a, b);
}

/* Where the convolution at `place` belongs: not before `first`, which is behind what it reads where
 * that is near. */
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
        if (p == first && same_call(mine, before))
            return p; /* what its own module made of the input (circular padding) */
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

#define MAX_RECENT 32 /* operations that are looked at for the same scope */

typedef struct gathering {
    const ltap_graph *graph;
    const ltap_scopes *scopes;
    ltap_flow *flow;
    uint32_t *waiting; /* per place: uses of what is not there yet */
    uint8_t *done;     /* per place */
    uint32_t *order;   /* places */
    uint32_t recent[MAX_RECENT];
    size_t n_recent, n_order;
} gathering;

static uint32_t leaf_of(const gathering *gather, uint32_t place)
{
    const ltap_chain *chain = &gather->scopes->chains[gather->flow->order[place]];
    return chain->n_steps > 0 ? chain->steps[chain->n_steps - 1].scope : LTAP_NO_STEP;
}

/* Of each use by an operation on data: +1 when counting, -1 when the value is there. */
static void count_uses(gathering *gather, uint32_t place, bool there)
{
    const ltap_node *node = ltap_graph_node(gather->graph, gather->flow->order[place]);
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == LTAP_NO_VALUE)
            continue;
        const ltap_value *value = ltap_graph_at(gather->graph, node->outputs[i]);
        for (size_t c = 0; c < value->n_consumers; c++) {
            uint32_t user = gather->flow->place[value->consumers[c]];
            if (user == LTAP_NO_NODE)
                continue;
            gather->waiting[user] += there ? UINT32_MAX : 1;
            if (there && gather->waiting[user] == 0)
                gather->recent[gather->n_recent++ % MAX_RECENT] = user;
        }
    }
}

/* An operation of this scope that can run now; the first in the file of those looked at. */
static uint32_t same_scope_next(const gathering *gather, uint32_t scope)
{
    size_t n = gather->n_recent < MAX_RECENT ? gather->n_recent : MAX_RECENT;
    uint32_t best = LTAP_NO_NODE;
    for (size_t i = 0; i < n && scope != LTAP_NO_STEP; i++) {
        uint32_t place = gather->recent[i];
        if (!gather->done[place] && place < best && leaf_of(gather, place) == scope)
            best = place;
    }
    return best;
}

static void gather_all(gathering *gather)
{
    uint32_t n = (uint32_t)gather->flow->n_order, next = 0;
    for (uint32_t place = 0; place < n; place++)
        count_uses(gather, place, false);
    for (uint32_t scope = LTAP_NO_STEP; gather->n_order < n;) {
        uint32_t place = same_scope_next(gather, scope);
        while (place == LTAP_NO_NODE && gather->done[next])
            next++;
        place = place == LTAP_NO_NODE ? next : place;
        gather->done[place] = 1;
        gather->order[gather->n_order++] = place;
        scope = leaf_of(gather, place);
        count_uses(gather, place, true);
    }
}

ltap_status ltap_flow_gather(const ltap_graph *graph, const ltap_scopes *scopes, ltap_flow *flow,
                             ltap_error *error)
{
    gathering gather = {.graph = graph, .scopes = scopes, .flow = flow};
    size_t n = flow->n_order + 1;
    void *block;
    LTAP_TRY(ltap_arena_take(scopes->arena, n, sizeof(uint32_t), &block, error));
    gather.waiting = block;
    LTAP_TRY(ltap_arena_take(scopes->arena, n, 1, &block, error));
    gather.done = block;
    LTAP_TRY(ltap_arena_take(scopes->arena, n, sizeof(uint32_t), &block, error));
    gather.order = block;
    gather_all(&gather);
    for (size_t i = 0; i < flow->n_order; i++)
        gather.order[i] = flow->order[gather.order[i]];
    for (size_t i = 0; i < flow->n_order; i++) {
        flow->order[i] = gather.order[i];
        flow->place[flow->order[i]] = (uint32_t)i;
    }
    return LTAP_OK;
}
