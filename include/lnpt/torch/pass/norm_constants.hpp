#pragma once
/// The constants that norm layers normalise by, on their devices and on the host.
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/normalization.hpp>
#include <lnpt/torch/module/module_tree.hpp>
#include <lnpt/torch/tensor.hpp>

namespace lnpt::detail {

/// The mean and variance that each norm layer used; empty where they are the layers' own.
using norm_constants = std::vector<std::pair<at::Tensor, at::Tensor>>;

[[nodiscard]] inline norm_constants constants_from(std::vector<channel_moments> const& moments,
                                                   std::vector<norm_layer> const& norms) {
  if (moments.size() != norms.size())
    fail("there are constants for ", moments.size(), " norm layers but the module has ", norms.size(),
         ": pass what freeze() of this model returned");
  auto const like = [](std::vector<double> const& values, at::Tensor const& near) {
    return to_device(std::span(values), {static_cast<std::int64_t>(values.size())}, near).to(near.scalar_type());
  };
  norm_constants constants;
  for (std::size_t i = 0; i < moments.size(); ++i)
    constants.emplace_back(like(moments[i].mean, norms[i].mean), like(moments[i].variance, norms[i].variance));
  return constants;
}

[[nodiscard]] inline std::vector<channel_moments> moments_of(norm_constants const& constants) {
  auto const on_host = [](at::Tensor const& m) { return values_of(torch_tensor<double>(m.to(at::kDouble))); };
  std::vector<channel_moments> moments;
  for (auto const& [mean, variance] : constants) moments.push_back({on_host(mean), on_host(variance)});
  return moments;
}

}  // namespace lnpt::detail
