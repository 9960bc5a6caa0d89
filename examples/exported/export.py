# Three lines: a network as torch.export writes it, for a batch of any size, and a batch to score on.
import torch, torchvision, safetensors.torch

network, images = torchvision.models.resnet18().eval(), torch.randn(16, 3, 224, 224)
torch.export.save(torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},)), "net.pt2")
safetensors.torch.save_file({"input": images, "labels": torch.randint(1000, (16,))}, "batch.safetensors")
