/// The chunks of parallel loops.
#include "support.hpp"

#include <atomic>

#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/cpu/transpose.hpp>

using namespace lnpt;
using namespace lnpt::test;

TEST_CASE("chunks cover every element once, the last one shorter") {
  for (std::size_t const n : {0, 1, 9, 10, 11, 1000}) {
    std::vector<std::atomic<int>> seen(n);
    std::atomic<int> chunks = 0;
    cpu::for_chunks(n, 10, [&](std::size_t begin, std::size_t end) {
      ++chunks;
      for (auto i = begin; i != end; ++i) ++seen[i];
    });
    CHECK(chunks == int((n + 9) / 10));
    CHECK(std::all_of(seen.begin(), seen.end(), [](auto const& count) { return count == 1; }));
  }
}

TEST_CASE("a sum over chunks has the same bits for any number of threads") {
  auto const x = random_array<float>({100'003}, 1);
  require_same_bits_for_any_thread_count([&] {
    auto const total = cpu::sum_chunks(x.size(), 1000, 0.0F, [&](std::size_t begin, std::size_t end) {
      float part = 0;
      for (auto i = begin; i != end; ++i) part += x.data()[i];
      return part;
    });
    return array_of<float>({1}, {total});
  });
}

TEST_CASE_TEMPLATE("columns become vectors, in whole blocks and at the edges", T, float, double) {
  constexpr std::size_t width = 8, stride = 50;
  auto const x = random_array<T>({width, stride}, 1);
  for (std::size_t const rows : {1, 7, 8})
    for (std::size_t const count : {1, 7, 8, 9, 16, 50}) {
      std::size_t calls = 0;
      cpu::detail::for_each_column<width>(x.data(), stride, rows, count, [&](std::size_t i, cpu::vec<T, width> const& column) {
        ++calls;
        for (std::size_t r = 0; r < width; ++r) REQUIRE(column[r] == (r < rows ? x(r, i) : T{0}));
      });
      CHECK(calls == count);
    }
}
