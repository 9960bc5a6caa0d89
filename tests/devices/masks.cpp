// The masks of other processors: what this program selects is what a x86-64 machine selected when tests/devices/*.txt were written.
// The presets arm64 and armhf run it under an emulator. LNPT_WRITE_MASKS=1 writes the files anew.
#include <doctest/doctest.h>

#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/random.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/criterion/taylor.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/zoo/resnet.hpp>

#include "../repository.hpp"

namespace {

using engine = lnpt::cpu::backend<float>;
using masks_by_criterion = std::map<std::string, std::string>;

/// The bits of all masks in hexadecimal digits, four weights each, the first weight lowest.
std::string digits_of(lnpt::mask_set const& masks) {
  std::string digits;
  for (auto const& m : masks)
    for (std::size_t i = 0; i < m.size(); i += 4) {
      unsigned digit = 0;
      for (std::size_t k = 0; k < 4 && i + k < m.size(); ++k) digit |= static_cast<unsigned>(m[i + k]) << k;
      digits += "0123456789abcdef"[digit];
    }
  return digits;
}

masks_by_criterion read(std::filesystem::path const& file) {
  std::ifstream in(file);
  masks_by_criterion result;
  for (std::string criterion, digits; in >> criterion >> digits;) result[criterion] = digits;
  return result;
}

void write(std::filesystem::path const& file, masks_by_criterion const& masks) {
  std::ofstream out(file);
  for (auto const& [criterion, digits] : masks) out << criterion << ' ' << digits << '\n';
}

/// The fraction of the weights kept in `before` that `now` keeps too.
double overlap(std::string const& before, std::string const& now) {
  auto const value = [](char digit) { return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10); };
  std::size_t both = 0, all = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    all += static_cast<std::size_t>(std::popcount(value(before[i])));
    both += static_cast<std::size_t>(std::popcount(value(before[i]) & value(now[i])));
  }
  return static_cast<double>(both) / static_cast<double>(all);
}

/// A student, a trained network, and images with labels: the same numbers on every machine.
struct problem {
  lnpt::network<engine> student, trained;
  lnpt::labelled_batch<lnpt::cpu::array<float>> batch;

  explicit problem(lnpt::zoo::resnet_options const& shape, std::size_t samples, std::size_t side)
      : student(lnpt::zoo::resnet<engine>(shape, 1)), trained(lnpt::zoo::resnet<engine>(shape, 2)) {
    batch.input = lnpt::cpu::uninitialized<float>({samples, 3, side, side});
    for (std::size_t i = 0; i < batch.input.size(); ++i) batch.input.data()[i] = static_cast<float>(lnpt::normal(3, 0, i).first);
    for (std::size_t b = 0; b < samples; ++b) batch.labels.push_back(static_cast<std::int64_t>(b % 10));
  }

  template <class C>
  [[nodiscard]] std::string digits() {
    lnpt::prune_options<lnpt::global_unstructured> const options{.budget = lnpt::sparsity{0.9}};
    lnpt::teacher const guide{trained};
    return digits_of(lnpt::prune<C>(student, batch, guide, options).masks);
  }
};

/// The masks of this machine against the file's; the number that must agree is 1 where bits have to be the same.
void hold(std::string const& name, masks_by_criterion const& now, double least_overlap) {
  auto const file = test::repository() / "tests/devices" / name;
  if (std::getenv("LNPT_WRITE_MASKS") != nullptr) return write(file, now);
  auto const before = read(file);
  REQUIRE(before.size() == now.size());
  for (auto const& [criterion, digits] : now) {
    CAPTURE(criterion);
    REQUIRE(before.at(criterion).size() == digits.size());
    if (least_overlap == 1)
      CHECK(before.at(criterion) == digits);
    else
      CHECK(overlap(before.at(criterion), digits) >= least_overlap);
  }
}

}  // namespace

TEST_CASE("a small network's masks have the same bits on every processor") {
  problem p({.depth = 8, .widths = {4, 8, 16}}, 10, 12);
  hold("resnet8.txt",
       {{"feature_map_synaptic", p.digits<lnpt::feature_map_synaptic<>>()},
        {"grasp", p.digits<lnpt::grasp>()},
        {"magnitude", p.digits<lnpt::magnitude>()},
        {"random", p.digits<lnpt::random>()},
        {"snip", p.digits<lnpt::snip>()},
        {"synflow", p.digits<lnpt::synflow>()},
        {"taylor", p.digits<lnpt::taylor>()}},
       1);
}

TEST_CASE("a larger network's masks agree but for weights within rounding of the threshold") {
  problem p({.depth = 20, .widths = {8, 16, 32}}, 20, 16);
  hold("resnet20.txt",
       {{"feature_map_synaptic", p.digits<lnpt::feature_map_synaptic<>>()},
        {"grasp", p.digits<lnpt::grasp>()},
        {"snip", p.digits<lnpt::snip>()}},
       0.999);
}
