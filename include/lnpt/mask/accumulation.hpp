#pragma once
/// How the scores of several weights become the score of what they belong to.
#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lnpt {

/// How the scores of a channel's weights become the score of the channel. `first` is the score of its first weight alone: of random scores
/// any of the others is larger, or closer to the middle, the more weights a channel has.
enum class accumulation { sum, mean, maximum, l2, first };

namespace detail {

/// Accumulates scores in double.
struct accumulator {
  accumulation how;
  std::size_t count = 0;
  double total = 0;  ///< of l2: the squares; of maximum: the largest; of first: that one

  void add(double score) { add_total(how == accumulation::l2 ? score * score : score, 1); }
  /// The scores that another one accumulated, each times `factor` ≥ 0.
  void add(accumulator const& other, double factor) {
    if (other.count != 0) add_total((how == accumulation::l2 ? factor * factor : factor) * other.total, other.count);
  }
  [[nodiscard]] double value() const {
    if (how == accumulation::l2) return std::sqrt(total);
    return how == accumulation::mean && count != 0 ? total / static_cast<double>(count) : total;
  }

 private:
  void add_total(double amount, std::size_t more) {
    auto const is_first = count == 0;
    switch (how) {
      case accumulation::maximum: total = is_first ? amount : std::max(total, amount); break;
      case accumulation::first: total = is_first ? amount : total; break;
      default: total += amount;
    }
    count += more;
  }
};

}  // namespace detail
}  // namespace lnpt
