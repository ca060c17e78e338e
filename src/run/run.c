/* A forward: inputs matched by name, a plan for their shapes, memory for the plan, the steps. */
#include "run/run.h"

#include "base/error.h"
#include "base/parallel.h"
#include "plan/estimate.h"

#include <string.h>

ltap_status ltap_run_make(ltap_getter *getter, ltap_run **run, ltap_error *error)
{
    void *block;
    ltap_status status;

    LTAP_TRY(ltap_memory_take_zeroed(getter->memory, 1, sizeof(ltap_run), "a run", &block, error));
    ltap_run *made = block;
    made->getter = ltap_getter_ref(getter);
    made->memory = getter->memory;
    ltap_profile_init(&made->profile, made->memory);
    ltap_hooks_init(&made->hooks, made->memory);
    LTAP_GO(ltap_memory_take_zeroed(made->memory, getter->n_inputs, sizeof(ltap_tensor),
                                    "a run's inputs", &block, error));
    made->inputs = block;
    *run = made;
    made = NULL;
done:
    ltap_run_release(made);
    return status;
}

void ltap_run_release(ltap_run *run)
{
    if (!run)
        return;
    ltap_getter *getter = run->getter;
    ltap_memory *memory = run->memory;
    ltap_profile_clear(&run->profile);
    ltap_hooks_clear(&run->hooks, getter);
    ltap_pool_free(run->pool);
    ltap_memory_release(memory, run->arena);
    ltap_memory_release(memory, run->scratch);
    ltap_memory_release(memory, run->view);
    ltap_memory_release(memory, run->tensors);
    ltap_memory_release(memory, run->pointers);
    ltap_memory_release(memory, run->inputs);
    ltap_memory_release(memory, run);
    ltap_getter_unref(getter);
}

/* Where an input goes: position among the getter's, or n_inputs for one that is not needed. */
static ltap_status place(const ltap_getter *getter, const ltap_input *input, size_t position,
                         size_t *index, ltap_error *error)
{
    const ltap_model *model = getter->model;

    *index = position;
    if (!input->name) {
        if (position < getter->n_inputs)
            return LTAP_OK;
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "%zu inputs were given; the request needs %zu", position + 1,
                              getter->n_inputs);
    }
    for (*index = 0; *index < getter->n_inputs; ++*index)
        if (strcmp(getter->inputs[*index].name, input->name) == 0)
            return LTAP_OK;
    for (size_t i = 0; i < model->graph->inputs.count; i++)
        if (strcmp(model->inputs[i].name, input->name) == 0)
            return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_INPUT, "the model has no input '%s'%s%s%s", input->name,
                          getter->n_inputs ? "; it wants '" : "",
                          getter->n_inputs ? getter->inputs[0].name : "",
                          getter->n_inputs ? "'" : "");
}

static ltap_status check_tensor(const ltap_port *port, const ltap_tensor *tensor, ltap_error *error)
{
    size_t alignment = ltap_dtype_bits(tensor->dtype) / 8;

    if (tensor->rank < 0 || tensor->rank > LTAP_MAX_RANK)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "the input '%s' has rank %d; 0 to %d",
                              port->name, tensor->rank, LTAP_MAX_RANK);
    ltap_status status = ltap_tensor_check(tensor, error);
    if (status != LTAP_OK)
        return ltap_error_prefix(error, status, "the input '%s'", port->name);
    if (!tensor->data && ltap_tensor_bytes(tensor))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "the input '%s' has no data", port->name);
    if (alignment > 1 && (uintptr_t)tensor->data % alignment)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "the data of the input '%s' is not aligned to its type", port->name);
    return LTAP_OK;
}

static ltap_status match_inputs(ltap_run *run, const ltap_input *inputs, size_t n_inputs,
                                ltap_error *error)
{
    const ltap_getter *getter = run->getter;
    size_t index;

    for (size_t i = 0; i < getter->n_inputs; i++)
        run->inputs[i].dtype = LTAP_UNDEFINED;
    for (size_t i = 0; i < n_inputs; i++) {
        LTAP_TRY(place(getter, &inputs[i], i, &index, error));
        if (index == getter->n_inputs)
            continue;
        if (run->inputs[index].dtype != LTAP_UNDEFINED)
            return ltap_error_set(error, LTAP_ERROR_INPUT, "the input '%s' is given twice",
                                  getter->inputs[index].name);
        LTAP_TRY(check_tensor(&getter->inputs[index], &inputs[i].tensor, error));
        run->inputs[index] = inputs[i].tensor;
    }
    for (size_t i = 0; i < getter->n_inputs; i++)
        if (run->inputs[i].dtype == LTAP_UNDEFINED)
            return ltap_error_set(error, LTAP_ERROR_INPUT,
                                  "the input '%s' is missing; the request needs it",
                                  getter->inputs[i].name);
    return LTAP_OK;
}

/* Grows a block without keeping its contents. */
static ltap_status renew(ltap_run *run, void **block, uint64_t *have, uint64_t want,
                         const char *what, ltap_error *error)
{
    if (*block && *have >= want)
        return LTAP_OK;
    ltap_memory_release(run->memory, *block);
    *block = NULL;
    *have = 0;
    LTAP_TRY(ltap_memory_take_large(run->memory, want, what, block, error));
    *have = want;
    return LTAP_OK;
}

static ltap_status take_memory(ltap_run *run, const ltap_plan *plan, ltap_error *error)
{
    uint64_t arena_bytes = plan->arena_bytes + (run->sink ? plan->sink_bytes : 0);
    void *block;

    LTAP_TRY(renew(run, &run->arena, &run->arena_bytes, arena_bytes, "the arena", error));
    LTAP_TRY(renew(run, &run->scratch, &run->scratch_bytes, plan->scratch_bytes,
                   "the kernels' scratch memory", error));
    LTAP_TRY(renew(run, &run->view, &run->view_bytes, plan->view_bytes, "what hooks and taps see",
                   error));
    if (run->tensors && run->n_operands >= plan->max_operands)
        return LTAP_OK;
    ltap_memory_release(run->memory, run->tensors);
    ltap_memory_release(run->memory, run->pointers);
    run->tensors = NULL;
    run->pointers = NULL;
    LTAP_TRY(ltap_memory_take_zeroed(run->memory, plan->max_operands, sizeof(ltap_tensor),
                                     "a run's operands", &block, error));
    run->tensors = block;
    LTAP_TRY(ltap_memory_take_zeroed(run->memory, plan->max_operands, sizeof(void *),
                                     "a run's operands", &block, error));
    run->pointers = block;
    run->n_operands = plan->max_operands;
    return LTAP_OK;
}

static uint64_t more(uint64_t have, uint64_t want)
{
    return want > have ? want - have : 0;
}

/* Refuses before anything is computed what would not fit in the end. */
static ltap_status check_room(const ltap_run *run, const ltap_plan *plan, ltap_error *error)
{
    uint64_t besides = more(run->scratch_bytes, plan->scratch_bytes) + plan->temporary_bytes +
                       more(run->view_bytes, plan->view_bytes);
    uint64_t streamed = besides + more(run->arena_bytes, plan->arena_bytes + plan->sink_bytes);
    uint64_t whole = besides + more(run->arena_bytes, plan->arena_bytes) + plan->features_bytes;

    if (run->sink)
        return ltap_memory_check(run->memory, streamed, "a forward", error);
    bool would = ltap_memory_check(run->memory, streamed, "", NULL) == LTAP_OK;
    return ltap_memory_check(run->memory, whole,
                             would ? "a forward that keeps its features (ltap_run_stream would fit)"
                                   : "a forward",
                             error);
}

/* The sink hears of what a stopped forward has not made. */
static ltap_status tell_missing(ltap_run *run, const ltap_features *features, ltap_error *error)
{
    for (size_t i = 0; run->stopped && i < features->count; i++)
        if (features->features[i].missing)
            LTAP_TRY(ltap_run_hand_on(run->sink, i, &features->features[i], error));
    return LTAP_OK;
}

/* The steps of a plan, into new features. */
static ltap_status go(ltap_run *run, const ltap_plan *plan, ltap_features **features,
                      ltap_error *error)
{
    ltap_features *made = NULL;

    LTAP_TRY(check_room(run, plan, error));
    LTAP_TRY(take_memory(run, plan, error));
    if (run->profile.on)
        LTAP_TRY(ltap_profile_prepare(&run->profile, run->getter, plan, error));
    LTAP_TRY(ltap_features_new(run->getter, plan, run->sink == NULL, &made, error));
    ltap_status status = ltap_run_execute(run, plan, made, error);
    if (status == LTAP_OK && run->sink)
        status = tell_missing(run, made, error);
    else if (status == LTAP_OK && run->stopped)
        status = ltap_features_stop(made, run->stopped, error);
    if (status != LTAP_OK || run->sink) {
        ltap_features_release(made);
        return status;
    }
    *features = made;
    return LTAP_OK;
}

static ltap_status plan_and_go(ltap_run *run, ltap_features **features, ltap_error *error)
{
    const ltap_plan *plan;

    LTAP_TRY(ltap_hooks_prepare(&run->hooks, run->getter, error));
    LTAP_TRY(ltap_getter_plan(run->getter, run->inputs, run->hooks.watch, &plan, error));
    ltap_status status = go(run, plan, features, error);
    ltap_getter_return(run->getter, plan);
    return status;
}

ltap_status ltap_run_foresee(ltap_run *run, const ltap_tensor *inputs, size_t n_inputs,
                             ltap_estimate *estimate, ltap_error *error)
{
    const ltap_plan *plan;

    if (run->busy)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "this run is in the middle of a forward; estimate before it");
    LTAP_TRY(ltap_hooks_prepare(&run->hooks, run->getter, error));
    LTAP_TRY(ltap_getter_plan_for(run->getter, inputs, n_inputs, run->hooks.watch, &plan, error));
    ltap_plan_estimate(run->getter, plan, ltap_hooks_bytes(&run->hooks, plan), estimate);
    ltap_getter_return(run->getter, plan);
    return LTAP_OK;
}

ltap_status ltap_run_go(ltap_run *run, const ltap_input *inputs, size_t n_inputs,
                        const ltap_sink *sink, ltap_features **features, ltap_error *error)
{
    if (run->busy)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "this run is in the middle of a forward; a hook may use another run");
    LTAP_TRY(match_inputs(run, inputs, n_inputs, error));
    if (!run->pool)
        LTAP_TRY(ltap_pool_new(run->memory, run->getter->threads, &run->pool, error));
    ltap_pool *before = ltap_parallel_enter(run->pool);
    run->busy = true;
    run->stopped = NULL;
    run->sink = sink;
    ltap_status status = plan_and_go(run, features, error);
    run->busy = false;
    ltap_parallel_enter(before);
    return status;
}
