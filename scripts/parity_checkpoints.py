"""Every module of torchvision's networks as layertap builds them from a checkpoint, against PyTorch.

    PYTHON scripts/parity_checkpoints.py BUILD_FOLDER [NAME[+OPTION=VALUE]...]

Random weights with statistics of BatchNorm that matter, in every layout; an odd size and a batch of 2.
Each output of each call of each module is compared, in fast mode and in exact mode; none may be missing.
Developers only.
"""
import ast
import collections
import json
import os
import struct
import sys
import tempfile
import warnings

import numpy as np
import torch
import torchvision

from parity_tool import TOLERANCE, Tool, difference, tensors_of

FAMILIES = ("efficientnet", "regnet", "convnext", "vit", "swin", "mobilenet", "mnasnet", "shufflenet", "squeezenet",
            "densenet", "googlenet", "inception")
NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
         "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2", "vgg11", "vgg13",
         "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "alexnet") + tuple(
    n for n in torchvision.models.list_models(torchvision.models) if n.startswith(FAMILIES))
SEGMENTATION = ("deeplabv3_resnet50", "deeplabv3_resnet101", "fcn_resnet50", "fcn_resnet101",
                "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large")
# Options of torchvision's functions; channels: of the input.
VARIANTS = ("googlenet+aux_logits=False", "inception_v3+aux_logits=False", "inception_v3+channels=1",
            "mobilenet_v2+width_mult=0.35", "mobilenet_v2+width_mult=1.4", "mobilenet_v2+channels=1",
            "mobilenet_v3_large+width_mult=0.75", "mobilenet_v3_small+reduced_tail=True",
            "densenet121+channels=1", "densenet121+bn_size=2", "shufflenet_v2_x0_5+channels=4",
            "mnasnet0_5+channels=1", "squeezenet1_1+channels=1")
SIZES = {"vgg": (96, 113), "alexnet": (96, 113), "inception": (107, 139)}


def widen_input(model, channels):
    first = next(m for m in model.modules() if isinstance(m, torch.nn.Conv2d))
    first.in_channels = channels
    first.weight = torch.nn.Parameter(torch.randn(first.out_channels, channels, *first.kernel_size) / 10)


def make(name, options):
    torch.manual_seed(1)
    channels = options.pop("channels", 3)
    if name in SEGMENTATION:
        model = getattr(torchvision.models.segmentation, name)(
            weights=None, weights_backbone=None, num_classes=5, **({} if "lraspp" in name else {"aux_loss": True}))
    else:
        model = getattr(torchvision.models, name)(weights=None, num_classes=7, **options)
    if channels != 3:
        widen_input(model, channels)
    for key, tensor in model.state_dict().items():
        if key.endswith("running_mean"):
            tensor.normal_(0, 0.2)
        elif key.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.dim() == 1 and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if key.endswith("weight") else tensor.normal_(0, 0.1)
        elif tensor.is_floating_point() and tensor.numel() > 1 and tensor.min() == tensor.max():
            tensor.normal_(0, 0.1)  # what begins as zeros, or with one number
    return model.eval()


def save_safetensors(state, path):
    header, data = {}, bytearray()
    for name, tensor in state.items():
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def truth(model, x):
    calls = collections.defaultdict(list)

    def hook(path):
        def keep(module, inputs, output):
            calls[path].append([t.detach().clone().numpy() for t in tensors_of(output)])
        return keep

    for path, module in model.named_modules():
        if path:
            module.register_forward_hook(hook(path))
    with torch.no_grad():
        model(x)
    return {path + ("#%d" % i if len(found) > 1 else "") + (":out[%d]" % k if len(arrays) > 1 else ""): array
            for path, found in calls.items() for i, arrays in enumerate(found) for k, array in enumerate(arrays)}


def check(name, tool, folder):
    name, *options = name.split("+")
    options = {key: ast.literal_eval(value) for key, value in (o.split("=") for o in options)}
    channels = options.get("channels", 3)
    model = make(name, options)
    size = next((size for start, size in SIZES.items() if name.startswith(start)), (65, 97))
    size = (model.image_size,) * 2 if hasattr(model, "image_size") else size
    x = torch.randn(2, channels, *size)
    np.save(os.path.join(folder, "x.npy"), x.numpy())
    path = os.path.join(folder, name + ".pth")
    state = {"epoch": 3, "model": {"module." + k: v for k, v in model.state_dict().items()}}
    torch.save(state, path)
    wanted = truth(model, x)
    worst = {}
    for layout, mode in (("zip", "fast"), ("zip", "exact"), ("legacy", "fast"), ("safetensors", "fast")):
        if layout == "legacy":
            torch.save(state, path, _use_new_zipfile_serialization=False)
        elif layout == "safetensors":
            path = path[:-4] + ".safetensors"
            save_safetensors(model.state_dict(), path)
        arrays, refusal = tool.extract(path, [os.path.join(folder, "x.npy")], list(wanted),
                                       *(["--exact"] if mode == "exact" else []))
        if refusal:
            return "refused: %s (%s)" % (refusal, layout)
        errors = {k: difference(a, wanted[k]) for k, a in zip(wanted, arrays)}
        layer = max(errors, key=errors.get)
        worst[mode] = max(worst.get(mode, 0), errors[layer])
        if errors[layer] > TOLERANCE[mode]:
            return "wrong: %s is off by %.2g (%s, %s)" % (layer, errors[layer], layout, mode)
    return "%5d outputs, fast %.1e (zip, legacy, safetensors), exact %.1e" % (
        len(wanted), worst["fast"], worst["exact"])


def main():
    failed = 0
    warnings.filterwarnings("ignore", category=FutureWarning)  # of weights that begin otherwise one day
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(sys.argv[1], folder)
        for name in sys.argv[2:] or NAMES + SEGMENTATION + VARIANTS:
            line = check(name, tool, folder)
            failed += "outputs" not in line
            print("%-34s %s" % (name, line), flush=True)
            for left in os.listdir(folder):
                os.remove(os.path.join(folder, left))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
