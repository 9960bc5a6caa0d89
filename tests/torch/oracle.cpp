// Every criterion on LibTorch against float64 reference scores: to 1e-9 of each parameter's largest score in double, 2e-4 in float.
#include "doctest.hpp"

#include "../oracle/oracle.hpp"

#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/loss/distillation.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/score.hpp>
#include <lnpt/torch/model.hpp>

#include "../skip.hpp"
#include "modules.hpp"

using namespace lnpt;

static_assert(twice_differentiable<torch_model<float>> && has_features<torch_model<float>> &&
              squares_per_sample<torch_model<float>> && freezes_normalization<torch_model<float>> &&
              has_synaptic_flow<torch_model<float>>);

namespace {

template <class T>
constexpr double tolerance = std::is_same_v<T, double> ? 1e-9 : 2e-4;

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

template <class T>
struct torch_case {
  explicit torch_case(oracle::reference<T> const& r, std::string const& name)
      : student(module_named<T>(name)),
        teacher(module_named<T>(name)),
        input(convert<torch_tensor<T>>(r.input, torch_tensor<T>())) {
    io::load_state_dict(*student, r.file, "student.");
    io::load_state_dict(*teacher, r.file, "teacher.");
  }

  std::unique_ptr<torch_model<T>> student, teacher;
  torch_tensor<T> input;
};

template <class T>
void compare(oracle::reference<T> const& r, std::string const& criterion, score_set<torch_tensor<T>> const& ours,
             double sign = 1) {
  CAPTURE(criterion);
  REQUIRE_FALSE(ours.parameters.empty());
  for (auto const& p : ours.parameters) {
    CAPTURE(p.name);
    auto const expected = r.scores(criterion, p.name);
    auto const found = values_of(p.values);
    REQUIRE(expected.size() == found.size());
    double largest = 0, worst = 0;
    for (auto const e : expected) largest = std::max(largest, std::abs(e));
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(sign * static_cast<double>(found[i]) - expected[i]));
    CHECK(worst <= tolerance<T> * largest);
  }
  for (auto const& name : ours.unreached)
    for (auto const e : r.scores(criterion, name)) REQUIRE(e == 0);
}

template <class T>
void compare_losses(oracle::reference<T> const& r, torch_case<T>& c) {
  auto const trace = c.student->forward(c.input, {r.mode});
  auto const said = prediction_of(*c.student, trace);
  auto const taught = teacher(*c.teacher).predict(c.input);
  target<torch_tensor<T>> const held{&r.labels, &taught};
  auto const check = [&](std::string const& name, auto const& loss) {
    CAPTURE(name);
    CHECK(loss.value(said, held) == doctest::Approx(r.number("loss." + name)).epsilon(tolerance<T>));
  };
  check("cross_entropy", cross_entropy{});
  check("pseudo_label", pseudo_label{});
  check("feature_gap", feature_gap{});
  check("feature_mse_T4", feature_mse{.temperature = 4});
  check("kd_soft_T4", distillation{.temperature = 4, .teacher_only = true});
}

template <class T>
void compare_label_criteria(oracle::reference<T> const& r, torch_case<T>& c) {
  labelled_batch const batch{c.input, r.labels};
  teacher const guide(*c.teacher);
  score_options const options{.batch_norm = r.mode};
  compare(r, "magnitude", lnpt::detail::score_alone<magnitude>(*c.student, {}, options));
  compare(r, "snip", lnpt::detail::score_on<snip>(*c.student, batch, no_guide{}, cross_entropy{}, options));
  compare(r, "snip_pseudo_label",
          lnpt::detail::score_on<snip>(*c.student, unlabelled_batch{c.input}, guide, pseudo_label{}, options));
  compare(r, "grasp", lnpt::detail::score_on<grasp>(*c.student, batch, no_guide{}, grasp::default_loss, options), -1);
  compare(r, "grasp_t1", lnpt::detail::score_on<grasp>(*c.student, batch, no_guide{}, cross_entropy{}, options), -1);
}

template <class T>
void compare_feature_criteria(oracle::reference<T> const& r, torch_case<T>& c, std::string const& prefix, norm_mode mode) {
  unlabelled_batch const batch{c.input};
  teacher const guide(*c.teacher);
  score_options const options{.batch_norm = mode};
  auto const score = [&]<class C>(C) { return lnpt::detail::score_on<C>(*c.student, batch, guide, feature_gap{}, options); };
  compare(r, prefix + "hessian_gradient", score(feature_map_synaptic<hessian_gradient>{}));
  compare(r, prefix + "gauss_newton", score(feature_map_synaptic<gauss_newton_exact>{}));
  // One product per weight: on the smallest network alone, the CPU engine's test has the others.
  if (std::is_same_v<T, double> && shape_of(c.input)[2] == 2)
    compare(r, prefix + "exact_diagonal", score(feature_map_synaptic<hessian_diagonal>{}));
}

}  // namespace

TEST_CASE_TEMPLATE("scores and losses of torch modules equal the oracle's", T, double, float) {
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  for (auto const& name : oracle::names) {
    CAPTURE(name);
    oracle::reference<T> const r(name);
    torch_case<T> c(r, name);
    compare_losses(r, c);
    compare_label_criteria(r, c);
    compare_feature_criteria(r, c, "lnpt.", r.mode == norm_mode::train ? norm_mode::frozen : norm_mode::eval);
    if (r.holds("lnpt_batch_norm_train.gauss_newton", c.student->parameters().front().name))
      compare_feature_criteria(r, c, "lnpt_batch_norm_train.", norm_mode::train);
    auto extents = shape_of(r.input);
    extents.erase(extents.begin());
    auto flow = lnpt::detail::score_alone<synflow>(*c.student, extents, {});
    for (auto& p : flow.parameters) p.values = 0.5 * p.values;  // the engine feeds two inputs of ones
    compare(r, "synflow", flow);
  }
}
