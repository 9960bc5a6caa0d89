#pragma once
/// The rectifier with a slope below zero, per channel or one for all, of images [C, N, H, W] and of feature matrices [N, C].
#include <lnpt/backend/cpu/channels.hpp>
#include <lnpt/backend/cpu/elementwise.hpp>

namespace lnpt::cpu {

namespace detail {

/// The channel of every run of elements: a run is one channel of an image, or a single feature.
template <class T>
struct channel_runs {
  std::size_t channels, runs, run;

  explicit channel_runs(array<T> const& x)
      : channels(x.dimension() == 4 ? x.shape()[0] : x.shape().back()),
        runs(x.dimension() == 4 ? channels : x.size()),
        run(runs == 0 ? 0 : x.size() / runs) {}

  [[nodiscard]] std::size_t channel(std::size_t i) const { return i % channels; }
};

template <class T>
[[nodiscard]] channel_runs<T> runs_for(array<T> const& x, std::size_t slopes) {
  channel_runs<T> const runs(x);
  if (slopes != 1 && slopes != runs.channels)
    fail("prelu: ", slopes, " slopes for an array of shape ", list(x.shape()), "; pass one, or one per channel");
  return runs;
}

}  // namespace detail

/// v where the gate is positive, a·v elsewhere.
template <class T>
[[nodiscard]] array<T> prelu(array<T> const& gate, array<T> const& v, array<T> const& a) {
  detail::require_same_size("prelu", gate, v);
  auto const runs = detail::runs_for(gate, a.size());
  auto result = array<T>::from_shape(v.shape());
  auto const fill = [&](std::size_t begin, std::size_t end, T slope) {
    for (auto i = begin; i < end; ++i) result.data()[i] = gate.data()[i] > T{0} ? v.data()[i] : slope * v.data()[i];
  };
  auto const slope_of = [&](std::size_t run) { return a.data()[a.size() == 1 ? 0 : runs.channel(run)]; };
  if (runs.run == 1)
    for_chunks(runs.runs, streaming_grain, [&](std::size_t begin, std::size_t end) {
      for (auto i = begin; i < end; ++i) fill(i, i + 1, slope_of(i));
    });
  else
    for_each_task(runs.runs, [&](std::size_t i) { fill(i * runs.run, (i + 1) * runs.run, slope_of(i)); });
  return result;
}

/// sums[c] = Σ g·v over the elements of a channel where the gate is not positive, or sums[0] over all; a's shape says which.
template <class T>
void prelu_sums(array<T> const& gate, array<T> const& v, array<T> const& g, shape const& a, array<T>& sums, bool accumulate) {
  detail::require_same_size("prelu_sums", gate, v);
  detail::require_same_size("prelu_sums", gate, g);
  auto const runs = detail::runs_for(gate, element_count(a));
  std::vector<double> parts(runs.runs);
  auto const sum = [&](std::size_t run) {
    for (auto i = run * runs.run; i < (run + 1) * runs.run; ++i)
      if (!(gate.data()[i] > T{0})) parts[run] += static_cast<double>(g.data()[i]) * static_cast<double>(v.data()[i]);
  };
  if (runs.run == 1)
    for (std::size_t i = 0; i < runs.runs; ++i) sum(i);
  else
    for_each_task(runs.runs, sum);
  if (!accumulate) sums = filled<T>(a, T{0});
  std::vector<double> totals(sums.size());
  for (std::size_t i = 0; i < parts.size(); ++i) totals[sums.size() == 1 ? 0 : runs.channel(i)] += parts[i];
  for (std::size_t c = 0; c < totals.size(); ++c) sums.data()[c] += static_cast<T>(totals[c]);
}

}  // namespace lnpt::cpu
