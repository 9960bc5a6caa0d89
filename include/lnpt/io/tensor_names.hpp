#pragma once
/// How the names of a file become those of a model: a prefix is taken off, and parts of a name may be renamed.
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/in_quotes.hpp>

namespace lnpt::io {

/// A file's tensors are not those of the model by their names, which another prefix or a renaming may change.
class unmatched_names : public error {
 public:
  using error::error;
};

inline constexpr std::string_view mask_prefix = "mask.";
inline constexpr std::string_view momentum_prefix = "momentum.";  ///< of checkpoints
inline constexpr std::string_view hook_prefix = "hook.";          ///< of checkpoints: what hooks of training carry

/// The prefix of a tensor that stands beside a state dict, or an empty text.
[[nodiscard]] constexpr std::string_view prefix_beside(std::string_view name) {
  for (auto const prefix : {mask_prefix, momentum_prefix, hook_prefix})
    if (name.starts_with(prefix)) return prefix;
  return {};
}

/// Whole dotted parts of a file's name, and what the model calls them: {"linear", "fc"} or {"layer1.conv", "body.0"}.
struct renaming {
  std::string from;
  std::string to;
};

/// How a file's names and a model's belong together.
struct state_dict_options {
  std::string prefix = {};            ///< of the file's names; what lies elsewhere is left alone
  std::vector<renaming> rename = {};  ///< done after the prefix is taken off, in this order
  bool ignore_extra = false;          ///< tensors that the model does not have are passed over, not refused
};

/// The name with every occurrence of `rule.from` that begins and ends at a dot, or at an end of the name, replaced.
[[nodiscard]] inline std::string renamed(std::string_view name, renaming const& rule) {
  if (rule.from.empty()) fail("a renaming of nothing to ", in_quotes(rule.to), " says nothing: name what the file calls it");
  std::string text;
  for (std::size_t at = 0; at < name.size();) {
    auto const starts = at == 0 || name[at - 1] == '.';
    auto const end = at + rule.from.size();
    if (starts && name.substr(at).starts_with(rule.from) && (end == name.size() || name[end] == '.')) {
      text += rule.to;
      at = end;
    } else {
      text += name[at++];
    }
  }
  return text;
}

/// The model's name for a tensor of a file, or an empty text for one outside the prefix. What stands before masks and momentum stays.
[[nodiscard]] inline std::string model_name(std::string_view stored, state_dict_options const& options) {
  auto const beside = prefix_beside(stored);
  auto name = stored.substr(beside.size());
  // Masks are named after the model's tensors, or after the file's.
  if (name.starts_with(options.prefix))
    name.remove_prefix(options.prefix.size());
  else if (beside.empty())
    return {};
  std::string text(name);
  for (auto const& rule : options.rename) text = renamed(text, rule);
  return std::string(beside) + text;
}

/// Which tensor of a file each name of a model means. `file` has `name()` and `names()`, as `safetensors::file` does.
class tensor_names {
 public:
  template <class File>
  tensor_names(File const& file, state_dict_options const& options) {
    for (auto const& stored : file.names()) {
      auto const name = model_name(stored, options);
      if (name.empty()) continue;
      auto const [held, is_new] = stored_.emplace(name, stored);
      if (!is_new)
        fail(file.name(), " holds ", in_quotes(held->second), " and ", in_quotes(stored), ", which are both called ",
             in_quotes(name), " here: rename only one of them to that name");
    }
  }

  /// The file's name for a tensor of the model, or null where the file has none.
  [[nodiscard]] std::string const* find(std::string const& name) const {
    auto const found = stored_.find(name);
    return found == stored_.end() ? nullptr : &found->second;
  }
  /// Every tensor under the prefix: the model's name and the file's.
  [[nodiscard]] std::map<std::string, std::string> const& all() const { return stored_; }

 private:
  std::map<std::string, std::string> stored_;
};

}  // namespace lnpt::io
