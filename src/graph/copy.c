/* Copying a graph: the lists are its own, what they point at is the original's. */
#include "graph/copy.h"

#include "base/error.h"
#include <string.h>

static ltap_status copy_list(const ltap_vector *from, ltap_vector *to, ltap_error *error)
{
    void *first;
    LTAP_TRY(ltap_vector_grow(to, from->count, &first, error));
    if (from->count > 0)
        memcpy(first, from->data, from->count * from->size);
    return LTAP_OK;
}

static ltap_status copy_values(const ltap_graph *graph, ltap_graph *copy, ltap_error *error)
{
    LTAP_TRY(copy_list(&graph->values, &copy->values, error));
    for (size_t i = 0; i < copy->values.count; i++) {
        ltap_value *value = ltap_graph_at(copy, (uint32_t)i);
        value->producer = LTAP_NO_NODE;
        value->consumers = NULL;
        value->n_consumers = 0;
        LTAP_TRY(ltap_map_set(&copy->value_by_name, value->name, strlen(value->name), value->index,
                              error));
    }
    return LTAP_OK;
}

static ltap_status copy_nodes(const ltap_graph *graph, const uint8_t *keep, ltap_graph *copy,
                              ltap_error *error)
{
    for (size_t i = 0; i < graph->nodes.count; i++) {
        ltap_node *added;
        if (keep != NULL && !keep[i])
            continue;
        LTAP_TRY(ltap_graph_node_add(copy, ltap_graph_node(graph, (uint32_t)i), &added, error));
        added->origin = (uint32_t)i;
    }
    return LTAP_OK;
}

ltap_status ltap_graph_copy(const ltap_graph *graph, const uint8_t *keep_nodes, ltap_graph **copy,
                            ltap_error *error)
{
    ltap_graph *made = NULL;
    ltap_status status;
    LTAP_TRY(ltap_graph_new(graph->memory, &made, error));
    made->name = graph->name;
    made->parent = graph->parent;
    made->format = graph->format;
    made->version = graph->version;
    made->producer = graph->producer;
    made->producer_version = graph->producer_version;
    made->opset = graph->opset;
    made->properties = graph->properties;
    made->n_properties = graph->n_properties;
    made->n_made_up = graph->n_made_up;
    made->captured = graph->captured;
    made->channels_last = graph->channels_last;
    made->features_last = graph->features_last;
    made->features_mixed = graph->features_mixed;
    LTAP_GO(copy_list(&graph->inputs, &made->inputs, error));
    LTAP_GO(copy_list(&graph->outputs, &made->outputs, error));
    LTAP_GO(copy_list(&graph->output_names, &made->output_names, error));
    LTAP_GO(copy_values(graph, made, error));
    LTAP_GO(copy_nodes(graph, keep_nodes, made, error));
    *copy = made;
    return LTAP_OK;
done:
    ltap_graph_free(made);
    return status;
}

ltap_status ltap_graph_cut(const ltap_graph *graph, const uint32_t *values, size_t n_values,
                           ltap_graph **cut, ltap_error *error)
{
    ltap_graph *made = NULL;
    ltap_status status;
    LTAP_TRY(ltap_graph_copy(graph, NULL, &made, error));
    for (size_t i = 0; i < n_values; i++) {
        ltap_value *value = ltap_graph_at(made, values[i]);
        if (value->producer != LTAP_NO_NODE)
            ltap_graph_node(made, value->producer)->outputs[value->slot] = LTAP_NO_VALUE;
        value->producer = LTAP_NO_NODE;
        value->is_input = true;
        LTAP_GO(ltap_vector_push(&made->inputs, &values[i], error));
    }
    LTAP_GO(ltap_graph_link(made, error));
    *cut = made;
    return LTAP_OK;
done:
    ltap_graph_free(made);
    return status;
}
