#pragma once
/// A fixed sample of scores, spread evenly but without a regular step.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/mask/bits.hpp>
#include <lnpt/mask/ranking.hpp>

namespace lnpt::detail {

/// Keys of about N^(2/3) of N scores, or of `most` if those are fewer, in no particular order: one from each stretch of N^(1/3) scores or
/// more, at a scattered place so that no regularity in the scores lines up with it. Scores that do not take part are passed over.
template <class T>
[[nodiscard]] auto sample_keys(std::span<ranked_scores<T> const> parameters, score_order<T> order,
                               std::size_t most = std::numeric_limits<std::size_t>::max()) {
  using keys = std::vector<typename score_order<T>::key>;
  std::size_t size = 0;
  for (auto const& parameter : parameters) size += parameter.scores.size();
  auto const stride = std::max(static_cast<std::size_t>(std::cbrt(static_cast<double>(size))), size / most) + 1;
  auto const chunks = chunks_of(parameters);

  tbb::enumerable_thread_specific<keys> drawn;
  tbb::parallel_for(std::size_t{0}, chunks.size(), [&](std::size_t c) {
    auto const& [p, begin, end] = chunks[c];
    auto const& [scores, kept, among] = parameters[p];
    auto& found = drawn.local();
    for (auto first = begin; first < end; first += stride) {
      auto const i = first + static_cast<std::size_t>(mix_bits(c * chunk::length + first) % stride);
      if (i < end && (among.empty() || test_bit(among, i))) found.push_back(order(scores[i]));
    }
  });
  keys all;
  for (auto const& part : drawn) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace lnpt::detail
