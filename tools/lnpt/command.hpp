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

#include <lnpt/io/image_set.hpp>

#include "architecture.hpp"

namespace cli {

/// Flags of every command.
struct common_options {
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
  command->add_option("--seed", options->seed, "Seed of every random choice")->capture_default_str();
  command->add_option("--threads", options->threads, "How many threads to use; 0: all");
  command->add_flag("--json", options->json, "Print JSON instead of tables");
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
void add_inspect(CLI::App& app);

inline constexpr char const* data_forms = "synthetic, cifar10:FOLDER, cifar100:FOLDER or mnist:FOLDER";

/// How many images of a data set to use.
struct image_limits {
  std::size_t train = lnpt::io::data_set_options::all;
  std::size_t test = lnpt::io::data_set_options::all;

  void describe(CLI::App& command) {
    command.add_option("--train-limit", train, "Use the first N training images")->check(CLI::PositiveNumber);
    command.add_option("--test-limit", test, "Use the first N test images")->check(CLI::PositiveNumber);
  }
};

/// Opens a data set; text of no such form is misuse, a folder without the files a failure.
[[nodiscard]] lnpt::io::data_set open_data(std::string const& text, image_limits const& limits);

/// The kind of a data set without its folder: what does not change when the files are moved.
[[nodiscard]] std::string data_kind(std::string const& text);

[[nodiscard]] inline surroundings around(lnpt::io::image_set const& images) {
  return {{images.channels, images.height, images.width}, images.classes};
}

}  // namespace cli
