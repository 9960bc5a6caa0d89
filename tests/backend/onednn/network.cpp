/// Networks over oneDNN's convolutions: the conformance suite, and float64 reference scores to 2e-4 of each parameter's largest.
#include <algorithm>
#include <cmath>

#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/onednn.hpp>
#include <lnpt/score.hpp>

#include "../../conformance/support.hpp"
#include "../../oracle/oracle.hpp"
#include "../../skip.hpp"

using namespace lnpt;

namespace {

using backend = onednn::backend<float>;
using array = backend::array;

network<backend> network_named(std::string const& name) {
  std::vector<std::size_t> const sizes{12, 16, 10, 5};
  if (name == "mlp") return zoo::mlp<backend>(sizes);
  if (name.starts_with("vgg11")) return zoo::vgg<backend>({.depth = 11, .width = 2, .batch_norm = name != "vgg11_w2_nobn"});
  if (name.starts_with("resnet8")) return zoo::resnet<backend>({.depth = 8, .widths = {4, 6, 8}});
  return zoo::resnet<backend>({.depth = 20, .widths = {8, 16, 32}});
}

void compare(oracle::reference<float> const& r, std::string const& criterion, score_set<array> const& ours) {
  CAPTURE(criterion);
  REQUIRE_FALSE(ours.parameters.empty());
  for (auto const& p : ours.parameters) {
    CAPTURE(p.name);
    auto const expected = r.scores(criterion, p.name);
    REQUIRE(expected.size() == p.values.size());
    double largest = 0, worst = 0;
    for (auto const e : expected) largest = std::max(largest, std::abs(e));
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(p.values.data()[i]) - expected[i]));
    CHECK(worst <= 2e-4 * largest);
  }
}

template <class Model>
void examine(Model model, shape const& extents) {
  check_conforms(conformance::examine(model, random_batch<array>(extents, 3, 1)));
}

}  // namespace

TEST_CASE("networks over oneDNN's convolutions conform") {
  examine(zoo::vgg<backend>({.depth = 11, .width = 2, .classes = 3}), {4, 3, 16, 16});
  examine(zoo::resnet<backend>({.depth = 8, .widths = {2, 4, 6}, .classes = 3}, 2), {4, 3, 8, 8});
}

// Central differences say nothing there: a few channels under 27 batch norms bend too much for float.
TEST_CASE("a network of depthwise convolutions has the CPU engine's scores") {
  zoo::mobilenet_options const form{.width = 4, .classes = 3};
  auto const batch = random_batch<array>({16, 3, 32, 32}, 3, 1);
  auto ours = zoo::mobilenet<backend>(form, 3);
  auto theirs = zoo::mobilenet<cpu::backend<float>>(form, 3);
  score_options const options{.batch_norm = norm_mode::frozen};
  auto const found = score<snip>(ours, batch, no_guide{}, cross_entropy{}, options);
  auto const expected = score<snip>(theirs, batch, no_guide{}, cross_entropy{}, options);
  REQUIRE(found.parameters.size() == expected.parameters.size());
  for (std::size_t p = 0; p < found.parameters.size(); ++p) {
    CAPTURE(found.parameters[p].name);
    auto const a = values_of(found.parameters[p].values), b = values_of(expected.parameters[p].values);
    double largest = 0, worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(b[i])));
      worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
    }
    CHECK(largest > 0);
    CHECK(worst <= 1e-3 * largest);
  }
}

TEST_CASE("scores over oneDNN's convolutions equal the oracle's") {
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  for (auto const& name : oracle::names) {
    CAPTURE(name);
    oracle::reference<float> const r(name);
    auto student = network_named(name), teaching = network_named(name);
    io::load_state_dict(student, r.file, "student.");
    io::load_state_dict(teaching, r.file, "teacher.");
    teacher const guide(teaching);
    score_options options{.batch_norm = r.mode};
    compare(r, "snip", score<snip>(student, labelled_batch{r.input, r.labels}, no_guide{}, cross_entropy{}, options));
    if (r.mode == norm_mode::train) options.batch_norm = norm_mode::frozen;
    unlabelled_batch const batch{r.input};
    compare(r, "lnpt.hessian_gradient",
            score<feature_map_synaptic<hessian_gradient>>(student, batch, guide, feature_gap{}, options));
    compare(r, "lnpt.gauss_newton",
            score<feature_map_synaptic<gauss_newton_exact>>(student, batch, guide, feature_gap{}, options));
  }
}
