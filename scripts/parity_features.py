"""Compares every called module's output with PyTorch's, for networks of torchvision (parity_zoo.py) and
for small networks that are hard on names (parity_networks.py) or on operators (parity_operations.py).
See scripts/parity for how to run it; parity_check.py for what is measured.
"""
import argparse
import concurrent.futures
import logging
import multiprocessing
import os
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
import torchvision

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import parity_networks  # noqa: E402
import parity_operations  # noqa: E402
import parity_zoo  # noqa: E402
from parity_check import HEADER, Check, Row  # noqa: E402
from parity_tool import KINDS, NEW, PROGRAMS, Tool, export  # noqa: E402
from parity_truth import Truth, shake  # noqa: E402


SMALL = {n.__name__: n for n in parity_networks.NETWORKS + parity_operations.NETWORKS}


def told(model, what, default=None):
    """What a small network's class says of itself; an object's attributes are its modules."""
    return getattr(type(model), what, default)


def able(network, what, kind, default):
    """Whether a small network is for this kind; what holds for the dynamo exporter holds for programs."""
    return ("dynamo" if kind in PROGRAMS else kind) in told(network, what, default)


class Network:
    """A model with inputs at some sizes. free: the dimensions that a dynamic export leaves open."""

    def __init__(self, family, name, model):
        self.family, self.name, self.model, self.truths = family, name, shake(model), {}

    def inputs(self, size, batch):
        generator = torch.Generator().manual_seed(3)
        if told(self.model, "inputs"):
            return self.model.inputs(generator, size, batch)
        return [torch.randn(batch, 3, *size, generator=generator)]

    def truth(self, size, batch, kind):
        """One forward serves all the exports of a size."""
        if (size, batch) not in self.truths:
            self.truths[size, batch] = Truth(self.model, self.inputs(size, batch), kind)
        return self.truths[size, batch].read_as(kind)

    def free(self, inputs, what):
        if what is None:
            return None
        if told(self.model, "free"):
            return told(self.model, "free")
        return [[0] + (list(range(2, i.dim())) if what == "size" else []) for i in inputs]

    def doubtful(self, kind):
        doubtful = told(self.model, "doubtful", {}).get(
            "dynamo" if kind == "dynamo" else "program" if kind in PROGRAMS else "torchscript")
        return (doubtful or set()) | told(self.model, "elsewhere", set())

    def check(self, kind, size, exported, free, tool):
        """size: what is run. exported: the size of the export. free: None, "batch" or "size"."""
        batch = 1 if free is None else 3
        title = "%s %s %s%s" % (self.name, kind, "free %s, " % free if free else "",
                                "x".join(map(str, size)))
        row = Row(title, (self.family, kind))
        row.doubtful = self.doubtful(kind)
        names = told(self.model, "names", ["x"])
        with tempfile.TemporaryDirectory(dir=tool.folder) as folder:
            path = os.path.join(folder, "model.pt2" if kind in PROGRAMS else "model.onnx")
            try:
                example = self.inputs(exported, 1 if free is None else 2)
                names = export(self.model, example, names, kind, path, self.free(example, free)) or names
            except Exception as problem:
                cause = problem.__cause__ or problem
                said = [line for line in str(cause).split("\n") if line.strip()] or ["?"]
                row.note = "PyTorch cannot export this: %s" % said[0][:90]
                row.counts["not exported"] += 1
                return row
            files = [os.path.join(folder, name + ".npy") for name in names]
            for file, value in zip(files, self.inputs(size, batch)):
                np.save(file, value.numpy())
            Check(row, self.truth(size, batch, kind), tool, path, files).run()
        return row


def rows_of(job):
    """job: (family, name, arguments). In a process of its own: the rows of a network."""
    family, name, arguments = job
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // arguments.jobs))
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        tool = Tool(arguments.build, folder)
        kinds = arguments.kinds.split(",")
        if family is None:
            torch.manual_seed(1)
            network = Network("small networks", name, SMALL[name]())
            size = told(network.model, "size", (16, 16))
            other = told(network.model, "other")
            kinds = [kind for kind in kinds if able(network.model, "kinds", kind, KINDS)]
            plan = [(kind, size, size, None) for kind in kinds]
            plan += [(kind, other, size, "size") for kind in kinds
                     if other and able(network.model, "free_kinds", kind, ("eval", "dynamo"))]
        elif parity_zoo.left_out(name):
            row = Row(name, (family.name, "left out"))
            row.note = parity_zoo.left_out(name)
            row.counts["left out"] += 1
            return [row]
        else:
            size = family.full if arguments.full else family.least
            network = Network(family.name, name, parity_zoo.build(name, size))
            plan = [(kind, size, size, None) for kind in kinds]
            other = family.other if family.free == "size" or not arguments.full else family.full
            if not arguments.fixed and (NEW or arguments.full or family.free == "size"):
                plan += [(kind, other, size, family.free) for kind in kinds
                         if kind != "preserve" or arguments.full]
        return [network.check(*each, tool) for each in plan]


def apart(context, job):
    """rows_of in a process of its own, whose memory goes back when it ends."""
    try:
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as process:
            return process.submit(rows_of, job).result()
    except concurrent.futures.process.BrokenProcessPool:
        row = Row(job[1], ("ended", "early"))
        row.note = "ended early, perhaps for want of memory"
        row.complain("wrong", row.note)
        return [row]


def sums(rows):
    """A line for each family and exporter, and one for all."""
    groups, everything = {}, Row("all")
    for row in rows:
        group = groups.setdefault(row.group, Row("%s %s" % row.group))
        group.add(row)
        everything.add(row)
    return list(groups.values()) + [everything]


def jobs_of(arguments):
    only = arguments.only.split(",") if arguments.only else None
    per_family = None if arguments.full else arguments.per_family
    jobs = []
    if not arguments.networks:
        jobs += [(family, name, arguments) for family, name in parity_zoo.chosen(per_family, only)]
    if not arguments.zoo:
        jobs += [(None, name, arguments) for name in SMALL if not only or name in only]
    return jobs


def arguments_of():
    parser = argparse.ArgumentParser(prog="scripts/parity")
    parser.add_argument("build", nargs="?", default="build")
    parser.add_argument("--only", help="networks or families, with commas between")
    parser.add_argument("--kinds", default=",".join(KINDS), help="exports: " + ",".join(KINDS + PROGRAMS))
    parser.add_argument("--per-family", type=int, default=2 if NEW else 1, metavar="N",
                        help="the N smallest networks of each family of torchvision")
    parser.add_argument("--full", action="store_true", default=bool(os.environ.get("FULL")),
                        help="all networks, at the size they were made for (also FULL=1)")
    parser.add_argument("--fixed", action="store_true", help="no exports with free dimensions")
    parser.add_argument("--networks", action="store_true", help="only the small networks")
    parser.add_argument("--zoo", action="store_true", help="only torchvision's networks")
    parser.add_argument("--jobs", type=int, default=min(2, len(os.sched_getaffinity(0))),
                        help="networks at the same time")
    parser.add_argument("--verbose", action="store_true", help="every violation, not four of an export")
    return parser.parse_args()


def main():
    arguments = arguments_of()
    Tool(arguments.build, ".")
    began, rows = time.time(), []
    print("torch %s, torchvision %s; errors in parts of each output's largest magnitude" % (
        torch.__version__, torchvision.__version__))
    print(HEADER, flush=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["parity_zoo", "parity_operations"])
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for new in pool.map(lambda job: apart(context, job), jobs_of(arguments)):
            for row in new:
                print(row, flush=True)
            rows += new
    print("\n" + HEADER.replace("export", "sum of"))
    for row in sums(rows):
        print(row)
    bad = [complaint for row in rows for complaint in row.complaints]
    for row in rows:
        shown = row.complaints if arguments.verbose else row.complaints[:4]
        for complaint in shown:
            print(complaint)
        if len(shown) < len(row.complaints):
            print("%s: and %d more (--verbose)" % (row.title, len(row.complaints) - len(shown)))
    unable, left_out = (sum(row.counts[what] for row in rows) for what in ("not exported", "left out"))
    print("%s: %d exports, %d that PyTorch cannot make, %d networks left out, in %.0f s" % (
        "parity holds" if not bad else "%d violations" % len(bad), len(rows) - left_out, unable,
        left_out, time.time() - began))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
