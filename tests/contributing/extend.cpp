/// The extensions of docs/extend.md: the text there is the code that is compiled here, and each does what its formula says.
#include "my_backend.hpp"
#include "my_evidence.hpp"
#include "my_guide.hpp"
#include "my_hook.hpp"
#include "my_loss.hpp"
#include "my_mask.hpp"
#include "my_regulariser.hpp"
#include "my_schedule.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "../conformance/support.hpp"
#include "../repository.hpp"
#include "../text_of.hpp"

using namespace lnpt;
using array = cpu::array<double>;

namespace {

struct scene {
  std::vector<std::size_t> sizes{6, 8, 4};
  network<cpu::backend<double>> student = zoo::mlp<cpu::backend<double>>(sizes, 1);
  network<cpu::backend<double>> first = zoo::mlp<cpu::backend<double>>(sizes, 2);
  network<cpu::backend<double>> second = zoo::mlp<cpu::backend<double>>(sizes, 3);
  labelled_batch<array> batch = random_batch<array>({5, 6}, 4, 1);
  unlabelled_batch<array> images{batch.input};
};

}  // namespace

TEST_CASE("docs/extend.md shows the compiled text") {
  auto const root = test::repository();
  auto const page = text_of(root / "docs/extend.md");
  for (auto const* const name : {"my_backend", "my_criterion", "my_evidence", "my_guide", "my_hook", "my_loss", "my_mask",
                                 "my_regulariser", "my_schedule"}) {
    auto const header = text_of(root / "tests/contributing" / (std::string(name) + ".hpp"));
    CAPTURE(name);
    CHECK(page.find("```cpp\n" + header.substr(header.find("/// ")) + "```\n") != std::string::npos);
  }
  auto const engine = text_of(root / "examples/host_engine.hpp");
  CHECK(page.find("```cpp\n" + engine.substr(engine.find("/// How lnpt reads")) + "```\n") != std::string::npos);
  auto const relu = text_of(root / "include/lnpt/nn/relu.hpp");
  auto const rules = relu.find("/// y = max"), end = relu.rfind("\n}  // namespace");
  CHECK(page.find("```cpp\n" + relu.substr(rules, end - rules) + "```\n") != std::string::npos);
}

TEST_CASE("the plan of the headers has a line for every folder") {
  auto const headers = test::repository() / "include/lnpt";
  auto const plan = text_of(headers / "README.md");
  for (auto const& entry : std::filesystem::directory_iterator(headers)) {
    if (!entry.is_directory()) continue;
    CAPTURE(entry.path());
    CHECK(plan.find("`" + entry.path().filename().string() + "/`") != std::string::npos);
  }
}

TEST_CASE("evidence: one sample to a batch, squared gradients are those of each sample") {
  scene s;
  std::vector<labelled_batch<array>> samples;
  for (std::size_t b = 0; b < 5; ++b) samples.push_back({rows(s.batch.input, b, b + 1), {s.batch.labels[b]}});
  auto const scores = values_of(score<my_fisher>(s.student, samples, {}).parameters.at(0).values);
  std::vector<double> expected(scores.size());
  auto const theta = values_of(*s.student.parameters()[0].value);
  for (auto const& sample : samples) {
    auto const each = values_of(score<snip>(s.student, sample, {}).parameters.at(0).values);        // |θ g_b|
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += 0.5 * each[i] * each[i] / 25;  // a fifth of the mean each
  }
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(scores[i] == doctest::Approx(expected[i]));
}

TEST_CASE("loss: its cotangent is the slope of its value, on the student and once more for H g") {
  scene s;
  logit_distance const loss;
  auto const taught = teacher(s.first).predict(s.images.input);
  auto said = prediction_of(s.student, s.student.forward(s.images.input));
  target<array> const expected{nullptr, &taught};
  auto const slope = values_of(*loss.cotangent(said, expected).output);
  auto const before = loss.value(said, expected);
  said.output.data()[3] += 1e-6;
  CHECK((loss.value(said, expected) - before) / 1e-6 == doctest::Approx(slope[3]).epsilon(1e-4));
  auto const direct = score<grasp>(s.student, s.images, teacher(s.first), loss, {.batch_norm = norm_mode::eval});
  finite_difference_hvp curved(s.student);
  auto const differences = score<grasp>(curved, s.images, teacher(s.first), loss, {.batch_norm = norm_mode::eval});
  for (std::size_t p = 0; p < 2; ++p)
    CHECK(conformance::detail::close(direct.parameters[p].values, differences.parameters[p].values, 1e-5));
  CHECK(prune<obd<>>(s.student, s.images, teacher(s.first), loss, {.budget = sparsity{0.5}}).report.sparsity_scored == 0.5);
}

TEST_CASE("mask: half of every row stays, the rest of the rounds among what survived") {
  scene s;
  static_assert(mask_strategy<row_unstructured>);
  for (int const rounds : {1, 3})
    for (auto const& mask :
         prune<snip, row_unstructured>(s.student, s.batch, {.budget = sparsity{0.5}, .rounds = rounds}).masks) {
      auto const width = mask.size() / mask.extents()[0];
      for (std::size_t row = 0; row < mask.size(); row += width) {
        std::size_t kept = 0;
        for (auto i = row; i < row + width; ++i) kept += mask[i];
        CHECK(kept == width / 2);
      }
    }
}

TEST_CASE("schedule: 1, half way and the end, exactly") {
  static_assert(pruning_schedule<smooth>);
  CHECK(smooth{}(1, 2, density{0.2}).value() == doctest::Approx(0.6));
  CHECK(smooth{}(7, 7, density{0.2}).value() == 0.2);
  scene s;
  CHECK(prune<snip, global_unstructured, smooth>(s.student, s.batch, {.budget = sparsity{0.75}, .rounds = 4})
            .report.sparsity_scored == 0.75);
}

TEST_CASE("guide: the mean of two teachers") {
  scene s;
  mean_of const both{teacher(s.first), teacher(s.second)};
  auto const mean = both.predict(s.images.input, 0).output;
  auto const a = teacher(s.first).predict(s.images.input).output, b = teacher(s.second).predict(s.images.input).output;
  CHECK(mean.data()[2] == doctest::Approx(0.5 * (a.data()[2] + b.data()[2])));
  CHECK(prune<feature_map_synaptic<>>(s.student, s.images, both, {.budget = sparsity{0.5}}).report.unreached ==
        std::vector<std::string>{"fc.weight"});
}

TEST_CASE("hook: a gradient of length 5 is clipped to 2.5 over all parameters, and a shorter one stays") {
  training_step<array> step{0, 0, 1, 0.1, {}, {cpu::filled<double>({1}, 3), std::nullopt, cpu::filled<double>({1}, 4)}, nullptr};
  clip_gradients{2.5}.before_step(step);
  CHECK(values_of(*step.gradients[0]) == std::vector<double>{1.5});
  CHECK(values_of(*step.gradients[2]) == std::vector<double>{2});
  clip_gradients{3}.before_step(step);
  CHECK(values_of(*step.gradients[2]) == std::vector<double>{2});
}

TEST_CASE("backend: 5 samples through 6 x 8 and 8 x 4 weights are 400 multiply-adds, and the outputs those of the CPU backend") {
  scene s;
  auto counted = zoo::mlp<counting_backend<double>>(s.sizes, 1);
  counting_backend<double>::multiply_adds = 0;
  auto const said = counted.forward(s.images.input, {norm_mode::eval});
  CHECK(counting_backend<double>::multiply_adds == 400);
  CHECK(values_of(said.output()) == values_of(s.student.forward(s.images.input, {norm_mode::eval}).output()));
}

TEST_CASE("small shifts: of β = (2, −4) with λ = 0.5 the gradient is (1, −2), added to what is there, beside a built-in one") {
  array beta = tensor_traits<array>::make({2}, std::vector<double>{2, -4}),
        gamma = tensor_traits<array>::make({2}, std::vector<double>{3, -3});
  std::vector<parameter<array>> const parameters{{"bn.weight", &gamma, role::norm_scale}, {"bn.bias", &beta, role::norm_shift}};
  training_step<array> step{0, 0, 1, 0.1, parameters, {cpu::filled<double>({2}, 1), cpu::filled<double>({2}, 1)}, nullptr};
  regularise{small_shifts{0.5} + slimming{0.25}, [](std::size_t) { return 2.0; }}.before_step(step);
  CHECK(values_of(*step.gradients[0]) == std::vector<double>{1.5, 0.5});
  CHECK(values_of(*step.gradients[1]) == std::vector<double>{3, -3});
}
