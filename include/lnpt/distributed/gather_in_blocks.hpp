#pragma once
/// Bytes of different lengths from every process, over exchanges of one length.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace lnpt::detail {

/// What every rank passed, by rank, in rounds of `longest_block` bytes at most, so that no count or offset outgrows what the engine takes.
/// `gather(block)` returns the blocks of all ranks, one after another, which have one length.
template <class Gather>
[[nodiscard]] std::vector<std::vector<std::byte>> gather_in_blocks(std::span<std::byte const> mine, std::size_t ranks,
                                                                   std::size_t longest_block, Gather gather) {
  std::uint64_t const length = mine.size();
  std::vector<std::byte> const stated = gather(std::as_bytes(std::span(&length, 1)));
  std::vector<std::uint64_t> lengths(ranks);
  std::memcpy(lengths.data(), stated.data(), stated.size());
  std::vector<std::vector<std::byte>> all(ranks);
  auto const longest = static_cast<std::size_t>(std::ranges::max(lengths));
  for (std::size_t begin = 0; begin < longest; begin += longest_block) {
    std::vector<std::byte> block(std::min(longest_block, longest - begin));
    if (begin < mine.size()) std::ranges::copy(mine.subspan(begin, std::min(block.size(), mine.size() - begin)), block.begin());
    std::vector<std::byte> const blocks = gather(std::span<std::byte const>(block));
    for (std::size_t r = 0; r < ranks; ++r) {
      auto const taken = std::min<std::size_t>(block.size(), static_cast<std::size_t>(lengths[r]) - all[r].size());
      auto const first = blocks.begin() + static_cast<std::ptrdiff_t>(r * block.size());
      all[r].insert(all[r].end(), first, first + static_cast<std::ptrdiff_t>(taken));
    }
  }
  return all;
}

}  // namespace lnpt::detail
