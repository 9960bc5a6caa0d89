// lnpt: score, prune and train networks from the command line.
#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fmt/format.h>
#include <new>
#include <span>

#include <lnpt/version.hpp>

#include "command.hpp"
#include "misuse.hpp"
#include "ranges.hpp"
#include "unknown_flag.hpp"

namespace {

constexpr int failure = 1;
constexpr int misuse = 2;

/// The command that was typed, of those within others the innermost.
CLI::App const& chosen(CLI::App const& app) {
  auto const commands = app.get_subcommands();
  return commands.empty() ? app : chosen(*commands.front());
}

int complain(int status, std::string sentence) {
  for (auto& c : sentence)
    if (c == '\n') c = ' ';
  fmt::print(stderr, "lnpt: {}\n", sentence);
  return status;
}

/// The status of a command whose words have reached standard output, or one sentence on why they have not.
int delivered(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  return complain(failure, "what the command says cannot be written to standard output: give it a place with room");
}

/// What holds for every flag of a command and of those within it: whole numbers are plain decimals, counts have no minus sign, behind
/// which they would wrap round, and texts are not empty.
void refuse_what_is_misread(CLI::App& command) {
  for (auto* const flag : command.get_options()) {
    auto const type = flag->get_type_name();
    if (type == "UINT") flag->transform(cli::plain_decimal<std::uint64_t>())->check(cli::zero_or_more());
    if (type == "INT") flag->transform(cli::plain_decimal<std::int64_t>());
    if (type.starts_with("TEXT")) flag->check(cli::some_text());
  }
  for (auto* const inner : command.get_subcommands([](CLI::App*) { return true; })) refuse_what_is_misread(*inner);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("lnpt prunes neural networks, without labels where the criterion reads none.");
  app.set_version_flag("--version", std::string(lnpt::version));
  app.require_subcommand(1);
  app.footer(
      "Each command explains itself: lnpt compare --help\n"
      "Exit status: 0 done; 1 failed, by a file, the data or the machine; 2 what was asked for cannot be, whatever these hold.");
  cli::add_score(app);
  cli::add_prune(app);
  cli::add_teach(app);
  cli::add_train(app);
  cli::add_evaluate(app);
  cli::add_robustness(app);
  cli::add_study(app);
  cli::add_compare(app);
  cli::add_report(app);
  cli::add_inspect(app);
  refuse_what_is_misread(app);
  try {
    auto const is_asked = [&](CLI::App const* command) { return command->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_asked).empty())
      cli::refuse("there is no command \"", argv[1],
                  "\": choose score, prune, teach, train, evaluate, robustness, compare, study, report or inspect");
    app.parse(argc, argv);
  } catch (CLI::ParseError const& reason) {
    if (reason.get_exit_code() == 0) return delivered(app.exit(reason));  // help and version
    if (auto const sentence = cli::unknown_flag(chosen(app), std::span(argv, static_cast<std::size_t>(argc)).subspan(1)))
      return complain(misuse, *sentence);
    return complain(misuse, std::string(reason.what()) + "; see lnpt --help");
  } catch (lnpt::request_error const& reason) {
    return complain(misuse, reason.what());
  } catch (std::bad_alloc const&) {
    return complain(failure, "the memory does not suffice: ask for less at a time, such as fewer samples, views or images");
  } catch (std::exception const& reason) {
    return complain(failure, reason.what());
  }
  return delivered(0);
}
