/// Packed networks: what is written is read again, without pruned weights on the way, and damage anywhere is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/packed.hpp>
#include <lnpt/lnpt.hpp>

#include "support.hpp"

using namespace lnpt;
using backend = cpu::backend<float>;

namespace {

network<backend> make(std::uint64_t seed) { return zoo::resnet<backend>({.depth = 8, .widths = {4, 8, 8}, .classes = 3}, seed); }

mask_set prune_at_random(network<backend>& net) {
  mask_set masks;
  for (auto const& p : net.parameters())
    if (is_prunable(p.role)) {
      mask kept(p.name, lnpt::shape_of(*p.value), false);
      for (std::size_t i = 0; i < kept.size(); ++i) kept.set(i, uniform(9, kept.size(), i) < 0.05);
      masks.add(std::move(kept));
    }
  apply(masks, net);
  return masks;
}

std::vector<std::byte> bytes_of(std::filesystem::path const& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<char> const all(std::istreambuf_iterator<char>(in), {});
  auto const bytes = std::as_bytes(std::span(all));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("gaps: weights 0, 3 and 600 kept are 0, 2 and 255 + 255 + 86 pruned ones between") {
  mask kept("w", {2, 400}, false);
  for (auto const i : {0, 3, 600}) kept.set(static_cast<std::size_t>(i), true);
  auto gaps = io::detail::gaps_of(kept);
  CHECK(gaps == std::vector<std::uint8_t>{0, 2, 255, 255, 86});
  CHECK(io::detail::mask_of("f", "w", {2, 400}, gaps) == kept);
  gaps.back() = 255;
  CHECK_THROWS_WITH_AS((void)io::detail::mask_of("f", "w", {2, 400}, gaps), doctest::Contains("lead past its 800 weights"),
                       error);
  CHECK_THROWS_WITH_AS((void)io::detail::mask_of("f", "w", {2, 300}, {255, 255, 200}), doctest::Contains("lead past"), error);
}

TEST_CASE("a packed network is read as it was written, held by its kept weights, in a file of its kept weights' size") {
  auto const path = std::filesystem::temp_directory_path() / "lnpt_test_packed.safetensors";
  auto written = make(1), read = make(2);
  auto const masks = prune_at_random(written);
  io::save_packed(path, written, masks);
  auto const loaded = io::load_packed(read, io::packed_file(io::safetensors::open(path)));
  std::size_t kept = 0, others = 0;
  for (auto const& m : masks) {
    CHECK(*loaded.find(m.name()) == m);
    kept += m.count();
  }
  for (auto const& p : read.stored_parameters())
    if (auto const* const m = masks.find(p.name))
      CHECK(p.value->size() == m->count());
    else
      others += p.value->size();
  for (auto const& b : read.buffers()) others += b.value->size();
  auto const whole = written.parameters(), found = read.parameters();
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(*whole[i].value == *found[i].value);
  // A header of about 120 bytes a tensor; 4 bytes a value, and 1 a gap, but for those over 254.
  auto const tensors = whole.size() + 2 * masks.size() + written.buffers().size();
  CHECK(std::filesystem::file_size(path) < 4 * others + 5 * kept + kept / 10 + 160 * tensors);
  std::filesystem::remove(path);
}

TEST_CASE("numbers beyond the range of what a file stores are refused by name, and not written as infinities") {
  CHECK(io::detail::in_range_of<float>("w", std::vector<double>{1, -2.5}) == std::vector<float>{1, -2.5F});
  CHECK_THROWS_WITH_AS((void)io::detail::in_range_of<float>("w", std::vector<double>{1, 1e300}),
                       doctest::Contains("w holds 1e+300, which is beyond the range"), error);
}

TEST_CASE("a packed file that is damaged anywhere, or another network's, is refused whole") {
  auto const path = std::filesystem::temp_directory_path() / "lnpt_test_packed_damage.safetensors";
  auto net = make(1);
  io::save_packed(path, net, prune_at_random(net));
  auto const whole = bytes_of(path);
  for (std::size_t i = 0; i < 200; ++i) {
    auto damaged = whole;
    auto& byte = damaged[static_cast<std::size_t>(uniform(4, i) * static_cast<double>(damaged.size()))];
    byte ^= std::byte{1};
    CHECK_THROWS_AS(io::packed_file(io::safetensors::view(damaged)), error);
  }
  auto other = zoo::resnet<backend>({.depth = 8, .widths = {4, 8, 16}, .classes = 3}, 1);
  auto const before = values_of(*other.parameters()[0].value);
  CHECK_THROWS_WITH_AS(io::load_packed(other, io::packed_file(io::safetensors::open(path))),
                       doctest::Contains("load a file of the same architecture"), error);
  CHECK(values_of(*other.parameters()[0].value) == before);
  std::filesystem::remove(path);
}
