#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/report.hpp>

TEST_CASE("of 8 scored weights 2 stay, of all 12 prunable weights 6") {
  lnpt::mask_set masks;
  lnpt::mask half("conv1", {4}, false);
  half.set(0, true);
  half.set(2, true);
  masks.add(half);
  masks.add({"conv2", {2, 2}, false});
  auto const report = lnpt::make_report(
      masks, {{.name = "conv1", .total = 4}, {.name = "conv2", .total = 4}, {.name = "fc", .total = 4, .reached = false}});
  REQUIRE(report.layers.size() == 3);
  CHECK(report.layers[0].kept == 2);
  CHECK(report.layers[1].kept == 0);
  CHECK(report.layers[2].kept == 4);
  CHECK(report.sparsity_scored == 0.75);
  CHECK(report.sparsity_prunable == 0.5);
  CHECK(report.emptied == std::vector<std::string>{"conv2"});
  CHECK(report.unreached == std::vector<std::string>{"fc"});
}

TEST_CASE("a layer without weights has not been emptied, and nothing to prune is not sparse") {
  auto const report = lnpt::make_report({}, {{.name = "none", .total = 0}});
  CHECK(report.emptied.empty());
  CHECK(report.sparsity_prunable == 0.0);
}

TEST_CASE("masks of another model are refused") {
  lnpt::mask_set masks;
  masks.add({"conv1", {4}, true});
  CHECK_THROWS_WITH_AS(static_cast<void>(lnpt::make_report(masks, {{.name = "conv1", .total = 5}})),
                       "the mask of conv1 is for 4 weights, not 5: report on the model it was made for", lnpt::error);
}
