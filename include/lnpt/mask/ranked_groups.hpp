#pragma once
/// The n best of every m keys, many groups at a time.
#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace lnpt::detail {

/// One key of each of 64 groups: lane g is that of group g. Loops run over the lanes, without branches, so that compilers turn them into
/// vector instructions.
inline constexpr std::size_t group_lanes = 64;
template <class Key>
using lane_keys = std::array<Key, group_lanes>;

/// Counts which of two keys of a group comes before the other: the larger one, of equal ones the earlier.
template <class Key>
void rank_pair(lane_keys<Key> const& earlier, lane_keys<Key> const& later, lane_keys<Key>& before_earlier,
               lane_keys<Key>& before_later) {
  for (std::size_t g = 0; g < group_lanes; ++g) {
    auto const later_is_larger = static_cast<Key>(later[g] > earlier[g]);
    before_earlier[g] = static_cast<Key>(before_earlier[g] + later_is_larger);
    before_later[g] = static_cast<Key>(before_later[g] + Key{1} - later_is_larger);
  }
}

/// Turns how many keys come before each into whether it is among the n best: 1 or 0.
template <class Key>
void keep_first(lane_keys<Key>& before, std::size_t n) {
  for (auto& count : before) count = count < static_cast<Key>(n);
}

/// Marks two keys of a group that are equal, of which one stays. Keys of `none` do not count.
template <class Key>
void part_pair(lane_keys<Key> const& earlier, lane_keys<Key> const& later, lane_keys<Key> const& earlier_stays,
               lane_keys<Key> const& later_stays, lane_keys<Key>& earlier_parted, lane_keys<Key>& later_parted, Key none) {
  for (std::size_t g = 0; g < group_lanes; ++g) {
    auto const is_parted = static_cast<Key>(static_cast<Key>(earlier[g] == later[g]) & (earlier_stays[g] ^ later_stays[g]) &
                                            static_cast<Key>(earlier[g] != none));
    earlier_parted[g] = static_cast<Key>(earlier_parted[g] | is_parted);
    later_parted[g] = static_cast<Key>(later_parted[g] | is_parted);
  }
}

/// Groups of m keys side by side.
template <class Key>
class ranked_groups {
 public:
  static constexpr auto lanes = group_lanes;

  explicit ranked_groups(std::size_t m) : keys_(m), before_(m), parted_(m) {}

  /// The i-th key of every group, to be written.
  [[nodiscard]] lane_keys<Key>& keys(std::size_t i) { return keys_[i]; }

  /// Keeps the n best of every group: a key stays if fewer than n come before it, larger ones and equal ones that are earlier.
  void keep(std::size_t n) {
    for (auto& before : before_) before.fill(0);
    for_each_pair([&](std::size_t i, std::size_t j) { rank_pair(keys_[i], keys_[j], before_[i], before_[j]); });
    for (auto& before : before_) keep_first(before, n);
  }
  /// Whether the i-th key of each group stays, after `keep`: 1 or 0.
  [[nodiscard]] lane_keys<Key> const& stays(std::size_t i) const { return before_[i]; }

  /// How many keys of the first `groups` lanes their place alone decided, after `keep`: those that equal a key of their group which
  /// fared otherwise. Keys of `none` do not count.
  [[nodiscard]] std::size_t decided_by_position(std::size_t groups, Key none) {
    for (auto& parted : parted_) parted.fill(0);
    for_each_pair([&](std::size_t i, std::size_t j) {
      part_pair(keys_[i], keys_[j], before_[i], before_[j], parted_[i], parted_[j], none);
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

  std::vector<lane_keys<Key>> keys_;
  std::vector<lane_keys<Key>> before_;  ///< how many of its group come before a key; after `keep` whether it stays
  std::vector<lane_keys<Key>> parted_;
};

/// Calls `visit(i, j)` for all pairs i < j below M, which are constants.
template <std::size_t M, class Visit>
void for_each_constant_pair(Visit visit) {
  auto const visit_pair = [&]<std::size_t P>(std::integral_constant<std::size_t, P>) {
    if constexpr (P % M < P / M)
      visit(std::integral_constant<std::size_t, P % M>(), std::integral_constant<std::size_t, P / M>());
  };
  [&]<std::size_t... P>(std::index_sequence<P...>) {
    (visit_pair(std::integral_constant<std::size_t, P>()), ...);
  }(std::make_index_sequence<M * M>());
}

/// Keeps the n best of each of 64 groups whose M keys are neighbours, from `place` on, as `keep_best_of_groups` does. Its keys lie in arrays
/// of its own at constant places, which compilers see to overlap neither one another nor what is put.
template <std::size_t M, class Key, class KeyAt, class Put>
std::size_t keep_best_of_neighbours(std::size_t place, std::size_t n, Key none, KeyAt key_at, Put put) {
  std::array<lane_keys<Key>, M> keys;
  std::array<lane_keys<Key>, M> stays{};
  std::array<lane_keys<Key>, M> parted{};
  for (std::size_t g = 0; g < group_lanes; ++g)
    for (std::size_t i = 0; i < M; ++i) keys[i][g] = key_at(place + g * M + i);
  for_each_constant_pair<M>([&](auto i, auto j) { rank_pair(keys[i], keys[j], stays[i], stays[j]); });
  for (auto& before : stays) keep_first(before, n);
  for_each_constant_pair<M>([&](auto i, auto j) { part_pair(keys[i], keys[j], stays[i], stays[j], parted[i], parted[j], none); });
  for (std::size_t g = 0; g < group_lanes; ++g)
    for (std::size_t i = 0; i < M; ++i) put(place + g * M + i, stays[i][g] != 0);
  std::size_t decided = 0;
  for (auto const& row : parted) {
    Key here = 0;  // as many as there are lanes fit any key
    for (auto const is_parted : row) here = static_cast<Key>(here + is_parted);
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
      decided += m == 4 ? keep_best_of_neighbours<4>(first * m, n, none, key_at, put)
                        : keep_best_of_neighbours<8>(first * m, n, none, key_at, put);
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
