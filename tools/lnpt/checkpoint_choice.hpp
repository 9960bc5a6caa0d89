#pragma once
/// Which stored weights a command works on without an architecture: the flags that `prune` and `score` share, and how both tell of it.
#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/out_of_core/options.hpp>

#include "criterion.hpp"

namespace cli {

struct checkpoint_choice {
  std::string from;
  std::string include, exclude;

  [[nodiscard]] bool asked() const { return !from.empty(); }
  /// `what` ends the help of --checkpoint: what is done to the files, and what can be chosen.
  void describe(CLI::App& command, std::string const& what);
  /// Options for these tensors under this criterion, which is to need no network.
  [[nodiscard]] lnpt::out_of_core::prune_options options(criterion_kind criterion, std::uint64_t seed) const;
};

/// The criterion that was typed; magnitude where none was.
[[nodiscard]] criterion_kind checkpoint_criterion(std::string const& typed);

/// Names of tensors that stay dense, reason by reason.
void print_left_dense(std::vector<std::pair<std::string, std::string>> const& dense);

}  // namespace cli
