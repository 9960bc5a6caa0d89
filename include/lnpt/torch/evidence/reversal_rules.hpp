#pragma once
/// Derivatives of the backward passes of convolution, batch norm and hardsigmoid.
///
/// LibTorch differentiates these passes at several times their cost: the weight gradient of a convolution by correlating whole images
/// with each other, batch norm by some thirty sweeps over its activations. Both have a derivative that is made of the very passes they
/// consist of. The backward pass of hardsigmoid has no derivative in LibTorch (1.13.1 to 2.15.0).
#include <ATen/ATen.h>
#include <torch/csrc/autograd/variable.h>

#include <string_view>
#include <tuple>
#include <vector>

namespace lnpt::detail {

using torch::autograd::variable_list;

/// The sum of two results of which nobody else holds the first. Each may be undefined, which stands for zero.
[[nodiscard]] inline at::Tensor sum_of(at::Tensor a, at::Tensor const& b) {
  if (!a.defined()) return b;
  if (!b.defined()) return a;
  return at::GradMode::is_enabled() ? a + b : a.add_(b);
}

/// gx = ∂⟨x ∗ w, gy⟩/∂x and gw = ∂⟨x ∗ w, gy⟩/∂w. With u arriving at gx and v at gw, ⟨u, gx⟩ + ⟨v, gw⟩ = ⟨u ∗ w + x ∗ v, gy⟩.
struct convolution_reversal {
  static constexpr std::string_view name = "aten::convolution_backward";
  static constexpr std::size_t results = 2;

  [[nodiscard]] static variable_list derivative(std::vector<at::IValue> const& call, at::Tensor const& u, at::Tensor const& v) {
    auto const gy = call[0].toTensor(), x = call[1].toTensor(), w = call[2].toTensor();
    auto const stride = call[4].toIntVector(), padding = call[5].toIntVector(), dilation = call[6].toIntVector(),
               output_padding = call[8].toIntVector();
    auto const transposed = call[7].toBool();
    auto const groups = call[9].toInt();
    auto const convolved = [&](at::Tensor const& input, at::Tensor const& weight) {
      return at::convolution(input, weight, {}, stride, padding, dilation, transposed, output_padding, groups);
    };
    auto const reversed = [&](at::Tensor const& input, at::Tensor const& weight, bool by_input) {
      return at::convolution_backward(gy, input, weight, at::OptionalIntArrayRef{}, stride, padding, dilation, transposed,
                                      output_padding, groups, {by_input, !by_input, false});
    };
    return {sum_of(u.defined() ? convolved(u, w) : u, v.defined() ? convolved(x, v) : v),
            v.defined() && x.requires_grad() ? std::get<0>(reversed(x, v, true)) : at::Tensor(),
            u.defined() ? std::get<1>(reversed(u, w, false)) : at::Tensor()};
  }
};

/// gx of batch norm y = γ x̂ + β, x̂ = (x − μ)/σ. With means ⟨·⟩ over a channel,
///
///     gx = γ/σ (gy − ⟨gy⟩ − x̂ ⟨gy x̂⟩)                     under batch statistics;      γ/σ gy under constants
///
/// which is linear in gy, and symmetric: what arrives at gy is the same of u. Under batch statistics, with a = ⟨u gy⟩ − ⟨u⟩⟨gy⟩ − p q,
/// p = ⟨u x̂⟩ and q = ⟨gy x̂⟩, there arrives
///
///     at x:  −γ/σ² (q (u − ⟨u⟩) + p (gy − ⟨gy⟩) + (a − 2 p q) x̂),           at γ:  a/σ, summed over the channel
struct batch_norm_reversal {
  static constexpr std::string_view name = "aten::native_batch_norm_backward";
  static constexpr std::size_t results = 1;

  [[nodiscard]] static variable_list derivative(std::vector<at::IValue> const& call, at::Tensor const& u, at::Tensor const&) {
    auto const tensor = [&](std::size_t i) { return call[i].isTensor() ? call[i].toTensor() : at::Tensor(); };
    auto const gy = tensor(0), x = tensor(1), scale = tensor(2);
    auto const from_batch = call[7].toBool();
    auto const epsilon = call[8].toDouble();
    // The pass that LibTorch has, which sums gradients of scale and shift as well.
    auto const reversed = [&](at::Tensor const& g, bool by_input) {
      return at::native_batch_norm_backward(g, x, scale, tensor(3), tensor(4), tensor(5), tensor(6), from_batch, epsilon,
                                            {by_input, true, true});
    };
    auto const products = channel_products(u, gy);
    auto const [at_gy, sum_ux, sum_u] = reversed(u, true);
    if (!from_batch) return {at_gy, {}, products * (tensor(4) + epsilon).rsqrt()};

    auto const count = static_cast<double>(x.numel() / x.size(1));
    auto const [none, sum_gx, sum_g] = reversed(gy, false);
    auto const p = sum_ux / count, q = sum_gx / count, mean_u = sum_u / count, mean_g = sum_g / count;
    auto const a = products / count - mean_u * mean_g - p * q;
    auto const& mean = tensor(5);
    auto const& by_deviation = tensor(6);
    auto const factor = (scale.defined() ? by_deviation * scale : by_deviation) * by_deviation.neg();
    auto const by_x = factor * by_deviation * (a - 2 * p * q);
    auto const constant = factor * (q * mean_u + p * mean_g) + by_x * mean;

    std::vector<std::int64_t> per_channel(static_cast<std::size_t>(x.dim()), 1);
    per_channel[1] = x.size(1);
    auto at_x = at::addcmul(constant.neg().view(per_channel), u, (factor * q).view(per_channel));
    at_x.addcmul_(gy, (factor * p).view(per_channel)).addcmul_(x, by_x.view(per_channel));
    return {at_gy, at_x, a * by_deviation * count};
  }

 private:
  /// Σ u ⊙ g per channel, in one sweep: the gradient of a scale where the mean is 0 and the deviation 1.
  [[nodiscard]] static at::Tensor channel_products(at::Tensor const& u, at::Tensor const& g) {
    auto const zeros = at::zeros({g.size(1)}, g.options().requires_grad(false));
    return std::get<1>(
        at::native_batch_norm_backward(u, g, {}, {}, {}, zeros, at::ones_like(zeros), /*train=*/true, 0.0, {false, true, false}));
  }
};

/// gx = h'(x) gy of y = min(max(x + 3, 0), 6)/6. As h' is constant but for two points, what arrives at gy is h'(x) u, and nothing at x.
struct hardsigmoid_reversal {
  static constexpr std::string_view name = "aten::hardsigmoid_backward";
  static constexpr std::size_t results = 1;

  [[nodiscard]] static variable_list derivative(std::vector<at::IValue> const& call, at::Tensor const& u, at::Tensor const&) {
    return {u.defined() ? at::hardsigmoid_backward(u, call[1].toTensor()) : u};
  }
};

}  // namespace lnpt::detail
