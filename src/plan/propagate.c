/* Shape inference and constant folding in one walk; see propagate.h. */
#include "plan/propagate.h"

#include "base/error.h"

#include <string.h>

/* Constants up to this size are computed on the way: shape arithmetic always fits. */
enum { EAGER_BYTES = 64 * 1024, MAX_DEPTH = 500 };

ltap_status ltap_propagation_init(ltap_propagation *propagation, const ltap_graph *graph,
                                  ltap_memory *memory, ltap_error *error)
{
    void *values;

    *propagation = (ltap_propagation){.graph = graph, .memory = memory, .threads = 1};
    LTAP_TRY(ltap_memory_take_zeroed(memory, graph->values.count, sizeof(ltap_known),
                                     "the table of values", &values, error));
    propagation->values = values;
    return LTAP_OK;
}

void ltap_propagation_clear(ltap_propagation *propagation)
{
    if (!propagation->values)
        return;
    for (size_t i = 0; i < propagation->graph->values.count; i++)
        ltap_memory_release(propagation->memory, propagation->values[i].block);
    ltap_memory_release(propagation->memory, propagation->values);
    propagation->values = NULL;
}

void ltap_propagation_call(const ltap_propagation *propagation, const ltap_node *node,
                           ltap_tensor *inputs, ltap_tensor *outputs, ltap_call *call)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        inputs[i] = node->inputs[i] == LTAP_NO_VALUE ? (ltap_tensor){.dtype = LTAP_UNDEFINED}
                                                     : propagation->values[node->inputs[i]].tensor;
    for (size_t i = 0; i < node->n_outputs; i++)
        outputs[i] = node->outputs[i] == LTAP_NO_VALUE
                         ? (ltap_tensor){.dtype = LTAP_UNDEFINED}
                         : propagation->values[node->outputs[i]].tensor;
    *call = (ltap_call){.node = node,
                        .inputs = inputs,
                        .n_inputs = node->n_inputs,
                        .outputs = outputs,
                        .n_outputs = node->n_outputs,
                        .memory = propagation->memory,
                        .threads = propagation->threads};
}

/* The file's constants, as views; one that is not aligned to its type becomes a copy when needed.
 */
static void take_constants(ltap_propagation *propagation)
{
    for (size_t i = 0; i < propagation->graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(propagation->graph, (uint32_t)i);
        ltap_known *known = &propagation->values[i];
        if (!value->constant)
            continue;
        known->tensor = *value->constant;
        known->constant = true;
        if (value->unaligned)
            known->tensor.data = NULL;
    }
}

static bool is_constant_call(const ltap_propagation *propagation, const ltap_node *node)
{
    if (node->op->flags & LTAP_OP_RANDOM)
        return false;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != LTAP_NO_VALUE && !propagation->values[node->inputs[i]].constant)
            return false;
    return true;
}

/* The shape of a value is known whatever its contents are. */
static bool reads_shapes_only(const ltap_node *node)
{
    return node->domain[0] == 0 &&
           (strcmp(node->op_type, "Shape") == 0 || strcmp(node->op_type, "Size") == 0);
}

/* A constant has got memory of its own. */
static void hold(ltap_propagation *propagation, const ltap_known *known)
{
    propagation->held += ltap_tensor_bytes(&known->tensor);
    if (propagation->held > propagation->most_held)
        propagation->most_held = propagation->held;
}

static ltap_status take_outputs(ltap_propagation *propagation, const ltap_node *node,
                                ltap_error *error)
{
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == LTAP_NO_VALUE)
            continue;
        ltap_known *known = &propagation->values[node->outputs[i]];
        if (known->tensor.data)
            continue;
        LTAP_TRY(ltap_memory_take_briefly(propagation->memory, ltap_tensor_bytes(&known->tensor),
                                          "a folded constant", &known->block, error));
        known->tensor.data = known->block;
        hold(propagation, known);
    }
    return LTAP_OK;
}

/* Runs the reference kernel of a node whose inputs all have data. */
static ltap_status fold(ltap_propagation *propagation, const ltap_node *node, ltap_tensor *tensors,
                        ltap_error *error)
{
    ltap_call call;

    LTAP_TRY(take_outputs(propagation, node, error));
    ltap_propagation_call(propagation, node, tensors, tensors + node->n_inputs, &call);
    ltap_status status = node->op->reference(&call, error);
    if (status != LTAP_OK)
        return ltap_error_prefix(error, status, "%s",
                                 ltap_node_text(propagation->graph, node).text);
    return LTAP_OK;
}

static bool is_small(const ltap_tensor *outputs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (outputs[i].dtype != LTAP_UNDEFINED && ltap_tensor_bytes(&outputs[i]) > EAGER_BYTES)
            return false;
    return true;
}

static bool inputs_have_data(const ltap_call *call)
{
    for (size_t i = 0; i < call->n_inputs; i++)
        if (call->inputs[i].dtype != LTAP_UNDEFINED && !call->inputs[i].data)
            return false;
    return true;
}

static bool inputs_are_known(const ltap_propagation *propagation, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != LTAP_NO_VALUE &&
            propagation->values[node->inputs[i]].tensor.dtype == LTAP_UNDEFINED)
            return false;
    return true;
}

static ltap_status visit(ltap_propagation *propagation, const ltap_node *node, ltap_tensor *tensors,
                         ltap_error *error)
{
    ltap_tensor *outputs = tensors + node->n_inputs;
    ltap_call call;

    ltap_propagation_call(propagation, node, tensors, outputs, &call);
    call.memory = NULL;
    call.constant = is_constant_call(propagation, node);
    LTAP_TRY(ltap_op_shape(propagation->graph, &call, error));
    bool constant = call.constant || reads_shapes_only(node);
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == LTAP_NO_VALUE)
            continue;
        ltap_known *known = &propagation->values[node->outputs[i]];
        known->tensor = outputs[i];
        known->tensor.data = NULL;
        known->constant = constant;
    }
    bool ready = reads_shapes_only(node) || inputs_have_data(&call);
    if (constant && ready && is_small(outputs, node->n_outputs))
        return fold(propagation, node, tensors, error);
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

static ltap_status visit_all(ltap_propagation *propagation, ltap_tensor *tensors, ltap_error *error)
{
    for (size_t i = 0; i < propagation->graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(propagation->graph, (uint32_t)i);
        if (propagation->keep && !propagation->keep[i])
            continue;
        if (propagation->lenient && (!node->op || !inputs_are_known(propagation, node)))
            continue;
        ltap_error ignored;
        ltap_status status =
            visit(propagation, node, tensors, propagation->lenient ? &ignored : error);
        if (status != LTAP_OK && !propagation->lenient)
            return status;
    }
    return LTAP_OK;
}

ltap_status ltap_propagation_run(ltap_propagation *propagation, const ltap_tensor *inputs,
                                 ltap_error *error)
{
    const ltap_graph *graph = propagation->graph;
    ltap_status status;
    void *tensors = NULL;

    take_constants(propagation);
    for (size_t i = 0; i < graph->inputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&graph->inputs, uint32_t, i);
        propagation->values[value].tensor = inputs[i];
        propagation->values[value].tensor.data = NULL;
    }
    LTAP_GO(ltap_memory_take_zeroed(propagation->memory, largest_arity(graph), sizeof(ltap_tensor),
                                    "a list of tensors", &tensors, error));
    LTAP_GO(visit_all(propagation, tensors, error));
done:
    ltap_memory_release(propagation->memory, tensors);
    return status;
}

/* The file's bytes of a value have been read. */
static void forget(const ltap_propagation *propagation, const ltap_value *value)
{
    if (value->constant && value->constant->data)
        ltap_reader_done(&propagation->reader, value->constant->data,
                         ltap_tensor_bytes(value->constant));
}

/* A constant of the file that has no aligned data in place. */
static ltap_status copy_constant(ltap_propagation *propagation, const ltap_value *value,
                                 ltap_known *known, ltap_error *error)
{
    uint64_t bytes = ltap_tensor_bytes(value->constant);

    if (!value->constant->data && bytes)
        return ltap_error_set(error, LTAP_ERROR_FILE, "%s",
                              value->missing ? value->missing : "a weight has no data");
    LTAP_TRY(ltap_memory_take_briefly(propagation->memory, bytes, "an aligned weight",
                                      &known->block, error));
    if (bytes)
        memcpy(known->block, value->constant->data, (size_t)bytes);
    known->tensor.data = known->block;
    hold(propagation, known);
    forget(propagation, value);
    return LTAP_OK;
}

/* Weights of the file that another constant was computed from, and that nobody asked for. What was
 * computed on the way stays: computing it again for each reader could take forever. */
static void drop_weights(ltap_propagation *propagation, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != LTAP_NO_VALUE && !propagation->values[node->inputs[i]].asked &&
            ltap_graph_at(propagation->graph, node->inputs[i])->constant)
            ltap_propagation_drop(propagation, node->inputs[i]);
}

static ltap_status compute(ltap_propagation *propagation, uint32_t index, int depth,
                           ltap_error *error);

/* The file's weights come last: what else is computed from them drops them. */
static ltap_status compute_inputs(ltap_propagation *propagation, const ltap_node *node,
                                  bool weights, int depth, ltap_error *error)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t value = node->inputs[i];
        if (value == LTAP_NO_VALUE ||
            (ltap_graph_at(propagation->graph, value)->constant != NULL) != weights)
            continue;
        LTAP_TRY(compute(propagation, value, depth + 1, error));
    }
    return LTAP_OK;
}

static ltap_status compute(ltap_propagation *propagation, uint32_t index, int depth,
                           ltap_error *error)
{
    const ltap_value *value = ltap_graph_at(propagation->graph, index);
    ltap_known *known = &propagation->values[index];
    ltap_status status;
    void *tensors = NULL;

    if (known->tensor.data)
        return LTAP_OK;
    if (value->constant)
        return copy_constant(propagation, value, known, error);
    const ltap_node *node = ltap_graph_node(propagation->graph, value->producer);
    if (depth == MAX_DEPTH)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "%s: a constant needs more than %d operations on large constants",
                              ltap_node_text(propagation->graph, node).text, MAX_DEPTH);
    if (!reads_shapes_only(node)) {
        LTAP_TRY(compute_inputs(propagation, node, false, depth, error));
        LTAP_TRY(compute_inputs(propagation, node, true, depth, error));
    }
    LTAP_TRY(ltap_memory_take_zeroed(propagation->memory, node->n_inputs + node->n_outputs,
                                     sizeof(ltap_tensor), "a list of tensors", &tensors, error));
    LTAP_GO(fold(propagation, node, tensors, error));
    drop_weights(propagation, node);
done:
    ltap_memory_release(propagation->memory, tensors);
    return status;
}

ltap_status ltap_propagation_compute(ltap_propagation *propagation, uint32_t value,
                                     ltap_error *error)
{
    propagation->values[value].asked = true;
    return compute(propagation, value, 0, error);
}

ltap_status ltap_propagation_own(ltap_propagation *propagation, uint32_t value, ltap_error *error)
{
    const ltap_value *read = ltap_graph_at(propagation->graph, value);
    ltap_known *known = &propagation->values[value];

    if (known->block || !read->constant || known->tensor.dtype == LTAP_STRING)
        return LTAP_OK;
    return copy_constant(propagation, read, known, error);
}

void ltap_propagation_drop(ltap_propagation *propagation, uint32_t value)
{
    ltap_known *known = &propagation->values[value];

    known->asked = false;
    if (!known->block) {
        forget(propagation, ltap_graph_at(propagation->graph, value));
        return;
    }
    ltap_memory_release(propagation->memory, known->block);
    propagation->held -= ltap_tensor_bytes(&known->tensor);
    known->block = NULL;
    known->tensor.data = NULL;
}

void *ltap_propagation_detach(ltap_propagation *propagation, uint32_t value)
{
    void *block = propagation->values[value].block;

    if (block)
        propagation->held -= ltap_tensor_bytes(&propagation->values[value].tensor);
    propagation->values[value].block = NULL;
    return block;
}
