/* From nodes to steps: each kept node in order becomes a kernel over buffers, with the conversions
 * it needs before it and the taps of its values after it.
 *
 * A tapped value counts as one more reader: nothing is written in its place, and a kernel that does
 * its reader as well hands it out. What kernel a node gets does not depend on the taps.
 */
#include "plan/schedule.h"

#include "backends/layout.h"
#include "base/error.h"
#include "plan/rewire.h"

#include <string.h>

static bool is_constant(const ltap_schedule *schedule, uint32_t value)
{
    return schedule->known.values[value].constant;
}

static bool all_constant(const ltap_schedule *schedule, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != LTAP_NO_VALUE && !is_constant(schedule, node->outputs[i]))
            return false;
    return true;
}

static void make_query(ltap_schedule *schedule, const ltap_node *node, ltap_query *query,
                       ltap_call *call)
{
    const ltap_plan_request *request = schedule->request;

    ltap_propagation_call(&schedule->known, node, schedule->tensors,
                          schedule->tensors + node->n_inputs, call);
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t value = node->inputs[i];
        bool there = value != LTAP_NO_VALUE;
        schedule->identities[i] =
            there && is_constant(schedule, value) ? ltap_graph_at(request->base, value) : NULL;
        schedule->lies_last[i] = there && ltap_schedule_lies_last(schedule, value);
    }
    *query = (ltap_query){.node = node,
                          .inputs = call->inputs,
                          .n_inputs = node->n_inputs,
                          .outputs = call->outputs,
                          .n_outputs = node->n_outputs,
                          .exact = request->exact,
                          .bf16 = request->bf16,
                          .threads = request->threads,
                          .identities = schedule->identities,
                          .lies_last = schedule->lies_last,
                          .packs = request->packs,
                          .memory = request->memory};
}

static ltap_tensor told_shape(const ltap_query *query, const ltap_tensor *tensor,
                              const ltap_choice *choice)
{
    bool permuted = choice->permuted && tensor->dtype != LTAP_UNDEFINED;

    return ltap_layout_told(tensor, permuted ? LTAP_LAYOUT_CHANNELS_LAST : LTAP_LAYOUT_PLAIN,
                            query->outputs[0].rank);
}

static ltap_status add_inputs(ltap_schedule *schedule, const ltap_query *query,
                              const ltap_choice *choice, ltap_step *step, ltap_error *error)
{
    const ltap_node *node = query->node;

    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t value = node->inputs[i];
        if (value == LTAP_NO_VALUE)
            continue;
        ltap_operand *operand = &step->operands[i];
        *operand = (ltap_operand){.value = value,
                                  .buffer = LTAP_NO_BUFFER,
                                  .layout = choice->in[i],
                                  .tensor = told_shape(query, &query->inputs[i], choice)};
        bool packed = i < 32 && (step->kernel.packed_inputs >> i & 1u);
        if (!packed)
            LTAP_TRY(ltap_schedule_obtain(schedule, value, choice->in[i], &operand->buffer, error));
    }
    return LTAP_OK;
}

/* What the chain reads besides: it lies there already, or is a constant. */
static ltap_status add_extras(ltap_schedule *schedule, const ltap_chain_plan *found,
                              ltap_layout layout, ltap_step *step, ltap_error *error)
{
    for (size_t i = 0; i < found->n_extras; i++) {
        ltap_operand *operand = &step->operands[step->n_inputs - found->n_extras + i];
        uint32_t value = found->values[i];
        ltap_layout lies = is_constant(schedule, value) ? LTAP_LAYOUT_PLAIN : layout;
        *operand = (ltap_operand){
            .value = value, .buffer = LTAP_NO_BUFFER, .layout = lies, .tensor = found->extras[i]};
        LTAP_TRY(ltap_schedule_obtain(schedule, value, lies, &operand->buffer, error));
    }
    return LTAP_OK;
}

static bool is_wanted(const ltap_schedule *schedule, uint32_t value)
{
    return value != LTAP_NO_VALUE && (schedule->tapped[value] || schedule->uses[value] > 0);
}

static ltap_status add_outputs(ltap_schedule *schedule, const ltap_query *query,
                               const ltap_choice *choice, ltap_step *step, ltap_error *error)
{
    for (size_t i = 0; i < query->n_outputs; i++) {
        uint32_t value =
            step->n_chain ? step->chain[step->n_chain - 1]->outputs[0] : query->node->outputs[i];
        ltap_operand *operand = &step->operands[step->n_inputs + i];
        *operand = (ltap_operand){.value = value,
                                  .buffer = LTAP_NO_BUFFER,
                                  .layout = choice->out[i],
                                  .tensor = told_shape(query, &query->outputs[i], choice)};
        if (i == 0 && query->step)
            LTAP_TRY(ltap_schedule_make_part(schedule, operand, error));
        else if (value != LTAP_NO_VALUE && (is_wanted(schedule, value) || i == 0))
            LTAP_TRY(ltap_schedule_make(schedule, value, choice->out[i], &operand->buffer, error));
    }
    return LTAP_OK;
}

/* What is tapped inside the chain; it lies like output 0, whose shape it has. */
static ltap_status add_kept(ltap_schedule *schedule, const ltap_query *query, ltap_step *step,
                            ltap_error *error)
{
    ltap_operand *operand = &step->operands[step->n_inputs + query->n_outputs];

    for (size_t i = 0; i < step->n_chain; i++) {
        const ltap_node *node = i ? step->chain[i - 1] : step->node;
        if (!(query->kept >> i & 1u))
            continue;
        *operand = step->operands[step->n_inputs];
        operand->offset = 0;
        operand->step = 0;
        operand->value = node->outputs[0];
        LTAP_TRY(
            ltap_schedule_make(schedule, operand->value, operand->layout, &operand->buffer, error));
        operand++;
    }
    return LTAP_OK;
}

/* Constants that no step will read any more give their memory back. */
static void count_down(ltap_schedule *schedule, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t value = node->inputs[i];
        if (value == LTAP_NO_VALUE)
            continue;
        schedule->uses[value]--;
        if (schedule->uses[value] == 0 && !schedule->resident[value] && !schedule->tapped[value])
            ltap_propagation_drop(&schedule->known, value);
    }
}

/* The nodes of the chain become the step's own. */
static ltap_status keep_chain(ltap_schedule *schedule, const ltap_chain_plan *found,
                              ltap_step *step, ltap_error *error)
{
    void *copy;

    if (!found->n_links)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_take(&schedule->plan->arena, found->n_links, sizeof(*step->chain), &copy,
                             error));
    const ltap_node **nodes = copy;
    for (size_t i = 0; i < found->n_links; i++)
        nodes[i] = found->links[i].node;
    step->chain = nodes;
    step->n_chain = found->n_links;
    step->n_inputs += found->n_extras;
    for (uint32_t kept = found->kept; kept; kept &= kept - 1)
        step->n_outputs++;
    return LTAP_OK;
}

/* Whether its output, or the chain's, is made as a part of a Concat's. */
static int64_t find_step(const ltap_schedule *schedule, const ltap_query *query,
                         const ltap_choice *choice, const ltap_step *step)
{
    uint32_t value =
        step->n_chain ? step->chain[step->n_chain - 1]->outputs[0] : query->node->outputs[0];

    if (!choice->impl || !choice->impl->apart || query->layout != LTAP_LAYOUT_CHANNELS_LAST)
        return 0;
    return ltap_schedule_part_step(schedule, value);
}

static ltap_status prepare(ltap_schedule *schedule, const ltap_query *query,
                           const ltap_choice *choice, ltap_step *step, ltap_error *error)
{
    step->kind = choice->impl ? LTAP_STEP_KERNEL : LTAP_STEP_REFERENCE;
    step->refusals = choice->refusals;
    if (!choice->impl)
        return LTAP_OK;
    step->kernel.impl = choice->impl;
    step->kernel.detail = "";
    LTAP_TRY(choice->impl->prepare(query, &step->kernel, error));
    for (size_t i = 0; i < step->n_chain; i++)
        schedule->done[step->chain[i]->index] = 1;
    return LTAP_OK;
}

static ltap_status add_operands(ltap_schedule *schedule, const ltap_query *query,
                                const ltap_choice *choice, const ltap_chain_plan *found,
                                ltap_step *step, ltap_error *error)
{
    LTAP_TRY(add_inputs(schedule, query, choice, step, error));
    LTAP_TRY(add_extras(schedule, found, query->layout, step, error));
    LTAP_TRY(add_outputs(schedule, query, choice, step, error));
    LTAP_TRY(add_kept(schedule, query, step, error));
    return ltap_schedule_append(schedule, step, error);
}

/* While weights are packed, what they are computed from is there as well. */
static void note_planning(ltap_schedule *schedule)
{
    ltap_plan *plan = schedule->plan;
    uint64_t bytes = ltap_packs_bytes(schedule->request->packs) + plan->state_bytes +
                     plan->constant_bytes + schedule->known.most_held;

    if (bytes > plan->planning_bytes)
        plan->planning_bytes = bytes;
}

static ltap_status add_kernel(ltap_schedule *schedule, const ltap_node *node, ltap_error *error)
{
    ltap_step step = {.node = node, .n_inputs = node->n_inputs, .n_outputs = node->n_outputs};
    ltap_choice choice = {.in = schedule->layouts, .out = schedule->layouts + node->n_inputs};
    ltap_chain_plan found = {.n_links = 0};
    ltap_query query;
    ltap_call call;
    uint32_t loose;

    schedule->known.most_held = schedule->known.held;
    LTAP_TRY(ltap_schedule_see(schedule, node, &loose, error));
    make_query(schedule, node, &query, &call);
    LTAP_TRY(ltap_schedule_see_loose(schedule, node, loose, false, error));
    if (node->op->cost)
        step.mult_adds = node->op->cost(&call);
    schedule->plan->mult_adds += step.mult_adds;
    LTAP_TRY(ltap_choose(schedule, &query, &choice, error));
    LTAP_TRY(ltap_schedule_see_loose(schedule, node,
                                     loose & ~(choice.impl ? choice.impl->loose : 0), true, error));
    query.again = ltap_schedule_again(schedule, node);
    call.threads = schedule->request->threads;
    if (!choice.impl && node->op->temporary)
        step.temporary_bytes = node->op->temporary(&call);
    query.layout = choice.out[0];
    if (choice.impl && choice.impl->chains)
        LTAP_TRY(ltap_chain_find(schedule, &query, &found, error));
    LTAP_TRY(keep_chain(schedule, &found, &step, error));
    query.step = find_step(schedule, &query, &choice, &step);
    LTAP_TRY(
        ltap_schedule_operands(schedule, step.n_inputs + step.n_outputs, &step.operands, error));
    LTAP_TRY(prepare(schedule, &query, &choice, &step, error));
    note_planning(schedule);
    ltap_status status = add_operands(schedule, &query, &choice, &found, &step, error);
    if (status != LTAP_OK && step.kernel.impl)
        step.kernel.impl->release(&step.kernel, schedule->plan->memory);
    return status;
}

/* Whether a view of what lies channels last lies so too: only spatial axes are cut anew. */
static bool keeps_channels(const ltap_schedule *schedule, const ltap_node *node)
{
    const ltap_tensor *in = &schedule->known.values[node->inputs[0]].tensor;
    const ltap_tensor *out = &schedule->known.values[node->outputs[0]].tensor;

    return schedule->places[node->inputs[0]].buffer[LTAP_LAYOUT_PLAIN] == LTAP_NO_BUFFER &&
           ltap_schedule_lies_last(schedule, node->inputs[0]) && ltap_layout_applies(out->rank) &&
           in->dims[0] == out->dims[0] && in->dims[1] == out->dims[1];
}

/* Same bytes, another shape: no step at all. */
static ltap_status add_view(ltap_schedule *schedule, const ltap_node *node, ltap_error *error)
{
    uint32_t buffer;
    ltap_place *place = &schedule->places[node->outputs[0]];

    if (keeps_channels(schedule, node)) {
        place->buffer[LTAP_LAYOUT_CHANNELS_LAST] =
            schedule->places[node->inputs[0]].buffer[LTAP_LAYOUT_CHANNELS_LAST];
        return LTAP_OK;
    }
    LTAP_TRY(ltap_schedule_obtain(schedule, node->inputs[0], LTAP_LAYOUT_PLAIN, &buffer, error));
    place->buffer[LTAP_LAYOUT_PLAIN] = buffer;
    if (ltap_schedule_neutral(&schedule->known.values[node->outputs[0]].tensor))
        place->buffer[LTAP_LAYOUT_CHANNELS_LAST] = buffer;
    return LTAP_OK;
}

/* Only axes of size 1 move: the same bytes in plain layout. */
static bool moves_nothing(const ltap_schedule *schedule, const ltap_node *node)
{
    const ltap_tensor *in = &schedule->known.values[node->inputs[0]].tensor;
    const ltap_attr *perm = ltap_node_attr(node, "perm");
    int64_t previous = -1;

    for (int i = 0; i < in->rank; i++) {
        int64_t axis = perm ? perm->u.ints[i] : in->rank - 1 - i;
        axis = axis < 0 ? axis + in->rank : axis;
        if (in->dims[axis] == 1)
            continue;
        if (axis < previous)
            return false;
        previous = axis;
    }
    return true;
}

static bool is_transpose(const ltap_schedule *schedule, const ltap_node *node)
{
    return strcmp(node->op_type, "Transpose") == 0 && !node->domain[0] &&
           !schedule->request->reference_only;
}

/* Whether a permutation is what moving a value from one layout to the other is. */
static bool is_move(const ltap_attr *perm, ltap_layout to)
{
    int rank = (int)perm->count;

    for (int i = 0; i < rank; i++) {
        int axis = ltap_layout_axis(LTAP_LAYOUT_CHANNELS_LAST, rank, i);
        int64_t found = to == LTAP_LAYOUT_CHANNELS_LAST ? perm->u.ints[i] : perm->u.ints[axis];
        if (found != (to == LTAP_LAYOUT_CHANNELS_LAST ? axis : i))
            return false;
    }
    return true;
}

/* The layout a value must lie in for a Transpose of it to be the same bytes; the output's. */
static bool is_renaming(const ltap_schedule *schedule, const ltap_node *node, ltap_layout *from,
                        ltap_layout *to)
{
    const ltap_attr *perm = ltap_node_attr(node, "perm");

    if (!is_transpose(schedule, node))
        return false;
    const uint32_t *buffers = schedule->places[node->inputs[0]].buffer;
    *from = *to = LTAP_LAYOUT_PLAIN;
    if (buffers[LTAP_LAYOUT_PLAIN] != LTAP_NO_BUFFER && moves_nothing(schedule, node))
        return true;
    if (!perm || perm->kind != LTAP_ATTR_INTS || !ltap_layout_applies((int)perm->count))
        return false;
    *from = LTAP_LAYOUT_CHANNELS_LAST;
    if (buffers[LTAP_LAYOUT_CHANNELS_LAST] != LTAP_NO_BUFFER &&
        is_move(perm, LTAP_LAYOUT_CHANNELS_LAST))
        return true;
    *from = LTAP_LAYOUT_PLAIN;
    *to = LTAP_LAYOUT_CHANNELS_LAST;
    return buffers[LTAP_LAYOUT_PLAIN] != LTAP_NO_BUFFER && is_move(perm, LTAP_LAYOUT_PLAIN);
}

/* A Transpose that only gives the bytes another name. */
static void add_renamed(ltap_schedule *schedule, const ltap_node *node, ltap_layout from,
                        ltap_layout to)
{
    const ltap_place *source = &schedule->places[node->inputs[0]];
    ltap_place *place = &schedule->places[node->outputs[0]];

    place->buffer[to] = source->buffer[from];
    if (ltap_schedule_neutral(&schedule->known.values[node->outputs[0]].tensor))
        place->buffer[!to] = source->buffer[from];
}

/* Room between the reductions; and for the result, where it is handed on. */
static void set_reduce(ltap_schedule *schedule, const ltap_reduce *reduce, ltap_step *step)
{
    ltap_plan *plan = schedule->plan;
    const ltap_operand *from = &step->operands[0];
    ltap_seen seen = ltap_reduce_see(&from->tensor, from->layout, from->step);
    uint64_t bytes = ltap_reduce_scratch(reduce, &seen);

    step->reduce = reduce;
    step->view_bytes = bytes + ltap_hook_view_bytes(&plan->features[step->feature]);
    if (bytes > plan->view_bytes)
        plan->view_bytes = bytes;
}

static ltap_status add_tap(ltap_schedule *schedule, size_t feature, ltap_error *error)
{
    ltap_step step = {.kind = LTAP_STEP_TAP, .n_inputs = 1, .feature = feature, .refusals = ""};
    const ltap_reduce *reduces = schedule->request->reduces;

    LTAP_TRY(ltap_schedule_operands(schedule, 1, &step.operands, error));
    LTAP_TRY(
        ltap_schedule_lies(schedule, schedule->request->taps[feature], &step.operands[0], error));
    if (reduces && ltap_reduce_changes(&reduces[feature], step.operands[0].tensor.rank))
        set_reduce(schedule, &reduces[feature], &step);
    else if (step.operands[0].layout != LTAP_LAYOUT_PLAIN)
        step.view_bytes = ltap_hook_view_bytes(&step.operands[0].tensor);
    return ltap_schedule_append(schedule, &step, error);
}

static ltap_status add_hook(ltap_schedule *schedule, const ltap_look *look, ltap_error *error)
{
    ltap_step step = {
        .kind = LTAP_STEP_HOOK, .n_inputs = look->n_values, .point = look->point, .refusals = ""};

    LTAP_TRY(ltap_schedule_operands(schedule, step.n_inputs, &step.operands, error));
    for (size_t i = 0; i < step.n_inputs; i++) {
        ltap_operand *operand = &step.operands[i];
        LTAP_TRY(ltap_schedule_lies(schedule, look->values[i], operand, error));
        if (operand->layout != LTAP_LAYOUT_PLAIN)
            step.view_bytes += ltap_hook_view_bytes(&operand->tensor);
    }
    return ltap_schedule_append(schedule, &step, error);
}

/* Whether a step may write over a value: nobody reads it any more, nor another by its bytes. */
static bool is_free(const ltap_schedule *schedule, uint32_t value, uint32_t buffer)
{
    if (LTAP_VECTOR_AT(&schedule->plan->buffers, ltap_buffer, buffer)->kind != LTAP_BUFFER_ARENA)
        return false;
    for (size_t i = 0; i < schedule->request->graph->values.count; i++) {
        const uint32_t *lies = schedule->places[i].buffer;
        uint32_t readers = schedule->uses[i] - (i == value ? 1 : 0);
        bool there = schedule->places[i].whole == buffer;
        for (int k = 0; k < LTAP_LAYOUT_COUNT; k++)
            there = there || lies[k] == buffer;
        if (there && (readers || schedule->tapped[i]))
            return false;
    }
    return true;
}

/* One value of a node at which it may be replaced: in place, or a copy. */
static ltap_status add_replaced(ltap_schedule *schedule, const ltap_node *node, size_t index,
                                ltap_step *step, ltap_error *error)
{
    ltap_operand *in = &step->operands[index], *out = &step->operands[step->n_inputs + index];
    uint32_t value = node->outputs[index];

    LTAP_TRY(ltap_schedule_lies(schedule, node->inputs[index], in, error));
    if (in->step) {
        in->layout = LTAP_LAYOUT_PLAIN;
        in->offset = 0;
        in->step = 0;
        LTAP_TRY(ltap_schedule_obtain(schedule, in->value, in->layout, &in->buffer, error));
    }
    *out = *in;
    out->value = value;
    if (is_free(schedule, in->value, in->buffer))
        ltap_schedule_settle(schedule, value, out->layout, out->buffer);
    else
        LTAP_TRY(ltap_schedule_make(schedule, value, out->layout, &out->buffer, error));
    if (in->layout != LTAP_LAYOUT_PLAIN)
        step->view_bytes += ltap_hook_view_bytes(&in->tensor);
    return LTAP_OK;
}

static ltap_status add_replacing(ltap_schedule *schedule, const ltap_node *node, size_t point,
                                 ltap_error *error)
{
    ltap_step step = {.kind = LTAP_STEP_HOOK,
                      .n_inputs = node->n_inputs,
                      .n_outputs = node->n_outputs,
                      .point = point,
                      .refusals = ""};

    LTAP_TRY(
        ltap_schedule_operands(schedule, step.n_inputs + step.n_outputs, &step.operands, error));
    for (size_t i = 0; i < node->n_inputs; i++)
        LTAP_TRY(add_replaced(schedule, node, i, &step, error));
    return ltap_schedule_append(schedule, &step, error);
}

/* Hooks at one node, on one side of it; LTAP_NO_NODE: those at the inputs. */
static ltap_status add_hooks(ltap_schedule *schedule, uint32_t node, bool before, ltap_error *error)
{
    const ltap_plan_request *request = schedule->request;

    while (schedule->next_look < request->n_looks) {
        const ltap_look *look = &request->looks[schedule->next_look];
        if (look->node != node || (look->before != before && node != LTAP_NO_NODE))
            return LTAP_OK;
        schedule->next_look++;
        LTAP_TRY(add_hook(schedule, look, error));
    }
    return LTAP_OK;
}

static ltap_status tap_outputs(ltap_schedule *schedule, const uint32_t *values, size_t n_values,
                               ltap_error *error)
{
    for (size_t i = 0; i < n_values; i++) {
        if (values[i] == LTAP_NO_VALUE)
            continue;
        for (uint32_t f = schedule->tapped[values[i]]; f; f = schedule->next_tap[f - 1])
            if (f <= schedule->request->n_features)
                LTAP_TRY(add_tap(schedule, f - 1, error));
    }
    return LTAP_OK;
}

static ltap_status visit(ltap_schedule *schedule, const ltap_node *node, ltap_error *error)
{
    bool view = (node->op->flags & LTAP_OP_VIEW) != 0;

    if (schedule->done[node->index]) {
        schedule->plan->n_nodes++;
        count_down(schedule, node);
        return tap_outputs(schedule, node->outputs, node->n_outputs, error);
    }
    if (all_constant(schedule, node)) {
        count_down(schedule, node);
        return LTAP_OK;
    }
    ltap_layout from, to;
    ltap_status status = LTAP_OK;
    size_t point;
    bool hook = ltap_rewire_is(node, &point);
    bool renaming = !hook && is_renaming(schedule, node, &from, &to);
    schedule->plan->n_nodes += view || renaming || hook ? 0 : 1;
    if (hook)
        status = add_replacing(schedule, node, point, error);
    else if (renaming)
        add_renamed(schedule, node, from, to);
    else if (ltap_schedule_has_parts(schedule, node))
        status = ltap_schedule_add_parts(schedule, node, error);
    else
        status = view ? add_view(schedule, node, error) : add_kernel(schedule, node, error);
    if (status != LTAP_OK)
        return ltap_error_prefix(error, status, "%s",
                                 ltap_node_text(schedule->request->graph, node).text);
    count_down(schedule, node);
    return tap_outputs(schedule, node->outputs, node->n_outputs, error);
}

static ltap_status place_inputs(ltap_schedule *schedule, ltap_error *error)
{
    const ltap_plan_request *request = schedule->request;

    for (size_t i = 0; i < request->n_inputs; i++) {
        uint32_t value = request->input_values[i];
        ltap_place *place = &schedule->places[value];
        ltap_buffer buffer = {.kind = LTAP_BUFFER_INPUT,
                              .bytes = ltap_tensor_bytes(&request->inputs[i]),
                              .input = (uint32_t)i};
        uint32_t index = (uint32_t)schedule->plan->buffers.count;
        LTAP_TRY(ltap_vector_push(&schedule->plan->buffers, &buffer, error));
        place->buffer[LTAP_LAYOUT_PLAIN] = index;
        if (ltap_schedule_neutral(&request->inputs[i]))
            place->buffer[LTAP_LAYOUT_CHANNELS_LAST] = index;
        LTAP_TRY(tap_outputs(schedule, &value, 1, error));
    }
    return LTAP_OK;
}

/* Constants that are asked for by name are handed out like everything else. */
static ltap_status tap_constants(ltap_schedule *schedule, ltap_error *error)
{
    for (size_t f = 0; f < schedule->request->n_features; f++)
        if (is_constant(schedule, schedule->request->taps[f]))
            LTAP_TRY(add_tap(schedule, f, error));
    return LTAP_OK;
}

ltap_status ltap_schedule_steps(ltap_schedule *schedule, ltap_error *error)
{
    const ltap_graph *graph = schedule->request->graph;

    LTAP_TRY(place_inputs(schedule, error));
    LTAP_TRY(tap_constants(schedule, error));
    LTAP_TRY(add_hooks(schedule, LTAP_NO_NODE, false, error));
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        LTAP_TRY(add_hooks(schedule, i, true, error));
        if (!schedule->request->keep || schedule->request->keep[i])
            LTAP_TRY(visit(schedule, ltap_graph_node(graph, i), error));
        LTAP_TRY(add_hooks(schedule, i, false, error));
    }
    return LTAP_OK;
}
