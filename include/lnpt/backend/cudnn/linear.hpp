#pragma once
/// Products of feature matrices by cuBLAS, whose matrices are the transposes of ours.
#include <limits>

#include <lnpt/backend/cudnn/conv2d.hpp>

namespace lnpt::cudnn {

namespace detail {

/// A row-major matrix, or the transpose of one.
template <class T>
struct factor {
  array<T> const* values;
  bool transposed = false;

  [[nodiscard]] std::size_t rows() const { return values->extents()[transposed ? 1 : 0]; }
  [[nodiscard]] std::size_t columns() const { return values->extents()[transposed ? 0 : 1]; }
  [[nodiscard]] int stored_width() const { return static_cast<int>(values->extents()[1]); }
  [[nodiscard]] cublasOperation_t operation() const { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; }
};

/// c = a·b or c += a·b. In column-major terms cᵀ = bᵀ·aᵀ, and a row-major matrix is its own transpose.
template <class T>
void multiply(char const* what, factor<T> a, factor<T> b, array<T>& c, bool accumulate) {
  for (auto const* part : {&a, &b})
    if (part->values->extents().size() != 2) fail(what, ": an array of shape ", list(part->values->extents()), "; pass a matrix");
  if (a.columns() != b.rows())
    fail(what, ": a product of ", a.rows(), "×", a.columns(), " and ", b.rows(), "×", b.columns(),
         " matrices; pass matching extents");
  shape const extents{a.rows(), b.columns()};
  for (auto const n : {extents[0], extents[1], a.columns()})
    if (n > static_cast<std::size_t>(std::numeric_limits<int>::max()))
      fail(what, ": an extent of ", n, "; pass smaller matrices");
  if (accumulate)
    require_extents(what, c.extents(), extents);
  else
    c = array<T>(extents);
  if (c.size() == 0) return;
  auto& device = runtime::current();
  device.flush();
  auto* const to = c.written();
  T const one = 1;
  T const kept = accumulate ? 1 : 0;
  auto const width = static_cast<int>(extents[1]);
  auto const height = static_cast<int>(extents[0]);
  auto const inner = static_cast<int>(a.columns());
  if constexpr (sizeof(T) == sizeof(float))
    check(cublasSgemm(device.cublas(), b.operation(), a.operation(), width, height, inner, &one, b.values->data(),
                      b.stored_width(), a.values->data(), a.stored_width(), &kept, to, width),
          "cublasSgemm");
  else
    check(cublasDgemm(device.cublas(), b.operation(), a.operation(), width, height, inner, &one, b.values->data(),
                      b.stored_width(), a.values->data(), a.stored_width(), &kept, to, width),
          "cublasDgemm");
}

}  // namespace detail

/// y[N, O] = x·wᵀ
template <class T>
void linear(array<T> const& x, array<T> const& w, array<T>& y, bool accumulate) {
  detail::multiply<T>("linear", {&x}, {&w, true}, y, accumulate);
}
/// gx[N, F] = gy·w
template <class T>
void linear_input_gradient(array<T> const& gy, array<T> const& w, array<T>& gx, bool accumulate) {
  detail::multiply<T>("linear_input_gradient", {&gy}, {&w}, gx, accumulate);
}
/// gw[O, F] = gyᵀ·x
template <class T>
void linear_weight_gradient(array<T> const& x, array<T> const& gy, array<T>& gw, bool accumulate) {
  detail::multiply<T>("linear_weight_gradient", {&gy, true}, {&x}, gw, accumulate);
}
/// Σ_b (gw of sample b)² = (gy²)ᵀ·(x²)
template <class T>
void linear_weight_gradient_squares(array<T> const& x, array<T> const& gy, array<T>& sum, bool accumulate) {
  linear_weight_gradient(detail::unary(detail::unary_operation::square, x), detail::unary(detail::unary_operation::square, gy),
                         sum, accumulate);
}

template <class T>
[[nodiscard]] array<T> add_row(array<T> const& x, array<T> const& row) {
  if (x.extents().size() != 2 || x.extents()[1] != row.size())
    fail("add_row: a bias of ", row.size(), " for an array of shape ", list(x.extents()), "; pass one value per column");
  auto y = detail::like(x);
  detail::runtime::current().for_each_element(detail::kernel_for<T>("add_row"), x.size(), x.data(), row.data(), y.written(),
                                              static_cast<unsigned>(row.size()));
  return y;
}

/// Σ_n x[n, o]
template <class T>
[[nodiscard]] array<T> column_sums(array<T> const& x) {
  if (x.extents().size() != 2) fail("column_sums: an array of shape ", list(x.extents()), "; pass a matrix");
  auto const width = x.extents()[1];
  array<T> result({width});
  detail::sum_products<T>({{width, 1, 0, 1}}, {{x.extents()[0], width, 0, 0}}, x.data(), nullptr, result.written(), 1, false);
  return result;
}

}  // namespace lnpt::cudnn
