// --engine cudnn does on a GPU, or on the double of one, what the library's own engine does on the CPU, and what it refuses without.
#include <doctest/doctest.h>

#include <string>

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
