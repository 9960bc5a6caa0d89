#!/bin/sh
# A checkpoint that stores pruned linear layers without their zeros, as a bit mask and the kept values: the formats sparse-24-bitmask (2:4) and
# sparse-bitmask of compressed-tensors, here written by its version 0.14.0. One expects transformers 5.24.0 with torch 2.15.0 from pip, on the CPU, to
# read or to refuse it.
#  1. With compressed-tensors 0.20.1 from_pretrained returns a model whose linear layers are new random weights, without a zero. It lists their
#     tensors as unexpected and their names as missing, and raises nothing: the decompressors went with 0.15.
#  2. With 0.14.0, which reads its own tensors exactly, transformers 5.24.0 raises ImportError: it wants 0.15 or later.
# So `lnpt prune --checkpoint` writes dense tensors with zeros, which every loader reads. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 transformers==5.24.0 compressed-tensors==0.20.1 accelerate==1.15.0 safetensors==0.8.0 \
  numpy
"$folder/venv/bin/pip" install -q --no-cache-dir --no-deps --target "$folder/old" compressed-tensors==0.14.0
cd "$folder"
cat > common.py <<'PYTHON'
import torch
import transformers

assert torch.__version__.startswith("2.15.0") and transformers.__version__ == "5.24.0"
formats = {"sparse-24-bitmask": "2:4", "sparse-bitmask": "unstructured"}
shape = transformers.LlamaConfig(vocab_size=32, hidden_size=128, intermediate_size=256, num_hidden_layers=1, num_attention_heads=2,
                                 num_key_value_heads=2, tie_word_embeddings=False, dtype="float32")
torch.manual_seed(0)
weights = transformers.LlamaForCausalLM(shape).state_dict()


def two_of_four(weight):
    fours = weight.reshape(-1, 4)
    return (fours * torch.zeros_like(fours).scatter(1, fours.abs().topk(2, 1).indices, 1)).reshape(weight.shape)


pruned = {name: two_of_four(weight) for name, weight in weights.items() if name.endswith("proj.weight")}


def read(name):
    """For how many of the pruned weights the model read has their values, of how many, and how many zeros it has."""
    try:
        state = transformers.AutoModelForCausalLM.from_pretrained(name).state_dict()
    except ImportError as error:
        return str(error)[:56]
    return sum(torch.equal(state[n], w) for n, w in pruned.items()), len(pruned), sum(int((state[n] == 0).sum()) for n in pruned)
PYTHON
cat > write.py <<'PYTHON'
import json
import os

from common import formats, pruned, read, shape, torch, weights
from compressed_tensors.compressors.sparse_compressors.sparse_24_bitmask import Sparse24BitMaskTensor
from compressed_tensors.compressors.sparse_compressors.sparse_bitmask import BitmaskTensor
from safetensors.torch import save_file

for (name, structure), form in zip(formats.items(), (Sparse24BitMaskTensor, BitmaskTensor)):
    stored = {}
    for weight, values in weights.items():
        if weight in pruned:
            packed = form.from_dense(pruned[weight])
            assert torch.equal(packed.decompress(), pruned[weight])
            stored |= {key: value.contiguous() for key, value in packed.dict(weight, device="cpu").items()}
        else:
            stored[weight] = values
    os.makedirs(name)
    save_file(stored, f"{name}/model.safetensors", {"format": "pt"})
    sparsity = {"format": name, "global_sparsity": 0.5, "ignore": ["lm_head"], "registry_requires_subclass": False,
                "sparsity_structure": structure, "targets": ["Linear"]}
    about = {"quant_method": "compressed-tensors", "format": "dense", "sparsity_config": sparsity}
    with open(f"{name}/config.json", "w") as file:
        json.dump(shape.to_dict() | {"architectures": ["LlamaForCausalLM"], "quantization_config": about}, file)
    seen = read(name)
    print("compressed-tensors 0.14.0,", name, seen)
    assert seen == "compressed-tensors>=0.15.0 is required for compressed-te", "the behaviour has changed"
PYTHON
cat > read.py <<'PYTHON'
from common import formats, read

for name in formats:
    seen = read(name)
    print("compressed-tensors 0.20.1,", name, "weights read, of, zeros:", seen)
    assert seen == (0, 7, 0), "the behaviour has changed"
PYTHON
export HF_HUB_OFFLINE=1
PYTHONPATH=old "$folder/venv/bin/python" -W ignore write.py 2> complaints
"$folder/venv/bin/python" -W ignore read.py 2> complaints
