#pragma once
/// Linear layers: the products of feature matrices [N, F] with weights [O, F], in blocks whose bounds depend on the shapes alone.
#include <algorithm>

#include <Eigen/Core>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu {

namespace detail {

template <class T>
using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

[[nodiscard]] constexpr Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

template <class T>
[[nodiscard]] auto as_matrix(char const* what, array<T> const& x) {
  if (x.dimension() != 2) fail(what, ": an array of shape ", list(x.shape()), "; pass a matrix");
  return Eigen::Map<matrix<T> const>(x.data(), index(x.shape()[0]), index(x.shape()[1]));
}

/// An output matrix: given this shape, or required to have it when it is added to.
template <class T>
[[nodiscard]] auto output_matrix(char const* what, array<T>& y, std::size_t rows, std::size_t columns, bool accumulate) {
  if (!accumulate)
    y.resize({rows, columns});
  else if (y.dimension() != 2 || y.shape()[0] != rows || y.shape()[1] != columns)
    fail(what, ": adding to an array of shape ", list(y.shape()), "; pass one of shape [", rows, ", ", columns, "]");
  return Eigen::Map<matrix<T>>(y.data(), index(rows), index(columns));
}

/// c = a·b or c += a·b, for expressions a and b, by blocks of the result.
template <class C, class A, class B>
void product_by_blocks(char const* what, A const& a, B const& b, C c, bool accumulate) {
  if (a.cols() != b.rows())
    fail(what, ": a product of ", a.rows(), "×", a.cols(), " and ", b.rows(), "×", b.cols(), " matrices; pass matching extents");
  constexpr std::size_t rows = 64;
  constexpr std::size_t columns = 256;
  auto const across = chunk_count(static_cast<std::size_t>(c.cols()), columns);
  for_each_task(across * chunk_count(static_cast<std::size_t>(c.rows()), rows), [&](std::size_t i) {
    auto const r = index(i / across * rows);
    auto const k = index(i % across * columns);
    auto const height = std::min(index(rows), c.rows() - r);
    auto const width = std::min(index(columns), c.cols() - k);
    auto block = c.block(r, k, height, width);
    if (accumulate)
      block.noalias() += a.middleRows(r, height) * b.middleCols(k, width);
    else
      block.noalias() = a.middleRows(r, height) * b.middleCols(k, width);
  });
}

}  // namespace detail

/// y[N, O] = x·wᵀ, for x[N, F] and w[O, F].
template <class T>
void linear(array<T> const& x, array<T> const& w, array<T>& y, bool accumulate = false) {
  auto const a = detail::as_matrix("linear", x);
  auto const b = detail::as_matrix("linear", w);
  detail::product_by_blocks("linear", a, b.transpose(),
                            detail::output_matrix("linear", y, x.shape()[0], w.shape()[0], accumulate), accumulate);
}

/// gx[N, F] = gy·w.
template <class T>
void linear_input_gradient(array<T> const& gy, array<T> const& w, array<T>& gx, bool accumulate = false) {
  auto const a = detail::as_matrix("linear_input_gradient", gy);
  auto const b = detail::as_matrix("linear_input_gradient", w);
  detail::product_by_blocks("linear_input_gradient", a, b,
                            detail::output_matrix("linear_input_gradient", gx, gy.shape()[0], w.shape()[1], accumulate),
                            accumulate);
}

/// gw[O, F] = gyᵀ·x.
template <class T>
void linear_weight_gradient(array<T> const& x, array<T> const& gy, array<T>& gw, bool accumulate = false) {
  auto const a = detail::as_matrix("linear_weight_gradient", gy);
  auto const b = detail::as_matrix("linear_weight_gradient", x);
  detail::product_by_blocks("linear_weight_gradient", a.transpose(), b,
                            detail::output_matrix("linear_weight_gradient", gw, gy.shape()[1], x.shape()[1], accumulate),
                            accumulate);
}

/// sum[O, F] = Σ_b (gw of sample b)² = (gy²)ᵀ·(x²): a sample's weight gradient is an outer product, so its square is one of squares.
template <class T>
void linear_weight_gradient_squares(array<T> const& x, array<T> const& gy, array<T>& sum, bool accumulate = false) {
  array<T> const x_squared = x * x;
  array<T> const gy_squared = gy * gy;
  linear_weight_gradient(x_squared, gy_squared, sum, accumulate);
}

/// x[n, o] += bias[o].
template <class T>
void add_row(array<T>& x, array<T> const& bias) {
  auto const width = bias.size();
  if (x.dimension() != 2 || x.shape()[1] != width)
    fail("add_row: a bias of ", width, " for an array of shape ", list(x.shape()), "; pass one value per column");
  for (std::size_t n = 0; n < x.shape()[0]; ++n)
    for (std::size_t o = 0; o < width; ++o) x.data()[n * width + o] += bias.data()[o];
}

/// Σ_n x[n, o], for x[N, O]: the adjoint of `add_row`.
template <class T>
[[nodiscard]] array<T> column_sums(array<T> const& x) {
  auto const rows = detail::as_matrix("column_sums", x);
  Eigen::Matrix<double, 1, Eigen::Dynamic> total = Eigen::Matrix<double, 1, Eigen::Dynamic>::Zero(rows.cols());
  for (Eigen::Index n = 0; n < rows.rows(); ++n) total += rows.row(n).template cast<double>();
  auto result = uninitialized<T>({x.shape()[1]});
  std::transform(total.data(), total.data() + total.size(), result.data(), [](double each) { return static_cast<T>(each); });
  return result;
}

}  // namespace lnpt::cpu
