/// Every criterion on the device against the reference's float64 scores: to 1e-9 of each parameter's largest in double, 2e-4 in float, and
/// what tf32 and bf16 leave of them.
#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

#include <lnpt/cudnn.hpp>
#include <lnpt/nn/on_backend.hpp>

#include "../../oracle/comparison.hpp"
#include "device.hpp"

namespace {

template <class T>
void compare(oracle::reference<T>& r) {
  using there = lnpt::cudnn::backend<T>;
  auto student = lnpt::on_backend<there>(r.student);
  auto teacher = lnpt::on_backend<there>(r.teacher);
  oracle::compare_all<T, lnpt::network<there>>(
      {.file = r, .student = student, .teacher = teacher, .input = lnpt::convert<lnpt::cudnn::array<T>>(r.input, {})});
}

}  // namespace

// In each precision a network without convolutions, one that branches under batch norm in either mode, and one without branches; the others,
// of the same layers, take the double minutes.
TEST_CASE_TEMPLATE("scores and losses on the device equal the oracle's", T, double, float) {
  if (!device_is_here()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  std::string const plain = std::is_same_v<T, double> ? "vgg11_w2_bn_eval" : "vgg11_w2_nobn";
  for (auto const& name : {std::string("mlp"), plain, std::string("resnet8_w4_bn_train")}) {
    CAPTURE(name);
    oracle::reference<T> r(name);
    compare(r);
  }
}

// One rectifier or pool that decides otherwise moves single scores far, so that it is all of them that are close.
TEST_CASE("scores in tf32 and bf16 are the oracle's to 2 % and 25 % of their norm") {
  if (!device_is_here()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  using namespace lnpt;
  using there = cudnn::backend<float>;
  oracle::reference<float> r("resnet8_w4_bn_train");
  auto student = on_backend<there>(r.student);
  auto teaching = on_backend<there>(r.teacher);
  auto const input = convert<cudnn::array<float>>(r.input, {});
  labelled_batch const labelled{input, r.labels};
  for (auto const& [how, tolerance] : {std::pair{cudnn::precision::tf32, 0.02}, {cudnn::precision::bf16, 0.25}}) {
    CAPTURE(tolerance);
    cudnn::use_precision(how);
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
      CHECK(std::sqrt(difference / size) <= tolerance);
      CHECK(std::sqrt(difference / size) > 1e-5);
    };
    score_options const options{.batch_norm = r.mode};
    check("snip", score<snip>(student, labelled, no_guide{}, cross_entropy{}, options), 1);
    check("grasp", score<grasp>(student, labelled, no_guide{}, grasp::default_loss, options), -1);
    check("lnpt.hessian_gradient",
          score<feature_map_synaptic<hessian_gradient>>(student, unlabelled_batch{input}, teacher(teaching), feature_gap{},
                                                        score_options{.batch_norm = norm_mode::frozen}),
          1);
    cudnn::use_precision(cudnn::precision::fp32);
  }
}
