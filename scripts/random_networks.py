"""Random small networks for scripts/parity-random, each a function of its seed.

A network is grown by trying: a random step (a module, a shared module, a functional call, a child
block) is run on the values at hand and kept if PyTorch accepts it and the numbers stay in range. So no
shape rule is repeated here, and odd combinations come up that nobody would write down. Whatever is left
over is an output: nothing is computed in vain, since an exporter would drop that.
"""
import random

import torch
import torch.nn.functional as F
from torch import nn

NEW = int(torch.__version__.split(".")[0]) >= 2
NAMES = ("conv", "bn", "relu", "relu_1", "add", "linear", "act", "mul", "layer1", "head", "getitem",
         "conv2d", "out", "x0", "block", "norm", "stage_2", "features", "proj", "conv_1", "view")


class Holder(nn.Module):
    """Has children and is never called."""


class Block(nn.Module):
    """Runs its steps in order. A step: (path of a child or a function, numbers of its inputs)."""

    def __init__(self):
        super().__init__()
        self.steps, self.outputs, self.form = [], [], "one"

    def forward(self, *inputs):
        values = list(inputs)
        for what, sources in self.steps:
            function = self.get_submodule(what) if isinstance(what, str) else what
            result = function(*[values[i] for i in sources])
            if isinstance(result, dict):
                result = tuple(result.values())
            values += list(result) if isinstance(result, (tuple, list)) else [result]
        chosen = [values[i] for i in self.outputs]
        if self.form == "dictionary":
            return {"out%d" % i: value for i, value in enumerate(chosen)}
        return tuple(chosen) if self.form == "tuple" else chosen[0]


class Attention(nn.Module):
    """Scaled dot products by hand."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        scores = torch.softmax(q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5, -1)
        return self.proj((scores @ v).transpose(1, 2).reshape(batch, length, width))


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        y = self.norm(x)
        return x + self.attention(y, y, y, need_weights=False)[0]


class SqueezeExcite(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.pool, self.down, self.up = nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, 4, 1), \
            nn.Conv2d(4, width, 1)
        self.act, self.gate = nn.SiLU(), nn.Hardsigmoid()

    def forward(self, x):
        return x * self.gate(self.up(self.act(self.down(self.pool(x)))))


class Recurrent(nn.Module):
    def __init__(self, kind, width, hidden):
        super().__init__()
        self.rnn = kind(width, hidden, batch_first=True, bidirectional=hidden % 2 == 0)

    def forward(self, x):
        return self.rnn(x)[0]


class Keep(nn.Module):
    """Hands out what it was given, alone or beside something of its own."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    def forward(self, x):
        return x if self.act is None else (x, self.act(x))


class Twice(nn.Module):
    """Takes two values side by side through one module."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x, y):
        return {"first": self.inner(x), "second": self.inner(y)}


class Loop(nn.Module):
    def __init__(self, inner, times, between):
        super().__init__()
        self.inner, self.times, self.between = inner, times, between

    def forward(self, x):
        for i in range(self.times):
            x = self.inner(x)
            if self.between and i + 1 < self.times:
                x = torch.tanh(x)
        return x


def spatial(x):
    return x.dim() - 2


def convolution(r, x):
    d, c = spatial(x), x.shape[1]
    kernel, dilation, stride = r.choice((1, 1, 2, 3, 3, 5)), r.choice((1, 1, 1, 2, 3)), \
        r.choice((1, 1, 1, 2, 3))
    groups = r.choice([g for g in (1, 1, 1, 2, 3, 4, c) if c % g == 0])
    out = groups * r.choice((1, 2, 3)) if groups > 1 else r.choice((3, 4, 6, 8, 16))
    padding = r.choice((0, kernel // 2, dilation * (kernel // 2)) * 4 +
                       (("same",) if NEW or r.random() < 0.02 else ()))
    if padding == "same":
        stride = 1
    mode = r.choice(("zeros",) * 6 + (("reflect", "replicate", "circular") if NEW else ("reflect",)))
    if d == 2 and r.random() < 0.2 and padding != "same":
        kernel, padding = (kernel, 1), (padding, 0)
    make = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[d - 1]
    return make(c, out, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups,
                bias=r.random() < 0.6, padding_mode=mode)


def transposed(r, x):
    d, c = spatial(x), x.shape[1]
    stride = r.choice((1, 2, 3))
    groups = r.choice([g for g in (1, 1, 2) if c % g == 0])
    make = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[d - 1]
    return make(c, groups * r.choice((1, 2, 4)), r.choice((1, 2, 3, 4)), stride=stride,
                padding=r.choice((0, 1)), output_padding=r.choice((0, 0, stride - 1)),
                groups=groups, dilation=r.choice((1, 1, 2)), bias=r.random() < 0.5)


def batch_norm(r, x):
    make = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[x.dim()]
    norm = make(x.shape[1], affine=r.random() < 0.8)
    with torch.no_grad():
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 1.5)
        if norm.affine:
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.2)
    return norm


def other_norm(r, x):
    c = x.shape[1]
    if r.random() < 0.3:
        shape = tuple(x.shape[-r.choice((1, 2)):])
        return nn.LayerNorm(shape, elementwise_affine=r.random() < 0.7)
    if r.random() < 0.5:
        return nn.GroupNorm(r.choice([g for g in (1, 2, 3, 4, c) if c % g == 0]), c)
    make = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[spatial(x) - 1]
    return make(c, affine=r.random() < 0.5)


def pool(r, x):
    d, ceil = spatial(x) - 1, r.random() < 0.4
    kernel, stride = r.choice((2, 3)), r.choice((1, 2, 3))
    kind = r.randrange(3)
    if kind == 0:
        make = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[d]
        return make(kernel, stride, padding=r.choice((0, 1)), dilation=r.choice((1, 1, 2)),
                    ceil_mode=ceil)
    if kind == 1:
        make = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[d]
        return make(kernel, stride, padding=r.choice((0, 1)), ceil_mode=ceil,
                    count_include_pad=r.random() < 0.5)
    adaptive = ((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
                (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d))
    size = r.choice([1, 1, 2] + [x.shape[-1] // k for k in (2, 3, 4) if x.shape[-1] % k == 0])
    if any(s % size for s in x.shape[2:]):
        size = 1  # what exporters know
    return r.choice(adaptive)[d](size)


def activation(r, x):
    channels = r.choice((1, x.shape[1]))
    return r.choice((
        nn.ReLU, nn.ReLU, nn.ReLU, lambda: nn.ReLU(inplace=True), nn.ReLU6,
        lambda: nn.PReLU(channels), lambda: nn.LeakyReLU(0.1), nn.ELU, lambda: nn.ELU(0.5), nn.CELU,
        nn.SELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.Softplus,
        lambda: nn.Softplus(2.0), nn.Mish, nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.LogSigmoid,
        nn.Softsign, nn.Tanhshrink, lambda: nn.Softmax(1), lambda: nn.Softmax(-1),
        lambda: nn.LogSoftmax(1), lambda: nn.Threshold(0.0, 0.0), lambda: nn.Softshrink(0.2),
        lambda: nn.Hardshrink(0.2), lambda: nn.GLU(1)))()


def quiet(r, x):
    """Modules that hand out what they were given, or nearly so."""
    return r.choice((nn.Dropout, nn.Dropout, nn.Identity,
                     lambda: nn.Sequential(nn.Dropout(0.3)), nn.Sequential,
                     lambda: Keep(None), lambda: Keep(nn.ReLU()), lambda: Keep(nn.Tanh()),
                     lambda: nn.Flatten(1) if x.dim() == 2 else nn.Dropout2d(0.2)))()


def shape_module(r, x):
    return r.choice((lambda: nn.Flatten(1), lambda: nn.Flatten(2), lambda: nn.PixelShuffle(2),
                     lambda: nn.PixelUnshuffle(2), lambda: nn.ChannelShuffle(2),
                     lambda: nn.ZeroPad2d((0, 1, 2, 0)), lambda: nn.ReflectionPad2d(1),
                     lambda: nn.ConstantPad2d(1, 0.3), lambda: nn.ReplicationPad2d((1, 0, 1, 1))) +
                    ((lambda: nn.Unflatten(1, (2, x.shape[1] // 2)),) if NEW else ()))()


def upsample(r, x):
    mode = r.choice(("nearest", "nearest", "bilinear", "bicubic") if x.dim() == 4 else
                    ("nearest", "linear") if x.dim() == 3 else ("nearest", "trilinear"))
    align = None if mode == "nearest" else r.random() < 0.5
    if r.random() < 0.5:
        size = [s + r.choice((-1, 0, 1, s, 2 * s, 3)) for s in x.shape[2:]]
        return nn.Upsample(size=tuple(max(1, s) for s in size), mode=mode, align_corners=align)
    return nn.Upsample(scale_factor=r.choice((1.5, 2, 2, 3, 0.5)), mode=mode, align_corners=align)


def linear(r, x):
    return nn.Linear(x.shape[-1], r.choice((2, 4, 6, 8, 12)), bias=r.random() < 0.7)


def attention(r, x):
    if x.dim() != 3:
        return None
    heads = r.choice([h for h in (1, 2, 4) if x.shape[-1] % h == 0])
    return r.choice((Attention, SelfAttention))(x.shape[-1], heads)


def encoder(r, x):
    if x.dim() != 3 or x.shape[-1] % 2:
        return None
    return nn.TransformerEncoderLayer(x.shape[-1], 2, 8, batch_first=True,
                                      norm_first=r.random() < 0.5,
                                      activation=r.choice(("relu", "gelu")))


def recurrent(r, x):
    if x.dim() != 3:
        return None
    return Recurrent(r.choice((nn.LSTM, nn.GRU, nn.RNN)), x.shape[-1], r.choice((3, 4, 6)))


def squeeze(r, x):
    return SqueezeExcite(x.shape[1]) if x.dim() == 4 else None


MAKERS = ((convolution, 9), (batch_norm, 6), (activation, 9), (pool, 4), (other_norm, 3), (linear, 3),
          (upsample, 2), (transposed, 2), (quiet, 2), (shape_module, 2), (attention, 2),
          (encoder, 1 if NEW else 0), (squeeze, 1), (recurrent, 2))
WITH_CHANNELS = (convolution, transposed, pool, upsample)


def functional(r, x):
    """One value to one or several."""
    n = x.dim()
    i, j = r.randrange(n), r.randrange(n)
    order = list(range(1, n))
    r.shuffle(order)
    order = [0] + order
    start, step = r.choice((0, 1)), r.choice((1, 1, 2))
    axis = r.randrange(1, n)
    constant = r.choice((2.0, 0.5, -1.0, 1.0, 0.3))
    length = x.shape[axis]
    pieces = [k for k in (2, 3) if length % k == 0] or [1]
    piece = r.choice(pieces)
    index = torch.tensor([r.randrange(length) for _ in range(3)])
    return r.choice((
        F.relu, F.relu, torch.sigmoid, torch.tanh, F.gelu, F.silu, F.softplus, F.elu, F.hardswish,
        lambda v: v + constant, lambda v: v * constant, lambda v: constant - v,
        lambda v: v / 2, lambda v: v ** 2, lambda v: torch.exp(-v.abs()), lambda v: v.clamp(-1, 1),
        lambda v: torch.flatten(v, 1), lambda v: v.mean(axis), lambda v: v.mean(axis, keepdim=True),
        lambda v: v.sum(axis), lambda v: v.amax(axis), lambda v: v.max(axis)[0],
        lambda v: F.softmax(v, axis), lambda v: F.log_softmax(v, -1),
        lambda v: v.permute(order), lambda v: v.permute(order).contiguous(),
        lambda v: v.transpose(i, j) if i and j else v.unsqueeze(1),
        lambda v: v.reshape(v.shape[0], -1), lambda v: v.view(v.size(0), v.size(1), -1),
        lambda v: v.reshape(v.size(0), -1, v.size(-1)), lambda v: v[:, start:],
        lambda v: v[..., start::step], lambda v: v[..., :-1], lambda v: v.select(axis, -1),
        lambda v: v[:, 0], lambda v: v.chunk(piece, axis), lambda v: v.split(length // piece, axis),
        lambda v: v.narrow(axis, 0, 1),
        lambda v: v.squeeze(axis) if length == 1 else v.mean(axis), lambda v: v.unsqueeze(1),
        lambda v: v.flip(axis), lambda v: torch.cumsum(v, axis), lambda v: v.index_select(axis, index),
        lambda v: torch.where(v > 0, v, v * 0.1), lambda v: v.repeat(1, *([2] + [1] * (n - 2))),
        lambda v: F.interpolate(v, scale_factor=2.0), lambda v: F.max_pool2d(v, 2),
        lambda v: F.interpolate(v, size=(7, 9), mode="bilinear", align_corners=False),
        lambda v: F.avg_pool2d(v, 3, 1, 1), lambda v: F.adaptive_avg_pool2d(v, 1),
        lambda v: F.pad(v, (1, 0, 0, 1)), lambda v: F.dropout(v, 0.5, False),
        lambda v: F.normalize(v, dim=1), lambda v: v.var(axis, keepdim=True, unbiased=False),
        lambda v: torch.roll(v, 1, axis), lambda v: F.unfold(v, 2), lambda v: v.type_as(v),
        lambda v: v * torch.sigmoid(v), lambda v: v.norm(dim=axis), lambda v: torch.sqrt(v.abs() + 1),
        lambda v: torch.einsum("nc...->n...c", v), lambda v: v.expand_as(v), lambda v: -v,
        lambda v: F.layer_norm(v, v.shape[-1:]), lambda v: torch.stack((v, v * 0.5), 1)))


def pairing(r, x):
    return r.choice((torch.add, torch.add, torch.add, torch.mul, torch.sub, torch.maximum,
                     lambda a, b: torch.cat((a, b), 1), lambda a, b: torch.cat((a, b), 1),
                     lambda a, b: torch.cat((a, b), -1), torch.matmul, lambda a, b: a @ b.transpose(-1, -2),
                     lambda a, b: a * torch.sigmoid(b), lambda a, b: a + 0.5 * b))


class Grower:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.made = []  # modules that have a place
        torch.manual_seed(seed)

    def sane(self, values):
        for v in values:
            if not isinstance(v, torch.Tensor) or v.dtype != torch.float32 or not 2 <= v.dim() <= 5:
                return False
            if not 2 <= v.numel() <= 20000 or not torch.isfinite(v).all() or v.shape[0] < 1:
                return False
            if v.shape[0] not in (1, 2, 3) or not 1e-3 < v.abs().max() < 30 or v.std() < 1e-3:
                return False
        return True

    def attempt(self, function, arguments):
        try:
            with torch.no_grad():
                result = function(*[a.clone() for a in arguments])
        except Exception:
            return None
        if isinstance(result, dict):
            result = tuple(result.values())
        result = list(result) if isinstance(result, (tuple, list)) else [result]
        return result if result and self.sane(result) else None

    def fresh_name(self, block):
        name = self.r.choice(NAMES)
        if self.r.random() < 0.5 or hasattr(block, name):
            name += str(self.r.randrange(10))
        return name if not hasattr(block, name) else "m%d" % len(block._modules)

    def place(self, block, module):
        """Gives the module a home in the block: an attribute, a list, a dictionary, a holder."""
        kind = self.r.random()
        self.made.append(module)
        if kind < 0.6:
            name = self.fresh_name(block)
            block.add_module(name, module)
            return name
        if kind < 0.75:
            if not hasattr(block, "items"):
                block.add_module("items", nn.ModuleList())
            block.items.append(module)
            return "items.%d" % (len(block.items) - 1)
        if kind < 0.79:
            if not hasattr(block, "deep"):
                block.add_module("deep", nn.ModuleDict({"a": nn.ModuleDict(), "b": nn.ModuleList()}))
            if self.r.random() < 0.5:
                block.deep["b"].append(module)
                return "deep.b.%d" % (len(block.deep["b"]) - 1)
            block.deep["a"]["relu%d" % len(block.deep["a"])] = module
            return "deep.a.relu%d" % (len(block.deep["a"]) - 1)
        if kind < 0.88:
            if not hasattr(block, "table"):
                block.add_module("table", nn.ModuleDict())
            key = self.r.choice(("k", "conv", "deep", "0", "relu")) + str(len(block.table))
            block.table[key] = module
            return "table." + key
        if not hasattr(block, "holder"):
            block.add_module("holder", Holder())
        name = self.fresh_name(block.holder)
        block.holder.add_module(name, module)
        return "holder." + name

    def module(self, x):
        makers, weights = zip(*MAKERS)
        maker = self.r.choices(makers, weights)[0]
        if maker in WITH_CHANNELS and not 3 <= x.dim() <= 5:
            return None
        try:
            made = maker(self.r, x)
        except Exception:
            return None
        return made.eval() if made is not None else None

    def tied(self, x):
        """A Linear with the weight of another one."""
        for module in self.made:
            if isinstance(module, nn.Linear) and module.in_features == x.shape[-1]:
                made = nn.Linear(module.in_features, module.out_features, bias=self.r.random() < 0.5)
                made.weight = module.weight
                return made
        return None

    def sequential(self, x, depth):
        """A chain; now and then named, nested, or with one module twice."""
        chain = nn.Sequential()
        for i in range(self.r.randrange(2, 6)):
            for _ in range(10):
                if i and self.r.random() < 0.1:
                    made = self.r.choice(list(chain.children()))
                elif depth < 2 and self.r.random() < 0.15:
                    made = self.sequential(x, depth + 1)
                else:
                    made = self.module(x)
                result = made is not None and self.attempt(made, [x])
                if result and len(result) == 1:
                    name = str(i) if self.r.random() < 0.8 else self.r.choice(NAMES) + str(i)
                    chain.add_module(name, made)
                    x = result[0]
                    break
        return chain if len(chain) else None

    def step(self, block, values, depth):
        """(what, sources, results) or None."""
        recent = max(0, len(values) - 3)
        source = self.r.randrange(recent, len(values)) if self.r.random() < 0.9 else \
            self.r.randrange(len(values))
        x, kind = values[source], self.r.random()
        used = sorted({what for what, _ in block.steps if isinstance(what, str)})
        if kind < 0.12 and used:
            what = self.r.choice(used)
            result = self.attempt(block.get_submodule(what), [x])
            return (what, [source], result) if result else None
        if kind < 0.30:
            function = functional(self.r, x)
            result = self.attempt(function, [x])
            return (function, [source], result) if result else None
        if kind < 0.42 and len(values) > 1:
            other, function = self.r.randrange(len(values)), pairing(self.r, x)
            result = self.attempt(function, [x, values[other]])
            return (function, [source, other], result) if result else None
        sources = [source]
        if kind < 0.44 and self.made:
            made = self.r.choice(self.made)  # under a second path
        elif kind < 0.46:
            made = self.module(x)
            made = made and Loop(made, self.r.choice((2, 3)), self.r.random() < 0.5)
        elif kind < 0.48:
            sources.append(self.r.randrange(len(values)))
            made = self.module(x)
            made = made and Twice(made)
        elif kind < 0.49:
            made = self.tied(x)
        elif kind < 0.58:
            made = self.sequential(x, depth)
        elif kind < 0.68 and depth < 2:
            if self.r.random() < 0.3:
                sources.append(self.r.randrange(len(values)))
            made = self.block([values[i] for i in sources], depth + 1)
        else:
            made = self.module(x)
        result = made is not None and self.attempt(made, [values[i] for i in sources])
        return (self.place(block, made), sources, result) if result else None

    def block(self, inputs, depth=0, start=0):
        block, values = Block(), list(inputs)
        wanted = self.r.randrange(4, 12) if depth == 0 else self.r.randrange(2, 5)
        for _ in range(wanted * 12):
            if len(block.steps) >= wanted:
                break
            try:
                step = self.step(block, values, depth)
            except Exception:
                step = None
            if step:
                block.steps.append(step[:2])
                values += step[2]
        consumed = {i for _, sources in block.steps for i in sources}
        if not block.steps or depth and not consumed.issuperset(range(len(inputs))):
            return None
        ends = [i for i in range(len(inputs), len(values)) if i not in consumed]
        more = [i for i in range(len(inputs), len(values) - 1) if i in consumed]
        if more and self.r.random() < 0.15:
            ends.append(self.r.choice(more))
        block.outputs = ends[::-1] if self.r.random() < 0.5 else ends
        if len(ends) > 1:
            block.form = "dictionary" if self.r.random() < 0.3 else "tuple"
        return block.eval()


class WithEmbedding(nn.Module):
    """Integers in, through an embedding."""

    def __init__(self, table, body):
        super().__init__()
        self.embedding, self.body = table, body

    def forward(self, ids):
        return self.body(self.embedding(ids))


def example(r, form):
    if form == "ids":
        return torch.tensor([[r.randrange(10) for _ in range(6)] for _ in range(2)])
    batch = r.choice((1, 2))
    size = {"pictures": (r.choice((2, 3, 4)), r.choice((8, 12, 17)), r.choice((8, 12, 15))),
            "signal": (r.choice((2, 4)), r.choice((16, 21))), "tokens": (6, 8), "rows": (12,),
            "volume": (2, 6, 8, 7)}[form]
    return torch.randn(batch, *size)


def network(seed):
    """(module, inputs, form of the inputs)."""
    grower = Grower(seed)
    r = grower.r
    form = r.choices(("pictures", "signal", "tokens", "rows", "volume", "ids"),
                     (60, 12, 10, 4, 6, 4))[0]
    inputs = [example(r, form)]
    if form == "ids":
        table = nn.Embedding(10, 8)
        with torch.no_grad():
            body = grower.block([table(inputs[0])])
        return (WithEmbedding(table, body).eval() if body else None), inputs, form
    if r.random() < 0.2:
        inputs.append(torch.randn_like(inputs[0]) if r.random() < 0.6 else
                      torch.randn(inputs[0].shape[0], 4))
    return grower.block(inputs), inputs, form
