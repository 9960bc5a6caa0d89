#pragma once
/// Leaves a model as it was found, on every path.
#include <vector>

#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt {

/// Saves the values of all parameters and buffers, or of one parameter, and writes them back when it goes out of scope.
template <prunable Model>
class restoring_guard {
 public:
  using tensor_type = tensor_of<Model>;

  explicit restoring_guard(Model& model) {
    for (auto const& p : model.parameters()) keep(p);
    for (auto const& b : buffers_of(model)) keep(b);
  }
  explicit restoring_guard(parameter<tensor_type> const& only) { keep(only); }
  restoring_guard(restoring_guard const&) = delete;
  restoring_guard& operator=(restoring_guard const&) = delete;
  ~restoring_guard() {
    for (auto& [value, saved] : kept_) assign(*value, saved);
  }

 private:
  struct entry {
    tensor_type* value;
    tensor_type saved;
  };

  void keep(parameter<tensor_type> const& p) { kept_.push_back({p.value, deep_copy(*p.value)}); }

  std::vector<entry> kept_;
};

/// What a model predicts while one of its parameters is 0, which is then as it was.
template <differentiable M>
[[nodiscard]] prediction<tensor_of<M>> prediction_under_zeros(M& model, parameter<tensor_of<M>> const& p, tensor_of<M> const& x,
                                                              normalization const& norm) {
  restoring_guard<M> const guard(p);
  std::vector<value_type<tensor_of<M>>> const zeros(size_of(*p.value));
  assign(*p.value, make_tensor<tensor_of<M>>(shape_of(*p.value), zeros, *p.value));
  return prediction_without_trace(model, x, norm);
}

}  // namespace lnpt
