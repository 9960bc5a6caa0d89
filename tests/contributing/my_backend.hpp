#pragma once
// The backend that docs/extend.md adds.
#include <lnpt/lnpt.hpp>

/// The CPU backend, but that it counts the multiply–adds of linear layers: y = x wᵀ, x [N, F], w [O, F].
template <class T>
struct counting_backend : lnpt::cpu::backend<T> {
  using array = typename lnpt::cpu::backend<T>::array;
  using lnpt::cpu::backend<T>::linear;  // by kept weights, too
  static inline std::size_t multiply_adds = 0;

  static void linear(array const& x, array const& w, array& y, bool accumulate) {
    multiply_adds += lnpt::shape_of(x)[0] * lnpt::size_of(w);
    lnpt::cpu::backend<T>::linear(x, w, y, accumulate);
  }
};
