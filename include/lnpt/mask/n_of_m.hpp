#pragma once
/// N kept of every M consecutive weights, the pattern that sparse matrix units read.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tbb/parallel_for.h>
#include <vector>

#include <lnpt/mask/channel_layout.hpp>
#include <lnpt/mask/ranking.hpp>
#include <lnpt/mask/strategy.hpp>

namespace lnpt {

/// Keeps the N best of every M consecutive weights of an output channel's row C·kH·kW (`n_of_m<2, 4>` is 2:4). It sets the sparsity
/// itself. Parameters whose rows M does not divide stay dense: `dense_parameters` names them.
/// Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021.
template <std::size_t N, std::size_t M>
struct n_of_m {
  static_assert(0 < N && N < M, "lnpt: n_of_m<N, M> keeps N of every M weights, so 0 < N < M: write n_of_m<2, 4>.");
  using budget = fixed_ratio;

  template <class T>
  [[nodiscard]] mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    mask_set masks;
    auto const ranking = detail::weight_ranking(parameters, wanted, masks);
    detail::require_finite(ranking);
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      auto const layout = detail::layout_of(parameters[p]);
      if (layout.row() % M == 0)
        keep_in_groups(ranking.parts[p], layout, wanted.end);
      else
        keep_all(ranking.parts[p]);
    }
    return masks;
  }

  /// The parameters that stay dense, because M does not divide their rows.
  template <class T>
  [[nodiscard]] std::vector<std::string> dense_parameters(std::span<scored_parameter<T> const> parameters) const {
    std::vector<std::string> names;
    for (auto const& parameter : parameters)
      if (detail::layout_of(parameter).row() % M != 0) names.push_back(parameter.name);
    return names;
  }

 private:
  template <class T>
  static void keep_all(ranked_scores<T> const& part) {
    detail::set_bits(part.kept, 0, part.scores.size());
    for (std::size_t w = 0; w < part.among.size(); ++w) part.kept[w] &= part.among[w];
  }

  /// Decides by bytes first: the rows of two threads may share a word.
  template <class T>
  static void keep_in_groups(ranked_scores<T> const& part, detail::channel_layout const& layout, keep_end end) {
    detail::score_order<T> const order(end);
    std::vector<std::uint8_t> stays(part.scores.size());
    tbb::parallel_for(std::size_t{0}, layout.channels, [&](std::size_t channel) {
      for (std::size_t first = 0; first < layout.row(); first += M) keep_best(part, layout, order, channel, first, stays);
    });
    tbb::parallel_for(std::size_t{0}, part.kept.size(), [&](std::size_t w) {
      auto const first = w * mask::word_bits;
      for (auto i = first; i < std::min(first + mask::word_bits, stays.size()); ++i)
        part.kept[w] |= mask::word{stays[i]} << (i - first);
    });
  }

  /// A weight stays if fewer than N of its group come before it: they are better, or equal and earlier.
  template <class T>
  static void keep_best(ranked_scores<T> const& part, detail::channel_layout const& layout, detail::score_order<T> order,
                        std::size_t channel, std::size_t first, std::vector<std::uint8_t>& stays) {
    auto const begin = layout.index(channel, first);
    auto const at = [&](std::size_t i) { return layout.inner % M == 0 ? begin + i : layout.index(channel, first + i); };
    std::array<typename detail::score_order<T>::key, M> keys;
    for (std::size_t i = 0; i < M; ++i) {
      auto const takes_part = part.among.empty() || detail::test_bit(part.among, at(i));
      keys[i] = takes_part ? order(part.scores[at(i)]) : -order.infinity;
    }
    for (std::size_t i = 0; i < M; ++i) {
      std::size_t before = 0;
      for (std::size_t j = 0; j < M; ++j) before += keys[j] > keys[i] || (keys[j] == keys[i] && j < i);
      stays[at(i)] = before < N && keys[i] != -order.infinity;
    }
  }
};

}  // namespace lnpt
