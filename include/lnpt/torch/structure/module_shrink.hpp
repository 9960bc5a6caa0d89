#pragma once
/// shrink() of a module of LibTorch: it becomes smaller in place, and is proved equal to its masks.
#include <ATen/ATen.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/mask/apply.hpp>
#include <lnpt/structure/certificate.hpp>
#include <lnpt/structure/remove.hpp>
#include <lnpt/structure/shrink_options.hpp>
#include <lnpt/structure/trials.hpp>
#include <lnpt/torch/module/source.hpp>
#include <lnpt/torch/structure/module_atoms.hpp>
#include <lnpt/torch/structure/module_computes.hpp>
#include <lnpt/torch/structure/module_constants.hpp>
#include <lnpt/torch/structure/module_sizes.hpp>

namespace lnpt {

/// What shrink() returns of a module, which itself became smaller.
struct shrunk_module {
  mask_set masks;                        ///< of what is left
  kept_indices kept;                     ///< of every tensor that became smaller
  lnpt::certificate certificate;         ///< against the masked module on the given inputs
  std::vector<whole_tensor> left_whole;  ///< what could not be removed, and why
};

namespace detail {

/// Visits every parameter and buffer of a module, with its name.
template <class Visit>
void for_each_tensor(torch_network const& network, Visit visit) {
  for (auto const* group : {&network.layout.parameters, &network.layout.frozen})
    for (auto const& held : *group) visit(held.name, held.value);
  for (auto const& entry : network.tree)
    for (auto const& buffer : entry.buffers()) visit(joined(entry.path, buffer.name), buffer.value);
}

/// The tensors of a module without the slices of some atoms, after `amounts` were added to its biases and the columns of weights merged.
class narrowed_tensors {
 public:
  narrowed_tensors(torch_network const& network, kept_indices const& kept, std::vector<bias_amount> const& amounts,
                   std::vector<merged_weight> const& merged) {
    std::unordered_set<void const*> met;
    auto const add = [&](std::string const& name, at::Tensor const& tensor) {
      auto const found = kept.find(name);
      auto const more = std::ranges::find_if(amounts, [&](bias_amount const& each) { return each.bias.is_same(tensor); });
      auto const sum = std::ranges::find_if(merged, [&](merged_weight const& each) { return each.weight.is_same(tensor); });
      if (found == kept.end() && more == amounts.end() && sum == merged.end()) return;
      if (!met.insert(tensor.unsafeGetTensorImpl()).second) return;
      auto smaller = sum == merged.end() ? tensor.detach() : sum->sum;
      if (more != amounts.end()) smaller = smaller + more->amount;
      if (found != kept.end())
        for (auto const& [axis, indices] : found->second)
          smaller = smaller.index_select(
              static_cast<std::int64_t>(axis),
              at::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()), at::kLong).to(tensor.device()));
      tensors_.emplace_back(tensor, smaller);
    };
    for_each_tensor(network, add);
  }

  /// Gives the module these tensors as long as the guard lives.
  void lend(storage_guard& storage) const {
    for (auto const& [tensor, smaller] : tensors_) storage.replace(tensor, smaller);
  }
  /// Gives the module these tensors. They stay the objects that they are, so that handles, ties and an optimizer's keys hold.
  void give() const {
    for (auto const& [tensor, smaller] : tensors_) {
      auto handle = tensor;
      handle.mutable_grad().reset();
      handle.set_data(smaller);
    }
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> tensors_;
};

/// Removes groups of atoms on trial and keeps those removals that equal the mask.
template <std::floating_point Scalar>
class module_shrinking {
 public:
  /// Finds the atoms itself where it is given none.
  module_shrinking(torch_model<Scalar>& model, torch_network& network, mask_set const& masks, atom_set const* atoms,
                   at::Tensor const& inputs, shrink_options const& options)
      : model_(model),
        network_(network),
        masks_(masks),
        inputs_(inputs),
        trial_(other_input(inputs, options.seed)),
        constant_channel_(options.constant_channel) {
    require_fit();
    if (atoms) require_fit(*atoms);
    set_ = atoms ? *atoms : module_coupling(network, inputs).take();
    whole_ = set_.whole;
    scripts_ = script_followers(network.tree);
    removed_.resize(set_.atoms.size());
    for (std::size_t a = 0; a < removed_.size(); ++a) removed_[a] = is_dead(set_.atoms[a]);
    keep_one_of_each(set_, removed_, whole_);
  }

  [[nodiscard]] shrunk_module run() && {
    shrunk_module result;
    std::optional<narrowed_tensors> smaller;
    {
      storage_guard masked;  // the module's own tensors are not written
      for (auto const& held : network_.layout.parameters) masked.replace(held.value, held.value.detach().clone());
      apply(masks_, model_);
      require_finite_outputs(values(network_.evaluate(inputs_).logits));
      expected_ = answer(trial_);
      constants_.emplace(network_, set_, inputs_, trial_);
      put_back_stuck_constants();
      put_back_failing_groups(set_, removed_, whole_, [this](auto const& only) { return problem_without(only); });
      static_cast<void>(proof_without(removed_, trial_, expected_));
      result.certificate = proof_without(removed_, inputs_, answer(inputs_));
      result.kept = kept_without(set_, removed_);
      smaller.emplace(network_, result.kept, constants_->amounts(set_, removed_), constants_->merged(removed_));
    }
    apply(masks_, model_);
    smaller->give();
    module_sizes(network_.tree, scripts_).keep();
    constants_->merge(masks_, set_, removed_);
    result.masks = narrowed(masks_, result.kept);
    result.left_whole = std::move(whole_);
    return result;
  }

 private:
  using values = torch_tensor<Scalar>;

  /// Another batch size and other values: numbers of the example where it holds whole ones, such as the indices of words.
  [[nodiscard]] static at::Tensor other_input(at::Tensor const& inputs, std::uint64_t seed) {
    if (!inputs.equal(inputs.round())) return trial_input(values(inputs), seed).get();
    auto const samples = inputs.size(0) == 3 ? 2 : 3;
    return inputs.flip(0).index_select(0, at::arange(samples, at::kLong).remainder(inputs.size(0)).to(inputs.device())).flip(-1);
  }

  void require_fit() const {
    for (auto const& each : masks_) {
      auto const& all = network_.layout.parameters;
      auto const held = std::ranges::find(all, each.name(), &held_parameter::name);
      if (held == all.end() || extents_of(held->value) != each.extents())
        fail("the mask of ", each.name(), ' ', list(each.extents()),
             " fits no parameter of the module: pass masks that were made for it");
    }
  }

  /// Parameters and buffers are known by their names.
  void require_fit(atom_set const& atoms) const {
    std::map<std::string, shape> extents;
    for_each_tensor(network_,
                    [&](std::string const& name, at::Tensor const& value) { extents.emplace(name, extents_of(value)); });
    for (auto const& each : atoms.tensors)
      if (auto const held = extents.find(each.name); held == extents.end() || held->second != each.extents)
        fail("the atoms have slices of ", each.name, ' ', list(each.extents),
             ", which fits no tensor of the module: pass those that module_atoms() found on it, or on one built alike");
  }

  /// Whether masks clear all of an atom's rows, or all that reads it.
  [[nodiscard]] bool is_dead(atom const& each) const {
    return is_cleared(each, slice_role::row) || is_cleared(each, slice_role::column);
  }
  [[nodiscard]] bool is_cleared(atom const& each, slice_role role) const {
    return std::ranges::all_of(each.slices, [&](tensor_slices const& slices) {
      if (slices.role != role) return true;
      auto const& tensor = set_.tensors[slices.tensor];
      auto const* const kept = masks_.find(tensor.name);
      if (kept == nullptr) return false;
      auto any = false;
      axis_layout const layout(tensor.extents, slices.axis);
      for (auto const i : slices.indices) layout.for_each(i, [&](std::size_t at) { any = any || (*kept)[at]; });
      return !any;
    });
  }

  void put_back_stuck_constants() {
    std::map<std::size_t, std::vector<std::size_t>> stuck;  // group → atoms
    auto const groups = groups_of(set_);
    for (std::size_t a = 0; a < removed_.size(); ++a)
      if (removed_[a] && constants_->is_stuck(set_, a)) stuck[groups[a]].push_back(a);
    for (auto const& [group, atoms] : stuck) {
      auto const stands = constant_channel_ ? constants_->let_one_stand(set_, atoms) : std::nullopt;
      for (auto const a : atoms) removed_[a] = stands && a != *stands;
      whole_.push_back({name_of(set_, set_.atoms[atoms.front()]),
                        stands ? "one of its channels stands for all that say a constant"
                        : constant_channel_
                            ? "its masked channels are read in too many ways for one constant channel to stand for them"
                            : "a masked channel still says a constant that no bias can take up, as before a padded "
                              "convolution: mask its bias, γ and β too, or ask for a constant channel"});
    }
  }

  /// What the module returns, with a second result if there is one, and what its weights read and made on the way.
  struct watched_answer {
    torch_prediction returned;
    std::vector<traced_layer> layers;
  };
  [[nodiscard]] watched_answer answer(at::Tensor const& x) {
    channel_tap tap(network_.layout, nullptr, nullptr, false);
    auto const found = network_.evaluate(x);
    tap.check();
    return {{found.logits.detach().clone(), found.features.defined() ? found.features.detach().clone() : at::Tensor()},
            std::move(tap.layers())};
  }

  /// Of the logits, or of the second result where that is too far off.
  [[nodiscard]] static certificate compare(torch_prediction const& expected, torch_prediction const& found) {
    auto const proof = compare_outputs(values(expected.logits), values(found.logits));
    if (!expected.features.defined() || !proof.holds()) return proof;
    auto const rows = [&](at::Tensor const& t) { return values(at::atleast_1d(t).to(expected.logits.scalar_type())); };
    auto const second = compare_outputs(rows(expected.features), rows(found.features));
    return second.holds() ? proof : second;
  }

  /// How far the module without some atoms is the masked one.
  struct comparison {
    certificate proof;
    std::string problem;  ///< empty where it is
  };
  [[nodiscard]] comparison compare_without(std::vector<char> const& atoms, at::Tensor const& x, watched_answer const& expected) {
    storage_guard storage;
    auto const kept = kept_without(set_, atoms);
    narrowed_tensors(network_, kept, constants_->amounts(set_, atoms), constants_->merged(atoms)).lend(storage);
    module_sizes const sizes(network_.tree, scripts_);
    auto const found = answer(x);
    auto const proof = compare(expected.returned, found.returned);
    if (!proof.holds()) return {proof, proof.text()};
    return {proof, computed_values(network_, set_, kept)
                       .first_difference(expected.layers, found.layers, inner_slack * equality_tolerance<Scalar>)};
  }

  [[nodiscard]] std::string problem_without(std::vector<char> const& atoms) {
    try {
      return compare_without(atoms, trial_, expected_).problem;
    } catch (error const& reason) {
      return std::string("does not run: ") + reason.what();
    }
  }

  [[nodiscard]] certificate proof_without(std::vector<char> const& atoms, at::Tensor const& x, watched_answer const& expected) {
    auto const [proof, problem] = compare_without(atoms, x, expected);
    if (!problem.empty())
      fail("the smaller module is not the masked one (", problem,
           "), although each group of channels alone equals its mask: shrink in double");
    return proof;
  }

  /// Layers inside round in units of their own largest value, which later ones may have made small.
  static constexpr double inner_slack = 100;

  torch_model<Scalar>& model_;
  torch_network& network_;
  mask_set masks_;
  at::Tensor inputs_, trial_;
  atom_set set_;
  std::vector<size_follower> scripts_;
  std::optional<module_constants> constants_;
  std::vector<char> removed_;
  std::vector<whole_tensor> whole_;
  bool constant_channel_;
  watched_answer expected_;
};

}  // namespace detail

/// Makes a module smaller in place: every channel that the masks leave dead goes, with all that is coupled to it, by the atoms that
/// `module_atoms` finds on `inputs`.
///
/// Each group of channels is first removed alone and run on other inputs and another batch size; one that does not run, or answers
/// otherwise than its mask, or lets any weight read or make something else, stays, and `left_whole` names it with LibTorch's own sentence. The union is then compared on both batches. Parameters and
/// buffers stay the objects that they are; gradients are dropped. A constant that masked channels still say goes into the bias of the
/// unpadded layer that reads it, else they stay, or all but one with `constant_channel`. A script gets code of its own where depthwise
/// convolutions and group norms follow. Throws `lnpt::error` where a mask fits no parameter, the module cannot be traced, or the union is
/// not equal; the module is then as it was.
template <std::floating_point Scalar>
[[nodiscard]] shrunk_module shrink(torch_model<Scalar>& model, mask_set const& masks, at::Tensor const& inputs,
                                   shrink_options const& options = {}) {
  return model.on_network(inputs, [&](detail::torch_network& network) {
    return detail::module_shrinking<Scalar>(model, network, masks, nullptr, inputs.detach(), options).run();
  });
}

/// The same with atoms that `module_atoms` found before, which costs most of the time: on this module, or on one that was built alike, so
/// that several masks are tried on copies of a module for one search. Trials and certificate are the same, so that atoms of
/// another module cannot make it wrong. Throws `lnpt::error` where they have slices of a tensor that the module does not hold, such as
/// after it became smaller.
template <std::floating_point Scalar>
[[nodiscard]] shrunk_module shrink(torch_model<Scalar>& model, mask_set const& masks, atom_set const& atoms,
                                   at::Tensor const& inputs, shrink_options const& options = {}) {
  return model.on_network(inputs, [&](detail::torch_network& network) {
    return detail::module_shrinking<Scalar>(model, network, masks, &atoms, inputs.detach(), options).run();
  });
}

}  // namespace lnpt
