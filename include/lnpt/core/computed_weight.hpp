#pragma once
/// The names under which PyTorch keeps what it computes a weight of.
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace lnpt::detail {

/// A tensor that a weight is computed of in every pass, and the call that makes the weight a tensor again.
struct computed_weight {
  std::string weight;      ///< which is computed
  std::string beside;      ///< the tensor that gives it away; empty: its own name does
  std::string_view is_of;  ///< who computes it
  std::string_view call;   ///< what ends that
};

/// What a name says of a weight that is computed, where `holds(name)` knows the tensors around it; nothing where it is any tensor's name.
///
///     x_orig beside x_mask         torch.nn.utils.prune
///     x_orig beside x_u            torch.nn.utils.spectral_norm
///     x_g beside x_v, without x    torch.nn.utils.weight_norm
///     parametrizations.x.original, …original0, …original1
template <class Holds>
[[nodiscard]] std::optional<computed_weight> computed_weight_of(std::string const& name, Holds holds) {
  struct spelling {
    std::string_view end, beside, is_of, call;
  };
  static constexpr std::array spellings{
      spelling{"_orig", "_mask", "torch.nn.utils.prune", "torch.nn.utils.prune.remove"},
      spelling{"_orig", "_u", "torch.nn.utils.spectral_norm", "torch.nn.utils.remove_spectral_norm"},
      spelling{"_g", "_v", "torch.nn.utils.weight_norm", "torch.nn.utils.remove_weight_norm"},
      spelling{"_v", "_g", "torch.nn.utils.weight_norm", "torch.nn.utils.remove_weight_norm"},
  };
  for (auto const& each : spellings) {
    if (!name.ends_with(each.end)) continue;
    auto const weight = name.substr(0, name.size() - each.end.size());
    if (auto const beside = weight + std::string(each.beside); holds(beside) && (each.end == "_orig" || !holds(weight)))
      return computed_weight{weight, beside, each.is_of, each.call};
  }
  constexpr std::string_view group = "parametrizations.";
  auto const first = name.rfind(group);
  auto const last = name.rfind(".original");
  if (first == std::string::npos || last == std::string::npos || last < first) return std::nullopt;
  auto const weight = name.substr(0, first) + name.substr(first + group.size(), last - first - group.size());
  return computed_weight{weight, "", "torch.nn.utils.parametrize",
                         "torch.nn.utils.parametrize.remove_parametrizations, or a sparsifier's squash_mask,"};
}

}  // namespace lnpt::detail
