#pragma once
/// How well signals pass through a network: the singular values of its input–output Jacobian.
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/finite.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt {

/// The singular values σ of the Jacobians of all samples of a batch, pooled. Near 1 they keep the length of what passes: isometry.
struct trainability_report {
  std::size_t samples = 0;
  double mean = 0, deviation = 0;
  double least = 0, greatest = 0;
  double from_isometry = 0;  ///< the mean of (σ − 1)²
  double condition = 0;      ///< the mean over samples of σ_max / σ_min; infinite where a Jacobian has no full rank
};

namespace detail {

[[nodiscard]] inline trainability_report summary_of(std::vector<Eigen::VectorXd> const& values) {
  trainability_report report{.samples = values.size(), .least = std::numeric_limits<double>::infinity()};
  double count = 0;
  double squares = 0;
  for (auto const& each : values) {
    for (auto const sigma : each) {
      report.mean += sigma;
      squares += sigma * sigma;
      report.from_isometry += (sigma - 1) * (sigma - 1);
      ++count;
    }
    report.least = std::min(report.least, each.minCoeff());
    report.greatest = std::max(report.greatest, each.maxCoeff());
    report.condition += each.minCoeff() > 0 ? each.maxCoeff() / each.minCoeff() : std::numeric_limits<double>::infinity();
  }
  report.mean /= count;
  report.from_isometry /= count;
  report.condition /= static_cast<double>(values.size());
  report.deviation = std::sqrt(std::max(0.0, squares / count - report.mean * report.mean));
  return report;
}

}  // namespace detail

/// The trainability of a network on a batch: per sample the singular values of J = ∂logits/∂input [classes, inputs], in eval mode, by
/// Jacobi's method in double. Wang, Fu, ICLR 2023, arXiv:2207.12534. Reads no labels. Costs one forward pass, a backward pass per class and
/// a decomposition per sample, in parallel. Throws `lnpt::error` for an empty batch and
/// for outputs or slopes that are not finite.
template <class Network>
[[nodiscard]] trainability_report trainability(Network const& network, tensor_of<Network> const& x) {
  using T = tensor_of<Network>;
  auto const trace = network.forward(x, normalization{norm_mode::eval});
  detail::require_finite_values(values_of(trace.output()), "the network's outputs", "they have no Jacobian");
  auto const extents = shape_of(trace.output());
  auto const samples = extents.at(0);
  auto const classes = extents.at(1);
  if (samples == 0 || classes == 0) fail("there is no Jacobian of an empty batch: pass at least one sample");
  auto const inputs = size_of(x) / samples;
  auto const at = [](std::size_t i) { return static_cast<Eigen::Index>(i); };
  std::vector<Eigen::MatrixXd> jacobians(samples, Eigen::MatrixXd(at(inputs), at(classes)));
  for (std::size_t k = 0; k < classes; ++k) {
    std::vector<value_type<T>> one(samples * classes);
    for (std::size_t n = 0; n < samples; ++n) one[n * classes + k] = 1;
    auto const gradient = values_of(network.input_gradient(trace, {make_tensor<T>(extents, one, trace.output()), std::nullopt}));
    detail::require_finite_values(gradient, "the Jacobians of the logits", "they have no singular values");
    for (std::size_t n = 0; n < samples; ++n)
      for (std::size_t i = 0; i < inputs; ++i) jacobians[n](at(i), at(k)) = static_cast<double>(gradient[n * inputs + i]);
  }
  std::vector<Eigen::VectorXd> values(samples);
  cpu::for_each_task(samples,
                     [&](std::size_t n) { values[n] = Eigen::JacobiSVD<Eigen::MatrixXd>(jacobians[n]).singularValues(); });
  return detail::summary_of(values);
}

}  // namespace lnpt
