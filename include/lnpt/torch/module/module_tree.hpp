#pragma once
/// What a module of LibTorch is made of, whichever kind of module it is: its modules, and their parameters and buffers by name.
#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lnpt::detail {

struct named_tensor {
  std::string name;
  at::Tensor value;
};

/// Lets numbers that stand beside tensors follow their sizes, and returns what takes that back.
using size_follower = std::function<std::function<void()>()>;

/// The class itself of a qualified name: what namespaces, packages and arguments of templates are called says nothing of it.
[[nodiscard]] inline std::string own_class(std::string_view qualified) {
  std::string plain;
  int depth = 0;
  for (auto const c : qualified) {
    depth -= c == '>' ? 1 : 0;
    if (depth == 0 && c != '<' && c != '>') plain += c;
    depth += c == '<' ? 1 : 0;
  }
  auto const last = plain.find_last_of(":.");
  return last == plain.npos ? plain : plain.substr(last + 1);
}

/// One module of a tree, without its children.
struct module_entry {
  std::string path;
  std::string type;  ///< the class, without namespaces and arguments of templates: "Conv2dImpl"
  std::vector<named_tensor> parameters;
  std::function<std::vector<named_tensor>()> buffers;  ///< those it has at this moment
  std::function<bool()> training;
  std::function<void(bool)> train;  ///< may reach the children too, which therefore come later in the tree
  std::function<void(named_tensor const&)> put_back = nullptr;  ///< a buffer that a script assigned to; null where none can be
  std::shared_ptr<torch::nn::Module> module = nullptr;          ///< null for a script
  std::function<size_follower()> sizes = nullptr;               ///< of a script: of numbers in its code, as it is at the call
};

/// A module and everything below it, parents first.
using module_tree = std::vector<module_entry>;

[[nodiscard]] inline module_tree tree_of(torch::nn::Module& root) {
  module_tree tree;
  auto const tensors = [](auto const& dictionary) {
    std::vector<named_tensor> result;
    for (auto const& item : dictionary)
      if (item.value().defined()) result.push_back({item.key(), item.value()});
    return result;
  };
  for (auto const& item : root.named_modules()) {
    auto const module = item.value();
    tree.push_back({item.key(), own_class(module->name()), tensors(module->named_parameters(/*recurse=*/false)),
                    [=] { return tensors(module->named_buffers(/*recurse=*/false)); }, [module] { return module->is_training(); },
                    [module](bool on) { module->train(on); }, nullptr, module});
  }
  return tree;
}

[[nodiscard]] inline bool mentions(std::string_view text, std::string_view word) { return text.find(word) != text.npos; }

[[nodiscard]] inline at::Tensor find_tensor(std::vector<named_tensor> const& among, std::string_view name) {
  for (auto const& each : among)
    if (each.name == name) return each.value;
  return {};
}

[[nodiscard]] inline std::string joined(std::string const& path, std::string const& name) {
  return path.empty() ? name : path + "." + name;
}

}  // namespace lnpt::detail
