#include "convolution.hpp"

#include <bit>
#include <cmath>
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

/// A float to so many bits of mantissa, to the nearest, ties to even.
float rounded(float x, unsigned bits) {
  if (!std::isfinite(x)) return x;
  auto const dropped = 23 - bits;
  auto const pattern = std::bit_cast<std::uint32_t>(x);
  auto const half = (std::uint32_t{1} << (dropped - 1)) - 1 + (pattern >> dropped & 1);
  return std::bit_cast<float>((pattern + half) >> dropped << dropped);
}

/// The values of a tensor as they lie.
class stored {
 public:
  stored(void* values, element type) : values_(values), type_(type) {}
  [[nodiscard]] double read(std::size_t i) const {
    switch (type_) {
      case element::fp64: return static_cast<double*>(values_)[i];
      case element::fp32: return static_cast<float*>(values_)[i];
      default: return std::bit_cast<float>(std::uint32_t{static_cast<std::uint16_t*>(values_)[i]} << 16);
    }
  }
  void write(std::size_t i, double value) const {
    switch (type_) {
      case element::fp64: static_cast<double*>(values_)[i] = value; break;
      case element::fp32: static_cast<float*>(values_)[i] = static_cast<float>(value); break;
      default:
        static_cast<std::uint16_t*>(values_)[i] =
            static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(rounded(static_cast<float>(value), 7)) >> 16);
    }
  }
  [[nodiscard]] std::vector<double> factors(std::size_t n, rounding how) const {
    std::vector<double> all(n);
    for (std::size_t i = 0; i < n; ++i)
      all[i] = how == rounding::none ? read(i) : rounded(static_cast<float>(read(i)), how == rounding::tf32 ? 10 : 7);
    return all;
  }

 private:
  void* values_;
  element type_;
};

std::size_t size_of(element type) { return type == element::fp64 ? 8 : type == element::fp32 ? 4 : 2; }

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

void convolution::run(void* x_values, void* w_values, void* y_values, rounding how) const {
  for (auto const& [tensor, values] : {std::pair{&x, x_values}, {&w, w_values}, {&y, y_values}})
    require_live(values, tensor->span() * size_of(type));
  auto const& result = which == direction::forward ? y : which == direction::data ? x : w;
  stored const out(which == direction::forward ? y_values : which == direction::data ? x_values : w_values, type);
  auto const factors = [&](void* values, strided const& of) { return stored(values, type).factors(of.span(), how); };
  std::vector<double> sums(result.span());
  switch (which) {
    case direction::forward: {
      auto const a = factors(x_values, x), b = factors(w_values, w);
      for_each_product(*this, [&](auto xi, auto wi, auto yi) { sums[yi] += a[xi] * b[wi]; });
      break;
    }
    case direction::data: {
      auto const a = factors(y_values, y), b = factors(w_values, w);
      for_each_product(*this, [&](auto xi, auto wi, auto yi) { sums[xi] += a[yi] * b[wi]; });
      break;
    }
    case direction::filter: {
      auto const a = factors(x_values, x), b = factors(y_values, y);
      for_each_product(*this, [&](auto xi, auto wi, auto yi) { sums[wi] += a[xi] * b[yi]; });
    }
  }
  for_each_element(result.extents, [&](index a, index b, index c, index d) {
    auto const i = at(result, a, b, c, d);
    out.write(i, beta == 0 ? alpha * sums[i] : alpha * sums[i] + beta * out.read(i));
  });
}

}  // namespace cuda_double
