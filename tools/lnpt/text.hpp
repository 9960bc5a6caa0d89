#pragma once
/// Reading what was typed: lists, numbers, and names of choices.
#include <algorithm>
#include <cctype>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/io/number_text.hpp>

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

/// The key and the value of an option key=value. `whole`, `of` and `example` say in the refusal where it stood and how one is written.
[[nodiscard]] inline std::pair<std::string_view, std::string_view> key_and_value(std::string_view option, std::string_view whole,
                                                                                 std::string_view of, std::string_view example) {
  auto const equals = option.find('=');
  if (equals == std::string_view::npos)
    refuse("\"", option, "\" in \"", whole, "\" is no option of a ", of, ": write key=value, such as ", example);
  return {option.substr(0, equals), option.substr(equals + 1)};
}

/// Calls `set(key, value)` for each option key=value. Refuses a key that is given twice, of which one value would go unheard.
template <class Options, class Set>
void read_options(Options const& options, std::string_view whole, std::string_view of, std::string_view example, Set set) {
  std::vector<std::string_view> seen;
  for (std::string_view const option : options) {
    auto const [key, value] = key_and_value(option, whole, of, example);
    if (std::ranges::find(seen, key) != seen.end()) refuse("\"", whole, "\" gives ", key, " twice: give it once");
    seen.push_back(key);
    set(key, value);
  }
}

/// The number that is the whole of `text`; `what` names it in the refusal.
template <class Number>
[[nodiscard]] Number parse_number(std::string_view what, std::string_view text) {
  auto const value = lnpt::io::number_in<Number>(text);
  if (!value && !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos)
    refuse(text, " is too large for a ", what, ": write one up to ", std::numeric_limits<Number>::max());
  if (!value) refuse("\"", text, "\" is no ", what, ": write a number");
  return *value;
}

/// A number from 0 to 1.
[[nodiscard]] inline double parse_share(std::string_view what, std::string_view text) {
  auto const value = parse_number<double>(what, text);
  if (!(value >= 0 && value <= 1)) refuse("\"", text, "\" is no ", what, ": it lies between 0 and 1");
  return value;
}

template <class Number>
[[nodiscard]] std::vector<Number> parse_numbers(std::string_view what, std::string_view text) {
  std::vector<Number> values;
  for (auto const piece : split(text, ',')) values.push_back(parse_number<Number>(what, piece));
  return values;
}

using lnpt::io::shortest_text;

/// Refuses values of a list that stand in it twice; `option` names the list.
template <class Values, class Text>
void require_distinct(std::string_view option, Values const& values, Text text) {
  for (auto each = values.begin(); each != values.end(); ++each)
    for (auto other = values.begin(); other != each; ++other)
      if (text(*each) == text(*other)) refuse(option, " names ", text(*each), " twice: name it once");
}

/// A letter of a name as it is compared: in lower case, and an underscore for the dash that some write for one.
[[nodiscard]] inline char plain_letter(char c) {
  return c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

/// Whether two spellings are the same but for upper case and for that dash.
[[nodiscard]] inline bool spelt_alike(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, plain_letter, plain_letter);
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
    if (spelt_alike(each.text, text)) return each.value;
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
