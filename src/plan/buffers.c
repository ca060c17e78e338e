/* Buffers of a plan in the making: where values lie, and the conversions between layouts. */
#include "plan/schedule.h"

#include "base/error.h"

bool ltap_schedule_neutral(const ltap_tensor *tensor)
{
    bool pixel = true;

    for (int i = 2; i < tensor->rank; i++)
        pixel = pixel && tensor->dims[i] == 1;
    return !ltap_layout_applies(tensor->rank) || tensor->dims[1] == 1 || pixel;
}

void ltap_schedule_settle(ltap_schedule *schedule, uint32_t value, ltap_layout layout,
                          uint32_t buffer)
{
    ltap_place *place = &schedule->places[value];

    place->buffer[layout] = buffer;
    if (!ltap_schedule_neutral(&schedule->known.values[value].tensor))
        return;
    for (int other = 0; other < LTAP_LAYOUT_COUNT; other++)
        if (place->buffer[other] == LTAP_NO_BUFFER)
            place->buffer[other] = buffer;
}

static ltap_status add_buffer(ltap_schedule *schedule, const ltap_buffer *buffer, uint32_t *index,
                              ltap_error *error)
{
    *index = (uint32_t)schedule->plan->buffers.count;
    return ltap_vector_push(&schedule->plan->buffers, buffer, error);
}

ltap_status ltap_schedule_make(ltap_schedule *schedule, uint32_t value, ltap_layout layout,
                               uint32_t *buffer, ltap_error *error)
{
    uint32_t step = (uint32_t)schedule->plan->steps.count;
    ltap_buffer made = {.kind = LTAP_BUFFER_ARENA,
                        .bytes = ltap_tensor_bytes(&schedule->known.values[value].tensor),
                        .first = step,
                        .last = step};

    LTAP_TRY(add_buffer(schedule, &made, buffer, error));
    ltap_schedule_settle(schedule, value, layout, *buffer);
    return LTAP_OK;
}

ltap_status ltap_schedule_operands(ltap_schedule *schedule, size_t count, ltap_operand **operands,
                                   ltap_error *error)
{
    void *block;

    LTAP_TRY(ltap_arena_take(&schedule->plan->arena, count ? count : 1, sizeof(ltap_operand),
                             &block, error));
    *operands = block;
    for (size_t i = 0; i < count; i++)
        (*operands)[i] = (ltap_operand){.value = LTAP_NO_VALUE, .buffer = LTAP_NO_BUFFER};
    return LTAP_OK;
}

ltap_status ltap_schedule_append(ltap_schedule *schedule, const ltap_step *step, ltap_error *error)
{
    ltap_plan *plan = schedule->plan;
    uint32_t index = (uint32_t)plan->steps.count;
    size_t count = step->n_inputs + step->n_outputs;

    for (size_t i = 0; i < count; i++)
        if (step->operands[i].buffer != LTAP_NO_BUFFER)
            LTAP_VECTOR_AT(&plan->buffers, ltap_buffer, step->operands[i].buffer)->last = index;
    if (count > plan->max_operands)
        plan->max_operands = count;
    if (step->kernel.scratch_bytes > plan->scratch_bytes)
        plan->scratch_bytes = step->kernel.scratch_bytes;
    if (step->kernel.mapped_bytes > plan->mapped_bytes)
        plan->mapped_bytes = step->kernel.mapped_bytes;
    if (step->kind == LTAP_STEP_HOOK && step->view_bytes > plan->view_bytes)
        plan->view_bytes = step->view_bytes;
    if (step->temporary_bytes > plan->temporary_bytes)
        plan->temporary_bytes = step->temporary_bytes;
    plan->state_bytes += step->kernel.state_bytes;
    return ltap_vector_push(&plan->steps, step, error);
}

/* A constant's bytes become a buffer when a step reads them at run time. Small ones of the file get
 * a copy: each that is read in place keeps many times as much of the file in memory. */
static ltap_status place_constant(ltap_schedule *schedule, uint32_t value, ltap_error *error)
{
    enum { SMALL_BYTES = 256 * 1024 };
    uint32_t index;

    LTAP_TRY(ltap_propagation_compute(&schedule->known, value, error));
    if (ltap_tensor_bytes(&schedule->known.values[value].tensor) <= SMALL_BYTES)
        LTAP_TRY(ltap_propagation_own(&schedule->known, value, error));
    ltap_known *known = &schedule->known.values[value];
    ltap_buffer buffer = {.kind = LTAP_BUFFER_CONSTANT,
                          .bytes = ltap_tensor_bytes(&known->tensor),
                          .constant = known->tensor.data};
    if (known->block) {
        LTAP_TRY(ltap_vector_push(&schedule->plan->blocks, &known->block, error));
        schedule->plan->constant_bytes += buffer.bytes;
        ltap_propagation_detach(&schedule->known, value);
    }
    LTAP_TRY(add_buffer(schedule, &buffer, &index, error));
    schedule->resident[value] = 1;
    ltap_schedule_settle(schedule, value, LTAP_LAYOUT_PLAIN, index);
    return LTAP_OK;
}

ltap_status ltap_schedule_lies(ltap_schedule *schedule, uint32_t value, ltap_operand *operand,
                               ltap_error *error)
{
    const ltap_place *place = &schedule->places[value];
    const ltap_known *known = &schedule->known.values[value];

    *operand = (ltap_operand){.value = value, .tensor = known->tensor};
    operand->tensor.data = NULL;
    if (place->whole != LTAP_NO_BUFFER) {
        operand->buffer = place->whole;
        operand->layout = LTAP_LAYOUT_CHANNELS_LAST;
        operand->offset = place->offset;
        operand->step = place->step;
        return LTAP_OK;
    }
    bool plain = known->constant || place->buffer[LTAP_LAYOUT_PLAIN] != LTAP_NO_BUFFER;
    operand->layout = plain ? LTAP_LAYOUT_PLAIN : LTAP_LAYOUT_CHANNELS_LAST;
    return ltap_schedule_obtain(schedule, value, operand->layout, &operand->buffer, error);
}

/* Into another layout, from where it lies. */
static ltap_status convert(ltap_schedule *schedule, uint32_t value, ltap_layout to,
                           ltap_error *error)
{
    ltap_step step = {.kind = LTAP_STEP_CONVERT, .n_inputs = 1, .n_outputs = 1, .refusals = ""};

    LTAP_TRY(ltap_schedule_operands(schedule, 2, &step.operands, error));
    LTAP_TRY(ltap_schedule_lies(schedule, value, &step.operands[0], error));
    step.operands[1] = step.operands[0];
    step.operands[1].layout = to;
    step.operands[1].offset = 0;
    step.operands[1].step = 0;
    LTAP_TRY(ltap_schedule_make(schedule, value, to, &step.operands[1].buffer, error));
    return ltap_schedule_append(schedule, &step, error);
}

static bool lies_somewhere(const ltap_place *place)
{
    return place->whole != LTAP_NO_BUFFER || place->buffer[LTAP_LAYOUT_PLAIN] != LTAP_NO_BUFFER ||
           place->buffer[LTAP_LAYOUT_CHANNELS_LAST] != LTAP_NO_BUFFER;
}

ltap_status ltap_schedule_obtain(ltap_schedule *schedule, uint32_t value, ltap_layout layout,
                                 uint32_t *buffer, ltap_error *error)
{
    ltap_place *place = &schedule->places[value];

    if (schedule->known.values[value].constant &&
        place->buffer[LTAP_LAYOUT_PLAIN] == LTAP_NO_BUFFER)
        LTAP_TRY(place_constant(schedule, value, error));
    if (place->buffer[layout] == LTAP_NO_BUFFER && lies_somewhere(place))
        LTAP_TRY(convert(schedule, value, layout, error));
    *buffer = place->buffer[layout];
    if (*buffer == LTAP_NO_BUFFER)
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "value '%s' is read before it is made",
                              ltap_graph_at(schedule->request->graph, value)->name);
    return LTAP_OK;
}
