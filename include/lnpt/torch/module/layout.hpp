#pragma once
/// The parts that a module's tensors play, as far as names and types of modules tell. A pass through the module tells more:
/// pass/execution.hpp.
#include <ATen/MemoryOverlap.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/torch/module/memory.hpp>
#include <lnpt/torch/module/module_tree.hpp>

namespace lnpt::detail {

/// One parameter of a model, as its module holds it.
struct held_parameter {
  std::string name;
  at::Tensor value;
  lnpt::role role;
  std::size_t output_axis;
  std::size_t output_groups = 1;
};

/// A batch norm, which normalises by running statistics.
struct norm_layer {
  std::string path;
  at::Tensor mean, variance;
};

/// The tensors of a tree by the part they play.
struct model_layout {
  std::vector<held_parameter> parameters, frozen;  ///< those that require gradients, and those that do not
  std::vector<norm_layer> norms;                   ///< each pair of statistics once, however many modules share it
  std::size_t unregistered = 0;                    ///< trained tensors that a pass read and no module holds

  /// Some parameter: a module without any is refused.
  [[nodiscard]] held_parameter const& any() const { return parameters.empty() ? frozen.front() : parameters.front(); }
};

/// Whether this module keeps the parameter as a weight: a convolution, a linear layer, one's own layer that names it so, or one of
/// LibTorch's layers that hold several.
[[nodiscard]] inline bool is_weight_by_name(module_entry const& of, named_tensor const& p) {
  if (p.value.dim() < 2 || mentions(of.type, "Embedding") || mentions(of.type, "Norm")) return false;
  if (mentions(of.type, "LSTM") || mentions(of.type, "GRU") || mentions(of.type, "RNN")) return p.name.starts_with("weight_");
  if (mentions(of.type, "MultiheadAttention")) return p.name.ends_with("proj_weight");
  return p.name == "weight";
}

[[nodiscard]] inline role role_of(module_entry const& of, named_tensor const& p) {
  if (is_weight_by_name(of, p)) return role::weight;
  auto const scale = find_tensor(of.parameters, "weight");
  bool const one_per_channel = scale.defined() && scale.dim() == 1 && !mentions(of.type, "PReLU");  // whose weight is a slope
  auto const normalises = one_per_channel || mentions(of.type, "Norm");
  if (normalises && p.name == "weight") return role::norm_scale;
  return normalises && p.name == "bias" ? role::norm_shift : role::bias;
}

/// Whether this module normalises every instance by itself. Its running statistics serve evaluation alone.
[[nodiscard]] inline bool is_instance_norm(module_entry const& entry) { return mentions(entry.type, "InstanceNorm"); }

/// Whether this is one of LibTorch's batch norms, of one to three axes, and not a network that is called after them.
[[nodiscard]] inline bool is_batch_norm(module_entry const& entry) {
  return mentions(entry.type, "BatchNorm1d") || mentions(entry.type, "BatchNorm2d") || mentions(entry.type, "BatchNorm3d");
}

/// Adds the norm layer of this module, if it is one.
inline void add_norm(module_entry const& of, model_layout& layout) {
  if (is_instance_norm(of)) return;
  auto const buffers = of.buffers();
  auto const mean = find_tensor(buffers, "running_mean"), variance = find_tensor(buffers, "running_var");
  if (mean.defined() && variance.defined()) {
    for (auto const& norm : layout.norms)
      if (norm.mean.is_same(mean)) return;
    layout.norms.push_back({of.path, mean, variance});
  } else if (is_batch_norm(of)) {
    fail(of.path.empty() ? "the module" : of.path,
         " is batch norm without running statistics, which couples the samples of every batch: "
         "make it with track_running_stats(true)");
  }
}

/// The linear layer that was registered last, as the classifier.
inline void take_last_linear_as_classifier(module_tree const& tree, model_layout& layout) {
  at::Tensor last;
  for (auto const& entry : tree)
    if (mentions(entry.type, "Linear"))
      for (auto const& p : entry.parameters)
        if (p.name == "weight" && p.value.dim() == 2) last = p.value;
  for (auto* group : {&layout.parameters, &layout.frozen})
    for (auto& held : *group)
      if (held.value.is_same(last) && held.role == role::weight) held.role = role::classifier_weight;
}

/// Refuses trained parameters that share memory with themselves or with others: a weight that one loses would go from the other unseen.
inline void require_own_memory(model_layout const& layout) {
  struct place {
    memory_range memory;
    held_parameter const* held;
  };
  std::vector<place> places;
  for (auto const* group : {&layout.parameters, &layout.frozen})
    for (auto const& held : *group) {
      auto const memory = memory_of(held.value);  // sparse tensors and others without strides have none
      if (!memory) continue;
      if (held.value.requires_grad() && at::has_internal_overlap(held.value) == at::MemOverlap::Yes)
        fail("the parameter ", held.name, ' ', list(held.value.sizes()),
             " is expanded: several of its weights lie in one place of memory and cannot go alone; register a clone of it");
      places.push_back({memory, &held});
    }
  std::ranges::stable_sort(places, {}, [](place const& each) { return each.memory.begin; });
  for (std::size_t i = 1, furthest = 0; i < places.size(); ++i) {
    auto const &before = places[furthest], &each = places[i];
    if (each.memory.begin < before.memory.end && (each.held->value.requires_grad() || before.held->value.requires_grad()))
      fail(
          "the parameters ", before.held->name, " and ", each.held->name,
          " are two tensors over the same memory, so that a weight pruned from one would go from the other as well: register one "
          "tensor under both names where they are one weight, and a clone of each where they are two");
    if (each.memory.end > before.memory.end) furthest = i;
  }
}

/// Finds the part of every tensor. A parameter that several layers share is counted once, under its first name; one that an embedding
/// shares is no weight. Parameters that do not require gradients are in `frozen`.
[[nodiscard]] inline model_layout layout_of(module_tree const& tree) {
  model_layout layout;
  std::unordered_set<void const*> seen, tables;
  for (auto const& entry : tree)
    if (mentions(entry.type, "Embedding"))
      for (auto const& p : entry.parameters) tables.insert(p.value.unsafeGetTensorImpl());
  for (auto const& entry : tree) {
    add_norm(entry, layout);
    for (auto const& p : entry.parameters) {
      if (!seen.insert(p.value.unsafeGetTensorImpl()).second) continue;
      auto& among = p.value.requires_grad() ? layout.parameters : layout.frozen;
      auto const role = tables.contains(p.value.unsafeGetTensorImpl()) ? role::bias : role_of(entry, p);
      among.push_back({joined(entry.path, p.name), p.value, role, mentions(entry.type, "ConvTranspose") ? std::size_t{1} : 0});
    }
  }
  if (layout.parameters.empty() && layout.frozen.empty())
    fail("the module has no parameters: register its layers with register_module, or load a script that was not frozen");
  require_own_memory(layout);
  take_last_linear_as_classifier(tree, layout);
  return layout;
}

}  // namespace lnpt::detail
