/// Every criterion on the device against the reference's float64 scores: to 1e-9 of each parameter's largest in double, 2e-4 in float.
#include <string>
#include <type_traits>

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
