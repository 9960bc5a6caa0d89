#!/bin/sh
# nncf 3.4.0 with torch 2.15.0 from pip, on the CPU: nncf.prune by magnitude. One expects the smallest weights of a layer, or of the network, to go, as many
# as asked, and nncf.strip to leave zeros:
#  1. What is not larger than the last weight that goes, goes too: of 16 equal weights .1 removes all; of 16 weights of −1, 0 and 1, half of them zeros, .5
#     removes the zeros and .6 everything; of weights rounded to codes of 3 bits .6 removes 96 %. A ratio of 0 removes one of 10.
#  2. UNSTRUCTURED_MAGNITUDE_GLOBAL ranks weights divided by the norm of their layer: a layer and one of a hundred times its weights lose as many. Where
#     a layer is all zeros that is 0 / 0, which sorts last: beside another of its size .5 removes every weight of both.
#  3. The parameters keep the dense weights, a hook multiplies by the mask. nncf.strip leaves that so: its state_dict has no zero but the masks', and
#     zeros by StripFormat.IN_PLACE alone. It raises without torchao, which pip does not install with nncf.
#  4. Embeddings and own parameters of a matmul are pruned; LSTM and Bilinear stay dense. A network that is an nn.Sequential raises.
# lnpt's magnitude is the weight's own, of equal weights it keeps the first, as many as the budget says, and it writes zeros. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 nncf==3.4.0 numpy
cd "$folder"
cat > nncf_pruning.py <<'PYTHON'
import logging
import sys

import nncf
import torch
from nncf import PruneMode, StripFormat
from torch import nn

nncf.set_log_level(logging.ERROR)
assert torch.__version__.startswith("2.15.0") and nncf.__version__ == "3.4.0"
torch.manual_seed(0)
local, everywhere = PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL, PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL


class Layers(nn.Module):
    """Layers one after the other; nn.Sequential itself is refused."""

    def __init__(self, *weights):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(w.shape[1], w.shape[0], bias=False) for w in weights)
        for layer, w in zip(self.layers, weights):
            layer.weight.data = w.clone()

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def pruned(net, ratio, x, mode=local):
    return nncf.prune(net, mode=mode, ratio=ratio, examples_inputs=x)


def removed(net):
    """How many weights the mask of each tensor removes."""
    masks = {name.removeprefix("__nncf_hooks.post_hooks.").split("__")[0]: mask for name, mask in net.named_buffers() if name.endswith("binary_mask")}
    return {name.replace(":", "."): int((~mask.bool()).sum()) for name, mask in sorted(masks.items())}


def removed_of(ratio, *weights, mode=local):
    x = torch.randn(1, weights[0].shape[1])
    return list(removed(pruned(Layers(*weights), ratio, x, mode)).values())


def zeros(tensors):
    return sum(int((t == 0).sum()) for name, t in tensors.items() if "mask" not in name)


x, plain = torch.randn(3, 64), Layers(torch.randn(64, 64))
masked = pruned(plain, 0.5, x)
if sys.argv[1:] == ["strip"]:
    left = [zeros(nncf.strip(masked, example_input=x, **how).state_dict()) for how in ({}, {"strip_format": StripFormat.IN_PLACE})]
    print("zeros of 4096 after strip, and in place:", left)
    assert left == [0, 2048], "the behaviour has changed"
    sys.exit()

try:
    nncf.strip(masked, example_input=x)
    stripped = "no error"
except ModuleNotFoundError as error:
    stripped = str(error)
try:
    pruned(nn.Sequential(nn.Linear(8, 8)), 0.5, torch.randn(1, 8))
    sequential = "no error"
except NotImplementedError as error:
    sequential = str(error)


class Mixed(nn.Module):
    """Weights of several kinds, each read once."""

    def __init__(self):
        super().__init__()
        self.embedding, self.depthwise = nn.Embedding(32, 16), nn.Conv1d(16, 16, 3, groups=16)
        self.lstm, self.bilinear, self.own = nn.LSTM(16, 16, batch_first=True), nn.Bilinear(16, 16, 16), nn.Parameter(torch.randn(16, 16))

    def forward(self, tokens):
        x, _ = self.lstm(self.depthwise(self.embedding(tokens).transpose(1, 2)).transpose(1, 2))
        return self.bilinear(x, x) @ self.own


weight = torch.randn(128, 256)
codes = torch.round(weight / weight.abs().max() * 3)
ternary = torch.tensor([[0.0] * 8 + [1.0] * 4 + [-1.0] * 4])
first = torch.randn(64, 64)
seen = {
    "of 16 equal weights by .1, and of 16 others": removed_of(0.1, torch.ones(1, 16)) + removed_of(0.1, torch.randn(1, 16)),
    "of -1, 0, 1 by .5, .6": removed_of(0.5, ternary) + removed_of(0.6, ternary),
    "of 10 by 0": removed_of(0.0, torch.randn(1, 10)),
    "of a layer and a hundred times it": removed_of(0.5, first, 100 * first, mode=everywhere),
    "of a layer beside one of zeros": removed_of(0.5, first, torch.zeros(64, 64), mode=everywhere),
    "zeros of 4096 in the parameters": zeros(masked.state_dict()),
    "of several kinds": removed(pruned(Mixed().eval(), 0.5, torch.randint(32, (2, 5)))),
    "strip": stripped,
    "Sequential": sequential,
}
share = [removed_of(0.6, codes)[0] / codes.numel(), (codes == 0).float().mean().item()]
for name, values in seen.items():
    print(f"{name}: {values}")
print(f"of codes of 3 bits by .6: {share[0]:.3f}, zeros before {share[1]:.3f}")
assert seen == {
    "of 16 equal weights by .1, and of 16 others": [16, 2],
    "of -1, 0, 1 by .5, .6": [8, 16],
    "of 10 by 0": [1],
    "of a layer and a hundred times it": [2048, 2048],
    "of a layer beside one of zeros": [4096, 4096],
    "zeros of 4096 in the parameters": 0,
    "of several kinds": {"depthwise.weight": 24, "embedding.weight": 256, "own": 128},
    "strip": "No module named 'torchao'",
    "Sequential": 'Module [HookStorage] is missing the required "forward" function',
}, "the behaviour has changed"
assert share[0] > 0.9 and share[1] < 0.55, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" -W ignore nncf_pruning.py 2> complaints
"$folder/venv/bin/pip" install -q --no-cache-dir torchao==0.18.0
"$folder/venv/bin/python" -W ignore nncf_pruning.py strip 2> complaints
