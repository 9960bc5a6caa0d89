#!/bin/sh
# torch 2.15.0 from pip, on the CPU: torch.ao.pruning.WeightNormSparsifier, by which torchao simulates 2:4 sparsity.
#  1. With sparse_block_shape=(1, 4), zeros_per_block=2 and its default sparsity_level of .5 only half of the blocks lose two weights: a
#     quarter of all goes and the weight is not 2:4. sparsity_level=1.0 makes it 2:4, of the two largest of each four.
#  2. By default blocks of 1×4 go as wholes.
#  3. A weight [8, 18] gets a mask [8, 20] from step(), and the layer raises when it is next read.
#  4. The weight of a convolution, also of one of 1×1, raises in step().
# lnpt's n_of_m<2, 4> is 2:4 without another number, of convolutions along their input channels at each place of the kernel, and `lnpt prune
# --checkpoint --mask 2:4` leaves a weight dense whose inputs are no multiple of 4, and says so. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch.ao.pruning import WeightNormSparsifier

assert torch.__version__.startswith("2.15.0"), torch.__version__
torch.manual_seed(0)


def pruned(layer, **options):
    """The layer, its weight and the mask that the sparsifier made."""
    net = torch.nn.Sequential(layer)
    sparsifier = WeightNormSparsifier(**options)
    sparsifier.prepare(net, [{"tensor_fqn": "0.weight"}])
    sparsifier.step()
    return net, net[0].parametrizations.weight.original.detach(), net[0].parametrizations.weight[0].mask


def kept_in_fours(mask):
    return sorted(set(mask.reshape(-1, 4).sum(1).tolist()))


def refuses(f):
    try:
        f()
        return False
    except (AssertionError, RuntimeError) as error:
        print(str(error)[:100])
        return True


two_of_four = dict(sparse_block_shape=(1, 4), zeros_per_block=2)
_, _, half = pruned(torch.nn.Linear(16, 8), **two_of_four)
_, weight, whole = pruned(torch.nn.Linear(16, 8), sparsity_level=1.0, **two_of_four)
largest = torch.zeros(32, 4).scatter(1, weight.abs().reshape(32, 4).topk(2, 1).indices, 1)
net, _, wide = pruned(torch.nn.Linear(18, 8), sparsity_level=1.0, **two_of_four)
seen = {
    "level .5": (kept_in_fours(half), half.float().mean().item()),
    "level 1": (kept_in_fours(whole), bool((largest.reshape(8, 16) == whole).all())),
    "default": kept_in_fours(pruned(torch.nn.Linear(16, 8))[2]),
    "18 inputs": (tuple(wide.shape), refuses(lambda: net(torch.randn(1, 18)))),
    "3x3": refuses(lambda: pruned(torch.nn.Conv2d(8, 4, 3), sparsity_level=1.0, **two_of_four)),
    "1x1": refuses(lambda: pruned(torch.nn.Conv2d(16, 16, 1), sparsity_level=1.0, **two_of_four)),
}
for name, values in seen.items():
    print(name, values)
assert seen == {
    "level .5": ([2, 4], 0.75),
    "level 1": ([2], True),
    "default": [0, 4],
    "18 inputs": ((8, 20), True),
    "3x3": True,
    "1x1": True,
}, "the behaviour has changed"
PYTHON
