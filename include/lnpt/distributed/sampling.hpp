#pragma once
/// Which images to score on, where each process has some of them.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <lnpt/core/communicator.hpp>
#include <lnpt/distributed/gathered_values.hpp>
#include <lnpt/train/sampling.hpp>

namespace lnpt {

/// This rank's part of the sample by pseudo-label that one process would draw from the images of all ranks, in their order. `decisions`
/// holds the teacher's class of every image of this rank; `indices` count its images, `found_per_class` is that of all ranks. Cost: 8
/// bytes an image over the wire.
template <communicator R>
[[nodiscard]] scoring_sample sample_by_pseudo_label(std::span<std::int64_t const> decisions, std::size_t classes,
                                                    std::size_t per_class, std::uint64_t seed, R& ranks) {
  std::vector<std::int64_t> all;
  std::size_t before = 0;
  for (std::size_t r = 0; auto const& bytes : ranks.gather(std::as_bytes(decisions))) {
    if (r++ == ranks.rank()) before = all.size();
    detail::append_values(all, bytes);
  }
  auto const drawn = sample_by_pseudo_label(std::span<std::int64_t const>(all), classes, per_class, seed);
  scoring_sample mine{{}, drawn.found_per_class};
  for (auto const i : drawn.indices)
    if (i >= before && i - before < decisions.size()) mine.indices.push_back(i - before);
  return mine;
}

}  // namespace lnpt
