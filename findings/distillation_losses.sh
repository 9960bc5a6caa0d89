#!/bin/sh
# Losses of distillation at temperature 4 of packages from pip, for 8 samples of 10 classes, with torch 2.15.0 on the CPU. One expects that of Hinton,
# Vinyals and Dean, T² times the divergence of the softened probabilities, its mean over the samples, and so the same gradient from all:
#  1. torchdistill 1.1.5: KDLoss has T² as documented with labels, and without labels or with alpha=0 not: a sixteenth of the gradient.
#  2. nvidia-modelopt 0.47.0: LogitsDistillationLoss is by default divided by the classes, a tenth; with reduction="batchmean" it is the expected one.
#  3. textbrewer 0.2.1: kd_ce_loss has no T², a sixteenth.
#  4. fasterai 0.4.1 (SoftTarget) and timm 1.0.31 (LogitDistillationTask) have the expected one.
# lnpt's `distillation` has the expected one, with labels or without. A mask does not depend on the factor; a learning rate, or a weight beside another
# loss, that was found with one of the others is to be divided by it. Fails when any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 timm==1.0.31 nvidia-modelopt==0.47.0 fastcore==2.2.41 einops==0.8.2 tensorboard==2.21.0 requests==2.34.2 numpy
"$folder/venv/bin/pip" install -q --no-cache-dir --no-deps torchdistill==1.1.5 textbrewer==0.2.1.post1 fasterai==0.4.1
cd "$folder"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" -W ignore - 2> complaints <<'PYTHON'
import timm
import torch
from fasterai.distill.losses import SoftTarget
from modelopt.torch.distill.losses import LogitsDistillationLoss
from textbrewer.losses import kd_ce_loss
from timm.task.distillation import LogitDistillationTask
from torch import nn
from torch.nn.functional import cosine_similarity, kl_div, log_softmax, softmax
from torchdistill.losses.mid_level import KDLoss

assert torch.__version__.startswith("2.15.0") and timm.__version__ == "1.0.31"
torch.manual_seed(0)
temperature, samples, classes = 4.0, 8, 10
ours, theirs = 3 * torch.randn(samples, classes), 3 * torch.randn(samples, classes)
labels = torch.randint(classes, (samples,))


def hinton(student, teacher):
    parts = log_softmax(student / temperature, 1), softmax(teacher / temperature, 1)
    return temperature**2 * kl_div(*parts, reduction="batchmean")


def of_torchdistill(alpha, beta, targets):
    loss = KDLoss("logits", "output", "logits", "output", temperature, alpha=alpha, beta=beta)
    return lambda student, teacher: loss({"logits": {"output": student}}, {"logits": {"output": teacher}}, targets)


class Answers(nn.Module):
    """A network whose answer is known."""

    pretrained_cfg = {"mean": (0.5,), "std": (0.5,)}

    def __init__(self, logits):
        super().__init__()
        self.logits, self.num_classes, self.in_chans = logits, classes, 1

    def forward(self, x):
        return self.logits


def of_timm(student, teacher):
    task = LogitDistillationTask(Answers(student), Answers(teacher), criterion=nn.CrossEntropyLoss(), distill_loss_weight=1.0, task_loss_weight=0.0,
                                 temperature=temperature, device=torch.device("cpu"), verbose=False)
    return task(torch.zeros(samples, 1, 4, 4), labels)["loss"]


def gradient(loss):
    student = ours.clone().requires_grad_()
    loss(student, theirs).backward()
    return student.grad.flatten()


hard = 1e-6  # so small a weight of the labels that the sum has the direction of the other part
losses = {
    "torchdistill with labels": (of_torchdistill(hard, 1.0, labels), 1),
    "torchdistill without labels": (of_torchdistill(hard, 1.0, None), 1 / 16),
    "torchdistill with alpha=0": (of_torchdistill(0.0, 1.0, labels), 1 / 16),
    "modelopt": (LogitsDistillationLoss(temperature), 1 / 10),
    "modelopt, batchmean": (LogitsDistillationLoss(temperature, "batchmean"), 1),
    "textbrewer": (lambda student, teacher: kd_ce_loss(student, teacher, temperature), 1 / 16),
    "fasterai": (lambda student, teacher: SoftTarget(student, teacher, T=temperature), 1),
    "timm": (of_timm, 1),
}
expected = gradient(hinton)
for name, (loss, factor) in losses.items():
    found = gradient(loss)
    ratio, cosine = (found.norm() / expected.norm()).item(), cosine_similarity(found, expected, 0).item()
    print(f"{name}: {ratio:.4f} of the gradient, cosine {cosine:.6f}")
    assert abs(ratio / factor - 1) < 1e-4 and cosine > 1 - 1e-5, "the behaviour has changed"
PYTHON
