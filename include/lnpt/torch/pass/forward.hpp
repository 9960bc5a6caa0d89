#pragma once
/// A forward pass of a module: put into a mode, watched, checked, and left as it was.
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/normalization.hpp>
#include <lnpt/torch/evidence/autograd_graph.hpp>
#include <lnpt/torch/module/source.hpp>
#include <lnpt/torch/pass/guard.hpp>
#include <lnpt/torch/pass/tap.hpp>

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

/// What a module is made of, and how it is called.
class torch_network {
 public:
  torch_network(module_tree modules, torch_callable callable)
      : tree(std::move(modules)), layout(layout_of(tree)), callable_(std::move(callable)) {}

  module_tree tree;
  model_layout layout;

  [[nodiscard]] at::Tensor logits(at::Tensor const& x) const { return callable_(x).logits; }

  /// The module as it is, in its own mode; looks for features only if they are wanted.
  [[nodiscard]] torch_prediction operator()(at::Tensor const& x, bool wants_features) const {
    if (!wants_features) return callable_(x);
    forward_tap tap(layout.norms);
    return with_features(callable_(x), tap);
  }

  /// A pass in this mode, with these constants or, frozen without constants, with those of the batch itself.
  [[nodiscard]] forward_pass run(at::Tensor const& x, norm_mode mode, norm_constants constants) const {
    auto const own = mode == norm_mode::frozen && constants.empty();
    if (own)
      for (auto const& norm : layout.norms) constants.emplace_back(norm.mean.detach(), norm.variance.detach());
    mode_guard const modes(tree, mode == norm_mode::train);
    norm_guard const norms(layout.norms, constants);
    forward_tap tap(layout.norms, mode == norm_mode::train, own);
    auto predicted = with_features(callable_(x), tap);
    tap.check();
    check(predicted, x);
    if (own)
      for (std::size_t i = 0; i < constants.size(); ++i)
        constants[i] = {layout.norms[i].mean.detach(), layout.norms[i].variance.detach()};
    return {x, std::move(predicted), mode, std::move(constants), std::move(tap.uses())};
  }

 private:
  [[nodiscard]] torch_prediction with_features(torch_prediction predicted, forward_tap& tap) const {
    if (predicted.features.defined()) return predicted;
    if (layout.classifier.defined())
      for (auto const& use : tap.uses())
        if (use.is_of(layout.classifier)) predicted.features = use.input;
    if (!predicted.features.defined())
      fail(
          "the features were not found, since no linear layer that the module owns ran last: pass a callable that returns "
          "{logits, features}");
    return predicted;
  }

  void check(torch_prediction const& predicted, at::Tensor const& x) const {
    auto const check_shape = [&](char const* what, at::Tensor const& t) {
      if (t.dim() != 2 || t.size(0) != x.size(0))
        fail("the ", what, " of ", x.size(0), " samples have the shape ", list(t.sizes()),
             ": return {logits [B, K], features [B, M]}");
    };
    check_shape("logits", predicted.logits);
    check_shape("features", predicted.features);
    if (!at::GradMode::is_enabled()) return;
    if (!predicted.logits.requires_grad())
      fail("the logits are detached from the graph: compute them without detach(), .data() or a NoGradGuard");
    if (!predicted.features.requires_grad() && has_weight_before_features())
      fail(
          "the features are detached from the graph, so that no weight would have a score: return them without detach(), .data() "
          "or a NoGradGuard");
  }

  [[nodiscard]] bool has_weight_before_features() const {
    for (auto const& held : layout.parameters)
      if (held.role == role::weight) return true;
    return false;
  }

  torch_callable callable_;
};

}  // namespace lnpt::detail
