// The page of a comparison in a browser: Debian's Chromium without a window, which says what it does not like.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "../skip.hpp"
#include "page.hpp"
#include "support.hpp"

using namespace cli_test;

namespace {

/// The page as the browser understood it; its complaints are those of the console.
outcome browse(std::filesystem::path const& page, std::filesystem::path const& profile) {
  auto const output = profile.string() + ".dom";
  auto const complaint = profile.string() + ".log";
  auto const status =
      std::system(("chromium --headless --no-sandbox --disable-gpu --enable-logging=stderr --user-data-dir=" + profile.string() +
                   " --dump-dom file://" + page.string() + " > " + output + " 2> " + complaint)
                      .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, support::text_of(output), support::text_of(complaint)};
}

}  // namespace

TEST_CASE("a browser shows every number of the results and has nothing to complain of") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  if (std::system("command -v chromium > /dev/null") != 0) return skip("chromium is not installed");
  support::temporary_folder const folder;
  nlohmann::ordered_json results{{"version", 2},
                                 {"settings", {{"arch", "<i>net</i>"}, {"data", "synthetic"}}},
                                 {"teachers", nlohmann::json::array()},
                                 {"layers", nlohmann::json::array()},
                                 {"rows", nlohmann::json::array()}};
  std::vector<double> accuracies;
  for (int seed = 0; seed < 3; ++seed)
    for (auto const sparsity : {0.9, 0.98}) {
      accuracies.push_back((40 + seed) / 97.0 - sparsity / 10);
      results["rows"].push_back({{"criterion", "snip"},
                                 {"sparsity", sparsity},
                                 {"seed", seed},
                                 {"last_accuracy", accuracies.back()},
                                 {"best_accuracy", accuracies.back()},
                                 {"dead_layers", 0},
                                 {"emptied", nlohmann::json::array()},
                                 {"score_seconds", 0.5},
                                 {"epochs", {{"learning_gap", {8, 4, 2}}}}});
    }
  std::ofstream(folder / "results.json") << results;
  REQUIRE(run("report " + folder.path().string() + " --out " + (folder / "page.html").string()).status == 0);

  auto const seen = browse(folder / "page.html", folder / "profile");
  REQUIRE_MESSAGE(seen.status == 0, seen.complaint);
  CHECK(seen.complaint.find("CONSOLE") == std::string::npos);
  CHECK(seen.output.find("&lt;i&gt;net&lt;/i&gt;") != std::string::npos);
  auto const shown = data_of(seen.output, "students");
  for (auto const accuracy : accuracies) CHECK(std::ranges::count(shown, accuracy) == 2);  // last and best
  CHECK(seen.output.find("<title id=\"gap-90-title\">") != std::string::npos);
}
