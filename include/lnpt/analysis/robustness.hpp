#pragma once
/// How far a network keeps its decisions, or another's, when inputs move.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lnpt/analysis/attacks.hpp>
#include <lnpt/analysis/interval_bounds.hpp>
#include <lnpt/loss/count_right.hpp>

namespace lnpt {

/// Counts of samples at one distance ε.
struct robustness_row {
  double epsilon = 0;
  std::size_t fgsm = 0, pgd = 0;  ///< that keep their class under attack
  std::optional<std::size_t>
      certified;  ///< that keep it for every input within ε, by interval bounds; none where there are no bounds
};

/// What `robustness` counted.
struct robustness_report {
  std::size_t samples = 0;
  std::size_t agreeing = 0;  ///< that have their class without attack
  std::vector<robustness_row> rows = {};
  std::string not_certified = {};  ///< why there are no bounds; empty where there are
};

namespace detail {

/// How many samples have the least possible logit of their class above the greatest possible one of every other.
template <class Network>
[[nodiscard]] std::size_t count_certified(Network& network, tensor_of<Network> const& x, std::vector<std::int64_t> const& classes,
                                          double epsilon, attack_options const& o) {
  using T = tensor_of<Network>;
  std::vector<signed char> const up(size_of(x), 1);
  std::vector<signed char> const down(size_of(x), -1);
  // Rounding is monotone: no input of this precision within ε lies outside the box, whichever way its ends are rounded.
  interval<T> const box{moved_by(x, x, down, epsilon, epsilon, o), moved_by(x, x, up, epsilon, epsilon, o)};
  auto const logits = interval_bounds(network, box).back();
  auto const low = values_of(logits.low);
  auto const high = values_of(logits.high);
  auto const width = low.size() / classes.size();
  std::size_t count = 0;
  for (std::size_t n = 0; n < classes.size(); ++n) {
    auto const own = static_cast<std::size_t>(classes[n]);
    bool certain = true;
    for (std::size_t k = 0; k < width; ++k) certain &= k == own || high[n * width + k] < low[n * width + own];
    count += certain;
  }
  return count;
}

}  // namespace detail

/// How many samples of a batch keep their class, at several distances ε in the largest norm, under attacks on this very network and, where
/// its layers have interval bounds, certainly. `classes` are what a reference decided, such as the network before it was pruned, or labels:
/// nothing else is read. Batch norm in eval mode.
///
/// Costs a forward and backward pass for FGSM, `steps` of them for PGD, and about two forward passes for bounds, per ε. Throws
/// `lnpt::error` for inputs outside the box, for a class that the network does not tell apart, and for an ε below 0.
template <class Network>
[[nodiscard]] robustness_report robustness(Network& network, tensor_of<Network> const& x,
                                           std::vector<std::int64_t> const& classes, std::span<double const> epsilons,
                                           attack_options const& o = {}) {
  detail::require_inputs(x, o);
  robustness_report report{.samples = classes.size()};
  auto const agreeing = [&](auto const& input) { return count_right(network.predict(input, {norm_mode::eval}).output, classes); };
  report.agreeing = agreeing(x);
  for (auto const epsilon : epsilons) {
    if (!(epsilon >= 0) || !std::isfinite(epsilon))
      fail_request("a distance of ", epsilon, " is none: pass numbers of 0 or more");
    robustness_row row{epsilon, agreeing(fast_gradient_sign(network, x, classes, epsilon, o)),
                       agreeing(projected_gradient(network, x, classes, epsilon, o)), std::nullopt};
    try {
      if (report.not_certified.empty()) row.certified = detail::count_certified(network, x, classes, epsilon, o);
    } catch (error const& reason) {
      report.not_certified = reason.what();
    }
    report.rows.push_back(row);
  }
  return report;
}

/// The sum of the counts of two batches at the same distances. Where one batch has no bounds their sum has none.
[[nodiscard]] inline robustness_report operator+(robustness_report x, robustness_report const& y) {
  if (x.rows.empty()) return y;
  x.samples += y.samples;
  x.agreeing += y.agreeing;
  for (std::size_t i = 0; i < x.rows.size(); ++i) {
    x.rows[i].fgsm += y.rows[i].fgsm;
    x.rows[i].pgd += y.rows[i].pgd;
    auto& certified = x.rows[i].certified;
    auto const& more = y.rows[i].certified;
    certified = certified && more ? std::optional(*certified + *more) : std::nullopt;
  }
  if (x.not_certified.empty()) x.not_certified = y.not_certified;
  return x;
}

}  // namespace lnpt
