#pragma once
/// TPP over a whole run of training: a strength that grows, then filters at zero.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/regulariser/trainability_preserving.hpp>

namespace lnpt {

/// The strength of TPP: λ = step · ⌊t / every⌋, up to `ceiling`. The defaults are the published ones for CIFAR.
struct growing_strength {
  double step = 1e-4;
  std::size_t every = 10;
  double ceiling = 1;

  [[nodiscard]] double operator()(std::size_t t) const {
    auto const raises = t / every;
    return std::min(ceiling, step * static_cast<double>(raises));
  }
  /// The first step at which λ has reached its ceiling. Refuses a strength that never does.
  [[nodiscard]] std::size_t steps() const {
    auto const rises = ceiling > 0 ? std::ceil(ceiling / step * (1 - 1e-12)) : 0;  // not one more for a quotient's rounding
    if (every == 0 || !(step > 0) || !(rises * static_cast<double>(every) < 0x1p32))
      fail_request("a strength that rises by ", step, " every ", every, " steps never reaches ", ceiling,
                   ": pass a rise above 0 and 1 step or more");
    return static_cast<std::size_t>(rises) * every;
  }
};

/// The training hook of TPP: λ grows to its ceiling; from then on layer after layer has what is to go set to exactly zero after every
/// step, layer l (counted from 0 over all prunable parameters) once (l + 1) · `zero_every` steps have passed. Wang, Fu, ICLR 2023,
/// arXiv:2207.12534, and its published code.
///
/// Everything is a function of the step and of which filters go; the latter the hook carries, so that a resumed run keeps to the filters
/// of its beginning.
class preserve_trainability {
 public:
  explicit preserve_trainability(trainability_preserving regulariser, growing_strength strength = {},
                                 std::size_t zero_every = 100)
      : regulariser_(std::move(regulariser)), strength_(strength), grown_(strength.steps()), zero_every_(zero_every) {}

  template <class T>
  void require_use(std::vector<parameter<T>> const&) const {
    if (regulariser_.layers.empty())
      fail_request(
          "there are no filters that are to go: name layers, such as inner_filters finds behind a batch norm of their own");
  }
  template <class T>
  void before_step(training_step<T>& at) const {
    regulariser_.add_gradient(at.parameters, at.gradients, strength_(at.of_run()));
  }
  template <class T>
  void after_step(training_step<T>& at) const {
    auto const done = at.of_run() + 1;
    for (auto const& each : regulariser_.layers)
      if (done >= grown_ + (place_of(at.parameters, each) + 1) * zero_every_) trainability_preserving::clear(at.parameters, each);
  }

  /// How many steps it takes until everything that is to go is zero.
  template <class T>
  [[nodiscard]] std::size_t steps(std::vector<parameter<T>> const& parameters) const {
    std::size_t last = 0;
    for (auto const& each : regulariser_.layers) last = std::max(last, (place_of(parameters, each) + 1) * zero_every_);
    return grown_ + last;
  }
  /// λ at a step of the whole run.
  [[nodiscard]] double strength(std::size_t step) const { return strength_(step); }
  [[nodiscard]] trainability_preserving const& regulariser() const { return regulariser_; }

  void save(hook_state& state) const {
    for (auto const& each : regulariser_.layers)
      state["preserve_trainability." + each.layer] = {each.removed.begin(), each.removed.end()};
  }
  void restore(hook_state const& state) {
    for (auto& each : regulariser_.layers) {
      auto const found = state.find("preserve_trainability." + each.layer);
      if (found == state.end()) continue;
      if (found->second.size() != each.removed.size())
        fail("the filters of ", each.layer, " that go were chosen among ", found->second.size(), ", but it has ",
             each.removed.size(), ": go on with the network of the earlier run");
      std::ranges::transform(found->second, each.removed.begin(), [](double flag) { return static_cast<char>(flag != 0); });
    }
  }

 private:
  /// The number of prunable parameters before the layer's.
  template <class T>
  [[nodiscard]] static std::size_t place_of(std::vector<parameter<T>> const& parameters, outgoing_filters const& each) {
    std::size_t place = 0;
    for (auto const& p : parameters) {
      if (p.name == each.layer + ".weight") break;
      place += is_prunable(p.role);
    }
    return place;
  }

  trainability_preserving regulariser_;
  growing_strength strength_;
  std::size_t grown_, zero_every_;
};

}  // namespace lnpt
