// The main job on a few drawn images: rows, continuation, and refusal of other settings.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include <lnpt/io/safetensors.hpp>

#include "../skip.hpp"
#include "images.hpp"
#include "interruption.hpp"
#include "page.hpp"
#include "support.hpp"

using namespace cli_test;

namespace {

std::string const settings =
    "compare --data synthetic --train-limit 128 --test-limit 40 --arch resnet:8:4,4,4 --batch 64 --teacher-epochs 1 --epochs 1 "
    "--seeds 2 --samples 2 ";

/// A network and images that take no time.
std::string const quick =
    "compare --data synthetic --train-limit 128 --test-limit 40 --arch mlp:3072,8,10 --batch 64 --teacher-epochs 1 --epochs 1 "
    "--samples 2 ";

/// What is noted of students: the first are of the run that was cut short, so that their details were read again.
void check_details(nlohmann::json const& results) {
  std::vector<std::size_t> weights;
  for (auto const& layer : results["layers"]) weights.push_back(layer["weights"]);
  auto const all = std::accumulate(weights.begin(), weights.end(), std::size_t{});
  for (auto const& row : results["rows"]) {
    CAPTURE(row["criterion"]);
    auto const kept = row["kept"].get<std::vector<std::size_t>>();
    REQUIRE(kept.size() == weights.size());
    auto const left = static_cast<double>(std::accumulate(kept.begin(), kept.end(), std::size_t{}));
    CHECK(left == doctest::Approx((1 - row["sparsity"].get<double>()) * static_cast<double>(all)).epsilon(0.01));
    auto const& epochs = row["epochs"];
    CHECK(epochs["accuracy"] == nlohmann::json{row["last_accuracy"]});
    for (auto const* const series : {"learning_gap", "distance", "distance_from_start"}) CHECK(epochs[series].size() == 2);
    CHECK(epochs["distance_from_start"][0] == 0);
    CHECK(epochs["distance_from_start"][1] > 0);
    CHECK(epochs["learning_gap"][0] > 0);
    if (row["criterion"] == "random") CHECK_FALSE(row.contains("stability"));  // it reads no images
    CHECK(row.contains("overlap") == (row["criterion"] != "random"));
    if (row.contains("overlap")) {
      CHECK(row["overlap"]["random"] == doctest::Approx(1 - row["sparsity"].get<double>()).epsilon(0.35));
      if (row["seed"] == 0) CHECK(row["stability"] > row["overlap"]["random"]);
    }
  }
}

/// The page's numbers are those of the results, to the last digit.
void check_page(nlohmann::json const& results, std::string const& page) {
  CHECK(fault_of_xml(page) == "");
  auto const shown = data_of(page, "students");
  REQUIRE(shown.size() == 10 * results["rows"].size());
  for (std::size_t r = 0; auto const& row : results["rows"]) {
    std::vector<double> const expected{row["sparsity"],
                                       row["seed"],
                                       row["last_accuracy"],
                                       row["best_accuracy"],
                                       row["dead_layers"],
                                       row["score_seconds"],
                                       row["epoch_seconds"],
                                       row["epochs"]["learning_gap"].back(),
                                       row["epochs"]["distance"].back(),
                                       row["weight_escape"]};
    for (std::size_t c = 0; c < expected.size(); ++c) CHECK(shown[10 * r + c] == expected[c]);
    ++r;
  }
}

}  // namespace

TEST_CASE("a comparison writes a row per student, continues where it stopped, and refuses other settings") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const csv = out + "/results.csv";
  auto const command =
      settings + "--criteria random,snip:loss=pseudo_label --sparsities .5,.9 --out " + out + " --report " + out + ".html";
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
  check_details(json);
  check_page(json, support::text_of(out + ".html"));

  // Rows of seeds that were not asked for are in no mean.
  auto fewer = command;
  auto const less = run(fewer.replace(fewer.find("--seeds 2"), 9, "--seeds 1"));
  REQUIRE_MESSAGE(less.status == 0, less.complaint);
  CHECK_FALSE(support::says(less.output, "±"));
  CHECK(lines_of(support::text_of(csv)) == continued);

  for (auto const& each : json["rows"]) CHECK(each["epoch_seconds"] > 0);
  CHECK(json["teachers"][0]["epoch_seconds"] > 0);

  auto const other = run(command + " --execution dense");
  CHECK(other.status == 2);
  CHECK(other.complaint.find("execution automatic and not dense") != std::string::npos);
  auto const refused = run(command + " --lr 0.05");
  CHECK(refused.status == 2);
  CHECK(refused.complaint.find("lr 0.1 and not 0.05") != std::string::npos);
  auto manifest = nlohmann::json::parse(support::text_of(out + "/manifest.json"));
  manifest["keep-weights"] = "1";  // what a command says by a flag, and this one does not say
  std::ofstream(out + "/manifest.json") << manifest;
  CHECK(run(command).complaint.find("keep-weights 1 and not none") != std::string::npos);
  std::ofstream(out + "/manifest.json") << "{\"lr\": 3}";
  CHECK(support::says(run(command).complaint, "manifest.json\" is not as lnpt wrote it, a text for each setting"));
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
  CHECK(refused.complaint.find("learn-from labels and not teacher") != std::string::npos);
}

TEST_CASE("students that start at their teacher's weights have nothing to learn from it, which is said before it is trained") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const refused =
      run(settings + "--criteria feature_map_synaptic --budgets flops:.4 --start teacher --out " + (folder / "run").string());
  CHECK(refused.status == 2);
  CHECK(support::says(refused.complaint, "student and teacher have the same weights"));
  CHECK_FALSE(std::filesystem::exists(folder / "run"));

  // Where nobody names criteria, they are others.
  auto const unnamed = run(settings + "--sparsities .5 --start teacher --out " + (folder / "run").string());
  REQUIRE_MESSAGE(unnamed.status == 0, unnamed.complaint);
  CHECK(support::says(unnamed.output, "taylor"));
  CHECK_FALSE(support::says(unnamed.output, "teacher_guided"));
  auto const nothing_left = run(settings + "--criteria random --sparsities 1 --out " + (folder / "no").string());
  CHECK(nothing_left.status == 2);
  CHECK(support::says(nothing_left.complaint, "outside [0, 1)"));
}

TEST_CASE("students that lose channels of a trained network are counted, timed and equal to their masks") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const command = settings + "--criteria filter_norm,hrank --start teacher --out " + out;
  auto const done = run(command + " --budgets flops:.4 --report " + out + ".html");
  REQUIRE(done.status == 0);
  CHECK(support::says(done.output, "multiply-adds left %"));
  CHECK(support::says(support::text_of(out + ".html"), "multiply-adds left, %"));
  auto const rows = nlohmann::json::parse(support::text_of(out + "/results.json"))["rows"];
  REQUIRE(rows.size() == 4);
  for (auto const& row : rows) {
    auto const& size = row["size"];
    CHECK(size["multiply_adds"][1].get<double>() <= 0.6 * size["multiply_adds"][0].get<double>());
    CHECK(size["parameters"][1] < size["parameters"][0]);
    CHECK(size["milliseconds"][1] > 0);
  }
  auto const csv = out + "/results.csv";
  auto const lines = lines_of(support::text_of(csv));
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].ends_with(
      "score_seconds,budget,parameters_before,parameters,multiply_adds_before,multiply_adds,milliseconds_before,milliseconds"));
  auto const& size = rows[0]["size"];
  CHECK(support::says(lines[1], ",flops," + size["parameters"][0].dump() + ',' + size["parameters"][1].dump() + ',' +
                                    size["multiply_adds"][0].dump() + ',' + size["multiply_adds"][1].dump() + ','));
  // What versions before this wrote becomes the same, with what results.json holds.
  std::string older = "criterion,sparsity,seed,last_accuracy,best_accuracy,dead_layers,score_seconds\n";
  for (std::size_t i = 1; i < lines.size(); ++i) older += lines[i].substr(0, lines[i].find(",flops,")) + '\n';
  std::ofstream(csv) << older;
  CHECK(run(command + " --budgets flops:.4").status == 0);
  CHECK(lines_of(support::text_of(csv)) == lines);
  CHECK(support::says(run(command + " --budgets channels:.4").complaint, "budget flops and not channels"));
  CHECK(support::says(run(command + " --budgets .4").complaint, "write a unit and what of it goes"));
}

TEST_CASE("a folder that lost one of its files loses no row, and rows of which nothing says the settings are not believed") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const csv = out + "/results.csv";
  auto const command =
      "compare --data synthetic --train-limit 128 --test-limit 40 --arch mlp:3072,8,10 --batch 64 --teacher-epochs 1 --epochs 1 "
      "--seeds 2 --samples 2 --criteria magnitude,random --budgets channels:.5 --out " +
      out;
  auto const first = run(command);
  REQUIRE_MESSAGE(first.status == 0, first.complaint);
  auto const rows = support::text_of(csv);
  auto const table = first.output.substr(0, first.output.find("seconds per epoch"));

  std::filesystem::remove(csv);
  auto const without_rows = run(command);
  CHECK(without_rows.output == first.output);
  CHECK(support::text_of(csv) == rows);

  std::filesystem::remove(out + "/results.json");
  auto const without_details = run(command);
  CHECK(without_details.output == table);  // how long epochs took is lost
  CHECK(support::says(without_details.complaint, "results.json is missing"));
  CHECK(support::says(without_details.complaint, "of 4 students"));
  CHECK(support::text_of(csv) == rows);

  std::filesystem::remove(out + "/manifest.json");
  auto const other = run(command + " --lr .05");
  CHECK(other.status == 2);
  CHECK(support::says(other.complaint, "lr 0.1 and not 0.05"));
  CHECK(run(command).output == table);
  CHECK(std::filesystem::exists(out + "/manifest.json"));

  std::filesystem::remove(out + "/manifest.json");
  std::filesystem::remove(out + "/results.json");
  auto const alone = run(command);
  CHECK(alone.status == 1);
  CHECK(support::says(alone.complaint, "which say by which settings its rows came to be: restore one of them"));
  CHECK(support::text_of(csv) == rows);
}

TEST_CASE("a criterion has one row however it is spelled, also in files that hold it as it was typed") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const compare = [&](std::string const& criteria) {
    return run(quick + "--seeds 1 --sparsities .5 --out " + out + " --criteria " + criteria);
  };
  auto const names = [&] {
    std::vector<std::string> found;
    auto const lines = lines_of(support::text_of(out + "/results.csv"));
    for (std::size_t i = 1; i < lines.size(); ++i) found.push_back(lines[i].substr(0, lines[i].find(',')));
    return found;
  };
  auto const first = compare("SNIP:batch-norm=train:loss=cross-entropy,snip:rounds=02:temperature=2");
  REQUIRE_MESSAGE(first.status == 0, first.complaint);
  std::vector<std::string> const held{"snip", "snip:temperature=2:rounds=2"};
  CHECK(names() == held);
  REQUIRE(compare("snip:schedule=exponential:rounds=2:temperature=2.0,snip").status == 0);
  CHECK(names() == held);
  auto const twice = compare("snip,Snip:temperature=1");
  CHECK(twice.status == 2);
  CHECK(support::says(twice.complaint, "names snip twice"));

  // As versions before this wrote them: one student as two rows.
  auto rows = lines_of(support::text_of(out + "/results.csv"));
  rows.push_back("snip:loss=cross_entropy" + rows[1].substr(rows[1].find(',')));
  std::ofstream csv(out + "/results.csv");
  for (auto const& row : rows) csv << row << '\n';
  csv.close();
  auto json = nlohmann::json::parse(support::text_of(out + "/results.json"));
  json["rows"].push_back(json["rows"][0]);
  json["rows"].back()["criterion"] = "snip:loss=cross_entropy";
  json["rows"].back()["overlap"] = {{"SNIP", 1.0}, {"snip:rounds=2:temperature=2", 0.5}};
  std::ofstream(out + "/results.json") << json;
  auto const united = compare("snip");
  CHECK(united.output == compare("snip").output);
  CHECK(names() == held);
  auto const again = nlohmann::json::parse(support::text_of(out + "/results.json"))["rows"];
  CHECK(again.size() == 2);
  CHECK(again[1]["overlap"].contains("snip"));
}

TEST_CASE("images that changed are named, and not before a setting that says why") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const file = (folder / "mine.safetensors").string();
  std::string const command = "compare --data " + file +
                              " --arch mlp:192,4,2 --batch 2 --teacher-epochs 1 --epochs 1 --seeds 1 --samples 2 "
                              "--augment none --criteria random --sparsities .5 --out " +
                              (folder / "run").string();
  write_images(file, 8, 0);
  auto const first = run(command);
  REQUIRE_MESSAGE(first.status == 0, first.complaint);
  write_images(file, 8, 1);
  auto const other = run(command);
  CHECK(other.status == 2);
  CHECK(support::says(other.complaint, "holds a comparison on other images than mine.safetensors holds now"));
  CHECK_FALSE(support::says(other.complaint, "digest"));
  CHECK(support::says(run(command + " --train-limit 4").complaint, "images 8 and not 4"));
}

TEST_CASE("a network's file is known by what it holds, and not by its path; JSON shows the rows that were asked for") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  auto const write_network = [&](char const* name, char const* wide) {
    REQUIRE(run(std::string("prune --arch mlp:192,") + wide +
                ",2 --criterion magnitude --mask channels --budget channels:.5 --shrink --out " + at(name) + ".safetensors")
                .status == 0);
  };
  write_network("net", "8,6");
  write_network("other", "10,6");
  std::string const of_images = "compare --data " + write_images(folder / "mine.safetensors", 8, 0) +
                                " --batch 2 --teacher-epochs 1 --epochs 1 --seeds 1 --samples 2 --augment none --json --out " +
                                at("run") + " --arch ";
  auto const both = run(of_images + at("net.json") + " --criteria random,magnitude --sparsities .5");
  REQUIRE_MESSAGE(both.status == 0, both.complaint);
  auto const elsewhere = run(of_images + at("./net.json") + " --criteria random --sparsities .5");
  REQUIRE_MESSAGE(elsewhere.status == 0, elsewhere.complaint);
  CHECK(nlohmann::json::parse(both.output)["rows"].size() == 2);
  CHECK(nlohmann::json::parse(elsewhere.output)["rows"].size() == 1);

  std::filesystem::rename(at("net.json"), at("first.json"));
  std::filesystem::copy_file(at("other.json"), at("net.json"));
  auto const other = run(of_images + at("net.json") + " --criteria random --sparsities .5,.6");
  CHECK(other.status == 2);
  CHECK(support::says(other.complaint, "holds a comparison of another network than " + at("net.json") + " holds now"));

  // A manifest of before the digest says nothing of what the file held.
  std::filesystem::rename(at("first.json"), at("net.json"));
  for (auto const* const name : {"run/manifest.json", "run/results.json"}) {
    auto held = nlohmann::json::parse(support::text_of(at(name)));
    auto& kept = held.contains("settings") ? held["settings"] : held;
    kept.erase("arch-digest");
    kept["arch"] = at("net.json");
    std::ofstream(at(name)) << held;
  }
  CHECK(run(of_images + at("net.json") + " --criteria random --sparsities .5").status == 0);
}

TEST_CASE("where nobody names criteria, random channels are chosen by one number each") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const done = run(quick + "--seeds 1 --start teacher --budgets channels:.5 --out " + (folder / "run").string());
  REQUIRE_MESSAGE(done.status == 0, done.complaint);
  CHECK(support::says(done.output, "random:channel-score=first "));
}

TEST_CASE("a row that no comparison wrote is the fault of its file, which stays as it is") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const command = settings + "--criteria random --sparsities .5 --out " + out;
  REQUIRE(run(command).status == 0);
  auto const rows = lines_of(support::text_of(out + "/results.csv"));
  for (auto const* const row : {"random,half,1,0.1,0.1,0,0", "random,0.5,1,0.1,1.5,0,0", "random,0.5,1"}) {
    CAPTURE(row);
    auto const text = rows[0] + '\n' + rows[1] + '\n' + row + '\n';
    std::ofstream(out + "/results.csv") << text;
    auto const done = run(command);
    CHECK(done.status == 1);
    CHECK(support::says(done.complaint, std::string("results.csv holds the line \"") + row + '"'));
    CHECK(support::text_of(out + "/results.csv") == text);
  }
}

TEST_CASE("a teacher that diverges is named and asks for a lower rate, which its folder then takes") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const command = [&](std::string const& rate) {
    return run(
        "compare --data synthetic --train-limit 128 --test-limit 40 --arch mlp:3072,8,10 --batch 64 --teacher-epochs 1 "
        "--epochs 1 --seeds 1 --samples 2 --criteria random --sparsities .5 --lr " +
        rate + " --out " + (folder / "run").string());
  };
  for (auto const* const rate : {"1e10", "1e30"}) {  // of which the second is seen in the loss
    auto const diverged = command(rate);
    CHECK(diverged.status == 1);
    CHECK(support::says(diverged.complaint, "seed 0: teacher: "));
    CHECK(support::says(diverged.complaint, "learning rate\n"));
    CHECK_FALSE(support::says(diverged.complaint, "double"));
  }
  CHECK(command(".1").status == 0);
}

TEST_CASE("a manifest or rows that no comparison wrote are not written over") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  for (auto const& [name, text] : {std::pair{"manifest.json", "{\"name\": \"app\"}"}, {"results.csv", "method,score\n"}}) {
    CAPTURE(name);
    std::ofstream(folder / name) << text;
    auto const done = run(settings + "--criteria random --sparsities .5 --out " + folder.path().string());
    CHECK(done.status == 1);
    CHECK(support::says(done.complaint, "restore it, or choose another --out"));
    CHECK(support::text_of(folder / name) == text);
    std::filesystem::remove(folder / name);
  }
}

TEST_CASE("two comparisons do not write one folder at once, and one that was killed leaves it free") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  auto const command = [&](char const* epochs) {
    return "compare --data synthetic --train-limit 128 --test-limit 40 --arch mlp:3072,8,10 --batch 64 --seeds 1 --epochs 1 "
           "--criteria random --teacher-epochs " +
           std::string(epochs) + " --out " + out;
  };
  auto const first = start(command("1000000"));
  wait_for(out + "/manifest.json", first);
  auto const second = run(command("1000000"));
  CHECK(second.status == 1);
  CHECK(support::says(second.complaint, "is being written by another lnpt: wait until that ends, or choose another --out"));
  kill(first);
  // Which goes on where the one that was killed had not trained an epoch yet, and else is refused for its settings.
  CHECK_FALSE(support::says(run(command("1")).complaint, "is being written by another"));
}

TEST_CASE("a deep network of fresh weights, sure of one class, is no reason to refuse the loss of what its trained self says") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const done =
      run("compare --data synthetic --train-limit 64 --test-limit 20 --batch 32 --arch resnet:56:4,4,4:a --teacher-epochs 1 "
          "--epochs 1 --lr .01 "
          "--seeds 1 --samples 2 --start teacher --budgets flops:.3 --criteria snip:loss=pseudo_label --out " +
          (folder / "run").string());
  CHECK_MESSAGE(done.status == 0, done.complaint);
}

TEST_CASE("importance that outgrows single precision from layer to layer is compared all the same") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const done =
      run("compare --data synthetic --train-limit 64 --test-limit 20 --batch 32 --arch resnet:80:8,8,8:a --teacher-epochs 1 "
          "--epochs 1 --lr .01 --seeds 1 --samples 2 --start teacher --budgets flops:.3 --criteria nisp --out " +
          (folder / "run").string());
  CHECK_MESSAGE(done.status == 0, done.complaint);
}

TEST_CASE("a search is a row beside criteria, and a teacher may learn under a regulariser") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  auto const command = settings + "--criteria bn_scale,eagle_eye:candidates=3:tolerance=.05 ";
  auto const trained = command + "--start teacher --budgets flops:.4 ";
  auto const done = run(trained + "--out " + at("run"));
  REQUIRE_MESSAGE(done.status == 0, done.complaint);
  CHECK(support::says(done.output, "eagle_eye:candidates=3:tolerance=0.05 "));
  auto const results = nlohmann::json::parse(support::text_of(folder / "run" / "results.json"));
  REQUIRE(results["rows"].size() == 4);
  for (auto const& row : results["rows"]) {
    if (row["criterion"] == "bn_scale") continue;
    auto const& size = row["size"];
    auto const left = size["multiply_adds"][1].get<double>() / size["multiply_adds"][0].get<double>();
    CHECK(std::abs(1 - left - .4) <= .05);
    CHECK(row["score_seconds"] > 0);
    CHECK(row.contains("stability"));
  }

  // The strength of ten is more than anything else that moves a scale.
  REQUIRE(run(trained + "--teacher-regulariser slimming:lambda=10 --out " + at("slim")).status == 0);
  auto const scales = [&](char const* run) {
    double sum = 0;
    auto const teacher = lnpt::io::safetensors::open((folder / run / "teacher-seed0.safetensors").string());
    for (auto const scale : teacher.read<double>("layer1.0.bn1.weight")) sum += std::abs(scale);
    return sum;
  };
  CHECK(scales("slim") < 0.9 * scales("run"));
  CHECK(support::says(run(trained + "--out " + at("slim")).complaint, "teacher-regulariser slimming:lambda=10 and not none"));
  CHECK(support::says(run(command + "--budgets flops:.4 --out " + at("no")).complaint, "give --start teacher"));
  CHECK(
      support::says(run(command + "--start teacher --budgets channels:.4 --out " + at("no")).complaint, "removes multiply-adds"));
  CHECK(support::says(run(settings + "--criteria eagle_eye --start teacher --sparsities .4 --out " + at("no")).complaint,
                      "removes multiply-adds"));
  auto const misspelt = run(settings + "--criteria eagle_eye:draws=3 --start teacher --budgets flops:.4 --out " + at("no"));
  CHECK(support::says(misspelt.complaint, "choose candidates, tolerance, least or most"));
  auto const none = run(settings + "--criteria eagle_eye:candidates=0 --start teacher --budgets flops:.4 --out " + at("no"));
  CHECK(none.status == 2);
  auto const endless = run(trained + "--teacher-regulariser tpp --out " + at("no"));
  CHECK(endless.status == 2);
  CHECK_FALSE(std::filesystem::exists(folder / "no"));
}

TEST_CASE("rows that read labels are marked and emptied layers are named") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const done = run(settings + "--criteria snip,random,random:rank=lowest,feature_map_synaptic --sparsities .995 --out " +
                        (folder / "run").string());
  // keep_in_budget: the classifier alone is more than half a percent, so feature_map_synaptic cannot be pruned this far, which is said
  // before any teacher is trained.
  CHECK(done.status == 2);
  CHECK(support::says(done.complaint, "feature_map_synaptic at 99.5 %: "));
  CHECK(support::says(done.complaint, "have no score stay in any case"));
  CHECK_FALSE(std::filesystem::exists(folder / "run"));

  auto const table = run(settings + "--criteria snip,random --sparsities .995 --out " + (folder / "run").string()).output;
  CHECK(table.find("snip *") != std::string::npos);
  CHECK(table.find("random *") == std::string::npos);
  CHECK(table.find("every student trains without labels") != std::string::npos);
  CHECK(table.find("at 99.5 % emptied conv1.weight") != std::string::npos);
}

TEST_CASE("what takes passes of its own is made where it is asked for, before and after training") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "run").string();
  std::string const command =
      "compare --data synthetic --train-limit 128 --test-limit 40 --arch mlp:3072,8,10 --batch 64 --teacher-epochs 1 --epochs 1 "
      "--seeds 1 --samples 2 --criteria random --sparsities .5 --out " +
      out;
  auto const misspelt = run(command + " --diagnostics ntk,kernel");
  CHECK(misspelt.status == 2);
  CHECK(misspelt.complaint.find("choose from ntk, linear") != std::string::npos);
  auto const done = run(command + " --learn-from labels --diagnostics ntk,linear");
  REQUIRE_MESSAGE(done.status == 0, done.complaint);
  CHECK(done.output.find("every student trains with labels") != std::string::npos);
  auto const row = nlohmann::json::parse(support::text_of(out + "/results.json"))["rows"][0];
  CHECK(row["kernel_drift"] > 0);
  REQUIRE(row["linear_error"].size() == 2);
  CHECK(row["linear_error"][0] > 0);
}
