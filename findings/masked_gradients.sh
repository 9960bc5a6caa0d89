#!/bin/sh
# Training what is left in Python, where a hook zeroes the gradients of pruned weights and nothing else guards them, with torch 2.15.0 and timm 1.0.31
# from pip, on the CPU; and averages over such training. From zero gradients and zero weights one expects zeros:
#  1. Torch's optimisers of dense weights keep them, with momentum and weight decay too, but torch.optim.Muon, which moves every pruned weight at the
#     first step: it makes the whole update orthogonal. Of timm's, muon, nmuon, adamuon, nadamuon and kron do the same.
#  2. Of a mask that arrives during training SGD with momentum moves the pruned weights on, though their gradients and they themselves are zero by then,
#     and so does AdamW.
#  3. A network under torch.nn.utils.prune cannot be averaged: AveragedModel of torch and ModelEmaV3 of timm copy it, and copying raises,
#     also before the first forward.
#  4. Under a mask by parametrisation, which can be copied, timm's ModelEmaV3 averages masks with the weights: after a mask of floats has changed,
#     the average's own holds fractions and its weights are not sparse. AveragedModel, which copies buffers by default, has the network's zeros.
# lnpt multiplies by the masks after every step (`lnpt train --mask`, `lnpt::masked_optimizer`), whatever the optimiser does; a loop in Python does
# well to do so too, and to the average. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 timm==1.0.31 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import timm
import timm.optim
import torch
from timm.utils import ModelEmaV3
from torch import nn, optim
from torch.nn.utils import parametrize, prune
from torch.optim.swa_utils import AveragedModel

assert torch.__version__.startswith("2.15.0") and timm.__version__ == "1.0.31"
torch.manual_seed(0)
mask = (torch.rand(16, 16) < 0.5).float()
start, x, y = torch.randn(16, 16), torch.randn(32, 16), torch.randn(32, 16)


def moved(make, steps=5, before=0):
    """How many of the pruned weights are not zero after steps under the mask, and others before it."""
    weight = nn.Parameter(start * mask if before == 0 else start.clone())
    optimizer = make([weight])

    def loss():
        optimizer.zero_grad()
        result = (x @ weight - y).square().mean()
        result.backward()
        return result

    for _ in range(before):
        optimizer.step(loss)
    weight.data *= mask
    weight.register_hook(lambda g: g * mask)
    for _ in range(steps):
        optimizer.step(loss)
    return int((weight[mask == 0] != 0).sum())


makers = {
    "SGD": lambda p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True),
    "RMSprop": lambda p: optim.RMSprop(p, 1e-2, centered=True, momentum=0.9),
    "AMSGrad": lambda p: optim.Adam(p, 1e-2, amsgrad=True),
}
names = ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "LBFGS", "NAdam", "RAdam", "Rprop", "Muon")
makers |= {name: (lambda name: lambda p: getattr(optim, name)(p, lr=1e-2))(name) for name in names}
of_timm = ("adan", "kron", "lamb", "lion", "lookahead_sgd", "madgrad", "mars", "muon", "nmuon", "adamuon", "nadamuon", "novograd")
makers |= {"timm " + name: (lambda name: lambda p: timm.optim.create_optimizer_v2(p, opt=name, lr=1e-2))(name) for name in of_timm}
all_moved = {"Muon", "timm muon", "timm nmuon", "timm adamuon", "timm nadamuon", "timm kron"}
pruned = int((mask == 0).sum())
for name, make in makers.items():
    count = moved(make)
    print(name, "moved", count, "of", pruned)
    assert count == (pruned if name in all_moved else 0), "the behaviour has changed"
at_once = moved(makers["Muon"], steps=1)
late = {name: moved(makers[name], steps=1, before=3) for name in ("SGD", "AdamW")}
print("Muon at the first step", at_once, "a mask after three steps", late)
assert at_once == pruned and late == {"SGD": pruned, "AdamW": pruned}, "the behaviour has changed"


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.ones(16, 16))

    def forward(self, weight):
        return weight * self.mask


def refusal(f):
    try:
        f()
        return None
    except RuntimeError as error:
        return str(error)[:42]


hooked = nn.Sequential(nn.Linear(16, 16))
prune.l1_unstructured(hooked[0], "weight", 0.5)
refusals = [refusal(lambda: AveragedModel(hooked)), refusal(lambda: ModelEmaV3(hooked))]
net = nn.Sequential(nn.Linear(16, 16))
parametrize.register_parametrization(net[0], "weight", Masked())
averages = {"AveragedModel": AveragedModel(net), "ModelEmaV3": ModelEmaV3(net, decay=0.9)}
net[0].parametrizations.weight[0].mask.copy_(mask)
seen = {}
for name, average in averages.items():
    for _ in range(3):
        (average.update_parameters if name == "AveragedModel" else average.update)(net)
    inner = average.module[0]
    values = sorted({round(value, 3) for value in inner.parametrizations.weight[0].mask.flatten().tolist()})
    seen[name] = values, int((inner.weight == 0).sum())
print(refusals, seen, "zeros of the network itself", int((net[0].weight == 0).sum()))
assert refusals == ["Only Tensors created explicitly by the use"] * 2, "the behaviour has changed"
assert seen == {"AveragedModel": ([0.0, 1.0], pruned), "ModelEmaV3": ([0.729, 1.0], 0)}, "the behaviour has changed"
PYTHON
