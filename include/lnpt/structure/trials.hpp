#pragma once
/// Removing channels on trial: what stays in any case, on which inputs it is tried, and what is put back.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/structure/atoms.hpp>

namespace lnpt::detail {

/// Keeps one atom of every producing axis, for a layer of no channels is none. Says which layers had lost all.
inline void keep_one_of_each(atom_set const& set, std::vector<char>& removed, std::vector<whole_tensor>& whole) {
  std::map<std::size_t, std::vector<std::size_t>> producers;  // tensor → atoms
  std::map<std::size_t, std::size_t> rows;
  std::map<std::size_t, std::size_t> extents;
  for (std::size_t a = 0; a < set.atoms.size(); ++a)
    for (auto const& each : set.atoms[a].slices)
      if (each.role == slice_role::row) {
        producers[each.tensor].push_back(a);
        rows[each.tensor] += each.indices.size();
        extents[each.tensor] = set.tensors[each.tensor].extents[each.axis];
      }
  for (auto const& [tensor, atoms] : producers) {
    if (rows[tensor] != extents[tensor]) continue;  // others stay in any case
    if (!std::ranges::all_of(atoms, [&](std::size_t a) { return removed[a] != 0; })) continue;
    removed[atoms.front()] = 0;
    whole.push_back({set.tensors[tensor].name, "every channel is dead (layer collapse), and one has to stay"});
  }
}

/// Inputs of another batch size, N(0, 1).
template <class T>
[[nodiscard]] T trial_input(T const& like, std::uint64_t seed) {
  auto extents = shape_of(like);
  extents[0] = extents[0] == 3 ? 2 : 3;
  std::vector<value_type<T>> values(element_count(extents));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<value_type<T>>(normal(seed, 0, i).first);
  return make_tensor<T>(extents, values, like);
}

/// Tries each group of removed atoms alone. `problem_without(only)` says why the model without these atoms is not the masked one, or
/// nothing; a group with a problem is put back and named.
template <class Problem>
void put_back_failing_groups(atom_set const& set, std::vector<char>& removed, std::vector<whole_tensor>& whole,
                             Problem problem_without) {
  auto const groups = groups_of(set);
  auto const count = groups.empty() ? 0 : *std::ranges::max_element(groups) + 1;
  for (std::size_t g = 0; g < count; ++g) {
    std::vector<char> only(removed.size());
    std::size_t size = 0;
    for (std::size_t a = 0; a < only.size(); ++a) size += static_cast<std::size_t>(only[a] = removed[a] && groups[a] == g);
    if (size == 0) continue;
    auto const problem = problem_without(only);
    if (problem.empty()) continue;
    for (std::size_t a = 0; a < only.size(); ++a) removed[a] = removed[a] && !only[a];
    auto const first = static_cast<std::size_t>(std::ranges::find(groups, g) - groups.begin());
    whole.push_back({name_of(set, set.atoms[first]), problem});
  }
}

}  // namespace lnpt::detail
