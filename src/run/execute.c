/* Doing the steps of a plan, one after the other. */
#include "run/run.h"

#include "backends/layout.h"
#include "base/error.h"

void *ltap_run_locate(const ltap_run *run, const ltap_plan *plan, const ltap_operand *operand)
{
    if (operand->value == LTAP_NO_VALUE || operand->buffer == LTAP_NO_BUFFER)
        return NULL;
    const ltap_buffer *buffer = LTAP_VECTOR_AT(&plan->buffers, ltap_buffer, operand->buffer);
    switch (buffer->kind) {
    case LTAP_BUFFER_CONSTANT:
        return (void *)buffer->constant;
    case LTAP_BUFFER_INPUT:
        return run->inputs[buffer->input].data;
    case LTAP_BUFFER_ARENA:
        return (char *)run->arena + buffer->offset + operand->offset;
    }
    return NULL;
}

static ltap_status do_kernel(ltap_run *run, const ltap_plan *plan, const ltap_step *step,
                             ltap_error *error)
{
    for (size_t i = 0; i < step->n_inputs + step->n_outputs; i++)
        run->pointers[i] = ltap_run_locate(run, plan, &step->operands[i]);
    return step->kernel.impl->run(&step->kernel, (const void *const *)run->pointers,
                                  run->pointers + step->n_inputs, run->scratch, error);
}

static ltap_status do_reference(ltap_run *run, const ltap_plan *plan, const ltap_step *step,
                                ltap_error *error)
{
    for (size_t i = 0; i < step->n_inputs + step->n_outputs; i++) {
        run->tensors[i] = step->operands[i].tensor;
        run->tensors[i].data = ltap_run_locate(run, plan, &step->operands[i]);
    }
    ltap_insider insider;
    ltap_call call = {.node = step->node,
                      .observer = ltap_run_observe(run, &insider),
                      .inputs = run->tensors,
                      .n_inputs = step->n_inputs,
                      .outputs = run->tensors + step->n_inputs,
                      .n_outputs = step->n_outputs,
                      .memory = run->memory,
                      .threads = run->getter->threads};
    return step->node->op->reference(&call, error);
}

static ltap_layout_side side_of(const ltap_run *run, const ltap_plan *plan,
                                const ltap_operand *operand)
{
    return (ltap_layout_side){ltap_run_locate(run, plan, operand), operand->layout, operand->step};
}

static void do_convert(ltap_run *run, const ltap_plan *plan, const ltap_step *step)
{
    ltap_layout_side from = side_of(run, plan, &step->operands[0]);
    ltap_layout_side to = side_of(run, plan, &step->operands[1]);

    ltap_layout_convert(&step->operands[0].tensor, &from, &to, run->getter->threads);
}

void ltap_run_copy_plain(const ltap_run *run, const ltap_operand *operand, const void *src,
                         void *dst)
{
    ltap_layout_side from = {(void *)(uintptr_t)src, operand->layout, operand->step};
    ltap_layout_side to = {dst, LTAP_LAYOUT_PLAIN, 0};

    ltap_layout_convert(&operand->tensor, &from, &to, run->getter->threads);
}

ltap_status ltap_run_hand_on(const ltap_sink *sink, size_t index, const ltap_feature *feature,
                             ltap_error *error)
{
    ltap_error said;

    said.code = LTAP_OK;
    ltap_status status = sink->take(sink->user, index, feature, &said);
    if (status == LTAP_OK)
        return LTAP_OK;
    if (said.code == LTAP_OK)
        return ltap_error_set(error, status, "the sink did not take '%s'", feature->name);
    if (error)
        *error = said;
    return status;
}

/* between: room for what lies between the reductions. */
static void reduce(ltap_run *run, const ltap_step *step, void *data, void *dst, char *between)
{
    const ltap_operand *from = &step->operands[0];
    ltap_seen seen = ltap_reduce_see(&from->tensor, from->layout, from->step);

    seen.tensor.data = data;
    ltap_reduce_run(step->reduce, &seen, dst, between, run->getter->threads);
}

/* A feature goes to the sink as it lies where that is plain, else from what the arena lends. */
static ltap_status do_tap(ltap_run *run, const ltap_plan *plan, const ltap_step *step,
                          ltap_features *features, ltap_error *error)
{
    const ltap_operand *from = &step->operands[0];
    ltap_feature *feature = &features->features[step->feature];
    void *data = ltap_run_locate(run, plan, from);
    char *lent = (char *)run->arena + step->lent_offset;
    void *dst = run->sink ? lent : feature->tensor.data;

    if (step->reduce)
        reduce(run, step, data, dst,
               run->sink ? lent + ltap_hook_view_bytes(&feature->tensor) : run->view);
    else if (!run->sink || from->layout != LTAP_LAYOUT_PLAIN) {
        if (!run->sink || !step->is_there)
            ltap_run_copy_plain(run, from, data, dst);
    } else
        dst = data;
    feature->missing = 0;
    if (!run->sink)
        return LTAP_OK;
    feature->tensor.data = dst;
    ltap_status status = ltap_run_hand_on(run->sink, step->feature, feature, error);
    feature->tensor.data = NULL;
    return status;
}

static ltap_status do_step(ltap_run *run, const ltap_plan *plan, const ltap_step *step,
                           ltap_features *features, ltap_error *error)
{
    switch (step->kind) {
    case LTAP_STEP_KERNEL:
        return do_kernel(run, plan, step, error);
    case LTAP_STEP_REFERENCE:
        return do_reference(run, plan, step, error);
    case LTAP_STEP_CONVERT:
        do_convert(run, plan, step);
        return LTAP_OK;
    case LTAP_STEP_TAP:
        return do_tap(run, plan, step, features, error);
    case LTAP_STEP_HOOK:
        return ltap_run_hooks(run, plan, step, error);
    }
    return LTAP_OK;
}

static ltap_status do_timed(ltap_run *run, const ltap_plan *plan, const ltap_step *step,
                            ltap_features *features, ltap_error *error)
{
    size_t index = (size_t)(step - (const ltap_step *)plan->steps.data);
    ltap_profile_step *line = &run->profile.steps[index];
    uint64_t began = ltap_profile_clock();
    ltap_status status = do_step(run, plan, step, features, error);

    line->nanoseconds += ltap_profile_clock() - began;
    line->calls++;
    return status;
}

/* Whether a step hands out what the step before it may have replaced, so that it was there when
 * the forward was stopped. */
static bool hands_out(const ltap_step *step, const ltap_step *hook)
{
    for (size_t i = 0; step->kind == LTAP_STEP_TAP && i < hook->n_outputs; i++)
        if (hook->operands[hook->n_inputs + i].value == step->operands[0].value)
            return true;
    return false;
}

ltap_status ltap_run_execute(ltap_run *run, const ltap_plan *plan, ltap_features *features,
                             ltap_error *error)
{
    const ltap_step *hook = NULL;

    for (size_t i = 0; i < plan->steps.count; i++) {
        const ltap_step *step = LTAP_VECTOR_AT(&plan->steps, ltap_step, i);
        if (run->stopped && !hands_out(step, hook))
            return LTAP_OK;
        ltap_status status = run->profile.on ? do_timed(run, plan, step, features, error)
                                             : do_step(run, plan, step, features, error);
        if (status != LTAP_OK && run->stopped) { /* by a hook inside this step */
            if (error)
                *error = (ltap_error){.code = LTAP_OK, .offset = LTAP_NO_OFFSET};
            return LTAP_OK;
        }
        if (status != LTAP_OK && step->node)
            return ltap_error_prefix(error, status, "%s",
                                     ltap_node_text(run->getter->graph, step->node).text);
        if (status != LTAP_OK)
            return status;
        hook = step->kind == LTAP_STEP_HOOK ? step : hook;
    }
    return LTAP_OK;
}
