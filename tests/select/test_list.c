#include "graph/test_layers_sketch.h"
#include "select/select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* expected: a line each, "depth name kind type value". */
typedef struct list_case {
    const char *name;
    layers_sketch sketch;
    const char *expected;
} list_case;

static const list_case cases[] = {
    {"modules before what is inside, operations where they run",
     {"image",
      "scores",
      {"/conv1/Conv|Conv|image onnx::Conv_1 onnx::Conv_2|a", "/b/relu/Relu|Relu|a|r",
       "/b/conv/Conv|Conv|r b.conv.weight|c", "/b/Add|Add|c a|d", "/b/relu_1/Relu|Relu|d|e",
       "/Shape|Shape|e|f", "/Gather|Gather|f #0|g", "/Reshape|Reshape|e g|h",
       "/fc/Gemm|Gemm|h fc.weight|scores"}},
     "0 image input input image\n0 conv1:folded node Conv a\n0 b module module e\n"
     "1 b.relu#0 node Relu r\n1 b.conv node Conv c\n1 /b/Add node Add d\n1 b.relu#1 node Relu e\n"
     "0 /Reshape node Reshape h\n0 fc node Gemm scores\n0 scores output output scores\n"},
    {"a module of several operations lists them",
     {"x",
      "y",
      {"m0|MatMul|x fc.weight|a|['', 'm', 'm.fc', 'n']|['M', 'my.Block', 'torch.nn.Linear', 'x']",
       "m1|Add|a fc.bias|b|['', 'm', 'm.fc', 'n']|['M', 'my.Block', 'torch.nn.Linear', 'x']",
       "m2|Relu|b|y|['', 'm', 'n']"}},
     "0 x input input x\n0 m module Block y\n1 m.fc module Linear b\n2 m0 node MatMul a\n"
     "2 m1 node Add b\n1 m2 node Relu y\n0 y output output y\n"},
    {"a name that means two things is listed with its kind",
     {"x",
      "linear",
      {"n0|Relu|x|relu|['', 'linear', 'relu']", "n1|Relu|relu|linear|['', 'relu', 'linear']"}},
     "0 x input input x\n0 module:linear node Relu relu\n0 module:relu node Relu linear\n"
     "0 output:linear output output linear\n"},
    {"without a tree, nodes or values",
     {"x",
      "y",
      {"Conv_0|Conv|x w|a", "twice|Relu|a|b", "twice|Relu|b|c", "|Split|c|d e",
       "conv|Concat|d e|conv", "x|Relu|conv|y"}},
     "0 input:x input input x\n0 Conv_0 node Conv a\n0 b node Relu b\n0 c node Relu c\n"
     "0 d node Split d\n0 conv node Concat conv\n0 node:x node Relu y\n0 y output output y\n"},
    {"what is in doubt is listed by its operations",
     {"x",
      "y",
      {"/s/s.0/Relu|Relu|x|a", "/s/s.1/Neg|Neg|a|b", "/s/s.0_1/Relu|Relu|b|c",
       "/s/s.1_1/Neg|Neg|c|y"}},
     "0 x input input x\n0 s.0#0 node Relu a\n0 s.1#0 node Neg b\n0 s.0#1 node Relu c\n"
     "0 s.1#1 node Neg y\n0 y output output y\n"},
    {"a fused convolution is listed as the BatchNorm that carries it",
     {"x", "y", {"n0|Conv|x conv.weight b|y|['', 'bn', 'n']||FuseBatchNormIntoConv"}},
     "0 x input input x\n0 bn node Conv y\n0 y output output y\n"},
    {"an output that is an input",
     {"x", "x", {"/a/Relu|Relu|x|b"}},
     "0 x input input x\n0 a node Relu b\n0 x output output x\n"},
};

typedef struct opened {
    ltap_memory *memory;
    ltap_graph *graph;
    ltap_layers *layers;
    ltap_arena arena;
    ltap_vector listed;
} opened;

static void open_list(opened *o, const list_case *row)
{
    ltap_error error = {.message = ""};
    assert_int_equal(ltap_memory_new(NULL, 0, &o->memory, NULL), LTAP_OK);
    if (sketch_layers(o->memory, &row->sketch, &o->graph, &o->layers, &error) != LTAP_OK)
        fail_msg("%s: %s", row->name, error.message);
    ltap_arena_init(&o->arena, o->memory);
    ltap_vector_init(&o->listed, o->memory, sizeof(ltap_listed));
    assert_int_equal(ltap_list_layers(o->layers, &o->arena, &o->listed, &error), LTAP_OK);
}

static void close_list(opened *o)
{
    ltap_vector_clear(&o->listed);
    ltap_arena_clear(&o->arena);
    ltap_layers_free(o->layers);
    ltap_graph_free(o->graph);
    ltap_memory_unref(o->memory);
}

static void layers_are_listed_in_order(void **state)
{
    static const char *const kinds[] = {"input", "module", "node", "output"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048] = "";
        size_t at = 0;
        opened o;
        open_list(&o, &cases[i]);
        for (size_t k = 0; k < o.listed.count; k++) {
            const ltap_listed *line = LTAP_VECTOR_AT(&o.listed, ltap_listed, k);
            at += (size_t)snprintf(text + at, sizeof text - at, "%d %s %s %s %s\n", line->depth,
                                   line->name, kinds[line->kind], line->type,
                                   ltap_graph_at(o.graph, line->value)->name);
        }
        if (strcmp(text, cases[i].expected) != 0)
            fail_msg("%s:\n%sinstead of\n%s", cases[i].name, text, cases[i].expected);
        close_list(&o);
    }
}

static void every_listed_name_can_be_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        opened o;
        open_list(&o, &cases[i]);
        for (size_t k = 0; k < o.listed.count; k++) {
            const ltap_listed *line = LTAP_VECTOR_AT(&o.listed, ltap_listed, k);
            ltap_selection found;
            assert_int_equal(
                ltap_select(o.layers, "", line->name, LTAP_CALLS_REFUSE, &o.arena, &found, NULL),
                LTAP_OK);
            assert_int_equal(found.value, line->value);
        }
        close_list(&o);
    }
}

static void a_line_knows_the_module_around_it(void **state)
{
    opened o;
    (void)state;
    open_list(&o, &cases[0]);
    const ltap_listed *lines = o.listed.data;
    assert_int_equal(lines[2].parent, LTAP_NO_PARENT);
    assert_int_equal(lines[2].n_parameters, 4);
    assert_int_equal(lines[4].parent, 2);
    assert_int_equal(lines[4].n_parameters, 4);
    assert_int_equal(lines[6].call, 1);
    assert_int_equal(lines[5].module, LTAP_NO_MODULE);
    assert_string_equal(lines[1].note, "with the BatchNorm that the exporter folded in");
    close_list(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_listed_in_order),
        cmocka_unit_test(every_listed_name_can_be_asked_for),
        cmocka_unit_test(a_line_knows_the_module_around_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
