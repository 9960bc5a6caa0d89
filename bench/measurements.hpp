#pragma once
/// What the benchmarks wrote, by round.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace bench_table {

/// One row's result: seconds, or bytes of memory.
struct measured {
  double value = 0;
  bool is_bytes = false;
};

/// Two rows side by side: their medians over the rounds, and the median of the ratios of each round.
struct comparison {
  measured subject, unit;
  double ratio = 0;
};

/// The results of several rounds. A subject and its unit are compared within a round, so that a machine that slows down between
/// rounds slows both.
class measurements {
 public:
  /// Reads one file of Google Benchmark into a round.
  void read(nlohmann::json const& file, std::size_t round) {
    if (rounds_.size() <= round) rounds_.resize(round + 1);
    for (auto const& each : file.at("benchmarks")) {
      auto const name = without_settings(each.at("name").get<std::string>());
      if (each.value("error_occurred", false))
        failed_[name] = each.value("error_message", "");
      else if (each.contains("bytes"))
        rounds_[round][name] = {each.at("bytes").get<double>(), true};
      else if (each.contains("real_time"))
        read_time(each, name, rounds_[round]);
    }
  }

  /// Reads every JSON file of a folder as the next round. A file that a stopped benchmark left unfinished is passed over.
  void read_round(std::filesystem::path const& folder) {
    auto const round = rounds_.size();
    rounds_.emplace_back();
    for (auto const& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".json") continue;
      std::ifstream in(entry.path());
      auto const file = nlohmann::json::parse(in, nullptr, false);
      if (!file.is_discarded() && file.contains("benchmarks")) read(file, round);
    }
  }

  /// Empty where no round has both.
  [[nodiscard]] std::optional<comparison> compare(std::string const& subject, std::string const& unit) const {
    std::vector<double> subjects, units, ratios;
    bool is_bytes = false;
    for (auto const& round : rounds_) {
      auto const a = round.find(subject), b = round.find(unit);
      if (a == round.end() || b == round.end()) continue;
      subjects.push_back(a->second.value);
      units.push_back(b->second.value);
      ratios.push_back(a->second.value / b->second.value);
      is_bytes = a->second.is_bytes;
    }
    if (ratios.empty()) return std::nullopt;
    return comparison{{median(subjects), is_bytes}, {median(units), is_bytes}, median(ratios)};
  }

  /// Why rows failed, by name.
  [[nodiscard]] std::map<std::string, std::string> const& failed() const { return failed_; }

 private:
  /// A row that took turns with rivals says its ratio to each, `of_X`: the rival becomes the row "<name>/X".
  static void read_time(nlohmann::json const& each, std::string const& name, std::map<std::string, measured>& round) {
    auto const seconds = each.at("real_time").get<double>() * seconds_of(each.at("time_unit").get<std::string>());
    round[name] = {seconds, false};
    for (auto const& [counter, ratio] : each.items())
      if (counter.starts_with("of_")) round[name + '/' + counter.substr(3)] = {seconds / ratio.get<double>(), false};
  }
  /// The lower of the two in the middle where their number is even.
  static double median(std::vector<double> values) {
    auto const middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }
  /// Google Benchmark writes how it measured behind the name.
  static std::string without_settings(std::string name) {
    for (std::string_view const setting : {"/iterations:", "/process_time", "/real_time", "/manual_time"})
      if (auto const at = name.find(setting); at != std::string::npos) name.resize(at);
    return name;
  }
  static double seconds_of(std::string_view unit) { return unit == "ms" ? 1e-3 : unit == "us" ? 1e-6 : unit == "ns" ? 1e-9 : 1; }

  std::vector<std::map<std::string, measured>> rounds_;
  std::map<std::string, std::string> failed_;
};

}  // namespace bench_table
