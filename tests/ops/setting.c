#include "setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

ltap_tensor case_shape(const case_tensor *t)
{
    return ltap_tensor_make(t->dtype, t->rank, t->dims, NULL);
}

static size_t count_tensors(const case_tensor *tensors, size_t at_least)
{
    size_t count = 0;
    while (count < CASE_TENSORS && (count < at_least || tensors[count].dtype != LTAP_UNDEFINED))
        count++;
    return count;
}

const ltap_op *setting_find_op(const char *name)
{
    bool is_example = strcmp(name, ltap_op_squareplus.name) == 0;
    const ltap_op *op = ltap_ops_find("", name);
    return is_example ? &ltap_op_squareplus : op ? op : ltap_ops_find("layertap", name);
}

/* The next of the words, as a value of the graph; false at the end. */
static bool next_value(ltap_graph *graph, const char **words, uint32_t *value)
{
    *words += strspn(*words, " ");
    size_t bytes = strcspn(*words, " ");
    if (bytes == 0)
        return false;
    assert_int_equal(ltap_graph_value(graph, *words, bytes, value, NULL), LTAP_OK);
    *words += bytes;
    return true;
}

static void add_body_node(ltap_graph *graph, const char *line)
{
    uint32_t output, inputs[4];
    ltap_node node = {.outputs = &output, .n_outputs = 1, .inputs = inputs};
    assert_true(next_value(graph, &line, &output));
    line += 3; /* " = " */
    size_t bytes = strcspn(line, " ");
    assert_int_equal(ltap_arena_text(&graph->arena, line, bytes, &node.op_type, NULL), LTAP_OK);
    line += bytes;
    while (next_value(graph, &line, &inputs[node.n_inputs]))
        node.n_inputs++;
    assert_int_equal(ltap_graph_node_add(graph, &node, NULL, NULL), LTAP_OK);
}

static void build_body(setting *s, size_t index)
{
    const case_body *body = &s->test->bodies[index];
    const char *inputs = body->inputs, *outputs = body->outputs;
    uint32_t value;
    assert_int_equal(ltap_graph_new_inside(s->graph, &s->bodies[index], NULL), LTAP_OK);
    ltap_graph *graph = s->bodies[index];
    while (next_value(graph, &inputs, &value)) {
        ltap_graph_at(graph, value)->is_input = true;
        assert_int_equal(ltap_vector_push(&graph->inputs, &value, NULL), LTAP_OK);
    }
    for (size_t i = 0; i < 4 && body->nodes[i]; i++)
        add_body_node(graph, body->nodes[i]);
    while (next_value(graph, &outputs, &value))
        assert_int_equal(ltap_vector_push(&graph->outputs, &value, NULL), LTAP_OK);
    s->attrs[s->node.n_attrs++] = (ltap_attr){
        .name = body->attr, .kind = LTAP_ATTR_GRAPH, .count = 1, .u.graphs = &s->bodies[index]};
}

static void set_up_bodies(setting *s)
{
    const char *words = s->test->captured ? s->test->captured : "";
    ltap_memory *memory = NULL;
    uint32_t value;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_new(memory, &s->graph, NULL), LTAP_OK);
    ltap_memory_unref(memory);
    memcpy(s->attrs, s->test->attrs, s->node.n_attrs * sizeof(ltap_attr));
    s->node.attrs = s->attrs;
    for (size_t i = 0; i < CASE_BODIES && s->test->bodies[i].attr; i++)
        build_body(s, i);
    while (next_value(s->graph, &words, &value))
        s->captured[s->node.n_captured++] = ltap_graph_at(s->graph, value)->name;
    s->node.captured = s->captured;
    ltap_ops_bind(s->graph);
}

void setting_init(setting *s, const op_case *test)
{
    memset(s, 0, sizeof(*s));
    s->test = test;
    s->node.name = "n";
    s->node.op_type = test->op;
    s->node.op = setting_find_op(test->op);
    s->node.domain = s->node.op ? s->node.op->domain : "";
    s->node.attrs = test->attrs;
    while (s->node.n_attrs < CASE_ATTRS && test->attrs[s->node.n_attrs].name)
        s->node.n_attrs++;
    set_up_bodies(s);
    s->call.node = &s->node;
    s->call.inputs = s->inputs;
    s->call.outputs = s->outputs;
    s->call.n_inputs = count_tensors(test->inputs, test->n_inputs);
    s->call.n_outputs = count_tensors(test->outputs, 1);
    s->node.n_inputs = s->call.n_inputs;
    s->node.n_outputs = s->call.n_outputs;
    s->node.inputs = s->values;
    s->node.outputs = s->values + CASE_TENSORS;
    for (size_t i = 0; i < s->call.n_outputs; i++)
        assert_int_equal(ltap_graph_value_new(s->graph, "y", &s->node.outputs[i], NULL), LTAP_OK);
    for (size_t i = 0; i < s->call.n_inputs; i++) {
        if (test->inputs[i].dtype != LTAP_UNDEFINED)
            assert_int_equal(ltap_graph_value_new(s->graph, "x", &s->node.inputs[i], NULL),
                             LTAP_OK);
        else
            s->node.inputs[i] = LTAP_NO_VALUE;
        const case_tensor *t = &test->inputs[i];
        s->inputs[i] = case_shape(t);
        if (t->dtype == LTAP_UNDEFINED || t->dtype == LTAP_STRING)
            continue;
        size_t bytes = (size_t)ltap_tensor_bytes(&s->inputs[i]);
        assert_true(bytes <= t->data_bytes);
        s->input_blocks[i] = malloc(bytes ? bytes : 1);
        memcpy(s->input_blocks[i], t->data, bytes);
        if (test->constants & INPUT(i))
            s->inputs[i].data = s->input_blocks[i];
    }
}

void setting_clear(setting *s)
{
    for (size_t i = 0; i < CASE_TENSORS; i++) {
        free(s->input_blocks[i]);
        free(s->outputs[i].data);
    }
    ltap_graph_free(s->graph);
}

ltap_status setting_shape(setting *s, ltap_error *error)
{
    return ltap_op_shape(s->graph, &s->call, error);
}

ltap_status setting_compute(setting *s, int threads, unsigned wanted, ltap_memory *memory,
                            ltap_error *error)
{
    for (size_t i = 0; i < s->call.n_inputs; i++)
        s->inputs[i].data = s->input_blocks[i];
    for (size_t i = 0; i < s->call.n_outputs; i++) {
        size_t bytes = (size_t)ltap_tensor_bytes(&s->outputs[i]);
        free(s->outputs[i].data);
        s->outputs[i].data = wanted >> i & 1 ? malloc(bytes ? bytes : 1) : NULL;
        if (s->outputs[i].data)
            memset(s->outputs[i].data, 0xa5, bytes);
    }
    s->call.memory = memory;
    s->call.threads = threads;
    return s->node.op->reference(&s->call, error);
}
