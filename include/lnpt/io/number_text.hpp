#pragma once
/// Numbers as text, and back.
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace lnpt::io {

/// The number that is the whole of the text, or nothing where the text is anything else or the number has no place in a `Number`.
template <class Number>
[[nodiscard]] std::optional<Number> number_in(std::string_view text) {
  Number value{};
  auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The shortest text that reads back as the same number.
[[nodiscard]] inline std::string shortest_text(double value) {
  char buffer[32];
  auto const [end, problem] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end};
}

}  // namespace lnpt::io
