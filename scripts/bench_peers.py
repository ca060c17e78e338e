#!/usr/bin/env python3
"""Latency beside other engines, alternating: layertap bench in a process of its own, then each peer
that Python can import, and again. What is printed are medians over the rounds, and the median of the
rounds' ratios layertap / peer (below 1: layertap is sooner). Nothing here is needed to build, test or
use layertap.

usage: bench_peers.py LAYERTAP [--threads N] [--rounds N] [--runs N] MODEL...
MODEL is an ONNX file, or the name of a torchvision network (random weights; wants torch)."""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")


def onnxruntime_peer(model, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model["file"], options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, model["inputs"])


def openvino_peer(model, threads):
    import openvino
    core = openvino.Core()
    graph = core.read_model(model["file"])
    graph.reshape({name: list(array.shape) for name, array in model["inputs"].items()})
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
             "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(graph, "CPU", hints).create_infer_request()
    return lambda: request.infer(model["inputs"])


def torch_peer(model, threads):
    import torch
    if model["network"] is None:
        raise RuntimeError("wants a torchvision name, not a file")
    torch.set_num_threads(threads)
    inputs = [torch.from_numpy(array) for array in model["inputs"].values()]

    def run():
        with torch.inference_mode():
            model["network"](*inputs)
    return run


@contextlib.contextmanager
def quiet():
    """Programs that are started inside say nothing."""
    nothing, kept = os.open(os.devnull, os.O_WRONLY), (os.dup(1), os.dup(2))
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in (nothing, *kept):
            os.close(descriptor)


def ncnn_peer(model, threads):
    import ncnn
    import pnnx
    import torch
    if model["network"] is None:
        raise RuntimeError("wants a torchvision name, not a file")
    inputs = [torch.from_numpy(array) for array in model["inputs"].values()]
    base = os.path.splitext(model["file"])[0]
    with quiet():
        pnnx.export(model["network"], base + ".pt", tuple(inputs), fp16=False)
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    if net.load_param(base + ".ncnn.param") or net.load_model(base + ".ncnn.bin"):
        raise RuntimeError("pnnx wrote nothing that ncnn reads")
    array = next(iter(model["inputs"].values()))[0]

    def run():
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(array))
        extractor.extract("out0")
    return run


PEERS = {"onnxruntime": onnxruntime_peer, "openvino": openvino_peer, "torch": torch_peer,
         "ncnn": ncnn_peer}


def importable():
    found = []
    for name in PEERS:
        try:
            __import__(name)
            found.append(name)
        except Exception:  # a broken wheel is as good as none
            pass
    return found


def export(name, folder):
    """A torchvision network with random weights, as an ONNX file."""
    import torch
    import torchvision
    families = (torchvision.models, torchvision.models.segmentation)
    make = next((getattr(f, name) for f in families if callable(getattr(f, name, None))), None)
    if make is None:
        sys.exit(f"{name} is neither a file nor a network of torchvision")
    side = 520 if make.__module__.startswith("torchvision.models.segmentation") else 224
    none = {} if side == 224 else {"weights_backbone": None}
    network = make(weights=None, **none).eval()
    path = os.path.join(folder, name + ".onnx")
    options = {"dynamo": False} if "dynamo" in torch.onnx.export.__code__.co_varnames else {}
    torch.onnx.export(network, torch.zeros(1, 3, side, side), path, opset_version=16, **options)
    return network, path


def bench(tool, path, threads, runs):
    out = subprocess.run([tool, "bench", path, "--threads", str(threads), "--runs", str(runs),
                          "--json"], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def prepare(name, folder, tool, threads):
    import numpy
    network, path = (None, name) if os.path.exists(name) else export(name, folder)
    rng = numpy.random.default_rng(0)
    inputs = {}
    for port in bench(tool, path, threads, 1)["inputs"]:
        array = rng.standard_normal(port["shape"]) if port["dtype"].startswith("float") \
            else numpy.zeros(port["shape"])
        inputs[port["name"]] = array.astype(port["dtype"])
    return {"file": path, "network": network, "inputs": inputs}


def median_ms(run, runs):
    times = []
    for i in range(runs + 2):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times[2:])


def compare(name, names, options, folder):
    model = prepare(name, folder, options.tool, options.threads)
    peers = {}
    for peer in names:
        try:
            peers[peer] = PEERS[peer](model, options.threads)
        except Exception as reason:
            print(f"{name}: {peer} is left out: {str(reason).splitlines()[0]}", file=sys.stderr)
    ours, theirs = [], {peer: [] for peer in peers}
    for _ in range(options.rounds):
        ours.append(bench(options.tool, model["file"], options.threads, options.runs)
                    ["latency_ms"]["median"])
        for peer, run in peers.items():
            theirs[peer].append(median_ms(run, options.runs))
    for peer, times in theirs.items():
        ratio = statistics.median(a / b for a, b in zip(ours, times))
        print(f"{os.path.basename(name):24} {peer:12} {statistics.median(ours):10.2f} "
              f"{statistics.median(times):10.2f} {ratio:7.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("models", nargs="*")
    options = parser.parse_intermixed_args()
    names = importable()
    models = options.models or (["resnet18", "mobilenet_v3_large"] if "torch" in names else [])
    if not names:
        print("alone: Python here has none of", ", ".join(PEERS))
        return
    if not models:
        print("name ONNX files to compare with", ", ".join(names))
        return
    print(f"\nmilliseconds per forward, {options.threads} threads, {options.rounds} rounds of "
          f"{options.runs} runs, alternating")
    print(f"{'model':24} {'peer':12} {'layertap':>10} {'peer':>10} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for name in models:
            compare(name, names, options, folder)


main()
