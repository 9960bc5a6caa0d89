#pragma once
/// Modules and single tensors of LibTorch, put into a tree by paths such as "layer1.0.conv1".
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::detail {

/// A branch of the tree of modules: a name that others are under.
struct module_branch : torch::nn::Module {};

[[noreturn]] inline void refuse_as_module(std::string const& name) {
  fail("LibTorch's modules cannot hold ", name,
       ", which several layers share or no layer has by that name: let the library's own engine compute this network");
}

/// The module that holds what a path names, with branches made on the way, and the last part of the path.
[[nodiscard]] inline std::pair<torch::nn::Module*, std::string> parent_of(torch::nn::Module& root, std::string_view path) {
  auto* at = &root;
  for (auto dot = path.find('.'); dot != path.npos; dot = path.find('.')) {
    std::string const name(path.substr(0, dot));
    auto const children = at->named_children();
    auto const* const known = children.find(name);
    at = known ? known->get() : at->register_module(name, std::make_shared<module_branch>()).get();
    path.remove_prefix(dot + 1);
  }
  return {at, std::string(path)};
}

/// Registers a module under a path.
inline void place(torch::nn::Module& root, std::string_view path, std::shared_ptr<torch::nn::Module> const& leaf) {
  auto const [at, name] = parent_of(root, path);
  if (at->named_children().contains(name)) refuse_as_module(name);
  at->register_module(name, leaf);
}

/// The tensors of a network's leaves, which are registered when all modules are in their places.
class leaf_tensors {
 public:
  /// The tensor of this name, which several leaves may have. One row, since what has axes and is called weight counts as one.
  [[nodiscard]] at::Tensor of(std::string const& name, shape const& extents, bool is_buffer) {
    for (auto const& each : all_)
      if (each.name == name) return each.value;
    auto const size = static_cast<std::int64_t>(element_count(extents));
    return all_.emplace_back(leaf{name, at::zeros({size}), is_buffer}).value;
  }

  void place(torch::nn::Module& root) const {
    for (auto const& [name, value, is_buffer] : all_) {
      auto const [at, last] = parent_of(root, name);
      if (is_buffer)
        at->register_buffer(last, value);
      else
        at->register_parameter(last, value);
    }
  }

 private:
  struct leaf {
    std::string name;
    at::Tensor value;
    bool is_buffer;
  };
  std::vector<leaf> all_;
};

}  // namespace lnpt::detail
