"""Saves a small convolutional network for examples/torchscript.cpp: python3 torchscript_save.py network.pt"""
import sys

import torch
from torch import nn


class Network(nn.Module):
    """Returns the logits and the features: the input of the last linear layer."""

    def __init__(self, classes: int = 10):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        features = self.body(x).mean((2, 3))
        return self.fc(features), features


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.jit.script(Network()).save(sys.argv[1])
