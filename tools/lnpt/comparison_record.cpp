#include "comparison_record.hpp"

#include <fstream>
#include <limits>
#include <span>

#include <lnpt/analysis/weight_distance.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/io/atomic_file.hpp>
#include <lnpt/io/json_fault.hpp>

#include "pruning_method.hpp"

namespace cli {

namespace {

constexpr int version = 2;

using json = nlohmann::ordered_json;

/// JSON has no number that is not finite; null stands for one.
double number_in(json const& value) { return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>(); }

void read_series(json const& from, char const* name, std::vector<double>& into) {
  if (!from.contains(name)) return;
  for (auto const& each : from.at(name)) into.push_back(number_in(each));
}

void write_series(json& into, char const* name, std::vector<double> const& from) {
  if (!from.empty()) into[name] = from;
}

json json_of(student_course const& course) {
  json epochs = json::object();
  write_series(epochs, "learning_gap", course.learning_gap);
  write_series(epochs, "distance", course.distance);
  write_series(epochs, "distance_from_start", course.distance_from_start);
  write_series(epochs, "accuracy", course.accuracy);
  return epochs;
}

json json_of(compared_size const& size) {
  return {{"parameters", {size.parameters_before, size.parameters}},
          {"multiply_adds", {size.multiply_adds_before, size.multiply_adds}},
          {"milliseconds", {size.milliseconds_before, size.milliseconds}}};
}

compared_size size_of(json const& from) {
  auto const& parameters = from.at("parameters");
  auto const& multiply_adds = from.at("multiply_adds");
  auto const& milliseconds = from.at("milliseconds");
  return {parameters.at(1),    multiply_adds.at(1),           parameters.at(0),
          multiply_adds.at(0), number_in(milliseconds.at(1)), number_in(milliseconds.at(0))};
}

json json_of(comparison_row const& row) {
  json all{{"criterion", row.criterion},         {"sparsity", row.sparsity},           {"seed", row.seed},
           {"last_accuracy", row.last_accuracy}, {"best_accuracy", row.best_accuracy}, {"dead_layers", row.dead_layers},
           {"emptied", row.details.emptied},     {"score_seconds", row.score_seconds}};
  auto const& details = row.details;
  if (details.epoch_seconds > 0) all["epoch_seconds"] = details.epoch_seconds;
  if (!details.kept.empty()) all["kept"] = details.kept;
  if (auto epochs = json_of(details.course); !epochs.empty()) all["epochs"] = std::move(epochs);
  if (auto const escape = escape_of(details.course)) all["weight_escape"] = *escape;
  if (details.stability) all["stability"] = *details.stability;
  if (!details.overlap.empty()) all["overlap"] = details.overlap;
  write_series(all, "linear_error", details.asked.linear_error);
  if (details.asked.kernel_drift) all["kernel_drift"] = *details.asked.kernel_drift;
  if (details.size) all["size"] = json_of(*details.size);
  return all;
}

comparison_row row_of(json const& from) {
  comparison_row row{from.at("criterion"),
                     from.at("sparsity"),
                     from.at("seed"),
                     number_in(from.at("last_accuracy")),
                     number_in(from.at("best_accuracy")),
                     from.at("dead_layers"),
                     number_in(from.at("score_seconds"))};
  auto& details = row.details;
  from.at("emptied").get_to(details.emptied);
  details.epoch_seconds = from.value("epoch_seconds", 0.0);
  if (from.contains("kept")) from.at("kept").get_to(details.kept);
  if (from.contains("epochs")) {
    auto const& epochs = from.at("epochs");
    read_series(epochs, "learning_gap", details.course.learning_gap);
    read_series(epochs, "distance", details.course.distance);
    read_series(epochs, "distance_from_start", details.course.distance_from_start);
    read_series(epochs, "accuracy", details.course.accuracy);
  }
  if (from.contains("stability")) details.stability = number_in(from.at("stability"));
  if (from.contains("overlap")) from.at("overlap").get_to(details.overlap);
  read_series(from, "linear_error", details.asked.linear_error);
  if (from.contains("kernel_drift")) details.asked.kernel_drift = number_in(from.at("kernel_drift"));
  if (from.contains("size")) details.size = size_of(from.at("size"));
  return row;
}

}  // namespace

std::optional<double> escape_of(student_course const& course) {
  if (course.distance.empty() || course.distance.size() != course.learning_gap.size()) return std::nullopt;
  return lnpt::weight_escape(course.distance, course.learning_gap);
}

bool unite_spellings(std::vector<comparison_row>& rows) {
  bool differs = false;
  std::vector<comparison_row> united;
  for (auto& row : rows) {
    auto name = canonical_method(row.criterion);
    differs = differs || name != row.criterion;
    row.criterion = std::move(name);
    std::map<std::string, double> overlap;
    for (auto const& [other, shared] : row.details.overlap) overlap.emplace(canonical_method(other), shared);
    overlap.erase(row.criterion);
    row.details.overlap = std::move(overlap);
    if (!contains(united, row.criterion, row.sparsity, row.seed)) united.push_back(std::move(row));
  }
  rows = std::move(united);
  return differs;
}

json to_json(comparison_record const& record) {
  json all{{"version", version},
           {"settings", record.settings},
           {"teachers", json::array()},
           {"layers", json::array()},
           {"rows", json::array()}};
  for (auto const& [seed, teacher] : record.teachers) {
    all["teachers"].push_back({{"seed", seed}, {"accuracy", teacher.accuracy}});
    if (teacher.epoch_seconds > 0) all["teachers"].back()["epoch_seconds"] = teacher.epoch_seconds;
  }
  for (auto const& layer : record.layers) all["layers"].push_back({{"name", layer.name}, {"weights", layer.weights}});
  for (auto const& row : record.rows) all["rows"].push_back(json_of(row));
  return all;
}

comparison_record read_comparison(std::filesystem::path const& path) {
  auto const all = read_json_file(path);
  try {
    if (auto const found = all.value("version", 1); found > version)
      lnpt::fail(path, " is of version ", found, " and this lnpt reads those up to ", version,
                 ": take the lnpt that wrote it, or choose another --out");
    comparison_record record;
    all.at("settings").get_to(record.settings);
    for (auto const& each : all.at("teachers"))
      record.teachers[each.at("seed")] = {number_in(each.at("accuracy")), each.value("epoch_seconds", 0.0)};
    for (auto const& each : all.value("layers", json::array())) record.layers.push_back({each.at("name"), each.at("weights")});
    for (auto const& each : all.at("rows")) {
      auto row = row_of(each);
      if (contains(record.rows, row.criterion, row.sparsity, row.seed))
        lnpt::fail(path, " holds two rows of ", row.criterion, " at ", row.sparsity, " of seed ", row.seed, ": remove one");
      record.rows.push_back(std::move(row));
      if (auto const& kept = record.rows.back().details.kept; !kept.empty() && kept.size() != record.layers.size())
        lnpt::fail(path, " counts the weights left in ", kept.size(), " layers of a student and names ", record.layers.size(),
                   " layers: restore it, or choose another --out");
    }
    (void)unite_spellings(record.rows);
    return record;
  } catch (nlohmann::json::exception const& reason) {
    lnpt::fail(path, " is not as lnpt wrote it, since it ", lnpt::io::json_fault(reason), ": restore it, or name another folder");
  }
}

nlohmann::ordered_json read_json_file(std::filesystem::path const& path) {
  std::ifstream file(path);
  if (!file) lnpt::fail(path, " cannot be read: name the results.json of a comparison, or the folder that holds it");
  auto found = json::parse(file, nullptr, false);
  if (found.is_discarded()) lnpt::fail(path, " is no JSON: restore it, or name another folder");
  return found;
}

void write_atomically(std::filesystem::path const& path, std::string const& text) {
  lnpt::io::atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace cli
