#!/usr/bin/env python3
"""Beside other engines, alternating: layertap bench in a process of its own, then each peer that
Python can import, and again. What is printed are medians over the rounds, and the median of the
rounds' ratios layertap / peer. Then, in fresh processes, the time from nothing to the first answer
and the peak of memory, beside ONNX Runtime's. Nothing here is needed to build, test or use layertap.

usage: bench_peers.py LAYERTAP [--threads N,...] [--rounds N] [--runs N] [-r LAYER]... MODEL...
MODEL is an ONNX file, the name of a torchvision network (random weights; wants torch), or "nine":
the nine that the README's numbers are about. With -r, everybody is asked for these layers as its
users would: onnx.utils.extract_model, create_feature_extractor."""
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

NINE = ["resnet18", "resnet50", "vgg16", "mobilenet_v3_large", "efficientnet_b0", "vit_b_16", "swin_t",
        "convnext_tiny", "deeplabv3_resnet50"]


def onnxruntime_peer(model, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model["asked"], options,
                                           providers=["CPUExecutionProvider"])
    return lambda: session.run(model["values"] or None, model["inputs"])


def openvino_peer(model, threads):
    import openvino
    core = openvino.Core()
    graph = core.read_model(model["asked"])
    graph.reshape({name: list(array.shape) for name, array in model["inputs"].items()})
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
             "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(graph, "CPU", hints).create_infer_request()
    return lambda: request.infer(model["inputs"])


def torch_peer(model, threads):
    import torch
    network = model["network"]
    if network is None:
        raise RuntimeError("wants a torchvision name, not a file")
    if model["layers"]:
        from torchvision.models.feature_extraction import create_feature_extractor
        network = create_feature_extractor(network, model["layers"])
    inputs = [torch.from_numpy(array) for array in model["inputs"].values()]

    def run():
        torch.set_num_threads(threads)
        with torch.inference_mode():
            network(*inputs)
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
    if model["network"] is None or model["layers"]:
        raise RuntimeError("wants a torchvision name, and has names of its own for inner layers")
    inputs = [torch.from_numpy(array) for array in model["inputs"].values()]
    base = os.path.splitext(model["file"])[0]
    if not os.path.exists(base + ".ncnn.bin"):
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
        if extractor.extract("out0")[0]:
            raise RuntimeError("ncnn gives no output")
    return run


PEERS = {"onnxruntime": onnxruntime_peer, "openvino": openvino_peer, "torch": torch_peer,
         "ncnn": ncnn_peer}

FIRST = """
import json, sys, time
def peak():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM")) << 10
import numpy, onnxruntime
inputs, before = dict(numpy.load(sys.argv[2])), peak()
began = time.perf_counter()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(json.loads(sys.argv[4]) or None, inputs)
print(json.dumps({"first_ms": (time.perf_counter() - began) * 1e3, "peak": peak(), "before": before}))
"""


def why(reason):
    lines = str(reason).strip().splitlines() or [type(reason).__name__]
    return lines[0]


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
    import inspect
    import torch
    import torchvision
    families = (torchvision.models, torchvision.models.segmentation)
    make = next((getattr(f, name) for f in families if callable(getattr(f, name, None))), None)
    if make is None:
        raise RuntimeError("neither a file nor a network of torchvision")
    side = 520 if make.__module__.startswith("torchvision.models.segmentation") else 224
    none = {} if side == 224 else {"weights_backbone": None}
    network = make(weights=None, **none).eval()
    path = os.path.join(folder, name + ".onnx")
    options = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    with quiet():
        torch.onnx.export(network, torch.zeros(1, 3, side, side), path, opset_version=17, **options)
    return network, path


def bench(options, path, threads, runs, *more):
    command = [options.tool, "bench", path, "--threads", str(threads), "--runs", str(runs), "--batch",
               "1", "--json", *more]
    for layer in options.layers:
        command += ["-r", layer]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(why(done.stderr.decode())) from None
    if "error" in answer:
        raise RuntimeError(answer["error"]["message"])
    return answer


def ask(options, path, folder):
    """The file with the layers' values as outputs, and their names in the file."""
    if not options.layers:
        return path, []
    import onnx
    import onnx.utils
    listed = json.loads(subprocess.run([options.tool, "layers", path, "--json"],
                                       stdout=subprocess.PIPE, check=True).stdout)["layers"]
    values = {line["name"]: line.get("value") for line in listed}
    names = [values.get(layer) or layer for layer in options.layers]
    asked = os.path.join(folder, "asked.onnx")
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    try:  # only what the layers need, as ONNX's own tool cuts it
        onnx.save(model, asked + ".all")
        onnx.utils.extract_model(asked + ".all", asked, [i.name for i in model.graph.input],
                                 list(dict.fromkeys(names)))
    except Exception:  # then everything runs
        kept = {output.name for output in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in dict.fromkeys(names)
                                  if n not in kept)
        onnx.save(model, asked)
    return asked, names


def prepare(name, folder, options):
    import numpy
    network, path = (None, name) if os.path.exists(name) else export(name, folder)
    rng = numpy.random.default_rng(0)
    inputs = {}
    for port in bench(options, path, options.threads[0], 1)["inputs"]:
        array = rng.standard_normal(port["shape"]) if port["dtype"].startswith("float") \
            else numpy.zeros(port["shape"])
        inputs[port["name"]] = array.astype(port["dtype"])
    asked, values = ask(options, path, folder)
    return {"file": path, "network": network, "inputs": inputs, "asked": asked, "values": values,
            "layers": options.layers, "name": os.path.basename(name)}


def median_ms(run, runs):
    times = []
    for i in range(runs + 2):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times[2:])


def leave_out(model, peer, reason):
    print(f"{model}: {peer} is left out: {why(reason)}", file=sys.stderr, flush=True)


def take_turns(model, names, threads, options):
    """Medians of layertap's rounds, and of each peer's."""
    peers, ours, theirs = {}, [], {}
    for peer in names:
        try:
            peers[peer] = PEERS[peer](model, threads)
            peers[peer]()
            theirs[peer] = []
        except Exception as reason:
            leave_out(model["name"], peer, reason)
    for _ in range(options.rounds):
        ours.append(bench(options, model["file"], threads, options.runs)["latency_ms"]["median"])
        for peer in list(theirs):
            try:
                theirs[peer].append(median_ms(peers[peer], options.runs))
            except Exception as reason:
                leave_out(model["name"], peer, reason)
                del theirs[peer]
    return ours, theirs


def compare(model, names, options):
    for threads in options.threads:
        ours, theirs = take_turns(model, names, threads, options)
        for peer, times in theirs.items() or [("", [])]:
            ratio = f"{statistics.median(a / b for a, b in zip(ours, times)):10.2f}" if times else ""
            peer_ms = f"{statistics.median(times):10.2f}" if times else ""
            print(f"{model['name']:24} {threads:7} {statistics.median(ours):10.2f}  {peer:12} "
                  f"{peer_ms:>10} {ratio}", flush=True)


def first_of_runtime(model, threads, folder):
    import numpy
    inputs = os.path.join(folder, "inputs.npz")
    numpy.savez(inputs, **model["inputs"])
    out = subprocess.run([sys.executable, "-c", FIRST, model["asked"], inputs, str(threads),
                          json.dumps(model["values"])], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def compare_first(model, names, options, folder):
    """From nothing to the first answer, the best of three, and the peak of memory."""
    for threads in options.threads:
        ours = [bench(options, model["file"], threads, 1) for _ in range(3)]
        line = (f"{model['name']:24} {threads:7} {min(o['first_ms'] for o in ours):10.1f} "
                f"{min(o['peak_bytes'] for o in ours) / 1e6:10.1f}")
        if "onnxruntime" in names:
            try:
                theirs = [first_of_runtime(model, threads, folder) for _ in range(3)]
                least = min(theirs, key=lambda t: t["peak"])
                line += (f" {min(t['first_ms'] for t in theirs):12.1f} {least['peak'] / 1e6:10.1f} "
                         f"{(least['peak'] - least['before']) / 1e6:10.1f}")
            except Exception as reason:
                leave_out(model["name"], "onnxruntime", reason)
        yield line


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--threads", default=str(len(os.sched_getaffinity(0))))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("-r", "--return", dest="layers", action="append", default=[])
    parser.add_argument("models", nargs="*")
    options = parser.parse_intermixed_args()
    options.threads = [int(n) for n in options.threads.split(",")]
    options.models = [m for name in options.models for m in (NINE if name == "nine" else [name])]
    return options


def main():
    options = read_options()
    names = importable()
    models = options.models or (["resnet18", "mobilenet_v3_large"] if "torch" in names else [])
    if not names:
        print("alone: Python here has none of", ", ".join(PEERS))
        return
    if not models:
        print("name ONNX files to compare with", ", ".join(names))
        return
    asked = " for " + ", ".join(options.layers) if options.layers else ""
    print(f"\nOne forward{asked}, in milliseconds: medians of {options.rounds} rounds of {options.runs} "
          "runs, taking turns;\nthe ratio is the median of the rounds' layertap / peer: below 1, "
          f"layertap is sooner.\n{'model':24} {'threads':>7} {'layertap':>10}  {'peer':12} "
          f"{'peer':>10} {'ratio':>10}")
    firsts = []
    for name in models:
        with tempfile.TemporaryDirectory() as folder:
            try:
                model = prepare(name, folder, options)
                compare(model, names, options)
                firsts += compare_first(model, names, options, folder)
            except Exception as reason:
                print(f"{name} is left out: {why(reason)}", file=sys.stderr)
    print("\nFresh processes: milliseconds from nothing to the first answer, the best of three; peak of "
          "memory (VmHWM) in MB.\nONNX Runtime's process is a Python: what it grew by since before "
          f"opening stands behind.\n{'model':24} {'threads':>7} {'layertap':>10} {'peak':>10} "
          f"{'onnxruntime':>12} {'peak':>10} {'growth':>10}")
    print("\n".join(firsts))


if __name__ == "__main__":
    main()
