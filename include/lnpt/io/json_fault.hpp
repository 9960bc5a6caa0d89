#pragma once
/// What is wrong with a JSON document that lacks something, in words.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include <lnpt/io/in_quotes.hpp>

namespace lnpt::io {

/// `has no "rows"`, or that a value is of another kind than belongs there: what follows the name of the document in a sentence.
[[nodiscard]] inline std::string json_fault(nlohmann::json::exception const& reason) {
  constexpr int missing_key = 403;
  constexpr int missing_entry = 401;
  std::string_view const text = reason.what();
  auto const begin = text.find('\'');
  auto const end = text.rfind('\'');
  if (reason.id == missing_key && begin < end) return "has no " + in_quotes(text.substr(begin + 1, end - begin - 1));
  if (reason.id == missing_entry) return "has a list that is too short";
  return "holds a value of another kind than belongs there";
}

}  // namespace lnpt::io
