#pragma once
/// Flags of a command that one of its methods alone has a use for.
#include <CLI/CLI.hpp>
#include <vector>

#include "text.hpp"

namespace cli {

class method_flags {
 public:
  method_flags() = default;
  /// The flags that `describe()` adds to the command.
  template <class Describe>
  method_flags(CLI::App& command, Describe describe) {
    auto const before = command.get_options().size();
    describe();
    auto const all = command.get_options();
    flags_.assign(all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
  }

  /// Refuses the first that was typed, in favour of the `method` that it is for.
  void refuse_typed(char const* method) const {
    for (auto const* const flag : flags_)
      if (flag->count() > 0) refuse(flag->get_name(), " is for --method ", method, ": choose that, or leave it out");
  }

 private:
  std::vector<CLI::Option const*> flags_;
};

}  // namespace cli
