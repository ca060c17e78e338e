"""What every call of every layer of a Keras model hands out, by Keras itself: Keras 3 or tf_keras.

A model of all tensors is made with Model(inputs, tensors) and run once. Models that are layers run
again on what they were called with, so that their inner layers' calls are seen, too. A layer's name is
layertap's: "inner.conv", "inner.conv#1" for its second call, ":out[1]" behind it for its second tensor.
"""
import collections

import numpy as np


def graph_of(model):
    """Layers and operations in the order of the model, and their calls in it."""
    model = getattr(model, "_functional", None) or model
    nodes = {id(n) for depth in model._nodes_by_depth.values() for n in depth}
    layers = model.operations if hasattr(model, "operations") else model.layers
    return [(layer, [n for n in layer._inbound_nodes if id(n) in nodes]) for layer in layers]


def flat(value):
    if isinstance(value, dict):
        return [t for key in value for t in flat(value[key])]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in flat(v)]
    return [value]


def ends_of(node):
    if hasattr(node, "keras_inputs"):
        return list(node.keras_inputs), flat(node.outputs)
    return list(node.input_tensors), list(node.output_tensors)


def collect(keras, model, inputs, prefix, found):
    graph = [(op, nodes) for op, nodes in graph_of(model) if type(op).__name__ != "InputLayer"]
    wanted, places = [], {}
    for op, nodes in graph:
        for node in nodes:
            for tensor in sum(ends_of(node), []):
                if id(tensor) not in places:
                    places[id(tensor)] = len(wanted)
                    wanted.append(tensor)
    run = keras.Model(model.inputs, wanted)
    values = flat(run(inputs if len(inputs) > 1 else inputs[0], training=False))
    for op, nodes in graph:
        for node in nodes:
            given, made = ([values[places[id(t)]] for t in end] for end in ends_of(node))
            found[prefix + op.name].append((type(op).__name__, [np.asarray(v) for v in made]))
            if isinstance(op, keras.Model):
                collect(keras, op, given, prefix + op.name + ".", found)


def truth(keras, model, inputs):
    """name -> (class, array), in the order of the model."""
    found, named = collections.defaultdict(list), {}
    collect(keras, model, [keras.ops.convert_to_tensor(x) if hasattr(keras, "ops") else x for x in inputs],
            "", found)
    for path, calls in found.items():
        for i, (kind, arrays) in enumerate(calls):
            name = path if len(calls) == 1 else "%s#%d" % (path, i)
            for k, array in enumerate(arrays):
                named[name if len(arrays) == 1 else "%s:out[%d]" % (name, k)] = (kind, array)
    return named


def calm(model):
    """What blocks add to their inputs made small, as training does: else the sums grow from block to block."""
    for layer in model._flatten_layers():
        if layer.name.endswith("project_bn"):
            layer.gamma.assign(np.asarray(layer.gamma) * np.float32(0.2))


def shake(model, seed):
    """Statistics and offsets that matter."""
    random = np.random.default_rng(seed)

    def new(path, shape):
        name = path.split("/")[-1].split(":")[0]
        if name in ("moving_mean", "mean"):
            return random.normal(0, 0.2, shape)
        if name in ("moving_variance", "variance"):
            return random.uniform(0.5, 2, shape)
        if name in ("gamma", "scale"):
            return random.uniform(0.5, 1.5, shape)
        if name in ("beta", "bias", "alpha"):
            return random.normal(0, 0.1, shape)
        return None

    for weight in model.weights:
        value = new(getattr(weight, "path", None) or weight.name, tuple(weight.shape))
        if value is not None and "float" in str(weight.dtype):
            weight.assign(value.astype(np.float32))
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):  # Normalization computes with copies of its weights
            layer.finalize_state()
