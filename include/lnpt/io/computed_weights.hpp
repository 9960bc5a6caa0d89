#pragma once
/// Weights that a file holds as what PyTorch computes them of, and not as numbers of their own.
#include <string>

#include <lnpt/core/computed_weight.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/io/in_quotes.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/tensor_names.hpp>

namespace lnpt::io::detail {

/// Refuses tensors that are not the weight they belong to but what it is computed of, unless the model knows them by that name. Renamed, or
/// passed over as extra, they would leave a network dense that was pruned, or of weights that it never had.
template <class Names>
void refuse_computed(safetensors::file const& file, tensor_names const& names, Names const& known) {
  for (auto const& [name, stored] : names.all()) {
    if (known.contains(name) && stored.ends_with(name)) continue;
    auto const found = lnpt::detail::computed_weight_of(stored, [&](std::string const& other) { return file.contains(other); });
    if (!found) continue;
    fail(file.name(), " holds ", in_quotes(stored), found->beside.empty() ? "" : " and " + in_quotes(found->beside),
         ", of which ", in_quotes(found->weight), " is computed: call ", found->call, " on its module before saving");
  }
}

}  // namespace lnpt::io::detail
