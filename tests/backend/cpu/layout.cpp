/// The copies between layouts, and the parameter-free shortcut.
#include "support.hpp"

#include <lnpt/backend/cpu/layout.hpp>

using namespace lnpt;
using namespace lnpt::test;

TEST_CASE("channels and samples change places, and back") {
  auto const nchw = array_of<float>({2, 3, 1, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  auto const cnhw = cpu::to_channel_major(nchw);
  CHECK(cnhw == array_of<float>({3, 2, 1, 2}, {0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}));
  CHECK(cpu::to_channel_major(cnhw) == nchw);  // its own inverse
  CHECK(cpu::flatten(cnhw) == array_of<float>({2, 6}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  CHECK(cpu::unflatten(cpu::flatten(cnhw), {3, 2, 1, 2}) == cnhw);
}

TEST_CASE_TEMPLATE("layouts of any size survive the round trip", T, float, double) {
  for (auto const& extents : std::vector<shape>{{1, 1, 1, 1}, {5, 3, 1, 1}, {200, 512, 1, 1}, {7, 5, 33, 31}}) {
    auto const x = random_array<T>(extents, 1);
    auto const swapped = cpu::to_channel_major(x);
    CHECK(swapped(extents[1] - 1, 0, 0, 0) == x(0, extents[1] - 1, 0, 0));
    CHECK(same_bits(cpu::to_channel_major(swapped), x));
    CHECK(same_bits(cpu::unflatten(cpu::flatten(x), extents), x));
  }
}

TEST_CASE("channels are stacked and taken apart") {
  auto const a = random_array<float>({2, 3, 4, 5}, 1), b = random_array<float>({1, 3, 4, 5}, 2);
  cpu::array<float> const* const both[] = {&a, &b};
  auto const stacked = cpu::concat_channels<float>(both);
  CHECK(test::shape_of(stacked) == shape{3, 3, 4, 5});
  CHECK(cpu::slice_channels(stacked, 0, 2) == a);
  CHECK(cpu::slice_channels(stacked, 2, 3) == b);
}

TEST_CASE("the shortcut keeps every second pixel between zero channels") {
  auto const x = array_of<float>({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(cpu::subsample_pad(x, 2, {3, 1, 2, 2}, 1) == array_of<float>({3, 1, 2, 2}, {0, 0, 0, 0, 1, 3, 7, 9, 0, 0, 0, 0}));
  CHECK(cpu::subsample_pad(x, 2, {3, 1, 2, 2}, 2) == array_of<float>({3, 1, 2, 2}, {0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 7, 9}));
}

TEST_CASE("the shortcut has its adjoint") {
  for (std::size_t const stride : {1, 2, 3}) {
    auto const x = random_array<double>({5, 3, 7, 8}, 1);
    shape const out{10, 3, (7 + stride - 1) / stride, (8 + stride - 1) / stride};
    auto const gy = random_array<double>(out, 2);
    CHECK(inner_product(cpu::subsample_pad(x, stride, out, stride), gy) ==
          doctest::Approx(inner_product(x, cpu::subsample_pad_adjoint(gy, stride, test::shape_of(x), stride))));
  }
}

TEST_CASE("shapes that do not fit are refused in words") {
  auto const x = cpu::filled<float>({2, 1, 3, 3}, 0), flat = cpu::filled<float>({2, 3}, 0);
  cpu::array<float> const other = cpu::filled<float>({2, 1, 3, 4}, 0);
  cpu::array<float> const* const both[] = {&x, &other};
  CHECK_THROWS_WITH_AS((void)cpu::to_channel_major(flat), doctest::Contains("pass one of rank 4"), lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::concat_channels<float>(both), doctest::Contains("pass images of one size"), lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::slice_channels(x, 1, 3), doctest::Contains("pass a range within its first extent"),
                       lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::subsample_pad(x, 2, {4, 1, 1, 1}, 1), doctest::Contains("rounded up"), lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::subsample_pad(x, 1, {4, 1, 3, 3}, 3), doctest::Contains("behind 3 channels"), lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::unflatten(flat, {1, 2, 2, 2}), doctest::Contains("as many values as the image holds"),
                       lnpt::error);
}
