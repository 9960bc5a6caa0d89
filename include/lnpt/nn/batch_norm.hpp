#pragma once
/// Batch normalisation, with the rectifier that usually follows it fused in.
#include <array>
#include <cmath>
#include <iterator>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <lnpt/autodiff/dual.hpp>
#include <lnpt/backend/concept.hpp>
#include <lnpt/nn/pass.hpp>
#include <lnpt/nn/shared_statistics.hpp>

namespace lnpt::nn {

/// Mean and biased variance of one normalisation layer, where the backend holds them.
template <class Backend>
struct channel_moments {
  typename Backend::channels mean, variance;
};

/// What `network::freeze` puts into `normalization`: one entry per normalisation layer, in the network's order.
template <class Backend>
using frozen_constants = std::vector<channel_moments<Backend>>;

/// 1/√(x + ε) of one channel; backends have it of vectors over channels.
[[nodiscard]] inline double inverse_root(double x, double epsilon) { return 1.0 / std::sqrt(x + epsilon); }

/// y = γ (x − μ) r + β,  r = 1/√(σ² + ε), per channel; then max(0, y) if `rectify`. Ioffe, Szegedy, ICML 2015, arXiv:1502.03167.
///
/// Where μ and σ² are constants, ∂x = γ r ∂y. Where they are this batch's and differentiated through,
///
///     ∂x = γ r (∂y − mean(∂y) − x̂ mean(∂y ⊙ x̂)),      x̂ = (x − μ) r
///
/// the means over the whole batch, be it shared by processes; each has ∂y of its own part's mean loss, so that the means of several are
/// weighted by their shares. Both are one pass over x and ∂y with coefficients per channel. So is y over x: a trace keeps x alone, and y is computed again where
/// the reverse pass reads it, which halves what a network's activations take.
struct batch_norm {
  std::size_t input;
  std::optional<std::size_t> scale, shift;  ///< parameters γ, β; without them 1 and 0
  std::size_t mean, variance;               ///< buffers
  std::size_t index;                        ///< which normalisation layer of the network this is
  bool rectify = false;
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< by which training moves the running statistics towards those of each batch

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const {
    links owned;
    for (auto const& each : {scale, shift})
      if (each) owned.push_back(*each);
    return owned;
  }
  [[nodiscard]] links buffers() const { return {mean, variance}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return nodes[input]; }

  static constexpr bool restorable = true;
  /// What `node_state::statistics` holds: μ, r, γ r, β − μ γ r and σ², in this order.
  enum statistic : std::size_t { mean_of_batch, inverse_deviation, slope_of_output, offset_of_output, variance_of_batch };
  static constexpr std::size_t statistics_count = 5;

  /// Refuses a batch of one value per channel where the batch gives the statistics. Of a shared batch every process has some.
  template <class A>
  void examine(forward_pass<A> const& pass, std::string_view name) const {
    if (takes_own_moments(pass)) refuse_one_value_per_channel(name, pass.images(pass.output(input)).per_channel());
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    if constexpr (A::joins_sums)
      if (takes_own_moments(pass)) {
        state.output = normalized_by_own_moments(pass, state, {}, rectify);
        return;
      }
    measure(pass, state);
    restore(pass, state);
  }

  /// The statistics by which y follows from x.
  template <class A>
  void measure(forward_pass<A> const& pass, node_state<A>& state) const {
    auto known = constants(pass);
    state.statistics = known ? std::move(*known) : statistics(pass, moments_of_batch(pass, pass.output(input)));
  }

  /// Whether this batch, all of it here, gives the statistics.
  template <class A>
  [[nodiscard]] bool takes_own_moments(forward_pass<A> const& pass) const {
    return !pass.norm.shared &&
           (pass.norm.mode == norm_mode::train || (pass.norm.mode == norm_mode::frozen && !pass.norm.constants));
  }

  /// The statistics and, in the same walk through memory, y + `addend`, if there is one; then max(0, ·) of it if `rectified`.
  template <class A>
  [[nodiscard]] typename A::tensor normalized_by_own_moments(forward_pass<A> const& pass, node_state<A>& state,
                                                             typename A::tensor const& addend, bool rectified) const {
    auto const& x = pass.output(input);
    auto const share = 1.0 / count(pass, x);
    auto const gamma = channels_of(pass, scale);
    auto const beta = channels_of(pass, shift);
    auto& found = state.statistics;
    found.assign(statistics_count, pass.algebra.as_channels(pass.buffers[mean]));  // for their length
    std::vector<combined<typename A::array, typename A::channels>> terms{{x.get(), &found[slope_of_output]}};
    if (addend) terms.push_back({addend.get(), nullptr});
    return pass.algebra.combine_after_sums(
        x, x, {}, terms, found[offset_of_output], rectified, [&](std::size_t c, double sum, double squares) {
          auto const of = [c](auto const& v) { return v ? std::optional(v->values[c]) : std::nullopt; };
          auto const all = statistics_from(moments_from(sum, squares, share), of(gamma), of(beta));
          for (std::size_t i = 0; i < all.size(); ++i) found[i].values[c] = all[i];
        });
  }

  /// The statistics, where the batch does not give them.
  template <class A>
  [[nodiscard]] std::optional<std::vector<typename A::channels>> constants(forward_pass<A> const& pass) const {
    if (pass.norm.mode == norm_mode::eval)
      return statistics<A>(pass,
                           {pass.algebra.as_channels(pass.buffers[mean]), pass.algebra.as_channels(pass.buffers[variance])});
    if (pass.norm.mode != norm_mode::frozen || !pass.norm.constants) return std::nullopt;
    auto const& found = constants_of<frozen_constants<typename A::backend>>(pass.norm).at(index);
    return statistics<A>(pass, {pass.algebra.constant(found.mean), pass.algebra.constant(found.variance)});
  }

  /// y from x and the statistics.
  template <class Pass, class A>
  void restore(Pass const& pass, node_state<A>& state) const {
    state.output = normalized(pass, state);
  }

  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const& state, typename A::tensor const& gy) const {
    auto const& x = pass.output(input);
    auto const& mu = state.statistics[mean_of_batch];
    auto const& inverse = state.statistics[inverse_deviation];
    auto const& slope = state.statistics[slope_of_output];
    bool const gated = rectify && !pass.gated_here;
    auto const gate = !gated ? typename A::tensor{} : state.output ? state.output : normalized(pass, state);
    auto const through = pass.norm.mode == norm_mode::train;
    std::vector<typename A::term> terms{{gy, slope, gated}};
    std::optional<typename A::channels> constant;

    auto const wants_scale = scale && pass.wants_gradient(*scale);
    auto const wants_shift = shift && pass.wants_gradient(*shift);
    if constexpr (A::joins_sums)
      if (through && !pass.norm.shared && pass.wants(input)) {
        auto const share = -1.0 / count(pass, x);
        auto sum = mu;  // this and the three below for their length
        auto dot = mu;
        auto along_x = mu;
        auto offset = mu;
        pass.give(input, pass.algebra.combine_after_sums(gy, x, gate, {{gy.get(), &slope, gated}, {x.get(), &along_x}}, offset,
                                                         false, [&](std::size_t c, double sum_of_channel, double product) {
                                                           auto const m = mu.values[c];
                                                           auto const r = inverse.values[c];
                                                           sum.values[c] = sum_of_channel;
                                                           dot.values[c] = normalized_product(sum_of_channel, product, m, r);
                                                           std::tie(along_x.values[c], offset.values[c]) = along_input(
                                                               sum_of_channel, dot.values[c], m, r, slope.values[c], share);
                                                         }));
        if (wants_scale) pass.give_gradient(*scale, pass.algebra.as_tensor(dot));
        if (wants_shift) pass.give_gradient(*shift, pass.algebra.as_tensor(sum));
        return;
      }
    if (through || wants_scale || wants_shift) {
      auto const [sum, dot] = pass.algebra.channel_sums(gy, x, gate);
      auto const dot_normalized = normalized_product(sum, dot, mu, inverse);
      if (wants_scale) pass.give_gradient(*scale, pass.algebra.as_tensor(dot_normalized));
      if (wants_shift) pass.give_gradient(*shift, pass.algebra.as_tensor(sum));
      if (through) {
        auto const share = -1.0 / count(pass, x);
        auto const [whole_sum, whole_dot] = over_batch(pass, sum, dot_normalized);
        auto [along_x, offset] = along_input(whole_sum, whole_dot, mu, inverse, slope, share);
        constant = std::move(offset);
        terms.push_back({x, std::move(along_x)});
      }
    }
    if (pass.wants(input)) pass.give(input, pass.algebra.combine(terms, constant ? &*constant : nullptr, gate));
  }

  /// The statistics this batch would give: mean and biased variance. `name` is the layer's, for its refusal; `complete(Σ x, Σ x²,
  /// values)` adds what other processes have.
  template <class A, class Complete>
  [[nodiscard]] channel_moments<typename A::backend> batch_moments(std::vector<typename A::tensor> const& parts, A& algebra,
                                                                   std::string_view name, Complete const& complete) const {
    std::optional<typename A::channels> sum;
    std::optional<typename A::channels> squares;
    std::size_t values = 0;
    for (auto const& x : parts) {
      auto const [s, q] = algebra.channel_sums(x, x, {});
      sum = sum ? *sum + s : s;
      squares = squares ? *squares + q : q;
      values += image_extents(A::backend::extents(A::value(x))).per_channel();
    }
    complete(*sum, *squares, values);
    refuse_one_value_per_channel(name, values);
    auto const [mu, sigma2] = moments_from(*sum, *squares, 1.0 / static_cast<double>(values));
    return {mu, sigma2};
  }

 private:
  // What follows in each channel, for whole vectors or for a channel's numbers.

  /// Σ ∂y ⊙ x̂ from Σ ∂y and Σ ∂y ⊙ x.
  template <class V>
  [[nodiscard]] static V normalized_product(V const& sum, V const& dot, V const& mu, V const& inverse) {
    return (dot - mu * sum) * inverse;
  }
  /// The coefficient of x in ∂x and the constant, from Σ ∂y and Σ ∂y ⊙ x̂; `share`: −1 over the number of values.
  template <class V>
  [[nodiscard]] static std::pair<V, V> along_input(V const& sum, V const& dot, V const& mu, V const& inverse, V const& slope,
                                                   double share) {
    V const along_x = share * (slope * inverse * dot);
    return {along_x, share * (slope * sum) - mu * along_x};
  }
  /// μ and σ² from Σ x and Σ x²; `share`: one over the number of values.
  template <class V>
  [[nodiscard]] static std::pair<V, V> moments_from(V const& sum, V const& squares, double share) {
    V const mu = share * sum;
    return {mu, share * squares - mu * mu};
  }
  /// The statistics from μ and σ², γ and β.
  template <class V>
  [[nodiscard]] std::array<V, statistics_count> statistics_from(std::pair<V, V> const& given, std::optional<V> const& gamma,
                                                                std::optional<V> const& beta) const {
    auto const& [mu, sigma2] = given;
    V const inverse = inverse_root(sigma2, epsilon);
    V const slope = gamma ? *gamma * inverse : inverse;
    V const moved = mu * slope;
    return {mu, inverse, slope, beta ? *beta - moved : -1.0 * moved, sigma2};
  }
  /// A parameter as a vector over channels, if there is one.
  template <class A>
  [[nodiscard]] static std::optional<typename A::channels> channels_of(forward_pass<A> const& pass,
                                                                       std::optional<std::size_t> const& parameter) {
    if (!parameter) return std::nullopt;
    return pass.algebra.as_channels(pass.parameters[*parameter]);
  }

  /// Sums of ∂y and ∂y ⊙ x̂, weighted by what each process has of the batch.
  template <class A>
  [[nodiscard]] static std::pair<typename A::channels, typename A::channels> over_batch(reverse_pass<A> const& pass,
                                                                                        typename A::channels const& sum,
                                                                                        typename A::channels const& dot) {
    if (!pass.norm.shared) return {sum, dot};
    auto share = pass.norm.shared->share;
    typename A::channels weighted_sum = share * sum;
    typename A::channels weighted_dot = share * dot;
    add_up(pass.norm.shared->sum, weighted_sum, weighted_dot, share);
    return {weighted_sum, weighted_dot};
  }

  template <class Pass, class A>
  [[nodiscard]] typename A::tensor normalized(Pass const& pass, node_state<A> const& state) const {
    return pass.algebra.combine({{pass.output(input), state.statistics[slope_of_output]}}, &state.statistics[offset_of_output],
                                {}, rectify);
  }

  template <class A>
  [[nodiscard]] static double count(forward_pass<A> const& pass, typename A::tensor const& x) {
    return static_cast<double>(pass.images(x).per_channel());
  }

  template <class A>
  using moments = std::pair<typename A::channels, typename A::channels>;

  /// What follows from μ and σ².
  template <class A>
  [[nodiscard]] std::vector<typename A::channels> statistics(forward_pass<A> const& pass, moments<A> const& given) const {
    auto found = statistics_from<typename A::channels>(given, channels_of(pass, scale), channels_of(pass, shift));
    return std::vector<typename A::channels>(std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }

  template <class A>
  [[nodiscard]] moments<A> moments_of_batch(forward_pass<A> const& pass, typename A::tensor const& x) const {
    auto [sum, squares] = pass.algebra.channel_sums(x, x, {});
    auto values = count(pass, x);
    if (pass.norm.shared) add_up(pass.norm.shared->sum, sum, squares, values);
    auto const [mu, sigma2] = moments_from(sum, squares, 1.0 / values);
    if (pass.norm.mode == norm_mode::frozen) return {pass.algebra.without_tangent(mu), pass.algebra.without_tangent(sigma2)};
    return {mu, sigma2};
  }
};

}  // namespace lnpt::nn
