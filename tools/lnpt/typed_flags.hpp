#pragma once
/// Which flags of a command were typed, so that those which would change nothing are refused.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "text.hpp"

namespace cli {

using flag_names = std::span<std::string_view const>;

/// The flags of one command; to be asked once they are parsed.
class typed_flags {
 public:
  typed_flags() = default;
  explicit typed_flags(CLI::App const& command) : command_(&command) {}

  /// Refuses the first flag that was typed and is one of these. `instead` goes on after its name.
  void refuse(flag_names useless, std::string const& instead) const {
    refuse_where([&](CLI::Option const& flag) { return is_among(flag, useless); }, instead);
  }
  /// Refuses the first flag that was typed and is none of these.
  void refuse_all_but(std::initializer_list<flag_names> useful, std::string const& instead) const {
    refuse_where(
        [&](CLI::Option const& flag) { return std::ranges::none_of(useful, [&](auto names) { return is_among(flag, names); }); },
        instead);
  }

 private:
  [[nodiscard]] static bool is_among(CLI::Option const& flag, flag_names names) {
    return std::ranges::any_of(names, [&](auto name) { return flag.check_name(std::string(name)); });
  }
  template <class Useless>
  void refuse_where(Useless useless, std::string const& instead) const {
    for (auto const* const flag : command_->get_options())
      if (flag->count() > 0 && useless(*flag)) cli::refuse(flag->get_name(), instead);
  }

  CLI::App const* command_ = nullptr;
};

}  // namespace cli
