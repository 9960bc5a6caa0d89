/// The teacher's words, kept in a file.
#include <doctest/doctest.h>

#include <limits>
#include <lnpt/io/teacher_cache.hpp>

#include "support.hpp"

namespace io = lnpt::io;
using io::teacher_cache;
using support::refusal;
using support::says;

namespace {

teacher_cache filled(std::size_t views) {
  teacher_cache cache({.data_set = "synthetic", .teacher = "resnet", .seed = 5, .images = 4, .views = views}, 3, 2);
  float next = 0;
  for (std::size_t image = 0; image != 4; ++image)
    for (std::size_t view = 0; view != std::max<std::size_t>(views, 1); ++view) {
      float const output[]{next, next + 1, next + 2}, features[]{-next, 0.5f};
      cache.set(image, view, output, features);
      next += 10;
    }
  return cache;
}

/// A valid cache of 2 images in 1 view, for tests that then break one thing.
struct parts {
  std::map<std::string, std::string> lines{
      {"lnpt.teacher_cache", "1"}, {"data_set", "d"}, {"teacher", "t"}, {"seed", "0"}, {"images", "2"}, {"views", "1"}};
  std::vector<float> output{1, 2}, features{3, 4};
  lnpt::shape output_shape{2, 1};
  std::vector<std::uint8_t> crop{0, 8, 4, 4}, flip{0, 1};

  [[nodiscard]] std::string read() const {
    io::safetensors::writer writer;
    for (auto const& [key, value] : lines) writer.metadata(key, value);
    writer.add("output", output_shape, std::span(output));
    writer.add("features", {2, 1}, std::span(features));
    writer.add("crop", {crop.size() / 2, 2}, std::span(crop));
    writer.add("flip", {flip.size()}, std::span(flip));
    auto const bytes = writer.bytes();
    return refusal([&] { teacher_cache(io::safetensors::view(bytes, "f")); });
  }
};

}  // namespace

TEST_CASE("a cache gives back what was set, after a round trip through its file") {
  support::temporary_folder const folder;
  for (std::size_t const views : {0u, 1u, 3u}) {
    CAPTURE(views);
    auto const written = filled(views);
    written.save(folder / "cache");
    auto const read = io::open_teacher_cache(folder / "cache");
    CHECK(read.about() == written.about());
    CHECK(read.output_size() == 3);
    CHECK(read.feature_size() == 2);
    for (std::size_t image = 0; image != 4; ++image)
      for (std::size_t view = 0; view != std::max<std::size_t>(views, 1); ++view) {
        auto const entry = read.entry(image, view);
        auto const n = 10 * static_cast<float>(image * std::max<std::size_t>(views, 1) + view);
        CHECK(std::vector(entry.output.begin(), entry.output.end()) == std::vector<float>{n, n + 1, n + 2});
        CHECK(std::vector(entry.features.begin(), entry.features.end()) == std::vector<float>{-n, 0.5f});
        CHECK(entry.how == (views == 0 ? lnpt::no_augmentation() : lnpt::draw_augmentation(5, image, view)));
      }
  }
}

TEST_CASE("what the teacher saw is in the file, to the last bit, and files without it are read") {
  support::temporary_folder const folder;
  io::image_form const form{{2, 5, 3}, {0.1F, 1.0F / 3}, {1e-7F, 2}};
  teacher_cache const cache({.data_set = "d", .teacher = "t", .images = 1, .form = form}, 1, 1);
  cache.save(folder / "cache");
  CHECK(io::open_teacher_cache(folder / "cache").about().form == form);
  CHECK(io::safetensors::open(folder / "cache").metadata().at("lnpt.teacher_cache") == "2");
  filled(1).save(folder / "old");
  CHECK(io::safetensors::open(folder / "old").metadata().at("lnpt.teacher_cache") == "1");
  CHECK_FALSE(io::open_teacher_cache(folder / "old").about().form);
}

TEST_CASE("entries outside the cache and words of other sizes are refused") {
  auto cache = filled(3);
  CHECK(says(refusal([&] { (void)cache.entry(4, 0); }), "no view 0 of image 4: it holds 4 images in 3 views"));
  CHECK(says(refusal([&] { (void)cache.entry(0, 3); }), "no view 3 of image 0"));
  float const two[]{1, 2};
  CHECK(says(refusal([&] { cache.set(0, 0, two, two); }), "holds 3 outputs and 2 features per view, not 2 and 2"));
  CHECK(says(refusal([&] { teacher_cache({.images = 0}, 1, 1); }), "holds nothing"));
}

TEST_CASE("a teacher that says NaN is not saved") {
  auto cache = filled(0);
  float const nan[]{0, std::numeric_limits<float>::quiet_NaN(), 0}, features[]{0, 0};
  cache.set(1, 0, nan, features);
  CHECK(says(refusal([&] { (void)cache.writer(); }), "the teacher: output holds 1 values of 12 that are NaN or infinite"));
}

TEST_CASE("a file whose parts do not fit together is refused") {
  CHECK(parts{}.read().empty());
  parts p;
  SUBCASE("another file of the format") {
    p.lines.erase("lnpt.teacher_cache");
    CHECK(says(p.read(), "f is no teacher cache"));
  }
  SUBCASE("another version") {
    p.lines["lnpt.teacher_cache"] = "3";
    CHECK(says(p.read(), R"(version "3"; this library reads versions 1 and 2)"));
  }
  SUBCASE("means that are not one for each channel") {
    p.lines["lnpt.teacher_cache"] = "2";
    CHECK(says(p.read(), R"(lack "image")"));
    p.lines["image"] = "2,4,4";
    p.lines["mean"] = p.lines["stddev"] = "0.5,0.25";
    CHECK(p.read().empty());
    for (auto const* const wrong : {"0.5", "0.5,", "0.5,x", "0.5,nan", "0.5,0.25,1", ""}) {
      CAPTURE(wrong);
      p.lines["mean"] = wrong;
      CHECK(says(p.read(), "2 numbers are needed"));
    }
    p.lines["image"] = "2,4";
    CHECK(says(p.read(), "3 numbers are needed"));
  }
  SUBCASE("a count that is no number") {
    p.lines["views"] = "1x";
    CHECK(says(p.read(), R"(the metadata "views" are "1x")"));
  }
  SUBCASE("a negative count") {
    p.lines["images"] = "-2";
    CHECK(says(p.read(), R"(the metadata "images" are "-2")"));
  }
  SUBCASE("no images") {
    p.lines["images"] = "0";
    CHECK(says(p.read(), "a teacher cache of no images"));
  }
  SUBCASE("too many rows") {
    p.lines["views"] = "9223372036854775808";
    CHECK(says(p.read(), "more rows than can be counted"));
  }
  SUBCASE("fewer rows than views") {
    p.lines["views"] = "2";
    CHECK(says(p.read(), "output is F32 [2, 1] where 2 images in 2 views need F32 [4, 1]"));
  }
  SUBCASE("outputs of rank 1") {
    p.output_shape = {2};
    CHECK(says(p.read(), "output is F32 [2] where"));
  }
  SUBCASE("outputs that are NaN") {
    p.output[1] = std::numeric_limits<float>::quiet_NaN();
    CHECK(says(p.read(), "f: output holds 1 values of 2 that are NaN"));
  }
  SUBCASE("features that are infinite") {
    p.features[0] = std::numeric_limits<float>::infinity();
    CHECK(says(p.read(), "f: features holds 1 values"));
  }
  SUBCASE("a crop outside the padding") {
    p.crop[3] = 9;
    CHECK(says(p.read(), "the crop of row 1 begins at (4, 9); offsets go from 0 to 8"));
  }
  SUBCASE("a flip of 2") {
    p.flip[0] = 2;
    CHECK(says(p.read(), "the flip of row 0 is 2"));
  }
  SUBCASE("too few flips") {
    p.flip.pop_back();
    CHECK(says(p.read(), "flip is U8 [1] where 2 images in 1 views need U8 [2]"));
  }
}
