"""Runs every ONNX file of a folder in the engines that are installed and compares with the expected logits beside it.

NAME.onnx, NAME.json ({"input": [C, H, W], "classes": K}), NAME.B.input and NAME.B.output: float32, row-major, for batches of B.
Prints one line per engine; exits 1 where one differs, 77 where numpy is missing or neither onnx nor an engine is installed.
"""
import glob
import importlib.util
import json
import os
import sys

try:
    import numpy
except ImportError:
    print("skipped: numpy is not installed for", sys.executable)
    sys.exit(77)

TOLERANCE = 1e-5  # of the largest logit
BATCHES = (4, 1, 2)  # in this order: an engine that keeps the first batch size is found out


def by_opencv(path):
    import cv2
    net = cv2.dnn.readNetFromONNX(path)

    def run(x):
        net.setInput(x)
        return net.forward()
    return run


def by_onnxruntime(path):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {session.get_inputs()[0].name: x})[0]


def main(folder):
    engines = {"cv2": by_opencv, "onnxruntime": by_onnxruntime}
    present = {name: make for name, make in engines.items() if importlib.util.find_spec(name)}
    checker = importlib.util.find_spec("onnx") is not None
    if not present and not checker:
        print("skipped: neither onnx nor cv2 nor onnxruntime is installed for", sys.executable)
        return 77
    failures = 0
    for path in sorted(glob.glob(os.path.join(folder, "*.onnx"))):
        stem = path[:-len(".onnx")]
        with open(stem + ".json") as file:
            about = json.load(file)
        if checker:
            import onnx
            onnx.checker.check_model(onnx.load(path), full_check=True)
            print(os.path.basename(path), "onnx", onnx.__version__, "ok")
        for name, make in present.items():
            worst = 0
            run = make(path)
            for batch in BATCHES:
                x = numpy.fromfile(f"{stem}.{batch}.input", numpy.float32).reshape([batch] + about["input"])
                expected = numpy.fromfile(f"{stem}.{batch}.output", numpy.float32).reshape(batch, about["classes"])
                found = run(x)
                if found.shape != expected.shape:
                    print(os.path.basename(path), name, "has the shape", found.shape, "and not", expected.shape)
                    worst = numpy.inf
                    continue
                worst = max(worst, float(numpy.abs(found - expected).max() / numpy.abs(expected).max()))
            print(os.path.basename(path), name, f"{worst:.1e}")
            failures += not worst <= TOLERANCE
    return 1 if failures else 0


sys.exit(main(sys.argv[1]))
