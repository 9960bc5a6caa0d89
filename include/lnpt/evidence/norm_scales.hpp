#pragma once
/// Scales of batch norm, by the filters that they scale.
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/evidence/channel_values.hpp>
#include <lnpt/evidence/evidence.hpp>

namespace lnpt {

/// |γ| of the batch norm behind a filter, shared out among the filter's weights; weights without one are not reached. Of the model alone.
///
/// Models with `scales_behind()`, or `scales_behind(shape of a sample)`, which gives by parameter the place of the scales behind a
/// weight, know it: `network` and `torch_model` do. Of others it is the norm with one scale per filter that comes after the weight in the
/// model's order, before the next weight; where there are two that order says nothing, and the model is refused.
struct norm_scales {
  static constexpr evidence_needs needs{};

  template <prunable Model>
  [[nodiscard]] static gradients<tensor_of<Model>> of_model(Model& model, evidence_request const& request) {
    auto const scales_behind = scales_of(model, request.input);
    auto const parameters = model.parameters();
    gradients<tensor_of<Model>> found(parameters.size());
    auto any = false;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!scales_behind[i] || !fits(parameters[i], parameters[*scales_behind[i]])) continue;
      std::vector<double> scales;
      for (auto const scale : values_of(*parameters[*scales_behind[i]].value)) scales.push_back(std::abs(double{scale}));
      found[i] = detail::shared_out(parameters[i], scales);
      any = true;
    }
    if (!any)
      fail(
          "no batch norm with scales is the only one to read what a layer gives: choose a criterion that reads weights, such "
          "as filter_norm");
    return found;
  }

 private:
  template <class Model>
  [[nodiscard]] static std::vector<std::optional<std::size_t>> scales_of(Model& model, shape const& sample) {
    if constexpr (requires { model.scales_behind(); })
      return model.scales_behind();
    else if constexpr (requires { model.scales_behind(sample); })
      return model.scales_behind(sample);
    else
      return scales_in_order(model.parameters());
  }

  template <class T>
  [[nodiscard]] static bool fits(parameter<T> const& weight, parameter<T> const& scale) {
    return detail::layout_of(weight).channels == size_of(*scale.value);
  }

  template <class Parameters>
  [[nodiscard]] static std::vector<std::optional<std::size_t>> scales_in_order(Parameters const& parameters) {
    std::vector<std::optional<std::size_t>> found(parameters.size());
    auto weight = parameters.size();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto const& p = parameters[i];
      if (is_prunable(p.role)) weight = i;
      if (p.role != role::norm_scale || weight == parameters.size() || !fits(parameters[weight], p)) continue;
      if (found[weight])
        fail(
            "the batch norms ", parameters[*found[weight]].name, " and ", p.name, " both come after ", parameters[weight].name,
            " in the model's order, which does not say whose scales are behind it: register every norm after the layer it reads");
      found[weight] = i;
    }
    return found;
  }
};

}  // namespace lnpt
