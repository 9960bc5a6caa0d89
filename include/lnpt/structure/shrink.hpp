#pragma once
/// shrink(): the physically smaller network that a mask stands for, proved equal to it.
#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/mask/apply.hpp>
#include <lnpt/structure/certificate.hpp>
#include <lnpt/structure/dead_paths.hpp>
#include <lnpt/structure/fold_constants.hpp>
#include <lnpt/structure/remove.hpp>
#include <lnpt/structure/shrink_options.hpp>
#include <lnpt/structure/trials.hpp>

namespace lnpt {

/// What shrink() returns.
template <class Model>
struct shrunk {
  Model model;
  mask_set masks;                 ///< of what is left
  kept_indices kept;              ///< of every tensor that became smaller, for momentum and the like: narrowed(tensor, kept)
  lnpt::certificate certificate;  ///< against the masked model on the given inputs
  std::vector<whole_tensor> left_whole;  ///< what could not be removed, and why
};

namespace detail {

/// Removes groups of atoms on trial and keeps those removals that equal the mask.
template <class Network>
class shrinking {
 public:
  using array = tensor_of<Network>;

  shrinking(Network& model, mask_set const& masks, array const& inputs, shrink_options const& options)
      : masks_(masks), inputs_(inputs), trial_(trial_input(inputs, options.seed)), masked_(model) {
    auto const extents = shape_of(inputs);
    map_ = channel_map_of(model, {extents.begin() + 1, extents.end()});
    apply(masks, masked_);
    said_ = masked_.predict(inputs).output;
    require_finite_outputs(said_);
    auto const paths = dead_paths_of(map_, masks);
    removed_ = dead_atoms(map_, paths);
    whole_ = map_.set.whole;
    keep_one_of_each(map_.set, removed_, whole_);
    plan_ = plan_constants(masked_, map_, paths, {inputs_, trial_}, options.constant_channel, removed_, whole_);
    expected_ = masked_.predict(trial_).output;
  }

  [[nodiscard]] shrunk<Network> run() && {
    put_back_failing_groups(map_.set, removed_, whole_, [this](auto const& only) { return problem_without(only); });
    auto model = smaller(removed_);
    require(compare_outputs(expected_, model.predict(trial_).output));
    auto const proof = compare_outputs(said_, model.predict(inputs_).output);
    require(proof);
    merge_columns(masks_, map_, plan_, removed_);
    auto kept = kept_without(map_.set, removed_);
    return {std::move(model), narrowed(masks_, kept), std::move(kept), proof, std::move(whole_)};
  }

 private:
  static void require(certificate const& proof) {
    if (!proof.holds())
      fail("the smaller network ", proof.text(), ", although each group of channels alone equals its mask: shrink in double");
  }

  /// Why the network without these atoms is not the masked one; empty where it is.
  [[nodiscard]] std::string problem_without(std::vector<char> const& atoms) {
    try {
      auto const proof = compare_outputs(expected_, smaller(atoms).predict(trial_).output);
      return proof.holds() ? std::string() : proof.text();
    } catch (error const& reason) {
      return std::string("does not run: ") + reason.what();
    }
  }

  [[nodiscard]] Network smaller(std::vector<char> const& atoms) {
    auto const amounts = amounts_of(masked_, map_, plan_, atoms);
    if (plan_.merged.empty()) return without(masked_, map_, atoms, amounts);
    auto merged = masked_;
    merge_columns(merged, map_, plan_, atoms);
    return without(merged, map_, atoms, amounts);
  }

  mask_set masks_;
  array const& inputs_;
  array trial_;
  Network masked_;
  channel_map map_;
  std::vector<char> removed_;
  constant_plan plan_;
  std::vector<whole_tensor> whole_;
  array said_, expected_;  ///< by the masked network, of the inputs and of those on trial
};

}  // namespace detail

/// The smaller network that equals the masked one: without every channel that the masks leave dead, whole channels and what single
/// weights happen to empty.
///
/// `inputs` is a batch [N, C, H, W] or [N, F]. Each group of channels is first removed alone and run on other inputs and another batch
/// size; one that does not run or differs from its mask stays, and `left_whole` names it. The union is then compared on both batches.
/// Costs one small forward pass per group. Throws `lnpt::error` where a mask fits no parameter or the union is not equal; the given
/// model is never changed.
template <class Backend>
[[nodiscard]] shrunk<network<Backend>> shrink(network<Backend>& model, mask_set const& masks,
                                              typename Backend::array const& inputs, shrink_options const& options = {}) {
  return detail::shrinking<network<Backend>>(model, masks, inputs, options).run();
}

}  // namespace lnpt
