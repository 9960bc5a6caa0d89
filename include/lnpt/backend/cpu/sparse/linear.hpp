#pragma once
/// The fully connected layer by its kept weights alone: product, input gradient and gradient of the kept weights.
///
/// From four samples on, samples lie across the lanes and every kept weight is one multiply–add; fewer are dot products with gathered
/// features. Sums run over the kept weights in row-major order, of an input gradient by output; with fewer than four samples, whole eights
/// of them add up lane by lane, and the lanes are added to the sum of the rest. The gradient of a weight adds sample by sample in lanes, then
/// the lanes in pairs.
#include <algorithm>
#include <array>
#include <span>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/cpu/sparse/pattern.hpp>
#include <lnpt/backend/cpu/sparse/product.hpp>
#include <lnpt/backend/cpu/transpose.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu::sparse {

namespace detail {

/// A matrix [N, width] of samples.
template <class T>
struct samples_view {
  T* data;
  std::size_t count{0}, width;

  samples_view(char const* what, auto& x, std::size_t expected) : data(x.data()), width(expected) {
    if (x.dimension() != 2 || x.shape()[1] != expected)
      fail(what, ": an array of shape ", list(x.shape()), "; pass a matrix of ", expected, " columns");
    count = x.shape()[0];
  }
};

inline constexpr std::size_t gathered_samples = 3;  ///< up to which lanes would stay empty

/// Some of the samples, transposed: [feature, sample], the samples filled up with zeros to whole vectors.
template <class T>
class transposed_samples {
 public:
  static constexpr std::size_t most = 8 * lanes<T>;  ///< samples of a block

  transposed_samples(samples_view<T const> x, std::size_t begin, std::size_t count)
      : padded_(chunk_count(count, lanes<T>) * lanes<T>), values_(uninitialized<T>({x.width, padded_})) {
    for_chunks(x.width, 512, [&](std::size_t first, std::size_t last) {
      for (std::size_t n = 0; n < padded_; n += lanes<T>)
        cpu::detail::for_each_column<lanes<T>>(
            x.data + (begin + std::min(n, count - 1)) * x.width + first, x.width, count > n ? std::min(lanes<T>, count - n) : 0,
            last - first, [&](std::size_t i, vec<T> const& v) { store(values_.data() + (first + i) * padded_ + n, v); });
    });
  }

  /// Of a feature: one value per sample, filled up.
  [[nodiscard]] T const* operator[](std::size_t feature) const { return values_.data() + feature * padded_; }
  [[nodiscard]] std::size_t padded() const { return padded_; }

 private:
  std::size_t padded_;
  array<T> values_;
};

/// The entries of one destination: kept weights from `first` up to `last` of so many, where each reads, its value, and how the processor is
/// asked for an entry that is read later.
template <class Source, class Weight, class Prefetch>
struct entry_range {
  std::size_t first, last, all;
  Source source;
  Weight weight;
  Prefetch prefetch;
};

/// Σ weight·x[source] over the entries of a range. Indices and weights are each read once, so that waiting for memory takes longer than the
/// sums: both are asked for 512 entries before their turn, past the end of a row in those of the next.
template <class T>
[[nodiscard]] T gathered_product(T const* x, auto const& range) {
  auto const ahead = std::min(std::size_t{512}, range.all - range.last);
  vec<T, 4> sum[2] = {};
  auto i = range.first;
  for (; i + 8 <= range.last; i += 8) {
    range.prefetch(i + ahead);
    unrolled<2>([&](auto v) {
      auto const j = i + 4 * v;
      vec<T, 4> const weights{range.weight(j), range.weight(j + 1), range.weight(j + 2), range.weight(j + 3)};
      vec<T, 4> const read{x[range.source(j)], x[range.source(j + 1)], x[range.source(j + 2)], x[range.source(j + 3)]};
      sum[v] += weights * read;
    });
  }
  T total = 0;
  for (; i < range.last; ++i) total += range.weight(i) * x[range.source(i)];
  return total + fold<T, 1, 4>(sum[0] + sum[1])[0];
}

/// y[n, d] = Σ weight·x[n, source] over the entries of destination d, which `range_of(d)` gives.
template <class T, class RangeOf>
void multiply_samples(samples_view<T const> x, samples_view<T> y, bool accumulate, RangeOf range_of) {
  constexpr std::size_t grain = 64;
  auto const put = [&](std::size_t n, std::size_t d, T value) {
    auto& to = y.data[n * y.width + d];
    to = accumulate ? to + value : value;
  };
  if (x.count <= gathered_samples)
    return for_chunks(y.width, grain, [&](std::size_t begin, std::size_t end) {
      for (auto d = begin; d < end; ++d)
        for (std::size_t n = 0; n < x.count; ++n) put(n, d, gathered_product(x.data + n * x.width, range_of(d)));
    });
  for (std::size_t first = 0; first < x.count; first += transposed_samples<T>::most) {
    auto const count = std::min(transposed_samples<T>::most, x.count - first);
    transposed_samples<T> const columns(x, first, count);
    for_chunks(y.width, grain, [&](std::size_t begin, std::size_t end) {
      std::array<T, transposed_samples<T>::most> sums;
      for (auto d = begin; d < end; ++d) {
        auto const range = range_of(d);
        in_tiles<8>(0, columns.padded() / lanes<T>, [&](auto tile, std::size_t vector) {
          vec<T> sum[tile()] = {};
          for (auto i = range.first; i < range.last; ++i) {
            auto const* const at = columns[range.source(i)] + vector * lanes<T>;
            auto const weight = range.weight(i);
            unrolled<tile()>([&](auto v) { sum[v] += weight * load(at + v * lanes<T>); });
          }
          unrolled<tile()>([&](auto v) { store(sums.data() + (vector + v) * lanes<T>, sum[v]); });
        });
        for (std::size_t n = 0; n < count; ++n) put(first + n, d, sums[n]);
      }
    });
  }
}

/// An output [N, width]: sized, or required to be so where it is added to.
template <class T>
[[nodiscard]] samples_view<T> samples_output(char const* what, array<T>& y, std::size_t count, std::size_t width,
                                             bool accumulate) {
  if (!accumulate) y.resize({count, width});
  samples_view<T> view(what, y, width);
  if (view.count != count) fail(what, ": adding to ", view.count, " samples; pass ", count);
  return view;
}

}  // namespace detail

/// y[N, O] = x·wᵀ, for the kept weights' values in row-major order.
template <class T>
void linear(array<T> const& x, pattern const& kept, std::span<T const> w, array<T>& y, bool accumulate) {
  require_values("linear", kept, w.size());
  detail::samples_view<T const> const from("linear", x, kept.row_size());
  detail::multiply_samples<T>(from, detail::samples_output("linear", y, from.count, kept.rows(), accumulate), accumulate,
                              [&](std::size_t o) {
                                return detail::entry_range{kept.row_begin(o),
                                                           kept.row_begin(o + 1),
                                                           kept.kept(),
                                                           [&](std::size_t i) { return kept.column(i); },
                                                           [&](std::size_t i) { return w[i]; },
                                                           [&](std::size_t i) {
                                                             kept.prefetch_column(i);
                                                             __builtin_prefetch(w.data() + i);
                                                           }};
                              });
}

/// gx[N, F] = gy·w.
template <class T>
void linear_input_gradient(array<T> const& gy, pattern const& kept, std::span<T const> w, array<T>& gx, bool accumulate) {
  require_values("linear_input_gradient", kept, w.size());
  detail::samples_view<T const> const from("linear_input_gradient", gy, kept.rows());
  detail::multiply_samples<T>(from, detail::samples_output("linear_input_gradient", gx, from.count, kept.row_size(), accumulate),
                              accumulate, [&](std::size_t f) {
                                return detail::entry_range{kept.input_begin(f),
                                                           kept.input_begin(f + 1),
                                                           kept.kept(),
                                                           [&](std::size_t j) { return kept.row(j); },
                                                           [&](std::size_t j) { return w[kept.position(j)]; },
                                                           [&](std::size_t j) { kept.prefetch_entry(j); }};
                              });
}

/// gw: Σ_n gy[n, o]·x[n, f] for each kept weight.
template <class T>
void linear_weight_gradient(array<T> const& x, array<T> const& gy, pattern const& kept, std::span<T> gw, bool accumulate) {
  constexpr std::size_t grain = 64;
  require_values("linear_weight_gradient", kept, gw.size());
  detail::samples_view<T const> const features("linear_weight_gradient", x, kept.row_size());
  detail::samples_view<T const> const slopes("linear_weight_gradient", gy, kept.rows());
  if (features.count != slopes.count)
    fail("linear_weight_gradient: ", features.count, " samples with gradients of ", slopes.count, "; pass as many of both");
  if (!accumulate) std::ranges::fill(gw, T{0});
  if (features.count <= detail::gathered_samples)
    return for_chunks(kept.rows(), grain, [&](std::size_t begin, std::size_t end) {
      for (auto o = begin; o < end; ++o)
        for (auto i = kept.row_begin(o); i < kept.row_begin(o + 1); ++i)
          for (std::size_t n = 0; n < features.count; ++n)
            gw[i] += slopes.data[n * slopes.width + o] * features.data[n * features.width + kept.column(i)];
    });
  for (std::size_t first = 0; first < features.count; first += detail::transposed_samples<T>::most) {
    auto const count = std::min(detail::transposed_samples<T>::most, features.count - first);
    detail::transposed_samples<T> const columns(features, first, count);
    detail::transposed_samples<T> const gradients(slopes, first, count);
    for_chunks(kept.rows(), grain, [&](std::size_t begin, std::size_t end) {
      for (auto o = begin; o < end; ++o)
        detail::in_tiles<4>(kept.row_begin(o), kept.row_begin(o + 1), [&](auto tile, std::size_t i) {
          std::array<T const*, tile()> read;
          unrolled<tile()>([&](auto k) { read[k] = columns[kept.column(i + k)]; });
          detail::dot_planes<T, tile()>(gradients[o], read, columns.padded(), gw.data() + i);
        });
    });
  }
}

}  // namespace lnpt::cpu::sparse
