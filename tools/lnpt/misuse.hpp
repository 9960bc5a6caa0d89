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

}  // namespace cli
