// Every criterion on LibTorch against float64 reference scores: to 1e-9 of each parameter's largest score in double, 2e-4 in float.
#include "doctest.hpp"

#include "../oracle/comparison.hpp"

#include <lnpt/torch/model.hpp>

#include "../skip.hpp"
#include "modules.hpp"

using namespace lnpt;

static_assert(twice_differentiable<torch_model<float>> && has_features<torch_model<float>> &&
              squares_per_sample<torch_model<float>> && freezes_normalization<torch_model<float>> &&
              has_synaptic_flow<torch_model<float>>);

namespace {

template <class T>
std::unique_ptr<torch_model<T>> module_named(std::string const& name) {
  auto const model = [](auto module) {
    module->to(torch_tensor<T>::scalar_type);
    return std::make_unique<torch_model<T>>(module);
  };
  if (name == "mlp") return model(std::make_shared<torch_modules::mlp>(std::vector<std::int64_t>{12, 16, 10, 5}));
  if (name.starts_with("vgg11")) return model(std::make_shared<torch_modules::vgg>(11, 2, name != "vgg11_w2_nobn"));
  if (name.starts_with("resnet8")) return model(std::make_shared<torch_modules::resnet>(8, std::array<std::int64_t, 3>{4, 6, 8}));
  return model(std::make_shared<torch_modules::resnet>(20, std::array<std::int64_t, 3>{8, 16, 32}));
}

}  // namespace

TEST_CASE_TEMPLATE("scores and losses of torch modules equal the oracle's", T, double, float) {
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  for (auto const& name : oracle::names) {
    CAPTURE(name);
    oracle::reference<T> const r(name);
    auto const student = module_named<T>(name), trained = module_named<T>(name);
    io::load_state_dict(*student, r.file, "student.");
    io::load_state_dict(*trained, r.file, "teacher.");
    auto const input = convert<torch_tensor<T>>(r.input, torch_tensor<T>());
    // The CPU engine's test has the diagonals of the larger networks.
    oracle::compare_all<T, torch_model<T>>({.file = r,
                                            .student = *student,
                                            .teacher = *trained,
                                            .input = input,
                                            .diagonal = std::is_same_v<T, double> && shape_of(input)[2] == 2});
  }
}
