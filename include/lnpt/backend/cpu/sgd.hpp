#pragma once
/// One step of stochastic gradient descent with momentum under a mask.
#include <algorithm>
#include <cstdint>
#include <span>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/elementwise.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/sgd_constants.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu {

namespace detail {

template <class T>
struct sgd_update {
  T rate, momentum, decay;

  void operator()(T& w, T g, T& v) const {
    v = momentum * v + (g + decay * w);
    w -= rate * v;
  }

  /// 64 weights or fewer under one word of the mask. Pruned weights become +0.0 whatever their gradient, even NaN.
  void masked(T* w, T const* g, T* v, std::size_t n, std::uint64_t bits) const {
    constexpr std::size_t half = 32;  // a word that is as wide as a float makes a mask without conversions
    for (std::size_t begin = 0; begin < n; begin += half) {
      auto const kept = static_cast<std::uint32_t>(bits >> begin);
      for (std::size_t i = 0; i < std::min(half, n - begin); ++i) {
        bool const keep = kept & (std::uint32_t{1} << i);
        auto const at = begin + i;
        T const next = momentum * v[at] + (g[at] + decay * w[at]);
        T const moved = w[at] - rate * next;
        v[at] = keep ? next : T{0};
        w[at] = keep ? moved : T{0};
      }
    }
  }
};

}  // namespace detail

/// v = μ·v + (g + λ·w); w −= lr·v, for the weights whose bit is set; pruned weights and their momentum become exactly +0.0.
/// `keep` holds one bit per weight as `mask::words` does; empty: every weight is kept.
template <class T>
void sgd_step(array<T>& w, array<T> const& g, array<T>& v, std::span<std::uint64_t const> keep, sgd_constants const& constants) {
  detail::require_same_size("sgd_step", w, g);
  detail::require_same_size("sgd_step", w, v);
  if (!keep.empty() && keep.size() != chunk_count(w.size(), 64))
    fail("sgd_step: a mask of ", keep.size(), " words for ", w.size(), " weights; pass one word per 64 weights, or none");
  detail::sgd_update<T> const update{static_cast<T>(constants.learning_rate), static_cast<T>(constants.momentum),
                                     static_cast<T>(constants.weight_decay)};
  T* const weights = w.data();
  T* const velocity = v.data();
  T const* const gradient = g.data();
  for_chunks(w.size(), streaming_grain, [&](std::size_t begin, std::size_t end) {
    if (keep.empty()) {
      for (auto i = begin; i != end; ++i) update(weights[i], gradient[i], velocity[i]);
    } else {
      for (auto i = begin; i < end; i += 64)
        update.masked(weights + i, gradient + i, velocity + i, std::min<std::size_t>(64, end - i), keep[i / 64]);
    }
  });
}

}  // namespace lnpt::cpu
