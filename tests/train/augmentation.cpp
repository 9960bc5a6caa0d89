/// Crop, flip and normalisation against a padded image made the slow way.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <lnpt/core/random.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/train/augmentation.hpp>
#include <utility>
#include <vector>

namespace {

lnpt::io::image_set images(std::size_t channels, std::size_t height, std::size_t width) {
  lnpt::io::image_set set{.channels = channels, .height = height, .width = width, .classes = 1};
  for (std::size_t i = 0; i != 2 * set.image_size(); ++i)
    set.pixels.push_back(static_cast<std::uint8_t>(lnpt::random_bits(1, i)));
  set.labels = {0, 0};
  for (std::size_t c = 0; c != channels; ++c) {
    set.mean.push_back(0.25f + 0.125f * static_cast<float>(c));
    set.stddev.push_back(0.5f);
  }
  return set;
}

/// Pads, crops, then mirrors: one pixel at a time.
std::vector<float> slowly(lnpt::augmentation how, lnpt::io::image_set const& set, std::size_t index, std::size_t padding) {
  std::vector<float> out;
  for (std::size_t c = 0; c != set.channels; ++c)
    for (std::size_t y = 0; y != set.height; ++y)
      for (std::size_t x = 0; x != set.width; ++x) {
        auto const py = y + how.dy, px = (how.flip ? set.width - 1 - x : x) + how.dx;
        auto const inside = py >= padding && py < set.height + padding && px >= padding && px < set.width + padding;
        auto const pixel = inside ? set.image(index)[(c * set.height + py - padding) * set.width + px - padding] : 0;
        out.push_back((static_cast<float>(pixel) / 255.0f - set.mean[c]) / set.stddev[c]);
      }
  return out;
}

}  // namespace

TEST_CASE("a crop one down and one right of a 2 by 2 image, by hand") {
  lnpt::io::image_set const set{.channels = 1,
                                .height = 2,
                                .width = 2,
                                .classes = 1,
                                .pixels = {255, 51, 102, 204},
                                .labels = {0},
                                .mean = {0},
                                .stddev = {1}};
  std::vector<float> out(4);
  lnpt::apply({2, 2, false}, set, 0, out, 1);  // the pixel at (1, 1) moves to (0, 0), the rest is padding
  CHECK(out[0] == doctest::Approx(0.8));
  CHECK(std::count(out.begin(), out.end(), 0.0f) == 3);
  lnpt::apply({2, 2, true}, set, 0, out, 1);
  CHECK(out[1] == doctest::Approx(0.8));
  CHECK(std::count(out.begin(), out.end(), 0.0f) == 3);
  lnpt::normalise(set, 0, out);
  CHECK(out[0] == doctest::Approx(1));
  CHECK(out[3] == doctest::Approx(0.8));
}

TEST_CASE("every offset and flip equals the slow way, also where the padding is wider than the image") {
  for (auto const& [height, width] : {std::pair{5, 7}, std::pair{1, 1}, std::pair{3, 2}, std::pair{32, 32}})
    for (std::size_t const padding : {0u, 1u, 4u}) {
      auto const set = images(3, static_cast<std::size_t>(height), static_cast<std::size_t>(width));
      std::vector<float> out(set.image_size());
      for (std::size_t dy = 0; dy <= 2 * padding; ++dy)
        for (std::size_t dx = 0; dx <= 2 * padding; ++dx)
          for (bool const flip : {false, true}) {
            lnpt::augmentation const how{static_cast<std::uint8_t>(dy), static_cast<std::uint8_t>(dx), flip};
            lnpt::apply(how, set, 1, out, padding);
            auto const expected = slowly(how, set, 1, padding);
            float worst = 0;
            for (std::size_t i = 0; i != out.size(); ++i) worst = std::max(worst, std::abs(out[i] - expected[i]));
            REQUIRE(worst < 1e-6f);
          }
    }
}

TEST_CASE("no augmentation is the normalised image") {
  auto const set = images(3, 6, 5);
  std::vector<float> augmented(set.image_size()), plain(set.image_size());
  lnpt::apply(lnpt::no_augmentation(), set, 0, augmented);
  lnpt::normalise(set, 0, plain);
  CHECK(augmented == plain);
}

TEST_CASE("draws repeat, differ between views and reach every offset evenly") {
  CHECK(lnpt::draw_augmentation(1, 2, 3) == lnpt::draw_augmentation(1, 2, 3));
  std::vector<int> dy(9), dx(9);
  int flips = 0, same = 0;
  for (std::uint64_t image = 0; image != 9000; ++image) {
    auto const how = lnpt::draw_augmentation(7, image, 0);
    ++dy.at(how.dy), ++dx.at(how.dx);
    flips += how.flip;
    same += how == lnpt::draw_augmentation(7, image, 1);
  }
  for (std::size_t i = 0; i != 9; ++i) {
    CHECK(std::abs(dy[i] - 1000) < 160);
    CHECK(std::abs(dx[i] - 1000) < 160);
  }
  CHECK(std::abs(flips - 4500) < 240);
  CHECK(std::abs(same - 9000 / 162) < 40);
}

TEST_CASE("offsets outside the padding and spans of another size are refused") {
  auto const set = images(1, 2, 2);
  std::vector<float> out(4), small(3);
  CHECK_THROWS_WITH_AS(lnpt::apply({9, 0, false}, set, 0, out),
                       "augmentation {dy 9, dx 0} leaves the padded image: offsets go from 0 to 8", lnpt::error);
  CHECK_THROWS_AS(lnpt::apply({0, 0, false}, set, 0, small), lnpt::error);
}
