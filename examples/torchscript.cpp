// Prunes a TorchScript module that Python saved, and saves it again for Python: torchscript network.pt [pruned.pt]
#include <torch/script.h>

#include <filesystem>
#include <iostream>
#include <lnpt/torch.hpp>

int main(int argc, char** argv) {
  auto const path = argc > 1 ? argv[1] : "network.pt";
  if (!std::filesystem::exists(path)) {
    std::cout << "skipped: there is no " << path << "; python3 examples/torchscript_save.py " << path << " writes one\n";
    return 77;
  }
  auto module = torch::jit::load(path);
  lnpt::torch_model model(module);
  auto const [masks, report] = lnpt::prune<lnpt::synflow>(model, {3, 32, 32}, {.budget = lnpt::sparsity{0.9}});
  lnpt::apply(masks, model);
  for (auto const& layer : report.layers)
    std::cout << layer.name << ": " << layer.kept << " of " << layer.total << " weights kept\n";
  if (argc > 2) module.save(argv[2]);
}
