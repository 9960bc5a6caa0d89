// --engine torch does what the library's own engine does: scores, masks, training, comparisons, and what it refuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "../skip.hpp"
#include "other_engine.hpp"

using cli_test::run;

namespace {

/// One thread: the networks here are too small for more, which would wait for one another beside other tests.
cli_test::other_engine const torch{"torch", " --engine torch --threads 1 "};

/// Whether the command line was built with LibTorch; otherwise the test case is skipped.
bool can_run() {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line"), false;
  static bool const built_in = run("score --arch mlp:4,3 --criterion magnitude" + torch.flags).status == 0;
  return built_in || (skip("the command line was built without LibTorch"), false);
}

}  // namespace

TEST_CASE("a program without LibTorch says what it takes, and a device is LibTorch's") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  auto const score = std::string("score --arch mlp:4,3 --criterion magnitude ");
  auto const refused = [&](std::string const& flags, std::string const& sentence) {
    CAPTURE(flags);
    auto const done = run(score + flags);
    CHECK(done.status == 2);
    CHECK(done.complaint.find(sentence) != std::string::npos);
    CHECK(std::ranges::count(done.complaint, '\n') == 1);
    CHECK(done.output.empty());
  };
  refused("--engine tensorflow", "cpu, torch");
  refused("--device cpu", "--engine torch");
  refused("--engine cpu --device cuda", "--engine torch");
  auto const train = run("train --arch mlp:4,3 --data synthetic --out x --execution sparse " + torch.flags);
  CHECK(train.status == 2);
  CHECK(train.complaint.find("leave it out, or --engine torch") != std::string::npos);
  for (std::string const command : {"score", "prune", "teach", "train", "compare"})
    CHECK(run(command + " --help").output.find("--engine") != std::string::npos);
  CHECK(run("inspect --help").output.find("--engine") == std::string::npos);

  if (run(score + torch.flags).status != 0) return refused("--engine torch", "libtorch-dev");
  refused("--engine torch --device tpu", "cpu, cuda or cuda:N");
  refused("--engine torch --device cuda:first", "no number of a device");
  refused("--engine torch --device cuda:99", "cuda");
}

TEST_CASE("LibTorch gives the oracle's scores and masks") {
  if (!can_run()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  cli_test::compare_with_oracle(torch.flags, {"0.95"});
}

TEST_CASE("in float both engines give the same scores to 2e-4") {
  if (!can_run()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  cli_test::check_scores_in_float(torch);
}

TEST_CASE("every architecture scores alike on both engines, from the same fresh weights") {
  if (!can_run()) return;
  cli_test::check_architectures(torch);
}

TEST_CASE("networks that PyTorch exported score alike on both engines") {
  if (!can_run()) return;
  cli_test::check_exported_networks(torch);
  auto const shared =
      run("score --model " + (cli_test::exported_fixtures() / "layers.pt2").string() + " --criterion magnitude" + torch.flags);
  CHECK(shared.status == 1);
  CHECK(support::says(shared.complaint, "let the library's own engine compute this network"));
}

TEST_CASE("pruning in rounds and by channels leaves the same file on both engines") {
  if (!can_run()) return;
  cli_test::check_pruning(torch);
}

TEST_CASE("training on LibTorch holds the masks, and a run killed and resumed ends with the same bytes as one that was not") {
  if (!can_run()) return;
  cli_test::check_training_and_resumption(torch);
}

TEST_CASE("one epoch on LibTorch is one epoch on the CPU engine, to rounding") {
  if (!can_run()) return;
  cli_test::check_one_epoch(torch);
}

TEST_CASE("on LibTorch a teacher cache guides as the teacher does") {
  if (!can_run()) return;
  cli_test::check_teacher_cache(torch);
}

TEST_CASE("a comparison on LibTorch writes the same files, continues where it stopped, and stays on its engine") {
  if (!can_run()) return;
  cli_test::check_comparison(torch);
}
