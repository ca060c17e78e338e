"""torchvision's networks by family, the smallest first, with the sizes at which scripts/parity runs them.

`least` is about the smallest picture that a family takes, `full` the size it was made for, `other` what
an export with free dimensions is run at. `free` names what may differ from picture to picture:
"size" (and batch), or "batch" where the network itself is made for one size, or PyTorch cannot pool
other sizes. Videos have a length first.
"""
import collections
import sys
import unittest.mock

import torch
import torchvision

Family = collections.namedtuple("Family", "name least full other free names")
Video = (8, 64, 64)

FAMILIES = [Family(*row[:-1], row[-1].split()) for row in (
    ("alexnet", (224, 224), (224, 224), (224, 224), "batch", "alexnet"),
    ("vgg", (224, 224), (224, 224), (224, 224), "batch", "vgg11 vgg13 vgg16 vgg19"),
    ("vgg_bn", (224, 224), (224, 224), (224, 224), "batch", "vgg11_bn vgg13_bn vgg16_bn vgg19_bn"),
    ("resnet", (64, 64), (224, 224), (97, 128), "size", "resnet18 resnet34 resnet50 resnet101 resnet152"),
    ("resnext", (64, 64), (224, 224), (97, 128), "size",
     "resnext50_32x4d resnext101_32x8d resnext101_64x4d"),
    ("wide_resnet", (64, 64), (224, 224), (97, 128), "size", "wide_resnet50_2 wide_resnet101_2"),
    ("densenet", (64, 64), (224, 224), (97, 128), "size",
     "densenet121 densenet169 densenet201 densenet161"),
    ("squeezenet", (64, 64), (224, 224), (97, 128), "size", "squeezenet1_1 squeezenet1_0"),
    ("googlenet", (64, 64), (224, 224), (97, 128), "size", "googlenet"),
    ("inception", (96, 96), (299, 299), (107, 128), "size", "inception_v3"),
    ("mobilenet_v2", (64, 64), (224, 224), (97, 128), "size", "mobilenet_v2"),
    ("mobilenet_v3", (64, 64), (224, 224), (97, 128), "size", "mobilenet_v3_small mobilenet_v3_large"),
    ("shufflenet", (64, 64), (224, 224), (97, 128), "size",
     "shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0"),
    ("mnasnet", (64, 64), (224, 224), (97, 128), "size", "mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3"),
    ("efficientnet", (64, 64), (224, 224), (97, 128), "size",
     "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 "
     "efficientnet_b6 efficientnet_b7"),
    ("efficientnet_v2", (64, 64), (224, 224), (97, 128), "size",
     "efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l"),
    ("regnet", (64, 64), (224, 224), (97, 128), "size",
     "regnet_y_400mf regnet_x_400mf regnet_x_800mf regnet_y_800mf regnet_x_1_6gf regnet_y_1_6gf "
     "regnet_x_3_2gf regnet_y_3_2gf regnet_x_8gf regnet_y_8gf regnet_x_16gf regnet_y_16gf "
     "regnet_x_32gf regnet_y_32gf"),
    ("convnext", (64, 64), (224, 224), (97, 128), "size",
     "convnext_tiny convnext_small convnext_base convnext_large"),
    ("vit", (64, 64), (224, 224), (64, 64), "batch", "vit_b_32 vit_b_16 vit_l_32 vit_l_16"),
    ("swin", (64, 64), (224, 224), (64, 64), "batch", "swin_t swin_s swin_b"),
    ("swin_v2", (64, 64), (256, 256), (64, 64), "batch", "swin_v2_t swin_v2_s swin_v2_b"),
    ("maxvit", (224, 224), (224, 224), (224, 224), "batch", "maxvit_t"),
    ("deeplabv3", (64, 64), (224, 224), (97, 128), "size",
     "deeplabv3_mobilenet_v3_large deeplabv3_resnet50 deeplabv3_resnet101"),
    ("fcn", (64, 64), (224, 224), (97, 128), "size", "fcn_resnet50 fcn_resnet101"),
    ("lraspp", (64, 64), (224, 224), (97, 128), "size", "lraspp_mobilenet_v3_large"),
    ("video_resnet", Video, (16, 112, 112), (5, 53, 64), "size", "r3d_18 mc3_18 r2plus1d_18"),
    ("s3d", (14, 224, 224), (16, 224, 224), (15, 231, 224), "size", "s3d"),
    ("mvit", (16, 64, 64), (16, 112, 112), (16, 64, 64), "batch", "mvit_v2_s mvit_v1_b"),
    ("swin3d", Video, (16, 112, 112), Video, "batch", "swin3d_t swin3d_s swin3d_b"),
)]


def known(name):
    """Whether this torchvision has it."""
    return name in torchvision.models.list_models()


def left_out(name):
    """Why a network is not compared with this torch; "" where it is."""
    if name.startswith("mvit") and torch.__version__.startswith("1."):
        return "left out: this exporter makes sequences of tensors, which layertap does not have"
    return ""


def build(name, size):
    torch.manual_seed(1)
    options = {"weights": None}
    if name.startswith(("deeplabv3", "fcn", "lraspp")):
        options["weights_backbone"] = None
    if name.startswith(("deeplabv3", "fcn")):
        options["aux_loss"] = True
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False
    if name.startswith("vit"):
        options["image_size"] = size[0]
    if not name.startswith("mvit"):
        return torchvision.models.get_model(name, **options)
    module = sys.modules[torchvision.models.video.MViT.__module__]
    maker, sizes = module._mvit, {"temporal_size": size[0], "spatial_size": tuple(size[1:])}
    with unittest.mock.patch.object(module, "_mvit", lambda *a, **k: maker(*a, **{**k, **sizes})):
        return torchvision.models.get_model(name, **options)  # older ones take no sizes


def chosen(per_family, only):
    """(family, name) of the first `per_family` networks of each family that this torchvision has."""
    for family in FAMILIES:
        names = [n for n in family.names if known(n)]
        for name in names[:per_family] if not only else names:
            if not only or name in only or family.name in only:
                yield family, name
