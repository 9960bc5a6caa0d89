#pragma once
/// Leaves a model as it was found, on every path.
#include <vector>

#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>

namespace lnpt {

/// Saves the values of all parameters and buffers and writes them back when it goes out of scope.
template <prunable Model>
class restoring_guard {
 public:
  using tensor_type = tensor_of<Model>;

  explicit restoring_guard(Model& model) {
    for (auto const& p : model.parameters()) keep(p);
    for (auto const& b : buffers_of(model)) keep(b);
  }
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

}  // namespace lnpt
