#pragma once
/// Masks whose budget is spent on weights that can still carry something.
#include <cstddef>

#include <lnpt/core/budget.hpp>
#include <lnpt/structure/dead_paths.hpp>

namespace lnpt {

/// The density at which as many weights lie on a path from the input to the output as `keep` allows of all: what dead weights would have
/// taken is spent on live ones.
///
/// `choose(density)` gives masks that grow with the density, such as one ranking of scores under a strategy; it is called about twenty
/// times. The effective count is that of `keep` or, where no density gives just as many, the nearest below. Vysogorets, Kempe, JMLR
/// 2023, arXiv:2107.02306, section 5.
template <class Choose>
[[nodiscard]] density density_of_live_weights(channel_map const& map, density keep, Choose const& choose) {
  auto const total = [](dead_paths const& paths) {
    std::size_t count = 0;
    for (auto const& layer : paths.layers) count += layer.total;
    return count;
  };
  auto const target = kept_count(keep, total(dead_paths_of(map, choose(keep))));
  double low = keep.value();
  double high = 1;
  for (int halving = 0; halving < 20 && high > low; ++halving) {
    auto const middle = density{(low + high) / 2};
    (dead_paths_of(map, choose(middle)).effective() <= target ? low : high) = middle.value();
  }
  return density{low};
}

/// The masks of that density.
template <class Choose>
[[nodiscard]] mask_set spend_on_live_weights(channel_map const& map, density keep, Choose const& choose) {
  return choose(density_of_live_weights(map, keep, choose));
}

}  // namespace lnpt
