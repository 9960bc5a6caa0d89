#pragma once
/// How much a filter's feature maps are like those of another.
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/evidence/evidence.hpp>
#include <lnpt/filters/feature_maps.hpp>

namespace lnpt {

/// What two maps are compared by: the structural similarity index, or the peak signal-to-noise ratio.
enum class map_similarity { ssim, psnr };

/// How unlike the feature maps of one convolution are, pair by pair; x and y two maps, L the range of all of them:
///
///     ssim    1 − mean over samples of (2 μ_x μ_y + c₁)(2 σ_xy + c₂) / ((μ_x² + μ_y² + c₁)(σ_x² + σ_y² + c₂)),  c = (0.01 L)², (0.03 L)²
///     psnr    MSE / L² = 10^(−PSNR / 10) over all samples, which orders pairs as PSNR does
///
/// Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004, over one window that is the whole map. `maps` are the values of [C, N, H, W].
template <class T>
[[nodiscard]] Eigen::MatrixXd map_differences(std::vector<T> const& maps, shape const& extents, map_similarity measure) {
  using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  auto const at = [](std::size_t i) { return static_cast<Eigen::Index>(i); };
  auto const channels = extents[0];
  auto const samples = extents[1];
  auto const area = extents[2] * extents[3];
  auto const [low, high] = std::ranges::minmax(maps);
  auto const range = high > low ? static_cast<double>(high) - static_cast<double>(low) : 1.0;
  std::vector<Eigen::MatrixXd> parts(samples);
  cpu::for_each_task(samples, [&](std::size_t n) {
    Eigen::Map<matrix const, 0, Eigen::OuterStride<>> const rows(maps.data() + n * area, at(channels), at(area),
                                                                 Eigen::OuterStride<>(at(samples * area)));
    Eigen::MatrixXd const x = rows.template cast<double>();
    Eigen::VectorXd const mean = x.rowwise().mean();
    auto const size = static_cast<double>(area);
    if (measure == map_similarity::psnr) {
      Eigen::MatrixXd const products = x * x.transpose() / (size * range * range);
      Eigen::VectorXd const squares = products.diagonal();
      parts[n] =
          (squares.replicate(1, at(channels)) + squares.transpose().replicate(at(channels), 1) - 2 * products).cwiseMax(0.0);
      return;
    }
    Eigen::MatrixXd const centred = x.colwise() - mean;
    Eigen::ArrayXXd const covariance = (centred * centred.transpose() / size).array();
    Eigen::ArrayXd const variance = covariance.matrix().diagonal().array();
    Eigen::ArrayXXd const means = (mean * mean.transpose()).array();
    Eigen::ArrayXd const squares = mean.array().square();
    auto const pairs = [&](Eigen::ArrayXd const& v) -> Eigen::ArrayXXd {
      return v.replicate(1, at(channels)) + v.transpose().replicate(at(channels), 1);
    };
    auto const c1 = 1e-4 * range * range;
    auto const c2 = 9e-4 * range * range;
    parts[n] = (1 - (2 * means + c1) * (2 * covariance + c2) / ((pairs(squares) + c1) * (pairs(variance) + c2))).matrix();
  });
  Eigen::MatrixXd total = Eigen::MatrixXd::Zero(at(channels), at(channels));
  for (auto const& part : parts) total += part;
  return total / static_cast<double>(samples);
}

/// What each filter is worth where the two most alike lose one, again and again: the difference of the pair that it was dropped from, and
/// for the last one the largest of all. Of a pair goes the one that is less unlike all others that are left; of equals the later.
[[nodiscard]] inline std::vector<double> worth_by_differences(Eigen::MatrixXd const& differences) {
  auto const count = differences.rows();
  std::vector<double> worth(static_cast<std::size_t>(count), differences.size() == 0 ? 0 : differences.maxCoeff());
  std::vector<char> left(worth.size(), 1);
  auto const is_left = [&](Eigen::Index i) { return left[static_cast<std::size_t>(i)] != 0; };
  auto const unlike_others = [&](Eigen::Index i) {
    double sum = 0;
    for (Eigen::Index k = 0; k < count; ++k) sum += is_left(k) ? differences(i, k) : 0;
    return sum;
  };
  for (Eigen::Index dropped = 0; dropped + 1 < count; ++dropped) {
    auto least = std::numeric_limits<double>::infinity();
    std::pair<Eigen::Index, Eigen::Index> pair{-1, -1};
    for (Eigen::Index i = 0; i < count; ++i)
      for (Eigen::Index k = i + 1; is_left(i) && k < count; ++k)
        if (is_left(k) && differences(i, k) < least) {
          least = differences(i, k);
          pair = {i, k};
        }
    if (pair.first < 0) break;  // no difference is a number
    auto const goes = static_cast<std::size_t>(unlike_others(pair.first) < unlike_others(pair.second) ? pair.first : pair.second);
    worth[goes] = least;
    left[goes] = 0;
  }
  return worth;
}

/// The worth of every filter by the differences of its feature maps, shared out among its weights; where scoring batches come in parts,
/// the mean over the parts. Of convolutions. Costs for each one C² products of maps, and C³ comparisons.
template <map_similarity Measure>
struct map_similarities {
  static constexpr evidence_needs needs{.data = true, .gradients = true};

  template <class Problem>
    requires shows_maps<std::remove_cvref_t<decltype(std::declval<Problem const&>().model())>>
  [[nodiscard]] static gradients<typename Problem::tensor_type> of_part(Problem const& problem,
                                                                        typename Problem::part const& part,
                                                                        typename Problem::trace_type& trace) {
    auto const share = static_cast<double>(part.samples) / static_cast<double>(problem.samples());
    return detail::worth_by_maps(problem.model(), trace, [&](auto const& maps, shape const& extents) {
      auto worth = worth_by_differences(map_differences(maps, extents, Measure));
      for (auto& each : worth) each *= share;
      return worth;
    });
  }
};

}  // namespace lnpt
