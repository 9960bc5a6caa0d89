#pragma once
/// Where the threshold of scores lies, about, of which several processes have parts.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
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
  /// The most keys that a process sends: 16 KiB.
  static constexpr std::size_t most = (std::size_t{1} << 14) / sizeof(Key);

  void add(std::span<std::byte const> message) {
    std::uint64_t ranked = 0;
    std::memcpy(&ranked, message.data(), sizeof ranked);
    std::vector<Key> keys;
    append_values(keys, message.subspan(sizeof ranked));
    ranked_ += ranked;
    for (auto const k : keys) drawn_.push_back({k, static_cast<double>(ranked) / static_cast<double>(keys.size())});
  }
  [[nodiscard]] static std::vector<std::byte> message(std::uint64_t ranked, std::vector<Key> const& keys) {
    auto const number = std::as_bytes(std::span(&ranked, 1));
    auto const rest = std::as_bytes(std::span(keys)).first(std::min(keys.size(), most) * sizeof(Key));
    std::vector<std::byte> bytes(number.begin(), number.end());
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
  }

  [[nodiscard]] std::uint64_t ranked() const { return ranked_; }
  /// Keys between which the n-th lies, in all likelihood; the same on every process. The margin is 3.5 standard deviations of a count
  /// of as many equal keys as these are worth, (Σ w)² / Σ w² by the weights w (Kish 1965).
  [[nodiscard]] bracket<Key> around(std::size_t n, bracket<Key> widest) {
    constexpr double deviations = 3.5;
    double all = 0;
    double squares = 0;
    double heaviest = 0;
    for (auto const& [k, weight] : drawn_) {
      all += weight;
      squares += weight * weight;
      heaviest = std::max(heaviest, weight);
    }
    auto const fraction = static_cast<double>(n) / static_cast<double>(ranked_);
    auto const margin = deviations * std::sqrt(fraction * (1 - fraction) * squares) + 2 * heaviest;
    auto const low = find(fraction * all + margin, drawn_.end());
    auto const low_key = low == drawn_.end() ? widest.low : low->key;
    auto const high = find(fraction * all - margin, low == drawn_.end() ? low : low + 1);  // among those above it
    return {low_key, high == drawn_.end() ? widest.high : high->key};
  }

 private:
  struct weighted {
    Key key;
    double weight;  ///< how many scores the key stands for
  };
  using place_in = typename std::vector<weighted>::iterator;

  [[nodiscard]] static double weight_of(place_in first, place_in last) {
    return std::accumulate(first, last, 0.0, [](double sum, weighted const& each) { return sum + each.weight; });
  }

  /// Where the largest key is that, with all above it, stands for `wanted` scores; the end of all where no key before `last` does. The
  /// keys above it come to lie before it.
  [[nodiscard]] place_in find(double wanted, place_in last) {
    auto first = drawn_.begin();
    if (wanted <= 0 || wanted > weight_of(first, last)) return drawn_.end();
    double above = 0;
    while (last - first > 1) {  // halves, of which the one that holds the place is searched on
      auto const middle = first + (last - first) / 2;
      std::ranges::nth_element(first, middle, last, std::greater<>(), &weighted::key);
      if (auto const upper = weight_of(first, middle); above + upper >= wanted) {
        last = middle;
      } else {
        above += upper;
        first = middle;
      }
    }
    return first;
  }

  std::uint64_t ranked_ = 0;
  std::vector<weighted> drawn_;
};

}  // namespace lnpt::detail
