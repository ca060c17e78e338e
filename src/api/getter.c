/* Public functions of <layertap/getter.h>: check arguments, call inside, nothing else. */
#include <layertap/getter.h>

#include "base/error.h"
#include "plan/estimate.h"
#include "plan/getter.h"

ltap_status ltap_getter_new(const ltap_model *model, const ltap_return_layer *layers,
                            size_t n_layers, const ltap_getter_options *options,
                            ltap_getter **getter, ltap_error *error)
{
    if (!model || !getter || (n_layers && !layers))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_getter_new: an argument is NULL");
    *getter = NULL;
    return ltap_getter_make(model, layers, n_layers, options, true, getter, error);
}

void ltap_getter_free(ltap_getter *getter)
{
    ltap_getter_unref(getter);
}

size_t ltap_getter_layers_count(const ltap_getter *getter)
{
    return getter->n_layers;
}

const ltap_getter_layer *ltap_getter_layers_at(const ltap_getter *getter, size_t index)
{
    return index < getter->n_layers ? &getter->layers[index] : NULL;
}

size_t ltap_getter_starts_count(const ltap_getter *getter)
{
    return getter->n_starts;
}

const ltap_getter_layer *ltap_getter_starts_at(const ltap_getter *getter, size_t index)
{
    return index < getter->n_starts ? &getter->starts[index] : NULL;
}

size_t ltap_getter_inputs_count(const ltap_getter *getter)
{
    return getter->n_inputs;
}

const ltap_port *ltap_getter_inputs_at(const ltap_getter *getter, size_t index)
{
    return index < getter->n_inputs ? &getter->inputs[index] : NULL;
}

int ltap_getter_threads(const ltap_getter *getter)
{
    return getter->threads;
}

int ltap_getter_keeps(const ltap_getter *getter, size_t layer_index)
{
    return ltap_getter_keeps_listed(getter, layer_index) ? 1 : 0;
}

ltap_status ltap_getter_estimate(ltap_getter *getter, const ltap_tensor *inputs, size_t n_inputs,
                                 ltap_estimate *estimate, ltap_error *error)
{
    const ltap_plan *plan;

    if (!getter || !estimate || (n_inputs && !inputs))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_getter_estimate: an argument is NULL");
    LTAP_TRY(ltap_getter_plan_for(getter, inputs, n_inputs, NULL, &plan, error));
    ltap_plan_estimate(getter, plan, 0, estimate);
    ltap_getter_return(getter, plan);
    return LTAP_OK;
}

ltap_status ltap_getter_shapes(ltap_getter *getter, const ltap_tensor *inputs, size_t n_inputs,
                               ltap_tensor *features, ltap_error *error)
{
    const ltap_plan *plan;

    if (!getter || !features || (n_inputs && !inputs))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_getter_shapes: an argument is NULL");
    LTAP_TRY(ltap_getter_plan_for(getter, inputs, n_inputs, NULL, &plan, error));
    for (size_t i = 0; i < plan->n_features; i++)
        features[i] = plan->features[i];
    ltap_getter_return(getter, plan);
    return LTAP_OK;
}

ltap_status ltap_getter_explain(ltap_getter *getter, const ltap_tensor *inputs, size_t n_inputs,
                                void (*line)(void *user, const char *text), void *user,
                                ltap_error *error)
{
    const ltap_plan *plan;

    if (!getter || !line || (n_inputs && !inputs))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_getter_explain: an argument is NULL");
    LTAP_TRY(ltap_getter_plan_for(getter, inputs, n_inputs, NULL, &plan, error));
    ltap_status status = ltap_plan_explain(plan, getter->graph, line, user, error);
    ltap_getter_return(getter, plan);
    return status;
}
