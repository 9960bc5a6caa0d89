#pragma once
/// Which units resemble one another.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <tuple>
#include <variant>
#include <vector>

#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/merge/hidden_layers.hpp>

namespace lnpt {

/// The units of a hidden layer as merging compares them, in double on the host: incoming weights and bias, after the batch norm that
/// follows with its running statistics, and the norms of outgoing weights.
class unit_weights {
 public:
  template <class Network>
  unit_weights(Network& network, hidden_layer const& layer) : units_(layer.units) {
    auto const parameters = network.parameters();
    auto const doubles = [](auto const& tensor) {
      auto const values = values_of(tensor);
      return std::vector<double>(values.begin(), values.end());
    };
    rows_ = doubles(*parameters[layer.weight].value);
    biases_.assign(units_, 0);
    if (layer.bias) biases_ = doubles(*parameters[*layer.bias].value);
    if (layer.norm) {
      auto const& norm = std::get<nn::batch_norm>(network.nodes()[*layer.norm].rules);
      auto const buffers = network.buffers();
      auto const affine = [&](std::optional<std::size_t> held, double otherwise) {
        return held ? doubles(*parameters[*held].value) : std::vector<double>(units_, otherwise);
      };
      normalise(affine(norm.scale, 1), affine(norm.shift, 0), doubles(*buffers[norm.mean].value),
                doubles(*buffers[norm.variance].value), norm.epsilon);
    }
    auto const outgoing = doubles(*parameters[layer.next_weight].value);
    auto const outputs = shape_of(*parameters[layer.next_weight].value).at(0);
    auto const block = outgoing.size() / outputs / units_;
    norms_.assign(units_, 0);
    for (std::size_t i = 0; i < outgoing.size(); ++i) norms_[i / block % units_] += outgoing[i] * outgoing[i];
    for (auto& each : norms_) each = std::sqrt(each);
  }

  /// The saliency of removing p where q takes up its outgoing weights a_p (rows x, biases b):
  ///
  ///     s(p → q) = (‖x_p − x_q‖ + |b_p − b_q| / |b_p + b_q|) · ‖a_p‖
  ///
  /// Meng, Bai, Teo, Lin, TASE 2022, arXiv:2204.00783. Where b_p + b_q = 0 the biases do not count.
  [[nodiscard]] double saliency(std::size_t p, std::size_t q) const { return difference(p, q) * norms_[p]; }

  /// All pairs of units that have `free[u]`, in the order of their saliency and each unit in the first pair alone. Costs the square of
  /// the units times the weights of one, in parallel.
  [[nodiscard]] std::vector<unit_pair> disjoint_pairs(std::vector<char> const& free) const {
    std::vector<std::vector<unit_pair>> found(units_);
    cpu::for_each_task(units_, [&](std::size_t p) {
      for (std::size_t q = p + 1; free[p] && q < units_; ++q) {
        if (!free[q]) continue;
        auto const apart = difference(p, q);
        found[p].push_back({p, q, apart * norms_[p]});
        found[p].push_back({q, p, apart * norms_[q]});
      }
    });
    std::vector<unit_pair> all;
    for (auto const& each : found) all.insert(all.end(), each.begin(), each.end());
    std::ranges::sort(all, {}, [](unit_pair const& pair) { return std::tuple(pair.saliency, pair.removed, pair.into); });
    auto still_free = free;
    std::erase_if(all, [&](unit_pair const& pair) {
      if (!still_free[pair.removed] || !still_free[pair.into]) return true;
      still_free[pair.removed] = still_free[pair.into] = 0;
      return false;
    });
    return all;
  }

 private:
  void normalise(std::vector<double> const& scale, std::vector<double> const& shift, std::vector<double> const& mean,
                 std::vector<double> const& variance, double epsilon) {
    auto const width = rows_.size() / units_;
    for (std::size_t u = 0; u < units_; ++u) {
      auto const slope = scale[u] / std::sqrt(variance[u] + epsilon);
      for (std::size_t k = 0; k < width; ++k) rows_[u * width + k] *= slope;
      biases_[u] = slope * (biases_[u] - mean[u]) + shift[u];
    }
  }
  [[nodiscard]] double difference(std::size_t p, std::size_t q) const {
    auto const width = rows_.size() / units_;
    double squares = 0;
    for (std::size_t k = 0; k < width; ++k) {
      auto const d = rows_[p * width + k] - rows_[q * width + k];
      squares += d * d;
    }
    auto const sum = std::abs(biases_[p] + biases_[q]);
    return std::sqrt(squares) + (sum > 0 ? std::abs(biases_[p] - biases_[q]) / sum : 0);
  }

  std::size_t units_;
  std::vector<double> rows_, biases_, norms_;
};

}  // namespace lnpt
