#pragma once
/// What running a module tells of it: which parameters are weights, which of them makes the logits, and where the samples are.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/torch/evidence/autograd_graph.hpp>
#include <lnpt/torch/module/layout.hpp>
#include <lnpt/torch/module/source.hpp>
#include <lnpt/torch/pass/attention.hpp>
#include <lnpt/torch/pass/guard.hpp>
#include <lnpt/torch/pass/tap.hpp>
#include <lnpt/torch/pass/weight_use.hpp>

namespace lnpt::detail {

/// One use of a parameter as every pass through the module makes it.
struct expected_use {
  held_parameter const* parameter;
  bool makes_logits;                               ///< whether no other weight stands between its output and the logits
  std::optional<std::int64_t> sample_axis;         ///< of its input; empty where no single axis counts samples
  std::vector<held_parameter const*> scales = {};  ///< of the batch norms that read what it gives
};

/// The uses of a module in the order of execution; empty as long as nothing was executed.
using executed_uses = std::vector<expected_use>;

/// The nodes behind the logits, up to the first use of a weight on every path; and the uses met there.
[[nodiscard]] inline std::unordered_set<std::size_t> uses_that_make(at::Tensor const& logits,
                                                                    std::vector<weight_use> const& uses) {
  std::unordered_map<torch::autograd::Node const*, std::size_t> use_of;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (uses[i].node) use_of.emplace(uses[i].node.get(), i);
    for (auto const& node : uses[i].inner) use_of.emplace(node.get(), i);
  }
  std::unordered_set<std::size_t> found;
  for_each_node(logits, [&](torch::autograd::Node const* node) {
    auto const use = use_of.find(node);
    if (use == use_of.end()) return true;
    found.insert(use->second);
    return false;
  });
  return found;
}

/// The use of which a batch norm reads the very output, channel by channel, in whatever layout.
[[nodiscard]] inline std::optional<std::size_t> use_read_by(norm_read const& norm, std::vector<weight_use> const& uses) {
  for (torch::autograd::Node const* node = norm.node.get(); node != nullptr;) {
    auto const of_node = [&](weight_use const& use) {
      return use.node.get() == node && use.channel_stride == norm.channel_stride;
    };
    if (auto const found = std::ranges::find_if(uses, of_node); found != uses.end())
      return static_cast<std::size_t>(found - uses.begin());
    if (!only_lays_out(*node) || node->next_edges().empty()) return std::nullopt;
    node = node->next_edges().front().function.get();
  }
  return std::nullopt;
}

/// The axis that is 2 in one shape and 3 in the other, where all else is equal.
[[nodiscard]] inline std::optional<std::int64_t> axis_of_samples(at::Tensor const& of_two, at::Tensor const& of_three) {
  if (!of_two.defined() || !of_three.defined() || of_two.dim() != of_three.dim()) return std::nullopt;
  std::optional<std::int64_t> axis;
  for (std::int64_t k = 0; k < of_two.dim(); ++k) {
    if (of_two.size(k) == of_three.size(k)) continue;
    if (axis || of_two.size(k) != 2 || of_three.size(k) != 3) return std::nullopt;
    axis = k;
  }
  return axis;
}

/// A module's parts and its callable, run on a few samples to be looked at.
struct trial_run {
  module_tree const& tree;
  model_layout& layout;
  torch_callable const& callable;

  /// Runs the first sample twice and three times over, learns the uses and gives every parameter its role by them. A module that takes
  /// no such batches is run on `x` as it is, and then no axis is known to count samples.
  [[nodiscard]] executed_uses on(at::Tensor const& x) const {
    auto const few = [&](std::int64_t n) {
      return see(at::cat(std::vector<at::Tensor>(static_cast<std::size_t>(n), x.narrow(0, 0, 1))));
    };
    if (x.dim() == 0 || x.size(0) == 0) return {};
    try {
      auto found = few(2);
      auto const other = few(3).uses;
      for (std::size_t i = 0; i < found.uses.size() && found.uses.size() == other.size(); ++i)
        if (found.uses[i].parameter == other[i].parameter)
          found.expected[i].sample_axis = axis_of_samples(found.uses[i].input, other[i].input);
      return take_roles(found);
    } catch (std::exception const&) {
      // Whatever LibTorch or the module itself throws: a module may have its batch size in its code.
    }
    return take_roles(see(x));
  }

 private:
  struct seen {
    std::vector<weight_use> uses;
    executed_uses expected;
    std::unordered_set<held_parameter const*> tables, elsewhere;
  };

  [[nodiscard]] seen see(at::Tensor const& x) const {
    at::AutoGradMode const recording(true);
    gradient_guard const gradients(layout);
    mode_guard const modes(tree, norm_mode::eval);
    plain_attention_guard const attention;
    forward_tap tap(layout);
    auto const logits = callable(x).logits;
    seen result{std::move(tap.uses()), {}, tap.tables(), {}};
    auto const last = uses_that_make(logits, result.uses);
    for (std::size_t i = 0; i < result.uses.size(); ++i)
      result.expected.push_back({result.uses[i].parameter, last.contains(i), std::nullopt});
    for (auto const& norm : tap.norm_reads())
      if (auto const use = use_read_by(norm, result.uses)) result.expected[*use].scales.push_back(norm.scales);
    auto const reached = nodes_behind(logits);
    layout.unregistered = count_unregistered(reached);
    for (auto const* group : {&layout.parameters, &layout.frozen})
      for (auto const& held : *group)
        if (held.value.requires_grad() && reached.contains(torch::autograd::impl::gradient_edge(held.value).function.get()))
          result.elsewhere.insert(&held);
    for (auto const& use : result.uses) result.elsewhere.erase(use.parameter);
    return result;
  }

  /// The trained tensors behind the logits that are no parameters of the module.
  [[nodiscard]] std::size_t count_unregistered(std::unordered_set<torch::autograd::Node const*> const& reached) const {
    auto const is_held = [&](at::Tensor const& leaf) {
      auto const same = [&](held_parameter const& held) { return held.value.is_same(leaf); };
      return std::ranges::any_of(layout.parameters, same) || std::ranges::any_of(layout.frozen, same);
    };
    return static_cast<std::size_t>(std::ranges::count_if(reached, [&](torch::autograd::Node const* node) {
      auto const leaf = leaf_of(*node);
      return leaf.defined() && !is_held(leaf);
    }));
  }

  /// A parameter that met an input in a product is a weight, and one that makes the logits a classifier's; a table, or a parameter that
  /// was used in other ways only, is none. What was not used at all keeps the role that its module gives it.
  [[nodiscard]] executed_uses take_roles(seen const& found) const {
    for (auto* group : {&layout.parameters, &layout.frozen})
      for (auto& held : *group)
        if (held.value.dim() >= 2) take_role(held, found);
    return found.expected;
  }

  static void take_role(held_parameter& held, seen const& found) {
    if (held.role == role::classifier_weight) held.role = role::weight;
    if (found.tables.contains(&held) || found.elsewhere.contains(&held)) {
      if (is_prunable(held.role)) held.role = role::bias;
      return;
    }
    auto met = false, makes_logits = false;
    for (std::size_t i = 0; i < found.uses.size(); ++i) {
      if (found.uses[i].parameter != &held) continue;
      if (!met) held.output_axis = found.uses[i].output_axis();
      if (auto const& c = found.uses[i].convolution; c && c->transposed) held.output_groups = static_cast<std::size_t>(c->groups);
      met = true;
      makes_logits = makes_logits || found.expected[i].makes_logits;
    }
    if (met) held.role = makes_logits ? role::classifier_weight : role::weight;
  }
};

}  // namespace lnpt::detail
