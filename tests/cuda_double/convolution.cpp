#include "convolution.hpp"

#include <utility>
#include <vector>

#include "memory.hpp"

namespace cuda_double {

namespace {

using index = std::int64_t;

std::size_t at(strided const& t, index a, index b, index c, index d) {
  auto const& s = t.strides;
  return static_cast<std::size_t>(a * s[0] + b * s[1] + c * s[2] + d * s[3]);
}

/// Calls `f(a, b, c, d)` for all elements of these extents.
template <class F>
void for_each_element(std::array<index, 4> const& n, F f) {
  for (index a = 0; a < n[0]; ++a)
    for (index b = 0; b < n[1]; ++b)
      for (index c = 0; c < n[2]; ++c)
        for (index d = 0; d < n[3]; ++d) f(a, b, c, d);
}

/// Calls `f(x, w, y)` with the places of the factors of every product, the columns of a row innermost.
template <class F>
void for_each_product(convolution const& op, F f) {
  auto const& g = op.geometry;
  auto const outputs_per_group = op.w.extents[0] / (op.x.extents[1] / op.w.extents[1]);
  for_each_element({op.y.extents[0], op.y.extents[1], op.y.extents[2], 1}, [&](index n, index k, index p, index) {
    auto const first_channel = k / outputs_per_group * op.w.extents[1];
    for_each_element({1, op.w.extents[1], op.w.extents[2], op.w.extents[3]}, [&](index, index c, index r, index s) {
      auto const row = p * g.stride[0] - g.before[0] + r * g.dilation[0];
      if (row < 0 || row >= op.x.extents[2]) return;
      auto const wi = at(op.w, k, c, r, s);
      auto const x_row = at(op.x, n, first_channel + c, row, 0), y_row = at(op.y, n, k, p, 0);
      auto const x_step = static_cast<std::size_t>(op.x.strides[3]), y_step = static_cast<std::size_t>(op.y.strides[3]);
      auto const offset = s * g.dilation[1] - g.before[1];
      for (index q = 0; q < op.y.extents[3]; ++q) {
        auto const column = q * g.stride[1] + offset;
        if (column >= 0 && column < op.x.extents[3])
          f(x_row + static_cast<std::size_t>(column) * x_step, wi, y_row + static_cast<std::size_t>(q) * y_step);
      }
    });
  });
}

template <class T>
void correlate(convolution const& op, T* x, T* w, T* y) {
  auto const& result = op.which == direction::forward ? op.y : op.which == direction::data ? op.x : op.w;
  auto* const out = op.which == direction::forward ? y : op.which == direction::data ? x : w;
  std::vector<double> sums(result.span());
  auto const product = [](T a, T b) { return static_cast<double>(a) * static_cast<double>(b); };
  switch (op.which) {
    case direction::forward: for_each_product(op, [&](auto xi, auto wi, auto yi) { sums[yi] += product(x[xi], w[wi]); }); break;
    case direction::data: for_each_product(op, [&](auto xi, auto wi, auto yi) { sums[xi] += product(y[yi], w[wi]); }); break;
    case direction::filter: for_each_product(op, [&](auto xi, auto wi, auto yi) { sums[wi] += product(x[xi], y[yi]); });
  }
  for_each_element(result.extents, [&](index a, index b, index c, index d) {
    auto const i = at(result, a, b, c, d);
    out[i] = static_cast<T>(op.beta == 0 ? op.alpha * sums[i] : op.alpha * sums[i] + op.beta * static_cast<double>(out[i]));
  });
}

}  // namespace

std::size_t strided::span() const {
  index last = 0;
  for (std::size_t axis = 0; axis < 4; ++axis) last += (extents[axis] - 1) * strides[axis];
  return static_cast<std::size_t>(last) + 1;
}

std::string convolution::mismatch() const {
  if (x.extents[0] != y.extents[0] || w.extents[0] != y.extents[1] || w.extents[1] == 0 || x.extents[1] % w.extents[1] != 0)
    return "samples or channels of x, w and y do not fit";
  for (std::size_t i = 0; i < 2; ++i) {
    auto const reach = geometry.dilation[i] * (w.extents[2 + i] - 1) + 1;
    if (y.extents[2 + i] != (x.extents[2 + i] + geometry.before[i] + geometry.after[i] - reach) / geometry.stride[i] + 1)
      return "the extents of y are not those of the convolution";
  }
  return {};
}

void convolution::run(void* x_values, void* w_values, void* y_values) const {
  auto const bytes = in_double ? sizeof(double) : sizeof(float);
  for (auto const& [tensor, values] : {std::pair{&x, x_values}, {&w, w_values}, {&y, y_values}})
    require_live(values, tensor->span() * bytes);
  if (in_double)
    correlate(*this, static_cast<double*>(x_values), static_cast<double*>(w_values), static_cast<double*>(y_values));
  else
    correlate(*this, static_cast<float*>(x_values), static_cast<float*>(w_values), static_cast<float*>(y_values));
}

}  // namespace cuda_double
