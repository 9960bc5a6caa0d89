/// Copies that only move values, by hand, and their adjoints.
#include "support.hpp"

#include <lnpt/backend/cpu/regions.hpp>

using namespace lnpt;
using namespace lnpt::test;

namespace {

cpu::array<double> counting(shape const& extents) {
  auto x = cpu::uninitialized<double>(extents);
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<double>(i);
  return x;
}

}  // namespace

TEST_CASE("every second channel, row and column, and zeros where they were not") {
  auto const x = counting({3, 1, 3, 3});
  image_region const corners{{0, 3, 2}, {0, 3, 2}, {1, index_range::to_the_end, 2}};
  auto const y = cpu::slice(x, corners);
  CHECK(y == array_of<double>({2, 1, 2, 1}, {1, 7, 19, 25}));
  auto const back = cpu::unslice(y, corners, {3, 1, 3, 3});
  for (std::size_t i = 0; i < back.size(); ++i)
    CHECK(back.data()[i] == (i == 1 || i == 7 || i == 19 || i == 25 ? static_cast<double>(i) : 0));
  CHECK(cpu::slice(x, {}) == x);
  CHECK(cpu::slice(counting({2, 3}), {.channels = {1, 3}}) == array_of<double>({2, 2}, {1, 2, 4, 5}));
}

TEST_CASE("a shuffle of two rows of three channels reads them by columns, and back") {
  auto const x = array_of<double>({6, 1, 1, 1}, {0, 1, 2, 10, 11, 12});
  auto const y = cpu::channel_shuffle(x, 2);
  CHECK(y == array_of<double>({6, 1, 1, 1}, {0, 10, 1, 11, 2, 12}));
  CHECK(cpu::channel_shuffle(y, 3) == x);
}

TEST_CASE("each pixel twice in a row and three times in a column, and the sums back") {
  auto const x = array_of<double>({1, 1, 1, 2}, {1, 2});
  auto const y = cpu::upsample_nearest(x, {3, 2});
  CHECK(y == array_of<double>({1, 1, 3, 4}, {1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2}));
  CHECK(cpu::upsample_nearest_adjoint(y, {3, 2}) == array_of<double>({1, 1, 1, 2}, {6, 12}));
}

TEST_CASE_TEMPLATE("adjoints are adjoint, for any number of threads", T, float, double) {
  shape const whole{9, 20, 13, 14};
  image_region const region{{1, 9, 3}, {2, 13, 2}, {0, 12, 1}};
  auto const x = random_array<T>(whole, 1);
  auto const y = cpu::slice(x, region);
  auto const g = random_array<T>(shape_of(y), 2);
  CHECK(inner_product(y, g) == doctest::Approx(inner_product(x, cpu::unslice(g, region, whole))).epsilon(1e-5));
  require_same_bits_for_any_thread_count([&] { return cpu::unslice(g, region, whole); });
  require_same_bits_for_any_thread_count([&] { return cpu::channel_shuffle(x, 3); });
  auto const wide = random_array<T>({9, 20, 26, 42}, 3);
  CHECK(inner_product(cpu::upsample_nearest(x, {2, 3}), wide) ==
        doctest::Approx(inner_product(x, cpu::upsample_nearest_adjoint(wide, {2, 3}))).epsilon(1e-5));
}

TEST_CASE("ranges and groups that do not fit are refused in words") {
  auto const x = counting({4, 1, 2, 2});
  CHECK_THROWS_WITH_AS((void)cpu::slice(x, {.channels = {4, 6}}), doctest::Contains("pass a range within it"), lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::slice(counting({2, 3}), {.rows = {0, 1}}), doctest::Contains("channels of [N, F]"),
                       lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::unslice(x, {.channels = {0, 2}}, {4, 1, 2, 2}), doctest::Contains("one of that shape"),
                       lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::channel_shuffle(x, 3), doctest::Contains("divides them"), lnpt::error);
}
