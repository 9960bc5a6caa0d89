#!/bin/sh
# torch-pruning 1.6.1 with torch 2.15.0 from pip, on the CPU: what MagnitudePruner leaves of a width, where one would guess otherwise.
#  1. round_to=8 rounds down what stays: of 20 channels a ratio of .3 leaves 8, not 14 or 16, and where nothing would stay all stay: .7
#     leaves 20 of 20, and .3 of 10 leaves 10.
#  2. In a convolution of 4 groups every group loses at least one channel: .1 of 16 leaves 12; .3 leaves 8; .9 leaves all 16.
#  3. The option-A shortcut of CIFAR's ResNets, whose channels are padded with zeros (by pad or by cat), raises IndexError.
#  4. Two layers of one weight come out as two weights, of other values.
# lnpt's `coupled_channels` rounds widths up and lets other channels go until its budget holds, prunes such shortcuts, and leaves a shared weight one.
# Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 torch-pruning==1.6.1 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import importlib.metadata

import torch
import torch_pruning
from torch import nn
from torch.nn import functional

assert torch.__version__.startswith("2.15.0") and importlib.metadata.version("torch-pruning") == "1.6.1"
torch.manual_seed(0)


class Plain(nn.Module):
    def __init__(self, width, groups=1):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, width, 3), nn.Conv2d(width, width, 3, groups=groups)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))).mean((2, 3)))


class Shortcut(nn.Module):
    def __init__(self, padded):
        super().__init__()
        self.padded, self.stem, self.body, self.head = padded, nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 16, 3, 2, 1), nn.Linear(16, 10)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        half = x[:, :, ::2, ::2]
        zeros = torch.zeros_like(half[:, :4])
        wide = functional.pad(half, (0, 0, 0, 0, 4, 4)) if self.padded else torch.cat([zeros, half, zeros], 1)
        return self.head(torch.relu(self.body(x) + wide).mean((2, 3)))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.start, self.first, self.second, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 10)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.head(torch.relu(self.second(torch.relu(self.first(torch.relu(self.start(x)))))))


def pruned(net, ratio, x, **options):
    by_size = torch_pruning.importance.MagnitudeImportance(p=1)
    torch_pruning.pruner.MagnitudePruner(net, x, importance=by_size, pruning_ratio=ratio, ignored_layers=[net.head], **options).step()
    return net


def left(width, ratio, groups=1, **options):
    return pruned(Plain(width, groups), ratio, torch.randn(2, 3, 8, 8), **options).second.out_channels


def refusal(f):
    try:
        f()
        return None
    except IndexError as error:
        return type(error).__name__


tied = pruned(Tied(), 0.5, torch.randn(2, 8))
seen = {
    "round_to 8": {(n, ratio): left(n, ratio, round_to=8) for n, ratio in ((20, 0.3), (20, 0.7), (10, 0.3))},
    "16 in 4 groups": {ratio: left(16, ratio, groups=4) for ratio in (0.1, 0.3, 0.9)},
    "option A": [refusal(lambda: pruned(Shortcut(padded), 0.5, torch.randn(2, 3, 8, 8))) for padded in (True, False)],
    "tied": (tied.first.weight is tied.second.weight, torch.equal(tied.first.weight, tied.second.weight)),
}
for name, values in seen.items():
    print(name, values)
assert seen == {
    "round_to 8": {(20, 0.3): 8, (20, 0.7): 20, (10, 0.3): 10},
    "16 in 4 groups": {0.1: 12, 0.3: 8, 0.9: 16},
    "option A": ["IndexError", "IndexError"],
    "tied": (False, False),
}, "the behaviour has changed"
PYTHON
