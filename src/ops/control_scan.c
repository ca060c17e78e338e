/* Scan: a body run once for each slice of its scanned inputs, which it stacks again. */
#include "ops/body.h"
#include "ops/rules.h"

#include <string.h>

typedef struct scan {
    const ltap_call *call;
    const ltap_graph *graph;
    ltap_body body;
    size_t n_states, n_scanned, n_stacked;
    ltap_carried *states;
    ltap_tensor *slices; /* one a scanned input; in data, one slice */
    int64_t length;
} scan;

static ltap_status read_int(const ltap_node *node, const char *name, size_t index, int64_t *number,
                            ltap_error *error)
{
    const int64_t *ints;
    size_t count = ltap_node_ints(node, name, &ints);
    *number = 0;
    if (count == 0)
        return LTAP_OK;
    if (index >= count)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "%s has %zu numbers, %zu are needed", name,
                              count, index + 1);
    *number = ints[index];
    return LTAP_OK;
}

/* The axis of scanned input or stacked output `index`. */
static ltap_status read_axis(const scan *s, const char *name, size_t index, int rank, int *axis,
                             ltap_error *error)
{
    int64_t number = 0;
    LTAP_TRY(read_int(s->call->node, name, index, &number, error));
    return ltap_axis_check(number, rank, axis, error);
}

/* Moves one slice of `whole` along an axis to or from `part`. */
static void copy_slice(const ltap_tensor *whole, int axis, int64_t at, const void *in, void *out)
{
    int64_t outer = 1;
    size_t bytes = ltap_dtype_bits(whole->dtype) / 8;
    for (int i = 0; i < axis; i++)
        outer *= whole->dims[i];
    for (int i = axis + 1; i < whole->rank; i++)
        bytes *= (size_t)whole->dims[i];
    for (int64_t o = 0; bytes && o < outer; o++) {
        size_t place = (size_t)(o * whole->dims[axis] + at) * bytes;
        if (in)
            memcpy((char *)whole->data + place, (const char *)in + (size_t)o * bytes, bytes);
        else
            memcpy((char *)out + (size_t)o * bytes, (const char *)whole->data + place, bytes);
    }
}

static ltap_status describe_slice(scan *s, size_t index, ltap_error *error)
{
    const ltap_tensor *whole = &s->call->inputs[s->n_states + index];
    ltap_tensor *slice = &s->slices[index];
    int axis = 0;
    LTAP_TRY(ltap_call_check_type(s->call, s->n_states + index, LTAP_TYPES_BYTES, error));
    LTAP_TRY(read_axis(s, "scan_input_axes", index, whole->rank, &axis, error));
    if (index > 0 && whole->dims[axis] != s->length)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "scanned input %zu has length %lld, the first has %lld", index,
                              (long long)whole->dims[axis], (long long)s->length);
    s->length = whole->dims[axis];
    *slice = *whole;
    slice->data = NULL;
    slice->rank--;
    memmove(slice->dims + axis, slice->dims + axis + 1,
            (size_t)(slice->rank - axis) * sizeof(int64_t));
    if (!s->body.blind)
        return ltap_memory_take(s->body.memory, ltap_tensor_bytes(slice), "a slice of a Scan",
                                &slice->data, error);
    return LTAP_OK;
}

static ltap_status check_counts(scan *s, ltap_error *error)
{
    const ltap_node *node = s->call->node;
    size_t own = ltap_node_own_inputs(node);
    int64_t scanned = ltap_node_int(node, "num_scan_inputs", 0);
    if (scanned < 1 || (uint64_t)scanned > own || s->graph->inputs.count != own ||
        s->graph->outputs.count < own - (size_t)scanned ||
        s->call->n_outputs > s->graph->outputs.count)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "it has %zu inputs, %lld of them scanned, and %zu outputs; its body "
                              "has %zu inputs and %zu outputs",
                              own, (long long)scanned, s->call->n_outputs, s->graph->inputs.count,
                              s->graph->outputs.count);
    s->n_scanned = (size_t)scanned;
    s->n_states = own - s->n_scanned;
    s->n_stacked = s->graph->outputs.count - s->n_states;
    for (size_t i = 0; i < own; i++)
        if (!ltap_call_has(s->call, i))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "input %zu is missing", i);
    return LTAP_OK;
}

static ltap_status begin(const ltap_call *call, scan *s, ltap_error *error)
{
    void *block;
    *s = (scan){.call = call};
    LTAP_TRY(ltap_body_find(call, "body", &s->graph, error));
    LTAP_TRY(check_counts(s, error));
    LTAP_TRY(ltap_body_init(&s->body, s->graph, call, error));
    LTAP_TRY(ltap_memory_take_zeroed(s->body.memory, s->n_states, sizeof(ltap_carried),
                                     "the states of a Scan", &block, error));
    s->states = block;
    LTAP_TRY(ltap_memory_take_zeroed(s->body.memory, s->n_scanned, sizeof(ltap_tensor),
                                     "the slices of a Scan", &block, error));
    s->slices = block;
    for (size_t i = 0; i < s->n_scanned; i++)
        LTAP_TRY(describe_slice(s, i, error));
    for (size_t i = 0; i < s->n_states; i++) {
        ltap_tensor state = call->inputs[i];
        if (s->body.blind)
            state.data = NULL;
        LTAP_TRY(ltap_carried_take(&s->states[i], &state, s->body.memory, error));
    }
    return LTAP_OK;
}

static void end(scan *s)
{
    if (!s->body.memory)
        return;
    for (size_t i = 0; s->slices && i < s->n_scanned; i++)
        ltap_memory_release(s->body.memory, s->slices[i].data);
    ltap_memory_release(s->body.memory, s->slices);
    ltap_carried_clear(s->states, s->n_states, s->body.memory);
    ltap_body_clear(&s->body);
}

/* One run of the body on slice `step`; without data, for shapes. */
static ltap_status run_step(scan *s, int64_t step, ltap_error *error)
{
    ltap_body_reset(&s->body);
    for (size_t i = 0; i < s->n_states; i++)
        ltap_body_set(&s->body, i, &s->states[i].tensor);
    for (size_t i = 0; i < s->n_scanned; i++) {
        int64_t backwards = 0;
        int axis = 0;
        const ltap_tensor *whole = &s->call->inputs[s->n_states + i];
        LTAP_TRY(read_axis(s, "scan_input_axes", i, whole->rank, &axis, error));
        LTAP_TRY(read_int(s->call->node, "scan_input_directions", i, &backwards, error));
        if (!s->body.blind)
            copy_slice(whole, axis, backwards ? s->length - 1 - step : step, NULL,
                       s->slices[i].data);
        ltap_body_set(&s->body, s->n_states + i, &s->slices[i]);
    }
    LTAP_TRY(ltap_body_iterate(&s->body, s->call, step, error));
    for (size_t i = 0; i < s->n_states; i++) {
        const ltap_tensor *made = ltap_body_output(&s->body, i), *was = &s->states[i].tensor;
        if (made->dtype != was->dtype || !ltap_tensor_same_shape(made, was))
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "its state %zu changes from %s to %s", i,
                                  ltap_tensor_text(was).text, ltap_tensor_text(made).text);
    }
    return LTAP_OK;
}

static ltap_status stacked_shape(const scan *s, size_t index, ltap_error *error)
{
    ltap_tensor out = *ltap_body_output(&s->body, s->n_states + index);
    int axis = 0;
    if (out.rank == LTAP_MAX_RANK)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "output %zu has more than %d axes",
                              s->n_states + index, LTAP_MAX_RANK);
    if (!((unsigned)out.dtype < 32 && (LTAP_TYPES_BYTES & LTAP_TYPE(out.dtype))))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "it stacks %s, which is not supported",
                              ltap_dtype_name(out.dtype));
    LTAP_TRY(read_axis(s, "scan_output_axes", index, out.rank + 1, &axis, error));
    memmove(out.dims + axis + 1, out.dims + axis, (size_t)(out.rank - axis) * sizeof(int64_t));
    out.dims[axis] = s->length;
    ltap_call_output(s->call, s->n_states + index, out.dtype, out.rank + 1, out.dims);
    return LTAP_OK;
}

static ltap_status find_shapes(scan *s, ltap_error *error)
{
    s->body.held += ltap_carried_bytes(s->states, s->n_states);
    for (size_t i = 0; i < s->n_scanned; i++)
        s->body.held += sizeof(ltap_tensor) + ltap_tensor_bytes(&s->slices[i]) + LTAP_ALIGNMENT;
    LTAP_TRY(run_step(s, 0, error));
    for (size_t i = 0; i < s->n_states; i++) {
        const ltap_tensor *t = &s->states[i].tensor;
        ltap_call_output(s->call, i, t->dtype, t->rank, t->dims);
    }
    for (size_t i = 0; s->n_states + i < s->call->n_outputs; i++)
        LTAP_TRY(stacked_shape(s, i, error));
    return LTAP_OK;
}

static ltap_status scan_shape(const ltap_call *call, ltap_error *error)
{
    scan s;
    ltap_status status = begin(call, &s, error);
    if (status == LTAP_OK)
        status = find_shapes(&s, error);
    end(&s);
    return status;
}

static ltap_status stack(const scan *s, size_t index, int64_t step, ltap_error *error)
{
    const ltap_tensor *made = ltap_body_output(&s->body, s->n_states + index);
    const ltap_tensor *out = &s->call->outputs[s->n_states + index];
    int64_t backwards = 0;
    int axis = 0;
    if (!out->data)
        return LTAP_OK;
    LTAP_TRY(read_axis(s, "scan_output_axes", index, out->rank, &axis, error));
    LTAP_TRY(read_int(s->call->node, "scan_output_directions", index, &backwards, error));
    if (made->dtype != out->dtype ||
        ltap_tensor_count(made) * (uint64_t)s->length != ltap_tensor_count(out))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "output %zu was to be %s; step %lld makes %s", s->n_states + index,
                              ltap_tensor_text(out).text, (long long)step,
                              ltap_tensor_text(made).text);
    copy_slice(out, axis, backwards ? s->length - 1 - step : step, made->data, NULL);
    return LTAP_OK;
}

static ltap_status run_all(scan *s, ltap_error *error)
{
    for (int64_t step = 0; step < s->length; step++) {
        LTAP_TRY(run_step(s, step, error));
        for (size_t i = 0; s->n_states + i < s->call->n_outputs; i++)
            LTAP_TRY(stack(s, i, step, error));
        for (size_t i = 0; i < s->n_states; i++)
            LTAP_TRY(ltap_carried_take(&s->states[i], ltap_body_output(&s->body, i), s->body.memory,
                                       error));
    }
    for (size_t i = 0; i < s->n_states && i < s->call->n_outputs; i++)
        LTAP_TRY(ltap_body_hand_out(s->call, i, &s->states[i].tensor, error));
    return LTAP_OK;
}

static ltap_status scan_reference(const ltap_call *call, ltap_error *error)
{
    scan s;
    ltap_status status = begin(call, &s, error);
    if (status == LTAP_OK)
        status = run_all(&s, error);
    end(&s);
    return status;
}

const ltap_op ltap_op_scan = {
    .name = "Scan",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = -1,
    .shape = scan_shape,
    .reference = scan_reference,
    .temporary = ltap_body_temporary,
};
