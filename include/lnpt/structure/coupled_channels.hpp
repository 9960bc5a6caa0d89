#pragma once
/// Whole channels with all that is coupled to them, as a mask strategy.
#include <span>

#include <lnpt/mask/strategy.hpp>
#include <lnpt/structure/select_atoms.hpp>

namespace lnpt {

namespace detail {
inline void require_atoms(atom_set const* atoms) {
  if (atoms == nullptr)
    fail(
        "coupled_channels does not know the model: name its map, auto const map = channel_map_of(model, input), and set "
        ".strategy = {.atoms = &map.set}");
}
}  // namespace detail

/// Whole channels and all that is coupled to them, in one ranking over all layers, under a budget that holds once they are removed.
///
///     auto const map = channel_map_of(model, {3, 32, 32});
///     auto [masks, report] = prune<snip, coupled_channels<flops>>(
///         model, batch, {.budget = flops{0.65}, .strategy = {.atoms = &map.set, .round_to = round_to<decltype(model)>()}});
///
/// `Budget` is `channels` (output channels of convolutions and linear layers that are free to go), `parameters` or `flops`. The fewest
/// atoms go for which the budget holds; every layer keeps at least one channel and the classifier all its outputs. With `round_to`
/// widths are rounded up to what the engine is good at, and other atoms go instead until the budget holds. Masks cover rows, columns,
/// biases, γ and β, so that `shrink` is exact. Throws `lnpt::error` for a budget that nothing can meet.
template <class Budget = channels>
struct coupled_channels {
  using budget = Budget;

  atom_set const* atoms = nullptr;  ///< of the model that is pruned; must outlive the strategy
  accumulation accumulate = accumulation::sum;
  bool normalize = false;  ///< divide by each layer's mean magnitude first, so that layers of unlike scale compete
  channel_rounding round_to = {};

  template <class T>
  [[nodiscard]] mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    detail::require_atoms(atoms);
    auto const scored = score_atoms(*atoms, parameters, wanted, accumulate, normalize);
    return masks_of(*atoms, detail::atom_selection(*atoms, scored, counted_by<Budget>, wanted, round_to).run());
  }

  /// What masks leave of the budget's unit: of the whole network, without the atoms that have lost all their weights.
  template <class T>
  [[nodiscard]] double kept_share(std::span<scored_parameter<T> const> parameters, mask_set const& masks) const {
    detail::require_atoms(atoms);
    auto const dead = score_atoms(*atoms, parameters, {.survivors = &masks}, accumulate, false).dead;
    detail::remaining_network left(*atoms, counted_by<Budget>);
    auto const all = left.cost();
    for (std::size_t a = 0; a < dead.size(); ++a)
      if (dead[a]) left.remove(atoms->atoms[a]);
    return all == 0 ? 1.0 : left.cost() / all;
  }
};

}  // namespace lnpt
