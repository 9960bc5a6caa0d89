// Channels under a budget, the smaller network and its files.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "../repository.hpp"
#include "../skip.hpp"
#include "support.hpp"

using cli_test::run;

namespace {

std::string const resnet = "prune --arch resnet:8:8,16,32:a --criterion magnitude --mask channels ";

std::string fixture(std::string const& name) { return (test::repository() / "tests/io/exported" / name).string(); }

}  // namespace

TEST_CASE("a budget of multiply-adds gives a smaller network that loads by its own description") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  auto const done = run(resnet + "--budget flops:.5 --shrink --json --out " + at("small.safetensors") + " --onnx " +
                        at("small.onnx") + " --ratios " + at("small.svg"));
  REQUIRE(done.status == 0);
  auto const seen = nlohmann::json::parse(done.output)["shrunk"];
  CHECK(2 * seen["multiply_adds"][1].get<std::size_t>() <= seen["multiply_adds"][0].get<std::size_t>());
  CHECK(seen["certificate"]["relative"].get<double>() <= 1e-12);
  CHECK(seen["left_whole"].size() == 1);  // the classifier's outputs
  CHECK(support::text_of(folder / "small.svg").starts_with("<svg"));
  CHECK(support::says(support::text_of(folder / "small.onnx"), "Conv"));

  auto const inspected = run("inspect " + at("small.safetensors") + " --json");
  REQUIRE(inspected.status == 0);
  CHECK(nlohmann::json::parse(inspected.output)["multiply_adds"] == seen["multiply_adds"][1]);
  auto const told = nlohmann::json::parse(inspected.output)["shrunk"];
  for (auto const* const what : {"layers", "parameters", "multiply_adds", "left_whole"}) CHECK(told[what] == seen[what]);
  CHECK(support::says(run("inspect " + at("small.safetensors")).output, "left whole: fc.weight: its channels are returned"));

  auto const again =
      run("prune --arch " + at("small.json") + " --weights " + at("small.safetensors") +
          " --criterion magnitude --mask channels --budget channels:.2 --shrink --json --out " + at("smaller.safetensors"));
  REQUIRE(again.status == 0);
  CHECK(nlohmann::json::parse(again.output)["shrunk"]["multiply_adds"][0] == seen["multiply_adds"][1]);
}

TEST_CASE("rounded widths are multiples of eight") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const done = run(resnet + "--budget flops:.4 --round --shrink --json --out " + (folder / "small.safetensors").string());
  REQUIRE(done.status == 0);
  for (auto const& layer : nlohmann::json::parse(done.output)["shrunk"]["layers"])
    if (layer["after"].size() == 4) CHECK(layer["after"][0].get<std::size_t>() % 8 == 0);
}

TEST_CASE("a .pt2 network leaves as a smaller .pt2") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const small = (folder / "small.pt2").string();
  auto const done = run("prune --model " + fixture("joins.pt2") +
                        " --criterion magnitude --mask channels --budget parameters:.4 --shrink --json --out " + small);
  REQUIRE(done.status == 0);
  auto const seen = nlohmann::json::parse(done.output)["shrunk"];
  auto const inspected = run("inspect --model " + small + " --json");
  REQUIRE(inspected.status == 0);
  CHECK(nlohmann::json::parse(inspected.output)["multiply_adds"] == seen["multiply_adds"][1]);
  CHECK(seen["parameters"][1].get<std::size_t>() < seen["parameters"][0].get<std::size_t>());
}

TEST_CASE("budgets that say nothing are refused") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  auto const refused = [](std::string const& flags, char const* words) {
    auto const done = run(flags + " --out nowhere.safetensors");
    return done.status == 2 && support::says(done.complaint, words);
  };
  CHECK(refused(resnet + "--budget watts:.5", "channels, parameters, flops"));
  CHECK(refused(resnet + "--budget flops", "is no budget"));
  CHECK(refused(resnet + "--budget flops:1.5", "outside [0, 1)"));
  CHECK(refused(resnet + "--budget flops:.5 --sparsity .5", "leave one out"));
  CHECK(refused(resnet + "--sparsity .5 --round", "give --budget"));
  CHECK(refused("prune --arch resnet:8:8,16,32 --criterion magnitude --budget flops:.5", "give --mask channels"));
}
