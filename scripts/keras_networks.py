"""Random Functional models of Keras: every class of layers that a network is made of, shared layers,
nested models, operations on tensors, several inputs and outputs. Used by parity_keras.py.
"""
import random

import numpy as np

ACTIVATIONS = ("relu", "elu", "selu", "softplus", "softsign", "tanh", "sigmoid", "hard_sigmoid", "swish",
               "gelu", "exponential", "linear", "softmax", "leaky_relu", "relu6", "mish", "silu",
               "log_softmax", "hard_silu", "celu", "glu", "log_sigmoid", "tanh_shrink", "hard_tanh",
               "soft_shrink", "hard_shrink", "squareplus", "sparse_plus")
LARGEST = 4000


class Maker:
    def __init__(self, keras, seed, uses, depth=0):
        self.keras, self.layers, self.uses, self.depth = keras, keras.layers, uses, depth
        self.random = random.Random(seed)
        self.seed, self.pool, self.inputs, self.made = seed, [], [], []
        self.used = set()

    # --- Choices.

    def one(self, *things):
        return self.random.choice(things)

    def chance(self, p):
        return self.random.random() < p

    def activation(self):
        return self.one(None, None, "relu", "relu", *ACTIVATIONS)

    def side(self, x, axis=1, most=3):
        return self.random.randint(1, max(1, min(most, x.shape[axis])))

    def sides(self, x, most=3):
        n = len(x.shape) - 2
        sides = [self.side(x, 1 + i, most) for i in range(n)]
        return self.one(sides[0] if min(x.shape[1:-1]) >= sides[0] else min(sides), tuple(sides))

    def steps(self, x):
        n = len(x.shape) - 2
        return self.one(1, 2, tuple(self.one(1, 2) for _ in range(n)) if n > 1 else 2)

    def padding(self):
        return self.one("same", "valid")

    def axis(self, x):
        axis = self.random.randint(1, len(x.shape) - 1)
        return axis - len(x.shape) if self.chance(0.5) else axis

    def channels(self):
        return self.one(1, 2, 3, 4, 6, 8)

    def divisor(self, n):
        return self.one(*[d for d in range(1, n + 1) if n % d == 0])

    # --- Tensors.

    def new_input(self, rank):
        shape = {2: (self.one(4, 6, 8),), 3: (self.one(5, 6, 9), self.one(3, 4, 6)),
                 4: (self.one(7, 8, 11), self.one(7, 8, 9), self.one(1, 3, 4)),
                 5: (self.one(4, 5), self.one(4, 5, 6), 5, self.one(1, 2, 3))}[rank]
        self.inputs.append(self.keras.Input(shape, name="in%d_%d" % (self.depth, len(self.inputs))))
        self.pool.append(self.inputs[-1])
        return self.inputs[-1]

    def pick(self, *ranks):
        rank = self.one(*ranks)
        fit = [t for t in self.pool if len(t.shape) == rank]
        unused = [t for t in fit if id(t) not in self.used]
        if not fit or (len(self.inputs) < 3 and self.chance(0.02)):
            if len(self.inputs) < 3 and not (self.depth and self.inputs):
                return self.new_input(rank)
            if not fit:
                return None
        return self.one(*(unused if unused and self.chance(0.7) else fit))

    def like(self, x):
        """Another tensor of the same shape, or one made so."""
        fit = [t for t in self.pool if tuple(t.shape) == tuple(x.shape) and t is not x]
        if fit and self.chance(0.7):
            return self.one(*fit)
        return self.layers.Activation(self.one("relu", "tanh"))(x)

    def add(self, y):
        for t in y if isinstance(y, (list, tuple)) else [y]:
            if len(t.shape) in (2, 3, 4, 5) and "float" in str(t.dtype) and None not in t.shape[1:] and \
                    0 < int(np.prod(t.shape[1:])) <= LARGEST:
                self.pool.append(t)

    # --- Growing.

    def grow(self):
        kind = self.random.random()
        if kind < 0.07 and self.depth < 2:
            return self.nest()
        if kind < 0.13 and self.made:
            layer, shape = self.one(*self.made)
            fit = [t for t in self.pool if tuple(t.shape) == shape]
            if fit:
                x = self.one(*fit)
                self.used.add(id(x))
                self.add(layer(x))
            return None
        if kind < 0.2:
            return self.operate()
        least = min(self.uses[k] for k in TABLE)
        names = [n for n in TABLE if self.uses[n] <= least + self.one(0, 0, 1, 4, 100)]
        name = self.one(*names)
        ranks, build = TABLE[name]
        x = self.pick(*ranks)
        if x is None:
            return None
        layer = build(self, x)
        if layer is None:
            return None
        if isinstance(layer, tuple):  # a layer that is called with several
            layer, given, kwargs = layer
            y = layer(given, **kwargs) if not isinstance(given, tuple) else layer(*given, **kwargs)
        else:
            y = layer(x)
            if not isinstance(y, (list, tuple)):
                self.made.append((layer, tuple(x.shape)))
        self.used.add(id(x))
        self.uses[name] += 1
        self.add(y)

    def operate(self):
        x = self.pick(2, 3, 4)
        if x is None:
            return
        ops = getattr(self.keras, "ops", None)
        choices = [lambda: x * self.one(0.5, -2.0), lambda: 1.5 - x, lambda: x + self.like(x),
                   lambda: x - self.like(x), lambda: x / (self.like(x) * self.like(x) + 1.0),
                   lambda: -x, lambda: x[:, : max(1, x.shape[1] - 1)],
                   lambda: abs(x), lambda: x[:, -1:], lambda: x[:, ::2]]
        if ops:
            choices += [
                lambda: x[..., 0:1],
                lambda: ops.relu(x), lambda: ops.sigmoid(x), lambda: ops.exp(-ops.square(x)),
                lambda: ops.mean(x, axis=-1, keepdims=True), lambda: ops.max(x, axis=1, keepdims=True),
                lambda: ops.sum(x, axis=-1, keepdims=True), lambda: ops.concatenate([x, self.like(x)], axis=-1),
                lambda: ops.softmax(x, axis=self.one(-1, 1)), lambda: ops.clip(x, -0.5, 0.7),
                lambda: ops.maximum(x, 0.1), lambda: ops.minimum(x, self.like(x)),
                lambda: ops.sqrt(ops.abs(x) + 1.0), lambda: ops.transpose(x, self.transposed(x)),
                lambda: ops.reshape(x, (-1, int(np.prod(x.shape[1:])))), lambda: ops.tanh(x),
                lambda: ops.log(ops.abs(x) + 1.0), lambda: ops.flip(x, axis=1), lambda: ops.pad(
                    x, [[0, 0]] + [[1, 0]] * (len(x.shape) - 1)), lambda: ops.expand_dims(x, 1),
                lambda: ops.squeeze(ops.expand_dims(x, -1), -1), lambda: ops.split(x, [1], axis=1),
                lambda: ops.matmul(x, ops.swapaxes(x, -1, -2)) if len(x.shape) > 2 else ops.gelu(x),
                lambda: ops.where(x > 0.0, x, 0.5 * x), lambda: ops.stack([x, self.like(x)], axis=1),
                lambda: ops.repeat(x, 2, axis=1), lambda: ops.power(ops.abs(x) + 0.5, 1.5),
                lambda: ops.roll(x, 1, axis=1), lambda: ops.cumsum(x, axis=1), lambda: ops.rsqrt(ops.abs(x) + 1.0),
                lambda: ops.einsum("bi,bi->bi", x, x) if len(x.shape) == 2 else ops.silu(x)]
        elif hasattr(self.keras, "backend"):
            import tensorflow as tf
            choices += [lambda: tf.nn.relu(x), lambda: tf.sigmoid(x), lambda: tf.reduce_mean(x, -1, keepdims=True),
                        lambda: tf.concat([x, self.like(x)], -1), lambda: tf.nn.softmax(x),
                        lambda: tf.clip_by_value(x, -0.5, 0.7), lambda: tf.math.maximum(x, 0.1),
                        lambda: tf.expand_dims(x, 1), lambda: tf.reshape(x, (-1, int(np.prod(x.shape[1:])))),
                        lambda: tf.transpose(x, self.transposed(x)), lambda: tf.tanh(x), lambda: tf.square(x)]
        self.add(self.one(*choices)())
        self.used.add(id(x))

    def transposed(self, x):
        axes = list(range(1, len(x.shape)))
        self.random.shuffle(axes)
        return [0] + axes

    def nest(self):
        x = self.pick(2, 3, 4)
        if x is None:
            return
        inner = Maker(self.keras, self.random.random(), self.uses, self.depth + 1)
        name = "inner%d_%d" % (self.depth, len(self.made) + len(self.pool))
        if self.chance(0.3):
            model = self.keras.Sequential(name=name)
            if self.chance(0.5):
                model.add(self.keras.Input(x.shape[1:]))
            for _ in range(self.one(1, 2, 3)):
                model.add(self.one(lambda: self.layers.Dense(self.channels(), self.activation()),
                                   lambda: self.layers.BatchNormalization(), lambda: self.layers.ReLU(),
                                   lambda: self.layers.Activation("tanh"))())
        else:
            inner.inputs.append(self.keras.Input(x.shape[1:]))
            inner.pool.append(inner.inputs[0])
            inner.fill(self.random.randint(2, 5))
            if len(inner.pool) == len(inner.inputs):
                return
            model = inner.finish(name)
        y = model(x)
        self.used.add(id(x))
        self.add(y)
        if not isinstance(y, (list, tuple)):
            self.made.append((model, tuple(x.shape)))
            if self.chance(0.4):
                self.add(model(self.like(x)))

    def fill(self, count):
        for _ in range(count * 6):
            try:
                self.grow()
            except (ValueError, TypeError, AttributeError, NotImplementedError, AssertionError, IndexError):
                continue
            if len(self.pool) >= count + len(self.inputs):
                break

    def finish(self, name):
        ends = [t for t in self.pool if id(t) not in self.used and all(t is not i for i in self.inputs)]
        if self.depth and len(ends) > 2:
            ends = ends[-2:]
        ends = ends or [self.pool[-1]]
        return self.keras.Model(self.inputs if len(self.inputs) > 1 else self.inputs[0],
                                ends if len(ends) > 1 else ends[0], name=name)

    def make(self):
        self.new_input(self.one(2, 3, 4, 4, 4, 5))
        self.fill(self.random.randint(8, 18))
        for x in self.inputs:
            if id(x) not in self.used:
                self.used.add(id(x))
                self.add(self.layers.Activation("relu")(x))
        model = self.finish("net%d" % self.seed)
        values = np.random.default_rng(self.seed)
        return model, [values.normal(0, 1, (2,) + tuple(x.shape[1:])).astype(np.float32) for x in self.inputs]


# --- Layers: class -> (ranks that it takes, how one is made for a tensor).

def conv(name):
    def build(m, x):
        n = len(x.shape) - 2
        options = {"padding": m.padding(), "activation": m.activation(), "use_bias": m.chance(0.8)}
        if "Depthwise" not in name:
            options["filters"] = m.channels()
        if "Transpose" not in name and m.chance(0.25):
            options["dilation_rate"] = 2
        else:
            options["strides"] = m.steps(x) if n == 1 or "Transpose" in name or "Conv3D" in name or \
                name in ("Conv2D",) else m.one(1, 2)
        if name in ("Conv1D",) and m.chance(0.3):
            options["padding"] = "causal"
        if name in ("Conv1D", "Conv2D", "Conv3D") and m.chance(0.3):
            groups = m.divisor(x.shape[-1])
            options.update(groups=groups, filters=groups * m.one(1, 2, 3))
        if "Depthwise" in name or "Separable" in name:
            options["depth_multiplier"] = m.one(1, 2, 3)
        if "Transpose" in name and m.chance(0.3):
            options["output_padding"] = 0 if m.chance(0.5) else None
        if m.chance(0.1) and "Transpose" not in name and options["padding"] != "causal":
            options["data_format"] = "channels_last"
        return getattr(m.layers, name)(kernel_size=m.sides(x) if options.get("dilation_rate") != 2 else 2, **options)
    return build


def pool(name):
    return lambda m, x: getattr(m.layers, name)(
        m.sides(x), strides=m.one(None, 1, 2), padding=m.padding())


def global_pool(name):
    return lambda m, x: getattr(m.layers, name)(keepdims=m.chance(0.4))


def adaptive(name):
    return lambda m, x: getattr(m.layers, name)(
        tuple(m.side(x, 1 + i, 4) for i in range(len(x.shape) - 2)) if len(x.shape) > 3 else m.side(x, 1, 4))


def merge(name):
    return lambda m, x: (getattr(m.layers, name)(), [x] + [m.like(x) for _ in range(
        1 if name == "Subtract" else m.one(1, 1, 2))], {})


def recurrent(name):
    def build(m, x):
        options = {"units": m.channels(), "return_sequences": m.chance(0.5), "go_backwards": m.chance(0.2),
                   "use_bias": m.chance(0.8)}
        if m.chance(0.2):
            options["return_state"] = True
        if m.chance(0.3):
            options["activation"] = m.one("relu", "tanh", "sigmoid", "softsign")
        if name == "GRU":
            options["reset_after"] = m.chance(0.6)
        if name != "SimpleRNN" and m.chance(0.3):
            options["recurrent_activation"] = m.one("hard_sigmoid", "sigmoid")
        return getattr(m.layers, name)(**options)
    return build


def conv_lstm(n):
    def build(m, x):
        return getattr(m.layers, "ConvLSTM%dD" % n)(
            m.one(1, 2, 3), 2, padding=m.padding(), return_sequences=m.chance(0.5))
    return build


def bidirectional(m, x):
    inner = m.one("LSTM", "GRU", "SimpleRNN")
    return m.layers.Bidirectional(getattr(m.layers, inner)(m.channels(), return_sequences=m.chance(0.5)),
                                  merge_mode=m.one("concat", "sum", "mul", "ave"))


def distributed(m, x):
    if len(x.shape) == 3:
        return m.layers.TimeDistributed(m.one(lambda: m.layers.Dense(m.channels(), m.activation()),
                                              lambda: m.layers.LayerNormalization())())
    if len(x.shape) == 4:
        return m.layers.TimeDistributed(m.layers.Conv1D(m.channels(), 2, padding=m.padding()))
    return m.layers.TimeDistributed(m.one(lambda: m.layers.Conv2D(m.channels(), 2), m.layers.GlobalAveragePooling2D,
                                          lambda: m.layers.MaxPooling2D(2))())


def rnn(m, x):
    cells = [getattr(m.layers, m.one("LSTMCell", "GRUCell", "SimpleRNNCell"))(m.channels())
             for _ in range(m.one(1, 1, 2))]
    return m.layers.RNN(cells if len(cells) > 1 else cells[0], return_sequences=m.chance(0.5))


def attention(m, x):
    layer = m.layers.MultiHeadAttention(m.one(1, 2, 3), m.one(2, 4), value_dim=m.one(None, 3),
                                        use_bias=m.chance(0.8), output_shape=m.one(None, 5))
    return layer, (x, x) if m.chance(0.5) else (x, m.like(x), m.like(x)), {}


def grouped_attention(m, x):
    groups = m.one(1, 2)
    return m.layers.GroupQueryAttention(m.one(2, 4), groups * m.one(1, 2), groups), (x, x), {}


def dot_attention(name):
    def build(m, x):
        return getattr(m.layers, name)(use_scale=m.chance(0.5)), [x] + [m.like(x) for _ in range(m.one(1, 2))], {}
    return build


def embedding(m, x):
    ops = getattr(m.keras, "ops", None)
    if ops is None:
        return None
    ids = ops.cast(ops.clip(ops.abs(x) * 3.0, 0, 9), "int32")
    return m.layers.Embedding(10, m.channels(), mask_zero=False), ids, {}


def masking(m, x):
    layer = m.layers.Masking(m.one(0.0, 0.5))(m.layers.ReLU()(x))
    return m.one(lambda: m.layers.LSTM(3), lambda: m.layers.GRU(3, return_sequences=True),
                 lambda: m.layers.SimpleRNN(2), lambda: m.layers.GlobalAveragePooling1D())(), layer, {}


def dot(m, x):
    axes = m.axis(x)
    return m.layers.Dot(axes, normalize=m.chance(0.3)), [x, m.like(x)], {}


def permute(m, x):
    axes = list(range(1, len(x.shape)))
    m.random.shuffle(axes)
    return m.layers.Permute(tuple(axes))


def reshape(m, x):
    n = int(np.prod(x.shape[1:]))
    d = m.divisor(n)
    return m.layers.Reshape(m.one((n,), (d, -1), (-1, d), (d, n // d, 1), (1, d, -1)))


def around(m, x, most):
    n = len(x.shape) - 2
    pairs = [[m.random.randint(0, most), m.random.randint(0, most)] for _ in range(n)]
    if n == 1:
        return m.one(pairs[0][0], tuple(pairs[0]))
    return m.one(pairs[0][0], tuple(p[0] for p in pairs), tuple(map(tuple, pairs)))


def einsum_dense(m, x):
    if len(x.shape) == 3:
        return m.layers.EinsumDense("abc,cd->abd", (None, m.channels()), bias_axes="d", activation=m.activation())
    return m.layers.EinsumDense("ab,bc->ac", m.channels(), bias_axes=m.one(None, "c"))


def normalization(m, x):
    return m.layers.Normalization(axis=-1, mean=[0.1 * i for i in range(x.shape[-1])],
                                  variance=[1.0 + i for i in range(x.shape[-1])], invert=m.chance(0.2))


def spectral(m, x):
    return m.layers.SpectralNormalization(m.one(lambda: m.layers.Dense(m.channels()),
                                                lambda: m.layers.Conv2D(m.channels(), 2))())


def simple(name, *choices):
    """choices: dictionaries of options, one of which is taken."""
    return lambda m, x: getattr(m.layers, name)(**(m.one(*choices) if choices else {}))


ANY = (2, 3, 4, 5)
TABLE = {
    "Activation": (ANY, lambda m, x: m.layers.Activation(m.one(*ACTIVATIONS))),
    "ReLU": (ANY, simple("ReLU", {}, {"max_value": 0.7}, {"negative_slope": 0.2}, {"threshold": 0.3},
                         {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2})),
    "LeakyReLU": (ANY, simple("LeakyReLU")),
    "ELU": (ANY, simple("ELU", {}, {"alpha": 0.4})),
    "PReLU": (ANY, lambda m, x: m.layers.PReLU(shared_axes=m.one(None, list(range(1, len(x.shape) - 1)) or None))),
    "Softmax": ((3, 4), lambda m, x: m.layers.Softmax(axis=m.one(-1, m.axis(x)))),
    "Dense": ((2, 2, 3, 4), lambda m, x: m.layers.Dense(m.channels(), m.activation(), use_bias=m.chance(0.8))),
    "EinsumDense": ((2, 3), einsum_dense),
    "Embedding": ((2,), embedding),
    "Conv1D": ((3,), conv("Conv1D")), "Conv2D": ((4,), conv("Conv2D")), "Conv3D": ((5,), conv("Conv3D")),
    "Conv1DTranspose": ((3,), conv("Conv1DTranspose")), "Conv2DTranspose": ((4,), conv("Conv2DTranspose")),
    "Conv3DTranspose": ((5,), conv("Conv3DTranspose")),
    "DepthwiseConv1D": ((3,), conv("DepthwiseConv1D")), "DepthwiseConv2D": ((4,), conv("DepthwiseConv2D")),
    "SeparableConv1D": ((3,), conv("SeparableConv1D")), "SeparableConv2D": ((4,), conv("SeparableConv2D")),
    "BatchNormalization": (ANY, lambda m, x: m.layers.BatchNormalization(
        axis=m.one(-1, -1, m.axis(x)), center=m.chance(0.8), scale=m.chance(0.8), epsilon=m.one(1e-3, 1e-5))),
    "LayerNormalization": (ANY, lambda m, x: m.layers.LayerNormalization(
        axis=m.one(-1, -1, m.axis(x)), center=m.chance(0.8), scale=m.chance(0.8))),
    "GroupNormalization": ((3, 4, 5), lambda m, x: m.layers.GroupNormalization(
        groups=m.one(m.divisor(x.shape[-1]), -1), center=m.chance(0.8), scale=m.chance(0.8))),
    "UnitNormalization": (ANY, lambda m, x: m.layers.UnitNormalization(axis=m.one(-1, m.axis(x)))),
    "RMSNormalization": (ANY, simple("RMSNormalization")),
    "SpectralNormalization": ((4,), spectral),
    "Normalization": (ANY, normalization),
    "Rescaling": (ANY, simple("Rescaling", {"scale": 0.5}, {"scale": 1 / 127.5, "offset": -1.0})),
    "Resizing": ((4,), lambda m, x: m.layers.Resizing(
        m.one(5, 8, 13), m.one(4, 9, 12), interpolation=m.one("bilinear", "nearest"),
        **m.one({}, {}, {"crop_to_aspect_ratio": True}))),
    "CenterCrop": ((4,), lambda m, x: m.layers.CenterCrop(m.side(x, 1, 6), m.side(x, 2, 6))),
    "Reshape": (ANY, reshape), "Permute": ((3, 4, 5), permute), "Flatten": (ANY, simple("Flatten")),
    "RepeatVector": ((2,), lambda m, x: m.layers.RepeatVector(m.one(2, 3, 5))),
    "Identity": (ANY, simple("Identity")),
    "Dropout": (ANY, simple("Dropout", {"rate": 0.5})),
    "SpatialDropout1D": ((3,), simple("SpatialDropout1D", {"rate": 0.5})),
    "SpatialDropout2D": ((4,), simple("SpatialDropout2D", {"rate": 0.5})),
    "SpatialDropout3D": ((5,), simple("SpatialDropout3D", {"rate": 0.5})),
    "GaussianNoise": (ANY, simple("GaussianNoise", {"stddev": 0.5})),
    "GaussianDropout": (ANY, simple("GaussianDropout", {"rate": 0.5})),
    "AlphaDropout": (ANY, simple("AlphaDropout", {"rate": 0.5})),
    "ActivityRegularization": (ANY, simple("ActivityRegularization")),
    "RandomFlip": ((4,), simple("RandomFlip")), "RandomRotation": ((4,), simple("RandomRotation", {"factor": 0.1})),
    "RandomContrast": ((4,), simple("RandomContrast", {"factor": 0.1})),
    "RandomZoom": ((4,), simple("RandomZoom", {"height_factor": 0.1})),
    "RandomTranslation": ((4,), simple("RandomTranslation", {"height_factor": 0.1, "width_factor": 0.1})),
    "Masking": ((3,), masking),
    "Dot": ((2, 3), dot),
    "Concatenate": (ANY, lambda m, x: (m.layers.Concatenate(axis=m.one(-1, m.axis(x))), [x, m.like(x)], {})),
    "LSTM": ((3,), recurrent("LSTM")), "GRU": ((3,), recurrent("GRU")), "SimpleRNN": ((3,), recurrent("SimpleRNN")),
    "Bidirectional": ((3,), bidirectional), "TimeDistributed": ((3, 4, 5), distributed), "RNN": ((3,), rnn),
    "ConvLSTM1D": ((4,), conv_lstm(1)), "ConvLSTM2D": ((5,), conv_lstm(2)),
    "MultiHeadAttention": ((3,), attention), "GroupQueryAttention": ((3,), grouped_attention),
    "Attention": ((3,), dot_attention("Attention")), "AdditiveAttention": ((3,), dot_attention("AdditiveAttention")),
}
for _merge in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    TABLE[_merge] = (ANY, merge(_merge))
for _n in (1, 2, 3):
    TABLE.update({
        "MaxPooling%dD" % _n: ((_n + 2,), pool("MaxPooling%dD" % _n)),
        "AveragePooling%dD" % _n: ((_n + 2,), pool("AveragePooling%dD" % _n)),
        "GlobalMaxPooling%dD" % _n: ((_n + 2,), global_pool("GlobalMaxPooling%dD" % _n)),
        "GlobalAveragePooling%dD" % _n: ((_n + 2,), global_pool("GlobalAveragePooling%dD" % _n)),
        "ZeroPadding%dD" % _n: ((_n + 2,), lambda m, x, n=_n: getattr(m.layers, "ZeroPadding%dD" % n)(around(m, x, 2))),
        "Cropping%dD" % _n: ((_n + 2,), lambda m, x, n=_n: getattr(m.layers, "Cropping%dD" % n)(around(m, x, 1))),
    })
for _name in ("AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveMaxPooling1D"):
    TABLE[_name] = ((int(_name[-2]) + 2,), adaptive(_name))  # with others TensorFlow ends the process
TABLE["UpSampling1D"] = ((3,), lambda m, x: m.layers.UpSampling1D(m.one(2, 3)))
TABLE["UpSampling2D"] = ((4,), lambda m, x: m.layers.UpSampling2D(
    m.one(2, (1, 2), (2, 3)), interpolation=m.one("nearest", "bilinear")))
TABLE["UpSampling3D"] = ((5,), lambda m, x: m.layers.UpSampling3D(m.one(1, (1, 2, 1))))
