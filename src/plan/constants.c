/* Constants that a node reads, made ready for the rows to see and pack.
 *
 * What a file has at an odd place needs a copy, unless the row that is chosen reads it where it
 * lies: that saves a copy of nearly all weights.
 */
#include "plan/schedule.h"

#include "base/error.h"

static ltap_status see_constant(ltap_schedule *schedule, uint32_t value, ltap_error *error)
{
    if (value == LTAP_NO_VALUE || !schedule->known.values[value].constant)
        return LTAP_OK;
    return ltap_propagation_compute(&schedule->known, value, error);
}

ltap_status ltap_schedule_constants(ltap_schedule *schedule, const ltap_node *node,
                                    ltap_error *error)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        LTAP_TRY(see_constant(schedule, node->inputs[i], error));
    return LTAP_OK;
}

/* Whether it may be read where it lies in the file, though it is not aligned to its type. */
static bool is_loose(const ltap_schedule *schedule, const ltap_node *node, size_t input,
                     uint32_t rows)
{
    uint32_t value = node->inputs[input];
    const ltap_value *constant =
        value == LTAP_NO_VALUE ? NULL : ltap_graph_at(schedule->request->graph, value);

    return constant && constant->constant && constant->unaligned && constant->constant->data &&
           constant->constant->dtype == LTAP_FLOAT32 && input < 32 && (rows >> input & 1u) &&
           !schedule->known.values[value].tensor.data;
}

ltap_status ltap_schedule_see(ltap_schedule *schedule, const ltap_node *node, uint32_t *loose,
                              ltap_error *error)
{
    bool any = !schedule->request->reference_only && !node->domain[0];
    uint32_t rows = any ? ltap_impls_loose(node->op_type) : 0;

    *loose = 0;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (is_loose(schedule, node, i, rows))
            *loose |= 1u << i;
        else
            LTAP_TRY(see_constant(schedule, node->inputs[i], error));
    return LTAP_OK;
}

ltap_status ltap_schedule_see_loose(ltap_schedule *schedule, const ltap_node *node, uint32_t loose,
                                    bool copied, ltap_error *error)
{
    for (size_t i = 0; i < node->n_inputs && i < 32; i++) {
        if (!(loose >> i & 1u))
            continue;
        if (copied)
            LTAP_TRY(see_constant(schedule, node->inputs[i], error));
        schedule->tensors[i].data =
            copied ? schedule->known.values[node->inputs[i]].tensor.data
                   : ltap_graph_at(schedule->request->graph, node->inputs[i])->constant->data;
    }
    return LTAP_OK;
}

uint32_t ltap_schedule_again(const ltap_schedule *schedule, const ltap_node *node)
{
    uint32_t inputs = 0;

    for (size_t i = 0; schedule->request->low_memory && i < node->n_inputs && i < 32; i++) {
        const ltap_value *value = node->inputs[i] == LTAP_NO_VALUE
                                      ? NULL
                                      : ltap_graph_at(schedule->request->graph, node->inputs[i]);
        if (value && value->constant && value->constant->data &&
            schedule->tensors[i].data == value->constant->data)
            inputs |= 1u << i;
    }
    return inputs;
}
