#pragma once
/// Which atoms, and which of their weights, stayed or went by their place alone.
#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/mask/mask_set.hpp>
#include <lnpt/structure/atoms.hpp>

namespace lnpt::detail {

/// Marks atoms whose place alone decided whether they stay.
class tied_atoms {
 public:
  tied_atoms(atom_set const& set, std::vector<char> const& removed) : set_(set), removed_(removed), decided_(set.atoms.size()) {}

  /// Marks atoms of equal score that compete for the same budget, if some of them stay and others go.
  void mark_if_parted(std::vector<std::size_t> const& equal) {
    bool stays = false;
    bool goes = false;
    for (auto const a : equal) (removed_[a] ? goes : stays) = true;
    if (!stays || !goes) return;
    for (auto const a : equal) decided_[a] = 1;
  }

  /// Marks those of equal score that produce rows of one weight, if some of them stay and others go: what a layer keeps in any case, or
  /// takes back to be of a round width, is chosen among them.
  void mark_if_parted_in_a_layer(std::span<std::size_t const> equal) {
    std::map<std::size_t, std::vector<std::size_t>> by_tensor;
    for (auto const a : equal)
      for (auto const& slices : set_.atoms[a].slices)
        if (slices.role == slice_role::row) by_tensor[slices.tensor].push_back(a);
    for (auto const& [tensor, atoms] : by_tensor) mark_if_parted(atoms);
  }

  /// How many weights of these tensors the marked atoms decide. A weight that went before, or that goes with an atom whose score says so, is
  /// none of them, and one of a marked row and a marked column is one weight.
  [[nodiscard]] std::size_t weights(std::vector<char> const& counted, mask_set const* survivors) const {
    auto certain = removed_;
    for (std::size_t a = 0; a < certain.size(); ++a) certain[a] = removed_[a] && !decided_[a];
    auto const others = masks_of(set_, certain);
    auto const marked = masks_of(set_, decided_);
    std::size_t count = 0;
    for (std::size_t t = 0; t < set_.tensors.size(); ++t) {
      if (!counted[t]) continue;
      auto const& name = set_.tensors[t].name;
      auto const& at_stake = *marked.find(name);
      auto const& left = *others.find(name);
      auto const* const before = survivors == nullptr ? nullptr : survivors->find(name);
      for (std::size_t i = 0; i < at_stake.size(); ++i) count += !at_stake[i] && left[i] && (before == nullptr || (*before)[i]);
    }
    return count;
  }

 private:
  atom_set const& set_;
  std::vector<char> const& removed_;
  std::vector<char> decided_;
};

}  // namespace lnpt::detail
