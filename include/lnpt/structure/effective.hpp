#pragma once
/// Masks whose budget is spent on weights that can still carry something.
#include <cstddef>

#include <lnpt/core/budget.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/structure/dead_paths.hpp>

namespace lnpt {

/// The density at which as many weights lie on a path from the input to the output as `keep` allows of all: what dead weights would have
/// taken is spent on live ones.
///
/// `choose(density)` gives masks that grow with the density, such as one ranking of scores under a strategy, for densities up to `most`;
/// it is called about twenty times. Where no density gives just as many, the next above is taken: where paths close, counts jump. Throws
/// where `most` gives fewer. Vysogorets, Kempe, JMLR 2023, arXiv:2107.02306, section 5.
template <class Choose>
[[nodiscard]] density density_of_live_weights(channel_map const& map, density keep, Choose const& choose,
                                              density most = density{1}) {
  auto const paths_at = [&](double d) { return dead_paths_of(map, choose(density{d})); };
  auto const paths = paths_at(keep.value());
  std::size_t total = 0;
  for (auto const& layer : paths.layers) total += layer.total;
  auto const target = kept_count(keep, total);
  if (paths.effective() >= target) return keep;
  if (auto const live = paths_at(most.value()).effective(); live < target)
    fail_request("of the weights that may stay ", live, " lie on paths from the input to the output, fewer than the ", target,
                 " asked for: ask for a higher sparsity, or start from masks that keep more");
  double low = keep.value();
  double high = most.value();
  for (int halving = 0; halving < 20; ++halving) {
    auto const middle = (low + high) / 2;
    (paths_at(middle).effective() < target ? low : high) = middle;
  }
  return density{high};
}

/// The masks of that density.
template <class Choose>
[[nodiscard]] mask_set spend_on_live_weights(channel_map const& map, density keep, Choose const& choose) {
  return choose(density_of_live_weights(map, keep, choose));
}

}  // namespace lnpt
