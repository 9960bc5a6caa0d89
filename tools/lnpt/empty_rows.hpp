#pragma once
/// Rows of weights of which pruning left nothing: channels that other programs divide by their norms.
#include <cstddef>
#include <cstdint>
#include <string>

#include <lnpt/mask/mask_set.hpp>

namespace cli {

/// How many rows of a weight keep nothing.
[[nodiscard]] std::size_t empty_rows(lnpt::mask const& kept);

/// Empty rows, and how many tensors have any.
struct empty_row_count {
  std::uint64_t rows = 0;
  std::size_t tensors = 0;

  void add(std::uint64_t rows_of_a_tensor);
  /// One line on them, with what is to be done about them; empty where there are none.
  [[nodiscard]] std::string in_words(char const* what_helps) const;
};

}  // namespace cli
