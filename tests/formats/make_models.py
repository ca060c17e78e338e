#!/usr/bin/env python3
"""Makes the small ONNX models in tests/formats/data.

Needs the Python package onnx (1.16 or newer); only for those who change the models. Run it in this
folder. Each model shows one thing that the reader must understand; test_onnx.c says what is expected.
"""
import os
import struct

import numpy as np
from onnx import AttributeProto, FunctionProto, ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name, shape=None, dtype=F):
    return helper.make_tensor_value_info(name, dtype, shape)


def node(op, inputs, outputs, name=None, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), name=name or "n" + op, **attributes)


def optional(op, inputs, outputs, **attributes):
    """Like node; "-" is an omitted input or output."""
    made = node(op, inputs, outputs, **attributes)
    for names in (made.input, made.output):
        for i, text in enumerate(names):
            if text == "-":
                names[i] = ""
    return made


def weight(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def f32(name, *numbers):
    return weight(name, np.array(numbers, np.float32))


def i64(name, *numbers):
    return weight(name, np.array(numbers, np.int64))


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


def save(name, nodes, opset, inputs=None, outputs=None, weights=(), functions=(), ir=8, domains=(),
         properties=None, infos=(), **more):
    inputs = inputs or [value("x", [2, 3, 4, 4])]
    outputs = outputs or [value(nodes[-1].output[0])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights), value_info=list(infos))
    imports = [helper.make_opsetid("", opset)] if opset else []
    imports += [helper.make_opsetid(domain, 1) for domain in domains]
    model = helper.make_model(graph, opset_imports=imports, functions=list(functions),
                              producer_name=more.get("producer", "test"),
                              producer_version=more.get("version", "1"))
    model.ir_version = ir
    if properties:
        helper.set_model_props(model, properties)
    if more.get("keep"):
        return model
    write(name + ".onnx", model.SerializeToString())
    return model


def opsets():
    """One model for each translation of opset*.c."""
    save("add6_axis", [node("Add", "x b", "y", broadcast=1, axis=1)], 6, weights=[f32("b", 1, 2, 3)])
    save("add6_end", [node("Add", "x b", "y", broadcast=1)], 6, weights=[f32("b", 1, 2, 3, 4)])
    save("prelu6", [node("PRelu", "x b", "y")], 6, weights=[f32("b", 1, 2, 3)])
    save("clip6", [node("Clip", "x", "y", min=0.0, max=6.0)], 7)
    save("clip6_min", [node("Clip", "x", "y", min=0.5)], 10)
    save("clip6_half", [node("Clip", "x", "y", max=6.0)], 10,
         [value("x", [2], TensorProto.FLOAT16)], [value("y", [2], TensorProto.FLOAT16)])
    save("clip6_double", [node("Identity", "x", "a"), node("Clip", "a", "y", max=6.0)], 10,
         [value("x", [2], TensorProto.DOUBLE)])
    save("pad2", [node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=2.5)], 9)
    save("pad2_reflect", [node("Pad", "x", "y", mode="reflect", pads=[0, 0, 1, 1, 0, 0, 1, 1])], 9)
    save("slice1", [node("Slice", "x", "y", starts=[1, 0], ends=[2, 1000], axes=[1, 2])], 9)
    save("slice1_no_axes", [node("Slice", "x", "y", starts=[1, 0], ends=[2, -1])], 7)
    save("topk1", [node("TopK", "x", "y i", k=2, axis=1)], 9)
    save("squeeze1", [node("Squeeze", "x", "y", axes=[0])], 12, [value("x", [1, 3])])
    save("squeeze1_all", [node("Squeeze", "x", "y")], 12, [value("x", [1, 3])])
    save("unsqueeze1", [node("Unsqueeze", "x", "y", axes=[0, -1])], 11)
    save("reduce_sum1", [node("ReduceSum", "x", "y", axes=[2, 3], keepdims=0)], 12)
    save("reduce_mean1", [node("ReduceMean", "x", "y", axes=[-1])], 17)
    save("reduce_max1_all", [node("ReduceMax", "x", "y")], 17)
    save("reduce_mean18", [node("ReduceMean", "x axes", "y")], 18, weights=[i64("axes", 2, 3)])
    save("split2", [node("Split", "x", "y z", axis=1, split=[1, 2])], 12,
         outputs=[value("y"), value("z")])
    save("split2_equal", [node("Split", "x", "y z")], 12, outputs=[value("y"), value("z")])
    save("split13_equal", [node("Split", "x", "y z")], 13, outputs=[value("y"), value("z")])
    save("split18", [node("Split", "x", "y z", num_outputs=2)], 18,
         outputs=[value("y"), value("z")])
    save("softmax1", [node("Softmax", "x", "y")], 12)
    save("softmax1_last", [node("Softmax", "x", "y", axis=3)], 12)
    save("softmax1_flat", [node("LogSoftmax", "x", "y", axis=-1)], 9)
    save("softmax1_unknown", [node("Relu", "x", "a"), node("Hardmax", "a", "y", axis=2)], 11)
    save("softmax13", [node("Softmax", "x", "y", axis=1)], 13)
    save("upsample7", [node("Upsample", "x", "y", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])], 7)
    save("upsample9", [node("Upsample", "x s", "y", mode="linear")], 9,
         weights=[f32("s", 1, 1, 2, 2)])
    save("resize10", [node("Resize", "x s", "y", mode="linear")], 10,
         weights=[f32("s", 1, 1, 2, 2)])
    save("resize11", [node("Resize", "x r s z", "y", mode="linear")], 11,
         weights=[f32("r"), f32("s"), i64("z", 2, 3, 8, 8)])
    save("resize13", [optional("Resize", "x - s", "y", mode="nearest")], 13,
         weights=[f32("s", 1, 1, 2, 2)])
    bn = [f32(k, 1, 1, 1) for k in ("s", "b", "m", "v")]
    save("batchnorm7", [node("BatchNormalization", "x s b m v", "y", spatial=1, epsilon=1e-3)], 7,
         weights=bn)
    save("batchnorm7_spatial", [node("BatchNormalization", "x s b m v", "y", spatial=0)], 8,
         weights=bn)
    save("batchnorm9_dead", [node("BatchNormalization", "x s b m v", "y d1 d2 d3 d4")], 9,
         weights=bn)
    save("batchnorm9_empty", [optional("BatchNormalization", "x s b m v", "y - -")], 9, weights=bn)
    save("batchnorm14_dead", [node("BatchNormalization", "x s b m v", "y d1 d2")], 14, weights=bn)
    save("batchnorm14_used", [node("BatchNormalization", "x s b m v", "y d1 d2")], 14, weights=bn,
         outputs=[value("y"), value("d2")])
    save("batchnorm14", [node("BatchNormalization", "x s b m v", "y", training_mode=0)], 14,
         weights=bn)
    save("batchnorm14_training",
         [node("BatchNormalization", "x s b m v", "y d1 d2", training_mode=1)], 15, weights=bn)
    save("groupnorm18", [node("GroupNormalization", "x s b", "y", num_groups=2)], 18,
         [value("x", [1, 4, 2, 2])], weights=[f32("s", 1, 2), f32("b", 3, 4)])
    save("dropout7", [node("Dropout", "x", "y", ratio=0.3)], 7)
    save("dropout7_mask", [node("Dropout", "x", "y m")], 9, outputs=[value("y"), value("m")])
    save("dropout12_mask", [node("Dropout", "x", "y m")], 12,
         outputs=[value("y"), value("m", None, B)])
    save("dropout13", [node("Dropout", "x r t", "y m")], 13,
         weights=[weight("r", np.float32(0.5)), weight("t", np.array(False))])
    save("dropout13_training", [node("Dropout", "x r t", "y")], 13,
         weights=[weight("r", np.float32(0.5)), weight("t", np.array(True))])
    save("dropout13_ratio0", [node("Dropout", "x r t", "y")], 13,
         weights=[weight("r", np.float32(0)), weight("t", np.array(True))])
    save("gridsample16", [node("GridSample", "x g", "y", mode="bicubic")], 16,
         [value("x"), value("g")])
    save("roialign10", [node("RoiAlign", "x r i", "y")], 10,
         [value("x"), value("r"), value("i", None, I)])
    save("scatter9", [node("Scatter", "x i u", "y", axis=1)], 10,
         [value("x", [2, 3]), value("i", [2, 2], I), value("u", [2, 2])])
    save("dft17", [node("DFT", "x", "y", axis=2)], 17)


def constants():
    """All that a Constant node and an initializer can be."""
    t = TensorProto
    forms = [
        node("Constant", "", "a", value=weight("", np.array([[1, 2], [3, 4]], np.float32))),
        node("Constant", "", "b", value_float=1.5),
        node("Constant", "", "c", value_floats=[1.5, 2.5]),
        node("Constant", "", "d", value_int=-7),
        node("Constant", "", "e", value_ints=[1, -2, 3]),
        node("Constant", "", "f", value_string="s"),
        node("Constant", "", "g", value_strings=["s", "t"]),
    ]
    sink = helper.make_node("Sink", ["x", *"abcdefg"], ["y"], domain="own")
    save("constants", forms + [sink], 13, domains=["own"])

    def typed(name, dtype, field, numbers, dims):
        made = TensorProto(name=name, data_type=dtype, dims=dims)
        getattr(made, field).extend(numbers)
        return made

    weights = [
        typed("f32", t.FLOAT, "float_data", [1, -2], [2]),
        typed("f64", t.DOUBLE, "double_data", [1.5], []),
        typed("i64", t.INT64, "int64_data", [-1, 2**40], [2]),
        typed("i32", t.INT32, "int32_data", [-5], [1]),
        typed("i8", t.INT8, "int32_data", [-5, 7], [2]),
        typed("u8", t.UINT8, "int32_data", [255, 7], [2]),
        typed("u16", t.UINT16, "int32_data", [65535], [1]),
        typed("bool", t.BOOL, "int32_data", [1, 0, 1], [3]),
        typed("f16", t.FLOAT16, "int32_data", [0x3C00, 0xC000], [2]),
        typed("bf16", t.BFLOAT16, "int32_data", [0x3F80, 0xC000], [2]),
        typed("u32", t.UINT32, "uint64_data", [2**32 - 1], [1]),
        typed("u64", t.UINT64, "uint64_data", [2**63], [1]),
        typed("c64", t.COMPLEX64, "float_data", [1, 2, 3, 4], [2]),
        typed("i4", t.INT4, "int32_data", [0x21, 0x03], [3]),
        typed("str", t.STRING, "string_data", [b"one", b"two"], [2]),
        typed("none", t.FLOAT, "float_data", [], [0, 3]),
        weight("raw16", np.array([1, -2], np.float16)),
        weight("rawbool", np.array([True, False])),
    ]
    sink = helper.make_node("Sink", ["x"] + [w.name for w in weights], ["y"], domain="own")
    save("typed", [sink], 13, weights=weights, domains=["own"], ir=10)


# The wire format by hand, for what the Python package does not write.

def tag(number, kind):
    return varint(number << 3 | kind)


def varint(n):
    n &= 2**64 - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def bytes_field(number, data):
    data = data.encode() if isinstance(data, str) else data
    return tag(number, 2) + varint(len(data)) + data


def unpacked():
    """The same numbers with every repeated scalar unpacked, fields in an odd order, unknown fields."""
    weights = (b"".join(tag(7, 0) + varint(n) for n in (3, -1)) + bytes_field(8, "w") +
               tag(2, 0) + varint(7) + bytes_field(1, varint(2)))
    floats = (tag(1, 0) + varint(2) + tag(2, 0) + varint(1) + bytes_field(8, "f") +
              b"".join(tag(4, 5) + struct.pack("<f", n) for n in (0.5, -4.0)))
    axes = tag(20, 0) + varint(7) + bytes_field(1, "axes") + bytes_field(8, varint(1) + varint(2))
    sink = (bytes_field(5, axes) + bytes_field(4, "Sink") + bytes_field(7, "own") +
            bytes_field(2, "y") + b"".join(bytes_field(1, n) for n in "xwf"))
    graph = (bytes_field(12, bytes_field(1, "y")) + bytes_field(11, bytes_field(1, "x")) +
             bytes_field(1, sink) + bytes_field(5, weights) + bytes_field(5, floats) +
             bytes_field(99, "unknown") + bytes_field(2, "g"))
    model = (tag(77, 1) + bytes(8) + tag(78, 5) + bytes(4) + tag(79, 0) + varint(-1) +
             bytes_field(8, tag(2, 0) + varint(13)) + bytes_field(7, graph) + tag(1, 0) + varint(8))
    write("unpacked.onnx", model)


def structure():
    """Inputs, outputs, metadata, subgraphs, functions."""
    save("ir3", [node("Add", "x w", "y")], 8, [value("x", [2]), value("w", [2])],
         weights=[f32("w", 1, 2)], ir=3)
    save("symbols", [node("Relu", "x", "y")], 17, [value("x", ["batch", 3, None, -1])],
         producer="pytorch", version="2.6.0+cu124", properties={"layertap.preprocess": "none"})
    save("outputs", [node("Relu", "x", "y")], 17,
         outputs=[value("y"), value("x"), value("w"), value("y")], weights=[f32("w", 1)])
    save("order", [node("Relu", "a", "y", name="last"), node("Neg", "x", "a", name="first")], 17,
         outputs=[value("y")])

    scoped = node("Relu", "x", "y", name="node_relu")
    scoped.doc_string = "a ReLU"
    for key, text in (("pkg.torch.onnx.name_scopes", "['', 'layer1', 'relu']"), ("namespace", "n")):
        entry = scoped.metadata_props.add()
        entry.key, entry.value = key, text
    save("metadata", [scoped], 18, ir=10)

    types = [value("x", [1]), helper.make_tensor_sequence_value_info("s", F, [2]),
             helper.make_value_info("o", helper.make_optional_type_proto(
                 helper.make_tensor_type_proto(F, [3]))),
             helper.make_value_info("m", helper.make_map_type_proto(
                 TensorProto.STRING, helper.make_tensor_type_proto(F, [4])))]
    save("types", [helper.make_node("Sink", ["x", "s", "o", "m"], ["y"], domain="own")], 17, types,
         domains=["own"])

    then = helper.make_graph([node("Add", "a x", "t")], "then", [], [value("t")])
    other = helper.make_graph([node("Constant", "", "c", value_float=2.0), node("Mul", "a c", "e")],
                              "else", [], [value("e")])
    save("if", [node("Relu", "x", "a"),
                node("If", "cond", "y", then_branch=then, else_branch=other)], 17,
         [value("x", [2]), value("cond", [], B)])
    body = helper.make_graph([node("Identity", "c", "d"), node("Add", "v x", "w")], "body",
                             [value("i", [], I), value("c", [], B), value("v", [2])],
                             [value("d", [], B), value("w", [2])])
    save("loop", [optional("Loop", "- cond x", "y", body=body)], 17,
         [value("x", [2]), value("cond", [], B)], outputs=[value("y")])

    def reference(op, inputs, outputs, kind, **refs):
        made = helper.make_node(op, inputs, outputs)
        for name, target in refs.items():
            made.attribute.append(AttributeProto(name=name, ref_attr_name=target, type=kind))
        return made

    ints = AttributeProto.INTS
    inner = helper.make_function("own", "Inner", ["a"], ["b"], [
        reference("Transpose", ["a"], ["t"], ints, perm="order"),
        helper.make_node("Relu", ["t"], ["b"], name="act")],
        [helper.make_opsetid("", 17)], attributes=["order"])
    outer = helper.make_function("own", "Outer", ["a", "b"], ["c", "a"], [
        helper.make_node("Neg", ["a"], ["n"]),
        reference("Inner", ["n"], ["i"], ints, order="perm"),
        helper.make_node("Add", ["i", "b"], ["c"])],
        [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)])
    outer.node[1].domain = "own"
    outer.attribute_proto.extend([helper.make_attribute("perm", [1, 0])])
    calls = [helper.make_node("Outer", ["x", "w"], ["p", "q"], domain="own", name="first"),
             helper.make_node("Outer", ["p", "w"], ["r"], domain="own", name="first", perm=[0, 1]),
             helper.make_node("Add", ["r", "q"], ["y"], name="n")]
    save("functions", calls, 17, [value("x", [2, 2])], weights=[f32("w", 1, 2)],
         functions=[inner, outer], domains=["own"])

    old = helper.make_function("own", "Old", ["a"], ["b"], [
        helper.make_node("ReduceMean", ["a"], ["b"], axes=[1])], [helper.make_opsetid("", 13)])
    save("function_opset", [helper.make_node("Old", ["x"], ["m"], domain="own"),
                            node("ReduceMean", "m axes", "y")], 18, weights=[i64("axes", 0)],
         functions=[old], domains=["own"])

    branch = helper.make_graph([node("Relu", "inside", "o")], "branch", [], [value("o")])
    holder = helper.make_function("own", "Holder", ["a", "cond"], ["b"], [
        helper.make_node("Neg", ["a"], ["inside"]),
        helper.make_node("If", ["cond"], ["b"], then_branch=branch, else_branch=branch)],
        [helper.make_opsetid("", 17)])
    save("function_if", [helper.make_node("Holder", ["x", "c"], ["y"], domain="own", name="call")],
         17, [value("x", [2]), value("c", [], B)], functions=[holder], domains=["own"])

    overloads = []
    for overload, op in (("", "Relu"), ("neg", "Neg")):
        made = helper.make_function("own", "Act", ["a"], ["b"], [helper.make_node(op, ["a"], ["b"])],
                                    [helper.make_opsetid("", 17)])
        made.overload = overload
        overloads.append(made)
    calls = [helper.make_node("Act", ["x"], ["a"], domain="own"),
             helper.make_node("Act", ["a"], ["y"], domain="own", overload="neg")]
    save("overloads", calls, 17, functions=overloads, domains=["own"], ir=10)


def external():
    """Weights beside the model: there, not there, too short, and where nobody may read."""
    with open(os.path.join(HERE, "weights.bin"), "wb") as file:
        file.write(struct.pack("<4x6f", *range(6)))

    def outside(name, dims=(2,), **entries):
        made = TensorProto(name=name, data_type=F, dims=dims, data_location=1)
        for key, text in entries.items():
            entry = made.external_data.add()
            entry.key, entry.value = key, str(text)
        return made

    def model(file, *weights):
        save(file, [node("Sum", "x " + " ".join(w.name for w in weights), "y")], 17,
             [value("x", [2])], weights=weights)

    model("external", outside("a", location="weights.bin", offset=4, length=8),
          outside("b", location="./weights.bin", offset=20),
          outside("c", location="weights.bin", offset=5, length=8),
          outside("d", location="nowhere.bin"), outside("e", location="weights.bin", offset=24),
          outside("f", location="weights.bin", offset=4, length=800),
          outside("g", location="data/../weights.bin", offset=12, length=8, checksum="00"))
    for file, location in (("up", "../make_models.py"), ("up2", "a/../../x"), ("root", "/etc/passwd"),
                           ("empty", ""), ("memory", "*/_ORT_MEM_ADDR_/*0x10")):
        model("external_" + file, outside("a", location=location))
    model("external_short", outside("a", location="weights.bin", length=4))
    model("external_number", outside("a", location="weights.bin", offset="-1"))
    model("external_huge", outside("a", location="weights.bin", offset=2**64))
    model("external_no_location", outside("a", offset=1))


def wrong():
    """Models that contradict themselves."""
    def changed(name, change, **more):
        model = save(name, [node("Add", "x w", "a"), node("Relu", "a", "y")], 17,
                     [value("x", [2])], weights=[f32("w", 1, 2)], keep=True, **more)
        change(model)
        write("wrong_" + name + ".onnx", model.SerializeToString())

    g = "graph"
    changed("short", lambda m: setattr(m.graph.initializer[0], "raw_data", b"1234"))
    changed("long", lambda m: setattr(m.graph.initializer[0], "raw_data", bytes(12)))
    changed("negative", lambda m: m.graph.initializer[0].dims.__setitem__(0, -2))
    changed("overflow", lambda m: m.graph.initializer[0].dims.extend([2**62, 2**62]))
    changed("rank", lambda m: m.graph.initializer[0].dims.extend([1] * 12))
    changed("dtype", lambda m: setattr(m.graph.initializer[0], "data_type", 99))
    changed("no_dtype", lambda m: setattr(m.graph.initializer[0], "data_type", 0))
    changed("twice", lambda m: m.graph.initializer[0].float_data.extend([1, 2]))
    changed("no_data", lambda m: m.graph.initializer[0].ClearField("raw_data"))
    changed("field", lambda m: (m.graph.initializer[0].ClearField("raw_data"),
                                m.graph.initializer[0].int64_data.extend([1, 2])))
    changed("segment", lambda m: setattr(m.graph.initializer[0].segment, "begin", 0))
    changed("same_weight", lambda m: m.graph.initializer.append(m.graph.initializer[0]))
    changed("no_name", lambda m: m.graph.initializer[0].ClearField("name"))
    changed("made_twice", lambda m: m.graph.node.append(m.graph.node[0]))
    changed("makes_input", lambda m: m.graph.node[0].output.__setitem__(0, "x"))
    changed("makes_weight", lambda m: m.graph.node[0].output.__setitem__(0, "w"))
    changed("unknown_value", lambda m: m.graph.node[0].input.__setitem__(0, "z"))
    changed("unknown_output", lambda m: setattr(m.graph.output[0], "name", "z"))
    changed("cycle", lambda m: m.graph.node[0].input.__setitem__(0, "y"))
    changed("same_input", lambda m: m.graph.input.append(m.graph.input[0]))
    changed("no_op", lambda m: m.graph.node[0].ClearField("op_type"))
    changed("no_graph", lambda m: m.ClearField(g))
    changed("no_opset", lambda m: m.ClearField("opset_import"))
    changed("opset5", lambda m: setattr(m.opset_import[0], "version", 5))
    changed("reference", lambda m: m.graph.node[0].attribute.append(
        AttributeProto(name="a", ref_attr_name="b", type=AttributeProto.INT)))
    changed("attribute", lambda m: m.graph.node[0].attribute.append(
        AttributeProto(name="a", i=1, type=AttributeProto.FLOATS)))
    changed("no_attribute", lambda m: m.graph.node[0].attribute.append(AttributeProto(name="a")))
    changed("input_rank", lambda m: m.graph.input[0].type.tensor_type.shape.dim.extend(
        [m.graph.input[0].type.tensor_type.shape.dim[0]] * 12))
    changed("utf8", lambda m: setattr(m.graph.node[0], "name", "QQQQ"))
    path = os.path.join(HERE, "wrong_utf8.onnx")
    with open(path, "rb") as file:
        data = file.read()
    write("wrong_utf8.onnx", data.replace(b"QQQQ", b"Q\xffQQ"))
    write("wrong_nul.onnx", data.replace(b"QQQQ", b"Q\0QQ"))
    write("wrong_two_graphs.onnx", data + data)

    sparse = SparseTensorProto(dims=[4])
    sparse.values.CopyFrom(f32("w", 1, 2))
    sparse.indices.CopyFrom(i64("", 0, 3))
    changed("sparse", lambda m: (m.graph.ClearField("initializer"),
                                 m.graph.sparse_initializer.append(sparse)))

    def calls(*names):
        made = [helper.make_node(n, ["a"], ["t%d" % i], domain="own") for i, n in enumerate(names)]
        made[-1].output[0] = "b"
        return made

    def function(name, *names):
        return helper.make_function("own", name, ["a"], ["b"], calls(*names),
                                    [helper.make_opsetid("own", 1)])

    top = [helper.make_node("F0", ["x"], ["y"], domain="own", name="top")]
    save("wrong_recursion", top, 17, functions=[function("F0", "F1"), function("F1", "F0")],
         domains=["own"])
    bomb = [function("F%d" % i, *["F%d" % (i + 1)] * 8) for i in range(10)]
    save("wrong_bomb", top, 17, functions=bomb, domains=["own"])
    # Few nodes, but each call reads the whole body again.
    wide = [function("F%d" % i, *["F%d" % (i + 1)] * 16) for i in range(3)]
    wide.append(helper.make_function("own", "F3", ["a"], ["b"], [
        helper.make_node("G", ["a"], ["b"] + ["%04d" % i for i in range(4000)], domain="own")],
        [helper.make_opsetid("own", 1)]))
    save("wrong_wide", top, 17, functions=wide, domains=["own"])
    chain = [function("F%d" % i, "F%d" % (i + 1)) for i in range(60)]
    save("wrong_deep_calls", top, 17, functions=chain, domains=["own"])
    save("wrong_same_function", top, 17, functions=[function("F0", "G"), function("F0", "G")],
         domains=["own"])
    many = [helper.make_node("F0", ["x", "x"], ["y"], domain="own", name="top")]
    save("wrong_many_inputs", many, 17, functions=[function("F0", "G")], domains=["own"])
    many = [helper.make_node("F0", ["x"], ["y", "z"], domain="own", name="top")]
    save("wrong_many_outputs", many, 17, functions=[function("F0", "G")], domains=["own"])

    graph = b""
    for _ in range(40):
        attribute = bytes_field(1, "then_branch") + tag(20, 0) + varint(5) + bytes_field(6, graph)
        graph = bytes_field(1, bytes_field(4, "If") + bytes_field(5, attribute))
    write("wrong_deep_graphs.onnx", tag(1, 0) + varint(8) + bytes_field(7, graph) +
          bytes_field(8, tag(2, 0) + varint(17)))


def unknown(message, where):
    """A field that no reader knows; it must survive."""
    message.MergeFromString(bytes_field(99, "unknown-in-" + where))
    return message


def tell(message, where):
    """Everything that may be said of a thing beside what it is."""
    message.doc_string = "doc-of-" + where
    message.metadata_props.add(key="key", value="metadata-of-" + where)
    return unknown(message, where)


def saved_body(op, inputs, out, weights=()):
    """A branch whose one node reads what is around it."""
    return helper.make_graph([node(op, inputs, out, "in_" + out)], "body_" + out, [], [value(out)],
                             list(weights))


def saved():
    """What a pruned model must keep, each with a text to be found by; see test_onnx_save.c."""
    three = ["batch", 4]
    sparse = SparseTensorProto(dims=[4, 4])
    sparse.values.CopyFrom(f32("w_sparse", 1, 2, 3, 4))
    sparse.indices.CopyFrom(i64("", 0, 5, 10, 15))
    iteration = [value("i", [], I), value("go", [], B), value("state", three)]
    body = helper.make_graph(
        [node("Identity", "go", "go_on", "in_go"), node("Mul", "state w_loop", "more", "in_loop")],
        "loop", iteration, [value("go_on", [], B), value("more", three)])
    nodes = [
        tell(node("Mul", "x w_mul", "a", "mul"), "mul"), node("MatMul", "a w_sparse", "b", "matmul"),
        node("Relu", "b", "c", "relu"),
        node("If", "yes", "d", "if", then_branch=saved_body("Add", "a w_then", "t"),
             else_branch=saved_body("Sub", "c w_inner", "e", [f32("w_inner", 1, 1, 1, 1)])),
        node("Loop", "twice yes d", "l", "loop", body=body), node("Sin", "u", "lost", "sin")]
    weights = [tell(f32("w_mul", 1, -2, 3, 4), "weight"), f32("w_then", 5, 6, 7, 8),
               f32("w_loop", 2, 2, 2, 2), weight("scale", np.float32(0.5)), i64("twice", 2),
               weight("yes", np.array(True)), weight("scale_lost", np.float32(2))]
    weights[4] = weight("twice", np.int64(2))
    infos = [tell(value("a", three), "value"), value("lost_too", three)]
    model = save("saved", nodes, 17, [value("x", three), value("u", three)],
                 [tell(value("l", three), "output"), value("lost", three)], weights, infos=infos,
                 domains=["other"], ir=10, keep=True, properties=None)
    graph = unknown(model.graph, "graph")
    graph.doc_string = "doc-of-graph"
    graph.metadata_props.add(key="key", value="metadata-of-graph")
    graph.sparse_initializer.append(sparse)
    for name, scale in (("c", "scale"), ("lost", "scale_lost")):
        note = graph.quantization_annotation.add(tensor_name=name)
        note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value=scale)
        unknown(note, "annotation-of-" + name)
    tell(model, "model")
    model.domain, model.model_version = "domain-of-model", 7
    model.training_info.add().initialization.name = "training"
    write("saved.onnx", model.SerializeToString())


def referring(made, **references):
    """Attributes that are the call's: name="call's name" (floats)."""
    for name, other in references.items():
        made.attribute.append(AttributeProto(name=name, ref_attr_name=other, type=AttributeProto.FLOAT))
    return made


def saved_calls():
    """Functions that call one another, with attributes that are the call's, an If that reads the body's
    values, an output that is an input, and a domain that only a function imports."""
    own, other = helper.make_opsetid("own", 1), helper.make_opsetid("other", 3)
    onnx17 = helper.make_opsetid("", 17)
    inner = helper.make_function(
        "own", "Inner", ["x", "w"], ["y"],
        [tell(node("Mul", "x w", "t", "mul"), "body"),
         referring(node("LeakyRelu", "t", "y", "leaky"), alpha="slope")], [onnx17], ["slope"])
    block = helper.make_function(
        "own", "Block", ["x", "w", "cond"], ["y", "x"],
        [referring(node("Inner", "x w", "a", "first", domain="own"), slope="s"),
         node("If", "cond", "c", "if", then_branch=saved_body("Add", "a k", "r", [f32("k", 2.5)]),
              else_branch=saved_body("Sub", "a x", "r2")),
         node("Inner", "c w", "u", "second", domain="own", slope=0.5),
         referring(node("Elu", "u", "y", "elu"), alpha="unset")], [onnx17, own, other], ["s", "unset"])
    tell(block.value_info.add(name="a"), "inner-value")
    block.value_info[0].type.CopyFrom(value("a", ["batch", 4]).type)
    alone = helper.make_function("own", "Alone", ["x"], ["y"], [node("Abs", "x", "y", "abs")], [onnx17])
    nodes = [node("Relu", "x", "x0", "relu"),
             node("Block", "x0 w0 yes", "y1 p1", "one", domain="own", s=0.1),
             node("Block", "y1 w1 yes", "y2 p2", "two", domain="own", s=0.2),
             node("Add", "y2 p1", "z", "sum"), node("Alone", "p2", "q", "three", domain="own")]
    save("saved_calls", nodes, 17, [value("x", ["batch", 4])],
         [value("z", ["batch", 4]), value("q", ["batch", 4])],
         [f32("w0", 1, 2, -3, 4), f32("w1", -1, 1, 2, 1), weight("yes", np.array(True))],
         [inner, block, alone], ir=10, domains=["own"])
    older = helper.make_function("own", "Older", ["x"], ["y"],
                                 [node("Relu", "x", "t", "r"), node("Abs", "t", "y", "a")],
                                 [helper.make_opsetid("", 13)])
    save("saved_older", [node("Older", "x", "y", "call", domain="own")], 17, [value("x", ["batch", 4])],
         [value("y", ["batch", 4])], functions=[older], domains=["own"])


def own():
    """layertap's own operators."""
    sizes = [("up", [5, 3]), ("down", [2, 7])]
    nodes = [node("AdaptiveAveragePool", "x", name, name, domain="layertap", output_size=size)
             for name, size in sizes]
    save("adaptive_pool", nodes, 17, [value("x", ["n", 2, "h", "w"])],
         [value(name, ["n", 2] + size) for name, size in sizes], domains=["layertap"])


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    for name in os.listdir(HERE):
        os.remove(os.path.join(HERE, name))
    opsets()
    constants()
    unpacked()
    structure()
    external()
    saved()
    saved_calls()
    own()
    wrong()
