#pragma once
/// How the singular values of a network's input–output Jacobian changed.
#include <nlohmann/json.hpp>
#include <optional>

#include <lnpt/analysis/trainability.hpp>

#include "scoring.hpp"

namespace cli {

struct trainability_change {
  std::optional<lnpt::trainability_report> before, after;
};

/// Of the first `samples` inputs that scoring reads; nothing where there are to be none. Refuses to measure without data.
template <class T>
[[nodiscard]] std::optional<lnpt::trainability_report> trainability_of(cpu_network<T>& network,
                                                                       scoring_data<lnpt::cpu::array<T>> const& data,
                                                                       std::size_t samples);

void print(trainability_change const& change);
[[nodiscard]] nlohmann::ordered_json as_json(trainability_change const& change);

}  // namespace cli
