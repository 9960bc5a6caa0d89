#pragma once
/// Walks through the elements of several arrays at once, each with strides of its own.
#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::cpu::detail {

/// From one element to the next along each axis of a row-major array.
[[nodiscard]] inline shape contiguous_strides(shape const& extents) {
  shape strides(extents.size());
  for (std::size_t axis = extents.size(), step = 1; axis-- > 0; step *= extents[axis]) strides[axis] = step;
  return strides;
}

/// A walk through all elements of a shape, in order, by runs in each of which every operand moves by a constant step.
template <std::size_t Operands>
class strided_walk {
 public:
  using indices = std::array<std::size_t, Operands>;

  strided_walk(shape extents, std::array<shape, Operands> strides) : extents_(std::move(extents)), strides_(std::move(strides)) {
    merge();
  }

  [[nodiscard]] std::size_t runs() const { return element_count(extents_); }
  [[nodiscard]] std::size_t length() const { return length_; }
  [[nodiscard]] indices const& steps() const { return steps_; }

  /// Where each operand is at the beginning of a run.
  [[nodiscard]] indices at(std::size_t run) const {
    indices where{};
    for (auto axis = extents_.size(); axis-- > 0; run /= extents_[axis])
      for (std::size_t o = 0; o < Operands; ++o) where[o] += run % extents_[axis] * strides_[o][axis];
    return where;
  }

  /// Calls `f(where each operand is, first element of the whole, elements)` for pieces of runs, in parallel.
  template <class F>
  void for_each(F f) const {
    auto const pieces = chunk_count(length_, streaming_grain);
    auto const together = std::max<std::size_t>(1, streaming_grain / std::max<std::size_t>(1, length_));
    for_chunks(runs() * pieces, together, [&](std::size_t begin, std::size_t end) {
      for (auto i = begin; i < end; ++i) {
        auto where = at(i / pieces);
        auto const first = i % pieces * streaming_grain;
        for (std::size_t o = 0; o < Operands; ++o) where[o] += first * steps_[o];
        f(where, i / pieces * length_ + first, std::min(streaming_grain, length_ - first));
      }
    });
  }

 private:
  /// Takes axes into the run, from the last on, for as long as every operand goes on by its step.
  void merge() {
    while (!extents_.empty()) {
      auto const axis = extents_.size() - 1;
      if (extents_[axis] != 1) {
        if (length_ == 1)
          for (std::size_t o = 0; o < Operands; ++o) steps_[o] = strides_[o][axis];
        for (std::size_t o = 0; o < Operands; ++o)
          if (strides_[o][axis] != steps_[o] * length_) return;
        length_ *= extents_[axis];
      }
      extents_.pop_back();
      for (auto& strides : strides_) strides.pop_back();
    }
  }

  shape extents_;
  std::array<shape, Operands> strides_;
  std::size_t length_ = 1;
  indices steps_{};
};

}  // namespace lnpt::cpu::detail
