#pragma once
/// The library's own engine: a graph of layers over a backend's value primitives; every derivative comes from the layers' rules.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <lnpt/autodiff/lift.hpp>
#include <lnpt/autodiff/scaled.hpp>
#include <lnpt/autodiff/values.hpp>
#include <lnpt/nn/batch_norm.hpp>
#include <lnpt/nn/conv2d.hpp>
#include <lnpt/nn/flatten.hpp>
#include <lnpt/nn/graph.hpp>
#include <lnpt/nn/held_array.hpp>
#include <lnpt/nn/join.hpp>
#include <lnpt/nn/linear.hpp>
#include <lnpt/nn/pool.hpp>
#include <lnpt/nn/relu.hpp>

namespace lnpt {

/// A feed-forward network over `Backend`. Built node by node (see builder.hpp and zoo/), in the order of computation.
/// Satisfies every model concept of the library.
template <class Backend>
class network {
 public:
  using backend = Backend;
  using tensor_type = typename Backend::array;
  using layer = std::variant<nn::input, nn::conv2d<typename Backend::conv_geometry>, nn::linear, nn::batch_norm, nn::relu,
                             nn::max_pool<typename Backend::pool_window>, nn::average_pool<typename Backend::pool_window>,
                             nn::global_average_pool, nn::flatten, nn::add, nn::concat, nn::subsample_pad>;
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

  // --- building -----------------------------------------------------------------------------------------------------------------
  std::size_t add_node(std::string name, layer rules) { return graph_.add(std::move(name), std::move(rules)); }
  std::size_t add_parameter(std::string name, lnpt::role role, tensor_type value) {
    parameters_.push_back({std::move(name), role, std::move(value)});
    return parameters_.size() - 1;
  }
  std::size_t add_buffer(std::string name, lnpt::role role, tensor_type value) {
    buffers_.push_back({std::move(name), role, std::move(value)});
    return buffers_.size() - 1;
  }
  /// Declares the node that feeds the classifier: the penultimate feature map [N, M].
  void set_features(std::size_t at) { features_ = at; }

  [[nodiscard]] std::vector<node> const& nodes() const { return graph_.nodes(); }
  [[nodiscard]] std::size_t features_node() const { return features_; }

  // --- the model concepts -------------------------------------------------------------------------------------------------------
  [[nodiscard]] std::vector<parameter<tensor_type>> parameters() { return nn::views_of(parameters_); }
  [[nodiscard]] std::vector<parameter<tensor_type>> buffers() { return nn::views_of(buffers_); }

  [[nodiscard]] trace forward(tensor_type const& x, normalization const& norm = {}) const {
    trace result;
    result.norm_ = norm;
    result.features_ = features_;
    autodiff::plain<Backend> algebra(&result.forward_);
    auto const parameters = nn::handles_of(parameters_), buffers = nn::handles_of(buffers_);
    graph_.forward({algebra, result.states_, parameters, buffers, norm}, result.states_, entering(x),
                   drop_restorable(result.states_));
    return result;
  }

  /// What the network says, without a trace: each activation is dropped when nothing reads it any more.
  [[nodiscard]] prediction<tensor_type> predict(tensor_type const& x, normalization const& norm = {}) const {
    autodiff::plain<Backend> algebra;
    states<autodiff::plain<Backend>> all;
    auto const parameters = nn::handles_of(parameters_), buffers = nn::handles_of(buffers_);
    graph_.forward({algebra, all, parameters, buffers, norm}, all, entering(x), drop_dead(all));
    return {*all.back().output, *all[features_].output};
  }

  /// Shows the output of every layer to `see(node, output)`, in the backend's layout; each is dropped when nothing reads it any more.
  template <class See>
  void watch(tensor_type const& x, normalization const& norm, See see) const {
    autodiff::plain<Backend> algebra;
    states<autodiff::plain<Backend>> all;
    auto const parameters = nn::handles_of(parameters_), buffers = nn::handles_of(buffers_);
    graph_.forward({algebra, all, parameters, buffers, norm}, all, entering(x), [&, drop = drop_dead(all)](std::size_t i) {
      see(i, *all[i].output);
      drop(i);
    });
  }

  [[nodiscard]] gradients<tensor_type> backward(trace const& t, cotangents<tensor_type> const& slope,
                                                which_gradients which = which_gradients::all) const {
    autodiff::plain<Backend> algebra;
    return run_reverse(algebra, t, slope, which);
  }
  /// The same, using the trace up: each activation is dropped when the pass is behind it.
  [[nodiscard]] gradients<tensor_type> backward(trace&& t, cotangents<tensor_type> const& slope,
                                                which_gradients which = which_gradients::all) const {
    autodiff::plain<Backend> algebra;
    t.forward_ = t.reverse_ = {};
    return run_reverse(algebra, std::exchange(t.states_, {}), t.norm_, slope, which);
  }

  /// Σ_b (J_bᵀ z_b)² per prunable parameter, for independent samples (frozen or eval normalisation).
  [[nodiscard]] gradients<tensor_type> sample_squared_gradients(trace const& t, cotangents<tensor_type> const& z) const {
    autodiff::sample_squares<Backend> algebra;
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
    using algebra = autodiff::lifted<Backend, autodiff::from_tape>;
    return run_lifted(algebra(t.forward_), algebra(t.reverse_), t, rule, v, [] {});
  }
  /// The same, using the trace up: activations are dropped when the tangents' reverse pass is behind them.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product(trace&& t, Rule const& rule,
                                                              gradients<tensor_type> const& v) const {
    using algebra = autodiff::lifted<Backend, autodiff::from_tape>;
    return run_lifted(algebra(t.forward_), algebra(t.reverse_), t, rule, v, [&t] {
      t.states_.clear();
      t.forward_ = {};
    });
  }

  /// The same product on duals that compute every primal value again: the reference that the replay is tested against.
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product_on_duals(trace const& t, Rule const& rule,
                                                                       gradients<tensor_type> const& v) const {
    using algebra = autodiff::lifted<Backend, autodiff::computed>;
    return run_lifted(algebra(), algebra(), t, rule, v, [] {});
  }

  /// J v: how the prediction moves with the parameters.
  [[nodiscard]] prediction<tensor_type> jacobian_vector_product(trace const& t, gradients<tensor_type> const& v) const {
    autodiff::lifted<Backend, autodiff::from_tape> algebra(t.forward_);
    states<autodiff::lifted<Backend, autodiff::from_tape>> all;
    auto const parameters = lifted_parameters<autodiff::lifted<Backend, autodiff::from_tape>>(v),
               buffers = lifted_buffers<autodiff::lifted<Backend, autodiff::from_tape>>();
    graph_.forward({algebra, all, parameters, buffers, t.norm_}, all, {t.states_[0].output}, drop_dead(all));
    auto const moved = [](auto const& x) { return x.tangent ? *x.tangent : Backend::scale(*x.value, 0.0); };
    return {moved(all.back().output), moved(all[features_].output)};
  }

  /// The normalisation constants of a batch that comes in parts: each layer's moments over all parts, outputs equal to train mode's.
  [[nodiscard]] normalization freeze(std::span<tensor_type const> parts) const {
    auto constants = std::make_shared<std::vector<channel_moments>>();
    normalization const norm{norm_mode::frozen, constants};
    autodiff::plain<Backend> algebra;
    auto const parameters = nn::handles_of(parameters_), buffers = nn::handles_of(buffers_);
    std::vector<states<autodiff::plain<Backend>>> all(parts.size());
    std::vector<std::function<void(std::size_t)>> drop;
    for (std::size_t p = 0; p < parts.size(); ++p) {
      all[p].resize(graph_.size());
      all[p][0].output = entering(parts[p]);
      drop.push_back(drop_dead(all[p]));
    }
    for (std::size_t i = 1; i < graph_.size(); ++i) {
      if (auto const* const bn = std::get_if<nn::batch_norm>(&graph_[i])) {
        std::vector<typename autodiff::plain<Backend>::tensor> inputs;
        for (auto const& each : all) inputs.push_back(each[bn->input].output);
        constants->push_back(bn->batch_moments(inputs, algebra));
      }
      for (std::size_t p = 0; p < parts.size(); ++p) {
        graph_.forward_at(i, nn::forward_pass<autodiff::plain<Backend>>{algebra, all[p], parameters, buffers, norm}, all[p][i]);
        drop[p](i);
      }
    }
    return norm;
  }

  /// ∂R/∂|θ| of SynFlow in exponent-carrying arithmetic. Where a gradient would leave the type's range, all are divided by one common
  /// power of two.
  [[nodiscard]] gradients<tensor_type> synaptic_flow(shape const& extents, weight_signs signs = weight_signs::any) const {
    using algebra_type = autodiff::scaled<Backend>;
    algebra_type algebra;
    std::vector<typename algebra_type::tensor> parameters, buffers;
    for (auto const& p : parameters_) {
      auto const known = signs == weight_signs::nonnegative && is_prunable(p.role);
      parameters.push_back({known ? nn::handle_of(p.value) : absolute_handle(p.value)});
    }
    for (auto const& b : buffers_) buffers.push_back({absolute_handle(b.value)});
    states<algebra_type> all;
    normalization const norm{norm_mode::eval};
    nn::forward_pass<algebra_type> const pass{algebra, all, parameters, buffers, norm};
    graph_.forward(pass, all, {entering(Backend::constant(extents, 1.0))});
    auto const ones = std::make_shared<tensor_type const>(Backend::constant(Backend::extents(*all.back().output.mantissa), 1.0));
    // By conservation the flow through any cut is R: its exponent brings every gradient into range.
    auto const exponent = all.back().output.exponent;
    algebra.deliver_at(std::abs(exponent) < std::numeric_limits<typename Backend::scalar>::max_exponent * 3 / 4 ? 0 : exponent);
    auto flows = graph_.reverse(pass, {{graph_.last(), {ones}}}, wanted_parameters(which_gradients::prunable));
    gradients<tensor_type> result(flows.size());
    for (std::size_t i = 0; i < flows.size(); ++i)
      if (flows[i]) result[i] = nn::release(std::move(flows[i].mantissa));
    return result;
  }

  /// Moves the running statistics by `momentum` towards those of a train-mode trace (unbiased variance), as PyTorch does.
  void update_running_statistics(trace const& t, double momentum = 0.1) {
    for (std::size_t i = 0; i < graph_.size(); ++i) {
      auto const* const bn = std::get_if<nn::batch_norm>(&graph_[i]);
      if (!bn) continue;
      auto const& statistics = t.states_[i].statistics;
      auto const& extents = Backend::extents(*t.states_[bn->input].output);
      auto const n = static_cast<double>(extents[1] * extents[2] * extents[3]);
      Backend::move_towards(buffers_[bn->mean].value, statistics[bn->mean_of_batch], 1.0, momentum);
      Backend::move_towards(buffers_[bn->variance].value, statistics[bn->variance_of_batch], n > 1 ? n / (n - 1) : 1.0, momentum);
    }
  }

 private:
  template <class A>
  using tensors = std::vector<typename A::tensor>;
  template <class A>
  using states = std::vector<nn::node_state<A>>;

  /// |x|, which is x itself where nothing is negative.
  [[nodiscard]] static std::shared_ptr<tensor_type const> absolute_handle(tensor_type const& x) {
    if (Backend::nonnegative(x)) return nn::handle_of(x);
    return std::make_shared<tensor_type const>(Backend::absolute(x));
  }

  [[nodiscard]] static std::shared_ptr<tensor_type const> entering(tensor_type const& batch) {
    return std::make_shared<tensor_type const>(Backend::from_batch(batch));
  }

  /// For a forward pass: calls `drop(j)` when the last node that reads node j is done, but for what the prediction is made of.
  template <class Drop>
  [[nodiscard]] auto after_last_use(Drop drop) const {
    auto last_use = graph_.last_uses();
    last_use[features_] = graph_.size();
    return [last_use = std::move(last_use), drop](std::size_t done) {
      for (std::size_t j = 0; j < done; ++j)
        if (last_use[j] == done) drop(j);
    };
  }
  /// After a forward pass that nobody reverses.
  template <class A>
  [[nodiscard]] auto drop_dead(std::vector<nn::node_state<A>>& all) const {
    return after_last_use([&all](std::size_t j) { all[j] = {}; });
  }
  /// After one whose reverse computes again what is cheap.
  template <class A>
  [[nodiscard]] auto drop_restorable(std::vector<nn::node_state<A>>& all) const {
    return after_last_use([&all, this](std::size_t j) {
      if (graph_.restorable(j)) all[j].output = {};
    });
  }

  template <class A>
  [[nodiscard]] gradients<tensor_type> run_reverse(A& algebra, trace const& t, cotangents<tensor_type> const& slope,
                                                   which_gradients which) const {
    states<A> all;
    for (auto const& s : t.states_) all.push_back({s.output, s.statistics, s.chosen});  // handles, not values
    return run_reverse(algebra, std::move(all), t.norm_, slope, which);
  }
  template <class A>
  [[nodiscard]] gradients<tensor_type> run_reverse(A& algebra, states<A> all, normalization const& norm,
                                                   cotangents<tensor_type> const& slope, which_gradients which) const {
    std::vector<std::pair<std::size_t, typename A::tensor>> starts;
    if (slope.output) starts.emplace_back(graph_.last(), std::make_shared<tensor_type const>(*slope.output));
    if (slope.features) starts.emplace_back(features_, std::make_shared<tensor_type const>(*slope.features));
    auto const parameters = nn::handles_of(parameters_), buffers = nn::handles_of(buffers_);
    auto found = graph_.reverse(nn::forward_pass<A>{algebra, all, parameters, buffers, norm}, starts, wanted_parameters(which));
    gradients<tensor_type> result(found.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i]) result[i] = nn::release(std::move(found[i]));
    return result;
  }

  template <class A>
  [[nodiscard]] tensors<A> lifted_parameters(gradients<tensor_type> const& v) const {
    tensors<A> result;
    auto const plain = nn::handles_of(parameters_);
    for (std::size_t i = 0; i < plain.size(); ++i)
      result.push_back({plain[i], i < v.size() && v[i] ? nn::handle_of(*v[i]) : nullptr});
    return result;
  }
  template <class A>
  [[nodiscard]] tensors<A> lifted_buffers() const {
    tensors<A> result;
    for (auto const& each : nn::handles_of(buffers_)) result.push_back({each});
    return result;
  }

  /// `forwarded()` is called when the states of the trace have all been read.
  template <class A, class Rule, class Forwarded>
  [[nodiscard]] gradients<tensor_type> run_lifted(A forward, A reverse, trace const& t, Rule const& rule,
                                                  gradients<tensor_type> const& v, Forwarded forwarded) const {
    states<A> all;
    auto const parameters = lifted_parameters<A>(v), buffers = lifted_buffers<A>();
    graph_.forward(nn::forward_pass<A>{forward, all, parameters, buffers, t.norm_}, all, {t.states_[0].output},
                   drop_restorable(all));
    forwarded();
    auto const as_dual = [](auto const& x) {
      return dual<tensor_type>(*x.value, x.tangent ? std::optional<tensor_type>(*x.tangent) : std::nullopt);
    };
    auto const slope = rule(prediction<dual<tensor_type>>{as_dual(all.back().output), as_dual(all[features_].output)});
    std::vector<std::pair<std::size_t, typename A::tensor>> starts;
    auto const start = [&](std::size_t at, auto const& s) {
      if (!s) return;
      auto const shared = [](tensor_type const& x) { return std::make_shared<tensor_type const>(x); };
      starts.push_back({at, {shared(s->value), s->tangent ? shared(*s->tangent) : nullptr}});
    };
    start(graph_.last(), slope.output);
    start(features_, slope.features);
    auto found =
        graph_.reverse(nn::forward_pass<A>{reverse, all, parameters, buffers, t.norm_}, starts, wanted_parameters(t.retained_));
    gradients<tensor_type> result(found.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i].tangent) result[i] = nn::release(std::move(found[i].tangent));
    return result;
  }

  [[nodiscard]] std::vector<char> wanted_parameters(which_gradients which) const {
    std::vector<char> result;
    for (auto const& p : parameters_) result.push_back(which == which_gradients::all || is_prunable(p.role));
    return result;
  }
  nn::graph<layer> graph_;
  std::vector<nn::held_array<tensor_type>> parameters_, buffers_;
  std::size_t features_ = 0;
};

}  // namespace lnpt
