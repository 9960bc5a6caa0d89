#!/bin/sh
# pnnx 20261020 and ncnn 1.0.20261020 from pip on valid ONNX files of opset 13: pnnx says that it converted them (status 0) and
#  1. of x[:, :, ::2, ::2] writes a layer Tensor.slice, of channels padded with zeros a layer Pad, neither of which ncnn has: its load_param
#     returns −1. Both are what an option-A shortcut of a ResNet for CIFAR consists of;
#  2. a MaxPool of 1×1 with stride 2, which is the same slice, is converted, and its output is right.
# So lnpt's ONNX files run there, but those of networks with option-A shortcuts (resnet:20:16,32,64:a) do not. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 pnnx==20261020 ncnn==1.0.20261020 onnx==1.23.2 numpy
cd "$folder"
"$folder/venv/bin/python" - 2> complaints <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import ncnn
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

x = np.random.RandomState(0).randn(8, 8, 8).astype(np.float32)
whole = np.iinfo(np.int64).max


def integers(name, values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def converted(name, node, initializers, channels, side):
    """What load_param of ncnn returns for x → node → a 1×1 convolution by ones, and the output where it is read."""
    ones = numpy_helper.from_array(np.ones((1, channels, 1, 1), np.float32), "ones")
    described = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", c, s, s]) for n, c, s in (("x", 8, 8), ("y", 1, side))]
    nodes = [node, helper.make_node("Conv", ["z", "ones"], ["y"])]
    graph = helper.make_graph(nodes, "g", described[:1], described[1:], [*initializers, ones])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, name + ".onnx")
    pnnx = Path(sys.executable).with_name("pnnx")
    subprocess.run([pnnx, name + ".onnx", "inputshape=[1,8,8,8]", "fp16=0"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    status = net.load_param(name + ".ncnn.param")
    if status != 0:
        return status, None
    net.load_model(name + ".ncnn.bin")
    extractor = net.create_extractor()
    image = ncnn.Mat(x).clone()
    extractor.input("in0", image)
    return status, np.array(extractor.extract("out0")[1]).copy()


bounds = [integers("starts", [0, 0]), integers("ends", [whole, whole]), integers("axes", [2, 3]), integers("steps", [2, 2])]
sliced, _ = converted("sliced", helper.make_node("Slice", ["x", "starts", "ends", "axes", "steps"], ["z"]), bounds, 8, 4)
margins = [integers("margins", [0, 4, 0, 0, 0, 4, 0, 0])]
padded, _ = converted("padded", helper.make_node("Pad", ["x", "margins"], ["z"]), margins, 16, 8)
pooled, y = converted("pooled", helper.make_node("MaxPool", ["x"], ["z"], kernel_shape=[1, 1], strides=[2, 2]), [], 8, 4)
print("load_param: of a slice", sliced, "of padded channels", padded, "of a pool", pooled)
assert (sliced, padded, pooled) == (-1, -1, 0), "the behaviour has changed"
assert np.abs(y[0] - x[:, ::2, ::2].sum(0)).max() < 1e-5
PYTHON
