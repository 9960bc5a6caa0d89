#pragma once
/// A table of arrays as one argument of a kernel, so that one launch passes over all of them.
#include <cstddef>

namespace lnpt::cudnn::detail {

/// The most arrays of one launch: with 64 bytes for each, a table stays below the 32,764 bytes that arguments may have.
inline constexpr unsigned most_parts = 480;
inline constexpr unsigned part_block = 256;  ///< elements of one array that one block of threads passes over

inline constexpr char part_kernels[] = R"cuda(
constexpr unsigned most_parts = 480;

// Which array a block belongs to: the last one that begins at this block or before.
template <class Table> __device__ unsigned part_of_block(Table const& all) {
  unsigned first = 0, last = all.parts;
  while (last - first > 1) {
    unsigned const middle = (first + last) / 2;
    if (all.at[middle].first_block <= blockIdx.x) first = middle; else last = middle;
  }
  return first;
}
)cuda";

}  // namespace lnpt::cudnn::detail
