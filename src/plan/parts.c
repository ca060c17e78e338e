/* Concat without copies.
 *
 * Where channels are joined and lie last, a kernel that may write its pixels further apart makes
 * its output right between the channels of the others, provided that no other node reads it. What
 * comes from elsewhere is copied to its place. A Concat of which no part is made so runs as a
 * kernel.
 */
#include "plan/schedule.h"

#include "base/error.h"

#include <string.h>

static const ltap_tensor *shape_of(const ltap_schedule *schedule, uint32_t value)
{
    return &schedule->known.values[value].tensor;
}

/* The only kept node that reads a value, and reads it once; NULL: there are more. */
static const ltap_node *only_reader(const ltap_schedule *schedule, uint32_t value)
{
    const ltap_plan_request *request = schedule->request;
    const ltap_value *v = ltap_graph_at(request->graph, value);

    if (schedule->uses[value] != 1)
        return NULL;
    for (size_t i = 0; i < v->n_consumers; i++)
        if (!request->keep || request->keep[v->consumers[i]])
            return ltap_graph_node(request->graph, v->consumers[i]);
    return NULL;
}

static bool joins_channels(const ltap_schedule *schedule, const ltap_node *node)
{
    int64_t axis = ltap_node_int(node, "axis", 0);
    const ltap_tensor *whole = shape_of(schedule, node->outputs[0]);

    if (strcmp(node->op_type, "Concat") != 0 || node->domain[0] ||
        (axis != 1 && axis != 1 - whole->rank))
        return false;
    return whole->dtype == LTAP_FLOAT32 && ltap_layout_applies(whole->rank) &&
           !schedule->known.values[node->outputs[0]].constant;
}

/* The Concat that a value may be a part of. */
static const ltap_node *find_whole(const ltap_schedule *schedule, uint32_t value)
{
    const ltap_node *node;

    if (ltap_schedule_neutral(shape_of(schedule, value)))
        return NULL;
    node = only_reader(schedule, value);
    return node && joins_channels(schedule, node) ? node : NULL;
}

static int64_t first_channel(const ltap_schedule *schedule, const ltap_node *concat, uint32_t value)
{
    int64_t channel = 0;

    for (size_t i = 0; concat->inputs[i] != value; i++)
        channel += shape_of(schedule, concat->inputs[i])->dims[1];
    return channel;
}

int64_t ltap_schedule_part_step(const ltap_schedule *schedule, uint32_t value)
{
    const ltap_node *concat = find_whole(schedule, value);
    int64_t step = 0;

    for (; concat; concat = find_whole(schedule, concat->outputs[0]))
        step = shape_of(schedule, concat->outputs[0])->dims[1];
    return step;
}

/* Wholes of wholes are made from the outermost on. */
static ltap_status place_part(ltap_schedule *schedule, uint32_t value, ltap_error *error)
{
    const ltap_node *concat = find_whole(schedule, value);
    ltap_place *place = &schedule->places[value];

    if (place->whole != LTAP_NO_BUFFER)
        return LTAP_OK;
    uint32_t joined = concat->outputs[0];
    ltap_place *outer = &schedule->places[joined];
    place->step = ltap_schedule_part_step(schedule, value);
    place->offset = (uint64_t)first_channel(schedule, concat, value) * sizeof(float);
    if (find_whole(schedule, joined)) {
        LTAP_TRY(place_part(schedule, joined, error));
        place->offset += outer->offset;
        place->whole = outer->whole;
        return LTAP_OK;
    }
    if (outer->buffer[LTAP_LAYOUT_CHANNELS_LAST] == LTAP_NO_BUFFER)
        LTAP_TRY(
            ltap_schedule_make(schedule, joined, LTAP_LAYOUT_CHANNELS_LAST, &place->whole, error));
    place->whole = outer->buffer[LTAP_LAYOUT_CHANNELS_LAST];
    return LTAP_OK;
}

ltap_status ltap_schedule_make_part(ltap_schedule *schedule, ltap_operand *operand,
                                    ltap_error *error)
{
    const ltap_place *place = &schedule->places[operand->value];

    LTAP_TRY(place_part(schedule, operand->value, error));
    operand->buffer = place->whole;
    operand->offset = place->offset;
    operand->step = place->step;
    return LTAP_OK;
}

bool ltap_schedule_has_parts(const ltap_schedule *schedule, const ltap_node *concat)
{
    if (!joins_channels(schedule, concat))
        return false;
    for (size_t i = 0; i < concat->n_inputs; i++)
        if (schedule->places[concat->inputs[i]].whole != LTAP_NO_BUFFER)
            return true;
    return false;
}

static ltap_status copy_part(ltap_schedule *schedule, const ltap_node *concat, size_t input,
                             ltap_error *error)
{
    ltap_step step = {.kind = LTAP_STEP_CONVERT, .n_inputs = 1, .n_outputs = 1, .refusals = ""};
    uint32_t value = concat->inputs[input], joined = concat->outputs[0];
    const ltap_place *whole = &schedule->places[joined];
    bool nested = whole->whole != LTAP_NO_BUFFER;
    uint64_t channel = 0;

    for (size_t i = 0; i < input; i++)
        channel += (uint64_t)shape_of(schedule, concat->inputs[i])->dims[1];
    LTAP_TRY(ltap_schedule_operands(schedule, 2, &step.operands, error));
    LTAP_TRY(ltap_schedule_lies(schedule, value, &step.operands[0], error));
    step.operands[1] = step.operands[0];
    step.operands[1].layout = LTAP_LAYOUT_CHANNELS_LAST;
    step.operands[1].buffer = nested ? whole->whole : whole->buffer[LTAP_LAYOUT_CHANNELS_LAST];
    step.operands[1].offset = channel * sizeof(float) + (nested ? whole->offset : 0);
    step.operands[1].step = nested ? whole->step : shape_of(schedule, joined)->dims[1];
    return ltap_schedule_append(schedule, &step, error);
}

ltap_status ltap_schedule_add_parts(ltap_schedule *schedule, const ltap_node *concat,
                                    ltap_error *error)
{
    for (size_t i = 0; i < concat->n_inputs; i++)
        if (schedule->places[concat->inputs[i]].whole == LTAP_NO_BUFFER &&
            ltap_tensor_count(shape_of(schedule, concat->inputs[i])) > 0)
            LTAP_TRY(copy_part(schedule, concat, i, error));
    return LTAP_OK;
}
