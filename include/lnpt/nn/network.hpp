#pragma once
/// The library's own engine: a graph of layers over a backend's value primitives; every derivative comes from the layers' rules.
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/autodiff/lift.hpp>
#include <lnpt/autodiff/plain.hpp>
#include <lnpt/autodiff/sample_squares.hpp>
#include <lnpt/backend/concept.hpp>
#include <lnpt/nn/freezing.hpp>
#include <lnpt/nn/fused_convolutions.hpp>
#include <lnpt/nn/fused_sums.hpp>
#include <lnpt/nn/input_layout.hpp>
#include <lnpt/nn/keep_only.hpp>
#include <lnpt/nn/network_body.hpp>
#include <lnpt/nn/running_statistics.hpp>
#include <lnpt/nn/scales_behind.hpp>
#include <lnpt/nn/skip_pruned.hpp>
#include <lnpt/nn/synaptic_flow.hpp>
#include <lnpt/nn/tangent_pass.hpp>

namespace lnpt {

/// A feed-forward network over `Backend`. Built node by node (see builder.hpp and zoo/), in the order of computation.
/// Satisfies every model concept of the library.
template <class Backend>
class network {
  static_assert(detail::refuse_incomplete_backend<Backend>());

 public:
  using backend = Backend;
  using tensor_type = typename Backend::array;
  using layer = nn::layer<Backend>;
  using node = typename nn::graph<layer>::node;

  /// A forward pass and what its reverse needs. Valid while the network's parameters are unchanged.
  class trace {
   public:
    [[nodiscard]] tensor_type const& output() const { return *states_.back().output; }
    [[nodiscard]] tensor_type const& features() const { return *states_[features_].output; }

   private:
    friend network;
    std::vector<nn::node_state<autodiff::plain<Backend>>> states_;
    normalization norm_;
    std::size_t features_ = 0;
    autodiff::tape<Backend> forward_, reverse_;
    which_gradients retained_ = which_gradients::prunable;
  };

  /// `context`: where the network makes new arrays.
  explicit network(typename Backend::context context = {}) { body_.context = std::move(context); }

  // --- building -----------------------------------------------------------------------------------------------------------------
  std::size_t add_node(std::string name, layer rules) { return body_.graph.add(std::move(name), std::move(rules)); }
  std::size_t add_parameter(std::string name, lnpt::role role, tensor_type value) {
    body_.parameters.push_back({std::move(name), role, std::move(value)});
    return body_.parameters.size() - 1;
  }
  std::size_t add_buffer(std::string name, lnpt::role role, tensor_type value) {
    body_.buffers.push_back({std::move(name), role, std::move(value)});
    return body_.buffers.size() - 1;
  }
  /// Declares the node that feeds the classifier: the penultimate feature map [N, M].
  void set_features(std::size_t at) { body_.features = at; }

  [[nodiscard]] std::vector<node> const& nodes() const { return body_.graph.nodes(); }
  [[nodiscard]] std::size_t features_node() const { return body_.features; }

  // --- the model concepts -------------------------------------------------------------------------------------------------------
  [[nodiscard]] std::vector<parameter<tensor_type>> parameters() { return nn::views_of(body_.parameters); }
  /// What is held of the parameters, for whoever moves them in place: see `keep_only`.
  [[nodiscard]] std::vector<parameter<tensor_type>> stored_parameters() { return nn::stored_views_of(body_.parameters); }

  /// Holds the kept weights alone of convolutions and linear layers under these masks, each where `how` asks for it or it costs less than
  /// the dense product. Passes then multiply by those; `backward` gives the gradients of those, as a vector in row-major order; weights
  /// that are not kept take neither time nor memory. Everything else of the network is as before, and `parameters()`, for whoever looks
  /// at whole arrays, ends it. Masks must be those that the weights are already under: pruned weights are not stored.
  void keep_only(mask_set const& masks, execution how = execution::automatic)
    requires nn::keeps_weights<Backend>
  {
    nn::keep_only<Backend>(body_, masks, how);
  }
  /// Lets passes skip the weights that these masks prune, of each parameter where `how` asks for it or it costs less; no masks: none. They
  /// must be 0. Everything else stays as it was: parameters are whole and may change, and the gradient of a skipped weight is given as
  /// 0. Passes of second order and the synaptic flow skip nothing.
  void skip_pruned(mask_set const& masks, execution how = execution::automatic)
    requires nn::keeps_weights<Backend>
  {
    nn::skip_pruned<Backend>(body_, masks, how);
  }
  /// Gives one parameter the values of these kept weights, and zeros elsewhere. It is held so where every layer that reads it can run on
  /// kept weights, and whole otherwise.
  void hold(std::string_view name, kept_weights_of<tensor_type> kept)
    requires nn::keeps_weights<Backend>
  {
    nn::hold(body_, name, std::move(kept));
  }

  [[nodiscard]] std::vector<parameter<tensor_type>> buffers() { return nn::views_of(body_.buffers); }

  [[nodiscard]] trace forward(tensor_type const& x, normalization const& norm = {}) const {
    trace result;
    result.norm_ = norm;
    result.features_ = body_.features;
    autodiff::plain<Backend> algebra(&result.forward_, kept());
    auto drop = body_.drop_restorable(result.states_);  // refuses a network without layers
    run_forward(algebra, result.states_, x, norm, std::move(drop), nn::fused_sums<Backend>(body_));
    return result;
  }

  /// What the network says, without a trace: each activation is dropped when nothing reads it any more, and batch norm, sums and
  /// rectifiers are done with the convolution before them; see nn/fused_convolutions.hpp.
  [[nodiscard]] prediction<tensor_type> predict(tensor_type const& x, normalization const& norm = {}) const {
    return predict_by(nn::handles_of(body_.parameters), x, norm);
  }
  /// The same with zeros in the place of the i-th parameter, which is not written to.
  [[nodiscard]] prediction<tensor_type> predict_without(std::size_t i, tensor_type const& x,
                                                        normalization const& norm = {}) const {
    auto parameters = nn::handles_of(body_.parameters);
    auto const whole = nn::whole_handle_of(body_.parameters.at(i));
    parameters[i] = std::make_shared<tensor_type const>(Backend::scale(*whole, 0.0));
    return predict_by(parameters, x, norm);
  }

  /// Shows the output of every layer to `see(node, output)`, in the backend's layout; each is dropped when nothing reads it any more.
  template <class See>
  void watch(tensor_type const& x, normalization const& norm, See see) const {
    autodiff::plain<Backend> algebra(nullptr, kept());
    states<autodiff::plain<Backend>> all;
    run_forward(algebra, all, x, norm, [&, drop = body_.drop_dead(all)](std::size_t i) {
      see(i, *all[i].output);
      drop(i);
    });
  }

  /// The same of a forward pass that was made; what its trace dropped is computed again.
  template <class See>
  void watch(trace const& t, See see) const {
    autodiff::plain<Backend> algebra(nullptr, kept());
    auto all = states_of<autodiff::plain<Backend>>(t);
    auto const parameters = nn::handles_of(body_.parameters);
    auto const buffers = nn::handles_of(body_.buffers);
    nn::forward_pass<autodiff::plain<Backend>> const pass{algebra, all, parameters, buffers, t.norm_};
    auto const drop = body_.drop_dead(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      body_.graph.restore(i, pass);
      see(i, *all[i].output);
      drop(i);
    }
  }

  [[nodiscard]] gradients<tensor_type> backward(trace const& t, cotangents<tensor_type> const& slope,
                                                which_gradients which = which_gradients::all) const {
    autodiff::plain<Backend> algebra(nullptr, kept());
    return run_reverse(algebra, states_of<autodiff::plain<Backend>>(t), t.norm_, nn::handles_of(body_.parameters), slope, which);
  }
  /// The same, using the trace up: each activation is dropped when the pass is behind it.
  [[nodiscard]] gradients<tensor_type> backward(trace&& t, cotangents<tensor_type> const& slope,
                                                which_gradients which = which_gradients::all) const {
    autodiff::plain<Backend> algebra(nullptr, kept());
    t.forward_ = t.reverse_ = {};
    return run_reverse(algebra, std::exchange(t.states_, {}), t.norm_, nn::handles_of(body_.parameters), slope, which);
  }

  /// ∂L/∂x in the shape of the batch, [N, C, H, W] or [N, F]: how the loss with these cotangents moves with the input.
  [[nodiscard]] tensor_type input_gradient(trace const& t, cotangents<tensor_type> const& slope) const {
    autodiff::plain<Backend> algebra(nullptr, kept());
    auto all = states_of<autodiff::plain<Backend>>(t);
    auto const parameters = nn::handles_of(body_.parameters);
    auto const buffers = nn::handles_of(body_.buffers);
    auto const found =
        body_.graph.reverse_to_input(nn::forward_pass<autodiff::plain<Backend>>{algebra, all, parameters, buffers, t.norm_},
                                     starts_of<autodiff::plain<Backend>>(slope), parameters.size());
    return nn::as_batch<Backend>(*t.states_[0].output, found.get());
  }

  /// Σ_b (J_bᵀ z_b)² per prunable parameter, for independent samples (frozen or eval normalisation).
  [[nodiscard]] gradients<tensor_type> sample_squared_gradients(trace const& t, cotangents<tensor_type> const& z) const {
    autodiff::sample_squares<Backend> algebra(nullptr, kept());
    return run_reverse(algebra, t, z, which_gradients::prunable);
  }

  /// The gradient of the loss behind `rule`, keeping every intermediate value for `hessian_vector_product`.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> retained_backward(trace& t, Rule const& rule,
                                                         which_gradients which = which_gradients::prunable) const {
    t.reverse_ = {};
    t.retained_ = which;
    autodiff::plain<Backend> algebra(&t.reverse_);
    return run_reverse(algebra, t, rule(prediction<tensor_type>{t.output(), t.features()}), which);
  }

  /// H v by forward over reverse: replays both tapes of the trace for tangents alone, about two forward+backwards.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product(trace const& t, Rule const& rule,
                                                              gradients<tensor_type> const& v) const {
    replay const forward(t.forward_);
    replay const reverse(t.reverse_);
    return nn::hessian_vector_product(body_, forward, reverse, batch_of(t), t.norm_, rule, v, t.retained_, [] {});
  }
  /// The same, using the trace up: activations are dropped when the tangents' reverse pass is behind them.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product(trace&& t, Rule const& rule,
                                                              gradients<tensor_type> const& v) const {
    replay const forward(t.forward_);
    replay const reverse(t.reverse_);
    return nn::hessian_vector_product(body_, forward, reverse, batch_of(t), t.norm_, rule, v, t.retained_, [&t] {
      t.states_.clear();
      t.forward_ = {};
    });
  }

  /// The same product on duals that compute every primal value again: the reference that the replay is tested against.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product_on_duals(trace const& t, Rule const& rule,
                                                                       gradients<tensor_type> const& v) const {
    autodiff::lifted<Backend, autodiff::computed> const algebra;
    return nn::hessian_vector_product(body_, algebra, algebra, batch_of(t), t.norm_, rule, v, t.retained_, [] {});
  }

  /// J v: how the prediction moves with the parameters.
  [[nodiscard]] prediction<tensor_type> jacobian_vector_product(trace const& t, gradients<tensor_type> const& v) const {
    return nn::jacobian_vector_product(body_, replay(t.forward_), batch_of(t), t.norm_, v);
  }

  /// The normalisation constants of a batch that comes in parts: each layer's moments over all parts, outputs equal to train mode's.
  [[nodiscard]] normalization freeze(std::span<tensor_type const> parts) const { return nn::freeze(body_, parts); }
  /// The same where several processes hold the parts, each of which calls this; `sum(numbers)` makes numbers their sums over all.
  [[nodiscard]] normalization freeze(std::span<tensor_type const> parts, std::function<void(std::span<double>)> const& sum) const
    requires nn::channels_on_host<Backend>
  {
    return nn::freeze_together(body_, parts, sum);
  }

  /// ∂R/∂|θ| of SynFlow, divided by a common power of two where a gradient would leave the type's range.
  [[nodiscard]] gradients<tensor_type> synaptic_flow(shape const& extents, weight_signs signs = weight_signs::any) const {
    return nn::synaptic_flow(body_, extents, signs);
  }

  /// By parameter the scales of the batch norm behind a weight; see nn/scales_behind.hpp.
  [[nodiscard]] std::vector<std::optional<std::size_t>> scales_behind() const { return nn::scales_behind(body_); }
  /// Makes the constants that `freeze` gave the running statistics.
  void adopt(normalization const& constants) { nn::adopt(body_, constants); }

  /// Moves the running statistics by each layer's momentum towards those of a train-mode trace (unbiased variance), as PyTorch does.
  void update_running_statistics(trace const& t) {
    nn::update_running_statistics(body_, t.states_, t.norm_.shared ? t.norm_.shared->share : 1.0);
  }

 private:
  template <class A>
  using states = std::vector<nn::node_state<A>>;
  using replay = autodiff::lifted<Backend, autodiff::from_tape>;
  using parameter_handles = std::vector<std::shared_ptr<tensor_type const>>;

  [[nodiscard]] autodiff::kept_table<tensor_type> kept() const { return nn::kept_table_of(body_.parameters); }
  [[nodiscard]] static std::shared_ptr<tensor_type const> batch_of(trace const& t) { return t.states_[0].output; }

  [[nodiscard]] prediction<tensor_type> predict_by(parameter_handles const& parameters, tensor_type const& x,
                                                   normalization const& norm) const {
    autodiff::plain<Backend> algebra(nullptr, kept());
    states<autodiff::plain<Backend>> all;
    auto drop = body_.drop_dead(all);  // refuses a network without layers
    run_forward(algebra, all, parameters, x, norm, std::move(drop), nn::fused_convolutions<Backend>(body_));
    return {*all.back().output, *all[body_.features].output};
  }

  template <class A, class Drop, class... Instead>
  void run_forward(A& algebra, states<A>& all, tensor_type const& x, normalization const& norm, Drop drop,
                   Instead const&... instead) const {
    run_forward(algebra, all, nn::handles_of(body_.parameters), x, norm, std::move(drop), instead...);
  }
  template <class A, class Drop, class... Instead>
  void run_forward(A& algebra, states<A>& all, parameter_handles const& parameters, tensor_type const& x,
                   normalization const& norm, Drop drop, Instead const&... instead) const {
    auto const buffers = nn::handles_of(body_.buffers);
    body_.graph.forward({algebra, all, parameters, buffers, norm}, all, body_.entering(x), instead..., std::move(drop));
  }

  template <class A>
  [[nodiscard]] gradients<tensor_type> run_reverse(A& algebra, trace const& t, cotangents<tensor_type> const& slope,
                                                   which_gradients which) const {
    return run_reverse(algebra, states_of<A>(t), t.norm_, nn::whole_handles_of(body_.parameters), slope, which);
  }
  template <class A>
  [[nodiscard]] static states<A> states_of(trace const& t) {
    states<A> all;
    for (auto const& s : t.states_) all.push_back({s.output, s.statistics, s.chosen});  // handles, not values
    return all;
  }
  template <class A>
  [[nodiscard]] gradients<tensor_type> run_reverse(A& algebra, states<A> all, normalization const& norm,
                                                   std::vector<std::shared_ptr<tensor_type const>> const& parameters,
                                                   cotangents<tensor_type> const& slope, which_gradients which) const {
    auto const buffers = nn::handles_of(body_.buffers);
    return nn::released<tensor_type>(body_.graph.reverse(nn::forward_pass<A>{algebra, all, parameters, buffers, norm},
                                                         starts_of<A>(slope), body_.wanted(which)),
                                     [](auto& found) -> auto& { return found; });
  }

  /// Where a reverse pass starts, and with what.
  template <class A>
  [[nodiscard]] std::vector<std::pair<std::size_t, typename A::tensor>> starts_of(cotangents<tensor_type> const& slope) const {
    std::vector<std::pair<std::size_t, typename A::tensor>> starts;
    if (slope.output) starts.emplace_back(body_.graph.last(), std::make_shared<tensor_type const>(*slope.output));
    if (slope.features) starts.emplace_back(body_.features, std::make_shared<tensor_type const>(*slope.features));
    return starts;
  }

  nn::network_body<Backend> body_;
};

}  // namespace lnpt
