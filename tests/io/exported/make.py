"""Small networks as PyTorch exports them, with what PyTorch computes of them in float64: what tests/io/exported_program.cpp,
tests/oracle/scores.cpp and tests/cli/exported.cpp read.

usage: python make.py [FOLDER]      (PyTorch 2.9 or newer; the files here are from 2.15, schema 8.20)

NAME.pt2 holds the network, NAME.safetensors a batch and its logits in both modes of batch norm; for layers, joins, own and constants also
a teacher's weights, labels, losses and the scores of every criterion, score.CRITERION.PARAMETER, in the mode that bn_mode names. The
networks of core.pt2, which was exported in train mode, and of spelt_out.pt2 were decomposed; of the latter moved.BUFFER are running
statistics after a step in train mode. tests/structure/certificates.sh prunes branches.pt2, too.
"""
import copy
import json
import os
import sys
import tempfile
import zipfile

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file


class Layers(nn.Module):
    """Convolutions of every geometry, shared and strided weights, activations, and the features of a convolution that classifies."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Conv2d(6, 5, 1)  # registered first, computed last
        self.even = nn.Conv2d(3, 4, (2, 4), padding="same", bias=False)
        self.dilated = nn.Conv2d(4, 4, 3, stride=(2, 1), padding=(2, 1), dilation=(2, 1), groups=2)
        self.norm = nn.BatchNorm2d(4, eps=1e-3)
        self.prelu = nn.PReLU(4)
        self.first = nn.Conv2d(4, 4, 1, bias=False)
        self.second = nn.Conv2d(4, 4, 1)
        self.second.weight = self.first.weight
        self.channels_last = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
        packed = torch.randn(2, 6, 6, 1, 1)
        self.left, self.right = nn.Conv2d(6, 6, 1, bias=False), nn.Conv2d(6, 6, 1, bias=False)
        self.left.weight, self.right.weight = nn.Parameter(packed[0]), nn.Parameter(packed[1])
        self.drop = nn.Dropout(0.5, inplace=True)

    def forward(self, x):
        x = F.leaky_relu(self.even(x), 0.2)
        x = self.prelu(self.norm(self.dilated(x)))
        x = F.elu(self.first(x), 0.7) + F.gelu(self.second(x))
        x = F.hardtanh(self.channels_last(x), 0.0, float("inf"))
        x = torch.tanh(self.left(x)) + F.gelu(self.right(x), approximate="tanh")
        x = F.hardswish(x).clamp(-1, 2)
        x = F.silu(x, inplace=True)
        x = self.classifier(self.drop(x.clone()).contiguous())
        return F.adaptive_avg_pool2d(F.relu(x), (1, 1)).squeeze(3).squeeze(2)


class Joins(nn.Module):
    """Gates, numbers, slices, shuffles, padding and pools that do not divide."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.branch = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.counts = nn.Conv2d(10, 6, 1)
        self.hidden = nn.Linear(6 * 8, 7)
        self.head = nn.Linear(7, 4)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x * 2.0 - 0.5)), inplace=True)
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        x = x * gate / 1.5
        left, right = x.split([4, 4], 1)
        x = torch.cat((left - right, self.branch(right)), 1)
        b, c, h, w = x.shape
        x = x.reshape(b, 2, c // 2, h, w).permute(0, 2, 1, 3, 4).reshape(b, c, h, w)
        x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        x = F.avg_pool2d(x, 2, 1, 1, count_include_pad=False) + F.avg_pool2d(x, (2, 2), 1, 1)
        x = F.pad(x[:, :, ::2, 1:], (1, 0, 0, 0, 1, 1))
        x = F.hardsigmoid(self.counts(F.interpolate(x, scale_factor=2, mode="nearest")))
        x = F.adaptive_avg_pool2d(x, (4, 2)) * 3 + 1
        x = F.relu6(self.hidden(torch.flatten(x, 1)))
        return {"logits": self.head(x), "hidden": x}["logits"], x


class Line(nn.Module):
    """Convolutions over a line, with weights of 16 bits."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv1d(2, 6, 5, padding=2, stride=2)
        self.narrow = nn.Conv1d(6, 6, 3, groups=3)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.wide(x)), 2)
        return self.head(F.adaptive_avg_pool1d(F.relu(self.narrow(x)), 1).flatten(1))


class Own(nn.Module):
    """A small image classifier in names of its own: a residual, a gate, batch norm between linear layers, joined feature matrices."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(14, 10)  # registered first, computed last
        self.stem = nn.Conv2d(3, 6, 3, stride=4, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(6)
        self.deep = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.gate = nn.Linear(6, 6)
        self.hidden = nn.Linear(6, 8)
        self.hidden_norm = nn.BatchNorm1d(8)
        self.auxiliary = nn.Linear(6, 4)

    def forward(self, x):
        x = F.relu(self.stem_norm(self.stem(x)))
        x = x + F.relu(self.deep(x)) * torch.sigmoid(self.gate(x.mean((2, 3)))).unsqueeze(2).unsqueeze(3)
        pooled = F.max_pool2d(x, 2).mean((2, 3))
        deep = F.relu(self.hidden_norm(self.hidden(pooled)))
        return self.head(torch.cat((deep, pooled), 1)), pooled, self.auxiliary(pooled)


class Constants(nn.Module):
    """Tensors beside the weights: a normalisation inside the network, learnt scales and shifts, a batch norm that has none."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.5, 1.0, 2.0]), persistent=False)
        self.head = nn.Linear(6, 4)  # registered first, computed last
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(6, affine=False)
        self.branch = nn.Conv2d(6, 12, 3, padding=1)
        self.squeeze = nn.Linear(6, 6)
        self.gamma, self.beta = nn.Parameter(torch.ones(1, 6, 1, 1)), nn.Parameter(torch.zeros(6, 1, 1))
        self.gain, self.gate = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(6))
        self.place, self.temper = nn.Parameter(torch.ones(1, 1, 8, 8)), nn.Parameter(torch.ones(4))

    def forward(self, x):
        x = (x - self.mean) / self.deviation[:, None, None]
        x = x / torch.tensor([0.5, 0.25, 2.0]).view(1, 3, 1, 1)
        x = self.stem_norm(self.stem(x))
        x = x + (F.glu(self.branch(F.relu(x)), 1) * self.gamma + self.beta) * self.gain
        x = x * torch.sigmoid(self.gate.view(-1, 1, 1)) + self.place
        gate = torch.sigmoid(self.squeeze(x.sum((2, 3)) / 64)).view(-1, 6, 1, 1)
        x = (x * gate.expand_as(x)).flatten(2).mean(-1)
        return self.head(x) * self.temper, x


class Pieces(nn.Module):
    """Parts of values, values repeated, sums and means over rows and columns, what is largest, and the whole elu family."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = F.selu(self.stem(x))
        part = F.celu(x.narrow(1, 2, 4), 0.7)
        x = F.glu(x, 1) + part.square()
        x = x * x.mean(3, keepdim=True).expand_as(x)
        x = x - x.mean(2, keepdim=True).repeat(1, 1, x.shape[2], 1)
        x = F.elu(x / (1 + x.amax((2, 3), keepdim=True).square()), 0.5)
        return self.head(torch.cat((x.sum((2, 3)), F.adaptive_max_pool2d(x, 1).flatten(1), x.pow(2).mean((2, 3))), 1))


class Core(nn.Module):
    """What `run_decompositions` writes in core operators: linear layers with and without a bias, norms, dropout, pools, activations."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 6, (2, 3), padding="same", bias=False), nn.BatchNorm2d(6)
        self.depth = nn.Conv2d(6, 6, 3, groups=6)
        self.drop = nn.Dropout(0.3)
        self.hidden, self.hidden_norm = nn.Linear(6, 6), nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 6, bias=False)  # square, so that only the graph says that it is transposed

    def forward(self, x):
        x = F.max_pool2d(F.hardswish(self.norm(self.stem(x))), 2)
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        x = F.adaptive_avg_pool2d(F.silu(self.depth(x)), 1)
        x = F.elu(self.hidden_norm(self.hidden(self.drop(x.flatten(1)))), 0.5)
        return self.head(x)


class SpeltOut(nn.Module):
    """PReLU and CELU, which `run_decompositions` spells out as choices between two values, reciprocals, and a momentum of its own."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6, momentum=0.03)
        self.each, self.one, self.features = nn.PReLU(6), nn.PReLU(), nn.PReLU(5)
        self.deep = nn.Conv2d(6, 4, 3)
        self.hidden, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        x = self.each(self.norm(self.stem(x)))
        x = self.one(self.deep(F.celu(x, 0.7) + 2 / (1 + x.square())))
        return self.head(self.features(F.celu(self.hidden(x.mean((2, 3))))))


class Branches(nn.Module):
    """Kernels of several sizes side by side, joined, and joined again with a pooled branch and with what came of them."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.one = nn.Conv2d(16, 40, 1)
        self.three, self.three_norm = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.five = nn.Conv2d(16, 16, 5, padding=2)
        self.pooled = nn.Conv2d(16, 40, 1)
        self.mix, self.mix_norm = nn.Conv2d(112, 40, 1, bias=False), nn.BatchNorm2d(40)
        self.last = nn.Conv2d(80, 16, 2, stride=2)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        one = F.relu(self.one(x))
        near = torch.cat((one, F.relu(self.three_norm(self.three(x)))), 1)
        far = torch.cat((F.relu(self.five(x)), F.relu(self.pooled(F.max_pool2d(x, 3, 1, 1)))), 1)
        x = F.relu(self.mix_norm(self.mix(torch.cat((near, far), 1))))
        x = F.relu(self.last(torch.cat((one, x), 1)))
        return self.head(torch.cat((x.mean((2, 3)), F.adaptive_max_pool2d(x, 1).flatten(1)), 1))


NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def freeze_norms(network, batch):
    """Every norm keeps this batch's mean and biased variance as constants."""
    def keep(norm, inputs):
        axes = [axis for axis in range(inputs[0].dim()) if axis != 1]
        norm.running_mean.copy_(inputs[0].mean(axes))
        norm.running_var.copy_(inputs[0].var(axes, unbiased=False))
    set_norms(network, True)
    norms = [module for module in network.modules() if isinstance(module, NORMS)]
    hooks = [norm.register_forward_pre_hook(keep) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # so that the pass itself moves nothing
    with torch.no_grad():
        network(batch)
    for hook in hooks:
        hook.remove()
    return set_norms(network, False)


def set_norms(network, training):
    network.eval()
    for module in network.modules():
        if isinstance(module, NORMS):
            module.train(training)
    return network


def predict(network, batch):
    """Logits, and features: what the classifier reads, whatever the network returns beside its logits."""
    seen = []
    classifier = getattr(network, "head", None) or network.classifier
    hook = classifier.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].flatten(1)))
    result = network(batch)
    hook.remove()
    return (result[0] if isinstance(result, tuple) else result), seen[0]


def scores(network, teacher, batch, labels, train, flow):
    """The scores and losses by their definitions. A shared weight has its scores under its first name."""
    weights, shared, seen = {}, False, set()
    for name, module in network.named_modules():
        if not isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)) or name == "auxiliary":
            continue
        shared = shared or id(module.weight) in seen
        if id(module.weight) not in seen:
            weights[name + ".weight"] = module.weight
        seen.add(id(module.weight))
    values, found, size = list(weights.values()), {}, len(batch)
    expected, wanted = (each.detach() for each in predict(set_norms(teacher, False), batch))

    def keep(criterion, tensors):
        for name, tensor in zip(weights, tensors):
            found[f"score.{criterion}.{name}"] = tensor.detach().clone(memory_format=torch.contiguous_format)

    def gradients(value, **how):
        got = torch.autograd.grad(value, values, allow_unused=True, **how)
        return [torch.zeros_like(w) if g is None else g for g, w in zip(got, values)]

    def product(loss):
        g = gradients(loss, create_graph=True)
        return g, gradients(sum((a.detach() * a).sum() for a in g if a.requires_grad), retain_graph=True)

    def feature_scores(prefix):
        features = predict(network, batch)[1]
        g, hg = product(((wanted - features) ** 2).sum() / size)
        keep(prefix + "hessian_gradient", [(w * h).abs() for w, h in zip(values, hg)])
        if shared:  # the square of a sum over two layers is no sum of squares
            return
        diagonal = [torch.zeros_like(w) for w in values]
        for each in predict(network, batch)[1].flatten():
            for total, j in zip(diagonal, gradients(each, retain_graph=True)):
                total += 2 * j * j / size
        keep(prefix + "gauss_newton", [(w * c * a).abs() for w, c, a in zip(values, diagonal, g)])

    before = copy.deepcopy(network.state_dict())
    set_norms(network, train)
    logits, features = predict(network, batch)
    keep("magnitude", [w.abs() for w in values])
    keep("snip", [(w * g).abs() for w, g in zip(values, gradients(F.cross_entropy(logits, labels)))])
    pseudo = F.cross_entropy(predict(network, batch)[0], expected.argmax(1))
    keep("snip_pseudo_label", [(w * g).abs() for w, g in zip(values, gradients(pseudo))])
    for criterion, temperature in (("grasp", 200.0), ("grasp_t1", 1.0)):
        hg = product(F.cross_entropy(predict(network, batch)[0] / temperature, labels))[1]
        keep(criterion, [-w * h for w, h in zip(values, hg)])
    soft, told = F.softmax(expected / 4, 1), F.log_softmax(logits, 1)
    losses = {"cross_entropy": F.cross_entropy(logits, labels), "pseudo_label": pseudo,
              "feature_gap": ((wanted - features) ** 2).sum() / size, "feature_mse_T4": ((wanted - features / 4) ** 2).mean(),
              "kd_soft_T4": -(soft * told).sum(1).mean()}
    found.update({"loss." + name: value.detach().reshape(1) for name, value in losses.items()})
    feature_scores("lnpt_batch_norm_train." if train else "lnpt.")
    if train:
        network.load_state_dict(before)
        freeze_norms(network, batch)
        feature_scores("lnpt.")
    network.load_state_dict(before)
    if flow:
        set_norms(network, False)
        with torch.no_grad():
            for value in network.state_dict().values():
                value.abs_()
        keep("synflow", [(w * g).abs() for w, g in zip(values, gradients(network(torch.ones_like(batch[:1]))[0].sum()))])
        network.load_state_dict(before)
    return found


def add_scores(tensors, name, network, batch):
    """What `scores` finds of a network in double, and the teacher that it compares with."""
    torch.manual_seed(77)
    teacher = copy.deepcopy(network)
    initialise(teacher)
    labels = torch.randint(4, (len(batch),))
    with torch.enable_grad():
        F.hardsigmoid, plain = (lambda x: F.relu6(x + 3) / 6), F.hardsigmoid  # which has no second derivative in PyTorch
        tensors.update(scores(copy.deepcopy(network).double(), copy.deepcopy(teacher).double(), batch.double(), labels,
                              True, name in ("own", "constants")))
        F.hardsigmoid = plain
    first = {}  # of each shared weight one name, as safetensors files have it
    for key, value in teacher.state_dict().items():
        if value.data_ptr() not in first or value.dim() == 0:
            first[value.data_ptr()] = key
            tensors["teacher." + key] = value.clone(memory_format=torch.contiguous_format)
    tensors["labels"] = labels


def without_paths(source, target):
    """The archive without notes on this machine's files, which would be most of it."""
    def strip(at):
        if isinstance(at, dict):
            at.pop("stack_trace", None)
            at.pop("torch_fn", None)
            at.pop("from_node", None)
        for each in at.values() if isinstance(at, dict) else at if isinstance(at, list) else ():
            strip(each)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("models/model.json"):
                graph = json.loads(data)
                strip(graph)
                data = json.dumps(graph, separators=(",", ":")).encode()
            new.writestr(zipfile.ZipInfo(name), data)


def initialise(network):
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.dtype.is_floating_point and not name.endswith("norm.weight"):
            value.normal_(0, 0.5)


def main(folder):
    cases = {"layers": (Layers(), (3, 9, 8)), "joins": (Joins(), (2, 10, 11)), "line": (Line(), (2, 24)),
             "own": (Own(), (3, 32, 32)), "constants": (Constants(), (3, 8, 8)), "pieces": (Pieces(), (3, 6, 5)),
             "core": (Core(), (2, 8, 10)), "spelt_out": (SpeltOut(), (2, 7, 6)), "branches": (Branches(), (3, 32, 32))}
    for seed, (name, (network, extents)) in enumerate(cases.items()):
        torch.manual_seed(seed)
        initialise(network)
        network = network.bfloat16() if name == "line" else network
        batch = torch.randn(4, *extents)
        kept = copy.deepcopy(network).double()
        tensors = {"input": batch}
        for mode in ("eval", "train"):
            for module in kept.modules():
                if isinstance(module, NORMS):
                    module.train(mode == "train")
                elif isinstance(module, nn.Dropout):
                    module.eval()
            moved = copy.deepcopy(kept)
            logits = moved(batch.double())
            tensors[f"logits.{mode}"] = (logits[0] if isinstance(logits, tuple) else logits).detach()
            if isinstance(logits, tuple):
                tensors[f"features.{mode}"] = predict(copy.deepcopy(kept), batch.double())[1].detach()
        if name == "spelt_out":  # after a step in train mode
            tensors.update({"moved." + key: value for key, value in moved.named_buffers() if "running" in key})
        if name in ("layers", "joins", "own", "constants"):
            add_scores(tensors, name, network, batch)
        save_file(tensors, f"{folder}/{name}.safetensors", {"bn_mode": "train"})
        dynamic = ({0: torch.export.Dim("batch", min=2, max=64)},)
        program = torch.export.export(network.train(name == "core"), (batch[:2].to(next(network.parameters()).dtype),),
                                      dynamic_shapes=dynamic)
        program = program.run_decompositions() if name in ("core", "spelt_out") else program
        with tempfile.TemporaryDirectory() as scratch:
            torch.export.save(program, f"{scratch}/{name}.pt2")
            without_paths(f"{scratch}/{name}.pt2", f"{folder}/{name}.pt2")
        print(name, os.path.getsize(f"{folder}/{name}.pt2"))


if __name__ == "__main__":
    with torch.no_grad():
        main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
