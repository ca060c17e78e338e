#!/usr/bin/env python3
"""Writes a chain of residual blocks of any length, to measure how long names take.

Usage: scripts/big_graph.py OUT.onnx [NODES] [STYLE]

NODES is 50000 unless given. STYLE is whose names it bears: torchscript, dynamo, old (numbered nodes, named
weights) or bare (no node names). Needs onnx. Then:

    time layertap layers OUT.onnx
    time layertap layers OUT.onnx --why stage99.99
"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STYLES = ("torchscript", "dynamo", "old", "bare")


class Chain:
    def __init__(self, style):
        self.style, self.nodes, self.weights = style, [], []

    def weight(self, name, shape):
        self.weights.append(numpy_helper.from_array(np.zeros(shape, np.float32), name))
        return name

    def add(self, op, path, inputs):
        """A node of the module path ["stage0", "12", "conv1"]; its value's name."""
        scopes = [".".join(path[i - 1:i + 1]) if part.isdigit() else part for i, part in enumerate(path)]
        scoped = "/" + "/".join(scopes + [op])
        number = len(self.nodes)
        name = {"torchscript": scoped, "dynamo": "node_%d" % number, "old": "%s_%d" % (op, number),
                "bare": ""}[self.style]
        value = scoped + "_output_0" if self.style == "torchscript" else "v%d" % number
        node = helper.make_node(op, inputs, [value], name=name)
        if self.style == "dynamo":
            entry = node.metadata_props.add()
            entry.key = "pkg.torch.onnx.name_scopes"
            entry.value = repr([""] + [".".join(path[:i + 1]) for i in range(len(path))] + [value])
        self.nodes.append(node)
        return value

    def block(self, path, value):
        kept = value
        for k in ("1", "2"):
            name = ".".join(path) + ".conv" + k
            value = self.add("Conv", path + ["conv" + k], [
                value, self.weight(name + ".weight", (1, 1, 1, 1)), self.weight(name + ".bias", (1,))])
            value = self.add("Relu", path + ["relu" + k], [value])
        return self.add("Add", path, [value, kept])


def main():
    path = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50000
    chain = Chain(sys.argv[3] if len(sys.argv) > 3 else STYLES[0])
    value, number = "x", 0
    while len(chain.nodes) < count:
        value = chain.block(["stage%d" % (number // 100), str(number % 100)], value)
        number += 1
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, 8, 8]) for n in ("x", value)]
    graph = helper.make_graph(chain.nodes, "chain", ports[:1], ports[1:], chain.weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10,
                                producer_name="pytorch", producer_version="2.6"), path)


main()
