#pragma once
/// Regularisers of training, each by one string: `slimming:lambda=1e-4` or `tpp:pruned=0.5,every=5`.
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <lnpt/regulariser/deep_hoyer.hpp>
#include <lnpt/regulariser/group_lasso.hpp>
#include <lnpt/regulariser/polarization.hpp>
#include <lnpt/regulariser/preserve_trainability.hpp>
#include <lnpt/regulariser/slimming.hpp>
#include <lnpt/regulariser/soft_masks.hpp>
#include <lnpt/regulariser/structure_selection.hpp>

#include "scoring.hpp"

namespace cli {

/// Every form, for the help text.
inline constexpr char const* regulariser_forms =
    "slimming, polarization, deep_hoyer, group_lasso (lambda, after, over), sss (lambda, momentum), gal_lite (lambda), tpp "
    "(pruned, "
    "form, step, every, ceiling, zero-every)";

/// One regulariser as it was written.
struct regulariser_spec {
  std::string text;
  std::string name;
  std::map<std::string, std::string, std::less<>> options;
};

/// `name[:key=value,…]`; refuses unknown names.
[[nodiscard]] regulariser_spec parse_regulariser(std::string_view text);

/// The regularisers of one run of training, as one training hook.
class regularisers {
 public:
  /// `steps`: of the whole run. Refuses options that a regulariser does not have, and runs that end before it is done.
  regularisers(std::vector<regulariser_spec> const& specs, cpu_network<float>& network, lnpt::shape const& input,
               std::size_t steps);

  template <class T>
  void before_step(lnpt::training_step<T>& at) {
    for (auto& each : hooks_) std::visit([&](auto& hook) { hook.before_step(at); }, each.hook);
  }
  /// Also says, at the end of an epoch, where the regularisers are.
  template <class T>
  void after_step(lnpt::training_step<T>& at) {
    for (auto& each : hooks_) std::visit([&](auto& hook) { hook.after_step(at); }, each.hook);
    if (at.step + 1 != at.steps) return;
    text_.clear();
    for (auto const& each : hooks_) text_ += describe(each, at.of_run(), removed_norm(each, at.parameters));
  }
  void save(lnpt::hook_state& state) const;
  void restore(lnpt::hook_state const& state);

  [[nodiscard]] bool empty() const { return hooks_.empty(); }
  /// λ and what is left of what is to go, when the last epoch ended.
  [[nodiscard]] std::string const& text() const { return text_; }

 private:
  using any_hook =
      std::variant<lnpt::regularise<lnpt::slimming>, lnpt::regularise<lnpt::polarization>, lnpt::regularise<lnpt::deep_hoyer>,
                   lnpt::regularise<lnpt::group_lasso>, lnpt::structure_selection, lnpt::soft_masks, lnpt::preserve_trainability>;
  struct named_hook {
    std::string name;
    any_hook hook;
    std::function<double(std::size_t step)> strength;
  };

  template <class T>
  [[nodiscard]] static double removed_norm(named_hook const& each, std::vector<lnpt::parameter<T>> const& parameters) {
    auto const* const tpp = std::get_if<lnpt::preserve_trainability>(&each.hook);
    return tpp ? tpp->regulariser().norm_of_removed(parameters) : 0;
  }
  [[nodiscard]] static std::string describe(named_hook const& each, std::size_t step, double norm);

  std::vector<named_hook> hooks_;
  std::string text_;
};

}  // namespace cli
