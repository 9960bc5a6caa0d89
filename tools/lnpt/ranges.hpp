#pragma once
/// Ranges of numbers that flags may have, refused in words.
#include <CLI/CLI.hpp>
#include <string>

#include <lnpt/io/number_text.hpp>

namespace cli {

/// A check that the flag's number makes `holds` true; `range` says what it has to be, as in "above 0".
template <class Holds>
[[nodiscard]] CLI::Validator number_that_is(char const* range, Holds holds) {
  CLI::Validator check;
  check.operation([range, holds](std::string& text) {
    auto const number = lnpt::io::number_in<double>(text);
    if (!number) return '"' + text + "\" is no number: write one " + range;
    return holds(*number) ? std::string() : text + " is out of range: give a number " + range;
  });
  return check;
}

[[nodiscard]] inline CLI::Validator above_zero() {
  return number_that_is("above 0", [](double x) { return x > 0; });
}
[[nodiscard]] inline CLI::Validator zero_or_more() {
  return number_that_is("of 0 or more", [](double x) { return x >= 0; });
}
[[nodiscard]] inline CLI::Validator fraction() {
  return number_that_is("from 0 to 1", [](double x) { return x >= 0 && x <= 1; });
}

}  // namespace cli
