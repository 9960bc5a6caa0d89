#pragma once
/// Reading what was typed: lists, numbers, and names of choices.
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "misuse.hpp"

namespace cli {

/// The pieces of `text` between separators; one empty piece where there is nothing.
[[nodiscard]] inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    auto const end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == text.npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

/// The number that is the whole of `text`; `what` names it in the refusal.
template <class Number>
[[nodiscard]] Number parse_number(std::string_view what, std::string_view text) {
  Number value{};
  auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size() || text.empty())
    refuse("\"", text, "\" is no ", what, ": write a number");
  return value;
}

template <class Number>
[[nodiscard]] std::vector<Number> parse_numbers(std::string_view what, std::string_view text) {
  std::vector<Number> values;
  for (auto const piece : split(text, ',')) values.push_back(parse_number<Number>(what, piece));
  return values;
}

/// The shortest text that reads back as the same number.
[[nodiscard]] inline std::string shortest(double value) {
  char buffer[32];
  auto const [end, problem] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end};
}

/// One spelling of a choice.
template <class Choice>
struct spelling {
  std::string_view text;
  Choice value;
};

/// The choice that `text` spells; the refusal lists them all.
template <class Choice, std::size_t N>
[[nodiscard]] Choice parse_choice(std::string_view what, spelling<Choice> const (&choices)[N], std::string_view text) {
  std::string known;
  for (auto const& each : choices) {
    if (each.text == text) return each.value;
    known += (known.empty() ? "" : ", ") + std::string(each.text);
  }
  refuse("unknown ", what, " \"", text, "\": choose from ", known);
}

template <class Choice, std::size_t N>
[[nodiscard]] std::string_view spell(spelling<Choice> const (&choices)[N], Choice value) {
  for (auto const& each : choices)
    if (each.value == value) return each.text;
  return "?";
}

}  // namespace cli
