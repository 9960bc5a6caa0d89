// Every criterion against float64 reference scores: to 1e-9 of each parameter's largest score in double, 2e-4 in float.
#include <doctest/doctest.h>

#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/loss/distillation.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/score.hpp>

#include "../skip.hpp"
#include "oracle.hpp"

using namespace lnpt;

namespace {

template <class T>
constexpr double tolerance = std::is_same_v<T, double> ? 1e-9 : 2e-4;

/// Compares with the reference's scores of this name; what we leave unscored must be zero there.
template <class T>
void compare(oracle::reference<T>& r, std::string const& criterion, score_set<cpu::array<T>> const& ours, double sign = 1) {
  CAPTURE(criterion);
  REQUIRE_FALSE(ours.parameters.empty());
  for (auto const& p : ours.parameters) {
    CAPTURE(p.name);
    auto const expected = r.scores(criterion, p.name);
    REQUIRE(expected.size() == p.values.size());
    double largest = 0, worst = 0;
    for (auto const e : expected) largest = std::max(largest, std::abs(e));
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(sign * static_cast<double>(p.values.data()[i]) - expected[i]));
    CHECK(worst <= tolerance<T> * largest);
  }
  for (auto const& name : ours.unreached)
    for (auto const e : r.scores(criterion, name)) REQUIRE(e == 0);
}

/// The criteria on labels and pseudo-labels, in the batch-norm mode of the file.
template <class T>
void compare_label_criteria(oracle::reference<T>& r) {
  labelled_batch const batch{r.input, r.labels};
  teacher const guide(r.teacher);
  score_options const options{.batch_norm = r.mode};
  compare(r, "magnitude", detail::score_alone<magnitude>(r.student, {}, options));
  compare(r, "snip", detail::score_on<snip>(r.student, batch, no_guide{}, cross_entropy{}, options));
  compare(r, "snip_pseudo_label", detail::score_on<snip>(r.student, unlabelled_batch{r.input}, guide, pseudo_label{}, options));
  compare(r, "grasp", detail::score_on<grasp>(r.student, batch, no_guide{}, grasp::default_loss, options), -1);
  compare(r, "grasp_t1", detail::score_on<grasp>(r.student, batch, no_guide{}, cross_entropy{}, options), -1);
}

/// The feature-map criteria with every curvature the file holds.
template <class T>
void compare_feature_criteria(oracle::reference<T>& r, std::string const& prefix, norm_mode mode) {
  unlabelled_batch const batch{r.input};
  teacher const guide(r.teacher);
  score_options const options{.batch_norm = mode};
  auto const score = [&]<class C>(C) { return detail::score_on<C>(r.student, batch, guide, feature_gap{}, options); };
  compare(r, prefix + "hessian_gradient", score(feature_map_synaptic<hessian_gradient>{}));
  compare(r, prefix + "gauss_newton", score(feature_map_synaptic<gauss_newton_exact>{}));
  auto const first = r.student.parameters().front().name;
  if (r.holds(prefix + "exact_diagonal", first) && std::is_same_v<T, double>)
    compare(r, prefix + "exact_diagonal", score(feature_map_synaptic<hessian_diagonal>{}));
}

template <class T>
void compare_losses(oracle::reference<T>& r) {
  auto const trace = r.student.forward(r.input, {r.mode});
  auto const said = prediction_of(r.student, trace);
  auto const taught = teacher(r.teacher).predict(r.input);
  target<cpu::array<T>> const held{&r.labels, &taught};
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

}  // namespace

TEST_CASE_TEMPLATE("scores and losses equal the oracle's", T, double, float) {
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  for (auto const& name : oracle::names) {
    CAPTURE(name);
    oracle::reference<T> r(name);
    compare_losses(r);
    compare_label_criteria(r);
    compare_feature_criteria(r, "lnpt.", r.mode == norm_mode::train ? norm_mode::frozen : norm_mode::eval);
    if (r.holds("lnpt_batch_norm_train.gauss_newton", r.student.parameters().front().name))
      compare_feature_criteria(r, "lnpt_batch_norm_train.", norm_mode::train);
    auto extents = shape_of(r.input);
    extents.erase(extents.begin());
    compare(r, "synflow", detail::score_alone<synflow>(r.student, extents, {}));
  }
}
