#pragma once
/// Whole output channels, in one ranking over all layers or in one of each.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <tbb/parallel_for.h>
#include <vector>

#include <lnpt/mask/accumulation.hpp>
#include <lnpt/mask/channel_layout.hpp>
#include <lnpt/mask/keep_ranked.hpp>

namespace lnpt {

/// Keeps exactly n = ⌊c·C + ½ + 10⁻⁶⌋ of all C output channels, and in every layer at least one, or enough for `at_least` weights.
/// A channel's score is accumulated over the weights of its filter, in double; of equal channels the first stays. The outputs of a
/// classifier are classes: they are not counted and always stay. Weights without scores have no part in the count either.
struct channel_structured {
  using budget = channels;

  accumulation accumulate = accumulation::sum;
  bool normalize = false;  ///< divide by the layer's mean magnitude first, so that layers of unlike scale compete
  bool per_layer = false;  ///< keeps that share of every layer's channels, in a ranking of its own

  template <class T>
  [[nodiscard]] mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    mask_set masks;
    auto const weights = weight_ranking(parameters, wanted, masks);
    require_finite(weights);

    std::vector<layer> layers;
    for (std::size_t p = 0; p < parameters.size(); ++p) layers.push_back(score_channels(parameters[p], weights.parts[p].among));
    keep_channels(parameters, layers, wanted);
    tbb::parallel_for(std::size_t{0}, layers.size(), [&](std::size_t p) { write_weights(layers[p], weights.parts[p]); });
    return masks;
  }

  /// The share of the channels that masks leave a weight.
  template <class T>
  [[nodiscard]] double kept_share(std::span<scored_parameter<T> const> parameters, mask_set const& masks) const {
    std::size_t total = 0;
    std::size_t kept = 0;
    for (auto const& parameter : parameters) {
      auto const layout = detail::layout_of(parameter);
      if (!is_counted(parameter.role, layout)) continue;
      auto const* const left = masks.find(parameter.name);
      total += layout.channels;
      for (std::size_t c = 0; c < layout.channels; ++c) kept += left == nullptr || has_weight(layout, c, *left);
    }
    return total == 0 ? 1.0 : static_cast<double>(kept) / static_cast<double>(total);
  }

 private:
  /// Whether a parameter's channels may go and are counted.
  [[nodiscard]] static bool is_counted(role of, detail::channel_layout const& layout) {
    return of != role::classifier_weight && layout.row() != 0;
  }

  [[nodiscard]] static bool has_weight(detail::channel_layout const& layout, std::size_t channel, mask const& left) {
    bool found = false;
    layout.for_each_run(channel, [&](std::size_t begin, std::size_t end) {
      for (auto i = begin; i < end && !found; ++i) found = left[i];
    });
    return found;
  }

  /// The channels of one parameter.
  struct layer {
    detail::channel_layout layout;
    std::vector<double> scores;
    std::vector<std::size_t> survivors;  ///< weights that each channel has left
    std::vector<mask::word> alive;       ///< channels with a surviving weight
    std::vector<mask::word> kept;
  };

  template <class T>
  [[nodiscard]] layer score_channels(scored_parameter<T> const& parameter, std::span<mask::word const> among) const {
    auto const layout = detail::layout_of(parameter);
    auto const words = (layout.channels + mask::word_bits - 1) / mask::word_bits;
    layer result{layout, std::vector<double>(layout.channels), std::vector<std::size_t>(layout.channels),
                 std::vector<mask::word>(words), std::vector<mask::word>(words)};
    auto const scores = parameter.scores.on_host();
    tbb::parallel_for(std::size_t{0}, layout.channels, [&](std::size_t c) {
      detail::accumulator sum{accumulate};
      layout.for_each_run(c, [&](std::size_t begin, std::size_t end) {
        for (auto i = begin; i < end; ++i)
          if (among.empty() || detail::test_bit(among, i)) sum.add(double{scores[i]});
      });
      result.scores[c] = sum.value();
      result.survivors[c] = sum.count;
    });
    for (std::size_t c = 0; c < layout.channels; ++c)
      if (result.survivors[c] != 0) detail::set_bits(result.alive, c, c + 1);
    if (normalize) divide_by_mean_magnitude(result);
    return result;
  }

  static void divide_by_mean_magnitude(layer& channels_of) {
    double total = 0;
    for (auto const score : channels_of.scores) total += std::abs(score);
    if (total == 0) return;
    auto const mean = total / static_cast<double>(detail::count_bits(channels_of.alive));
    for (auto& score : channels_of.scores) score /= mean;
  }

  template <class T>
  void keep_channels(std::span<scored_parameter<T> const> parameters, std::vector<layer>& layers, selection const& wanted) const {
    ranking<double> ranked{.unit = "channels", .decided_by_position = wanted.decided_by_position};
    std::vector<std::size_t> minima;
    std::size_t total = 0;
    for (std::size_t p = 0; p < layers.size(); ++p) {
      auto& each = layers[p];
      if (!is_counted(parameters[p].role, each.layout)) {
        each.kept = each.alive;
        continue;
      }
      auto const row = each.layout.row();
      total += each.layout.channels;
      minima.push_back(std::max<std::size_t>((wanted.at_least + row - 1) / row, 1));
      ranked.names.push_back(parameters[p].name);
      ranked.parts.push_back({each.scores, each.kept, each.alive});
      ranked.weights_in_units.emplace_back(each.survivors);
    }
    if (!per_layer) return keep_ranked(ranked, kept_count(wanted.keep, total), minima, wanted.end);
    for (std::size_t p = 0; p < ranked.parts.size(); ++p) {
      auto const n = std::max(kept_count(wanted.keep, ranked.parts[p].scores.size()), minima[p]);
      keep_ranked(ranked.part(p), n, {minima[p]}, wanted.end);
    }
  }

  /// The weights of the kept channels, of which those that had been pruned stay pruned.
  template <class T>
  static void write_weights(layer const& from, ranked_part<T> const& to) {
    for (std::size_t c = 0; c < from.layout.channels; ++c)
      if (detail::test_bit(from.kept, c))
        from.layout.for_each_run(c, [&](std::size_t begin, std::size_t end) { detail::set_bits(to.kept, begin, end); });
    for (std::size_t w = 0; w < to.among.size(); ++w) to.kept[w] &= to.among[w];
  }
};

}  // namespace lnpt
