// Images without labels: whatever reads none takes them and gives the same, and whatever reads some says so.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>

#include "../skip.hpp"
#include "support.hpp"

using cli_test::run;

namespace {

constexpr std::size_t count = 64;

/// The same 64 images of ten classes or fewer, with labels for training and for testing where they are asked for; those for testing are of the first
/// eight classes.
std::string write_images(std::filesystem::path const& path, bool labelled, bool tested, std::size_t classes = 10) {
  std::vector<std::uint8_t> pixels(count * 3 * 8 * 8);
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(lnpt::random_bits(3, i) >> 56);
  for (std::size_t i = 0; i < count; ++i) labels.push_back(static_cast<std::int64_t>(i % classes));
  lnpt::io::safetensors::writer writer;
  writer.add("input", {count, 3, 8, 8}, pixels);
  if (labelled) writer.add("labels", {count}, labels);
  if (tested) {
    writer.add("test_input", {8, 3, 8, 8}, std::vector<std::uint8_t>(pixels.begin(), pixels.begin() + 8 * 3 * 8 * 8));
    writer.add("test_labels", {8}, std::vector<std::int64_t>(labels.begin(), labels.begin() + 8));
  }
  writer.save(path);
  return path.string();
}

/// Labelled images, the same without labels, and a teacher of the first.
struct images_and_teacher {
  support::temporary_folder folder;
  std::string labelled = write_images(folder / "labelled.safetensors", true, false);
  std::string plain = write_images(folder / "plain.safetensors", false, false);
  std::string net = "--arch resnet:8:4,4,4 ";
  std::string teacher = at("teacher");

  images_and_teacher() {
    REQUIRE(run("train " + net + "--data " + labelled + " --epochs 1 --batch 32 --out " + teacher).status == 0);
  }
  [[nodiscard]] std::string at(std::string const& name) const { return (folder / name).string(); }
};

/// The named tensors, or all.
std::vector<float> values_of(std::string const& path) {
  auto const file = lnpt::io::safetensors::open(path);
  std::vector<float> all;
  for (auto const& name : file.names()) {
    auto const here = file.read<float>(name);
    all.insert(all.end(), here.begin(), here.end());
  }
  return all;
}

}  // namespace

TEST_CASE("no images to test on are no result of 0 %") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const path = (folder / "empty.safetensors").string();
  lnpt::io::safetensors::writer writer;
  writer.add("input", {4, 3, 8, 8}, std::vector<std::uint8_t>(4 * 3 * 8 * 8, 7));
  writer.add("labels", {4}, std::vector<std::int64_t>{0, 1, 2, 3});
  writer.add("test_input", {0, 3, 8, 8}, std::vector<std::uint8_t>{});
  writer.add("test_labels", {0}, std::vector<std::int64_t>{});
  writer.save(path);
  auto const trained =
      run("train --arch resnet:8:4,4,4 --data " + path + " --epochs 1 --batch 2 --out " + (folder / "no").string());
  CHECK(trained.status == 1);
  CHECK(support::says(trained.complaint, "holds no images to test on"));
  lnpt::io::safetensors::writer without_images;
  without_images.add("input", {4, 3, 8, 8}, std::vector<std::uint8_t>(4 * 3 * 8 * 8, 7));
  without_images.add("labels", {4}, std::vector<std::int64_t>{0, 1, 2, 3});
  without_images.add("test_labels", {4}, std::vector<std::int64_t>{3, 2, 1, 0});
  without_images.save(path);
  auto const evaluated = run("evaluate --arch resnet:8:4,4,4 --weights none --data " + path);
  CHECK(support::says(evaluated.complaint, "has test_labels and no test_input"));
}

TEST_CASE("what reads no labels takes images without them, and gives the same as with them") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  images_and_teacher const given;
  auto const with = [&](std::string const& command, std::string const& data) {
    auto const out = given.at("out");
    auto const done = run(command + " --data " + data + " --out " + out);
    REQUIRE_MESSAGE(done.status == 0, done.complaint);
    return values_of(out);
  };
  for (auto const& command : {"prune " + given.net + "--teacher " + given.teacher + " --criterion lnpt --sparsity .5",
                              "score " + given.net + "--teacher " + given.teacher + " --criterion snip --loss pseudo_label"}) {
    CAPTURE(command);
    CHECK(with(command, given.plain) == with(command, given.labelled));
  }
  auto const robust = "robustness " + given.net + "--weights " + given.teacher + " --mean 0 --std 1 --steps 2 --json --data ";
  auto const moved = run(robust + given.plain);
  REQUIRE_MESSAGE(moved.status == 0, moved.complaint);
  CHECK(moved.output == run(robust + given.labelled).output);

  auto const teach = "teach " + given.net + "--teacher " + given.teacher + " --views 1 --out ";
  auto const taught = run(teach + given.at("plain.cache") + " --data " + given.plain + " --json");
  REQUIRE_MESSAGE(taught.status == 0, taught.complaint);
  auto const told = nlohmann::json::parse(taught.output);
  CHECK(told["outputs"] == 10);
  CHECK_FALSE(told.contains("accuracy"));
  CHECK(support::says(run(teach + given.at("plain.cache") + " --data " + given.plain).output, "no labels say how often"));
  REQUIRE(run(teach + given.at("labelled.cache") + " --data " + given.labelled).status == 0);
  CHECK(values_of(given.at("plain.cache")) == values_of(given.at("labelled.cache")));

  auto const logits = run("evaluate " + given.net + "--weights " + given.teacher + " --data " + given.plain +
                          " --json --logits " + given.at("logits"));
  REQUIRE_MESSAGE(logits.status == 0, logits.complaint);
  CHECK_FALSE(nlohmann::json::parse(logits.output).contains("accuracy"));
  CHECK(values_of(given.at("logits")).size() == 10 * count);
}

TEST_CASE("labels of classes that a network does not tell apart are no wrong decisions") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  images_and_teacher const given;
  auto const few = given.at("few");
  REQUIRE(run("prune " + given.net + "--classes 5 --input 3,8,8 --criterion magnitude --sparsity 0 --out " + few).status == 0);
  auto const refused = [&](std::string const& command, std::string const& sentence) {
    CAPTURE(command);
    auto const done = run(command + " --data " + given.labelled);
    CHECK(done.status == 1);
    CHECK(support::says(done.complaint, given.labelled + ": label 5 of sample 5 is out of range: " + sentence));
  };
  std::string const apart = "the network tells 5 classes apart, so labels go from 0 to 4";
  auto const mlp = "--arch mlp:192,6,5 --epochs 1 --batch 32 --out " + given.at("no");
  refused("evaluate " + given.net + "--weights " + few, "the model has 5 classes, so labels go from 0 to 4");
  refused("train " + mlp, apart);
  refused("train " + given.net + "--epochs 1 --batch 32 --init " + few + " --out " + given.at("no"), apart);
  refused("train " + given.net + "--epochs 1 --batch 32 --teacher " + few + " --out " + given.at("no"), apart);
  refused("teach " + given.net + "--teacher " + few + " --out " + given.at("no"), apart);
  refused("prune " + given.net + "--weights " + few + " --criterion snip --sparsity .5 --out " + given.at("no"), apart);
  refused(
      "prune " + given.net + "--weights " + few + " --method eagle_eye --budget flops:.3 --judge labels --out " + given.at("no"),
      apart);
  refused("compare " + mlp, apart);
  refused("study merging " + mlp, apart);
  refused("study trainability --arch mlp:192,6,5 --out " + given.at("no"), apart);
  CHECK_FALSE(std::filesystem::exists(given.at("no")));
  auto const typed = run("evaluate " + given.net + "--weights " + few + " --classes 4 --data " + given.plain + " --logits x");
  CHECK(typed.status == 2);
  CHECK(support::says(typed.complaint, "--classes says 4, and the network tells 5 classes apart"));
}

TEST_CASE("networks have the classes of their weights, their teacher or --classes, be they all among the labels or not") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  images_and_teacher const given;
  auto const nine = write_images(given.folder / "nine.safetensors", true, false, 9);
  auto const classes = [&](std::string const& command, char const* tensor = "fc.weight") {
    auto const done = run(command + " --data " + nine + " --out " + given.at("out"));
    REQUIRE_MESSAGE(done.status == 0, done.complaint);
    auto const extents = lnpt::io::safetensors::open(given.at("out")).info(tensor).shape;
    return extents[tensor == std::string("output") ? 1 : 0];
  };
  auto const train = "train " + given.net + "--epochs 1 --batch 32";
  CHECK(classes(train) == 9);
  CHECK(classes(train + " --classes 12") == 12);
  CHECK(classes(train + " --init " + given.teacher) == 10);
  CHECK(classes(train + " --teacher " + given.teacher) == 10);
  CHECK(classes("train --arch mlp:192,6,11 --epochs 1 --batch 32") == 11);
  CHECK(classes("teach " + given.net + "--views 0 --teacher " + given.teacher, "output") == 10);
  std::filesystem::rename(given.at("out"), given.at("cache"));
  CHECK(classes(train + " --teacher-cache " + given.at("cache")) == 10);
  CHECK(classes("prune " + given.net + "--sparsity .5 --teacher " + given.teacher) == 10);
  auto const compared =
      run("compare --arch mlp:192,6,11 --epochs 1 --teacher-epochs 1 --seeds 1 --batch 32 --samples 1 --criteria "
          "random --sparsities .5 --data " +
          nine + " --out " + given.at("runs"));
  CHECK_MESSAGE(compared.status == 0, compared.complaint);
}

TEST_CASE("a student learns from a teacher on images without any labels, and is held against the teacher") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  images_and_teacher const given;
  auto const train =
      "train " + given.net + "--epochs 1 --batch 32 --augment none --data " + given.plain + " --out " + given.at("student");
  auto const teach = "teach " + given.net + "--teacher " + given.teacher + " --data " + given.plain + " --out ";
  auto const live = run(train + " --json --teacher " + given.teacher);
  REQUIRE_MESSAGE(live.status == 0, live.complaint);
  CHECK(support::says(live.complaint, "accuracy is not measured; how often the student decides as the teacher on 64 images is"));
  auto const told = nlohmann::json::parse(live.output);
  CHECK(told["last_agreement"].is_number());
  CHECK_FALSE(told.contains("last_accuracy"));
  CHECK(support::says(run(train + " --teacher " + given.teacher).output, "agreement with the teacher "));

  // A teacher agrees with itself on every image, but for what a rate of 0 leaves of batch norm's statistics.
  auto const itself = "train --arch mlp:192,6,10 --epochs 1 --batch 32 --augment none --lr 0 --json --data " + given.plain;
  REQUIRE(run("train --arch mlp:192,6,10 --epochs 1 --batch 32 --data " + given.labelled + " --out " + given.at("mlp")).status ==
          0);
  auto const same = run(itself + " --init " + given.at("mlp") + " --teacher " + given.at("mlp") + " --out " + given.at("same"));
  REQUIRE_MESSAGE(same.status == 0, same.complaint);
  CHECK(nlohmann::json::parse(same.output)["last_agreement"] == 1.0);

  REQUIRE(run(teach + given.at("plain.cache") + " --views 0").status == 0);
  auto const cached = run(train + " --json --teacher-cache " + given.at("plain.cache"));
  REQUIRE_MESSAGE(cached.status == 0, cached.complaint);
  CHECK(nlohmann::json::parse(cached.output)["last_agreement"].is_number());
  REQUIRE(run(teach + given.at("views.cache") + " --views 1").status == 0);
  auto const views = "train " + given.net + "--epochs 1 --batch 32 --data " + given.plain + " --out " + given.at("student") +
                     " --teacher-cache " + given.at("views.cache");
  auto const nothing = run(views + " --json");
  REQUIRE_MESSAGE(nothing.status == 0, nothing.complaint);
  CHECK(support::says(nothing.complaint, "the teacher cache does not say what the teacher decides on these images"));
  CHECK_FALSE(nlohmann::json::parse(nothing.output).contains("last_agreement"));
  CHECK(support::says(run(views).output, "after 1 epoch\n"));
}

TEST_CASE("a student learns from a teacher on images without labels, where those for testing have some") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  images_and_teacher const given;
  auto const tested = write_images(given.folder / "tested.safetensors", false, true);
  auto const labelled = write_images(given.folder / "both.safetensors", true, true);
  auto const cache = given.at("cache");
  REQUIRE(run("teach " + given.net + "--teacher " + given.teacher + " --views 0 --data " + tested + " --out " + cache).status ==
          0);
  for (auto const& teacher : {"--teacher " + given.teacher, "--teacher-cache " + cache}) {
    CAPTURE(teacher);
    auto const train = "train " + given.net + teacher + " --epochs 1 --batch 32 --json --out ";
    auto const done = run(train + given.at("student") + " --data " + tested);
    REQUIRE_MESSAGE(done.status == 0, done.complaint);
    auto const same = run(train + given.at("same") + " --data " + labelled);
    CHECK(done.output == same.output);
    CHECK(values_of(given.at("student")) == values_of(given.at("same")));
  }
}

TEST_CASE("what reads labels says so where there are none, before it does anything") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  images_and_teacher const given;
  auto const refused = [&](std::string const& command, std::string const& sentence) {
    CAPTURE(command);
    auto const done = run(command + " --data " + given.plain);
    CHECK(done.status == 1);
    CHECK(support::says(done.complaint, sentence));
    CHECK(std::ranges::count(done.complaint, '\n') == 1);
  };
  auto const out = " --epochs 1 --batch 32 --out " + given.at("no");
  refused("train " + given.net + out,
          "holds no labels, which are learnt from: add \"labels\" I64 [samples], or learn from a --teacher");
  refused("evaluate " + given.net + "--weights " + given.teacher, "which accuracy is measured with");
  refused("compare " + given.net + out, "holds no labels, which are learnt from");
  refused("study merging --arch mlp:36,6,10" + out, "holds no labels, which are learnt from");
  CHECK_FALSE(std::filesystem::exists(given.at("no")));
  auto const scored = run("score " + given.net + "--criterion snip --data " + given.plain);
  CHECK(scored.status == 2);
  CHECK(support::says(scored.complaint, "reads labels"));
}
