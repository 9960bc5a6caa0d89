#pragma once
/// What batch normalisation is made of: sums per channel, and combinations of images with one coefficient per channel.
///
/// Vectors over channels are double, and so is every sum: a variance computed as Σx²/n − mean² must not cancel.
#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <span>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/elementwise.hpp>
#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/cpu/simd.hpp>
#include <lnpt/backend/cpu/streaming.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu {

/// Per channel: Σ g and Σ g·x.
struct moments {
  std::vector<double> sum, dot;
};

/// One image of a combination, with its coefficient per channel; a gated term counts only where the gate is positive.
template <class T>
struct term {
  array<T> const* values;
  std::vector<double> const* coefficient;  ///< null: 1
  bool gated = false;
};

namespace detail {

/// The pieces of every channel's run of N·H·W elements: bounds depend on the shape alone.
struct channel_pieces {
  std::size_t channels, run;
  std::size_t per_channel = chunk_count(run, streaming_grain);

  [[nodiscard]] std::size_t count() const { return channels * per_channel; }
  [[nodiscard]] std::size_t channel(std::size_t piece) const { return piece / per_channel; }
  [[nodiscard]] std::size_t begin(std::size_t piece) const {
    return channel(piece) * run + piece % per_channel * streaming_grain;
  }
  [[nodiscard]] std::size_t size(std::size_t piece) const {
    return std::min(streaming_grain, run - piece % per_channel * streaming_grain);
  }
};

template <class T>
[[nodiscard]] channel_pieces pieces_of(array<T> const& x) {
  require_rank_4("channels", x.shape());
  return {x.shape()[0], x.shape()[1] * x.shape()[2] * x.shape()[3]};
}

struct sum_and_dot {
  double sum = 0, dot = 0;
};

/// Σ g and Σ g·x over a run, in double lanes; g counts only where `gate` is positive, if there is one.
template <bool Gated, bool Dot, class T>
[[nodiscard]] sum_and_dot run_sums(T const* g, T const* x, T const* gate, std::size_t n) {
  constexpr std::size_t width = lanes<double>;
  using wide = vec<double, width>;
  wide sum{};
  wide dot{};
  std::size_t i = 0;
  for (; i + width <= n; i += width) {
    auto values = load<T, width>(g + i);
    if constexpr (Gated) values = load<T, width>(gate + i) > T{0} ? values : vec<T, width>{};
    auto const v = __builtin_convertvector(values, wide);
    sum += v;
    if constexpr (Dot) dot += v * __builtin_convertvector((load<T, width>(x + i)), wide);
  }
  sum_and_dot total;
  for (std::size_t l = 0; l < width; ++l) total.sum += sum[l], total.dot += dot[l];
  for (; i < n; ++i) {
    auto const v = Gated && !(gate[i] > T{0}) ? 0.0 : static_cast<double>(g[i]);
    total.sum += v;
    if constexpr (Dot) total.dot += v * static_cast<double>(x[i]);
  }
  return total;
}

/// Sums `f(begin, size)` over the pieces of one channel, in order.
template <class F>
[[nodiscard]] sum_and_dot sum_channel(channel_pieces const& pieces, std::size_t channel, F f) {
  sum_and_dot total;
  for (auto p = channel * pieces.per_channel; p != (channel + 1) * pieces.per_channel; ++p) {
    auto const part = f(pieces.begin(p), pieces.size(p));
    total.sum += part.sum;
    total.dot += part.dot;
  }
  return total;
}

/// The same of every channel.
template <class F>
[[nodiscard]] moments sum_pieces(channel_pieces const& pieces, F f) {
  std::vector<sum_and_dot> parts(pieces.count());
  for_each_task(parts.size(), [&](std::size_t p) { parts[p] = f(pieces.begin(p), pieces.size(p)); });
  moments total{std::vector<double>(pieces.channels), std::vector<double>(pieces.channels)};
  for (std::size_t p = 0; p < parts.size(); ++p) {
    total.sum[pieces.channel(p)] += parts[p].sum;
    total.dot[pieces.channel(p)] += parts[p].dot;
  }
  return total;
}

/// Σ g and Σ g·x of a piece of a channel, as a function of where it begins and of its size.
template <class T>
[[nodiscard]] auto sums_of_piece(array<T> const& g, array<T> const& x, array<T> const* gate) {
  if (g.size() != x.size() || (gate && g.size() != gate->size()))
    fail("channel_sums: images of shape ", list(g.shape()), " and ", list(x.shape()), "; pass images and a gate of one shape");
  return [gate, a = g.data(), b = x.data()](std::size_t begin, std::size_t n) {
    return gate ? run_sums<true, true>(a + begin, b + begin, gate->data() + begin, n)
                : run_sums<false, true, T>(a + begin, b + begin, nullptr, n);
  };
}

}  // namespace detail

/// Per channel Σ g and Σ g·x in one pass; g counts only at elements where `gate` is positive, if there is one.
template <class T>
[[nodiscard]] moments channel_sums(array<T> const& g, array<T> const& x, array<T> const* gate = nullptr) {
  return detail::sum_pieces(detail::pieces_of(g), detail::sums_of_piece(g, x, gate));
}

/// Per channel Σ g.
template <class T>
[[nodiscard]] std::vector<double> channel_sum(array<T> const& g) {
  return detail::sum_pieces(detail::pieces_of(g),
                            [a = g.data()](std::size_t begin, std::size_t n) {
                              return detail::run_sums<false, false, T>(a + begin, nullptr, nullptr, n);
                            })
      .sum;
}

namespace detail {

/// A combination over elements of one channel: the gated terms first, then the free ones.
template <class T>
struct run_combination {
  std::vector<T const*> values;
  std::vector<T> coefficient;
  T constant;
  T const* gate;
  bool rectify, gate_all;

  template <std::size_t Gated, std::size_t Free>
  void apply(T* __restrict out, std::size_t begin, std::size_t n) const {
    std::array<T const*, Gated + Free> v;
    std::array<T, Gated + Free> c;
    std::transform(values.begin(), values.begin() + Gated + Free, v.begin(), [begin](T const* image) { return image + begin; });
    std::copy_n(coefficient.begin(), Gated + Free, c.begin());
    auto const* const open_at = gate ? gate + begin : nullptr;
    auto const value = [&](std::size_t i) {
      T closed = T{0};
      T open = constant;
      for (std::size_t j = 0; j < Gated; ++j) closed += c[j] * v[j][i];
      for (std::size_t j = Gated; j < Gated + Free; ++j) open += c[j] * v[j][i];
      if constexpr (Gated != 0) open += open_at[i] > T{0} ? closed : T{0};
      return open;
    };
    if (gate_all)
      for (std::size_t i = 0; i < n; ++i) out[i] = open_at[i] > T{0} ? value(i) : T{0};
    else if (rectify)
      for (std::size_t i = 0; i < n; ++i) out[i] = rectified(value(i));
    else
      for (std::size_t i = 0; i < n; ++i) out[i] = value(i);
  }

  /// Calls the loop that is unrolled for these numbers of gated and free terms.
  template <std::size_t Gated = 0, std::size_t Free = 0>
  void operator()(std::size_t gated, std::size_t free, T* out, std::size_t begin, std::size_t n) const {
    if (Gated == gated && Free == free) return apply<Gated, Free>(out, begin, n);
    if constexpr (Gated + Free < 4) {
      if (Gated < gated) return operator()<Gated + 1, Free>(gated, free, out, begin, n);
      return operator()<Gated, Free + 1>(gated, free, out, begin, n);
    }
  }
};

/// A combination of images, checked, of which pieces are carried out one by one.
template <class T>
class combination {
 public:
  combination(std::span<term<T> const> terms, std::vector<double> const* constant, array<T> const* gate, bool rectify,
              bool gate_all)
      : constant_(constant), gate_(gate), rectify_(rectify), gate_all_(gate_all) {
    if (terms.empty() || terms.size() > 4) fail("channel_combination: ", terms.size(), " terms; pass one to four");
    pieces_ = pieces_of(*terms.front().values);
    std::ranges::copy_if(terms, std::back_inserter(ordered_), &term<T>::gated);
    gated_ = ordered_.size();
    std::ranges::copy_if(terms, std::back_inserter(ordered_), std::logical_not<>{}, &term<T>::gated);
    if ((gated_ != 0 || gate_all) && !gate) fail("channel_combination: a gated term without a gate; pass the gate");
    for (auto const& t : terms)
      if (t.values->size() != pieces_.channels * pieces_.run || (t.coefficient && t.coefficient->size() != pieces_.channels) ||
          (gate && gate->size() != t.values->size()))
        fail("channel_combination: ", t.coefficient ? t.coefficient->size() : 1, " coefficients for an image of shape ",
             list(t.values->shape()), "; pass images and a gate of one shape, and one coefficient per channel");
    result_ = array<T>::from_shape(terms.front().values->shape());
  }

  [[nodiscard]] channel_pieces const& pieces() const { return pieces_; }

  void operator()(std::size_t piece) {
    auto const c = pieces_.channel(piece);
    auto const begin = pieces_.begin(piece);
    run_combination<T> run{
        {}, {}, constant_ ? static_cast<T>((*constant_)[c]) : T{0}, gate_ ? gate_->data() : nullptr, rectify_, gate_all_};
    for (auto const& t : ordered_) {
      run.values.push_back(t.values->data());
      run.coefficient.push_back(t.coefficient ? static_cast<T>((*t.coefficient)[c]) : T{1});
    }
    write_result(result_.data(), result_.size(), begin, begin + pieces_.size(piece),
                 [&](T* to, std::size_t first, std::size_t n) { run(gated_, ordered_.size() - gated_, to, first, n); });
  }

  [[nodiscard]] array<T> result() && { return std::move(result_); }

 private:
  std::vector<double> const* constant_;
  array<T> const* gate_;
  bool rectify_, gate_all_;
  channel_pieces pieces_{};
  std::vector<term<T>> ordered_;  ///< the gated terms first
  std::size_t gated_ = 0;
  array<T> result_;
};

}  // namespace detail

/// out = Σ_j coefficient_j[c]·values_j + constant[c], in one pass over at most four images.
/// Gated terms count only where `gate` is positive; `gate_all` zeroes the whole result elsewhere; `rectify` takes max(0, ·) of it.
template <class T>
[[nodiscard]] array<T> channel_combination(std::span<term<T> const> terms, std::vector<double> const* constant = nullptr,
                                           array<T> const* gate = nullptr, bool rectify = false, bool gate_all = false) {
  detail::combination<T> all(terms, constant, gate, rectify, gate_all);
  for_each_task(all.pieces().count(), [&](std::size_t piece) { all(piece); });
  return std::move(all).result();
}

/// `channel_sums(g, x, gate)` and then a combination, whose coefficients and constants `derive(c, Σ g, Σ g·x)` sets: channel by channel, so
/// that the second pass finds in the second cache what the first one read. The bits are those of one after the other.
template <class T, class Derive>
[[nodiscard]] array<T> combination_after_sums(array<T> const& g, array<T> const& x, array<T> const* gate,
                                              std::span<term<T> const> terms, std::vector<double> const* constant, bool rectify,
                                              Derive derive) {
  auto const sums = detail::sums_of_piece(g, x, gate);
  detail::combination<T> all(terms, constant, gate, rectify, false);
  auto const& pieces = all.pieces();
  constexpr std::size_t enough_channels = 16;  // to keep all cores busy with one each
  if (pieces.channels < enough_channels) {
    auto const total = detail::sum_pieces(pieces, sums);
    for (std::size_t c = 0; c < pieces.channels; ++c) derive(c, total.sum[c], total.dot[c]);
    for_each_task(pieces.count(), [&](std::size_t piece) { all(piece); });
    return std::move(all).result();
  }
  for_each_task(pieces.channels, [&](std::size_t c) {
    auto const total = detail::sum_channel(pieces, c, sums);
    derive(c, total.sum, total.dot);
    for (auto p = c * pieces.per_channel; p != (c + 1) * pieces.per_channel; ++p) all(p);
  });
  return std::move(all).result();
}

}  // namespace lnpt::cpu
