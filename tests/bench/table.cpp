/// The table of the benchmarks: ratios within a round, medians over rounds, bounds from both sides, remarks on what is not met.
#include "../../bench/table.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace bench_table;

namespace {

nlohmann::json result(std::string const& name, double value, std::string const& unit) {
  return {{"name", name}, {"real_time", value}, {"time_unit", unit}};
}

nlohmann::json file(std::vector<nlohmann::json> const& benchmarks) { return {{"benchmarks", benchmarks}}; }

bool contains(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

std::string printed(std::vector<row> const& rows, measurements const& found, std::vector<remark> const& on = {}) {
  return table({{"Title", rows}}, on).print(found);
}

}  // namespace

TEST_CASE("a subject is compared with its unit of the same round, and the median round counts") {
  measurements found;
  found.read(file({result("a/iterations:2/process_time/real_time", 10, "ms"), result("b", 10, "ms")}), 0);  // 1
  found.read(file({result("a", 300, "ms"), result("b", 100, "ms")}), 1);                                    // 3
  found.read(file({result("a", 0.02, "s"), result("b", 10000, "us")}), 2);                                  // 2
  found.read(file({result("a", 1, "ns")}), 3);  // its unit did not run
  auto const pair = found.compare("a", "b");
  REQUIRE(pair);
  CHECK(pair->ratio == doctest::Approx(2));
  CHECK(pair->subject.value == doctest::Approx(0.02));
  CHECK(pair->unit.value == doctest::Approx(0.01));
  CHECK_FALSE(found.compare("a", "c"));
}

TEST_CASE("memory is compared in bytes, whatever the row took") {
  measurements found;
  auto small = result("memory/a", 1, "ms"), large = result("memory/b", 9, "ms");
  small["bytes"] = 3 << 20;
  large["bytes"] = 12 << 20;
  found.read(file({small, large}), 0);
  CHECK(found.compare("memory/a", "memory/b")->ratio == doctest::Approx(0.25));
  CHECK(contains(printed({{"memory/a", "memory/b", 1}}, found), "3.000 MiB    12.00 MiB      0.25  ≤ 1.00  met\n"));
}

TEST_CASE("a row that took turns with rivals carries their times, worked out from its ratios") {
  measurements found;
  auto turns = result("sparse/a/5/iterations:7/manual_time", 2, "ms");
  turns["of_dense"] = 0.25;
  turns["of_csr"] = 0.5;
  found.read(file({turns}), 0);
  CHECK(found.compare("sparse/a/5", "sparse/a/5/dense")->ratio == doctest::Approx(0.25));
  CHECK(found.compare("sparse/a/5", "sparse/a/5/csr")->unit.value == doctest::Approx(4e-3));
}

TEST_CASE("bounds hold from above, from below, per element, or not at all") {
  measurements found;
  found.read(file({result("a", 1.5, "s"), result("b", 1, "s")}), 0);
  CHECK(contains(printed({{"a", "b", 1.5}}, found), "1.500 s      1.000 s        1.50  ≤ 1.50  met\n"));
  CHECK(contains(printed({{"a", "b", 1.4}}, found), "1.50  ≤ 1.40  NOT MET\n"));
  CHECK(contains(printed({{"a", "b", 1.8, bound::at_least}}, found), "1.50  ≥ 1.80  NOT MET\n"));
  CHECK(contains(printed({{"a", "b", 1.4, bound::at_least}}, found), "1.50  ≥ 1.40  met\n"));
  CHECK(contains(printed({{"a", "b", 1, bound::at_most, 2}}, found), "0.75  ≤ 1.00  met\n"));
  auto const rival = printed({{"a", "b", 0, bound::none, 1, "33"}}, found);
  CHECK(contains(rival, "1.50   (published programs: 33)\n"));
  CHECK(contains(rival, "0 of 0 rows with a reach are met."));
}

TEST_CASE("rows not met share the remark that fits them first; a row nobody looked into says so") {
  measurements found;
  found.read(file({result("x/one", 2, "s"), result("x/two", 2, "s"), result("y", 2, "s"), result("b", 1, "s")}), 0);
  auto const text = printed({{"x/one", "b", 1}, {"x/two", "b", 1}, {"y", "b", 1}, {"b", "b", 1}}, found,
                            {{"x/*", "Tried this. Left: that."}, {"x/one", "never reached"}});
  CHECK(contains(
      text,
      "1 of 4 rows with a reach are met.\n\nNot met:\n  x/one, x/two\n      Tried this. Left: that.\n  y\n      Nothing is on "
      "record"));
  CHECK_FALSE(contains(text, "never reached"));
}

TEST_CASE("rows that did not run are counted, rows that failed are named, a group without rows has no title") {
  measurements found;
  auto broken = result("a", 0, "s");
  broken["error_occurred"] = true;
  broken["error_message"] = "no room";
  found.read(file({broken, result("b", 1, "s")}), 0);
  auto const text = printed({{"a", "b", 1}}, found);
  CHECK(text ==
        "0 of 0 rows with a reach are met.\n1 rows are left out: they, or their rivals (LibTorch, oneDNN), were not run here.\n"
        "a failed: no room\n");
}

TEST_CASE("a round is a folder; a file that was not finished is passed over") {
  auto const folder = std::filesystem::temp_directory_path() / "lnpt_bench_table";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "whole.json") << file({result("a", 1, "s")});
  std::ofstream(folder / "cut.json") << R"({"benchmarks": [{"name": "a")";
  measurements found;
  found.read_round(folder);
  CHECK(found.compare("a", "a"));
  std::filesystem::remove_all(folder);
}

TEST_CASE("every remark is on a row of the table, and is not hidden behind another") {
  std::vector<bool> used(remarks().size());
  for (auto const& group : expectations())
    for (auto const& row : group.rows)
      for (std::size_t i = 0; i < used.size(); ++i)
        if (fnmatch(remarks()[i].subject.c_str(), row.subject.c_str(), 0) == 0) {
          used[i] = true;
          break;
        }
  for (std::size_t i = 0; i < used.size(); ++i) CHECK_MESSAGE(used[i], remarks()[i].subject);
}
