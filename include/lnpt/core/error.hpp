#pragma once
/// The one exception of the library, and how its sentences are put together.
#include <sstream>
#include <stdexcept>
#include <string>

namespace lnpt {

/// What went wrong at run time, in one sentence that names the parameter, shape, file or byte and says what would have worked.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws `lnpt::error` with the parts joined as a stream would print them.
template <class... Parts>
[[noreturn]] void fail(Parts const&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw error(text.str());
}

/// A range of numbers as `[3, 32, 32]`, for messages.
template <class Range>
[[nodiscard]] std::string list(Range const& range) {
  std::ostringstream text;
  char const* separator = "[";
  for (auto const& each : range) {
    text << separator << each;
    separator = ", ";
  }
  text << (*separator == '[' ? "[]" : "]");
  return text.str();
}

}  // namespace lnpt
