// --engine torch does what the library's own engine does: scores, masks, training, comparisons, and what it refuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>

#include "../skip.hpp"
#include "interruption.hpp"
#include "oracle_cases.hpp"
#include "support.hpp"

using namespace lnpt;
using cli_test::run;

namespace {

/// One thread: the networks here are too small for more, which would wait for one another beside other tests.
std::string const on_torch = " --engine torch --threads 1 ";

/// Whether the command line was built with LibTorch; otherwise the test case is skipped.
bool can_run() {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line"), false;
  static bool const built_in = run("score --arch mlp:4,3 --criterion magnitude" + on_torch).status == 0;
  return built_in || (skip("the command line was built without LibTorch"), false);
}

/// The largest difference between two files of scores, as a fraction of each parameter's largest.
double difference(std::string const& a, std::string const& b) {
  auto const ours = io::safetensors::open(a), theirs = io::safetensors::open(b);
  REQUIRE(ours.entries().size() == theirs.entries().size());
  double worst = 0;
  for (auto const& tensor : ours.entries())
    worst = std::max(worst, cli_test::largest_difference(ours.read<double>(tensor.name), theirs.read<double>(tensor.name), 1));
  return worst;
}

/// A batch of noise with labels, for networks of 10 classes.
void write_batch(std::string const& path, std::size_t samples, std::size_t side) {
  std::vector<float> input(samples * 3 * side * side);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(normal(4, i).first);
  std::vector<std::int64_t> labels(samples);
  for (std::size_t i = 0; i < samples; ++i) labels[i] = static_cast<std::int64_t>(i * 7 % 10);
  io::safetensors::writer writer;
  writer.add("input", {samples, 3, side, side}, input);
  writer.add("labels", {samples}, labels);
  writer.save(path);
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
  for (std::string const command : {"score", "prune", "teach", "train", "compare"})
    CHECK(run(command + " --help").output.find("--engine") != std::string::npos);
  CHECK(run("inspect --help").output.find("--engine") == std::string::npos);

  if (run(score + on_torch).status != 0) return refused("--engine torch", "libtorch-dev");
  refused("--engine torch --device tpu", "cpu, cuda or cuda:N");
  refused("--engine torch --device cuda:first", "no number of a device");
  refused("--engine torch --device cuda:99", "cuda");
}

TEST_CASE("LibTorch gives the oracle's scores and masks") {
  if (!can_run()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  cli_test::compare_with_oracle(on_torch, {"0.95"});
}

TEST_CASE("in float both engines give the same scores to 2e-4") {
  if (!can_run()) return;
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  support::temporary_folder const folder;
  auto const ours = (folder / "ours").string(), theirs = (folder / "theirs").string();
  for (std::string const name : {"mlp", "resnet20_w8_bn_train"})
    for (std::string const criterion : {"snip", "grasp", "synflow --rounds 1", "feature_map_synaptic"}) {
      auto const score = "score " + cli_test::inputs(name) + " --precision float --criterion " + criterion + " --out ";
      CAPTURE(score);
      REQUIRE(run(score + ours).status == 0);
      REQUIRE(run(score + theirs + on_torch).status == 0);
      CHECK(difference(ours, theirs) <= 2e-4);
    }
}

TEST_CASE("every architecture scores alike on both engines, from the same fresh weights") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const batch = (folder / "batch").string(), teacher = (folder / "teacher").string(), ours = (folder / "ours").string(),
             theirs = (folder / "theirs").string();
  write_batch(batch, 12, 16);
  for (std::string const arch :
       {"mlp:768,20,10", "vgg:11:4", "vgg:11:4:nobn", "resnet:8:4,8,8", "resnet:8:4,6,9:a", "mobilenet:4"}) {
    auto const net = "--arch " + arch + " --data " + batch + ' ';
    REQUIRE(run("prune " + net + "--seed 8 --criterion magnitude --sparsity 0 --out " + teacher).status == 0);
    for (std::string const criterion : {"random", "synflow --rounds 1", "snip", "grasp",
                                        "snip --loss distillation --temperature 4", "obd", "feature_map_synaptic"}) {
      auto const score = "score " + net + "--seed 3 --teacher " + teacher + " --criterion " + criterion + " --out ";
      CAPTURE(score);
      REQUIRE(run(score + ours).status == 0);
      REQUIRE(run(score + theirs + on_torch).status == 0);
      CHECK(difference(ours, theirs) <= 1e-9);
    }
  }
}

TEST_CASE("networks that PyTorch exported score alike on both engines") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const ours = (folder / "ours").string(), theirs = (folder / "theirs").string();
  auto const fixtures = std::filesystem::path(__FILE__).parent_path().parent_path() / "io" / "exported";
  auto const shared = run("score --model " + (fixtures / "layers.pt2").string() + " --criterion magnitude" + on_torch);
  CHECK(shared.status == 1);
  CHECK(support::says(shared.complaint, "let the library's own engine compute this network"));
  for (std::string const name : {"own", "joins"}) {
    auto const file = (fixtures / name).string();
    for (std::string const criterion :
         {"snip", "grasp", "obd", "--loss feature_gap --criterion snip", "feature_map_synaptic --curvature hessian_gradient"}) {
      auto const score = "score --model " + file + ".pt2 --teacher-model " + file + ".pt2 --data " + file +
                         ".safetensors --batch-norm frozen " + (criterion.starts_with("--") ? "" : "--criterion ") + criterion +
                         " --out ";
      CAPTURE(score);
      REQUIRE(run(score + ours).status == 0);
      REQUIRE(run(score + theirs + on_torch).status == 0);
      CHECK(difference(ours, theirs) <= 1e-9);
    }
  }
  auto const out = (folder / "trained.pt2").string();
  REQUIRE(run("train --model " + (fixtures / "own.pt2").string() +
              " --data synthetic --train-limit 64 --test-limit 20 --batch 32 " + "--epochs 1 --out " + out + on_torch)
              .status == 0);
  CHECK(run("evaluate --model " + out + " --data synthetic --train-limit 64 --test-limit 20" + on_torch).status == 0);
}

TEST_CASE("pruning in rounds and by channels leaves the same file on both engines") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const batch = (folder / "batch").string(), ours = (folder / "ours").string(), theirs = (folder / "theirs").string();
  write_batch(batch, 12, 16);
  for (std::string const how : {"--criterion snip --rounds 4 --sparsity .9", "--criterion synflow --sparsity .95",
                                "--criterion snip --mask channels --sparsity .5",
                                "--criterion grasp --mask layerwise --sparsity .8", "--criterion snip --mask 2:4"}) {
    CAPTURE(how);
    auto const prune = "prune --arch resnet:8:4,8,8 --data " + batch + ' ' + how + " --out ";
    REQUIRE(run(prune + ours).status == 0);
    REQUIRE(run(prune + theirs + on_torch).status == 0);
    CHECK(support::text_of(ours) == support::text_of(theirs));
  }
}

namespace {

std::string const net = "--arch resnet:8:4,8,8 --data synthetic --train-limit 256 ";
std::string const settings = net + "--test-limit 40 --batch 64 ";

}  // namespace

TEST_CASE("training on LibTorch holds the masks, and a run killed and resumed ends with the same bytes as one that was not") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const teacher = (folder / "teacher").string(), pruned = (folder / "pruned").string(), whole = (folder / "whole").string(),
             parts = (folder / "parts").string();
  REQUIRE(run("train " + settings + "--epochs 1 --out " + teacher + on_torch).status == 0);
  auto const masks = (folder / "masks").string(), whole_run = whole + ".checkpoint", parts_run = parts + ".checkpoint";
  REQUIRE(
      run("prune --arch resnet:8:4,8,8 --seed 5 --criterion magnitude --sparsity .8 --out " + pruned + " --masks-out " + masks)
          .status == 0);
  auto const command =
      "train " + settings + "--epochs 6 --teacher " + teacher + " --init " + pruned + " --mask " + masks + " --out ";
  REQUIRE(run(command + whole + on_torch).status == 0);
  CHECK(cli_test::pruned_weights_at_zero(whole_run) > 0);

  cli_test::run_until(command + parts + on_torch, parts_run);
  REQUIRE(std::stoi(io::safetensors::open(parts_run).metadata().at("epoch")) < 6);
  REQUIRE(run(command + parts + on_torch + "--resume " + parts_run).status == 0);
  CHECK(support::text_of(parts_run) == support::text_of(whole_run));
  CHECK(support::text_of(parts) == support::text_of(whole));

  auto const other = run(command + parts + " --resume " + whole_run);
  CHECK(other.status == 1);
  CHECK(other.complaint.find("engine torch and not cpu") != std::string::npos);
}

// Four steps; the rounding of a larger step soon decides other signs of a rectifier.
TEST_CASE("one epoch on LibTorch is one epoch on the CPU engine, to rounding") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const ours = (folder / "ours").string(), theirs = (folder / "theirs").string();
  auto const train = "train " + settings + "--lr 0.001 --epochs 1 --seed 2 --out ";
  REQUIRE(run(train + ours).status == 0);
  REQUIRE(run(train + theirs + on_torch).status == 0);
  auto const a = io::safetensors::open(ours), b = io::safetensors::open(theirs);
  for (auto const& tensor : a.entries()) {
    CAPTURE(tensor.name);
    CHECK(cli_test::largest_difference(a.read<double>(tensor.name), b.read<double>(tensor.name), 1) <= 1e-3);
  }
}

TEST_CASE("on LibTorch a teacher cache guides as the teacher does") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const teacher = (folder / "teacher").string(), cache = (folder / "cache").string(), live = (folder / "live").string(),
             far = (folder / "far").string();
  REQUIRE(run("train " + settings + "--epochs 1 --out " + teacher).status == 0);
  REQUIRE(run("teach " + net + on_torch + "--teacher " + teacher + " --views 0 --out " + cache).status == 0);
  auto const train = "train " + settings + "--epochs 2 --seed 3" + on_torch;
  REQUIRE(run(train + "--augment none --teacher " + teacher + " --out " + live).status == 0);
  REQUIRE(run(train + "--teacher-cache " + cache + " --out " + far).status == 0);
  auto const a = io::safetensors::open(live).read<float>("fc.weight"), b = io::safetensors::open(far).read<float>("fc.weight");
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-3));
  REQUIRE(run("teach " + net + on_torch + "--teacher " + teacher + " --views 2 --out " + cache).status == 0);
  CHECK(run(train + "--teacher-cache " + cache + " --out " + far).status == 0);
}

TEST_CASE("a comparison on LibTorch writes the same files, continues where it stopped, and stays on its engine") {
  if (!can_run()) return;
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const csv = out + "/results.csv";
  auto const command =
      "compare --data synthetic --train-limit 128 --test-limit 40 --arch resnet:8:4,4,4 --batch 64 --teacher-epochs 1 --epochs 1 "
      "--seeds 1 --samples 2 --criteria feature_map_synaptic,snip,grasp,synflow:rounds=3,random --sparsities .5 --out " +
      out;
  REQUIRE(run(command + on_torch).status == 0);
  auto const rows = cli_test::lines_of(support::text_of(csv));
  REQUIRE(rows.size() == 1 + 5);

  std::string cut;
  for (std::size_t i = 0; i < 3; ++i) cut += rows[i] + '\n';
  std::ofstream(csv) << cut << "gra";
  REQUIRE(run(command + on_torch).status == 0);
  auto const continued = cli_test::lines_of(support::text_of(csv));
  REQUIRE(continued.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    CHECK(cli_test::without_seconds(continued[i]) == cli_test::without_seconds(rows[i]));

  auto const refused = run(command);
  CHECK(refused.status == 2);
  CHECK(refused.complaint.find("engine torch and not cpu") != std::string::npos);
}
