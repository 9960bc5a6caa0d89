#pragma once
/// What was typed as a flag and is none.
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace cli {

/// How many letters one has to insert, remove or replace to turn one word into the other (Levenshtein 1966).
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto before = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      auto const replaced = before + (a[i] == b[j] ? 0 : 1);
      before = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, before + 1});
    }
  }
  return row.back();
}

/// The flag of a command that is written most like `typed`, where at most every third letter differs.
[[nodiscard]] inline std::optional<std::string> nearest_flag(CLI::App const& command, std::string const& typed) {
  std::optional<std::string> nearest;
  auto least = typed.size() / 3 + 1;
  for (auto const* option : command.get_options())
    for (auto const& name : option->get_lnames())
      if (auto const distance = edit_distance(name, typed); distance < least) {
        least = distance;
        nearest = name;
      }
  return nearest;
}

/// The names of a command and of those that it is in; of the program itself what it is called, not where it lies.
[[nodiscard]] inline std::string name_of(CLI::App const& command) {
  auto const* const outer = command.get_parent();
  if (outer == nullptr) return "lnpt";
  return outer->get_parent() == nullptr ? command.get_name() : name_of(*outer) + ' ' + command.get_name();
}

/// A sentence on the first word that looks like a flag and is none of the command's; nothing where all are known. A misspelt flag is so
/// named before what its misspelling made the command miss.
[[nodiscard]] inline std::optional<std::string> unknown_flag(CLI::App const& command, std::span<char const* const> words) {
  for (std::string_view const word : words) {
    if (!word.starts_with("--") || word.size() < 3) continue;
    auto const name = std::string(word.substr(2, word.find('=') - 2));
    if (command.get_option_no_throw("--" + name) != nullptr) continue;
    auto const nearest = nearest_flag(command, name);
    auto const whole = name_of(command);
    return whole + " has no flag --" + name +
           (nearest ? ": did you mean --" + *nearest + "?"
                    : std::string(command.get_parent() == nullptr ? "; see " : "; see lnpt ") + whole + " --help");
  }
  return std::nullopt;
}

}  // namespace cli
