#pragma once
/// Squares per sample of a module's weights, held to one pass for each sample.
#include <functional>
#include <memory>

#include <lnpt/torch/model.hpp>

#include "assembled.hpp"
#include "doctest.hpp"
#include "support.hpp"

namespace torch_support {

/// `by_sample` does what the module does, for one sample at a time.
inline void check_squares(std::shared_ptr<assembled> const& module, at::Tensor const& x,
                          std::function<at::Tensor(at::Tensor const&)> const& by_sample) {
  lnpt::torch_model<double> model(module);
  auto const t = model.forward(x);
  auto const ones = at::ones_like(t.output().get());
  auto const squares = model.sample_squared_gradients(t, {lnpt::torch_tensor<double>(ones), std::nullopt});
  std::size_t i = 0;
  for (auto const& p : model.torch_parameters()) {
    CAPTURE(i);
    auto const& found = squares[i++];
    if (p.dim() < 2) continue;
    REQUIRE(found);
    CHECK(distance(found->get(), squares_one_by_one(by_sample, x, p)) < 1e-12);
  }
}
inline void check_squares(std::shared_ptr<assembled> const& module, at::Tensor const& x) {
  check_squares(module, x, module->run);
}

}  // namespace torch_support
