#pragma once
/// Soft masks of channels, learnt with the weights.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/regulariser/regulariser.hpp>
#include <lnpt/regulariser/structure_selection.hpp>

namespace lnpt {

/// Soft masks m on the channels of batch norm, learnt by FISTA: GAL without its adversary. Lin et al., CVPR 2019, arXiv:1903.09291.
///
///     y = m (γ x̂ + β);      min over θ and m ≥ 0 of L + λ Σ |m|
///     m ← max(0, S(u − lr ∂L/∂m, lr λ)),   u = m + (α − 1)/α' (m − m_before),   α' = (1 + √(1 + 4 α²))/2
///
/// Label-free where L is, such as feature_mse against a teacher. Masks begin at 1, so that the network begins as it is; FISTA begins
/// again with every epoch. The model's own γ and β hold m γ and m β, on any engine, so that a channel whose mask is 0 has both at
/// exactly 0. Lost with the adversary is what drives outputs to look like the teacher's beyond their distance. The published code adds
/// λ twice, as a gradient and as a threshold; here it counts once.
///
/// A training hook; it carries m, γ and β. Costs a copy of the scales and shifts to the host and back.
class soft_masks {
 public:
  explicit soft_masks(double lambda = 1e-4) : lambda_(lambda) {}

  template <class T>
  void require_use(std::vector<parameter<T>> const& parameters) const {
    detail::require_norm_scales(parameters, "soft masks act");
  }
  /// Turns the gradients of m γ and m β into those of m, γ and β, and shows the optimiser γ and β.
  template <class T>
  void before_step(training_step<T>& at) {
    for_each_norm(at, [&](std::size_t scale, std::size_t shift) {
      if (!at.gradients[scale] || !at.gradients[shift]) return;
      auto& each = norms_[at.parameters[scale].name];
      if (each.mask.empty()) {
        each.scale = detail::doubles_of(*at.parameters[scale].value);
        each.shift = detail::doubles_of(*at.parameters[shift].value);
        each.mask.assign(each.scale.size(), 1);
      }
      if (each.mask.size() != size_of(*at.parameters[scale].value) || each.shift.size() != each.mask.size())
        fail(at.parameters[scale].name, " has ", size_of(*at.parameters[scale].value), " channels, but there are ",
             each.mask.size(), " soft masks: go on with the network of the earlier run");
      if (at.step == 0) each.earlier = each.mask, each.inertia = 1;
      auto scale_slope = detail::doubles_of(*at.gradients[scale]);
      auto shift_slope = detail::doubles_of(*at.gradients[shift]);
      each.slope.resize(each.mask.size());
      for (std::size_t k = 0; k < each.mask.size(); ++k) {
        each.slope[k] = each.scale[k] * scale_slope[k] + each.shift[k] * shift_slope[k];
        scale_slope[k] *= each.mask[k], shift_slope[k] *= each.mask[k];
      }
      at.gradients[scale] = detail::like_numbers(*at.gradients[scale], scale_slope);
      at.gradients[shift] = detail::like_numbers(*at.gradients[shift], shift_slope);
      detail::assign_doubles(*at.parameters[scale].value, each.scale);
      detail::assign_doubles(*at.parameters[shift].value, each.shift);
    });
  }
  /// Moves the masks and puts them back on.
  template <class T>
  void after_step(training_step<T>& at) {
    for_each_norm(at, [&](std::size_t scale, std::size_t shift) {
      auto const found = norms_.find(at.parameters[scale].name);
      if (found == norms_.end()) return;
      auto& each = found->second;
      each.scale = detail::doubles_of(*at.parameters[scale].value);
      each.shift = detail::doubles_of(*at.parameters[shift].value);
      move(each, at.learning_rate, at.step == 0);
      detail::assign_doubles(*at.parameters[scale].value, masked(each.scale, each.mask));
      detail::assign_doubles(*at.parameters[shift].value, masked(each.shift, each.mask));
    });
  }

  /// The masks of a norm's channels, by the name of its scales; null before the first step.
  [[nodiscard]] std::vector<double> const* find(std::string const& scale) const {
    auto const found = norms_.find(scale);
    return found == norms_.end() ? nullptr : &found->second.mask;
  }
  /// How many masks are exactly 0.
  [[nodiscard]] std::size_t closed() const {
    std::size_t count = 0;
    for (auto const& [name, each] : norms_) count += static_cast<std::size_t>(std::ranges::count(each.mask, 0.0));
    return count;
  }

  void save(hook_state& state) const {
    for (auto const& [name, each] : norms_) {
      state["soft_masks.mask." + name] = each.mask;
      state["soft_masks.scale." + name] = each.scale;
      state["soft_masks.shift." + name] = each.shift;
    }
  }
  void restore(hook_state const& state) {
    for (auto const& [name, values] : detail::carried_under(state, "soft_masks.mask.")) norms_[name].mask = values;
    for (auto const& [name, values] : detail::carried_under(state, "soft_masks.scale.")) norms_[name].scale = values;
    for (auto const& [name, values] : detail::carried_under(state, "soft_masks.shift.")) norms_[name].shift = values;
  }

 private:
  struct norm {
    std::vector<double> mask, earlier, slope, scale, shift;
    double inertia = 1;
  };

  /// Calls f with the places of a scale and of the shift after it.
  template <class T, class F>
  static void for_each_norm(training_step<T> const& at, F f) {
    for (std::size_t i = 0; i + 1 < at.parameters.size(); ++i)
      if (at.parameters[i].role == role::norm_scale && at.parameters[i + 1].role == role::norm_shift) f(i, i + 1);
  }
  void move(norm& each, double rate, bool first) const {
    auto const grown = first ? 1.0 : (1 + std::sqrt(1 + 4 * each.inertia * each.inertia)) / 2;
    auto const carry = (each.inertia - 1) / grown;
    for (std::size_t k = 0; k < each.mask.size(); ++k) {
      auto const ahead = each.mask[k] + carry * (each.mask[k] - each.earlier[k]);
      each.earlier[k] = each.mask[k];
      each.mask[k] = std::max(0.0, detail::soft_threshold(ahead - rate * each.slope[k], rate * lambda_));
    }
    each.inertia = grown;
  }
  [[nodiscard]] static std::vector<double> masked(std::vector<double> values, std::vector<double> const& mask) {
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = mask[k] == 0 ? 0 : values[k] * mask[k];
    return values;
  }

  double lambda_;
  std::map<std::string, norm> norms_;
};

}  // namespace lnpt
