#!/bin/sh
# torch 2.15.0 from pip: torch.export.save of a network whose second layer shares the first one's weight writes one storage under both
# names, as one expects; but
#  1. every call reads the weight by its *later* name, and the earlier one is an input that nothing reads;
#  2. a bound of infinity is the JSON string "Infinity", where 6.0 is a number;
#  3. a weight that is a slice of a larger tensor is stored with the whole tensor, and is an offset into it.
# So lnpt goes by storage, offset and strides, names a parameter by the first of its names, and takes the string for a number. Fails when
# any of this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir torch==2.15.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import zipfile

import torch

assert torch.__version__.startswith("2.15.0"), torch.__version__


class Shared(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.part = (torch.nn.Linear(3, 3, bias=False) for _ in range(3))
        self.second.weight = self.first.weight
        self.part.weight = torch.nn.Parameter(torch.randn(2, 3, 3)[1])

    def forward(self, x):
        return torch.nn.functional.hardtanh(self.part(self.second(self.first(x))), 0.0, float("inf"))


torch.export.save(torch.export.export(Shared(), (torch.randn(2, 3),)), "shared.pt2")
with zipfile.ZipFile("shared.pt2") as archive:
    nodes = json.loads(archive.read("shared/models/model.json"))["graph_module"]["graph"]["nodes"]
    weights = json.loads(archive.read("shared/data/weights/model_weights_config.json"))["config"]
    part = weights["part.weight"]
    seen = [
        weights["first.weight"]["path_name"] == weights["second.weight"]["path_name"],
        [i["arg"]["as_tensor"]["name"] for n in nodes for i in n["inputs"] if i["name"] == "weight"],
        [i["arg"]["as_float"] for n in nodes for i in n["inputs"] if i["name"] == "max_val"],
        part["tensor_meta"]["storage_offset"]["as_int"],
        archive.getinfo("shared/data/weights/" + part["path_name"]).file_size,
    ]
for words in seen:
    print(words)
assert seen == [True, ["p_second_weight", "p_second_weight", "p_part_weight"], ["Infinity"], 9, 2 * 9 * 4], "the behaviour has changed"
PYTHON
