// lnpt study: the rows of its studies, and one that goes on where it was interrupted.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "../skip.hpp"
#include "images.hpp"
#include "interruption.hpp"
#include "page.hpp"
#include "support.hpp"

using cli_test::run;

TEST_CASE("both arms lose filters step by step, and an interrupted study ends as one that was not") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  CHECK(run("study pretraining --data synthetic --train-limit 200 --batch 32 --arch mlp:3072,1,5 --steps 2 --out " + at("none"))
            .status == 2);
  CHECK_FALSE(std::filesystem::exists(folder / "none"));
  std::string const study = "study pretraining --report " + at("page.html") +
                            " --arch vgg:11:4 --data synthetic --train-limit 200 --test-limit 60 --batch 32 --epochs 1 "
                            "--pretrain-epochs 1 --fine-tune-epochs 1 --steps 2 --step .25 --seeds 2 --out ";
  auto const whole = run(study + at("whole") + " --json");
  REQUIRE_MESSAGE(whole.status == 0, whole.complaint);
  auto const rows = nlohmann::json::parse(whole.output)["rows"];
  REQUIRE(rows.size() == 2 * 2 * 3);
  CHECK(rows[0]["arm"] == "scratch");
  CHECK(rows[3]["arm"] == "pretrained");
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (rows[i]["step"] != 0) CHECK(rows[i]["parameters"] < rows[i - 1]["parameters"]);
  CHECK(rows[0]["parameters"] == rows[3]["parameters"]);
  CHECK(support::text_of(folder / "whole" / "pretraining.svg").starts_with("<svg"));
  auto const page = support::text_of(folder / "page.html");
  CHECK(cli_test::fault_of_xml(page) == "");
  CHECK(support::says(page, "<title id=\"pretraining-title\">Accuracy over removed parameters</title>"));
  std::vector<double> numbers;
  for (auto const& row : rows)
    for (auto const* const name : {"seed", "step", "accuracy", "parameters", "multiply_adds"}) numbers.push_back(row[name]);
  CHECK(cli_test::data_of(page, "rows") == numbers);

  cli_test::run_until(study + at("parts"), at("parts") + "/pretraining.csv");
  auto const printed = run(study + at("parts"));
  REQUIRE(printed.status == 0);
  CHECK(support::says(printed.output, "pretrained further in"));
  CHECK(support::text_of(folder / "parts" / "pretraining.csv") == support::text_of(folder / "whole" / "pretraining.csv"));
  auto const other = run(study + at("parts") + " --lr .05");
  CHECK(other.status == 2);
  CHECK(support::says(other.complaint, "a study begun with lr 0.1 and not 0.05"));
  CHECK_FALSE(std::filesystem::exists(folder / "parts" / "scratch-seed0-step2.safetensors"));

  // Of two seeds one is asked for: the table is of that one, and the file keeps both.
  auto const rows_before = support::text_of(folder / "parts" / "pretraining.csv");
  auto fewer = study;
  auto const one = run(fewer.replace(fewer.find("--seeds 2"), 9, "--seeds 1") + at("parts"));
  CHECK(one.status == 0);
  CHECK(support::says(one.output, "of 1 seeds"));
  CHECK(support::text_of(folder / "parts" / "pretraining.csv") == rows_before);
  // What was cut is said, and not believed.
  for (auto const& [text, sentence] : {std::pair{rows_before.substr(0, rows_before.size() - 2), "ends in the middle of the line"},
                                       {rows_before.substr(5), "does not begin with the settings of a study"}}) {
    std::ofstream(folder / "parts" / "pretraining.csv") << text;
    auto const cut = run(study + at("parts"));
    CHECK(cut.status == 1);
    CHECK(support::says(cut.complaint, sentence));
  }
}

TEST_CASE("a network that comes with more classes than a half has is pre-trained on one half and prunes on the other") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const done =
      run("study pretraining --arch mlp:3072,4,10 --data synthetic --train-limit 120 --test-limit 20 --batch 32 --epochs 1 "
          "--pretrain-epochs 1 --fine-tune-epochs 1 --steps 1 --seeds 1 --json --augment none --out " +
          (folder / "study").string());
  REQUIRE_MESSAGE(done.status == 0, done.complaint);
  CHECK(nlohmann::json::parse(done.output)["rows"].size() == 2 * 2);
}

TEST_CASE(
    "layers of which one filter is left stay, and the others go on losing theirs: depthwise convolutions couple nothing then") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const done =
      run("study pretraining --arch mobilenet:2 --data synthetic --train-limit 120 --test-limit 20 --batch 32 --epochs 1 "
          "--pretrain-epochs 1 --fine-tune-epochs 1 --steps 3 --step .4 --seeds 1 --json --out " +
          (folder / "study").string());
  REQUIRE(done.status == 0);
  auto const rows = nlohmann::json::parse(done.output)["rows"];
  REQUIRE(rows.size() == 2 * 4);
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (rows[i]["step"] != 0) CHECK(rows[i]["parameters"] < rows[i - 1]["parameters"]);
}

TEST_CASE("the study of trainability trains what three ways of pruning leave, and goes on after an interruption") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  std::string const settings =
      "study trainability --arch resnet:8:4,4,8:a --batch 2 --epochs 1 --again-epochs 1 --ratios .5,.75 "
      "--rates .01 --samples 2 --seeds 1 --augment none --data ";
  auto const study = settings + cli_test::write_images(folder / "images.safetensors", 8, 0) + " --part-epochs 3 --out ";
  auto const whole = run(study + at("whole") + " --json");
  REQUIRE_MESSAGE(whole.status == 0, whole.complaint);
  auto const rows = nlohmann::json::parse(whole.output)["rows"];
  REQUIRE(rows.size() == 1 + 2 * 3);
  CHECK(rows[0]["method"] == "dense");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    CHECK(rows[i]["method"] == (i % 3 == 1 ? "tpp" : i % 3 == 2 ? "l1" : "scratch"));
    CHECK(rows[i]["parameters"] == rows[i < 4 ? 1 : 4]["parameters"]);  // as many filters go, whatever the method
    CHECK(rows[i]["parameters"] < rows[0]["parameters"]);
  }
  CHECK(support::text_of(folder / "whole" / "trainability.svg").starts_with("<svg"));

  cli_test::run_until(study + at("parts"), at("parts") + "/parted-0.75-seed0.safetensors");
  auto const printed = run(study + at("parts"));
  REQUIRE(printed.status == 0);
  CHECK(support::says(printed.output, "tpp above l1 in"));
  CHECK(support::text_of(folder / "parts" / "trainability.csv") == support::text_of(folder / "whole" / "trainability.csv"));

  auto const others = folder / "others";
  std::filesystem::create_directory(others);
  auto const other =
      run(settings + cli_test::write_images(others / "images.safetensors", 8, 1) + " --part-epochs 3 --out " + at("parts"));
  CHECK(other.status == 2);
  CHECK(support::says(other.complaint, "a study begun on other images than images.safetensors holds now"));
  auto const few = run(settings + at("images.safetensors") + " --part-epochs 1 --out " + at("few"));
  CHECK(few.status == 2);
  CHECK(support::says(few.complaint, "give more --part-epochs"));
  CHECK_FALSE(std::filesystem::exists(folder / "few"));
}

TEST_CASE("the study of merging attacks what is left of one network, and goes on after an interruption") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  auto const data = cli_test::write_images(folder / "images.safetensors", 8, 0);
  auto const study_of = [&](std::string const& epochs) {
    return "study merging --arch mlp:36,12,10,2 --batch 2 --seeds 1 --samples 6 --epsilons .01,.3 --data " + data + " --report " +
           at("page.html") + " --epochs " + epochs + " --out ";
  };
  auto const study = study_of("3");
  auto const whole = run(study + at("whole") + " --json");
  REQUIRE_MESSAGE(whole.status == 0, whole.complaint);
  auto const rows = nlohmann::json::parse(whole.output)["rows"];
  std::vector<std::string> const methods{"whole", "impact", "stochastic", "saliency", "l1", "random"};
  REQUIRE(rows.size() == 2 * methods.size());
  std::vector<double> numbers;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto const& row = rows[i];
    CAPTURE(row.dump());
    CHECK(row["method"] == methods[i / 2]);
    CHECK(row["samples"] == 6);
    if (i < 2) CHECK(row["agreeing"] == 6);
    // 36·12 + 12·10 + 10·2 weights and 24 biases; of 12 and 10 units 6 and 5 stay where each layer loses its half.
    if (i < 2) CHECK(row["parameters"] == 36 * 12 + 12 * 10 + 10 * 2 + 24);
    if (i >= 8) CHECK(row["parameters"] == 36 * 6 + 6 * 5 + 5 * 2 + 13);
    if (i >= 2 && i < 8) CHECK(row["parameters"] < rows[0]["parameters"]);
    CHECK(row["pgd"] <= row["samples"]);
    for (auto const* const name : {"seed", "epsilon", "parameters", "accuracy", "samples", "agreeing", "fgsm", "pgd"})
      numbers.push_back(row[name]);
  }
  auto const page = support::text_of(folder / "page.html");
  CHECK(cli_test::fault_of_xml(page) == "");
  CHECK(cli_test::data_of(page, "rows") == numbers);
  CHECK(support::text_of(folder / "whole" / "merging.svg").starts_with("<svg"));

  cli_test::run_until(study + at("parts"), at("parts") + "/merging.csv");
  auto const printed = run(study + at("parts"));
  REQUIRE(printed.status == 0);
  CHECK(support::says(printed.output, "under FGSM at 0.01: merged, impact"));
  CHECK(support::text_of(folder / "parts" / "merging.csv") == support::text_of(folder / "whole" / "merging.csv"));
  // A second one in its folder, and a row that none wrote.
  auto const endless = study_of("1000000") + at("long");
  auto const first = cli_test::start(endless);
  cli_test::wait_for(at("long") + "/whole-seed0.safetensors", first);
  auto const second = run(endless);
  CHECK(second.status == 1);
  CHECK(support::says(second.complaint, "is being written by another lnpt"));
  cli_test::kill(first);
  std::ofstream(at("parts") + "/merging.csv", std::ios::app) << "whole,1,many,1,1,1,1,1,1\n";
  auto const damaged = run(study + at("parts"));
  CHECK(damaged.status == 1);
  CHECK(support::says(damaged.complaint, "merging.csv: \"many\" is no distance"));
  auto const pooled =
      run("study merging --arch resnet:8:4,4,8 --epochs 1 --batch 2 --data " + at("images.safetensors") + " --out " + at("none"));
  CHECK(pooled.status == 2);
  CHECK_FALSE(std::filesystem::exists(folder / "none"));
}
