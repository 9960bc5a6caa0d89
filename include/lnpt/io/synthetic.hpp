#pragma once
/// A drawn image set that needs no download: ten shapes of any place, size, angle and colour, over noise and clutter.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/io/image_set.hpp>

namespace lnpt::io {

struct synthetic_options {
  std::size_t classes = 10;  ///< 2 to 10
  std::size_t side = 32;     ///< height and width in pixels
  std::size_t train = 4000;
  std::size_t test = 1000;
  std::uint64_t seed = 0;
};

namespace detail {

/// A point in a shape's own frame: the shape fills about [−256, 256] in both directions.
struct shape_point {
  int u, v;
};

/// Disc, ring, square, frame, triangle, cross, stripes, checkers, pair of discs, crescent. Classes differ in outline only.
[[nodiscard]] constexpr bool covers(std::size_t shape, shape_point p) {
  auto const [u, v] = p;
  auto const abs = [](int x) { return x < 0 ? -x : x; };
  auto const squared = [](int x, int y) { return x * x + y * y; };
  auto const disc = [&](int x, int radius) { return squared(u - x, v) < radius * radius; };
  auto const square = [&](int half) { return abs(u) < half && abs(v) < half; };
  auto const odd = [](int x) { return ((x + 1024) / 128) % 2 != 0; };  // bands of width 128
  switch (shape) {
    case 0: return disc(0, 210);
    case 1: return disc(0, 240) && !disc(0, 130);
    case 2: return square(180);
    case 3: return square(210) && !square(110);
    case 4: return v < 130 && v > -240 && abs(u) * 370 < (v + 240) * 220;
    case 5: return square(240) && (abs(u) < 65 || abs(v) < 65);
    case 6: return square(192) && odd(u + 64);
    case 7: return square(256) && odd(u) == odd(v);
    case 8: return disc(-140, 100) || disc(140, 100);
    default: return disc(0, 240) && !disc(120, 190);
  }
}

/// Draws one image from counters (seed, stream, index, draw): integers only, so every platform draws the same bits.
class synthetic_painter {
 public:
  synthetic_painter(std::uint64_t seed, std::uint64_t stream, std::uint64_t index, std::span<std::uint8_t> image,
                    std::size_t side)
      : seed_(seed), stream_(stream), index_(index), image_(image), side_(static_cast<int>(side)) {}

  void paint(std::size_t shape) {
    auto const ground = draw_colour();
    auto ink = draw_colour();
    while (contrast(ground, ink) < 150) ink = draw_colour();
    fill(ground);
    // One draw per statement or brace: the order of a call's arguments is the compiler's choice.
    for (auto clutter = 2 + draw(3); clutter > 0; --clutter) {
      auto const kind = 2 * static_cast<std::size_t>(draw(2));  // little discs and squares: where they are says nothing
      place const at{draw(4 * side_), draw(4 * side_)};
      auto const radius = side_ * (5 + draw(4)) / 32;
      stamp(kind, at, radius, draw_colour());
    }
    auto const radius = side_ * (28 + draw(21)) / 32;  // quarter pixels: 7 to 12 pixels of 32
    auto const room = 4 * side_ - 2 * radius;
    place const at{radius + draw(room), radius + draw(room)};
    stamp(shape, at, radius, ink);
    add_noise();
  }

 private:
  using colour = std::array<int, 3>;
  struct place {
    int x, y;  // in quarter pixels
  };

  int draw(int bound) {
    return static_cast<int>(random_below(static_cast<std::uint32_t>(bound), random_bits(seed_, stream_, index_, next_++)));
  }
  colour draw_colour() { return {draw(256), draw(256), draw(256)}; }
  static int contrast(colour const& a, colour const& b) {
    return std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]) + std::abs(a[2] - b[2]);
  }
  std::uint8_t& pixel(std::size_t channel, int x, int y) {
    return image_[(channel * static_cast<std::size_t>(side_) + static_cast<std::size_t>(y)) * static_cast<std::size_t>(side_) +
                  static_cast<std::size_t>(x)];
  }
  static std::uint8_t clamped(int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

  /// A ground that brightens or darkens steadily across the image.
  void fill(colour const& ground) {
    auto const slope_x = draw(81) - 40;
    auto const slope_y = draw(81) - 40;
    for (std::size_t c = 0; c != ground.size(); ++c)
      for (int y = 0; y < side_; ++y)
        for (int x = 0; x < side_; ++x)
          pixel(c, x, y) = clamped(ground[c] + (slope_x * (2 * x - side_) + slope_y * (2 * y - side_)) / (2 * side_));
  }

  /// A shape at any angle. Four samples per pixel soften its edges.
  void stamp(std::size_t shape, place centre, int radius, colour const& ink) {
    // A rational point of the unit circle, in units of 1/4096: t from 0 to 1 covers a quarter turn, exactly and without sines.
    int const t = draw(65);
    auto const norm = 64 * 64 + t * t;
    int cosine = 4096 * (64 * 64 - t * t) / norm;
    int sine = 4096 * 2 * 64 * t / norm;
    for (auto turns = draw(4); turns > 0; --turns) cosine = -std::exchange(sine, cosine);
    auto const inside = [&](int x, int y) {
      auto const dx = x - centre.x;
      auto const dy = y - centre.y;
      return covers(shape, {(cosine * dx + sine * dy) / (16 * radius), (cosine * dy - sine * dx) / (16 * radius)});
    };
    auto const first = [&](int at) { return std::clamp((at - 2 * radius) / 4, 0, side_); };
    auto const last = [&](int at) { return std::clamp((at + 2 * radius) / 4 + 1, 0, side_); };
    for (int y = first(centre.y); y < last(centre.y); ++y)
      for (int x = first(centre.x); x < last(centre.x); ++x) {
        auto const hits = inside(4 * x + 1, 4 * y + 1) + inside(4 * x + 3, 4 * y + 1) + inside(4 * x + 1, 4 * y + 3) +
                          inside(4 * x + 3, 4 * y + 3);
        if (hits == 0) continue;
        for (std::size_t c = 0; c != ink.size(); ++c) {
          auto& value = pixel(c, x, y);
          value = clamped((value * (4 - hits) + ink[c] * hits) / 4);
        }
      }
  }

  /// Triangular noise of up to ±31 in every pixel, one draw for its three channels.
  void add_noise() {
    for (int y = 0; y < side_; ++y)
      for (int x = 0; x < side_; ++x) {
        auto bits = random_bits(seed_, stream_, index_, next_++);
        for (std::size_t c = 0; c != 3; ++c, bits >>= 10)
          pixel(c, x, y) = clamped(pixel(c, x, y) + static_cast<int>(bits & 31) - static_cast<int>((bits >> 5) & 31));
      }
  }

  std::uint64_t seed_, stream_, index_, next_ = 0;
  std::span<std::uint8_t> image_;
  int side_;
};

[[nodiscard]] inline image_set draw_split(synthetic_options const& options, std::uint64_t stream, std::size_t count) {
  image_set set{.channels = 3, .height = options.side, .width = options.side, .classes = options.classes};
  set.pixels.resize(count * set.image_size());
  for (std::size_t i = 0; i != count; ++i) {
    auto const shape = i % options.classes;  // balanced, also in its first n images
    set.labels.push_back(static_cast<std::int64_t>(shape));
    synthetic_painter(options.seed, stream, i, std::span(set.pixels).subspan(i * set.image_size(), set.image_size()),
                      options.side)
        .paint(shape);
  }
  return set;
}

}  // namespace detail

/// Draws the set. Image i of a split depends on the seed and i alone, so a longer set begins with the shorter one.
/// Classes cycle: image i has class i mod classes. A linear model of the pixels learns next to nothing.
[[nodiscard]] inline data_set synthetic(synthetic_options const& options = {}) {
  if (options.classes < 2 || options.classes > 10)
    fail("the synthetic set has 2 to 10 classes, not ", options.classes, ": pass a number of classes in that range");
  if (options.side < 16 || options.side > 1024)
    fail("the synthetic set's images have a side of 16 to 1024 pixels, not ", options.side, ": pass a side in that range");
  if (options.train == 0) fail("the synthetic set needs training images: pass a train count above 0");
  data_set set{detail::draw_split(options, 0, options.train), detail::draw_split(options, 1, options.test), "synthetic"};
  channel_statistics statistics(3);
  for (std::size_t i = 0; i != set.train.size(); ++i) statistics.add(set.train.image(i));
  statistics.give_to(set);
  return set;
}

}  // namespace lnpt::io
