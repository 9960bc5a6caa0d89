#pragma once
/// N kept of every M consecutive input channels, the pattern that sparse matrix units read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <vector>

#include <lnpt/mask/keep_ranked.hpp>
#include <lnpt/mask/ranked_groups.hpp>

namespace lnpt {

namespace detail {

/// The input axis of a row-major parameter, and the axes before and after it.
struct input_layout {
  std::size_t outer = 1;
  std::size_t inputs = 1;
  std::size_t inner = 1;
};

/// The layout of a weight [O, I, …] or of a matrix [I, O]; nothing for other weights, whose inputs no sparse unit reads in a row.
[[nodiscard]] inline std::optional<input_layout> input_layout_of(shape const& extents, std::size_t output_axis) {
  auto const axes = extents.size();
  if (axes < 2 || output_axis > 1 || (output_axis == 1 && axes != 2)) return std::nullopt;
  auto const input_axis = 1 - output_axis;
  input_layout layout;
  for (std::size_t axis = 0; axis < axes; ++axis)
    (axis < input_axis ? layout.outer : axis == input_axis ? layout.inputs : layout.inner) *= extents[axis];
  return layout;
}

}  // namespace detail

/// Keeps the N best of every M consecutive input channels of an output channel, at each kernel position (`n_of_m<2, 4>` is 2:4): of a
/// convolution's w[k, c..c+M, r, s] and a linear layer's w[k, c..c+M], which is what sparse tensor cores, TensorRT and Ascend read. It
/// sets the sparsity itself. Layers whose input channels (per group) M does not divide stay dense: `dense_parameters` names them.
/// Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, arXiv:2104.08378.
template <std::size_t N, std::size_t M>
struct n_of_m {
  static_assert(0 < N && N < M, "lnpt: n_of_m<N, M> keeps N of every M weights, so 0 < N < M: write n_of_m<2, 4>.");
  using budget = fixed_ratio;

  template <class T>
  [[nodiscard]] mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    mask_set masks;
    auto const ranked = weight_ranking(parameters, wanted, masks);
    require_finite(ranked);
    std::size_t decided_by_position = 0;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      auto const part = ranked.parts[p].on_host();
      if (auto const layout = grouped(parameters[p]))
        decided_by_position += keep_in_groups(part, *layout, wanted.end);
      else
        keep_all(part);
    }
    if (wanted.decided_by_position != nullptr) *wanted.decided_by_position += decided_by_position;
    require_at_least(ranked, wanted.at_least);
    return masks;
  }

  /// The parameters that stay dense, because M does not divide their input channels.
  template <class T>
  [[nodiscard]] std::vector<std::string> dense_parameters(std::span<scored_parameter<T> const> parameters) const {
    std::vector<std::string> names;
    for (auto const& parameter : parameters)
      if (!grouped(parameter)) names.push_back(parameter.name);
    return names;
  }

 private:
  /// Refuses where the pattern leaves a parameter fewer weights than it is to keep in any case.
  template <class T>
  static void require_at_least(ranking<T> const& ranked, std::size_t least) {
    for (std::size_t p = 0; p < ranked.parts.size(); ++p)
      if (auto const kept = detail::count_bits(ranked.parts[p].kept);
          kept < std::min(least, detail::ranked_count(ranked.parts[p])))
        fail_request(N, " of every ", M, " weights are ", kept, " of ", ranked.names[p], ", fewer than the ", least,
                     " that it is to keep at least: ask for fewer, or for a strategy without a ratio of its own");
  }

  template <class T>
  [[nodiscard]] static std::optional<detail::input_layout> grouped(scored_parameter<T> const& parameter) {
    auto layout = detail::input_layout_of(parameter.extents, parameter.output_axis);
    if (layout && (layout->inputs == 0 || layout->inputs % M != 0)) layout.reset();
    return layout;
  }

  template <class T>
  static void keep_all(ranked_scores<T> const& part) {
    detail::set_bits(part.kept, 0, part.scores.size());
    for (std::size_t w = 0; w < part.among.size(); ++w) part.kept[w] &= part.among[w];
  }

  /// Decides by bytes first: the groups of two threads may share a word. Returns how many weights their place alone decided. All groups
  /// lie in tiles of M · inner weights, since M divides the inputs.
  template <class T>
  static std::size_t keep_in_groups(ranked_scores<T> const& part, detail::input_layout const& layout, keep_end end) {
    using key = typename detail::score_order<T>::key;
    constexpr auto pruned = -detail::score_order<T>::infinity;
    detail::score_order<T> const order(end);
    std::vector<std::uint8_t> stays(part.scores.size());
    auto const key_at = [&](std::size_t i) {
      return part.among.empty() || detail::test_bit(part.among, i) ? order(part.scores[i]) : pruned;
    };
    auto const put = [&](std::size_t i, bool is_among_best) {
      stays[i] = is_among_best && (part.among.empty() || detail::test_bit(part.among, i));
    };
    auto const decided_by_position = tbb::parallel_reduce(
        tbb::blocked_range<std::size_t>(0, part.scores.size() / M, detail::ranked_groups<key>::lanes), std::size_t{0},
        [&](auto const& range, std::size_t decided) {
          return decided + detail::keep_best_of_groups<key>(range.begin(), range.end(), N, M, layout.inner, pruned, key_at, put);
        },
        std::plus<>());
    tbb::parallel_for(std::size_t{0}, part.kept.size(), [&](std::size_t w) {
      auto const first = w * mask::word_bits;
      for (auto i = first; i < std::min(first + mask::word_bits, stays.size()); ++i)
        part.kept[w] |= mask::word{stays[i]} << (i - first);
    });
    return decided_by_position;
  }
};

}  // namespace lnpt
