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

/// What was asked for cannot be, whatever the values of the model and its data: another number or choice would have worked.
class request_error : public error {
 public:
  using error::error;
};

namespace detail {
/// False for every type: what a `static_assert` depends on that refuses whoever instantiates it.
template <class>
inline constexpr bool is_refused = false;

template <class Error, class... Parts>
[[noreturn]] void throw_text(Parts const&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(text.str());
}
}  // namespace detail

/// Throws `lnpt::error` with the parts joined as a stream would print them.
template <class... Parts>
[[noreturn]] void fail(Parts const&... parts) {
  detail::throw_text<error>(parts...);
}

/// Throws `lnpt::request_error` in the same way.
template <class... Parts>
[[noreturn]] void fail_request(Parts const&... parts) {
  detail::throw_text<request_error>(parts...);
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
