#pragma once
/// Any module of LibTorch as a model of lnpt.
#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/model.hpp>
#include <lnpt/torch/curvature_product.hpp>
#include <lnpt/torch/graph.hpp>
#include <lnpt/torch/guard.hpp>
#include <lnpt/torch/sample_squares.hpp>
#include <lnpt/torch/source.hpp>
#include <lnpt/torch/synaptic_flow.hpp>
#include <lnpt/torch/tensor.hpp>

namespace lnpt {

/// A module of LibTorch, on any device; satisfies every model concept of the library.
///
///     torch_model student(net);                                            // forward(x), or features(x) and head(f)
///     torch_model student(net, [&](at::Tensor x) { … return std::pair(logits, features); });
///     torch_model script(torch::jit::load("model.pt"));                    // with lnpt/torch/script.hpp
///
/// Features [B, M] are what the callable returns beside the logits [B, K]; where it returns logits alone, the input of the last linear
/// layer. The module is shared, not copied. Scoring leaves it as it was: no weight, buffer or mode is written, and dropout is off.
/// Prunable are the weights of convolutions and linear layers that require gradients; a weight that layers share is counted once.
/// Throws `lnpt::error` where there are no parameters, or where they hold another scalar type.
template <std::floating_point Scalar = float>
class torch_model {
 public:
  using tensor_type = torch_tensor<Scalar>;

  /// A forward pass and the graph behind it. Valid while the parameters are unchanged.
  class trace {
   public:
    [[nodiscard]] tensor_type const& output() const { return output_; }
    [[nodiscard]] tensor_type const& features() const { return features_; }

   private:
    friend torch_model;
    at::Tensor input_;
    detail::torch_said said_;        ///< as autograd knows them
    tensor_type output_, features_;  ///< without a graph: what others keep of a trace does not keep it alive
    norm_mode mode_ = norm_mode::eval;
    detail::norm_constants constants_;
    std::vector<detail::weight_use> uses_, reversals_;
    std::vector<std::size_t> retained_for_;  ///< the parameters of
    std::vector<at::Tensor> retained_;       ///< differentiable gradients
  };

  /// `callable(x)` gives the logits, or the logits and the features as a pair, a tuple or a struct of two tensors.
  template <class Module, class Callable>
  torch_model(Module const& module, Callable callable)
      : torch_model(detail::torch_source<Module>::tree(module),
                    guarded<Module>([callable](at::Tensor const& x) mutable { return detail::said_from(callable(x)); })) {}

  /// A module that has `forward(x)`, or `features(x)` and `head(f)`.
  template <class Module>
    requires(!std::same_as<Module, torch_model>)
  explicit torch_model(Module const& module)
      : torch_model(detail::torch_source<Module>::tree(module), guarded<Module>(detail::torch_source<Module>::callable(module))) {
  }

  torch_model(torch_model const&) = delete;
  torch_model& operator=(torch_model const&) = delete;

  /// Parameters that require gradients, by PyTorch's names, in the order of registration. Follows a module that is moved to a device.
  [[nodiscard]] std::vector<parameter<tensor_type>> parameters() {
    std::vector<parameter<tensor_type>> result;
    for (std::size_t i = 0; i < layout_.parameters.size(); ++i) {
      auto const& held = layout_.parameters[i];
      values_[i] = held.value.detach();
      result.push_back({held.name, &values_[i], held.is, held.output_axis});
    }
    return result;
  }

  /// Running statistics.
  [[nodiscard]] std::vector<parameter<tensor_type>> buffers() {
    std::vector<parameter<tensor_type>> result;
    for (std::size_t i = 0; i < layout_.norms.size(); ++i) {
      auto const& norm = layout_.norms[i];
      statistics_[2 * i] = norm.mean.detach();
      statistics_[2 * i + 1] = norm.variance.detach();
      result.push_back({detail::joined(norm.path, "running_mean"), &statistics_[2 * i], role::running_mean, 0});
      result.push_back({detail::joined(norm.path, "running_var"), &statistics_[2 * i + 1], role::running_variance, 0});
    }
    return result;
  }

  /// The names of the parameters that do not require gradients: they are kept as they are.
  [[nodiscard]] std::vector<std::string> frozen_parameters() const {
    std::vector<std::string> names;
    for (auto const& held : layout_.frozen) names.push_back(held.name);
    return names;
  }

  /// The module's own tensors, in the order of `parameters()`: what an optimizer takes.
  [[nodiscard]] std::vector<at::Tensor> torch_parameters() const {
    std::vector<at::Tensor> result;
    for (auto const& held : layout_.parameters) result.push_back(held.value);
    return result;
  }

  [[nodiscard]] detail::module_tree const& modules() const { return tree_; }

  /// The module as it is, in its own mode, running statistics and all: logits and features with their graph.
  [[nodiscard]] prediction<tensor_type> operator()(at::Tensor const& x) const {
    detail::forward_tap tap(layout_.norms);
    auto said = with_features(callable_(x), tap);
    return {said.logits.to(tensor_type::scalar_type),
            tensor_type(said.features.to(tensor_type::scalar_type))};  // autocast lowers it
  }

  [[nodiscard]] trace forward(tensor_type const& x, normalization const& norm = {}) const {
    return run(x.get().detach(), norm.mode, norm.constants ? constants_from(*norm.constants) : detail::norm_constants{});
  }

  [[nodiscard]] gradients<tensor_type> backward(trace const& t, cotangents<tensor_type> const& slope,
                                                wanted which = wanted::all) const {
    detail::norm_guard const norms(layout_.norms, t.constants_);
    auto const chosen = indices(which);
    return spread(chosen, detail::differentiate(roots(t, slope), tensors(chosen)));
  }

  /// The gradient of the loss behind `rule`, as a graph that `hessian_vector_product` differentiates once more.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> retained_backward(trace& t, Rule const& rule, wanted which = wanted::prunable) const {
    detail::norm_guard const norms(layout_.norms, t.constants_);
    at::AutoGradMode const recording(true);
    t.retained_for_ = indices(which);
    auto const slope = rule(prediction<tensor_type>{t.said_.logits, tensor_type(t.said_.features)});
    detail::forward_tap tap(layout_.norms);
    t.retained_ = detail::differentiate(roots(t, slope), tensors(t.retained_for_), /*differentiable=*/true);
    t.reversals_ = std::move(tap.reversals());
    return spread(t.retained_for_, t.retained_);
  }

  /// H v = ∂⟨g, v⟩/∂θ, one pass back through the forward and the backward pass.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product(trace const& t, Rule const&,
                                                              gradients<tensor_type> const& v) const {
    detail::norm_guard const norms(layout_.norms, t.constants_);
    std::vector<detail::directed_gradient> directed;
    for (std::size_t k = 0; k < t.retained_.size(); ++k) {
      auto const i = t.retained_for_[k];
      directed.push_back({layout_.parameters[i].value, t.retained_[k], i < v.size() && v[i] ? v[i]->get() : at::Tensor()});
    }
    return spread(t.retained_for_, detail::differentiate_gradients(directed, t.uses_, t.reversals_));
  }

  /// Σ_b (J_bᵀ z_b)² per prunable parameter, for independent samples (frozen or eval normalisation): the gradients of all layers'
  /// outputs in one pass, then the squares layer by layer. A weight used otherwise than by one convolution or linear layer takes a
  /// pass for each sample.
  [[nodiscard]] gradients<tensor_type> sample_squared_gradients(trace const& t, cotangents<tensor_type> const& z) const {
    auto const start = roots(t, z);
    auto const [native, others] = split_by_use(t, start);
    gradients<tensor_type> squares(layout_.parameters.size());
    torch::autograd::edge_list outputs;
    for (auto const& [index, use] : native) outputs.push_back(detail::edge_of(*use));
    {
      detail::norm_guard const norms(layout_.norms, t.constants_);
      auto const slopes = detail::gradients_at(start, outputs);
      for (std::size_t k = 0; k < native.size(); ++k)
        if (slopes[k].defined()) squares[native[k].first] = detail::sample_squares_of(*native[k].second, slopes[k]);
    }
    add_squares_one_by_one(t, z, others, squares);
    return squares;
  }

  /// The normalisation constants of a batch that comes in parts, by one forward pass over all of it, without a graph.
  [[nodiscard]] normalization freeze(std::span<tensor_type const> parts) const {
    at::NoGradGuard const plain;
    std::vector<at::Tensor> inputs;
    for (auto const& part : parts) inputs.push_back(part.get());
    auto const t = run(at::cat(inputs), norm_mode::frozen, {});
    auto constants = std::make_shared<std::vector<channel_moments>>();
    auto const on_host = [](at::Tensor const& m) {
      auto const values = values_of(torch_tensor<double>(m.to(at::kDouble)));
      return values;
    };
    for (auto const& [mean, variance] : t.constants_) constants->push_back({on_host(mean), on_host(variance)});
    return {norm_mode::frozen, std::move(constants)};
  }

  /// ∂R/∂|θ| of SynFlow, safe from overflow: synaptic_flow.hpp.
  [[nodiscard]] gradients<tensor_type> synaptic_flow(shape const& extents) const {
    auto const chosen = indices(wanted::prunable);
    detail::flow_network const network{layout_, tree_, [this](at::Tensor const& x) { return callable_(x).logits; },
                                       tensors(chosen)};
    return spread(chosen, network.flow(detail::torch_sizes(extents), tensor_type::scalar_type));
  }

 private:
  torch_model(detail::module_tree tree, detail::torch_callable callable)
      : tree_(std::move(tree)),
        layout_(detail::layout_of(tree_)),
        callable_(std::move(callable)),
        values_(layout_.parameters.size()),
        statistics_(2 * layout_.norms.size()) {
    for (auto const& held : layout_.parameters)
      if (held.value.scalar_type() != tensor_type::scalar_type)
        fail("the parameter ", held.name, " holds ", c10::toString(held.value.scalar_type()), " but the model is of ",
             c10::toString(tensor_type::scalar_type),
             ": write torch_model<float> or torch_model<double>, or convert the module with ->to()");
  }

  template <class Module>
  [[nodiscard]] static detail::torch_callable guarded(detail::torch_callable callable) {
    return [callable = std::move(callable)](at::Tensor const& x) {
      [[maybe_unused]] typename detail::torch_source<Module>::call_guard const guard{};
      return callable(x);
    };
  }

  /// A forward pass in this mode, with these constants or, frozen without constants, with those of the batch itself.
  [[nodiscard]] trace run(at::Tensor const& x, norm_mode mode, detail::norm_constants constants) const {
    trace t;
    t.input_ = x;
    t.mode_ = mode;
    auto const own = mode == norm_mode::frozen && constants.empty();
    if (own)
      for (auto const& norm : layout_.norms) constants.emplace_back(norm.mean.detach(), norm.variance.detach());
    detail::mode_guard const modes(tree_, mode == norm_mode::train);
    detail::norm_guard const norms(layout_.norms, constants);
    detail::forward_tap tap(layout_.norms, mode == norm_mode::train, own);
    t.said_ = with_features(callable_(x), tap);
    tap.check();
    check_said(t.said_, x);
    if (own)
      for (std::size_t i = 0; i < constants.size(); ++i)
        constants[i] = {layout_.norms[i].mean.detach(), layout_.norms[i].variance.detach()};
    t.constants_ = std::move(constants);
    t.uses_ = std::move(tap.uses());
    t.output_ = t.said_.logits.detach();
    t.features_ = t.said_.features.detach();
    return t;
  }

  [[nodiscard]] detail::torch_said with_features(detail::torch_said said, detail::forward_tap& tap) const {
    if (said.features.defined()) return said;
    if (layout_.classifier.defined())
      for (auto const& use : tap.uses())
        if (use.is_of(layout_.classifier)) said.features = use.input;
    if (!said.features.defined())
      fail(
          "the features were not found, since no linear layer that the module owns ran last: pass a callable that returns "
          "{logits, features}");
    return said;
  }

  void check_said(detail::torch_said const& said, at::Tensor const& x) const {
    auto const check = [&](char const* what, at::Tensor const& t) {
      if (t.dim() != 2 || t.size(0) != x.size(0))
        fail("the ", what, " of ", x.size(0), " samples have the shape ", list(t.sizes()),
             ": return {logits [B, K], features [B, M]}");
    };
    check("logits", said.logits);
    check("features", said.features);
    if (!at::GradMode::is_enabled()) return;
    if (!said.logits.requires_grad())
      fail("the logits are detached from the graph: compute them without detach(), .data() or a NoGradGuard");
    if (!said.features.requires_grad() && has_weight_before_features())
      fail(
          "the features are detached from the graph, so that no weight would have a score: return them without detach(), .data() "
          "or a NoGradGuard");
  }

  [[nodiscard]] bool has_weight_before_features() const {
    for (auto const& held : layout_.parameters)
      if (held.is == role::weight) return true;
    return false;
  }

  [[nodiscard]] detail::norm_constants constants_from(std::vector<channel_moments> const& moments) const {
    if (moments.size() != layout_.norms.size())
      fail("there are constants for ", moments.size(), " norm layers but the module has ", layout_.norms.size(),
           ": pass what freeze() of this model returned");
    detail::norm_constants constants;
    for (std::size_t i = 0; i < moments.size(); ++i) {
      auto const like = [&](std::vector<double> const& values, at::Tensor const& near) {
        return detail::to_device(std::span(values), {static_cast<std::int64_t>(values.size())}, near).to(near.scalar_type());
      };
      constants.emplace_back(like(moments[i].mean, layout_.norms[i].mean), like(moments[i].variance, layout_.norms[i].variance));
    }
    return constants;
  }

  [[nodiscard]] detail::graph_roots roots(trace const& t, cotangents<tensor_type> const& slope) const {
    if (!t.said_.logits.requires_grad())
      fail("the forward pass ran without a graph: call forward() outside of any NoGradGuard before backward()");
    detail::graph_roots roots;
    if (slope.output) roots.add(t.said_.logits, slope.output->get());
    if (slope.features) roots.add(t.said_.features, slope.features->get());
    return roots;
  }

  [[nodiscard]] std::vector<std::size_t> indices(wanted which) const {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < layout_.parameters.size(); ++i)
      if (which == wanted::all || is_prunable(layout_.parameters[i].is)) result.push_back(i);
    return result;
  }

  [[nodiscard]] std::vector<at::Tensor> tensors(std::vector<std::size_t> const& chosen) const {
    std::vector<at::Tensor> result;
    for (auto const i : chosen) result.push_back(layout_.parameters[i].value);
    return result;
  }

  /// Gradients of the chosen parameters as one entry per parameter.
  [[nodiscard]] gradients<tensor_type> spread(std::vector<std::size_t> const& chosen,
                                              std::vector<at::Tensor> const& found) const {
    gradients<tensor_type> result(layout_.parameters.size());
    for (std::size_t k = 0; k < chosen.size(); ++k)
      if (found[k].defined()) result[chosen[k]] = tensor_type(found[k].detach());
    return result;
  }

  using parameter_use = std::pair<std::size_t, detail::weight_use const*>;

  /// The prunable parameters that are reached: those whose only use is a layer we know, and the others.
  [[nodiscard]] std::pair<std::vector<parameter_use>, std::vector<std::size_t>> split_by_use(
      trace const& t, detail::graph_roots const& start) const {
    std::pair<std::vector<parameter_use>, std::vector<std::size_t>> result;
    auto const times_used = detail::count_uses(start);
    for (auto const i : indices(wanted::prunable)) {
      auto const& value = layout_.parameters[i].value;
      auto const found = times_used.find(torch::autograd::impl::grad_accumulator(value).get());
      if (found == times_used.end()) continue;
      detail::weight_use const* only = nullptr;
      for (auto const& use : t.uses_)
        if (use.is_of(value) && detail::has_sample_squares(use, t.input_.size(0))) only = &use;
      if (only != nullptr && found->second == 1)
        result.first.emplace_back(i, only);
      else
        result.second.push_back(i);
    }
    return result;
  }

  void add_squares_one_by_one(trace const& t, cotangents<tensor_type> const& z, std::vector<std::size_t> const& chosen,
                              gradients<tensor_type>& squares) const {
    if (chosen.empty()) return;
    for (std::int64_t b = 0; b < t.input_.size(0); ++b) {
      auto const one = run(t.input_.narrow(0, b, 1), t.mode_, t.constants_);
      auto const row = [&](std::optional<tensor_type> const& all) {
        return all ? std::optional<tensor_type>(all->get().narrow(0, b, 1)) : std::nullopt;
      };
      detail::norm_guard const norms(layout_.norms, t.constants_);
      auto const found = detail::differentiate(roots(one, {row(z.output), row(z.features)}), tensors(chosen));
      for (std::size_t k = 0; k < chosen.size(); ++k) {
        if (!found[k].defined()) continue;
        auto& sum = squares[chosen[k]];
        sum = tensor_type(sum ? sum->get() + found[k].square() : found[k].square());
      }
    }
  }

  detail::module_tree tree_;
  detail::model_layout layout_;
  detail::torch_callable callable_;
  std::vector<tensor_type> values_, statistics_;  ///< what `parameters()` and `buffers()` point to
};

}  // namespace lnpt
