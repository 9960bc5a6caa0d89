// The command line on networks that PyTorch exported: --model stands for the architecture and the weights.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>

#include "../repository.hpp"
#include "../skip.hpp"
#include "support.hpp"

using namespace lnpt;
using cli_test::run;

namespace {

std::string fixture(std::string const& name) { return (test::repository() / "tests/io/exported" / name).string(); }

}  // namespace

TEST_CASE("a .pt2 network is shown, scored and pruned under its own names") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const model = fixture("joins.pt2"), pruned = (folder / "pruned.pt2").string(),
             state = (folder / "pruned.safetensors").string();

  CHECK(support::says(run("inspect " + model).output, "hidden.weight"));
  auto const scores = (folder / "scores.safetensors").string();
  REQUIRE(run("score --model " + model + " --criterion magnitude --out " + scores).status == 0);
  CHECK(io::safetensors::open(scores).contains("excite.weight"));

  auto const prune = "prune --model " + model + " --criterion magnitude --sparsity .75 --out ";
  REQUIRE(run(prune + pruned).status == 0);
  REQUIRE(run(prune + state).status == 0);
  io::exported::program const before(io::byte_source::open(model));
  auto const file = io::safetensors::open(state);
  CHECK(file.entries().size() == before.state_size());
  std::size_t zeros = 0, weights = 0;
  auto network = io::load_exported<cpu::backend<float>>(pruned);
  for (auto const& p : network.parameters()) {
    CAPTURE(p.name);
    CHECK(file.read<float>(p.name) == values_of(*p.value));
    if (!is_prunable(p.role)) continue;
    zeros += static_cast<std::size_t>(std::ranges::count(values_of(*p.value), 0.0F));
    weights += size_of(*p.value);
  }
  CHECK(zeros == weights * 3 / 4);

  auto const small = (folder / "small.pt2").string(), masks = (folder / "masks.safetensors").string();
  REQUIRE(run("prune --model " + model + " --criterion magnitude --mask channels --budget channels:.5 --shrink --out " + small +
              " --masks-out " + masks)
              .status == 0);
  auto const kept = io::safetensors::open(masks);
  auto smaller = io::load_exported<cpu::backend<float>>(small);
  for (auto const& p : smaller.parameters())
    if (is_prunable(p.role)) CHECK(kept.info("mask." + p.name).shape == shape_of(*p.value));

  CHECK(support::says(run("inspect --model " + pruned).output, "hidden.weight"));
  CHECK(support::says(
      run("prune --model " + fixture("line.safetensors") + " --criterion magnitude --sparsity .5 --out " + state).complaint,
      "is no architecture"));
  auto const misnamed = run("prune --arch mlp:4,3 --criterion magnitude --sparsity .5 --out " + pruned);
  CHECK(misnamed.status == 2);
  CHECK(support::says(misnamed.complaint, "is written from a .pt2 network"));
}

TEST_CASE("logits go to a file, masks alone are shown, and a network in the place of weights is refused") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const model = fixture("own.pt2"), logits = (folder / "logits.safetensors").string();
  auto const images = io::safetensors::open(fixture("own.safetensors"));
  io::safetensors::writer batch;
  batch.add("input", images.info("input").shape, images.read<float>("input"));
  batch.add("labels", images.info("labels").shape, images.read<std::int64_t>("labels"));
  auto const data = (folder / "batch.safetensors").string();
  batch.save(data);
  REQUIRE(run("evaluate --model " + model + " --data " + data + " --logits " + logits).status == 0);
  auto const found = io::safetensors::open(logits).read<double>("logits"), expected = images.read<double>("logits.eval");
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-4).scale(1));

  auto const masks = (folder / "masks.safetensors").string(), pruned = (folder / "pruned.pt2").string();
  REQUIRE(
      run("prune --model " + model + " --criterion magnitude --sparsity .5 --out " + pruned + " --masks-out " + masks).status ==
      0);
  CHECK(run("inspect " + masks).output == run("inspect " + pruned).output);
  CHECK(support::says(run("prune --model " + model + " --criterion teacher_guided --sparsity .5 --data " + data + " --teacher " +
                          model + " --out " + pruned)
                          .complaint,
                      "is a whole network: name it with --teacher-model"));
}

TEST_CASE("a state_dict brings a .pt2 network other weights, in the shapes and under the names of its module") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const masks = (folder / "masks").string(), weights = (folder / "weights.safetensors").string(),
             again = (folder / "again.safetensors").string(), program = (folder / "again.pt2").string();
  for (auto const* const name : {"line.pt2", "layers.pt2", "joins.pt2"}) {  // over a line; with a shared weight; with counters
    CAPTURE(name);
    auto const model = "--model " + fixture(name) + ' ';
    REQUIRE(run("prune " + model + "--criterion random --sparsity .5 --out " + weights + " --masks-out " + masks).status == 0);
    auto const brought = "prune " + model + "--weights " + weights + " --criterion magnitude --sparsity .5 --out ";
    REQUIRE(run(brought + again).status == 0);
    auto const file = io::safetensors::open(weights), copy = io::safetensors::open(again);
    for (auto const& tensor : file.entries()) CHECK(copy.read<double>(tensor.name) == file.read<double>(tensor.name));
    REQUIRE(run(brought + program + " --masks " + masks).status == 0);
    auto const kept = io::safetensors::open(masks);
    for (auto const& tensor : kept.entries()) CHECK(tensor.shape == file.info(tensor.name.substr(5)).shape);
    auto network = io::load_exported<cpu::backend<float>>(program);
    for (auto const& p : network.parameters()) CHECK(values_of(*p.value) == file.read<float>(p.name));
  }
  auto const strange = run("score --model " + fixture("line.pt2") + " --weights " + weights + " --criterion magnitude");
  CHECK(strange.status == 1);
  CHECK(support::says(strange.complaint, "line.pt2 does not have"));
}

TEST_CASE("features are another result of the network where one is named") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const scores = (folder / "scores.safetensors").string();
  auto const score = "score --model " + fixture("own.pt2") + " --teacher-model " + fixture("own.pt2") + " --data " +
                     fixture("own.safetensors") + " --loss feature_mse --temperature 4 --criterion snip --out " + scores;
  REQUIRE(run(score).status == 0);
  CHECK(io::safetensors::open(scores).contains("hidden.weight"));  // which the classifier reads
  REQUIRE(run(score + " --features output:1 --teacher-features output:1").status == 0);
  CHECK(io::safetensors::open(scores).contains("stem.weight"));
  CHECK_FALSE(io::safetensors::open(scores).contains("hidden.weight"));  // behind the second result

  auto const refused = [&](std::string const& flags, int status, std::string const& sentence) {
    auto const done = run(score + flags);
    CHECK(done.status == status);
    CHECK(support::says(done.complaint, sentence));
  };
  CHECK(run(score + " --features output:1").status == 0);  // and of the teacher, which is the same file
  refused(" --features output:1 --teacher-features output:0", 1,
          "the student's features are [4, 6] but the teacher's are [4, 10]");
  refused(" --features output:3", 1, "returns 3 results, of which number 3 is no tensor");
  refused(" --features hidden", 2, "write output:N");
  auto const zoo = run("score --arch mlp:4,3 --criterion magnitude --features output:1");
  CHECK(zoo.status == 2);
  CHECK(support::says(zoo.complaint, "--features is for networks that PyTorch exported"));
}

namespace {

std::string const images = " --data synthetic --train-limit 96 --test-limit 20 ";
std::string const epoch = images + "--batch 32 --epochs 1 ";

/// Whether both files hold the same network, under every name of its state_dict.
void check_same(std::string const& program, std::string const& state) {
  io::exported::program const source(io::byte_source::open(program));
  auto const file = io::safetensors::open(state);
  CHECK(file.entries().size() == source.state_size());
  for (std::size_t i = 0; i < source.state_size(); ++i) {
    auto const& tensor = source.tensors()[i];
    CAPTURE(tensor.name);
    CHECK(file.info(tensor.name).dtype == tensor.dtype);
    CHECK(file.info(tensor.name).shape == tensor.extents);
    if (tensor.dtype == io::dtype::f32)
      CHECK(file.read<float>(tensor.name) == io::exported::read_values<float>(source.archive(), tensor));
  }
}

}  // namespace

TEST_CASE("a .pt2 network is trained under masks and written as a program or as its state_dict, with the same values") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  REQUIRE(run("prune --model " + fixture("own.pt2") + " --criterion magnitude --sparsity .5 --out " + at("pruned.pt2") +
              " --masks-out " + at("masks"))
              .status == 0);
  auto const train = "train --model " + at("pruned.pt2") + " --mask " + at("masks") + epoch + "--out ";
  REQUIRE(run(train + at("trained.pt2")).status == 0);
  REQUIRE(run(train + at("trained.safetensors")).status == 0);
  check_same(at("trained.pt2"), at("trained.safetensors"));
  // Three steps more than before, in place too, and after a run that goes on.
  auto const counted = [&](std::string const& program) {
    io::exported::program const source(io::byte_source::open(program));
    auto const found = std::ranges::find(source.tensors(), "stem_norm.num_batches_tracked", &io::exported::stored_tensor::name);
    return io::exported::read_values<std::int64_t>(source.archive(), *found).front();
  };
  auto const at_first = counted(fixture("own.pt2"));
  CHECK(counted(at("trained.pt2")) == at_first + 3);
  CHECK(io::safetensors::open(at("trained.safetensors")).read<std::int64_t>("stem_norm.num_batches_tracked").front() ==
        at_first + 3);
  std::filesystem::copy_file(fixture("own.pt2"), at("IN_PLACE.PT2"));  // whose name is in upper case
  auto const in_place = "train --model " + at("IN_PLACE.PT2") + images + "--batch 32 --epochs 2 --out " + at("IN_PLACE.PT2");
  REQUIRE(run(in_place).status == 0);
  CHECK(counted(at("IN_PLACE.PT2")) == at_first + 6);
  REQUIRE(run("prune --model " + at("trained.pt2") +
              " --criterion magnitude --mask channels --budget channels:.3 --shrink --out " + at("small.safetensors"))
              .status == 0);
  CHECK(io::safetensors::open(at("small.safetensors")).read<std::int64_t>("stem_norm.num_batches_tracked").front() ==
        at_first + 3);
  REQUIRE(run(in_place + " --resume " + at("IN_PLACE.PT2.checkpoint")).status == 0);
  CHECK(counted(at("IN_PLACE.PT2")) == at_first + 6);

  auto pruned = io::load_exported<cpu::backend<float>>(at("pruned.pt2")),
       trained = io::load_exported<cpu::backend<float>>(at("trained.pt2"));
  for (std::size_t i = 0; auto const& p : trained.parameters()) {
    CAPTURE(p.name);
    auto const before = values_of(*pruned.parameters()[i++].value), after = values_of(*p.value);
    CHECK(before != after);
    if (is_prunable(p.role)) CHECK(std::ranges::count(before, 0.0F) == std::ranges::count(after, 0.0F));
  }

  auto const evaluate = [&](std::string const& what) { return run("evaluate --json --model " + what + images); };
  REQUIRE(evaluate(at("trained.pt2")).status == 0);
  CHECK(evaluate(at("trained.pt2")).output == evaluate(fixture("own.pt2") + " --weights " + at("trained.safetensors")).output);

  auto const learn = "train --model " + at("pruned.pt2") + epoch + "--augment none --out " + at("student.pt2");
  REQUIRE(run(learn + " --teacher-model " + at("trained.pt2")).status == 0);
  auto const live = support::text_of(at("student.pt2"));
  REQUIRE(run("teach --model " + at("trained.pt2") + images + "--views 0 --out " + at("cache")).status == 0);
  REQUIRE(run(learn + " --teacher-cache " + at("cache")).status == 0);
  CHECK(live.size() == support::text_of(at("student.pt2")).size());
  REQUIRE(run("train --model " + fixture("own.pt2") + " --init " + at("trained.safetensors") + epoch + "--out " + at("on.pt2"))
              .status == 0);

  auto const other = run("evaluate --model " + fixture("joins.pt2") + images);
  CHECK(other.status == 1);
  CHECK(support::says(other.complaint, "joins.pt2 reads samples of shape [2, 10, 11] and not [3, 32, 32]"));
}

TEST_CASE("a comparison of a .pt2 network draws fresh weights for each seed, or keeps the file's") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const compare = "compare --model " + fixture("own.pt2") + epoch +
                       "--teacher-epochs 1 --seeds 2 --samples 2 --criteria snip,random --sparsities .5 --out ";
  auto const classifier = [&](std::string const& run_name, int seed) {
    return io::safetensors::open(folder / run_name / ("teacher-seed" + std::to_string(seed) + ".safetensors"))
        .read<float>("gate.bias");
  };
  REQUIRE(run(compare + (folder / "fresh").string()).status == 0);
  REQUIRE(run(compare + (folder / "kept").string() + " --keep-weights --lr 0").status == 0);
  auto network = io::load_exported<cpu::backend<float>>(fixture("own.pt2"));
  for (auto const& p : network.parameters())
    if (p.name == "gate.bias") {
      CHECK(classifier("kept", 0) == values_of(*p.value));
      CHECK(classifier("kept", 1) == values_of(*p.value));
      CHECK(classifier("fresh", 0) != values_of(*p.value));
    }
  CHECK(classifier("fresh", 0) != classifier("fresh", 1));

  // Another file under that name: fresh students have the layers of it alone.
  auto const moved = (folder / "net.pt2").string();
  auto compare_moved = compare;
  compare_moved.replace(compare.find(fixture("own.pt2")), fixture("own.pt2").size(), moved);
  std::filesystem::copy_file(fixture("own.pt2"), moved);
  REQUIRE(run(compare_moved + (folder / "kept").string() + " --keep-weights --lr 0").status == 0);
  REQUIRE(run(compare_moved + (folder / "fresh").string()).status == 0);
  REQUIRE(run("prune --model " + moved + " --criterion magnitude --sparsity .5 --out " + moved).status == 0);
  auto const other = run(compare_moved + (folder / "kept").string() + " --keep-weights --lr 0");
  CHECK(other.status == 2);
  CHECK(support::says(other.complaint, "of another network than " + moved + " holds now"));
  CHECK(run(compare_moved + (folder / "fresh").string()).status == 0);
  CHECK(support::says(run(compare_moved + (folder / "fresh").string() + " --keep-weights").complaint,
                      "keep-weights none and not 1"));
}

TEST_CASE("lines are scored on as [samples, channels, length]") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  auto const done = run("score --json --model " + fixture("line.pt2") + " --teacher-model " + fixture("line.pt2") + " --data " +
                        fixture("line.safetensors") + " --criterion snip --loss pseudo_label");
  CHECK(done.status == 0);
  CHECK(support::says(done.output, "wide.weight"));
}
