#pragma once
/// Watches the norm layers of a forward pass: whether they do as they were told, and which moments they are given.
#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/normalization.hpp>
#include <lnpt/torch/module/layout.hpp>
#include <lnpt/torch/pass/operator_call.hpp>

namespace lnpt::detail {

/// Whether an operator is batch norm: what layers call, or one of those that it is made of, called by a module itself.
[[nodiscard]] constexpr bool is_batch_norm(std::string_view name) {
  constexpr std::array names{"aten::batch_norm",
                             "aten::_batch_norm_impl_index",
                             "aten::native_batch_norm",
                             "aten::_native_batch_norm_legit",
                             "aten::_native_batch_norm_legit_functional",
                             "aten::_native_batch_norm_legit_no_training",
                             "aten::_batch_norm_with_update",
                             "aten::_batch_norm_no_update",
                             "aten::cudnn_batch_norm",
                             "aten::miopen_batch_norm"};
  return std::ranges::find(names, name) != names.end();
}

/// Whether a call of batch norm normalises by the statistics of the batch.
[[nodiscard]] inline bool trains(operator_call const& call) {
  return call.flag("training") || call.name() == "aten::_batch_norm_with_update";
}

/// Makes numbers their sums over the processes that share a batch; empty where one process has all of it.
using moment_sum = std::function<void(std::span<double>)>;

/// Sees each call of batch norm and instance norm before it runs. `mode`: what the module was told; empty: nothing is checked.
/// `own_moments`: the running statistics of each batch norm become the moments of the batch it is about to normalise, of which `sum`
/// adds what other processes have.
class norm_watch {
 public:
  norm_watch(std::vector<norm_layer> const& norms, std::optional<norm_mode> mode, bool own_moments, moment_sum sum)
      : norms_(norms), calls_(norms.size()), mode_(mode), own_moments_(own_moments), sum_(std::move(sum)) {}

  /// The sentence that refuses this call; empty where all is well.
  [[nodiscard]] std::string see_batch_norm(operator_call const& call) {
    auto const mean = call.tensor("running_mean"), x = call.tensor("input");
    auto const of_batch = trains(call);
    for (std::size_t i = 0; i < norms_.size(); ++i)
      if (mean.defined() && mean.is_same(norms_[i].mean)) return see(i, x, of_batch);
    auto const unregistered = "a batch norm whose statistics are not registered as running_mean and running_var ";
    // Batch norm is also used to standardise weights, or rows laid out as channels, of one sample: there it couples nothing.
    if (mode_ && mode_ != norm_mode::train && of_batch && x.size(0) > 1)
      return unregistered +
             std::string(
                 "trains although the module was told to evaluate: register them, or score with batch norm in train mode");
    if (mode_ && mode_ != norm_mode::eval && !of_batch)
      return unregistered +
             std::string("evaluates where those of the batch are wanted: register them, or score with batch norm in eval mode");
    return {};
  }

  /// The norm layers that no operator of batch norm was called for.
  [[nodiscard]] std::vector<std::size_t> unseen() const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < calls_.size(); ++i)
      if (calls_[i] == 0) found.push_back(i);
    return found;
  }

  /// Instance norm couples no samples. So wherever statistics of the batch are wanted, each instance is normalised by its own.
  [[nodiscard]] std::string see_instance_norm(operator_call const& call) const {
    if (!mode_ || !call.tensor("running_mean").defined()) return {};
    return call.flag("use_input_stats") == (mode_ != norm_mode::eval) ? ""
                                                                      : disobeys("an instance norm", mode_ == norm_mode::eval);
  }

 private:
  [[nodiscard]] static std::string disobeys(std::string const& layer, bool trains) {
    return layer + (trains ? " trains although it was told to evaluate" : " evaluates although it was told to train") +
           ": script the module rather than trace it";
  }

  [[nodiscard]] std::string see(std::size_t i, at::Tensor const& x, bool trains) {
    auto const layer = "batch norm " + norms_[i].path;
    ++calls_[i];
    if (mode_ && trains != (mode_ == norm_mode::train)) return disobeys(layer, trains);
    auto const channels = x.dim() > 1 ? x.size(1) : x.numel();
    auto const needs_deviation = own_moments_ ? !sum_ : mode_ && trains;  // what processes share they judge together
    if (needs_deviation && x.numel() <= channels) return has_no_deviation(layer);
    if (!own_moments_) return {};
    if (calls_[i] > 1)
      return layer + " runs twice in one forward pass, so its statistics cannot be frozen: score with batch norm in eval mode";
    at::NoGradGuard const plain;
    auto const [m, v] = at::batch_norm_update_stats(x.detach(), {}, {}, 0.0);
    auto const [mean, variance] = sum_ ? of_all(m, v, x.numel() / channels) : std::pair(m, v);
    if (!mean.defined()) return has_no_deviation(layer);
    norms_[i].mean.set_data(mean);
    norms_[i].variance.set_data(variance);
    return {};
  }

  [[nodiscard]] static std::string has_no_deviation(std::string const& layer) {
    return layer +
           " sees one value per channel, whose deviation is 0: score more samples at once, or with batch norm in eval mode";
  }

  /// The mean and variance of all processes' values from those of this one's `count` values per channel, by one exchange:
  ///
  ///     n = Σ_r n_r,   μ = Σ_r n_r μ_r / n,   σ² = Σ_r n_r (σ_r² + μ_r²) / n − μ²
  ///
  /// Undefined where they are one value.
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> of_all(at::Tensor const& own_mean, at::Tensor const& own_variance,
                                                         std::int64_t count) const {
    auto const m = own_mean.to(at::kCPU, at::kDouble), v = own_variance.to(at::kCPU, at::kDouble);
    auto const weight = at::full({1}, static_cast<double>(count), m.options());
    auto const sums = at::cat({weight * m, weight * (v + m * m), weight}).contiguous();
    sum_({sums.data_ptr<double>(), static_cast<std::size_t>(sums.numel())});
    auto const channels = m.numel();
    auto const values = sums.narrow(0, 2 * channels, 1);
    if (values.item<double>() <= 1) return {};
    auto const mean = sums.narrow(0, 0, channels) / values;
    auto const variance = (sums.narrow(0, channels, channels) / values - mean * mean).clamp_min(0);
    return {mean.to(own_mean.options()), variance.to(own_variance.options())};
  }

  std::vector<norm_layer> const& norms_;
  std::vector<int> calls_;
  std::optional<norm_mode> mode_;
  bool own_moments_;
  moment_sum sum_;
};

}  // namespace lnpt::detail
