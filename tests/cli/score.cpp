// lnpt score against float64 reference scores, and the masks that follow from them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>

#include "../skip.hpp"
#include "oracle_cases.hpp"
#include "support.hpp"

using namespace lnpt;
using cli_test::run;

TEST_CASE("lnpt score writes the oracle's scores and lnpt prune the masks that follow from them") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  cli_test::compare_with_oracle("", {"0.5", "0.9", "0.95", "0.99"});
}

TEST_CASE("synflow alone scores the network as it is, and what is named and not read is said") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const alone = (folder / "alone").string(), once = (folder / "once").string(), batch = (folder / "batch").string();
  auto const score = std::string("score --arch mlp:8,20,5 --criterion synflow ");
  REQUIRE(run(score + "--out " + alone).status == 0);
  REQUIRE(run(score + "--rounds 1 --out " + once).status == 0);
  CHECK(support::text_of(alone) == support::text_of(once));
  lnpt::io::safetensors::writer writer;
  writer.add("input", {2, 8}, std::vector<float>(16, 1.0f));
  writer.save(batch);
  CHECK(support::says(run(score + "--data " + batch).complaint, "synflow reads no data: of " + batch));
}

TEST_CASE("scores of the last round are those before its mask, and what earlier rounds pruned scores 0") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "scores.safetensors").string();
  REQUIRE(run("score --arch mlp:8,20,5 --criterion synflow --rounds 2 --schedule linear --sparsity .8 --out " + out).status == 0);
  auto const file = io::safetensors::open(out);
  std::size_t alive = 0, total = 0;
  for (auto const& tensor : file.entries())
    for (auto const score : file.read<double>(tensor.name)) {
      alive += score != 0;
      ++total;
    }
  CHECK(total == 8 * 20 + 20 * 5);
  CHECK(alive == 156);  // round 1 of 2 keeps 60 % of 260
}

TEST_CASE("the scores of stored weights are histograms of octaves, as a picture and as JSON") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const model = (folder / "model.safetensors").string();
  io::safetensors::writer writer;
  writer.add("up.weight", {2, 3}, std::vector<float>{0, 1, -1.5f, 2, 0.25f, 1});
  writer.add("down.weight", {1, 2}, std::vector<float>{8, 0});
  writer.add("position_ids", {2}, std::vector<std::int64_t>{0, 1});
  writer.save(model);
  auto const shown = run("score --checkpoint " + model);
  REQUIRE(shown.status == 0);
  CHECK(shown.output.find("up.weight          6     1      0  0.9583        2   ▃ █▃\n") != std::string::npos);
  CHECK(shown.output.find("down.weight        2     1      0       4        8        █\n") != std::string::npos);
  CHECK(shown.output.find(
            "from 2^-2 to 2^4\nleft dense, I64 is not ranked: position_ids\n8 scores by magnitude, of which 2 are 0") !=
        std::string::npos);
  auto const told = nlohmann::json::parse(run("score --json --checkpoint " + model + " --exclude \"down.*\"").output);
  REQUIRE(told["tensors"].size() == 1);
  CHECK(told["tensors"][0]["first_octave"] == -2);
  CHECK(told["tensors"][0]["octaves"] == nlohmann::json{1, 0, 3, 1});
  CHECK(run("score --checkpoint " + model + " --arch mlp:4,3").complaint.find("--arch is for scoring a network") !=
        std::string::npos);
}
