#pragma once
/// Modules that a test assembles of layers and a function.
#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace torch_support {

/// A module of its own, made of what a test registers by name.
struct assembled : torch::nn::Module {
  template <class M>
  M add(std::string const& name, M module) {
    return register_module(name, module);
  }
  at::Tensor parameter(std::string const& name, std::vector<std::int64_t> const& sizes) {
    return register_parameter(name, at::randn(sizes, at::kDouble));
  }
  at::Tensor forward(at::Tensor const& x) { return run(x); }

  std::function<at::Tensor(at::Tensor const&)> run;
};

inline std::shared_ptr<assembled> assemble(std::function<std::function<at::Tensor(at::Tensor const&)>(assembled&)> const& build) {
  at::manual_seed(1);
  auto const module = std::make_shared<assembled>();
  module->run = build(*module);
  module->to(at::kDouble);
  return module;
}

}  // namespace torch_support
