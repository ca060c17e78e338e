/* Shapes and cost of every layer for given input shapes: what `layers` lists. */
#include "plan/shapes.h"

#include "base/error.h"

/* Inputs that were not given take the sizes that the model declares. */
static ltap_status take_inputs(const ltap_model *model, const ltap_tensor *given, size_t n_given,
                               ltap_tensor *inputs, ltap_error *error)
{
    size_t count = model->graph->inputs.count;

    if (n_given > count)
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "%zu shapes were given; the model has %zu "
                              "inputs",
                              n_given, count);
    for (size_t i = 0; i < count; i++) {
        const ltap_port *port = &model->inputs[i];
        bool known = port->rank >= 0;
        if (i < n_given && given[i].dtype != LTAP_UNDEFINED) {
            LTAP_TRY(ltap_port_check(port, &given[i], error));
            inputs[i] = given[i];
            continue;
        }
        inputs[i] = (ltap_tensor){.dtype = port->dtype, .rank = known ? port->rank : 0};
        for (int k = 0; k < port->rank; k++) {
            inputs[i].dims[k] = port->dims[k].size;
            known = known && port->dims[k].size >= 0;
        }
        if (!known)
            inputs[i].dtype = LTAP_UNDEFINED;
        LTAP_TRY(ltap_tensor_check(&inputs[i], error));
    }
    return LTAP_OK;
}

/* Multiply-adds of each node; UINT64_MAX sums saturate. */
static ltap_status node_costs(const ltap_model *model, const ltap_propagation *known,
                              uint64_t *costs, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    ltap_vector tensors;

    ltap_vector_init(&tensors, model->memory, sizeof(ltap_tensor));
    for (size_t i = 0; i < model->graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(model->graph, (uint32_t)i);
        ltap_call call;
        bool ready = node->op && node->op->cost;
        for (size_t k = 0; ready && k < node->n_inputs; k++)
            ready = node->inputs[k] == LTAP_NO_VALUE ||
                    known->values[node->inputs[k]].tensor.dtype != LTAP_UNDEFINED;
        for (size_t k = 0; ready && k < node->n_outputs; k++)
            ready = node->outputs[k] == LTAP_NO_VALUE ||
                    known->values[node->outputs[k]].tensor.dtype != LTAP_UNDEFINED;
        if (!ready)
            continue;
        tensors.count = 0;
        LTAP_GO(ltap_vector_grow(&tensors, node->n_inputs + node->n_outputs, NULL, error));
        ltap_propagation_call(known, node, tensors.data,
                              LTAP_VECTOR_AT(&tensors, ltap_tensor, node->n_inputs), &call);
        costs[i] = node->op->cost(&call);
    }
done:
    ltap_vector_clear(&tensors);
    return status;
}

static void add_cost(uint64_t *sum, uint64_t cost)
{
    *sum = *sum > UINT64_MAX - cost ? UINT64_MAX : *sum + cost;
}

static uint64_t call_cost(const ltap_model *model, const ltap_listed *line, const uint64_t *costs)
{
    uint64_t sum = 0;

    if (line->node != LTAP_NO_NODE)
        return costs[line->node];
    if (line->module == LTAP_NO_MODULE)
        return 0;
    const ltap_module *module = LTAP_VECTOR_AT(&model->layers->modules, ltap_module, line->module);
    if (line->call >= module->n_calls)
        return 0;
    for (size_t i = 0; i < module->calls[line->call].n_nodes; i++)
        add_cost(&sum, costs[module->calls[line->call].nodes[i]]);
    return sum;
}

static void fill_values(const ltap_model *model, const ltap_propagation *known,
                        const uint64_t *costs, ltap_shapes *shapes)
{
    for (size_t i = 0; i < model->n_values; i++) {
        const ltap_value *value = ltap_graph_at(model->graph, model->values[i]);
        bool first = value->producer != LTAP_NO_NODE && value->slot == 0;
        shapes->values[i].tensor = known->values[value->index].tensor;
        shapes->values[i].tensor.data = NULL;
        shapes->values[i].mult_adds = first ? costs[value->producer] : 0;
    }
}

static ltap_status fill(const ltap_model *model, const ltap_propagation *known, ltap_shapes *shapes,
                        ltap_error *error)
{
    void *costs;
    ltap_status status;

    LTAP_TRY(ltap_memory_take_zeroed(model->memory, model->graph->nodes.count, sizeof(uint64_t),
                                     "a table of costs", &costs, error));
    LTAP_GO(node_costs(model, known, costs, error));
    for (size_t i = 0; i < model->graph->nodes.count; i++)
        add_cost(&shapes->mult_adds, ((const uint64_t *)costs)[i]);
    for (size_t i = 0; i < model->listed.count; i++) {
        const ltap_listed *line = LTAP_VECTOR_AT(&model->listed, ltap_listed, i);
        if (line->value != LTAP_NO_VALUE)
            shapes->layers[i].tensor = known->values[line->value].tensor;
        shapes->layers[i].tensor.data = NULL;
        shapes->layers[i].mult_adds = call_cost(model, line, costs);
    }
    fill_values(model, known, costs, shapes);
done:
    ltap_memory_release(model->memory, costs);
    return status;
}

/* *shapes is set as soon as there is something to release. */
static ltap_status new_shapes(const ltap_model *model, ltap_shapes **shapes, ltap_error *error)
{
    void *block;

    LTAP_TRY(ltap_memory_take_zeroed(model->memory, 1, sizeof(ltap_shapes), "the shapes", &block,
                                     error));
    *shapes = block;
    (*shapes)->memory = ltap_memory_ref(model->memory);
    LTAP_TRY(ltap_memory_take_zeroed(model->memory, model->listed.count, sizeof(ltap_layer_shape),
                                     "the shapes", &block, error));
    (*shapes)->layers = block;
    LTAP_TRY(ltap_memory_take_zeroed(model->memory, model->n_values, sizeof(ltap_layer_shape),
                                     "the shapes", &block, error));
    (*shapes)->values = block;
    return LTAP_OK;
}

ltap_status ltap_shapes_make(const ltap_model *model, const ltap_tensor *inputs, size_t n_inputs,
                             ltap_shapes **shapes, ltap_error *error)
{
    ltap_propagation known = {0};
    ltap_shapes *made = NULL;
    ltap_status status;
    void *all = NULL;

    LTAP_GO(new_shapes(model, &made, error));
    LTAP_GO(ltap_memory_take_zeroed(model->memory, model->graph->inputs.count, sizeof(ltap_tensor),
                                    "input shapes", &all, error));
    LTAP_GO(take_inputs(model, inputs, n_inputs, all, error));
    LTAP_GO(ltap_propagation_init(&known, model->graph, model->memory, error));
    known.lenient = true;
    LTAP_GO(ltap_propagation_run(&known, all, error));
    LTAP_GO(fill(model, &known, made, error));
    *shapes = made;
    made = NULL;
done:
    ltap_propagation_clear(&known);
    ltap_memory_release(model->memory, all);
    ltap_shapes_release(made);
    return status;
}

void ltap_shapes_release(ltap_shapes *shapes)
{
    if (!shapes)
        return;
    ltap_memory *memory = shapes->memory;
    ltap_memory_release(memory, shapes->values);
    ltap_memory_release(memory, shapes->layers);
    ltap_memory_release(memory, shapes);
    ltap_memory_unref(memory);
}
