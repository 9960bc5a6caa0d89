#pragma once
/// A forward pass of a module: put into a mode, watched, checked, and left as it was.
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/normalization.hpp>
#include <lnpt/torch/graph.hpp>
#include <lnpt/torch/guard.hpp>
#include <lnpt/torch/source.hpp>
#include <lnpt/torch/tap.hpp>

namespace lnpt::detail {

/// What a forward pass leaves for the passes back through it.
struct forward_pass {
  at::Tensor input;
  torch_said said;  ///< as autograd knows them
  norm_mode mode = norm_mode::eval;
  norm_constants constants;
  std::vector<weight_use> uses;
};

/// What arrives at the logits and at the features; undefined where nothing does.
struct torch_slopes {
  at::Tensor logits, features;
};

[[nodiscard]] inline graph_roots roots_of(torch_said const& said, torch_slopes const& slopes) {
  if (!said.logits.requires_grad())
    fail("the forward pass ran without a graph: call forward() outside of any NoGradGuard before backward()");
  graph_roots roots;
  if (slopes.logits.defined()) roots.add(said.logits, slopes.logits);
  if (slopes.features.defined()) roots.add(said.features, slopes.features);
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
  [[nodiscard]] torch_said operator()(at::Tensor const& x, bool wants_features) const {
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
    auto said = with_features(callable_(x), tap);
    tap.check();
    check(said, x);
    if (own)
      for (std::size_t i = 0; i < constants.size(); ++i)
        constants[i] = {layout.norms[i].mean.detach(), layout.norms[i].variance.detach()};
    return {x, std::move(said), mode, std::move(constants), std::move(tap.uses())};
  }

 private:
  [[nodiscard]] torch_said with_features(torch_said said, forward_tap& tap) const {
    if (said.features.defined()) return said;
    if (layout.classifier.defined())
      for (auto const& use : tap.uses())
        if (use.is_of(layout.classifier)) said.features = use.input;
    if (!said.features.defined())
      fail(
          "the features were not found, since no linear layer that the module owns ran last: pass a callable that returns "
          "{logits, features}");
    return said;
  }

  void check(torch_said const& said, at::Tensor const& x) const {
    auto const check_shape = [&](char const* what, at::Tensor const& t) {
      if (t.dim() != 2 || t.size(0) != x.size(0))
        fail("the ", what, " of ", x.size(0), " samples have the shape ", list(t.sizes()),
             ": return {logits [B, K], features [B, M]}");
    };
    check_shape("logits", said.logits);
    check_shape("features", said.features);
    if (!at::GradMode::is_enabled()) return;
    if (!said.logits.requires_grad())
      fail("the logits are detached from the graph: compute them without detach(), .data() or a NoGradGuard");
    if (!said.features.requires_grad() && has_weight_before_features())
      fail(
          "the features are detached from the graph, so that no weight would have a score: return them without detach(), .data() "
          "or a NoGradGuard");
  }

  [[nodiscard]] bool has_weight_before_features() const {
    for (auto const& held : layout.parameters)
      if (held.is == role::weight) return true;
    return false;
  }

  torch_callable callable_;
};

}  // namespace lnpt::detail
