"""Makes the small checkpoints that tests read, and attacks/: files by hand that must be refused.

    PYTHON tests/formats/make_checkpoints.py

Needs a PyTorch that writes the legacy layout, too. Run by developers; what it makes is in the tree.
"""
import io
import json
import os
import struct
import zipfile

import numpy as np
import torch
from torch import nn
from torchvision import models as tv
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.segmentation import deeplabv3, fcn
from torchvision.models._utils import IntermediateLayerGetter

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data")
ATTACKS = os.path.join(HERE, "attacks")
CLASSES = 997  # which become 3


def small():
    """A ResNet of one basic block a stage, 4 to 8 channels, 3 classes."""
    torch.manual_seed(3)
    state, widths = {}, (4, 4, 8, 8, 8)

    def conv(name, out, inside, side):
        state[name + ".weight"] = torch.randn(out, inside, side, side) / (inside * side * side) ** 0.5

    def norm(name, size):
        state[name + ".weight"] = torch.rand(size) + 0.5
        state[name + ".bias"] = torch.randn(size) / 10
        state[name + ".running_mean"] = torch.randn(size) / 10
        state[name + ".running_var"] = torch.rand(size) + 0.5
        state[name + ".num_batches_tracked"] = torch.tensor(7)

    conv("conv1", 4, 3, 7), norm("bn1", 4)
    for i in range(1, 5):
        before, size, block = widths[i - 1], widths[i], "layer%d.0." % i
        conv(block + "conv1", size, before, 3), norm(block + "bn1", size)
        conv(block + "conv2", size, size, 3), norm(block + "bn2", size)
        if i > 1:
            conv(block + "downsample.0", size, before, 1), norm(block + "downsample.1", size)
    state["fc.weight"], state["fc.bias"] = torch.randn(3, 8), torch.randn(3)
    return state


class Narrow(ResNet):
    """torchvision's own ResNet, of a bottleneck a stage and few channels; dilated as for segmentation."""

    def __init__(self):
        super().__init__(Bottleneck, [1, 1, 1, 1])
        self.inplanes, self.dilation, self.base_width = 4, 1, 64
        self.conv1, self.bn1 = torch.nn.Conv2d(3, 4, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(4)
        for i, (width, dilate) in enumerate(((1, False), (2, False), (2, True), (2, True)), 1):
            setattr(self, "layer%d" % i, self._make_layer(Bottleneck, width, 2, min(i, 2), dilate))


def segmentation(module, features, name):
    """A network with both heads, and what hooks at its modules give for an odd picture."""
    torch.manual_seed(5)
    backbone = IntermediateLayerGetter(Narrow(), {"layer4": "out", "layer3": "aux"})
    if module == deeplabv3:
        head = deeplabv3.DeepLabHead(8, 3)
        head[0], head[1] = deeplabv3.ASPP(8, [12, 24, 36], 4), torch.nn.Conv2d(4, 4, 3, padding=1, bias=False)
        head[2], head[4] = torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 3, 1)
        model = deeplabv3.DeepLabV3(backbone, head, fcn.FCNHead(8, 3))
    else:
        model = fcn.FCN(backbone, fcn.FCNHead(8, 3), None)
    for key, value in model.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.2)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 2)
    arrays, x = {}, torch.randn(1, 3, 33, 50)

    def keep(path):
        def hook(module, inputs, output):
            arrays[path] = output.detach().numpy().copy()
        return hook

    for path, part in model.eval().named_modules():
        if path in features:
            part.register_forward_hook(keep(path))
    with torch.no_grad():
        arrays.update({k: v.numpy() for k, v in model(x).items()})
    np.savez(os.path.join(DATA, name + ".npz"), x=x.numpy(), **arrays)
    return model.state_dict()


def narrowed(model, divisor, x):
    """The same network of few channels: each layer is made anew for what it reads when it first runs."""
    def part(size):
        return 3 if size == CLASSES else max(1, round(size / divisor))

    def renew(layer, inputs):
        inside = inputs[0].shape[1]
        if isinstance(layer, nn.Conv2d):
            alone = layer.groups > 1
            layer.groups = inside if alone else 1
            layer.in_channels, layer.out_channels = inside, inside if alone else part(layer.out_channels)
            shape = (layer.out_channels, inside // layer.groups, *layer.kernel_size)
            layer.weight = nn.Parameter(torch.randn(shape) * (2 / torch.tensor(shape[1:]).prod()) ** 0.5)
            if layer.bias is not None:
                layer.bias = nn.Parameter(torch.randn(layer.out_channels) / 5)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.weight, layer.bias = nn.Parameter(torch.rand(inside) + 0.5), nn.Parameter(torch.randn(inside) / 5)
            layer.running_mean, layer.running_var = torch.randn(inside) / 5, torch.rand(inside) * 1.5 + 0.5
        else:
            layer.weight = nn.Parameter(torch.randn(part(layer.out_features), inside) / inside ** 0.5)
            layer.bias = nn.Parameter(torch.randn(len(layer.weight)))

    hooks = [m.register_forward_pre_hook(renew) for m in model.modules()
             if isinstance(m, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))]
    with torch.no_grad():
        model.eval()(x)
        for hook in hooks:
            hook.remove()
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
    return model


FAMILIES = {
    "densenet": (lambda: tv.densenet.DenseNet(2, (1, 2, 1, 1), 4, 2, num_classes=CLASSES), 1, (33, 50), (
        "features.denseblock2.denselayer2", "features.denseblock2", "features.transition3", "features.norm5")),
    "squeezenet": (lambda: tv.squeezenet1_1(num_classes=CLASSES), 16, (33, 50), (
        "features.4.expand3x3", "features.8", "features.12", "classifier.3")),
    "googlenet": (lambda: tv.googlenet(num_classes=CLASSES, aux_logits=True, init_weights=False), 32, (33, 50), (
        "maxpool2", "inception3a.branch4", "inception4e", "inception5b.branch3.1.bn")),
    "inception": (lambda: tv.inception_v3(num_classes=CLASSES, init_weights=False), 72, (75, 82), (
        "Mixed_5d.branch_pool.conv", "Mixed_6e.branch7x7dbl_5", "Mixed_7a", "Mixed_7c.branch3x3_2b")),
    "mobilenet_v2": (lambda: tv.mobilenet_v2(num_classes=CLASSES), 20, (33, 50), (
        "features.4", "features.8.conv.1", "features.17.conv.2", "features.18.2")),
    "mobilenet_v3": (lambda: tv.mobilenet_v3_small(num_classes=CLASSES), 16, (33, 50), (
        "features.4", "features.9.block.2", "features.9.block.2.scale_activation", "features.12", "classifier.1")),
    "mnasnet": (lambda: tv.mnasnet0_5(num_classes=CLASSES), 16, (33, 50), (
        "layers.9.2", "layers.10", "layers.13.0.layers.7", "layers.16")),
    "shufflenet": (lambda: tv.shufflenet_v2_x0_5(num_classes=CLASSES), 8, (33, 50), (
        "stage2.0", "stage2.3", "stage3.1.branch2.7", "stage4", "conv5")),
}


def family(name):
    """One of torchvision's networks with few channels, and what hooks at its modules give for an odd picture."""
    make, divisor, size, features = FAMILIES[name]
    torch.manual_seed(7)
    x = torch.randint(-4, 5, (1, 3, *size)) / 2  # packs well
    model, arrays = narrowed(make(), divisor, x), {}
    for path in features:
        model.get_submodule(path).register_forward_hook(
            lambda _, inputs, output, path=path: arrays.update({path: output.clone().numpy()}))
    with torch.no_grad():
        output = model(x)
    arrays["output"] = output.numpy()
    np.savez_compressed(os.path.join(DATA, name + ".npz"), x=x.numpy(), **arrays)
    state = {k: v.half() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    return {k: torch.zeros(1) if k.lower().startswith("aux") else v for k, v in state.items()}


def write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def safetensors(state):
    header, data = {}, b""
    for name, tensor in state.items():
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}[tensor.dtype],
                        "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def checkpoints():
    state = small()
    torch.save(state, os.path.join(DATA, "small.pth"))
    torch.save({"epoch": 1, "optimizer": {"lr": 0.1}, "state_dict": {"module." + k: v for k, v in state.items()}},
               os.path.join(DATA, "small_old.pth"), _use_new_zipfile_serialization=False)
    write(DATA, "small.safetensors", safetensors(state))
    # Views: a slice of a larger storage, a transposition, channels last, half precision.
    views = dict(state)
    wide = torch.empty(4, 12, 7, 7)
    wide[:, 2:5] = state["conv1.weight"]
    views["conv1.weight"] = wide[:, 2:5]
    views["fc.weight"] = state["fc.weight"].t().contiguous().t()
    key = "layer2.0.conv1.weight"
    views[key] = state[key].to(memory_format=torch.channels_last)
    torch.save(views, os.path.join(DATA, "small_views.pth"))
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in state.items()},
               os.path.join(DATA, "small_half.pth"))
    # Packed again by another tool: deflated, so not in place.
    buffer = io.BytesIO()
    with zipfile.ZipFile(os.path.join(DATA, "small.pth")) as source, \
            zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    write(DATA, "small_packed.pth", buffer.getvalue())
    torch.save({"weight": torch.ones(2, 3), "bias": torch.ones(2)}, os.path.join(DATA, "other.pth"))
    extra = dict(state)
    extra["layer1.0.se.fc.weight"] = torch.ones(2, 4)
    torch.save(extra, os.path.join(DATA, "near.pth"))
    torch.save({k: v for k, v in state.items() if not k.startswith("layer2.0.bn1.")},
               os.path.join(DATA, "lacking.pth"))
    torch.save({"module." + k: v for k, v in segmentation(
        deeplabv3, ("backbone.layer3", "backbone.layer4", "classifier.0.convs.1", "classifier.0.convs.4",
                    "classifier.0.convs.4.1", "classifier", "aux_classifier"), "deeplab").items()},
        os.path.join(DATA, "deeplab.pth"))
    write(DATA, "fcn.safetensors", safetensors(segmentation(
        fcn, ("backbone.layer1.0.conv2", "backbone.layer4", "classifier.0"), "fcn")))
    for name in FAMILIES:
        write(DATA, name + ".safetensors", safetensors(family(name)))
    programs(small())


def programs(state):
    """TorchScript: a network that is known, scripted and traced; one that is not; one without tensors."""
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=3)
    model.inplanes, model.conv1, model.bn1 = 4, nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4)
    for i, width in enumerate((4, 8, 8, 8), 1):
        setattr(model, "layer%d" % i, model._make_layer(BasicBlock, width, 1, min(i, 2)))
    model.layer3[0] = BasicBlock(8, 8, 2, nn.Sequential(nn.Conv2d(8, 8, 1, 2, bias=False), nn.BatchNorm2d(8)))
    model.layer4[0] = BasicBlock(8, 8, 2, nn.Sequential(nn.Conv2d(8, 8, 1, 2, bias=False), nn.BatchNorm2d(8)))
    model.fc = nn.Linear(8, 3)
    model.load_state_dict(state)
    torch.jit.script(model.eval()).save(os.path.join(DATA, "small_script.pt"))
    torch.jit.trace(model, torch.zeros(1, 3, 33, 50)).save(os.path.join(DATA, "small_trace.pt"))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), os.path.join(DATA, "script.pt"))
    frozen = torch.jit.freeze(torch.jit.script(torch.nn.Linear(2, 2).eval()))
    torch.jit.save(frozen, os.path.join(DATA, "script_frozen.pt"))


def served(model, packed=False, manifest=None, **more):
    """A .mar as torch-model-archiver writes it, around a file of data/."""
    buffer = io.BytesIO()
    if manifest is None:
        manifest = json.dumps({"runtime": "python", "model": {"modelName": "m", "serializedFile": model,
                                                             "handler": "h.py"}, "archiverVersion": "0.12.0"})
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        if os.path.exists(os.path.join(DATA, model)):
            file.write(os.path.join(DATA, model), model)
        file.writestr("h.py", "raise SystemExit('never run')\n")
        for name, data in more.items():
            file.writestr(name, data)
        file.writestr("MAR-INF/MANIFEST.json", manifest)
    return buffer.getvalue()


def archives():
    write(DATA, "small.mar", served("small.pth"))
    write(DATA, "small_packed.mar", served("small.pth", True))
    write(DATA, "small_script.mar", served("small_script.pt", True))
    write(DATA, "script.mar", served("script.pt"))
    write(DATA, "squeeze1.mar", served("squeeze1.onnx"))


def attacks_of_archives():
    def named(value):
        return json.dumps({"model": {"serializedFile": value}})
    rows = {
        "no_file": served("", manifest='{"model": {"handler": "h.py"}}'),
        "file_missing": served("gone.pth"),
        "file_of_a_number": served("", manifest='{"model": {"serializedFile": 3}}'),
        "file_of_code": served("h.py"),
        "file_with_a_line": served("", manifest=named("a\nb")),
        "itself": served("x.mar", **{"x.mar": served("small.pth")}),
        "its_manifest": served("", manifest=named("MAR-INF/MANIFEST.json")),
        "model_of_a_list": served("", manifest='{"model": []}'),
        "no_json": served("", manifest="model: x"),
        "twice_a_key": served("", manifest='{"model": {"serializedFile": "h.py", "serializedFile": "x"}}'),
        "deep_json": served("", manifest='{"model":' + "[" * 200 + "]" * 200 + "}"),
        "bomb": served("", True, manifest='{"model": "' + " " * (8 << 20) + '"}'),
        "zeros": served("z", True, z=b"\0" * (8 << 20)),
        "cut": served("small.pth")[:-60],
        "cut_inside": served("c.pth", **{"c.pth": open(os.path.join(DATA, "small.pth"), "rb").read()[:-100]}),
    }
    for name, data in rows.items():
        write(ATTACKS, name + ".mar", data)


# Opcodes, as pickletools names them.
def text(s):
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def storage(count=4, key="0", kind=b"FloatStorage"):
    return b"(" + text("storage") + b"ctorch\n" + kind + b"\n" + text(key) + text("cpu") + \
        b"J" + struct.pack("<i", count) + b"tQ"


def ints(*numbers):
    return b"(" + b"".join(b"J" + struct.pack("<i", n) for n in numbers) + b"t"


def tensor(place, offset=0, sizes=(2, 2), strides=(2, 1)):
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + place + b"J" + struct.pack("<i", offset) + \
        ints(*sizes) + ints(*strides) + b"\x89}tR"


def archive(pickle, data=b"\0" * 16, **more):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", more.get("method", zipfile.ZIP_STORED)) as file:
        file.writestr("a/data.pkl", pickle)
        if data is not None:
            file.writestr("a/data/0", data)
        if "script" in more:
            file.writestr("a/constants.pkl", b"\x80\2).")
        if "order" in more:
            file.writestr("a/byteorder", more["order"])
    return buffer.getvalue()


def named(value, name="w"):
    return b"\x80\2}" + text(name) + value + b"s."


def module(*attributes, of="__torch__\nNet"):
    """An object of a TorchScript program: names and values."""
    state = b"".join(text(name) + value for name, value in attributes)
    return b"c" + of.encode() + b"\n)\x81}(" + state + b"ub"


def nested(value, times, name="m"):
    for _ in range(times):
        value = module((name, value))
    return value


def attacks_of_programs():
    w = tensor(storage())
    bush = module(("w", w)) + b"q\0"
    for i in range(40):  # each holds the one before twice
        bush = module(("a", bush), ("b", b"h" + bytes([i]))) + b"q" + bytes([i + 1])
    rows = {
        "state_of_a_string": b"c__torch__\nNet\n)\x81" + text("x") + b"b",
        "state_twice": module(("w", w)) + b"}b",
        "state_missing": b"c__torch__\nNet\n)\x81",
        "circle": b"c__torch__\nNet\n)\x81q\0}(" + text("w") + w + text("m") + b"h\0ub",
        "bush": bush,
        "deep": nested(module(("w", w)), 100),
        "long_path": nested(module(("w", w)), 3, "m" * 300),
        "nul_in_name": module(("a\0b", w)),
        "outside": module(("w", tensor(storage(), offset=1))),
        "class_beside": module(("w", w), of="__torch__x\nNet"),
        "class_of_system": module(("w", w), of="os\nsystem"),
        "tensor_twice": module(("w", w), ("w", w)),
        "dots": module(("a", module(("b", w))), ("a.b", w)),
        "no_tensors": module(("training", b"\x88")),
    }
    for name, pickle in rows.items():
        write(ATTACKS, "program_" + name + ".pt", archive(b"\x80\2" + pickle + b".", script=True))


def attacks():
    rows = {
        "global": named(b"cos\nsystem\n" + text("id") + b"\x85R"),
        "module": named(b"ctorch.nn.modules.conv\nConv2d\n)\x81}b"),
        "stack_global": b"\x80\4}" + text("w") + text("builtins") + text("eval") + b"\x93" + text("1") + b"\x85Rs.",
        "opcode_inst": named(b"(" + text("x") + b"ios\nsystem\n"),
        "opcode_ext": named(b"\x82\1"),
        "opcode_persid": named(b"Pstorage\n"),
        "call_of_a_string": named(text("x") + b")R"),
        "build_of_a_number": named(b"K\1}b"),
        "no_mark": b"\x80\2t.",
        "empty_stack": b"\x80\2.",
        "no_stop": b"\x80\2}",
        "memo_far": b"\x80\2}r\xff\xff\xff\xff.",
        "memo_unset": b"\x80\2h\x05.",
        "string_lies": b"\x80\2X\xff\xff\xff\x7fabc.",
        "long_lies": b"\x80\2\x8a\xffab.",
        "odd_items": b"\x80\2}(" + text("a") + b"u.",
        "items_into_a_tuple": b"\x80\2)(" + text("a") + text("b") + b"u.",
        "itself": b"\x80\2}q\0" + text("a") + b"h\0s.",
        "many_marks": b"\x80\2" + b"(" * 100000,
        "no_tensors": b"\x80\2}" + text("epoch") + b"K\1s.",
        "outside": named(tensor(storage(), offset=1)),
        "outside_by_stride": named(tensor(storage(), strides=(1000, 1))),
        "overflow": named(tensor(storage(), sizes=(2147483647,) * 3, strides=(2147483647,) * 3)),
        "negative_stride": named(tensor(storage(), strides=(-2, 1))),
        "negative_size": named(tensor(storage(), sizes=(-2, 2))),
        "strides_missing": named(tensor(storage(), strides=(1,))),
        "many_dimensions": named(tensor(storage(), sizes=(1,) * 20, strides=(1,) * 20)),
        "storage_larger_than_its_bytes": named(tensor(storage(1000))),
        "storage_missing": named(tensor(storage(key="9"))),
        "storage_of_a_string": named(tensor(text("x"))),
        "storage_without_class": named(tensor(b"(" + text("storage") + text("x") + text("0") + text("cpu") + b"K\4tQ")),
        "storage_negative": named(tensor(storage(-4))),
        "storage_twice": b"\x80\2}" + text("a") + tensor(storage(4)) + b"s" + text("b") + tensor(storage(3)) + b"s.",
        "name_twice": b"\x80\2}" + (text("a") + tensor(storage()) + b"s") * 2 + b".",
        "tensor_without_arguments": named(b"ctorch._utils\n_rebuild_tensor_v2\n)R"),
        "quantized": named(tensor(storage(kind=b"QInt8Storage"))),
    }
    for name, pickle in rows.items():
        write(ATTACKS, name + ".pth", archive(pickle))
    good = named(tensor(storage()))
    write(ATTACKS, "big_endian.pth", archive(good, order="big"))
    write(ATTACKS, "no_bytes.pth", archive(good, None))
    write(ATTACKS, "bomb.pth", archive(b"\x80\2" + b"N" * (65 << 20) + b".", method=zipfile.ZIP_DEFLATED))
    write(ATTACKS, "cut.pth", archive(good)[:-40])
    overlap = bytearray(archive(good))
    at = overlap.rindex(b"PK\1\2")
    overlap[at + 42:at + 46] = struct.pack("<I", 10)
    write(ATTACKS, "overlap.pth", bytes(overlap))
    magic = b"\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    system = b"\x80\2}" + text("little_endian") + b"\x88s."
    legacy = magic + b"\x80\2M\xe9\3." + system
    body = b"\x80\2}" + text("w") + tensor(storage()[:-2] + b"NtQ") + b"s."
    keys = b"\x80\2]" + text("0") + b"a."
    write(ATTACKS, "old_short.pth", legacy + body + keys + struct.pack("<Q", 4) + b"\0" * 15)
    write(ATTACKS, "old_count.pth", legacy + body + keys + struct.pack("<Q", 1 << 61) + b"\0" * 16)
    write(ATTACKS, "old_keys.pth", legacy + body + b"\x80\2}.")
    write(ATTACKS, "old_version.pth", magic + b"\x80\2K\1." + system + body)
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
    write(ATTACKS, "twice.safetensors", struct.pack("<Q", len(header)) + header + b"\0" * 8)
    deep = b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"
    write(ATTACKS, "deep.safetensors", struct.pack("<Q", len(deep)) + deep)


if __name__ == "__main__":
    os.makedirs(ATTACKS, exist_ok=True)
    checkpoints()
    archives()
    attacks()
    attacks_of_programs()
    attacks_of_archives()
