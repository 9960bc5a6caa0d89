#include "packed_weights.hpp"

#include <lnpt/io/packed.hpp>

#include "misuse.hpp"
#include "scoring.hpp"

namespace cli {

namespace {

/// The same file again, found whole.
lnpt::io::packed_file whole(lnpt::io::safetensors::file const& file) {
  return lnpt::io::packed_file(lnpt::io::safetensors::open(file.name()));
}

}  // namespace

bool is_packed(lnpt::io::safetensors::file const& file) { return lnpt::io::is_packed(file); }

lnpt::mask_set packed_masks(lnpt::io::safetensors::file const& file) { return whole(file).masks(); }

std::optional<lnpt::shape> stored_shape(lnpt::io::safetensors::file const& file, std::string const& name) {
  if (file.contains(name)) return file.info(name).shape;
  if (!is_packed(file)) return std::nullopt;
  auto const masks = packed_masks(file);
  auto const* const kept = masks.find(name);
  return kept ? std::optional(kept->extents()) : std::nullopt;
}

void require_own_names(lnpt::io::safetensors::file const& file, lnpt::io::state_dict_options const& names) {
  if (!names.prefix.empty() || !names.rename.empty())
    refuse(file.name(), " is packed and has the network's own names: leave prefixes and --rename out");
}

template <class Network>
void load_packed_weights(Network& network, lnpt::io::safetensors::file const& file, lnpt::io::state_dict_options const& names) {
  require_own_names(file, names);
  lnpt::io::load_packed(network, whole(file));
}
template void load_packed_weights(cpu_network<float>&, lnpt::io::safetensors::file const&, lnpt::io::state_dict_options const&);
template void load_packed_weights(cpu_network<double>&, lnpt::io::safetensors::file const&, lnpt::io::state_dict_options const&);

}  // namespace cli
