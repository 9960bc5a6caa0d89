#pragma once
/// Which rows of a stored tensor hold nothing but zeros, from blocks of it in any order.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <lnpt/io/count_nonzero.hpp>
#include <lnpt/io/dtype.hpp>

namespace lnpt::io {

/// Counts the rows of a tensor whose values are all 0. Blocks may be shown in any order and by several threads at once; of a row that holds
/// anything little more is read than up to there. Memory: one byte for each row.
class row_survey {
 public:
  /// Of so many rows, each of `row_values` values. Of types that `has_countable_zeros` denies no row is empty.
  row_survey(dtype type, std::uint64_t rows, std::uint64_t row_values)
      : type_(type),
        row_bytes_(row_values * bits_of(type) / 8),
        live_(has_countable_zeros(type) && row_values != 0 ? static_cast<std::size_t>(rows) : 0) {}

  /// Of no rows.
  [[nodiscard]] static row_survey of_nothing() { return {dtype::u8, 0, 0}; }

  /// Looks at a block of the tensor's bytes, whole values from `first` on.
  void see(std::uint64_t first, std::span<std::byte const> block) {
    if (live_.empty()) return;
    auto const end = first + block.size();
    for (auto row = first / row_bytes_; row * row_bytes_ < end; ++row) {
      auto& live = live_[static_cast<std::size_t>(row)];
      if (live.load(std::memory_order_relaxed)) continue;
      auto const from = std::max(first, row * row_bytes_) - first;
      auto const to = std::min(end, (row + 1) * row_bytes_) - first;
      auto const part = block.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
      if (holds_any(part)) live.store(true, std::memory_order_relaxed);
    }
  }

  /// How many rows hold nothing but zeros, once every block was shown.
  [[nodiscard]] std::uint64_t empty() const {
    return static_cast<std::uint64_t>(std::ranges::count_if(live_, [](auto const& live) { return !live.load(); }));
  }

 private:
  [[nodiscard]] bool holds_any(std::span<std::byte const> values) const {
    constexpr std::size_t few = 256;  // bytes: a row that holds anything mostly does so at once
    for (std::size_t i = 0; i < values.size(); i += few)
      if (count_nonzero(values.subspan(i, std::min(few, values.size() - i)), type_) != 0) return true;
    return false;
  }

  dtype type_;
  std::uint64_t row_bytes_;
  std::vector<std::atomic<bool>> live_;
};

}  // namespace lnpt::io
