#pragma once
/// The named arrays that a network owns, and the handles by which a pass reads them.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/parameter.hpp>

namespace lnpt::nn {

/// A parameter or a buffer.
template <class Array>
struct held_array {
  std::string name;
  lnpt::role role;
  Array value;
};

/// What the model concepts see of them.
template <class Array>
[[nodiscard]] std::vector<parameter<Array>> views_of(std::vector<held_array<Array>>& held) {
  std::vector<parameter<Array>> views;
  for (auto& each : held) views.push_back({each.name, &each.value, each.role, 0});
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

/// The array behind a handle: moved out where nobody else holds it.
template <class Array>
[[nodiscard]] Array release(std::shared_ptr<Array const> held) {
  if (held.use_count() == 1) return std::move(const_cast<Array&>(*held));  // created non-const by the algebra
  return *held;
}

}  // namespace lnpt::nn
