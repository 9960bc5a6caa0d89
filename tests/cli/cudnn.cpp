// --engine cudnn does on a GPU, or on the double of one, what the library's own engine does on the CPU, and what it refuses without.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "../skip.hpp"
#include "other_engine.hpp"

using cli_test::run;

namespace {

/// The double takes a hundred times what a GPU does: a few images of each.
cli_test::other_engine const cudnn{"cudnn", " --engine cudnn --device cuda:0 ", "--train-limit 48 --test-limit 10 --batch 16 "};

/// Whether the command line was built with cuDNN and finds a device; otherwise the test case is skipped.
bool can_run() {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line"), false;
  static auto const tried = run("score --arch mlp:4,3 --criterion magnitude" + cudnn.flags);
  return tried.status == 0 || (skip(tried.complaint), false);
}

}  // namespace

TEST_CASE("where cuDNN cannot compute one sentence says why") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  auto const refused = [](std::string const& device) {
    auto const done = run("score --arch mlp:4,3 --criterion magnitude --engine cudnn --device " + device);
    CHECK(done.status == 2);
    CHECK(done.output.empty());
    return done.complaint;
  };
  auto const without = refused("cuda:99");
  bool const named = support::says(without, "built without cuDNN") || support::says(without, "there is none here") ||
                     support::says(without, "there is no CUDA device 99");
  CHECK_MESSAGE(named, without);
  if (!can_run()) return;
  CHECK(support::says(refused("cpu"), "cuda or cuda:N"));
}

TEST_CASE("a precision, or plans, that an engine does not have are refused in one sentence") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  auto const refused = [](std::string const& command) {
    auto const done = run(command);
    CHECK(done.status == 2);
    CHECK(done.output.empty());
    return done.complaint;
  };
  std::string const score = "score --arch mlp:4,3 --criterion magnitude ";
  CHECK(support::says(refused(score + "--precision bf16"), "--precision bf16 is for convolutions on a GPU: add --engine cudnn"));
  CHECK(support::says(refused(score + "--fastest"), "--fastest is about cuDNN's plans"));
  CHECK(support::says(refused(score + "--precision fp16"), "choose from double, float, fp32, tf32, bf16"));
  CHECK(support::says(refused("train --arch mlp:4,3 --data synthetic --precision double --out nowhere"),
                      "--precision double is for score and prune"));
}

TEST_CASE("tf32 and bf16 score as fp32 does to their rounding, with the first plans and with the fastest") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const batch = (folder / "batch").string(), plain = (folder / "plain").string(), rounded = (folder / "rounded").string();
  cli_test::write_batch(batch, 4, 8);
  auto const score = "score --arch resnet:8:4,8,8 --data " + batch + " --criterion synflow --rounds 1" + cudnn.flags;
  REQUIRE(run(score + "--precision fp32 --out " + plain).status == 0);
  for (auto const& [how, most] :
       {std::pair{"--precision tf32", 0.02}, {"--precision bf16", 0.1}, {"--precision bf16 --fastest", 0.1}}) {
    CAPTURE(how);
    REQUIRE(run(score + how + " --out " + rounded).status == 0);
    auto const found = cli_test::difference(rounded, plain);
    CHECK(found > 1e-5);
    CHECK(found < most);
  }
}

TEST_CASE("cuDNN gives the oracle's scores and masks") {
  if (!can_run()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  cli_test::compare_with_oracle(cudnn.flags, {"0.95"}, {"mlp"});
}

TEST_CASE("every architecture and every exported network scores alike on both engines") {
  if (!can_run()) return;
  cli_test::check_architectures(cudnn);
  cli_test::check_exported_networks(cudnn);
}

TEST_CASE("pruning in rounds and by channels leaves the same file on both engines") {
  if (!can_run()) return;
  cli_test::check_pruning(cudnn);
}

TEST_CASE("training is the CPU engine's to rounding, learns from a teacher, and holds the masks") {
  if (!can_run()) return;
  cli_test::check_one_epoch(cudnn);
  support::temporary_folder const folder;
  auto const pruned = (folder / "pruned").string(), masks = (folder / "masks").string(), out = (folder / "out").string();
  REQUIRE(
      run("prune --arch resnet:8:4,8,8 --criterion magnitude --sparsity .8 --out " + pruned + " --masks-out " + masks).status ==
      0);
  REQUIRE(run("train " + cli_test::trained_net + cudnn.sizes + "--epochs 1 --teacher " + pruned + " --init " + pruned +
              " --mask " + masks + " --out " + out + cudnn.flags)
              .status == 0);
  CHECK(cli_test::pruned_weights_at_zero(out + ".checkpoint") > 0);
}

TEST_CASE(
    "a run that one engine began the other goes on with, to the same weights to rounding, and the same one in the same precision "
    "alone") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const whole = (folder / "whole").string(), parts = (folder / "parts").string(), state = parts + ".checkpoint";
  auto const train = "train " + cli_test::trained_net + cudnn.sizes + "--lr 0.001 --epochs 2 --seed 2 --out ";
  REQUIRE(run(train + whole).status == 0);
  auto const expected = lnpt::io::safetensors::open(whole);
  auto const is_half_way = [&] {
    return std::filesystem::exists(state) && lnpt::io::safetensors::open(state).metadata().at("epoch") == "1";
  };
  for (auto const& [begins, ends] : {std::pair{cudnn.flags, std::string(" ")}, {std::string(" "), cudnn.flags}}) {
    CAPTURE(begins);
    for (int tries = 0; tries < 20 && !is_half_way(); ++tries) {
      std::filesystem::remove(state);
      cli_test::run_until(train + parts + begins, state);
    }
    REQUIRE(is_half_way());
    REQUIRE(run(train + parts + ends + "--resume " + state).status == 0);
    auto const found = lnpt::io::safetensors::open(parts);
    for (auto const& tensor : expected.entries()) {
      CAPTURE(tensor.name);
      CHECK(cli_test::largest_difference(found.read<double>(tensor.name), expected.read<double>(tensor.name), 1) <= 1e-3);
    }
  }
  auto const refused = run(train + parts + cudnn.flags + "--precision bf16 --resume " + state);
  CHECK(refused.status == 2);
  CHECK(support::says(refused.complaint, "precision float and not bf16"));
}
