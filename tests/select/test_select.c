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

/* A small network as the TorchScript exporter writes it: two blocks, the second repeats its ReLU.
 */
static const layers_sketch net = {
    "image",
    "scores",
    {"/conv1/Conv|Conv|image onnx::Conv_1 onnx::Conv_2|/conv1/Conv_output_0",
     "/relu/Relu|Relu|/conv1/Conv_output_0|/relu/Relu_output_0",
     "/layer1/layer1.0/conv1/Conv|Conv|/relu/Relu_output_0 onnx::Conv_3 onnx::Conv_4|65",
     "/layer1/layer1.0/relu/Relu|Relu|65|66", "/layer1/layer1.0/Add|Add|66 /relu/Relu_output_0|67",
     "/layer1/layer1.0/relu_1/Relu|Relu|67|68", "/layer2/layer2.0/Relu|Relu|68|69",
     "/layer2/layer2.2/Split|Split|69|70 71", "/layer3/MaxPool|MaxPool|70|72",
     "/layer4/Concat|Concat|72 71|73", "/fc/Gemm|Gemm|73 fc.weight fc.bias|scores"}};

/* Names that hold the characters of the syntax, or mean several things. */
static const layers_sketch odd = {"x in",
                                  "out y:in",
                                  {"/relu/Relu|Relu|x|a#1", "same|Relu|a#1|b", "same|Relu|b|c",
                                   "conv:folded|Relu|c|relu#0", "/in/Relu|Relu|relu#0|d",
                                   "value|Relu|d in|relu:out", "/act/Relu|Relu|relu:out|out",
                                   "/act/Relu_9|Relu|out|y:in", "/module:x/Relu|Relu|d|out[0]",
                                   "/out/Relu|Relu|out[0]|end", "/node:same/Relu|Relu|end|0"}};

/* As the newest dynamo exporter writes one. */
static const layers_sketch dynamo = {
    "x",
    "relu_1",
    {"n0|Conv|x stem.conv.weight b|getitem|['', 'stem', 'stem.bn', 'bn']||FuseBatchNormIntoConv",
     "n1|Relu|getitem|relu|['', 'relu', 'relu']|['M', 'torch.nn.modules.activation.ReLU', 'x']",
     "n2|Conv|relu head.weight|linear|['', 'linear', 'conv']",
     "n3|Relu|linear|relu_1|['', 'relu', 'relu_1']|['M', 'torch.nn.modules.activation.ReLU', 'x']"}};

/* A Sequential that is called in a row, or has a loop inside. */
static const layers_sketch again = {
    "x",
    "y",
    {"/s/s.0/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/s/s.2/Relu|Relu|a|b",
     "/s/s.0_1/Conv|Conv|b onnx::Conv_1 onnx::Conv_2|c", "/s/s.2_1/Relu|Relu|c|y"}};

/* A pruned model, whose output has the name of the module that it is the value of. */
static const layers_sketch pruned = {
    "x",
    "layer1",
    {"/layer1/act/Relu|Relu|x|a", "/layer1/out/Neg|Neg|a|b", "layertap.layer1|Identity|b|layer1"}};

/* Two values side by side through one module, and activations that were merged. */
static const layers_sketch beside = {"x z",
                                     "y w v",
                                     {"a|Neg|x|y|['', 'm', 'm.c', 'neg']",
                                      "b|Neg|z|w|['', 'm', 'm.c', 'neg']",
                                      "c|Relu|w|v|['', 's', 's.1', 'relu']||FuseSuccessiveRelu"}};

/* "holder.fc" and then "fc", whose weight lost its name. */
static const layers_sketch alike = {"x",
                                    "y",
                                    {"/fc/MatMul|MatMul|x onnx::MatMul_1|a",
                                     "/fc/Add|Add|holder.fc.bias a|b", "/Relu|Relu|b|c",
                                     "/fc_1/MatMul|MatMul|c onnx::MatMul_2|y"}};

typedef struct select_case {
    const layers_sketch *sketch;
    const char *selector;
    const char *value; /* NULL: refused */
    const char *layer, *kind;
    ltap_calls calls;
    ltap_status status;
    const char *message; /* a part of it */
} select_case;

#define FIRST     LTAP_CALLS_FIRST
#define ANY       LTAP_CALLS_REFUSE
#define LAST      LTAP_CALLS_LAST
#define UNKNOWN   LTAP_ERROR_UNKNOWN_LAYER
#define AMBIGUOUS LTAP_ERROR_AMBIGUOUS_LAYER
#define FOLDED    LTAP_ERROR_FOLDED_LAYER

static const select_case answered[] = {
    {&net, "layer1", "68", "layer1", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1.0", "68", "layer1.0", "module", ANY, LTAP_OK, NULL},
    {&net, "fc", "scores", "fc", "module", ANY, LTAP_OK, NULL},
    {&net, "/fc/Gemm", "scores", "/fc/Gemm", "node", ANY, LTAP_OK, NULL},
    {&net, "scores", "scores", "scores", "output", ANY, LTAP_OK, NULL},
    {&net, "image", "image", "image", "input", ANY, LTAP_OK, NULL},
    {&net, "65", "65", "65", "value", ANY, LTAP_OK, NULL},
    {&net, "onnx::Conv_1", "onnx::Conv_1", "onnx::Conv_1", "value", ANY, LTAP_OK, NULL},
    {&net, "conv1:folded", "/conv1/Conv_output_0", "conv1:folded", "module", ANY, LTAP_OK, NULL},
    {&net, "conv1:in", "image", "conv1:in", "module", ANY, LTAP_OK, NULL},
    {&net, "conv1#0:folded", "/conv1/Conv_output_0", "conv1:folded", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1.0.relu#0", "66", "layer1.0.relu#0", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1.0.relu#1", "68", "layer1.0.relu#1", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1.0.relu_1", "68", "layer1.0.relu#1", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1.0.relu#1:in", "67", "layer1.0.relu#1:in", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1.0.relu", "66", "layer1.0.relu#0", "module", FIRST, LTAP_OK, NULL},
    {&net, "layer1.0.relu", "68", "layer1.0.relu#1", "module", LAST, LTAP_OK, NULL},
    {&net, "layer1.0.relu:in", "65", "layer1.0.relu#0:in", "module", FIRST, LTAP_OK, NULL},
    {&net, "relu#0", "/relu/Relu_output_0", "relu", "module", ANY, LTAP_OK, NULL},
    {&net, "module:layer1", "68", "layer1", "module", ANY, LTAP_OK, NULL},
    {&net, "module:layer1.0.relu#1", "68", "layer1.0.relu#1", "module", ANY, LTAP_OK, NULL},
    {&net, "node:/relu/Relu", "/relu/Relu_output_0", "/relu/Relu", "node", ANY, LTAP_OK, NULL},
    {&net, "value:66", "66", "66", "value", ANY, LTAP_OK, NULL},
    {&net, "input:image", "image", "image", "input", ANY, LTAP_OK, NULL},
    {&net, "output:scores", "scores", "scores", "output", ANY, LTAP_OK, NULL},
    {&net, "input:0", "image", "image", "input", ANY, LTAP_OK, NULL},
    {&net, "output:0", "scores", "scores", "output", ANY, LTAP_OK, NULL},
    {&net, "layer4", "73", "layer4", "module", ANY, LTAP_OK, NULL},
    {&net, "layer4:in[1]", "71", "layer4:in[1]", "module", ANY, LTAP_OK, NULL},
    {&net, "layer2", "71", "layer2", "module", ANY, LTAP_OK, NULL},
    {&net, "layer2:out[0]", "70", "layer2:out[0]", "module", ANY, LTAP_OK, NULL},
    {&net, "layer2:out", "71", "layer2", "module", ANY, LTAP_OK, NULL},
    {&net, "/layer2/layer2.2/Split", "70", "/layer2/layer2.2/Split", "node", ANY, LTAP_OK, NULL},
    {&net, "/layer2/layer2.2/Split:out[1]", "71", "/layer2/layer2.2/Split:out[1]", "node", ANY,
     LTAP_OK, NULL},
    {&net, "/fc/Gemm:in[1]", "fc.weight", "/fc/Gemm:in[1]", "node", ANY, LTAP_OK, NULL},
    {&net, "65:out", "65", "65", "value", ANY, LTAP_OK, NULL},
    {&net, "layer2.1", "69", "layer2.1", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1[0]", "68", "layer1.0", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1[-1]", "68", "layer1.0", "module", ANY, LTAP_OK, NULL},
    {&net, "layer2[2]", "71", "layer2.2", "module", ANY, LTAP_OK, NULL},
    {&net, "layer2[-1]:out[0]", "70", "layer2.2:out[0]", "module", ANY, LTAP_OK, NULL},
    {&net, "layer2[-2]", "69", "layer2.1", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1.0[1]", "68", "layer1.0.relu#1", "module", LAST, LTAP_OK, NULL},
    {&net, "op:Gemm", "scores", "/fc/Gemm", "node", ANY, LTAP_OK, NULL},
    {&net, "op:relu[0]", "/relu/Relu_output_0", "/relu/Relu", "node", ANY, LTAP_OK, NULL},
    {&net, "op:Relu[-1]", "69", "/layer2/layer2.0/Relu", "node", ANY, LTAP_OK, NULL},
    {&net, "op:Concat:in[1]", "71", "/layer4/Concat:in[1]", "node", ANY, LTAP_OK, NULL},
    {&net, "layer4:in[-1]", "71", "layer4:in[-1]", "module", ANY, LTAP_OK, NULL},
    {&net, "layer1/0", "68", "layer1.0", "module", ANY, LTAP_OK, NULL},
    {&net, "/layer2/layer2.2/Split:1", "71", "/layer2/layer2.2/Split:out[1]", "node", ANY, LTAP_OK,
     NULL},
    {&net, "/fc/Gemm_output", "scores", "/fc/Gemm", "node", ANY, LTAP_OK, NULL},
    {&net, "layer2.2/Split", "70", "/layer2/layer2.2/Split", "node", ANY, LTAP_OK, NULL},
    {&net, "Gemm:in[2]", "fc.bias", "/fc/Gemm:in[2]", "node", ANY, LTAP_OK, NULL},
    {&net, "module.layer4", "73", "layer4", "module", ANY, LTAP_OK, NULL},
    {&odd, "op:Relu[2]", "c", "c", "value", ANY, LTAP_OK, NULL},
    {&odd, "a#1", "a#1", "a#1", "value", ANY, LTAP_OK, NULL},
    {&odd, "relu#0", "relu#0", "relu#0", "value", ANY, LTAP_OK, NULL},
    {&odd, "conv:folded", "relu#0", "conv:folded", "node", ANY, LTAP_OK, NULL},
    {&odd, "relu:out", "relu:out", "relu:out", "value", ANY, LTAP_OK, NULL},
    {&odd, "y:in", "y:in", "y:in", "output", ANY, LTAP_OK, NULL},
    {&odd, "value", "relu:out", "value", "node", ANY, LTAP_OK, NULL},
    {&odd, "value:in", "in", "in", "value", ANY, LTAP_OK, NULL},
    {&odd, "node:value:in", "d", "value:in", "node", ANY, LTAP_OK, NULL},
    {&odd, "module:x", "out[0]", "module:x", "module", ANY, LTAP_OK, NULL},
    {&odd, "node:same", "0", "node:same", "module", ANY, LTAP_OK, NULL},
    {&odd, "out[0]", "out[0]", "out[0]", "value", ANY, LTAP_OK, NULL},
    {&odd, "0", "0", "0", "value", ANY, LTAP_OK, NULL},
    {&odd, "module:out", "end", "out", "module", ANY, LTAP_OK, NULL},
    {&odd, "module:relu", "a#1", "relu", "module", ANY, LTAP_OK, NULL},
    {&odd, "input:1", "in", "in", "input", ANY, LTAP_OK, NULL},
    {&dynamo, "relu#1", "relu_1", "relu#1", "module", ANY, LTAP_OK, NULL},
    {&dynamo, "relu_1", "relu_1", "relu_1", "output", ANY, LTAP_OK, NULL},
    {&dynamo, "linear", "linear", "linear", "module", ANY, LTAP_OK, NULL},
    {&dynamo, "stem.bn", "getitem", "stem.bn", "module", ANY, LTAP_OK, NULL},
    {&dynamo, "stem", "getitem", "stem", "module", ANY, LTAP_OK, NULL},
    {&dynamo, "stem.conv:folded", "getitem", "stem.conv:folded", "module", ANY, LTAP_OK, NULL},
    {&dynamo, "relu", "relu", "relu#0", "module", FIRST, LTAP_OK, NULL},
    {&dynamo, "module:relu", "relu_1", "relu#1", "module", LAST, LTAP_OK, NULL},
    {&pruned, "layer1", "b", "layer1", "module", ANY, LTAP_OK, NULL},
    {&pruned, "output:layer1", "layer1", "layer1", "output", ANY, LTAP_OK, NULL},
};

static const select_case refused[] = {
    {&net, "layer5", .status = UNKNOWN,
     .message =
         "no layer 'layer5' in net.onnx; nearest: layer4, layer3, layer2 (all names: layertap "
         "layers net.onnx)"},
    {&net, "Layer4", .status = UNKNOWN, .message = "nearest: layer4"},
    {&net, "backbone.layer1.0", .status = UNKNOWN, .message = "nearest: layer1.0"},
    {&net, "relu3", .status = UNKNOWN, .message = "nearest: relu"},
    {&net, "", .status = UNKNOWN, .message = "no layer ''"},
    {&net, "layer1.0.relu", .status = AMBIGUOUS,
     .message =
         "'layer1.0.relu' is called twice; choose 'layer1.0.relu#0' (after conv1; torchvision's "
         "reading) or 'layer1.0.relu#1' (after the addition; what a hook's dictionary ends "
         "with), or set calls (--calls) to first or last"},
    {&beside, "m", .status = AMBIGUOUS,
     .message =
         "'m' is called twice; choose 'm#0' (of the input 'x'; torchvision's reading) or 'm#1' "
         "(of the input 'z'; what a hook's dictionary ends with), or set calls (--calls) to first or last; "
         "these stand side by side and may be the outputs of one call"},
    {&beside, "s.0", .status = UNKNOWN,
     .message = "modules that compute nothing (a Dropout, an Identity) and activations that were "
                "merged with the next one leave nothing in a file"},
    {&alike, "fc", .status = UNKNOWN,
     .message = "the exporter numbers modules whose names end alike: 'fc_1' may be 'fc'"},
    {&net, "layer1.0.relu:in", .status = AMBIGUOUS, .message = "'layer1.0.relu#0:in'"},
    {&net, "conv1", .status = FOLDED,
     .message = "conv1's own value is not in net.onnx: the exporter folded a BatchNorm into it; "
                "'conv1:folded' is the value after it; to keep both, export with "
                "training=TrainingMode.PRESERVE"},
    {&net, "conv1:out", .status = FOLDED, .message = "conv1's own value"},
    {&net, "conv1#0", .status = FOLDED, .message = "conv1's own value"},
    {&net, "conv1", .calls = LAST, .status = FOLDED, .message = "conv1's own value"},
    {&net, "bn1", .status = UNKNOWN,
     .message = "folds it into the convolution before it: 'conv1:folded'"},
    {&net, "layer1.0.bn1", .status = UNKNOWN, .message = "before it: 'layer1.0.conv1:folded' ("},
    {&net, "layer2.7", .status = UNKNOWN, .message = "modules that compute nothing"},
    {&net, "relu:folded", .status = UNKNOWN, .message = "nothing is folded into 'relu'"},
    {&net, "layer1.0.relu#2", .status = UNKNOWN, .message = "is called 2 times"},
    {&net, "layer4:in[2]", .status = UNKNOWN,
     .message = "has 2 inputs in net.onnx, numbered from 0"},
    {&net, "fc:out[1]", .status = UNKNOWN, .message = "there is no number 1"},
    {&net, "65:in", .status = UNKNOWN, .message = "name the node that makes it"},
    {&net, "output:1", .status = UNKNOWN, .message = "no layer 'output:1'"},
    {&net, "node:layer1", .status = UNKNOWN, .message = "no layer 'node:layer1'"},
    {&net, "layer5:in", .status = UNKNOWN, .message = "no layer 'layer5' in"},
    {&net, "layer1:in[", .status = UNKNOWN, .message = "no layer 'layer1:in['"},
    {&net, "layer1:in[99999999999]", .status = UNKNOWN, .message = "no layer"},
    {&net, "fc#99999999999", .status = UNKNOWN, .message = "no layer"},
    {&net, "layer1[1]", .status = UNKNOWN, .message = "no layer 'layer1.1' in"},
    {&net, "layer1[-2]", .status = UNKNOWN, .message = "there is no 'layer1[-2]'"},
    {&net, "fc[0]", .status = UNKNOWN, .message = "'fc' has no modules inside"},
    {&net, "layer1.0[0]", .status = FOLDED, .message = "layer1.0.conv1's own value"},
    {&net, "layer1.0[2]", .status = UNKNOWN, .message = "has 2 modules inside"},
    {&net, "op:Relu", .status = AMBIGUOUS, .message = "means 4 layers in net.onnx: '"},
    {&net, "op:Relu[4]", .status = UNKNOWN, .message = "has 4 nodes of type 'Relu'"},
    {&net, "op:Foo", .status = UNKNOWN, .message = "no layer 'op:Foo'"},
    {&net, "Relu", .status = AMBIGUOUS, .message = "means 4 layers"},
    {&net, "layer*", .status = UNKNOWN, .message = "no layer 'layer*'"},
    {&dynamo, "relu:out[0]", .status = AMBIGUOUS, .message = "'value:relu:out[0]'"},
    {&odd, "same", .status = AMBIGUOUS,
     .message = "'value:b' (Relu), 'value:c' (Relu); choose one"},
    {&odd, "in", .status = AMBIGUOUS, .message = "'module:in', 'input:in'; choose one"},
    {&odd, "out", .status = AMBIGUOUS, .message = "'module:out', 'output:out'"},
    {&dynamo, "relu", .status = AMBIGUOUS,
     .message = "'module:relu' (called 2 times: 'relu#0' to 'relu#1'), 'value:relu'; choose one"},
    {&dynamo, "relu", .calls = LAST, .status = AMBIGUOUS, .message = "'value:relu'"},
    {&again, "s#0", .status = AMBIGUOUS,
     .message = "whether 's' is called once or several times in a row"},
    {&again, "s.1#1", .status = UNKNOWN,
     .message = "no layer 's.1#1' in net.onnx; a BatchNorm has no "
                "value of its own here, the exporter folds it into the convolution before it: "
                "'s.0#1:folded' ("},
    {&again, "s.1", .status = UNKNOWN, .message = "before it: 's.0#0:folded' ("},
    {&dynamo, "stem.conv", .status = FOLDED,
     .message =
         "the exporter folded the BatchNorm 'stem.bn' into it; 'stem.bn' ('stem.conv:folded')"},
};

typedef struct opened {
    ltap_memory *memory;
    ltap_graph *graph;
    ltap_layers *layers;
    ltap_arena arena;
} opened;

static void open_sketch(opened *o, const layers_sketch *sketch)
{
    ltap_error error = {.message = ""};
    assert_int_equal(ltap_memory_new(NULL, 0, &o->memory, NULL), LTAP_OK);
    if (sketch_layers(o->memory, sketch, &o->graph, &o->layers, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    ltap_arena_init(&o->arena, o->memory);
}

static void close_sketch(opened *o)
{
    ltap_arena_clear(&o->arena);
    ltap_layers_free(o->layers);
    ltap_graph_free(o->graph);
    ltap_memory_unref(o->memory);
}

static void a_selector_finds_its_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answered / sizeof *answered; i++) {
        const select_case *row = &answered[i];
        ltap_error error = {.message = ""};
        ltap_selection found;
        opened o;
        open_sketch(&o, row->sketch);
        if (ltap_select(o.layers, "net.onnx", row->selector, row->calls, &o.arena, &found,
                        &error) != LTAP_OK)
            fail_msg("'%s': %s", row->selector, error.message);
        const char *value = ltap_graph_at(o.graph, found.value)->name;
        if (strcmp(value, row->value) != 0 || strcmp(found.layer, row->layer) != 0 ||
            strcmp(found.kind, row->kind) != 0)
            fail_msg("'%s' is %s %s, %s", row->selector, found.kind, found.layer, value);
        close_sketch(&o);
    }
}

static void a_refusal_says_what_to_ask_instead(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const select_case *row = &refused[i];
        ltap_error error = {.message = ""};
        ltap_selection found = {.value = LTAP_NO_VALUE};
        opened o;
        open_sketch(&o, row->sketch);
        ltap_status status =
            ltap_select(o.layers, "net.onnx", row->selector, row->calls, &o.arena, &found, &error);
        if (status == LTAP_OK)
            fail_msg("'%s' is %s", row->selector, ltap_graph_at(o.graph, found.value)->name);
        if (status != row->status || strstr(error.message, row->message) == NULL)
            fail_msg("'%s' (%d): %s", row->selector, (int)status, error.message);
        assert_int_equal(error.code, status);
        assert_int_equal(
            ltap_select(o.layers, "net.onnx", row->selector, row->calls, &o.arena, &found, NULL),
            status);
        close_sketch(&o);
    }
}

static void a_note_says_what_else_there_is(void **state)
{
    static const char *const rows[][2] = {
        {"layer2", "the last of 2 outputs; the others are 'layer2:out[0]' and so on"},
        {"layer4:in", "the first of 2 inputs"},
        {"conv1:folded", "with the BatchNorm that the exporter folded in"},
        {"/conv1/Conv", "with the BatchNorm"},
        {"relu:in", "folded into 'conv1'; the file does not show whether"},
        {"layer2.1", "no operation of its own in this file"},
        {"/layer2/layer2.2/Split", "output 0 of 2"},
        {"layer1", ""}};
    ltap_selection found;
    opened o;
    (void)state;
    open_sketch(&o, &net);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ltap_select(o.layers, "net.onnx", rows[i][0], LTAP_CALLS_REFUSE, &o.arena,
                                     &found, NULL),
                         LTAP_OK);
        if (strstr(found.note, rows[i][1]) == NULL ||
            (rows[i][1][0] == '\0') != (found.note[0] == '\0'))
            fail_msg("'%s': note '%s'", rows[i][0], found.note);
        assert_int_equal(found.folded, strstr(rows[i][1], "with the BatchNorm") != NULL);
    }
    close_sketch(&o);
}

static void pruning_keeps_ancestors_only(void **state)
{
    static const char *const wanted[] = {"66", "image", "71"};
    static const char *const kept[] = {"11110000000", "00000000000", "11111111000"};
    uint8_t keep[16];
    opened o;
    (void)state;
    open_sketch(&o, &net);
    for (size_t i = 0; i < 3; i++) {
        uint32_t value;
        char text[16] = "";
        assert_true(ltap_graph_find(o.graph, wanted[i], &value));
        assert_int_equal(ltap_prune(o.graph, &value, 1, keep, NULL), LTAP_OK);
        for (size_t n = 0; n < o.graph->nodes.count; n++)
            text[n] = keep[n] ? '1' : '0';
        assert_string_equal(text, kept[i]);
    }
    close_sketch(&o);
}

static void every_allocation_may_fail(void **state)
{
    static const char *const selectors[] = {"layer5", "layer1.0.relu", "conv1", "layer4:in[1]",
                                            "layer1.0.bn1"};
    (void)state;
    for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++) {
        ltap_status expected = LTAP_OK;
        for (size_t n = 0; n == 0 || expected != LTAP_OK || n < 400; n++) {
            fail_alloc heap;
            ltap_memory *memory = NULL;
            ltap_graph *graph = NULL;
            ltap_layers *layers = NULL;
            ltap_selection found;
            ltap_error error;
            fail_alloc_init(&heap, n);
            ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
            if (status == LTAP_OK)
                status = sketch_layers(memory, &net, &graph, &layers, NULL);
            if (status == LTAP_OK) {
                ltap_arena arena;
                ltap_arena_init(&arena, memory);
                status = ltap_select(layers, "m", selectors[i], LTAP_CALLS_REFUSE, &arena, &found,
                                     &error);
                ltap_arena_clear(&arena);
            }
            expected = n == 0 ? status : expected;
            assert_int_equal(status, fail_alloc_failed(&heap) ? LTAP_ERROR_MEMORY : expected);
            ltap_layers_free(layers);
            ltap_graph_free(graph);
            ltap_memory_unref(memory);
            fail_alloc_check(&heap);
            if (n > 0 && !fail_alloc_failed(&heap))
                break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_selector_finds_its_value),
        cmocka_unit_test(a_refusal_says_what_to_ask_instead),
        cmocka_unit_test(a_note_says_what_else_there_is),
        cmocka_unit_test(pruning_keeps_ancestors_only),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
