#pragma once
/// Tensors from the files of a model to those of its pruned copy.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tbb/concurrent_queue.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>
#include <type_traits>
#include <vector>

#include <lnpt/core/budget.hpp>
#include <lnpt/io/empty_rows.hpp>
#include <lnpt/out_of_core/blocks.hpp>
#include <lnpt/out_of_core/output_folder.hpp>
#include <lnpt/out_of_core/rank_ranges.hpp>
#include <lnpt/out_of_core/select_block.hpp>

namespace lnpt::out_of_core {

/// What is counted of a pruned tensor on its way into the file, by several threads.
struct written_counts {
  io::dtype type;
  io::row_survey rows;
  std::atomic<std::uint64_t> nonzero = 0;

  void see(std::uint64_t first, std::span<std::byte const> bytes) {
    rows.see(first, bytes);
    nonzero += io::count_nonzero(bytes, type);
  }
};

/// Where the bytes of a tensor go.
struct destination {
  placed_file const* file;
  std::uint64_t offset;              ///< of the tensor's first byte
  written_counts* counts = nullptr;  ///< what looks at them on the way; null: nothing

  void write(std::uint64_t first, std::span<std::byte const> bytes) const {
    if (counts != nullptr) counts->see(first, bytes);
    file->write(offset + first, bytes);
  }
};

/// What pruning one tensor came to.
struct pruned_tensor {
  std::uint64_t decided_by_position = 0;
  bool all_zero = false;  ///< whether every score is 0
};

/// Copies a tensor as it is.
inline void copy_tensor(io::sharded_model const& model, io::stored_tensor const& tensor, destination to, meter& along) {
  auto const blocks = (tensor.bytes() + stream_bytes - 1) / stream_bytes;
  tbb::enumerable_thread_specific<std::vector<std::byte>> memory;
  tbb::parallel_for(std::uint64_t{0}, blocks, [&](std::uint64_t b) {
    auto const offset = b * stream_bytes;
    auto& bytes = memory.local();
    bytes.resize(static_cast<std::size_t>(std::min(stream_bytes, tensor.bytes() - offset)));
    model.read(tensor, offset, bytes);
    to.write(offset, bytes);
    along.advance(bytes.size());
  });
}

namespace detail {

/// A block on its way from one file to the other.
struct passing_block {
  workspace memory;
  weight_range weights = {};
  std::uint64_t tied = 0;  ///< how many of its keys equal the threshold
  std::uint64_t ties = 0;  ///< how many of those stay
};

/// Shows the blocks of a range to `first`, one after another to `ordered`, and to `last`, each as a `passing_block`; first and last ones of
/// several blocks at a time, of which two for each thread are in memory.
template <class First, class Ordered, class Last>
void pass_blocks(weight_range const& range, First first, Ordered ordered, Last last) {
  auto const blocks = blocks_of({&range, 1}, stream_weights);
  std::vector<passing_block> memory(
      std::min(blocks.size(), 2 * static_cast<std::size_t>(tbb::this_task_arena::max_concurrency())));
  tbb::concurrent_queue<passing_block*> idle;
  for (auto& each : memory) idle.push(&each);
  std::size_t next = 0;
  auto const take = [&](tbb::flow_control& control) -> passing_block* {
    passing_block* taken = nullptr;
    if (next == blocks.size()) {
      control.stop();
      return taken;
    }
    while (!idle.try_pop(taken)) {  // there is one, since no more blocks are under way than memory has
    }
    taken->weights = blocks[next++].weights;
    return taken;
  };
  auto const stage = [](auto work) {
    return [work](passing_block* each) {
      work(*each);
      return each;
    };
  };
  using mode = tbb::filter_mode;
  tbb::parallel_pipeline(memory.size(),
                         tbb::make_filter<void, passing_block*>(mode::serial_in_order, take) &
                             tbb::make_filter<passing_block*, passing_block*>(mode::parallel, stage(first)) &
                             tbb::make_filter<passing_block*, passing_block*>(mode::serial_in_order, stage(ordered)) &
                             tbb::make_filter<passing_block*, void>(mode::parallel, [&](passing_block* each) {
                               last(*each);
                               idle.push(each);
                             }));
}

}  // namespace detail

/// Copies a range with the weights that a threshold does not keep cleared. `ties` is how many that equal it may stay, the first ones;
/// it is lowered by those that do.
inline void write_by_threshold(io::sharded_model const& model, weight_range const& range, key above, std::uint64_t& ties,
                               destination to, meter& along) {
  auto const& scores = range.tensor->scores;
  auto const width = range.tensor->width();
  with_codes(scores, {}, {}, width, [&]<class Codes, class Word>(Codes, Word) {
    using code = typename Codes::code;
    auto const bound = least_code<code>(scores, above);
    auto const may_tie = above <= largest_key && detail::key_of_code(scores, bound) == above;
    auto const codes_of = [](workspace const& memory) {
      if constexpr (std::is_same_v<Codes, key_codes>)
        return Codes{memory.keys.data()};
      else
        return Codes{memory.bytes.data()};
    };
    detail::pass_blocks(
        range,
        [&](detail::passing_block& each) {
          if (!scores.reads()) static_cast<void>(each.memory.read(model, each.weights));
          each.memory.load(model, each.weights);
          auto const codes = codes_of(each.memory);
          each.tied = may_tie ? count_codes<code>(static_cast<std::size_t>(each.weights.count),
                                                  [=](std::size_t i) { return codes[i] == bound; })
                              : 0;
        },
        [&](detail::passing_block& each) {
          each.ties = std::min(each.tied, ties);
          ties -= each.ties;
        },
        [&](detail::passing_block& each) {
          static_cast<void>(clear_below<Word>(codes_of(each.memory), static_cast<std::size_t>(each.weights.count),
                                              code_threshold<code>{bound, each.tied, each.ties}, each.memory.bytes.data()));
          to.write(each.weights.first * width, each.memory.bytes);
          along.advance(each.memory.bytes.size());
        });
  });
}

namespace detail {

/// Shows a tensor in blocks of whole units to `clear(codes, weights, stored, Word{})`, which returns how many weights their place alone
/// decided, and writes what that leaves; refuses scores that are NaN or infinite.
template <class Clear>
[[nodiscard]] pruned_tensor write_by_units(io::sharded_model const& model, planned_tensor const& planned, std::uint64_t unit,
                                           destination to, meter& along, Clear clear) {
  auto const width = planned.width();
  auto const block = std::max(unit, stream_weights(planned) / unit * unit);
  std::atomic<std::size_t> nonfinite = 0;
  std::atomic<std::uint64_t> decided = 0;
  std::atomic<bool> all_zero = true;
  tbb::enumerable_thread_specific<workspace> memory;
  tbb::parallel_for(std::uint64_t{0}, (planned.size() + block - 1) / block, [&](std::uint64_t b) {
    weight_range const range{&planned, b * block, std::min(block, planned.size() - b * block)};
    auto& local = memory.local();
    static_cast<void>(local.read(model, range));
    if (!planned.scores.is_coded()) static_cast<void>(local.score(range));
    auto const size = static_cast<std::size_t>(range.count);
    with_codes(planned.scores, local.bytes, local.keys, width, [&]<class Codes>(Codes codes, auto word) {
      nonfinite += static_cast<std::size_t>(count_nonfinite(codes, size, planned.scores, local.bytes));
      if (count_codes<typename Codes::code>(size, [codes](std::size_t i) { return codes[i] != 0; }) != 0) all_zero = false;
      decided += clear(codes, size, local.bytes.data(), word);
    });
    to.write(range.first * width, local.bytes);
    along.advance(local.bytes.size());
  });
  weight_range const whole{&planned, 0, planned.size()};
  std::size_t const count = nonfinite;
  require_finite({&whole, 1}, {&count, 1});
  return {.decided_by_position = decided, .all_zero = all_zero};
}

}  // namespace detail

/// Keeps the same share of every `unit` consecutive weights, of a row or of the whole tensor, and so many at least where any is to stay.
[[nodiscard]] inline pruned_tensor write_in_units(io::sharded_model const& model, planned_tensor const& planned,
                                                  std::uint64_t unit, density keep, std::size_t least, destination to,
                                                  meter& along) {
  auto const share = kept_count(keep, static_cast<std::size_t>(unit));
  auto const n = std::uint64_t{keep.value() > 0 ? std::max(share, least) : share};
  pruned_tensor result;
  if (unit > block_weights) {
    result.all_zero = n != 0;  // where nothing is to stay, nothing was ranked
    for (std::uint64_t first = 0; first != planned.size(); first += unit) {
      weight_range const range{&planned, first, unit};
      auto found = rank_ranges(model, {&range, 1}, n, along);
      result.decided_by_position += found.decided_by_position();
      result.all_zero = result.all_zero && found.above == 0 && found.tied == unit;
      write_by_threshold(model, range, found.above, found.ties, to, along);
    }
  } else {
    auto const each = static_cast<std::size_t>(unit);
    result = detail::write_by_units(model, planned, unit, to, along,
                                    [&]<class Codes, class Word>(Codes codes, std::size_t size, std::byte* stored, Word) {
                                      std::uint64_t decided = 0;
                                      code_selection<typename Codes::code> select;
                                      for (std::size_t first = 0; first != size; first += each) {
                                        auto const mine = codes.from(first);
                                        auto const found = select(mine, each, n);
                                        decided += found.decided_by_position();
                                        static_cast<void>(clear_below<Word>(mine, each, found, stored + first * sizeof(Word)));
                                      }
                                      return decided;
                                    });
  }
  return result;
}

/// Keeps n of every m consecutive inputs.
[[nodiscard]] inline pruned_tensor write_n_of_m(io::sharded_model const& model, planned_tensor const& planned, std::size_t n,
                                                std::size_t m, destination to, meter& along) {
  auto const inner = static_cast<std::size_t>(planned.layout->inner);
  return detail::write_by_units(model, planned, m * inner, to, along,
                                [&]<class Word>(auto codes, std::size_t size, std::byte* stored, Word) {
                                  return clear_n_of_m<Word>(codes, size, n, m, inner, stored);
                                });
}

}  // namespace lnpt::out_of_core
