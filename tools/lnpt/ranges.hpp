#pragma once
/// Ranges of numbers that flags may have, refused in words.
#include <CLI/CLI.hpp>
#include <cmath>
#include <concepts>
#include <limits>
#include <string>
#include <string_view>

#include <lnpt/io/number_text.hpp>

namespace cli {

/// A check that the flag's number makes `holds` true; `range` says what it has to be, as in "above 0".
template <class Holds>
[[nodiscard]] CLI::Validator number_that_is(char const* range, Holds holds) {
  CLI::Validator check;
  check.operation([range, holds](std::string& text) {
    auto const number = lnpt::io::number_in<double>(text);
    if (!number || !std::isfinite(*number)) return '"' + text + "\" is no number: write one " + range;
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
[[nodiscard]] inline CLI::Validator below_one() {
  return number_that_is("of 0 or more and below 1", [](double x) { return x >= 0 && x < 1; });
}
[[nodiscard]] inline CLI::Validator fraction() {
  return number_that_is("from 0 to 1", [](double x) { return x >= 0 && x <= 1; });
}

/// Turns whole numbers into the plain decimals that a flag takes, and refuses others: as they come, 010 would be read as eight, and what
/// is too large as something else.
template <class Number>
[[nodiscard]] CLI::Validator plain_decimal() {
  CLI::Validator rewrite;
  rewrite.operation([](std::string& text) {
    if (auto const number = lnpt::io::number_in<Number>(text)) {
      text = std::to_string(*number);
      return std::string();
    }
    if (std::unsigned_integral<Number> && text.starts_with('-')) return std::string();  // which other checks refuse
    auto const digits = std::string_view(text).substr(text.starts_with('-') ? 1 : 0);
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
      return '"' + text + "\" is no whole number";
    auto const least = std::to_string(std::numeric_limits<Number>::min());
    return text + " is out of range: give a number of " + least + " to " + std::to_string(std::numeric_limits<Number>::max());
  });
  return rewrite;
}

/// Refuses an empty text, which is mostly that of a shell variable nobody set.
[[nodiscard]] inline CLI::Validator some_text() {
  CLI::Validator check;
  check.operation([](std::string& text) {
    return text.empty() ? "\"\" says nothing: leave the flag out, or give it a value" : std::string();
  });
  return check;
}

}  // namespace cli
