"""PyTorch eager on the card that bench/gpu.sh runs on: milliseconds of a training step at batch 128, and the table of both.

    torch_eager.py OUT.json SECONDS    measures until the time is over
    torch_eager.py --table FOLDER      prints the rows of lnpt_*.json beside those of torch_*.json
"""

import glob
import itertools
import json
import os
import sys
import time


def networks(torch):
    nn = torch.nn

    class block(nn.Module):
        """Two convolutions and a shortcut without weights: every second pixel, padded with zero channels."""

        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
            self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
            self.stride, self.more = stride, outputs - inputs

        def forward(self, x):
            shortcut = x[:, :, :: self.stride, :: self.stride]
            if self.more:
                shortcut = nn.functional.pad(shortcut, (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
            return torch.relu(self.second(self.first(x)) + shortcut)

    def unit(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    def head(width):
        return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]

    def resnet32():
        layers, inputs = unit(3, 32), 32
        for stage, outputs in enumerate((32, 64, 128)):
            for i in range(5):
                layers.append(block(inputs, outputs, 2 if stage and not i else 1))
                inputs = outputs
        return nn.Sequential(*layers, *head(inputs))

    def vgg19():
        layers, inputs = [], 3
        for outputs in (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512):
            layers += unit(inputs, outputs) if outputs else [nn.MaxPool2d(2)]
            inputs = outputs or inputs
        return nn.Sequential(*layers, *head(inputs))

    return {"resnet32": resnet32, "vgg19": vgg19}


def step_milliseconds(torch, make, channels_last, half):
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = make().cuda().to(memory_format=layout)
    optimiser = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9, weight_decay=5e-4, foreach=True)
    images = torch.randn(128, 3, 32, 32, device="cuda").to(memory_format=layout)
    labels = torch.randint(10, (128,), device="cuda")

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimiser.step()

    for _ in range(10):
        step()
    times = []
    for _ in range(5):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(10):
            step()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 10)
    return sorted(times)[2]


def measure(path, seconds):
    import torch

    stop = time.monotonic() + seconds
    torch.backends.cuda.matmul.allow_tf32 = False  # linear layers are fp32 in the engine too
    rows = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "cudnn": torch.backends.cudnn.version()}
    for name, make in networks(torch).items():
        for precision, channels_last, tuned in itertools.product(("fp32", "tf32", "bf16"), (False, True), (False, True)):
            if time.monotonic() > stop:
                return
            torch.backends.cudnn.allow_tf32 = precision != "fp32"
            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = tuned, not tuned
            row = f"train_step/{name}/{precision} {'NHWC' if channels_last else 'NCHW'} {'tuned' if tuned else 'deterministic'}"
            rows[row] = step_milliseconds(torch, make, channels_last, precision == "bf16")
            print(f"{row} {rows[row]:.3f} ms", flush=True)
            with open(path, "w") as file:
                json.dump(rows, file)


def floor(name, counters, ours, prefix):
    """The milliseconds below which the card cannot go: its operations at the rate of a large convolution, its bytes at that of a copy."""
    if "gflop" not in counters or name.startswith(prefix + "ceiling"):
        return None
    ceiling, copy = f"{prefix}ceiling/{name.rsplit('/', 1)[1]}", f"{prefix}copy"
    if ceiling not in ours or copy not in ours:
        return None
    operations = counters["gflop"] / ours[ceiling][0]["gflop"] * min(t["real_time"] for t in ours[ceiling])
    copied = 2 * 4 * (2e3 if prefix else 1e8) / 1e9  # gigabytes read and written
    return operations, counters["gbyte"] / copied * min(t["real_time"] for t in ours[copy])


def table(folder):
    rows, theirs = {}, {}
    for path in sorted(glob.glob(os.path.join(folder, "lnpt_*.json"))):
        with open(path) as file:
            for row in json.load(file)["benchmarks"]:
                if "real_time" in row and not row.get("error_occurred"):
                    rows.setdefault(row["name"].split("/iterations:")[0], []).append(row)
    ours = {name: [row["real_time"] for row in of] for name, of in rows.items()}
    for path in sorted(glob.glob(os.path.join(folder, "torch_*.json"))):
        with open(path) as file:
            for name, value in json.load(file).items():
                if name.startswith("train_step/"):
                    theirs.setdefault(name, []).append(value)
    print(f"{'row':44} {'least ms':>10} {'spread':>7} {'÷ operations, bytes':>20} {'÷':>6} of")
    for name, times in ours.items():
        beside, of = None, ""
        prefix = "small/" if name.startswith("small/") else ""
        if name.startswith("train_step/"):
            plans = "tuned" if name.endswith("_fastest") else "deterministic"
            same = name.removesuffix("_fastest") + " "
            rivals = {n: min(t) for n, t in theirs.items() if n.startswith(same) and n.endswith(plans)}
            if rivals:
                of = min(rivals, key=rivals.get)
                beside = rivals[of]
        elif "score/" in name:
            of = name.split("score/")[0] + "forward_backward/" + name.rsplit("/", 1)[1] + "/fp32"
            beside = min(ours[of]) if of in ours else None
        elif name.endswith("select"):
            of = name.replace("select", "copy")
            beside = min(ours[of]) if of in ours else None
        ratio = f"{min(times) / beside:6.2f} {of}" if beside else ""
        floors = floor(name, rows[name][0], rows, prefix)
        beyond = ", ".join(f"{min(times) / each:.2f}" for each in floors) if floors else ""
        print(f"{name:44} {min(times):10.3f} {max(times) / min(times) - 1:6.0%} {beyond:>20} {ratio}")
    for name, times in theirs.items():
        print(f"{'PyTorch ' + name:44} {min(times):10.3f} {max(times) / min(times) - 1:6.0%}")


if __name__ == "__main__":
    table(sys.argv[2]) if sys.argv[1] == "--table" else measure(sys.argv[1], float(sys.argv[2]))
