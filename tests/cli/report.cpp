// The page of a comparison: its numbers are those of results.json, and nothing in a name can break it.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "../skip.hpp"
#include "page.hpp"
#include "support.hpp"

using namespace cli_test;

namespace {

nlohmann::ordered_json student(std::string const& criterion, double sparsity, double accuracy) {
  return {{"criterion", criterion},
          {"sparsity", sparsity},
          {"seed", 7},
          {"last_accuracy", accuracy},
          {"best_accuracy", accuracy + 0.0625},
          {"dead_layers", 1},
          {"emptied", {"b.weight"}},
          {"score_seconds", 0.125},
          {"epoch_seconds", 1.75},
          {"kept", {5, 0}},
          {"epochs", {{"learning_gap", {8, 4, nullptr}}, {"distance", {2, 3, 2.5}}, {"distance_from_start", {0, 1, 1.5}}}},
          {"overlap", {{"random", 0.3}}}};
}

nlohmann::ordered_json results(std::string const& learn_from) {
  return {{"version", 2},
          {"settings", {{"arch", "mlp:2,2,1"}, {"data", "synthetic"}, {"learn-from", learn_from}}},
          {"teachers", {{{"seed", 7}, {"accuracy", 0.75}, {"epoch_seconds", 4.25}}}},
          {"layers", {{{"name", "a.weight"}, {"weights", 10}}, {{"name", "b.weight"}, {"weights", 4}}}},
          {"rows", {student("random", 0.9, 0.3), student("random", 0.95, 0.2), student("snip", 0.9, 0.41)}}};
}

std::string write(support::temporary_folder const& folder, std::string const& name, nlohmann::ordered_json const& content) {
  std::ofstream(folder / name) << content.dump(2);
  return (folder / name).string();
}

}  // namespace

TEST_CASE("results that lack something are refused in lnpt's own words") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const complaint = [&](nlohmann::ordered_json const& content) {
    auto const file = write(folder, "results.json", content);
    return run("report " + file + " --out " + (folder / "page.html").string()).complaint;
  };
  auto lacking = results("teacher");
  lacking.erase("teachers");
  CHECK(support::says(complaint(lacking), "results.json\" is not as lnpt wrote it, since it has no \"teachers\": restore it"));
  auto other = results("teacher");
  other["rows"][0]["seed"] = "seven";
  CHECK(support::says(complaint(other), "since it holds a value of another kind than belongs there"));
}

TEST_CASE("the page of a finished run holds the numbers of its results, and its figures say in words what they show") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "page.html").string();
  REQUIRE(run("report " + write(folder, "results.json", results("teacher")) + " --out " + out).complaint == "");
  auto const page = support::text_of(out);
  CHECK(fault_of_xml(page) == "");
  CHECK(page.size() < 1 << 20);
  // sparsity, seed, last, best, emptied, seconds of scoring and of an epoch, the last gap (not finite: no number), the last distance,
  // escape: 3/2 - 1.
  CHECK(data_of(page, "students") == std::vector<double>{0.9,  7, 0.3,  0.3625, 1, 0.125, 1.75, 2.5, 0.5,  //
                                                         0.95, 7, 0.2,  0.2625, 1, 0.125, 1.75, 2.5, 0.5,  //
                                                         0.9,  7, 0.41, 0.4725, 1, 0.125, 1.75, 2.5, 0.5});
  for (auto const* const words :
       {"75.0 % accuracy; an epoch took 4.25 s", "<td>0.12</td><td>1.75</td>",
        "<title id=\"accuracy-title\">Accuracy over sparsity</title>", "random: 30 at 90, 20 at 95. snip: 41 at 90.",
        "random: a 50, b 0.", "Learning gap, 90 % sparsity", "Distance from the teacher, 95 % sparsity",
        "Distance from the start", "Cost of scoring", "prefers-color-scheme:dark", "@media print", "name=\"viewport\""})
    CHECK_MESSAGE(page.find(words) != page.npos, words);
  for (auto const* const reach : {"<script", "src=", "href=", "url(", "@import"})
    CHECK_MESSAGE(page.find(reach) == page.npos, reach);
}

TEST_CASE("names are text, whatever they are, and figures are files of their own") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto content = results("teacher");
  std::string const name = "<script>alert('1')</script>&amp;\"\n]]>";
  content["rows"][0]["criterion"] = name;
  content["layers"][0]["name"] = name;
  content["settings"]["arch"] = name;
  auto const file = write(folder, "results.json", content);
  REQUIRE(run("report " + file + " --out " + (folder / "page.html").string()).status == 0);
  auto const page = support::text_of(folder / "page.html");
  CHECK(fault_of_xml(page) == "");
  CHECK(page.find("<script") == page.npos);
  REQUIRE(run("report " + folder.path().string() + " --figure layers-90 --out " + (folder / "layers.svg").string()).status == 0);
  auto const figure = support::text_of(folder / "layers.svg");
  CHECK(fault_of_xml(figure) == "");
  CHECK(figure.starts_with("<svg xmlns="));

  auto const unknown = run("report " + file + " --figure gaps --out " + (folder / "gaps.svg").string());
  CHECK(unknown.status == 2);
  CHECK(unknown.complaint.find("accuracy, cost, layers-90") != std::string::npos);
}

TEST_CASE("results of before figures existed have a page, those of later versions and of other runs are refused") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = " --out " + (folder / "page.html").string();
  auto old = results("teacher");
  old.erase("version");
  old.erase("layers");
  for (auto& row : old["rows"])
    for (auto const* const key : {"kept", "epochs", "overlap", "epoch_seconds"}) row.erase(key);
  CHECK(run("report " + write(folder, "old.json", old) + out).status == 0);
  CHECK(support::text_of(folder / "page.html").find("Learning gap,") == std::string::npos);

  auto later = results("teacher");
  later["version"] = 3;
  CHECK(run("report " + write(folder, "later.json", later) + out).complaint.find("version 3") != std::string::npos);

  auto const taught = write(folder, "taught.json", results("teacher"));
  auto labelled = results("labels");
  REQUIRE(run("report " + taught + ' ' + write(folder, "labelled.json", labelled) + out).status == 0);
  CHECK(support::text_of(folder / "page.html").find("With labels and without, 90 % sparsity") != std::string::npos);
  labelled["settings"]["data"] = "cifar10";
  auto const other = run("report " + taught + ' ' + write(folder, "other.json", labelled) + out);
  CHECK(other.status == 2);
  CHECK(other.complaint.find("differ in data") != std::string::npos);
  labelled = results("labels");
  labelled["settings"]["teacher-regulariser"] = "slimming";  // which the first does not say
  auto const regularised = run("report " + taught + ' ' + write(folder, "other.json", labelled) + out);
  CHECK(regularised.status == 2);
  CHECK(support::says(regularised.complaint, "differ in teacher-regulariser"));
  auto doubled = results("teacher");
  doubled["rows"].push_back(doubled["rows"][0]);
  CHECK(
      support::says(run("report " + write(folder, "doubled.json", doubled) + out).complaint, "holds two rows of random at 0.9"));
  CHECK(run("report " + taught + " --out " + taught).status == 2);
}
