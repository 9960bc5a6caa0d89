#pragma once
/// What a module of LibTorch is made of, whichever kind of module it is: parameters and buffers by name, and the roles they play.
#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>

namespace lnpt::detail {

struct named_tensor {
  std::string name;
  at::Tensor value;
};

/// One module of a tree, without its children.
struct module_entry {
  std::string path;
  std::string type;  ///< the class, in words: "torch::nn::Conv2dImpl"
  std::vector<named_tensor> parameters, buffers;
  std::function<bool()> training;
  std::function<void(bool)> train;  ///< may reach the children too, which therefore come later in the tree
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
    tree.push_back({item.key(), module->name(), tensors(module->named_parameters(/*recurse=*/false)),
                    tensors(module->named_buffers(/*recurse=*/false)), [module] { return module->is_training(); },
                    [module](bool on) { module->train(on); }});
  }
  return tree;
}

/// One parameter of a model, as its module holds it.
struct held_parameter {
  std::string name;
  at::Tensor value;
  lnpt::role role;
  std::size_t output_axis;
};

/// A layer that normalises by running statistics.
struct norm_layer {
  std::string path;
  at::Tensor mean, variance;
};

/// The tensors of a tree by the part they play.
struct model_layout {
  std::vector<held_parameter> parameters, frozen;  ///< those that require gradients, and those that do not
  std::vector<norm_layer> norms;
  at::Tensor classifier;  ///< the weight of the last linear layer; undefined where there is none
};

[[nodiscard]] inline bool mentions(std::string_view text, std::string_view word) { return text.find(word) != text.npos; }

[[nodiscard]] inline at::Tensor find_tensor(std::vector<named_tensor> const& among, std::string_view name) {
  for (auto const& each : among)
    if (each.name == name) return each.value;
  return {};
}

/// The weight of a convolution, of a linear layer, or of a layer of one's own that keeps one in the same way.
[[nodiscard]] inline bool is_layer_weight(module_entry const& of, named_tensor const& p) {
  return p.name == "weight" && p.value.dim() >= 2 && !mentions(of.type, "Embedding") && !mentions(of.type, "Bilinear");
}

[[nodiscard]] inline bool is_linear_weight(module_entry const& of, named_tensor const& p) {
  return is_layer_weight(of, p) && p.value.dim() == 2 && mentions(of.type, "Linear");
}

[[nodiscard]] inline role role_of(module_entry const& of, named_tensor const& p) {
  if (is_layer_weight(of, p)) return role::weight;
  auto const scale = find_tensor(of.parameters, "weight");
  auto const normalises = (scale.defined() && scale.dim() == 1) || mentions(of.type, "Norm");
  if (normalises && p.name == "weight") return role::norm_scale;
  return normalises && p.name == "bias" ? role::norm_shift : role::bias;
}

[[nodiscard]] inline std::string joined(std::string const& path, std::string const& name) {
  return path.empty() ? name : path + "." + name;
}

/// Adds the norm layer of this module, if it is one.
inline void add_norm(module_entry const& of, model_layout& layout) {
  auto const mean = find_tensor(of.buffers, "running_mean"), variance = find_tensor(of.buffers, "running_var");
  if (mean.defined() && variance.defined())
    layout.norms.push_back({of.path, mean, variance});
  else if (mentions(of.type, "BatchNorm"))
    fail(of.path.empty() ? "the module" : of.path,
         " is batch norm without running statistics, which couples the samples of every batch: "
         "make it with track_running_stats(true)");
}

/// Finds the part of every tensor. A parameter that several layers share is counted once, under its first name; parameters that do
/// not require gradients are in `frozen`.
[[nodiscard]] inline model_layout layout_of(module_tree const& tree) {
  model_layout layout;
  std::unordered_set<void const*> seen;
  for (auto const& entry : tree) {
    add_norm(entry, layout);
    for (auto const& p : entry.parameters) {
      if (is_linear_weight(entry, p)) layout.classifier = p.value;
      if (!seen.insert(p.value.unsafeGetTensorImpl()).second) continue;
      auto& among = p.value.requires_grad() ? layout.parameters : layout.frozen;
      among.push_back(
          {joined(entry.path, p.name), p.value, role_of(entry, p), mentions(entry.type, "ConvTranspose") ? std::size_t{1} : 0});
    }
  }
  if (layout.parameters.empty() && layout.frozen.empty())
    fail("the module has no parameters: register its layers with register_module, or load a script that was not frozen");
  if (layout.parameters.empty())
    fail("all ", layout.frozen.size(), " parameters of the module are frozen: set requires_grad on those to be scored");
  for (auto& p : layout.parameters)
    if (p.value.is_same(layout.classifier)) p.role = role::classifier_weight;
  return layout;
}

}  // namespace lnpt::detail
