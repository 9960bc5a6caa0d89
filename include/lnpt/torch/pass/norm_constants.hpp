#pragma once
/// The constants that norm layers normalise by.
#include <cstddef>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/normalization.hpp>
#include <lnpt/torch/module/layout.hpp>
#include <lnpt/torch/tensor.hpp>

namespace lnpt::detail {

/// The mean and variance that each norm layer used; empty where they are the layers' own.
using norm_constants = std::vector<std::pair<at::Tensor, at::Tensor>>;

/// The constants that `freeze` of a module with these layers put into `norm`; none where it put none.
[[nodiscard]] inline norm_constants constants_in(normalization const& norm, std::vector<norm_layer> const& norms) {
  if (!norm.constants) return {};
  auto const& frozen = constants_of<norm_constants>(norm);
  if (frozen.size() != norms.size())
    fail("there are constants for ", frozen.size(), " norm layers but the module has ", norms.size(),
         ": pass what freeze() of this model returned");
  norm_constants constants;
  for (std::size_t i = 0; i < frozen.size(); ++i) {
    auto const like = [&near = norms[i].mean](at::Tensor const& m) { return m.to(near.device(), near.scalar_type()); };
    constants.emplace_back(like(frozen[i].first), like(frozen[i].second));
  }
  return constants;
}

}  // namespace lnpt::detail
