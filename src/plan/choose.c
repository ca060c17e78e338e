/* Which kernel does a node, and in which layouts. */
#include "plan/schedule.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* Rows of a node's operator in order; texts of refusals are collected for the printed plan. */
static ltap_status first_row(ltap_schedule *schedule, const ltap_query *query, ltap_choice *choice,
                             ltap_error *error)
{
    ltap_status status = LTAP_OK;
    ltap_vector text;

    choice->impl = NULL;
    choice->refusals = "";
    if (schedule->request->reference_only || query->node->domain[0])
        return LTAP_OK;
    ltap_vector_init(&text, schedule->plan->memory, 1);
    for (const ltap_impl *const *row = ltap_impls(); *row && !choice->impl; row++) {
        ltap_why why = {""};
        if (strcmp((*row)->op, query->node->op_type) != 0)
            continue;
        if ((*row)->accepts(query, &why))
            choice->impl = *row;
        else
            LTAP_GO(ltap_text_format(&text, error, "%s%s: %s", text.count ? "; " : "", (*row)->name,
                                     why.text));
    }
    if (text.count)
        LTAP_GO(ltap_arena_text(&schedule->plan->arena, text.data, strlen(text.data),
                                &choice->refusals, error));
done:
    ltap_vector_clear(&text);
    return status;
}

bool ltap_schedule_lies_last(const ltap_schedule *schedule, uint32_t value)
{
    return schedule->places[value].buffer[LTAP_LAYOUT_CHANNELS_LAST] != LTAP_NO_BUFFER &&
           !ltap_schedule_neutral(&schedule->known.values[value].tensor);
}

/* A smaller or constant operand that reads the same in both orders of axes. */
bool ltap_schedule_reads_alike(const ltap_tensor *tensor, int rank)
{
    ltap_tensor padded = {.rank = rank};

    if (tensor->rank > rank)
        return false;
    for (int i = 0; i < rank; i++) {
        int axis = i - (rank - tensor->rank);
        padded.dims[i] = axis < 0 ? 1 : tensor->dims[axis];
    }
    return ltap_schedule_neutral(&padded);
}

/* A pointwise node follows its inputs into channels-last when every operand can be read so. */
static bool can_follow(const ltap_schedule *schedule, const ltap_query *query)
{
    const ltap_node *node = query->node;
    int rank = query->outputs[0].rank;
    bool any = false;

    if (!(node->op->flags & LTAP_OP_POINTWISE) || !ltap_layout_applies(rank))
        return false;
    for (size_t i = 0; i < query->n_outputs; i++)
        if (query->outputs[i].dtype != LTAP_UNDEFINED && query->outputs[i].rank != rank)
            return false;
    for (size_t i = 0; i < query->n_inputs; i++) {
        const ltap_tensor *tensor = &query->inputs[i];
        if (tensor->dtype == LTAP_UNDEFINED)
            continue;
        if (tensor->rank == rank && !tensor->data) {
            any = any || ltap_schedule_lies_last(schedule, node->inputs[i]);
        } else if (!ltap_schedule_reads_alike(tensor, rank)) {
            return false;
        }
    }
    return any;
}

ltap_status ltap_choose(ltap_schedule *schedule, const ltap_query *query, ltap_choice *choice,
                        ltap_error *error)
{
    LTAP_TRY(first_row(schedule, query, choice, error));
    for (size_t i = 0; i < query->n_inputs; i++)
        choice->in[i] = LTAP_LAYOUT_PLAIN;
    for (size_t i = 0; i < query->n_outputs; i++)
        choice->out[i] = LTAP_LAYOUT_PLAIN;
    choice->permuted = false;
    if (choice->impl && choice->impl->layouts)
        choice->impl->layouts(query, choice->in, choice->out);
    bool follows = !choice->impl || choice->impl->follows;
    if (!follows || !can_follow(schedule, query))
        return LTAP_OK;
    choice->permuted = !choice->impl;
    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].rank == query->outputs[0].rank && !query->inputs[i].data)
            choice->in[i] = LTAP_LAYOUT_CHANNELS_LAST;
    for (size_t i = 0; i < query->n_outputs; i++)
        choice->out[i] = LTAP_LAYOUT_CHANNELS_LAST;
    return LTAP_OK;
}
