/// Arithmetic between arrays of which one stretches, against loops that anybody can check.
#include "support.hpp"

#include <lnpt/backend/cpu/broadcast.hpp>

using namespace lnpt;
using namespace lnpt::test;

namespace {

/// The index in an array of this shape that an index in the whole stretches from.
std::size_t stretched(std::size_t index, shape const& whole, shape const& part) {
  std::size_t result = 0;
  for (std::size_t axis = whole.size(), step = 1; axis-- > 0; index /= whole[axis]) {
    if (part[axis] != 1) result += index % whole[axis] * step;
    step *= part[axis];
  }
  return result;
}

std::vector<std::pair<shape, shape>> cases() {
  return {{{3, 2, 5, 4}, {3, 2, 5, 4}},
          {{3, 2, 5, 4}, {3, 2, 1, 1}},
          {{3, 2, 5, 4}, {3, 1, 1, 1}},
          {{3, 1, 1, 1}, {3, 2, 5, 4}},
          {{3, 2, 5, 4}, {1, 2, 5, 4}},
          {{3, 2, 1, 4}, {1, 2, 5, 1}},
          {{3, 2, 5, 4}, {1, 1, 1, 1}},
          {{6, 7}, {1, 7}},
          {{6, 7}, {6, 1}},
          {{3, 1, 130, 131}, {3, 1, 1, 1}},
          {{1, 1, 1, 1}, {1, 1, 1, 1}},
          {{300, 20, 3, 3}, {300, 20, 1, 1}}};
}

}  // namespace

TEST_CASE("a gate per sample and channel, in the head") {
  auto const x = array_of<double>({1, 2, 1, 2}, {1, 2, 3, 4}), gate = array_of<double>({1, 2, 1, 1}, {10, 100});
  cpu::array<double> y;
  cpu::product(x, gate, y, false);
  CHECK(y == array_of<double>({1, 2, 1, 2}, {10, 20, 300, 400}));
  cpu::array<double> sum;
  cpu::product_sum(x, y, {1, 2, 1, 1}, sum, false);
  CHECK(sum == array_of<double>({1, 2, 1, 1}, {10 + 40, 900 + 1600}));
}

TEST_CASE_TEMPLATE("products and their sums are what naive loops say, from nothing and on top of what is there", T, float,
                   double) {
  for (auto const& [a, b] : cases()) {
    auto const whole = broadcast_shape(a, b);
    CAPTURE(list(a));
    CAPTURE(list(b));
    auto const x = random_array<T>(a, 1), y = random_array<T>(b, 2), g = random_array<T>(whole, 3);
    std::vector<double> z(g.size()), gx(x.size()), wide(g.size()), narrow(y.size());
    for (std::size_t i = 0; i < g.size(); ++i) {
      auto const p = stretched(i, whole, a), q = stretched(i, whole, b);
      z[i] = double(x.data()[p]) * double(y.data()[q]);
      gx[p] += double(g.data()[i]) * double(y.data()[q]);
      wide[i] = double(y.data()[q]);
      narrow[q] += double(g.data()[i]);
    }
    cpu::array<T> out;
    cpu::product(x, y, out, false);
    CHECK(shape_of(out) == whole);
    CHECK(relative_error(out, z) < tolerance<T>);
    cpu::product(x, y, out, true);
    for (auto& each : z) each *= 2;
    CHECK(relative_error(out, z) < tolerance<T>);
    cpu::product_sum(y, g, a, out, false);
    CHECK(shape_of(out) == a);
    CHECK(relative_error(out, gx) < tolerance<T>);
    cpu::product_sum(y, g, a, out, true);
    for (auto& each : gx) each *= 2;
    CHECK(relative_error(out, gx) < tolerance<T>);
    CHECK(relative_error(cpu::broadcast(y, whole), wide) == 0);
    CHECK(relative_error(cpu::sum_to(g, b), narrow) < tolerance<T>);
    require_same_bits_for_any_thread_count(
        [&, sum = cpu::array<T>()]() mutable { return cpu::product_sum(y, g, a, sum, false), sum; });
  }
}

TEST_CASE("shapes that do not stretch are refused in words") {
  auto const x = cpu::filled<float>({2, 3}, 0), y = cpu::filled<float>({3, 3}, 0);
  cpu::array<float> out;
  CHECK_THROWS_WITH_AS(cpu::product(x, y, out, false), doctest::Contains("equal or 1"), lnpt::error);
  CHECK_THROWS_WITH_AS(cpu::product(x, cpu::filled<float>({2, 3, 1, 1}, 0), out, false), doctest::Contains("equal or 1"),
                       lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::broadcast(x, {3, 3}), doctest::Contains("does not stretch"), lnpt::error);
}
