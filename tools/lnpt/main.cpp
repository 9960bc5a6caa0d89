// lnpt: score, prune and train networks from the command line.
#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdio>
#include <fmt/format.h>
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

/// Has every flag that takes a whole number of 0 or more refuse a minus sign, behind which the number would wrap round.
void refuse_negative_counts(CLI::App& command) {
  for (auto* const flag : command.get_options([](CLI::Option* each) { return each->get_type_name() == "UINT"; }))
    flag->check(cli::zero_or_more());
  for (auto* const inner : command.get_subcommands([](CLI::App*) { return true; })) refuse_negative_counts(*inner);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("lnpt prunes neural networks, without labels where the criterion reads none.");
  app.set_version_flag("--version", std::string(lnpt::version));
  app.require_subcommand(1);
  app.footer("Each command explains itself: lnpt compare --help");
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
  refuse_negative_counts(app);
  try {
    auto const is_asked = [&](CLI::App const* command) { return command->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_asked).empty())
      cli::refuse("there is no command \"", argv[1],
                  "\": choose score, prune, teach, train, evaluate, robustness, compare, study, report or inspect");
    app.parse(argc, argv);
  } catch (CLI::ParseError const& reason) {
    if (reason.get_exit_code() == 0) return app.exit(reason);  // help and version
    if (auto const sentence = cli::unknown_flag(chosen(app), std::span(argv, static_cast<std::size_t>(argc)).subspan(1)))
      return complain(misuse, *sentence);
    return complain(misuse, std::string(reason.what()) + "; see lnpt --help");
  } catch (cli::misuse const& reason) {
    return complain(misuse, reason.what());
  } catch (std::exception const& reason) {
    return complain(failure, reason.what());
  }
  return 0;
}
