#pragma once
/// Parallel loops over chunks that depend on the size of the work alone, never on the number of threads.
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>

namespace lnpt::cpu {

/// Elements per chunk of memory-bound passes: large enough to hide the scheduling, small enough to share among cores.
inline constexpr std::size_t streaming_grain = 16384;

/// Calls `f(i)` for every i below `count`, in parallel, each i a task of its own.
template <class F>
void for_each_task(std::size_t count, F&& f) {
  if (count == 0) return;
  if (count == 1) return f(std::size_t{0});
  namespace tbb = oneapi::tbb;
  auto const run = [&](tbb::blocked_range<std::size_t> const& range) {
    for (auto i = range.begin(); i != range.end(); ++i) f(i);
  };
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count, 1), run, tbb::simple_partitioner{});
}

/// How many chunks of `grain` cover `n` elements.
[[nodiscard]] constexpr std::size_t chunk_count(std::size_t n, std::size_t grain) { return (n + grain - 1) / grain; }

/// Calls `f(begin, end)` for every chunk of `grain` elements of [0, n), in parallel; the last chunk may be shorter.
template <class F>
void for_chunks(std::size_t n, std::size_t grain, F&& f) {
  for_each_task(chunk_count(n, grain), [&](std::size_t i) { f(i * grain, std::min(n, (i + 1) * grain)); });
}

/// The sum of `f(begin, end)` over the chunks of [0, n), added in the order of the chunks: the same bits for any thread count.
template <class Result, class F>
[[nodiscard]] Result sum_chunks(std::size_t n, std::size_t grain, Result total, F&& f) {
  std::vector<Result> parts(chunk_count(n, grain), total);
  for_each_task(parts.size(), [&](std::size_t i) { parts[i] = f(i * grain, std::min(n, (i + 1) * grain)); });
  for (auto const& part : parts) total += part;
  return total;
}

}  // namespace lnpt::cpu
