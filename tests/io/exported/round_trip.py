"""What tests/io/exported_round_trip.sh runs: python round_trip.py LNPT FOLDER [NETWORK ...]

Weights are random, and so is the batch of four; batch norm's statistics are those of one pass in train mode, so that logits have a scale.
The first row of a network: the largest difference between the logits that `lnpt evaluate` computes of it and the module's, over the
largest logit, and the command's seconds. A row for each criterion: the part of the prunable weights that is zero, the same difference
between the loaded program and the module under the masks, between the engine's logits of that program and the module's, and seconds of
`lnpt prune`. With SHRINK=1 and a Python that has onnxruntime, also that difference of the smaller network's ONNX files, batch norm folded
and kept: the largest of batches of 4, 1 and 2.
"""
import copy
import importlib.util
import os
import subprocess
import sys
import time

import torch
from safetensors.torch import load_file, save_file

TORCHVISION = """resnet18 resnet50 vgg16_bn alexnet squeezenet1_1 densenet121 mobilenet_v2 mobilenet_v3_small shufflenet_v2_x1_0 mnasnet1_0
efficientnet_b0 googlenet inception_v3 regnet_y_400mf""".split()
TIMM = "mobilenetv4_conv_small resnetv2_50 ghostnet_100 hrnet_w18_small repvgg_a0 dla34".split()
BAR = 1e-4
ONNX_BAR = 1e-5
BATCHES = (4, 1, 2)  # in this order: an engine that keeps the first batch size is found out


def build(name):
    if name in TORCHVISION:
        import torchvision
        return torchvision.models.get_model(name, weights=None)
    import timm
    return timm.create_model(name, pretrained=False)


def prepare(name, folder):
    """The module in eval mode, a batch, and the program and the batch as files."""
    torch.manual_seed(0)
    module = build(name)
    side = 299 if name == "inception_v3" else 224
    images = torch.randn(4, 3, side, side)
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm2d):
            each.momentum = None  # a plain average
    module.train()(images)
    program = torch.export.export(module.eval(), (images,), dynamic_shapes=({0: torch.export.Dim("batch", min=2, max=64)},))
    torch.export.save(program, f"{folder}/net.pt2")
    save_file({"input": images, "labels": torch.randint(1000, (4,))}, f"{folder}/batch.safetensors")
    return module, images


def under_masks(module, masks):
    """A copy of the module with its weights pruned, and the part of them that is zero."""
    pruned, zeros, weights = copy.deepcopy(module), 0, 0
    state = pruned.state_dict()
    for name, mask in masks.items():
        weight = state[name.removeprefix("mask.")]
        weight.mul_(mask.to(weight.dtype))
        zeros, weights = zeros + (mask == 0).sum().item(), weights + mask.numel()
    return pruned, zeros / weights


def relative_difference(found, expected):
    return ((found - expected).abs().max() / expected.abs().max().clamp(min=1e-30)).item()


def prune(lnpt, folder, criterion, arguments):
    command = [lnpt, "prune", "--model", f"{folder}/net.pt2", "--criterion", criterion, *arguments]
    if criterion not in ("synflow", "magnitude", "random", "filter_norm", "bn_scale"):
        command += ["--data", f"{folder}/batch.safetensors", "--samples", "4"]
    if criterion == "synflow" and "ROUNDS" in os.environ:
        command += ["--rounds", os.environ["ROUNDS"]]
    begin = time.time()
    run = subprocess.run(command, capture_output=True, text=True)
    return run, time.time() - begin


def engine_logits(lnpt, folder, program):
    """What the engine computes of a program and the batch, in single precision; or its refusal."""
    run = subprocess.run([lnpt, "evaluate", "--model", f"{folder}/{program}", "--data", f"{folder}/batch.safetensors",
                          "--logits", f"{folder}/logits.safetensors"], capture_output=True, text=True)
    return run.stderr if run.returncode != 0 else load_file(f"{folder}/logits.safetensors")["logits"]


def dense(lnpt, folder, module, images):
    begin = time.time()
    logits = engine_logits(lnpt, folder, "net.pt2")
    return logits if isinstance(logits, str) else (relative_difference(logits, module(images)), time.time() - begin)


def round_trip(lnpt, folder, module, images, criterion):
    run, seconds = prune(lnpt, folder, criterion, ["--sparsity", os.environ.get("SPARSITY", ".9"), "--out", f"{folder}/pruned.pt2",
                                                   "--masks-out", f"{folder}/masks.safetensors"])
    if run.returncode != 0:
        return run.stderr
    pruned, zeros = under_masks(module, load_file(f"{folder}/masks.safetensors"))
    program, expected = torch.export.load(f"{folder}/pruned.pt2"), pruned(images)
    torch.export.save(program, f"{folder}/again.pt2")
    differences = [relative_difference(program.module()(images), expected)]
    logits = engine_logits(lnpt, folder, "pruned.pt2")
    return logits if isinstance(logits, str) else (zeros, differences + [relative_difference(logits, expected)], seconds)


def shrunk(lnpt, folder, module, images, criterion):
    """The same of channels that are removed: the smaller program beside the one that keeps them as zeros."""
    channels = ["--mask", "channels", "--budget", "channels:.5"]
    prune(lnpt, folder, criterion, [*channels, "--masks-out", f"{folder}/masks.safetensors", "--out", f"{folder}/pruned.pt2"])
    in_onnx = []
    for kept in ([], ["--keep-batch-norm"]) if importlib.util.find_spec("onnxruntime") else ([],):
        run, seconds = prune(lnpt, folder, criterion,
                             [*channels, "--shrink", "--out", f"{folder}/small.pt2", "--onnx", f"{folder}/small.onnx", *kept])
        if run.returncode != 0:
            return run.stderr
        smaller = torch.export.load(f"{folder}/small.pt2").module()(images)
        if importlib.util.find_spec("onnxruntime"):
            in_onnx.append(onnx_difference(f"{folder}/small.onnx", images, smaller))
    pruned, zeros = under_masks(module, load_file(f"{folder}/masks.safetensors"))
    return zeros, [relative_difference(smaller, pruned(images))], seconds, *in_onnx


def onnx_difference(path, images, expected):
    """How far ONNX Runtime is from these logits, at most over batches."""
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return max(relative_difference(torch.from_numpy(session.run(None, {name: images[:batch].numpy()})[0]), expected[:batch])
               for batch in BATCHES)


def main(lnpt, folder, names):
    print(f"PyTorch {torch.__version__}\n{'network':24} {'criterion':9} zeros   PyTorch  engine   seconds", flush=True)
    compare, failed = (shrunk if os.environ.get("SHRINK") else round_trip), 0
    for name in names or TORCHVISION + TIMM:
        module, images = prepare(name, folder)
        found = dense(lnpt, folder, module, images)
        failed += isinstance(found, str) or not found[0] <= BAR
        print(f"{name:24} {'dense':9} " + (f"refused: {found.strip()[:120]}" if isinstance(found, str)
                                            else f"{'':6}  {'':7}  {found[0]:.1e}  {found[1]:.1f}"), flush=True)
        for criterion in os.environ.get("CRITERIA", "snip synflow").split():
            row = compare(lnpt, folder, module, images, criterion)
            if isinstance(row, str):
                print(f"{name:24} {criterion:9} refused: {row.strip()[:120]}", flush=True)
                continue
            zeros, differences, seconds, *in_onnx = row
            failed += not (max(differences) <= BAR and all(each <= ONNX_BAR for each in in_onnx))
            print(f"{name:24} {criterion:9} {zeros:.4f}  " + "  ".join(f"{d:.1e}" for d in differences) + f"  {seconds:.1f}",
                  *(f"    ONNX {each:.1e}" for each in in_onnx), flush=True)
    return failed


if __name__ == "__main__":
    with torch.no_grad():
        sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]) > 0)
