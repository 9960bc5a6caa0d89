// Channels under a budget, the smaller network and its files.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

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

  auto const larger = run("inspect " + at("small.json") + " --input 3,64,64");
  CHECK(larger.status == 2);
  CHECK(
      support::says(larger.complaint, "--input says 3,64,64, but inputs of " + at("small.json") + " have the shape [3, 32, 32]"));
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
  CHECK(support::says(done.complaint, "result 1 of " + small + ", which its classifier reads, has the shape ["));  // narrower
}

TEST_CASE("a ratio may be spent on weights that lie on paths") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = "prune --arch mlp:32,16,8,4 --criterion magnitude --json --out " + (folder / "masked.safetensors").string();
  auto const live = run(at + " --sparsity .95 --spend-on-live");
  auto const nominal = run(at + " --sparsity .95");
  REQUIRE(live.status == 0);
  REQUIRE(nominal.status == 0);
  auto const seen = nlohmann::json::parse(live.output);
  auto const kept = [](nlohmann::json const& report) {
    std::size_t sum = 0;
    for (auto const& layer : report["layers"]) sum += layer["kept"].get<std::size_t>();
    return sum;
  };
  CHECK(kept(nlohmann::json::parse(nominal.output)) == 34);  // of 32·16 + 16·8 + 8·4 = 672
  CHECK(kept(seen) > 34);
  CHECK(seen["on_paths"] >= 34);
  CHECK(seen["on_paths"] < 40);
  auto const channels = run(resnet + "--budget flops:.5 --spend-on-live --out nowhere.safetensors");
  CHECK(channels.status == 2);
  CHECK(support::says(channels.complaint, "for masks of single weights"));
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

TEST_CASE("merging writes a smaller network that loads by its own description, and refuses what it does not cover") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  std::string const merge = "prune --method merge --box 0,1 ";
  auto const done = run(merge + "--arch mlp:12,16,10,5 --target .5 --json --out " + at("small.safetensors"));
  REQUIRE(done.status == 0);
  auto const seen = nlohmann::json::parse(done.output);
  CHECK(seen["merges"].size() == 13);
  CHECK(seen["change"]["low"].size() == 5);
  auto const inspected = run("inspect " + at("small.safetensors") + " --json");
  REQUIRE(inspected.status == 0);
  CHECK(nlohmann::json::parse(inspected.output)["multiply_adds"] == seen["multiply_adds"][1]);
  CHECK(run(merge + "--arch " + at("small.json") + " --weights " + at("small.safetensors") + " --out " + at("less.safetensors"))
            .status == 0);
  auto const refused = [&](std::string const& flags, char const* words) {
    auto const told = run("prune " + flags + " --out " + at("no.safetensors"));
    return told.status == 2 && support::says(told.complaint, words);
  };
  CHECK(refused("--method merge --box 0,1 --arch resnet:8:4,8,8", "merging does not cover the layer \"add\""));
  CHECK(refused("--method merge --box 1,0 --arch mlp:4,4,2", "holds no input"));
  CHECK(
      refused("--method merge --box 0,1 --target .99 --arch mlp:12,16,10,5",
              "asks for 26 of 26 hidden units, and at most 24 can be merged, since every layer keeps one: give --target 0.923"));
  CHECK_FALSE(std::filesystem::exists(at("no.safetensors")));
  CHECK(refused("--method merge --arch mlp:4,4,2", "give --box"));
  CHECK(refused("--method merge --box 0,1 --sparsity .5 --arch mlp:4,4,2", "--sparsity is for weights that are scored"));
  CHECK(refused("--box 0,1 --sparsity .5 --arch mlp:4,4,2", "--box is for --method merge"));
  CHECK(refused("--method merge --box 0,1 --candidates 3 --arch mlp:4,4,2", "--candidates is for --method eagle_eye"));
}

TEST_CASE("a search writes the shape that agrees most, and says how signals pass before and after") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  std::string const data = "--data synthetic --train-limit 64 --samples 40 ";
  auto const done = run("prune --method eagle_eye --arch resnet:8:8,8,16 --budget flops:.4 --tolerance .05 --candidates 4 " +
                        data + "--trainability 3 --json --out " + at("small.safetensors"));
  REQUIRE(done.status == 0);
  auto const seen = nlohmann::json::parse(done.output);
  CHECK(seen["agreeing"].size() == 4);
  CHECK(seen["images"] == 40);
  auto const left = seen["multiply_adds"][1].get<double>() / seen["multiply_adds"][0].get<double>();
  CHECK(std::abs(1 - left - .4) <= .05);
  CHECK(seen["trainability"]["before"]["samples"] == 3);
  CHECK(run("inspect " + at("small.safetensors")).status == 0);
  auto const refused = run("prune --method eagle_eye --arch resnet:8:8,8,16 " + data + "--out " + at("no.safetensors"));
  CHECK(refused.status == 2);
  CHECK(support::says(refused.complaint, "give --budget"));
  CHECK(support::says(
      run("prune --method eagle_eye --arch resnet:8:8,8,16 --budget flops:.4 --out " + at("no.safetensors")).complaint,
      "eagle_eye scores on data"));
  for (std::string const criterion : {"hrank", "nisp", "qsfm:similarity=psnr"}) {
    CAPTURE(criterion);
    auto const scored = run("prune --arch resnet:8:8,8,16 --criterion " + criterion + " --mask channels --sparsity .5 " + data +
                            "--trainability 2 --out " + at("masked.safetensors"));
    CHECK(scored.status == 0);
    CHECK(support::says(scored.output, "Jacobian"));
  }
  CHECK(support::says(run("prune --arch mlp:4,4,2 --criterion hrank:loss=cross_entropy --sparsity .5 --out no").complaint,
                      "hrank has no loss"));
}

TEST_CASE("robustness: a network agrees with itself at distance 0, and pruned ones with what they came from") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  std::string const data = "--data synthetic --train-limit 64 --test-limit 30 --mean 0 --std 1 ";
  auto const arch = std::string("--arch mlp:3072,16,12,10 ");
  REQUIRE(run("prune " + arch + "--criterion magnitude --sparsity 0 --out " + at("whole.safetensors")).status == 0);
  REQUIRE(run("prune " + arch + "--criterion magnitude --sparsity .5 --out " + at("half.safetensors")).status == 0);
  auto const own = run("robustness " + arch + "--weights " + at("whole.safetensors") + " " + data + "--epsilons 0,.02 --json");
  REQUIRE(own.status == 0);
  auto const seen = nlohmann::json::parse(own.output);
  CHECK(seen["samples"] == 30);
  CHECK(seen["agreeing"] == 30);
  CHECK(seen["rows"][0]["fgsm"] == 30);
  CHECK(seen["rows"][1]["certified"].get<int>() <= seen["rows"][1]["pgd"].get<int>());
  auto const pruned =
      run("robustness " + arch + "--weights " + at("half.safetensors") + " --reference " + at("whole.safetensors") + " " + data);
  CHECK(pruned.status == 0);
  CHECK(support::says(pruned.output, "by the reference"));
  CHECK(support::says(run("robustness " + arch + "--weights " + at("whole.safetensors") + " " + data + "--box .9,1").complaint,
                      "outside the box"));
  CHECK(seen["box"] == std::vector<double>{0, 1});
  auto const normalised = run("robustness " + arch + "--weights " + at("whole.safetensors") +
                              " --data synthetic --train-limit 64 --test-limit 30 --mean .5 --std .25 --steps 2 --json");
  REQUIRE_MESSAGE(normalised.status == 0, normalised.complaint);
  CHECK(nlohmann::json::parse(normalised.output)["box"] == std::vector<double>{-2, 2});
}
