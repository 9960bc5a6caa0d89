#pragma once
/// The flags that say how the names of a weights file become those of a network.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/tensor_names.hpp>

#include "text.hpp"

namespace cli {

/// A file of weights and what the names of its part begin with.
struct named_part {
  std::string path;  ///< empty: not given
  std::string prefix;
};

/// Opens the weights that an option names. Refuses a whole network, for which there is another option.
[[nodiscard]] inline lnpt::io::safetensors::file open_weights(std::string const& path, char const* option,
                                                              char const* of_networks) {
  if (lnpt::io::has_ending(path, ".pt2"))
    refuse(option, " names a state_dict, and ", path, " is a whole network: name it with ", of_networks,
           ", or save its state_dict with safetensors.torch.save_file");
  return lnpt::io::safetensors::open(path);
}

/// The flags that say how the names of a file and of a network belong together, by the one that names a prefix.
inline constexpr char const* naming_flags = "--weights-prefix, --rename and --ignore-extra";
inline constexpr char const* teacher_naming_flags = "--teacher-prefix, --rename and --ignore-extra";

/// Runs `load`, which finds tensors of a file by their names. Where these are not the network's, its sentence ends in the flags that say how
/// they belong together.
template <class F>
auto with_flags(char const* flags, F load) {
  try {
    return load();
  } catch (lnpt::io::unmatched_names const& reason) {
    lnpt::fail(reason.what(), " (see ", flags, ")");
  }
}

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

  /// Refuses a renaming that changes no name in any of these files, such as a misspelt one.
  void require_use(std::vector<named_part> const& parts) const {
    if (ignore_extra && std::ranges::all_of(parts, [](auto const& part) { return part.path.empty(); }))
      refuse("--ignore-extra passes over what a file of weights holds, and no such file is named: leave it out");
    if (rename.empty()) return;
    auto unused = under({}).rename;
    std::string files;
    for (auto const& part : parts) {
      if (part.path.empty()) continue;
      files += (files.empty() ? "" : " and ") + part.path;
      auto const options = under(part.prefix);
      for (auto const& stored : lnpt::io::safetensors::open(part.path).names()) {
        auto so_far = options;
        so_far.rename.clear();
        for (auto const& rule : options.rename) {
          auto const before = lnpt::io::model_name(stored, so_far);
          so_far.rename.push_back(rule);
          if (lnpt::io::model_name(stored, so_far) != before)
            std::erase_if(unused, [&](auto const& each) { return each.from == rule.from && each.to == rule.to; });
        }
      }
    }
    if (files.empty()) refuse("--rename says what a file of weights calls differently, and no such file is named");
    if (!unused.empty())
      refuse("--rename ", unused.front().from, "=", unused.front().to, " renames nothing: no name in ", files, " has the part \"",
             unused.front().from, "\"");
  }
};

}  // namespace cli
