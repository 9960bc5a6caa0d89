// lnpt study: whole experiments.
#include "studies.hpp"

#include "command.hpp"

namespace cli {

void add_study(CLI::App& app) {
  auto* const study = app.add_subcommand("study", "Run a whole experiment and print its table");
  study->require_subcommand(1);
  add_pretraining_study(*study);
  add_trainability_study(*study);
}

}  // namespace cli
