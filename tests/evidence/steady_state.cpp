/// Scoring again on the same shapes takes no memory for arrays from the system.
#include <atomic>
#include <cstdlib>
#include <doctest/doctest.h>
#include <new>
#include <tbb/global_control.h>
#include <vector>

#include <lnpt/lnpt.hpp>

namespace {

std::atomic<std::size_t> blocks = 0;  ///< taken for arrays: their cache asks for aligned ones

}  // namespace

// Out of line: a compiler that sees `free` behind the `new` of a library it inlined takes them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  ++blocks;
  auto const unit = static_cast<std::size_t>(alignment);
  if (auto* const block = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

using namespace lnpt;
using backend = cpu::backend<float>;

namespace {

/// The blocks that a third scoring takes. One thread, since how many work at once decides how many buffers there are.
template <class Criterion>
std::size_t taken_by_third() {
  tbb::global_control const one(tbb::global_control::max_allowed_parallelism, 1);
  auto student = zoo::resnet<backend>({.depth = 8, .widths = {4, 6, 8}}, 1);
  constexpr std::size_t samples = 9;
  auto const input = cpu::filled<float>({samples, 3, 32, 32}, 0.5F);
  labelled_batch<cpu::array<float>> const batch{input, std::vector<std::int64_t>(samples, 1)};
  known_predictions const guide(
      prediction<cpu::array<float>>{cpu::filled<float>({samples, 10}, 1), cpu::filled<float>({samples, 8}, 1)});
  std::size_t before = 0;
  for (int pass = 0; pass < 3; ++pass) {
    before = blocks;
    (void)score<Criterion>(student, batch, guide, score_options{});
  }
  return blocks - before;
}

}  // namespace

TEST_CASE("an array that finds no freed block takes one from the system, and the next finds that") {
  cpu::release_cached_memory();
  std::size_t const before = blocks;
  for (int round = 0; round < 2; ++round) {
    (void)cpu::filled<float>({1000}, 0);
    CHECK(blocks == before + 1);
  }
}

TEST_CASE_TEMPLATE("scoring again allocates no array", Criterion, snip, grasp, feature_map_synaptic<>,
                   feature_map_synaptic<hessian_gradient>) {
  CHECK(taken_by_third<Criterion>() == 0);
}

TEST_CASE("nor does a round of synflow after the first two") {
  tbb::global_control const one(tbb::global_control::max_allowed_parallelism, 1);
  auto student = zoo::resnet<backend>({.depth = 8, .widths = {4, 6, 8}}, 1);
  std::vector<std::size_t> at_round;
  prune_options<global_unstructured> options{.budget = sparsity{0.9}, .rounds = 5};
  options.progress = [&](int, int) { at_round.push_back(blocks); };
  (void)prune<synflow>(student, shape{3, 32, 32}, options);
  REQUIRE(at_round.size() == 5);
  CHECK(at_round[4] == at_round[2]);
}
