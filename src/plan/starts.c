/* Starting inside the network: a layer's value is given instead of computed. */
#include "plan/starts.h"

#include "base/error.h"
#include "graph/copy.h"
#include "passes/pass.h"

#include <string.h>

static ltap_status refuse(const char *layer, const char *why, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_INPUT, "'%s' cannot be started from: it is %s", layer,
                          why);
}

static ltap_status check_start(const ltap_getter *getter, size_t index, ltap_error *error)
{
    const ltap_getter_layer *start = &getter->starts[index];
    const ltap_graph *graph = getter->model->graph;
    const ltap_value *value = ltap_graph_at(graph, getter->start_values[index]);

    if (value->is_input)
        return refuse(start->layer, "an input of the model already", error);
    if (value->constant || value->producer == LTAP_NO_NODE)
        return refuse(start->layer, "a constant of the model", error);
    for (size_t i = 0; i < graph->inputs.count; i++)
        if (strcmp(getter->model->inputs[i].name, start->name) == 0)
            return ltap_error_set(error, LTAP_ERROR_INPUT,
                                  "the model has an input '%s' already; give '%s' another name",
                                  start->name, start->layer);
    for (size_t i = 0; i < index; i++) {
        if (getter->start_values[i] == getter->start_values[index])
            return ltap_error_set(error, LTAP_ERROR_INPUT,
                                  "'%s' and '%s' are one value; start from it once",
                                  getter->starts[i].layer, start->layer);
        if (strcmp(getter->starts[i].name, start->name) == 0)
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                                  "two inputs are called '%s'; give one another name", start->name);
    }
    return LTAP_OK;
}

static ltap_status resolve_start(ltap_getter *getter, const ltap_getter_options *options,
                                 size_t index, ltap_error *error)
{
    const ltap_return_layer *from = &options->from[index];
    ltap_getter_layer *start = &getter->starts[index];

    if (!from->layer || !from->layer[0] || (from->name && !from->name[0]))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "layer %zu to start from has no name",
                              index);
    LTAP_TRY(ltap_getter_resolve(getter, from, options->calls, start, &getter->start_values[index],
                                 error));
    return check_start(getter, index, error);
}

/* Whether a BatchNormalization is computed as one with the convolution whose value is given. */
static bool tears(const ltap_graph *graph, uint32_t value)
{
    const ltap_value *at = ltap_graph_at(graph, value);

    for (size_t i = 0; i < at->n_consumers; i++) {
        const ltap_node *conv =
            ltap_fold_batchnorm_into(graph, ltap_graph_node(graph, at->consumers[i]));
        if (conv && conv->index == at->producer)
            return true;
    }
    return false;
}

ltap_status ltap_starts_take(ltap_getter *getter, const ltap_getter_options *options,
                             ltap_error *error)
{
    const ltap_graph *graph = getter->model->graph;
    void *block;

    getter->graph = getter->model->rewritten;
    if (!options->n_from)
        return LTAP_OK;
    if (!options->from)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "the layers to start from are NULL");
    LTAP_TRY(
        ltap_arena_take(&getter->arena, options->n_from, sizeof(*getter->starts), &block, error));
    getter->starts = block;
    LTAP_TRY(ltap_arena_take(&getter->arena, options->n_from, sizeof(uint32_t), &block, error));
    getter->start_values = block;
    getter->n_starts = options->n_from;
    for (size_t i = 0; i < getter->n_starts; i++) {
        LTAP_TRY(resolve_start(getter, options, i, error));
        if (tears(graph, getter->start_values[i]))
            getter->starts[i].note = "the whole network computes this convolution and the "
                                     "BatchNormalization after it in one; started in between, "
                                     "the last bits after it may differ";
    }
    LTAP_TRY(ltap_graph_cut(graph, getter->start_values, getter->n_starts, &getter->cut, error));
    LTAP_TRY(ltap_passes_apply(getter->cut, &getter->own, error));
    getter->graph = getter->own;
    return LTAP_OK;
}

ltap_status ltap_starts_check(const ltap_getter *getter, ltap_error *error)
{
    for (size_t i = 0; i < getter->n_starts; i++) {
        bool needed = false;
        for (size_t k = 0; k < getter->n_inputs; k++)
            needed = needed || getter->input_values[k] == getter->start_values[i];
        if (!needed)
            return ltap_error_set(error, LTAP_ERROR_INPUT,
                                  "nothing that is asked for depends on '%s', from which to start",
                                  getter->starts[i].layer);
    }
    return LTAP_OK;
}
