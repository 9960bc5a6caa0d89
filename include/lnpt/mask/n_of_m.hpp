#pragma once
/// N kept of every M consecutive input channels, the pattern that sparse matrix units read.
#include <algorithm>
#include <array>
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

namespace lnpt {

namespace detail {

/// The input axis of a row-major parameter, and the axes before and after it.
struct input_layout {
  std::size_t outer = 1;
  std::size_t inputs = 1;
  std::size_t inner = 1;

  /// The flat index of input i at place b of the axes after and place a of those before.
  [[nodiscard]] std::size_t index(std::size_t a, std::size_t i, std::size_t b) const { return (a * inputs + i) * inner + b; }
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

  /// Decides by bytes first: the groups of two threads may share a word. Returns how many weights their place alone decided.
  template <class T>
  static std::size_t keep_in_groups(ranked_scores<T> const& part, detail::input_layout const& layout, keep_end end) {
    detail::score_order<T> const order(end);
    std::vector<std::uint8_t> stays(part.scores.size());
    auto const decided_by_position = tbb::parallel_reduce(
        tbb::blocked_range<std::size_t>(0, layout.outer), std::size_t{0},
        [&](auto const& range, std::size_t decided) {
          for (auto a = range.begin(); a < range.end(); ++a)
            for (std::size_t first = 0; first < layout.inputs; first += M)
              for (std::size_t b = 0; b < layout.inner; ++b)
                decided += keep_best(part, order, layout.index(a, first, b), layout.inner, stays);
          return decided;
        },
        std::plus<>());
    tbb::parallel_for(std::size_t{0}, part.kept.size(), [&](std::size_t w) {
      auto const first = w * mask::word_bits;
      for (auto i = first; i < std::min(first + mask::word_bits, stays.size()); ++i)
        part.kept[w] |= mask::word{stays[i]} << (i - first);
    });
    return decided_by_position;
  }

  /// One group, of weights `stride` apart. A weight stays if fewer than N of its group come before it: better ones, or equal ones
  /// that are earlier. Returns how many weights equal the last one that stays, if some of them go.
  template <class T>
  static std::size_t keep_best(ranked_scores<T> const& part, detail::score_order<T> order, std::size_t begin, std::size_t stride,
                               std::vector<std::uint8_t>& stays) {
    constexpr auto pruned = -detail::score_order<T>::infinity;
    std::array<typename detail::score_order<T>::key, M> keys;
    for (std::size_t i = 0; i < M; ++i) {
      auto const at = begin + i * stride;
      keys[i] = part.among.empty() || detail::test_bit(part.among, at) ? order(part.scores[at]) : pruned;
    }
    std::size_t decided_by_position = 0;
    for (std::size_t i = 0; i < M; ++i) {
      std::size_t better = 0;
      std::size_t equal = 0;
      std::size_t equal_before = 0;
      for (std::size_t j = 0; j < M; ++j) {
        better += keys[j] > keys[i];
        equal += keys[j] == keys[i];
        equal_before += keys[j] == keys[i] && j < i;
      }
      stays[begin + i * stride] = better + equal_before < N && keys[i] != pruned;
      decided_by_position += better < N && better + equal > N && keys[i] != pruned;
    }
    return decided_by_position;
  }
};

}  // namespace lnpt
