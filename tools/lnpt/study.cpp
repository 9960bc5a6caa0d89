// lnpt study: whole experiments.
#include "studies.hpp"

#include "command.hpp"

namespace cli {

void add_study(CLI::App& app) {
  auto* const study = app.add_subcommand("study", "Run a whole experiment and print its table");
  study->require_subcommand(1);
  study->footer("Each study explains itself: lnpt study pretraining --help");
  add_pretraining_study(*study);
  add_trainability_study(*study);
  add_merging_study(*study);
}

}  // namespace cli
