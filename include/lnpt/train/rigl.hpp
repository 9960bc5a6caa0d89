#pragma once
/// RigL: masks that move during training, to where the dense gradient is large.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/finite.hpp>
#include <lnpt/train/hooks.hpp>

namespace lnpt {

namespace detail {

/// Refuses training without masks, where `who` has nothing to move.
template <class T>
void require_masks(training_step<T> const& at, char const* who) {
  if (at.masks->empty()) fail(who, " moves masks, and there are none: train under masks, such as those of prune<lnpt::random>");
}

/// The places of a mask where it says `kept`.
[[nodiscard]] inline std::vector<std::size_t> places_of(mask const& m, bool kept) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < m.size(); ++i)
    if (m[i] == kept) places.push_back(i);
  return places;
}

/// Moves the n places that `before` puts first to the front; of equal ones the first in memory.
template <class Before>
void bring_forward(std::vector<std::size_t>& places, std::size_t n, Before before) {
  auto const end = places.begin() + static_cast<std::ptrdiff_t>(n);
  std::ranges::nth_element(places, end, [&](std::size_t a, std::size_t b) {
    if (before(a, b)) return true;
    return !before(b, a) && a < b;
  });
}

}  // namespace detail

/// Rigging the lottery. Evci, Gale, Menick, Castro, Elsen, ICML 2020, arXiv:1911.11134, Algorithm 1.
///
/// Every `every` steps t, until step `until`, each mask gives up the k kept weights of smallest |θ| and takes the k others of largest
/// |g| in their place, g the dense gradient of that step:
///
///     k = ⌊ f(t) · kept ⌋,      f(t) = fraction/2 · (1 + cos(π t / until))
///
/// Weights that come in start at zero and at rest; the number of kept weights of every layer stays. A training hook without a state of
/// its own: the masks are the run's, and checkpoints hold them. The optimiser's step is taken at these steps too, which the published
/// loop leaves out. Reads what the loss reads. Costs nothing but at those steps, then a copy of masked weights and gradients to the
/// host and a partial sort of each.
class rigl {
 public:
  /// `until` in steps of the whole run; published: three quarters of it.
  explicit rigl(std::size_t until, std::size_t every = 100, double fraction = 0.3)
      : until_(until), every_(every), fraction_(fraction) {
    if (until == 0 || every == 0 || !(fraction > 0 && fraction <= 1))
      fail_request("masks cannot move by a fraction of ", fraction, " every ", every, " steps until step ", until,
                   ": pass a fraction in (0, 1] and steps above 0");
  }

  template <class T>
  void before_step(training_step<T>& at) const {
    detail::require_masks(at, "rigl");
    auto const t = at.of_run();
    if (t == 0 || t % every_ != 0 || t >= until_) return;
    auto masks = *at.masks;
    for (auto& kept : masks)
      for (std::size_t i = 0; i < at.parameters.size(); ++i)
        if (at.parameters[i].name == kept.name() && at.gradients[i])
          move(kept, finite_values(at.parameters[i].name, *at.parameters[i].value),
               finite_values("the gradient of " + at.parameters[i].name, *at.gradients[i]), moved_share(t));
    at.set_masks(std::move(masks));
  }
  /// f(t)
  [[nodiscard]] double moved_share(std::size_t t) const {
    return fraction_ / 2 * (1 + std::cos(std::numbers::pi * static_cast<double>(t) / static_cast<double>(until_)));
  }

 private:
  /// Refuses what a diverged step leaves, before a mask moves by it.
  template <class T>
  [[nodiscard]] static std::vector<value_type<T>> finite_values(std::string const& name, T const& values) {
    auto found = values_of(values);
    detail::require_finite_values(found, name, "no weight is worth more than another to rigl", "lower the learning rate");
    return found;
  }
  template <class Values>
  static void move(mask& kept, Values const& weights, Values const& slopes, double share) {
    auto living = detail::places_of(kept, true);
    auto const others = kept.size() - living.size();
    auto const n = std::min(static_cast<std::size_t>(share * static_cast<double>(living.size())), others);
    if (n == 0) return;
    auto const size = [](auto const& values, std::size_t i) { return std::abs(values[i]); };
    detail::bring_forward(living, n, [&](std::size_t a, std::size_t b) { return size(weights, a) < size(weights, b); });
    for (std::size_t k = 0; k < n; ++k) kept.set(living[k], false);
    auto resting = detail::places_of(kept, false);
    detail::bring_forward(resting, n, [&](std::size_t a, std::size_t b) { return size(slopes, a) > size(slopes, b); });
    for (std::size_t k = 0; k < n; ++k) kept.set(resting[k], true);
  }

  std::size_t until_, every_;
  double fraction_;
};

}  // namespace lnpt
