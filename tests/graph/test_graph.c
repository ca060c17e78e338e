#include "base/error.h"
#include "graph/copy.h"
#include "graph/graph.h"
#include "support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A graph in words: "out1,out2=Op(in1,in2)" for each node, "-" for an omitted value. */
typedef struct sketch {
    const char *inputs, *outputs;
    const char *nodes[8];
} sketch;

/* Calls `each` for every comma-separated word. */
static ltap_status add_words(ltap_graph *graph, const char *words, size_t bytes, uint32_t *values,
                             size_t *count, ltap_error *error)
{
    *count = 0;
    for (const char *end = words + bytes; words < end; words++) {
        size_t length = 0;
        while (words + length < end && words[length] != ',')
            length++;
        values[*count] = LTAP_NO_VALUE;
        if (length != 1 || words[0] != '-')
            LTAP_TRY(ltap_graph_value(graph, words, length, &values[*count], error));
        (*count)++;
        words += length;
    }
    return LTAP_OK;
}

static ltap_status add_node(ltap_graph *graph, const char *text, ltap_error *error)
{
    uint32_t outputs[8], inputs[8];
    const char *equals = strchr(text, '='), *open = strchr(equals, '(');
    ltap_node node = {.outputs = outputs, .inputs = inputs};
    LTAP_TRY(ltap_arena_text(&graph->arena, equals + 1, (size_t)(open - equals) - 1, &node.op_type,
                             error));
    LTAP_TRY(add_words(graph, text, (size_t)(equals - text), outputs, &node.n_outputs, error));
    LTAP_TRY(add_words(graph, open + 1, strlen(open) - 2, inputs, &node.n_inputs, error));
    return ltap_graph_node_add(graph, &node, NULL, error);
}

static ltap_status fill(ltap_graph *graph, const sketch *from, ltap_error *error)
{
    uint32_t values[8];
    size_t count;
    LTAP_TRY(add_words(graph, from->inputs, strlen(from->inputs), values, &count, error));
    for (size_t i = 0; i < count; i++) {
        ltap_graph_at(graph, values[i])->is_input = true;
        LTAP_TRY(ltap_vector_push(&graph->inputs, &values[i], error));
    }
    for (size_t i = 0; i < 8 && from->nodes[i] != NULL; i++)
        LTAP_TRY(add_node(graph, from->nodes[i], error));
    LTAP_TRY(add_words(graph, from->outputs, strlen(from->outputs), values, &count, error));
    for (size_t i = 0; i < count; i++) {
        ltap_value *value = ltap_graph_at(graph, values[i]);
        value->is_output = true;
        LTAP_TRY(ltap_vector_push(&graph->outputs, &values[i], error));
        LTAP_TRY(ltap_vector_push(&graph->output_names, &value->name, error));
    }
    return LTAP_OK;
}

static ltap_memory *new_memory(void)
{
    ltap_memory *memory;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    return memory;
}

static ltap_graph *new_graph(ltap_memory *memory)
{
    ltap_graph *graph;
    assert_int_equal(ltap_graph_new(memory, &graph, NULL), LTAP_OK);
    return graph;
}

static uint32_t find(const ltap_graph *graph, const char *name)
{
    uint32_t value = LTAP_NO_VALUE;
    assert_true(ltap_graph_find(graph, name, &value));
    return value;
}

/* The operators in order: "Conv Relu". */
static ltap_text order_of(const ltap_graph *graph)
{
    ltap_text text = {""};
    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        assert_int_equal(node->index, i);
        size_t length = strlen(text.text);
        snprintf(text.text + length, sizeof text.text - length, "%s%s", i > 0 ? " " : "",
                 node->op_type);
    }
    return text;
}

static void linking_sorts_and_keeps_a_valid_order(void **state)
{
    static const struct {
        sketch graph;
        const char *order;
    } rows[] = {
        {{"x", "z", {"y=A(x)", "z=B(y)"}}, "A B"},
        {{"x", "z", {"z=B(y)", "y=A(x)"}}, "A B"},
        {{"x", "c", {"b=B(x)", "a=A(x)", "c=C(a,b)"}}, "B A C"},
        {{"x", "d", {"d=D(c)", "b=B(a)", "c=C(b)", "a=A(x)"}}, "A B C D"},
        {{"x", "d", {"a=A(x)", "d=D(b,c)", "e=E(a)", "c=C(a)", "b=B(a)"}}, "A E C B D"},
        {{"x", "a", {"a=A(x,x,-)", "-,b=B(a,a)"}}, "A B"},
        {{"", "a", {"a=A()"}}, "A"},
        {{"x", "x", {NULL}}, ""},
    };
    ltap_memory *memory = new_memory();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_graph *graph = new_graph(memory);
        ltap_error error = {.message = ""};
        assert_int_equal(fill(graph, &rows[i].graph, &error), LTAP_OK);
        assert_int_equal(ltap_graph_link(graph, &error), LTAP_OK);
        assert_string_equal(order_of(graph).text, rows[i].order);
        assert_true(graph->linked);
        ltap_graph_free(graph);
    }
    ltap_memory_unref(memory);
}

static void a_graph_that_contradicts_itself_is_refused_by_name(void **state)
{
    static const struct {
        sketch graph;
        const char *message;
    } rows[] = {
        {{"x", "b", {"b=Add(x,a)", "a=Mul(b)"}},
         "the graph has a cycle: Add of value 'b' needs its own output 'b'"},
        {{"x", "c", {"y=Neg(x)", "c=Add(c,y)"}},
         "the graph has a cycle: Add of value 'c' needs its own output 'c'"},
        {{"x", "e", {"e=E(d)", "d=D(c)", "a=A(x)", "b=B(a,c)", "c=C(b)"}},
         "the graph has a cycle: C of value 'c' needs its own output 'c'"},
        {{"x", "y", {"y=Add(x,w)"}},
         "Add of value 'y' uses the value 'w', which is no input, no weight and no node's output"},
        {{"x", "gone", {"y=Neg(x)"}},
         "the output 'gone' is no input, no weight and no node's output"},
        {{"x", "y", {"y=Neg(x)", "y=Abs(x)"}},
         "the value 'y' is made twice: by Neg of value 'y' and by Abs of value 'y'"},
        {{"x", "y", {"y,y=Split(x)"}},
         "the value 'y' is made twice: by Split of value 'y' and by Split of value 'y'"},
        {{"x", "y", {"x=Neg(x)"}},
         "the value 'x' is made by Neg of value 'x' and is also an input"},
    };
    ltap_memory *memory = new_memory();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_graph *graph = new_graph(memory);
        ltap_error error = {.message = ""};
        ltap_status status = fill(graph, &rows[i].graph, &error);
        if (status == LTAP_OK)
            status = ltap_graph_link(graph, &error);
        assert_int_equal(status, LTAP_ERROR_FORMAT);
        assert_string_equal(error.message, rows[i].message);
        ltap_graph_free(graph);
    }
    ltap_memory_unref(memory);
}

static void consumers_are_listed_use_by_use_in_order(void **state)
{
    static const sketch from = {"x", "c", {"c=C(a,x)", "b=B(x,x)", "a=A(x)"}};
    static const uint32_t wanted[] = {0, 0, 1, 2}; /* B B A C */
    ltap_memory *memory = new_memory();
    ltap_graph *graph = new_graph(memory);
    assert_int_equal(fill(graph, &from, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_link(graph, NULL), LTAP_OK);
    assert_string_equal(order_of(graph).text, "B A C");
    const ltap_value *x = ltap_graph_at(graph, find(graph, "x"));
    assert_int_equal(x->n_consumers, 4);
    assert_memory_equal(x->consumers, wanted, sizeof wanted);
    const ltap_value *a = ltap_graph_at(graph, find(graph, "a"));
    assert_int_equal(a->producer, 1);
    assert_int_equal(a->n_consumers, 1);
    assert_int_equal(a->consumers[0], 2);
    assert_int_equal(ltap_graph_at(graph, find(graph, "c"))->n_consumers, 0);
    assert_int_equal(ltap_graph_node(graph, 2)->origin, 0);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void fifty_thousand_nodes_link_at_once(void **state)
{
    enum { N = 50000 };
    ltap_memory *memory = new_memory();
    /* A chain given backwards, and a fan of one value to all. */
    for (int fan = 0; fan < 2; fan++) {
        ltap_graph *graph = new_graph(memory);
        uint32_t x;
        assert_int_equal(ltap_graph_value(graph, "x", 1, &x, NULL), LTAP_OK);
        ltap_graph_at(graph, x)->is_input = true;
        for (int i = N; i > 0; i--) {
            char text[64];
            snprintf(text, sizeof text,
                     fan      ? "v%d=A(x)"
                     : i == 1 ? "v%d=A(x)"
                              : "v%d=A(v%d)",
                     i, i - 1);
            assert_int_equal(add_node(graph, text, NULL), LTAP_OK);
        }
        assert_int_equal(ltap_graph_link(graph, NULL), LTAP_OK);
        for (uint32_t i = 0; i < N; i++)
            assert_int_equal(ltap_graph_node(graph, i)->origin, fan ? i : N - 1 - i);
        assert_int_equal(ltap_graph_at(graph, x)->n_consumers, fan ? N : 1);
        ltap_graph_free(graph);
    }
    ltap_memory_unref(memory);
}

/* outer: x -> a; If(x) whose branch uses `name`. The If stands in front of what its branch uses. */
static ltap_status add_if(ltap_graph *graph, int level, ltap_graph **inner, ltap_error *error)
{
    void *block;
    char text[16];
    uint32_t x, chosen;
    snprintf(text, sizeof text, level ? "chosen%d" : "chosen", level);
    LTAP_TRY(ltap_graph_value(graph, "x", 1, &x, error));
    LTAP_TRY(ltap_graph_value(graph, text, strlen(text), &chosen, error));
    LTAP_TRY(ltap_arena_take(&graph->arena, 1, sizeof(ltap_graph *), &block, error));
    ltap_graph **branches = block;
    LTAP_TRY(ltap_graph_new_inside(graph, branches, error));
    *inner = branches[0];
    LTAP_TRY(ltap_arena_take(&graph->arena, 1, sizeof(ltap_attr), &block, error));
    ltap_attr *attr = block;
    *attr = (ltap_attr){
        .name = "then_branch", .kind = LTAP_ATTR_GRAPH, .count = 1, .u.graphs = branches};
    ltap_node node = {.op_type = "If",
                      .inputs = &x,
                      .n_inputs = 1,
                      .outputs = &chosen,
                      .n_outputs = 1,
                      .attrs = attr,
                      .n_attrs = 1};
    return ltap_graph_node_add(graph, &node, NULL, error);
}

static ltap_status build_nested(ltap_graph *outer, const char *name, int depth, ltap_error *error)
{
    static const sketch around = {"x", "", {NULL}};
    ltap_graph *inner = outer;
    char text[64];
    LTAP_TRY(fill(outer, &around, error));
    for (int i = 0; i < depth; i++)
        LTAP_TRY(add_if(inner, i, &inner, error));
    LTAP_TRY(add_node(outer, "a=A(x)", error));
    snprintf(text, sizeof text, "y=Neg(%s)", name);
    LTAP_TRY(add_node(inner, text, error));
    LTAP_TRY(ltap_graph_link(outer, error));
    return ltap_graph_link(inner, error);
}

static void what_a_subgraph_captures_is_used_by_its_node(void **state)
{
    ltap_memory *memory = new_memory();
    for (int depth = 1; depth < 4; depth++) {
        ltap_graph *graph = new_graph(memory);
        ltap_error error = {.message = ""};
        assert_int_equal(build_nested(graph, "a", depth, &error), LTAP_OK);
        assert_string_equal(order_of(graph).text, "A If");
        const ltap_value *a = ltap_graph_at(graph, find(graph, "a"));
        assert_int_equal(a->n_consumers, 1);
        assert_int_equal(a->consumers[0], 1);
        ltap_graph_free(graph);
    }
    ltap_memory_unref(memory);
}

static void a_subgraph_cannot_use_what_nobody_makes(void **state)
{
    ltap_memory *memory = new_memory();
    ltap_graph *graph = new_graph(memory);
    ltap_error error;
    assert_int_equal(build_nested(graph, "nobody", 2, &error), LTAP_ERROR_FORMAT);
    assert_string_equal(error.message,
                        "a subgraph of If of value 'chosen' uses the value 'nobody', "
                        "which is no input, no weight and no node's output");
    ltap_graph_free(graph);
    graph = new_graph(memory);
    assert_int_equal(build_nested(graph, "chosen", 1, &error), LTAP_ERROR_FORMAT);
    assert_string_equal(
        error.message, "the graph has a cycle: If of value 'chosen' needs its own output 'chosen'");
    ltap_graph_free(graph);
    graph = new_graph(memory);
    assert_int_equal(build_nested(graph, "a", 70, &error), LTAP_ERROR_UNSUPPORTED);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void values_are_found_by_name_and_made_up_names_are_new(void **state)
{
    ltap_memory *memory = new_memory();
    ltap_graph *graph = new_graph(memory);
    uint32_t a, b, made, again;
    ltap_error error;
    assert_int_equal(ltap_graph_value(graph, "onnx::Conv_193", 14, &a, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_value(graph, "onnx::Conv_193", 14, &b, NULL), LTAP_OK);
    assert_int_equal(a, b);
    assert_int_equal(ltap_graph_at(graph, a)->type.rank, -1);
    assert_int_equal(ltap_graph_value(graph, "\1fold0", 6, &b, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_value_new(graph, "fold", &made, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_value_new(graph, "fold", &again, NULL), LTAP_OK);
    assert_true(made != b && made != again);
    assert_int_equal(ltap_graph_at(graph, made)->name[0], '\1');
    assert_int_equal(find(graph, ltap_graph_at(graph, made)->name), made);
    assert_false(ltap_graph_find(graph, "none", &b));
    assert_int_equal(ltap_graph_value(graph, "a\0b", 3, &b, &error), LTAP_ERROR_FORMAT);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void constants_are_views_and_count_as_given(void **state)
{
    static int64_t numbers[] = {1, -1};
    static char bytes[9];
    ltap_memory *memory = new_memory();
    ltap_graph *graph = new_graph(memory);
    ltap_tensor tensor = {LTAP_FLOAT32, 1, {2}, bytes + 1};
    uint32_t ints, view;
    assert_int_equal(ltap_graph_constant_ints(graph, "shape", numbers, 2, &ints, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_constant(graph, "view", &tensor, &view, NULL), LTAP_OK);
    numbers[0] = 7; /* its own copy */
    const ltap_value *value = ltap_graph_at(graph, ints);
    assert_int_equal(ltap_tensor_int(value->constant, 0), 1);
    assert_int_equal(ltap_tensor_int(value->constant, 1), -1);
    assert_false(value->unaligned);
    assert_ptr_equal(ltap_graph_at(graph, view)->constant->data, bytes + 1);
    assert_true(ltap_graph_at(graph, view)->unaligned);
    ltap_node node = {.op_type = "Reshape", .inputs = &ints, .n_inputs = 1};
    assert_int_equal(ltap_graph_node_add(graph, &node, NULL, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_link(graph, NULL), LTAP_OK);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void attributes_are_read_by_name_and_kind(void **state)
{
    static const int64_t pads[] = {1, 2};
    const ltap_attr attrs[] = {
        {.name = "group", .kind = LTAP_ATTR_INT, .count = 1, .u.i = 3},
        {.name = "epsilon", .kind = LTAP_ATTR_FLOAT, .count = 1, .u.f = 0.5},
        {.name = "mode", .kind = LTAP_ATTR_STRING, .count = 1, .u.s = {"linear", 6}},
        {.name = "pads", .kind = LTAP_ATTR_INTS, .count = 2, .u.ints = pads},
    };
    const ltap_property properties[] = {{"scope", "layer1"}};
    ltap_node node = {.attrs = attrs, .n_attrs = 4, .properties = properties, .n_properties = 1};
    const int64_t *ints;
    assert_int_equal(ltap_node_int(&node, "group", 1), 3);
    assert_int_equal(ltap_node_int(&node, "none", 1), 1);
    assert_int_equal(ltap_node_int(&node, "epsilon", 1), 1);
    assert_true(ltap_node_float(&node, "epsilon", 1) == 0.5);
    assert_true(ltap_node_float(&node, "none", 0.25) == 0.25);
    assert_string_equal(ltap_node_string(&node, "mode", NULL), "linear");
    assert_string_equal(ltap_node_string(&node, "group", "x"), "x");
    assert_int_equal(ltap_node_ints(&node, "pads", &ints), 2);
    assert_ptr_equal(ints, pads);
    assert_int_equal(ltap_node_ints(&node, "group", &ints), 0);
    assert_null(ints);
    assert_string_equal(ltap_node_property(&node, "scope"), "layer1");
    assert_null(ltap_node_property(&node, "none"));
    assert_ptr_equal(ltap_node_attr(&node, "mode"), &attrs[2]);
    assert_null(ltap_node_attr(&node, "none"));
}

static void messages_name_a_node_by_what_it_has(void **state)
{
    ltap_memory *memory = new_memory();
    ltap_graph *graph = new_graph(memory);
    uint32_t value, made, none = LTAP_NO_VALUE;
    assert_int_equal(ltap_graph_value(graph, "65", 2, &value, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_value_new(graph, "x", &made, NULL), LTAP_OK);
    ltap_node node = {.index = 4, .name = "/conv1/Conv", .op_type = "Conv", .n_outputs = 1};
    node.outputs = &value;
    assert_string_equal(ltap_node_text(graph, &node).text, "Conv '/conv1/Conv'");
    node.name = "";
    assert_string_equal(ltap_node_text(graph, &node).text, "Conv of value '65'");
    node.outputs = &made;
    assert_string_equal(ltap_node_text(graph, &node).text, "Conv (node 4)");
    node.outputs = &none;
    assert_string_equal(ltap_node_text(graph, &node).text, "Conv (node 4)");
    char name[600];
    memset(name, 0, sizeof name);
    for (size_t lead = 0; lead < 3; lead++) {
        memset(name, 'a', lead);
        for (size_t i = lead; i + 3 < sizeof name; i += 3)
            memcpy(name + i, "\xe5\xb1\xa4", 3);
        node.name = name;
        ltap_text text = ltap_node_text(graph, &node);
        size_t length = strlen(text.text);
        assert_in_range(length, sizeof text.text - 4, sizeof text.text - 1);
        assert_memory_equal(text.text + length - 3, "\xe5\xb1\xa4", 3);
    }
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void a_copy_keeps_numbers_and_remembers_origins(void **state)
{
    static const sketch from = {"x", "d", {"a=A(x)", "b=B(x)", "d=D(a)"}};
    static const uint8_t keep[] = {1, 0, 1};
    ltap_memory *memory = new_memory();
    ltap_graph *graph = new_graph(memory), *copy, *again;
    assert_int_equal(fill(graph, &from, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_link(graph, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_copy(graph, keep, &copy, NULL), LTAP_OK);
    assert_false(copy->linked);
    assert_int_equal(ltap_graph_link(copy, NULL), LTAP_OK);
    assert_string_equal(order_of(copy).text, "A D");
    assert_int_equal(ltap_graph_node(copy, 1)->origin, 2);
    assert_int_equal(copy->values.count, graph->values.count);
    assert_int_equal(find(copy, "b"), find(graph, "b"));
    assert_int_equal(ltap_graph_at(copy, find(copy, "b"))->producer, LTAP_NO_NODE);
    assert_int_equal(ltap_graph_at(copy, find(copy, "d"))->producer, 1);
    assert_int_equal(ltap_graph_at(copy, find(copy, "x"))->n_consumers, 1);
    assert_int_equal(ltap_graph_at(graph, find(graph, "x"))->n_consumers, 2);
    ltap_graph_node(copy, 1)->inputs[0] = find(copy, "x"); /* its own list */
    assert_int_equal(ltap_graph_node(graph, 2)->inputs[0], find(graph, "a"));
    assert_int_equal(ltap_graph_copy(graph, NULL, &again, NULL), LTAP_OK);
    assert_int_equal(again->nodes.count, 3);
    assert_int_equal(again->output_names.count, 1);
    ltap_graph_free(again);
    ltap_graph_free(copy);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void a_copy_without_what_is_needed_does_not_link(void **state)
{
    static const sketch from = {"x", "d", {"a=A(x)", "d=D(a)"}};
    static const uint8_t keep[] = {0, 1};
    ltap_memory *memory = new_memory();
    ltap_graph *graph = new_graph(memory), *copy;
    assert_int_equal(fill(graph, &from, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_link(graph, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_copy(graph, keep, &copy, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_link(copy, NULL), LTAP_ERROR_FORMAT);
    ltap_graph_free(copy);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static ltap_status build_and_copy(ltap_memory *memory, ltap_error *error)
{
    ltap_graph *graph = NULL, *copy = NULL;
    ltap_status status;
    LTAP_TRY(ltap_graph_new(memory, &graph, error));
    LTAP_GO(build_nested(graph, "a", 3, error));
    LTAP_GO(ltap_graph_copy(graph, NULL, &copy, error));
    LTAP_GO(ltap_graph_link(copy, error));
done:
    ltap_graph_free(copy);
    ltap_graph_free(graph);
    return status;
}

static void any_failing_allocation_leaves_nothing(void **state)
{
    bool failed = true;
    for (size_t n = 2; failed; n++) {
        fail_alloc heap;
        ltap_memory *memory;
        ltap_error error = {0};
        fail_alloc_init(&heap, n);
        assert_int_equal(ltap_memory_new(&heap.allocator, 0, &memory, NULL), LTAP_OK);
        ltap_status status = build_and_copy(memory, &error);
        failed = fail_alloc_failed(&heap);
        assert_int_equal(status, failed ? LTAP_ERROR_MEMORY : LTAP_OK);
        assert_int_equal(error.code, status);
        ltap_memory_unref(memory);
        fail_alloc_check(&heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linking_sorts_and_keeps_a_valid_order),
        cmocka_unit_test(a_graph_that_contradicts_itself_is_refused_by_name),
        cmocka_unit_test(consumers_are_listed_use_by_use_in_order),
        cmocka_unit_test(fifty_thousand_nodes_link_at_once),
        cmocka_unit_test(what_a_subgraph_captures_is_used_by_its_node),
        cmocka_unit_test(a_subgraph_cannot_use_what_nobody_makes),
        cmocka_unit_test(values_are_found_by_name_and_made_up_names_are_new),
        cmocka_unit_test(constants_are_views_and_count_as_given),
        cmocka_unit_test(attributes_are_read_by_name_and_kind),
        cmocka_unit_test(messages_name_a_node_by_what_it_has),
        cmocka_unit_test(a_copy_keeps_numbers_and_remembers_origins),
        cmocka_unit_test(a_copy_without_what_is_needed_does_not_link),
        cmocka_unit_test(any_failing_allocation_leaves_nothing),
    };
    return cmocka_run_group_tests_name("graph/graph", tests, NULL, NULL);
}
