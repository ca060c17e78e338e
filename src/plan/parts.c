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

int64_t ltap_schedule_part_step(const ltap_schedule *schedule, uint32_t value)
{
    const ltap_node *concat = find_whole(schedule, value);
    int64_t step = 0;

    for (; concat; concat = find_whole(schedule, concat->outputs[0]))
        step = shape_of(schedule, concat->outputs[0])->dims[1];
    return step;
}

/* Where an input of a Concat, whose output has its place, is a part of it. */
static void locate_part(const ltap_schedule *schedule, const ltap_node *concat, size_t input,
                        ltap_place *part)
{
    const ltap_place *joined = &schedule->places[concat->outputs[0]];
    bool nested = joined->whole != LTAP_NO_BUFFER;
    uint64_t channel = 0;

    for (size_t i = 0; i < input; i++)
        channel += (uint64_t)shape_of(schedule, concat->inputs[i])->dims[1];
    part->whole = nested ? joined->whole : joined->buffer[LTAP_LAYOUT_CHANNELS_LAST];
    part->offset = channel * sizeof(float) + (nested ? joined->offset : 0);
    part->step = nested ? joined->step : shape_of(schedule, concat->outputs[0])->dims[1];
}

/* Wholes of wholes are made from the outermost on. */
static ltap_status place_part(ltap_schedule *schedule, uint32_t value, ltap_error *error)
{
    const ltap_node *concat = find_whole(schedule, value);
    ltap_place *place = &schedule->places[value];
    size_t input = 0;
    uint32_t buffer;

    if (place->whole != LTAP_NO_BUFFER)
        return LTAP_OK;
    uint32_t joined = concat->outputs[0];
    if (find_whole(schedule, joined))
        LTAP_TRY(place_part(schedule, joined, error));
    else if (schedule->places[joined].buffer[LTAP_LAYOUT_CHANNELS_LAST] == LTAP_NO_BUFFER)
        LTAP_TRY(ltap_schedule_make(schedule, joined, LTAP_LAYOUT_CHANNELS_LAST, &buffer, error));
    while (concat->inputs[input] != value)
        input++;
    locate_part(schedule, concat, input, place);
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
    ltap_place part;

    LTAP_TRY(ltap_schedule_operands(schedule, 2, &step.operands, error));
    LTAP_TRY(ltap_schedule_lies(schedule, concat->inputs[input], &step.operands[0], error));
    locate_part(schedule, concat, input, &part);
    step.operands[1] = step.operands[0];
    step.operands[1].layout = LTAP_LAYOUT_CHANNELS_LAST;
    step.operands[1].buffer = part.whole;
    step.operands[1].offset = part.offset;
    step.operands[1].step = part.step;
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
