#pragma once
/// The algebra of values with tangents: one tangent rule for each kind of primitive, written here and nowhere else.
#include <algorithm>
#include <utility>
#include <vector>

#include <lnpt/autodiff/dual.hpp>
#include <lnpt/autodiff/plain.hpp>

namespace lnpt::autodiff {

/// Primal values computed during the pass, as textbooks define `dual` numbers: the reference that `from_tape` is tested against.
template <class Backend>
class computed {
 public:
  template <class F>
  auto primal(F f) {
    return f(algebra_);
  }

 private:
  plain<Backend> algebra_;
};

/// Primal values read from the tape of an earlier pass over the same rules, so that this pass computes tangents only.
template <class Backend>
class from_tape {
 public:
  explicit from_tape(tape<Backend> const& record) : record_(&record) {}

  template <class F>
  auto primal(F) {
    using result = std::invoke_result_t<F, plain<Backend>&>;
    if constexpr (std::same_as<result, typename plain<Backend>::tensor>) {
      return record_->tensors.at(next_tensor_++);
    } else if constexpr (std::same_as<result, typename Backend::channels>) {
      return record_->channels.at(next_channels_++);
    } else if constexpr (std::same_as<result, std::pair<typename Backend::channels, typename Backend::channels>>) {
      next_channels_ += 2;
      return result{record_->channels.at(next_channels_ - 2), record_->channels.at(next_channels_ - 1)};
    } else {
      return result{record_->tensors.at(next_tensor_++), record_->indices.at(next_indices_++)};
    }
  }

 private:
  tape<Backend> const* record_;
  std::size_t next_tensor_ = 0, next_indices_ = 0, next_channels_ = 0;
};

/// The algebra of values with tangents, on a backend that computes values only. `Primal` is the source of the values. A null tangent is
/// zero, and the work on a null tangent is skipped.
template <class Backend, template <class> class Primal>
class lifted : public primitives<lifted<Backend, Primal>, Backend>, private Primal<Backend> {
 public:
  using backend = Backend;
  using array = typename Backend::array;
  using handle = std::shared_ptr<array const>;
  using indices = std::shared_ptr<typename Backend::indices const>;
  using channels = dual<typename Backend::channels>;
  using term = combination_term<lifted>;
  struct tensor {
    handle value;
    handle tangent = nullptr;
    explicit operator bool() const { return value != nullptr; }
  };

  using Primal<Backend>::Primal;

  [[nodiscard]] static array const& value(tensor const& x) { return *x.value; }

  template <class F>
  tensor linear(tensor const& x, F f) {
    return {primal([&](auto& a) { return a.linear(x.value, f); }), x.tangent ? share(f(*x.tangent)) : nullptr};
  }

  template <class Into>
  tensor bilinear(tensor const& a, tensor const& b, Into into) {
    return {primal([&](auto& algebra) { return algebra.bilinear(a.value, b.value, into); }), bilinear_tangent(a, b, into)};
  }
  /// A result that has a tangent only, because no rule reads its value.
  template <class Into>
  tensor bilinear_end(tensor const& a, tensor const& b, Into into) {
    return {nullptr, bilinear_tangent(a, b, into)};
  }

  [[nodiscard]] static bool given(tensor const& x) { return x.value != nullptr || x.tangent != nullptr; }
  tensor add_ends(tensor const& x, tensor const& y) { return {nullptr, sum_of(x.tangent, y.tangent)}; }

  tensor relu(tensor const& x) {
    auto const y = primal([&](auto& a) { return a.relu(x.value); });
    return {y, gated(y, x.tangent)};
  }
  tensor gate(tensor const& z, tensor const& g) {
    return {primal([&](auto& a) { return a.gate(z.value, g.value); }), gated(z.value, g.tangent)};
  }
  /// d (a x + b) = a ẋ. The value is computed under every `Primal`, because tapes leave affine results out.
  tensor affine(tensor const& x, double factor, double offset) {
    return {share(Backend::affine(*x.value, factor, offset)), x.tangent ? share(Backend::scale(*x.tangent, factor)) : nullptr};
  }
  /// d f(x) = f′(x) ẋ. The value is computed under every `Primal`, because tapes leave activations out.
  tensor activate(tensor const& x, activation_function const& f) {
    return {share(Backend::activate(*x.value, f)),
            x.tangent ? share(Backend::activation_slope(*x.value, *x.tangent, f)) : nullptr};
  }
  /// d (g f′(x)) = ġ f′(x) + g f″(x) ẋ
  tensor activation_slope(tensor const& x, tensor const& g, activation_function const& f) {
    auto const moving = g.tangent ? share(Backend::activation_slope(*x.value, *g.tangent, f)) : nullptr;
    auto const bending =
        x.tangent && f.curved() ? share(Backend::activation_curvature(*x.value, *g.value, *x.tangent, f)) : nullptr;
    return {primal([&](auto& a) { return a.activation_slope(x.value, g.value, f); }), sum_of(moving, bending)};
  }
  tensor add(tensor const& x, tensor const& y, bool rectify = false) {
    auto const z = primal([&](auto& a) { return a.add(x.value, y.value, rectify); });
    auto tangent = sum_of(x.tangent, y.tangent);
    return {z, rectify ? gated(z, tangent) : tangent};
  }
  /// The bias has no tangent: biases are not prunable, so no direction moves them.
  tensor add_row(tensor const& x, tensor const& row) {
    return {primal([&](auto& a) { return a.add_row(x.value, row.value); }), x.tangent};
  }
  tensor concat(std::vector<tensor> const& images) {
    auto const result = primal([&](auto& a) {
      std::vector<handle> primals;
      for (auto const& image : images) primals.push_back(image.value);
      return a.concat(primals);
    });
    if (std::none_of(images.begin(), images.end(), [](auto const& image) { return bool(image.tangent); })) return {result};
    std::vector<handle> moving;
    for (auto const& image : images) moving.push_back(image.tangent ? image.tangent : share(Backend::scale(*image.value, 0.0)));
    std::vector<array const*> parts;
    for (auto const& each : moving) parts.push_back(each.get());
    return {result, share(Backend::concat(parts))};
  }
  std::pair<tensor, indices> max_pool(tensor const& x, auto const& window) {
    auto [y, chosen] = primal([&](auto& a) { return a.max_pool(x.value, window); });
    auto tangent = x.tangent ? share(Backend::gather_pool(*x.tangent, *chosen, Backend::extents(*y))) : nullptr;
    return {tensor{std::move(y), std::move(tangent)}, std::move(chosen)};
  }

  /// d Σ c_j x_j = Σ (c_j ẋ_j + ċ_j x_j): the same pass over twice the terms.
  tensor combine(std::vector<term> const& terms, channels const* constant, tensor const& gate, bool rectify = false) {
    std::vector<typename plain<Backend>::term> primals;
    for (auto const& t : terms) primals.push_back({t.values.value, value_of(t.coefficient), t.gated});
    // The value is computed under every `Primal`, because tapes leave combinations out.
    auto const result = plain<Backend>().combine(primals, constant ? &constant->value : nullptr, gate.value, rectify);
    std::vector<combined<array, typename Backend::channels>> moving;
    for (auto const& t : terms) {
      auto const* const coefficient = pointer_to(t.coefficient);
      if (t.values.tangent) moving.push_back({t.values.tangent.get(), coefficient ? &coefficient->value : nullptr, t.gated});
      if (coefficient && coefficient->tangent) moving.push_back({t.values.value.get(), &*coefficient->tangent, t.gated});
    }
    if (moving.empty()) return {result};
    auto const* const drift = constant ? pointer_to(constant->tangent) : nullptr;
    // The tangent of a rectified result passes where the result is positive.
    auto const* const where = rectify ? result.get() : gate.value.get();
    return {result, share(Backend::combine(moving, drift, where, false, rectify))};
  }

  /// d (Σ g, Σ g x) = (Σ ġ, Σ ġ x + g ẋ)
  std::pair<channels, channels> channel_sums(tensor const& g, tensor const& x, tensor const& gate) {
    auto [sum, dot] = primal([&](auto& a) { return a.channel_sums(g.value, x.value, gate.value); });
    channels lifted_sum(std::move(sum));
    channels lifted_dot(std::move(dot));
    if (g.tangent) {
      auto moving = Backend::channel_sums(*g.tangent, *x.value, gate.value.get());
      lifted_sum.tangent = std::move(moving.first);
      lifted_dot.tangent = std::move(moving.second);
    }
    if (x.tangent) {
      auto const moving = Backend::channel_sums(*g.value, *x.tangent, gate.value.get()).second;
      lifted_dot.tangent = lifted_dot.tangent ? *lifted_dot.tangent + moving : moving;
    }
    return {std::move(lifted_sum), std::move(lifted_dot)};
  }
  channels channel_sum(tensor const& g) {
    channels sum(primal([&](auto& a) { return a.channel_sum(g.value); }));
    if (g.tangent) sum.tangent = Backend::channel_sum(*g.tangent);
    return sum;
  }

  [[nodiscard]] channels as_channels(tensor const& x) const { return Backend::as_channels(*x.value); }
  [[nodiscard]] channels constant(typename Backend::channels const& c) const { return c; }
  [[nodiscard]] static channels without_tangent(channels const& c) { return c.value; }
  [[nodiscard]] tensor as_tensor(channels const& c) const { return {share(Backend::vector(c.value))}; }

 private:
  using Primal<Backend>::primal;

  template <class Into>
  [[nodiscard]] static handle bilinear_tangent(tensor const& a, tensor const& b, Into into) {
    array tangent;
    bool begun = false;
    auto const more = [&](handle const& left, handle const& right) {
      if (!left || !right) return;
      into(*left, *right, tangent, begun);
      begun = true;
    };
    more(a.tangent, b.value);
    more(a.value, b.tangent);
    return begun ? share(std::move(tangent)) : nullptr;
  }
  [[nodiscard]] static std::optional<typename Backend::channels> value_of(std::optional<channels> const& c) {
    return c ? std::optional(c->value) : std::nullopt;
  }
  [[nodiscard]] static handle share(array&& a) { return std::make_shared<array const>(std::move(a)); }
  [[nodiscard]] static handle sum_of(handle const& x, handle const& y) {
    return x && y ? share(Backend::add(*x, *y, false)) : x ? x : y;
  }
  [[nodiscard]] static handle gated(handle const& z, handle const& tangent) {
    return tangent ? share(Backend::gate(*z, *tangent)) : nullptr;
  }
};

}  // namespace lnpt::autodiff
