"""Small networks as PyTorch exports them, with what PyTorch computes of them in float64: what tests/io/exported_program.cpp reads.

usage: python make.py [FOLDER]      (PyTorch 2.9 or newer; the files here are from 2.15, schema 8.20)

NAME.pt2 holds the network, NAME.safetensors a batch and its logits in both modes of batch norm.
"""
import copy
import json
import os
import sys
import tempfile
import zipfile

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file


class Layers(nn.Module):
    """Convolutions of every geometry, shared and strided weights, activations, and the features of a convolution that classifies."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Conv2d(6, 5, 1)  # registered first, computed last
        self.even = nn.Conv2d(3, 4, (2, 4), padding="same", bias=False)
        self.dilated = nn.Conv2d(4, 4, 3, stride=(2, 1), padding=(2, 1), dilation=(2, 1), groups=2)
        self.norm = nn.BatchNorm2d(4, eps=1e-3)
        self.prelu = nn.PReLU(4)
        self.first = nn.Conv2d(4, 4, 1, bias=False)
        self.second = nn.Conv2d(4, 4, 1)
        self.second.weight = self.first.weight
        self.channels_last = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
        packed = torch.randn(2, 6, 6, 1, 1)
        self.left, self.right = nn.Conv2d(6, 6, 1, bias=False), nn.Conv2d(6, 6, 1, bias=False)
        self.left.weight, self.right.weight = nn.Parameter(packed[0]), nn.Parameter(packed[1])
        self.drop = nn.Dropout(0.5, inplace=True)

    def forward(self, x):
        x = F.leaky_relu(self.even(x), 0.2)
        x = self.prelu(self.norm(self.dilated(x)))
        x = F.elu(self.first(x), 0.7) + F.gelu(self.second(x))
        x = F.hardtanh(self.channels_last(x), 0.0, float("inf"))
        x = torch.tanh(self.left(x)) + F.gelu(self.right(x), approximate="tanh")
        x = F.hardswish(x).clamp(-1, 2)
        x = F.silu(x, inplace=True)
        x = self.classifier(self.drop(x.clone()).contiguous())
        return F.adaptive_avg_pool2d(F.relu(x), (1, 1)).squeeze(3).squeeze(2)


class Joins(nn.Module):
    """Gates, numbers, slices, shuffles, padding and pools that do not divide."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.branch = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.counts = nn.Conv2d(10, 6, 1)
        self.hidden = nn.Linear(6 * 8, 7)
        self.head = nn.Linear(7, 4)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x * 2.0 - 0.5)), inplace=True)
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        x = x * gate / 1.5
        left, right = x.split([4, 4], 1)
        x = torch.cat((left - right, self.branch(right)), 1)
        b, c, h, w = x.shape
        x = x.reshape(b, 2, c // 2, h, w).permute(0, 2, 1, 3, 4).reshape(b, c, h, w)
        x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        x = F.avg_pool2d(x, 2, 1, 1, count_include_pad=False) + F.avg_pool2d(x, (2, 2), 1, 1)
        x = F.pad(x[:, :, ::2, 1:], (1, 0, 0, 0, 1, 1))
        x = F.hardsigmoid(self.counts(F.interpolate(x, scale_factor=2, mode="nearest")))
        x = F.adaptive_avg_pool2d(x, (4, 2)) * 3 + 1
        x = F.relu6(self.hidden(torch.flatten(x, 1)))
        return {"logits": self.head(x), "hidden": x}["logits"], x


class Line(nn.Module):
    """Convolutions over a line, with weights of 16 bits."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv1d(2, 6, 5, padding=2, stride=2)
        self.narrow = nn.Conv1d(6, 6, 3, groups=3)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.wide(x)), 2)
        return self.head(F.adaptive_avg_pool1d(F.relu(self.narrow(x)), 1).flatten(1))


def without_paths(source, target):
    """The archive without notes on this machine's files, which would be most of it."""
    def strip(at):
        if isinstance(at, dict):
            at.pop("stack_trace", None)
            at.pop("torch_fn", None)
        for each in at.values() if isinstance(at, dict) else at if isinstance(at, list) else ():
            strip(each)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("models/model.json"):
                graph = json.loads(data)
                strip(graph)
                data = json.dumps(graph, separators=(",", ":")).encode()
            new.writestr(zipfile.ZipInfo(name), data)


def initialise(network):
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.dtype.is_floating_point and not name.endswith("norm.weight"):
            value.normal_(0, 0.5)


def main(folder):
    cases = {"layers": (Layers(), (3, 9, 8)), "joins": (Joins(), (2, 10, 11)), "line": (Line(), (2, 24))}
    for seed, (name, (network, extents)) in enumerate(cases.items()):
        torch.manual_seed(seed)
        initialise(network)
        network = network.bfloat16() if name == "line" else network
        batch = torch.randn(4, *extents)
        kept = copy.deepcopy(network).double()
        tensors = {"input": batch}
        for mode in ("eval", "train"):
            for module in kept.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.train(mode == "train")
                elif isinstance(module, nn.Dropout):
                    module.eval()
            logits = copy.deepcopy(kept)(batch.double())
            tensors[f"logits.{mode}"] = (logits[0] if isinstance(logits, tuple) else logits).detach()
            if isinstance(logits, tuple):
                tensors[f"features.{mode}"] = logits[1].detach()
        save_file(tensors, f"{folder}/{name}.safetensors")
        dynamic = ({0: torch.export.Dim("batch", min=2, max=64)},)
        program = torch.export.export(network.eval(), (batch[:2].to(next(network.parameters()).dtype),), dynamic_shapes=dynamic)
        with tempfile.TemporaryDirectory() as scratch:
            torch.export.save(program, f"{scratch}/{name}.pt2")
            without_paths(f"{scratch}/{name}.pt2", f"{folder}/{name}.pt2")
        print(name, os.path.getsize(f"{folder}/{name}.pt2"))


if __name__ == "__main__":
    with torch.no_grad():
        main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
