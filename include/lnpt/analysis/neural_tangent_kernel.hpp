#pragma once
/// The neural tangent kernel of a network, and how it drifts while the network trains.
#include <Eigen/Core>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/analysis/linear_gap.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/normalization.hpp>

namespace lnpt {

/// Samples times classes that a kernel may have rows: it is dense, and takes two passes a row.
inline constexpr std::size_t largest_kernel = 512;

/// A kernel over the logits of a few samples, with the classifier it was taken at.
struct tangent_kernel {
  Eigen::MatrixXd theta;       ///< [n·K, n·K], samples outermost
  Eigen::MatrixXd classifier;  ///< W, [K, M]: logits f = W m
};

namespace detail {

/// The classifier's weight: the last prunable parameter that maps features of this width to logits of this width.
template <class Model>
[[nodiscard]] Eigen::MatrixXd classifier_of(Model& model, std::size_t classes, std::size_t features) {
  Eigen::MatrixXd weight;
  for (auto const& p : model.parameters()) {
    auto const extents = shape_of(*p.value);
    if (!is_prunable(p.role) || extents.size() < 2 || extents[0] != classes || element_count(extents) != classes * features)
      continue;
    auto const values = values_of(*p.value);
    weight.resize(static_cast<Eigen::Index>(classes), static_cast<Eigen::Index>(features));
    for (std::size_t k = 0; k < classes; ++k)
      for (std::size_t m = 0; m < features; ++m)
        weight(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(m)) = static_cast<double>(values[k * features + m]);
  }
  if (weight.size() == 0)
    fail("no weight maps ", features, " features to ", classes,
         " logits: the kernel needs a network that ends in a linear layer");
  return weight;
}

[[nodiscard]] inline Eigen::MatrixXd pseudo_inverse(Eigen::MatrixXd const& w) {
  return w.completeOrthogonalDecomposition().pseudoInverse();
}

/// (I ⊗ A) Θ (I ⊗ B), block by block.
[[nodiscard]] inline Eigen::MatrixXd per_sample(Eigen::MatrixXd const& a, Eigen::MatrixXd const& theta,
                                                Eigen::MatrixXd const& b) {
  auto const samples = theta.rows() / a.cols();
  Eigen::MatrixXd result(samples * a.rows(), samples * b.cols());
  for (Eigen::Index i = 0; i < samples; ++i)
    for (Eigen::Index j = 0; j < samples; ++j)
      result.block(i * a.rows(), j * b.cols(), a.rows(), b.cols()) =
          a * theta.block(i * a.cols(), j * b.rows(), a.cols(), b.rows()) * b;
  return result;
}

}  // namespace detail

/// The neural tangent kernel of the logits over prunable weights.
///
///     Θ = J Jᵀ,   J = ∂f/∂θ, [n·K, P]                        Jacot et al. 2018; Xiao et al. 2024, arXiv:2403.12690, eq. (13)
///
/// `input`: n samples [n, …]. Takes one backward and one tangent pass for each of the n·K rows and the memory of one gradient: row by
/// row Θ e = J (Jᵀ e), and J is never formed. Throws where n·K is over `largest_kernel`.
template <jacobian_products Model>
[[nodiscard]] tangent_kernel tangent_kernel_of(Model& model, tensor_of<Model> const& input, normalization const& norm = {}) {
  using T = tensor_of<Model>;
  auto trace = model.forward(input, norm);
  auto const predicted = prediction_of(model, trace);
  auto const extents = shape_of(predicted.output);
  auto const rows = element_count(extents);
  if (rows == 0 || rows > largest_kernel)
    fail("a kernel over ", extents.at(0), " samples of ", extents.at(1), " classes has ", rows, " rows: pass a batch with 1 to ",
         largest_kernel);
  auto const n = static_cast<Eigen::Index>(rows);
  tangent_kernel kernel{Eigen::MatrixXd(n, n), detail::classifier_of(model, extents[1], shape_of(*predicted.features).at(1))};
  for (std::size_t r = 0; r < rows; ++r) {
    std::vector<value_type<T>> unit(rows);
    unit[r] = 1;
    auto const back = model.backward(
        trace, cotangents<T>{make_tensor<T>(extents, std::span<value_type<T> const>(unit), predicted.output), std::nullopt},
        which_gradients::prunable);
    prediction<T> const moved = model.jacobian_vector_product(trace, back);
    auto const values = values_of(moved.output);
    for (std::size_t c = 0; c < rows; ++c)
      kernel.theta(static_cast<Eigen::Index>(c), static_cast<Eigen::Index>(r)) = static_cast<double>(values[c]);
  }
  return kernel;
}

/// The kernel as the features see it.
///
///     s = (I ⊗ W⁺) Θ (I ⊗ W⁺)ᵀ, [n·M, n·M]                             Xiao et al. 2024, arXiv:2403.12690, eq. (14)
[[nodiscard]] inline Eigen::MatrixXd feature_kernel(tangent_kernel const& kernel) {
  auto const inverse = detail::pseudo_inverse(kernel.classifier);
  return detail::per_sample(inverse, kernel.theta, inverse.transpose());
}

/// How far the features' kernel has drifted.
///
///     ‖s_t − s_0‖_F / ‖s_0‖_F                                           Xiao et al. 2024, arXiv:2403.12690, eq. (15)
///
/// Computed among the n·K logits, without forming s: ⟨s_a, s_b⟩ = tr(Θ_aᵀ (I ⊗ G) Θ_b (I ⊗ G)ᵀ) with G = W_a⁺ᵀ W_b⁺. As a difference of
/// such products it is exact to about 10⁻⁸. Throws where the kernels are of different size, or the first is 0.
[[nodiscard]] inline double kernel_drift(tangent_kernel const& first, tangent_kernel const& now) {
  if (first.theta.rows() != now.theta.rows() || first.classifier.rows() != now.classifier.rows() ||
      first.classifier.cols() != now.classifier.cols())
    fail("kernels of ", first.theta.rows(), " and ", now.theta.rows(),
         " rows do not compare: take both of one network on one batch");
  auto const inner = [](tangent_kernel const& a, tangent_kernel const& b) {
    Eigen::MatrixXd const g = detail::pseudo_inverse(a.classifier).transpose() * detail::pseudo_inverse(b.classifier);
    return a.theta.cwiseProduct(detail::per_sample(g, b.theta, g.transpose())).sum();
  };
  auto const start = inner(first, first);
  if (!(start > 0)) fail("the first kernel is 0, so that there is nothing to drift from: take one of a network that learns");
  return std::sqrt(std::max(0.0, start + inner(now, now) - 2 * inner(first, now)) / start);
}

}  // namespace lnpt
