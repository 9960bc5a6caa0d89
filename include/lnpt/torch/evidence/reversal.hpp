#pragma once
/// The backward passes of convolution and batch norm, with derivatives of their own.
///
/// LibTorch differentiates these passes at several times their cost: the weight gradient of a convolution by correlating whole images
/// with each other, batch norm by some thirty sweeps over its activations. Both have a derivative that is made of the very passes they
/// consist of. So while a gradient is computed as a graph, this puts such a node in the place of LibTorch's behind each result.
#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <lnpt/torch/pass/tap.hpp>

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

/// One call of a backward pass as the dispatcher saw it: arguments gy, x, weight, … and the results that have a gradient.
struct reversal_call {
  std::vector<at::IValue> arguments;
  variable_list results;
  bool has_first = true;  ///< whether the first result is among them

  [[nodiscard]] at::Tensor argument(std::size_t i) const {
    auto const& value = arguments[i];
    return value.isTensor() && value.toTensor().defined() ? value.toTensor() : at::empty({0});
  }
};

/// The node that takes the place of LibTorch's.
template <class Reversal>
struct reversal_node : torch::autograd::Function<reversal_node<Reversal>> {
  static variable_list forward(torch::autograd::AutogradContext* context, at::Tensor const&, at::Tensor const&, at::Tensor const&,
                               reversal_call const& call) {
    context->set_materialize_grads(false);
    context->saved_data["arguments"] = c10::ivalue::Tuple::create(call.arguments);
    context->saved_data["has_first"] = call.has_first;
    variable_list same;
    for (auto const& result : call.results) same.push_back(result.variable_data());
    return same;
  }

  static variable_list backward(torch::autograd::AutogradContext* context, variable_list arrived) {
    if (!context->saved_data["has_first"].toBool()) arrived.insert(arrived.begin(), at::Tensor());
    arrived.resize(2);
    auto const arguments = context->saved_data["arguments"].toTuple()->elements().vec();
    variable_list slopes(4);  // one for each parameter of forward()
    if (arrived[0].defined() || arrived[1].defined()) {
      auto const found = Reversal::derivative(arguments, arrived[0], arrived[1]);
      std::copy(found.begin(), found.end(), slopes.begin());
    }
    return slopes;
  }
};

/// While it lives, convolutions and batch norms that a differentiable pass goes back through have the derivatives above.
class reversal_tap {
 public:
  reversal_tap()
      : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(&on_start, &on_end)
                                               .needsInputs(true)
                                               .needsOutputs(true)
                                               .scopes({at::RecordScope::FUNCTION}))) {}
  reversal_tap(reversal_tap const&) = delete;
  reversal_tap& operator=(reversal_tap const&) = delete;
  ~reversal_tap() { at::removeCallback(handle_); }

 private:
  struct pending : at::ObserverContext {
    explicit pending(c10::ArrayRef<at::IValue const> arguments) { call.arguments.assign(arguments.begin(), arguments.end()); }
    reversal_call call;
  };

  static std::unique_ptr<at::ObserverContext> on_start(at::RecordFunction const& call) {
    std::string_view const name = call.name();
    if (!at::GradMode::is_enabled() || (name != convolution_reversal::name && name != batch_norm_reversal::name)) return nullptr;
    return std::make_unique<pending>(arguments_of(call));
  }

  static void on_end(at::RecordFunction const& call, at::ObserverContext* context) {
    if (context == nullptr) return;
    at::RecordFunctionGuard const quiet(/*is_enabled=*/false);
    auto& seen = static_cast<pending*>(context)->call;
    if (convolution_reversal::name == call.name())
      replace_nodes<convolution_reversal>(seen, call.outputs());
    else
      replace_nodes<batch_norm_reversal>(seen, call.outputs());
  }

  template <class Reversal>
  static void replace_nodes(reversal_call& call, std::vector<at::IValue> const& outputs) {
    for (std::size_t i = 0; i < std::min(outputs.size(), Reversal::results); ++i) {
      auto const has_node = outputs[i].isTensor() && outputs[i].toTensor().defined() && outputs[i].toTensor().grad_fn();
      if (has_node) call.results.push_back(outputs[i].toTensor());
      if (i == 0) call.has_first = has_node;
    }
    if (call.results.empty()) return;
    auto const replaced = reversal_node<Reversal>::apply(call.argument(0), call.argument(1), call.argument(2), call);
    for (std::size_t i = 0; i < replaced.size(); ++i)
      torch::autograd::impl::set_gradient_edge(call.results[i], torch::autograd::impl::gradient_edge(replaced[i]));
  }

  at::CallbackHandle handle_;
};

}  // namespace lnpt::detail
