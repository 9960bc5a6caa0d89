#pragma once
/// Networks in the packed form of `prune --packed`, wherever a command reads weights.
#include <optional>
#include <string>

#include <lnpt/core/shape.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/tensor_names.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace cli {

/// Whether a file is in that form.
[[nodiscard]] bool is_packed(lnpt::io::safetensors::file const& file);

/// The masks of a packed file, by the network's own names. Refuses a damaged file whole.
[[nodiscard]] lnpt::mask_set packed_masks(lnpt::io::safetensors::file const& file);

/// The shape of a parameter in a file of either form; nothing where the file does not hold it.
[[nodiscard]] std::optional<lnpt::shape> stored_shape(lnpt::io::safetensors::file const& file, std::string const& name);

/// Refuses a prefix and a renaming, of which a packed file has no use: its names are the network's own.
void require_own_names(lnpt::io::safetensors::file const& file, lnpt::io::state_dict_options const& names);

/// Gives the network the weights of a packed file; it then holds what is kept alone. Refuses a damaged file, a prefix and a renaming.
template <class Network>
void load_packed_weights(Network& network, lnpt::io::safetensors::file const& file, lnpt::io::state_dict_options const& names);

}  // namespace cli
