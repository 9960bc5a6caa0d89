#pragma once
/// Modules that torch.nn.utils.prune has masked: a hook computes their weights anew in every pass.
#include <string>
#include <string_view>
#include <vector>

#include <lnpt/torch/module/module_tree.hpp>

namespace lnpt::detail {

/// The parameters of which such a hook computes a weight: x_orig beside a buffer x_mask.
[[nodiscard]] inline std::vector<std::string> masked_by_hooks(module_tree const& tree) {
  constexpr std::string_view end = "_orig";
  std::vector<std::string> found;
  for (auto const& entry : tree)
    for (auto const& p : entry.parameters) {
      if (!p.name.ends_with(end)) continue;
      auto const mask = p.name.substr(0, p.name.size() - end.size()) + "_mask";
      if (find_tensor(entry.buffers(), mask).defined()) found.push_back(joined(entry.path, p.name));
    }
  return found;
}

/// Why such a parameter is no weight, and what makes it one.
[[nodiscard]] inline std::string why_masked(std::string const& parameter) {
  return "torch.nn.utils.prune computes a weight of " + parameter +
         " in every pass: call torch.nn.utils.prune.remove on its module before saving, and it is a weight again";
}

}  // namespace lnpt::detail
