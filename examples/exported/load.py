# Two lines: the pruned network, and a module of your own with the pruned weights.
import torch, torchvision, safetensors.torch

pruned = torch.export.load("pruned.pt2").module()
torchvision.models.resnet18().load_state_dict(safetensors.torch.load_file("pruned.safetensors"))
