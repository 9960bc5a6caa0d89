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
        auto const is_parted = static_cast<Key>(static_cast<Key>(keys_[i][g] == keys_[j][g]) & (before_[i][g] ^ before_[j][g]) &
                                                static_cast<Key>(keys_[i][g] != none));
        parted_[i][g] = static_cast<Key>(parted_[i][g] | is_parted);
        parted_[j][g] = static_cast<Key>(parted_[j][g] | is_parted);
      }
    });
    std::size_t count = 0;
    for (auto const& parted : parted_) {
      Key here = 0;  // as many as there are lanes fit any key
      for (std::size_t g = 0; g < groups; ++g) here = static_cast<Key>(here + parted[g]);
      count += static_cast<std::size_t>(here);
    }
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

/// Whether places i and i + d, of 64 groups of M neighbours, are of one group: 1 or 0, by d and i.
template <class Key, std::size_t M>
inline constexpr auto pairs_within_groups = [] {
  std::array<std::array<Key, 64 * M>, M> within{};
  for (std::size_t d = 0; d < M; ++d)
    for (std::size_t i = 0; i < 64 * M; ++i) within[d][i] = i % M + d < M;
  return within;
}();

/// Keeps the n best of each of 64 groups whose M keys are neighbours, from `place` on, as `keep_best_of_groups` does. All pairs that lie the
/// same distance apart are compared at once where they lie, so that no key has to move to a lane of its group.
template <class Key, std::size_t M, class KeyAt, class Put>
std::size_t keep_best_of_neighbours(std::size_t place, std::size_t n, Key none, KeyAt key_at, Put put) {
  constexpr std::size_t size = 64 * M;
  std::array<Key, size + M> keys{};  // the last M are of no group
  std::array<Key, size + M> stays{};
  std::array<Key, size + M> parted{};
  for (std::size_t i = 0; i < size; ++i) keys[i] = key_at(place + i);
  for (std::size_t d = 1; d < M; ++d) {
    auto const& within = pairs_within_groups<Key, M>[d];
    for (std::size_t i = 0; i < size; ++i)
      stays[i] = static_cast<Key>(stays[i] + (static_cast<Key>(keys[i + d] > keys[i]) & within[i]));
    for (std::size_t i = 0; i < size; ++i)
      stays[i + d] = static_cast<Key>(stays[i + d] + (static_cast<Key>(keys[i + d] <= keys[i]) & within[i]));
  }
  for (auto& before : stays) before = before < static_cast<Key>(n);
  for (std::size_t d = 1; d < M; ++d) {
    auto const& within = pairs_within_groups<Key, M>[d];
    std::array<Key, size> apart;
    for (std::size_t i = 0; i < size; ++i)
      apart[i] = static_cast<Key>(static_cast<Key>(keys[i] == keys[i + d]) & static_cast<Key>(keys[i] != none) &
                                  (stays[i] ^ stays[i + d]) & within[i]);
    for (std::size_t i = 0; i < size; ++i) parted[i] = static_cast<Key>(parted[i] | apart[i]);
    for (std::size_t i = 0; i < size; ++i) parted[i + d] = static_cast<Key>(parted[i + d] | apart[i]);
  }
  for (std::size_t i = 0; i < size; ++i) put(place + i, stays[i] != 0);
  std::size_t decided = 0;
  for (std::size_t first = 0; first < size; first += 64) {
    Key here = 0;
    for (std::size_t i = 0; i < 64; ++i) here = static_cast<Key>(here + parted[first + i]);
    decided += static_cast<std::size_t>(here);
  }
  return decided;
}

/// Keeps the n best of every m keys, of groups `first` to `last`. Keys lie in tiles of m · inner, those of one group `inner` apart.
/// `key_at(place)` gives a key and `put(place, stays)` is told what becomes of it. Returns how many keys their place alone decided, those of
/// `none` left out.
template <class Key, class KeyAt, class Put>
std::size_t keep_best_of_groups(std::size_t first, std::size_t last, std::size_t n, std::size_t m, std::size_t inner, Key none,
                                KeyAt key_at, Put put) {
  using groups = ranked_groups<Key>;
  groups ranked(m);
  std::size_t decided = 0;
  if (inner == 1 && (m == 4 || m == 8))
    for (; last - first >= 64; first += 64)
      decided += m == 4 ? keep_best_of_neighbours<Key, 4>(first * m, n, none, key_at, put)
                        : keep_best_of_neighbours<Key, 8>(first * m, n, none, key_at, put);
  std::array<std::size_t, groups::lanes> places;
  auto tile = first / inner * m * inner;
  auto within = first % inner;
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
