#!/bin/sh
# OpenCV 4.6.0 (pip's opencv-python-headless 4.6.0.66) on valid ONNX files with a symbolic batch:
#  1. x · gate with a gate [N, C, 1, 1] takes the first sample's gate for the whole batch: right at batch 1, silently wrong at 4;
#  2. AveragePool with count_include_pad = 1 is computed as if it were 0;
#  3. Clip whose bounds are inputs, as they are from opset 11 on, is refused.
# So lnpt writes gates stretched by Resize, counted margins as Pad, and Clip as HardSigmoid. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==1.26.4 onnx==1.16.2 opencv-python-headless==4.6.0.66
"$folder/venv/bin/python" - 2> "$folder/complaints" <<'PYTHON'
import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper

assert cv2.__version__ == "4.6.0", cv2.__version__
generator = np.random.RandomState(0)


def run(nodes, x, initializers=()):
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 4, 4])
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    net = cv2.dnn.readNetFromONNX(model.SerializeToString())
    net.setInput(x)
    return net.forward()


gated = [helper.make_node("GlobalAveragePool", ["x"], ["g"]), helper.make_node("Mul", ["x", "g"], ["y"])]
for batch, wrong in ((1, False), (4, True)):
    x = generator.randn(batch, 3, 4, 4).astype(np.float32)
    difference = np.abs(run(gated, x) - x * x.mean((2, 3), keepdims=True)).max()
    print("gate, batch", batch, "difference", difference)
    assert (difference > 1e-3) == wrong

pool = [helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)]
corner = run(pool, np.ones((2, 3, 4, 4), np.float32))[0, 0, 0, 0]
print("average of ones at the corner", corner, "where 4/9 is right")
assert corner == 1

bounds = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("low", 0), ("high", 6))]
try:
    run([helper.make_node("Clip", ["x", "low", "high"], ["y"])], x, bounds)
    raise SystemExit("Clip with input bounds is read now")
except cv2.error as error:
    assert "parseClip" in str(error), error
    print("Clip with input bounds: refused")
PYTHON
