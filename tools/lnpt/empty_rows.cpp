#include "empty_rows.hpp"

#include <fmt/format.h>

namespace cli {

std::size_t empty_rows(lnpt::mask const& kept) {
  auto const rows = kept.extents().at(0);
  auto const width = rows == 0 ? 0 : kept.size() / rows;
  std::size_t empty = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    std::size_t i = row * width;
    while (i < (row + 1) * width && !kept[i]) ++i;
    empty += i == (row + 1) * width;
  }
  return empty;
}

void empty_row_count::add(std::uint64_t rows_of_a_tensor) {
  rows += rows_of_a_tensor;
  tensors += rows_of_a_tensor != 0;
}

std::string empty_row_count::in_words(char const* what_helps) const {
  if (rows == 0) return {};
  return fmt::format("{} {} in {} {} {} empty, which DoRA, weight_norm and float8 of torchao and quanto turn NaN{}", rows,
                     rows == 1 ? "row" : "rows", tensors, tensors == 1 ? "tensor" : "tensors", rows == 1 ? "is" : "are",
                     what_helps);
}

}  // namespace cli
