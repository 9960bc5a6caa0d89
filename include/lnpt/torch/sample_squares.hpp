#pragma once
/// Σ_b of squared per-sample weight gradients of one convolution or linear layer, from its input and the gradient of its output.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include <lnpt/torch/tap.hpp>

namespace lnpt::detail {

/// Values of per-sample weight gradients that are held at once: few enough for a cache, enough samples for all threads.
inline constexpr std::int64_t sample_gradient_budget = std::int64_t{1} << 22;

/// Σ_b (gy_b x_bᵀ)². Where x_b is one row this is one product of squares, (gy²)ᵀ(x²).
[[nodiscard]] inline at::Tensor linear_sample_squares(at::Tensor const& x, at::Tensor const& gy) {
  if (x.dim() == 2) return gy.square().t().mm(x.square());
  auto const samples = x.size(0);
  return gy.reshape({samples, -1, gy.size(-1)}).transpose(1, 2).bmm(x.reshape({samples, -1, x.size(-1)})).square_().sum(0);
}

/// One gradient for each of `count` samples from `first` on: to a convolution, samples are just groups.
[[nodiscard]] inline at::Tensor convolution_sample_gradients(weight_use const& use, at::Tensor const& gy, std::int64_t first,
                                                             std::int64_t count) {
  auto const& how = *use.convolution;
  auto const as_groups = [&](at::Tensor const& t) {
    auto sizes = t.sizes().vec();
    sizes[1] *= count;
    sizes[0] = 1;
    return t.narrow(0, first, count).reshape(sizes);
  };
  auto sizes = use.operand.sizes().vec();
  sizes[0] *= count;
  auto const weights = at::empty(sizes, use.operand.options().requires_grad(false));  // read for its shape only
  auto gradient = std::get<1>(at::convolution_backward(
      as_groups(gy), as_groups(use.input.detach()), weights, at::OptionalIntArrayRef{}, how.stride, how.padding, how.dilation,
      /*transposed=*/false, how.output_padding, how.groups * count, {false, true, false}));
  sizes[0] /= count;
  sizes.insert(sizes.begin(), count);
  return gradient.reshape(sizes);
}

[[nodiscard]] inline at::Tensor convolution_sample_squares(weight_use const& use, at::Tensor const& gy) {
  auto const samples = gy.size(0);
  auto const at_once =
      std::clamp<std::int64_t>(sample_gradient_budget / std::max<std::int64_t>(use.operand.numel(), 1), 1, samples);
  at::Tensor sum;
  for (std::int64_t first = 0; first < samples; first += at_once) {
    auto const squares = convolution_sample_gradients(use, gy, first, std::min(at_once, samples - first)).square_().sum(0);
    sum = sum.defined() ? sum.add_(squares) : squares;
  }
  return sum;
}

/// Whether `sample_squares` knows this layer, its samples counted by the first axis.
[[nodiscard]] inline bool has_sample_squares(weight_use const& use, std::int64_t samples) {
  if (!use.node || use.input.dim() < 2 || use.input.size(0) != samples) return false;
  return !use.convolution || !use.convolution->transposed;
}

/// Σ_b (∂⟨gy_b, y_b⟩/∂w)².
[[nodiscard]] inline at::Tensor sample_squares_of(weight_use const& use, at::Tensor const& gy) {
  at::NoGradGuard const plain;
  return use.convolution ? convolution_sample_squares(use, gy) : linear_sample_squares(use.input.detach(), gy);
}

}  // namespace lnpt::detail
