#pragma once
/// Which weights of a parameter are kept, as lists of indices: built once per mask, shared by all values under it.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::cpu::sparse {

/// The kept weights of a matrix of outputs by row elements, [O, C/groups, kh, kw] or [O, F], in row-major order and by columns.
///
/// Twelve bytes per kept weight: its column; and, for the products that go through the matrix by columns, its row and its position.
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
    row_begin_.reserve(extents_[0] + 1);
    for (std::size_t i = 0; i < size; ++i) {
      if (i % row_size_ == 0) row_begin_.push_back(static_cast<index>(column_.size()));
      if ((keep[i / 64] >> (i % 64)) & 1) column_.push_back(static_cast<index>(i % row_size_));
    }
    row_begin_.push_back(static_cast<index>(column_.size()));
    column_.shrink_to_fit();
    sort_by_columns();
  }

  [[nodiscard]] shape const& extents() const { return extents_; }
  [[nodiscard]] std::size_t rows() const { return extents_[0]; }
  [[nodiscard]] std::size_t row_size() const { return row_size_; }
  /// How many weights there are, and how many are kept.
  [[nodiscard]] std::size_t size() const { return rows() * row_size_; }
  [[nodiscard]] std::size_t kept() const { return column_.size(); }

  /// Kept weight i of row r, for row_begin(r) ≤ i < row_begin(r + 1), lies in this column.
  [[nodiscard]] std::size_t row_begin(std::size_t row) const { return row_begin_[row]; }
  [[nodiscard]] std::size_t column(std::size_t i) const { return column_[i]; }

  /// Entry j of column c, for column_begin(c) ≤ j < column_begin(c + 1), is kept weight `position(j)`, in this row; rows ascend.
  [[nodiscard]] std::size_t column_begin(std::size_t column) const { return column_begin_[column]; }
  [[nodiscard]] std::size_t row(std::size_t j) const { return row_[j]; }
  [[nodiscard]] std::size_t position(std::size_t j) const { return position_[j]; }

  /// Calls `f(i, flat)` for every kept weight i and its index in the parameter.
  template <class F>
  void for_each(F f) const {
    for (std::size_t r = 0; r < rows(); ++r)
      for (auto i = row_begin(r); i < row_begin(r + 1); ++i) f(i, r * row_size_ + column(i));
  }

  /// What the indices take in memory.
  [[nodiscard]] std::size_t bytes() const {
    return sizeof(index) * (row_begin_.size() + column_.size() + column_begin_.size() + row_.size() + position_.size());
  }

 private:
  void sort_by_columns() {
    column_begin_.assign(row_size_ + 1, 0);
    for (auto const c : column_) ++column_begin_[c + 1];
    for (std::size_t c = 0; c < row_size_; ++c) column_begin_[c + 1] += column_begin_[c];
    row_.resize(kept()), position_.resize(kept());
    auto next = column_begin_;
    for (std::size_t r = 0; r < rows(); ++r)
      for (auto i = row_begin(r); i < row_begin(r + 1); ++i) {
        auto const j = next[column_[i]]++;
        row_[j] = static_cast<index>(r), position_[j] = static_cast<index>(i);
      }
  }

  shape extents_;
  std::size_t row_size_ = 0;
  std::vector<index> row_begin_, column_, column_begin_, row_, position_;
};

/// Refuses values that are not one per kept weight.
inline void require_values(char const* what, pattern const& kept, std::size_t values) {
  if (values != kept.kept())
    fail(what, ": ", values, " values for ", kept.kept(), " kept weights; pass one value per kept weight, in row-major order");
}

}  // namespace lnpt::cpu::sparse
