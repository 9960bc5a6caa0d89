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
#include <lnpt/regulariser/preserve_trainability.hpp>
#include <lnpt/regulariser/slimming.hpp>
#include <lnpt/regulariser/soft_masks.hpp>
#include <lnpt/regulariser/structure_selection.hpp>

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

  /// Step `step` of epochs of a million, as hooks see it, with these gradients.
  training_step<array> at(std::size_t step, double rate = 0, std::vector<values> const& slopes = {}) const {
    gradients<array> g;
    for (std::size_t i = 0; i < parameters.size(); ++i)
      g.emplace_back(slopes.empty() ? cpu::filled<double>(shape_of(*parameters[i].value), 0)
                                    : tensor_traits<array>::make(shape_of(*parameters[i].value), slopes[i]));
    return {0, step, 1000000, rate, parameters, std::move(g), nullptr};
  }
  values of(std::size_t i) const { return values_of(*parameters[i].value); }

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
  CHECK(deep_hoyer{}.measure(s.parameters[0]) == doctest::Approx(49.0 / 25));
  CHECK(deep_hoyer{1, weight_group::output}.measure(s.parameters[0]) == doctest::Approx(1));
  s.add("nothing.weight", role::weight, {2, 2}, {0, 0, 0, 0});
  CHECK(deep_hoyer{}.measure(s.parameters[1]) == 0);
}

TEST_CASE("groups are of outputs and inputs wherever a weight counts them: of (3, 4) over (0, 0) with outputs in columns") {
  subject s;
  s.add("own", role::weight, {2, 2}, {3, 4, 0, 0});  // [inputs, outputs], as x w multiplies
  s.add("transposed.weight", role::weight, {2, 1, 1, 1}, {3, 4});
  s.parameters[0].output_axis = s.parameters[1].output_axis = 1;
  s.parameters[1].output_groups = 2;  // each input has an output of its own
  auto const by_output = s.gradient(group_lasso{1});
  CHECK(by_output[0][0] == doctest::Approx(std::sqrt(2.0)));
  CHECK(by_output[0][1] == doctest::Approx(std::sqrt(2.0)));
  CHECK(by_output[1] == values{1, 1});
  CHECK(s.gradient(group_lasso{1, weight_group::input})[0][1] == doctest::Approx(0.8 * std::sqrt(2.0)));
  CHECK(deep_hoyer{1, weight_group::output}.measure(s.parameters[0]) == doctest::Approx(49.0 / 25));
  CHECK_THROWS_WITH_AS((void)lowest_filters(s.parameters, {{"transposed", ""}}, 0.5), doctest::Contains("lie along axis 1"),
                       error);
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

TEST_CASE("by hand: TPP's λ is 0.1 from step 2 and at its ceiling of 0.3 from step 6; layer l is zero 4 (l + 1) steps later") {
  subject s;
  s.add("first.weight", role::weight, {1, 1}, {1});
  s.add("conv.weight", role::weight, {2, 1, 1, 1}, {2, 1});
  s.add("conv.bias", role::bias, {2}, {5, 6});
  s.add("bn.weight", role::norm_scale, {2}, {1, 2});
  preserve_trainability hook({lowest_filters(s.parameters, {{"conv", "bn"}}, 0.5)}, {0.1, 2, 0.3}, 4);
  CHECK(hook.strength(1) == 0);
  CHECK(hook.strength(2) == 0.1);
  CHECK(hook.strength(6) == 0.3);
  CHECK(hook.steps(s.parameters) == 14);
  CHECK(hook.regulariser().norm_of_removed(s.parameters) == doctest::Approx(std::sqrt(1.0 + 36 + 4)));
  auto step = s.at(12);
  hook.after_step(step);
  CHECK(s.of(1) == values{2, 1});
  step = s.at(13);  // the fourteenth step
  hook.after_step(step);
  CHECK(s.of(0) == values{1});
  CHECK(s.of(1) == values{2, 0});
  CHECK(s.of(2) == values{5, 0});
  CHECK(s.of(3) == values{1, 0});
  CHECK(hook.regulariser().norm_of_removed(s.parameters) == 0);

  hook_state carried;
  hook.save(carried);
  s.parameters[1].value->data()[1] = 9;  // now the other filter would be chosen
  preserve_trainability later({lowest_filters(s.parameters, {{"conv", "bn"}}, 0.5)});
  CHECK(later.regulariser().layers[0].removed == std::vector<char>{1, 0});
  later.restore(carried);
  CHECK(later.regulariser().layers[0].removed == std::vector<char>{0, 1});
}

TEST_CASE("a strength that never reaches its ceiling is refused") {
  CHECK(growing_strength{}.steps() == 100000);
  CHECK(growing_strength{0.1, 2, 0.3}.steps() == 6);
  for (auto const& endless : {growing_strength{0, 10, 1}, growing_strength{1e-4, 0, 1}, growing_strength{-1, 10, 1}})
    CHECK_THROWS_WITH_AS((void)endless.steps(), doctest::Contains("never reaches 1: pass a rise above 0"), error);
}

TEST_CASE("by hand: from γ = 1 with g = 0.5, lr = 0.1, λ = 1, μ = 0.5 structure selection goes to z = 0.85 and γ = 0.775") {
  subject s;
  s.add("bn.weight", role::norm_scale, {3}, {1, 0.05, -0.2});
  structure_selection hook(1, 0.5);
  auto step = s.at(0, 0.1, {{0.5, 0, 0}});
  hook.before_step(step);
  s.parameters[0].value->data()[0] = 77;  // whatever the optimiser does
  hook.after_step(step);
  CHECK(s.of(0)[0] == doctest::Approx(0.775));  // v = −0.15
  CHECK(s.of(0)[1] == 0);                       // 0.05 is within lr λ
  CHECK(s.of(0)[2] == 0);                       // not below zero
  hook_state carried;
  hook.save(carried);
  CHECK(carried.at("structure_selection.bn.weight")[0] == doctest::Approx(-0.15));
}

TEST_CASE("by hand: with γ = 2, β = 1 and gradients 1 and 3 a soft mask has the slope 5: at lr = 0.1 and λ = 1 it goes to 0.4") {
  subject s;
  s.add("bn.weight", role::norm_scale, {2}, {2, 1});
  s.add("bn.bias", role::norm_shift, {2}, {1, 0});
  soft_masks hook(1);
  auto step = s.at(0, 0.1, {{1, 20}, {3, 0}});
  hook.before_step(step);
  hook.after_step(step);  // the optimiser stood still
  CHECK(hook.find("bn.weight")->at(0) == doctest::Approx(0.4));
  CHECK(s.of(0)[0] == doctest::Approx(0.8));
  CHECK(s.of(1)[0] == doctest::Approx(0.4));
  CHECK(s.of(0)[1] == 0);
  CHECK(hook.closed() == 1);
  step = s.at(1, 0.1, {{1, 1}, {3, 1}});
  hook.before_step(step);
  CHECK(s.of(0) == values{2, 1});  // the optimiser sees γ and β, with the gradients of m γ and m β times m
  CHECK(values_of(*step.gradients[0])[0] == doctest::Approx(0.4));
  CHECK(values_of(*step.gradients[1])[0] == doctest::Approx(1.2));
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
        CHECK(deep_hoyer{}.measure(p) == doctest::Approx(file.read<double>(key)[0]).epsilon(1e-9));
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

TEST_CASE("a regulariser that finds nothing to act on is refused, alone, in a sum and as a hook") {
  subject plain;
  plain.add("fc.weight", role::weight, {1, 2}, {3, 4});
  auto const refuses = [&](auto const& regulariser, char const* why) {
    CHECK_THROWS_WITH_AS(regulariser.require_use(plain.parameters), doctest::Contains(why), request_error);
  };
  auto const* const no_scales = "on the scales of batch norm, and the model has none: choose what acts on weights, group_lasso";
  refuses(slimming{}, no_scales);
  refuses(polarization{}, no_scales);
  refuses(structure_selection{}, no_scales);
  refuses(soft_masks{}, no_scales);
  refuses(group_lasso{} + slimming{}, no_scales);
  refuses(regularise{slimming{}}, no_scales);
  refuses(preserve_trainability({{}, gram_form::frobenius_sum}), "there are no filters that are to go");
  CHECK_NOTHROW((group_lasso{} + deep_hoyer{}).require_use(plain.parameters));

  subject without_weights;
  without_weights.add("bn.weight", role::norm_scale, {2}, {1, 1});
  CHECK_NOTHROW(slimming{}.require_use(without_weights.parameters));
  CHECK_THROWS_WITH_AS(group_lasso{}.require_use(without_weights.parameters), doctest::Contains("has none that can be pruned"),
                       request_error);
}
