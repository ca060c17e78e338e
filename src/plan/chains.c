/* Finding chains: pointwise nodes that the kernel before them can do on its way out.
 *
 * Starting with a node's output, the next reader of what is inside is taken in as long as it is a
 * function that kernels know, of the same shape, and all else that it reads lies there already.
 * The chain may end wherever only its last value is read outside: so what is in between may be
 * read twice (x * sigmoid(x)), but by no other node. A tap inside breaks nothing: the kernel hands
 * that value out as well. Links compute what their nodes alone would, so where a chain ends
 * changes no bit.
 */
#include "plan/schedule.h"

#include "backends/layout.h"
#include "backends/simd/links.h"
#include "base/error.h"

typedef struct search {
    ltap_schedule *schedule;
    const ltap_query *query;
    ltap_chain_plan *found;
    uint32_t made[LTAP_IMPL_MAX_CHAIN + 1]; /* values: the head's, each link's */
    uint32_t reads[LTAP_IMPL_MAX_CHAIN + 1];
    size_t n_links, n_extras; /* so far; found has those where the chain may end */
} search;

/* The first kept reader, in order, of any value inside that is not inside itself. */
static const ltap_node *next_reader(const search *s)
{
    const ltap_plan_request *request = s->schedule->request;
    uint32_t after =
        s->n_links ? s->found->links[s->n_links - 1].node->index : s->query->node->index;
    uint32_t best = UINT32_MAX;

    for (size_t i = 0; i <= s->n_links; i++) {
        const ltap_value *value = ltap_graph_at(request->graph, s->made[i]);
        for (size_t k = 0; k < value->n_consumers; k++) {
            uint32_t reader = value->consumers[k];
            bool kept = !request->keep || request->keep[reader];
            if (kept && reader > after && reader < best)
                best = reader;
        }
    }
    return best == UINT32_MAX ? NULL : ltap_graph_node(request->graph, best);
}

/* An operand that lies ready in the head's layout, as it lies there. */
static bool is_ready(const search *s, uint32_t value, ltap_tensor *lies)
{
    const ltap_known *known = &s->schedule->known.values[value];
    ltap_layout layout = s->query->layout;
    ltap_tensor both = s->query->outputs[0];

    if (known->tensor.dtype != LTAP_FLOAT32 ||
        !ltap_dims_broadcast(&known->tensor, &s->query->outputs[0], &both) ||
        !ltap_tensor_same_shape(&both, &s->query->outputs[0]))
        return false;
    int rank = s->query->outputs[0].rank;
    bool moves = known->constant || known->tensor.rank != rank;
    if (layout == LTAP_LAYOUT_CHANNELS_LAST && moves &&
        !ltap_schedule_reads_alike(&known->tensor, rank))
        return false;
    *lies = ltap_layout_told(&known->tensor, layout, rank);
    return known->constant || s->schedule->places[value].buffer[layout] != LTAP_NO_BUFFER;
}

/* The source that stands for a value: made inside, or an extra, which is added. */
static bool find_source(search *s, uint32_t value, int *source)
{
    for (size_t i = 0; i <= s->n_links; i++) {
        if (s->made[i] == value) {
            s->reads[i]++;
            *source = ~(int)i;
            return true;
        }
    }
    for (size_t i = 0; i < s->n_extras; i++) {
        *source = (int)i;
        if (s->found->values[i] == value)
            return true;
    }
    if (s->n_extras == LTAP_IMPL_MAX_EXTRAS || !is_ready(s, value, &s->found->extras[s->n_extras]))
        return false;
    *source = (int)s->n_extras;
    s->found->values[s->n_extras++] = value;
    return true;
}

/* Takes a node in as the next link. */
static bool add_link(search *s, const ltap_node *node)
{
    ltap_tensor inputs[LTAP_IMPL_MAX_INPUTS];
    ltap_link *link = &s->found->links[s->n_links];
    const ltap_known *values = s->schedule->known.values;
    ltap_why why;

    if (node->n_inputs > LTAP_IMPL_MAX_INPUTS || node->n_outputs != 1 ||
        values[node->outputs[0]].tensor.dtype != LTAP_FLOAT32 ||
        !ltap_tensor_same_shape(&values[node->outputs[0]].tensor, &s->query->outputs[0]))
        return false;
    for (size_t i = 0; i < node->n_inputs; i++)
        inputs[i] = node->inputs[i] == LTAP_NO_VALUE ? (ltap_tensor){.dtype = LTAP_UNDEFINED}
                                                     : values[node->inputs[i]].tensor;
    if (!ltap_link_read(node, inputs, link, &why))
        return false;
    for (int i = 0; i < link->n_sources; i++)
        if (!find_source(s, node->inputs[i], &link->sources[i]))
            return false;
    s->made[++s->n_links] = node->outputs[0];
    return true;
}

/* Only the last value is read outside. */
static bool may_end(const search *s)
{
    for (size_t i = 0; i < s->n_links; i++)
        if (s->reads[i] != s->schedule->uses[s->made[i]])
            return false;
    return true;
}

/* What is inside the chain and asked for by name. */
static void keep_tapped(search *s)
{
    for (size_t i = 0; i < s->found->n_links; i++)
        if (s->schedule->tapped[s->made[i]])
            s->found->kept |= UINT32_C(1) << i;
}

ltap_status ltap_chain_find(ltap_schedule *schedule, ltap_query *query, ltap_chain_plan *found,
                            ltap_error *error)
{
    search s = {.schedule = schedule, .query = query, .found = found};

    *found = (ltap_chain_plan){.n_links = 0};
    query->chain = found->links;
    query->extras = found->extras;
    if (query->n_outputs != 1 || query->outputs[0].dtype != LTAP_FLOAT32)
        return LTAP_OK;
    s.made[0] = query->node->outputs[0];
    while (s.n_links < LTAP_IMPL_MAX_CHAIN) {
        const ltap_node *next = next_reader(&s);
        if (!next || !next->op || !(next->op->flags & LTAP_OP_POINTWISE))
            break;
        LTAP_TRY(ltap_schedule_constants(schedule, next, error));
        if (!add_link(&s, next))
            break;
        if (may_end(&s)) {
            found->n_links = s.n_links;
            found->n_extras = s.n_extras;
        }
    }
    keep_tapped(&s);
    query->n_chain = found->n_links;
    query->n_extras = found->n_extras;
    query->kept = found->kept;
    return LTAP_OK;
}
