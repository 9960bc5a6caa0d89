#!/bin/sh
# fasterai 0.4.1 with torch 2.15.0 from pip, on the CPU: how many weights its Sparsifier zeroes. One expects the share that is asked for, and of nm=True
# two of every four inputs:
#  1. The threshold is the last weight that should go, and what is as large as the threshold stays: one less goes. Of 16 weights .5 zeroes 7, of 8 filters
#     3, of 4 filters .25 none; 1.0 leaves one of 10.
#  2. So of 16 equal weights none goes, and of weights rounded to codes of 3 bits .5, .8 and .9 zero none beyond the zeros that were there.
#  3. With nm=True four equal weights all stay: the weight is not 2:4. A convolution of 1×1 over 8 channels stays dense, which is printed; a linear
#     layer raises.
# lnpt's masks have the count that is asked for, with equal weights too, and n_of_m<2, 4> takes linear layers and 8 channels. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 fastcore==2.2.41 einops==0.8.2 numpy
"$folder/venv/bin/pip" install -q --no-cache-dir --no-deps fasterai==0.4.1
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import contextlib
import importlib.metadata
import io

import torch
from fasterai.core.criteria import large_final
from fasterai.sparse.sparsifier import Sparsifier
from torch import nn

assert torch.__version__.startswith("2.15.0") and importlib.metadata.version("fasterai") == "0.4.1"
torch.manual_seed(0)


def linear(weights):
    layer = nn.Linear(weights.shape[1], weights.shape[0], bias=False)
    layer.weight.data = weights.clone()
    return layer


def sparsified(layer, share, of="weight", **options):
    """The weight afterwards."""
    Sparsifier(nn.Sequential(layer), of, "local", large_final, layer_type=type(layer), **options).sparsify_model(share)
    return layer.weight.detach()


def zeros(weights, share):
    return int((sparsified(linear(weights), share) == 0).sum())


def filters_gone(n, share):
    return int((sparsified(nn.Conv2d(4, n, 3), share, "filter").flatten(1) == 0).all(1).sum())


def zeros_of_four(layer):
    """The numbers of zeros that four inputs in a row have."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        weight = sparsified(layer, 0.5, nm=True)
    return sorted(set((weight.flatten(1).reshape(-1, 4) == 0).sum(1).tolist())), "Skipping 2:4" in said.getvalue()


weight = torch.randn(128, 256)
codes = torch.round(weight / weight.abs().max() * 3)
equal = nn.Conv2d(16, 8, 1)
nn.init.ones_(equal.weight)
try:
    zeros_of_four(nn.Linear(16, 8))
    of_linear = "no error"
except ValueError as error:
    of_linear = str(error)
seen = {
    "zeros of 16, 100, 1000 by .5": [zeros(torch.randn(1, n), 0.5) for n in (16, 100, 1000)],
    "zeros of 10 by 1": zeros(torch.randn(1, 10), 1.0),
    "filters of 8 by .5, of 4 by .25": [filters_gone(8, 0.5), filters_gone(4, 0.25)],
    "zeros of 16 equal weights": zeros(torch.ones(1, 16), 0.5),
    "zeros of codes beyond those before": [zeros(codes, share) - int((codes == 0).sum()) for share in (0.5, 0.8, 0.9)],
    "2:4 of 16 channels, of equal weights, of 8 channels": [zeros_of_four(layer) for layer in (nn.Conv2d(16, 8, 1), equal, nn.Conv2d(8, 8, 1))],
    "2:4 of a linear layer": of_linear,
}
for name, values in seen.items():
    print(f"{name}: {values}")
assert seen == {
    "zeros of 16, 100, 1000 by .5": [7, 49, 499],
    "zeros of 10 by 1": 9,
    "filters of 8 by .5, of 4 by .25": [3, 0],
    "zeros of 16 equal weights": 0,
    "zeros of codes beyond those before": [0, 0, 0],
    "2:4 of 16 channels, of equal weights, of 8 channels": [([2], False), ([0], False), ([0], True)],
    "2:4 of a linear layer": "not enough values to unpack (expected 4, got 2)",
}, "the behaviour has changed"
PYTHON
