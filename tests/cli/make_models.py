#!/usr/bin/env python3
"""Makes the small ONNX models in tests/cli/data.

Needs PyTorch 1.13 with torchvision's habits (Debian's python3-torch) and onnx; only for those who
change the models. Run it anywhere. Each model is for one kind of session in tests/cli.
"""
import os

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv1 = nn.Conv2d(n, n, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n, n, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n)

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + x)


class Tiny(nn.Module):
    """A residual network in miniature, with torchvision's names."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(4), Block(4))
        self.layer2 = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU())
        self.layer3 = nn.Sequential(nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.layer1(self.relu(self.bn1(self.conv1(x))))
        x = self.avgpool(self.layer3(self.layer2(x)))
        return self.fc(torch.flatten(x, 1))


def make():
    torch.manual_seed(1)
    network = Tiny().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.uniform_(-0.5, 0.5)
    return network


def export(name, size, axes=None, network=None, **options):
    torch.onnx.export(network or make(), torch.zeros(size), os.path.join(DATA, name),
                      input_names=["x"], output_names=["scores"], dynamic_axes=axes,
                      opset_version=13, **options)


def fill_by_hooks(name, modules):
    """What forward hooks of PyTorch see, and the input, as people keep it."""
    network, kept = make(), {}
    for path, module in network.named_modules():
        if path in modules:
            module.register_forward_hook(
                lambda _, __, output, path=path: kept.update({path: output.numpy().copy()}))
    x = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    with torch.no_grad():
        network(x)
    np.savez_compressed(os.path.join(DATA, name), x=x.numpy(), **kept)


def vary():
    """The network with its BatchNorms kept, with one weight changed, with another head."""
    export("kept.onnx", (1, 3, 32, 32), training=torch.onnx.TrainingMode.PRESERVE)
    network = make()
    network.layer2[0].weight.data[0, 0, 0, 0] += 1
    export("changed.onnx", (1, 3, 32, 32), network=network)
    network = make()
    network.fc = nn.Linear(8, 7)
    export("head.onnx", (1, 3, 32, 32), network=network)
    fill_by_hooks("hooks.npz", ["conv1", "bn1", "layer1.0.relu", "layer2", "fc"])


def lose_names(source, target):
    """Numbers for names, and nodes that do nothing put between, as converters and simplifiers do."""
    model = onnx.load(os.path.join(DATA, source))
    graph, names, nodes = model.graph, {"x": "x"}, []
    for tensor in graph.initializer:
        tensor.name = names.setdefault(tensor.name, str(len(names)))
    for i, made in enumerate(graph.node):
        made.input[:] = [names[n] for n in made.input]
        made.output[:] = [names.setdefault(n, str(len(names))) for n in made.output]
        made.name = "op%d" % i
        nodes.append(made)
        if i in (2, 9):
            nodes.append(node("Identity", made.output[0] + "i", made.output[0]))
            made.output[0] += "i"
    graph.output[0].name = names[graph.output[0].name]
    del graph.value_info[:], graph.node[:]
    graph.node.extend(nodes)
    model.producer_name, model.producer_version = "hand", "1"
    onnx.save(model, os.path.join(DATA, target))


def value(name, shape, dtype=F):
    return helper.make_tensor_value_info(name, dtype, shape)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), name="n_" + outputs.split()[0],
                            **attributes)


def save(name, nodes, inputs, outputs, weights=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8,
                              producer_name="hand", producer_version="1")
    onnx.save(model, os.path.join(DATA, name))


def styled(name, producer, nodes, outputs, weights):
    """nodes: (op, name, inputs, output). weights: (name, shape), all 0.5."""
    made = [helper.make_node(op, inputs.split(), [output], name=own)
            for op, own, inputs, output in nodes]
    graph = helper.make_graph(
        made, "g", [value("x", [1, 2, 4, 4])], [value(o, None) for o in outputs],
        [helper.make_tensor(w, F, shape, [0.5] * int(torch.tensor(shape).prod()))
         for w, shape in weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8,
                              producer_name=producer[0], producer_version=producer[1])
    onnx.save(model, os.path.join(DATA, name))


def make_styles():
    """The names of other exporters, each in a few nodes."""
    conv, bias = [2, 2, 1, 1], [2]
    styled("keras.onnx", ("tf2onnx", "1.17.0"), [
        ("Conv", "model/stem/BiasAdd", "x model/stem/BiasAdd_weights_fused_bn "
         "model/stem/BiasAdd_bias_fused_bn", "model/stem_bn/FusedBatchNormV3:0"),
        ("Relu", "model/stem_relu/Relu", "model/stem_bn/FusedBatchNormV3:0", "model/stem_relu/Relu:0"),
        ("Conv", "Conv__45", "model/stem_relu/Relu:0 const_fold_opt__47 "
         "model/inner/dw/BiasAdd/ReadVariableOp:0", "Conv__45:0"),
        ("Tanh", "model/inner/act/Tanh", "Conv__45:0", "model/inner/act/Tanh:0"),
        ("GlobalAveragePool", "model/gap/Mean", "model/inner/act/Tanh:0", "gap")],
        ["gap"], [("model/stem/BiasAdd_weights_fused_bn", conv),
                  ("model/stem/BiasAdd_bias_fused_bn", bias), ("const_fold_opt__47", conv),
                  ("model/inner/dw/BiasAdd/ReadVariableOp:0", bias)])
    styled("old.onnx", ("pytorch", "1.9"), [
        ("Conv", "Conv_0", "x conv1.weight", "5"), ("Relu", "Relu_1", "5", "6"),
        ("Conv", "Conv_2", "6 layer1.0.conv1.weight layer1.0.conv1.bias", "7"),
        ("Add", "Add_3", "7 6", "8"), ("Relu", "Relu_4", "8", "9"),
        ("GlobalAveragePool", "GlobalAveragePool_5", "9", "10"), ("Flatten", "Flatten_6", "10", "11"),
        ("Gemm", "Gemm_7", "11 fc.weight fc.bias", "12")],
        ["12"], [("conv1.weight", conv), ("layer1.0.conv1.weight", conv), ("layer1.0.conv1.bias", bias),
                 ("fc.weight", [2, 2]), ("fc.bias", bias)])
    styled("mxnet.onnx", ("", ""), [
        ("Conv", "net0_conv0_fwd", "x net0_conv0_weight", "net0_conv0_fwd"),
        ("Relu", "net0_relu0_fwd", "net0_conv0_fwd", "net0_relu0_fwd"),
        ("Add", "net0__plus0", "net0_relu0_fwd x", "net0__plus0")],
        ["net0__plus0"], [("net0_conv0_weight", conv)])
    styled("caffe2.onnx", ("", ""), [
        ("Conv", "", "x gpu_0/conv1_w_0", "gpu_0/conv1_1"),
        ("Relu", "", "gpu_0/conv1_1", "gpu_0/conv1_2"),
        ("Relu", "", "gpu_0/conv1_2", "gpu_0/softmax_1")],
        ["gpu_0/softmax_1"], [("gpu_0/conv1_w_0", conv)])


def make_branch():
    """A tensor inside the branches of an If."""
    def body(name, op):
        return helper.make_graph([helper.make_node(op, ["x"], ["inner"], name="act"),
                                  helper.make_node("Neg", ["inner"], [name], name="n_" + name)],
                                 name, [], [value(name, None)])
    save("branch.onnx", [node("ReduceMax", "x", "largest", keepdims=0), node("Cast", "largest", "flag", to=9),
                         helper.make_node("If", ["flag"], ["y"], name="If_3",
                                          then_branch=body("a", "Relu"), else_branch=body("b", "Tanh"))],
         [value("x", [1, 4])], [value("y", None)])


def make_loops():
    """Names in bodies: a Loop of three turns with an If in it, and a Scan over rows."""
    def either(name, op):
        return helper.make_graph([helper.make_node(op, ["acted"], [name], name="turn")], name, [],
                                 [value(name, None)])
    def weight(name, array):
        return numpy_helper.from_array(array, name)
    body = helper.make_graph(
        [helper.make_node("Mul", ["h", "half"], ["scaled"], name="scale"),
         helper.make_node("Add", ["scaled", "x"], ["acted"], name="act"),
         helper.make_node("ReduceMax", ["acted"], ["most"], keepdims=0),
         helper.make_node("Greater", ["most", "limit"], ["is_large"], name="compare"),
         helper.make_node("If", ["is_large"], ["next"], name="choose", then_branch=either("a", "Neg"),
                          else_branch=either("b", "Tanh")),
         helper.make_node("Identity", ["go"], ["go_on"], name="keep_going")],
        "body", [value("i", [], I), value("go", [], B), value("h", [2, 4])],
        [value("go_on", [], B), value("next", [2, 4]), value("acted", [2, 4])],
        [weight("half", np.array(0.5, np.float32))])
    row = helper.make_graph(
        [helper.make_node("Add", ["sum", "row"], ["added"], name="add")],
        "rows", [value("sum", [4]), value("row", [4])], [value("added", [4]), value("added", [4])])
    constants = [weight("trips", np.array(3, np.int64)), weight("yes", np.array(True)),
                 weight("limit", np.array(1, np.float32)), weight("zero", np.zeros(4, np.float32))]
    save("loops.onnx", [
        helper.make_node("Relu", ["x"], ["start"], name="first"),
        helper.make_node("Loop", ["trips", "yes", "start"], ["last", "all"], name="Loop_1", body=body),
        helper.make_node("Scan", ["zero", "last"], ["total", "sums"], name="Scan_2", num_scan_inputs=1,
                         body=row),
        helper.make_node("Abs", ["sums"], ["y"], name="end")],
        [value("x", [2, 4])], [value("y", None), value("total", None), value("all", None)], constants)


def main():
    make_styles()
    make_branch()
    make_loops()
    os.makedirs(DATA, exist_ok=True)
    export("tiny.onnx", (1, 3, 32, 32))
    export("free.onnx", (1, 3, 32, 32), {"x": {0: "batch", 2: "height", 3: "width"},
                                         "scores": {0: "batch"}})
    export("pair.onnx", (2, 3, 16, 16))
    vary()
    lose_names("kept.onnx", "lost.onnx")
    # Two inputs that share a batch, and one that has none.
    save("two.onnx", [node("Add", "a b", "sum"), node("Mul", "sum c", "y"), node("Relu", "a", "r")],
         [value("a", ["batch", 4]), value("b", ["batch", 4]), value("c", [4])],
         [value("y", ["batch", 4])])
    # An operator that nobody has, beside a branch that does not need it.
    save("detector.onnx", [node("Relu", "x", "backbone"), node("Abs", "backbone", "neck"),
                           node("FindThings", "backbone", "things", domain="nobody"),
                           node("Relu", "things", "head")],
         [value("x", [1, 3, 4, 4])], [value("head", None), value("neck", [1, 3, 4, 4])])
    # Values whose first axis does not follow the batch.
    save("whole.onnx", [node("Relu", "x", "rows"),
                        node("ReduceMean", "rows", "average", axes=[0], keepdims=1),
                        node("ReduceMean", "rows", "number", keepdims=0)],
         [value("x", ["batch", 3, 4, 4])],
         [value("rows", None), value("average", None), value("number", None)])
    save("grey.onnx", [node("Relu", "x", "y")], [value("x", [1, 1, 4, 4])],
         [value("y", [1, 1, 4, 4])])
    save("words.onnx", [node("Cast", "ids", "y", to=F)], [value("ids", [1, 4], I)],
         [value("y", [1, 4])])
    save("ratio.onnx", [node("Div", "x x", "y")], [value("x", [1, 4])], [value("y", [1, 4])])
    # A first axis that is free, but no batch.
    save("sequence.onnx", [node("Softmax", "x", "y", axis=0)], [value("x", ["length", 2])],
         [value("y", ["length", 2])])


main()
