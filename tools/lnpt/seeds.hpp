#pragma once
/// The seeds of commands that repeat a run.
#include <cstddef>
#include <cstdint>
#include <limits>

#include "misuse.hpp"

namespace cli {

/// The seeds that a command was asked for.
struct seed_range {
  std::uint64_t first;
  std::size_t count;

  [[nodiscard]] bool contains(std::uint64_t seed) const { return seed >= first && seed - first < count; }
};

/// Refuses seeds, from `first` on, of which some would wrap round, and more than anybody trains: mostly a slip for --seed.
inline void require_seeds(std::uint64_t first, std::size_t count) {
  constexpr std::size_t most = 10'000;
  if (count > most) refuse("--seeds ", count, " are more than ", most, ": --seeds counts them, and --seed names the first");
  if (first > std::numeric_limits<std::uint64_t>::max() - count)
    refuse("--seed ", first, " leaves no numbers for ", count, " seeds: give a smaller one");
}

}  // namespace cli
