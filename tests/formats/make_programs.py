"""Makes the small programs of torch.export that tests read, and attacks/*.pt2, which must be refused.

    PYTHON tests/formats/make_programs.py [OLDER_PYTHON]

Needs PyTorch 2.9 or newer; with an older one (2.6) as well, the layout of that one. Run by developers;
what it makes is in the tree. Numbers that tests expect are written to programs.inc.
"""
import io
import json
import os
import subprocess
import sys
import zipfile

import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scripts"))
import parity_programs  # noqa: E402

DATA = os.path.join(HERE, "data")
ATTACKS = os.path.join(HERE, "attacks")


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(size, size, 3, padding=1, bias=False), nn.BatchNorm2d(size)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5)

    def forward(self, x):
        y = self.relu(self.bn(self.conv(x)))
        y += x
        return self.drop(self.relu(y))


class Small(nn.Module):
    """A shared block, a shared weight, views that are overwritten, several inputs, a dictionary."""

    def __init__(self):
        super().__init__()
        self.block = Block(4)
        self.head, self.tied = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
        self.tied.weight = self.head.weight
        self.register_buffer("shift", torch.arange(8.0).reshape(2, 4).t()[:, 1], persistent=False)
        self.register_buffer("scale", torch.arange(4.0) + 1)

    def forward(self, image, more):
        x = self.block(self.block(image)) + more[0] - more[1]
        pooled = torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1)
        y = self.tied(self.head(pooled) * self.scale) + self.shift
        row = y[:, 1:3]
        row.mul_(2.0)
        y[:, 0] = 0.5
        return {"features": x, "scores": (y, torch.softmax(y.view(-1, 2), 1))}


class Odd(nn.Module):
    """A part of the program without gradients, and an operator that layertap does not have."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        with torch.no_grad():
            x = x + 1
        return self.last(torch.special.bessel_j0(self.first(x)))


def overwriting():
    """Decomposed, the ReLU's value is put back into what it was a view of, in the name of the ReLU."""
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))


def fill(model):
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and "scale" not in name:
                tensor.uniform_(0.2, 1, generator=generator).sub_(0.1 if "var" in name else 0.5)
                if "var" in name:
                    tensor.abs_()
    return model.eval()


def inputs(batch=2, size=6):
    generator = torch.Generator().manual_seed(7)
    image, a, b = (torch.randn(batch, 4, size, size, generator=generator) for _ in range(3))
    return image, [a, b]


def export(model, args, path, free=None, decompose=False):
    program = torch.export.export(model, args, dynamic_shapes=free)
    torch.export.save(program.run_decompositions() if decompose else program, path)


FREE = ({0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},
        [{0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}] * 2) \
    if hasattr(torch.export.Dim, "AUTO") else None


def expected():
    """Outputs and inner values of the small network for inputs that tests make in the same way."""
    model, calls = fill(Small()), []
    model.block.bn.register_forward_hook(lambda m, i, o: calls.append(o.clone()))
    count = 2 * 4 * 5 * 7
    image, a, b = (((torch.arange(count) * k) % 17 / 8 - 1).reshape(2, 4, 5, 7).float() for k in (3, 5, 7))
    with torch.no_grad():
        out = model(image, [a, b])
    rows = {"features": out["features"], "scores.0": out["scores"][0], "scores.1": out["scores"][1],
            "block.bn#0": calls[0], "block.bn#1": calls[1]}
    with open(os.path.join(HERE, "programs.inc"), "w") as file:
        file.write("/* Made by make_programs.py: the first numbers of each output. */\n")
        for name, tensor in rows.items():
            numbers = ", ".join("%.9gF" % n if "." in "%.9g" % n else "%.9g.0F" % n
                                for n in tensor.flatten()[:4].tolist())
            file.write('{"%s", {%s}},\n' % (name, numbers))


USES = ("activations", "math", "reduce", "shapes", "windows", "index", "overwrites", "formulas")


def bare(program):
    """Without what says where in Python an operation stood."""
    for node in program["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {}


def uses():
    """A program for each group of scripts/parity_programs.py, and what PyTorch gives for numbers that tests
    make in the same way: how many, their sum when each is multiplied by its place, and that of sizes."""
    x = ((torch.arange(288) * 7919 % 100003).double() / 50000 - 1).float().reshape(2, 4, 6, 6)
    with open(os.path.join(HERE, "program_uses.inc"), "w") as file:
        file.write("/* Made by make_programs.py: file, output, elements, sum by place, sum of sizes by place. */\n")
        for group in USES:
            model, path = parity_programs.GROUPS[group][0]().eval(), os.path.join(DATA, "program_%s.pt2" % group)
            export(model, (x,), path)
            change(path, path, program_edit(bare))
            with torch.no_grad():
                results = model(x)
            for name, result in results.items():
                if name in parity_programs.REFUSED:
                    continue
                numbers = result.double().flatten()
                numbers[~numbers.isfinite()] = 0
                numbers = numbers * (torch.arange(len(numbers)) * 31 % 101 + 1)
                file.write('{"%s", "%s", %d, %.9g, %.9g},\n' % (
                    group, name, result.numel(), numbers.sum(), numbers.abs().sum()))


def change(source, target, edit):
    """The archive with its program changed by edit(json), or its records by edit(name, bytes)."""
    out = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            data = edit(info.filename, old.read(info.filename))
            if data is not None:
                new.writestr(info.filename, data)
    with open(target, "wb") as file:
        file.write(out.getvalue())


def program_edit(edit):
    def apply(name, data):
        if not name.endswith("models/model.json"):
            return data
        program = json.loads(data)
        edit(program)
        return json.dumps(program).encode()
    return apply


def config_edit(edit):
    def apply(name, data):
        if not name.endswith("model_weights_config.json"):
            return data
        config = json.loads(data)
        edit(config["config"])
        return json.dumps(config).encode()
    return apply


def put(container, key, value):
    container[key] = value


def attacks():
    nodes = lambda p: p["graph_module"]["graph"]["nodes"]  # noqa: E731
    tensors = lambda p: p["graph_module"]["graph"]["tensor_values"]  # noqa: E731
    signature = lambda p: p["graph_module"]["signature"]  # noqa: E731
    scale = lambda c: c["scale"]["tensor_meta"]  # noqa: E731
    programs = {
        "major": lambda p: put(p["schema_version"], "major", 9),
        "no_version": lambda p: p.pop("schema_version"),
        "no_nodes": lambda p: p["graph_module"]["graph"].pop("nodes"),
        "no_signature": lambda p: p["graph_module"].pop("signature"),
        "no_tensors": lambda p: p["graph_module"]["graph"].pop("tensor_values"),
        "node_of_a_number": lambda p: put(nodes(p), 0, 7),
        "node_without_target": lambda p: nodes(p)[0].pop("target"),
        "node_without_outputs": lambda p: nodes(p)[0].pop("outputs"),
        "reads_nothing_known": lambda p: put(nodes(p)[0]["inputs"][0]["arg"]["as_tensor"], "name", "x9"),
        "makes_nothing_known": lambda p: put(nodes(p)[0]["outputs"][0]["as_tensor"], "name", "x9"),
        "made_twice": lambda p: nodes(p).insert(1, nodes(p)[0]),
        "size_negative": lambda p: put(tensors(p)["image"]["sizes"], 1, {"as_int": -3}),
        "size_of_a_string": lambda p: put(tensors(p)["image"]["sizes"], 1, "4"),
        "many_sizes": lambda p: put(tensors(p)["image"], "sizes", [{"as_int": 1}] * 40),
        "weight_of_another_shape": lambda p: put(tensors(p)["b_scale"]["sizes"], 0, {"as_int": 5}),
        "weight_not_there": lambda p: put(signature(p)["input_specs"][0]["parameter"], "parameter_name", "w9"),
        "weight_twice": lambda p: signature(p)["input_specs"].append(signature(p)["input_specs"][0]),
        "input_twice": lambda p: signature(p)["input_specs"].append(signature(p)["input_specs"][-1]),
        "output_not_there": lambda p: put(
            signature(p)["output_specs"][0]["user_output"]["arg"]["as_tensor"], "name", "x9"),
    }
    configs = {
        "outside": lambda c: put(scale(c), "storage_offset", {"as_int": 1}),
        "outside_by_size": lambda c: put(scale(c), "sizes", [{"as_int": 1 << 40}]),
        "stride_missing": lambda c: put(scale(c), "strides", []),
        "dtype_unknown": lambda c: put(scale(c), "dtype", 99),
        "record_missing": lambda c: put(c["scale"], "path_name", "weight_99"),
        "record_of_a_number": lambda c: put(c["scale"], "path_name", 3),
        "pickled": lambda c: put(c["scale"], "use_pickle", True),
        "configs_gone": lambda c: c.clear(),
    }
    source = os.path.join(DATA, "program.pt2")
    for name, edit in programs.items():
        change(source, os.path.join(ATTACKS, name + ".pt2"), program_edit(edit))
    for name, edit in configs.items():
        change(source, os.path.join(ATTACKS, "weight_" + name + ".pt2"), config_edit(edit))
    records = {
        "compiled": lambda n, d: None if "models/" in n else d if "archive_format" in n else None,
        "cut_json": lambda n, d: d[:500] if n.endswith("model.json") else d,
        "deep_json": lambda n, d: b"[" * 9999 if n.endswith("model.json") else d,
        "no_config": lambda n, d: None if n.endswith("_config.json") else d,
    }
    for name, edit in records.items():
        change(source, os.path.join(ATTACKS, name + ".pt2"), edit)


def older():
    """With another Python, whose torch writes the layout before 2.8."""
    export(fill(Small()), inputs(), os.path.join(DATA, "program_flat.pt2"), FREE)


def main():
    if sys.argv[1:] == ["--older"]:
        older()
        return
    export(fill(Small()), inputs(), os.path.join(DATA, "program.pt2"), FREE)
    export(fill(Small()), inputs(), os.path.join(DATA, "program_decomposed.pt2"), FREE, True)
    export(fill(Odd()), (torch.ones(2, 3),), os.path.join(DATA, "program_odd.pt2"))
    export(fill(overwriting()), (torch.ones(2, 5, 3),), os.path.join(DATA, "program_overwriting.pt2"), None, True)
    expected()
    uses()
    attacks()
    if len(sys.argv) > 1:
        subprocess.run([sys.argv[1], os.path.abspath(__file__), "--older"], check=True)


if __name__ == "__main__":
    main()
