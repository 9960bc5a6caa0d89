#pragma once
/// What training adds to the gradients of the loss.
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/train/hooks.hpp>

namespace lnpt {

/// A type that says it is a regulariser, by `using is_regulariser = void`.
template <class R>
concept regulariser_policy = requires { typename R::is_regulariser; };

/// A regulariser R(θ) for tensors `T`: `add_gradient(parameters, gradients, factor)` adds factor · ∂R/∂θ to the gradients that are there.
/// It may also have `project(parameters)`, which acts on the parameters after every step, and `require_use(parameters)`, which refuses those
/// of a model that it has nothing to act on of.
template <class R, class T>
concept regulariser_for = regulariser_policy<R> && requires(R const& r, std::vector<parameter<T>> const& parameters,
                                                            gradients<T>& g) { r.add_gradient(parameters, g, 1.0); };

/// Two regularisers at once.
template <class First, class Second>
struct regulariser_sum {
  using is_regulariser = void;
  First first;
  Second second;

  template <class T>
  void add_gradient(std::vector<parameter<T>> const& parameters, gradients<T>& g, double factor) const {
    first.add_gradient(parameters, g, factor);
    second.add_gradient(parameters, g, factor);
  }
  template <class T>
  [[nodiscard]] double value(std::vector<parameter<T>> const& parameters) const {
    return first.value(parameters) + second.value(parameters);
  }
  template <class T>
  void project(std::vector<parameter<T>> const& parameters) const {
    auto const act = [&](auto const& r) {
      if constexpr (requires { r.project(parameters); }) r.project(parameters);
    };
    act(first), act(second);
  }
  template <class T>
  void require_use(std::vector<parameter<T>> const& parameters) const {
    auto const ask = [&](auto const& r) {
      if constexpr (requires { r.require_use(parameters); }) r.require_use(parameters);
    };
    ask(first), ask(second);
  }
};

template <regulariser_policy First, regulariser_policy Second>
[[nodiscard]] regulariser_sum<First, Second> operator+(First first, Second second) {
  return {std::move(first), std::move(second)};
}

/// The training hook of a regulariser: `train(…, regularise{slimming{1e-4} + deep_hoyer{1e-3}})`.
///
/// `factor_at(step)`, if given, multiplies the gradient at each step of the whole run: a schedule of its own. The factor is a function of
/// the step alone, so that a resumed run has the bits of the run not interrupted.
template <regulariser_policy R>
class regularise {
 public:
  explicit regularise(R regulariser, std::function<double(std::size_t step)> factor_at = nullptr)
      : regulariser_(std::move(regulariser)), factor_at_(std::move(factor_at)) {}

  template <class T>
    requires regulariser_for<R, T>
  void before_step(training_step<T>& at) const {
    regulariser_.add_gradient(at.parameters, at.gradients, factor_at(at.of_run()));
  }
  template <class T>
    requires regulariser_for<R, T>
  void after_step(training_step<T>& at) const {
    if constexpr (requires { regulariser_.project(at.parameters); }) regulariser_.project(at.parameters);
  }
  template <class T>
    requires regulariser_for<R, T>
  void require_use(std::vector<parameter<T>> const& parameters) const {
    if constexpr (requires { regulariser_.require_use(parameters); }) regulariser_.require_use(parameters);
  }
  /// What is added to the loss at a step of the whole run, of a regulariser that has a `value(parameters)`.
  template <class T>
  [[nodiscard]] double value(std::vector<parameter<T>> const& parameters, std::size_t step) const {
    return factor_at(step) * regulariser_.value(parameters);
  }

 private:
  [[nodiscard]] double factor_at(std::size_t step) const { return factor_at_ ? factor_at_(step) : 1.0; }

  R regulariser_;
  std::function<double(std::size_t)> factor_at_;
};

namespace detail {

/// Refuses a model without scales of batch norm for what acts on those alone.
template <class T>
void require_norm_scales(std::vector<parameter<T>> const& parameters, std::string_view what) {
  if (std::ranges::none_of(parameters, [](auto const& p) { return p.role == role::norm_scale; }))
    fail_request(what,
                 " on the scales of batch norm, and the model has none: choose what acts on weights, group_lasso or deep_hoyer");
}

/// −1, 0 or 1.
[[nodiscard]] constexpr double sign(double x) { return static_cast<double>((x > 0) - (x < 0)); }

/// factor · values, numbers on the host, in the shape and on the device of `near`.
template <class T>
[[nodiscard]] T like_numbers(T const& near, std::ranges::random_access_range auto const& values, double factor = 1) {
  std::vector<value_type<T>> scaled(std::ranges::size(values));
  for (std::size_t i = 0; i < values.size(); ++i) scaled[i] = static_cast<value_type<T>>(factor * values[i]);
  return make_tensor<T>(shape_of(near), scaled, near);
}

/// g += factor · added, on the device of g.
template <class T>
void add_scaled(std::optional<T>& g, double factor, std::ranges::random_access_range auto const& added) {
  if constexpr (requires(T& t) {
                  { tensor_traits<T>::view(t) } -> std::convertible_to<std::span<value_type<T>>>;
                }) {
    std::span<value_type<T>> const values = tensor_traits<T>::view(*g);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += static_cast<value_type<T>>(factor * added[i]);
  } else {
    g = T(*g + like_numbers(*g, added, factor));
  }
}

template <class T>
void assign_doubles(T& into, std::span<double const> values) {
  assign(into, like_numbers(into, values));
}

/// The values of a parameter in double, through host memory.
template <class T>
[[nodiscard]] std::vector<double> doubles_of(T const& t) {
  auto const values = values_of(t);
  return {values.begin(), values.end()};
}

/// What a state carries under a prefix, by the rest of the names.
[[nodiscard]] inline hook_state carried_under(hook_state const& state, std::string const& prefix) {
  hook_state found;
  for (auto at = state.lower_bound(prefix); at != state.end() && at->first.starts_with(prefix); ++at)
    found.emplace(at->first.substr(prefix.size()), at->second);
  return found;
}

}  // namespace detail
}  // namespace lnpt
