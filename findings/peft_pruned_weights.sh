#!/bin/sh
# Adapters of peft 0.21.2 with torch 2.15.0 from pip, on the CPU, over linear layers of 64×64 of which half of the weights are zero, as pruning leaves
# them. One expects the base to stay what it was beside an adapter, and to be it again after unmerge_adapter(); what adds to weights to fill the zeros,
# what multiplies them to keep them:
#  1. With a row whose weights are all zero DoRA (LoraConfig(use_dora=True)) divides that row by its length: the output is NaN before a step is
#     taken, of the layer at that place, of the network everywhere. Without such a row it is right.
#  2. merge_adapter() and unmerge_adapter() bring the zeros back exactly where the adapter is added (LoRA), but where it multiplies the weight few are
#     zero again (OFT, BOFT, HRA) or half of them (RoAd); the others are off by less than 10⁻⁷.
#  3. PiSSA and OLoRA (init_lora_weights="pissa", "olora") change the base when they are made: no zero of it is left, or few, and unload() returns that.
#     Merged before a step the zeros are back.
#  4. merge_and_unload() after five steps: all zeros are left of IA³, HiRA and supertuning, few of LoRA (those of a row without a gradient), OFT, BOFT
#     and HRA, half of RoAd.
# So what `lnpt prune --checkpoint` wrote is fine-tuned by IA³, HiRA or supertuning, or multiplied by the mask after the merge; and DoRA wants a mask
# that leaves weights in every row (`--mask rows`). Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 peft==0.21.2 transformers==5.24.0 accelerate==1.15.0 numpy
cd "$folder"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import copy

import peft
import torch
from torch import nn

assert torch.__version__.startswith("2.15.0") and peft.__version__ == "0.21.2"
torch.manual_seed(0)
base = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
with torch.no_grad():
    for layer in base[::2]:
        layer.weight[layer.weight.abs() <= layer.weight.abs().median()] = 0
whole_rows = copy.deepcopy(base)  # no row of it is empty
with torch.no_grad():
    base[0].weight[5] = 0
zero = base[0].weight == 0
x, y = torch.randn(32, 64), torch.randn(32, 64)
layers = ["0", "2"]


def adapted(adapter, options, net=base):
    torch.manual_seed(1)
    return peft.get_peft_model(copy.deepcopy(net), getattr(peft, adapter)(target_modules=layers, **options))


def weight(model):
    """The first layer's weight, merged or not."""
    layer = model.base_model.model[0]
    return getattr(layer, "base_layer", layer).weight.detach().clone()


def zeros_left(of):
    return int((of[zero] == 0).sum())


def trained(model):
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    for _ in range(5):
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
    return model


total = int(zero.sum())
lora = {"r": 4}
dora = [int(adapted("LoraConfig", lora | {"use_dora": True}, net)(x).isnan().sum()) for net in (base, whole_rows)]
plain = int(adapted("LoraConfig", lora)(x).isnan().sum())
first = adapted("LoraConfig", lora | {"use_dora": True}).base_model.model[0](x).isnan().any(0).nonzero().flatten().tolist()
print("NaN of", x.numel(), "outputs: DoRA", dora[0], "from channels", first, "of the first layer; without an empty row", dora[1], "LoRA", plain)
assert (dora, plain, first) == ([x.numel(), 0], 0, [5]), "the behaviour has changed"

adapters = {
    "LoRA": ("LoraConfig", lora),
    "IA3": ("IA3Config", {"feedforward_modules": []}),
    "HiRA": ("HiraConfig", {}),
    "supertuning": ("SupertuningConfig", {}),
    "OFT": ("OFTConfig", {"r": 0, "oft_block_size": 8}),
    "BOFT": ("BOFTConfig", {"boft_block_size": 4}),
    "HRA": ("HRAConfig", {"r": 4}),
    "RoAd": ("RoadConfig", {}),
}
for name, (adapter, options) in adapters.items():
    model = trained(adapted(adapter, options))
    untouched = zeros_left(weight(model)) == total
    model.merge_adapter()
    model.unmerge_adapter()
    back = weight(model)
    merged = zeros_left(model.merge_and_unload()[0].weight)
    print(f"{name}: of {total} zeros {zeros_left(back)} after unmerging, the largest {back[zero].abs().max():.1e}; {merged} after merging")
    multiplies = name in {"OFT", "BOFT", "HRA", "RoAd"}
    assert untouched and back[zero].abs().max() < 1e-7, "the behaviour has changed"
    assert zeros_left(back) < 0.6 * total if multiplies else zeros_left(back) == total, "the behaviour has changed"
    assert merged == (64 if name == "LoRA" else total) if not multiplies else merged < 0.6 * total, "the behaviour has changed"

for init in ("pissa", "olora"):
    made = [adapted("LoraConfig", lora | {"init_lora_weights": init}) for _ in range(3)]
    beside, unloaded, merged = zeros_left(weight(made[0])), zeros_left(made[1].unload()[0].weight), zeros_left(made[2].merge_and_unload()[0].weight)
    print(f"{init}: of {total} zeros {beside} beside the adapter, {unloaded} after unload(), {merged} after merging without a step")
    assert beside == unloaded < 0.2 * total and merged == total, "the behaviour has changed"
PYTHON
