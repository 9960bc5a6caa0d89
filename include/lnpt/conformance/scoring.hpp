#pragma once
/// Every criterion on an engine: it runs, repeats to the bit, and leaves the model as it was, also where something throws.
#include <exception>

#include <lnpt/conformance/examination.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/filter_norm.hpp>
#include <lnpt/criterion/fisher.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/movement.hpp>
#include <lnpt/criterion/obd.hpp>
#include <lnpt/criterion/random.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/criterion/taylor.hpp>
#include <lnpt/prune.hpp>

namespace lnpt::conformance {

namespace detail {

/// The bits of all parameters and buffers.
template <prunable Model>
[[nodiscard]] auto state_of(Model& model) {
  std::vector<std::vector<value_type<tensor_of<Model>>>> state;
  for (auto const& p : model.parameters()) state.push_back(values_of(*p.value));
  for (auto const& b : buffers_of(model)) state.push_back(values_of(*b.value));
  return state;
}

/// Thrown on purpose, in the middle of a round.
struct interruption : std::exception {};

/// A network so small that its own rounds cut it cannot show this, which is no fault of its engine.
template <class Model>
void examine_rounds(subject<Model> const& s, findings& found) {
  auto const before = state_of(s.model);
  auto const masks_of = [&](auto progress) {
    return prune<snip>(s.model, s.batch,
                       prune_options<global_unstructured>{.budget = sparsity{0.5}, .rounds = 3, .progress = progress})
        .masks;
  };
  auto cut = false;
  try {
    if (masks_of([](int, int) {}) != masks_of([](int, int) {})) found.add("determinism", "pruning twice gives different masks");
  } catch (error const& e) {
    found.skip("pruning in rounds", e.what());
    cut = true;
  }
  if (state_of(s.model) != before) found.add("restoration", "pruning in rounds changed the model");
  if (cut) return;
  try {
    static_cast<void>(masks_of([](int round, int) {
      if (round == 2) throw interruption();
    }));
    found.add("restoration", "an exception thrown between rounds did not arrive");
  } catch (interruption const&) {
    if (state_of(s.model) != before) found.add("restoration", "an exception thrown between rounds left the model changed");
  }
}

}  // namespace detail

/// Scores with criterion `C` twice. SynFlow refuses networks that are negative somewhere, which is no fault of their engine.
template <class C, class Model, class Batches, class Guide, class Loss>
void examine_criterion(std::string const& name, subject<Model> const& s, Batches const& batches, Guide const& guide,
                       Loss const& loss, findings& found) {
  auto const before = detail::state_of(s.model);
  auto const scores = [&] {
    return score<C>(s.model, batches, guide, loss, score_options{.seed = s.options.seed, .sample_group = 2});
  };
  try {
    auto const first = scores();
    auto const second = scores();
    for (std::size_t i = 0; i < first.parameters.size(); ++i)
      if (!detail::same_bits(first.parameters[i].values, second.parameters.at(i).values))
        found.add("determinism", name, " gives other scores of ", first.parameters[i].name, " the second time");
    require_finite(first);
  } catch (error const& e) {
    if constexpr (std::same_as<C, synflow>)
      found.skip("scores", name, ": ", e.what());
    else
      found.add("scores", name, ": ", e.what());
  }
  if (detail::state_of(s.model) != before) found.add("restoration", "scoring with ", name, " changed the model");
}

/// All criteria that the engine's concepts allow.
template <class Model>
void examine_criteria(subject<Model> const& s, findings& found) {
  auto const run = [&]<class C>(C, std::string const& name, auto const& batches, auto const& loss) {
    examine_criterion<C>(name, s, batches, s.guide(), loss, found);
  };
  auto input = shape_of(s.batch.input);
  input.erase(input.begin());
  run(magnitude{}, "magnitude", input, cross_entropy{});
  run(lnpt::random{}, "random", input, cross_entropy{});
  run(synflow{}, "synflow", input, cross_entropy{});
  run(snip{}, "snip", s.batch, cross_entropy{});
  run(taylor{}, "taylor", s.batch, cross_entropy{});
  run(movement{}, "movement", s.batch, cross_entropy{});
  run(filter_norm<>{}, "filter_norm", input, cross_entropy{});
  constexpr auto can_freeze = freezes_normalization<Model>;
  if (can_freeze || !has_normalization(s.model)) {
    run(obd<>{}, "obd", s.batch, cross_entropy{});
    run(fisher{}, "fisher", s.batch, cross_entropy{});
    if constexpr (has_features<Model>) run(feature_map_synaptic<>{}, "feature_map_synaptic", s.batch, feature_gap{});
  }
  if constexpr (twice_differentiable<Model> && (loss_tensor<tensor_of<Model>> || !differentiates_loss<Model>))
    run(grasp{}, "grasp", s.batch, grasp::default_loss);
  detail::examine_rounds(s, found);
}

}  // namespace lnpt::conformance
