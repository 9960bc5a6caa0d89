#pragma once
/// Tensors from the files of a model to those of its pruned copy.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <vector>

#include <lnpt/core/budget.hpp>
#include <lnpt/out_of_core/blocks.hpp>
#include <lnpt/out_of_core/output_folder.hpp>
#include <lnpt/out_of_core/rank_ranges.hpp>
#include <lnpt/out_of_core/select_block.hpp>

namespace lnpt::out_of_core {

/// Where the bytes of a tensor go.
struct destination {
  placed_file const* file;
  std::uint64_t offset;  ///< of the tensor's first byte
};

/// What pruning one tensor came to.
struct pruned_tensor {
  std::uint64_t kept = 0;
  std::uint64_t decided_by_position = 0;
  bool all_zero = false;  ///< whether every score is 0
};

/// Copies a tensor as it is.
inline void copy_tensor(io::sharded_model const& model, io::stored_tensor const& tensor, destination to, meter& along) {
  auto const blocks = (tensor.bytes() + block_bytes - 1) / block_bytes;
  tbb::enumerable_thread_specific<std::vector<std::byte>> memory;
  tbb::parallel_for(std::uint64_t{0}, blocks, [&](std::uint64_t b) {
    auto const offset = b * block_bytes;
    auto& bytes = memory.local();
    bytes.resize(static_cast<std::size_t>(std::min(block_bytes, tensor.bytes() - offset)));
    model.read(tensor, offset, bytes);
    to.file->write(to.offset + offset, bytes);
    along.advance(bytes.size());
  });
}

/// Copies a range with the weights that a threshold does not keep cleared. `ties` is how many that equal it may stay, the first ones;
/// it is lowered by those that do. Returns how many weights stay. As many blocks as there are threads are in memory at once.
[[nodiscard]] inline std::uint64_t write_by_threshold(io::sharded_model const& model, weight_range const& range, key above,
                                                      std::uint64_t& ties, destination to, meter& along) {
  auto const blocks = blocks_of({&range, 1});
  auto const width = range.tensor->width();
  auto const wave = static_cast<std::size_t>(tbb::this_task_arena::max_concurrency());
  std::vector<workspace> memory(std::min(wave, blocks.size()));
  std::vector<std::uint64_t> tied(memory.size());
  std::vector<std::uint64_t> kept(memory.size());
  std::uint64_t total = 0;
  for (std::size_t begin = 0; begin < blocks.size(); begin += memory.size()) {
    auto const count = std::min(memory.size(), blocks.size() - begin);
    tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
      static_cast<void>(memory[i].read(model, blocks[begin + i].weights));
      auto const keys = memory[i].score(blocks[begin + i].weights);
      tied[i] = ties == 0 ? 0 : static_cast<std::uint64_t>(std::ranges::count(keys, above));
    });
    for (std::size_t i = 0; i != count; ++i) {
      tied[i] = std::min(tied[i], ties);
      ties -= tied[i];
    }
    tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
      auto const first = blocks[begin + i].weights.first;
      kept[i] = clear_below(memory[i].keys, above, tied[i], memory[i].bytes.data(), width);
      to.file->write(to.offset + first * width, memory[i].bytes);
      along.advance(memory[i].bytes.size());
    });
    total += std::accumulate(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(count), std::uint64_t{0});
  }
  return total;
}

namespace detail {

/// Shows a tensor in blocks of whole units, each with its keys, to `clear(keys, bytes)`, which returns how many weights their place alone
/// decided, and writes what that leaves; refuses scores that are NaN or infinite. `kept` is left to the caller.
template <class Clear>
[[nodiscard]] pruned_tensor write_by_units(io::sharded_model const& model, planned_tensor const& planned, std::uint64_t unit,
                                           destination to, meter& along, Clear clear) {
  auto const width = planned.width();
  auto const block = std::max(unit, block_weights / unit * unit);
  std::atomic<std::size_t> nonfinite = 0;
  std::atomic<std::uint64_t> decided = 0;
  std::atomic<bool> all_zero = true;
  tbb::enumerable_thread_specific<workspace> memory;
  tbb::parallel_for(std::uint64_t{0}, (planned.size() + block - 1) / block, [&](std::uint64_t b) {
    weight_range const range{&planned, b * block, std::min(block, planned.size() - b * block)};
    auto& local = memory.local();
    static_cast<void>(local.read(model, range));
    auto const keys = local.score(range);
    nonfinite += static_cast<std::size_t>(std::ranges::count_if(keys, [](key k) { return k >= infinity_key; }));
    if (std::ranges::any_of(keys, [](key k) { return k != 0; })) all_zero = false;
    decided += clear(keys, std::span(local.bytes));
    to.file->write(to.offset + range.first * width, local.bytes);
    along.advance(local.bytes.size());
  });
  weight_range const whole{&planned, 0, planned.size()};
  std::size_t const count = nonfinite;
  require_finite({&whole, 1}, {&count, 1});
  return {.decided_by_position = decided, .all_zero = all_zero};
}

}  // namespace detail

/// Keeps the same share of every `unit` consecutive weights: of a row, or of the whole tensor.
[[nodiscard]] inline pruned_tensor write_in_units(io::sharded_model const& model, planned_tensor const& planned,
                                                  std::uint64_t unit, density keep, destination to, meter& along) {
  auto const n = std::uint64_t{kept_count(keep, static_cast<std::size_t>(unit))};
  pruned_tensor result;
  if (unit > block_weights) {
    result.all_zero = n != 0;  // where nothing is to stay, nothing was ranked
    for (std::uint64_t first = 0; first != planned.size(); first += unit) {
      weight_range const range{&planned, first, unit};
      auto found = rank_ranges(model, {&range, 1}, n, along);
      result.decided_by_position += found.decided_by_position();
      result.all_zero = result.all_zero && found.above == 0 && found.tied == unit;
      static_cast<void>(write_by_threshold(model, range, found.above, found.ties, to, along));
    }
  } else {
    auto const width = planned.width();
    result = detail::write_by_units(model, planned, unit, to, along, [&](std::span<key const> keys, std::span<std::byte> bytes) {
      std::uint64_t decided = 0;
      for (std::size_t first = 0; first != keys.size(); first += static_cast<std::size_t>(unit)) {
        auto const mine = keys.subspan(first, static_cast<std::size_t>(unit));
        auto found = threshold_of(mine, n);
        decided += found.decided_by_position();
        static_cast<void>(clear_below(mine, found.above, found.ties, bytes.data() + first * width, width));
      }
      return decided;
    });
  }
  result.kept = planned.size() / unit * n;
  return result;
}

/// Keeps n of every m consecutive inputs.
[[nodiscard]] inline pruned_tensor write_n_of_m(io::sharded_model const& model, planned_tensor const& planned, std::size_t n,
                                                std::size_t m, destination to, meter& along) {
  auto const inner = planned.layout.inner;
  auto result =
      detail::write_by_units(model, planned, m * inner, to, along, [&](std::span<key const> keys, std::span<std::byte> bytes) {
        return clear_n_of_m(keys, n, m, static_cast<std::size_t>(inner), bytes.data(), planned.width());
      });
  result.kept = planned.size() / m * n;
  return result;
}

}  // namespace lnpt::out_of_core
