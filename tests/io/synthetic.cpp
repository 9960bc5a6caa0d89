/// The synthetic set: the same bits everywhere, out of reach of a linear model, open to what ignores place, angle and colour.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <lnpt/io/data_set.hpp>
#include <numeric>

#include "support.hpp"

namespace io = lnpt::io;
using support::refusal;
using support::says;

namespace {

std::uint64_t fingerprint(std::span<std::uint8_t const> bytes) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (auto const byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
  return hash;
}

/// Test accuracy of a softmax classifier on normalised pixels, by stochastic gradient descent.
double linear_accuracy(io::data_set const& set, int epochs, float rate) {
  auto const inputs = set.train.image_size(), classes = set.train.classes;
  std::vector<float> weights(classes * (inputs + 1)), x(inputs + 1, 1.0f);
  std::vector<double> scores(classes);
  auto const score = [&](io::image_set const& images, std::size_t i) {
    auto const image = images.image(i);
    for (std::size_t p = 0; p != inputs; ++p) x[p] = (static_cast<float>(image[p]) / 255.0f - 0.5f) / 0.29f;
    for (std::size_t k = 0; k != classes; ++k)
      scores[k] = std::inner_product(x.begin(), x.end(), weights.begin() + static_cast<std::ptrdiff_t>(k * x.size()), 0.0f);
  };
  for (int epoch = 0; epoch != epochs; ++epoch)
    for (std::size_t i = 0; i != set.train.size(); ++i) {
      score(set.train, i);
      auto const top = *std::ranges::max_element(scores);
      double total = 0;
      for (auto& s : scores) total += s = std::exp(s - top);
      for (std::size_t k = 0; k != classes; ++k) {
        auto const step = rate * static_cast<float>(scores[k] / total - (set.train.labels[i] == static_cast<std::int64_t>(k)));
        for (std::size_t p = 0; p != x.size(); ++p) weights[k * x.size() + p] -= step * x[p];
      }
    }
  std::size_t right = 0;
  for (std::size_t i = 0; i != set.test.size(); ++i) {
    score(set.test, i);
    right += std::ranges::max_element(scores) - scores.begin() == set.test.labels[i];
  }
  return static_cast<double>(right) / static_cast<double>(set.test.size());
}

constexpr std::size_t bins = 10;
using profile = std::array<double, bins>;

/// How much of the shape lies at each distance from its centre: the distance of a pixel's colour from that of the border says
/// how much it belongs to the shape, whatever the colours; distances are measured in the shape's own size.
profile radial_profile(io::image_set const& images, std::size_t index) {
  auto const image = images.image(index);
  auto const side = images.width, area = side * side;
  std::array<double, 3> ground{};
  for (std::size_t c = 0; c != 3; ++c) {
    std::vector<std::uint8_t> border;
    for (std::size_t i = 0; i != side; ++i)
      for (auto const at : {i, area - side + i, i * side, i * side + side - 1}) border.push_back(image[c * area + at]);
    std::ranges::nth_element(border, border.begin() + std::ssize(border) / 2);
    ground[c] = border[border.size() / 2];
  }
  std::vector<double> weight(area);
  for (std::size_t p = 0; p != area; ++p) {
    double distance = 0;
    for (std::size_t c = 0; c != 3; ++c) distance += std::abs(image[c * area + p] - ground[c]);
    weight[p] = std::max(0.0, distance - 110);
  }
  double total = 1e-9, x = 0, y = 0, spread = 0;
  for (std::size_t p = 0; p != area; ++p)
    total += weight[p], x += weight[p] * static_cast<double>(p % side), y += weight[p] * static_cast<double>(p / side);
  auto const radius = [&](std::size_t p) {
    return std::hypot(static_cast<double>(p % side) - x / total, static_cast<double>(p / side) - y / total);
  };
  for (std::size_t p = 0; p != area; ++p) spread += weight[p] * radius(p) * radius(p);
  spread = std::sqrt(spread / total) + 1e-9;
  profile result{};
  for (std::size_t p = 0; p != area; ++p)
    if (auto const bin = static_cast<std::size_t>(radius(p) / spread * 5); bin < bins) result[bin] += weight[p] / total;
  return result;
}

/// Test accuracy of the most frequent class among the nine training images with the nearest profiles.
double invariant_accuracy(io::data_set const& set) {
  std::vector<profile> known;
  for (std::size_t i = 0; i != set.train.size(); ++i) known.push_back(radial_profile(set.train, i));
  std::size_t right = 0;
  for (std::size_t i = 0; i != set.test.size(); ++i) {
    auto const sought = radial_profile(set.test, i);
    std::vector<std::pair<double, std::int64_t>> near;
    for (std::size_t j = 0; j != known.size(); ++j) {
      double distance = 0;
      for (std::size_t b = 0; b != bins; ++b) distance += (known[j][b] - sought[b]) * (known[j][b] - sought[b]);
      near.emplace_back(distance, set.train.labels[j]);
    }
    std::ranges::partial_sort(near, near.begin() + 9);
    std::vector<int> votes(set.train.classes);
    for (std::size_t j = 0; j != 9; ++j) ++votes[static_cast<std::size_t>(near[j].second)];
    right += std::ranges::max_element(votes) - votes.begin() == set.test.labels[i];
  }
  return static_cast<double>(right) / static_cast<double>(set.test.size());
}

}  // namespace

TEST_CASE("the set is balanced, of its size, and a longer one begins with the shorter") {
  auto const set = io::synthetic({.train = 40, .test = 20, .seed = 3});
  CHECK(set.train.size() == 40);
  CHECK(set.test.size() == 20);
  CHECK(set.train.image_size() == 3 * 32 * 32);
  CHECK(set.train.pixels.size() == 40 * 3072);
  CHECK(std::ranges::count(set.train.labels, 7) == 4);
  auto const longer = io::synthetic({.train = 50, .test = 20, .seed = 3});
  CHECK(std::ranges::equal(set.train.pixels, std::span(longer.train.pixels).first(set.train.pixels.size())));
  CHECK(io::synthetic({.train = 40, .test = 20, .seed = 4}).train.pixels != set.train.pixels);
  CHECK_FALSE(std::ranges::equal(set.test.pixels, std::span(set.train.pixels).first(set.test.pixels.size())));
}

TEST_CASE("the bits are those of every other platform") {
  auto const set = io::synthetic({.train = 100, .test = 10, .seed = 1});
  CHECK(fingerprint(set.train.pixels) == 1827316850513232798u);
  CHECK(fingerprint(set.test.pixels) == 18056274281498770562u);
}

TEST_CASE("other sides and fewer classes are drawn too") {
  for (std::size_t const side : {16u, 17u, 64u}) {
    auto const set = io::synthetic({.classes = 4, .side = side, .train = 8, .test = 4});
    CHECK(set.train.pixels.size() == 8 * 3 * side * side);
    CHECK(set.train.labels == std::vector<std::int64_t>{0, 1, 2, 3, 0, 1, 2, 3});
  }
}

TEST_CASE("a linear model of the pixels fails where features that ignore place, angle and colour succeed") {
  auto const set = io::synthetic({.train = 2000, .test = 500});
  auto const linear = linear_accuracy(set, 3, 1e-4f);
  auto const invariant = invariant_accuracy(set);
  MESSAGE("linear ", linear, ", invariant ", invariant);
  CHECK(linear < 0.25);
  CHECK(invariant > 0.5);
}

TEST_CASE("impossible sizes are refused") {
  CHECK(says(refusal([] { (void)io::synthetic({.classes = 11}); }), "2 to 10 classes, not 11"));
  CHECK(says(refusal([] { (void)io::synthetic({.side = 8}); }), "a side of 16 to 1024 pixels, not 8"));
  CHECK(says(refusal([] { (void)io::synthetic({.train = 0}); }), "needs training images"));
}

TEST_CASE("a string opens any data set, and a wrong one lists those that do") {
  auto const set = io::open_data_set("synthetic", {.train_limit = 30, .test_limit = 10, .seed = 2});
  CHECK(set.train.size() == 30);
  CHECK(set.test.size() == 10);
  CHECK(set.train.pixels == io::synthetic({.train = 30, .test = 10, .seed = 2}).train.pixels);
  for (auto const* wrong : {"", "cifar", "cifar10", "cifar10:", "synthetic:x", "mnist:"})
    CHECK(refusal([&] { (void)io::open_data_set(wrong); }) ==
          "unknown data set \"" + std::string(wrong) + "\": write synthetic, cifar10:FOLDER, cifar100:FOLDER or mnist:FOLDER");
  support::temporary_folder const folder;
  for (auto const& [kind, file] :
       {std::pair{"cifar10", "data_batch_1.bin"}, {"cifar100", "train.bin"}, {"mnist", "train-images-idx3-ubyte"}})
    CHECK(says(refusal([&] { (void)io::open_data_set(std::string(kind) + ':' + folder.path().string()); }), file));
  CHECK(says(refusal([] { (void)io::open_data_set("synthetic", {.train_limit = 0}); }), "leaves nothing to train on"));
}
