#pragma once
/// Weights that a file holds as what PyTorch computes them of, and not as numbers of their own.
#include <string>
#include <string_view>

#include <lnpt/core/error.hpp>
#include <lnpt/io/in_quotes.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/tensor_names.hpp>

namespace lnpt::io::detail {

/// Refuses tensors that are not the weight they belong to but what it is computed of, unless the model knows them by that name: x_orig
/// beside x_mask, until `torch.nn.utils.prune.remove`, and parametrizations.x.original. Renamed, or passed over as extra, they would
/// leave a network dense that was pruned.
template <class Names>
void refuse_computed(safetensors::file const& file, tensor_names const& names, Names const& known) {
  constexpr std::string_view hooked = "_orig";
  for (auto const& [name, stored] : names.all()) {
    if (known.contains(name) && stored.ends_with(name)) continue;
    if (stored.ends_with(hooked)) {
      auto const weight = stored.substr(0, stored.size() - hooked.size());
      if (auto const mask = weight + "_mask"; file.contains(mask))
        fail(file.name(), " holds ", in_quotes(stored), " and ", in_quotes(mask), ", of which ", in_quotes(weight),
             " is computed: call torch.nn.utils.prune.remove on its module before saving");
    }
    if (stored.find("parametrizations.") != std::string::npos && stored.find(".original") != std::string::npos)
      fail(file.name(), " holds ", in_quotes(stored), ", of which a weight is computed: call",
           " torch.nn.utils.parametrize.remove_parametrizations, or a sparsifier's squash_mask, before saving");
  }
}

}  // namespace lnpt::io::detail
