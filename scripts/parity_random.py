"""Exports random networks and compares every call of every module with PyTorch's. See
scripts/parity-random for how to run it.

A module's value must be right or refused. A refusal is needed where the file does not hold the value:
all values of the file are extracted as well (`value:NAME`), and a refused module whose value is among
them under another name counts as refused without need, unless PyTorch itself shows that the module
handed out what it was given, or the refusal names the value that holds a folded BatchNorm.
"""
import argparse
import collections
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import random_networks  # noqa: E402
from parity_tool import KINDS, NEW, TOLERANCE, Tool, difference, export, tensors_of  # noqa: E402

ORT_LOOP = """
import json, sys, warnings
import numpy as np, onnxruntime as ort
ort.set_default_logger_severity(4)
for line in sys.stdin:
    job = json.loads(line)
    try:
        session = ort.InferenceSession(job["model"], providers=["CPUExecutionProvider"])
        files = {f.split("/")[-1][:-4]: f for f in job["inputs"]}
        arrays = {i.name: np.load(files[i.name]) for i in session.get_inputs()}
        np.savez(job["out"], *session.run(None, arrays))
        print(json.dumps([o.name for o in session.get_outputs()]), flush=True)
    except Exception as problem:
        print(json.dumps({"error": str(problem)[:200]}), flush=True)
"""

Call = collections.namedtuple("Call", "path number tensors given")


def copies(value):
    return [t.detach().clone().numpy() for t in tensors_of(value)]


class Truth:
    """calls in order of execution, outputs; modules that have several paths; modules called twice with
    the same values or in vain, which an exporter merges; modules that are never called."""

    def __init__(self, model, inputs):
        self.calls, names, handles, paths = [], {}, [], collections.Counter()
        for name, module in model.named_modules(remove_duplicate=False):
            names.setdefault(module, name)
            paths[module] += 1
            if hasattr(module, "inplace"):
                module.inplace = False
        self.norms = {names[m] for m in names
                      if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)}
        self.elsewhere = {names[m] for m in names if paths[m] > 1}
        counts = collections.Counter()

        def after(module, given, output):
            path = names[module]
            if path and tensors_of(output):
                self.calls.append(Call(path, counts[path], copies(output), copies(given)))
                counts[path] += 1

        for module in names:
            handles.append(module.register_forward_hook(after))
        with torch.no_grad():
            self.outputs = copies(model(*[i.clone() for i in inputs]))
        for handle in handles:
            handle.remove()
        self.counts = counts
        self.merged = {c.path for c in self.calls for d in self.calls
                       if c.path == d.path and c.number < d.number and len(c.given) == len(d.given)
                       and all(difference(a, b) == 0 for a, b in zip(c.given, d.given))}
        self.twins = {c.path for c in self.calls for d in self.calls if c.path != d.path and
                      len(c.given) == len(d.given) and len(c.tensors) == len(d.tensors) and
                      all(difference(a, b) == 0 for a, b in zip(c.given + c.tensors, d.given + d.tensors))}
        self.merged |= {c.path for c in self.calls if counts[c.path] > 1 and any(
            difference(a, b) == 0 for a in c.tensors for b in c.given)}
        self.silent = {n for n in names.values() if n and n not in counts}


class Checker:
    def __init__(self, arguments, folder):
        self.folder, self.tool = folder, Tool(arguments.build, folder)
        self.counts, self.bad = collections.Counter(), []
        self.ort = None
        if os.environ.get("ORT_PYTHON"):
            self.ort = subprocess.Popen([os.environ["ORT_PYTHON"], "-c", ORT_LOOP],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def complain(self, kind, text):
        self.counts[kind] += 1
        self.bad.append("%s: %s: %s" % (self.title, kind, text))
        print(self.bad[-1], flush=True)

    def ort_outputs(self, path, files):
        if not self.ort:
            return None
        out = os.path.join(self.folder, "ort.npz")
        self.ort.stdin.write(json.dumps({"model": path, "inputs": files, "out": out}) + "\n")
        self.ort.stdin.flush()
        answer = json.loads(self.ort.stdout.readline())
        if isinstance(answer, dict):
            self.counts["onnxruntime refuses"] += 1
            return None
        with np.load(out) as arrays:
            return [arrays["arr_%d" % i] for i in range(len(answer))]

    def save(self, inputs, path):
        """Only what the file has: an exporter may drop an input that nothing needs."""
        files, known = [], {i.name for i in onnx.load(path).graph.input}
        for i, value in enumerate(inputs):
            if "in%d" % i not in known:
                continue
            files.append(os.path.join(self.folder, "in%d.npy" % i))
            np.save(files[-1], value.numpy())
        return files

    def wrong(self, ours, candidates, mode, precise):
        """precise: the same values by float64; where PyTorch's own float32 is far from it, so may ours."""
        error = min(difference(ours, c) for c in candidates)
        if error <= TOLERANCE[mode]:
            return 0.0
        for c, p in zip(candidates, precise):
            if ours.shape == p.shape and difference(ours, p) <= 3 * difference(c, p) + 1e-6:
                return 0.0
        return error

    @staticmethod
    def is_noise(ours, call, candidates):
        """Rounding of what is 0 but for that: the mean of a normalised input."""
        given = max([float(np.abs(g).max()) for g in call.given if g.size] + [0.0])
        return any(ours.shape == c.shape and np.abs(ours - c).max() < 1e-6 * given
                   for c in candidates if c.size)

    def compare(self, path, files, wanted, precise, modes=("fast", "exact")):
        """wanted: list of (selector, call index, candidates). Refusal message or None."""
        for mode in modes:
            arrays, refusal = self.tool.extract(
                path, files, [w[0] for w in wanted], *(["--exact"] if mode == "exact" else []))
            if refusal:
                return refusal[1]
            for ours, (selector, index, candidates) in zip(arrays, wanted):
                error = self.wrong(ours, candidates, mode, precise[index])
                if self.is_noise(ours, self.truth.calls[index], candidates):
                    error = 0.0
                if error:
                    self.complain("WRONG", "%s (%s): off by %.2g, %s against %s" % (
                        selector, mode, error, ours.shape, [c.shape for c in candidates]))
        self.counts["modules right"] += len(wanted)
        return None

    def refusal(self, path, files, selector):
        """The message, or None where it would be answered."""
        _, refusal = self.tool.extract(path, files, [selector], "--dry-run")
        return refusal and refusal[1]

    def held(self, path, files):
        """All values of the file, by name."""
        graph = onnx.load(path).graph
        return self.some_held(path, files, [
            o for n in graph.node for o in n.output if o and n.op_type not in ("Constant", "Shape")])

    def some_held(self, path, files, names):
        """Halves what is refused until those that cannot be asked for are alone."""
        if not names:
            return {}
        arrays, refusal = self.tool.extract(path, files, ["value:" + n for n in names], "--exact")
        if not refusal:
            return dict(zip(names, arrays))
        if len(names) == 1:
            return {}
        middle = len(names) // 2
        return {**self.some_held(path, files, names[:middle]),
                **self.some_held(path, files, names[middle:])}

    @staticmethod
    def parents(path):
        parts = path.split(".")
        return [".".join(parts[:i]) for i in range(1, len(parts))]

    def judge_refusals(self, path, files, refused, given):
        held = self.held(path, files)
        for selector, index, candidates, message in refused:
            call = self.truth.calls[index]
            if any(difference(c, g) == 0 for c in candidates for g in given[index]):
                self.counts["refused: hands out its input"] += 1
                continue
            same = [n for n, v in held.items() if any(difference(v, c) < 1e-5 for c in candidates)]
            if not same:
                self.counts["refused: not in the file"] += 1
            elif ":folded'" in message or call.path in self.truth.norms:
                self.counts["refused: folded"] += 1
            elif any(p in self.truth.silent for p in self.parents(call.path)):
                self.counts["refused: in a holder that is never called"] += 1
            elif re.search(r"has \d+ outputs?", message):
                self.counts["refused: an output that nothing outside uses"] += 1
            elif call.path in self.truth.merged | self.truth.twins:
                self.counts["refused: calls that the exporter merged"] += 1
            elif call.path in self.truth.elsewhere:
                self.counts["refused: two paths"] += 1
            elif re.search(r"does not tell|cannot be told|may be '|activations that were merged|may be the outputs", message):
                self.counts["refused: the file does not tell"] += 1
                self.notes.append("%s: %s: %s (is %s)" % (self.title, selector, message, same))
            else:
                self.complain("refused without need", "%s: %s (is %s)" % (selector, message, same))

    def modules(self, path, files, precise):
        wanted, given = [], [c.given for c in self.truth.calls]
        doubtful = self.truth.merged | self.truth.elsewhere
        taken = {o for n in onnx.load(path).graph.node for o in n.output}
        for index, call in enumerate(self.truth.calls):
            name = call.path
            if self.truth.counts[name] > 1:
                name += "#%d" % call.number
            several = len(call.tensors)
            if call.path in taken and all(any(difference(t, g) == 0 for g in call.given)
                                          for t in call.tensors):
                self.counts["computes nothing and is named like a value"] += 1
                continue
            for i in range(several):
                selector = name if several == 1 else "%s:out[%d]" % (name, i)
                wanted.append((selector, index, call.tensors))
        if not wanted:
            return
        if not any(c.path in doubtful for c in self.truth.calls) and \
                not self.compare(path, files, wanted, precise):
            return
        answered, refused = [], []
        for each in wanted:
            message = self.refusal(path, files, each[0])
            if message and "'module:" in message:
                each = ("module:" + each[0],) + each[1:]
                message = self.refusal(path, files, each[0])
            path_of = self.truth.calls[each[1]].path
            if message is None and path_of in self.truth.elsewhere | self.truth.merged:
                same = [t for c in self.truth.calls if c.path == path_of for t in c.tensors]
                each = each[:2] + (same,)
            answered.append(each) if message is None else refused.append(each + (message,))
        if answered:
            problem = self.compare(path, files, answered, precise)
            if problem:
                self.complain("refused together", problem)
        self.judge_refusals(path, files, refused, given)

    def bare(self, path, files, precise):
        """Bare names of modules that are called several times: refused, or chosen by --calls."""
        for name, count in self.truth.counts.items():
            calls = [i for i, c in enumerate(self.truth.calls) if c.path == name]
            if count < 2 or name in self.truth.elsewhere | self.truth.merged | self.truth.twins or len(self.truth.calls[calls[0]].tensors) > 1:
                continue
            for which, index in (("first", calls[0]), ("last", calls[-1])):
                arrays, message = self.tool.extract(path, files, [name], "--calls", which)
                if message is None and self.wrong(arrays[0], self.truth.calls[index].tensors, "fast",
                                                  precise[index]):
                    self.complain("WRONG", "%s --calls %s" % (name, which))

    def outputs(self, path, files, precise):
        """True if the file says what PyTorch says."""
        names = [o.name for o in onnx.load(path).graph.output]
        arrays, refusal = self.tool.extract(path, files, ["output:" + n for n in names])
        theirs = self.ort_outputs(path, files)
        if refusal:
            if "does not fit" in refusal[1]:
                self.counts["exporter wrong"] += 1
            elif theirs is not None or not self.ort:
                self.complain("does not run", refusal[1])
            return False
        if theirs is not None:
            for name, ours, value in zip(names, arrays, theirs):
                if difference(ours, value) > 1e-4 and not precise:
                    self.complain("WRONG", "output %s against onnxruntime" % name)
                elif difference(ours, value) > 1e-4:
                    self.counts["outputs far from onnxruntime"] += 1
            if any(difference(a, b) > 1e-3 for a, b in zip(theirs, self.truth.outputs)):
                self.counts["exporter wrong"] += 1
                if not any(difference(a, b) > 1e-3 for a, b in zip(arrays, self.truth.outputs)):
                    self.counts["onnxruntime wrong"] += 1  # Resize rounds the other way
                elif any(difference(a, b) > 1e-3 for a, b in zip(theirs, arrays)):
                    self.complain("WRONG", "outputs against onnxruntime")
                return False
        faithful = len(names) == len(self.truth.outputs)
        for name, ours, value in zip(names, arrays, self.truth.outputs):
            if difference(ours, value) > 1e-3:
                self.complain("WRONG", "output %s: %.2g" % (name, difference(ours, value)))
                faithful = False
        return faithful

    def export(self, model, inputs, kind, path, dynamic):
        """Whether it is dynamic: what cannot be exported so is exported at its size."""
        free = [[d for d in range(i.dim()) if d != 1] for i in inputs] if dynamic else None
        try:
            export(model, inputs, ["in%d" % i for i in range(len(inputs))], kind, path, free,
                   **({} if kind == "dynamo" else {"opset_version": 17 if NEW else 16}))
        except Exception:
            if not dynamic:
                raise
            return self.export(model, inputs, kind, path, False)
        if not dynamic:
            self.title = self.title.replace(" dynamic", "")
        return dynamic

    def check(self, seed, kind, dynamic, keep):
        self.title = "seed %s %s%s" % (seed, kind, " dynamic" if dynamic else "")
        self.notes = []
        model, inputs, form = random_networks.network(seed)
        if model is None:
            return
        path = os.path.join(self.folder, "model.onnx")
        try:
            dynamic = self.export(model, inputs, kind, path, dynamic)
        except Exception as problem:
            self.counts["not exported"] += 1
            if os.environ.get("WHY"):
                print(self.title, "not exported:", str(problem).strip().split("\n")[0][:150])
            return
        model.eval()
        if dynamic and form in ("pictures", "signal", "volume", "tokens"):
            inputs = [torch.randn(3, *i.shape[1:2], *[s + 4 for s in i.shape[2:]]) for i in inputs]
        try:
            self.truth = Truth(model, inputs)
        except Exception:
            self.counts["not run at another size"] += 1
            return
        before = len(self.bad)
        precise = [c.tensors for c in Truth(model.double(), [
            i.double() if i.is_floating_point() else i for i in inputs]).calls]
        files = self.save(inputs, path)
        if self.outputs(path, files, precise):
            self.modules(path, files, precise)
            self.bare(path, files, precise)
        self.counts["files"] += 1
        if keep and (len(self.bad) > before or self.notes):
            target = os.path.join(keep, "%d-%s%s" % (seed, kind, "-dynamic" if dynamic else ""))
            shutil.copytree(self.folder, target, dirs_exist_ok=True)
            with open(os.path.join(target, "notes"), "w") as file:
                file.write("\n".join(self.bad[before:] + self.notes) + "\n" + str(model))


def main():
    parser = argparse.ArgumentParser(prog="scripts/parity-random")
    parser.add_argument("build", nargs="?", default="build")
    parser.add_argument("--count", type=int, default=30, help="networks")
    parser.add_argument("--seed", type=int, default=0, help="of the first network")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--keep", help="a folder for the files of each violation")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    began = time.time()
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        checker = Checker(arguments, folder)
        for seed in range(arguments.seed, arguments.seed + arguments.count):
            for kind in arguments.kinds.split(","):
                for file in os.listdir(folder):
                    os.remove(os.path.join(folder, file))
                checker.check(seed, kind, seed % 3 == 2, arguments.keep)
    for what, count in sorted(checker.counts.items()):
        print("%6d %s" % (count, what))
    print("%s in %.0f s" % ("parity holds" if not checker.bad else
                            "%d violations" % len(checker.bad), time.time() - began))
    return 1 if checker.bad else 0


if __name__ == "__main__":
    sys.exit(main())
