#pragma once
// An engine whose values nobody can look at: the CPU backend behind sealed arrays and sealed vectors over channels, as a device would
// have it. Whatever leaves a seal is counted.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/backend/concept.hpp>
#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/train/traits.hpp>

namespace sealed {

/// What left a seal since the last look.
struct read_count {
  long arrays = 0;   ///< copies of arrays to the host
  long numbers = 0;  ///< single numbers: a loss, the largest value of an array
};
inline read_count reads;

/// Says what was read since the last call.
[[nodiscard]] inline read_count take_reads() { return std::exchange(reads, {}); }

template <class T>
struct backend;

/// A value that only its backend and its traits open.
template <class Held>
class seal {
 public:
  seal() = default;

 private:
  template <class>
  friend struct backend;
  template <class>
  friend struct lnpt::tensor_traits;

  explicit seal(Held held) : held_(std::move(held)) {}
  Held held_;

  template <class F>
  static seal of(F f, auto const&... operands) {
    return seal(Held(f(operands.held_...)));
  }
  friend seal operator+(seal const& a, seal const& b) {
    return of([](auto const& x, auto const& y) { return x + y; }, a, b);
  }
  friend seal operator-(seal const& a, seal const& b) {
    return of([](auto const& x, auto const& y) { return x - y; }, a, b);
  }
  friend seal operator*(seal const& a, seal const& b) {
    return of([](auto const& x, auto const& y) { return x * y; }, a, b);
  }
  friend seal operator*(std::convertible_to<double> auto factor, seal const& a) {
    return of([factor](auto const& x) { return factor * x; }, a);
  }
  friend seal abs(seal const& a) {
    return of([](auto const& x) { return xt::abs(x); }, a);
  }
  friend seal inverse_root(seal const& a, double epsilon) {
    return of([epsilon](auto const& x) { return inverse_root(x, epsilon); }, a);
  }
};

/// Every operation of `cpu::backend<T>`, from seal to seal.
template <class T>
struct backend {
  using open = lnpt::cpu::backend<T>;
  using scalar = T;
  using array = seal<typename open::array>;
  using channels = seal<typename open::channels>;
  using indices = seal<typename open::indices>;
  using packed_mask = seal<typename open::packed_mask>;
  using conv_geometry = typename open::conv_geometry;
  using pool_window = typename open::pool_window;
  using term = lnpt::combined<array, channels>;
  using shape = lnpt::shape;
  struct context {
    int device = 0;
  };

  static shape extents(array const& x) { return open::extents(x.held_); }
  static context context_of(array const&) { return {}; }
  static array constant(shape const& extents, double value, context) { return array(open::constant(extents, value, {})); }
  static array make(shape const& extents, std::span<T const> values, context) { return array(open::make(extents, values, {})); }
  static array from_batch(array const& x) { return array(open::from_batch(x.held_)); }
  static array flatten(array const& x) { return array(open::flatten(x.held_)); }
  static array unflatten(array const& y, shape const& extents) { return array(open::unflatten(y.held_, extents)); }
  static array concat(std::vector<array const*> const& images) {
    std::vector<typename open::array const*> opened;
    for (auto const* image : images) opened.push_back(&image->held_);
    return array(open::concat(opened));
  }
  static array slice_channels(array const& x, std::size_t begin, std::size_t end) {
    return array(open::slice_channels(x.held_, begin, end));
  }
  static array subsample_pad(array const& x, std::size_t stride, std::size_t width, std::size_t before) {
    return array(open::subsample_pad(x.held_, stride, width, before));
  }
  static array subsample_pad_adjoint(array const& gy, std::size_t stride, shape const& extents, std::size_t before) {
    return array(open::subsample_pad_adjoint(gy.held_, stride, extents, before));
  }

  static array slice(array const& x, lnpt::image_region const& region) { return array(open::slice(x.held_, region)); }
  static array unslice(array const& y, lnpt::image_region const& region, shape const& extents) {
    return array(open::unslice(y.held_, region, extents));
  }
  static array channel_shuffle(array const& x, std::size_t groups) { return array(open::channel_shuffle(x.held_, groups)); }
  static array upsample_nearest(array const& x, lnpt::per_axis factor) { return array(open::upsample_nearest(x.held_, factor)); }
  static array upsample_nearest_adjoint(array const& gy, lnpt::per_axis factor) {
    return array(open::upsample_nearest_adjoint(gy.held_, factor));
  }

  static void conv2d(array const& x, array const& w, conv_geometry const& g, array& y, bool more) {
    open::conv2d(x.held_, w.held_, g, y.held_, more);
  }
  static void conv2d_input_gradient(array const& gy, array const& w, conv_geometry const& g, shape const& extents, array& gx,
                                    bool more) {
    open::conv2d_input_gradient(gy.held_, w.held_, g, extents, gx.held_, more);
  }
  static void conv2d_weight_gradient(array const& x, array const& gy, conv_geometry const& g, shape const& extents, array& gw,
                                     bool more) {
    open::conv2d_weight_gradient(x.held_, gy.held_, g, extents, gw.held_, more);
  }
  static void conv2d_weight_gradient_squares(array const& x, array const& gy, conv_geometry const& g, shape const& extents,
                                             array& sum, bool more) {
    open::conv2d_weight_gradient_squares(x.held_, gy.held_, g, extents, sum.held_, more);
  }

  static void linear(array const& x, array const& w, array& y, bool more) { open::linear(x.held_, w.held_, y.held_, more); }
  static void linear_input_gradient(array const& gy, array const& w, array& gx, bool more) {
    open::linear_input_gradient(gy.held_, w.held_, gx.held_, more);
  }
  static void linear_weight_gradient(array const& x, array const& gy, array& gw, bool more) {
    open::linear_weight_gradient(x.held_, gy.held_, gw.held_, more);
  }
  static void linear_weight_gradient_squares(array const& x, array const& gy, array& sum, bool more) {
    open::linear_weight_gradient_squares(x.held_, gy.held_, sum.held_, more);
  }
  static array add_row(array const& x, array const& row) { return array(open::add_row(x.held_, row.held_)); }
  static array column_sums(array const& x) { return array(open::column_sums(x.held_)); }

  static array max_pool(array const& x, pool_window const& w, indices& chosen) {
    return array(open::max_pool(x.held_, w, chosen.held_));
  }
  static array gather_pool(array const& x, indices const& chosen, shape const& extents) {
    return array(open::gather_pool(x.held_, chosen.held_, extents));
  }
  static array scatter_pool(array const& gy, indices const& chosen, shape const& extents) {
    return array(open::scatter_pool(gy.held_, chosen.held_, extents));
  }
  static array average_pool(array const& x, pool_window const& w) { return array(open::average_pool(x.held_, w)); }
  static array average_pool_adjoint(array const& gy, pool_window const& w, shape const& extents) {
    return array(open::average_pool_adjoint(gy.held_, w, extents));
  }
  static array global_average_pool(array const& x) { return array(open::global_average_pool(x.held_)); }
  static array global_average_pool_adjoint(array const& gy, shape const& extents) {
    return array(open::global_average_pool_adjoint(gy.held_, extents));
  }

  static array relu(array const& x) { return array(open::relu(x.held_)); }
  static array gate(array const& z, array const& g) { return array(open::gate(z.held_, g.held_)); }
  static array add(array const& x, array const& y, bool rectify) { return array(open::add(x.held_, y.held_, rectify)); }
  static array scale(array const& x, double factor) { return array(open::scale(x.held_, factor)); }
  static array affine(array const& x, double factor, double offset) { return array(open::affine(x.held_, factor, offset)); }
  using function = lnpt::activation_function;
  static array activate(array const& x, function const& f) { return array(open::activate(x.held_, f)); }
  static array activation_slope(array const& x, array const& g, function const& f) {
    return array(open::activation_slope(x.held_, g.held_, f));
  }
  static array activation_curvature(array const& x, array const& g, array const& v, function const& f) {
    return array(open::activation_curvature(x.held_, g.held_, v.held_, f));
  }
  static array activate_scaled(array const& x, int exponent, function const& f, int result) {
    return array(open::activate_scaled(x.held_, exponent, f, result));
  }
  static array activation_slope_scaled(array const& x, int exponent, array const& g, function const& f) {
    return array(open::activation_slope_scaled(x.held_, exponent, g.held_, f));
  }
  static array prelu(array const& gate, array const& v, array const& a) {
    return array(open::prelu(gate.held_, v.held_, a.held_));
  }
  static void prelu_sums(array const& gate, array const& v, array const& g, shape const& extents, array& sums, bool more) {
    open::prelu_sums(gate.held_, v.held_, g.held_, extents, sums.held_, more);
  }
  static void product(array const& x, array const& y, array& out, bool more) { open::product(x.held_, y.held_, out.held_, more); }
  static void product_sum(array const& x, array const& y, shape const& extents, array& out, bool more) {
    open::product_sum(x.held_, y.held_, extents, out.held_, more);
  }
  static array broadcast(array const& x, shape const& extents) { return array(open::broadcast(x.held_, extents)); }
  static array sum_to(array const& x, shape const& extents) { return array(open::sum_to(x.held_, extents)); }
  static std::shared_ptr<array const> absolute(std::shared_ptr<array const> const& x) {
    return std::make_shared<array const>(array(*open::absolute(std::make_shared<typename open::array const>(x->held_))));
  }
  static double largest(array const& x) {
    ++reads.numbers;
    return open::largest(x.held_);
  }

  static channels as_channels(array const& x) { return channels(open::as_channels(x.held_)); }
  static array vector(channels const& c) { return array(open::vector(c.held_)); }
  static channels channel_sum(array const& g) { return channels(open::channel_sum(g.held_)); }
  static std::pair<channels, channels> channel_sums(array const& g, array const& x, array const* gate) {
    auto [sum, dot] = open::channel_sums(g.held_, x.held_, gate ? &gate->held_ : nullptr);
    return {channels(std::move(sum)), channels(std::move(dot))};
  }
  static array combine(std::vector<term> const& terms, channels const* constant, array const* gate, bool rectify, bool gate_all) {
    std::vector<typename open::term> opened;
    for (auto const& t : terms) opened.push_back({&t.values->held_, t.coefficient ? &t.coefficient->held_ : nullptr, t.gated});
    return array(open::combine(opened, constant ? &constant->held_ : nullptr, gate ? &gate->held_ : nullptr, rectify, gate_all));
  }
  static void move_towards(array& running, channels const& now, double factor, double momentum) {
    open::move_towards(running.held_, now.held_, factor, momentum);
  }

  static packed_mask pack(std::span<std::uint64_t const> words, context) { return packed_mask(open::pack(words, {})); }
  static void sgd_step(array& w, array const& g, array& v, packed_mask const* kept, lnpt::sgd_constants const& constants) {
    open::sgd_step(w.held_, g.held_, v.held_, kept ? &kept->held_ : nullptr, constants);
  }
};

}  // namespace sealed

template <class T>
struct lnpt::tensor_traits<sealed::seal<lnpt::cpu::array<T>>> {
  using value_type = T;
  using array = sealed::seal<lnpt::cpu::array<T>>;
  using open = lnpt::tensor_traits<lnpt::cpu::array<T>>;

  static std::size_t size(array const& x) { return open::size(x.held_); }
  static lnpt::shape shape(array const& x) { return open::shape(x.held_); }
  static void copy_to(array const& x, std::span<T> out) {
    ++sealed::reads.arrays;
    open::copy_to(x.held_, out);
  }
  static array make(lnpt::shape const& extents, std::span<T const> values, array const&) {
    return array(open::make(extents, values));
  }
  static array deep_copy(array const& x) { return x; }
  static array empty(lnpt::shape const& extents) { return array(open::empty(extents)); }
  static array rows(array const& x, std::size_t begin, std::size_t end) { return array(open::rows(x.held_, begin, end)); }

  static array exp(array const& x) { return array(open::exp(x.held_)); }
  static array log_softmax(array const& x) { return array(open::log_softmax(x.held_)); }
  static array row_sum(array const& x) { return array(open::row_sum(x.held_)); }
  static array one_hot(std::vector<std::int64_t> const& labels, array const& like) {
    return array(open::one_hot(labels, like.held_));
  }
  static array one_hot_of_largest(array const& x) { return array(open::one_hot(open::argmax(x.held_), x.held_)); }
  static double sum(array const& x) {
    ++sealed::reads.numbers;
    return open::sum(x.held_);
  }
  static std::vector<std::int64_t> argmax(array const& x) {
    ++sealed::reads.arrays;
    return open::argmax(x.held_);
  }
};

/// Batches are written on the host and sent: a plan would do, were this a device.
template <>
struct lnpt::training_traits<sealed::seal<lnpt::cpu::array<float>>> {
  using array = sealed::seal<lnpt::cpu::array<float>>;
  using backend = sealed::backend<float>;
  using open = lnpt::training_traits<lnpt::cpu::array<float>>;
  static constexpr std::size_t loss_every = 0;

  static auto const& store(auto const& images, array const&) { return images; }
  static array batch(auto const& images, lnpt::batch_plan const& plan, array const&) {
    auto const written = open::batch(images, plan, {});
    return backend::make(lnpt::shape_of(written), {written.data(), written.size()}, {});
  }
  static auto without_gradients() { return open::without_gradients(); }
};
