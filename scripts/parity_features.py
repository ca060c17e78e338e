"""Compares every called module's output with PyTorch's, for networks of torchvision and for small
networks with shared modules, lists and folds. See scripts/parity for how to run it.

For each export: one extraction in fast mode and one in exact mode asks for every call of every module
that the export can hold, as PyTorch tells (parity_truth.py). Each module that it cannot hold is asked
for alone: it must be refused for the right reason, or answered with the right numbers.
"""
import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
import torchvision

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import parity_networks  # noqa: E402
from parity_truth import Truth, shake  # noqa: E402

TOLERANCE = {"fast": 1e-4, "exact": 1e-5}
SEGMENTATION = ("deeplabv3_resnet50", "fcn_resnet50")
MODELS = ("resnet18", "resnet50", "resnext50_32x4d", "vgg11_bn") + SEGMENTATION
SIZES = ((224, 224), (193, 257))
NEW = int(torch.__version__.split(".")[0]) >= 2


def build(name):
    torch.manual_seed(1)
    if name in SEGMENTATION:
        make = getattr(torchvision.models.segmentation, name)
        return make(weights=None, weights_backbone=None, aux_loss=True)
    return getattr(torchvision.models, name)(weights=None)


def export(model, example, kind, path, dynamic):
    """kind: eval, preserve, dynamo. Raises what torch raises."""
    if kind == "dynamo":
        shapes = {"x": {0: "batch", 2: "height", 3: "width"}} if dynamic else None
        torch.onnx.export(model, (example,), path, input_names=["x"], dynamo=True, verbose=False,
                          dynamic_shapes=shapes)
        return
    training = torch.onnx.TrainingMode
    torch.onnx.export(
        model, (example,), path, input_names=["x"],
        training=training.PRESERVE if kind == "preserve" else training.EVAL,
        do_constant_folding=kind != "preserve",
        dynamic_axes={"x": {0: "batch", 2: "height", 3: "width"}} if dynamic else None,
        **({"dynamo": False} if NEW else {}))


class Tool:
    def __init__(self, build_folder, folder):
        self.program = os.path.join(build_folder, "layertap")
        if not os.path.exists(self.program):
            self.program = os.path.join(build_folder, "cli", "layertap")
        if not os.path.exists(self.program):
            raise SystemExit("%s is not there: run make first" % self.program)
        self.folder = folder

    def extract(self, model, array, layers, mode):
        """layers: {selector: name}. The features, or a refusal (code, message)."""
        request = os.path.join(self.folder, "layers.json")
        output = os.path.join(self.folder, "features.npz")
        with open(request, "w") as file:
            json.dump(layers, file)
        command = [self.program, "extract", model, "--layers-from", request, "--input",
                   "x=" + array, "-o", output, "--force", "--json"]
        if mode == "dry":
            command = command[:-4] + ["--dry-run", "--json"]
        elif mode == "exact":
            command.append("--exact")
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if ran.returncode < 0 or ran.returncode > 1:
            raise SystemExit("layertap ended with %d: %s" % (ran.returncode, ran.stderr.decode()))
        if ran.returncode == 1:
            error = json.loads(ran.stdout)["error"]
            return None, (error["code"], error["message"])
        if mode == "dry":
            return {}, None
        with np.load(output) as features:
            result = {name: features[name] for name in features.files}
        os.remove(output)
        return result, None


def difference(ours, theirs):
    """Largest difference in parts of the largest magnitude; inf where shapes or specials differ."""
    if ours.shape != theirs.shape:
        return float("inf")
    if ours.size == 0:
        return 0.0
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return float("inf")
    apart = float(np.nanmax(np.abs(ours.astype(np.float64) - theirs)))
    scale = float(np.nanmax(np.abs(theirs)))
    return apart / scale if scale > 0 else (0.0 if apart == 0 else float("inf"))


class Row:
    """One export's line in the table."""

    def __init__(self, title):
        self.title, self.checked, self.wrong, self.refused, self.beyond, self.reasons = \
            title, 0, 0, 0, 0, 0
        self.worst = {"fast": 0.0, "exact": 0.0}
        self.complaints, self.note, self.doubtful = [], "", set()

    def complain(self, text):
        self.complaints.append("%s: %s" % (self.title, text))

    def bad(self):
        return self.wrong + self.beyond + self.reasons > 0

    def __str__(self):
        if self.note:
            return "%-46s %s" % (self.title, self.note)
        return "%-46s %7d %9.1e %9.1e %6d %8d %7d %8d" % (
            self.title, self.checked, self.worst["fast"], self.worst["exact"], self.wrong,
            self.refused, self.beyond, self.reasons)


HEADER = "%-46s %7s %9s %9s %6s %8s %7s %8s" % (
    "export", "outputs", "fast", "exact", "wrong", "refused", "beyond", "reasons")


def selectors_of(truth, call):
    """(selector, expected array) of a call; each of several outputs by its number."""
    name = call.path if truth.counts[call.path] == 1 else "%s#%d" % (call.path, call.number)
    if len(call.tensors) == 1:
        return [(name, call.tensors)]
    return [("%s:out[%d]" % (name, i), call.tensors) for i in range(len(call.tensors))]


def compare(row, truth, tool, model, array, wanted):
    """wanted: list of (selector, candidates). A call with several outputs hands them out in the order
    of execution, which is not that of its tuple: any one of them is right."""
    layers = {selector: "f%d" % i for i, (selector, _) in enumerate(wanted)}
    for mode in ("fast", "exact"):
        features, refusal = tool.extract(model, array, layers, mode)
        if refusal:
            return refusal
        for selector, candidates in wanted:
            error = min(difference(features[layers[selector]], c) for c in candidates)
            row.worst[mode] = max(row.worst[mode], error)
            if error > TOLERANCE[mode]:
                row.wrong += 1
                row.complain("%s is off by %.2g (%s)" % (selector, error, mode))
    row.checked += len(wanted)
    return None


def ask_each(row, truth, tool, model, array, wanted):
    """Asks alone: who is refused, and why. Gives back what is answered."""
    answered = []
    for path, selector, candidates in wanted:
        _, refusal = tool.extract(model, array, {selector: "f"}, "dry")
        if refusal is None:
            answered.append((selector, candidates))
        elif path in row.doubtful and refusal[0] in ("ambiguous_layer", "unknown_layer"):
            row.refused += 1
        elif not truth.derived(path):
            row.beyond += 1
            row.complain("%s is refused: %s" % (selector, refusal[1]))
        else:
            row.refused += 1
            if not truth.right_reason(path, *refusal):
                row.reasons += 1
                row.complain("%s is refused for the wrong reason: %s" % (selector, refusal[1]))
    return answered


def check(row, truth, tool, model, array):
    sure, derived = [], []
    for call in truth.calls:
        for selector, candidates in selectors_of(truth, call):
            if candidates:
                (derived if truth.derived(call.path) else sure).append(
                    (call.path, selector, candidates))
    refusal = compare(row, truth, tool, model, array, [w[1:] for w in sure])
    answered = ask_each(row, truth, tool, model, array, derived)
    if refusal:
        answered += ask_each(row, truth, tool, model, array, sure)
    if answered:
        compare(row, truth, tool, model, array, answered)


TRUTHS = {}  # of the model at hand, by size: one forward serves all of its exports


def truth_of(model, example, kind):
    size = tuple(example.shape)
    if TRUTHS.get("model") is not model:
        TRUTHS.clear()
        TRUTHS["model"] = model
    if size not in TRUTHS:
        TRUTHS[size] = Truth(model, example, kind)
    return TRUTHS[size].read_as(kind)


def check_export(name, model, kind, size, dynamic, tool, folder):
    title = "%s %s %s%dx%d" % (name, kind, "dynamic " if dynamic else "", *size)
    row = Row(title)
    doubtful = getattr(model, "doubtful", {}).get("dynamo" if kind == "dynamo" else "torchscript")
    row.doubtful = (doubtful or set()) | getattr(model, "elsewhere", set())
    path = os.path.join(folder, "model.onnx")
    example = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(3))
    try:
        other = torch.randn(2, 3, 64, 96) if dynamic else example
        with torch.no_grad():
            export(model, other, kind, path, dynamic)
    except Exception as problem:
        row.note = "PyTorch cannot export this: %s" % str(problem).strip().split("\n")[0][:90]
        return row
    array = os.path.join(folder, "x.npy")
    np.save(array, example.numpy())
    check(row, truth_of(model, example, kind), tool, path, array)
    for file in os.listdir(folder):
        if file.startswith("model.onnx"):
            os.remove(os.path.join(folder, file))
    return row


def plan(arguments):
    """(name, model, kind, size, dynamic), models made one at a time."""
    kinds = ["eval", "preserve"] + (["dynamo"] if NEW else [])
    only = arguments.only.split(",") if arguments.only else None
    for name in MODELS if not arguments.networks else ():
        if only and name not in only:
            continue
        model = shake(build(name))
        sizes = SIZES[:1] if arguments.quick else SIZES
        for kind in kinds:
            for size in sizes:
                yield name, model, kind, size, False
        if not arguments.quick:
            yield name, model, kinds[0] if not NEW else "dynamo", SIZES[1], True
    for network in parity_networks.NETWORKS:
        if only and network.__name__ not in only:
            continue
        torch.manual_seed(1)
        model = shake(network())
        for kind in kinds:
            yield network.__name__, model, kind, (16, 16), False


def main():
    parser = argparse.ArgumentParser(prog="scripts/parity")
    parser.add_argument("build", nargs="?", default="build")
    parser.add_argument("--only", help="names with commas between")
    parser.add_argument("--quick", action="store_true", help="224x224 only")
    parser.add_argument("--networks", action="store_true", help="only the small networks")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    began, bad = time.time(), []
    print("torch %s, torchvision %s; errors in parts of each output's largest magnitude" % (
        torch.__version__, torchvision.__version__))
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        tool = Tool(arguments.build, folder)
        for name, model, kind, size, dynamic in plan(arguments):
            row = check_export(name, model, kind, size, dynamic, tool, folder)
            print(row, flush=True)
            bad += row.complaints if row.bad() else []
    for complaint in bad:
        print(complaint)
    print("%s in %.0f s" % ("parity holds" if not bad else "%d violations" % len(bad),
                            time.time() - began))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
