/// Convolution and its derivatives against loops that anybody can check.
#include "../../conv_case.hpp"
#include "../support.hpp"

#include <lnpt/backend/cpu/convolution/conv2d.hpp>

using namespace lnpt;
using namespace lnpt::test;
using cpu::conv_geometry;

namespace {

/// Seams: odd extents, channels and outputs around the widths of tiles and vectors, maps of one pixel, batches around a vector, and
/// depthwise batches that come in several blocks.
std::vector<conv_case> cases() {
  return {
      {1, 1, 1, 1, 1, {1, 1, 0, 1, 1}},
      {3, 2, 5, 7, 4, {3, 1, 1, 1, 1}},
      {3, 5, 8, 8, 16, {3, 1, 1, 1, 1}},
      {16, 3, 8, 8, 32, {3, 2, 1, 1, 1}},
      {17, 1, 9, 6, 9, {3, 2, 1, 1, 1}},
      {16, 4, 16, 16, 24, {3, 1, 1, 1, 1}},
      {32, 2, 32, 32, 32, {3, 1, 1, 1, 1}},
      {5, 3, 33, 32, 7, {3, 1, 1, 1, 1}},
      {40, 17, 2, 2, 70, {3, 1, 1, 1, 1}},
      {64, 33, 4, 4, 48, {3, 1, 1, 1, 1}},
      {130, 2, 4, 4, 66, {3, 1, 1, 1, 1}},
      {24, 3, 7, 5, 50, {1, 1, 0, 1, 1}},
      {24, 3, 8, 8, 50, {1, 2, 0, 1, 1}},
      {6, 3, 9, 9, 10, {5, 1, 2, 1, 1}},
      {6, 2, 11, 9, 10, {5, 3, 2, 1, 1}},
      {4, 2, 6, 6, 4, {3, 1, 0, 1, 1}},
      {4, 2, 6, 6, 4, {1, 1, 1, 1, 1}},
      {4, 2, 7, 7, 4, {2, 2, 0, 1, 1}},
      {4, 2, 6, 8, 4, {{3, 1}, 1, 1, 1, 1}},
      {3, 2, 16, 16, 20, {7, 2, 3, 1, 1}},
      {8, 3, 6, 5, 12, {3, 1, 1, 1, 2}},
      {12, 2, 9, 9, 24, {3, 2, 1, 1, 4}},
      {19, 3, 8, 8, 19, {3, 1, 1, 1, 19}},
      {16, 5, 9, 7, 16, {3, 2, 1, 1, 16}},
      {6, 2, 5, 5, 12, {3, 1, 1, 1, 6}},
      {33, 2, 2, 2, 33, {3, 1, 1, 1, 33}},
      {2, 1, 70, 70, 3, {3, 1, 1, 1, 1}},
      {2, 100, 1, 1, 3, {1, 1, 0, 1, 1}},
      {32, 4, 2, 2, 70, {3, 1, 1, 1, 1}},
      {16, 1, 9, 7, 9, {3, 2, 1, 1, 1}},
      {64, 1, 2, 2, 34, {3, 1, 1, 1, 2}},
      {48, 5, 1, 1, 10, {1, 1, 0, 1, 1}},
      {64, 1, 8, 8, 40, {3, 1, 1, 1, 1}},
      {80, 1, 4, 4, 21, {3, 1, 1, 1, 1}},
      {80, 3, 2, 2, 45, {3, 1, 1, 1, 1}},
      {5, 70, 12, 12, 5, {3, 1, 1, 1, 5}},
      {3, 9, 32, 32, 3, {3, 1, 1, 1, 3}},
      {3, 40, 17, 16, 3, {5, 2, 2, 1, 3}},
      {6, 3, 9, 11, 10, {3, 1, 2, 2, 1}},
      {5, 2, 12, 10, 6, {3, 1, {1, 2}, {1, 3}, 1}},
      {7, 2, 11, 13, 9, {3, 2, 2, 2, 1}},
      {6, 2, 13, 12, 6, {3, {1, 2}, {2, 3}, {3, 2}, 6}},
      {4, 3, 1, 40, 8, {{1, 5}, 1, {0, 2}, 1, 1}},
      {4, 3, 1, 40, 8, {{1, 3}, {1, 2}, {0, 4}, {1, 4}, 2}},
      {5, 2, 8, 9, 6, {2, 1, {0, 0, 1, 1}, 1, 1}},
      {5, 2, 8, 9, 6, {3, 2, {0, 1, 1, 0}, 1, 1}},
      {8, 2, 8, 8, 6, {1, 1, {0, 0, 1, 2}, 1, 1}},
      {8, 2, 8, 8, 8, {1, 1, {0, 0, 1, 2}, 1, 8}},
      {8, 2, 10, 9, 8, {3, {2, 1}, {0, 1, 1, 1}, 1, 8}},
      {64, 1, 7, 7, 12, {3, 1, {3, 0}, {3, 1}, 1}},
  };
}

/// Calls `f(sample, index in x, index in w, index in y)` for every product of a convolution.
template <class F>
void for_each_product(conv_case const& c, F f) {
  auto const& g = c.geometry;
  auto const per_group = c.channels / g.groups, outputs = c.outputs / g.groups;
  auto const out = c.y();
  for (std::size_t o = 0; o < c.outputs; ++o)
    for (std::size_t i = 0; i < per_group; ++i)
      for (std::size_t n = 0; n < c.samples; ++n)
        for (std::size_t oh = 0; oh < out[2]; ++oh)
          for (std::size_t ow = 0; ow < out[3]; ++ow)
            for (std::size_t kh = 0; kh < g.kernel.h; ++kh)
              for (std::size_t kw = 0; kw < g.kernel.w; ++kw) {
                auto const h = oh * g.stride.h + kh * g.dilation.h - g.padding.top,
                           w = ow * g.stride.w + kw * g.dilation.w - g.padding.left;  // wraps below zero
                if (h >= c.h || w >= c.w) continue;
                auto const channel = o / outputs * per_group + i;
                f(n, ((channel * c.samples + n) * c.h + h) * c.w + w, ((o * per_group + i) * g.kernel.h + kh) * g.kernel.w + kw,
                  ((o * c.samples + n) * out[2] + oh) * out[3] + ow);
              }
}

template <class T>
struct oracle {
  cpu::array<T> x, w, gy;
  std::vector<double> y, gx, gw, squares;

  explicit oracle(conv_case const& c)
      : x(random_array<T>(c.x(), 1)),
        w(random_array<T>(c.weights(), 2)),
        gy(random_array<T>(c.y(), 3)),
        y(gy.size()),
        gx(x.size()),
        gw(w.size()),
        squares(w.size()) {
    std::vector<double> per_sample(c.samples * w.size());
    for_each_product(c, [&](std::size_t n, std::size_t i, std::size_t j, std::size_t k) {
      y[k] += double(x.data()[i]) * double(w.data()[j]);
      gx[i] += double(gy.data()[k]) * double(w.data()[j]);
      per_sample[n * w.size() + j] += double(gy.data()[k]) * double(x.data()[i]);
    });
    for (std::size_t n = 0; n < c.samples; ++n)
      for (std::size_t j = 0; j < w.size(); ++j) {
        gw[j] += per_sample[n * w.size() + j];
        squares[j] += per_sample[n * w.size() + j] * per_sample[n * w.size() + j];
      }
  }
};

/// Requires `f(out, accumulate)` to give `expected` from nothing, from rubbish, and on top of what is there.
template <class T, class F>
void require_result(shape const& extents, std::vector<double> expected, F f) {
  cpu::array<T> out;
  f(out, false);
  CHECK(shape_of(out) == extents);
  CHECK(relative_error(out, expected) < tolerance<T>);
  out = cpu::filled<T>(extents, std::numeric_limits<T>::quiet_NaN());
  f(out, false);
  CHECK(relative_error(out, expected) < tolerance<T>);
  out = random_array<T>(extents, 4);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += static_cast<double>(out.data()[i]);
  f(out, true);
  CHECK(relative_error(out, expected) < tolerance<T>);
}

}  // namespace

TEST_CASE("a 2x2 kernel of ones adds four neighbours") {
  auto const x = array_of<float>({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6});
  auto const w = cpu::filled<float>({1, 1, 2, 2}, 1);
  cpu::array<float> y;
  cpu::conv2d(x, w, {2}, y, false);
  CHECK(y == array_of<float>({1, 1, 1, 2}, {12, 16}));
  cpu::conv2d(x, w, {.kernel = 2, .padding = {0, 1, 0, 0}}, y, false);  // one column of zeros on the left
  CHECK(y == array_of<float>({1, 1, 1, 3}, {5, 12, 16}));
  cpu::conv2d(x, w, {.kernel = 2, .dilation = {1, 2}}, y, false);
  CHECK(y == array_of<float>({1, 1, 1, 1}, {1 + 3 + 4 + 6}));
}

TEST_CASE("squares of the weight gradient are taken per sample before they are added") {
  // Samples 1 and −1 under gradients 3 and 4: the weight's gradient is 3 − 4, its squares are 9 + 16.
  auto const x = array_of<double>({1, 2, 1, 1}, {1, -1}), gy = array_of<double>({1, 2, 1, 1}, {3, 4});
  cpu::array<double> gw, squares;
  cpu::conv2d_weight_gradient(x, gy, {}, {1, 1, 1, 1}, gw, false);
  cpu::conv2d_weight_gradient_squares(x, gy, {}, {1, 1, 1, 1}, squares, false);
  CHECK(gw.data()[0] == -1);
  CHECK(squares.data()[0] == 25);
}

TEST_CASE_TEMPLATE("the convolution and its derivatives are what naive loops say", T, float, double) {
  for (auto const& c : cases()) {
    CAPTURE(c);
    oracle<T> const naive(c);
    require_result<T>(c.y(), naive.y, [&](auto& y, bool add) { cpu::conv2d(naive.x, naive.w, c.geometry, y, add); });
    require_result<T>(c.x(), naive.gx,
                      [&](auto& gx, bool add) { cpu::conv2d_input_gradient(naive.gy, naive.w, c.geometry, c.x(), gx, add); });
    require_result<T>(c.weights(), naive.gw, [&](auto& gw, bool add) {
      cpu::conv2d_weight_gradient(naive.x, naive.gy, c.geometry, c.weights(), gw, add);
    });
    require_result<T>(c.weights(), naive.squares, [&](auto& sum, bool add) {
      cpu::conv2d_weight_gradient_squares(naive.x, naive.gy, c.geometry, c.weights(), sum, add);
    });
  }
}

TEST_CASE("the gradients are the adjoints of the convolution") {
  for (auto const& c : cases()) {
    CAPTURE(c);
    auto const x = random_array<double>(c.x(), 5), w = random_array<double>(c.weights(), 6), gy = random_array<double>(c.y(), 7);
    cpu::array<double> y, gx, gw;
    cpu::conv2d(x, w, c.geometry, y, false);
    cpu::conv2d_input_gradient(gy, w, c.geometry, c.x(), gx, false);
    cpu::conv2d_weight_gradient(x, gy, c.geometry, c.weights(), gw, false);
    auto const expected = doctest::Approx(inner_product(y, gy)).epsilon(1e-10);
    CHECK(inner_product(x, gx) == expected);
    CHECK(inner_product(w, gw) == expected);
  }
}

TEST_CASE("convolutions have the same bits for any number of threads") {
  for (auto const& c : {conv_case{16, 20, 16, 16, 40, {3, 1, 1, 1, 1}}, conv_case{48, 37, 4, 4, 72, {3, 2, 1, 1, 1}},
                        conv_case{24, 9, 14, 14, 24, {3, 1, 1, 1, 24}}}) {
    CAPTURE(c);
    auto const x = random_array<float>(c.x(), 8), w = random_array<float>(c.weights(), 9), gy = random_array<float>(c.y(), 10);
    using result = cpu::array<float>;
    require_same_bits_for_any_thread_count(
        [&, out = result()]() mutable { return cpu::conv2d(x, w, c.geometry, out, false), out; });
    require_same_bits_for_any_thread_count(
        [&, out = result()]() mutable { return cpu::conv2d_input_gradient(gy, w, c.geometry, c.x(), out, false), out; });
    require_same_bits_for_any_thread_count(
        [&, out = result()]() mutable { return cpu::conv2d_weight_gradient(x, gy, c.geometry, c.weights(), out, false), out; });
    require_same_bits_for_any_thread_count([&, out = result()]() mutable {
      return cpu::conv2d_weight_gradient_squares(x, gy, c.geometry, c.weights(), out, false), out;
    });
  }
}

TEST_CASE("shapes that do not fit are refused in words") {
  cpu::array<float> y;
  auto const x = cpu::filled<float>({4, 1, 3, 3}, 0), w = cpu::filled<float>({2, 3, 3, 3}, 0);
  CHECK_THROWS_WITH_AS(cpu::conv2d(x, w, {3, 1, 1, 1, 1}, y, false),
                       doctest::Contains("images of shape [1, 4, 3, 3] and weights of shape [2, 3, 3, 3]"), lnpt::error);
  auto const fits = cpu::filled<float>({2, 4, 3, 3}, 0);
  CHECK_THROWS_WITH_AS(cpu::conv2d_input_gradient(x, fits, {3, 1, 1, 1, 1}, {4, 1, 3, 3}, y, false),
                       doctest::Contains("pass one of shape [2, 1, 3, 3]"), lnpt::error);
  CHECK_THROWS_WITH_AS(cpu::conv2d(x, fits, {3, 1, 1, 1, 1}, y, true), doctest::Contains("pass one of shape [2, 1, 3, 3]"),
                       lnpt::error);
  CHECK_THROWS_WITH_AS(cpu::conv2d(x, fits, {.kernel = 3, .dilation = 2}, y, false), doctest::Contains("pass larger images"),
                       lnpt::error);
}
