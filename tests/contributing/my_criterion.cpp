/// The criterion of CONTRIBUTING.md: the text there is the code that is compiled here, and it prunes.
#include "my_criterion.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "../conformance/support.hpp"
#include "../repository.hpp"
#include "../text_of.hpp"

using namespace lnpt;

TEST_CASE("CONTRIBUTING.md shows the compiled text, in at most fifteen lines") {
  auto const root = test::repository();
  auto const header = text_of(root / "tests/contributing/my_criterion.hpp");
  auto const shown = header.substr(header.find("/// Movement"));
  CHECK(std::count(shown.begin(), shown.end(), '\n') <= 15);
  CHECK(text_of(root / "CONTRIBUTING.md").find("```cpp\n" + shown + "```\n") != std::string::npos);
}

TEST_CASE("a weight of 2 with slope −3 moves away from zero, one with slope 3 towards it") {
  static_assert(criterion<my_movement>);
  CHECK(my_movement{}(2.0, -3.0) == 6);
  CHECK(my_movement{}(2.0, 3.0) == -6);
}

TEST_CASE("a criterion of a user's own prunes with and without labels") {
  std::vector<std::size_t> const sizes{6, 9, 4};
  auto student = zoo::mlp<cpu::backend<double>>(sizes, 1), trained = zoo::mlp<cpu::backend<double>>(sizes, 2);
  auto const batch = random_batch<cpu::array<double>>({8, 6}, 4, 1);
  auto const moving = score<my_movement>(student, batch, {}), sizes_of = score<snip>(student, batch, {});
  for (std::size_t p = 0; p < moving.parameters.size(); ++p)
    for (std::size_t i = 0; i < moving.parameters[p].values.size(); ++i)
      REQUIRE(std::abs(moving.parameters[p].values.data()[i]) == sizes_of.parameters[p].values.data()[i]);
  CHECK(prune<my_movement>(student, batch, {.budget = sparsity{0.5}}).report.sparsity_scored == 0.5);
  CHECK(prune<my_movement>(student, unlabelled_batch{batch.input}, teacher(trained), pseudo_label{},
                           {.budget = sparsity{0.5}, .rounds = 3})
            .report.sparsity_scored == 0.5);
}
