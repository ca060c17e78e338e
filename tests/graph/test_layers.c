#include "graph/test_layers_sketch.h"
#include "support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What is expected of a sketch: a line a module,
 * "path class parameters: outputs of call 0 | of call 1 [marks]". */
typedef struct tree_case {
    const char *name;
    layers_sketch sketch;
    const char *expected;
} tree_case;

static const tree_case torchscript_cases[] = {
    {"a residual block of an eval export",
     {"x",
      "y",
      {"/b/conv1/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|/b/conv1/Conv_output_0",
       "/b/relu/Relu|Relu|/b/conv1/Conv_output_0|r0", "/b/Add|Add|r0 x|sum",
       "/b/relu_1/Relu|Relu|sum|y"}},
     "b - 8: y\nb.conv1 - 8: /b/conv1/Conv_output_0 [folded]\nb.relu - 0: r0 | y\n"},
    {"what is numbered repeats its parent",
     {"x",
      "y",
      {"/head/head.0/convs.0/convs.0.0/Conv|Conv|x head.0.convs.0.0.weight|a",
       "/head/head.0/convs.0/convs.0.1/Relu|Relu|a|b", "/head/head.1/Relu|Relu|b|y"}},
     "head - 4: y\nhead.0 - 4: b\nhead.0.convs.0 - 4: b\nhead.0.convs.0.0 - 4: a\n"
     "head.0.convs.0.1 - 0: b\nhead.1 - 0: y\n"},
    {"parents that are never called are found by the names of weights",
     {"x",
      "y",
      {"/k/conv/Conv|Conv|x d.k.conv.weight|a", "/k/relu/Relu|Relu|a|b",
       "/inner/conv/Conv|Conv|b one.inner.conv.weight|c", "/inner/relu/Relu|Relu|c|d",
       "/Neg|Neg|d|e", "/inner/conv_1/Conv|Conv|e two.inner.conv.weight|f",
       "/inner/relu_1/Relu|Relu|f|y"}},
     "d.k - 4: b\nd.k.conv - 4: a\nd.k.relu - 0: b\none.inner - 4: d\none.inner.conv - 4: c\n"
     "one.inner.relu - 0: d\ntwo.inner - 4: y\ntwo.inner.conv - 4: f\ntwo.inner.relu - 0: y\n"},
    {"a block with operations of its own that is called twice in a row",
     {"x",
      "y",
      {"/s/c/Conv|Conv|x s.c.weight|a", "/s/relu/Relu|Relu|a|b", "/s/Add|Add|b x|c",
       "/s/relu_1/Relu|Relu|c|d", "/s/c_1/Conv|Conv|d s.c.weight|e", "/s/relu_2/Relu|Relu|e|f",
       "/s_1/Add|Add|f d|g", "/s/relu_3/Relu|Relu|g|y"}},
     "s - 4: d | y\ns.c - 4: a | e\ns.relu - 0: b | d | f | y\n"},
    {"the suffix of an attribute is no number of a call",
     {"x",
      "y",
      {"/c/Conv|Conv|x c.weight|a", "/c_1/Conv|Conv|a c_1.weight|b", "/pool_2/MaxPool|MaxPool|b|d",
       "/act/Relu|Relu|d|e", "/act_1/act_1.0/Relu|Relu|e|f", "/conv/Conv|Conv|f onnx::Conv_1|g",
       "/conv_1/Conv|Conv|g onnx::Conv_2|y"}},
     "c - 4: a\nc_1 - 4: b\npool_2 - 0: d\nact - 0: e\nact_1 - 0: f\nact_1.0 - 0: f\nconv - 4: g\n"
     "conv_1 - 4: y\n"},
    {"a call and an attribute of one name are in doubt",
     {"x", "y", {"/r/Relu|Relu|x|a", "/r_1/Relu|Relu|a|b", "/Neg|Neg|b|c", "/r_1/Relu_1|Relu|c|y"}},
     "r - 0: a [doubt]\nr_1 - 0: b | y [doubt]\n"},
    {"calls in a row are in doubt, as they may be a loop",
     {"x",
      "y",
      {"/s/s.0/Conv|Conv|x s.0.weight|a", "/s/s.1/Relu|Relu|a|b",
       "/s/s.0_1/Conv|Conv|b s.0.weight|c", "/s/s.1_1/Relu|Relu|c|y"}},
     "s - 4: b | y [doubt]\ns.0 - 4: a | c\ns.1 - 0: b | y\n"},
    {"another place where it is called once settles that",
     {"x",
      "y",
      {"/s/s.0/Conv|Conv|x s.0.weight|a", "/s/s.1/Relu|Relu|a|b",
       "/s/s.0_1/Conv|Conv|b s.0.weight|c", "/s/s.1_1/Relu|Relu|c|d", "/Neg|Neg|d|e",
       "/s/s.0_2/Conv|Conv|e s.0.weight|f", "/s/s.1_2/Relu|Relu|f|y"}},
     "s - 4: b | d | y\ns.0 - 4: a | c | f\ns.1 - 0: b | d | y\n"},
    {"calls beside each other are two",
     {"x z",
      "y p",
      {"/s/s.0/Conv|Conv|x s.0.weight|a", "/s/s.1/Relu|Relu|a|b",
       "/s/s.0_1/Conv|Conv|z s.0.weight|c", "/s/s.1_1/Relu|Relu|c|d", "/Add|Add|b d|y",
       "/s/s.0_2/Conv|Conv|y s.0.weight|e", "/s/s.1_2/Relu|Relu|e|p"}},
     "s - 4: b | d | p\ns.0 - 4: a | c | e\ns.1 - 0: b | d | p\n"},
    {"but show nothing of calls in a row",
     {"x z",
      "y p",
      {"/s/s.0/Conv|Conv|x s.0.weight|a", "/s/s.0_1/Conv|Conv|z s.0.weight|c", "/Add|Add|a c|y",
       "/s/s.0_2/Conv|Conv|y s.0.weight|e", "/s/s.0_3/Conv|Conv|e s.0.weight|p"}},
     "s - 4: a | c | e | p [doubt]\ns.0 - 4: a | c | e | p\n"},
    {"four beside each other may be two calls that take two, but not of a Sequential",
     {"x",
      "a b c d e f g h",
      {"/m/k/Relu|Relu|x|a", "/m/k_1/Relu|Relu|x|b", "/m/k_2/Relu|Relu|x|c", "/m/k_3/Relu|Relu|x|d",
       "/Neg|Neg|x|z", "/s/s.0/Relu|Relu|x|e", "/s/s.0_1/Relu|Relu|x|f", "/s/s.0_2/Relu|Relu|x|g",
       "/s/s.0_3/Relu|Relu|x|h"}},
     "m - 0: a | b | c | d [doubt]\nm.k - 0: a | b | c | d\ns - 0: e | f | g | h\n"
     "s.0 - 0: e | f | g | h\n"},
    {"one object under two parents is one module",
     {"x",
      "y",
      {"/x/x.0/Conv|Conv|x x.0.weight|a", "/x/x.1/Relu|Relu|a|b", "/y/y.0/Conv|Conv|b y.0.weight|c",
       "/y/x.1/Relu|Relu|c|y"}},
     "x - 4: b\nx.0 - 4: a\nx.1 - 0: b | y\ny - 4: y\ny.0 - 4: c\n"},
    {"gaps in a chain have the value before them",
     {"x",
      "y",
      {"/f/f.0/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/f/f.2/Relu|Relu|a|b",
       "/f/f.4/Relu|Relu|b|c", "/Neg|Neg|c|d", "/g/g.1/Relu|Relu|d|e",
       "/g/g.2/Conv|Conv|e onnx::Conv_3 onnx::Conv_4|f", "/g/g.5/Relu|Relu|f|y"}},
     "f - 8: c\nf.0 - 8: a [folded]\nf.2 - 0: b\nf.4 - 0: c\ng - 8: y\ng.1 - 0: e\n"
     "g.2 - 8: f [folded]\ng.5 - 0: y\nf.1 - 0: a [elided]\nf.3 - 0: b [elided]\n"
     "g.0 - 0: d [elided]\ng.4 - 0: f [elided]\n"},
    {"no gap behind a folded convolution is filled where the BatchNorm may stand in the next module",
     {"x",
      "y",
      {"/f/f.0/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/f/f.2/f.2.1/Relu|Relu|a|b",
       "/f/f.3/f.3.0/Neg|Neg|b|c", "/f/f.4/Conv|Conv|c onnx::Conv_4 onnx::Conv_5|d",
       "/f/f.6/f.6.0/Neg|Neg|d|y"}},
     "f - 16: y\nf.0 - 8: a [folded]\nf.2 - 0: b\nf.2.1 - 0: b\nf.3 - 0: c\nf.3.0 - 0: c\n"
     "f.4 - 8: d [folded]\nf.6 - 0: y\nf.6.0 - 0: y\nf.5 - 0: d [elided]\nf.2.0 - 0: a [elided]\n"},
    {"no gap is filled where something else flows in",
     {"x", "y", {"/f/f.0/Relu|Relu|x|a", "/f/f.2/Add|Add|a x|b", "/f/f.4/Relu|Relu|b|y"}},
     "f - 0: y\nf.0 - 0: a\nf.2 - 0: b\nf.4 - 0: y\n"},
    {"a module that ends with a folded convolution may end before the BatchNorm",
     {"x",
      "y",
      {"/w/Relu|Relu|x|a", "/w/point/Conv|Conv|a onnx::Conv_1 onnx::Conv_2|b",
       "/down/down.0/Conv|Conv|b onnx::Conv_3 onnx::Conv_4|c", "/r/r.0/r.0.0/Relu|Relu|c|d",
       "/r/r.0/r.0.1/Conv|Conv|d onnx::Conv_5 onnx::Conv_6|e", "/r/r.2/Relu|Relu|e|y"}},
     "w - 8: b [folded within w.point]\nw.point - 8: b [folded]\ndown - 8: c\n"
     "down.0 - 8: c [folded]\nr - 8: y\nr.0 - 8: e [folded within r.0.1]\nr.0.0 - 0: d\n"
     "r.0.1 - 8: e [folded]\nr.2 - 0: y\nr.1 - 0: e [elided]\n"},
    {"the BatchNorm may be the first operation of the next sibling, or stand behind a named one",
     {"x",
      "y",
      {"/s/s.0/s.0.0/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/s/s.1/s.1.1/Relu|Relu|a|b",
       "/t/t.0/Relu|Relu|b|c", "/t/last/last.0/Conv|Conv|c onnx::Conv_3 onnx::Conv_4|y"}},
     "s - 8: b\ns.0 - 8: a [folded within s.0.0]\ns.0.0 - 8: a [folded]\ns.1 - 0: b\n"
     "s.1.1 - 0: b\nt - 8: y [folded within t.last.0] [doubt]\nt.0 - 0: c\n"
     "t.last - 8: y [folded within t.last.0]\nt.last.0 - 8: y [folded]\n"
     "s.1.0 - 0: a [elided]\n"},
    {"a sibling that is seen to begin without a BatchNorm shows that none stands before the next one",
     {"x",
      "y",
      {"/f/f.0/c/c.0/Relu|Relu|x|a", "/f/f.0/c/c.1/Conv|Conv|a onnx::Conv_1 onnx::Conv_2|b",
       "/f/f.1/c/c.0/Relu|Relu|b|c", "/f/f.1/Add|Add|c b|d", "/f/f.2/c/c.0/Relu|Relu|d|e",
       "/f/f.2/Add|Add|e d|y"}},
     "f - 8: y\nf.0 - 8: b\nf.0.c - 8: b\nf.0.c.0 - 0: a\n"
     "f.0.c.1 - 8: b [folded]\nf.1 - 0: d\nf.1.c - 0: c\nf.1.c.0 - 0: c\nf.2 - 0: y\n"
     "f.2.c - 0: e\nf.2.c.0 - 0: e\n"},
    {"it may stand behind the part where the module has others as well",
     {"x",
      "y",
      {"/f/f.0/a/Abs|Abs|x|q", "/f/f.0/c/c.0/Relu|Relu|q|a",
       "/f/f.0/c/c.1/Conv|Conv|a onnx::Conv_1 onnx::Conv_2|b", "/f/f.1/a/Abs|Abs|b|p",
       "/f/f.1/Add|Add|p b|d", "/f/f.2/a/Abs|Abs|d|e", "/f/f.2/Add|Add|e d|y"}},
     "f - 8: y\nf.0 - 8: b\nf.0.a - 0: q\nf.0.c - 8: b [folded within f.0.c.1]\nf.0.c.0 - 0: a\n"
     "f.0.c.1 - 8: b [folded]\nf.1 - 0: d\nf.1.a - 0: p\nf.2 - 0: y\nf.2.a - 0: e\n"},
    {"a folded convolution stays behind what its own module made of the input",
     {"x",
      "y z",
      {"/d/d.0/ConvTranspose|ConvTranspose|x t.d.0.weight|a", "/d/d.1/Concat|Concat|a a|b",
       "/Sigmoid|Sigmoid|x|z", "/d/d.1/Conv|Conv|b onnx::Conv_1 onnx::Conv_2|y"}},
     "t.d - 12: y [folded within t.d.1]\nt.d.0 - 4: a\nt.d.1 - 8: y [folded]\n"},
    {"what a module inside makes without weights may be read outside for an equal one",
     {"x",
      "y z",
      {"/m/pool/GlobalAveragePool|GlobalAveragePool|x|a", "/m/Mul|Mul|a x|y", "/n/Relu|Relu|a|b",
       "/n/Mul|Mul|b x|z"}},
     "m - 0: a,y~\nm.pool - 0: a\nn - 0: z\n"},
    {"a convolution alone that may have taken two BatchNorms is in doubt, and numbers show one",
     {"x",
      "y",
      {"/s/s.0/s.0.0/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/s/s.2/Relu|Relu|a|b",
       "/t/t.0/t.0.0/Conv|Conv|b onnx::Conv_4 onnx::Conv_5|c", "/t/t.2/Relu|Relu|c|y"}},
     "s - 8: b\ns.0 - 8: a [folded within s.0.0]\ns.0.0 - 8: a [folded]\ns.2 - 0: b\n"
     "t - 8: y\nt.0 - 8: c\nt.0.0 - 8: c [folded]\nt.2 - 0: y\ns.1 - 0: a [elided]\n"
     "t.1 - 0: c [elided]\n"},
    {"what is inside calls in doubt is in doubt where it is all of them",
     {"x", "y", {"/s/t/t.0/Relu|Relu|x|a", "/s/t/t.0_1/Relu|Relu|a|b", "/s/t/t.0_2/Relu|Relu|b|y"}},
     "s - 0: a | b | y [doubt]\ns.t - 0: a | b | y [doubt]\ns.t.0 - 0: a | b | y\n"},
    {"calls that have nothing in common may be of two modules",
     {"x", "y", {"/c/Neg|Neg|x|a", "/Exp|Exp|a|b", "/c/c.0/Relu|Relu|b|c", "/c/c.1/Relu|Relu|c|y"}},
     "c - 0: a | y [doubt]\nc.0 - 0: c\nc.1 - 0: y\n"},
    {"what Flatten made may be what it was given, and others may read that",
     {"x", "y z", {"/m/Flatten|Flatten|x|a", "/m/Relu|Relu|a|y", "/Add|Add|a x|z"}},
     "m - 0: a,y~\n"},
    {"numbered children and then others may be of two modules",
     {"x", "y", {"/l/l.0/Relu|Relu|x|a", "/l/items.0/Neg|Neg|a|y"}},
     "l - 0: y [doubt]\nl.0 - 0: a\nl.items.0 - 0: y\n"},
    {"weights may say that there are two modules",
     {"x", "y", {"/l/a/Conv|Conv|x l.a.weight|a", "/l/b/Conv|Conv|a h.l.b.weight|y"}},
     "l - 8: y [doubt]\nl.a - 4: a\nl.b - 4: y\n"},
    {"a BatchNorm inside calls that are in doubt may have been folded once",
     {"x",
      "y",
      {"/c/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/m/Relu|Relu|a|b",
       "/m/n/BatchNormalization|BatchNormalization|b m.n.weight m.n.bias m.n.a m.n.b|c",
       "/m_1/Relu|Relu|c|y"}},
     "c - 8: a [folded]\nm - 8: y [doubt]\nm.n - 8: c [doubt]\n"},
    {"a BatchNorm that is called several times may have been folded once more",
     {"x",
      "y",
      {"/c/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/d/Relu|Relu|a|b",
       "/m/n/BatchNormalization|BatchNormalization|b m.n.weight m.n.bias m.n.a m.n.b|c",
       "/m/Tanh|Tanh|c|d",
       "/m/n_1/BatchNormalization|BatchNormalization|d m.n.weight m.n.bias m.n.a m.n.b|y"}},
     "c - 8: a [folded]\nd - 0: b\nm - 8: y\nm.n - 8: c | y [doubt]\n"},
    {"a BatchNorm whose module begins with what was folded may have been folded before",
     {"x",
      "y",
      {"/c/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/m/Tanh|Tanh|a|b",
       "/m/n/BatchNormalization|BatchNormalization|b m.n.weight m.n.bias m.n.a m.n.b|y"}},
     "c - 8: a [folded]\nm - 8: y\nm.n - 8: y [doubt]\n"},
    {"but not one that comes after something else",
     {"x",
      "y",
      {"/c/Conv|Conv|x onnx::Conv_1 onnx::Conv_2|a", "/d/Tanh|Tanh|a|b",
       "/m/n/BatchNormalization|BatchNormalization|b m.n.weight m.n.bias m.n.a m.n.b|y"}},
     "c - 8: a [folded]\nd - 0: b\nm - 8: y\nm.n - 8: y\n"},
    {"a renamed weight alone is no sign of a BatchNorm",
     {"x",
      "y",
      {"/c/Conv|Conv|x onnx::Conv_1 c.bias|a", "/d/Conv|Conv|a onnx::Conv_2|b",
       "/t/Gemm|Gemm|b onnx::Gemm_1 onnx::Gemm_2|y"}},
     "c - 8: a\nd - 4: b\nt - 8: y\n"},
    {"a merged initializer is one weight under its own name",
     {"x",
      "y",
      {"Identity_0|Identity|onnx::Conv_2|onnx::Conv_4", "Identity_1|Identity|a.bias|b.bias",
       "/a/Conv|Conv|x onnx::Conv_1 onnx::Conv_4|p", "/m/b/Conv|Conv|p m.b.weight b.bias|q",
       "/m/b_1/Conv|Conv|q m.b.weight a.bias|y"}},
     "a - 8: p [folded]\nm - 8: q | y [doubt]\nm.b - 8: q | y\n"},
    {"arithmetic on shapes is neither handed out nor between calls",
     {"x",
      "y",
      {"/m/c/Conv|Conv|x m.c.weight|a", "/m/c/Shape|Shape|x|s", "/m/Gather|Gather|s #0|n",
       "/m/Relu|Relu|a|b", "/Shape|Shape|b|t", "/Reshape|Reshape|b n|y"}},
     "m - 4: b\nm.c - 4: a\n"},
    {"several values that leave are outputs in their order",
     {"x",
      "o p",
      {"/t/a/Conv|Conv|x t.a.weight|a", "/t/b/Conv|Conv|a t.b.weight|p", "/Add|Add|a p|o"}},
     "t - 8: a,p\nt.a - 4: a\nt.b - 4: p\n"},
    {"an operation without a scope runs where its neighbours run",
     {"x",
      "y",
      {"/m/c/Conv|Conv|x m.c.weight|a", "Cast_3|Cast|a|b", "/m/d/Conv|Conv|b m.d.weight|c",
       "Cast_4|Cast|c|d", "/Relu|Relu|d|y"}},
     "m - 8: c\nm.c - 4: a\nm.d - 4: c\n"},
    {"a network that is a Sequential has numbers for names",
     {"x",
      "y",
      {"/0/Conv|Conv|x 0.weight|a", "/1/Relu|Relu|a|b", "/2/2.0/Conv|Conv|b 2.0.weight|y"}},
     "0 - 4: a\n1 - 0: b\n2 - 4: y\n2.0 - 4: y\n"},
};

static const tree_case other_cases[] = {
    {"names without scopes make no modules",
     {"x", "y", {"Conv_0|Conv|x 65|a", "|Relu|a|b", "Relu_2|Relu|b|y"}},
     ""},
    {"metadata name modules and classes",
     {"x",
      "y",
      {"node_conv|Conv|x l.0.weight|a|['', 'l', 'l.0', 'conv']|['M', 'S', 'torch.nn.Conv2d', 'x']",
       "node_relu|Relu|a|b|['', 'l', \"l.it's\", 'relu']|['M', 'S', 'R', 'x']",
       "node_neg|Neg|b|y|['', 'neg']"}},
     "l S 4: b\nl.0 torch.nn.Conv2d 4: a\nl.it's R 0: b\n"},
    {"metadata that are no list leave a node where its neighbours are",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'r']", "b|Relu|a|b|['', 'm'", "c|Relu|b|c|[1, 2]",
       "d|Relu|c|d|['', 'm', 'r2']", "e|Neg|d|y|['', 'n']"}},
     "m - 0: a? | b? | c | d [doubt]\n"},
    {"what is alone in a Sequential may have a loop, and then neither can be counted",
     {"x",
      "y",
      {"a|Conv|x w|a|['', 's', 's.0', 's.0.c', 'c']|['M', 'torch.nn.modules.container.Sequential', "
       "'L', 'torch.nn.modules.conv.Conv2d', 'x']",
       "b|Conv|a w|b|['', 's', 's.0', 's.0.c', 'd']|['M', 'torch.nn.modules.container.Sequential', "
       "'L', 'torch.nn.modules.conv.Conv2d', 'x']",
       "c|Relu|b|c|['', 'r', 'r']",
       "d|Conv|c w|d|['', 't', 't.0', 'e']|['M', 'torch.nn.modules.container.Sequential', "
       "'torch.nn.modules.conv.Conv2d', 'x']",
       "e|Conv|d w|y|['', 't', 't.0', 'f']|['M', 'torch.nn.modules.container.Sequential', "
       "'torch.nn.modules.conv.Conv2d', 'x']"}},
     "s torch.nn.modules.container.Sequential 4: a | b [doubt]\ns.0 L 4: a | b [doubt]\n"
     "s.0.c torch.nn.modules.conv.Conv2d 4: a | b\nr - 0: c\n"
     "t torch.nn.modules.container.Sequential 4: d | y [doubt]\n"
     "t.0 torch.nn.modules.conv.Conv2d 4: d | y\n"},
    {"what does the same along other axes is one call",
     {"x",
      "y",
      {"a|Slice|x #0 #9 #1|a|['', 'm', 's']", "b|Slice|a #0 #9 #2|b|['', 'm', 's_1']",
       "c|Neg|b|c|['', 'n']", "d|Slice|c #0 #9 #1|d|['', 'l', 's_2']",
       "e|Slice|d #0 #9 #1|e|['', 'l', 's_3']", "f|Neg|e|f|['', 'n_1']",
       "g|Softmax|f|g|['', 'o', 's_4']", "h|Softmax|g|y|['', 'o', 's_5']"}},
     "m - 0: b\nl - 0: d | e [doubt]\no - 0: g | y [doubt]\n"},
    {"no operation of PyTorch's is two calls",
     {"x",
      "y",
      {"a|Neg|x|a|['', 'm', 'f']|||%f", "b|Neg|a|b|['', 'm', 'f']|||%f",
       "c|Relu|b|c|['', 'r', 'r']|['M', 'torch.nn.modules.activation.ReLU', 'x']||%r",
       "d|Relu|c|d|['', 'r', 'r']|['M', 'torch.nn.modules.activation.ReLU', 'x']||%r",
       "e|Relu|d|e|['', 'r', 'r_1']|['M', 'torch.nn.modules.activation.ReLU', 'x']||%r_1",
       "f|Relu|e|y|['', 'r', 'r_1']|['M', 'torch.nn.modules.activation.ReLU', 'x']||%r_1"}},
     "m - 0: b\nr torch.nn.modules.activation.ReLU 0: d | y\n"},
    {"one operation of torch.nn a call",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'r', 'relu']|['M', 'torch.nn.modules.activation.ReLU', 'x']",
       "b|Relu|a|y|['', 'r', 'relu_1']|['M', 'torch.nn.modules.activation.ReLU', 'x']"}},
     "r torch.nn.modules.activation.ReLU 0: a | y\n"},
    {"a fused convolution is known beside the BatchNorm that carries it",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'w', 'relu']",
       "b|Conv|a w.conv.weight w.conv.weight_bias|b|['', 'bn', 'n']||FuseBatchNormIntoConv, "
       "RemoveOptionalBiasFromConv",
       "c|Conv|b m.c.weight m.c.bias|c|['', 'm', 'm.n', 'n']||FuseBatchNormIntoConv",
       "d|Neg|c|y|['', 'neg']"}},
     "w - 0: b [folded by bn]\nw.conv - 0: b [folded by bn]\nbn - 8: b\nm - 8: c\n"
     "m.c - 0: c [folded by m.n]\nm.n - 8: c\n"},
    {"a module that holds its own BatchNorm keeps its value",
     {"x", "y", {"a|Conv|x stem.weight b|y|['', 'stem', 'stem.bn', 'n']||FuseBatchNormIntoConv"}},
     "stem - 8: y\nstem.bn - 8: y\n"},
    {"merged activations leave in doubt what ended there",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'm.r', 'r']|['M', 'B', 'torch.nn.modules.activation.ReLU', 'x']",
       "b|Add|a x|b|['', 'm', 'add']|['M', 'B', 'x']",
       "c|Relu|b|y|['', 'relu', 'r2']|['M', 'torch.nn.modules.activation.ReLU', 'x']|"
       "FuseSuccessiveRelu"}},
     "m B 0: b?\nm.r torch.nn.modules.activation.ReLU 0: a [doubt]\n"
     "relu torch.nn.modules.activation.ReLU 0: y\n"},
    {"a Sequential that goes on where it ended may have its modules twice",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'm.0', 'relu']|['M', 'torch.nn.modules.container.Sequential', 'B', 'x']",
       "b|Relu|a|y|['', 'm', 'm.0', 'relu']|['M', 'torch.nn.modules.container.Sequential', 'B', "
       "'x']"}},
     "m torch.nn.modules.container.Sequential 0: a | y [doubt]\nm.0 B 0: a | y [doubt]\n"},
    {"a Sequential that is given something else is called again",
     {"x",
      "y z",
      {"a|Relu|x|y|['', 'm', 'm.0', 'relu']|['M', 'torch.nn.modules.container.Sequential', 'B', 'x']",
       "b|Relu|x|z|['', 'm', 'm.0', 'relu']|['M', 'torch.nn.modules.container.Sequential', 'B', "
       "'x']"}},
     "m torch.nn.modules.container.Sequential 0: y | z\nm.0 B 0: y | z\n"},
    {"the same modules again, written in another way, may be two calls",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'm.p', 'relu']", "b|Neg|a|b|['', 'm', 'm.q', 'neg']",
       "c|Abs|b|c|['', 'm', 'm.p', 'abs']", "d|Mul|c b|d|['', 'm', 'm.p', 'mul']",
       "e|Neg|d|y|['', 'm', 'm.q', 'neg']"}},
     "m - 0: y [doubt]\nm.p - 0: a | d\nm.q - 0: b | y\n"},
    {"what was merged at the border of two calls may hide one of them",
     {"x",
      "y",
      {"a|Reshape|x s|a|['', 'm', 'v']|['M', 'B', 'x']", "b|Neg|a|b|['', 'm', 'n']|['M', 'B', 'x']",
       "c|Reshape|b s|c|['', 'm', 'v2']|['M', 'B', 'x']|ReshapeReshape",
       "d|Neg|c|d|['', 'm', 'n']|['M', 'B', 'x']",
       "e|Reshape|d s|y|['', 'm', 'v']|['M', 'B', 'x']"}},
     "m B 4: y [doubt]\n"},
    {"operations of PyTorch's count, however many of ONNX they are",
     {"x",
      "y",
      {"a|MaxPool|x|a|['', 'm', 'p']|['M', 'torch.nn.modules.pooling.MaxPool2d', 'x']||%a : "
       "[num_users=1] = call_function[target=pool](args = (%x,))",
       "b|Unsqueeze|a|b|['', 'm', 'p']|['M', 'torch.nn.modules.pooling.MaxPool2d', 'x']||%y : "
       "[num_users=1] = call_function[target=pool](args = (%a,))",
       "c|MaxPool|b|y|['', 'm', 'p']|['M', 'torch.nn.modules.pooling.MaxPool2d', 'x']||%y : "
       "[num_users=1] = call_function[target=pool](args = (%a,))"}},
     "m torch.nn.modules.pooling.MaxPool2d 0: y [doubt]\n"},
    {"parts that do the same apart, but for what was left out, may be calls",
     {"x z",
      "y w",
      {"a|Slice|x|a|['', 'm', 's']", "b|Neg|a|b|['', 'm', 'n']", "c|Exp|b|y|['', 'm', 'e']",
       "d|Neg|z|d|['', 'm', 'n']", "e|Exp|d|w|['', 'm', 'e']"}},
     "m - 0: y,w [doubt]\n"},
    {"what is left of a merged call does not settle how often others are called",
     {"x",
      "y z",
      {"a|Relu|x|a|['', 'm', 'm.r', 'relu']", "b|Relu|a|y|['', 'm', 'm.r', 'relu']",
       "c|Neg|x|c|['', 'n', 'neg']", "d|Relu|a|d|['', 'm', 'm.r', 'relu']",
       "e|Add|c d|z|['', 'add']"}},
     "m - 0: a | y | d [doubt]\nm.r - 0: a | y | d [doubt]\nn - 0: c\n"},
    {"what the exporter put in between does not hide that calls may be two",
     {"x",
      "y z",
      {"a|Neg|x|a|['', 'm', 'm.c', 'n']", "b|Exp|a|b|['', 'm', 'e']", "i|Identity|a|z|",
       "c|Neg|b|c|['', 'm', 'm.c', 'n']", "d|Exp|c|y|['', 'm', 'e']"}},
     "m - 0: z,y [doubt]\nm.c - 0: a | c\n"},
    {"a recurrent module whose last Transpose was dropped has no value of its own",
     {"x",
      "y",
      {"a|Transpose|x|a|['', 'm', 'm.rnn', 'l']", "b|LSTM|a w|b|['', 'm', 'm.rnn', 'l']",
       "c|Reshape|b s|c|['', 'm', 'm.rnn', 'l']", "d|GRU|c v|d|['', 'g', 'l']",
       "e|Transpose|d|y|['', 'g', 'l']"}},
     "m - 8: c?\nm.rnn - 8: c?\ng - 4: y\n"},
    {"what is turned where a recurrent module begins stays so until it is turned back",
     {"x",
      "z",
      {"/a/Transpose|Turn|x|a", "/a/RNN|RNN|a w|b", "/a/Reshape|Reshape|b s|c", "/b/RNN|RNN|c v|d",
       "/b/Reshape|Reshape|d s|e", "/c/RNN|RNN|e u|f", "/c/Transpose|Turn|f|g", "/d/RNN|RNN|g t|h",
       "/d/Reshape|Reshape|h s|z"}},
     "a - 8: c?\nb - 8: e?\nc - 4: g\nd - 8: z\n"},
    {"blocks that turn axes and do not turn them back may end with a Transpose that was dropped",
     {"x",
      "y",
      {"/b/b.0/Transpose|Last|x|a", "/b/b.0/fc/MatMul|MatMul|a w|b", "/b/b.1/norm/Norm|Norm|b|c",
       "/b/b.1/fc/MatMul|MatMul|c v|d", "/b/b.2/fc/MatMul|MatMul|d u|e",
       "/b/b.2/Transpose|Second|e|f", "/o/Conv|Conv|f t|y"}},
     "b - 12: f\nb.0 - 4: b?\nb.0.fc - 4: b\nb.1 - 4: d?\nb.1.norm - 0: c\n"
     "b.1.fc - 4: d\nb.2 - 4: f\nb.2.fc - 4: e\no - 4: y\n"},
    {"so may those on the way in the module around the last",
     {"x",
      "y",
      {"/p/Transpose|Last|x|a", "/p/norm/Norm|Norm|a|b", "/s/s.0/fc/MatMul|MatMul|b w|c",
       "/s/s.0/e/Exp|Exp|c|d", "/s/s.1/b/fc/MatMul|MatMul|d v|e", "/s/s.1/b/e/Exp|Exp|e|f",
       "/s/s.1/Transpose|Second|f|y"}},
     "p - 0: b?\np.norm - 0: b\ns - 8: y\ns.0 - 4: d?\ns.0.fc - 4: c\ns.0.e - 0: d\n"
     "s.1 - 4: y\ns.1.b - 4: f\ns.1.b.fc - 4: e\ns.1.b.e - 0: f\n"},
    {"but not those that do, nor what a module turns at its end",
     {"x",
      "y",
      {"/n/Transpose|Last|x|a", "/n/Norm|Norm|a|b", "/n/Transpose_1|Second|b|c",
       "/m/Transpose|Last|c|d", "/m/Norm|Norm|d|e", "/m/Transpose_1|Second|e|f",
       "/p/Conv|Conv|f w|g", "/p/Transpose|Last|g|h", "/q/Norm|Norm|h|i", "/q/Exp|Exp|i|j",
       "/Transpose|Second|j|y"}},
     "n - 0: c\nm - 0: f\np - 4: h\nq - 0: j\n"},
    {"a module of another parent's, beside one that it is named like, may be either",
     {"x",
      "y z",
      {"/a/pool/Turn|Turn|x|a", "/b/pool/Turn|Turn|a|b", "/b/pool_1/Pad|Pad|b|y",
       "/b/act/Relu|Relu|b|z"}},
     "a - 0: a\na.pool - 0: a\nb - 0: y,z\nb.pool - 0: b [doubt]\nb.pool_1 - 0: y [doubt]\n"
     "b.act - 0: z\n"},
    {"but not where the other parent has both",
     {"x",
      "y z",
      {"/a/pool/Turn|Turn|x|a", "/a/pool_1/Pad|Pad|a|z", "/b/pool/Turn|Turn|a|b",
       "/b/pool_1/Pad|Pad|b|y"}},
     "a - 0: a,z~\na.pool - 0: a\na.pool_1 - 0: z\nb - 0: y\nb.pool - 0: b\nb.pool_1 - 0: y\n"},
    {"nor where the other one is another operation",
     {"x",
      "y",
      {"/a/pool/Transpose|Transpose|x|a", "/b/pool/Turn|Turn|a|b", "/b/pool_1/Pad|Pad|b|y"}},
     "a - 0: a\na.pool - 0: a\nb - 0: y\nb.pool - 0: b\nb.pool_1 - 0: y\n"},
    {"and in a module with modules of its own",
     {"x",
      "y",
      {"/a/pool/Turn|Turn|x|a", "/b/pool/pool.0/Neg|Neg|a|b", "/b/pool/pool.1/Exp|Exp|b|c",
       "/b/pool/Turn|Turn|c|y"}},
     "a - 0: a\na.pool - 0: a\nb - 0: y\nb.pool - 0: y [doubt]\nb.pool.0 - 0: b\n"
     "b.pool.1 - 0: c\n"},
    {"a recurrent operation twice with its weights may be two calls",
     {"x",
      "y",
      {"a|Transpose|x|a|['', 'm', 'l']", "b|GRU|a w v|b|['', 'm', 'l']",
       "d|GRU|b w v|d|['', 'm', 'l']", "e|Transpose|d|y|['', 'm', 'l']"}},
     "m - 8: y [doubt]\n"},
    {"calls side by side in two places may be two calls with two outputs each",
     {"x z",
      "y w v",
      {"a|Neg|x|a|['', 'm', 'm.c', 'n']", "b|Neg|z|b|['', 'm', 'm.c', 'n']",
       "c|Add|a b|c|['', 'add']", "d|Neg|c|y|['', 'm', 'm.c', 'n']",
       "e|Neg|x|w|['', 'm', 'm.c', 'n']", "f|Exp|c|v|['', 'exp']"}},
     "m - 0: a | b | y | w [doubt]\nm.c - 0: a | b | y | w [doubt]\n"},
    {"what the rest of a merged call reads may not be handed out",
     {"x",
      "y z",
      {"a|Neg|x|a|['', 'm', 'm.s', 'm.s.0', 'n']", "b|Exp|a|b|['', 'm', 'm.s', 'm.s.1', 'e']",
       "c|Relu|b|y|['', 'm', 'r']", "d|Exp|a|z|['', 'm.s', 'm.s.1', 'e']"}},
     "m - 0: a,y~\nm.s - 0: a,b~ | z\nm.s.0 - 0: a\nm.s.1 - 0: b | z\n"},
    {"an operation without a scope stands between two calls of a leaf",
     {"x",
      "y z",
      {"a|Relu|x|a|['', 'm', 'm.r', 'r']|['M', 'B', 'torch.nn.modules.activation.ReLU', 'x']",
       "b|Split|x|z|",
       "c|Relu|a|y|['', 'm', 'm.r', 'r']|['M', 'B', "
       "'torch.nn.modules.activation.ReLU', 'x']"}},
     "m B 0: z,y\nm.r torch.nn.modules.activation.ReLU 0: a | y\n"},
    {"an operation without a scope behind a module may be its end",
     {"x",
      "y",
      {"a|Conv|x w|a|['', 'm', 'm.c', 'c']|['M', 'B', 'torch.nn.modules.conv.Conv2d', 'x']",
       "b|Split|a|p q|", "c|Add|p q|y|['', 'add']|['M', 'x']"}},
     "m B 4: a?\nm.c torch.nn.modules.conv.Conv2d 4: a\n"},
    {"and so at the end of the file",
     {"x",
      "p q",
      {"a|Conv|x w|a|['', 'm', 'm.c', 'c']|['M', 'B', 'torch.nn.modules.conv.Conv2d', 'x']",
       "b|Split|a|p q|"}},
     "m B 4: a?\nm.c torch.nn.modules.conv.Conv2d 4: a\n"},
    {"of two BatchNorms folded into one convolution, one call is lost",
     {"x",
      "y",
      {"a|Conv|x c.weight|a|['', 'm', 'm.b', 'n']|['M', 'B', "
       "'torch.nn.modules.batchnorm.BatchNorm2d', 'x']|FuseBatchNormIntoConv, "
       "FuseBatchNormIntoConv",
       "b|Exp|a|b|['', 'm', 'e']|['M', 'B', 'x']",
       "c|BatchNormalization|b s|y|['', 'm', 'm.a', 'n']|['M', 'B', "
       "'torch.nn.modules.batchnorm.BatchNorm2d', 'x']"}},
     "m B 8: y\nc - 0: a [folded by m.b]\nm.b torch.nn.modules.batchnorm.BatchNorm2d 4: a [doubt]\n"
     "m.a torch.nn.modules.batchnorm.BatchNorm2d 4: y [doubt]\n"},
    {"a module that no line of the stack trace is of did not run the operation",
     {"x",
      "y",
      {"a|Neg|x|a|['', 'm', 'n']|['M', 'B', 'x']|||File \"a\" File \"b\"",
       "b|Reshape|a s|b|['', 'k', 'v']|['M', 'B', 'x']|||File \"a\"",
       "c|Exp|b|y|['', 'k', 'e']|['M', 'B', 'x']|||File \"a\" File \"b\""}},
     "m B 0: a?\nk B 0: y\n"},
    {"which tells nothing where no trace has a line for each module",
     {"x",
      "y",
      {"a|Neg|x|a|['', 'm', 'n']|['M', 'B', 'x']|||File \"a\"",
       "b|Reshape|a s|b|['', 'k', 'v']|['M', 'B', 'x']|||File \"a\"",
       "c|Exp|b|y|['', 'k', 'e']|['M', 'B', 'x']|||File \"a\""}},
     "m B 0: a\nk B 4: y\n"},
    {"but in a Sequential it is the next one's where nobody else reads it",
     {"x",
      "y",
      {"a|Neg|x|a|['', 's', 's.0', 'n']|['M', 'torch.nn.modules.container.Sequential', 'B', 'x']",
       "b|Split|a|p q|",
       "c|Add|p q|y|['', 's', 's.1', 'a']|['M', 'torch.nn.modules.container.Sequential', 'B', 'x']"}},
     "s torch.nn.modules.container.Sequential 0: y\ns.0 B 0: a\ns.1 B 0: y\n"},
    {"what only a merged operation reads outside may not be handed out",
     {"x",
      "b c",
      {"a|Sigmoid|x|a|['', 'm', 'sigmoid']|['M', 'B', 'x']||%a : [num_users=1] = call(args = (%x,))",
       "b|Mul|x a|b|['', 'm', 'mul']|['M', 'B', 'x']||%b : [num_users=1] = call(args = (%x, %a))",
       "c|Log|a|c|['', 'log']|['M', 'x']||%c : [num_users=1] = call(args = (%x,))"}},
     "m B 0: a,b~\n"},
    {"a folded convolution reads what was written for it, if nothing was merged",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'r']|['M', 'B', 'x']||%a : [num_users=2] = call(args = (%x,))",
       "b|Exp|a|b|['', 'm', 'e']|['M', 'B', 'x']||%b : [num_users=1] = call(args = (%a,))",
       "c|Conv|a w|c|['', 'n', 'n']|['M', 'B', 'x']|FuseBatchNormIntoConv|%c : [num_users=1] = "
       "call(args = (%conv2d, %p))",
       "d|Add|b c|y|['', 'add']|['M', 'x']||%y : [num_users=1] = call(args = (%b, %c))"}},
     "m B 0: a,b\nn B 4: c\n"},
    {"which it may have been where more read it than were written",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'r']|['M', 'B', 'x']||%a : [num_users=1] = call(args = (%x,))",
       "b|Exp|a|b|['', 'm', 'e']|['M', 'B', 'x']||%b : [num_users=1] = call(args = (%a,))",
       "c|Conv|a w|c|['', 'n', 'n']|['M', 'B', 'x']|FuseBatchNormIntoConv|%c : [num_users=1] = "
       "call(args = (%conv2d, %p))",
       "d|Add|b c|y|['', 'add']|['M', 'x']||%y : [num_users=1] = call(args = (%b, %c))"}},
     "m B 0: a,b~\nn B 4: c\n"},
    {"what a folded convolution made is nobody else's",
     {"x",
      "y",
      {"a|Conv|x v|a|['', 'm', 'n']|['M', 'B', 'x']|FuseBatchNormIntoConv|%bn : [num_users=1] = "
       "call(args = (%conv2d, %p))",
       "b|Exp|a|b|['', 'm', 'e']|['M', 'B', 'x']||%b : [num_users=1] = call(args = (%a,))",
       "c|Conv|a w|c|['', 'n', 'n']|['M', 'B', 'x']|FuseBatchNormIntoConv|%c : [num_users=1] = "
       "call(args = (%conv2d_1, %p))",
       "d|Add|b c|y|['', 'add']|['M', 'x']||%y : [num_users=1] = call(args = (%b, %c))"}},
     "m B 4: a,b\nn B 4: c\n"},
    {"what is inside an operation is not handed out",
     {"x",
      "y z",
      {"a|Sigmoid|x|tmp|['', 'm', 'silu']|['M', 'B', 'x']||%y : [num_users=1] = call(args = (%x,))",
       "b|Mul|x tmp|y|['', 'm', 'silu']|['M', 'B', 'x']||%y : [num_users=1] = call(args = (%x,))",
       "c|Log|tmp|z|['', 'log']|['M', 'x']||%c : [num_users=1] = call(args = (%x,))"}},
     "m B 0: y\n"},
    {"a merged operation leaves in doubt whatever output it reads",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'm.0', 'relu']|['M', 'B', 'B', 'x']",
       "b|Neg|x|b|['', 'm', 'm.1', 'neg']|['M', 'B', 'B', 'x']",
       "c|Conv|a w|c|['', 'c', 'conv']|['M', 'B', 'x']|FuseConvPad", "d|Add|b c|y|['', 'add']"}},
     "m B 0: a,b?\nm.0 B 0: a?\nm.1 B 0: b\nc B 4: c\n"},
    {"a rewritten operation that reads what it read is not in doubt",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'm.0', 'relu']|['M', 'torch.nn.modules.container.Sequential', 'B', 'x']",
       "b|ReduceMean|a|mean|['', 'm', 'm.1', 'mean']|['M', 'torch.nn.modules.container.Sequential', "
       "'B', 'x']",
       "c|Reshape|mean s|y|['', 'view']|['M', 'x']|OtherRule|%y : [num_users=1] = "
       "call_function[target=torch.ops.aten.view.default](args = (%mean, [2, 3]), kwargs = {})"}},
     "m torch.nn.modules.container.Sequential 0: mean\nm.0 B 0: a\nm.1 B 0: mean\n"},
    {"a rewritten operation that reads further back is",
     {"x",
      "y",
      {"a|Relu|x|a|['', 'm', 'm.0', 'relu']|['M', 'torch.nn.modules.container.Sequential', 'B', 'x']",
       "b|ReduceMean|a|mean|['', 'm', 'm.1', 'mean']|['M', 'torch.nn.modules.container.Sequential', "
       "'B', 'x']",
       "c|Reshape|mean s|y|['', 'view']|['M', 'x']|OtherRule|%y : [num_users=1] = "
       "call_function[target=torch.ops.aten.view.default](args = (%mean_1, [2, 3]), kwargs = {})"}},
     "m torch.nn.modules.container.Sequential 0: mean?\nm.0 B 0: a\nm.1 B 0: mean?\n"},
    {"a module that computes on weights alone hands out what it computes",
     {"x",
      "y",
      {"/m/p/MatMul|MatMul|table m.p.weight|p", "/m/Sigmoid|Sigmoid|p|s", "/m/Add|Add|x s|y"}},
     "m - 8: y\nm.p - 8: p\n"},
    {"calls of functions name modules",
     {"x", "y", {"@enc/conv|Conv|x w|a", "@enc/act|Relu|a|b", "@dec|Relu|b|y"}},
     "enc - 4: b\nenc.conv - 4: a\nenc.act - 0: b\ndec - 0: y\n"},
};

static const tree_case name_cases[] = {
    {"paths of TensorFlow without the model's own name, with and without a function around",
     {"x",
      "y",
      {"StatefulPartitionedCall/model/a/Conv2D|Conv|x model/a/Conv2D/ReadVariableOp:0|model/a/Conv2D:0",
       "model/a/Relu|Relu|model/a/Conv2D:0|p", "model/b/c/MatMul|MatMul|p w|q",
       "model/b/c/BiasAdd|Add|q v|r", "model/tf.nn/Neg|Neg|r|y"}},
     "a - 4: p\nb - 8: r\nb.c - 8: r\ntf.nn - 0: y\n"},
    {"what a converter put in is the layer's only behind its operations",
     {"x",
      "y",
      {"m/a/Conv2D__6|Transpose|x|p", "m/a/Conv2D|Conv|p w|q", "m/a/Conv2D__7|Transpose|q|r",
       "m/b/Relu|Relu|r|y"}},
     "a - 4: r\nb - 0: y\n"},
    {"a convolution that took a BatchNorm in is known beside it",
     {"x",
      "y",
      {"m/a/BiasAdd|Conv|x m/a/BiasAdd_weights_fused_bn m/a/BiasAdd_bias_fused_bn|m/n/FusedBatchNormV3:0",
       "m/r/Relu|Relu|m/n/FusedBatchNormV3:0|q", "m/c/Conv2D__9|Transpose|q|r",
       "Conv__4|Conv|r Conv__4_weights_fused_bn u|m/o/FusedBatchNormV3:0",
       "m/s/Relu|Relu|m/o/FusedBatchNormV3:0|y"}},
     "a - 0: m/n/FusedBatchNormV3:0 [folded by n]\nn - 8: m/n/FusedBatchNormV3:0\nr - 0: q\n"
     "c - 0: m/o/FusedBatchNormV3:0 [folded by o]\no - 8: m/o/FusedBatchNormV3:0\ns - 0: y\n"},
    {"a convolution that took in the factor only is folded up to the end of the BatchNorm",
     {"x",
      "y",
      {"m_1/n_1/batchnorm/mul_1|Conv|x m_1/a_1/convolution/merged_input:0|p",
       "m_1/n_1/batchnorm/add_1|Add|p w|q", "m_1/r_1/Relu|Relu|q|y"}},
     "a - 0: q [folded by n]\nn - 8: q\nr - 0: y\n"},
    {"an operation without a path is its own weights' layer",
     {"x",
      "y",
      {"m/a/Relu|Relu|x|p", "Conv__4|Conv|p c m/d/BiasAdd/ReadVariableOp:0|q",
       "m/b/Relu|Relu|q|y"}},
     "a - 0: p\nd - 8: q\nb - 0: y\n"},
    {"the numbers of Keras 3 are cut where layers stay different",
     {"x",
      "y",
      {"m_1/d_1/Relu|Relu|x|p", "m_1/d_1_2/Relu|Relu|p|q", "m_1/s_1/a_1/Neg|Neg|q|r",
       "m_1/s_3/a_1/Neg|Neg|r|y"}},
     "d - 0: p\nd_1 - 0: q\ns_1 - 0: r\ns_1.a - 0: r\ns_3 - 0: y\ns_3.a - 0: y\n"},
    {"mixed calls of a layer are in doubt",
     {"x",
      "y",
      {"m/s/a/Conv2D_1|Conv|x w|p", "m/s/a/Conv2D|Conv|p w|q", "m/s/b/Relu_1|Relu|q|r",
       "m/s/b/Relu|Relu|r|t", "m/u/Neg|Neg|t|y"}},
     "s - 4: t [doubt]\ns.a - 4: p | q [doubt]\ns.b - 0: r | t [doubt]\nu - 0: y\n"},
    {"operations of one layer come together where the file has them apart",
     {"x",
      "y",
      {"m/a/Sigmoid|Sigmoid|x|p", "m/b/Neg|Neg|x|q", "m/a/mul|Mul|x p|r", "m/c/Add|Add|q r|y"}},
     "a - 0: r\nb - 0: q\nc - 0: y\n"},
    {"weights name modules, whose ends may be unknown",
     {"x",
      "y",
      {"Conv_0|Conv|x l.0.conv.weight l.0.conv.bias|1", "Relu_1|Relu|1|2", "|MatMul|2 77|3",
       "|Add|3 l.fc.bias|4", "Add_4|Add|4 2|5", "Mul_5|Mul|5 n.weight|6", "Add_6|Add|6 n.bias|7",
       "Transpose_7|Transpose|7|y"}},
     "l - 16: 2,4 [doubt]\nl.0 - 8: 1 [doubt]\nl.0.conv - 8: 1\nl.fc - 8: 4\nn - 8: 7 [doubt]\n"},
    {"Paddle's weights",
     {"x",
      "y",
      {"p2o.Conv.0|Conv|x conv2d_0.w_0|conv2d_0.tmp_0",
       "p2o.Relu.0|Relu|conv2d_0.tmp_0|relu_0.tmp_0",
       "p2o.BatchNormalization.0|BatchNormalization|relu_0.tmp_0 batch_norm_0.w_0 batch_norm_0.b_0 a b|y"}},
     "conv2d_0 - 4: conv2d_0.tmp_0\nbatch_norm_0 - 8: y\n"},
};

static void describe(const ltap_layers *layers, char *text, size_t room)
{
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        const ltap_module *module = ltap_layers_at(layers, m);
        at += (size_t)snprintf(text + at, room - at, "%s %s %llu:", module->path,
                               module->class_name != NULL ? module->class_name : "-",
                               (unsigned long long)module->n_parameters);
        for (size_t c = 0; c < module->n_calls; c++) {
            const ltap_module_call *call = &module->calls[c];
            at += (size_t)snprintf(text + at, room - at, c > 0 ? " | " : " ");
            for (size_t i = 0; i < call->n_outputs; i++)
                at += (size_t)snprintf(text + at, room - at, "%s%s", i > 0 ? "," : "",
                                       ltap_graph_at(layers->graph, call->outputs[i])->name);
            at += (size_t)snprintf(text + at, room - at,
                                   call->doubt != NULL   ? "?"
                                   : call->vague != NULL ? "~"
                                                         : "");
        }
        if (module->folded)
            at += (size_t)snprintf(text + at, room - at, " [folded%s%s]",
                                   module->folded_by != NULL       ? " by "
                                   : module->folded_within != NULL ? " within "
                                                                   : "",
                                   module->folded_by != NULL       ? module->folded_by
                                   : module->folded_within != NULL ? module->folded_within
                                                                   : "");
        at += (size_t)snprintf(text + at, room - at, "%s%s\n",
                               module->elided_value != LTAP_NO_VALUE ? " [elided]" : "",
                               module->doubt != NULL ? " [doubt]" : "");
    }
}

static void check_case(const tree_case *row)
{
    char text[4096];
    ltap_error error = {.message = ""};
    ltap_memory *memory;
    ltap_graph *graph;
    ltap_layers *layers;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    if (sketch_layers(memory, &row->sketch, &graph, &layers, &error) != LTAP_OK)
        fail_msg("%s: %s", row->name, error.message);
    describe(layers, text, sizeof text);
    if (strcmp(text, row->expected) != 0)
        fail_msg("%s:\n%sinstead of\n%s", row->name, text, row->expected);
    ltap_layers_free(layers);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void torchscript_scopes_become_modules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof torchscript_cases / sizeof *torchscript_cases; i++)
        check_case(&torchscript_cases[i]);
}

static void other_sources_become_modules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof other_cases / sizeof *other_cases; i++)
        check_case(&other_cases[i]);
}

static void names_and_weights_become_modules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof name_cases / sizeof *name_cases; i++)
        check_case(&name_cases[i]);
}

static void a_name_of_a_thousand_scopes_is_cut(void **state)
{
    enum { DEPTH = 1000 };
    char name[DEPTH * 2 + 64] = "", line[DEPTH * 2 + 96];
    layers_sketch sketch = {"x", "y", {line}};
    ltap_memory *memory;
    ltap_graph *graph;
    ltap_layers *layers;
    (void)state;
    for (int i = 0; i < DEPTH; i++)
        memcpy(name + 2 * i, "/a", 2);
    snprintf(line, sizeof line, "%s/Relu|Relu|x|y", name);
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(sketch_layers(memory, &sketch, &graph, &layers, NULL), LTAP_OK);
    assert_in_range(layers->modules.count, 1, 64);
    assert_int_equal(layers->module_of_node[0], layers->modules.count - 1);
    ltap_layers_free(layers);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void a_call_knows_what_it_takes_and_runs(void **state)
{
    static const layers_sketch sketch = {
        "x z", "y", {"/s/c/Conv|Conv|x s.c.weight|a", "/s/Add|Add|a z|b", "/Relu|Relu|b|y"}};
    ltap_memory *memory;
    ltap_graph *graph;
    ltap_layers *layers;
    uint32_t module;
    (void)state;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(sketch_layers(memory, &sketch, &graph, &layers, NULL), LTAP_OK);
    assert_true(ltap_layers_find(layers, "s", &module));
    const ltap_module_call *call = &ltap_layers_at(layers, module)->calls[0];
    assert_int_equal(call->n_nodes, 2);
    assert_int_equal(call->n_inputs, 2);
    assert_string_equal(ltap_graph_at(graph, call->inputs[0])->name, "x");
    assert_string_equal(ltap_graph_at(graph, call->inputs[1])->name, "z");
    assert_int_equal(layers->module_of_node[2], LTAP_NO_MODULE);
    assert_false(ltap_layers_find(layers, "s.d", &module));
    ltap_layers_free(layers);
    ltap_graph_free(graph);
    ltap_memory_unref(memory);
}

static void every_allocation_may_fail(void **state)
{
    const layers_sketch *sketches[] = {&torchscript_cases[9].sketch, &other_cases[5].sketch,
                                       &name_cases[2].sketch, &name_cases[6].sketch,
                                       &name_cases[8].sketch};
    (void)state;
    for (size_t i = 0; i < sizeof sketches / sizeof *sketches; i++) {
        for (size_t n = 1;; n++) {
            fail_alloc heap;
            ltap_memory *memory = NULL;
            ltap_graph *graph = NULL;
            ltap_layers *layers = NULL;
            fail_alloc_init(&heap, n);
            ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
            if (status == LTAP_OK)
                status = sketch_layers(memory, sketches[i], &graph, &layers, NULL);
            assert_int_equal(status, fail_alloc_failed(&heap) ? LTAP_ERROR_MEMORY : LTAP_OK);
            ltap_layers_free(layers);
            ltap_graph_free(graph);
            ltap_memory_unref(memory);
            fail_alloc_check(&heap);
            if (!fail_alloc_failed(&heap))
                break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torchscript_scopes_become_modules),
        cmocka_unit_test(other_sources_become_modules),
        cmocka_unit_test(names_and_weights_become_modules),
        cmocka_unit_test(a_name_of_a_thousand_scopes_is_cut),
        cmocka_unit_test(a_call_knows_what_it_takes_and_runs),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
