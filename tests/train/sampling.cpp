/// Which images are scored on: counts per class, seeds, and classes that run short.
#include <doctest/doctest.h>

#include <set>

#include <lnpt/io/synthetic.hpp>
#include <lnpt/train/batches.hpp>
#include <lnpt/train/sampling.hpp>

using namespace lnpt;

namespace {

std::set<std::size_t> as_set(std::vector<std::size_t> const& indices) { return {indices.begin(), indices.end()}; }

}  // namespace

TEST_CASE("two images of each of three classes, and one where there is only one") {
  std::vector<std::int64_t> const classes{0, 1, 1, 0, 2, 0, 1};
  auto const sample = sample_by_pseudo_label(classes, 3, 2, 7);
  CHECK(sample.found_per_class == std::vector<std::size_t>{2, 2, 1});
  CHECK(sample.indices.size() == 5);
  CHECK(as_set(sample.indices).size() == 5);
  std::vector<std::size_t> counted(3);
  for (auto const i : sample.indices) ++counted[static_cast<std::size_t>(classes[i])];
  CHECK(counted == sample.found_per_class);
}

TEST_CASE("a teacher that never sees a class gives none of it") {
  std::vector<std::int64_t> const classes{0, 2, 2, 0};
  CHECK(sample_by_pseudo_label(classes, 3, 1, 0).found_per_class == std::vector<std::size_t>{1, 0, 1});
}

TEST_CASE("classes beyond those asked for, and below 0, are refused by their image") {
  CHECK_THROWS_WITH_AS((void)sample_by_pseudo_label(std::vector<std::int64_t>{0, 3, 1}, 3, 1, 0),
                       "image 1 is of class 3, and a sample of 3 classes was asked for: ask for as many as there are", error);
  CHECK_THROWS_AS((void)sample_by_pseudo_label(std::vector<std::int64_t>{0, -1}, 3, 1, 0), error);
}

TEST_CASE("batches of images are of the size asked for, with their labels where they are asked for") {
  auto const set = io::synthetic({.classes = 5, .side = 16, .train = 20, .test = 5}).train;
  std::vector<std::size_t> const indices{3, 19, 0, 7, 5};
  auto const plain = plain_batches(set, indices, 2);
  auto const labelled = labelled_batches(set, indices, 2);
  REQUIRE(plain.size() == 3);
  REQUIRE(labelled.size() == 3);
  std::vector<std::int64_t> labels;
  for (std::size_t b = 0; b < 3; ++b) {
    CHECK(plain[b].input.shape(0) == (b < 2 ? 2 : 1));
    CHECK(plain[b].input == labelled[b].input);
    labels.insert(labels.end(), labelled[b].labels.begin(), labelled[b].labels.end());
  }
  CHECK(labels == gather_labels(set, indices));
  CHECK_THROWS_WITH_AS((void)plain_batches(set, indices, 0), doctest::Contains("batches of 0"), error);
}

TEST_CASE("samples are a function of the seed") {
  auto const set = io::synthetic({.classes = 5, .side = 16, .train = 200, .test = 5});
  auto const draw = [&](std::uint64_t seed) { return sample_by_label(set.train, 5, 4, seed).indices; };
  CHECK(draw(1) == draw(1));
  CHECK(as_set(draw(1)) != as_set(draw(2)));
  CHECK(sample_by_label(set.train, 5, 4, 1).found_per_class == std::vector<std::size_t>(5, 4));
  CHECK(sample_at_random(200, 30, 1).indices == sample_at_random(200, 30, 1).indices);
  CHECK(as_set(sample_at_random(200, 30, 1).indices).size() == 30);
  CHECK(sample_at_random(10, 30, 1).indices.size() == 10);
}

TEST_CASE("an order of n holds each of 0 … n − 1 once, and streams differ") {
  for (std::size_t const n : {0, 1, 2, 63, 64, 65, 1000}) {
    auto const order = shuffled(n, 3, 0);
    CHECK(as_set(order).size() == n);
    CHECK((n == 0 || *as_set(order).rbegin() == n - 1));
  }
  CHECK(shuffled(100, 3, 0) != shuffled(100, 3, 1));
  CHECK(shuffled(100, 3, 0) != shuffled(100, 4, 0));
}

TEST_CASE("images without labels are refused where labels are read") {
  auto images = io::synthetic({.train = 4, .test = 0}).train;
  CHECK(images.has_labels());
  images.labels.clear();
  CHECK(images.size() == 4);
  CHECK_FALSE(images.has_labels());
  std::vector<std::size_t> const all{0, 1, 2, 3};
  CHECK(plain_batches(images, std::span(all), 4).size() == 1);
  CHECK_THROWS_WITH_AS((void)gather_labels(images, all),
                       "0 of 4 images have a label: give one for each, or ask for what reads none", error);
  CHECK_THROWS_AS((void)labelled_batches(images, std::span(all), 2), error);
  CHECK_THROWS_AS((void)sample_by_label(images, 10, 1, 0), error);
}
