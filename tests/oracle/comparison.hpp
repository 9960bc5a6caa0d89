#pragma once
/// What every engine is held to: losses and scores against the reference's, in the norm of each parameter's largest score.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <type_traits>

#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/loss/distillation.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/score.hpp>

#include "oracle.hpp"

namespace oracle {

template <class T>
constexpr double tolerance = std::is_same_v<T, double> ? 1e-9 : 2e-4;

/// Scores on the whole batch.
struct whole_batch {
  static constexpr bool is_whole = true;

  template <class Batch, class Act>
  auto operator()(Batch const& batch, Act act) const {
    return act(batch);
  }
};

/// An engine's networks with the reference's weights, and its batch, of which `share` hands out what is scored on here.
template <class T, class Model, class Share = whole_batch>
struct subject {
  reference<T> const& file;
  Model& student;
  Model& teacher;
  lnpt::tensor_of<Model> input;
  bool diagonal = false;  ///< whether to afford a Hessian–vector product per weight
  Share share = {};
};

/// Compares with the reference's scores of this name; what is left unscored must be zero there.
template <class T, class Tensor>
void compare_scores(reference<T> const& file, std::string const& criterion, lnpt::score_set<Tensor> const& ours,
                    double unit = 1) {
  CAPTURE(criterion);
  REQUIRE_FALSE(ours.parameters.empty());
  for (auto const& p : ours.parameters) {
    CAPTURE(p.name);
    auto const expected = file.scores(criterion, p.name);
    auto const found = lnpt::values_of(p.values);
    REQUIRE(expected.size() == found.size());
    double largest = 0, worst = 0;
    for (auto const e : expected) largest = std::max(largest, std::abs(e));
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(found[i]) / unit - expected[i]));
    CHECK(worst <= tolerance<T> * largest);
  }
  for (auto const& name : ours.unreached)
    for (auto const e : file.scores(criterion, name)) REQUIRE(e == 0);
}

template <class T, class Model, class Share>
void compare_losses(subject<T, Model, Share>& s) {
  auto const trace = s.student.forward(s.input, {s.file.mode});
  auto const predicted = lnpt::prediction_of(s.student, trace);
  auto const teacher_prediction = lnpt::teacher(s.teacher).predict(s.input);
  lnpt::target<lnpt::tensor_of<Model>> const expected{&s.file.labels, &teacher_prediction};
  auto const check = [&](std::string const& name, auto const& loss) {
    CAPTURE(name);
    CHECK(loss.value(predicted, expected) == doctest::Approx(s.file.number("loss." + name)).epsilon(tolerance<T>));
  };
  check("cross_entropy", lnpt::cross_entropy{});
  check("pseudo_label", lnpt::pseudo_label{});
  check("feature_gap", lnpt::feature_gap{});
  check("feature_mse_T4", lnpt::feature_mse{.temperature = 4});
  check("kd_soft_T4", lnpt::distillation{.temperature = 4, .teacher_only = true});
}

/// The criteria on labels and pseudo-labels, in the batch-norm mode of the file; the file has GraSP's scores with the paper's sign.
template <class T, class Model, class Share>
void compare_label_criteria(subject<T, Model, Share>& s) {
  using namespace lnpt;
  labelled_batch const batch{s.input, s.file.labels};
  lnpt::teacher const guide(s.teacher);
  score_options const options{.batch_norm = s.file.mode};
  auto const labelled = [&]<class C>(C, auto const& loss) {
    return s.share(batch, [&](auto const& mine) { return lnpt::score<C>(s.student, mine, no_guide{}, loss, options); });
  };
  compare_scores(s.file, "snip", labelled(snip{}, cross_entropy{}));
  compare_scores(s.file, "snip_pseudo_label", s.share(unlabelled_batch{s.input}, [&](auto const& mine) {
    return lnpt::score<snip>(s.student, mine, guide, pseudo_label{}, options);
  }));
  compare_scores(s.file, "grasp", labelled(grasp{}, grasp::default_loss), -1);
  compare_scores(s.file, "grasp_t1", labelled(grasp{}, cross_entropy{}), -1);
}

/// The feature-map criteria with every curvature the file holds.
template <class T, class Model, class Share>
void compare_feature_criteria(subject<T, Model, Share>& s, std::string const& prefix, lnpt::norm_mode mode) {
  using namespace lnpt;
  unlabelled_batch const batch{s.input};
  lnpt::teacher const guide(s.teacher);
  score_options const options{.batch_norm = mode};
  auto const score = [&]<class C>(C) {
    return s.share(batch, [&](auto const& mine) { return lnpt::score<C>(s.student, mine, guide, feature_gap{}, options); });
  };
  compare_scores(s.file, prefix + "hessian_gradient", score(feature_map_synaptic<hessian_gradient>{}));
  auto const first = s.student.parameters().front().name;
  if (s.file.holds(prefix + "gauss_newton", first))
    compare_scores(s.file, prefix + "gauss_newton", score(feature_map_synaptic<gauss_newton_exact>{}));
  if (s.diagonal && s.file.holds(prefix + "exact_diagonal", first))
    compare_scores(s.file, prefix + "exact_diagonal", score(feature_map_synaptic<hessian_diagonal>{}));
}

/// Everything that the file holds; where the batch is shared, all but what takes the statistics of the whole batch.
template <class T, class Model, class Share = whole_batch>
void compare_all(subject<T, Model, Share> s) {
  using lnpt::norm_mode;
  bool const is_normalised = !lnpt::buffers_of(s.student).empty();
  compare_losses(s);
  compare_scores(s.file, "magnitude", lnpt::score<lnpt::magnitude>(s.student, lnpt::shape{}, lnpt::score_options{}));
  if (Share::is_whole || !is_normalised || s.file.mode == norm_mode::eval) compare_label_criteria(s);
  compare_feature_criteria(s, "lnpt.", s.file.mode == norm_mode::train ? norm_mode::frozen : norm_mode::eval);
  if (Share::is_whole && s.file.holds("lnpt_batch_norm_train.hessian_gradient", s.student.parameters().front().name))
    compare_feature_criteria(s, "lnpt_batch_norm_train.", norm_mode::train);
  if (!s.file.holds("synflow", s.student.parameters().front().name)) return;
  auto extents = lnpt::shape_of(s.input);
  extents.erase(extents.begin());
  compare_scores(s.file, "synflow", lnpt::score<lnpt::synflow>(s.student, extents, lnpt::score_options{}));
}

}  // namespace oracle
