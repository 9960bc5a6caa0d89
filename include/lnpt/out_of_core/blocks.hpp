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
#include <vector>

#include <lnpt/io/sharded_model.hpp>
#include <lnpt/out_of_core/options.hpp>
#include <lnpt/out_of_core/plan.hpp>

namespace lnpt::out_of_core {

/// The most weights that a thread holds at once: 2 MiB of floats.
inline constexpr std::uint64_t block_weights = std::uint64_t{1} << 19;
/// The most bytes that a thread copies at once.
inline constexpr std::uint64_t block_bytes = block_weights * sizeof(float);

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

/// The ranges cut into blocks.
[[nodiscard]] inline std::vector<block> blocks_of(std::span<weight_range const> ranges) {
  std::vector<block> blocks;
  for (std::size_t r = 0; r != ranges.size(); ++r)
    for (std::uint64_t done = 0; done < ranges[r].count; done += block_weights)
      blocks.push_back({r, {ranges[r].tensor, ranges[r].first + done, std::min(block_weights, ranges[r].count - done)}});
  return blocks;
}

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

/// Shows the keys of all ranges to `visit(keys)`, in parallel and in any order, a few at a time; returns, by range, what `visit` added up.
template <class Visit>
[[nodiscard]] std::vector<std::size_t> for_each_keys(io::sharded_model const& model, std::span<weight_range const> ranges,
                                                     meter& along, Visit&& visit) {
  auto const blocks = blocks_of(ranges);
  std::vector<std::atomic<std::size_t>> sums(ranges.size());
  for_each_keys_of(model, blocks, along, [&](std::size_t b, std::span<key const> keys) { sums[blocks[b].range] += visit(keys); });
  return {sums.begin(), sums.end()};
}

}  // namespace lnpt::out_of_core
