#include "trainability.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "text_table.hpp"

namespace cli {

namespace {

nlohmann::ordered_json as_json(lnpt::trainability_report const& r) {
  return {{"samples", r.samples},   {"mean", r.mean},           {"deviation", r.deviation},        {"least", r.least},
          {"greatest", r.greatest}, {"condition", r.condition}, {"from_isometry", r.from_isometry}};
}

}  // namespace

template <class T>
std::optional<lnpt::trainability_report> trainability_of(cpu_network<T>& network, scoring_data<lnpt::cpu::array<T>> const& data,
                                                         std::size_t samples) {
  if (samples == 0) return std::nullopt;
  if (data.batches.empty()) refuse("--trainability looks at inputs: name them with --data");
  auto const& batch = data.batches.front().input;
  return lnpt::trainability(network, lnpt::rows(batch, 0, std::min(samples, lnpt::shape_of(batch).at(0))));
}
template std::optional<lnpt::trainability_report> trainability_of(cpu_network<float>&,
                                                                  scoring_data<lnpt::cpu::array<float>> const&, std::size_t);
template std::optional<lnpt::trainability_report> trainability_of(cpu_network<double>&,
                                                                  scoring_data<lnpt::cpu::array<double>> const&, std::size_t);

void print(trainability_change const& change) {
  text_table table({"Jacobian", "mean", "deviation", "least", "greatest", "condition", "(s - 1)^2"});
  auto const add = [&](char const* when, lnpt::trainability_report const& r) {
    auto const text = [](double value) { return fmt::format("{:.4g}", value); };
    table.add({when, text(r.mean), text(r.deviation), text(r.least), text(r.greatest), text(r.condition), text(r.from_isometry)});
  };
  if (change.before) add("before", *change.before);
  if (change.after) add("after", *change.after);
  table.print();
}

nlohmann::ordered_json as_json(trainability_change const& change) {
  nlohmann::ordered_json all;
  if (change.before) all["before"] = as_json(*change.before);
  if (change.after) all["after"] = as_json(*change.after);
  return all;
}

}  // namespace cli
