#!/bin/sh
# transformers 5.24.0 with torch 2.15.0 from pip, on the CPU: a checkpoint whose linear weights are F8_E4M3 with one float for each block of
# 128×128 ("weight_scale_inv"), as DeepSeek-V3 publishes its own, and whose config.json says "weight_block_size": [128, 128]. The last
# block of an axis that is no multiple of 128 is short. Read with FineGrainedFP8Config(dequantize=True),
#  1. 256 rows (2 blocks of 128): exact;
#  2. 192 rows (128 and 64): taken for two blocks of 96, without a word; rows 96 to 127 get the scale of the next block;
#  3. 576 rows (4 times 128, and 64; kv_a_proj_with_mqa of DeepSeek-V3 has as many): refused, "not divisible by scale grid".
# It divides the rows by the number of scales and does not look at the configuration. lnpt ranks 8-bit weights by the block that config.json
# states, else by the power of two that fits. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 transformers==5.24.0 accelerate==1.15.0 safetensors==0.8.0 numpy
cd "$folder"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - 2> complaints <<'PYTHON'
import json
import os

import torch
import transformers
from safetensors.torch import save_file

assert torch.__version__.startswith("2.15.0") and transformers.__version__ == "5.24.0"
side = 128


def in_blocks(weight):
    """The weight as 8-bit numbers, the scales of its blocks, and the product of both."""
    rows, columns = weight.shape
    scales = torch.empty(-(-rows // side), -(-columns // side))
    codes, exact = torch.empty_like(weight, dtype=torch.float8_e4m3fn), torch.empty_like(weight)
    for i, j in ((i, j) for i in range(scales.shape[0]) for j in range(scales.shape[1])):
        block = slice(i * side, (i + 1) * side), slice(j * side, (j + 1) * side)
        scales[i, j] = weight[block].abs().max() / 448
        codes[block] = (weight[block] / scales[i, j]).to(codes.dtype)
        exact[block] = codes[block].float() * scales[i, j]
    return codes, scales, exact


def read_back(rows):
    """The largest error of a weight of so many rows over its largest value, or the sentence that refuses it."""
    torch.manual_seed(0)
    shape = transformers.LlamaConfig(vocab_size=32, hidden_size=128, intermediate_size=rows, num_hidden_layers=1, num_attention_heads=2,
                                     num_key_value_heads=2, tie_word_embeddings=False, dtype="float32")
    stored, exact = {}, {}
    for name, weight in transformers.LlamaForCausalLM(shape).state_dict().items():
        if name.endswith("proj.weight"):
            weight = weight * torch.linspace(1, 9, weight.shape[0])[:, None]  # so that blocks of rows have other scales
            stored[name], stored[name + "_scale_inv"], exact[name] = in_blocks(weight)
        else:
            stored[name] = weight
    os.makedirs(str(rows))
    save_file(stored, f"{rows}/model.safetensors", {"format": "pt"})
    about = shape.to_dict() | {"architectures": ["LlamaForCausalLM"]}
    about["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [side, side]}
    with open(f"{rows}/config.json", "w") as file:
        json.dump(about, file)
    wanted = transformers.FineGrainedFP8Config(dequantize=True, weight_block_size=(side, side))
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(str(rows), quantization_config=wanted)
    except RuntimeError:
        return "refused"
    name = "model.layers.0.mlp.gate_proj.weight"
    return ((model.state_dict()[name].float() - exact[name]).abs().max() / exact[name].abs().max()).item()


seen = {rows: read_back(rows) for rows in (256, 192, 576)}
for rows, error in seen.items():
    print(rows, "rows:", error)
assert seen[256] == 0 and 0.1 < seen[192] < 1 and seen[576] == "refused", "the behaviour has changed"
PYTHON
grep -q "Weight shape (576, 128) not divisible by scale grid (5, 1)" complaints
