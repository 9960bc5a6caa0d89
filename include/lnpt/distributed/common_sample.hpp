#pragma once
/// Where the threshold of scores lies, about, of which several processes have parts.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/distributed/gathered_values.hpp>
#include <lnpt/mask/ranking.hpp>

namespace lnpt::detail {

/// What processes tell each other of their scores before they count: how many each has, and keys of some, which stand for equally many.
template <class Key>
class common_sample {
 public:
  /// The most keys that a process sends: 8 KiB of those of floats.
  static constexpr std::size_t most = 2048;

  void add(std::span<std::byte const> message) {
    std::uint64_t ranked = 0;
    std::memcpy(&ranked, message.data(), sizeof ranked);
    std::vector<Key> keys;
    append_values(keys, message.subspan(sizeof ranked));
    ranked_ += ranked;
    for (auto const k : keys) drawn_.push_back({k, static_cast<double>(ranked) / static_cast<double>(keys.size())});
  }
  [[nodiscard]] static std::vector<std::byte> message(std::uint64_t ranked, std::vector<Key> keys) {
    std::ranges::sort(keys);
    auto const count = std::min(keys.size(), most);
    for (std::size_t i = 0; i < count; ++i) keys[i] = keys[(2 * i + 1) * keys.size() / (2 * count)];
    keys.resize(count);
    auto const number = std::as_bytes(std::span(&ranked, 1));
    auto const rest = std::as_bytes(std::span(keys));
    std::vector<std::byte> bytes(number.begin(), number.end());
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
  }

  [[nodiscard]] std::uint64_t ranked() const { return ranked_; }
  /// Keys between which the n-th lies, in all likelihood; the same on every process.
  [[nodiscard]] bracket<Key> around(std::size_t n, bracket<Key> widest) {
    constexpr double deviations = 4.5;
    std::ranges::sort(drawn_, std::greater<>(), &pair::first);
    auto const all = static_cast<double>(ranked_);
    auto const fraction = static_cast<double>(n) / all;
    auto margin = all * deviations * std::sqrt(fraction * (1 - fraction) / static_cast<double>(drawn_.size()));
    double heaviest = 0;
    for (auto const& [k, weight] : drawn_) heaviest = std::max(heaviest, weight);
    margin += 2 * heaviest;
    auto ends = widest;
    double above = 0;
    for (auto const& [k, weight] : drawn_) {
      above += weight;
      if (above <= static_cast<double>(n) - margin) ends.high = k;
      if (above < static_cast<double>(n) + margin) continue;
      ends.low = k;
      break;
    }
    return ends;
  }

 private:
  using pair = std::pair<Key, double>;

  std::uint64_t ranked_ = 0;
  std::vector<pair> drawn_;  ///< a key, and how many scores it stands for
};

}  // namespace lnpt::detail
