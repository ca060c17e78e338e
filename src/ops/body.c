/* Working through a subgraph; see body.h. */
#include "ops/body.h"

#include <string.h>

/* What a blind run computes: arithmetic on shapes always fits. */
enum { SMALL_BYTES = 64 * 1024 };

ltap_status ltap_body_find(const ltap_call *call, const char *name, const ltap_graph **graph,
                           ltap_error *error)
{
    const ltap_attr *attr = ltap_node_attr(call->node, name);
    if (!attr || attr->kind != LTAP_ATTR_GRAPH)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its attribute %s is not there", name);
    *graph = attr->u.graphs[0];
    return LTAP_OK;
}

static size_t largest_arity(const ltap_graph *graph)
{
    size_t most = 1;
    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        if (node->n_inputs + node->n_outputs > most)
            most = node->n_inputs + node->n_outputs;
    }
    return most;
}

ltap_status ltap_body_init(ltap_body *body, const ltap_graph *graph, const ltap_call *call,
                           ltap_error *error)
{
    void *block;
    *body = (ltap_body){.graph = graph,
                        .memory = call->memory ? call->memory : graph->memory,
                        .threads = call->threads > 0 ? call->threads : 1,
                        .blind = !call->memory,
                        .observer = call->memory ? call->observer : NULL,
                        .temporary = call->temporary};
    body->held =
        graph->values.count * sizeof(ltap_body_value) + largest_arity(graph) * sizeof(ltap_tensor);
    LTAP_TRY(ltap_memory_take_zeroed(body->memory, graph->values.count, sizeof(ltap_body_value),
                                     "the values of a body", &block, error));
    body->values = block;
    LTAP_TRY(ltap_memory_take_zeroed(body->memory, largest_arity(graph), sizeof(ltap_tensor),
                                     "the values of a body", &block, error));
    body->scratch = block;
    return LTAP_OK;
}

void ltap_body_reset(ltap_body *body)
{
    for (size_t i = 0; body->values && i < body->graph->values.count; i++) {
        ltap_memory_release(body->memory, body->values[i].block);
        body->values[i] = (ltap_body_value){.tensor = {.dtype = LTAP_UNDEFINED}};
    }
}

void ltap_body_clear(ltap_body *body)
{
    if (!body->memory)
        return;
    ltap_body_reset(body);
    ltap_memory_release(body->memory, body->values);
    ltap_memory_release(body->memory, body->scratch);
    body->values = NULL;
}

void ltap_body_set(ltap_body *body, size_t index, const ltap_tensor *tensor)
{
    body->values[*LTAP_VECTOR_AT(&body->graph->inputs, uint32_t, index)].tensor = *tensor;
}

const ltap_tensor *ltap_body_output(const ltap_body *body, size_t index)
{
    return &body->values[*LTAP_VECTOR_AT(&body->graph->outputs, uint32_t, index)].tensor;
}

static ltap_status take_block(ltap_body *body, ltap_body_value *value, ltap_error *error)
{
    LTAP_TRY(ltap_memory_take(body->memory, ltap_tensor_bytes(&value->tensor), "a value of a body",
                              &value->block, error));
    value->tensor.data = value->block;
    return LTAP_OK;
}

/* A blind body counts what it would hold: all values of a run, and something else for now. */
static void count_bytes(ltap_body *body, uint64_t bytes, uint64_t besides)
{
    if (!body->temporary)
        return;
    body->made += bytes + (bytes ? LTAP_ALIGNMENT : 0);
    uint64_t all = body->held + body->made + besides;
    if (all > *body->temporary)
        *body->temporary = all;
}

uint64_t ltap_body_temporary(const ltap_call *call)
{
    uint64_t bytes = 0;
    ltap_call asked = *call;
    ltap_error ignored;
    asked.memory = NULL;
    asked.temporary = &bytes;
    return call->node->op->shape(&asked, &ignored) == LTAP_OK ? bytes : 0;
}

/* The body's own weights: views into the file, or aligned copies. */
static ltap_status take_constants(ltap_body *body, ltap_error *error)
{
    for (size_t i = 0; i < body->graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(body->graph, (uint32_t)i);
        if (!value->constant)
            continue;
        body->values[i].tensor = *value->constant;
        uint64_t bytes = ltap_tensor_bytes(value->constant);
        if (!value->constant->data && bytes)
            return ltap_error_set(error, LTAP_ERROR_FILE, "%s",
                                  value->missing ? value->missing : "a weight has no data");
        if (!value->unaligned)
            continue;
        count_bytes(body, bytes, 0);
        LTAP_TRY(take_block(body, &body->values[i], error));
        memcpy(body->values[i].block, value->constant->data, (size_t)bytes);
    }
    return LTAP_OK;
}

static void take_captured(ltap_body *body, const ltap_call *call)
{
    size_t own = ltap_node_own_inputs(call->node);
    uint32_t value;
    for (size_t i = 0; i < call->node->n_captured; i++)
        if (ltap_graph_find(body->graph, call->node->captured[i], &value))
            body->values[value].tensor = call->inputs[own + i];
}

/* Shape and Size know what they make whatever their inputs hold. */
static bool reads_shapes_only(const ltap_node *node)
{
    return strcmp(node->op_type, "Shape") == 0 || strcmp(node->op_type, "Size") == 0;
}

static bool can_compute(const ltap_body *body, const ltap_call *call)
{
    bool all = true;
    if (!body->blind)
        return true;
    for (size_t i = 0; i < call->n_inputs && !reads_shapes_only(call->node); i++)
        all = all && (call->inputs[i].dtype == LTAP_UNDEFINED || call->inputs[i].data);
    for (size_t i = 0; i < call->n_outputs; i++)
        all = all && ltap_tensor_bytes(&call->outputs[i]) <= SMALL_BYTES;
    return all && !(call->node->op->flags & LTAP_OP_RANDOM);
}

static ltap_status compute(ltap_body *body, ltap_call *call, ltap_error *error)
{
    const ltap_node *node = call->node;
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == LTAP_NO_VALUE)
            continue;
        ltap_body_value *made = &body->values[node->outputs[i]];
        LTAP_TRY(take_block(body, made, error));
        call->outputs[i].data = made->block;
    }
    call->memory = body->memory;
    ltap_status status = node->op->reference(call, error);
    if (status != LTAP_OK)
        return ltap_error_prefix(error, status, "%s", ltap_node_text(body->graph, node).text);
    return LTAP_OK;
}

static ltap_status tell(const ltap_body *body, const ltap_node *node, bool before,
                        const ltap_tensor *tensors, ltap_error *error)
{
    ltap_observer *observer = body->observer;
    return observer ? observer->see(observer, body->graph, node, before, tensors, error) : LTAP_OK;
}

static ltap_status run_node(ltap_body *body, const ltap_node *node, ltap_error *error)
{
    ltap_call call = {.node = node,
                      .inputs = body->scratch,
                      .n_inputs = node->n_inputs,
                      .outputs = body->scratch + node->n_inputs,
                      .n_outputs = node->n_outputs,
                      .threads = body->threads,
                      .observer = body->observer};
    for (size_t i = 0; i < node->n_inputs; i++)
        body->scratch[i] = node->inputs[i] == LTAP_NO_VALUE ? (ltap_tensor){.dtype = LTAP_UNDEFINED}
                                                            : body->values[node->inputs[i]].tensor;
    for (size_t i = 0; i < node->n_outputs; i++)
        call.outputs[i] = (ltap_tensor){.dtype = LTAP_UNDEFINED};
    LTAP_TRY(ltap_op_shape(body->graph, &call, error));
    for (size_t i = 0; i < node->n_outputs; i++) {
        call.outputs[i].data = NULL;
        if (node->outputs[i] != LTAP_NO_VALUE)
            body->values[node->outputs[i]].tensor = call.outputs[i];
        if (node->outputs[i] != LTAP_NO_VALUE)
            count_bytes(body, ltap_tensor_bytes(&call.outputs[i]), 0);
    }
    if (body->temporary && node->op->temporary)
        count_bytes(body, 0, node->op->temporary(&call));
    if (!can_compute(body, &call))
        return LTAP_OK;
    LTAP_TRY(tell(body, node, true, call.inputs, error));
    LTAP_TRY(compute(body, &call, error));
    return tell(body, node, false, call.outputs, error);
}

ltap_status ltap_body_run(ltap_body *body, const ltap_call *call, ltap_error *error)
{
    body->made = 0;
    count_bytes(body, 0, 0);
    LTAP_TRY(take_constants(body, error));
    take_captured(body, call);
    for (size_t i = 0; i < body->graph->nodes.count; i++)
        LTAP_TRY(run_node(body, ltap_graph_node(body->graph, (uint32_t)i), error));
    return LTAP_OK;
}

ltap_status ltap_body_iterate(ltap_body *body, const ltap_call *call, int64_t iteration,
                              ltap_error *error)
{
    ltap_observer *observer = body->observer;
    bool deep = !observer || observer->n_iterations == LTAP_MAX_LOOPS;
    if (deep)
        return ltap_body_run(body, call, error);
    observer->iterations[observer->n_iterations++] = (size_t)iteration;
    ltap_status status = ltap_body_run(body, call, error);
    observer->n_iterations--;
    return status;
}

ltap_status ltap_body_hand_out(const ltap_call *call, size_t index, const ltap_tensor *made,
                               ltap_error *error)
{
    const ltap_tensor *out = &call->outputs[index];
    if (index >= call->n_outputs || !out->data)
        return LTAP_OK;
    if (made->dtype != out->dtype || !ltap_tensor_same_shape(made, out))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "output %zu is %s in this run, and was to be %s; shapes that change "
                              "with the data are not supported",
                              index, ltap_tensor_text(made).text, ltap_tensor_text(out).text);
    if (ltap_tensor_bytes(out) > 0)
        memcpy(out->data, made->data, (size_t)ltap_tensor_bytes(out));
    return LTAP_OK;
}

ltap_status ltap_carried_take(ltap_carried *carried, const ltap_tensor *tensor, ltap_memory *memory,
                              ltap_error *error)
{
    void *copy = NULL;
    if (tensor->data) {
        LTAP_TRY(ltap_memory_take(memory, ltap_tensor_bytes(tensor), "what a loop carries", &copy,
                                  error));
        memcpy(copy, tensor->data, (size_t)ltap_tensor_bytes(tensor));
    }
    ltap_memory_release(memory, carried->block);
    *carried = (ltap_carried){*tensor, copy};
    carried->tensor.data = copy;
    return LTAP_OK;
}

void ltap_carried_clear(ltap_carried *carried, size_t count, ltap_memory *memory)
{
    for (size_t i = 0; carried && i < count; i++)
        ltap_memory_release(memory, carried[i].block);
    ltap_memory_release(memory, carried);
}

uint64_t ltap_carried_bytes(const ltap_carried *carried, size_t count)
{
    uint64_t total = count * sizeof(*carried), most = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = ltap_tensor_bytes(&carried[i].tensor) + LTAP_ALIGNMENT;
        total += bytes;
        most = bytes > most ? bytes : most;
    }
    return total + most;
}
