#pragma once
/// The algebra of plain values: what a forward or a backward pass computes.
#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/autodiff/kept_table.hpp>
#include <lnpt/autodiff/primitives.hpp>
#include <lnpt/autodiff/tape.hpp>
#include <lnpt/backend/concept.hpp>

namespace lnpt::autodiff {

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
  static constexpr bool joins_sums = backend_joined_batch_norm<Backend>;

  /// `kept`: the parameters to multiply by their kept weights, whose gradients are those of the kept weights.
  explicit plain(tape<Backend>* record = nullptr, kept_table<array> kept = {}) : record_(record), kept_(std::move(kept)) {}

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
  tensor by_weights(tensor const& x, tensor const& w, Into into) {
    if constexpr (holds_kept_weights<array>)
      if (auto const* const kept = kept_.find(w.get())) {
        array result;
        into(*x, *kept, result, false);
        return keep(std::move(result));
      }
    return bilinear(x, w, into);
  }
  [[nodiscard]] shape parameter_extents(tensor const& w) const { return kept_.extents_of(*w); }
  /// A convolution and what follows it, in one; for passes that write nothing down.
  template <class Geometry>
  tensor fused_conv2d(tensor const& x, tensor const& w, Geometry const& geometry, epilogue<array, channels> const& after) {
    return by_weights(
        x, w, [&](auto const& xv, auto const& wv, array& y, bool) { y = Backend::fused_conv2d(xv, wv, geometry, after); });
  }
  template <class Fill>
  void weight_gradient(tensor const& w, array& gw, Fill fill) const {
    kept_.fill_gradient(*w, gw, fill);
  }
  template <class Geometry>
  std::optional<std::pair<tensor, tensor>> conv2d_gradients(tensor const& x, tensor const& gy, Geometry const& geometry,
                                                            tensor const& w, tensor const& addend, bool rectified) {
    if constexpr (holds_kept_weights<array>)  // other backends have no such gradients
      if (kept_.find(w.get())) {
        array gw;
        array gx;
        kept_.fill_gradient(*w, gw, [&](auto const& form) {
          if constexpr (!std::same_as<std::remove_cvref_t<decltype(form)>, shape>)
            Backend::conv2d_gradients(*x, *gy, geometry, form, addend.get(), rectified, gx, gw);
        });
        return std::pair{share(std::move(gw)), keep(std::move(gx))};
      }
    return std::nullopt;
  }
  template <class Into>
  tensor bilinear_end(tensor const& a, tensor const& b, Into into) {
    array result;
    into(*a, *b, result, false);
    return share(std::move(result));
  }
  /// Whether a gradient has been given.
  [[nodiscard]] static bool given(tensor const& x) { return x != nullptr; }
  /// The sum of two gradients of one parameter.
  tensor add_ends(tensor const& x, tensor const& y) { return share(Backend::add(*x, *y, false)); }
  tensor relu(tensor const& x) { return keep(Backend::relu(*x)); }
  tensor gate(tensor const& z, tensor const& g) { return keep(Backend::gate(*z, *g)); }
  tensor affine(tensor const& x, double factor, double offset) { return share(Backend::affine(*x, factor, offset)); }
  tensor activate(tensor const& x, activation_function const& f) { return share(Backend::activate(*x, f)); }
  tensor activation_slope(tensor const& x, tensor const& g, activation_function const& f) {
    return keep(Backend::activation_slope(*x, *g, f));
  }
  tensor add(tensor const& x, tensor const& y, bool rectify = false) { return keep(Backend::add(*x, *y, rectify)); }
  /// max(0, slope x + offset + y) in one pass, written down as the sum that it is.
  tensor add_combined(tensor const& x, channels const& slope, channels const& offset, tensor const& y, bool rectify) {
    return keep(Backend::combine({{x.get(), &slope}, {y.get(), nullptr}}, &offset, nullptr, rectify, false));
  }
  /// Writes down a result that was not, as that of a sum.
  tensor as_sum(tensor result) {
    if (record_) record_->tensors.push_back(result);
    return result;
  }
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
    std::vector<combined<array, channels>> parts;
    for (auto const& t : terms) parts.push_back({t.values.get(), pointer_to(t.coefficient), t.gated});
    return share(Backend::combine(parts, constant, gate.get(), rectify, false));
  }
  std::pair<channels, channels> channel_sums(tensor const& g, tensor const& x, tensor const& gate) {
    auto [sum, dot] = Backend::channel_sums(*g, *x, gate.get());
    return {keep(std::move(sum)), keep(std::move(dot))};
  }
  /// `channel_sums` and a combination by them in one, for backends that have it: `derive(c, Σ g, Σ g x)` sets what the terms and the
  /// constant point to. The sums are written down, the combination is not.
  template <class Derive>
  tensor combine_after_sums(tensor const& g, tensor const& x, tensor const& gate,
                            std::vector<combined<array, channels>> const& terms, channels const& constant, bool rectify,
                            Derive derive) {
    channels sum = constant;
    channels dot = constant;
    auto result = share(Backend::combine_after_sums(*g, *x, gate.get(), terms, constant, rectify,
                                                    [&](std::size_t c, double of_g, double of_product) {
                                                      sum.values[c] = of_g;
                                                      dot.values[c] = of_product;
                                                      derive(c, of_g, of_product);
                                                    }));
    keep(std::move(sum));
    keep(std::move(dot));
    return result;
  }
  channels channel_sum(tensor const& g) { return keep(Backend::channel_sum(*g)); }

  /// A vector of parameters, one per channel, as a channel vector.
  [[nodiscard]] channels as_channels(tensor const& x) const { return Backend::as_channels(*x); }
  [[nodiscard]] channels constant(channels const& c) const { return c; }
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
  kept_table<array> kept_;
};

}  // namespace lnpt::autodiff
