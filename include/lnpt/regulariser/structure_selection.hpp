#pragma once
/// Scaling factors that a proximal step sets to exactly zero.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <lnpt/regulariser/regulariser.hpp>

namespace lnpt {

namespace detail {

/// The proximal map of a |x|: x moved towards zero by a, and no further.
[[nodiscard]] inline double soft_threshold(double x, double a) { return sign(x) * std::max(0.0, std::abs(x) - a); }

}  // namespace detail

/// Sparse structure selection: a scaling factor on each structure, by accelerated proximal gradients. Huang, Wang, ECCV 2018,
/// arXiv:1707.01213, eq. (10) to (12), and its published optimiser, which keeps factors from falling below zero.
///
///     z = S(γ − lr g, lr λ),   v ← z − γ + μ v,   γ ← max(0, z + μ v),      S(x, a) = sign x max(0, |x| − a)
///
/// The structures are channels and their factors the scales γ of batch norm; a factor at zero stays there while its gradient is below λ.
/// A training hook, which takes the step of γ in the optimiser's place, without weight decay; it carries v. Costs a copy of the scales
/// to the host and back.
class structure_selection {
 public:
  explicit structure_selection(double lambda = 1e-4, double momentum = 0.9) : lambda_(lambda), momentum_(momentum) {}

  template <class T>
  void require_use(std::vector<parameter<T>> const& parameters) const {
    detail::require_norm_scales(parameters, "sparse structure selection acts");
  }
  /// Looks at scales and gradients before the optimiser does.
  template <class T>
  void before_step(training_step<T>& at) {
    for (std::size_t i = 0; i < at.parameters.size(); ++i) {
      if (at.parameters[i].role != role::norm_scale || !at.gradients[i]) continue;
      auto& each = factors_[at.parameters[i].name];
      each.before = detail::doubles_of(*at.parameters[i].value);
      each.slope = detail::doubles_of(*at.gradients[i]);
      each.velocity.resize(each.before.size());
    }
  }
  /// Puts the proximal step in the place of what the optimiser did.
  template <class T>
  void after_step(training_step<T>& at) {
    for (auto const& p : at.parameters) {
      auto const found = factors_.find(p.name);
      if (found != factors_.end()) detail::assign_doubles(*p.value, stepped(found->second, at.learning_rate));
    }
  }

  void save(hook_state& state) const {
    for (auto const& [name, each] : factors_) state["structure_selection." + name] = each.velocity;
  }
  void restore(hook_state const& state) {
    for (auto const& [name, values] : detail::carried_under(state, "structure_selection.")) factors_[name].velocity = values;
  }

 private:
  struct factors {
    std::vector<double> before, slope, velocity;
  };

  [[nodiscard]] std::vector<double> stepped(factors& each, double rate) const {
    auto after = each.before;
    for (std::size_t k = 0; k < after.size(); ++k) {
      auto const z = detail::soft_threshold(each.before[k] - rate * each.slope[k], rate * lambda_);
      each.velocity[k] = z - each.before[k] + momentum_ * each.velocity[k];
      after[k] = std::max(0.0, z + momentum_ * each.velocity[k]);
    }
    return after;
  }

  double lambda_, momentum_;
  std::map<std::string, factors> factors_;
};

}  // namespace lnpt
