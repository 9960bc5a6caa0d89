#!/bin/sh
# An output channel whose weights are all zero, which every mask of filters leaves and one of single weights at high sparsity may, with torch 2.15.0
# from pip, on the CPU. Its output should be its bias; where a weight is divided by its channel's size, that is 0 / 0:
#  1. torchao 0.18.0: after Float8WeightOnlyConfig() that channel is NaN, and behind another layer the whole output. Int8WeightOnlyConfig() and int4 in
#     groups are right.
#  2. optimum-quanto 0.2.7: the same of qfloat8, for linear layers and convolutions; qint8 is right.
#  3. torch's weight_norm, new or old, makes the channel's weight NaN, spectral_norm that of a layer whose weights are all zero. Neither complains.
#  4. torch.ao's int8, by fbgemm and by qnnpack, and onnxruntime 1.32.0's quantize_static, by channels or not, are right: both put another number
#     in the place of a scale of 0.
# So channels that a mask emptied are removed (`shrink`, `lnpt prune --mask channels --shrink`) before float8 or a weight norm, not after.
# Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 torchao==0.18.0 optimum-quanto==0.2.7 onnx==1.23.2 onnxruntime==1.32.0 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
import torch
import torch.ao.quantization as eager
import torchao.quantization as ao
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from optimum import quanto
from torch import nn

assert torch.__version__.startswith("2.15.0"), torch.__version__
torch.manual_seed(0)
images = torch.rand(4, 64, 5, 5)


def network(convolution=False):
    """Two layers, channel 7 of the first of which is empty, and what they are given."""
    first, second = (nn.Conv2d(64, 64, 3), nn.Conv2d(64, 10, 3)) if convolution else (nn.Linear(64, 64), nn.Linear(64, 10))
    first.weight.data[7] = 0
    return nn.Sequential(first, nn.ReLU(), second).eval(), images if convolution else images[:, :, 0, 0]


def verdict(got, wanted):
    if got.isnan().any():
        return "NaN" if got.isnan().all() else "NaN in part"
    return "right" if (got - wanted).abs().max() < 0.2 * wanted.abs().max() else "wrong"


def of_torchao(settings):
    net, x = network()
    wanted = net(x)
    ao.quantize_(net, settings)
    return verdict(net(x), wanted), net[0](x).isnan().any(0).nonzero().flatten().tolist()


def of_quanto(kind, convolution):
    net, x = network(convolution)
    wanted = net(x)
    quanto.quantize(net, weights=kind)
    quanto.freeze(net)
    return verdict(net(x), wanted)


def of_norm(normed, empty):
    layer = nn.Linear(8, 8)
    layer.weight.data[empty] = 0
    return normed(layer)(torch.ones(1, 8)).isnan().flatten().nonzero().flatten().tolist()


def of_old_norm():
    layer = nn.utils.weight_norm(nn.Linear(8, 8))
    layer.weight_v.data[7] = layer.weight_g.data[7] = 0
    return layer(torch.ones(1, 8)).isnan().flatten().nonzero().flatten().tolist()


def of_eager(engine):
    torch.backends.quantized.engine = engine
    net, x = network(convolution=True)
    wanted = net(x)
    net = nn.Sequential(eager.QuantStub(), *net, eager.DeQuantStub()).eval()
    net.qconfig = eager.get_default_qconfig(engine)
    prepared = eager.prepare(net)
    prepared(x)
    return verdict(eager.convert(prepared)(x), wanted)


class Samples(quantization.CalibrationDataReader):
    def __init__(self, x):
        self.left = iter([{"x": x}])

    def get_next(self):
        return next(self.left, None)


def of_onnxruntime(per_channel):
    layer = network(convolution=True)[0][0]
    value = lambda name, side: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 64, side, side])
    weights = [numpy_helper.from_array(p.detach().numpy(), name) for name, p in (("w", layer.weight), ("b", layer.bias))]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w", "b"], ["y"])], "g", [value("x", 5)], [value("y", 3)], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "float.onnx")
    quantization.quantize_static("float.onnx", "int8.onnx", Samples(images.numpy()), per_channel=per_channel)
    (got,) = onnxruntime.InferenceSession("int8.onnx").run(None, {"x": images.numpy()})
    return verdict(torch.from_numpy(np.array(got)), layer(images))


seen = {
    "torchao float8": of_torchao(ao.Float8WeightOnlyConfig()),
    "torchao int8": of_torchao(ao.Int8WeightOnlyConfig()),
    "torchao int4": of_torchao(ao.IntxWeightOnlyConfig(weight_dtype=torch.int4)),
    "quanto qfloat8": [of_quanto(quanto.qfloat8, convolution) for convolution in (False, True)],
    "quanto qint8": [of_quanto(quanto.qint8, convolution) for convolution in (False, True)],
    "weight_norm": (of_norm(nn.utils.parametrizations.weight_norm, 7), of_old_norm()),
    "spectral_norm": of_norm(nn.utils.parametrizations.spectral_norm, slice(None)),
    "torch.ao int8": [of_eager(engine) for engine in ("fbgemm", "qnnpack")],
    "onnxruntime int8": [of_onnxruntime(per_channel) for per_channel in (False, True)],
}
for name, words in seen.items():
    print(name, words)
assert seen == {
    "torchao float8": ("NaN", [7]),
    "torchao int8": ("right", []),
    "torchao int4": ("right", []),
    "quanto qfloat8": ["NaN", "NaN"],
    "quanto qint8": ["right", "right"],
    "weight_norm": ([7], [7]),
    "spectral_norm": [0, 1, 2, 3, 4, 5, 6, 7],
    "torch.ao int8": ["right", "right"],
    "onnxruntime int8": ["right", "right"],
}, "the behaviour has changed"
for package in ("torchao", "optimum-quanto", "onnxruntime"):
    print(package, importlib.metadata.version(package))
PYTHON
