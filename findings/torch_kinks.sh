#!/bin/sh
# torch of pip, on the CPU: derivatives at kinks, where a pruned network often stands, since what is pruned leaves exact zeros.
#  1. clamp and clamp(min=0) have the derivative 1 at their bounds in 1.13.1 and 0 in 2.15.0, where relu, relu6 and hardtanh have 0 in both.
#  2. hardswish has −½ at −3 in 1.13.1, 0 in 2.15.0; at 3 it has 1 in 2.15.0, and in 1.13.1 not one value: of 20 equal numbers some get 1
#     and some 3/2, by where they stand in the tensor.
#  3. elu has its slope α as first derivative at 0, that of the left, and 0 as second derivative, that of the right, in both.
# So lnpt's own engine follows 2.15.0 at kinks, and scores on LibTorch 1.13 differ from its own where a network with the first two meets
# them. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/kinks.py" <<'PYTHON'
import sys

import torch
from torch.nn import functional

# What autograd gives for 20 numbers at the kink, in 1.13.1 and in 2.15.0. The former has wheels for Python 3.7 to 3.11.
expected = {
    "clamp at 0": ([1.0], [0.0]),
    "clamp at 6": ([1.0], [0.0]),
    "clamp(min=0) at 0": ([1.0], [0.0]),
    "relu at 0": ([0.0], [0.0]),
    "relu6 at 6": ([0.0], [0.0]),
    "hardtanh at 1": ([0.0], [0.0]),
    "hardswish at -3": ([-0.5], [0.0]),
    "hardswish at 3": ([1.0, 1.5], [1.0]),
    "elu at 0": ([0.5], [0.5]),
    "elu at 0, second": ([0.0], [0.0]),
}
column = {"1.13.1": 0, "2.15.0": 1}[sys.argv[1]]
assert torch.__version__.startswith(sys.argv[1]), torch.__version__


def derivatives(f, at):
    x = torch.full((20,), at, dtype=torch.double, requires_grad=True)
    (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    second = torch.autograd.grad(g.sum(), x)[0].unique().tolist() if g.requires_grad else None
    return g.detach().unique().tolist(), second


def elu(x):
    return functional.elu(x, 0.5)


seen = {
    "clamp at 0": derivatives(lambda x: x.clamp(0, 6), 0.0)[0],
    "clamp at 6": derivatives(lambda x: x.clamp(0, 6), 6.0)[0],
    "clamp(min=0) at 0": derivatives(lambda x: x.clamp(min=0), 0.0)[0],
    "relu at 0": derivatives(torch.relu, 0.0)[0],
    "relu6 at 6": derivatives(functional.relu6, 6.0)[0],
    "hardtanh at 1": derivatives(functional.hardtanh, 1.0)[0],
    "hardswish at -3": derivatives(functional.hardswish, -3.0)[0],
    "hardswish at 3": derivatives(functional.hardswish, 3.0)[0],
    "elu at 0": derivatives(elu, 0.0)[0],
    "elu at 0, second": derivatives(elu, 0.0)[1],
}
for name, values in seen.items():
    print(torch.__version__, name, values)
assert seen == {name: both[column] for name, both in expected.items()}, "the behaviour has changed"
PYTHON
for version in 1.13.1 2.15.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q --no-cache-dir "torch==$version" "numpy<2"
  (cd "$folder" && "$folder/$version/bin/python" kinks.py "$version")
done
