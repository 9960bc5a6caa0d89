#!/bin/sh
# tensorflow-model-optimization 0.8.1 with tensorflow 2.21.0 and tf_keras 2.21.0 from pip, on the CPU: how many weights prune_low_magnitude removes. One
# expects the share that is asked for of every kernel, when the schedule says so, whatever its values are:
#  1. It keeps all weights that are as large as the last one kept. Of 16 equal weights a sparsity of .5 removes none; of weights rounded to codes of
#     3 bits .5, .8 and .9 remove none beyond the zeros that were there, and of 4 bits .8 and .9 remove the same 68 %.
#  2. The half of what stays is rounded to the even number: .5 leaves 2 of 5, 4 of 7, 4 of 9 and 8 of 15. One weight of every kernel stays.
#  3. Kernels of depthwise convolutions stay dense.
#  4. PolynomialDecay changes masks at every 100th step unless another frequency is given, the first among them, and has no last change at end_step:
#     towards .8, with end_step=90, 200 steps leave a network dense, and from 50 to 100 they leave it at initial_sparsity.
#  5. With sparsity_m_by_n=(2, 4) the mask is made at the first step, whatever begin_step is: with begin_step=1000 all of it is there after 3.
# lnpt keeps the weights that a budget asks for, of equal ones the first, keeps the half-weight (3 of 5, 4 of 7, 5 of 9, 8 of 15), prunes depthwise
# kernels too, and its schedules end in the target. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir tensorflow==2.21.0 tf_keras==2.21.0 tensorflow-model-optimization==0.8.1
cd "$folder"
TF_USE_LEGACY_KERAS=1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import numpy as np
import tf_keras
from tensorflow_model_optimization.sparsity import keras as sparsity

layers = tf_keras.layers
generator = np.random.RandomState(0)


def kept(layer, shape, schedule, steps=2, values=None, **options):
    """How many weights of the kernel are left after steps that change nothing but masks."""
    network = tf_keras.Sequential([tf_keras.Input(shape), layer])
    if values is not None:
        layer.set_weights([np.reshape(values, layer.kernel.shape)])
    pruned = sparsity.prune_low_magnitude(network, pruning_schedule=schedule, **options)
    pruned.compile(tf_keras.optimizers.SGD(0.0), "mse")
    x, y = generator.randn(steps, *shape), generator.randn(steps, *network.output_shape[1:])
    pruned.fit(x, y, batch_size=1, verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    return int(np.count_nonzero(sparsity.strip_pruning(pruned).get_weights()[0]))


def dense(inputs, outputs=1):
    return layers.Dense(outputs, use_bias=False), (inputs,)


def constant(share):
    return sparsity.ConstantSparsity(share, begin_step=0, frequency=1)


def codes(bits):
    weight = np.random.RandomState(bits).randn(256, 128)
    return np.round(weight / np.abs(weight).max() * (2 ** (bits - 1) - 1))


def of_codes(bits):
    """Shares of zeros: before, and after asking for .5, .8 and .9."""
    values = codes(bits)
    left = [kept(*dense(256, 128), constant(share), values=values) for share in (0.5, 0.8, 0.9)]
    return [round(1 - n / values.size, 3) for n in (int(np.count_nonzero(values)), *left)]


late = sparsity.ConstantSparsity(0.5, begin_step=1000, frequency=1)
seen = {
    "left of 16 equal weights, and of 16 others": [kept(*dense(16), constant(0.5), values=v) for v in (np.ones(16), np.arange(1, 17))],
    "zeros among codes of 3 bits, before and after": of_codes(3),
    "zeros among codes of 4 bits, before and after": of_codes(4),
    "left of 5, 7, 9, 15 by .5": [kept(*dense(n), constant(0.5)) for n in (5, 7, 9, 15)],
    "left of 10 by .99": kept(*dense(10), constant(0.99)),
    "left of depthwise 144, of 1x1 128": [
        kept(layers.DepthwiseConv2D(3), (8, 8, 16), constant(0.5)),
        kept(layers.Conv2D(8, 1), (8, 8, 16), constant(0.5)),
    ],
    "left of 128 by decay to .8 at steps 90, 100, from 50 to 100": [
        kept(*dense(16, 8), sparsity.PolynomialDecay(initial, 0.8, begin, end), steps=200)
        for initial, begin, end in ((0.0, 0, 90), (0.0, 0, 100), (0.2, 50, 100))
    ],
    "left of 128 from step 1000 on, after 3: plain, 2:4": [
        kept(*dense(16, 8), late, steps=3),
        kept(*dense(16, 8), late, steps=3, sparsity_m_by_n=(2, 4)),
    ],
}
for name, values in seen.items():
    print(f"{name}: {values}")
assert seen == {
    "left of 16 equal weights, and of 16 others": [16, 8],
    "zeros among codes of 3 bits, before and after": [0.559] * 4,
    "zeros among codes of 4 bits, before and after": [0.259, 0.259, 0.681, 0.681],
    "left of 5, 7, 9, 15 by .5": [2, 4, 4, 8],
    "left of 10 by .99": 1,
    "left of depthwise 144, of 1x1 128": [144, 64],
    "left of 128 by decay to .8 at steps 90, 100, from 50 to 100": [128, 26, 102],
    "left of 128 from step 1000 on, after 3: plain, 2:4": [128, 64],
}, "the behaviour has changed"
PYTHON
