#!/usr/bin/env bash
# Networks of torchvision and timm with random weights, exported by PyTorch: the engine's logits of each are PyTorch's. Pruned by the command
# line and loaded back in PyTorch, its logits are those of the module under the same masks, and so are the engine's of what it wrote. One
# line for each network and one for each criterion; fails where a difference is above the bar of 1e-4.
#
#   tests/io/exported_round_trip.sh LNPT [NETWORK ...]        LNPT: the command line, such as build/demo/lnpt
#
# PYTHON names a Python that has torch, torchvision, timm and safetensors; without it pip makes a virtual environment of 5.5 GB in a temporary
# folder, for PyTorch's wheel brings CUDA along. CRITERIA ("snip synflow"), SPARSITY (.9) and synflow's ROUNDS (100) change how weights are pruned;
# SHRINK=1 removes half of the channels instead and compares the smaller program with the module under the masks, and its ONNX files in ONNX
# Runtime where PYTHON has it. Half an hour of a core.
set -euo pipefail
lnpt=$(realpath "${1:?name the command line, such as build/demo/lnpt}")
shift
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ -z ${PYTHON:-} ]]; then
  python3 -m venv "$scratch/venv"
  PYTHON=$scratch/venv/bin/python
  "$PYTHON" -m pip install -q --no-cache-dir torch==2.15.0 torchvision==0.29.2 timm==1.0.31 safetensors onnxruntime==1.32.0
fi
"$PYTHON" "$here/exported/round_trip.py" "$lnpt" "$scratch" "$@"
