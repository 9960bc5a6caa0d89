/// Linear layers against naive loops.
#include "support.hpp"

#include <lnpt/backend/cpu/linear.hpp>

using namespace lnpt;
using namespace lnpt::test;

TEST_CASE("a linear layer multiplies rows with rows") {
  auto const x = array_of<float>({1, 2}, {1, 2}), w = array_of<float>({2, 2}, {1, 2, 3, -0.5F});
  cpu::array<float> y;
  cpu::linear(x, w, y, false);
  CHECK(y == array_of<float>({1, 2}, {5, 2}));
  cpu::add_row(y, array_of<float>({2}, {10, 20}));
  CHECK(y == array_of<float>({1, 2}, {15, 22}));
}

TEST_CASE_TEMPLATE("linear layers and their derivatives are what naive loops say", T, float, double) {
  for (auto const& [n, f, o] : {std::array<std::size_t, 3>{1, 1, 1}, {3, 5, 7}, {100, 64, 10}, {65, 257, 130}, {64, 512, 256}}) {
    INFO("N = ", n, ", F = ", f, ", O = ", o);
    auto const x = random_array<T>({n, f}, 1), w = random_array<T>({o, f}, 2), gy = random_array<T>({n, o}, 3);
    std::vector<double> y(n * o), gx(n * f), gw(o * f), squares(o * f), sums(o);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < o; ++j) {
        double const g = gy(i, j);
        sums[j] += g;
        for (std::size_t k = 0; k < f; ++k) {
          y[i * o + j] += double(x(i, k)) * double(w(j, k));
          gx[i * f + k] += g * double(w(j, k));
          gw[j * f + k] += g * double(x(i, k));
          squares[j * f + k] += g * double(x(i, k)) * g * double(x(i, k));
        }
      }
    for (bool const add : {false, true}) {
      auto const require = [&](shape const& extents, std::vector<double> const& expected, auto run) {
        auto out = cpu::filled<T>(extents, T{1});
        run(out);
        auto shifted = expected;
        for (auto& each : shifted) each += add ? 1 : 0;
        CHECK(relative_error(out, shifted) < tolerance<T>);
      };
      require({n, o}, y, [&](auto& out) { cpu::linear(x, w, out, add); });
      require({n, f}, gx, [&](auto& out) { cpu::linear_input_gradient(gy, w, out, add); });
      require({o, f}, gw, [&](auto& out) { cpu::linear_weight_gradient(x, gy, out, add); });
      require({o, f}, squares, [&](auto& out) { cpu::linear_weight_gradient_squares(x, gy, out, add); });
    }
    CHECK(relative_error(cpu::column_sums(gy), sums) < tolerance<T>);
  }
}

TEST_CASE("linear layers have the same bits for any number of threads") {
  auto const x = random_array<float>({130, 300}, 1), w = random_array<float>({270, 300}, 2);
  require_same_bits_for_any_thread_count([&, y = cpu::array<float>()]() mutable { return cpu::linear(x, w, y, false), y; });
}

TEST_CASE("matrices that do not fit are refused in words") {
  auto const x = cpu::filled<float>({2, 3}, 0), w = cpu::filled<float>({4, 5}, 0);
  cpu::array<float> y;
  CHECK_THROWS_WITH_AS(cpu::linear(x, w, y, false), doctest::Contains("pass matching extents"), lnpt::error);
  CHECK_THROWS_WITH_AS(cpu::linear(x, x, y = cpu::filled<float>({1, 1}, 0), true), doctest::Contains("pass one of shape [2, 2]"),
                       lnpt::error);
  auto z = cpu::filled<float>({2, 3}, 0);
  CHECK_THROWS_WITH_AS(cpu::add_row(z, cpu::filled<float>({2}, 0)), doctest::Contains("one value per column"), lnpt::error);
}
