#!/usr/bin/env python3
"""Forward + backward of the CPU engine beside that of the torch that this Python imports, in turn, in both of torch's layouts.

    python3 -m venv build/torch && build/torch/bin/pip install torch
    build/torch/bin/python bench/newest_torch.py build/bench/bench/bench_engine [--rounds 5] [--threads 2]

Every round runs each row once on either side; the least time of all rounds counts. `--time cpu` compares CPU time of all threads instead of
elapsed time, which other programs on the machine disturb less. Prints a table in Markdown.
"""
import argparse
import json
import subprocess
import time

import torch
from torch import nn


def convolution(channels, width, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width))


class Block(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.first = convolution(channels, width, stride=stride)
        self.second = convolution(width, width)
        self.shortcut = nn.Identity() if channels == width else convolution(channels, width, 1, stride)

    def forward(self, x):
        return torch.relu_(self.second(torch.relu_(self.first(x))) + self.shortcut(x))


def resnet32():
    layers, channels = [convolution(3, 32), nn.ReLU(True)], 32
    for stage, width in enumerate((32, 64, 128)):
        for i in range(5):
            layers.append(Block(channels, width, 2 if stage > 0 and i == 0 else 1))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def vgg19():
    layers, channels = [], 3
    for block, (width, count) in enumerate(((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))):
        layers += [nn.MaxPool2d(2)] if block > 0 else []
        for _ in range(count):
            layers += [convolution(channels, width), nn.ReLU(True)]
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class TorchRow:
    """Forward and backward under cross-entropy, every gradient made anew."""

    def __init__(self, network, samples, layout):
        torch.manual_seed(1)
        self.network = network().to(memory_format=layout)
        self.images = torch.randn(samples, 3, 32, 32).to(memory_format=layout)
        self.labels = torch.arange(samples) % 10

    def milliseconds(self, passes, clock):
        def step():
            self.network.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(self.network(self.images), self.labels).backward()

        step()
        begin = clock()
        for _ in range(passes):
            step()
        return 1e3 * (clock() - begin) / passes


def engine_milliseconds(program, name, samples, kind):
    row = f"^forward_backward/{name}" + ("" if samples == 100 else f"/batch:{samples}") + "/iterations.*"
    run = subprocess.run([program, f"--benchmark_filter={row}", "--benchmark_format=json"], capture_output=True, check=True)
    found = json.loads(run.stdout)["benchmarks"]
    if len(found) != 1:
        raise SystemExit(f"{program} has {len(found)} rows that match {row}: pass a bench_engine of this checkout")
    return found[0]["cpu_time" if kind == "cpu" else "real_time"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("program", help="bench_engine")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--threads", type=int, default=2, help="of torch; bench_engine takes two where there are as many cores")
    arguments.add_argument("--time", choices=("elapsed", "cpu"), default="elapsed")
    arguments.add_argument("--batches", type=int, nargs="+", choices=(100, 8, 1), default=(100, 8, 1))
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    clock = time.process_time if given.time == "cpu" else time.perf_counter
    layouts = {"NCHW": torch.contiguous_format, "channels last": torch.channels_last}
    print(f"torch {torch.__version__}, {given.threads} threads, {given.time} time, least of {given.rounds} rounds\n")
    print("| | batch | engine, ms | " + " | ".join(f"torch {name}, ms" for name in layouts) + " | engine ÷ the better |")
    print("|---|---|---|---|---|---|")
    for title, name, network in (("ResNet-32 (32/64/128)", "resnet32", resnet32), ("VGG-19", "vgg19", vgg19)):
        for samples in given.batches:
            passes = {100: 2, 8: 8, 1: 40}[samples]
            rivals = {layout: TorchRow(network, samples, form) for layout, form in layouts.items()}
            ours, theirs = [], {layout: [] for layout in layouts}
            for _ in range(given.rounds):
                ours.append(engine_milliseconds(given.program, name, samples, given.time))
                for layout, rival in rivals.items():
                    theirs[layout].append(rival.milliseconds(passes, clock))
            least = {layout: min(times) for layout, times in theirs.items()}
            cells = [title, str(samples), f"{min(ours):.1f}", *(f"{t:.1f}" for t in least.values())]
            print("| " + " | ".join([*cells, f"{min(ours) / min(least.values()):.2f}"]) + " |", flush=True)


if __name__ == "__main__":
    main()
