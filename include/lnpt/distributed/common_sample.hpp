#pragma once
/// Where the threshold of scores lies, about, of which several processes have parts.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <span>
#include <vector>

#include <lnpt/distributed/gathered_values.hpp>
#include <lnpt/mask/ranking.hpp>

namespace lnpt::detail {

/// What processes tell each other of their scores before they count: how many each has, and keys of some, which stand for equally many.
template <class Key>
class common_sample {
 public:
  /// The most keys that one of so many processes passes on: 16 KiB. One alone sends nothing, and looks at as many as pay.
  [[nodiscard]] static constexpr std::size_t most(std::size_t ranks) {
    return (std::size_t{1} << (ranks == 1 ? 16 : 14)) / sizeof(Key);
  }

  void add(std::span<std::byte const> message) {
    std::uint64_t ranked = 0;
    std::memcpy(&ranked, message.data(), sizeof ranked);
    auto& mine = parts_.emplace_back();
    append_values(mine.keys, message.subspan(sizeof ranked));
    mine.weight = static_cast<double>(ranked) / static_cast<double>(std::max<std::size_t>(mine.keys.size(), 1));
    ranked_ += ranked;
  }
  [[nodiscard]] static std::vector<std::byte> message(std::uint64_t ranked, std::span<Key const> keys) {
    auto const number = std::as_bytes(std::span(&ranked, 1));
    auto const rest = std::as_bytes(keys);
    std::vector<std::byte> bytes(number.begin(), number.end());
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
  }

  [[nodiscard]] std::uint64_t ranked() const { return ranked_; }
  /// Keys between which the n-th lies, in all likelihood; the same on every process. The margin is 3.5 standard deviations of a count
  /// of as many equal keys as these are worth, (Σ w)² / Σ w² by the weights w (Kish 1965).
  [[nodiscard]] bracket<Key> around(std::size_t n, bracket<Key> widest) const {
    constexpr double deviations = 3.5;
    double all = 0;
    double squares = 0;
    double heaviest = 0;
    for (auto const& [keys, weight] : parts_) {
      auto const count = static_cast<double>(keys.size());
      all += count * weight;
      squares += count * weight * weight;
      heaviest = std::max(heaviest, count > 0 ? weight : 0);
    }
    auto const fraction = static_cast<double>(n) / static_cast<double>(ranked_);
    auto const margin = deviations * std::sqrt(fraction * (1 - fraction) * squares) + 2 * heaviest;
    auto const low = fraction * all + margin;
    auto const high = fraction * all - margin;
    return {low > all ? widest.low : key_at(low, widest), high <= 0 ? widest.high : key_at(high, widest)};
  }

 private:
  /// Keys of one process, and how many scores each of them stands for.
  struct part {
    std::vector<Key> keys;
    double weight = 0;
  };

  /// The largest key that, with all above it, stands for so many scores. Found by halves of the range, since counting takes compilers' vector
  /// instructions and moving keys about does not.
  [[nodiscard]] Key key_at(double wanted, bracket<Key> range) const {
    auto [low, high] = range;
    while (low < high) {
      auto const middle = std::midpoint(high, low);  // rounds upwards
      if (weight_from(middle) >= wanted)
        low = middle;
      else
        high = middle - 1;
    }
    return low;
  }
  [[nodiscard]] double weight_from(Key least) const {
    double sum = 0;
    for (auto const& [keys, weight] : parts_) {
      Key count = 0;
      for (auto const k : keys) count += k >= least;
      sum += weight * static_cast<double>(count);
    }
    return sum;
  }

  std::uint64_t ranked_ = 0;
  std::vector<part> parts_;
};

}  // namespace lnpt::detail
