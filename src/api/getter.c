/* Public functions of <layertap/getter.h>: check arguments, call inside, nothing else. */
#include <layertap/getter.h>

#include "base/error.h"
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

/* The plan for public input shapes: given ones, or the model's fixed ones. */
static ltap_status find_plan(ltap_getter *getter, const ltap_tensor *inputs, size_t n_inputs,
                             const ltap_plan **plan, ltap_error *error)
{
    ltap_status status;
    void *shapes = NULL;

    if (n_inputs)
        return n_inputs == getter->n_inputs
                   ? ltap_getter_plan(getter, inputs, NULL, plan, error)
                   : ltap_error_set(error, LTAP_ERROR_INPUT,
                                    "%zu input shapes were given; the request needs %zu", n_inputs,
                                    getter->n_inputs);
    LTAP_TRY(ltap_memory_take_zeroed(getter->memory, getter->n_inputs, sizeof(ltap_tensor),
                                     "input shapes", &shapes, error));
    LTAP_GO(ltap_getter_fixed_shapes(getter, shapes, error));
    LTAP_GO(ltap_getter_plan(getter, shapes, NULL, plan, error));
done:
    ltap_memory_release(getter->memory, shapes);
    return status;
}

/* While weights are packed there may be more than ever after. */
static uint64_t total_of(const ltap_plan *plan, const ltap_estimate *estimate, uint64_t features)
{
    uint64_t running =
        estimate->packed_bytes + estimate->arena_bytes + estimate->scratch_bytes + features;

    return plan->planning_bytes > running ? plan->planning_bytes : running;
}

static void estimate_plan(const ltap_getter *getter, const ltap_plan *plan, ltap_estimate *estimate)
{
    enum { LEAST = 4 << 20, SHARE = 64 };
    uint64_t scratch = plan->scratch_bytes + plan->temporary_bytes + plan->state_bytes;

    *estimate =
        (ltap_estimate){.packed_bytes = ltap_packs_bytes(getter->packs) + plan->constant_bytes,
                        .arena_bytes = plan->arena_bytes,
                        .scratch_bytes = scratch + plan->view_bytes,
                        .features_bytes = plan->features_bytes,
                        .handed_bytes = plan->sink_bytes,
                        .mult_adds = plan->mult_adds,
                        .n_nodes = plan->n_nodes};
    uint64_t total = total_of(plan, estimate, estimate->features_bytes);
    estimate->stream_bytes = total_of(plan, estimate, estimate->handed_bytes);
    estimate->packed_bytes =
        total - estimate->arena_bytes - estimate->scratch_bytes - estimate->features_bytes;
    estimate->besides_bytes = LEAST + (total - estimate->features_bytes) / SHARE;
    estimate->total_bytes = total + estimate->besides_bytes;
    estimate->stream_bytes += estimate->besides_bytes;
}

ltap_status ltap_getter_estimate(ltap_getter *getter, const ltap_tensor *inputs, size_t n_inputs,
                                 ltap_estimate *estimate, ltap_error *error)
{
    const ltap_plan *plan;

    if (!getter || !estimate || (n_inputs && !inputs))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_getter_estimate: an argument is NULL");
    LTAP_TRY(find_plan(getter, inputs, n_inputs, &plan, error));
    estimate_plan(getter, plan, estimate);
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
    LTAP_TRY(find_plan(getter, inputs, n_inputs, &plan, error));
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
    LTAP_TRY(find_plan(getter, inputs, n_inputs, &plan, error));
    ltap_status status = ltap_plan_explain(plan, getter->graph, line, user, error);
    ltap_getter_return(getter, plan);
    return status;
}
