#pragma once
/// Scales of batch norm, by the filters that they scale.
#include <cmath>
#include <cstddef>
#include <vector>

#include <lnpt/evidence/channel_values.hpp>
#include <lnpt/evidence/evidence.hpp>

namespace lnpt {

/// |γ| of the batch norm behind a filter, shared out among the filter's weights. The norm behind a weight is the first after it in the
/// model's order, before the next weight, that has one scale per filter; weights without one are not reached. Of the model alone.
struct norm_scales {
  static constexpr evidence_needs needs{};

  template <prunable Model>
  [[nodiscard]] static gradients<tensor_of<Model>> of_model(Model& model, evidence_request const&) {
    auto const parameters = model.parameters();
    gradients<tensor_of<Model>> found(parameters.size());
    auto const none = parameters.size();
    auto weight = none;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto const& p = parameters[i];
      if (is_prunable(p.role)) weight = i;
      if (p.role != role::norm_scale || weight == none) continue;
      if (detail::layout_of(parameters[weight]).channels != size_of(*p.value)) continue;
      std::vector<double> scales;
      for (auto const scale : values_of(*p.value)) scales.push_back(std::abs(static_cast<double>(scale)));
      found[weight] = detail::shared_out(parameters[weight], scales);
      weight = none;
    }
    return found;
  }
};

}  // namespace lnpt
