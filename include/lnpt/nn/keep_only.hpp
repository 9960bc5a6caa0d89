#pragma once
/// Networks that hold the kept weights of masked parameters alone.
#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/execution.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/nn/network_body.hpp>

namespace lnpt::nn {

/// Whether a backend multiplies by kept weights: `keep_only(w, words, execution)` gives them, or nothing where dense is the better.
template <class Backend>
concept keeps_weights =
    holds_kept_weights<typename Backend::array> && requires(typename Backend::array const& w, std::span<mask::word const> words) {
      Backend::keep_only(w, words, execution::automatic);
    };

/// One flag per parameter: whether every layer that reads it can run on its kept weights.
template <class Backend>
[[nodiscard]] std::vector<char> runs_on_kept_weights(network_body<Backend> const& body) {
  std::vector<char> flags(body.parameters.size(), 1);
  for (auto const& node : body.graph.nodes())
    std::visit(
        [&](auto const& rules) {
          for (auto const p : rules.parameters()) {
            bool able = false;
            if constexpr (requires { rules.runs_on_kept_weights; }) able = p == rules.weight;
            if (!able) flags[p] = 0;
          }
        },
        node.rules);
  return flags;
}

/// Gives one parameter kept weights in place of its values; see `network::hold`.
template <class Backend>
void hold(network_body<Backend>& body, std::string_view name, kept_weights_of<typename Backend::array> kept) {
  auto const found = std::ranges::find(body.parameters, name, &held_array<typename Backend::array>::name);
  if (found != body.parameters.end()) restore(*found);
  if (found == body.parameters.end() || kept.pattern().extents() != Backend::extents(found->value))
    fail("the model has no parameter ", name, " of shape ", list(kept.pattern().extents()),
         ": pass kept weights that were made for it");
  auto const able = runs_on_kept_weights(body)[static_cast<std::size_t>(found - body.parameters.begin())];
  found->value = typename Backend::array();
  found->surviving.reset();
  found->kept.emplace(std::move(kept));
  if (!able) restore(*found);
}

/// Calls `f(parameter, mask)` for every parameter that has a mask and can run on its kept weights. Refuses masks of another shape.
template <class Backend, class F>
void for_each_masked(network_body<Backend>& body, mask_set const& masks, F f) {
  auto const able = runs_on_kept_weights(body);
  for (std::size_t i = 0; i < body.parameters.size(); ++i) {
    auto& p = body.parameters[i];
    auto const* const kept = masks.find(p.name);
    if (!kept || !able[i]) continue;
    if (kept->extents() != Backend::extents(p.value))
      fail("the mask of ", p.name, " has the shape ", list(kept->extents()), ", the parameter ", list(Backend::extents(p.value)),
           ": pass masks that were made for this model");
    f(p, *kept);
  }
}

/// Holds the parameters under these masks by their kept weights where `how` says so; see `network::keep_only`.
template <class Backend>
void keep_only(network_body<Backend>& body, mask_set const& masks, execution how) {
  for (auto& p : body.parameters) restore(p), p.surviving.reset();
  for_each_masked(body, masks, [how](auto& p, mask const& kept) {
    if (auto held = Backend::keep_only(p.value, kept.words(), how)) {
      p.kept.emplace(std::move(*held));
      p.value = typename Backend::array();
    }
  });
}

}  // namespace lnpt::nn
