/// Regularisers: sums a reader can redo, then the oracle's values and gradients.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/regulariser/deep_hoyer.hpp>
#include <lnpt/regulariser/group_lasso.hpp>
#include <lnpt/regulariser/polarization.hpp>
#include <lnpt/regulariser/slimming.hpp>
#include <lnpt/regulariser/trainability_preserving.hpp>

#include "../skip.hpp"

using namespace lnpt;

namespace {

using array = cpu::array<double>;
using values = std::vector<double>;

/// Parameters without a network, with gradients that begin at zero.
class subject {
 public:
  void add(std::string name, lnpt::role role, shape const& extents, values const& v) {
    held_.push_back(tensor_traits<array>::make(extents, v));
    parameters.push_back({std::move(name), &held_.back(), role, 0});
  }
  /// What a regulariser adds.
  std::vector<values> gradient(auto const& regulariser, double factor = 1) const {
    gradients<array> g;
    for (auto const& p : parameters) g.emplace_back(cpu::filled<double>(shape_of(*p.value), 0));
    regulariser.add_gradient(parameters, g, factor);
    std::vector<values> found;
    for (auto const& each : g) found.push_back(values_of(*each));
    return found;
  }

  std::vector<parameter<array>> parameters;

 private:
  std::deque<array> held_;
};

std::filesystem::path oracle_file(std::string const& name) {
  auto const* const shared = std::getenv("LNPT_SHARED_DIR");
  return std::filesystem::path(shared ? shared : "") / "oracle" / (name + ".safetensors");
}

/// The student of an oracle's case.
subject student_of(std::string const& name) {
  auto const file = io::safetensors::open(oracle_file(name));
  subject s;
  for (auto const& entry : file.entries()) {
    std::string const prefix = "student.";
    auto const of_model = entry.name.starts_with(prefix) && entry.name.find("running_") == entry.name.npos;
    if (!of_model || entry.name.ends_with(".num_batches_tracked")) continue;
    auto const role = !entry.name.ends_with(".weight") ? role::bias : entry.shape.size() > 1 ? role::weight : role::norm_scale;
    s.add(entry.name.substr(prefix.size()), role, entry.shape, file.read<double>(entry.name));
  }
  return s;
}

/// Compares with the tensors `prefix` + name of a file; counts how many there were.
std::size_t compare(subject const& s, std::vector<values> const& found, io::safetensors::file const& file,
                    std::string const& prefix) {
  std::size_t compared = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto const name = prefix + s.parameters[i].name;
    if (!file.contains(name)) continue;
    CAPTURE(name);
    ++compared;
    auto const expected = file.read<double>(name);
    REQUIRE(expected.size() == found[i].size());
    double worst = 0, largest = 0;
    for (std::size_t k = 0; k < expected.size(); ++k) {
      worst = std::max(worst, std::abs(found[i][k] - expected[k]));
      largest = std::max(largest, std::abs(expected[k]));
    }
    CHECK(worst <= 1e-9 * largest);
  }
  return compared;
}

}  // namespace

TEST_CASE("by hand: of γ = (0.5, −2, 0) slimming adds λ (1, −1, 0)") {
  subject s;
  s.add("bn.weight", role::norm_scale, {3}, {0.5, -2, 0});
  s.add("bn.bias", role::norm_shift, {3}, {1, 1, 1});
  auto const g = s.gradient(slimming{0.25}, 2);
  CHECK(g[0] == values{0.5, -0.5, 0});
  CHECK(g[1] == values{0, 0, 0});
}

TEST_CASE("by hand: γ = (0, 3) has the mean 1.5, as much L1 as distance from it, and is clamped to (0, 1)") {
  subject s;
  s.add("bn.weight", role::norm_scale, {2}, {0, 3});
  CHECK(polarization{1}.value(s.parameters) == 0);
  CHECK(s.gradient(polarization{1})[0] == values{1, 0});
  CHECK(s.gradient(slimming{1} + polarization{1} + slimming{2})[0] == values{1, 3});  // sums add up
  polarization{1}.project(s.parameters);
  CHECK(values_of(*s.parameters[0].value) == values{0, 1});
}

TEST_CASE("by hand: (3, 4) over (0, 0) has norms 5 and 0; its group lasso pulls by (0.6, 0.8) √2") {
  subject s;
  s.add("fc.weight", role::weight, {2, 2}, {3, 4, 0, 0});
  auto const g = s.gradient(group_lasso{1})[0];
  CHECK(g[0] == doctest::Approx(0.6 * std::sqrt(2.0)));
  CHECK(g[1] == doctest::Approx(0.8 * std::sqrt(2.0)));
  CHECK((g[2] == 0 && g[3] == 0));
  CHECK(s.gradient(group_lasso{1, weight_group::input})[0][1] == doctest::Approx(std::sqrt(2.0)));
  CHECK(deep_hoyer{}.measure(*s.parameters[0].value) == doctest::Approx(49.0 / 25));
  CHECK(deep_hoyer{1, weight_group::output}.measure(*s.parameters[0].value) == doctest::Approx(1));
  CHECK(deep_hoyer{}.measure(cpu::filled<double>({2, 2}, 0)) == 0);
}

TEST_CASE("by hand: of the filters (1, 2) and (1, 0) the second goes, G = [[5, 1], [1, 1]] and the gram loss is 3/4") {
  subject s;
  s.add("conv.weight", role::weight, {2, 2, 1, 1}, {1, 2, 1, 0});
  s.add("bn.weight", role::norm_scale, {2}, {1, 0.8});
  s.add("bn.bias", role::norm_shift, {2}, {1, -0.2});
  trainability_preserving const tpp{lowest_filters(s.parameters, {{"conv", "bn"}}, 0.5)};
  CHECK(tpp.layers[0].removed == std::vector<char>{0, 1});
  CHECK(tpp.gram(s.parameters) == 0.75);
  auto const g = s.gradient(tpp, 0.5);
  CHECK(g[0] == values{500, 0, 1000.5, 1000});  // 1000 λ ((1, 0), (2, 2)), and λ (1, 0) at the second
  CHECK(g[1] == values{0, 0.4});
  CHECK(g[2] == values{0, -0.1});
  trainability_preserving const paper{tpp.layers, gram_form::frobenius_sum};
  CHECK(paper.gram(s.parameters) == 3);
  CHECK(s.gradient(paper, 0.5)[0] == values{1, 0, 2, 2});
  CHECK(growing_strength{}(9) == 0);
  CHECK(growing_strength{}(10) == 1e-4);
  CHECK(growing_strength{}(200000) == 1);
  CHECK_THROWS_WITH_AS((void)lowest_filters(s.parameters, {{"fc", ""}}, 0.5), doctest::Contains("no parameter fc.weight"), error);
}

TEST_CASE("values and gradients equal the oracle's to 1e-9") {
  if (!std::filesystem::exists(oracle_file("methods_mlp"))) return skip("the oracle's reference files are not here");
  for (std::string const name : {"mlp", "resnet8_w4_bn_train"}) {
    CAPTURE(name);
    auto const s = student_of(name);
    auto const file = io::safetensors::open(oracle_file("methods_" + name));
    CHECK(compare(s, s.gradient(deep_hoyer{1}), file, "deephoyer.gradient.") >= 3);
    for (auto const& p : s.parameters)
      if (auto const key = "deephoyer.value." + p.name; file.contains(key))
        CHECK(deep_hoyer{}.measure(*p.value) == doctest::Approx(file.read<double>(key)[0]).epsilon(1e-9));
    if (!file.contains("polarization.value")) continue;
    CHECK(polarization{1}.value(s.parameters) == doctest::Approx(file.read<double>("polarization.value")[0]).epsilon(1e-9));
    CHECK(compare(s, s.gradient(polarization{1}), file, "polarization.gradient.") == 9);

    auto const layers =
        lowest_filters(s.parameters, {{"layer1.0.conv1", ""}, {"layer2.0.conv1", ""}, {"layer3.0.conv1", ""}}, 0.5);
    for (auto const& each : layers) {
      auto const expected = file.read<std::uint8_t>("tpp.removed." + each.layer + ".weight");
      CHECK(std::equal(expected.begin(), expected.end(), each.removed.begin(), each.removed.end()));
    }
    trainability_preserving const code{layers}, paper{layers, gram_form::frobenius_sum};
    CHECK(code.gram(s.parameters) == doctest::Approx(file.read<double>("tpp.gram_mean")[0]).epsilon(1e-9));
    CHECK(paper.gram(s.parameters) == doctest::Approx(file.read<double>("tpp.gram_sum")[0]).epsilon(1e-9));
    CHECK(compare(s, s.gradient(paper, 2), file, "tpp.gram_sum_gradient.") == 3);
  }
}
