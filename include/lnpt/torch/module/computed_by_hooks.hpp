#pragma once
/// Modules whose weights a hook or a parametrization computes anew in every pass.
#include <set>
#include <string>
#include <vector>

#include <lnpt/core/computed_weight.hpp>
#include <lnpt/torch/module/module_tree.hpp>

namespace lnpt::detail {

/// A parameter of which a weight is computed.
struct computed_parameter {
  std::string name;
  computed_weight of;

  /// Why it is no weight, and what makes it one.
  [[nodiscard]] std::string text() const {
    return std::string(of.is_of) + " computes a weight of " + name + " in every pass: call " + std::string(of.call) +
           " on its module before saving, and it is a weight again";
  }
};

/// The parameters of which weights are computed, in their order.
[[nodiscard]] inline std::vector<computed_parameter> computed_by_hooks(module_tree const& tree) {
  std::set<std::string> names;
  for (auto const& entry : tree) {
    for (auto const& p : entry.parameters) names.insert(joined(entry.path, p.name));
    for (auto const& b : entry.buffers()) names.insert(joined(entry.path, b.name));
  }
  std::vector<computed_parameter> found;
  for (auto const& entry : tree)
    for (auto const& p : entry.parameters) {
      auto const name = joined(entry.path, p.name);
      if (auto of = computed_weight_of(name, [&](std::string const& other) { return names.contains(other); }))
        found.push_back({name, std::move(*of)});
    }
  return found;
}

/// The first parameter of each weight that is computed.
[[nodiscard]] inline std::vector<computed_parameter> computed_weights_of(module_tree const& tree) {
  std::set<std::string> told;
  auto found = computed_by_hooks(tree);
  std::erase_if(found, [&](computed_parameter const& each) { return !told.insert(each.of.weight).second; });
  return found;
}

}  // namespace lnpt::detail
