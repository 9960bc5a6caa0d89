#!/bin/sh
# torchao 0.18.0 with torch 2.15.0 from pip, on the CPU: WandaSparsifier, said to remove weights "based on the product of the input activation norm and the
# weight magnitude". Wanda (Sun, Liu, Bair, Kolter, ICLR 2024, arXiv:2306.11695) compares |w| ‖x‖₂ within each output, which is what one expects:
#  1. It ranks by |w| ‖x‖₂², the norm squared: of the weights 5 and 2 on inputs of 1 and 2 it removes the 5.
#  2. It ranks the weights of a whole layer, not those of each output: an output with small weights can lose all of them.
#  3. A second step() after more inputs adds its zeros to those of the first, so that .5 can become all: masks never come back.
# With semi_structured_block_size=4 each four weights in a row lose two, by the same squares. lnpt has no Wanda; it takes such weights as they are, and
# `lnpt inspect` says how many outputs are empty. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 torchao==0.18.0 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
from importlib.metadata import version

import torch
from torchao.sparsity import WandaSparsifier

assert torch.__version__.startswith("2.15.0") and version("torchao") == "0.18.0"


def prepared(weight, **options):
    """A linear layer of this weight under the sparsifier."""
    net = torch.nn.Sequential(torch.nn.Linear(len(weight[0]), len(weight), bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(weight))
    sparsifier = WandaSparsifier(**options)
    sparsifier.prepare(net, [{"tensor_fqn": "0.weight"}])
    return net, sparsifier


def kept(net):
    return net[0].parametrizations.weight[0].mask.int().tolist()


net, sparsifier = prepared([[5.0, 2.0]])
net(torch.tensor([[1.0, 2.0]]))
sparsifier.step()
squared = kept(net)
print("weights 5, 2 on inputs 1, 2 at .5, kept:", squared)

net, sparsifier = prepared([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]])
net(torch.ones(1, 4))
sparsifier.step()
whole_layer = kept(net)
print("an output with weights of a tenth of the other's, kept:", whole_layer)

net, sparsifier = prepared([[1.0, 1.0, 1.0, 1.0]])
net(torch.tensor([[1.0, 1.0, 2.0, 2.0]]))
sparsifier.step()
first = kept(net)
net(torch.tensor([[9.0, 9.0, 0.0, 0.0]]))
sparsifier.step()
second = kept(net)
print("after one step, and after a second on other inputs, kept:", first, second)

net, sparsifier = prepared([[5.0, 2.0, 1.0, 1.0]], semi_structured_block_size=4)
net(torch.tensor([[1.0, 2.0, 3.0, 0.1]]))
sparsifier.step()
of_four = kept(net)
print("of four weights 5, 2, 1, 1 on inputs 1, 2, 3, .1, kept:", of_four)

assert squared == [[0, 1]], "the behaviour has changed"
assert whole_layer == [[0, 0, 0, 0], [1, 1, 1, 1]], "the behaviour has changed"
assert first == [[0, 0, 1, 1]] and second == [[0, 0, 0, 0]], "the behaviour has changed"
assert of_four == [[0, 1, 1, 0]], "the behaviour has changed"
PYTHON
