#include "graph/test_layers_sketch.h"
#include "select/select.h"
#include "support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const layers_sketch net = {
    "image",
    "scores",
    {"/conv1/Conv|Conv|image onnx::Conv_1 onnx::Conv_2|/conv1/Conv_output_0",
     "/relu/Relu|Relu|/conv1/Conv_output_0|a", "/layer1/layer1.0/conv/Conv|Conv|a l.w|65",
     "/layer1/layer1.0/relu/Relu|Relu|65|66", "/layer1/layer1.0/Add|Add|66 a|67",
     "/layer1/layer1.0/relu_1/Relu|Relu|67|68", "/layer1/layer1.1/relu/Relu|Relu|68|69",
     "/layer2/layer2.0/Relu|Relu|69|70",
     "/layer2/layer2.1/GlobalAveragePool|GlobalAveragePool|70|71", "a*c|Neg|71|72",
     "/fc/Gemm|Gemm|72 fc.weight fc.bias|scores"}};

/* expected: the names with blanks between; or a part of the refusal after "!". */
typedef struct several_case {
    const char *selector;
    ltap_calls calls;
    const char *expected;
} several_case;

static const several_case cases[] = {
    {"layer1", LTAP_CALLS_REFUSE, "layer1"},
    {"nobody", LTAP_CALLS_REFUSE, "nobody"},
    {"a*c", LTAP_CALLS_REFUSE, "a*c"},
    {"layer*", LTAP_CALLS_REFUSE, "layer1 layer2"},
    {"layer?.0", LTAP_CALLS_REFUSE, "layer1.0 layer2.0"},
    {"*", LTAP_CALLS_REFUSE, "conv1:folded relu layer1 layer2 a*c fc"},
    {"conv?", LTAP_CALLS_REFUSE, "conv1:folded"},
    {"layer1.*.relu", LTAP_CALLS_REFUSE, "layer1.0.relu#0 layer1.0.relu#1 layer1.1.relu"},
    {"layer1.*.relu", LTAP_CALLS_FIRST, "layer1.0.relu#0 layer1.1.relu"},
    {"layer1.*.relu", LTAP_CALLS_LAST, "layer1.0.relu#1 layer1.1.relu"},
    {"layer1.*.relu#1", LTAP_CALLS_REFUSE, "layer1.0.relu#1"},
    {"**.relu:in", LTAP_CALLS_LAST, "relu:in layer1.0.relu#1:in layer1.1.relu:in"},
    {"**.relu", LTAP_CALLS_FIRST, "relu layer1.0.relu#0 layer1.1.relu"},
    {"**.relu#*", LTAP_CALLS_REFUSE, "layer1.0.relu#0 layer1.0.relu#1"},
    {"**relu", LTAP_CALLS_FIRST, "relu layer1.0.relu#0 layer1.1.relu"},
    {"layer1.**", LTAP_CALLS_FIRST,
     "layer1.0 layer1.0.conv layer1.0.relu#0 layer1.1 layer1.1.relu"},
    {"/**/Add", LTAP_CALLS_REFUSE, "/layer1/layer1.0/Add"},
    {"module:l*2", LTAP_CALLS_REFUSE, "layer2"},
    {"node:/layer2/**", LTAP_CALLS_REFUSE,
     "node:/layer2/layer2.0/Relu node:/layer2/layer2.1/GlobalAveragePool"},
    {"value:6?", LTAP_CALLS_REFUSE, "value:65 value:66 value:67 value:68 value:69"},
    {"value:fc**", LTAP_CALLS_REFUSE, "!no layer matches"},
    {"input:*", LTAP_CALLS_REFUSE, "input:image"},
    {"output:s*", LTAP_CALLS_REFUSE, "output:scores"},
    {"op:Conv", LTAP_CALLS_REFUSE, "conv1:folded layer1.0.conv"},
    {"op:*Pool", LTAP_CALLS_REFUSE, "layer2.1"},
    {"op:add:in[1]", LTAP_CALLS_REFUSE, "/layer1/layer1.0/Add:in[1]"},
    {"op:Conv[0]", LTAP_CALLS_REFUSE, "op:Conv[0]"},
    {"op:Sub", LTAP_CALLS_REFUSE, "!no node of type 'Sub' in net.onnx"},
    {"lay*er9", LTAP_CALLS_REFUSE, "!'*' ends at '.' and '/', '**' does not"},
    {"**layer9", LTAP_CALLS_REFUSE, "!no layer matches '**layer9' in net.onnx (all names"},
    {"*a*a*a*a*a*a*a*a*a*a*a*a*", LTAP_CALLS_REFUSE, "!no layer matches"},
};

typedef struct opened {
    ltap_memory *memory;
    ltap_graph *graph;
    ltap_layers *layers;
    ltap_arena arena;
    ltap_vector listed, names;
} opened;

static ltap_status open_net(opened *o, const ltap_allocator *allocator)
{
    *o = (opened){0};
    if (ltap_memory_new(allocator, 0, &o->memory, NULL) != LTAP_OK)
        return LTAP_ERROR_MEMORY;
    ltap_arena_init(&o->arena, o->memory);
    ltap_vector_init(&o->listed, o->memory, sizeof(ltap_listed));
    ltap_vector_init(&o->names, o->memory, sizeof(const char *));
    if (sketch_layers(o->memory, &net, &o->graph, &o->layers, NULL) != LTAP_OK)
        return LTAP_ERROR_MEMORY;
    return ltap_list_layers(o->layers, &o->arena, &o->listed, NULL);
}

static void close_net(opened *o)
{
    if (o->memory == NULL)
        return;
    ltap_vector_clear(&o->names);
    ltap_vector_clear(&o->listed);
    ltap_arena_clear(&o->arena);
    ltap_layers_free(o->layers);
    ltap_graph_free(o->graph);
    ltap_memory_unref(o->memory);
}

static ltap_status ask(opened *o, const several_case *row, ltap_error *error)
{
    ltap_pattern_search search = {o->layers, &o->listed, "net.onnx", row->calls};
    bool several;
    return ltap_select_several(&search, row->selector, &o->arena, &o->names, &several, error);
}

static void a_pattern_stands_for_what_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024] = "";
        ltap_error error = {.message = ""};
        opened o;
        assert_int_equal(open_net(&o, NULL), LTAP_OK);
        ltap_status status = ask(&o, &cases[i], &error);
        for (size_t n = 0; n < o.names.count; n++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", n > 0 ? " " : "",
                     *LTAP_VECTOR_AT(&o.names, const char *, n));
        bool refused = cases[i].expected[0] == '!';
        if (refused ? status != LTAP_ERROR_UNKNOWN_LAYER ||
                          strstr(error.message, cases[i].expected + 1) == NULL
                    : status != LTAP_OK || strcmp(text, cases[i].expected) != 0)
            fail_msg("'%s': %s%s", cases[i].selector, text, error.message);
        close_net(&o);
    }
}

static void every_name_of_a_pattern_resolves(void **state)
{
    opened o;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(open_net(&o, NULL), LTAP_OK);
        bool several = cases[i].expected[0] != '!' && strpbrk(cases[i].selector, "*?") != NULL;
        assert_true(ask(&o, &cases[i], NULL) == LTAP_OK || !several);
        for (size_t n = 0; several && n < o.names.count; n++) {
            ltap_selection found;
            const char *name = *LTAP_VECTOR_AT(&o.names, const char *, n);
            if (ltap_select(o.layers, "net.onnx", name, LTAP_CALLS_REFUSE, &o.arena, &found,
                            NULL) != LTAP_OK)
                fail_msg("'%s' of '%s'", name, cases[i].selector);
        }
        close_net(&o);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        fail_alloc heap;
        opened o;
        fail_alloc_init(&heap, n);
        ltap_status status = open_net(&o, &heap.allocator);
        if (status == LTAP_OK)
            status = ask(&o, &cases[11], NULL);
        assert_int_equal(status, fail_alloc_failed(&heap) ? LTAP_ERROR_MEMORY : LTAP_OK);
        close_net(&o);
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap))
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_stands_for_what_matches),
        cmocka_unit_test(every_name_of_a_pattern_resolves),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
