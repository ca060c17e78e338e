"""Every operator that programs of torch.export hold, against PyTorch, as exported and decomposed.

    PYTHON scripts/parity_programs.py BUILD_FOLDER [GROUP...]

A network returns a dictionary of many results; each is compared, with fixed and with free sizes, in fast
and in exact mode. What is to be refused is listed as such. Networks are in scripts/parity --kinds
program,decomposed. Developers only.
"""
import os
import sys
import tempfile
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from parity_tool import TOLERANCE, Quiet, Tool, difference  # noqa: E402


class Rows(nn.Module):
    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def forward(self, *inputs):
        return {name: row(*inputs) for name, row in self.rows.items()}


def seeded(*sizes, seed=1, positive=False):
    x = torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))
    return x.abs() + 0.1 if positive else x


def weight(*sizes, seed=2):
    return nn.Parameter(seeded(*sizes, seed=seed) / max(1, np.prod(sizes[1:])) ** 0.5)


def overwritten(x):
    y = x * 2
    y[:, 0] = 1.0
    y[:, :, 1:3].mul_(3.0)
    y[:, -1, -2] += x[:, 0, 0]
    z = y.transpose(1, 2)
    z[:, 0].zero_()
    row = y.view(y.shape[0], -1)
    row.clamp_(-1, 1)
    y.unsqueeze(0)[0, :, 1] = -1
    return y + z.transpose(1, 2) + row.view_as(y)


def shared(x):
    a = x + 1
    b = a.relu_()
    b.mul_(2.0)
    c = a[:, 1]
    a.add_(1.0)
    return a + b + c.unsqueeze(1)


def masked(x):
    y = x.clone()
    y[:, 0, 0, 0] = 5
    y.masked_fill_(x > 1, -2.0)
    return y


def plain(x):
    with torch.no_grad():
        y = x * 2
        y.add_(1)
    return y + x


ACTIVATIONS = {
    "relu": F.relu, "relu6": F.relu6, "hardtanh": lambda x: F.hardtanh(x, -0.5, 0.7), "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid, "silu": F.silu, "mish": F.mish, "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "elu": lambda x: F.elu(x, 0.7), "selu": F.selu, "celu": lambda x: F.celu(x, 1.3), "sigmoid": torch.sigmoid,
    "tanh": torch.tanh, "softplus": F.softplus, "softplus_beta": lambda x: F.softplus(x, 2.0), "logsigmoid": F.logsigmoid,
    "softsign": F.softsign, "softshrink": lambda x: F.softshrink(x, 0.3), "hardshrink": lambda x: F.hardshrink(x, 0.4),
    "tanhshrink": F.tanhshrink, "threshold": lambda x: F.threshold(x, 0.2, -3.0), "rrelu": F.rrelu,
    "glu": lambda x: F.glu(x, 1), "softmax": lambda x: F.softmax(x, 1), "log_softmax": lambda x: F.log_softmax(x, -1),
    "softmin": lambda x: F.softmin(x, 2), "dropout": lambda x: F.dropout(x, 0.5, False), "normalize": lambda x: F.normalize(x, dim=1),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.25])), "prelu_channels": lambda x: F.prelu(x, torch.tensor([0.1, 0.2, 0.3, 0.4])),
    "clamp": lambda x: x.clamp(-0.3, 0.4), "clamp_min": lambda x: x.clamp(min=0.1), "clamp_max": lambda x: torch.clamp_max(x, 0.2),
    "clamp_tensor": lambda x: x.clamp(x * 0.5, x * 0.6 + 1), "square": torch.square, "identity": lambda x: x.contiguous().detach(),
    "sdpa": lambda x: F.scaled_dot_product_attention(x, x + 1, x * 2),
    "sdpa_mask": lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=(torch.ones(6, 6).tril() > 0), scale=0.3),
    "sdpa_groups": lambda x: F.scaled_dot_product_attention(x, x[:, :2], x[:, :2] * 2, enable_gqa=True), "no_grad": lambda x: plain(x),
    "sdpa_causal": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
}

MATH = {
    "abs": torch.abs, "neg": torch.neg, "sign": torch.sign, "exp": torch.exp, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan,
    "atan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh, "asinh": torch.asinh, "erf": torch.erf, "erfc": torch.erfc,
    "expm1": torch.expm1, "exp2": torch.exp2, "floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "trunc": torch.trunc,
    "frac": torch.frac, "isnan": torch.isnan, "isinf": torch.isinf, "isfinite": torch.isfinite, "add": lambda x: x + x.flip(3), "alpha": lambda x: torch.add(x, x * 2, alpha=0.5),
    "add_number": lambda x: x + 2, "sub": lambda x: x - x.flip(2), "rsub": lambda x: 1.5 - x, "rsub_alpha": lambda x: torch.rsub(x, 3, alpha=2),
    "mul": lambda x: x * 0.1, "div": lambda x: x / 3, "div_floor": lambda x: torch.div(x, 0.3, rounding_mode="floor"),
    "div_trunc": lambda x: torch.div(x, 0.3, rounding_mode="trunc"), "floor_divide": lambda x: x // 0.7, "remainder": lambda x: x % 0.7,
    "fmod": lambda x: torch.fmod(x, 0.7), "pow2": lambda x: x ** 2, "pow3": lambda x: x ** 3, "pow_base": lambda x: 1.5 ** x,
    "maximum": lambda x: torch.maximum(x, x.flip(1)), "minimum": lambda x: torch.minimum(x, -x), "max_other": lambda x: torch.max(x, x * 2),
    "eq": lambda x: x == x.floor(), "ne": lambda x: x != 0, "lt": lambda x: x < 0.5, "le": lambda x: x <= x.flip(3), "gt": lambda x: x > 1,
    "ge": lambda x: x >= 0, "and": lambda x: (x > 0) & (x < 1), "or": lambda x: torch.logical_or(x > 1, x < -1),
    "xor": lambda x: (x > 0) ^ (x > 1), "not": lambda x: ~(x > 0), "logical_not": lambda x: torch.logical_not(x > 0),
    "where": lambda x: torch.where(x > 0, x, -x), "where_number": lambda x: torch.where(x > 0, x, 7.0), "where_numbers": lambda x: torch.where(x > 0, 1.0, 2.0),
    "masked_fill": lambda x: x.masked_fill(x > 0, float("-inf")), "lerp": lambda x: torch.lerp(x, x * 3, 0.25),
    "addcmul": lambda x: torch.addcmul(x, x, x + 1, value=0.5), "addcdiv": lambda x: torch.addcdiv(x, x, x.abs() + 1, value=0.5),
    "to_int": lambda x: (x * 3).to(torch.int64), "to_half": lambda x: x.half().float(), "int_math": lambda x: (x * 5).int() // 2 + 3,
    "int_rest": lambda x: (x * 9).long() % 4, "int_div": lambda x: (x * 9).long() / 4, "int_and": lambda x: (x * 9).long() & 3,
    "type_as": lambda x: (x > 0).type_as(x), "bool_sum": lambda x: (x > 0).sum(), "overwritten": lambda x: overwritten(x[:, :, :, 0]),
    "shared": shared, "masked": masked, "zero": lambda x: x.clone().zero_() + x, "promoted": lambda x: (x * 3).int() * 0.5 + x.double(),
}

POSITIVE = {
    "log": torch.log, "log2": torch.log2, "log10": torch.log10, "log1p": torch.log1p, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal, "pow_half": lambda x: x ** 0.5, "pow_tensor": lambda x: x ** (x / 2), "acosh": lambda x: torch.acosh(x + 1),
    "asin": lambda x: torch.asin(x.clamp(0, 1)), "acos": lambda x: torch.acos(x.clamp(0, 1)), "atanh": lambda x: torch.atanh(x.clamp(0, 0.9)),
    "rms": lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6),
}

REDUCE = {
    "mean": lambda x: x.mean(), "mean_dim": lambda x: x.mean((2, 3)), "mean_keep": lambda x: x.mean(-1, keepdim=True), "sum": lambda x: x.sum(1),
    "sum_all": lambda x: x.sum(), "prod": lambda x: x.prod(3), "amax": lambda x: x.amax((1, 2)), "amin": lambda x: x.amin(-1, keepdim=True),
    "max": lambda x: x.max(), "min": lambda x: x.min(), "max_dim": lambda x: x.max(1)[0], "max_index": lambda x: x.max(2, keepdim=True)[1],
    "min_dim": lambda x: x.min(3)[0], "argmax": lambda x: x.argmax(1), "argmax_all": lambda x: x.argmax(), "argmin": lambda x: x.argmin(2, keepdim=True),
    "var": lambda x: x.var(1, unbiased=False), "var_unbiased": lambda x: x.var(1), "std": lambda x: x.std(1, keepdim=True), "var_mean": lambda x: torch.var_mean(x, 1)[1],
    "norm": lambda x: x.norm(dim=1), "norm1": lambda x: x.norm(1, dim=(2, 3)), "norm_inf": lambda x: torch.linalg.vector_norm(x, float("inf"), dim=1),
    "norm3": lambda x: torch.linalg.vector_norm(x, 3, dim=1), "logsumexp": lambda x: x.logsumexp(1), "any": lambda x: (x > 2).any(1), "all": lambda x: (x > -2).all(),
    "cumsum": lambda x: x.cumsum(2), "topk": lambda x: x.topk(2, 1)[0], "topk_index": lambda x: x.topk(2, 1)[1], "sort": lambda x: x.sort(1)[0],
    "argsort": lambda x: x.argsort(1, descending=True), "cdist": lambda x: (x[:, :1] - x[:, 1:]).pow(2).sum(-1).sqrt(),
}

SHAPES = {
    "view": lambda x: x.view(x.shape[0], -1), "reshape": lambda x: x.reshape(x.shape[0], 2, 2, -1), "flatten": lambda x: x.flatten(1), "flatten_some": lambda x: x.flatten(1, 2),
    "flatten_all": lambda x: x.flatten(), "unflatten": lambda x: x.unflatten(1, (2, 2)), "permute": lambda x: x.permute(0, 2, 3, 1), "transpose": lambda x: x.transpose(1, 3),
    "t": lambda x: x[0, 0].t(), "movedim": lambda x: x.movedim(1, -1), "swapaxes": lambda x: x.swapaxes(1, 2), "squeeze": lambda x: x[:, :1].squeeze(1), "unsqueeze": lambda x: x.unsqueeze(-1),
    "expand": lambda x: x[:, :1].expand(-1, 4, -1, -1), "expand_as": lambda x: x[:, :1].expand_as(x), "repeat": lambda x: x.repeat(1, 2, 1, 3), "repeat_more": lambda x: x[0].repeat(2, 1, 1, 1),
    "tile": lambda x: x.tile(2), "roll": lambda x: x.roll((1, -2), (2, 3)), "flip": lambda x: x.flip((1, 3)), "cat": lambda x: torch.cat([x, x * 2], 1), "stack": lambda x: torch.stack([x, -x], 2),
    "split": lambda x: x.split(3, 1)[1], "split_sizes": lambda x: x.split([1, 3], 1)[1], "chunk": lambda x: x.chunk(2, 1)[1], "tensor_split": lambda x: x.tensor_split([1, 3], 1)[1], "unbind": lambda x: x.unbind(1)[2], "select": lambda x: x[:, -1],
    "slice": lambda x: x[:, 1:3, ::2], "slice_negative": lambda x: x[:, :, -3:-1], "narrow": lambda x: x.narrow(1, 1, 2), "index_select": lambda x: x.index_select(1, torch.tensor([2, 0])),
    "index": lambda x: x[:, torch.tensor([[0, 1], [3, 2]])], "index_two": lambda x: x[:, torch.tensor([0, 1, 3]), torch.tensor([2, 1, 0])],
    "index_apart": lambda x: x[:2][torch.tensor([0, 1]), :, torch.tensor([2, 1])], "index_grid": lambda x: x[:, :, torch.tensor([[0], [2]]), torch.tensor([1, 3])],
    "gather": lambda x: x[:2].gather(1, torch.zeros(2, 2, 3, 3, dtype=torch.int64)), "pad": lambda x: F.pad(x, (1, 2, 0, 1), value=2.0), "pad_cut": lambda x: F.pad(x, (-1, 1)),
    "pad_reflect": lambda x: F.pad(x, (1, 2, 2, 1), mode="reflect"), "pad_edge": lambda x: F.pad(x, (1, 2, 0, 1), mode="replicate"), "pad_wrap": lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2), "tril": lambda x: x.tril(), "triu": lambda x: x.triu(1),
    "zeros": lambda x: torch.zeros_like(x) + x, "full": lambda x: torch.full((2, 3), 1.5) + x[0, 0, 0, 0], "ones": lambda x: x.new_ones(x.shape) * x, "arange": lambda x: torch.arange(x.shape[3]) + x,
    "arange_steps": lambda x: torch.arange(1, 10, 2).float() + x[0, 0, 0, 0], "linspace": lambda x: torch.linspace(-1, 1, 7) * x[0, 0, 0, 0], "eye": lambda x: torch.eye(3) * x[0, 0, 0, 0],
    "sizes": lambda x: x.reshape(x.shape[0] * x.shape[1], (x.shape[2] * x.shape[3] + 1 - 1)), "half_size": lambda x: x[:, :, : x.shape[2] // 2, (x.shape[3] + 1) // 2:],
    "scaled_by_size": lambda x: x * x.shape[3] / x.shape[2], "one_hot": lambda x: F.one_hot(x.argmax(1), 4), "scatter": lambda x: x[:2].scatter(1, torch.zeros(2, 1, 6, 6, dtype=torch.int64), 3.0),
    "meshgrid": lambda x: torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij")[1] + x[0, 0, 0, 0], "channel_shuffle": lambda x: nn.ChannelShuffle(2)(x),
    "hstack": lambda x: torch.hstack([x, x]), "repeat_interleave": lambda x: x.repeat_interleave(2, 1), "take_along": lambda x: torch.take_along_dim(x, x.argsort(1), 1),
    "unfold": lambda x: F.unfold(x, 3, padding=1, stride=2), "diagonal": lambda x: x.diagonal(dim1=2, dim2=3), "index_put": lambda x: x.index_put((torch.tensor([0, 1]),), x[:2] * 0),
}

def at(*numbers):
    return torch.tensor(numbers)


def written(x, write):
    """A copy of x after `write` overwrote parts of it."""
    y = x * 2
    kept = write(y)
    return y if kept is None else torch.cat([y.flatten(1), kept.reshape(x.shape[0], -1)], 1)


def put(x, places, values):
    y = x * 2
    y[places] = values
    return y


def view_and_base(x):
    y = x * 2
    view = y[:, 0]
    y.add_(1.0)
    return view


INDEX = {
    "index_add": lambda x: x.index_add(1, at(3, 0, 0), x[:, :3], alpha=0.5), "index_copy": lambda x: x.index_copy(2, at(5, 0), x[:, :, 1:3]), "index_fill": lambda x: x.index_fill(1, at(1, 2), 3.0),
    "scatter_src": lambda x: x.scatter(1, x[:, :2].argsort(1), x * 2), "scatter_add_src": lambda x: x.scatter_add(1, x[:, :2].argsort(1), x * 2), "scatter_reduce": lambda x: x.scatter_reduce(1, x[:, :3].argsort(1), x[:, 1:] * 2, "amax"),
    "scatter_multiply": lambda x: x.scatter(1, x[:, :2].argsort(1), 2.0, reduce="multiply"), "gather_fewer": lambda x: x.gather(2, x[:, :2, :3].argsort(2)), "take": lambda x: x[0].take(at(5, 0, 77)), "put_second": lambda x: put(x, (slice(None), at(0, 3)), x[:, :2] * 5),
    "put_apart": lambda x: put(x, (slice(None), at(0, 3), slice(None), at(1, 5)), at(7.0)), "put_grid": lambda x: put(x, (slice(None), slice(None), at(0, 3).unsqueeze(1), at(1, 5)), x[:, :, :2, :2]), "put_added": lambda x: x.transpose(0, 1).index_put((at(1, 1),), x[:, :2].transpose(0, 1), accumulate=True).transpose(0, 1),
    "mask_constant": lambda x: x[:, torch.tensor([True, False, True, True])], "mask_put": lambda x: x.masked_scatter(x > 0.3, x.flip(3)), "mask_number": lambda x: x.index_put((x > 0.5,), at(0.25)), "mask_rows": lambda x: x.index_put((x.sum((2, 3)) > 0,), at(-3.0)),
    "mask_vectors": lambda x: x.index_put((x.sum(3) > 0,), torch.arange(6.0)), "nonzero_constant": lambda x: torch.nonzero(torch.eye(3)) + x[0, 0, 0, 0], "where_constant": lambda x: torch.where(torch.eye(4) > 0)[1] + x[0, 0, 0, 0],
    "select_constant": lambda x: torch.masked_select(x[0, 0], torch.eye(6) > 0), "fold": lambda x: F.fold(F.unfold(x, 3, padding=1), (6, 6), 3, padding=1), "fold_steps": lambda x: F.fold(F.unfold(x, (2, 3), stride=2), (6, 6), (2, 3), stride=2),
    "unfold_dilated": lambda x: F.unfold(x, 2, dilation=(2, 1), padding=(0, 1), stride=(1, 3)), "unfold_alone": lambda x: F.unfold(x[0], 2), "unfold_twice": lambda x: x.unfold(2, 3, 2).unfold(3, 2, 1), "diagonal_off": lambda x: x.diagonal(-1, 1, 3), "diag_embed": lambda x: torch.diag_embed(x[0, :, 0], 1),
    "diag_embed_axes": lambda x: torch.diag_embed(x[0, :, 0], -2, 0, 2), "diag": lambda x: torch.diag(x[0, 0], 1), "diag_of_row": lambda x: torch.diag(x[0, 0, 0]), "trace": lambda x: torch.trace(x[0, 1]), "max_pool_places": lambda x: F.max_pool2d(x, 2, return_indices=True)[1],
    "max_unpool": lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), "adaptive_max_odd": lambda x: F.adaptive_max_pool2d(x, (4, 5)), "adaptive_3d_odd": lambda x: F.adaptive_avg_pool3d(torch.stack([x, -x, x * 2], 2), (2, 4, 5)),
    "smooth": lambda x: F.interpolate(x, size=(4, 3), mode="bilinear", antialias=True), "smooth_cubic": lambda x: F.interpolate(x, size=(3, 9), mode="bicubic", antialias=True), "smooth_corners": lambda x: F.interpolate(x, size=(3, 4), mode="bicubic", antialias=True, align_corners=True),
    "split_in": lambda x: x.tensor_split(4, 3)[1], "broadcast": lambda x: torch.broadcast_tensors(x[:, :1], x[:, :, :1])[1], "ravel": lambda x: x[0].ravel(), "mT": lambda x: x.mT,
}

FORMULAS = {
    "hypot": lambda x: torch.hypot(x, x + 1), "logaddexp": lambda x: torch.logaddexp(x, x * 2), "logit": lambda x: torch.logit(x.sigmoid()), "logit_eps": lambda x: torch.logit(x, 0.1), "deg2rad": torch.deg2rad, "rad2deg": torch.rad2deg, "sgn": torch.sgn,
    "nan_to_num": lambda x: torch.nan_to_num(1 / torch.relu(x), posinf=3.0), "nans": lambda x: torch.nan_to_num(torch.sqrt(x), nan=-1.0), "round": lambda x: torch.round(x, decimals=1), "bucketize": lambda x: torch.bucketize(x, at(-0.5, 0.0, 0.5)), "expit": torch.special.expit,
    "searchsorted": lambda x: torch.searchsorted(at(-0.5, 0.0, 0.5), x, right=True), "pairwise": lambda x: F.pairwise_distance(x, x * 2 + 1), "pairwise_1": lambda x: F.pairwise_distance(x, x * 2 + 1, p=1.0, keepdim=True), "cdist": lambda x: torch.cdist(x[:, 0], x[:, 1, :3] + 1),
    "outer": lambda x: torch.outer(x[0, 0, 0], x[0, 0, 1]), "tensordot": lambda x: torch.tensordot(x, x[0].transpose(0, 1), dims=([1, 3], [1, 2])), "addmv": lambda x: torch.addmv(x[0, 0, 0], x[0, 1], x[0, 0, 2], beta=0.5, alpha=2.0), "vdot": lambda x: torch.vdot(x[0, 0, 0], x[0, 0, 1]),
    "float_power": lambda x: torch.float_power(x.abs(), 1.5), "roll_all": lambda x: x[0].roll(3), "fliplr": torch.fliplr, "flipud": lambda x: torch.flipud(x[0]), "repeat_all": lambda x: x[0].repeat_interleave(3),
    "cond": lambda x: torch.cond(x.sum() > 100, lambda x: x * 2, lambda x: x + 1, (x,)), "cond_two": lambda x: torch.cond(x.sum() < 100, lambda x: (x * 2, x.amax()), lambda x: (x + 1, x.amin()), (x,))[1],
    "cond_overwritten": lambda x: torch.cond(x.sum() < 100, torch.exp, torch.sin, (put(x, (slice(None), 0), 1.0),)), "cond_inside": lambda x: torch.cond(x.sum() < 100, lambda x: torch.cond(x.amax() > 0, torch.neg, torch.tanh, (x,)), torch.sin, (x,)),
}

OVERWRITES = {
    "steps": lambda x: written(x, lambda y: y[:, 1:3, ::2].fill_(7)), "steps_end": lambda x: written(x, lambda y: y[..., 1:-1:3].mul_(x[..., 1:-1:3])), "diagonal": lambda x: written(x, lambda y: y.diagonal(dim1=2, dim2=3).zero_()),
    "chunk": lambda x: written(x, lambda y: y.chunk(3, 2)[1].neg_()), "split": lambda x: written(x, lambda y: y.split([1, 3], 1)[1].mul_(0.5)), "unbind": lambda x: written(x, lambda y: y.unbind(1)[2].zero_()), "tensor_split": lambda x: written(x, lambda y: y.tensor_split([1, 4], 3)[2].zero_()),
    "narrow": lambda x: written(x, lambda y: y.narrow(3, 2, 3).add_(1)), "movedim": lambda x: written(x, lambda y: y.movedim(1, 3)[..., 1].fill_(2.0)), "flatten": lambda x: written(x, lambda y: y.flatten(1)[:, 3].zero_()), "copied": lambda x: written(x, lambda y: y.transpose(1, 2).reshape(-1).mul_(2.0)),
    "viewed": lambda x: written(x, lambda y: y.transpose(2, 3).reshape(x.shape[0], 2, 2, 6, 6).mul_(2.0)), "output": view_and_base, "mask": lambda x: written(x, lambda y: y.masked_fill_(y < 0, 0.0)), "unfolded": lambda x: written(x, lambda y: y.unfold(2, 2, 2).fill_(1.0)),
}

WINDOWS = {
    "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1), "max_pool2d_ceil": lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), "max_pool2d_dilated": lambda x: F.max_pool2d(x, 2, 1, dilation=2),
    "max_pool1d": lambda x: F.max_pool1d(x[:, :, 0], 2), "max_pool3d": lambda x: F.max_pool3d(x.unsqueeze(2), (1, 2, 3)), "avg_pool2d": lambda x: F.avg_pool2d(x, 3, 2, 1), "avg_pool2d_ceil": lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
    "avg_pool2d_inside": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), "avg_pool2d_divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3), "avg_pool1d": lambda x: F.avg_pool1d(x[:, :, 0], 3, 1, 1),
    "avg_pool3d": lambda x: F.avg_pool3d(x.unsqueeze(2), (1, 2, 2)), "adaptive1": lambda x: F.adaptive_avg_pool2d(x, 1), "adaptive_even": lambda x: F.adaptive_avg_pool2d(x, (3, 2)), "adaptive_odd": lambda x: F.adaptive_avg_pool2d(x, (4, 5)),
    "adaptive_1d": lambda x: F.adaptive_avg_pool1d(x[:, :, 0], 4), "adaptive_3d": lambda x: F.adaptive_avg_pool3d(x.unsqueeze(2), 1), "adaptive_max": lambda x: F.adaptive_max_pool2d(x, 1), "adaptive_max_even": lambda x: F.adaptive_max_pool2d(x, 3),
    "nearest": lambda x: F.interpolate(x, scale_factor=2.0), "nearest_size": lambda x: F.interpolate(x, size=(5, 9)), "nearest_exact": lambda x: F.interpolate(x, size=(5, 9), mode="nearest-exact"),
    "bilinear": lambda x: F.interpolate(x, size=(5, 9), mode="bilinear"), "bilinear_corners": lambda x: F.interpolate(x, size=(5, 9), mode="bilinear", align_corners=True), "bilinear_scale": lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "bicubic": lambda x: F.interpolate(x, size=(11, 7), mode="bicubic"), "bicubic_corners": lambda x: F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=True), "linear1d": lambda x: F.interpolate(x[:, :, 0], scale_factor=2, mode="linear"),
    "nearest1d": lambda x: F.interpolate(x[:, :, 0], size=9), "trilinear": lambda x: F.interpolate(x.unsqueeze(2), size=(2, 7, 5), mode="trilinear"), "nearest3d": lambda x: F.interpolate(x.unsqueeze(2), scale_factor=2),
    "bilinear_as": lambda x: F.interpolate(x[:, :, ::2, ::2], size=x.shape[2:], mode="bilinear"),
    "grid_sample": lambda x: F.grid_sample(x, torch.tanh(x[:, :2].permute(0, 2, 3, 1)), align_corners=False), "grid_sample_border": lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1), mode="nearest", padding_mode="border", align_corners=True),
    "grid_sample_bicubic": lambda x: F.grid_sample(x, torch.tanh(x[:, :2].permute(0, 2, 3, 1)), mode="bicubic", padding_mode="reflection", align_corners=False),
}


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.ModuleDict({
            "conv": nn.Conv2d(4, 6, 3, padding=1), "conv_stride": nn.Conv2d(4, 6, (3, 1), (2, 1), (1, 0), bias=False), "conv_groups": nn.Conv2d(4, 8, 3, groups=4, dilation=2, padding=2), "conv_same": nn.Conv2d(4, 4, 4, padding="same"),
            "conv_valid": nn.Conv2d(4, 4, 3, padding="valid"), "conv_reflect": nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), "transposed": nn.ConvTranspose2d(4, 3, 3, 2, 1, 1), "transposed_groups": nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2, bias=False),
            "linear": nn.Linear(6, 5), "linear_plain": nn.Linear(6, 5, bias=False), "batch": nn.BatchNorm2d(4), "batch_plain": nn.BatchNorm2d(4, affine=False), "instance": nn.InstanceNorm2d(4, affine=True), "instance_plain": nn.InstanceNorm2d(4),
            "instance_tracked": nn.InstanceNorm2d(4, track_running_stats=True), "group": nn.GroupNorm(2, 4), "group_plain": nn.GroupNorm(4, 4, affine=False), "layer": nn.LayerNorm(6), "layer_plain": nn.LayerNorm(6, elementwise_affine=False),
            "layer_nobias": nn.LayerNorm(6, bias=False), "rms": nn.RMSNorm(6), "prelu": nn.PReLU(4), "local": nn.LocalResponseNorm(3), "upsample": nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "pixel": nn.PixelShuffle(2)})
        self.others = nn.ModuleDict({
            "conv1d": nn.Conv1d(4, 5, 3, padding=1), "transposed1d": nn.ConvTranspose1d(4, 3, 4, 2, 1), "batch1d": nn.BatchNorm1d(4), "conv3d": nn.Conv3d(4, 5, (1, 3, 3)), "transposed3d": nn.ConvTranspose3d(4, 2, (1, 2, 2), (1, 2, 2)), "batch3d": nn.BatchNorm3d(4),
            "embedding": nn.Embedding(9, 3), "attention": nn.MultiheadAttention(6, 2, batch_first=True), "bilinear": nn.Bilinear(6, 6, 3)})
        self.vector = nn.Parameter(torch.ones(6))

    def forward(self, x):
        out = {name: row(x) for name, row in self.rows.items()}
        others, flat = self.others, x[:, :, 0]
        for name in ("conv1d", "transposed1d", "batch1d"):
            out[name] = others[name](flat)
        for name in ("conv3d", "transposed3d", "batch3d"):
            out[name] = others[name](x.unsqueeze(2))
        out["alone"] = self.rows["conv"](x[0])
        out["batch_rank2"] = others["batch1d"](x[:, :, 0, 0])
        out["embedding"] = others["embedding"]((x[:, 0].abs() * 2).long().clamp(0, 8))
        out["attention"] = others["attention"](flat, flat, flat, need_weights=False)[0]
        out["attention_weights"] = others["attention"](flat, flat + 1, flat)[1]
        out["bilinear"] = others["bilinear"](flat, flat * 2)
        out["matmul"], out["bmm"], out["mv"] = x @ x.transpose(2, 3), torch.bmm(flat, flat.transpose(1, 2)), flat @ self.vector
        out["baddbmm"] = torch.baddbmm(flat @ flat.transpose(1, 2), flat, flat.transpose(1, 2), beta=0.5, alpha=2.0)
        out["addmm"] = torch.addmm(x[0, 0], x[0, 1], x[0, 2], beta=0.5, alpha=2.0)
        out["mm"], out["einsum"] = torch.mm(x[0, 0], x[0, 1]), torch.einsum("bchw,bcwk->bhk", x, x)
        out["weight_norm"] = F.linear(flat, F.normalize(self.others["bilinear"].weight[0], dim=1))
        return out


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.ModuleDict({
            "lstm_cell": nn.LSTMCell(6, 5), "gru_cell": nn.GRUCell(6, 5), "rnn_cell": nn.RNNCell(6, 5, bias=False),
            "lstm": nn.LSTM(6, 5, 2, bidirectional=True, batch_first=True), "lstm_plain": nn.LSTM(6, 5, bias=False),
            "gru": nn.GRU(6, 5, 2), "rnn": nn.RNN(6, 5, nonlinearity="relu", bidirectional=True)})

    def forward(self, x):
        out = {}
        for name, row in self.rows.items():
            if "cell" in name:
                state = row(x[:, 0, 0])
                state = row(x[:, 1, 0], state)
                out[name] = torch.cat(state, 1) if isinstance(state, tuple) else state
                continue
            made, state = row(x[:, :, 0])
            out[name], out[name + "_state"] = made, state[1] if "lstm" in name else state
        return out


def shaken(model):
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(0, 0.4, generator=generator)
                if "var" in name:
                    tensor.abs_().add_(0.5)
    return model


GROUPS = {
    "activations": (lambda: Rows(ACTIVATIONS), (2, 4, 6, 6)), "math": (lambda: Rows(MATH), (2, 4, 6, 6)), "positive": (lambda: Rows(POSITIVE), None),
    "reduce": (lambda: Rows(REDUCE), (2, 4, 6, 6)), "shapes": (lambda: Rows(SHAPES), (2, 4, 6, 6)), "windows": (lambda: Rows(WINDOWS), (2, 4, 6, 6)),
    "index": (lambda: Rows(INDEX), (2, 4, 6, 6)), "overwrites": (lambda: Rows(OVERWRITES), (2, 4, 6, 6)), "formulas": (lambda: Rows(FORMULAS), (2, 4, 6, 6)),
    "layers": (lambda: shaken(Layers()), (2, 4, 6, 6)), "recurrent": (lambda: shaken(Recurrent()), (2, 4, 6, 6)),
}
FIXED = {"shapes", "recurrent"}  # with constants that only fit one batch

# Refused, and why: their operators are not there.
REFUSED = {"smooth_corners", "unfolded"}


def check(group, kind, free, tool, folder):
    make, sizes = GROUPS[group]
    torch.manual_seed(1)
    model, x = make().eval(), seeded(*(sizes or (2, 4, 6, 6)), positive=sizes is None)
    path, file = os.path.join(folder, "m.pt2"), os.path.join(folder, "inputs_0.npy")
    shapes = ({0: torch.export.Dim.DYNAMIC},) if free else None
    if isinstance(model, Rows):
        shapes = (shapes,) if free else None
    try:
        with Quiet():
            program = torch.export.export(model, (x,), dynamic_shapes=shapes)
            if kind == "decomposed":
                program = program.run_decompositions()
            torch.export.save(program, path)
    except Exception as problem:
        return 0, ["%s %s %s: not exported: %s" % (group, kind, free, str(problem).strip().split("\n")[0][:200])]
    if free:
        x = torch.cat([x, x * 0.5 + 0.2, x[:1] * 0.9])
    name = [n.name for n in program.graph.nodes if n.op == "placeholder"][-1]
    file = os.path.join(folder, name + ".npy")
    np.save(file, x.numpy())
    with torch.no_grad():
        truth = {n: t.numpy() for n, t in model(x).items()}
    return compare(group, kind, free, truth, tool, path, file)


def compare(group, kind, free, truth, tool, path, file):
    wrong, count = [], 0
    for mode in ("fast", "exact"):
        options = ["--exact"] if mode == "exact" else []
        names = list(truth)
        arrays, refusal = tool.extract(path, [file], ["output:" + n for n in names], *options)
        if refusal:
            arrays = []
            for n in names:
                found, why = tool.extract(path, [file], ["output:" + n], *options)
                arrays.append(found[0] if found else why)
        for n, ours in zip(names, arrays):
            if isinstance(ours, tuple):
                if n not in REFUSED:
                    wrong.append("%s %s %s: %s is refused: %s" % (group, kind, free, n, ours[1][:300]))
                continue
            count += 1
            error = difference(ours, truth[n])
            if error > TOLERANCE[mode]:
                wrong.append("%s %s %s: %s is off by %.2g (%s) %s %s" % (group, kind, free, n, error, mode, ours.shape, truth[n].shape))
    return count, wrong


def main():
    warnings.filterwarnings("ignore")
    failed, total = [], 0
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(sys.argv[1], folder)
        for group in sys.argv[2:] or GROUPS:
            for kind in ("program", "decomposed"):
                for free in (None,) if group in FIXED else (None, "batch"):
                    count, wrong = check(group, kind, free, tool, folder)
                    print("%-12s %-10s %-6s %4d results, %d wrong" % (group, kind, free or "fixed", count, len(wrong)), flush=True)
                    total += count
                    failed += wrong
    print("\n".join(dict.fromkeys(failed)))
    print("%d results compared, %d wrong" % (total, len(failed)))
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
