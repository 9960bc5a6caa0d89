#pragma once
/// Atoms: the least sets of tensor slices that can only live or die together.
#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/parameter.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/structure/slices.hpp>

namespace lnpt {

/// What the slices of a tensor are to the channel they belong to: the weights that produce the channel (`row`), the weights that read it
/// (`column`), or values it carries along (`other`): biases, normalisation, running statistics, depthwise weights.
enum class slice_role { row, column, other };

/// A parameter or a buffer that atoms have slices of.
struct sliced_tensor {
  std::string name;
  shape extents;
  lnpt::role role = lnpt::role::weight;
  std::size_t uses = 0;  ///< multiply–adds of one weight for one input: the places at which it is used
};

[[nodiscard]] constexpr bool is_buffer(role r) {
  return r == role::running_mean || r == role::running_variance || r == role::constant;
}

/// Whether masks of whole channels clear what they have of such a tensor.
[[nodiscard]] constexpr bool is_masked(role r) { return !is_buffer(r) && r != role::leaf; }

/// Slices of one tensor along one axis.
struct tensor_slices {
  std::size_t tensor;  ///< in `atom_set::tensors`
  std::size_t axis;
  slice_role role;
  std::vector<std::size_t> indices;  ///< ascending

  friend bool operator==(tensor_slices const&, tensor_slices const&) = default;
};

/// One removable unit: a connected component of "row c is read in column k".
struct atom {
  std::vector<tensor_slices> slices;  ///< by tensor, then axis

  /// How many output channels of producing weights it takes away.
  [[nodiscard]] std::size_t rows() const {
    std::size_t count = 0;
    for (auto const& each : slices) count += each.role == slice_role::row ? each.indices.size() : 0;
    return count;
  }
  friend bool operator==(atom const&, atom const&) = default;
};

/// Something that stays whole, and why.
struct whole_tensor {
  std::string name;
  std::string reason;
};

/// The atoms of a model. Slices that are in no atom are never removed; `whole` names the producing weights among them.
struct atom_set {
  std::vector<sliced_tensor> tensors;
  std::vector<atom> atoms;
  std::vector<whole_tensor> whole;
};

/// Atoms with slices of the same tensors along the same axes are alternatives of one another: a group. Returns the group of every atom,
/// numbered from 0 in the order of the atoms.
[[nodiscard]] inline std::vector<std::size_t> groups_of(atom_set const& set) {
  std::map<std::vector<std::pair<std::size_t, std::size_t>>, std::size_t> numbers;
  std::vector<std::size_t> groups;
  for (auto const& each : set.atoms) {
    std::vector<std::pair<std::size_t, std::size_t>> axes;
    axes.reserve(each.slices.size());
    for (auto const& slices : each.slices) axes.emplace_back(slices.tensor, slices.axis);
    groups.push_back(numbers.emplace(std::move(axes), numbers.size()).first->second);
  }
  return groups;
}

/// The tensor that names an atom's group in messages: the first with rows, else the first.
[[nodiscard]] inline std::string const& name_of(atom_set const& set, atom const& of) {
  auto const found = std::ranges::find(of.slices, slice_role::row, &tensor_slices::role);
  return set.tensors[(found == of.slices.end() ? of.slices.front() : *found).tensor].name;
}

/// Which indices of each axis of each tensor stay: tensor → axis → ascending indices. What is not listed stays whole.
using kept_indices = std::map<std::string, std::map<std::size_t, std::vector<std::size_t>>, std::less<>>;

/// What stays when the atoms with `removed[a]` go.
[[nodiscard]] inline kept_indices kept_without(atom_set const& set, std::vector<char> const& removed) {
  std::map<std::pair<std::size_t, std::size_t>, std::vector<char>> gone;
  for (std::size_t a = 0; a < set.atoms.size(); ++a) {
    if (!removed[a]) continue;
    for (auto const& each : set.atoms[a].slices) {
      auto& of_axis = gone[{each.tensor, each.axis}];
      of_axis.resize(set.tensors[each.tensor].extents[each.axis]);
      for (auto const i : each.indices) of_axis[i] = 1;
    }
  }
  kept_indices kept;
  for (auto const& [where, flags] : gone) {
    auto& indices = kept[set.tensors[where.first].name][where.second];
    for (std::size_t i = 0; i < flags.size(); ++i)
      if (!flags[i]) indices.push_back(i);
  }
  return kept;
}

/// Masks that clear every parameter slice of the atoms with `removed[a]`: rows, columns, biases, γ and β, so that the channel is exactly
/// 0 where it is read and what remains equals the smaller network. Running statistics are buffers and stay.
[[nodiscard]] inline mask_set masks_of(atom_set const& set, std::vector<char> const& removed) {
  std::vector<mask> all;
  all.reserve(set.tensors.size());
  for (auto const& tensor : set.tensors) all.emplace_back(tensor.name, tensor.extents, true);
  std::vector<char> touched(set.tensors.size());
  for (std::size_t a = 0; a < set.atoms.size(); ++a) {
    if (!removed[a]) continue;
    for (auto const& each : set.atoms[a].slices) {
      detail::axis_layout const layout(set.tensors[each.tensor].extents, each.axis);
      for (auto const i : each.indices) layout.for_each(i, [&](std::size_t at) { all[each.tensor].set(at, false); });
      touched[each.tensor] = 1;
    }
  }
  mask_set masks;
  for (std::size_t t = 0; t < all.size(); ++t)
    if (is_prunable(set.tensors[t].role) || (touched[t] && is_masked(set.tensors[t].role))) masks.add(std::move(all[t]));
  return masks;
}

}  // namespace lnpt
