"""What the parity scripts of PyTorch share, beside parity_run.py: PyTorch's exporters."""
import os
import sys

import torch
from torch.utils._pytree import tree_flatten

from parity_run import TOLERANCE, Tool, difference  # noqa: F401

NEW = int(torch.__version__.split(".")[0]) >= 2
KINDS = ("eval", "preserve") + (("dynamo",) if NEW else ())
PROGRAMS = ("program", "decomposed") if NEW else ()  # torch.export's own files


def tensors_of(value):
    return [t for t in tree_flatten(value)[0] if isinstance(t, torch.Tensor)]


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
    """kind: of KINDS or PROGRAMS; free: for each input the dimensions (numbers) that are not fixed.
    Raises what torch raises. Of a program, the names of its inputs come back. options: of the TorchScript exporter."""
    if NEW:  # the TorchScript exporter knows no fused attention
        torch.backends.mha.set_fastpath_enabled(False)
    with torch.set_grad_enabled(not NEW), Quiet():  # nor does the old one, which gradients keep from it
        shapes = tuple({d: torch.export.Dim.DYNAMIC for d in dims} for dims in free or ()) if NEW else ()
        if kind in PROGRAMS:
            program = torch.export.export(model, tuple(inputs), dynamic_shapes=shapes or None)
            torch.export.save(program if kind == "program" else program.run_decompositions(), path)
            return program.graph_signature.user_inputs
        if kind == "dynamo":
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
