"""Makes the small Keras models that tests read, and attacks/*.keras: files that must be refused.

    PYTHON tests/formats/make_keras.py

Needs keras, tensorflow and tf_keras. Run by developers; what it makes is in the tree.
"""
import io
import json
import os
import zipfile

os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tf_keras
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data")
ATTACKS = os.path.join(HERE, "attacks")


def disturb(model, seed):
    """Weights and statistics that are not the initial ones."""
    random = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, (keras.Model, tf_keras.Model)) or not layer.weights:
            continue
        layer.set_weights([random.uniform(0.5, 2, w.shape) if "var" in w.name else
                           random.normal(0.1, 0.4, w.shape) for w in layer.weights])


def inner(k, name):
    """A model to be called in another one, twice."""
    x = k.Input((8, 8, 4))
    y = k.layers.Conv2D(4, 3, padding="same", activation="relu", name="c")(x)
    return k.Model(x, k.layers.BatchNormalization(name="b")(y), name=name)


def network(k):
    """Branches, a shared layer, a model in the model, all in channels last."""
    layers = k.layers
    image = k.Input((17, 16, 3), name="image")
    x = layers.Rescaling(1 / 2.0, offset=-0.5, name="rescale")(image)
    x = layers.ZeroPadding2D(((1, 0), (0, 1)), name="pad")(x)
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.LeakyReLU(name="leaky")(x)
    x = layers.Cropping2D(((0, 1), (0, 1)), name="crop")(x) if x.shape[1] == 9 else x
    block = inner(k, "inner")
    x = layers.Add(name="sum")([block(x), x])
    x = layers.Concatenate(name="joined")([block(x), layers.Dropout(0.5, name="drop")(x)])
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="swish", name="depthwise")(x)
    shared = layers.Conv2D(16, 1, activation="hard_sigmoid", name="shared")
    x = layers.Average(name="mean")([shared(x), shared(shared(x))])
    y = layers.GlobalAveragePooling2D(name="pool")(x)
    z = layers.Flatten(name="flat")(layers.MaxPooling2D(3, padding="same", name="max")(x))
    z = layers.Dense(5, activation="elu", name="hidden")(z)
    y = layers.Dense(3, activation="softmax", name="scores")(layers.Concatenate(name="both")([y, z]))
    steps = layers.Reshape((8, -1), name="steps")(x)
    steps = layers.Bidirectional(layers.LSTM(3), name="lstm")(steps)
    return k.Model(image, [y, steps], name="small")


def recurrent(k):
    """Words of which some are masked, in each kind of layer that goes through them."""
    layers = k.layers
    words = k.Input((6,), dtype="int32", name="words")
    x = layers.Embedding(9, 4, mask_zero=True, name="embedding")(words)
    y = [layers.LSTM(3, return_sequences=True, go_backwards=True, name="lstm")(x),
         layers.GRU(3, name="gru")(x), layers.SimpleRNN(2, return_sequences=True, name="simple")(x),
         layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both")(x),
         layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True, name="stack")(x),
         layers.RNN(layers.SimpleRNNCell(3), name="cell")(x),
         layers.TimeDistributed(layers.Dense(2), name="steps")(x)]
    short = layers.Embedding(9, 4, mask_zero=True, name="short")(words[:, :4])
    y += [layers.MultiHeadAttention(2, 3, name="heads")(x, x, use_causal_mask=True),
          layers.Attention(name="dot")([x, short]), layers.Maximum(name="most")([x, y[3]]),
          layers.Softmax(name="shares")(y[6], mask=k.ops.greater(y[6], 0.0)) if k is keras else y[6]]
    film = layers.Reshape((6, 2, 2, 1), name="film")(layers.Dense(4, name="dense")(y[3]))
    film = layers.ConvLSTM2D(2, 2, padding="same", return_sequences=True, name="film_lstm")(film)
    return k.Model(words, y + [layers.ConvLSTM2D(2, 2, name="last")(film)], name="recurrent")


def pictures(k):
    """Sizes, crops and classes of numbers."""
    layers = k.layers
    image = k.Input((9, 10, 3), name="image")
    y = [layers.Resizing(6, 13, interpolation="bicubic", name="cubic")(image),
         layers.Resizing(4, 7, antialias=True, name="smooth")(image),
         layers.Resizing(4, 8, crop_to_aspect_ratio=True, name="cropped")(image),
         layers.Resizing(8, 4, pad_to_aspect_ratio=True, fill_value=0.5, name="padded")(image),
         layers.UpSampling2D((2, 1), interpolation="bicubic", name="larger")(image),
         layers.CenterCrop(4, 5, name="middle")(image), layers.CenterCrop(12, 5, name="enlarged")(image)]
    numbers = layers.Reshape((3,), name="numbers")(layers.CenterCrop(1, 1, name="one")(image))
    y += [layers.Discretization(bin_boundaries=[-1.0, 0.0, 0.5], output_mode="count", name="bins")(numbers)]
    return k.Model(image, y, name="pictures")


def operations(k):
    """keras.ops as nodes: each kind that there is."""
    ops, x = k.ops, k.Input((4, 6), name="x")
    p, w = ops.abs(x) + 0.5, np.random.default_rng(2).normal(size=(6, 5)).astype("float32")
    ids = ops.cast(ops.minimum(ops.abs(x) * 2, 4.0), "int32")
    y = [ops.cumsum(x, axis=1), ops.cumprod(x, axis=-1), ops.sort(x, axis=1), ops.argsort(x, axis=-1),
         ops.argmax(x, axis=1), ops.argmin(x, axis=-1, keepdims=True), *ops.top_k(x, 2), *ops.split(x, [1, 4], axis=2),
         *ops.unstack(x, axis=1), ops.pad(x, [[0, 0], [1, 0], [2, 1]], constant_values=2.0), ops.tile(x, (1, 2, 1)),
         ops.take(x, np.array([0, 2]), axis=1), ops.take(w.T, ids, axis=0), ops.one_hot(ids, 5, axis=1),
         ops.swapaxes(x, 1, 2), ops.moveaxis(x, -1, 1), ops.tril(x, k=1), ops.std(x, axis=1), ops.var(x, axis=(1, 2), keepdims=True),
         *ops.moments(x, axes=[1]), ops.norm(x, ord=1, axis=-1), ops.normalize(x, axis=1), ops.logaddexp(x, p), ops.mod(x, 0.7),
         ops.arctan2(x, p), ops.log1p(p), ops.expm1(x), ops.matmul(x, w), ops.tensordot(x, w, axes=1), ops.outer(x, w[0]),
         ops.diff(x, axis=1), ops.where(x > 0, x, 0.5), ops.select([x > 1, x > 0], [x, p], 0.0), ops.isfinite(ops.log(x)),
         ops.nan_to_num(ops.log(x), nan=3.0), ops.nanmean(ops.log(x), axis=-1), ops.trunc(x * 3), ops.full_like(x, 2.5),
         ops.squeeze(ops.expand_dims(x, (1, 3)), (1, 3)), ops.hstack([x, p]), ops.append(x, p, axis=1),
         ops.take_along_axis(x, ops.argsort(p, axis=1), axis=1), ids * 2, ops.bitwise_and(ids, ids * 2), ops.max_pool(x, 2),
         ops.average(x, axis=-1, weights=w[:, 0]), ops.slice(x, [0, 1, 2], [2, 2, 3]), ops.roll(x, 1, axis=1)]
    return k.Model(x, y, name="operations")


def features(k, model, name, x):
    """What each call of each layer hands out."""
    keys = model._nodes if hasattr(model, "_nodes") else model._network_nodes
    names, tensors = [], []
    for layer in model.layers:
        start = str(id(layer)) if k is keras else layer.name
        nodes = [n for i, n in enumerate(layer._inbound_nodes) if "%s_ib-%d" % (start, i) in keys]
        for i, node in enumerate(nodes):
            names.append(layer.name + ("#%d" % i if len(nodes) > 1 else ""))
            tensors.append(node.output_tensors[0] if k is keras else node.outputs)
    values = k.Model(model.inputs, tensors)(x, training=False)
    arrays = {n: np.asarray(v) for n, v in zip(names, values) if n not in ("image", "words")}
    np.savez_compressed(os.path.join(DATA, name), **arrays, **{model.inputs[0].name.split(":")[0]: x})


def models():
    for k, names in ((keras, ("keras3.keras", "keras3.h5")), (tf_keras, ("keras2.keras", "keras2.h5"))):
        model = network(k)
        disturb(model, 7)
        for name in names:
            model.save(os.path.join(DATA, name))
        features(k, model, names[0].replace(".keras", ".npz"),
                 np.random.default_rng(9).normal(size=(2, 17, 16, 3)).astype("float32"))
    model = recurrent(keras)
    disturb(model, 8)
    model.save(os.path.join(DATA, "keras_recurrent.keras"))
    pictured = pictures(keras)
    pictured.save(os.path.join(DATA, "keras_pictures.keras"))
    features(keras, pictured, "keras_pictures.npz",
             np.random.default_rng(4).normal(size=(2, 9, 10, 3)).astype("float32"))
    worked = operations(keras)
    worked.save(os.path.join(DATA, "keras_operations.keras"))
    outputs = worked(np.random.default_rng(5).normal(size=(2, 4, 6)).astype("float32"))
    np.savez_compressed(os.path.join(DATA, "keras_operations.npz"), **{
        "output:%d" % i: np.asarray(v) for i, v in enumerate(outputs)},
        x=np.random.default_rng(5).normal(size=(2, 4, 6)).astype("float32"))
    words = np.array([[1, 2, 3, 4, 5, 6], [3, 0, 8, 0, 1, 0], [0, 0, 5, 5, 2, 7]], np.int32)
    features(keras, model, "keras_recurrent.npz", words)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, name="first"),
                              keras.layers.Lambda(lambda x: x * 2, name="mine"),
                              keras.layers.Dense(2, name="last")], name="with_lambda")
    model.save(os.path.join(DATA, "lambda.keras"))
    x = keras.Input((4, 4, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    keras.Model(x, mean, name="vgg16").save(os.path.join(DATA, "keras_vgg16.keras"))


def ends():
    """Layers that hand out what nobody uses, and code with two outputs that stands between weights."""
    layers = keras.layers
    x = keras.Input((5, 4), name="given")
    attended = layers.GroupQueryAttention(3, 2, 1, name="attention")(x, x)
    twice = layers.Lambda(lambda t: [t, 2 * t], name="code")(attended)
    inside = keras.Model(x, [layers.Dense(3, name="behind")(attended), twice[1]], name="inner")
    steps = keras.Input((5, 4), name="steps")
    y = inside(steps)
    scaled = CustomScaleLayer(0.25, name="scaled")([y[0], y[0]])
    last = layers.LSTM(3, return_sequences=True, return_state=True, name="lstm")(scaled)[1]
    model = keras.Model(steps, [last, layers.Dense(2, name="after_code")(y[1])], name="ends")
    disturb(model, 11)
    model.save(os.path.join(DATA, "keras_ends.h5"))
    given = np.random.default_rng(13).normal(size=(2, 5, 4)).astype("float32")
    attended = inside.get_layer("attention")(given, given)
    behind = inside.get_layer("behind")(attended)
    names = ["inner.attention", "inner.behind", "scaled", "lstm:out[0]", "lstm:out[1]", "lstm:out[2]"]
    values = [attended, behind, 1.25 * behind, *model.get_layer("lstm")(1.25 * behind)]
    np.savez(os.path.join(DATA, "keras_ends.npz"), steps=given, **{n: np.asarray(v) for n, v in zip(names, values)})


def attack(name, change=None, config=None, files=None):
    """The tiny archive with one thing changed."""
    layers = [keras.layers.Input((4,), name="x"), keras.layers.Dense(3, name="d")]
    x = layers[0]
    model = keras.Model(x, layers[1](x), name="tiny")
    data = io.BytesIO()
    path = os.path.join(ATTACKS, "tiny.keras")
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        entries = {n: archive.read(n) for n in archive.namelist()}
    os.remove(path)
    document = json.loads(entries["config.json"])
    if change:
        change(document)
    entries["config.json"] = config if config is not None else json.dumps(document).encode()
    entries.update(files or {})
    with zipfile.ZipFile(data, "w") as archive:
        for key, value in entries.items():
            if value is not None:
                archive.writestr(zipfile.ZipInfo(key), value)
    with open(os.path.join(ATTACKS, name + ".keras"), "wb") as file:
        file.write(data.getvalue())


def history(layer, call, tensor):
    return {"args": [{"class_name": "__keras_tensor__", "config":
                      {"shape": [None, 4], "dtype": "float32", "keras_history": [layer, call, tensor]}}],
            "kwargs": {}}


def layer(document, number):
    return document["config"]["layers"][number]


def attacks():
    def nest(document):
        for _ in range(12):
            inside = json.loads(json.dumps(document))
            document["config"]["layers"] = [dict(inside, inbound_nodes=[], name="n")]

    def twice(document):
        document["config"]["layers"].append(dict(layer(document, 1)))

    attack("cycle", lambda d: layer(d, 1).update(inbound_nodes=[history("d", 0, 0)]))
    attack("far_call", lambda d: layer(d, 1).update(inbound_nodes=[history("x", 9, 0)]))
    attack("far_tensor", lambda d: layer(d, 1).update(inbound_nodes=[history("x", 0, 9)]))
    attack("no_layer", lambda d: layer(d, 1).update(inbound_nodes=[history("y", 0, 0)]))
    attack("no_tensor", lambda d: layer(d, 1).update(inbound_nodes=[{"args": [], "kwargs": {}}]))
    attack("same_name", twice)
    attack("no_config", files={"config.json": None})
    attack("no_weights", files={"model.weights.h5": None})
    attack("weights_are_text", files={"model.weights.h5": b"weights"})
    attack("twice_a_key", config=b'{"class_name": "Sequential", "class_name": "Functional"}')
    attack("deep_json", config=b"[" * 5000)
    attack("deep_models", nest)
    attack("no_object", config=b"[1]")
    attack("subclassed", lambda d: d.update(class_name="Mine", config={"name": "mine"}))
    attack("other_units", lambda d: layer(d, 0)["config"].update(batch_shape=[None, 5]))
    attack("huge_input", lambda d: layer(d, 0)["config"].update(batch_shape=[None, 1 << 62]))
    attack("many_axes", lambda d: layer(d, 0)["config"].update(batch_shape=[None] * 40))
    attack("tab_in_name", lambda d: layer(d, 1)["config"].update(name="d\te"))
    attack("axis_far", lambda d: layer(d, 1).update(class_name="LayerNormalization", config={"name": "d", "axis": 7}))
    attack("shape_of_zero", lambda d: layer(d, 1).update(
        class_name="Reshape", config={"name": "d", "target_shape": [0, 4]}))
    attack("missing_weights", lambda d: layer(d, 1).update(class_name="PReLU", config={"name": "d"}))
    stack = {"class_name": "StackedRNNCells", "config": {"name": "s", "cells": []}}
    attack("no_cell", lambda d: layer(d, 1).update(class_name="RNN", config={"name": "d"}))
    attack("no_cells", lambda d: layer(d, 1).update(class_name="RNN", config={"name": "d", "cell": stack}))
    attack("film_of_vectors", lambda d: layer(d, 1).update(class_name="ConvLSTM2D", config={"name": "d"}))
    def operation(name, class_name, **config):
        attack(name, lambda d: layer(d, 1).update(
            module="keras.src.ops.numpy", class_name=class_name, config=dict(config, name="d")))

    operation("pads_less_than_nothing", "Pad", pad_width=[[0, 0], [-5, 1]])
    operation("cumulates_along_no_axis", "Cumsum", axis=7)
    operation("slice_before_the_start", "Slice", start_indices=[0, -3], shape=[1, 2])
    operation("an_axis_twice", "Std", axis=[-1, -1])
    operation("moves_to_no_axis", "Moveaxis", source=1, destination=-9)
    attack("no_bidirectional", lambda d: layer(d, 1).update(class_name="Bidirectional", config={"name": "d"}))


if __name__ == "__main__":
    models()
    attacks()
