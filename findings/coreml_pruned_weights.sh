#!/bin/sh
# coremltools 9.0 from pip, on Linux: what a Core ML program stores of linear weights that were pruned before, of 128×128 with 50 and 45 % zeros and of
# 16×128 with 90 %. Conversion leaves all dense, as one expects;
#  1. prune_weights with OpThresholdPrunerConfig(), which is there to store zeros sparsely, does so for the first alone: by default half of a weight
#     must be zeros, and a weight of 2048 or fewer numbers is passed over. With minimum_sparsity_percentile=.1 and weight_threshold=0 it is all three.
#  2. palettize_weights by k-means leaves no zero: the nearest of its values is some 10⁻⁸ of the largest weight, so that nothing sees the difference
#     but what counts, stores or skips zeros. After prune_weights and with joint_compression=True all zeros stay.
#  3. linear_quantize_weights, int8 or int4, keeps all zeros.
# Weights that lnpt pruned are to be made sparse first, with both numbers given, and palettized jointly. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir coremltools==9.0 scikit-learn==1.9.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import coremltools
import numpy as np
from coremltools.converters.mil import Builder
from coremltools.optimize import coreml

assert coremltools.__version__ == "9.0", coremltools.__version__
generator = np.random.RandomState(0)


def pruned(rows, share):
    weight = generator.randn(rows, 128).astype(np.float32)
    weight[np.abs(weight) <= np.quantile(np.abs(weight), share)] = 0
    return weight


weights = [pruned(128, 0.5), pruned(128, 0.45), pruned(16, 0.9)]


@Builder.program(input_specs=[Builder.TensorSpec(shape=(1, 128))], opset_version=coremltools.target.iOS18)
def program(x):
    for weight in weights:
        x = Builder.linear(x=x, weight=weight)
    return x


plain = coremltools.convert(program, minimum_deployment_target=coremltools.target.iOS18, compute_precision=coremltools.precision.FLOAT32)


def by(method, settings, model=plain, **options):
    return method(model, coreml.OptimizationConfig(global_config=settings), **options)


def stored(model):
    """For every weight how it is stored, which share of its zeros is zero, and the largest number in the place of one, over the largest weight."""
    layers = [operation.weight for operation in model._mil_program.functions["main"].operations if operation.op_type == "linear"]
    result = []
    for weight, layer in zip(weights, layers):
        values = layer.op.materialized_val_inference() if layer.val is None else layer.val
        moved = np.abs(values[weight == 0])
        result.append((layer.op.op_type.removeprefix("constexpr_"), float((moved == 0).mean()), float(moved.max() / np.abs(weight).max())))
    return result


thorough = coreml.OpThresholdPrunerConfig(minimum_sparsity_percentile=0.1, weight_threshold=0)
four_bits = coreml.OpPalettizerConfig(nbits=4, weight_threshold=0)
sparse = by(coreml.prune_weights, thorough)
seen = {
    "converted": stored(plain),
    "pruner": stored(by(coreml.prune_weights, coreml.OpThresholdPrunerConfig())),
    "pruner, both given": stored(sparse),
    "palettized": stored(by(coreml.palettize_weights, four_bits)),
    "palettized jointly": stored(by(coreml.palettize_weights, four_bits, sparse, joint_compression=True)),
    "int8": stored(by(coreml.linear_quantize_weights, coreml.OpLinearQuantizerConfig(weight_threshold=0))),
    "int4": stored(by(coreml.linear_quantize_weights, coreml.OpLinearQuantizerConfig(dtype="int4", weight_threshold=0))),
}
for name, words in seen.items():
    print(name, words)
kinds = {name: [kind for kind, _, _ in words] for name, words in seen.items()}
assert kinds["converted"] == ["const"] * 3 and kinds["pruner, both given"] == ["sparse_to_dense"] * 3, "the behaviour has changed"
assert kinds["pruner"] == ["sparse_to_dense", "const", "const"], "the behaviour has changed"
for name, words in seen.items():
    shares = [share for _, share, _ in words]
    assert shares == ([0, 0, 0] if name == "palettized" else [1, 1, 1]), "the behaviour has changed"
assert 0 < max(moved for _, _, moved in seen["palettized"]) < 1e-5, "the behaviour has changed"
PYTHON
