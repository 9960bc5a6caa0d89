#!/bin/sh
# Counters of multiply-adds from pip (thop 0.1.1, torchinfo 1.8.0, torch-pruning 1.6.1, ptflops 0.7.5, fvcore 0.1.5) with torch 2.15.0, for one
# input, beside the number of products that are added up:
#  1. thop, torchinfo and torch-pruning count a transposed convolution at each output, and so stride² times as many where windows do not overlap.
#  2. torchinfo counts a linear layer over 5 tokens once.
#  3. thop, torchinfo and torch-pruning, and ptflops by its layers, count no product of an own parameter.
#  4. Of batch norm over 256 values thop counts 1024, fvcore 512, ptflops 512 or 0 (by layers or by operators), torch-pruning 512, torchinfo 8.
#  5. ptflops, torchinfo and torch-pruning count biases with the multiply-adds.
# All agree on convolutions without a bias, grouped and depthwise ones included; torch.utils.flop_counter, halved, has the number of products
# everywhere. lnpt counts the products of convolutions and linear layers alone, wherever a weight is used, so that `flops:.5` is half of another
# number than theirs. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 thop==0.1.1.post2209072238 torchinfo==1.8.0 torch-pruning==1.6.1 ptflops==0.7.5 \
  fvcore==0.1.5.post20221221 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import contextlib
import copy
import io

import fvcore.nn
import ptflops
import thop
import torch
import torch_pruning
import torchinfo
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

assert torch.__version__.startswith("2.15.0"), torch.__version__


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(8, 8))

    def forward(self, x):
        return x @ self.matrix


def of_torch(net, x):
    with FlopCounterMode(display=False) as counter:
        net(x)
    return counter.get_total_flops() // 2


def of_ptflops(backend):
    return lambda net, x: ptflops.get_model_complexity_info(net, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False,
                                                            backend=backend)[0]


counters = {
    "thop": lambda net, x: thop.profile(net, (x,), verbose=False)[0],
    "torchinfo": lambda net, x: torchinfo.summary(net, input_data=x, verbose=0).total_mult_adds,
    "torch-pruning": lambda net, x: torch_pruning.utils.count_ops_and_params(net, x)[0],
    "ptflops by layers": of_ptflops("pytorch"),
    "ptflops by operators": of_ptflops("aten"),
    "fvcore": lambda net, x: fvcore.nn.FlopCountAnalysis(net, x).total(),
    "torch, halved": of_torch,
}
image = (1, 4, 8, 8)
cases = {  # a layer, its input, the products that are added up
    "convolution": (nn.Conv2d(4, 8, 3, 2, 1, bias=False), image, 4 * 4 * 8 * 4 * 9),
    "grouped": (nn.Conv2d(4, 8, 3, 1, 1, groups=2, bias=False), image, 8 * 8 * 8 * 2 * 9),
    "depthwise": (nn.Conv2d(4, 4, 3, 1, 1, groups=4, bias=False), image, 8 * 8 * 4 * 9),
    "transposed": (nn.ConvTranspose2d(4, 8, 2, 2, bias=False), image, 8 * 8 * 4 * 8 * 4),
    "tokens": (nn.Linear(8, 4, bias=False), (1, 5, 8), 5 * 8 * 4),
    "own product": (Own(), (1, 8), 8 * 8),
    "batch norm": (nn.BatchNorm2d(4), image, 0),
    "bias": (nn.Conv2d(4, 8, 3, 1, 1), image, 8 * 8 * 8 * 4 * 9),
}
exceptions = {
    "transposed": {"thop": 32768, "torchinfo": 32768, "torch-pruning": 32768},
    "tokens": {"torchinfo": 32},
    "own product": {"thop": 0, "torchinfo": 0, "torch-pruning": 0, "ptflops by layers": 0},
    "batch norm": {"thop": 1024, "torchinfo": 8, "torch-pruning": 512, "ptflops by layers": 512, "fvcore": 512},
    "bias": {"torchinfo": 18944, "torch-pruning": 18944, "ptflops by layers": 18944, "ptflops by operators": 18944},
}
for name, (net, extents, products) in cases.items():
    seen = {}
    for counter, count in counters.items():
        with contextlib.redirect_stdout(io.StringIO()):
            seen[counter] = int(count(copy.deepcopy(net).eval(), torch.randn(extents)))
    print(name, products, seen)
    assert seen == {counter: exceptions.get(name, {}).get(counter, products) for counter in counters}, "the behaviour has changed"
PYTHON
