"""Networks of torchvision, exported, pruned by lnpt and loaded back: PyTorch must compute of them what lnpt computes.

usage: python round_trip.py PROGRAM FOLDER [ROUNDS]     (PROGRAM: the built examples/exported/round_trip; pip's torch and torchvision)

Weights are random, and so is the batch of four; batch norm's statistics are taken from one pass in train mode, so that logits have a scale.
Prints one row for each network and criterion: the sparsity that PyTorch finds, and the largest difference of logits over the largest logit.
"""
import os
import subprocess
import sys

import torch
import torchvision
from safetensors.torch import load_file, save_file

NETWORKS = """resnet18 resnet50 vgg16_bn alexnet squeezenet1_1 densenet121 mobilenet_v2 mobilenet_v3_small shufflenet_v2_x1_0 mnasnet1_0
efficientnet_b0 googlenet inception_v3 regnet_y_400mf""".split()


def prepare(name, folder):
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None)
    side = 299 if name == "inception_v3" else 224
    batch = torch.randn(4, 3, side, side)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # a plain average
    network.train()(batch)
    program = torch.export.export(network.eval(), (batch,), dynamic_shapes=({0: torch.export.Dim("batch", min=2, max=64)},))
    torch.export.save(program, f"{folder}/{name}.pt2")
    save_file({"input": batch, "labels": torch.randint(1000, (4,))}, f"{folder}/{name}.safetensors")
    return batch, {k for k, v in network.named_parameters() if v.dim() > 1}


def main(program, folder, rounds):
    worst = 0.0
    for name in NETWORKS:
        batch, weights = prepare(name, folder)
        for criterion in ("snip", "synflow"):
            target = f"{folder}/{name}.{criterion}.pt2"
            arguments = [program, f"{folder}/{name}.pt2", f"{folder}/{name}.safetensors", target, criterion]
            run = subprocess.run(arguments + ([rounds] if criterion == "synflow" and rounds else []), capture_output=True, text=True)
            if run.returncode != 0:  # such as SynFlow on saturating activations
                print(f"{name:20} {criterion:8} refused: {run.stderr.strip()[:100]}", flush=True)
                continue
            loaded = torch.export.load(target)
            state = loaded.state_dict
            zeros = sum((state[k] == 0).sum().item() for k in weights if k in state)
            total = sum(state[k].numel() for k in weights if k in state)
            ours = load_file(target + ".logits.safetensors")["logits"]
            theirs = loaded.module()(batch)
            difference = ((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-30)).item()  # a layer may be empty
            torch.export.save(loaded, target)
            worst = max(worst, difference)
            print(f"{name:20} {criterion:8} {zeros / total:.4f}  {difference:.1e}", flush=True)
            os.remove(target)
            os.remove(target + ".logits.safetensors")
        os.remove(f"{folder}/{name}.pt2")
    return worst


if __name__ == "__main__":
    with torch.no_grad():
        worst = main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
    sys.exit(worst > 1e-4)
