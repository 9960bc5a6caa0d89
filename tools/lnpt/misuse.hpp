#pragma once
/// Errors of whoever typed the command, as against failures of what it asked for.
#include <string>

#include <lnpt/core/error.hpp>

namespace cli {

/// The command line asks for something that cannot be: exit status 2, as of every `lnpt::request_error`, where other errors exit with 1.
class misuse : public lnpt::request_error {
 public:
  using lnpt::request_error::request_error;
};

/// Throws `misuse` with the parts joined as a stream would print them.
template <class... Parts>
[[noreturn]] void refuse(Parts const&... parts) {
  lnpt::detail::throw_text<misuse>(parts...);
}

/// Runs `f`; an error of the library there is the fault of what was typed.
template <class F>
auto typed(F f) {
  try {
    return f();
  } catch (lnpt::error const& reason) {
    throw misuse(reason.what());
  }
}

/// Runs `f`; its errors begin with what it was about, and are misuse or failures as they were.
template <class F>
auto about(std::string const& what, F f) {
  try {
    return f();
  } catch (lnpt::request_error const& reason) {
    refuse(what, ": ", reason.what());
  } catch (lnpt::error const& reason) {
    lnpt::fail(what, ": ", reason.what());
  }
}

/// Runs `f`, which reads what a file holds; an error there is the fault of that file, which it names.
template <class F>
auto held_in(std::string const& file, F f) {
  try {
    return f();
  } catch (lnpt::error const& reason) {
    lnpt::fail(file, ": ", reason.what());
  }
}

}  // namespace cli
