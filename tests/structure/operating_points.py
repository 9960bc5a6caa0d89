"""Reproduces the multiply-adds of LNPT's Table III with whole channels, and prints what became of the parameters.

    python3 tests/structure/operating_points.py LNPT [CRITERION ...]       LNPT: the command line, such as build/demo/lnpt

Fresh weights of seed 0; without a criterion magnitude. Prints the table of docs/measurements.md, one row for each point and criterion; fails
where fewer multiply-adds went than were asked for, or more by over a two-hundredth (a channel of a residual stage is 0.2 % of them), or
a certificate is above 1e-12.
"""
import json
import os
import subprocess
import sys
import tempfile

# The fractions of multiply-adds that the paper removes. It prints 45.4 % for the first of ResNet-56, of which its own counts make 46.4 %.
POINTS = {"VGG-16": ("vgg:16:64", [.679, .848]), "ResNet-56, option A": ("resnet:56:16,32,64:a", [.464, .544, .641])}
READS_DATA = ("snip", "taylor", "grasp", "obd", "fisher", "movement")


def prune(lnpt, folder, architecture, criterion, fraction):
    command = [lnpt, "prune", "--arch", architecture, "--criterion", criterion, "--mask", "channels", "--budget", f"flops:{fraction}",
               "--shrink", "--json", "--out", os.path.join(folder, "small.safetensors")]
    if criterion in READS_DATA:
        command += ["--data", "synthetic", "--samples", "8"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["shrunk"]


def main(lnpt, criteria):
    print("| | criterion | flops:F | multiply–adds left, M | removed % | parameters left, M | removed % | certificate (double) |")
    print("|---|---|---|---|---|---|---|---|")
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for network, (architecture, fractions) in POINTS.items():
            for criterion in criteria:
                for fraction in fractions:
                    seen = prune(lnpt, folder, architecture, criterion, fraction)
                    (all_products, products), (all_weights, weights) = seen["multiply_adds"], seen["parameters"]
                    gone, certificate = 1 - products / all_products, seen["certificate"]["relative"]
                    missed += not (fraction <= gone < fraction + 5e-3 and certificate <= 1e-12)
                    print(f"| {network} | {criterion} | {fraction:.3f} | {products / 1e6:.2f} of {all_products / 1e6:.2f} | {100 * gone:.1f} "
                          f"| {weights / 1e6:.3f} of {all_weights / 1e6:.3f} | {100 * (1 - weights / all_weights):.1f} "
                          f"| {certificate:.1e} |", flush=True)
    return missed


sys.exit(main(sys.argv[1], sys.argv[2:] or ["magnitude"]) > 0)
