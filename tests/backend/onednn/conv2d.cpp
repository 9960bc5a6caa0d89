/// oneDNN's convolutions against the CPU backend's in double, and what is particular to them: pieces, threads, kernels kept.
#include <lnpt/backend/cpu/convolution/conv2d.hpp>
#include <lnpt/backend/onednn/conv2d.hpp>

#include "../conv_case.hpp"
#include "../cpu/support.hpp"

using namespace lnpt;
using namespace lnpt::test;
using cpu::conv_geometry;

namespace {

/// Seams: odd extents, channels around oneDNN's blocks of 16, one sample, batches that do not cut evenly, grouped and depthwise.
std::vector<conv_case> cases() {
  return {
      {1, 1, 1, 1, 1, {1, 1, 0, 1, 1}},
      {3, 2, 5, 7, 4, {3, 1, 1, 1, 1}},
      {3, 1, 32, 32, 32, {3, 1, 1, 1, 1}},
      {17, 1, 9, 6, 9, {3, 2, 1, 1, 1}},
      {40, 17, 2, 2, 70, {3, 1, 1, 1, 1}},
      {32, 13, 32, 32, 48, {3, 1, 1, 1, 1}},
      {16, 19, 24, 24, 32, {3, 1, 1, 1, 1}},
      {130, 2, 4, 4, 66, {3, 1, 1, 1, 1}},
      {24, 3, 7, 5, 50, {1, 1, 0, 1, 1}},
      {24, 3, 8, 8, 50, {1, 2, 0, 1, 1}},
      {6, 2, 11, 9, 10, {5, 3, 2, 1, 1}},
      {4, 2, 6, 8, 4, {{3, 1}, 1, 1, 1, 1}},
      {4, 2, 7, 7, 4, {2, 2, 0, 1, 1}},
      {3, 2, 16, 16, 20, {7, 2, 3, 1, 1}},
      {12, 2, 9, 9, 24, {3, 2, 1, 1, 4}},
      {32, 19, 16, 16, 32, {3, 1, 1, 1, 2}},
      {19, 3, 8, 8, 19, {3, 1, 1, 1, 19}},
      {64, 23, 16, 16, 64, {3, 2, 1, 1, 64}},
      {6, 2, 5, 5, 12, {3, 1, 1, 1, 6}},
      {16, 3, 12, 10, 16, {3, {1, 2}, {2, 1}, {2, 1}, 2}},
      {6, 3, 9, 11, 10, {{3, 2}, 1, {0, 1, 2, 1}, 2, 1}},
  };
}

cpu::array<double> in_double(cpu::array<float> const& x) { return cpu::array<double>(x); }

/// Requires `f(out, accumulate)` to give what `reference` does, over rubbish and on top of what is there.
template <class F, class Reference>
void require_same(shape const& extents, F f, Reference reference) {
  cpu::array<double> expected;
  reference(expected, false);
  auto out = cpu::filled<float>(extents, std::numeric_limits<float>::quiet_NaN());
  f(out, false);
  CHECK(relative_error(out, expected) < tolerance<float>);
  out = random_array<float>(extents, 4);
  expected = in_double(out);
  reference(expected, true);
  f(out, true);
  CHECK(relative_error(out, expected) < tolerance<float>);
}

}  // namespace

TEST_CASE("a 2x2 kernel of ones adds four neighbours, and its gradient counts them") {
  auto const x = array_of<float>({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6});
  auto const w = cpu::filled<float>({1, 1, 2, 2}, 1);
  cpu::array<float> y, gx, gw;
  onednn::conv2d(x, w, {2}, y, false);
  CHECK(y == array_of<float>({1, 1, 1, 2}, {12, 16}));
  auto const ones = cpu::filled<float>({1, 1, 1, 2}, 1);
  onednn::conv2d_input_gradient(ones, w, {2}, {1, 1, 2, 3}, gx, false);
  CHECK(gx == array_of<float>({1, 1, 2, 3}, {1, 2, 1, 1, 2, 1}));
  onednn::conv2d_weight_gradient(x, ones, {2}, {1, 1, 2, 2}, gw, false);
  CHECK(gw == array_of<float>({1, 1, 2, 2}, {3, 5, 9, 11}));
}

TEST_CASE("the convolution triple is the CPU backend's up to rounding") {
  for (auto const& c : cases()) {
    CAPTURE(c);
    auto const x = random_array<float>(c.x(), 1), w = random_array<float>(c.weights(), 2), gy = random_array<float>(c.y(), 3);
    auto const& g = c.geometry;
    require_same(
        c.y(), [&](auto& y, bool add) { onednn::conv2d(x, w, g, y, add); },
        [&](auto& y, bool add) { cpu::conv2d(in_double(x), in_double(w), g, y, add); });
    require_same(
        c.x(), [&](auto& gx, bool add) { onednn::conv2d_input_gradient(gy, w, g, c.x(), gx, add); },
        [&](auto& gx, bool add) { cpu::conv2d_input_gradient(in_double(gy), in_double(w), g, c.x(), gx, add); });
    require_same(
        c.weights(), [&](auto& gw, bool add) { onednn::conv2d_weight_gradient(x, gy, g, c.weights(), gw, add); },
        [&](auto& gw, bool add) { cpu::conv2d_weight_gradient(in_double(x), in_double(gy), g, c.weights(), gw, add); });
  }
}

TEST_CASE("oneDNN's convolutions have the same bits for any number of threads") {
  for (auto const& c : {conv_case{16, 20, 16, 16, 40, {3, 1, 1, 1, 1}}, conv_case{48, 37, 4, 4, 72, {3, 2, 1, 1, 1}},
                        conv_case{128, 1, 4, 4, 128, {3, 1, 1, 1, 1}}}) {
    CAPTURE(c);
    auto const x = random_array<float>(c.x(), 8), w = random_array<float>(c.weights(), 9), gy = random_array<float>(c.y(), 10);
    using result = cpu::array<float>;
    require_same_bits_for_any_thread_count(
        [&, out = result()]() mutable { return onednn::conv2d(x, w, c.geometry, out, false), out; });
    require_same_bits_for_any_thread_count(
        [&, out = result()]() mutable { return onednn::conv2d_input_gradient(gy, w, c.geometry, c.x(), out, false), out; });
    require_same_bits_for_any_thread_count([&, out = result()]() mutable {
      return onednn::conv2d_weight_gradient(x, gy, c.geometry, c.weights(), out, false), out;
    });
  }
}

TEST_CASE("the OpenMP setting of the calling thread survives a convolution") {
  auto const& openmp = onednn::detail::openmp_runtime::instance();
  if (!openmp.loaded()) return;  // an oneDNN built without OpenMP
  openmp.set_threads(3);
  cpu::array<float> y;
  onednn::conv2d(cpu::filled<float>({16, 9, 8, 8}, 1), cpu::filled<float>({16, 16, 3, 3}, 1), {3, 1, 1, 1, 1}, y, false);
  CHECK(openmp.max_threads() == 3);
}

TEST_CASE("shapes that do not fit are refused in words") {
  cpu::array<float> y;
  auto const x = cpu::filled<float>({4, 1, 3, 3}, 0), w = cpu::filled<float>({2, 3, 3, 3}, 0);
  CHECK_THROWS_WITH_AS(onednn::conv2d(x, w, {3, 1, 1, 1, 1}, y, false), doctest::Contains("pass images [N, C, H, W]"),
                       lnpt::error);
  auto const fits = cpu::filled<float>({2, 4, 3, 3}, 0);
  CHECK_THROWS_WITH_AS(onednn::conv2d(x, fits, {3, 1, 1, 1, 1}, y, true), doctest::Contains("pass one of shape [2, 1, 3, 3]"),
                       lnpt::error);
}
