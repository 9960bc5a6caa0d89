#pragma once
/// How much of what the features are worth comes through a filter.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/evidence/channel_values.hpp>
#include <lnpt/evidence/evidence.hpp>
#include <lnpt/filters/feature_maps.hpp>
#include <lnpt/structure/channel_flow.hpp>

namespace lnpt {

/// The importance of every channel of every node, summed over space, from that of the features:
///
///     s_in[c] = Σ_o Σ_kernel |w[o, c, …]| s_out[o]
///
/// and unchanged through batch norm, activation functions and pools; sums and concatenations pass to each what it gave.
template <class Network>
[[nodiscard]] std::vector<std::vector<double>> propagate_importance(Network& network, std::vector<channel_flow> const& flows,
                                                                    std::vector<double> const& of_features) {
  auto const parameters = network.parameters();
  std::vector<std::vector<double>> importance;
  importance.reserve(flows.size());
  for (auto const& flow : flows) importance.emplace_back(flow.channels, 0.0);
  importance[network.features_node()] = of_features;
  for (auto i = network.features_node(); i > 0; --i) {
    auto const& flow = flows[i];
    for (std::size_t c = 0; c < flow.from.size(); ++c)
      for (auto const& source : flow.from[c]) importance[source.node][source.channel] += importance[i][c];
    if (!flow.sum) continue;
    auto const weights = values_of(*parameters[flow.sum->weight].value);
    auto const extents = shape_of(*parameters[flow.sum->weight].value);
    auto const kernel = weights.size() / (extents[0] * extents[1]);
    auto const outputs = extents[0] / flow.sum->groups;
    for (std::size_t o = 0; o < extents[0]; ++o)
      for (std::size_t k = 0; k < extents[1]; ++k)
        for (std::size_t at = 0; at < kernel; ++at)
          importance[flow.sum->input][o / outputs * extents[1] + k] +=
              std::abs(static_cast<double>(weights[(o * extents[1] + k) * kernel + at])) * importance[i][o];
  }
  return importance;
}

/// The importance of a filter's output, shared out among its weights; of a weight that several layers share the sum of theirs. The
/// features' own is their variance over the samples of a batch, the mean over batches by their samples. Layers behind the features are not
/// reached. Importance grows from layer to layer, in deep networks beyond what a float holds: all of it is known up to one power of two,
/// by which that of features of variance 1 would be at most 2⁶⁰. Throws where what is left still is no number of the model's precision.
/// Costs two reads of the weights.
struct propagated_importance {
  static constexpr evidence_needs needs{.data = true, .gradients = true};

  template <class Problem>
    requires shows_layers<std::remove_cvref_t<decltype(std::declval<Problem const&>().model())>>
  [[nodiscard]] static gradients<typename Problem::tensor_type> of_part(Problem const& problem,
                                                                        typename Problem::part const& part,
                                                                        typename Problem::trace_type& trace) {
    if (problem.samples() == 1)
      fail("the importance of features is their variance over samples, and there is one sample: pass two at least");
    auto& network = problem.model();
    auto extents = shape_of(*part.input);
    auto const flows = channel_flows(network, {extents.begin() + 1, extents.end()});
    auto variance = variances(values_of(trace.features()), part.samples);
    auto const share = std::ldexp(static_cast<double>(part.samples) / static_cast<double>(problem.samples()),
                                  -exponent_to_lose(network, flows, variance.size()));
    for (auto& each : variance) each *= share;
    auto const importance = propagate_importance(network, flows, variance);
    auto const parameters = network.parameters();
    std::map<std::size_t, std::vector<double>> by_weight;
    for (std::size_t i = 1; i <= network.features_node(); ++i) {
      if (!flows[i].sum) continue;
      auto& sum = by_weight[flows[i].sum->weight];
      sum.resize(importance[i].size());
      for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += importance[i][c];
    }
    gradients<typename Problem::tensor_type> found(parameters.size());
    for (auto const& [weight, sum] : by_weight) {
      found[weight] = detail::shared_out(parameters[weight], sum);
      require_held(parameters[weight], sum, *found[weight]);
    }
    return found;
  }

 private:
  /// Does not depend on the batch, so that parts of it add up.
  template <class Network>
  [[nodiscard]] static int exponent_to_lose(Network& network, std::vector<channel_flow> const& flows, std::size_t features) {
    constexpr int most = 60;
    double largest = 1;
    for (auto const& node : propagate_importance(network, flows, std::vector<double>(features, 1.0)))
      for (auto const each : node) largest = std::max(largest, each);
    return std::isfinite(largest) ? std::max(0, std::ilogb(largest) - most) : 0;
  }

  /// Refuses shares of a layer that are none of its precision's numbers, though its importance is one: the largest is infinite, or rounded
  /// to 0.
  template <class T>
  static void require_held(parameter<T> const& p, std::vector<double> const& importance, T const& shares) {
    using value = value_type<T>;
    auto const values = values_of(shares);
    auto const largest = std::ranges::max(values);
    auto const most = std::ranges::max(importance);
    if (!std::isfinite(most) || most == 0) return;
    if (std::isfinite(largest) && largest >= std::numeric_limits<value>::min()) return;
    constexpr auto in_float = sizeof(value) == sizeof(float);
    fail("the importance of ", p.name, " is too far from that of other layers for ", in_float ? "float" : "double", ": score ",
         in_float ? "in double" : "by another criterion");
  }

  /// Of each column of [N, M]; 0 where it is no more than the rounding of a column of one value.
  template <class Values>
  [[nodiscard]] static std::vector<double> variances(Values const& features, std::size_t samples) {
    auto const width = features.size() / samples;
    std::vector<double> found(width);
    for (std::size_t m = 0; m < width; ++m) {
      double mean = 0;
      for (std::size_t n = 0; n < samples; ++n)
        mean += static_cast<double>(features[n * width + m]) / static_cast<double>(samples);
      for (std::size_t n = 0; n < samples; ++n) {
        auto const away = static_cast<double>(features[n * width + m]) - mean;
        found[m] += away * away / static_cast<double>(samples);
      }
      auto const rounding = static_cast<double>(samples) * std::numeric_limits<double>::epsilon() * mean;
      if (found[m] <= rounding * rounding) found[m] = 0;
    }
    return found;
  }
};

}  // namespace lnpt
