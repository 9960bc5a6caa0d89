#pragma once
/// Networks that PyTorch exported, as `--model` names them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <lnpt/core/shape.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace cli {

/// Whether a text is the name of such a file.
[[nodiscard]] bool names_exported(std::string_view text);

/// What one sample looks like, {channels, height, width} or {features}, a line being an image of height 1, and how many classes the network tells apart.
struct exported_shape {
  lnpt::shape input;
  std::size_t classes = 0;
};
[[nodiscard]] exported_shape exported_shape_of(std::string const& path);

/// The network with the weights of its file.
template <class Network>
[[nodiscard]] Network load_exported_network(std::string const& path);

/// Writes the file `from` again as `to`, with the weights that the masks prune set to zero: as an exported program where `to` is named
/// like one, else as a state_dict with exactly its names.
void save_pruned_program(std::string const& from, lnpt::mask_set const& masks, std::string const& to);

}  // namespace cli
