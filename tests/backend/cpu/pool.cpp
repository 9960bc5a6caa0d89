/// Pooling against naive loops, and the adjoints.
#include "support.hpp"

#include <limits>
#include <ostream>

#include <lnpt/backend/cpu/pool.hpp>

using namespace lnpt;
using namespace lnpt::test;

namespace {

struct pool_case {
  shape x;
  cpu::pool_window window;
  friend std::ostream& operator<<(std::ostream& out, pool_case const& c) {
    return out << list(c.x) << " kernel " << c.window.kernel << " stride " << c.window.stride << " padding " << c.window.padding
               << (c.window.ceil_mode ? " ceil" : "");
  }
};

std::vector<pool_case> cases() {
  return {{{1, 1, 2, 2}, {2, 2, 0}},
          {{3, 2, 5, 7}, {2, 2, 0}},
          {{3, 2, 8, 8}, {2, 2, 0}},
          {{5, 3, 33, 34}, {3, 2, 1}},
          {{2, 2, 6, 5}, {3, 1, 1}},
          {{2, 2, 7, 7}, {7, 7, 0}},
          {{4, 3, 1, 1}, {1, 1, 0}},
          {{2, 2, 9, 9}, {2, 3, 1}},
          {{2, 3, 56, 56}, {3, 2, 1}},
          {{3, 3, 4, 4}, {3, 1, 0}},
          {{3, 2, 7, 10}, {{2, 3}, {1, 2}, {1, 0}}},
          {{3, 2, 7, 10}, {{2, 3}, {2, 1}, {0, 1, 1, 1}}},
          {{3, 2, 7, 7}, {2, 2, 0, true}},
          {{3, 2, 8, 6}, {3, 2, 0, true}},
          {{3, 2, 6, 9}, {3, 2, 1, true}},
          {{2, 2, 5, 4}, {1, 3, 0, true}},
          {{2, 2, 4, 4}, {2, 3, 1, true}}};
}

/// The extent after pooling in PyTorch's words: a last window that begins in the margin behind the image is left out.
std::size_t expected_extent(pool_case const& c, std::size_t kernel, std::size_t stride, std::size_t before, std::size_t after,
                            std::size_t extent) {
  std::size_t count = 0;
  for (std::size_t o = 0;; ++o) {
    bool const whole = o * stride + kernel <= extent + before + after;
    bool const begins_inside = o * stride < extent + before && o * stride < extent + before + after;
    bool const more_to_come = o == 0 || (o - 1) * stride + kernel < extent + before + after;
    if (!whole && !(c.window.ceil_mode && begins_inside && more_to_come)) return count;
    ++count;
  }
}

/// Calls `f(plane, output in the plane, input in the plane)` for every element that is read.
template <class F>
void for_each_read(pool_case const& c, shape const& out, F f) {
  auto const& w = c.window;
  for (std::size_t plane = 0; plane < c.x[0] * c.x[1]; ++plane)
    for (std::size_t h = 0; h < out[2]; ++h)
      for (std::size_t v = 0; v < out[3]; ++v)
        for (std::size_t i = 0; i < w.kernel.h; ++i)
          for (std::size_t j = 0; j < w.kernel.w; ++j) {
            auto const a = h * w.stride.h + i - w.padding.top, b = v * w.stride.w + j - w.padding.left;
            if (a < c.x[2] && b < c.x[3]) f(plane, h * out[3] + v, a * c.x[3] + b);
          }
}

}  // namespace

TEST_CASE("the maximum of four, and where it was") {
  auto const x = array_of<float>({1, 1, 2, 4}, {1, 5, 7, 7, 3, 2, 7, 0});
  std::vector<std::uint32_t> indices;
  CHECK(cpu::max_pool(x, {2, 2}, indices) == array_of<float>({1, 1, 1, 2}, {5, 7}));
  CHECK(indices == std::vector<std::uint32_t>{1, 2});  // of equal ones the first
  auto const gy = array_of<float>({1, 1, 1, 2}, {10, 20});
  CHECK(cpu::scatter_pool(gy, indices, {1, 1, 2, 4}) == array_of<float>({1, 1, 2, 4}, {0, 10, 20, 0, 0, 0, 0, 0}));
}

TEST_CASE("padding never wins a maximum, and a NaN always does") {
  std::vector<std::uint32_t> indices;
  auto const negative = cpu::filled<double>({1, 1, 2, 2}, -3);
  CHECK(cpu::max_pool(negative, {3, 1, 1}, indices) == negative);
  CHECK(indices == std::vector<std::uint32_t>{0, 0, 0, 0});
  auto const nan = std::numeric_limits<float>::quiet_NaN();
  auto const y = cpu::max_pool(array_of<float>({1, 1, 1, 4}, {nan, 2, 3, nan}), {1, 1}, indices);
  CHECK(std::isnan(y.data()[0]));
  auto const z = cpu::max_pool(array_of<float>({1, 1, 2, 2}, {9, nan, nan, 10}), {2, 2}, indices);
  CHECK(std::isnan(z.data()[0]));
  CHECK(indices == std::vector<std::uint32_t>{1});
  auto const infinity = std::numeric_limits<float>::infinity();
  CHECK(cpu::max_pool(cpu::filled<float>({1, 1, 2, 2}, -infinity), {2, 2}, indices).data()[0] == -infinity);
}

TEST_CASE_TEMPLATE("maxima are what naive loops say, with their tangent and reverse rule", T, float, double) {
  for (auto const& c : cases()) {
    CAPTURE(c);
    auto const x = random_array<T>(c.x, 1), other = random_array<T>(c.x, 2);
    std::vector<std::uint32_t> indices;
    auto const y = cpu::max_pool(x, c.window, indices);
    auto const out = test::shape_of(y);
    auto const area = c.x[2] * c.x[3], out_area = out[2] * out[3];
    std::vector<double> expected(y.size(), -HUGE_VAL);
    std::vector<std::uint32_t> where(y.size());
    for_each_read(c, out, [&](std::size_t plane, std::size_t o, std::size_t i) {
      if (auto const value = double(x.data()[plane * area + i]); value > expected[plane * out_area + o]) {
        expected[plane * out_area + o] = value;
        where[plane * out_area + o] = static_cast<std::uint32_t>(i);
      }
    });
    CHECK(relative_error(y, expected) == 0);
    CHECK(indices == where);
    CHECK(same_bits(cpu::gather_pool(x, indices, out), y));
    auto const gy = random_array<T>(out, 3);
    auto const tangent = cpu::gather_pool(other, indices, out), gx = cpu::scatter_pool(gy, indices, c.x);
    CHECK(inner_product(tangent, gy) == doctest::Approx(inner_product(other, gx)).epsilon(1e-5));
  }
}

TEST_CASE("averages count padding, or do not") {
  auto const x = cpu::filled<float>({1, 1, 2, 2}, 9);
  CHECK(cpu::average_pool(x, {3, 1, 1}) == cpu::filled<float>({1, 1, 2, 2}, 4));
  CHECK(cpu::average_pool(x, {.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = false}) ==
        cpu::filled<float>({1, 1, 2, 2}, 9));
}

TEST_CASE("a last window that reaches beyond the margin averages what is left") {
  auto const x = array_of<float>({1, 1, 1, 3}, {2, 4, 6});
  CHECK(cpu::average_pool(x, {{1, 2}, 2}) == array_of<float>({1, 1, 1, 1}, {3}));
  CHECK(cpu::average_pool(x, {{1, 2}, 2, 0, true}) == array_of<float>({1, 1, 1, 2}, {3, 6}));
  CHECK(cpu::average_pool(x, {{1, 2}, 2, {0, 1}, true}) == array_of<float>({1, 1, 1, 2}, {1, 5}));  // none begins in the margin
}

TEST_CASE_TEMPLATE("averages are what naive loops say, and have their adjoint", T, float, double) {
  for (auto c : cases())
    for (bool const include_pad : {true, false}) {
      CAPTURE(c);
      c.window.count_include_pad = include_pad;
      auto const& w = c.window;
      auto const x = random_array<T>(c.x, 1);
      auto const y = cpu::average_pool(x, c.window);
      auto const out = test::shape_of(y);
      CHECK(out[2] == expected_extent(c, w.kernel.h, w.stride.h, w.padding.top, w.padding.bottom, c.x[2]));
      CHECK(out[3] == expected_extent(c, w.kernel.w, w.stride.w, w.padding.left, w.padding.right, c.x[3]));
      auto const area = c.x[2] * c.x[3], out_area = out[2] * out[3];
      std::vector<double> total(y.size()), count(y.size());
      for_each_read(c, out, [&](std::size_t plane, std::size_t o, std::size_t i) {
        total[plane * out_area + o] += double(x.data()[plane * area + i]);
        count[plane * out_area + o] += 1;
      });
      for (std::size_t o = 0; o < total.size(); ++o) {
        auto const h = o / out[3] % out[2], v = o % out[3];  // what lies beyond the margin never counts
        auto const rows = std::min(w.kernel.h, c.x[2] + w.padding.top + w.padding.bottom - h * w.stride.h),
                   columns = std::min(w.kernel.w, c.x[3] + w.padding.left + w.padding.right - v * w.stride.w);
        total[o] /= include_pad ? double(rows * columns) : count[o];
      }
      CHECK(relative_error(y, total) < tolerance<T>);
      auto const gy = random_array<T>(out, 3);
      auto const gx = cpu::average_pool_adjoint(gy, c.window, c.x);
      CHECK(inner_product(y, gy) == doctest::Approx(inner_product(x, gx)).epsilon(1e-5));
    }
}

TEST_CASE_TEMPLATE("a global average is the mean of every plane, by sample", T, float, double) {
  auto const x = array_of<T>({2, 3, 1, 2}, {1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12});
  CHECK(cpu::global_average_pool(x) == array_of<T>({3, 2}, {2, 3, 6, 7, 10, 11}));
  auto const g = random_array<T>({3, 2}, 1);
  CHECK(inner_product(cpu::global_average_pool(x), g) ==
        doctest::Approx(inner_product(x, cpu::global_average_pool_adjoint(g, {2, 3, 1, 2}))));
}

TEST_CASE("windows and indices that do not fit are refused in words") {
  auto const x = cpu::filled<float>({1, 1, 2, 2}, 0);
  std::vector<std::uint32_t> indices;
  CHECK_THROWS_WITH_AS((void)cpu::max_pool(x, {3, 1}, indices), doctest::Contains("pass a window no larger"), lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::gather_pool(x, indices, {1, 1, 1, 1}), doctest::Contains("pass those of the same max_pool"),
                       lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::average_pool_adjoint(x, {2, 2}, {1, 1, 2, 2}),
                       doctest::Contains("pass some of shape [1, 1, 1, 1]"), lnpt::error);
}
