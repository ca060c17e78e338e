/* A plan in words: one line a step, so that a wrong number can be found from what is printed. */
#include "plan/plan.h"

#include "base/error.h"
#include "base/vector.h"

#include <string.h>

static const char *const layout_names[LTAP_LAYOUT_COUNT] = {"plain", "channels-last"};

static const char *value_name(const ltap_graph *graph, uint32_t value)
{
    const char *name = ltap_graph_at(graph, value)->name;

    return name[0] == '\1' ? name + 1 : name;
}

static ltap_status append_operand(const ltap_plan *plan, const ltap_graph *graph,
                                  const ltap_operand *operand, ltap_vector *text, ltap_error *error)
{
    if (operand->value == LTAP_NO_VALUE)
        return ltap_text_format(text, error, " -");
    LTAP_TRY(ltap_text_format(text, error, " %s", value_name(graph, operand->value)));
    if (operand->buffer == LTAP_NO_BUFFER)
        return ltap_text_format(text, error, "{packed}");
    const ltap_buffer *buffer = LTAP_VECTOR_AT(&plan->buffers, ltap_buffer, operand->buffer);
    if (buffer->kind == LTAP_BUFFER_CONSTANT)
        return ltap_text_format(text, error, "{constant}");
    if (buffer->kind == LTAP_BUFFER_INPUT)
        return ltap_text_format(text, error, "{input %u}", buffer->input);
    LTAP_TRY(ltap_text_format(text, error, "{%s %s @%llu", ltap_shape_text(&operand->tensor).text,
                              layout_names[operand->layout],
                              (unsigned long long)(buffer->offset + operand->offset)));
    if (operand->step)
        LTAP_TRY(ltap_text_format(text, error, " step %lld", (long long)operand->step));
    return ltap_text_format(text, error, "}");
}

static ltap_status append_head(const ltap_step *step, ltap_vector *text, ltap_error *error)
{
    switch (step->kind) {
    case LTAP_STEP_KERNEL:
        LTAP_TRY(ltap_text_format(text, error, "%s", step->node->op_type));
        for (size_t i = 0; i < step->n_chain; i++)
            LTAP_TRY(ltap_text_format(text, error, "+%s", step->chain[i]->op_type));
        return ltap_text_format(text, error, " [%s%s%s]", step->kernel.impl->name,
                                step->kernel.detail[0] ? " " : "", step->kernel.detail);
    case LTAP_STEP_REFERENCE:
        return ltap_text_format(text, error, "%s [reference]", step->node->op_type);
    case LTAP_STEP_CONVERT:
        return ltap_text_format(
            text, error, step->operands[0].layout == step->operands[1].layout ? "copy" : "convert");
    case LTAP_STEP_TAP:
        return ltap_text_format(text, error, "tap %zu%s%s%s", step->feature,
                                step->reduce && step->reduce->second ? " channels first" : "",
                                step->reduce && step->reduce->n_links ? " @" : "",
                                step->reduce ? step->reduce->text : "");
    case LTAP_STEP_HOOK:
        return ltap_text_format(text, error, "hook %zu", step->point);
    }
    return LTAP_OK;
}

static ltap_status step_text(const ltap_plan *plan, const ltap_graph *graph, size_t index,
                             ltap_vector *text, ltap_error *error)
{
    const ltap_step *step = LTAP_VECTOR_AT(&plan->steps, ltap_step, index);

    text->count = 0;
    LTAP_TRY(ltap_text_format(text, error, "%4zu ", index));
    LTAP_TRY(append_head(step, text, error));
    for (size_t i = 0; i < step->n_inputs; i++)
        LTAP_TRY(append_operand(plan, graph, &step->operands[i], text, error));
    if (step->n_outputs)
        LTAP_TRY(ltap_text_format(text, error, " ->"));
    for (size_t i = 0; i < step->n_outputs; i++)
        LTAP_TRY(append_operand(plan, graph, &step->operands[step->n_inputs + i], text, error));
    if (step->refusals[0])
        LTAP_TRY(ltap_text_format(text, error, " (%s)", step->refusals));
    return LTAP_OK;
}

ltap_status ltap_plan_explain(const ltap_plan *plan, const ltap_graph *graph,
                              void (*line)(void *user, const char *text), void *user,
                              ltap_error *error)
{
    ltap_status status = LTAP_OK;
    ltap_vector text;

    ltap_vector_init(&text, plan->memory, 1);
    for (size_t i = 0; i < plan->steps.count; i++) {
        LTAP_GO(step_text(plan, graph, i, &text, error));
        line(user, text.data);
    }
done:
    ltap_vector_clear(&text);
    return status;
}
