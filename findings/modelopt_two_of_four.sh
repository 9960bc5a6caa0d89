#!/bin/sh
# nvidia-modelopt 0.47.0 with torch 2.15.0 from pip, on the CPU: what mode "sparse_magnitude", which makes weights 2:4, does to layers of 64 and other
# widths. One expects all linear layers and convolutions to be 2:4 whose inputs are a multiple of 4, and the file of weights to have the zeros:
#  1. A weight is pruned whose outputs are a multiple of 8 and whose inputs one of 16; of a group, where a convolution has groups. Others stay dense with
#     the warning "Skipping sparsifying": 10 classes, 24 or 12 inputs, the first convolution over images, depthwise ones.
#  2. Conv1d, ConvTranspose2d and LSTM stay dense without a word, and so does what is called lm_head; of MultiheadAttention out_proj alone is pruned.
#  3. Before export() the parameters and the state_dict hold the dense weights, and the masks beside them as "_weight_mask": what reads weights by
#     their names finds no zero. After export() every pruned weight is 2:4.
# lnpt's n_of_m<2, 4> takes linear layers and convolutions whose inputs are a multiple of 4, names what stays dense, and writes zeros. Fails when any of
# this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 nvidia-modelopt==0.47.0 huggingface-hub==1.2.0 requests==2.34.2 numpy
cd "$folder"
"$folder/venv/bin/python" - 2> complaints <<'PYTHON'
import contextlib
import io
import warnings

import modelopt
import modelopt.torch.sparsity as sparsity
import torch
from torch import nn

assert torch.__version__.startswith("2.15.0") and modelopt.__version__ == "0.47.0"
torch.manual_seed(0)
net = nn.ModuleDict(
    {
        "linear": nn.Linear(64, 64),
        "eight classes": nn.Linear(64, 8),
        "convolution": nn.Conv2d(64, 64, 3),
        "four groups of 16": nn.Conv2d(64, 64, 3, groups=4),
        "attention": nn.MultiheadAttention(64, 4),
        "ten classes": nn.Linear(64, 10),
        "24 inputs": nn.Linear(24, 64),
        "12 channels": nn.Conv2d(12, 64, 3),
        "images": nn.Conv2d(3, 64, 3),
        "depthwise": nn.Conv2d(64, 64, 3, groups=64),
        "lm_head": nn.Linear(64, 64),
        "line": nn.Conv1d(64, 64, 3),
        "transposed": nn.ConvTranspose2d(64, 64, 3),
        "lstm": nn.LSTM(64, 64),
    }
)


def two_of_four(weight):
    """Whether of four inputs in a row two are zero, at each place of a kernel."""
    return bool(((weight.movedim(1, -1).reshape(-1, 4) == 0).sum(1) == 2).all())


def pruned(tensors):
    return sorted({name.removesuffix(".weight") for name, t in tensors if t.is_floating_point() and (t == 0).float().mean() > 0.1 and two_of_four(t)})


def weights(module):
    return [(name, p.detach()) for name, p in module.named_parameters() if p.dim() > 1]


with warnings.catch_warnings(record=True) as said, contextlib.redirect_stdout(io.StringIO()):
    warnings.simplefilter("always")
    masked = sparsity.sparsify(net, mode="sparse_magnitude")
skipped = [str(w.message).split(" of size")[0].removeprefix("Skipping sparsifying ") for w in said if "Skipping sparsifying" in str(w.message)]
beside = {name: t for name, t in masked.state_dict().items() if "_weight_mask" not in name}
zeros_before = [sum(int((t == 0).sum()) for _, t in some) for some in (weights(masked), [(n, t) for n, t in beside.items() if n.endswith("weight")])]
masks = sorted(name for name in masked.state_dict() if "_weight_mask" in name)
exported = pruned(weights(sparsity.export(masked)))
print("skipped with a warning:", skipped)
print("zeros of parameters and of the state_dict before export:", zeros_before, "beside", len(masks), "masks")
print("2:4 after export:", exported)
expected = ["attention.out_proj", "convolution", "eight classes", "four groups of 16", "linear"]
assert skipped == ["ten classes", "24 inputs", "12 channels", "images", "depthwise"], "the behaviour has changed"
assert zeros_before == [0, 0] and {f"{name}._weight_mask" for name in expected} <= set(masks), "the behaviour has changed"
assert exported == expected, "the behaviour has changed"
PYTHON
