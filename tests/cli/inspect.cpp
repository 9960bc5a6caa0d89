// Parameters and multiply–adds against published counts.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/teacher_cache.hpp>

#include "../skip.hpp"
#include "support.hpp"

using cli_test::run;

namespace {

nlohmann::json inspect(std::string const& what) {
  auto const done = run("inspect " + what + " --json");
  REQUIRE(done.status == 0);
  return nlohmann::json::parse(done.output);
}

double millions(nlohmann::json const& count) { return count.get<double>() / 1e6; }

}  // namespace

TEST_CASE("an mlp counts as one does by hand") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  auto const seen = inspect("mlp:12,16,10,5");
  CHECK(seen["weights"] == 12 * 16 + 16 + 16 * 10 + 10 + 10 * 5 + 5);
  CHECK(seen["multiply_adds"] == 12 * 16 + 16 * 10 + 10 * 5);
}

TEST_CASE("known networks have their published parameters and multiply-adds") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  auto const vgg16 = inspect("vgg:16:64");
  CHECK(millions(vgg16["weights"]) == doctest::Approx(14.72).epsilon(0.0005));
  CHECK(millions(vgg16["multiply_adds"]) == doctest::Approx(313.20).epsilon(0.00002));
  CHECK(millions(inspect("vgg:19:64")["weights"]) == doctest::Approx(20.04).epsilon(0.0005));
  auto const resnet56 = inspect("resnet:56:16,32,64:a");
  CHECK(millions(resnet56["weights"]) == doctest::Approx(0.85).epsilon(0.006));
  CHECK(millions(resnet56["multiply_adds"]) == doctest::Approx(125.49).epsilon(0.00005));
  CHECK(millions(inspect("resnet:32:32,64,128")["weights"]) == doctest::Approx(1.86).epsilon(0.002));
  auto const mobilenet = inspect("mobilenet:32 --classes 1000 --input 3,224,224");
  CHECK(millions(mobilenet["weights"]) == doctest::Approx(4.23).epsilon(0.001));
  CHECK(millions(mobilenet["multiply_adds"]) == doctest::Approx(569).epsilon(0.001));
}

TEST_CASE("an index of several files shows all of them, and integers are no weights") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  lnpt::io::safetensors::writer first, second;
  first.add("a.weight", {2, 3}, std::vector<float>{1, 0, -0.0f, 2, 3, 0});
  first.add("position_ids", {4}, std::vector<std::int64_t>{0, 1, 2, 3});
  second.add_stored("b.weight", {2, 2}, lnpt::io::dtype::f8_e4m3, {std::byte{0x80}, std::byte{1}, std::byte{0}, std::byte{0x81}});
  first.save(folder / "1.safetensors");
  second.save(folder / "2.safetensors");
  std::ofstream(folder / "model.safetensors.index.json") << R"({"weight_map":{"a.weight":"1.safetensors",)"
                                                         << R"("position_ids":"1.safetensors","b.weight":"2.safetensors"}})";
  for (std::string const& what : {folder.path().string(), (folder / "model.safetensors.index.json").string()}) {
    auto const seen = inspect(what);
    CHECK(seen["weights"] == 10);
    CHECK(seen["kept"] == 5);
  }
}

TEST_CASE("a checkpoint is pruned without an architecture") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const in = (folder / "in.safetensors").string(), out = (folder / "out").string();
  lnpt::io::safetensors::writer writer;
  writer.add("up.weight", {2, 4}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  writer.add("lm_head.weight", {2, 2}, std::vector<float>{1, 2, 3, 4});
  writer.save(in);
  auto const done = run("prune --checkpoint " + in + " --density .25 --out " + out);
  REQUIRE(done.status == 0);
  CHECK(done.output.find("left dense, the classifier over the vocabulary by its name: lm_head.weight") != std::string::npos);
  auto const file = lnpt::io::safetensors::open(out + "/in.safetensors");
  CHECK(file.read<float>("up.weight") == std::vector<float>{0, 0, 0, 0, 0, 0, 7, 8});
  CHECK(file.read<float>("lm_head.weight") == std::vector<float>{1, 2, 3, 4});
  REQUIRE(run("prune --checkpoint " + in + " --mask 1:4 --replace --out " + out).status == 0);
  CHECK(inspect(out)["kept"] == 2 + 4);
}

TEST_CASE("rows of which nothing is left are counted by prune and by inspect, with what helps") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const in = (folder / "in.safetensors").string(), out = (folder / "out").string(), masks = (folder / "masks").string();
  lnpt::io::safetensors::writer writer, only;
  writer.add("up.weight", {3, 4}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 1, 1});
  writer.add("down.weight", {2, 2}, std::vector<float>{1, 1, 9, 9});
  writer.add("embed.weight", {2, 2}, std::vector<float>{0, 0, 1, 1});  // a token that nothing stands for
  writer.save(in);
  std::string const command = "prune --checkpoint " + in + " --density .375 --replace --out " + out;
  auto const sentence = "3 rows in 2 tensors are empty, which DoRA, weight_norm and float8 of torchao and quanto turn NaN";
  auto const pruned = run(command);
  REQUIRE(pruned.status == 0);
  CHECK(support::says(pruned.output, sentence + std::string(": --mask rows leaves every row its share")));
  CHECK(nlohmann::json::parse(run(command + " --json").output)["empty_rows"] == 3);
  CHECK(support::says(run("inspect " + out).output, sentence));
  CHECK(inspect(out)["empty_rows"] == 3);
  only.add("mask.up.weight", {3, 4}, std::vector<std::uint8_t>{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  only.save(masks);
  CHECK(inspect(masks)["empty_rows"] == 1);
  auto const by_rows = run(command + " --mask rows");
  REQUIRE(by_rows.status == 0);
  CHECK_FALSE(support::says(by_rows.output, "empty"));
  CHECK(inspect(out)["empty_rows"] == 0);

  // Networks of the library's own: by masks beside the weights, packed, and as a file of masks.
  auto const weights = (folder / "w").string(), packed = (folder / "p").string();
  REQUIRE(run("prune --arch resnet:8:4,8,8 --criterion magnitude --sparsity .98 --out " + weights + " --packed " + packed +
              " --masks-out " + masks)
              .status == 0);
  auto const empty = inspect(weights)["empty_rows"];
  CHECK(empty > 0);
  CHECK(inspect(packed)["empty_rows"] == empty);
  CHECK(inspect(masks)["empty_rows"] == empty);
}

TEST_CASE("files of scores, logits and a teacher's answers say what they are, and are no weights") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  lnpt::io::safetensors::writer batch;
  batch.add("input", {2, 12}, std::vector<float>(24, 1.0F));
  batch.save(at("batch"));
  REQUIRE(run("score --arch mlp:12,6,4 --criterion magnitude --out " + at("scores")).status == 0);
  REQUIRE(
      run("prune --arch mlp:12,6,4 --criterion magnitude --sparsity .5 --out " + at("weights") + " --masks-out " + at("masks"))
          .status == 0);
  REQUIRE(run("evaluate --arch mlp:12,6,4 --weights " + at("weights") + " --data " + at("batch") + " --logits " + at("logits"))
              .status == 0);
  lnpt::io::teacher_cache({.images = 2}, 4, 6).save(at("said"));
  for (auto const& [file, words] : {std::pair{"scores", "holds scores, written by lnpt score --out, and no weights"},
                                    {"logits", "holds logits, written by lnpt evaluate --logits, and no weights"},
                                    {"said", "holds what a teacher said, written by lnpt teach, and no weights"},
                                    {"masks", "holds masks alone and no weights"}}) {
    CAPTURE(file);
    auto const used = run("evaluate --arch mlp:12,6,4 --weights " + at(file) + " --data " + at("batch") + " --logits " + at("x"));
    CHECK(used.status == 1);
    CHECK(support::says(used.complaint, words));
    if (std::string(file) == "masks") continue;  // whose lines are those of the weights
    CHECK(support::says(run("inspect " + at(file)).output, words));
    CHECK_FALSE(inspect(at(file)).contains("weights"));
    CHECK(run("inspect " + at(file) + " --arch mlp:12,6,4").status == 2);
  }
  CHECK(inspect(at("logits"))["holds"] == "logits");
  CHECK(inspect(at("masks"))["kept"] == (12 * 6 + 6 * 4) / 2 + 6 + 4);
}

TEST_CASE("a pruned file shows what its masks keep") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const pruned = (folder / "pruned.safetensors").string();
  REQUIRE(run("prune --arch resnet:8:4,8,8 --criterion magnitude --sparsity .75 --out " + pruned).status == 0);
  auto const seen = inspect(pruned);
  std::size_t kept = 0, total = 0;
  for (auto const& p : seen["parameters"])
    if (p["shape"].size() > 1) kept += p["kept"].get<std::size_t>(), total += p["weights"].get<std::size_t>();
  CHECK(kept == (total + 2) / 4);
  CHECK(seen["multiply_adds"].get<std::size_t>() > 3 * seen["multiply_adds_kept"].get<std::size_t>());
}

TEST_CASE("times are shown layer by layer, and what is pruned far enough runs on kept weights") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const pruned = (folder / "pruned").string(), masks = (folder / "masks").string(), packed = (folder / "packed").string();
  REQUIRE(run("prune --arch resnet:8:8,8,8 --criterion magnitude --mask layerwise --sparsity .99 --out " + pruned +
              " --masks-out " + masks + " --packed " + packed)
              .status == 0);
  for (auto const& what : {pruned, packed, "--arch resnet:8:8,8,8 --weights " + pruned + " --mask " + masks,
                           "resnet:8:8,8,8 --batch 2 --mask " + masks, std::string("mlp:12,6,3")}) {
    CAPTURE(what);
    auto const seen = inspect(what + " --time")["milliseconds"];
    auto const batch = seen["batch"] == 2;
    CHECK(batch == (what.find("--batch") != std::string::npos));
    double dense = 0, chosen = 0;
    std::size_t sparse = 0;
    for (auto const& layer : seen["layers"]) {
      CHECK(layer["dense"] > 0);
      dense += layer["dense"].get<double>(), chosen += layer["chosen"].get<double>();
      sparse += layer["execution"] == "sparse";
    }
    CHECK(seen["dense"].get<double>() == doctest::Approx(dense));
    CHECK(seen["chosen"].get<double>() == doctest::Approx(chosen));
    CHECK(sparse == (what.starts_with("mlp") ? 0 : 10));  // seven convolutions, two of them shortcuts' more, and the classifier
  }
  CHECK(run("inspect " + pruned + " --time").output.find("kept weights") != std::string::npos);
}

TEST_CASE("names of a file and of the network belong together as they do elsewhere, and nothing that was named goes unsaid") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const given = (folder / "given.safetensors").string(), masks = (folder / "masks.safetensors").string();
  lnpt::io::safetensors::writer writer, only;
  writer.add("net.body.0.weight", {2, 3}, std::vector<float>{1, 2, 3, 0, 0, 6});
  writer.add("net.body.0.bias", {2}, std::vector<float>{1, 2});
  writer.add("net.linear.weight", {4, 2}, std::vector<float>(8, 1.0F));
  writer.add("net.linear.bias", {4}, std::vector<float>(4, 1.0F));
  writer.add("net.extra", {2}, std::vector<float>{1, 2});
  writer.add("mask.net.linear.weight", {4, 2}, std::vector<std::uint8_t>{1, 0, 0, 0, 1, 1, 0, 1});
  writer.save(given);
  only.add("mask.body.0.weight", {2, 3}, std::vector<std::uint8_t>{1, 1, 0, 0, 0, 0});
  only.add("mask.linear.weight", {4, 2}, std::vector<std::uint8_t>{1, 1, 0, 0, 0, 0, 0, 0});
  only.save(masks);
  std::string const names = " --rename body=hidden,linear=fc --ignore-extra";
  auto const kept = [&](std::string const& what) {
    std::map<std::string, std::size_t> found;
    auto const seen = inspect(what);
    for (auto const& p : seen["parameters"]) found[p["name"]] = p["kept"];
    return found;
  };
  CHECK(kept(given + " --prefix net. --arch mlp:3,2,4" + names) ==
        std::map<std::string, std::size_t>{{"hidden.0.weight", 4}, {"hidden.0.bias", 2}, {"fc.weight", 4}, {"fc.bias", 4}});
  CHECK(kept(given + " --prefix net. --rename linear=fc").at("fc.weight") == 4);  // also without a network
  CHECK(kept(masks + " --arch mlp:3,2,4" + names) ==
        std::map<std::string, std::size_t>{{"hidden.0.weight", 2}, {"hidden.0.bias", 2}, {"fc.weight", 2}, {"fc.bias", 4}});
  CHECK(kept("mlp:3,2,4 --prefix net. --weights " + given + names).at("fc.weight") == 4);
  for (auto const& [arguments, sentence] : std::vector<std::pair<std::string, std::string>>{
           {masks + " --arch mlp:3,2,4", "also holds \"body.0.weight\" of shape [2, 3], which the network does not have"},
           {given + " --prefix net. --arch mlp:3,2,4 --rename body=hidden,linear=fc", "also holds \"extra\""},
           {given + " --rename nothing=fc", "renames nothing"},
           {given + " --ignore-extra", "passes over what the network does not have, and none is named"},
           {"mlp:3,2,4 --rename body=hidden", "no such file is named"},
           {"mlp:3,2,4 --arch mlp:3,2,5", "there are two networks, mlp:3,2,4 and mlp:3,2,5"}}) {
    CAPTURE(arguments);
    auto const done = run("inspect " + arguments);
    CHECK(done.status != 0);
    CHECK(support::says(done.complaint, sentence));
  }
}
