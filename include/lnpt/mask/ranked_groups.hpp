#pragma once
/// The n best of every m keys, many groups at a time.
#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace lnpt::detail {

/// Groups of m keys side by side: lane g holds the keys of group g. Loops run over the lanes, without branches, so that compilers turn
/// them into vector instructions.
template <class Key>
class ranked_groups {
 public:
  static constexpr std::size_t lanes = 64;
  using lane_keys = std::array<Key, lanes>;

  explicit ranked_groups(std::size_t m) : keys_(m), before_(m), parted_(m) {}

  /// The i-th key of every group, to be written.
  [[nodiscard]] lane_keys& keys(std::size_t i) { return keys_[i]; }

  /// Keeps the n best of every group: a key stays if fewer than n come before it, larger ones and equal ones that are earlier.
  void keep(std::size_t n) {
    for (auto& before : before_) before.fill(0);
    for_each_pair([&](std::size_t i, std::size_t j) {
      for (std::size_t g = 0; g < lanes; ++g) {
        auto const later_is_larger = static_cast<Key>(keys_[j][g] > keys_[i][g]);
        before_[i][g] = static_cast<Key>(before_[i][g] + later_is_larger);
        before_[j][g] = static_cast<Key>(before_[j][g] + Key{1} - later_is_larger);
      }
    });
    for (auto& before : before_)
      for (auto& count : before) count = count < static_cast<Key>(n);
  }
  /// Whether the i-th key of each group stays, after `keep`: 1 or 0.
  [[nodiscard]] lane_keys const& stays(std::size_t i) const { return before_[i]; }

  /// How many keys of the first `groups` lanes their place alone decided, after `keep`: those that equal a key of their group which
  /// fared otherwise. Keys of `none` do not count.
  [[nodiscard]] std::size_t decided_by_position(std::size_t groups, Key none) {
    for (auto& parted : parted_) parted.fill(0);
    for_each_pair([&](std::size_t i, std::size_t j) {
      for (std::size_t g = 0; g < lanes; ++g) {
        auto const is_parted = static_cast<Key>(keys_[i][g] == keys_[j][g]) & (before_[i][g] ^ before_[j][g]) &
                               static_cast<Key>(keys_[i][g] != none);
        parted_[i][g] |= is_parted;
        parted_[j][g] |= is_parted;
      }
    });
    std::size_t count = 0;
    for (auto const& parted : parted_)
      count += static_cast<std::size_t>(std::count(parted.begin(), parted.begin() + static_cast<std::ptrdiff_t>(groups), Key{1}));
    return count;
  }

 private:
  template <class Visit>
  void for_each_pair(Visit visit) const {
    for (std::size_t j = 1; j < keys_.size(); ++j)
      for (std::size_t i = 0; i < j; ++i) visit(i, j);
  }

  std::vector<lane_keys> keys_;
  std::vector<lane_keys> before_;  ///< how many of its group come before a key; after `keep` whether it stays
  std::vector<lane_keys> parted_;
};

/// Keeps the n best of every m keys, of groups `first` to `last`. Keys lie in tiles of m · inner, those of one group `inner` apart.
/// `key_at(place)` gives a key and `put(place, stays)` is told what becomes of it. Returns how many keys their place alone decided, those of
/// `none` left out.
template <class Key, class KeyAt, class Put>
std::size_t keep_best_of_groups(std::size_t first, std::size_t last, std::size_t n, std::size_t m, std::size_t inner, Key none,
                                KeyAt key_at, Put put) {
  using groups = ranked_groups<Key>;
  groups ranked(m);
  std::array<std::size_t, groups::lanes> places;
  auto tile = first / inner * m * inner;
  auto within = first % inner;
  std::size_t decided = 0;
  for (; first < last; first += groups::lanes) {
    auto const count = std::min(groups::lanes, last - first);
    for (std::size_t g = 0; g < count; ++g) {
      places[g] = tile + within;
      if (++within == inner) {
        within = 0;
        tile += m * inner;
      }
    }
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t g = 0; g < count; ++g) ranked.keys(i)[g] = key_at(places[g] + i * inner);
    ranked.keep(n);
    decided += ranked.decided_by_position(count, none);
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t g = 0; g < count; ++g) put(places[g] + i * inner, ranked.stays(i)[g] != 0);
  }
  return decided;
}

}  // namespace lnpt::detail
