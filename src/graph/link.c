/* Linking: consumers, order of execution, and the proof that every used value exists.
 *
 * The order is a topological sort that always takes the ready node that was added first (a heap),
 * so a file whose order is valid keeps it. What subgraphs take is among their node's inputs by
 * then. Time is linear in the uses but for the heap.
 */
#include "graph/graph.h"

#include "base/error.h"
#include <string.h>

typedef struct linking {
    ltap_graph *graph;
    ltap_error *error;
    uint32_t *consumers; /* of all values, value after value; in the arena */
    uint32_t *waiting;   /* per node: uses whose producer has not run yet */
    uint32_t *ready;     /* a heap: the smallest node number on top */
    uint32_t *order;     /* nodes as they will run */
    size_t n_uses, n_ready, n_ordered;
} linking;

typedef ltap_status (*use_visitor)(linking *link, const ltap_node *node, ltap_value *value);

static bool is_given(const ltap_value *value)
{
    return value->producer != LTAP_NO_NODE || value->is_input || value->constant != NULL;
}

static bool is_in_parents(const ltap_graph *graph, const char *name)
{
    uint32_t value;
    for (const ltap_graph *around = graph->parent; around != NULL; around = around->parent)
        if (ltap_graph_find(around, name, &value))
            return true;
    return false;
}

static ltap_status visit_node(linking *link, const ltap_node *node, use_visitor visit)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != LTAP_NO_VALUE)
            LTAP_TRY(visit(link, node, ltap_graph_at(link->graph, node->inputs[i])));
    return LTAP_OK;
}

static ltap_status visit_all(linking *link, use_visitor visit)
{
    for (size_t i = 0; i < link->graph->nodes.count; i++)
        LTAP_TRY(visit_node(link, ltap_graph_node(link->graph, (uint32_t)i), visit));
    return LTAP_OK;
}

static bool captures(const ltap_node *node, uint32_t value)
{
    for (size_t i = ltap_node_own_inputs(node); i < node->n_inputs; i++)
        if (node->inputs[i] == value)
            return true;
    return false;
}

static ltap_status count_use(linking *link, const ltap_node *node, ltap_value *value)
{
    if (!is_given(value) && !is_in_parents(link->graph, value->name))
        return ltap_error_set(link->error, LTAP_ERROR_FORMAT,
                              "%s%s uses the value '%s', which is no input, no weight and no "
                              "node's output",
                              captures(node, value->index) ? "a subgraph of " : "",
                              ltap_node_text(link->graph, node).text, value->name);
    value->n_consumers++;
    link->waiting[node->index] += value->producer != LTAP_NO_NODE;
    link->n_uses++;
    return LTAP_OK;
}

static ltap_status add_consumer(linking *link, const ltap_node *node, ltap_value *value)
{
    link->consumers[(value->consumers - link->consumers) + (ptrdiff_t)value->n_consumers] =
        node->index;
    value->n_consumers++;
    return LTAP_OK;
}

/* Lists the consumers of each value in the present order of the nodes. */
static ltap_status list_consumers(linking *link)
{
    for (size_t i = 0; i < link->graph->values.count; i++)
        ltap_graph_at(link->graph, (uint32_t)i)->n_consumers = 0;
    return visit_all(link, add_consumer);
}

static void share_out(linking *link)
{
    uint32_t *next = link->consumers;
    for (size_t i = 0; i < link->graph->values.count; i++) {
        ltap_value *value = ltap_graph_at(link->graph, (uint32_t)i);
        value->consumers = next;
        next += value->n_consumers;
    }
}

static void push_ready(linking *link, uint32_t node)
{
    size_t at = link->n_ready++;
    for (; at > 0 && link->ready[(at - 1) / 2] > node; at = (at - 1) / 2)
        link->ready[at] = link->ready[(at - 1) / 2];
    link->ready[at] = node;
}

static uint32_t pop_ready(linking *link)
{
    uint32_t top = link->ready[0], moved = link->ready[--link->n_ready];
    size_t at = 0;
    for (size_t child = 1; child < link->n_ready; child = 2 * at + 1) {
        if (child + 1 < link->n_ready && link->ready[child + 1] < link->ready[child])
            child++;
        if (link->ready[child] >= moved)
            break;
        link->ready[at] = link->ready[child];
        at = child;
    }
    link->ready[at] = moved;
    return top;
}

static void release_consumers(linking *link, const ltap_value *value)
{
    for (size_t i = 0; i < value->n_consumers; i++)
        if (--link->waiting[value->consumers[i]] == 0)
            push_ready(link, value->consumers[i]);
}

static void sort(linking *link)
{
    for (size_t i = 0; i < link->graph->nodes.count; i++)
        if (link->waiting[i] == 0)
            push_ready(link, (uint32_t)i);
    while (link->n_ready > 0) {
        uint32_t number = pop_ready(link);
        const ltap_node *node = ltap_graph_node(link->graph, number);
        link->order[link->n_ordered++] = number;
        for (size_t i = 0; i < node->n_outputs; i++)
            if (node->outputs[i] != LTAP_NO_VALUE)
                release_consumers(link, ltap_graph_at(link->graph, node->outputs[i]));
    }
}

/* Remembers in context->order[0] an input's producer that still waits. */
static ltap_status find_waiting_producer(linking *link, const ltap_node *node, ltap_value *value)
{
    if (value->producer != LTAP_NO_NODE && link->waiting[value->producer] > 0)
        link->order[0] = value->index;
    return LTAP_OK;
}

/* Some nodes never became ready. Going from one to a producer that waits too, again and again, must
 * end in a circle; `ready` counts how often each node was passed. */
static ltap_status report_cycle(linking *link)
{
    uint32_t number = 0;
    const ltap_value *value = NULL;
    while (link->waiting[number] == 0)
        number++;
    memset(link->ready, 0, link->graph->nodes.count * sizeof *link->ready);
    while (link->ready[number]++ == 0) {
        LTAP_TRY(visit_node(link, ltap_graph_node(link->graph, number), find_waiting_producer));
        value = ltap_graph_at(link->graph, link->order[0]);
        number = value->producer;
    }
    return ltap_error_set(
        link->error, LTAP_ERROR_FORMAT, "the graph has a cycle: %s needs its own output '%s'",
        ltap_node_text(link->graph, ltap_graph_node(link->graph, number)).text, value->name);
}

/* Puts the nodes in order and renumbers them. */
static ltap_status apply_order(linking *link)
{
    ltap_graph *graph = link->graph;
    ltap_vector sorted;
    ltap_vector_init(&sorted, graph->memory, sizeof(ltap_node));
    LTAP_TRY(ltap_vector_grow(&sorted, graph->nodes.count, NULL, link->error));
    for (size_t i = 0; i < graph->nodes.count; i++) {
        ltap_node *node = LTAP_VECTOR_AT(&sorted, ltap_node, i);
        *node = *ltap_graph_node(graph, link->order[i]);
        node->index = (uint32_t)i;
        for (size_t k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] != LTAP_NO_VALUE)
                ltap_graph_at(graph, node->outputs[k])->producer = (uint32_t)i;
    }
    ltap_vector_clear(&graph->nodes);
    graph->nodes = sorted;
    return LTAP_OK;
}

static ltap_status check_values(linking *link)
{
    const ltap_graph *graph = link->graph;
    for (size_t i = 0; i < graph->values.count; i++) {
        ltap_value *value = ltap_graph_at(graph, (uint32_t)i);
        value->n_consumers = 0;
        if (value->producer != LTAP_NO_NODE && (value->is_input || value->constant != NULL))
            return ltap_error_set(
                link->error, LTAP_ERROR_FORMAT, "the value '%s' is made by %s and is also %s",
                value->name, ltap_node_text(graph, ltap_graph_node(graph, value->producer)).text,
                value->is_input ? "an input" : "a weight");
    }
    for (size_t i = 0; i < graph->outputs.count; i++) {
        const ltap_value *value =
            ltap_graph_at(graph, *LTAP_VECTOR_AT(&graph->outputs, uint32_t, i));
        if (!is_given(value) && !is_in_parents(graph, value->name))
            return ltap_error_set(link->error, LTAP_ERROR_FORMAT,
                                  "the output '%s' is no input, no weight and no node's output",
                                  value->name);
    }
    return LTAP_OK;
}

static ltap_status link_with(linking *link)
{
    void *block;
    LTAP_TRY(check_values(link));
    LTAP_TRY(visit_all(link, count_use));
    LTAP_TRY(ltap_arena_take(&link->graph->arena, link->n_uses, sizeof *link->consumers, &block,
                             link->error));
    link->consumers = block;
    share_out(link);
    LTAP_TRY(list_consumers(link));
    sort(link);
    if (link->n_ordered < link->graph->nodes.count)
        return report_cycle(link);
    LTAP_TRY(apply_order(link));
    LTAP_TRY(list_consumers(link));
    link->graph->linked = true;
    return LTAP_OK;
}

ltap_status ltap_graph_link(ltap_graph *graph, ltap_error *error)
{
    linking link = {.graph = graph, .error = error};
    void *block;
    LTAP_TRY(ltap_graph_capture(graph, error));
    size_t n = graph->nodes.count;
    LTAP_TRY(ltap_memory_take_zeroed(graph->memory, n + 1, 3 * sizeof(uint32_t),
                                     "the order of execution", &block, error));
    link.waiting = block;
    link.ready = link.waiting + n;
    link.order = link.ready + n;
    ltap_status status = link_with(&link);
    ltap_memory_release(graph->memory, block);
    return status;
}
