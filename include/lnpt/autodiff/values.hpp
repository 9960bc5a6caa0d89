#pragma once
/// The algebra of plain values: what a forward or a backward pass computes.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/autodiff/channel_vector.hpp>
#include <lnpt/autodiff/primitives.hpp>

namespace lnpt::autodiff {

/// What a pass computed, in the order in which it did: what a later pass over the same rules can replay. Left out is what that pass
/// computes again as quickly as it would read it (combinations), and what no rule reads (gradients of weights).
template <class Backend>
struct tape {
  std::vector<std::shared_ptr<typename Backend::array const>> tensors;
  std::vector<std::shared_ptr<typename Backend::indices const>> indices;
  std::vector<typename Backend::channels> channels;
};

/// Computes with values; writes down each result where a tape is given.
template <class Backend>
class plain : public primitives<plain<Backend>, Backend> {
 public:
  using backend = Backend;
  using array = typename Backend::array;
  using tensor = std::shared_ptr<array const>;
  using indices = std::shared_ptr<typename Backend::indices const>;
  using channels = typename Backend::channels;
  using term = combination_term<plain>;

  explicit plain(tape<Backend>* record = nullptr) : record_(record) {}

  [[nodiscard]] static array const& value(tensor const& x) { return *x; }

  template <class F>
  tensor linear(tensor const& x, F f) {
    return keep(f(*x));
  }
  template <class Into>
  tensor bilinear(tensor const& a, tensor const& b, Into into) {
    array result;
    into(*a, *b, result, false);
    return keep(std::move(result));
  }
  template <class Into>
  tensor bilinear_end(tensor const& a, tensor const& b, Into into) {
    array result;
    into(*a, *b, result, false);
    return share(std::move(result));
  }
  tensor relu(tensor const& x) { return keep(Backend::relu(*x)); }
  tensor gate(tensor const& z, tensor const& g) { return keep(Backend::gate(*z, *g)); }
  tensor add(tensor const& x, tensor const& y, bool rectify = false) { return keep(Backend::add(*x, *y, rectify)); }
  tensor add_row(tensor const& x, tensor const& row) { return keep(Backend::add_row(*x, *row)); }
  tensor concat(std::vector<tensor> const& images) {
    std::vector<array const*> parts;
    for (auto const& image : images) parts.push_back(image.get());
    return keep(Backend::concat(parts));
  }
  std::pair<tensor, indices> max_pool(tensor const& x, auto const& window) {
    typename Backend::indices chosen;
    auto result = keep(Backend::max_pool(*x, window, chosen));
    auto shared = std::make_shared<typename Backend::indices const>(std::move(chosen));
    if (record_) record_->indices.push_back(shared);
    return {std::move(result), std::move(shared)};
  }
  tensor combine(std::vector<term> const& terms, channels const* constant, tensor const& gate, bool rectify = false) {
    std::vector<typename Backend::term> parts;
    for (auto const& t : terms) parts.push_back({t.values.get(), &t.coefficient, t.gated});
    return share(Backend::combine(parts, constant, gate.get(), rectify, false));
  }
  std::pair<channels, channels> channel_sums(tensor const& g, tensor const& x, tensor const& gate) {
    auto [sum, dot] = Backend::channel_sums(*g, *x, gate.get());
    return {keep(std::move(sum)), keep(std::move(dot))};
  }
  channels channel_sum(tensor const& g) { return keep(Backend::channel_sum(*g)); }

  /// A vector of parameters, one per channel, as a channel vector.
  [[nodiscard]] channels as_channels(tensor const& x) const { return Backend::as_channels(*x); }
  [[nodiscard]] channels constant(std::vector<double> const& v) const { return Backend::channels_of(v); }
  [[nodiscard]] static channels without_tangent(channels c) { return c; }
  [[nodiscard]] tensor as_tensor(channels const& c) const { return std::make_shared<array const>(Backend::vector(c)); }

 private:
  [[nodiscard]] static tensor share(array&& result) { return std::make_shared<array const>(std::move(result)); }
  tensor keep(array&& result) {
    auto shared = share(std::move(result));
    if (record_) record_->tensors.push_back(shared);
    return shared;
  }
  channels keep(channels&& result) {
    if (record_) record_->channels.push_back(result);
    return std::move(result);
  }

  tape<Backend>* record_;
};

/// Plain values, but every weight gradient is the sum over samples of its per-sample square: Σ_b (J_bᵀ z_b)².
template <class Backend>
class sample_squares : public plain<Backend> {
 public:
  using typename plain<Backend>::array;
  using typename plain<Backend>::tensor;
  using plain<Backend>::plain;

  tensor conv2d_weight_gradient(tensor const& x, tensor const& gy, auto const& geometry, shape const& w_shape) {
    array sum;
    Backend::conv2d_weight_gradient_squares(*x, *gy, geometry, w_shape, sum, false);
    return std::make_shared<array const>(std::move(sum));
  }
  tensor linear_weight_gradient(tensor const& x, tensor const& gy) {
    array sum;
    Backend::linear_weight_gradient_squares(*x, *gy, sum, false);
    return std::make_shared<array const>(std::move(sum));
  }
};

}  // namespace lnpt::autodiff
