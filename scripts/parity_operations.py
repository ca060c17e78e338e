"""Small networks that are hard on operators and shapes: one, two and three dimensions, transposed and
grouped convolutions, attention, normalisations, resizes, pools, slicing, several inputs, dictionaries.

Every functional call has a module of its own, so that its value is asked for by a path. `inputs` makes a
network's inputs where they are not one picture, `names` are theirs, `other` is a size to run an export
with free dimensions at, `free` the dimensions of each input that are free then.
"""
import torch
import torch.nn.functional as F
from torch import nn

NEW = int(torch.__version__.split(".")[0]) >= 2


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *values):
        return self.function(*values)


class Each(nn.Module):
    """Calls every module on the same value; their outputs, one by one."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return {name: module(x) for name, module in self.named_children()}


class Signals(nn.Module):
    free, size, other = [[0, 2]], (20,), (33,)

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(4, 8, 5, stride=2, padding=2), nn.BatchNorm1d(8), nn.ReLU())
        self.deep = nn.Sequential(nn.Conv1d(8, 8, 3, dilation=2, groups=4), nn.MaxPool1d(2, 1),
                                  nn.AvgPool1d(3, 1, 1), nn.Conv1d(8, 6, 1), nn.GLU(1))
        self.up = nn.ConvTranspose1d(3, 4, 3, stride=2, output_padding=1)
        self.grow = nn.Upsample(scale_factor=2, mode="linear", align_corners=False)
        self.head = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3))

    def forward(self, x):
        return self.head(self.grow(self.up(self.deep(self.stem(x)))))

    def inputs(self, generator, size, batch):
        return [torch.randn(batch, 4, *size, generator=generator)]


class Volumes(nn.Module):
    free, size, other = [[0, 2, 3, 4]], (6, 8, 9), (7, 10, 8)

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(2, 6, 3, stride=(1, 2, 1), padding=1, bias=False)
        self.bn, self.act = nn.BatchNorm3d(6), nn.SiLU()
        self.pool = nn.MaxPool3d((1, 2, 2), ceil_mode=True)
        self.grouped = nn.Conv3d(6, 6, (3, 1, 3), padding=(1, 0, 1), groups=3)
        self.mean = nn.AvgPool3d(2, 1)
        self.up = nn.ConvTranspose3d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.grow = nn.Upsample(scale_factor=2, mode="trilinear", align_corners=False)
        self.norm, self.last = nn.InstanceNorm3d(4), nn.AdaptiveAvgPool3d(1)

    def forward(self, x):
        x = self.mean(self.grouped(self.pool(self.act(self.bn(self.conv(x))))))
        return self.last(torch.relu(self.norm(self.grow(self.up(x))))).flatten(1)

    def inputs(self, generator, size, batch):
        return [torch.randn(batch, 2, *size, generator=generator)]


def transposed():
    """Transposed convolutions with everything that they take."""
    return Each(plain=nn.ConvTranspose2d(3, 4, 3), stride=nn.ConvTranspose2d(3, 4, 2, 2, bias=False),
                padded=nn.ConvTranspose2d(3, 6, 4, stride=(2, 3), padding=(1, 0), output_padding=(1, 2)),
                grouped=nn.ConvTranspose2d(3, 6, 3, 2, 1, output_padding=1, groups=3),
                dilated=nn.ConvTranspose2d(3, 2, 3, 2, padding=2, output_padding=1, dilation=2),
                chain=nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(),
                                    nn.ConvTranspose2d(4, 1, (3, 1), (1, 2))))


def groups_swapped(x):
    """A channel shuffle as networks write it."""
    n, c, h, w = x.shape
    return x.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)


def shuffles():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.PixelShuffle(2), nn.PixelUnshuffle(4),
                         nn.ReLU(), Call(groups_swapped), nn.Conv2d(32, 8, 1, groups=4), nn.ReflectionPad2d((1, 0, 2, 1)),
                         nn.ZeroPad2d(1), nn.ReplicationPad2d(1), nn.Unfold((2, 3), padding=1, stride=2))


class Resizes(nn.Module):
    """All the modes of interpolate, larger and smaller, by size and by factor."""

    def __init__(self):
        super().__init__()
        modes = [dict(mode="nearest"), dict(mode="bilinear", align_corners=False),
                 dict(mode="bilinear", align_corners=True), dict(mode="bicubic", align_corners=False),
                 dict(mode="bicubic", align_corners=True)]
        sizes = [dict(size=(23, 9)), dict(scale_factor=2.0), dict(scale_factor=(0.5, 1.5)), dict(size=(1, 5))]
        self.conv = nn.Conv2d(3, 2, 1)
        self.by = nn.ModuleList([
            Call(lambda x, options={**mode, **size}: F.interpolate(x, **options))
            for mode in modes for size in sizes])
        self.area = Call(lambda x: F.interpolate(x, size=(8, 4), mode="area"))
        self.like = Call(lambda x, y: F.interpolate(x, size=y.shape[-2:], mode="bilinear"))

    def forward(self, x):
        y = self.conv(x)
        return [resize(y) for resize in self.by] + [self.area(y), self.like(y, x)]


def pools():
    return Each(max_up=nn.MaxPool2d(3, 2, 1, ceil_mode=True), dilated=nn.MaxPool2d(2, 1, dilation=2),
                mean=nn.AvgPool2d((3, 2), 2, 1), uncounted=nn.AvgPool2d(3, 2, 1, True, False),
                power=nn.LPPool2d(2, 3, 2), adaptive=nn.AdaptiveAvgPool2d((4, 2)),
                largest=nn.AdaptiveMaxPool2d((2, 8)), one=nn.AdaptiveAvgPool2d(1),
                width=nn.AdaptiveAvgPool2d((16, 1)), norm=nn.LocalResponseNorm(3, alpha=0.1))


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.group, self.one = nn.GroupNorm(3, 6), nn.GroupNorm(1, 6, affine=False)
        self.instance, self.affine = nn.InstanceNorm2d(6), nn.InstanceNorm2d(6, affine=True)
        self.tracked = nn.InstanceNorm2d(6, track_running_stats=True)
        self.layer, self.rows = nn.LayerNorm([6, 16, 16]), nn.LayerNorm(16, elementwise_affine=False)
        self.after = nn.BatchNorm2d(6)

    def forward(self, x):
        x = self.one(self.group(self.conv(x)))
        x = self.tracked(self.affine(torch.tanh(self.instance(x))) * 2)
        return self.after(self.rows(torch.relu(self.layer(x))))


class Attention(nn.Module):
    """Self-attention, attention across two inputs with its weights, and by hand."""

    names, free, size, other = ["tokens", "memory"], [[0, 1], [0, 1]], (6, 5), (9, 4)
    free_kinds = ("dynamo",)  # the other one writes the lengths into reshapes

    def __init__(self):
        super().__init__()
        self.norm, self.own = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.across = nn.MultiheadAttention(8, 4, batch_first=True, kdim=6, vdim=6)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(), nn.Linear(16, 8))
        self.scores = Call(lambda q, k: torch.softmax(torch.einsum("bqc,bkc->bqk", q, k) / 8 ** 0.5, -1))
        self.mix = Call(lambda s, v: torch.einsum("bqk,bkc->bqc", s, v))

    def forward(self, tokens, memory):
        x = self.norm(tokens)
        x = tokens + self.own(x, x, x, need_weights=False)[0]
        y, weights = self.across(x, memory, memory)
        y = x + self.mlp(y)
        return {"mixed": self.mix(self.scores(y, x), y), "weights": weights}

    def inputs(self, generator, size, batch):
        return [torch.randn(batch, size[0], 8, generator=generator),
                torch.randn(batch, size[1], 6, generator=generator)]


class OnlyDynamo(nn.Module):
    """What the TorchScript exporter cannot export."""

    kinds = ("dynamo",)

    def __init__(self):
        super().__init__()
        self.conv, self.shuffle = nn.Conv2d(3, 4, 1), nn.ChannelShuffle(2)
        self.up, self.down = nn.Upsample((23, 9), mode="nearest-exact"), nn.Upsample((7, 7), mode="nearest-exact")
        self.fuse = nn.Bilinear(4, 4, 5)

    def forward(self, x):
        x = torch.relu(self.shuffle(torch.relu(self.conv(x))))
        a, b = self.up(x), self.down(x)
        return {"fused": self.fuse(a.mean((2, 3)), b.amax((2, 3))), "up": a}


class Encoder(nn.Module):
    size = (7,)

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.places = nn.Parameter(torch.randn(1, 7, 8))
        self.first = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.second = nn.TransformerEncoderLayer(8, 4, 12, batch_first=True, norm_first=True,
                                                 activation="gelu")
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.second(self.first(self.embedding(x) + self.places)).mean(1))

    def inputs(self, generator, size, batch):
        return [torch.randint(0, 11, (batch, *size), generator=generator)]


class ScaledDotProduct(nn.Module):
    size, other, free = (6,), (9,), [[0, 1]]

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.plain = Call(lambda q, k, v: F.scaled_dot_product_attention(q, k, v))
        self.masked = Call(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True))
        self.out = nn.Linear(8, 8)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = (m(x).reshape(b, n, 2, 4).transpose(1, 2) for m in (self.q, self.k, self.v))
        return self.out((self.plain(q, k, v) + self.masked(q, k, v)).transpose(1, 2).reshape(b, n, c))

    def inputs(self, generator, size, batch):
        return [torch.randn(batch, *size, 8, generator=generator)]


def slicing():
    """Complicated ways to take parts."""
    table = torch.tensor([2, 0, 1])
    parts = dict(
        steps=lambda x: x[:, ::2, 1:-1:3, -5:], picked=lambda x: x[:, [2, 0]], added=lambda x: x[:, None, 1, ..., :4],
        backwards=lambda x: x.flip(2, 3), rolled=lambda x: torch.roll(x, (1, -2), (2, 3)),
        indexed=lambda x: x.index_select(1, table), narrowed=lambda x: x.narrow(3, 2, 5),
        stacked=lambda x: torch.stack(x.chunk(4, 3), 1), split=lambda x: torch.cat(x.split([3, 9, 4], 2)[::-1], 2),
        chosen=lambda x: torch.where(x > 0, x, x * 0.1), filled=lambda x: x.masked_fill(x < 0, 0.5),
        blocks=lambda x: x.unfold(2, 4, 2), triangle=lambda x: torch.triu(x) + torch.tril(x, -1) * 2,
        largest=lambda x: x.topk(3, 3)[0], summed=lambda x: x.cumsum(2), order=lambda x: x.permute(0, 3, 1, 2),
        flat=lambda x: x.flatten(2).transpose(1, 2), repeated=lambda x: x.repeat(1, 2, 1, 1),
        products=lambda x: torch.einsum("nchw,ndhw->ncd", x, x), rows=lambda x: torch.einsum("nchw->nhc", x),
        distances=lambda x: (x.flatten(2)[:, :, None] - x.flatten(2)[:, None]).abs().amax(-1))
    return Each(**{name: Call(function) for name, function in parts.items()})


class TwoPictures(nn.Module):
    """One encoder for two inputs; a dictionary comes out."""

    names, free, other = ["left", "right"], [[0, 2, 3], [0, 2, 3]], (20, 13)

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.compare = Call(lambda a, b: F.cosine_similarity(a, b, dim=1))
        self.head = nn.Linear(8, 2)

    def forward(self, left, right):
        a, b = self.encoder(left), self.encoder(right)
        fused = torch.cat((a.mean((2, 3)), b.amax((2, 3))), 1)
        return {"near": self.compare(a, b), "class": self.head(torch.tanh(fused))}

    def inputs(self, generator, size, batch):
        return [torch.randn(batch, 3, *size, generator=generator) for _ in range(2)]


class Gates(nn.Module):
    """Squeeze and excitation, residuals scaled by parameters, activations of all sorts."""

    other = (19, 12)

    def __init__(self):
        super().__init__()
        self.stem, self.scale = nn.Conv2d(3, 8, 3, padding=1), nn.Parameter(torch.rand(8, 1, 1))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.SiLU(),
                                  nn.Conv2d(2, 8, 1), nn.Hardsigmoid())
        self.acts = nn.Sequential(nn.Hardswish(), nn.PReLU(8), nn.Mish(), nn.ELU(), nn.LeakyReLU(0.2), nn.CELU(),
                                  nn.Softplus(), nn.Tanhshrink(), nn.SELU(), nn.GELU(), nn.ReLU6())
        self.classes = nn.Softmax2d()

    def forward(self, x):
        x = self.stem(x)
        return self.classes(self.acts(x * self.gate(x)) * self.scale + x)


NETWORKS = [Signals, Volumes, transposed, shuffles, Resizes, pools, Norms, Attention, Encoder, slicing,
            TwoPictures, Gates] + ([ScaledDotProduct, OnlyDynamo] if NEW else [])
