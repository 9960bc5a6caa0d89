#pragma once
/// A state dict as it was stored, but for the weights that masks prune.
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/tensor_names.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt::io {

/// Sets the stored values whose bit is 0 to zero bytes, which in every dtype of the format but F8_E8M0 is +0. `first` is the index of
/// the first value.
inline void clear_pruned_bytes(std::span<std::byte> values, std::size_t value_bytes, mask const& kept, std::size_t first = 0) {
  for (std::size_t i = 0; i != values.size() / value_bytes; ++i)
    if (!kept[first + i]) std::memset(values.data() + i * value_bytes, 0, value_bytes);
}

/// Adds the tensors under the prefix to a writer with the names after it, dtypes and bytes of the file: pruned values become zero
/// bytes, all else keeps its own. Masks are found by the model's names; masks and momentum in the file are left out.
inline void add_pruned_copy(safetensors::writer& writer, safetensors::file const& file, mask_set const& masks,
                            state_dict_options const& options = {}) {
  for (auto const& tensor : file.entries()) {
    if (!prefix_beside(tensor.name).empty() || !tensor.name.starts_with(options.prefix)) continue;
    std::vector<std::byte> bytes(memory_size(tensor.end - tensor.begin, file.name()));
    file.read_bytes(tensor, 0, bytes);
    if (auto const* const kept = masks.find(model_name(tensor.name, options))) {
      if (!same_but_for_ones(kept->extents(), tensor.shape))
        fail(file.name(), ": the mask of ", in_quotes(tensor.name), " has shape ", list(kept->extents()), " where the file has ",
             list(tensor.shape), "; pass masks that were made for it");
      clear_pruned_bytes(bytes, bits_of(tensor.dtype) / 8, *kept);
    }
    writer.add_stored(tensor.name.substr(options.prefix.size()), tensor.shape, tensor.dtype, std::move(bytes));
  }
}

}  // namespace lnpt::io
