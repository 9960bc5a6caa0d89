#pragma once
/// Any optimizer of LibTorch under masks: pruned stays pruned.
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/optimizer.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <functional>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/mask/apply.hpp>
#include <lnpt/torch/model.hpp>

namespace lnpt {

namespace detail {

/// Calls `visit` for every tensor of an optimizer's state that has one value per weight.
template <class Visit>
void for_each_state_tensor(torch::optim::OptimizerParamState& state, Visit visit) {
  if (auto* const sgd = dynamic_cast<torch::optim::SGDParamState*>(&state)) {
    visit(sgd->momentum_buffer());
  } else if (auto* const adam = dynamic_cast<torch::optim::AdamParamState*>(&state)) {
    visit(adam->exp_avg()), visit(adam->exp_avg_sq()), visit(adam->max_exp_avg_sq());
  } else if (auto* const adamw = dynamic_cast<torch::optim::AdamWParamState*>(&state)) {
    visit(adamw->exp_avg()), visit(adamw->exp_avg_sq()), visit(adamw->max_exp_avg_sq());
  } else if (auto* const rmsprop = dynamic_cast<torch::optim::RMSpropParamState*>(&state)) {
    visit(rmsprop->square_avg()), visit(rmsprop->momentum_buffer()), visit(rmsprop->grad_avg());
  } else if (auto* const adagrad = dynamic_cast<torch::optim::AdagradParamState*>(&state)) {
    visit(adagrad->sum());
  }
}

/// What LibTorch's table of states is keyed by: the address of a parameter, as a pointer or in words, by version.
template <class Table>
[[nodiscard]] typename Table::key_type state_key(Table const&, at::Tensor const& parameter) {
  if constexpr (std::is_pointer_v<typename Table::key_type>) {
    return parameter.unsafeGetTensorImpl();
  } else {
    std::ostringstream address;
    address << parameter.unsafeGetTensorImpl();
    return address.str();
  }
}

/// The state of one parameter; null before its first step.
template <class Table>
[[nodiscard]] torch::optim::OptimizerParamState* state_of(Table& table, at::Tensor const& parameter) {
  auto const found = table.find(state_key(table, parameter));
  return found == table.end() ? nullptr : found->second.get();
}

}  // namespace detail

/// Keeps weight, gradient and optimizer state of every pruned weight at exactly +0 through the steps of an optimizer.
///
///     torch::optim::SGD sgd(model.torch_parameters(), options);
///     masked_optimizer optimizer(sgd, model, masks);
///     … loss.backward(); optimizer.step();
///
/// Wraps the optimizer, which must outlive it and keeps its own interface (learning rate, state). The masks are applied to the model
/// at once. They take one bit per weight in host memory and, where the weights are on a device, one byte there.
class masked_optimizer {
 public:
  template <std::floating_point Scalar>
  masked_optimizer(torch::optim::Optimizer& optimizer, torch_model<Scalar>& model, mask_set const& masks)
      : optimizer_(optimizer) {
    require_parameters_of(model);
    set_masks(model, masks);
  }

  /// Goes on under other masks, which are applied to the model and to the optimizer's state at once.
  template <std::floating_point Scalar>
  void set_masks(torch_model<Scalar>& model, mask_set const& masks) {
    apply(masks, model);
    masked_.clear();
    auto const tensors = model.torch_parameters();
    std::size_t i = 0;
    for (auto const& p : model.parameters()) {
      auto const& tensor = tensors[i++];
      if (auto const* const kept = masks.find(p.name)) masked_.push_back({tensor, detail::torch_mask(*kept)});
    }
    clear_state();
  }

  /// The optimizer's step, with the gradients masked before it and everything it wrote masked after it.
  at::Tensor step(std::function<at::Tensor()> closure = nullptr) {
    clear_gradients();
    auto const loss = closure ? optimizer_.get().step([&] {
      auto const value = closure();
      clear_gradients();
      return value;
    })
                              : optimizer_.get().step();
    clear_weights_and_state();
    return loss;
  }

  /// Drops the gradients, so that they take no memory in the forward pass; older versions of LibTorch would fill them with zeros.
  void zero_grad() {
    for (auto& group : optimizer_.get().param_groups())
      for (auto& parameter : group.params()) parameter.mutable_grad().reset();
  }

  /// The wrapped optimizer.
  [[nodiscard]] torch::optim::Optimizer& get() const { return optimizer_; }

 private:
  struct masked {
    at::Tensor tensor;
    detail::torch_mask kept;

    void clear(at::Tensor const& values) {
      if (values.defined() && values.sizes() == tensor.sizes()) kept.clear(values);
    }
  };

  /// An optimizer of something else would move nothing here.
  template <std::floating_point Scalar>
  void require_parameters_of(torch_model<Scalar> const& model) const {
    auto const own = model.torch_parameters();
    auto const moves = [&](at::Tensor const& moved) {
      return std::ranges::any_of(own, [&](auto const& p) { return p.is_same(moved); });
    };
    for (auto const& group : optimizer_.get().param_groups())
      if (std::ranges::any_of(group.params(), moves)) return;
    fail("the optimizer holds none of the model's parameters: make it of model.torch_parameters()");
  }

  void clear_gradients() {
    for (auto& each : masked_) each.clear(each.tensor.grad());
  }

  void clear_weights_and_state() {
    for (auto& each : masked_) each.clear(each.tensor);
    clear_state();
  }

  void clear_state() {
    for (auto& each : masked_) {
      if (auto* const state = detail::state_of(optimizer_.get().state(), each.tensor))
        detail::for_each_state_tensor(*state, [&](at::Tensor const& values) { each.clear(values); });
    }
  }

  std::reference_wrapper<torch::optim::Optimizer> optimizer_;
  std::vector<masked> masked_;
};

}  // namespace lnpt
