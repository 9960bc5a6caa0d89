#pragma once
/// Which weights of a parameter are kept, as lists of indices: built once per mask, shared by all values under it.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::cpu::sparse {

/// The kept weights of a parameter [O, C/groups, kh, kw] or [O, F]: in row-major order, and those of every input channel, or feature, in
/// that order.
///
/// Twelve bytes per kept weight: its column; and, for the products that go through the parameter by inputs, its row and its position.
class pattern {
 public:
  using index = std::uint32_t;

  /// `keep` holds one bit per weight as `mask::words` does.
  pattern(shape extents, std::span<std::uint64_t const> keep) : extents_(std::move(extents)) {
    auto const size = element_count(extents_);
    if (extents_.size() < 2 || extents_[0] == 0 || size == 0 || keep.size() != (size + 63) / 64)
      fail("a pattern of kept weights: ", keep.size(), " words of a mask for a parameter of shape ", list(extents_),
           "; pass a parameter of rank 2 or 4 and one word per 64 weights");
    if (size > std::numeric_limits<index>::max())
      fail("a pattern of kept weights: ", size, " weights in one parameter; at most ", std::numeric_limits<index>::max(),
           " can be indexed, run it dense");
    row_size_ = size / extents_[0];
    taps_ = row_size_ / extents_[1];
    list_columns(keep);
    sort_by_inputs();
  }

  [[nodiscard]] shape const& extents() const { return extents_; }
  [[nodiscard]] std::size_t rows() const { return extents_[0]; }
  [[nodiscard]] std::size_t row_size() const { return row_size_; }
  /// How many weights there are, and how many are kept.
  [[nodiscard]] std::size_t size() const { return rows() * row_size_; }
  [[nodiscard]] std::size_t kept() const { return column_.size(); }
  /// Elements of a row per input: those of a kernel, or one.
  [[nodiscard]] std::size_t taps() const { return taps_; }

  /// Kept weight i of row r, for row_begin(r) ≤ i < row_begin(r + 1), lies in this column.
  [[nodiscard]] std::size_t row_begin(std::size_t row) const { return row_begin_[row]; }
  [[nodiscard]] std::size_t column(std::size_t i) const { return column_[i]; }

  /// Entry j of input c, for input_begin(c) ≤ j < input_begin(c + 1), is kept weight `position(j)`, in this row; positions ascend.
  [[nodiscard]] std::size_t input_begin(std::size_t input) const { return input_begin_[input]; }
  [[nodiscard]] std::size_t row(std::size_t j) const { return row_[j]; }
  [[nodiscard]] std::size_t position(std::size_t j) const { return position_[j]; }

  /// Ask the processor for the column of kept weight i, or for entry j, at most that behind the last.
  void prefetch_column(std::size_t i) const { __builtin_prefetch(column_.data() + i); }
  void prefetch_entry(std::size_t j) const {
    __builtin_prefetch(row_.data() + j);
    __builtin_prefetch(position_.data() + j);
  }

  /// Calls `f(i, flat)` for every kept weight i and its index in the parameter.
  template <class F>
  void for_each(F f) const {
    for (std::size_t r = 0; r < rows(); ++r)
      for (auto i = row_begin(r); i < row_begin(r + 1); ++i) f(i, r * row_size_ + column(i));
  }

  /// What the indices take in memory.
  [[nodiscard]] std::size_t bytes() const {
    return sizeof(index) * (row_begin_.size() + column_.size() + input_begin_.size() + row_.size() + position_.size());
  }

 private:
  void list_columns(std::span<std::uint64_t const> keep) {
    std::size_t kept = 0;
    for (auto const word : keep) kept += static_cast<std::size_t>(std::popcount(word));
    column_.reserve(kept);
    row_begin_.assign(1, 0);
    for (std::size_t w = 0, row = 0; w < keep.size(); ++w)
      for (auto left = keep[w]; left != 0; left &= left - 1) {
        auto const flat = 64 * w + static_cast<std::size_t>(std::countr_zero(left));
        for (; flat >= (row + 1) * row_size_; ++row) row_begin_.push_back(static_cast<index>(column_.size()));
        column_.push_back(static_cast<index>(flat - row * row_size_));
      }
    row_begin_.resize(extents_[0] + 1, static_cast<index>(column_.size()));
  }

  void sort_by_inputs() {
    input_begin_.assign(extents_[1] + 1, 0);
    for (auto const c : column_) ++input_begin_[c / taps_ + 1];
    for (std::size_t c = 0; c < extents_[1]; ++c) input_begin_[c + 1] += input_begin_[c];
    row_.resize(kept()), position_.resize(kept());
    auto next = input_begin_;
    for (std::size_t r = 0; r < rows(); ++r)
      for (auto i = row_begin(r); i < row_begin(r + 1); ++i) {
        auto const j = next[column_[i] / taps_]++;
        row_[j] = static_cast<index>(r), position_[j] = static_cast<index>(i);
      }
  }

  shape extents_;
  std::size_t row_size_ = 0, taps_ = 1;
  std::vector<index> row_begin_, column_, input_begin_, row_, position_;
};

/// Refuses values that are not one per kept weight.
inline void require_values(char const* what, pattern const& kept, std::size_t values) {
  if (values != kept.kept())
    fail(what, ": ", values, " values for ", kept.kept(), " kept weights; pass one value per kept weight, in row-major order");
}

}  // namespace lnpt::cpu::sparse
