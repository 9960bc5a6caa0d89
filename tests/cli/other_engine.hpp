#pragma once
/// What holds of every engine but the CPU's: --engine NAME does what the library's own engine on the CPU does.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>

#include "../repository.hpp"
#include "interruption.hpp"
#include "oracle_cases.hpp"
#include "support.hpp"

namespace cli_test {

/// An engine by its name, its flags, and the sizes of what it trains here.
struct other_engine {
  std::string name;
  std::string flags;
  std::string sizes = "--train-limit 256 --test-limit 40 --batch 64 ";
};

/// The largest difference between two files of scores, as a fraction of each parameter's largest.
inline double difference(std::string const& a, std::string const& b) {
  auto const ours = lnpt::io::safetensors::open(a), theirs = lnpt::io::safetensors::open(b);
  REQUIRE(ours.entries().size() == theirs.entries().size());
  double worst = 0;
  for (auto const& tensor : ours.entries())
    worst = std::max(worst, largest_difference(ours.read<double>(tensor.name), theirs.read<double>(tensor.name), 1));
  return worst;
}

/// A batch of noise with labels, for networks of 10 classes.
inline void write_batch(std::string const& path, std::size_t samples, std::size_t side) {
  std::vector<float> input(samples * 3 * side * side);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(lnpt::normal(4, i).first);
  std::vector<std::int64_t> labels(samples);
  for (std::size_t i = 0; i < samples; ++i) labels[i] = static_cast<std::int64_t>(i * 7 % 10);
  lnpt::io::safetensors::writer writer;
  writer.add("input", {samples, 3, side, side}, input);
  writer.add("labels", {samples}, labels);
  writer.save(path);
}

inline std::string const trained_net = "--arch resnet:8:4,8,8 --data synthetic ";
inline std::string const training_settings = trained_net + "--train-limit 256 --test-limit 40 --batch 64 ";

/// In float both engines give the oracle networks' scores to 2e-4.
inline void check_scores_in_float(other_engine const& other) {
  support::temporary_folder const folder;
  auto const ours = (folder / "ours").string(), theirs = (folder / "theirs").string();
  for (std::string const name : {"mlp", "resnet20_w8_bn_train"})
    for (std::string const criterion : {"snip", "grasp", "synflow --rounds 1", "feature_map_synaptic"}) {
      auto const score = "score " + inputs(name) + " --precision float --criterion " + criterion + " --out ";
      CAPTURE(score);
      REQUIRE(run(score + ours).status == 0);
      REQUIRE(run(score + theirs + other.flags).status == 0);
      CHECK(difference(ours, theirs) <= 2e-4);
    }
}

/// Every architecture scores alike on both engines, from the same fresh weights.
inline void check_architectures(other_engine const& other) {
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
      REQUIRE(run(score + theirs + other.flags).status == 0);
      CHECK(difference(ours, theirs) <= 1e-9);
    }
  }
}

inline std::filesystem::path exported_fixtures() { return test::repository() / "tests/io/exported"; }

/// Networks that PyTorch exported score alike on both engines, and are trained.
inline void check_exported_networks(other_engine const& other) {
  support::temporary_folder const folder;
  auto const ours = (folder / "ours").string(), theirs = (folder / "theirs").string();
  auto const teacher = (folder / "teacher.pt2").string();
  for (std::string const name : {"own", "joins"}) {
    auto const file = (exported_fixtures() / name).string();
    REQUIRE(run("prune --model " + file + ".pt2 --criterion magnitude --sparsity .2 --out " + teacher).status == 0);
    for (std::string const criterion :
         {"snip", "grasp", "obd", "--loss feature_gap --criterion snip", "feature_map_synaptic --curvature hessian_gradient"}) {
      auto const score = "score --model " + file + ".pt2 --teacher-model " + teacher + " --data " + file +
                         ".safetensors --batch-norm frozen " + (criterion.starts_with("--") ? "" : "--criterion ") + criterion +
                         " --out ";
      CAPTURE(score);
      REQUIRE(run(score + ours).status == 0);
      REQUIRE(run(score + theirs + other.flags).status == 0);
      CHECK(difference(ours, theirs) <= 1e-9);
    }
  }
  auto const out = (folder / "trained.pt2").string();
  REQUIRE(run("train --model " + (exported_fixtures() / "own.pt2").string() +
              " --data synthetic --train-limit 64 --test-limit 20 --batch 32 " + "--epochs 1 --out " + out + other.flags)
              .status == 0);
  CHECK(run("evaluate --model " + out + " --data synthetic --train-limit 64 --test-limit 20" + other.flags).status == 0);
}

/// Pruning in rounds and by channels leaves the same file on both engines.
inline void check_pruning(other_engine const& other) {
  support::temporary_folder const folder;
  auto const batch = (folder / "batch").string(), ours = (folder / "ours").string(), theirs = (folder / "theirs").string();
  write_batch(batch, 12, 16);
  for (std::string const how :
       {"--criterion snip --rounds 4 --sparsity .9", "--criterion synflow --sparsity .95",
        "--criterion snip --mask channels --sparsity .5", "--criterion grasp --mask layerwise --sparsity .8",
        "--criterion snip --mask 2:4", "--criterion hrank --mask channels --sparsity .5"}) {
    CAPTURE(how);
    auto const prune = "prune --arch resnet:8:4,8,8 --data " + batch + ' ' + how + " --out ";
    REQUIRE(run(prune + ours).status == 0);
    REQUIRE(run(prune + theirs + other.flags).status == 0);
    CHECK(support::text_of(ours) == support::text_of(theirs));
  }
}

/// Training holds the masks, and a run killed and resumed ends with the same bytes as one that was not.
inline void check_training_and_resumption(other_engine const& other) {
  support::temporary_folder const folder;
  auto const teacher = (folder / "teacher").string(), pruned = (folder / "pruned").string(), whole = (folder / "whole").string(),
             parts = (folder / "parts").string();
  REQUIRE(run("train " + training_settings + "--epochs 1 --out " + teacher + other.flags).status == 0);
  auto const masks = (folder / "masks").string(), whole_run = whole + ".checkpoint", parts_run = parts + ".checkpoint";
  REQUIRE(
      run("prune --arch resnet:8:4,8,8 --seed 5 --criterion magnitude --sparsity .8 --out " + pruned + " --masks-out " + masks)
          .status == 0);
  auto const command =
      "train " + training_settings + "--epochs 6 --teacher " + teacher + " --init " + pruned + " --mask " + masks + " --out ";
  REQUIRE(run(command + whole + other.flags).status == 0);
  CHECK(pruned_weights_at_zero(whole_run) > 0);

  run_until(command + parts + other.flags, parts_run);
  REQUIRE(std::stoi(lnpt::io::safetensors::open(parts_run).metadata().at("epoch")) < 6);
  REQUIRE(run(command + parts + other.flags + "--resume " + parts_run).status == 0);
  CHECK(support::text_of(parts_run) == support::text_of(whole_run));
  CHECK(support::text_of(parts) == support::text_of(whole));

  // What one engine began another goes on with, in the same settings.
  auto const refused = run(command + parts + " --lr 0.05 --resume " + whole_run);
  CHECK(refused.status == 2);
  CHECK(refused.complaint.find("lr 0.1 and not 0.05") != std::string::npos);
  CHECK(run(command + parts + " --resume " + whole_run).status == 0);
  CHECK(support::text_of(parts) == support::text_of(whole));
}

/// One epoch is one epoch on the CPU engine, to rounding: four steps, since the rounding of a larger step soon decides other signs of a rectifier.
inline void check_one_epoch(other_engine const& other) {
  support::temporary_folder const folder;
  auto const ours = (folder / "ours").string(), theirs = (folder / "theirs").string();
  auto const train = "train " + trained_net + other.sizes + "--lr 0.001 --epochs 1 --seed 2 --out ";
  REQUIRE(run(train + ours).status == 0);
  REQUIRE(run(train + theirs + other.flags).status == 0);
  auto const a = lnpt::io::safetensors::open(ours), b = lnpt::io::safetensors::open(theirs);
  for (auto const& tensor : a.entries()) {
    CAPTURE(tensor.name);
    CHECK(largest_difference(a.read<double>(tensor.name), b.read<double>(tensor.name), 1) <= 1e-3);
  }
}

/// A teacher cache guides as the teacher does.
inline void check_teacher_cache(other_engine const& other) {
  support::temporary_folder const folder;
  auto const teacher = (folder / "teacher").string(), cache = (folder / "cache").string(), live = (folder / "live").string(),
             far = (folder / "far").string();
  REQUIRE(run("train " + training_settings + "--epochs 1 --out " + teacher).status == 0);
  REQUIRE(run("teach " + trained_net + "--train-limit 256 " + other.flags + "--teacher " + teacher + " --views 0 --out " + cache)
              .status == 0);
  auto const train = "train " + training_settings + "--epochs 2 --seed 3" + other.flags;
  REQUIRE(run(train + "--augment none --teacher " + teacher + " --out " + live).status == 0);
  REQUIRE(run(train + "--teacher-cache " + cache + " --out " + far).status == 0);
  auto const a = lnpt::io::safetensors::open(live).read<float>("fc.weight"),
             b = lnpt::io::safetensors::open(far).read<float>("fc.weight");
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-3));
  REQUIRE(run("teach " + trained_net + "--train-limit 256 " + other.flags + "--teacher " + teacher + " --views 2 --out " + cache)
              .status == 0);
  CHECK(run(train + "--teacher-cache " + cache + " --out " + far).status == 0);
}

/// A comparison writes the same files, continues where it stopped, and stays on its engine.
inline void check_comparison(other_engine const& other) {
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const csv = out + "/results.csv";
  auto const command =
      "compare --data synthetic --train-limit 128 --test-limit 40 --arch resnet:8:4,4,4 --batch 64 --teacher-epochs 1 --epochs 1 "
      "--seeds 1 --samples 2 --criteria feature_map_synaptic,snip,grasp,synflow:rounds=3,random --sparsities .5 --out " +
      out;
  REQUIRE(run(command + other.flags).status == 0);
  auto const rows = lines_of(support::text_of(csv));
  REQUIRE(rows.size() == 1 + 5);

  std::string cut;
  for (std::size_t i = 0; i < 3; ++i) cut += rows[i] + '\n';
  std::ofstream(csv) << cut << "gra";
  REQUIRE(run(command + other.flags).status == 0);
  auto const continued = lines_of(support::text_of(csv));
  REQUIRE(continued.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(without_seconds(continued[i]) == without_seconds(rows[i]));

  auto const refused = run(command);
  CHECK(refused.status == 2);
  CHECK(refused.complaint.find("engine " + other.name + " and not cpu") != std::string::npos);
}

}  // namespace cli_test
