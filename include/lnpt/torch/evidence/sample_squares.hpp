#pragma once
/// Σ_b of squared per-sample weight gradients of one convolution or linear layer, from its input and the gradient of its output.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include <lnpt/backend/cpu/convolution/conv2d.hpp>
#include <lnpt/torch/pass/weight_use.hpp>

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

/// Whether the CPU engine's convolution is this one: images in host memory, the same stride and padding both ways.
[[nodiscard]] inline bool is_of_cpu_engine(weight_use const& use, at::Tensor const& gy) {
  auto const& how = *use.convolution;
  auto const type = gy.scalar_type();
  auto const all = [](std::vector<std::int64_t> const& values, std::int64_t value) {
    return std::all_of(values.begin(), values.end(), [&](auto v) { return v == value; });
  };
  return gy.device().is_cpu() && (type == at::kFloat || type == at::kDouble) && use.input.scalar_type() == type &&
         use.operand.dim() == 4 && !how.transposed && all(how.stride, how.stride.front()) &&
         all(how.padding, how.padding.front()) && all(how.dilation, 1);
}

/// By the CPU engine's kernel, which squares the gradients of single samples while they are in registers: 1.0 to 1.4 times the cost
/// of the gradient itself, where LibTorch would write every sample's to memory.
template <class T>
[[nodiscard]] at::Tensor convolution_sample_squares_on_cpu(weight_use const& use, at::Tensor const& gy) {
  auto const extents = [](at::Tensor const& t) { return shape(t.sizes().begin(), t.sizes().end()); };
  auto const as_tensor = [&](cpu::array<T>& values, at::Tensor const& like) {
    return at::from_blob(values.data(), like.sizes(), like.options().requires_grad(false));
  };
  auto const channel_major = [&](at::Tensor const& images) {
    auto const turned = images.detach().transpose(0, 1);
    auto values = cpu::uninitialized<T>(extents(turned));
    as_tensor(values, turned).copy_(turned);
    return values;
  };
  auto const& how = *use.convolution;
  auto const w = extents(use.operand);
  auto const unsigned_of = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  cpu::conv_geometry const geometry{.kernel = {w[2], w[3]},
                                    .stride = unsigned_of(how.stride.front()),
                                    .padding = unsigned_of(how.padding.front()),
                                    .groups = unsigned_of(how.groups)};
  cpu::array<T> sum;
  cpu::conv2d_weight_gradient_squares(channel_major(use.input), channel_major(gy), geometry, w, sum, false);
  return as_tensor(sum, use.operand).clone();
}

[[nodiscard]] inline at::Tensor convolution_sample_squares(weight_use const& use, at::Tensor const& gy) {
  if (is_of_cpu_engine(use, gy))
    return gy.scalar_type() == at::kFloat ? convolution_sample_squares_on_cpu<float>(use, gy)
                                          : convolution_sample_squares_on_cpu<double>(use, gy);
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

/// Whether the squares of this use are known from its input and the gradient of its output: where the operand is the whole parameter,
/// a kernel or a matrix, and one axis of the input counts samples, which is not the axis that is summed over.
[[nodiscard]] inline bool has_sample_squares(weight_use const& use, std::optional<std::int64_t> sample_axis) {
  if (!use.node || !sample_axis || use.form == weight_form::other) return false;
  if (use.form == weight_form::convolution) return !use.convolution->transposed && *sample_axis == 0 && use.is_whole();
  return use.operand.dim() == 2 && *sample_axis < use.input.dim() - 1 && (use.is_whole() || use.is_transposed());
}

/// Σ_b (∂⟨gy_b, y_b⟩/∂w)², in the parameter's own layout.
[[nodiscard]] inline at::Tensor sample_squares_of(weight_use const& use, at::Tensor const& gy, std::int64_t sample_axis) {
  at::NoGradGuard const plain;
  if (use.form == weight_form::convolution) return convolution_sample_squares(use, gy);
  auto const squares = linear_sample_squares(use.input.detach().movedim(sample_axis, 0), gy.movedim(sample_axis, 0));
  return use.output_axis() == 0 ? squares : squares.t();
}

}  // namespace lnpt::detail
