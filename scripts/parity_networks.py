"""Small networks that are hard on names: shared modules and blocks, lists, dictionaries, holders that
are never called, nested and gapped Sequentials, functional calls, folds across modules.

`doubtful` names what an exporter's file does not tell, by exporter ("eval" and "preserve" are one:
"torchscript"); a refusal that says so is right there. `elsewhere` names paths of modules that the
TorchScript exporter writes under another path, because they are called through a second attribute.
"""
import torch
import torch.nn.functional as F
from torch import nn


def unit(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                         nn.BatchNorm2d(outputs), nn.ReLU())


class Block(nn.Module):
    """Own operations, children, and a ReLU that is called twice."""

    def __init__(self, width=4):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return self.relu(self.conv2(self.relu(self.bn1(self.conv1(x)))) + x)


class ThreeCalls(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.c(self.relu(self.b(self.relu(self.a(x))))))


class SharedBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.shared, self.head = nn.Conv2d(3, 4, 1), Block(), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = torch.sigmoid(self.shared(self.stem(x)))
        return self.head(self.shared(self.shared(x) * 2))


class SharedSequential(nn.Module):
    """Called twice in a row at the end, once apart before: the file tells by that."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.seq = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(),
                                 nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sigmoid()))

    def forward(self, x):
        return self.seq(self.seq(self.seq(self.stem(x)) + 1))


class CalledInARow(nn.Module):
    """Or a Sequential that has each of its modules three times."""

    doubtful = {"torchscript": {"seq"}, "dynamo": {"seq"}}

    def __init__(self):
        super().__init__()
        self.seq = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())

    def forward(self, x):
        return self.seq(self.seq(self.seq(x)))


class LoopInside(nn.Module):
    doubtful = {"torchscript": {"loop"}, "dynamo": {"loop"}}

    def __init__(self):
        super().__init__()
        self.loop = Loop()

    def forward(self, x):
        return self.loop(x)


class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        for _ in range(3):
            x = self.conv(x)
        return x


class Lists(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([nn.ModuleList([unit(3, 4), unit(4, 4)]),
                                     nn.ModuleList([unit(4, 4)])])
        self.by_name = nn.ModuleDict({"first": Block(), "last": nn.ModuleDict({"k": Block()})})
        self.holder = nn.Module()
        self.holder.inner = Block()

    def forward(self, x):
        for stage in self.stages:
            for part in stage:
                x = part(x)
        x = torch.tanh(self.by_name["first"](x))
        return torch.tanh(self.holder.inner(self.by_name["last"]["k"](x) * 2) + 1)


class Holders(nn.Module):
    """Two blocks of one name in holders that are never called."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Module(), nn.Module()
        self.a.inner, self.b.inner = Block(3), Block(3)

    def forward(self, x):
        return self.b.inner(torch.tanh(self.a.inner(x)))


class RealSuffix(nn.Module):
    """Attributes that look like the exporter's numbers of calls."""

    def __init__(self):
        super().__init__()
        self.c, self.c_1, self.c_2 = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.pool_2, self.act_1 = nn.MaxPool2d(2), nn.Sigmoid()

    def forward(self, x):
        return self.act_1(self.pool_2(self.c_2(self.c_1(self.c(x)))))


class Collision(nn.Module):
    doubtful = {"torchscript": {"relu", "relu_1"}}

    def __init__(self):
        super().__init__()
        self.relu, self.relu_1 = nn.ReLU(), nn.ReLU()
        self.c, self.d = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.relu(self.d(self.relu_1(self.c(self.relu(x) - 0.1)) - 0.2))


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = nn.Sequential(nn.Sequential(unit(3, 4), unit(4, 4)), nn.Sequential(unit(4, 4)))

    def forward(self, x):
        return self.m(x)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.d, self.fc = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Linear(8, 5)

    def forward(self, x):
        a = F.relu(self.c(x))
        y = torch.cat([a, F.relu(self.d(a))], 1)
        y = F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False)
        y = torch.flatten(F.adaptive_avg_pool2d(y, 1), 1)
        return self.fc(F.dropout(y, training=self.training))


class Classifier(nn.Module):
    """Numbers are missing in the middle and at the end."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(*unit(3, 4), nn.MaxPool2d(2), nn.Dropout(), *unit(4, 4))
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            nn.Linear(16, 8), nn.ReLU(), nn.Dropout(), nn.Identity(), nn.Linear(8, 8), nn.ReLU(),
            nn.Dropout(), nn.Linear(8, 5), nn.Dropout())

    def forward(self, x):
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        a = self.a(x)
        return a, self.b(a)


class SeveralOutputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.pair, self.head = Pair(), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        a, b = self.pair(x)
        return {"out": self.head(a + b), "aux": torch.tanh(b)}


class Separable(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.depth = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)
        self.point = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        return self.point(self.depth(x))


class FoldsAcross(nn.Module):
    """The BatchNorm stands outside the module whose convolution it is folded into."""

    def __init__(self):
        super().__init__()
        self.first, self.bn = Separable(3, 4), nn.BatchNorm2d(4)
        self.rest = nn.Sequential(nn.ReLU(), Separable(4, 4), nn.BatchNorm2d(4), nn.ReLU(),
                                  nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)),
                                  nn.BatchNorm2d(4))

    def forward(self, x):
        return torch.tanh(self.rest(self.bn(self.first(x))))


class Shortcut(nn.Module):
    """Sequentials that end with a BatchNorm, which leaves nothing behind."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.body = nn.Sequential(unit(3, 4), nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)))

    def forward(self, x):
        return torch.relu(self.down(x) + self.body(x))


class OtherFolds(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.d = nn.utils.weight_norm(nn.Conv2d(3, 4, 1)), nn.Conv2d(4, 4, 1)
        self.bn, self.tbn, self.fbn = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.BatchNorm1d(4)
        self.t, self.fc = nn.ConvTranspose2d(4, 4, 2, 2), nn.Linear(4, 4)

    def forward(self, x):
        return self.fbn(self.fc(self.tbn(self.t(self.bn(self.d(self.c(x))))).mean([2, 3])))


class OneForAll(nn.Module):
    """One ReLU object in two Sequentials."""

    elsewhere = {"b.1", "a.1"}

    def __init__(self):
        super().__init__()
        relu = nn.ReLU()
        self.a = nn.Sequential(nn.Conv2d(3, 4, 1), relu)
        self.b = nn.Sequential(nn.Conv2d(4, 4, 1), relu)

    def forward(self, x):
        return self.b(self.a(x))


class Nothing(nn.Module):
    """Modules that compute nothing, where their place tells their value and where not."""

    def __init__(self):
        super().__init__()
        self.c, self.identity, self.drop, self.relu = \
            nn.Conv2d(3, 4, 1), nn.Identity(), nn.Dropout(), nn.ReLU()
        self.seq = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Dropout(), nn.Identity())

    def forward(self, x):
        return self.seq(self.drop(self.relu(self.identity(self.c(x)))) - 0.1)


def in_the_root():
    """A Sequential as the network itself: the names are numbers."""
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU(),
                         nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()))


class MergedActivations(nn.Module):
    """ReLUs in a row, which the newest exporter makes one."""

    doubtful = {"dynamo": {"block", "block.relu", "relu", "other"}}

    def __init__(self):
        super().__init__()
        self.block, self.relu, self.other = Block(3), nn.ReLU(), nn.ReLU()
        self.c = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.other(self.c(self.relu(self.block(x))))


class LoopAlone(nn.Module):
    """A loop in the only child of a Sequential: nothing tells which of the three was called thrice."""

    doubtful = {"torchscript": {"seq", "seq.0"}, "dynamo": {"seq", "seq.0"}}

    def __init__(self):
        super().__init__()
        self.seq, self.last = nn.Sequential(Loop()), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.last(self.seq(x))


class Crop(nn.Module):
    def forward(self, x):
        return x[:, :, 1:-1, 2:]


class Crops(nn.Module):
    def __init__(self):
        super().__init__()
        self.seq, self.last = nn.Sequential(Crop(), nn.Conv2d(3, 3, 1), Crop()), Crop()
        # The exporter of torch 1.13 writes another value than its forward for circular padding.
        mode = "zeros" if torch.__version__.startswith("1.") else "circular"
        self.pad = nn.Conv2d(3, 3, 3, padding=1, padding_mode=mode)

    def forward(self, x):
        return self.pad(self.last(self.seq(x)))


class Triplet(nn.Module):
    """Encoders that run on three inputs side by side, one of them a block of its own, and a head on
    four levels."""

    names = ["anchor", "near", "far"]

    def __init__(self):
        super().__init__()
        self.encoder, self.pool = Block(3), nn.MaxPool2d(2)
        self.projector = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout())
        self.head = nn.Sequential(nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 1))

    def forward(self, *pictures):
        levels = [self.projector(x) for x in [self.encoder(x) for x in pictures]]
        levels.append(self.pool(levels[-1]))
        return [self.head(x) for x in levels]

    def inputs(self, generator, size, batch):
        return [torch.randn(batch, 3, *size, generator=generator) for _ in self.names]


NETWORKS = [ThreeCalls, SharedBlock, SharedSequential, CalledInARow, LoopInside, Lists, Holders,
            RealSuffix, Collision, Nested, Functional, Classifier, SeveralOutputs, FoldsAcross,
            Shortcut, OtherFolds, OneForAll, Nothing, in_the_root, MergedActivations, LoopAlone,
            Crops, Triplet]
