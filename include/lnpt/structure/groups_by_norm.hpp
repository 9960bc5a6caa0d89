#pragma once
/// Which channels of a group are the least.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <lnpt/core/finite.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/structure/atoms.hpp>

namespace lnpt {

/// The atoms of every group (`groups_of`), those with the smallest Σ|w| over the weights that produce them first; ties in order. `set`
/// is that of the network's channels. Costs one read of the weights. Throws `lnpt::error` where one is NaN or infinite.
template <class Network>
[[nodiscard]] std::vector<std::vector<std::size_t>> groups_by_norm(Network& network, atom_set const& set) {
  std::vector<std::vector<double>> magnitudes;
  for (auto const& p : network.parameters()) {
    auto const values = values_of(*p.value);
    detail::require_finite_values(values, p.name, "no channel is smaller than another", "use finite weights");
    auto& into = magnitudes.emplace_back(values.begin(), values.end());
    for (auto& each : into) each = std::abs(each);
  }
  std::vector<double> norms;
  for (auto const& each : set.atoms) {
    double norm = 0;
    for (auto const& slices : each.slices) {
      if (slices.role != slice_role::row) continue;
      detail::axis_layout const layout(set.tensors[slices.tensor].extents, slices.axis);
      for (auto const i : slices.indices) layout.for_each(i, [&](std::size_t at) { norm += magnitudes[slices.tensor][at]; });
    }
    norms.push_back(norm);
  }
  auto const numbers = groups_of(set);
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t a = 0; a < numbers.size(); ++a) {
    groups.resize(std::max(groups.size(), numbers[a] + 1));
    groups[numbers[a]].push_back(a);
  }
  for (auto& atoms : groups) std::ranges::stable_sort(atoms, {}, [&](std::size_t a) { return norms[a]; });
  return groups;
}

}  // namespace lnpt
