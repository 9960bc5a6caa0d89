#pragma once
/// What the commands have in common.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tbb/global_control.h>
#include <vector>

#include "architecture.hpp"
#include "data.hpp"
#include "ranges.hpp"

namespace cli {

/// Flags of every command that has a use for them. Options of a command that has none say so by a member of the same name.
struct common_options {
  static constexpr bool draws = true;     ///< anything at random, from --seed
  static constexpr bool computes = true;  ///< on several threads
  static constexpr bool tells = true;     ///< something that JSON could say
  std::uint64_t seed = 0;
  std::size_t threads = 0;
  bool json = false;
};

/// What a command is called and what its help says before and after the flags.
struct command_text {
  char const* name;
  char const* summary;
  char const* examples;
};

/// Adds a command: `describe` binds flags to its options, `run` does the work.
template <class Options>
void add_command(CLI::App& app, command_text const& text, void (*describe)(CLI::App&, Options&), void (*run)(Options const&)) {
  auto* const command = app.add_subcommand(text.name, text.summary);
  auto const options = std::make_shared<Options>();
  describe(*command, *options);
  if constexpr (Options::draws)
    command->add_option("--seed", options->seed, "Seed of every random choice")->capture_default_str();
  if constexpr (Options::computes) command->add_option("--threads", options->threads, "How many threads to use; 0: all");
  if constexpr (Options::tells) command->add_flag("--json", options->json, "Print JSON instead of tables");
  command->footer(text.examples);
  command->callback([options, run] {
    std::optional<tbb::global_control> limit;
    if (options->threads > 0) limit.emplace(tbb::global_control::max_allowed_parallelism, options->threads);
    run(*options);
  });
}

void add_score(CLI::App& app);
void add_prune(CLI::App& app);
void add_teach(CLI::App& app);
void add_train(CLI::App& app);
void add_compare(CLI::App& app);
void add_report(CLI::App& app);
void add_inspect(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_robustness(CLI::App& app);
void add_study(CLI::App& app);

}  // namespace cli
