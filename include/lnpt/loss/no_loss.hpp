#pragma once
/// What criteria that read data and no loss are gathered under.
#include <lnpt/loss/concept.hpp>

namespace lnpt {

/// The loss that is always 0. It reads neither labels nor a teacher and has no gradient.
struct no_loss {
  static constexpr loss_needs needs{};

  template <class T>
  [[nodiscard]] static double value(prediction<T> const&, target<T> const&) {
    return 0;
  }
  template <class V, class T>
  [[nodiscard]] static cotangents<V> cotangent(prediction<V> const&, target<T> const&) {
    return {};
  }
};

}  // namespace lnpt
