// lnpt study pretraining: both arms, their rows, and a study that goes on where it was interrupted.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "../skip.hpp"
#include "interruption.hpp"
#include "support.hpp"

using cli_test::run;

TEST_CASE("both arms lose filters step by step, and an interrupted study ends as one that was not") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  std::string const study =
      "study pretraining --arch vgg:11:4 --data synthetic --train-limit 200 --test-limit 60 --batch 32 --epochs 1 "
      "--pretrain-epochs 1 --fine-tune-epochs 1 --steps 2 --step .25 --seeds 2 --out ";
  auto const whole = run(study + at("whole") + " --json");
  REQUIRE(whole.status == 0);
  auto const rows = nlohmann::json::parse(whole.output)["rows"];
  REQUIRE(rows.size() == 2 * 2 * 3);
  CHECK(rows[0]["arm"] == "scratch");
  CHECK(rows[3]["arm"] == "pretrained");
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (rows[i]["step"] != 0) CHECK(rows[i]["parameters"] < rows[i - 1]["parameters"]);
  CHECK(rows[0]["parameters"] == rows[3]["parameters"]);
  CHECK(support::text_of(folder / "whole" / "pretraining.svg").starts_with("<svg"));

  cli_test::run_until(study + at("parts"), at("parts") + "/pretraining.csv");
  auto const printed = run(study + at("parts"));
  REQUIRE(printed.status == 0);
  CHECK(support::says(printed.output, "pretrained further in"));
  CHECK(support::text_of(folder / "parts" / "pretraining.csv") == support::text_of(folder / "whole" / "pretraining.csv"));
  auto const other = run(study + at("parts") + " --lr .05");
  CHECK(other.status == 2);
  CHECK(support::says(other.complaint, "other settings"));
}
