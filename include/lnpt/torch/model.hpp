#pragma once
/// Any module of LibTorch as a model of lnpt.
#include <any>
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/finite.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/torch/evidence/network_squares.hpp>
#include <lnpt/torch/evidence/reversal.hpp>
#include <lnpt/torch/evidence/synaptic_flow.hpp>
#include <lnpt/torch/pass/forward.hpp>
#include <lnpt/torch/refusal.hpp>
#include <lnpt/torch/state.hpp>
#include <lnpt/torch/tensor.hpp>

namespace lnpt {

/// A module of LibTorch, on any device; satisfies every model concept of the library.
///
///     torch_model student(net);                                            // forward(x), or features(x) and head(f)
///     torch_model student(net, example);                                   // the same, looked at by running it at once
///     torch_model student(net, [&](at::Tensor x) { … return std::pair(logits, features); });
///     torch_model script(torch::jit::load("model.pt"));                    // with lnpt/torch/module/script.hpp
///
/// The first forward pass, or an example, decides what is what: prunable is every parameter of two axes or more that meets an input in a
/// convolution or a product, and requires gradients; the classifier is what makes the logits last. Before that the types of modules
/// decide. A weight that layers share is counted once, one that an embedding reads too stays dense.
///
/// Features [B, M] are what the callable returns beside the logits [B, K]; where it returns logits alone, the classifier's input, each
/// sample in one row. The module is shared, not copied. Scoring leaves it as it was: no weight, buffer or mode is written, and dropout
/// is off. Throws `lnpt::error` where there are no parameters, where they hold another scalar type, and where LibTorch refuses.
template <std::floating_point Scalar = float>
class torch_model {
 public:
  using tensor_type = torch_tensor<Scalar>;

  /// A forward pass and the graph behind it. Valid while the parameters are unchanged.
  class trace {
   public:
    [[nodiscard]] tensor_type const& output() const { return output_; }
    /// Throws where the features were not found.
    [[nodiscard]] tensor_type const& features() const {
      if (!finds_features()) fail(detail::torch_network::no_features);
      return features_;
    }
    [[nodiscard]] bool finds_features() const { return features_.get().defined(); }

   private:
    friend torch_model;
    detail::forward_pass pass_;
    tensor_type output_, features_;          ///< without a graph: what others keep of a trace does not keep it alive
    std::vector<std::size_t> retained_for_;  ///< the parameters of
    std::vector<at::Tensor> retained_;       ///< differentiable gradients
  };

  /// `callable(x)` gives the logits, or the logits and the features as a pair, a tuple or a struct of two tensors.
  template <class Module, std::invocable<at::Tensor const&> Callable>
  torch_model(Module const& module, Callable callable)
      : torch_model(detail::torch_source<Module>::tree(module),
                    guarded<Module>([callable](at::Tensor const& x) mutable { return detail::predicted_from(callable(x)); })) {}

  /// A module that has `forward(x)`, or `features(x)` and `head(f)`.
  template <class Module>
    requires(!std::same_as<Module, torch_model>)
  explicit torch_model(Module const& module)
      : torch_model(detail::torch_source<Module>::tree(module), guarded<Module>(detail::torch_source<Module>::callable(module))) {
  }

  /// The same, run on an example: a batch of one sample or more.
  template <class Module>
  torch_model(Module const& module, at::Tensor const& example) : torch_model(module) {
    network_.execute(example.detach());
  }
  template <class Module, std::invocable<at::Tensor const&> Callable>
  torch_model(Module const& module, Callable callable, at::Tensor const& example) : torch_model(module, std::move(callable)) {
    network_.execute(example.detach());
  }

  torch_model(torch_model const&) = delete;
  torch_model& operator=(torch_model const&) = delete;

  /// Parameters that require gradients, by PyTorch's names, in the order of registration. Follows a module that is moved to a device.
  [[nodiscard]] std::vector<parameter<tensor_type>> parameters() {
    std::vector<parameter<tensor_type>> result;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      auto const& held = network_.layout.parameters[i];
      values_[i] = held.value.detach();
      result.push_back({held.name, &values_[i], held.role, held.output_axis, held.output_groups});
    }
    return result;
  }

  /// Running statistics.
  [[nodiscard]] std::vector<parameter<tensor_type>> buffers() {
    std::vector<parameter<tensor_type>> result;
    for (std::size_t i = 0; i < network_.layout.norms.size(); ++i) {
      auto const& norm = network_.layout.norms[i];
      statistics_[2 * i] = norm.mean.detach();
      statistics_[2 * i + 1] = norm.variance.detach();
      result.push_back({detail::joined(norm.path, "running_mean"), &statistics_[2 * i], role::running_mean, 0});
      result.push_back({detail::joined(norm.path, "running_var"), &statistics_[2 * i + 1], role::running_variance, 0});
    }
    return result;
  }

  /// The whole state_dict: frozen parameters and every buffer as well, and a shared tensor by each of its names.
  [[nodiscard]] std::vector<state_entry> state() const { return detail::state_entries_of(network_.tree); }

  /// The names of the parameters that do not require gradients: they are kept as they are.
  [[nodiscard]] std::vector<std::string> frozen_parameters() const {
    std::vector<std::string> names;
    for (auto const& held : network_.layout.frozen) names.push_back(held.name);
    return names;
  }

  /// A tensor on the module's device; there is one even where all parameters are frozen.
  [[nodiscard]] tensor_type near() const { return network_.layout.any().value.detach().to(tensor_type::scalar_type); }

  /// What a report on this model should add.
  [[nodiscard]] std::vector<std::string> remarks() const {
    std::vector<std::string> all;
    if (!network_.was_executed())
      all.emplace_back(
          "the weights and the classifier were told by the types of modules, since the module was not run: pass an example to "
          "torch_model");
    if (network_.layout.unregistered > 0)
      all.push_back("the logits depend on " + std::to_string(network_.layout.unregistered) +
                    " trained tensors that no module holds, which are neither scored nor counted: register their layers by "
                    "register_module, and parameters by register_parameter");
    for (auto const& each : detail::computed_weights_of(network_.tree)) all.push_back(each.text());
    return all;
  }

  /// The module's own tensors, in the order of `parameters()`: what an optimizer takes.
  [[nodiscard]] std::vector<at::Tensor> torch_parameters() const { return tensors(indices(which_gradients::all)); }

  [[nodiscard]] detail::module_tree const& modules() const { return network_.tree; }

  /// The module as it is, in its own mode, running statistics and all: logits and, unless they are not wanted, features with their
  /// graph.
  [[nodiscard]] prediction<tensor_type> operator()(at::Tensor const& x, bool wants_features = true) const {
    auto const predicted = network_(x, wants_features);
    auto const widened = [](at::Tensor const& t) { return tensor_type(t.to(tensor_type::scalar_type)); };  // autocast lowers it
    return {widened(predicted.logits), predicted.features.defined() ? std::optional(widened(predicted.features)) : std::nullopt};
  }

  [[nodiscard]] trace forward(tensor_type const& x, normalization const& norm = {}) const {
    check_scalar_types();
    if (at::GradMode::is_enabled()) network_.execute(x.get().detach());
    trace t;
    t.pass_ = network_.run(x.get().detach(), norm.mode, detail::constants_in(norm, network_.layout.norms));
    t.output_ = t.pass_.predicted.logits.detach();
    if (t.pass_.predicted.features.defined()) t.features_ = t.pass_.predicted.features.detach();
    return t;
  }

  /// The same without a graph: what a teacher is asked for.
  [[nodiscard]] prediction<tensor_type> predict(tensor_type const& x, normalization const& norm = {}) const {
    at::NoGradGuard const plain;
    auto const t = forward(x, norm);
    return {t.output(), t.finds_features() ? std::optional(t.features()) : std::nullopt};
  }

  /// The same with zeros in the place of the i-th parameter, which is not written to.
  [[nodiscard]] prediction<tensor_type> predict_without(std::size_t i, tensor_type const& x,
                                                        normalization const& norm = {}) const {
    auto const& value = network_.layout.parameters.at(i).value;
    detail::storage_guard storage;
    storage.replace(value, at::zeros_like(value.detach()));
    return predict(x, norm);
  }

  [[nodiscard]] gradients<tensor_type> backward(trace const& t, cotangents<tensor_type> const& slope,
                                                which_gradients which = which_gradients::all) const {
    return backward(t, slope, which, detail::graph_after::kept);
  }
  /// The same, using the trace up: its graph is freed as the pass goes.
  [[nodiscard]] gradients<tensor_type> backward(trace&& t, cotangents<tensor_type> const& slope,
                                                which_gradients which = which_gradients::all) const {
    t.pass_.uses.clear();  // they hold inputs
    return backward(t, slope, which, detail::graph_after::freed);
  }

  /// The gradient of the loss behind `rule`, as a graph that `hessian_vector_product` differentiates once more.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> retained_backward(trace& t, Rule const& rule,
                                                         which_gradients which = which_gradients::prunable) const {
    auto const norms = constants_of(t);
    auto const& predicted = t.pass_.predicted;
    at::AutoGradMode const recording(true);
    t.retained_for_ = indices(which);
    auto const features = predicted.features.defined() ? std::optional(tensor_type(predicted.features)) : std::nullopt;
    auto const slope = rule(prediction<tensor_type>{predicted.logits, features});
    detail::reversal_tap const tap;
    t.retained_ = detail::in_torch("differentiate the loss", [&] {
      return detail::differentiate(detail::roots_of(predicted, slopes_of(slope)), tensors(t.retained_for_),
                                   detail::graph_after::differentiable);
    });
    return spread(t.retained_for_, t.retained_);
  }

  /// H v = ∂⟨g, v⟩/∂θ, one pass back through the forward and the backward pass.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product(trace const& t, Rule const&,
                                                              gradients<tensor_type> const& v) const {
    return directional_gradient(t, v, detail::graph_after::kept);
  }
  /// The same, using the trace up.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product(trace&& t, Rule const&, gradients<tensor_type> const& v) const {
    t.pass_.uses.clear();
    return directional_gradient(t, v, detail::graph_after::freed);
  }

  /// Σ_b (J_bᵀ z_b)² per prunable parameter, for independent samples (frozen or eval normalisation): network_squares.hpp.
  [[nodiscard]] gradients<tensor_type> sample_squared_gradients(trace const& t, cotangents<tensor_type> const& z) const {
    return spread(indices(which_gradients::all), detail::in_torch("square the gradients of single samples", [&] {
                    return detail::sample_squares_of(network_, t.pass_, slopes_of(z));
                  }));
  }

  /// The normalisation constants of a batch that comes in parts, by one forward pass over all of it, without a graph; none, without a
  /// pass, where there are no norms. Where several processes hold the parts each of them calls this, and `sum(numbers)` makes numbers
  /// their sums over all.
  [[nodiscard]] normalization freeze(std::span<tensor_type const> parts, detail::moment_sum const& sum = {}) const {
    at::NoGradGuard const plain;
    check_scalar_types();
    if (network_.layout.norms.empty()) return {norm_mode::frozen, std::make_shared<std::any>(detail::norm_constants{})};
    std::vector<at::Tensor> inputs;
    for (auto const& part : parts) inputs.push_back(part.get());
    auto const all = detail::in_torch("join the batches", [&] { return at::cat(inputs); });
    auto const pass = network_.run(all, norm_mode::frozen, {}, sum);
    return {norm_mode::frozen, std::make_shared<std::any>(pass.constants)};
  }

  /// Makes the constants that `freeze` gave the running statistics. Throws where one is NaN or infinite; then none has changed.
  void adopt(normalization const& constants) {
    at::NoGradGuard const plain;
    auto const frozen = detail::constants_in(constants, network_.layout.norms);
    for (std::size_t i = 0; i < frozen.size(); ++i)
      for (auto const& values : {frozen[i].first, frozen[i].second})
        detail::require_finite_values(values_of(torch_tensor<double>(values.to(at::kDouble))),
                                      "the statistics that batch norm " + network_.layout.norms[i].path + " would take",
                                      "nothing was changed");
    for (std::size_t i = 0; i < frozen.size(); ++i) {
      network_.layout.norms[i].mean.copy_(frozen[i].first);
      network_.layout.norms[i].variance.copy_(frozen[i].second);
    }
  }

  /// ∂R/∂|θ| of SynFlow, safe from overflow: synaptic_flow.hpp.
  [[nodiscard]] gradients<tensor_type> synaptic_flow(shape const& extents) const {
    check_scalar_types();
    auto const sizes = detail::torch_sizes(extents);
    auto const& near = network_.layout.any().value;
    network_.execute(at::ones(sizes, near.options().requires_grad(false)));
    network_.require_weights();
    auto const chosen = indices(which_gradients::prunable);
    detail::flow_network const flow{network_, tensors(chosen)};
    return spread(chosen, detail::in_torch("compute the flow through the module",
                                           [&] { return flow.flow(sizes, tensor_type::scalar_type); }));
  }

  /// By parameter the scales γ of the batch norm that is seen to read what a weight gives; none where no batch norm reads it, or several
  /// do. `sample`: the shape of a sample, on ones of which a module runs that did not run before.
  [[nodiscard]] std::vector<std::optional<std::size_t>> scales_behind(shape const& sample) const {
    auto const& all = network_.layout.parameters;
    if (!network_.was_executed() && sample.empty())
      fail(
          "which batch norm reads which layer shows when the module runs: pass an example to torch_model, or the shape of a "
          "sample");
    auto sizes = detail::torch_sizes(sample);
    sizes.insert(sizes.begin(), 2);
    network_.execute(at::ones(sizes, network_.layout.any().value.options().requires_grad(false)));
    std::vector<std::optional<std::size_t>> found(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto const* const scales = network_.scales_behind(all[i]);
      for (std::size_t k = 0; k < all.size(); ++k)
        if (scales == &all[k]) found[i] = k;
    }
    return found;
  }

  /// Calls `f(weight, values, extents)` for the maps [C, N, H, W] of every convolution over images, behind the batch norm and the first
  /// activation function that read it alone: by one more pass, without a graph. Convolutions by weights that are computed are left out.
  template <class F>
  void visit_maps(trace const& t, F f) const {
    for (auto const& [weight, maps] : network_.maps_of(t.pass_)) {
      auto const& all = network_.layout.parameters;
      auto const at = std::ranges::find_if(all, [&](detail::held_parameter const& held) { return &held == weight; });
      if (at == all.end()) continue;  // frozen
      tensor_type const by_channel(maps.transpose(0, 1).to(tensor_type::scalar_type).contiguous());
      f(static_cast<std::size_t>(at - all.begin()), values_of(by_channel), shape_of(by_channel));
    }
  }

  /// Calls `f` on the module's parts, once its roles are known from running it on the example.
  template <class F>
  auto on_network(at::Tensor const& example, F f) {
    check_scalar_types();
    network_.execute(example.detach());
    return f(network_);
  }

 private:
  torch_model(detail::module_tree tree, detail::torch_callable callable)
      : network_(std::move(tree), std::move(callable)),
        values_(network_.layout.parameters.size()),
        statistics_(2 * network_.layout.norms.size()) {
    check_scalar_types();
  }

  /// A module may be converted after it was wrapped.
  void check_scalar_types() const {
    for (auto const& held : network_.layout.parameters)
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

  [[nodiscard]] gradients<tensor_type> backward(trace const& t, cotangents<tensor_type> const& slope, which_gradients which,
                                                detail::graph_after after) const {
    auto const norms = constants_of(t);
    auto const chosen = indices(which);
    return spread(chosen, detail::in_torch("differentiate the loss", [&] {
                    return detail::differentiate(detail::roots_of(t.pass_.predicted, slopes_of(slope)), tensors(chosen), after);
                  }));
  }

  /// ∂⟨g, v⟩/∂θ of the retained g.
  [[nodiscard]] gradients<tensor_type> directional_gradient(trace const& t, gradients<tensor_type> const& v,
                                                            detail::graph_after after) const {
    auto const norms = constants_of(t);
    detail::graph_roots roots;
    for (std::size_t k = 0; k < t.retained_.size(); ++k) {
      auto const i = t.retained_for_[k];
      if (t.retained_[k].defined() && i < v.size() && v[i]) roots.add(t.retained_[k], v[i]->get());
    }
    return spread(t.retained_for_, detail::in_torch("differentiate the gradient", [&] {
                    return detail::differentiate(roots, tensors(t.retained_for_), after);
                  }));
  }

  /// Passes back meet the constants of the pass forward.
  [[nodiscard]] detail::norm_guard constants_of(trace const& t) const {
    return detail::norm_guard(network_.layout.norms, t.pass_.constants);
  }

  [[nodiscard]] static detail::torch_slopes slopes_of(cotangents<tensor_type> const& slope) {
    return {slope.output ? slope.output->get() : at::Tensor(), slope.features ? slope.features->get() : at::Tensor()};
  }

  [[nodiscard]] std::vector<std::size_t> indices(which_gradients which) const {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (which == which_gradients::all || is_prunable(network_.layout.parameters[i].role)) result.push_back(i);
    return result;
  }

  [[nodiscard]] std::vector<at::Tensor> tensors(std::vector<std::size_t> const& chosen) const {
    std::vector<at::Tensor> result;
    for (auto const i : chosen) result.push_back(network_.layout.parameters[i].value);
    return result;
  }

  /// Gradients of the chosen parameters as one entry per parameter.
  [[nodiscard]] gradients<tensor_type> spread(std::vector<std::size_t> const& chosen,
                                              std::vector<at::Tensor> const& found) const {
    gradients<tensor_type> result(values_.size());
    for (std::size_t k = 0; k < chosen.size(); ++k)
      if (found[k].defined()) result[chosen[k]] = tensor_type(found[k].detach());
    return result;
  }

  mutable detail::torch_network network_;         ///< learns its roles in the first pass, and changes in nothing else
  std::vector<tensor_type> values_, statistics_;  ///< what `parameters()` and `buffers()` point to
};

}  // namespace lnpt
