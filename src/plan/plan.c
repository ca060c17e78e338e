/* Making a plan: shapes, then steps, then places. See plan.h. */
#include "plan/plan.h"

#include "base/error.h"
#include "plan/schedule.h"

#include <string.h>

static ltap_status new_plan(const ltap_plan_request *request, ltap_plan **plan, ltap_error *error)
{
    void *block;

    LTAP_TRY(
        ltap_memory_take_zeroed(request->memory, 1, sizeof(ltap_plan), "a plan", &block, error));
    ltap_plan *made = block;
    made->memory = request->memory;
    ltap_arena_init(&made->arena, request->memory);
    ltap_vector_init(&made->steps, request->memory, sizeof(ltap_step));
    ltap_vector_init(&made->buffers, request->memory, sizeof(ltap_buffer));
    ltap_vector_init(&made->blocks, request->memory, sizeof(void *));
    *plan = made;
    return LTAP_OK;
}

void ltap_plan_free(ltap_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->steps.count; i++) {
        ltap_step *step = LTAP_VECTOR_AT(&plan->steps, ltap_step, i);
        if (step->kind == LTAP_STEP_KERNEL)
            step->kernel.impl->release(&step->kernel, plan->memory);
    }
    for (size_t i = 0; i < plan->blocks.count; i++)
        ltap_memory_release(plan->memory, *LTAP_VECTOR_AT(&plan->blocks, void *, i));
    ltap_vector_clear(&plan->steps);
    ltap_vector_clear(&plan->buffers);
    ltap_vector_clear(&plan->blocks);
    ltap_arena_clear(&plan->arena);
    ltap_memory_release(plan->memory, plan);
}

static size_t largest_arity(const ltap_graph *graph)
{
    size_t most = 1;

    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        size_t arity = node->n_inputs + node->n_outputs;
        most = arity > most ? arity : most;
    }
    return most;
}

static ltap_status take(ltap_schedule *schedule, size_t count, size_t size, void *pointer,
                        ltap_error *error)
{
    void *block;

    LTAP_TRY(ltap_memory_take_zeroed(schedule->request->memory, count, size, "the plan's tables",
                                     &block, error));
    memcpy(pointer, &block, sizeof(block));
    return LTAP_OK;
}

static ltap_status take_tables(ltap_schedule *schedule, ltap_error *error)
{
    const ltap_plan_request *request = schedule->request;
    size_t n_values = request->graph->values.count, arity = largest_arity(request->graph);

    LTAP_TRY(take(schedule, n_values, sizeof(ltap_place), &schedule->places, error));
    LTAP_TRY(take(schedule, n_values, sizeof(uint32_t), &schedule->uses, error));
    LTAP_TRY(take(schedule, n_values, sizeof(uint32_t), &schedule->tapped, error));
    LTAP_TRY(take(schedule, n_values, 1, &schedule->resident, error));
    LTAP_TRY(take(schedule, request->graph->nodes.count, 1, &schedule->done, error));
    LTAP_TRY(take(schedule, request->n_taps, sizeof(uint32_t), &schedule->next_tap, error));
    LTAP_TRY(take(schedule, arity, sizeof(ltap_tensor), &schedule->tensors, error));
    LTAP_TRY(take(schedule, arity, sizeof(void *), &schedule->identities, error));
    LTAP_TRY(take(schedule, arity, sizeof(bool), &schedule->lies_last, error));
    return take(schedule, arity, sizeof(ltap_layout), &schedule->layouts, error);
}

static void release_tables(ltap_schedule *schedule)
{
    void *const tables[] = {schedule->places,   schedule->uses,    schedule->tapped,
                            schedule->resident, schedule->done,    schedule->next_tap,
                            schedule->tensors,  schedule->layouts, (void *)schedule->identities,
                            schedule->lies_last};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        ltap_memory_release(schedule->request->memory, tables[i]);
    ltap_propagation_clear(&schedule->known);
}

static void fill_tables(ltap_schedule *schedule)
{
    const ltap_plan_request *request = schedule->request;

    for (size_t i = 0; i < request->graph->values.count; i++) {
        schedule->places[i].whole = LTAP_NO_BUFFER;
        for (int layout = 0; layout < LTAP_LAYOUT_COUNT; layout++)
            schedule->places[i].buffer[layout] = LTAP_NO_BUFFER;
    }
    for (size_t i = 0; i < request->graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(request->graph, (uint32_t)i);
        if (request->keep && !request->keep[i])
            continue;
        for (size_t k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] != LTAP_NO_VALUE)
                schedule->uses[node->inputs[k]]++;
    }
    for (size_t i = request->n_taps; i-- > 0;) {
        uint32_t value = request->taps[i];
        schedule->next_tap[i] = schedule->tapped[value];
        schedule->tapped[value] = (uint32_t)i + 1;
    }
}

/* Shapes of all graph inputs from those of the needed ones. */
static ltap_status propagate(ltap_schedule *schedule, ltap_error *error)
{
    const ltap_plan_request *request = schedule->request;
    const ltap_graph *graph = request->graph;
    ltap_status status;
    void *shapes = NULL;

    LTAP_TRY(ltap_propagation_init(&schedule->known, graph, request->memory, error));
    schedule->known.keep = request->keep;
    schedule->known.threads = request->threads;
    schedule->known.reader = request->reader;
    LTAP_GO(take(schedule, graph->inputs.count, sizeof(ltap_tensor), &shapes, error));
    for (size_t i = 0; i < graph->inputs.count; i++)
        for (size_t k = 0; k < request->n_inputs; k++)
            if (*LTAP_VECTOR_AT(&graph->inputs, uint32_t, i) == request->input_values[k])
                ((ltap_tensor *)shapes)[i] = request->inputs[k];
    LTAP_GO(ltap_propagation_run(&schedule->known, shapes, error));
done:
    ltap_memory_release(request->memory, shapes);
    return status;
}

static ltap_status keep_shapes(ltap_schedule *schedule, ltap_error *error)
{
    const ltap_plan_request *request = schedule->request;
    ltap_plan *plan = schedule->plan;
    static const ltap_reduce none;
    void *tensors, *channels;

    LTAP_TRY(
        ltap_arena_take(&plan->arena, request->n_inputs, sizeof(ltap_tensor), &tensors, error));
    plan->inputs = tensors;
    plan->n_inputs = request->n_inputs;
    for (size_t i = 0; i < request->n_inputs; i++) {
        plan->inputs[i] = request->inputs[i];
        plan->inputs[i].data = NULL;
    }
    LTAP_TRY(
        ltap_arena_take(&plan->arena, request->n_features, sizeof(ltap_tensor), &tensors, error));
    plan->features = tensors;
    LTAP_TRY(ltap_arena_take(&plan->arena, request->n_features, sizeof(int), &channels, error));
    plan->channels = channels;
    plan->n_features = request->n_features;
    for (size_t i = 0; i < request->n_features; i++) {
        const ltap_tensor *whole = &schedule->known.values[request->taps[i]].tensor;
        plan->features[i] = *whole;
        plan->features[i].data = NULL;
        if (request->reduces)
            LTAP_TRY(ltap_reduce_shape(&request->reduces[i], whole, &plan->features[i], error));
        plan->channels[i] = ltap_reduce_channels(request->reduces ? &request->reduces[i] : &none,
                                                 whole->rank, plan->features[i].rank);
        plan->features_bytes += ltap_tensor_bytes(&plan->features[i]);
    }
    return LTAP_OK;
}

ltap_status ltap_plan_new(const ltap_plan_request *request, ltap_plan **plan, ltap_error *error)
{
    ltap_schedule schedule = {.request = request};
    ltap_status status;
    ltap_plan *made = NULL;

    LTAP_GO(new_plan(request, &made, error));
    schedule.plan = made;
    LTAP_GO(take_tables(&schedule, error));
    LTAP_GO(propagate(&schedule, error));
    fill_tables(&schedule);
    LTAP_GO(keep_shapes(&schedule, error));
    LTAP_GO(ltap_schedule_steps(&schedule, error));
    LTAP_GO(ltap_offsets_place(&made->buffers, request->memory, &made->arena_bytes, error));
    LTAP_GO(ltap_offsets_lend(made, error));
    LTAP_GO(ltap_memory_check(request->memory,
                              made->arena_bytes + made->scratch_bytes + made->temporary_bytes,
                              "a forward", error));
    *plan = made;
    made = NULL;
done:
    release_tables(&schedule);
    ltap_plan_free(made);
    return status;
}
