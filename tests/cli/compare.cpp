// The main job on a few drawn images: rows, continuation, and refusal of other settings.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "../skip.hpp"
#include "interruption.hpp"
#include "support.hpp"

using namespace cli_test;

namespace {

std::string const settings =
    "compare --data synthetic --train-limit 128 --test-limit 40 --arch resnet:8:4,4,4 --batch 64 --teacher-epochs 1 --epochs 1 "
    "--seeds 2 --samples 2 ";

}  // namespace

TEST_CASE("a comparison writes a row per student, continues where it stopped, and refuses other settings") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const csv = out + "/results.csv";
  auto const command = settings + "--criteria random,snip:loss=pseudo_label --sparsities .5,.9 --out " + out;
  REQUIRE(run(command).status == 0);
  auto const rows = lines_of(support::text_of(csv));
  REQUIRE(rows.size() == 1 + 2 * 2 * 2);
  CHECK(rows[0] == "criterion,sparsity,seed,last_accuracy,best_accuracy,dead_layers,score_seconds");
  CHECK(rows[1].starts_with("random,0.5,0,"));

  // As if it had been killed while it wrote the sixth row: five are whole.
  std::string cut;
  for (std::size_t i = 0; i < 6; ++i) cut += rows[i] + '\n';
  std::ofstream(csv) << cut << "snip:loss=pse";
  auto const again = run(command);
  REQUIRE(again.status == 0);
  auto const continued = lines_of(support::text_of(csv));
  REQUIRE(continued.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    CHECK((i < 6 ? continued[i] == rows[i] : without_seconds(continued[i]) == without_seconds(rows[i])));
  CHECK(again.output.find("± ") != std::string::npos);

  auto const json = nlohmann::json::parse(support::text_of(out + "/results.json"));
  CHECK(json["rows"].size() == 8);
  CHECK(json["teachers"].size() == 2);

  auto const refused = run(command + " --lr 0.05");
  CHECK(refused.status == 2);
  CHECK(refused.complaint.find("lr 0.1 and not 0.05") != std::string::npos);
}

TEST_CASE("students may learn from labels, and a folder of theirs is not continued without") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const command = settings + "--criteria random --sparsities .5 --out " + (folder / "run").string();
  auto const done = run(command + " --learn-from labels");
  REQUIRE(done.status == 0);
  CHECK(done.output.find("every student trains with labels") != std::string::npos);
  auto const refused = run(command);
  CHECK(refused.status == 2);
  CHECK(refused.complaint.find("learn-from labels and not none") != std::string::npos);
}

TEST_CASE("rows that read labels are marked and emptied layers are named") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const done = run(settings + "--criteria snip,random,random:rank=lowest,feature_map_synaptic --sparsities .995 --out " +
                        (folder / "run").string());
  // keep_in_budget: the classifier alone is more than half a percent, so feature_map_synaptic cannot be pruned this far.
  CHECK(done.status == 1);
  CHECK(done.complaint.find("does not reach") != std::string::npos);

  auto const table = run(settings + "--criteria snip,random --sparsities .995 --out " + (folder / "run").string()).output;
  CHECK(table.find("snip *") != std::string::npos);
  CHECK(table.find("random *") == std::string::npos);
  CHECK(table.find("every student trains without labels") != std::string::npos);
  CHECK(table.find("at 99.5 % emptied conv1.weight") != std::string::npos);
}
