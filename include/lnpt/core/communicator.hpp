#pragma once
/// What several processes that prune one model together talk through.
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <lnpt/core/error.hpp>

namespace lnpt {

/// Thrown where a process stopped answering: no further exchange can succeed, so the others report this and end.
class lost_rank : public error {
 public:
  using error::error;
};

/// A group of processes ("ranks"), each of which calls the same members in the same order:
///
///     rank(), size()          the place of this process, from 0, and how many there are
///     time_limit()            how long an exchange waits for the slowest rank before it throws `lost_rank`
///     sum(values)             each value becomes its sum over the ranks: the same bits on every rank
///     gather(bytes)           what every rank passed, by rank; lengths may differ
///     broadcast(bytes, from)  the bytes of rank `from`; lengths agree
///
/// `lnpt::mpi::communicator` is one (mpi.hpp). `conformance::examine_communicator` examines one of your own.
template <class C>
concept communicator = requires(C& ranks, C const& fixed, std::span<double> doubles, std::span<float> floats,
                                std::span<std::uint64_t> counts, std::span<std::byte> bytes, std::span<std::byte const> mine) {
  { fixed.rank() } -> std::convertible_to<std::size_t>;
  { fixed.size() } -> std::convertible_to<std::size_t>;
  { fixed.time_limit() } -> std::convertible_to<std::chrono::milliseconds>;
  ranks.sum(doubles);
  ranks.sum(floats);
  ranks.sum(counts);
  { ranks.gather(mine) } -> std::same_as<std::vector<std::vector<std::byte>>>;
  ranks.broadcast(bytes, std::size_t{});
};

/// One process: nothing to exchange. It compiles away.
struct alone {
  [[nodiscard]] static constexpr std::size_t rank() { return 0; }
  [[nodiscard]] static constexpr std::size_t size() { return 1; }
  [[nodiscard]] static constexpr std::chrono::milliseconds time_limit() { return std::chrono::minutes(1); }
  template <class T>
  static constexpr void sum(std::span<T>) {}
  [[nodiscard]] static std::vector<std::vector<std::byte>> gather(std::span<std::byte const> mine) {
    return {{mine.begin(), mine.end()}};
  }
  static constexpr void broadcast(std::span<std::byte>, std::size_t) {}
};

}  // namespace lnpt
