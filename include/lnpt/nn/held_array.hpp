#pragma once
/// The named arrays that a network owns, and the handles by which a pass reads them.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/autodiff/kept_table.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt::nn {

/// Those weights of a parameter that a pass multiplies by, where it skips what is pruned.
template <class Array>
struct surviving_weights {
  std::vector<std::uint64_t> mask;
  kept_weights_of<Array> kept;  ///< where they are; their values are read off the parameter by every pass
};

/// A parameter or a buffer.
template <class Array>
struct held_array {
  std::string name;
  lnpt::role role;
  Array value;
  std::optional<kept_weights_of<Array>> kept = {};         ///< what is held in place of `value`, which is then empty
  std::optional<surviving_weights<Array>> surviving = {};  ///< of `value`, which stays whole; see network::skip_pruned
};

/// All weights of a parameter again, where only those that are kept are held.
template <class Array>
void restore([[maybe_unused]] held_array<Array>& held) {
  if constexpr (holds_kept_weights<Array>)
    if (held.kept) {
      held.value = held.kept->dense();
      held.kept.reset();
    }
}

/// What the model concepts see of them: whole arrays.
template <class Array>
[[nodiscard]] std::vector<parameter<Array>> views_of(std::vector<held_array<Array>>& held) {
  std::vector<parameter<Array>> views;
  for (auto& each : held) {
    restore(each);
    views.push_back({each.name, &each.value, each.role, 0});
  }
  return views;
}

/// What is held of them: a parameter held by its kept weights shows those, as a vector.
template <class Array>
[[nodiscard]] std::vector<parameter<Array>> stored_views_of(std::vector<held_array<Array>>& held) {
  std::vector<parameter<Array>> views;
  for (auto& each : held) {
    auto* value = &each.value;
    if constexpr (holds_kept_weights<Array>)
      if (each.kept) value = &each.kept->values();
    views.push_back({each.name, value, each.role, 0});
  }
  return views;
}

/// A handle that does not own: the network outlives every pass over it.
template <class Array>
[[nodiscard]] std::shared_ptr<Array const> handle_of(Array const& x) {
  return {std::shared_ptr<void>{}, &x};
}
template <class Array>
[[nodiscard]] std::vector<std::shared_ptr<Array const>> handles_of(std::vector<held_array<Array>> const& held) {
  std::vector<std::shared_ptr<Array const>> handles;
  for (auto const& each : held) handles.push_back(handle_of(each.value));
  return handles;
}

/// Those that a pass multiplies by their kept weights, if it can.
template <class Array>
[[nodiscard]] autodiff::kept_table<Array> kept_table_of(std::vector<held_array<Array>> const& held) {
  autodiff::kept_table<Array> table;
  if constexpr (holds_kept_weights<Array>) {
    for (auto const& each : held) {
      if (each.kept) table.add(each.value, *each.kept);
      if (each.surviving) table.add(each.value, each.surviving->kept.with_values_of(each.value));
    }
  }
  return table;
}

/// Handles for a pass that needs all weights: those of parameters held by their kept weights are made for it.
template <class Array>
[[nodiscard]] std::shared_ptr<Array const> whole_handle_of(held_array<Array> const& held) {
  if constexpr (holds_kept_weights<Array>)
    if (held.kept) return std::make_shared<Array const>(held.kept->dense());
  return handle_of(held.value);
}
template <class Array>
[[nodiscard]] std::vector<std::shared_ptr<Array const>> whole_handles_of(std::vector<held_array<Array>> const& held) {
  std::vector<std::shared_ptr<Array const>> handles;
  for (auto const& each : held) handles.push_back(whole_handle_of(each));
  return handles;
}

/// The array behind a handle: moved out where nobody else holds it.
template <class Array>
[[nodiscard]] Array release(std::shared_ptr<Array const> held) {
  if (held.use_count() == 1) return std::move(const_cast<Array&>(*held));  // created non-const by the algebra
  return *held;
}

}  // namespace lnpt::nn
