#pragma once
/// Stored weights in blocks that fit a thread's share of memory.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>
#include <utility>
#include <vector>

#include <lnpt/io/sharded_model.hpp>
#include <lnpt/out_of_core/options.hpp>
#include <lnpt/out_of_core/plan.hpp>

namespace lnpt::out_of_core {

/// The most weights that a thread holds at once where some of them compete with one another: 2 MiB of floats.
inline constexpr std::uint64_t block_weights = std::uint64_t{1} << 19;
/// The bytes that a thread reads at a time where nothing asks for more: they stay in its second cache until they are written.
inline constexpr std::uint64_t stream_bytes = std::uint64_t{1} << 18;

/// Weights `first`, `first + 1` … of a tensor.
struct weight_range {
  planned_tensor const* tensor;
  std::uint64_t first;
  std::uint64_t count;
};

/// A range cut out of one of several, by its place among them.
struct block {
  std::size_t range;
  weight_range weights;
};

/// The ranges cut into blocks of at most `weights_of(tensor)` weights.
template <class WeightsOf>
[[nodiscard]] std::vector<block> blocks_of(std::span<weight_range const> ranges, WeightsOf weights_of) {
  std::vector<block> blocks;
  for (std::size_t r = 0; r != ranges.size(); ++r) {
    std::uint64_t const most = weights_of(*ranges[r].tensor);
    for (std::uint64_t done = 0; done < ranges[r].count; done += most)
      blocks.push_back({r, {ranges[r].tensor, ranges[r].first + done, std::min(most, ranges[r].count - done)}});
  }
  return blocks;
}
/// The weights of a tensor that are read at a time.
[[nodiscard]] inline std::uint64_t stream_weights(planned_tensor const& tensor) { return stream_bytes / tensor.width(); }

/// One thread's memory: stored bytes, and keys.
struct workspace {
  std::vector<std::byte> bytes;
  std::vector<key> keys;

  /// Reads the bytes of a range.
  std::span<std::byte> read(io::sharded_model const& model, weight_range const& range) {
    auto const width = range.tensor->width();
    bytes.resize(static_cast<std::size_t>(range.count) * width);
    model.read(range.tensor->tensor, range.first * width, bytes);
    return bytes;
  }
  /// The keys of a range whose bytes were read, or of scores that need none.
  std::span<key> score(weight_range const& range) {
    keys.resize(static_cast<std::size_t>(range.count));
    range.tensor->scores.keys(range.first, bytes, keys);
    return keys;
  }
  /// What is ranked of a range is in memory after this: its bytes where its scores read them, its keys where those are no codes.
  void load(io::sharded_model const& model, weight_range const& range) {
    auto const& scores = range.tensor->scores;
    if (scores.reads()) static_cast<void>(read(model, range));
    if (!scores.is_coded()) static_cast<void>(score(range));
  }
  /// After `load`, the words whose codes are ranked.
  [[nodiscard]] std::span<std::byte const> words(score_source const& scores) const {
    return scores.is_coded() ? std::span<std::byte const>(bytes) : std::as_bytes(std::span(keys));
  }
};

/// Adds up what was done, and tells it from one thread at a time.
class meter {
 public:
  meter(prune_options const& options, std::uint64_t total) : tell_(options.progress), total_(total) {}

  void doing(char const* what) { what_ = what; }
  void advance(std::uint64_t bytes) {
    done_ += bytes;
    if (!tell_) return;
    if (std::unique_lock const lock(telling_, std::try_to_lock); lock) tell_(std::min(done_.load(), total_), total_, what_);
  }

 private:
  std::function<void(std::uint64_t, std::uint64_t, char const*)> const& tell_;
  std::uint64_t total_;
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<char const*> what_ = "";
  std::mutex telling_;
};

/// Shows the keys of all blocks to `visit(b, keys)`, in parallel: those of block b on one thread, in order, a few at a time.
template <class Visit>
void for_each_keys_of(io::sharded_model const& model, std::span<block const> blocks, meter& along, Visit&& visit) {
  constexpr std::uint64_t few = 8192;  // keys that stay in the first cache
  tbb::enumerable_thread_specific<workspace> memory;
  tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t b) {
    auto const& weights = blocks[b].weights;
    auto const& [tensor, first, size] = weights;
    auto& local = memory.local();
    auto const width = tensor->width();
    auto const reads = tensor->scores.reads();
    std::span<std::byte const> const bytes = reads ? local.read(model, weights) : std::span<std::byte>();
    local.keys.resize(static_cast<std::size_t>(few));
    for (std::uint64_t done = 0; done < size; done += few) {
      auto const count = static_cast<std::size_t>(std::min(few, size - done));
      auto const keys = std::span(local.keys).first(count);
      auto const part = reads ? bytes.subspan(static_cast<std::size_t>(done) * width, count * width) : bytes;
      tensor->scores.keys(first + done, part, keys);
      visit(b, std::span<key const>(keys));
    }
    if (reads) along.advance(size * width);
  });
}

/// Shows all ranges, loaded, to `visit(tensor, workspace)`, in parallel and in any order; returns, by range, what `visit` added up.
template <class Visit>
[[nodiscard]] std::vector<std::size_t> for_each_words(io::sharded_model const& model, std::span<weight_range const> ranges,
                                                      meter& along, Visit&& visit) {
  auto const blocks = blocks_of(ranges, stream_weights);
  std::vector<std::atomic<std::size_t>> sums(ranges.size());
  tbb::enumerable_thread_specific<workspace> memory;
  tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t b) {
    auto const& weights = blocks[b].weights;
    auto& local = memory.local();
    local.load(model, weights);
    sums[blocks[b].range] += static_cast<std::size_t>(visit(*weights.tensor, std::as_const(local)));
    if (weights.tensor->scores.reads()) along.advance(weights.count * weights.tensor->width());
  });
  return {sums.begin(), sums.end()};
}

}  // namespace lnpt::out_of_core
