#!/bin/sh
# A pruned weight as ONNX writes it without its zeros, a sparse_initializer (or a Constant with sparse_value), which onnx 1.23.2 from pip accepts by
# check_model. One expects what reads ONNX to read it; with a MatMul of a 16×8 weight,
#  1. onnxruntime 1.32.0 computes right from both; onnxslim 0.1.98 and onnxsim 0.8.1 pass a sparse_initializer on, and spoil or refuse the Constant;
#  2. OpenVINO 2026.4.1, OpenCV 5.0.0.93 and onnx2torch 1.5.15 raise for a sparse_initializer, of which OpenVINO alone reads the Constant;
#  3. of onnx itself ReferenceEvaluator, version_converter and check_model(full_check=True) raise for the sparse_initializer: no weight of that name,
#     or one of rank 0;
#  4. onnxruntime.quantization.quantize_dynamic raises for it ("unknown initializers"), and leaves the Constant in floats without a word;
#  5. onnxconverter-common 1.16.0 converts the graph to half precision and not this weight, so that onnxruntime refuses the file.
# So lnpt writes pruned weights dense, with zeros, and packed weights are a format of its own. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 onnxslim==0.1.98 onnxsim==0.8.1 \
  onnx2torch==1.5.15 opencv-python-headless==5.0.0.93 onnxconverter-common==1.16.0 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import cv2
import numpy as np
import onnx
import onnx.reference
import onnx.version_converter
import onnx2torch
import onnxruntime
import onnxsim
import onnxslim
import openvino
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxconverter_common import float16
from onnxruntime.quantization import quantize_dynamic

assert (onnx.__version__, onnxruntime.__version__, cv2.__version__) == ("1.23.2", "1.32.0", "5.0.0")
generator = np.random.RandomState(0)
weight = generator.randn(16, 8).astype(np.float32)
weight[np.abs(weight) < 0.9] = 0
x = generator.randn(3, 16).astype(np.float32)
places = np.flatnonzero(weight).astype(np.int64)


def model(kind):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", n]) for name, n in (("x", 16), ("y", 8))]
    kept = numpy_helper.from_array(weight.flatten()[places], "w"), numpy_helper.from_array(places, "places")
    sparse = helper.make_sparse_tensor(*kept, weight.shape)
    nodes = [helper.make_node("Constant", [], ["w"], sparse_value=sparse)] if kind == "constant" else []
    nodes += [helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [numpy_helper.from_array(weight, "w")] if kind == "dense" else [],
                              sparse_initializer=[sparse] if kind == "initializer" else [])
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(result)
    return result


def by_onnxruntime(net):
    return onnxruntime.InferenceSession(net.SerializeToString()).run(None, {"x": x})[0]


def by_opencv(net):
    loaded = cv2.dnn.readNetFromONNX(np.frombuffer(net.SerializeToString(), np.uint8))
    loaded.setInput(x)
    return loaded.forward()


def by_openvino(net):
    onnx.save(net, "net.onnx")
    return openvino.compile_model("net.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0]


def by_simplifier(net):
    simple, _ = onnxsim.simplify(net)
    return by_onnxruntime(simple)


def checked_in_full(net):
    onnx.checker.check_model(net, full_check=True)
    return by_onnxruntime(net)


def in_eight_bits(net):
    onnx.save(net, "net.onnx")
    quantize_dynamic("net.onnx", "int8.onnx")
    kinds = [node.op_type for node in onnx.load("int8.onnx").graph.node]
    return by_onnxruntime(onnx.load("int8.onnx")) if "MatMulInteger" in kinds else None


ways = {
    "onnxruntime": by_onnxruntime,
    "onnxslim": lambda net: by_onnxruntime(onnxslim.slim(net)),
    "onnxsim": by_simplifier,
    "openvino": by_openvino,
    "opencv": by_opencv,
    "onnx2torch": lambda net: onnx2torch.convert(net)(torch.from_numpy(x)).detach().numpy(),
    "onnx.reference": lambda net: onnx.reference.ReferenceEvaluator(net).run(None, {"x": x})[0],
    "onnx.version_converter": lambda net: by_onnxruntime(onnx.version_converter.convert_version(net, 18)),
    "full check": checked_in_full,
    "quantize_dynamic": in_eight_bits,
    "half precision": lambda net: by_onnxruntime(float16.convert_float_to_float16(net, keep_io_types=True)),
}


def verdict(compute, kind):
    try:
        y = compute(model(kind))
    except Exception as error:
        print(kind, str(error).strip().splitlines()[0][:140])
        return "raises"
    if y is None:
        return "in floats"
    return "right" if np.abs(y - x @ weight).max() < 0.05 * np.abs(x @ weight).max() else "wrong"


seen = {name: [verdict(compute, kind) for kind in ("dense", "initializer", "constant")] for name, compute in ways.items()}
for name, words in seen.items():
    print(name, words)
assert all(words[0] == "right" for words in seen.values())
expected = {
    "onnxruntime": ["right", "right"],
    "onnxslim": ["right", "raises"],
    "onnxsim": ["right", "raises"],
    "openvino": ["raises", "right"],
    "opencv": ["raises", "raises"],
    "onnx2torch": ["raises", "raises"],
    "onnx.reference": ["raises", "raises"],
    "onnx.version_converter": ["raises", "raises"],
    "full check": ["raises", "right"],
    "quantize_dynamic": ["raises", "in floats"],
    "half precision": ["raises", "raises"],
}
assert {name: words[1:] for name, words in seen.items()} == expected, "the behaviour has changed"
PYTHON
