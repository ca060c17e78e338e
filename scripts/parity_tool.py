"""What the parity scripts share: the tool as a program, the measure of a difference, PyTorch's exporters."""
import json
import os
import subprocess
import sys

import numpy as np
import torch
from torch.utils._pytree import tree_flatten

TOLERANCE = {"fast": 1e-4, "exact": 1e-5}
NEW = int(torch.__version__.split(".")[0]) >= 2
KINDS = ("eval", "preserve") + (("dynamo",) if NEW else ())


def tensors_of(value):
    return [t for t in tree_flatten(value)[0] if isinstance(t, torch.Tensor)]


def difference(ours, theirs):
    """Largest difference in parts of the largest magnitude; inf where shapes or specials differ."""
    if ours.shape != theirs.shape or ours.dtype.kind != theirs.dtype.kind:
        return float("inf")
    if ours.size == 0:
        return 0.0
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return float("inf")
    if np.array_equal(ours, theirs, equal_nan=True):
        return 0.0
    wide = np.complex128 if ours.dtype.kind == "c" else np.float64
    apart = float(np.nanmax(np.abs(ours.astype(wide) - theirs)))
    scale = float(np.nanmax(np.abs(theirs)))
    return apart / scale if scale > 0 else float("inf")


class Quiet:
    """No talk from PyTorch's exporters, which goes past sys.stdout."""

    def __enter__(self):
        sys.stdout.flush()
        self.kept = [os.dup(1), os.dup(2)]
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1), os.dup2(null, 2), os.close(null)

    def __exit__(self, *_):
        sys.stdout.flush()
        for target, kept in zip((1, 2), self.kept):
            os.dup2(kept, target), os.close(kept)


def export(model, inputs, names, kind, path, free=None, **options):
    """kind: eval, preserve, dynamo; free: for each input the dimensions (numbers) that are not fixed.
    Raises what torch raises. options: of the TorchScript exporter."""
    if NEW:  # the TorchScript exporter knows no fused attention
        torch.backends.mha.set_fastpath_enabled(False)
    with torch.set_grad_enabled(not NEW), Quiet():  # nor does the old one, which gradients keep from it
        if kind == "dynamo":
            shapes = tuple({d: torch.export.Dim.DYNAMIC for d in dims} for dims in free or ())
            torch.onnx.export(model, tuple(inputs), path, input_names=names, dynamo=True,
                              verbose=False, dynamic_shapes=shapes or None)
            return
        axes = {n: {d: "%s_%d" % (n, d) for d in dims} for n, dims in zip(names, free or ())}
        training = torch.onnx.TrainingMode
        torch.onnx.export(
            model, tuple(inputs), path, input_names=names,
            training=training.PRESERVE if kind == "preserve" else training.EVAL,
            do_constant_folding=kind != "preserve", dynamic_axes=axes or None,
            **({"dynamo": False} if NEW else {}), **options)


class Tool:
    def __init__(self, build, folder):
        self.program = next((p for p in (os.path.join(build, "layertap"),
                                         os.path.join(build, "cli", "layertap"))
                             if os.path.exists(p)), None)
        if not self.program:
            raise SystemExit("%s/layertap is not there: run make first" % build)
        self.folder = folder

    def extract(self, model, files, layers, *options):
        """files: one .npy for each input, called by its name; layers: list of selectors. Arrays in that
        order (none with --dry-run) and None, or None and the refusal as (code, message)."""
        request, output = (os.path.join(self.folder, n) for n in ("layers.json", "features.npz"))
        names = list(dict.fromkeys(layers))
        with open(request, "w") as file:
            json.dump({layer: "f%d" % i for i, layer in enumerate(names)}, file)
        command = [self.program, "extract", model, "--layers-from", request, "--json", *options]
        for name in files:
            command += ["--input", "%s=%s" % (os.path.basename(name)[:-4], name)]
        dry = "--dry-run" in options
        if not dry:
            command += ["-o", output, "--force"]
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if ran.returncode not in (0, 1):
            raise SystemExit("layertap ended with %d: %s\n%s" % (
                ran.returncode, " ".join(command), ran.stderr.decode()))
        if ran.returncode == 1:
            error = json.loads(ran.stdout)["error"]
            return None, (error["code"], error["message"])
        if dry:
            return [], None
        with np.load(output) as features:
            arrays = [features["f%d" % names.index(layer)] for layer in layers]
        os.remove(output)
        return arrays, None
