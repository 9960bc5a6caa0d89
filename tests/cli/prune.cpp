// What lnpt prune leaves: exactly the state dict it was given, and pruning that goes on from pruning.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/safetensors.hpp>

#include "../skip.hpp"
#include "support.hpp"

using namespace lnpt;
using cli_test::run;

namespace {

/// A two-layer perceptron of PyTorch, 6-5-3, under names of its own, in half precision but for one layer, and a counter beside it.
void write_checkpoint(std::string const& path) {
  std::vector<std::byte> halves(5 * 6 * 2);
  for (std::size_t i = 0; i < 30; ++i) {
    auto const bits = static_cast<std::uint16_t>(0x3c00 + 37 * i % 512);  // 1 … 1.5, all different
    halves[2 * i] = static_cast<std::byte>(bits & 0xff);
    halves[2 * i + 1] = static_cast<std::byte>(bits >> 8);
  }
  std::vector<double> head(3 * 5);
  for (std::size_t i = 0; i < head.size(); ++i) head[i] = 0.1 * static_cast<double>(i + 1);
  io::safetensors::writer writer;
  writer.add_stored("body.0.weight", {5, 6}, io::dtype::bf16, halves);
  writer.add("body.0.bias", {5}, std::vector<float>{1, 2, 3, 4, 5});
  writer.add("linear.weight", {3, 5}, head);
  writer.add("linear.bias", {3}, std::vector<float>{1, 2, 3});
  writer.add("steps", {}, std::vector<std::int64_t>{7});
  writer.save(path);
}

std::string const net = "--arch mlp:6,5,3 --rename body=hidden,linear=fc --ignore-extra --criterion magnitude ";

std::vector<std::byte> bytes_of(io::safetensors::file const& file, std::string const& name) {
  std::vector<std::byte> bytes(file.info(name).end - file.info(name).begin);
  file.read_bytes(file.info(name), 0, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("the output of prune has the names, dtypes and kept bytes of the weights, and the masks lie in a file of their own") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const given = (folder / "given").string(), out = (folder / "out").string(), masks_out = (folder / "masks").string();
  write_checkpoint(given);
  REQUIRE(run("prune " + net + "--weights " + given + " --sparsity .6 --out " + out + " --masks-out " + masks_out).status == 0);
  auto const before = io::safetensors::open(given), after = io::safetensors::open(out), masks = io::safetensors::open(masks_out);
  REQUIRE(after.names() == before.names());
  CHECK(masks.names() == std::vector<std::string>{"mask.body.0.weight", "mask.linear.weight"});
  std::size_t kept = 0;
  for (auto const& tensor : before.entries()) {
    CAPTURE(tensor.name);
    CHECK(after.info(tensor.name).dtype == tensor.dtype);
    auto expected = bytes_of(before, tensor.name);
    if (masks.contains("mask." + tensor.name)) {
      auto const mask = masks.read<std::uint8_t>("mask." + tensor.name);
      auto const width = expected.size() / mask.size();
      for (std::size_t i = 0; i < mask.size(); ++i) {
        if (mask[i] == 0) std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(i * width), width, std::byte{0});
        kept += mask[i];
      }
    }
    CHECK(bytes_of(after, tensor.name) == expected);
  }
  CHECK(kept == (30 + 15) * 2 / 5);
}

TEST_CASE("everything that is written has the names that came, whoever writes it") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  std::string const arch = "--arch resnet:8:4,4,4 --input 3,8,8 ";
  REQUIRE(run("prune " + arch + "--criterion magnitude --sparsity 0 --out " + at("own")).status == 0);
  io::safetensors::writer writer;
  auto const own = io::safetensors::open(at("own"));
  for (auto const& name : own.names())
    writer.add("net." + (name.starts_with("fc.") ? "linear" + name.substr(2) : name), own.info(name).shape,
               own.read<float>(name));
  writer.add("net.bn1.num_batches_tracked", {}, std::vector<std::int64_t>{7});
  writer.save(at("given"));
  auto const weights = "--weights-prefix net. --rename linear=fc --weights " + at("given");
  auto const named = [&](char const* file) {
    auto const names = io::safetensors::open(at(file)).names();
    CAPTURE(file);
    CHECK(
        std::ranges::none_of(names, [](auto const& name) { return name.find("fc.") != name.npos || name.starts_with("net."); }));
    return names;
  };
  auto const channels =
      "prune " + arch + weights + " --criterion magnitude --mask channels --budget channels:.25 --shrink --out ";
  REQUIRE(run(channels + at("small.safetensors") + " --masks-out " + at("masks")).status == 0);
  CHECK(std::ranges::count(named("small.safetensors"), "bn1.num_batches_tracked") == 1);
  named("masks");
  // By the description beside it, without a renaming.
  auto const again = run("score --arch " + at("small.json") + " --weights " + at("small.safetensors") + " --criterion magnitude");
  CHECK_MESSAGE(again.status == 0, again.complaint);
  auto const inspected = run("inspect " + at("small.safetensors"));
  CHECK(support::says(inspected.output, "linear.weight"));

  std::string const train =
      "train --arch resnet:8:4,4,4 --data synthetic --train-limit 64 --test-limit 20 --batch 32 --epochs 2 ";
  REQUIRE(run(train + "--init " + at("given") + " --init-prefix net. --rename linear=fc --out " + at("trained")).status == 0);
  auto const trained = io::safetensors::open(at("trained"));
  CHECK(named("trained").size() == own.names().size() + 1);
  CHECK(trained.read<std::int64_t>("bn1.num_batches_tracked") == std::vector<std::int64_t>{7 + 2 * 2});
  // In the place of what is read, epoch after epoch.
  REQUIRE(run(train + "--init " + at("given") + " --init-prefix net. --rename linear=fc --out " + at("given")).status == 0);
  CHECK(support::text_of(at("given")) == support::text_of(at("trained")));
  REQUIRE(run("prune " + arch + "--rename linear=fc --weights " + at("given") + " --criterion magnitude --sparsity .5 --out " +
              at("given") + " --masks-out " + at("masks"))
              .status == 0);
  named("given");
  named("masks");
}

TEST_CASE("what the network lacks and what the file has more are listed side by side") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const given = (folder / "given").string();
  write_checkpoint(given);
  auto const done = run("score --arch mlp:6,5,3 --criterion magnitude --weights " + given);
  CHECK(done.status == 1);
  CHECK(done.complaint.find(R"(lacks "hidden.0.weight", "hidden.0.bias", "fc.weight" and 1 more)") != std::string::npos);
  CHECK(done.complaint.find(R"(and holds "body.0.bias", "body.0.weight", "linear.bias" and 2 more)") != std::string::npos);
  auto const strict = run("score --arch mlp:6,5,3 --criterion magnitude --rename body=hidden,linear=fc --weights " + given);
  CHECK(strict.complaint.find(R"(also holds "steps")") != std::string::npos);
  for (auto const& each : {done, strict}) {
    CHECK(support::says(each.complaint, "(see --weights-prefix, --rename and --ignore-extra)"));
    CHECK(std::ranges::count(each.complaint, '\n') == 1);
  }
  auto const teacher = run("teach --arch mlp:3072,5,10 --data synthetic --train-limit 9 --out no --teacher " + given);
  CHECK(support::says(teacher.complaint, "(see --teacher-prefix, --rename and --ignore-extra)"));
  auto const init = run("train --arch mlp:3072,5,10 --data synthetic --train-limit 200 --out no --init " + given);
  CHECK(support::says(init.complaint, "(see --init-prefix, --rename and --ignore-extra)"));
}

TEST_CASE("pruning what is pruned goes on from its masks, or from its zeros, and says so") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const first = (folder / "first").string(), masks = (folder / "masks").string(), next = (folder / "next").string(),
             next_masks = (folder / "next_masks").string();
  std::string const arch = "--arch mlp:20,30,5 --seed 3 ";
  REQUIRE(run("prune " + arch + "--criterion magnitude --sparsity .6 --out " + first + " --masks-out " + masks).status == 0);
  auto const held = io::safetensors::open(masks);
  // random scores know nothing of zeros: only the starting masks keep what is gone from coming back.
  for (std::string const& from : {" --masks " + masks, std::string()}) {
    auto const done = run("prune " + arch + "--criterion random --sparsity .9 --weights " + first + from + " --out " + next +
                          " --masks-out " + next_masks);
    REQUIRE(done.status == 0);
    CHECK(done.output.find("started from 300 of 750 weights, which the " +
                           (from.empty() ? "zeros of " + first : "masks of " + masks) + " kept") != std::string::npos);
    auto const after = io::safetensors::open(next_masks), weights = io::safetensors::open(next);
    std::size_t ones = 0, nonzero = 0;
    for (std::string const name : {"hidden.0.weight", "fc.weight"}) {
      auto const before = held.read<std::uint8_t>("mask." + name), now = after.read<std::uint8_t>("mask." + name);
      auto const values = weights.read<float>(name);
      for (std::size_t i = 0; i < now.size(); ++i) {
        CHECK(now[i] <= before[i]);
        ones += now[i];
        nonzero += values[i] != 0;
      }
    }
    CHECK(ones == 75);
    CHECK(nonzero == 75);
  }
  auto const rounds = run("prune " + arch + "--criterion synflow --rounds 4 --sparsity .9 --weights " + first + " --out " + next);
  CHECK(rounds.status == 0);
  auto const back = run("prune " + arch + "--criterion magnitude --sparsity .5 --weights " + first + " --out " + next);
  CHECK(back.status == 2);
  CHECK(back.complaint.find("keeps 300 of 750 weights, fewer than the 375") != std::string::npos);
}

TEST_CASE("a packed network is read wherever weights are, and refused whole where it is damaged") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const path = [&](char const* name) { return (folder / name).string(); };
  auto const data = std::string("--data synthetic --train-limit 128 --test-limit 40 ");
  auto const arch = std::string("--arch resnet:8:4,8,8 ");
  REQUIRE(run("prune " + arch + "--criterion magnitude --sparsity .9 --out " + path("whole") + " --masks-out " + path("masks") +
              " --packed " + path("packed"))
              .status == 0);
  REQUIRE(run("prune " + arch + "--criterion magnitude --sparsity .9 --packed " + path("alone")).status ==
          0);  // and nothing else
  CHECK(support::text_of(path("alone")) == support::text_of(path("packed")));
  CHECK(3 * std::filesystem::file_size(path("packed")) < 2 * std::filesystem::file_size(path("whole")));  // names weigh most here

  auto const evaluated = [&](std::string const& weights) {
    auto const done = run("evaluate " + arch + data + "--json --weights " + weights);
    REQUIRE(done.status == 0);
    return nlohmann::json::parse(done.output)["right"];
  };
  CHECK(evaluated(path("packed")) == evaluated(path("whole")));
  CHECK(run("evaluate " + arch + data + "--execution foo --weights " + path("whole")).status == 2);
  for (auto const* const weights : {"packed", "whole"})
    REQUIRE(run("score " + arch + data + "--samples 8 --criterion snip --weights " + path(weights) + " --out " + path(weights) +
                ".scores")
                .status == 0);
  CHECK(support::text_of(path("packed") + ".scores") == support::text_of(path("whole") + ".scores"));
  CHECK(evaluated(path("packed") + " --execution dense") == evaluated(path("whole") + " --execution sparse"));
  auto const kept = [&](std::string const& what) { return nlohmann::json::parse(run("inspect --json " + what).output)["kept"]; };
  CHECK(kept(path("packed")) == kept(path("whole")));

  // Training starts under the masks that come with the weights; what it packs is what it writes.
  auto const train = "train " + arch + data + "--batch 64 --epochs 1 --out ";
  REQUIRE(run(train + path("a") + " --init " + path("whole") + " --mask " + path("masks")).status == 0);
  REQUIRE(run(train + path("b") + " --init " + path("packed") + " --packed " + path("trained")).status == 0);
  CHECK(support::text_of(path("a")) == support::text_of(path("b")));
  REQUIRE(run("train " + arch + data + "--batch 64 --epochs 1 --init " + path("packed") + " --packed " + path("c")).status == 0);
  CHECK(support::text_of(path("c")) == support::text_of(path("trained")));
  CHECK(std::filesystem::exists(path("c") + ".checkpoint"));
  REQUIRE(run("prune " + arch + "--criterion magnitude --sparsity .9 --out " + path("again") + " --weights " + path("trained"))
              .status == 0);
  auto const first = io::safetensors::open(path("a"));
  auto const again = io::safetensors::open(path("again"));
  for (auto const& each : first.entries()) CHECK(again.read<float>(each.name) == first.read<float>(each.name));
  CHECK(run("teach " + arch + data + "--views 0 --teacher " + path("packed") + " --out " + path("cache")).status == 0);

  auto const refused = [&](std::string const& command, int status, char const* sentence) {
    CAPTURE(command);
    auto const done = run(command);
    CHECK(done.status == status);
    CHECK(support::says(done.complaint, sentence));
  };
  refused(train + path("c") + " --packed " + path("d"), 2, "there are no masks");
  refused("evaluate " + arch + data + "--weights-prefix net. --weights " + path("packed"), 2, "leave prefixes and --rename out");
  auto bytes = support::text_of(path("packed"));
  bytes[bytes.size() - 3] ^= 1;
  std::ofstream(path("packed"), std::ios::binary) << bytes;
  for (auto const& command : std::vector<std::string>{"inspect ", "inspect --time ", "evaluate " + arch + data + "--weights ",
                                                      "train " + arch + data + "--epochs 1 --out x --init "})
    refused(command + path("packed"), 1, "is damaged");
}

TEST_CASE("a file of the older form, with masks beside the weights, still starts what follows") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const older = (folder / "older").string(), out = (folder / "out").string();
  io::safetensors::writer writer;
  writer.add("fc.weight", {2, 4}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  writer.add("fc.bias", {2}, std::vector<float>{0, 0});
  writer.add("mask.fc.weight", {2, 4}, std::vector<std::uint8_t>{1, 1, 1, 1, 0, 0, 1, 1});
  writer.save(older);
  auto const done = run("prune --arch mlp:4,2 --criterion magnitude --sparsity .5 --weights " + older + " --out " + out);
  REQUIRE(done.status == 0);
  CHECK(done.output.find("started from 6 of 8 weights, which the masks of") != std::string::npos);
  auto const file = io::safetensors::open(out);
  CHECK(file.names() == std::vector<std::string>{"fc.bias", "fc.weight"});
  CHECK(file.read<float>("fc.weight") == std::vector<float>{0, 0, 3, 4, 0, 0, 7, 8});
}

TEST_CASE("every command takes a data set or a file; evaluate counts, names are taken in any case, fresh weights are said") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const weights = (folder / "w.safetensors").string(), images = (folder / "i.safetensors").string(),
             trained = (folder / "t.safetensors").string(), cache = (folder / "c.safetensors").string();
  std::string const net = "--arch resnet:8:4,4,4 ";
  std::vector<std::uint8_t> pixels(64 * 3 * 8 * 8);
  std::vector<std::int64_t> labels(64);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(random_bits(3, i) >> 56);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i % 10);
  io::safetensors::writer writer;
  writer.add("input", {64, 3, 8, 8}, pixels);
  writer.add("labels", {64}, labels);
  writer.save(images);

  auto const scored = run("score " + net + "--criterion SNIP --data synthetic --samples 20 --train-limit 100");
  REQUIRE(scored.status == 0);
  CHECK(scored.output.find("fresh, drawn from seed 0 (no --weights)") != std::string::npos);
  REQUIRE(run("train " + net + "--data " + images + " --epochs 1 --batch 32 --out " + trained).status == 0);
  auto const taught =
      run("teach " + net + "--teacher " + trained + " --data " + images + " --views 0 --out " + cache + " --json");
  REQUIRE(taught.status == 0);
  auto const judged = run("evaluate " + net + "--weights " + trained + " --data " + images + " --mean .5 --std .25 --json");
  REQUIRE(judged.status == 0);
  CHECK(nlohmann::json::parse(judged.output)["samples"] == 64);
  CHECK(nlohmann::json::parse(taught.output)["accuracy"].is_number());
  CHECK(run("prune " + net + "--teacher " + trained + " --criterion LNPT --data " + images + " --sparsity .5 --out " + weights)
            .status == 0);
}

TEST_CASE("the default criterion's floors are those of its masks, unless --layer-floor gives another") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const teacher = (folder / "t.safetensors").string(), out = (folder / "w.safetensors").string();
  std::string const net = "--arch mlp:3072,8,8,10 ", images = "--data synthetic --train-limit 100 --test-limit 50 ";
  REQUIRE(run("train " + net + images + "--epochs 1 --batch 50 --out " + teacher).status == 0);
  auto const kept_of_narrow_layer = [&](std::string const& floor) {
    auto const pruned =
        run("prune " + net + images + "--teacher " + teacher + " --samples 20 --sparsity .9 --json " + floor + "--out " + out);
    REQUIRE(pruned.status == 0);
    auto const report = nlohmann::json::parse(pruned.output);
    for (auto const& layer : report["layers"])
      if (layer["name"] == "hidden.1.weight") return layer["kept"].get<std::size_t>();
    return std::size_t{0};
  };
  CHECK(kept_of_narrow_layer("") == 64);  // all it has, less than its equal part
  CHECK(kept_of_narrow_layer("--layer-floor .02 ") < 64);
}
