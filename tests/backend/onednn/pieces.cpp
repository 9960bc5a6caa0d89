/// How convolutions are cut, and the cache that keeps their kernels.
#include <doctest/doctest.h>

#include <lnpt/backend/onednn/pieces.hpp>
#include <lnpt/backend/onednn/recent.hpp>

using namespace lnpt;
using namespace lnpt::onednn::detail;

namespace {

/// Requires the ranges to cover [0, size) without gaps, in lengths of which none is empty.
void require_cover(ranges const& r) {
  CHECK(r.begin(0) == 0);
  CHECK(r.begin(r.count) == r.size);
  for (std::size_t i = 0; i < r.count; ++i) CHECK(r.length(i) > 0);
}

}  // namespace

TEST_CASE("ten channels in blocks of four make ranges of four, four and two") {
  ranges const r{10, 3, 4};
  CHECK(r.length(0) == 4);
  CHECK(r.length(1) == 4);
  CHECK(r.length(2) == 2);
}

TEST_CASE("pieces cover every sample and channel once, whatever the extents") {
  for (std::size_t const samples : {1, 2, 7, 16, 97, 100})
    for (std::size_t const channels : {1, 15, 16, 17, 100, 512})
      for (std::size_t const pixels : {1, 4, 32}) {
        CAPTURE(samples);
        CAPTURE(channels);
        CAPTURE(pixels);
        cpu::conv_extents const e({8, samples, pixels, pixels}, {channels, 8, 1, 1}, {});
        auto const p = cut(e, channels, std::size_t{1} << 16);
        require_cover(p.samples);
        require_cover(p.channels);
        CHECK(p.count() == p.samples.count * p.channels.count);
      }
}

TEST_CASE("a batch that divides is cut evenly, and a single sample along its channels") {
  cpu::conv_extents const many({32, 100, 32, 32}, {32, 32, 3, 3}, {3, 1, 1, 1, 1}),
      one({512, 1, 4, 4}, {512, 512, 3, 3}, {3, 1, 1, 1, 1});
  auto const even = cut(many, 32, std::size_t{1} << 20).samples;
  CHECK(100 % even.count == 0);
  CHECK(cut(one, 512, std::size_t{1} << 20).channels.count == 8);
}

TEST_CASE("the cache keeps what was used last, and makes a value only once while it is kept") {
  struct counted {
    int value;
    explicit counted(int v) : value(v) {}
  };
  recently_used<int, counted> cache(2);
  auto const one = cache[1];
  auto const two = cache[2];
  CHECK(cache[1] == one);
  CHECK(cache[3]->value == 3);  // 2 goes: 1 was used after it
  CHECK(cache.size() == 2);
  CHECK(cache[1] == one);
  CHECK(cache[2] != two);
  CHECK(two->value == 2);  // who holds a value keeps it
}
