#!/bin/sh
# Which zeros of a half-pruned matrix (256×512, magnitude) are zero after quantisation, with torch 2.15.0 from pip, on the CPU. One expects a format
# with a zero among its codes to keep them, and one of 8 bits rather than one of 4:
#  1. gguf 0.19.0 and the ggml 0.13.1 of pywhispercpp 1.5.1 (the library that llama.cpp quantises by): Q8_0, Q6_K, Q5_0, Q4_0, Q3_K, TQ1_0, TQ2_0, MXFP4
#     and NVFP4 keep them all. Q5_K, Q4_K, Q2_K, Q5_1 and Q4_1, whose blocks have a minimum of their own, keep 1 % or less, and IQ4_XS, IQ4_NL,
#     IQ3_S, IQ3_XXS and IQ2_S, which have no code for zero, none, except where a whole row is zero.
#  2. optimum-quanto 0.2.7: qint8 keeps all, qint4 and qint2 none; their shift is no multiple of the scale.
#  3. hqq 0.2.8: none, also with 8 bits, since its zero point is a fraction.
#  4. torchao 0.18.0 (int8; int4 in groups of 32 by IntxWeightOnlyConfig, symmetric or not) and bitsandbytes 0.50.2 (NF4, FP4, int8) keep them all.
#     Int4WeightOnlyConfig of torchao, whose zero points are fractions, wants a GPU and was not run.
# A zero that moves becomes a number near the distance of two codes: up to .03 of the largest weight by Q4_K, up to .3 by Q2_K. So weights that
# `lnpt prune` pruned are counted, packed and made 2:4 before they are quantised, or are quantised by a format that keeps zeros. Fails when any of
# this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 gguf==0.19.0 optimum-quanto==0.2.7 hqq==0.2.8.post1 torchao==0.18.0 \
  bitsandbytes==0.50.2 numpy
"$folder/venv/bin/pip" install -q --no-cache-dir --no-deps pywhispercpp==1.5.1
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import ctypes
import importlib.metadata
from pathlib import Path

import bitsandbytes.functional as bits
import gguf
import numpy as np
import torch
import torchao.quantization as ao
from hqq.core.quantize import BaseQuantizeConfig, HQQLinear
from optimum import quanto
from torchao.quantization.granularity import PerGroup
from torchao.quantization.quant_primitives import MappingType

assert torch.__version__.startswith("2.15.0"), torch.__version__
torch.manual_seed(0)
weight = torch.randn(256, 512) * 0.02
weight[weight.abs() <= weight.abs().median()] = 0
weight[7] = 0
zeros = weight == 0
elsewhere = zeros & (torch.arange(256) != 7)[:, None]


def layer():
    result = torch.nn.Linear(512, 256, bias=False)
    result.weight.data = weight.clone()
    return torch.nn.Sequential(result)


def ggml():
    """The function of ggml that quantises rows."""
    site = Path(torch.__file__).parents[1]
    for name in ("libgomp", "libggml-base"):
        (path,) = (site / "pywhispercpp.libs").glob(name + "-*")
        library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    numbers = ctypes.POINTER(ctypes.c_float)
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, numbers, ctypes.c_void_p, *[ctypes.c_int64] * 3, numbers]
    return library.ggml_quantize_chunk, numbers


quantize_rows, numbers = ggml()


def by_ggml(kind):
    rows = weight.numpy()
    block, size = gguf.GGML_QUANT_SIZES[kind]
    codes = np.zeros((256, 512 // block * size), np.uint8)
    assert quantize_rows(int(kind), rows.ctypes.data_as(numbers), codes.ctypes.data, 0, 256, 512, None) == codes.size
    return torch.from_numpy(gguf.quants.dequantize(codes, kind))


def by_gguf(kind):
    return torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(weight.numpy(), kind), kind))


def by_quanto(kind):
    net = layer()
    quanto.quantize(net, weights=kind)
    quanto.freeze(net)
    return net[0].weight.dequantize()


def by_hqq(bits_each):
    settings = BaseQuantizeConfig(nbits=bits_each, group_size=64)
    return HQQLinear(layer()[0], settings, compute_dtype=torch.float32, device="cpu").dequantize()


def by_torchao(settings):
    net = layer()
    ao.quantize_(net, settings)
    return net[0].weight.dequantize()


def by_bitsandbytes(kind):
    if kind == "int8":
        codes, scales, _ = bits.int8_vectorwise_quant(weight.half())
        return bits.int8_vectorwise_dequant(codes, scales)
    return bits.dequantize_4bit(*bits.quantize_4bit(weight, quant_type=kind))


def groups_of_32(mapping):
    return ao.IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32), mapping_type=mapping)


kind = gguf.GGMLQuantizationType
keep = ("Q8_0", "Q6_K", "Q5_0", "Q4_0", "Q3_K", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4")
few = ("Q5_K", "Q4_K", "Q2_K", "Q5_1", "Q4_1")
none = ("IQ4_XS", "IQ4_NL", "IQ3_S", "IQ3_XXS", "IQ2_S")
results = {"ggml " + name: by_ggml(kind[name]) for name in keep + few + none}
results |= {"gguf " + name: by_gguf(kind[name]) for name in ("Q8_0", "Q5_0", "Q4_0", "Q5_1", "Q4_1")}
results |= {"quanto " + name: by_quanto(getattr(quanto, name)) for name in ("qint8", "qint4", "qint2")}
results |= {f"hqq of {n} bits": by_hqq(n) for n in (8, 4, 2)}
results |= {"torchao int8": by_torchao(ao.Int8WeightOnlyConfig())}
results |= {f"torchao int4 {m.name.lower()}": by_torchao(groups_of_32(m)) for m in (MappingType.SYMMETRIC, MappingType.ASYMMETRIC)}
results |= {"bitsandbytes " + name: by_bitsandbytes(name) for name in ("nf4", "fp4", "int8")}


def expected(name):
    """Which share of the zeros stays, from and to."""
    format_of_gguf = name.split()[-1]
    if format_of_gguf in few:
        return 0, 0.02
    return (0, 0) if format_of_gguf in none or name.startswith("hqq") or name in ("quanto qint4", "quanto qint2") else (1, 1)


largest = weight.abs().max()
for name, back in results.items():
    share = (back[elsewhere] == 0).float().mean().item()
    print(f"{name}: {100 * share:.1f} % of zeros stay, the largest that moved is {(back[zeros].abs().max() / largest).item():.3f} of the largest weight")
    low, high = expected(name)
    assert low <= share <= high and bool((back[7] == 0).all()), "the behaviour has changed"
moved = {name: (results["ggml " + name][zeros].abs().max() / largest).item() for name in ("Q4_K", "Q2_K")}
assert 0.02 < moved["Q4_K"] < 0.04 and 0.2 < moved["Q2_K"] < 0.4, "the behaviour has changed"
for package in ("gguf", "optimum-quanto", "hqq", "torchao", "bitsandbytes", "pywhispercpp"):
    print(package, importlib.metadata.version(package))
PYTHON
