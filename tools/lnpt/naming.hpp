#pragma once
/// The flags that say how the names of a weights file become those of a network.
#include <CLI/CLI.hpp>
#include <string>

#include <lnpt/io/tensor_names.hpp>

#include "text.hpp"

namespace cli {

/// What is renamed and what is passed over while weights are loaded.
struct naming {
  std::string rename;
  bool ignore_extra = false;

  void describe(CLI::App& command) {
    command.add_option("--rename", rename,
                       "What the weights call differently, file's part = network's part, such as linear=fc,shortcut=downsample");
    command.add_flag("--ignore-extra", ignore_extra, "Pass over tensors that the network does not have");
  }

  /// The same for the part of a file under a prefix.
  [[nodiscard]] lnpt::io::state_dict_options under(std::string const& prefix) const {
    lnpt::io::state_dict_options options{.prefix = prefix, .ignore_extra = ignore_extra};
    if (rename.empty()) return options;
    for (auto const rule : split(rename, ',')) {
      auto const sides = split(rule, '=');
      if (sides.size() != 2 || sides[0].empty() || sides[1].empty())
        refuse("\"", rule, "\" is no renaming: write the file's name = the network's, such as linear=fc");
      options.rename.push_back({std::string(sides[0]), std::string(sides[1])});
    }
    return options;
  }
};

}  // namespace cli
