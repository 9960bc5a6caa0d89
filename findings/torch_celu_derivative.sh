#!/bin/sh
# torch 2.15.0 from pip, on the CPU: the derivatives of celu in double are those of another alpha. celu(x) = α·(exp(x/α) − 1) for x < 0 has
# the derivatives exp(x/α) and exp(x/α)/α; autograd gives both with an error of about 1e-7 where 1/α is no float (α = 0.6, 0.7, 1.3), and
# to the last bits where it is one (α = 0.5). The values are right for every α, as are the derivatives of elu. It looks as if the reverse
# rule kept 1/α in single precision. The rule of lnpt's own engine is in the number type of the network, so that scores of networks with
# celu agree with those of autograd to about 1e-7 and no further. Fails when this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import torch

assert torch.__version__.startswith("2.15.0"), torch.__version__
x = torch.linspace(-3, -0.1, 30, dtype=torch.float64, requires_grad=True)


def worst(found, exact):
    return ((found - exact).abs() / exact.abs()).max().item()


def errors(activation, value, first, second):
    y = activation(x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    return worst(y, value), worst(g, first), worst(h, second)


for alpha in (0.5, 0.6, 0.7, 1.3):
    e = torch.exp(x / alpha)
    of_value, of_first, of_second = errors(lambda t: torch.nn.functional.celu(t, alpha), alpha * (e - 1), e, e / alpha)
    print(f"celu, alpha {alpha}: value {of_value:.1e}, first derivative {of_first:.1e}, second {of_second:.1e}")
    off = alpha != 0.5
    assert of_value < 1e-14 and (1e-8 < of_first < 1e-6) == off and (1e-8 < of_second < 1e-6) == off, "the behaviour has changed"
    e = alpha * torch.exp(x)
    assert max(errors(lambda t: torch.nn.functional.elu(t, alpha), alpha * (torch.exp(x) - 1), e, e)) < 1e-14
PYTHON
