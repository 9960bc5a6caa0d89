#pragma once
/// Disjoint sets of consecutive numbers.
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace lnpt::detail {

/// Disjoint sets; `find` names the set of an element by one of its members. Tarjan, JACM 1975, with path halving.
class union_find {
 public:
  /// Adds `count` elements, each a set of its own; returns the first.
  std::size_t add(std::size_t count) {
    auto const first = parents_.size();
    parents_.resize(first + count);
    std::iota(parents_.begin() + static_cast<std::ptrdiff_t>(first), parents_.end(), first);
    return first;
  }
  [[nodiscard]] std::size_t find(std::size_t a) {
    while (parents_[a] != a) a = parents_[a] = parents_[parents_[a]];
    return a;
  }
  void join(std::size_t a, std::size_t b) { parents_[find(a)] = find(b); }
  [[nodiscard]] std::size_t size() const { return parents_.size(); }

 private:
  std::vector<std::size_t> parents_;
};

}  // namespace lnpt::detail
