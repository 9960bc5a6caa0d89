/// Every criterion on the device against the reference's float64 scores: to 1e-9 of each parameter's largest in double, 2e-4 in float, and
/// what tf32 and bf16 leave of them.
#include <cmath>
#include <string>
#include <utility>

#include <lnpt/cudnn.hpp>
#include <lnpt/nn/on_backend.hpp>

#include "../../oracle/comparison.hpp"
#include "device.hpp"

using namespace lnpt;

namespace {

template <class T>
void compare(oracle::reference<T>& r) {
  using there = cudnn::backend<T>;
  auto student = on_backend<there>(r.student);
  auto teacher = on_backend<there>(r.teacher);
  oracle::compare_all<T, network<there>>(
      {.file = r, .student = student, .teacher = teacher, .input = convert<cudnn::array<T>>(r.input, {})});
}

/// Scores whose difference from the reference's is at most this part of the reference's norm, all parameters in one, and no rounding of float.
void compare_norms(oracle::reference<float>& r, double tolerance) {
  using there = cudnn::backend<float>;
  auto student = on_backend<there>(r.student);
  auto teaching = on_backend<there>(r.teacher);
  auto const input = convert<cudnn::array<float>>(r.input, {});
  labelled_batch const labelled{input, r.labels};
  auto const check = [&](std::string const& criterion, auto const& scores, double unit) {
    CAPTURE(criterion);
    double difference = 0;
    double size = 0;
    for (auto const& p : scores.parameters) {
      auto const expected = r.scores(criterion, p.name);
      auto const found = values_of(p.values);
      REQUIRE(expected.size() == found.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        difference += std::pow(static_cast<double>(found[i]) / unit - expected[i], 2);
        size += expected[i] * expected[i];
      }
    }
    auto const part = std::sqrt(difference / size);
    CHECK(part <= tolerance);
    CHECK(part > 1e-5);
  };
  score_options const options{.batch_norm = r.mode};
  auto const constants = r.mode == norm_mode::train ? norm_mode::frozen : norm_mode::eval;
  check("snip", score<snip>(student, labelled, no_guide{}, cross_entropy{}, options), 1);
  check("grasp", score<grasp>(student, labelled, no_guide{}, grasp::default_loss, options), -1);
  check("lnpt.hessian_gradient",
        score<feature_map_synaptic<hessian_gradient>>(student, unlabelled_batch{input}, teacher(teaching), feature_gap{},
                                                      score_options{.batch_norm = constants}),
        1);
}

}  // namespace

TEST_CASE_TEMPLATE("scores and losses on the device equal the oracle's", T, double, float) {
  if (!device_is_here()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  for (std::string const name : {"mlp", "vgg11_w2_nobn", "vgg11_w2_bn_eval", "resnet8_w4_bn_train", "resnet20_w8_bn_train"}) {
    CAPTURE(name);
    oracle::reference<T> r(name);
    compare(r);
  }
}

// One rectifier or pool that decides otherwise moves single scores far, so that it is all of them that are close. The bounds of
// the first network were set before; those of the others are what was seen on the double and up to half as much again: most on ResNet-20 and
// on the VGG without batch norm, for which no cause but rounding was looked for.
TEST_CASE("scores in tf32 and bf16 are the oracle's to a part of their norm") {
  if (!device_is_here()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  struct bound {
    std::string name;
    double tf32, bf16;
  };
  for (auto const& each : {bound{"resnet8_w4_bn_train", 0.02, 0.25}, bound{"resnet20_w8_bn_train", 0.2, 0.4},
                           bound{"vgg11_w2_bn_eval", 0.03, 0.25}, bound{"vgg11_w2_nobn", 0.15, 0.25}})
    for (auto const& [how, tolerance] : {std::pair{cudnn::precision::tf32, each.tf32}, {cudnn::precision::bf16, each.bf16}}) {
      CAPTURE(each.name);
      CAPTURE(tolerance);
      oracle::reference<float> r(each.name);
      cudnn::use_precision(how);
      compare_norms(r, tolerance);
      cudnn::use_precision(cudnn::precision::fp32);
    }
}
