#pragma once
/// Puts lnpt's derivatives of backward passes into the graph of a gradient.
#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <lnpt/torch/evidence/reversal_rules.hpp>
#include <lnpt/torch/pass/operator_call.hpp>

namespace lnpt::detail {

/// One call of a backward pass as the dispatcher saw it: arguments gy, x, weight, … and the results that have a gradient.
struct reversal_call {
  std::vector<at::IValue> arguments;
  variable_list results;
  bool has_first = true;  ///< whether the first result is among them

  [[nodiscard]] at::Tensor argument(std::size_t i) const {
    auto const is_tensor = i < arguments.size() && arguments[i].isTensor() && arguments[i].toTensor().defined();
    return is_tensor ? arguments[i].toTensor() : at::empty({0});
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

/// While it lives, the backward passes that a differentiable pass goes through have the derivatives of reversal_rules.hpp: behind each
/// of their results stands a node of lnpt's in the place of LibTorch's.
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
    reversal_call call;
    void (*replace)(reversal_call&, c10::ArrayRef<at::IValue const>) = nullptr;
  };

  static std::unique_ptr<at::ObserverContext> on_start(at::RecordFunction const& call) {
    if (!at::GradMode::is_enabled()) return nullptr;
    return start<convolution_reversal, batch_norm_reversal, hardsigmoid_reversal>(call);
  }

  template <class... Reversals>
  static std::unique_ptr<pending> start(at::RecordFunction const& call) {
    auto context = std::make_unique<pending>();
    ((Reversals::name == call.name() ? void(context->replace = &replace_nodes<Reversals>) : void()), ...);
    if (!context->replace) return nullptr;
    auto const arguments = operator_call(call).arguments();
    context->call.arguments.assign(arguments.begin(), arguments.end());
    return context;
  }

  static void on_end(at::RecordFunction const& call, at::ObserverContext* context) {
    if (context == nullptr) return;
    at::RecordFunctionGuard const quiet(/*is_enabled=*/false);
    auto& seen = *static_cast<pending*>(context);
    seen.replace(seen.call, operator_call(call).results());
  }

  template <class Reversal>
  static void replace_nodes(reversal_call& call, c10::ArrayRef<at::IValue const> outputs) {
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
