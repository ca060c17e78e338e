/* Profiles of runs. The texts of a plan's steps are written down once, when a profile begins; after
 * that a step only adds to two numbers. No statistics: whoever reads the numbers does them.
 */
#include "run/profile.h"

#include "base/error.h"
#include "plan/watch.h"

#include <string.h>
#include <time.h>

void ltap_profile_init(ltap_profile *profile, ltap_memory *memory)
{
    *profile = (ltap_profile){.memory = memory};
    ltap_arena_init(&profile->arena, memory);
}

void ltap_profile_clear(ltap_profile *profile)
{
    ltap_arena_clear(&profile->arena);
    profile->inputs = NULL;
    profile->steps = NULL;
    profile->n_steps = 0;
}

static void empty(ltap_profile *profile)
{
    ltap_profile_clear(profile);
    ltap_arena_init(&profile->arena, profile->memory);
}

void ltap_profile_switch(ltap_profile *profile, bool on)
{
    if (on)
        empty(profile);
    profile->on = on;
}

uint64_t ltap_profile_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The value by which a step is found in the graph of the file. */
static uint32_t main_value(const ltap_step *step)
{
    if (!step->node)
        return step->operands[0].value;
    for (size_t i = 0; i < step->node->n_outputs; i++)
        if (step->node->outputs[i] != LTAP_NO_VALUE)
            return step->node->outputs[i];
    return LTAP_NO_VALUE;
}

/* The node of the file that makes a value; a convolution that took over a BatchNormalization makes
 * the latter's value, and is still found as the convolution. */
static uint32_t find_origin(const ltap_graph *graph, const ltap_node *node, uint32_t value)
{
    uint32_t producer = ltap_graph_at(graph, value)->producer;

    if (producer == LTAP_NO_NODE || !node)
        return producer;
    const ltap_node *original = ltap_graph_node(graph, producer);
    if (strcmp(original->op_type, node->op_type) == 0 || !original->n_inputs ||
        original->inputs[0] == LTAP_NO_VALUE)
        return producer;
    uint32_t before = ltap_graph_at(graph, original->inputs[0])->producer;
    bool same = before != LTAP_NO_NODE &&
                strcmp(ltap_graph_node(graph, before)->op_type, node->op_type) == 0;
    return same ? before : producer;
}

static const char *find_listed(const ltap_model *model, uint32_t node, uint32_t value)
{
    for (size_t i = 0; i < model->listed.count; i++) {
        const ltap_listed *line = LTAP_VECTOR_AT(&model->listed, ltap_listed, i);
        if (node != LTAP_NO_NODE ? line->node == node : line->value == value)
            return line->name;
    }
    return NULL;
}

static ltap_status copy_text(ltap_profile *profile, const char *text, const char **copy,
                             ltap_error *error)
{
    return ltap_arena_text(&profile->arena, text, strlen(text), copy, error);
}

static ltap_status name_layer(ltap_profile *profile, const ltap_getter *getter,
                              const ltap_plan *plan, const ltap_step *step, const char **layer,
                              ltap_error *error)
{
    const ltap_model *model = getter->model;
    const ltap_graph *graph = model->graph;
    uint32_t value = main_value(step);
    ltap_text text = {""};

    if (step->kind == LTAP_STEP_HOOK)
        return copy_text(profile, plan->watch->points[step->point].layer, layer, error);

    if (value != LTAP_NO_VALUE && value < graph->values.count) {
        uint32_t node = find_origin(graph, step->node, value);
        const char *name = find_listed(model, node, value);
        if (name)
            return copy_text(profile, name, layer, error);
        if (node != LTAP_NO_NODE)
            text = ltap_model_place(model, node);
        else
            return copy_text(profile, ltap_graph_at(graph, value)->name, layer, error);
    } else if (step->node) {
        text = ltap_node_text(getter->graph, step->node);
    }
    return copy_text(profile, text.text, layer, error);
}

static ltap_status name_operation(ltap_profile *profile, const ltap_step *step, const char **text,
                                  ltap_error *error)
{
    const char *ours = step->kind == LTAP_STEP_CONVERT ? "convert"
                       : step->kind == LTAP_STEP_TAP   ? "tap"
                       : step->kind == LTAP_STEP_HOOK  ? "hook"
                                                       : NULL;

    if (ours)
        return copy_text(profile, ours, text, error);
    LTAP_TRY(copy_text(profile, step->node->op_type, text, error));
    for (size_t i = 0; i < step->n_chain; i++)
        LTAP_TRY(ltap_arena_format(&profile->arena, text, error, "%s+%s", *text,
                                   step->chain[i]->op_type));
    return LTAP_OK;
}

static ltap_status name_kernel(ltap_profile *profile, const ltap_step *step, const char **text,
                               ltap_error *error)
{
    const ltap_kernel *kernel = &step->kernel;

    if (step->kind == LTAP_STEP_KERNEL)
        return ltap_arena_format(&profile->arena, text, error, "%s%s%s", kernel->impl->name,
                                 kernel->detail[0] ? " " : "", kernel->detail);
    return copy_text(profile, step->kind == LTAP_STEP_REFERENCE ? "reference" : "copy", text,
                     error);
}

static ltap_status describe(ltap_profile *profile, const ltap_getter *getter, const ltap_plan *plan,
                            const ltap_step *step, ltap_profile_step *line, ltap_error *error)
{
    LTAP_TRY(name_layer(profile, getter, plan, step, &line->layer, error));
    LTAP_TRY(name_operation(profile, step, &line->operation, error));
    LTAP_TRY(name_kernel(profile, step, &line->kernel, error));
    line->mult_adds = step->mult_adds;
    return copy_text(profile, step->refusals ? step->refusals : "", &line->refusals, error);
}

static bool is_about(const ltap_profile *profile, const ltap_plan *plan)
{
    if (!profile->steps || profile->watch != (plan->watch ? plan->watch->number : 0))
        return false;
    for (size_t i = 0; i < plan->n_inputs; i++)
        if (!ltap_tensor_same_shape(&profile->inputs[i], &plan->inputs[i]))
            return false;
    return true;
}

static ltap_status begin(ltap_profile *profile, const ltap_getter *getter, const ltap_plan *plan,
                         ltap_error *error)
{
    void *inputs, *steps;

    LTAP_TRY(ltap_arena_take(&profile->arena, plan->n_inputs, sizeof(ltap_tensor), &inputs, error));
    LTAP_TRY(ltap_arena_take(&profile->arena, plan->steps.count, sizeof(ltap_profile_step), &steps,
                             error));
    for (size_t i = 0; i < plan->n_inputs; i++)
        ((ltap_tensor *)inputs)[i] = plan->inputs[i];
    for (size_t i = 0; i < plan->steps.count; i++)
        LTAP_TRY(describe(profile, getter, plan, LTAP_VECTOR_AT(&plan->steps, ltap_step, i),
                          (ltap_profile_step *)steps + i, error));
    profile->watch = plan->watch ? plan->watch->number : 0;
    profile->inputs = inputs;
    profile->steps = steps;
    profile->n_steps = plan->steps.count;
    return LTAP_OK;
}

ltap_status ltap_profile_prepare(ltap_profile *profile, const ltap_getter *getter,
                                 const ltap_plan *plan, ltap_error *error)
{
    if (is_about(profile, plan))
        return LTAP_OK;
    empty(profile);
    ltap_status status = begin(profile, getter, plan, error);
    if (status != LTAP_OK)
        empty(profile);
    return status;
}
