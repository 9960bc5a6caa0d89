#pragma once
/// The algebra of changes: layers run on bounds of how far their input moves, and give bounds of how far their output moves.
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/autodiff/intervals.hpp>

namespace lnpt::autodiff {

/// Bounds of f(x + d) − f(x) over every x and every d within bounds, rounded outward.
///
///     affine layers   W d: without their constants        ReLU   [min(0, low), max(0, high)]
///     max pooling     [the least low, the greatest high] of each window
///
/// by which a change passes layers whose inputs are not known at all. Costs and refusals are those of `intervals`.
template <class Backend>
class interval_changes : public primitives<interval_changes<Backend>, Backend> {
 public:
  using backend = Backend;
  using bounds = intervals<Backend>;
  using array = typename bounds::array;
  using handle = typename bounds::handle;
  using indices = typename bounds::indices;
  using channels = typename bounds::channels;
  using tensor = typename bounds::tensor;
  using term = combination_term<interval_changes>;

  [[nodiscard]] static array const& value(tensor const& x) { return bounds::value(x); }

  /// Of functions that move or copy values.
  template <class F>
  tensor linear(tensor const& x, F f) {
    return bounds_.linear(x, f);
  }
  template <class Into>
  tensor bilinear(tensor const& x, tensor const& y, Into into) {
    return bounds_.bilinear(x, y, into);
  }
  template <class Into>
  tensor by_weights(tensor const& x, tensor const& w, Into into) {
    return bounds_.by_weights(x, w, into);
  }
  tensor scale(tensor const& x, double factor) { return bounds_.scale(x, factor); }
  tensor affine(tensor const& x, double factor, double) { return bounds_.affine(x, factor, 0); }
  tensor add(tensor const& x, tensor const& y, bool rectify = false) {
    auto const sum = bounds_.add(x, y);
    return rectify ? relu(sum) : sum;
  }
  static tensor add_row(tensor const& x, tensor const&) { return x; }
  tensor concat(std::vector<tensor> const& images) { return bounds_.concat(images); }
  tensor average_pool(tensor const& x, auto const& window) { return bounds_.average_pool(x, window); }
  tensor global_average_pool(tensor const& x) { return bounds_.global_average_pool(x); }

  static tensor relu(tensor const& x) {
    auto const none_below = [](array const& v) { return Backend::relu(v); };
    return {share(negated(none_below(negated(*x.low)))), share(none_below(*x.high))};
  }
  static std::pair<tensor, indices> max_pool(tensor const& x, auto const& window) {
    typename Backend::indices chosen;
    auto low = share(negated(Backend::max_pool(negated(*x.low), window, chosen)));
    auto high = share(Backend::max_pool(*x.high, window, chosen));
    return {tensor{std::move(low), std::move(high)}, std::make_shared<typename Backend::indices const>(std::move(chosen))};
  }
  /// A combination of one term, as batch norm and the biases of convolutions have it: the coefficient stays, the constant goes.
  tensor combine(std::vector<term> const& terms, channels const*, tensor const& gate, bool rectify = false) {
    std::vector<typename bounds::term> same;
    same.reserve(terms.size());
    for (auto const& each : terms) same.push_back({each.values, each.coefficient, each.gated});
    auto const moved =
        same.size() == 1 && !same.front().coefficient && !gate ? same.front().values : bounds_.combine(same, nullptr, gate);
    return rectify ? relu(moved) : moved;
  }

  [[nodiscard]] channels as_channels(tensor const& x) const { return bounds_.as_channels(x); }
  std::pair<channels, channels> channel_sums(tensor const& g, tensor const& x, tensor const& gate) {
    return bounds_.channel_sums(g, x, gate);
  }
  [[nodiscard]] static channels constant(auto const& c) { return bounds::constant(c); }
  [[nodiscard]] static channels without_tangent(channels c) { return c; }
  tensor activate(tensor const& x, auto const& f) { return bounds_.activate(x, f); }
  tensor prelu(tensor const& x, tensor const& v, tensor const& a) { return bounds_.prelu(x, v, a); }

 private:
  [[nodiscard]] static handle share(array a) { return std::make_shared<array const>(std::move(a)); }
  [[nodiscard]] static array negated(array const& x) { return Backend::scale(x, -1); }

  bounds bounds_;
};

}  // namespace lnpt::autodiff
