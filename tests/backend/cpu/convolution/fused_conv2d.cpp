/// Convolutions with what follows them, to the bit of the passes one after the other.
#include "../../conv_case.hpp"
#include "../support.hpp"

#include <cstdint>
#include <limits>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/random.hpp>

using namespace lnpt;
using namespace lnpt::test;

namespace {

/// A convolution of every kind of kernel: few pixels and many, whole rows of vectors and maps narrower than one, several groups, tiles and
/// blocks, strides, dilation, depthwise of both orders of pixels, 1×1 on rows of any length.
std::vector<conv_case> cases() {
  return {
      {1, 1, 1, 1, 1, {1, 1, 0, 1, 1}},     {16, 1, 9, 7, 9, {3, 2, 1, 1, 1}},           {64, 1, 2, 2, 34, {3, 1, 1, 1, 2}},
      {3, 5, 8, 8, 16, {3, 1, 1, 1, 1}},    {17, 3, 9, 6, 9, {3, 2, 1, 1, 1}},           {16, 4, 16, 16, 24, {3, 1, 1, 1, 1}},
      {32, 9, 32, 32, 20, {3, 1, 1, 1, 1}}, {40, 17, 2, 2, 70, {3, 1, 1, 1, 1}},         {24, 3, 8, 8, 50, {1, 1, 0, 1, 1}},
      {24, 3, 7, 5, 50, {1, 1, 0, 1, 1}},   {24, 3, 8, 8, 50, {1, 2, 0, 1, 1}},          {6, 2, 11, 9, 10, {5, 3, 2, 1, 1}},
      {12, 2, 9, 9, 24, {3, 2, 1, 1, 4}},   {8, 12, 16, 16, 12, {3, 1, 1, 1, 2}},        {19, 3, 8, 8, 19, {3, 1, 1, 1, 19}},
      {33, 20, 2, 2, 33, {3, 1, 1, 1, 33}}, {3, 9, 32, 32, 3, {3, 1, 1, 1, 3}},          {6, 2, 5, 5, 12, {3, 1, 1, 1, 6}},
      {6, 3, 9, 11, 10, {3, 1, 2, 2, 1}},   {5, 2, 8, 9, 6, {2, 1, {0, 0, 1, 1}, 1, 1}}, {2, 3, 70, 70, 3, {3, 1, 1, 1, 1}},
  };
}

/// What a network may ask for, and all of it.
template <class T>
struct every_epilogue {
  cpu::channel_vector slope, offset;
  cpu::array<T> addend;
  std::vector<cpu::epilogue<T>> all;

  explicit every_epilogue(shape const& y) : addend(random_array<T>(y, 5)) {
    for (std::size_t c = 0; c < y[0]; ++c) {
      slope.values.push_back(uniform(1, c) - 0.3);
      offset.values.push_back(uniform(2, c) - 0.5);
    }
    for (bool const scaled : {true, false})
      for (bool const joined : {true, false})
        for (bool const rectify : {true, false})
          all.push_back({scaled ? &slope : nullptr, &offset, joined ? &addend : nullptr, rectify});
    all.push_back({nullptr, nullptr, nullptr, true});
  }
};

/// One pass after the other.
template <class T>
cpu::array<T> in_passes(cpu::array<T> y, cpu::epilogue<T> const& after) {
  using backend = cpu::backend<T>;
  if (after.slope || after.offset) y = backend::combine({{&y, after.slope}}, after.offset, nullptr, false, false);
  if (after.addend) y = backend::add(y, *after.addend, false);
  return after.rectify ? backend::relu(y) : y;
}

template <class T, class Weights>
void require_fusion(conv_case const& c, Weights const& w) {
  using backend = cpu::backend<T>;
  auto const x = random_array<T>(c.x(), 1);
  cpu::array<T> y;
  backend::conv2d(x, w, c.geometry, y, false);
  every_epilogue<T> const epilogues(c.y());
  for (auto const& after : epilogues.all) {
    CAPTURE(after.slope != nullptr);
    CAPTURE(after.addend != nullptr);
    CAPTURE(after.rectify);
    auto const expected = in_passes(y, after);
    CHECK(same_bits(backend::fused_conv2d(x, w, c.geometry, after), expected));
    auto in_place = y;
    cpu::apply_epilogue(in_place, after);
    CHECK(same_bits(in_place, expected));
  }
  require_same_bits_for_any_thread_count([&] { return backend::fused_conv2d(x, w, c.geometry, epilogues.all.front()); });
}

template <class T>
cpu::sparse::kept_weights<T> kept_of(cpu::array<T> const& w, double density) {
  std::vector<std::uint64_t> words((w.size() + 63) / 64);
  for (std::size_t i = 0; i < w.size(); ++i)
    if (uniform(7, i) < density) words[i / 64] |= std::uint64_t{1} << (i % 64);
  return {w, words};
}

}  // namespace

TEST_CASE("3·2 times 2 less 13 is rectified to 0, or is 4 with 5 more") {
  auto const x = array_of<float>({1, 1, 1, 1}, {2}), w = array_of<float>({1, 1, 1, 1}, {3}),
             five = array_of<float>({1, 1, 1, 1}, {5});
  cpu::channel_vector const slope{{2}}, offset{{-13}};
  using backend = cpu::backend<float>;
  CHECK(backend::fused_conv2d(x, w, {}, {&slope, &offset, nullptr, true})(0) == 0);
  CHECK(backend::fused_conv2d(x, w, {}, {&slope, &offset, nullptr, false})(0) == -1);
  CHECK(backend::fused_conv2d(x, w, {}, {&slope, &offset, &five, true})(0) == 4);
}

TEST_CASE_TEMPLATE("a fused convolution has the bits of its passes one after the other", T, float, double) {
  for (auto const& c : cases()) {
    CAPTURE(c);
    require_fusion<T>(c, random_array<T>(c.weights(), 2));
  }
}

TEST_CASE_TEMPLATE("so has one by kept weights alone, at any density", T, float, double) {
  for (auto const& c : cases())
    for (double const density : {0.0, 0.02, 0.2, 1.0}) {
      CAPTURE(c);
      CAPTURE(density);
      require_fusion<T>(c, kept_of(random_array<T>(c.weights(), 2), density));
    }
}

TEST_CASE("a rectifier lets NaN through, with what is added to it") {
  auto const nan = std::numeric_limits<float>::quiet_NaN();
  auto x = random_array<float>({4, 2, 8, 16}, 1);
  x.data()[5] = nan;
  auto const w = random_array<float>({8, 4, 1, 1}, 2);
  cpu::channel_vector const slope{std::vector(8, 1.5)}, offset{std::vector(8, -0.5)};
  auto const y = cpu::backend<float>::fused_conv2d(x, w, {}, {&slope, &offset, nullptr, true});
  for (std::size_t c = 0; c < 8; ++c) CHECK(std::isnan(y.data()[c * 256 + 5]));
}

TEST_CASE("an epilogue of other extents is refused") {
  auto const x = random_array<float>({2, 1, 4, 4}, 1), w = random_array<float>({3, 2, 1, 1}, 2),
             other = random_array<float>({3, 1, 4, 1}, 3);
  cpu::channel_vector const two{{1, 1}}, three{{1, 1, 1}};
  using backend = cpu::backend<float>;
  CHECK_THROWS_WITH_AS(backend::fused_conv2d(x, w, {}, {&two, &three, nullptr, true}),
                       "fused_conv2d: 2 coefficients for 3 channels; pass one per channel", error);
  CHECK_THROWS_WITH_AS(backend::fused_conv2d(x, w, {}, {&three, &three, &other, true}),
                       doctest::Contains("an addend of shape [3, 1, 4, 1] for a result of shape [3, 1, 4, 4]"), error);
}
