#!/bin/sh
# torch 2.15.0 from pip, on the CPU: which weights torch.nn.utils.prune removes, where one would guess otherwise.
#  1. Of equal weights it is a matter of their number: of 16 the last 8 go, of 100,000 the first 5, of 5,000 a thousand between the 2,500th and the 3,750th.
#  2. global_unstructured over two layers that share a weight of 16 counts it twice and prunes it once: amount=8 removes 4.
#  3. A half is rounded to the even number: amount=.5 removes 2 of 5, 4 of 7 and 4 of 9.
#  4. A weight of NaN counts as the largest and stays, without a word.
#  5. remove() leaves −0 where the weight was negative: its bytes are not those of 0.
# lnpt keeps the first of equal weights, counts a shared weight once, keeps the half-weight (3 of 5, 4 of 7, 5 of 9), refuses scores that are NaN,
# and takes −0 for pruned and writes +0. So masks of both agree but for such weights. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch.nn.utils import prune

assert torch.__version__.startswith("2.15.0"), torch.__version__


def layer(weights):
    result = torch.nn.Linear(len(weights), 1, bias=False)
    result.weight.data = torch.tensor([weights], dtype=torch.float)
    return result


def removed(module):
    return (module.weight_mask.flatten() == 0).nonzero().flatten().tolist()


def of_equal(n, amount):
    gone = removed(prune.l1_unstructured(layer([1.0] * n), "weight", amount))
    return len(gone), gone[0], gone[-1]


first, second = torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False)
second.weight = first.weight
prune.global_unstructured([(first, "weight"), (second, "weight")], pruning_method=prune.L1Unstructured, amount=8)

signed = layer([-1.0, 2.0])
prune.l1_unstructured(signed, "weight", 1)
prune.remove(signed, "weight")

seen = {
    "equal weights: how many go, from, to": [of_equal(16, 8), of_equal(5000, 1000), of_equal(100000, 5)],
    "of a shared weight": [(first.weight == 0).sum().item(), (second.weight == 0).sum().item()],
    "half of 5, 7, 9": [of_equal(n, 0.5)[0] for n in (5, 7, 9)],
    "of 1, NaN, 3": removed(prune.l1_unstructured(layer([1.0, float("nan"), 3.0]), "weight", 2)),
    "sign of what went": torch.signbit(signed.weight).flatten().tolist(),
}
for name, values in seen.items():
    print(name, values)
assert seen == {
    "equal weights: how many go, from, to": [(8, 8, 15), (1000, 2501, 3749), (5, 0, 4)],
    "of a shared weight": [4, 4],
    "half of 5, 7, 9": [2, 4, 4],
    "of 1, NaN, 3": [0, 2],
    "sign of what went": [True, False],
}, "the behaviour has changed"
PYTHON
