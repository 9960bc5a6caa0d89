#!/bin/sh
# torch 2.15.0 from pip, on the CPU, refuses the second derivative of two layers that it differentiates once:
#  1. hardsigmoid: "derivative for aten::hardsigmoid_backward is not implemented" (so does Debian's 1.13.1), though it is piecewise linear;
#  2. scaled_dot_product_attention by the kernel that it chooses, "…_flash_attention_for_cpu_backward is not implemented", and so
#     MultiheadAttention and TransformerEncoderLayer; by its math kernel it has one.
# So lnpt gives the first a rule of its own and runs attention by the math kernel while it scores. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 numpy
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

assert torch.__version__.startswith("2.15.0"), torch.__version__
x = torch.randn(2, 4, 5, 8, dtype=torch.double, requires_grad=True)


def second_derivative(f):
    (gradient,) = torch.autograd.grad(f(x).square().sum(), x, create_graph=True)
    try:
        torch.autograd.grad(gradient.square().sum(), x)
        return "has one"
    except RuntimeError as refusal:
        return str(refusal).splitlines()[0]


def attention(q):
    return torch.nn.functional.scaled_dot_product_attention(q, q, q)


seen = [second_derivative(torch.nn.functional.hardsigmoid), second_derivative(attention)]
with sdpa_kernel(SDPBackend.MATH):
    seen.append(second_derivative(attention))
for words in seen:
    print(words)
assert seen == [
    "derivative for aten::hardsigmoid_backward is not implemented",
    "derivative for aten::_scaled_dot_product_flash_attention_for_cpu_backward is not implemented",
    "has one",
], "the behaviour has changed"
PYTHON
