#!/usr/bin/env python3
"""Makes the small networks in tests/cli/networks: one of each way in which layers stand together.
Random weights; BatchNormalization stays by itself. Developers only; needs torch and onnx.
Usage: make_networks.py [FOLDER]"""
import os
import sys

import torch
from torch import nn


def conv(a, b, k=3, **more):
    return nn.Sequential(nn.Conv2d(a, b, k, padding=k // 2, bias=False, **more), nn.BatchNorm2d(b))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv(3, 8, stride=2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.one, self.two, self.side = conv(8, 16, stride=2), conv(16, 16), conv(8, 16, 1, stride=2)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.pool(self.relu(self.stem(x)))
        x = self.relu(self.two(self.relu(self.one(x))) + self.side(x))
        return self.fc(x.mean((2, 3)))


class Inverted(nn.Module):
    """Depthwise, squeeze and excitation, hard activations."""
    def __init__(self):
        super().__init__()
        self.expand, self.deep = conv(3, 16, 1), conv(16, 16, 5, groups=16)
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.project = conv(16, 8, 1)
        self.act, self.gate = nn.Hardswish(), nn.Hardsigmoid()

    def forward(self, x):
        x = self.act(self.deep(self.act(self.expand(x))))
        s = torch.relu(self.squeeze(x.mean((2, 3), keepdim=True)))
        return self.project(x * self.gate(self.excite(s)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, 8)
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm1(x)).reshape(1, -1, 3, 2, 8).permute(2, 0, 3, 1, 4)
        y = ((q * 8 ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(1, -1, 16))
        return x + self.mlp(self.norm2(x))


class Dense(nn.Module):
    """BatchNormalization first, then Relu, then Conv; concatenations; an upsampling."""
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.norm1, self.conv1 = nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3, padding=1)
        self.norm2, self.conv2 = nn.BatchNorm2d(12), nn.Conv2d(12, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 3, 2, 2)

    def forward(self, x):
        x = self.stem(x)
        x = torch.cat([x, self.conv1(torch.relu(self.norm1(x)))], 1)
        x = torch.cat([x, self.conv2(torch.relu(self.norm2(x)))], 1)
        return torch.sigmoid(self.up(nn.functional.avg_pool2d(x, 2))), x


folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "networks")
os.makedirs(folder, exist_ok=True)
torch.manual_seed(3)
for make in (Residual, Inverted, Attention, Dense):
    network = make().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    torch.onnx.export(network, torch.zeros(1, 3, 32, 32),
                      os.path.join(folder, make.__name__.lower() + ".onnx"), opset_version=17,
                      input_names=["x"], training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False, dynamo=False)
