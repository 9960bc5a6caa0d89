#!/bin/sh
# tensorflow 2.21.0 from pip, on the CPU: the weight of a linear layer of 256×512 and of a 3×3 convolution of 64 channels, of which 80 % are zero, as TFLite
# files. The converter stores it without its zeros when Optimize.EXPERIMENTAL_SPARSITY is asked for, and one expects its own interpreter to run that
# whatever the numbers are:
#  1. In floats and in int8 with a representative data set the file is .25 to .55 of the dense one, and its output is as good.
#  2. With Optimize.DEFAULT and no data set (8-bit weights, float activations) the converter writes a file half as large as the dense one, without a
#     word, and the interpreter refuses it in allocate_tensors(): by default it hands the layer to XNNPACK, which does not take a sparse 8-bit weight
#     there. With OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES it runs.
#  3. Without EXPERIMENTAL_SPARSITY the file is as large as that of a weight without zeros.
# So weights that lnpt pruned are converted sparse in floats or with a data set; what lnpt writes is dense, with zeros. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir tensorflow==2.21.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import numpy as np
import tensorflow as tf

assert tf.__version__ == "2.21.0", tf.__version__
generator = np.random.RandomState(0)


def weight_of(shape, share):
    weight = generator.randn(*shape).astype(np.float32)
    weight[np.abs(weight) <= np.quantile(np.abs(weight), share)] = 0
    return tf.constant(weight)


def network(shape, weight):
    spec = [tf.TensorSpec([1, *shape], tf.float32)]
    layer = (lambda x: tf.matmul(x, weight)) if len(shape) == 1 else (lambda x: tf.nn.conv2d(x, weight, 1, "SAME"))
    return tf.function(layer, input_signature=spec, autograph=False)


def convert(layer, shape, optimizations, calibrated):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([layer.get_concrete_function()], layer)
    converter.optimizations = optimizations
    if calibrated:
        converter.representative_dataset = lambda: ([generator.randn(1, *shape).astype(np.float32)] for _ in range(10))
    return converter.convert()


resolvers = tf.lite.experimental.OpResolverType


def run(file, x, resolver=resolvers.AUTO):
    """The output, or the end of the sentence that refuses the file."""
    interpreter = tf.lite.Interpreter(model_content=file, experimental_op_resolver_type=resolver)
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        return str(error)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


sparse, eight_bits = tf.lite.Optimize.EXPERIMENTAL_SPARSITY, tf.lite.Optimize.DEFAULT
for name, shape, of in (("linear", (256,), (256, 512)), ("convolution", (8, 8, 64), (3, 3, 64, 64))):
    weight, x = weight_of(of, 0.8), generator.randn(1, *shape).astype(np.float32)
    layer, whole = network(shape, weight), network(shape, weight_of(of, 0))
    expected = layer(x).numpy()
    for kind, optimizations, calibrated in (("floats", [], False), ("8-bit weights", [eight_bits], False), ("int8", [eight_bits], True)):
        dense, full = convert(layer, shape, optimizations, calibrated), convert(whole, shape, optimizations, calibrated)
        packed = convert(layer, shape, [sparse, *optimizations], calibrated)
        outputs = [run(dense, x), run(packed, x), run(packed, x, resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES)]
        errors = [o if isinstance(o, str) else float(np.abs(o - expected).max() / np.abs(expected).max()) for o in outputs]
        print(f"{name}, {kind}: {len(full)} bytes without zeros, {len(dense)} dense, {len(packed)} sparse; errors {errors}")
        assert abs(len(dense) / len(full) - 1) < 0.02 and 0.2 < len(packed) / len(dense) < 0.6, "the behaviour has changed"
        assert errors[0] < 0.1 and errors[2] < 0.1, "the behaviour has changed"
        if kind == "8-bit weights":
            assert isinstance(errors[1], str) and "failed to prepare" in errors[1], "the behaviour has changed"
        else:
            assert errors[1] < 0.1, "the behaviour has changed"
PYTHON
