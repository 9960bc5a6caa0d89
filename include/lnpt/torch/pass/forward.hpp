#pragma once
/// A forward pass of a module: put into a mode, watched, checked, and left as it was.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/normalization.hpp>
#include <lnpt/torch/evidence/autograd_graph.hpp>
#include <lnpt/torch/module/computed_by_hooks.hpp>
#include <lnpt/torch/module/source.hpp>
#include <lnpt/torch/pass/attention.hpp>
#include <lnpt/torch/pass/autocast.hpp>
#include <lnpt/torch/pass/execution.hpp>
#include <lnpt/torch/pass/guard.hpp>
#include <lnpt/torch/pass/map_tap.hpp>
#include <lnpt/torch/pass/tap.hpp>
#include <lnpt/torch/refusal.hpp>

namespace lnpt::detail {

/// What a forward pass leaves for the passes back through it.
struct forward_pass {
  at::Tensor input;
  torch_prediction predicted;  ///< as autograd knows them
  norm_mode mode = norm_mode::eval;
  norm_constants constants;
  std::vector<weight_use> uses;
};

/// What arrives at the logits and at the features; undefined where nothing does.
struct torch_slopes {
  at::Tensor logits, features;
};

[[nodiscard]] inline graph_roots roots_of(torch_prediction const& predicted, torch_slopes const& slopes) {
  if (!predicted.logits.requires_grad())
    fail("the forward pass ran without a graph: call forward() outside of any NoGradGuard before backward()");
  graph_roots roots;
  if (slopes.logits.defined()) roots.add(predicted.logits, slopes.logits);
  if (slopes.features.defined()) roots.add(predicted.features, slopes.features);
  return roots;
}

/// Says what was tried, where LibTorch refuses it.
[[nodiscard]] inline auto running_on(at::Tensor const& x) {
  return [&x] { return std::string("run the module on an input of ") + c10::toString(x.scalar_type()) + ' ' + list(x.sizes()); };
}

/// What a module is made of, how it is called, and what running it told.
class torch_network {
 public:
  torch_network(module_tree modules, torch_callable callable)
      : tree(std::move(modules)), layout(layout_of(tree)), callable_(std::move(callable)) {}

  module_tree tree;
  model_layout layout;  ///< roles by execution once there was one, by the types of modules before

  [[nodiscard]] at::Tensor logits(at::Tensor const& x) const { return callable_(x).logits; }

  /// Runs the module on samples of `x`, unless it was run before, and decides by that run which parameters are weights and which
  /// makes the logits.
  void execute(at::Tensor const& x) {
    if (!execution_) execution_ = in_torch(running_on(x), [&] { return trial_run{tree, layout, callable_}.on(x); });
  }
  /// Whether execution decided on the roles.
  [[nodiscard]] bool was_executed() const { return execution_.has_value(); }

  /// Refuses a module of which every weight is computed by a hook, which leaves nothing to score.
  void require_weights() const {
    auto const scored = [](held_parameter const& held) { return is_prunable(held.role); };
    if (std::ranges::any_of(layout.parameters, scored)) return;
    auto const computed = computed_by_hooks(tree);
    if (!computed.empty()) fail("the module has no weights to prune, since ", computed.front().text());
  }

  /// The scales of the one batch norm that was seen to read what a weight gives; null where none did, or several.
  [[nodiscard]] held_parameter const* scales_behind(held_parameter const& weight) const {
    held_parameter const* found = nullptr;
    for (auto const& use : execution_.value_or(executed_uses{})) {
      if (use.parameter != &weight) continue;
      for (auto const* const scales : use.scales) {
        if (found != nullptr && found != scales) return nullptr;
        found = scales;
      }
    }
    return found;
  }

  /// The module as it is, in its own mode. Features are empty unless they are wanted and found.
  [[nodiscard]] torch_prediction operator()(at::Tensor const& x, bool wants_features) {
    return in_torch(running_on(x), [&] {
      if (!wants_features) return callable_(x);
      forward_tap tap(layout);
      return with_features(callable_(x), x, tap.uses());
    });
  }

  /// A pass in this mode, with these constants or, frozen without constants, with those of the batch itself, to which `sum` adds what
  /// other processes have of it.
  [[nodiscard]] forward_pass run(at::Tensor const& x, norm_mode mode, norm_constants constants, moment_sum const& sum = {}) {
    require_full_precision(x.device().type());
    return in_torch(running_on(x), [&] { return pass_of(x, mode, std::move(constants), sum); });
  }

  /// What the module says in evaluation, without a graph; nobody watches.
  [[nodiscard]] torch_prediction evaluate(at::Tensor const& x) const {
    require_full_precision(x.device().type());
    at::NoGradGuard const plain;
    mode_guard const modes(tree, norm_mode::eval);
    plain_attention_guard const attention;
    return in_torch(running_on(x), [&] { return callable_(x); });
  }

  /// The feature maps of every convolution over images, by the pass once more, without a graph.
  [[nodiscard]] std::vector<seen_maps> maps_of(forward_pass const& pass) const {
    at::NoGradGuard const plain;
    mode_guard const modes(tree, pass.mode);
    norm_guard const norms(layout.norms, pass.constants);
    plain_attention_guard const attention;
    return in_torch(running_on(pass.input), [&] {
      map_tap const tap(layout);
      static_cast<void>(callable_(pass.input));
      tap.check();
      return tap.maps();
    });
  }

  /// Why a prediction has no features.
  static constexpr auto no_features =
      "the features were not found, since no single linear layer or convolution makes the logits: choose a criterion or a loss "
      "that reads none, or pass a callable that returns {logits, features}";

  /// The axis of the input of `uses[i]` that counts samples, if it is known.
  [[nodiscard]] std::optional<std::int64_t> sample_axis(std::vector<weight_use> const& uses, std::size_t i) const {
    return is_as_expected(uses) ? (*execution_)[i].sample_axis : std::nullopt;
  }

 private:
  [[nodiscard]] forward_pass pass_of(at::Tensor const& x, norm_mode mode, norm_constants constants, moment_sum const& sum) {
    mode_guard const modes(tree, mode);  // from here on, buffers are copies
    auto const own = mode == norm_mode::frozen && constants.empty();
    if (own)
      for (auto const& norm : layout.norms) constants.emplace_back(norm.mean.detach(), norm.variance.detach());
    norm_guard const norms(layout.norms, constants);
    plain_attention_guard const attention;
    forward_tap tap(layout, mode, own, sum);
    auto predicted = callable_(x);
    tap.check();
    if (own) require_seen_norms(x, tap.unseen_norms());
    predicted = with_features(std::move(predicted), x, tap.uses());
    check(predicted, x);
    if (own)
      for (std::size_t i = 0; i < constants.size(); ++i)
        constants[i] = {layout.norms[i].mean.detach(), layout.norms[i].variance.detach()};
    return {x, std::move(predicted), mode, std::move(constants), std::move(tap.uses())};
  }

  /// Refuses to freeze a batch norm that computes by operators of its own. Of the layers that no operator was called for, those are such
  /// that learn their statistics in training, and again call none; others never run, or are constants.
  void require_seen_norms(at::Tensor const& x, std::vector<std::size_t> const& unseen) const {
    if (unseen.empty()) return;
    at::NoGradGuard const plain;
    mode_guard const modes(tree, norm_mode::train);
    forward_tap const aside(layout);
    auto const means = [&] {
      std::vector<at::Tensor> now;
      for (auto const i : unseen)
        now.push_back(
            find_tensor(std::ranges::find(tree, layout.norms[i].path, &module_entry::path)->buffers(), "running_mean").clone());
      return now;
    };
    auto const before = means();
    try {
      static_cast<void>(callable_(x));
    } catch (std::exception const&) {
      return;  // some modules return other things in training
    }
    auto const after = means();
    auto const uncalled = aside.unseen_norms();
    for (std::size_t k = 0; k < unseen.size(); ++k)
      if (std::ranges::count(uncalled, unseen[k]) != 0 && !after[k].equal(before[k]))
        fail("batch norm ", layout.norms[unseen[k]].path,
             " computes by operators of its own, so its statistics cannot be frozen: call torch::batch_norm there, or score with "
             "batch norm in train or eval mode");
  }

  [[nodiscard]] bool is_as_expected(std::vector<weight_use> const& uses) const {
    return execution_ && std::ranges::equal(uses, *execution_, {}, &weight_use::parameter, &expected_use::parameter);
  }

  /// The features are what the callable says, else the input, sample by sample, of the one use of a weight that makes the logits.
  [[nodiscard]] torch_prediction with_features(torch_prediction predicted, at::Tensor const& x,
                                               std::vector<weight_use> const& uses) {
    if (predicted.features.defined()) return predicted;
    execute(x);
    auto const makes_logits = [](expected_use const& use) { return use.makes_logits; };
    if (!is_as_expected(uses) || std::ranges::count_if(*execution_, makes_logits) != 1) return predicted;
    auto const at = static_cast<std::size_t>(std::ranges::find_if(*execution_, makes_logits) - execution_->begin());
    auto const& input = uses[at].input;
    if (!input.defined() || input.dim() < 2 || input.size(0) != x.size(0)) return predicted;
    if (input.dim() == 2 || (*execution_)[at].sample_axis == 0) predicted.features = input.flatten(1);
    return predicted;
  }

  void check(torch_prediction const& predicted, at::Tensor const& x) const {
    auto const check_shape = [&](char const* what, at::Tensor const& t) {
      if (t.dim() != 2 || t.size(0) != x.size(0))
        fail("the ", what, " of ", x.size(0), " samples have the shape ", list(t.sizes()),
             ": return {logits [B, K], features [B, M]}");
    };
    check_shape("logits", predicted.logits);
    if (predicted.features.defined()) check_shape("features", predicted.features);
    if (!at::GradMode::is_enabled()) return;
    if (layout.parameters.empty())
      fail("all ", layout.frozen.size(), " parameters of the module are frozen: set requires_grad on those to be scored");
    require_weights();
    if (!predicted.logits.requires_grad())
      fail("the logits are detached from the graph: compute them without detach(), .data() or a NoGradGuard");
    if (predicted.features.defined() && !predicted.features.requires_grad() && has_weight_before_features())
      fail(
          "the features are detached from the graph, so that no weight would have a score: return them without detach(), .data() "
          "or a NoGradGuard");
  }

  /// Whether a weight to score was used, and its output does not make the logits by itself.
  [[nodiscard]] bool has_weight_before_features() const {
    return execution_ && std::ranges::any_of(*execution_, [](expected_use const& use) {
             return !use.makes_logits && use.parameter->value.requires_grad();
           });
  }

  torch_callable callable_;
  std::optional<executed_uses> execution_;
};

}  // namespace lnpt::detail
