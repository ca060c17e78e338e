#!/usr/bin/python3
"""Draws pictures of shapes and trains the small DeepLabV3 that layertap carries as its default.

Developers only: layertap needs neither Python nor PyTorch. Debian's python3-torch, -torchvision,
-onnx, -pil and -numpy are enough for all but --check, which needs onnxruntime.

    models/train.py                 train, measure, export shapes-deeplabv3.onnx, write README.md
    models/train.py --pictures      draw the sample pictures in models/pictures only
    models/train.py --check         compare the exported file with PyTorch by onnxruntime
"""
import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation._utils import _SimpleSegmentationModel
from torchvision.models.segmentation.deeplabv3 import ASPP

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "shapes-deeplabv3.onnx")
CLASSES = ["background", "circle", "square", "triangle", "star", "ring", "cross"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SIZE = 128          # pixels of a training picture's side
FINE = 3            # drawings are made this much larger, then reduced


# ---- pictures -------------------------------------------------------------------------------

def smooth_noise(rng, width, height, cells):
    grid = (rng.random((max(2, cells), max(2, cells), 3)) * 255).astype(np.uint8)
    picture = Image.fromarray(grid).resize((width, height), Image.BICUBIC)
    return np.asarray(picture, np.float32) / 255 - 0.5


def texture(rng, width, height, colour, strength):
    """A coloured surface: flat, cloudy, striped or chequered."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    surface = np.empty((height, width, 3), np.float32)
    surface[:] = colour
    kind = rng.integers(4)
    if kind == 1:
        surface += strength * 1.6 * smooth_noise(rng, width, height, int(rng.integers(2, 9)))
    if kind == 2:
        angle, period = rng.random() * math.pi, rng.uniform(0.04, 0.15) * height
        wave = np.sin((x * math.cos(angle) + y * math.sin(angle)) * 2 * math.pi / period)
        surface += strength * 0.35 * wave[..., None] * rng.uniform(0.3, 1, 3).astype(np.float32)
    if kind == 3:
        side = rng.uniform(0.04, 0.12) * height
        board = ((x // side + y // side) % 2 - 0.5)[..., None]
        surface += strength * 0.6 * board * rng.uniform(0.3, 1, 3).astype(np.float32)
    slope = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / height
    return surface + 0.2 * strength * slope[..., None]


def corners(count, angle, radii):
    return [(radii[i % len(radii)] * math.cos(angle + 2 * math.pi * i / count),
             radii[i % len(radii)] * math.sin(angle + 2 * math.pi * i / count))
            for i in range(count)]


def outline(rng, kind, angle):
    """The outer corners of a shape of radius 1, None for the round ones."""
    if kind == "square":
        return corners(4, angle, [1.0])
    if kind == "triangle":
        return corners(3, angle, [1.1])
    if kind == "star":
        return corners(10, angle, [1.15, rng.uniform(0.45, 0.52)])
    if kind == "cross":
        arm = rng.uniform(0.26, 0.34)
        flat = [(1, arm), (arm, arm), (arm, 1), (-arm, 1), (-arm, arm), (-1, arm),
                (-1, -arm), (-arm, -arm), (-arm, -1), (arm, -1), (arm, -arm), (1, -arm)]
        turn = complex(math.cos(angle), math.sin(angle))
        return [((complex(*p) * turn).real, (complex(*p) * turn).imag) for p in flat]
    return None


def stencil(rng, kind, width, height, centre, radius):
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    points = outline(rng, kind, rng.random() * 2 * math.pi)
    x, y = centre
    if points:
        draw.polygon([(x + radius * px, y + radius * py) for px, py in points], fill=255)
    else:
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    if kind == "ring":
        hole = radius * rng.uniform(0.4, 0.6)
        draw.ellipse([x - hole, y - hole, x + hole, y + hole], fill=0)
    return np.asarray(mask) > 0


def draw_picture(seed, width=SIZE, height=SIZE):
    """One drawing u8[height,width,3] and its labels u8[height,width]."""
    rng = np.random.default_rng(seed)
    w, h = width * FINE, height * FINE
    ground = rng.random(3)
    surface = texture(rng, w, h, ground, rng.uniform(0.15, 0.6))
    labels = np.zeros((h, w), np.uint8)
    areas = []
    for _ in range(rng.integers(2, 8)):
        label = int(rng.integers(1, len(CLASSES)))
        radius = rng.uniform(0.11, 0.27) * min(w, h)
        margin = 0.4 * radius
        centre = rng.uniform(margin, w - margin), rng.uniform(margin, h - margin)
        mask = stencil(rng, CLASSES[label], w, h, centre, radius)
        if mask.sum() < 0.5 * radius * radius:
            continue
        if any((m & ~mask).sum() < 0.7 * area for m, area in areas):
            continue
        colour = rng.random(3)
        while np.abs(colour - ground).max() < 0.35:
            colour = rng.random(3)
        ys, xs = np.nonzero(mask)
        top, left, bottom, right = ys.min(), xs.min(), ys.max() + 1, xs.max() + 1
        patch = texture(rng, right - left, bottom - top, colour, rng.uniform(0, 0.4))
        part = mask[top:bottom, left:right]
        surface[top:bottom, left:right][part] = patch[part]
        areas = [(m & ~mask, area) for m, area in areas] + [(mask, mask.sum())]
        labels[mask] = label
    picture = Image.fromarray((surface.clip(0, 1) * 255).astype(np.uint8)).reduce(FINE)
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8)))
    noise = rng.normal(0, rng.uniform(0, 14), (height, width, 3))
    pixels = (np.asarray(picture, np.float32) + noise).clip(0, 255).astype(np.uint8)
    return pixels, labels[FINE // 2::FINE, FINE // 2::FINE]


def draw_set(first_seed, count):
    pairs = [draw_picture(first_seed + i) for i in range(count)]
    pixels = torch.from_numpy(np.stack([p for p, _ in pairs])).permute(0, 3, 1, 2).contiguous()
    return pixels, torch.from_numpy(np.stack([l for _, l in pairs]))


def draw_samples():
    folder = os.path.join(HERE, "pictures")
    os.makedirs(folder, exist_ok=True)
    for name, seed, width, height in [("shapes1.png", 9000057, 256, 192),
                                      ("shapes2.png", 9000020, 200, 200),
                                      ("shapes3.jpg", 9000024, 320, 240)]:
        pixels, _ = draw_picture(seed, width, height)
        Image.fromarray(pixels).save(os.path.join(folder, name), optimize=True, quality=92)


# ---- the network ----------------------------------------------------------------------------

class BasicBlock(nn.Module):
    """torchvision's BasicBlock with dilation, which the original refuses."""

    def __init__(self, channels_in, channels, stride, dilation):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False),
                                            nn.BatchNorm2d(channels))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + identity)


class ResNet(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 1, 1)
        self.layer1 = self.make_layer(widths[0], widths[0], 1, 1, 1)
        self.layer2 = self.make_layer(widths[0], widths[1], 2, 1, 1)
        self.layer3 = self.make_layer(widths[1], widths[2], 1, 1, 2)
        self.layer4 = self.make_layer(widths[2], widths[3], 1, 2, 4)

    @staticmethod
    def make_layer(channels_in, channels, stride, first_dilation, dilation):
        return nn.Sequential(BasicBlock(channels_in, channels, stride, first_dilation),
                             BasicBlock(channels, channels, 1, dilation))


class DeepLabHead(nn.Sequential):
    def __init__(self, channels_in, channels, n_classes):
        super().__init__(ASPP(channels_in, [4, 8, 12], channels),
                         nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                         nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, n_classes, 1))


class FCNHead(nn.Sequential):
    def __init__(self, channels_in, channels, n_classes):
        super().__init__(nn.Conv2d(channels_in, channels, 3, padding=1, bias=False),
                         nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout(0.1),
                         nn.Conv2d(channels, n_classes, 1))


def build():
    widths = [16, 24, 32, 48]
    backbone = IntermediateLayerGetter(ResNet(widths), {"layer4": "out", "layer3": "aux"})
    model = _SimpleSegmentationModel(backbone, DeepLabHead(widths[3], 32, len(CLASSES)),
                                     FCNHead(widths[2], 16, len(CLASSES)))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.1
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model


# ---- training, measuring, exporting ---------------------------------------------------------

def normalised(pixels):
    mean = torch.tensor(MEAN).view(3, 1, 1)
    std = torch.tensor(STD).view(3, 1, 1)
    return (pixels.float() / 255 - mean) / std


def varied(pixels, labels):
    """Turns, mirrors and recolours a batch."""
    turns = random.randrange(4)
    pixels, labels = torch.rot90(pixels, turns, (2, 3)), torch.rot90(labels, turns, (1, 2))
    if random.random() < 0.5:
        pixels, labels = pixels.flip(3), labels.flip(2)
    pixels = pixels[:, torch.randperm(3)]
    return pixels, labels


def train(model, arguments):
    print(f"drawing {arguments.pictures_count} pictures", flush=True)
    pixels, labels = draw_set(1, arguments.pictures_count)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, arguments.steps, pct_start=0.15)
    started, model = time.time(), model.train()
    for step in range(arguments.steps):
        chosen = torch.randint(len(pixels), (arguments.batch,))
        x, y = varied(pixels[chosen], labels[chosen].long())
        outputs = model(normalised(x))
        loss = nn.functional.cross_entropy(outputs["out"], y)
        loss = loss + 0.4 * nn.functional.cross_entropy(outputs["aux"], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == arguments.steps - 1:
            seconds = time.time() - started
            print(f"step {step:5d}  loss {loss.item():.4f}  {seconds:.0f} s", flush=True)
    return model.eval()


@torch.no_grad()
def measure(model, head, first_seed=5000000, count=400):
    """Intersection over union of every class over unseen drawings."""
    n = len(CLASSES)
    confusion = torch.zeros(n * n, dtype=torch.int64)
    for start in range(0, count, 20):
        pixels, labels = draw_set(first_seed + start, 20)
        found = model(normalised(pixels))[head].argmax(1)
        confusion += torch.bincount((labels.long() * n + found).flatten(), minlength=n * n)
    confusion = confusion.view(n, n).double()
    hit = confusion.diag()
    return (hit / (confusion.sum(0) + confusion.sum(1) - hit)).tolist()


class Outputs(_SimpleSegmentationModel):
    """The same modules under the same paths, with a plain pair of outputs for the file."""

    def forward(self, image):
        outputs = super().forward(image)
        return outputs["out"], outputs["aux"]


def export(model):
    import onnx
    wrapped = Outputs(model.backbone, model.classifier, model.aux_classifier).eval()
    axes = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(wrapped, torch.zeros(1, 3, SIZE, SIZE), FILE, opset_version=17,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                      input_names=["image"], output_names=["segmentation", "aux"],
                      dynamic_axes={"image": axes, "segmentation": axes, "aux": axes})
    file = onnx.load(FILE)
    preprocess = {"resize": SIZE, "crop": None, "filter": "bilinear", "scale": 255,
                  "mean": MEAN, "std": STD, "order": "rgb"}
    onnx.helper.set_model_props(file, {"layertap.preprocess": json.dumps(preprocess),
                                       "layertap.classes": json.dumps(CLASSES)})
    for value in file.graph.output:
        value.type.tensor_type.shape.dim[1].dim_value = len(CLASSES)
    for node in file.graph.node:
        node.doc_string = ""    # the exporter's own stack traces: paths of this machine
    onnx.checker.check_model(file)
    onnx.save(file, FILE)
    print(f"wrote {FILE}: {os.path.getsize(FILE)} bytes")


def write_readme(ious, aux, arguments, count):
    size = os.path.getsize(FILE)
    steps, batch, seed = arguments.steps, arguments.batch, arguments.seed
    rows = "\n".join(f"| {c} | {i:.4f} | {a:.4f} |" for c, i, a in zip(CLASSES, ious, aux))
    with open(os.path.join(HERE, "README.md"), "w") as file:
        file.write(f"""# The embedded model

`shapes-deeplabv3.onnx` is a small DeepLabV3: a residual backbone (`backbone.layer1` to
`backbone.layer4`, the last two dilated), atrous spatial pyramid pooling and a head (`classifier`),
and an auxiliary head on `backbone.layer3` (`aux_classifier`). {count:,} parameters, float32,
{size:,} bytes. Convolutions and BatchNorms keep their own values (`training=PRESERVE`); batch,
height and width are free.

It finds {", ".join(CLASSES[1:-1])} and {CLASSES[-1]} in pictures that `train.py` draws itself.
Input `image` float32[N,3,H,W], outputs `segmentation` and `aux` float32[N,{len(CLASSES)},H,W].
Preprocessing and class names are in the file's metadata (`layertap.preprocess`,
`layertap.classes`).

Measured on 400 unseen drawings of 128x128 (intersection over union):

| class | segmentation | aux |
|---|---|---|
{rows}
| **mean** | **{np.mean(ious):.4f}** | **{np.mean(aux):.4f}** |

Made by `models/train.py` ({steps} steps of {batch} pictures, seed {seed},
PyTorch {torch.__version__}); `models/pictures` holds drawings from other seeds. Both are under the
project's licence. `models/train.py --check` compares the file with PyTorch by onnxruntime.
""")


def check():
    """The exported file, run by onnxruntime, against the modules with the file's own weights."""
    import onnx
    import onnxruntime
    file = onnx.load(FILE)
    state = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy())
             for t in file.graph.initializer}
    for node in file.graph.node:    # the exporter stores equal weights once
        if node.op_type == "Identity" and node.input[0] in state:
            state[node.output[0]] = state[node.input[0]]
    model = build().eval()
    missing = model.load_state_dict(state, strict=False).missing_keys
    assert all(name.endswith("num_batches_tracked") for name in missing), missing
    session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
    worst = 0.0
    for shape in [(1, 3, 128, 128), (2, 3, 128, 170), (3, 3, 61, 93), (1, 3, 33, 256)]:
        x = torch.randn(shape)
        found = session.run(None, {"image": x.numpy()})
        with torch.no_grad():
            wanted = list(model(x).values())
        for a, b in zip(found, wanted):
            worst = max(worst, float(np.abs(a - b.numpy()).max() / b.abs().max()))
    print(f"largest difference, relative to the largest magnitude: {worst:.2e}")
    ious = measure(model, "out")
    print(f"mean IoU of the file's weights: {np.mean(ious):.4f}")
    return worst < 1e-5 and np.mean(ious) > 0.9


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=2800)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--pictures-count", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)
    if arguments.pictures:
        return draw_samples()
    if arguments.check:
        raise SystemExit(0 if check() else 1)
    model = build()
    count = sum(p.numel() for p in model.parameters())
    print(f"{count} parameters")
    train(model, arguments)
    ious, aux = measure(model, "out"), measure(model, "aux")
    for name, iou, other in zip(CLASSES, ious, aux):
        print(f"{name:12} IoU {iou:.4f}  aux {other:.4f}")
    print(f"mean IoU {np.mean(ious):.4f} (aux {np.mean(aux):.4f})")
    export(model)
    draw_samples()
    write_readme(ious, aux, arguments, count)
    raise SystemExit(0 if np.mean(ious) > 0.9 else 1)


if __name__ == "__main__":
    main()
