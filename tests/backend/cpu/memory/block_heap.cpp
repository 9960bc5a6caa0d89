/// The heap of large arrays: neighbours join, best fit, and nothing handed out twice.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <vector>

#include <lnpt/backend/cpu/memory/recycling_allocator.hpp>
#include <lnpt/core/random.hpp>

using lnpt::cpu::detail::block_heap;

namespace {

constexpr std::size_t page = block_heap::page;

std::byte* bytes_of(void* block) { return static_cast<std::byte*>(block); }

/// A heap that gives its memory back when a test is over.
struct releasing_heap : block_heap {
  ~releasing_heap() { release(); }
};

}  // namespace

TEST_CASE("two freed neighbours of one page each make room for a block of two") {
  // Under the address sanitizer a block takes one page more: room that nobody may touch.
  auto const size = page - 64;
  releasing_heap heap;
  auto* const a = heap.take(size);
  auto* const b = heap.take(size);
  auto* const c = heap.take(size);
  CHECK(bytes_of(b) == bytes_of(a) + page);
  CHECK(bytes_of(c) == bytes_of(b) + page);
  SUBCASE("freed in order") { heap.give(a, size), heap.give(b, size); }
  SUBCASE("freed against it") { heap.give(b, size), heap.give(a, size); }
  auto* const both = heap.take(2 * page - 64);
  CHECK(both == a);
  heap.give(both, 2 * page - 64);
  heap.give(c, size);
}

TEST_CASE("of two holes the smaller that fits is filled, and the rest of it stays free") {
  auto const pages = [](std::size_t n) { return n * page - 64; };
  releasing_heap heap;
  void* const large = heap.take(pages(5));
  void* const wall = heap.take(pages(1));
  void* const small = heap.take(pages(3));
  void* const end = heap.take(pages(1));
  heap.give(large, pages(5));
  heap.give(small, pages(3));
  CHECK(heap.take(pages(2)) == small);
  CHECK(bytes_of(heap.take(pages(1))) == bytes_of(small) + 2 * page);
  CHECK(heap.take(pages(4)) == large);
  CHECK(bytes_of(heap.take(pages(1))) == bytes_of(large) + 4 * page);
  for (auto* const block : {large, small}) CHECK(reinterpret_cast<std::uintptr_t>(block) % page == 0);
  heap.give(bytes_of(large) + 4 * page, pages(1)), heap.give(large, pages(4));
  heap.give(bytes_of(small) + 2 * page, pages(1)), heap.give(small, pages(2));
  heap.give(wall, pages(1)), heap.give(end, pages(1));
}

TEST_CASE("blocks of all sizes, taken and given back in any order, keep what is written to them") {
  struct held {
    unsigned char* block;
    std::size_t bytes;
    unsigned char mark;
  };
  releasing_heap heap;
  std::vector<held> all;
  auto const give_back = [&](std::size_t i) {
    auto const each = all[i];
    CHECK(std::all_of(each.block, each.block + each.bytes, [&](unsigned char c) { return c == each.mark; }));
    heap.give(each.block, each.bytes);
    all[i] = all.back();
    all.pop_back();
  };
  for (std::uint64_t step = 0; step < 3000; ++step) {
    auto const draw = lnpt::random_bits(1, step);
    if (all.size() > 40 || (!all.empty() && draw % 5 < 2)) {
      give_back((draw >> 8) % all.size());
    } else {
      auto const bytes = 1 + static_cast<std::size_t>(draw >> 8) % (1 << (draw % 3 ? 15 : 19));
      auto const mark = static_cast<unsigned char>(step);
      auto* const block = static_cast<unsigned char*>(heap.take(bytes));
      std::memset(block, mark, bytes);
      all.push_back({block, bytes, mark});
    }
  }
  while (!all.empty()) give_back(0);
  // All is one free run again: what fits a region fits in one piece, where the first block was.
  auto* const first = heap.take(1);
  heap.give(first, 1);
  auto const most = (std::size_t{256} << 20) - 64;
  auto* const whole = heap.take(most);
  CHECK(whole == first);
  heap.give(whole, most);
}

TEST_CASE("large arrays share a heap: one that is freed serves two of half its size") {
  lnpt::cpu::recycling_allocator<float> allocator;
  constexpr std::size_t n = 1 << 19;
  auto* const one = allocator.allocate(n);
  allocator.deallocate(one, n);
  auto* const half = allocator.allocate(n / 2 - page);
  auto* const other = allocator.allocate(n / 2 - page);
  CHECK(half == one);
  CHECK((other >= one && other + n / 2 - page <= one + n));
  allocator.deallocate(half, n / 2 - page);
  allocator.deallocate(other, n / 2 - page);
}
