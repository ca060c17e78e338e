"""Makes small checkpoints of torchvision's families, data/tv_*.safetensors, and torchvision.inc: the first
numbers that PyTorch gives for some of their layers.

    PYTHON tests/formats/make_torchvision.py

Run by developers; what it makes is in the tree.
"""
import os

import torch
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.regnet import BlockParams, RegNet
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformer, SwinTransformerBlockV2
from torchvision.models.vision_transformer import VisionTransformer

from make_checkpoints import DATA, HERE, safetensors, write

SIDES = 45, 37  # of the input


def efficientnet():
    """The depths of b0, by which it is known."""
    blocks = (1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 3), (2, 1, 3), (2, 2, 4), (2, 1, 1)  # expand, stride, depth
    return EfficientNet([MBConvConfig(e, 3, s, 8, 8, n) for e, s, n in blocks], 0.2, num_classes=3, last_channel=8)


def regnet(se_ratio):
    return RegNet(BlockParams([1, 2], [8, 16], [4, 8], [1.0, 1.0], [2, 2], se_ratio), num_classes=3, stem_width=8)


def swin(window, **more):
    return SwinTransformer([4, 4], 8, [2, 1], [2, 4], [window, window], num_classes=3, mlp_ratio=2, **more)


NETWORKS = {
    "efficientnet": (efficientnet(), ("features.0.2", "features.1.0", "features.3.1.stochastic_depth",
                                      "features.3.1.block.2.scale_activation", "features.7", "classifier")),
    "regnet_x": (regnet(None), ("stem", "trunk_output.block1", "trunk_output.block2.block2-1.f", "fc")),
    "regnet_y": (regnet(0.25), ("trunk_output.block2.block2-0.proj", "trunk_output.block2.block2-1.f.se",
                                "trunk_output.block2.block2-1", "fc")),
    "convnext": (ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 2)], num_classes=3),
                 ("features.0.1", "features.1.0.block.1", "features.1.0.block.6", "features.2.0",
                  "features.3.1.stochastic_depth", "classifier.0", "classifier")),
    "swin": (swin(3), ("features.0.1", "features.1.0.attn", "features.1.1.attn", "features.1.1.stochastic_depth#1",
                       "features.2", "features.3.0.mlp", "permute", "head")),
    "swin_v2": (swin(4, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2),
                ("features.1.1.attn", "features.1.1.attn.cpb_mlp", "features.1.1.mlp", "features.2", "head")),
    "vit_of_other_width": (VisionTransformer(32, 16, 2, 2, 8, 16, num_classes=3), ()),
}


def fill(model):
    """Numbers that no layer hides: statistics of BatchNorm that matter, no zeros."""
    for key, tensor in model.state_dict().items():
        if key.endswith("running_mean"):
            tensor.normal_(0, 0.2)
        elif key.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif not tensor.is_floating_point() or key.endswith("relative_coords_table"):
            continue
        elif tensor.dim() == 1:
            tensor.uniform_(0.5, 1.5) if key.endswith("weight") else tensor.normal_(0, 0.1)
        else:
            tensor.normal_(0, (tensor[0].numel() or 1) ** -0.5)
    return model.eval().half().float()


def first_numbers(model, layers):
    found = {}

    def hook(path):
        return lambda module, inputs, output: found.setdefault(path, []).append(output.detach().clone())

    for path, module in model.named_modules():
        module.register_forward_hook(hook(path))
    count = 3 * SIDES[0] * SIDES[1]
    image = (torch.arange(count) * 5 % 17).float().reshape(1, 3, *SIDES) / 8 - 1
    with torch.no_grad():
        model(image) if layers else None
    for layer in layers:
        path, _, call = layer.partition("#")
        yield layer, found[path][int(call or 0)].flatten()[:4].tolist()


def main():
    torch.manual_seed(5)
    lines = ["/* Made by make_torchvision.py: the first numbers of each layer's output. */"]
    for name, (model, layers) in NETWORKS.items():
        fill(model)
        state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()
                 if not k.endswith("num_batches_tracked")}
        write(DATA, "tv_%s.safetensors" % name, safetensors(state))
        for layer, numbers in first_numbers(model, layers):
            numbers += [0.0] * (4 - len(numbers))
            lines.append('{"%s", "%s", {%s}},' % (name, layer, ", ".join("%.9gF" % n if n != int(n) else "%d.0F" % n
                                                                         for n in numbers)))
    write(HERE, "torchvision.inc", ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
