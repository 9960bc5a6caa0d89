#pragma once
/// Networks that PyTorch exported, as `--model` names them.
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <lnpt/core/shape.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/tensor_names.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace cli {

/// Whether a text is the name of such a file.
[[nodiscard]] bool names_exported(std::string_view text);

/// Such a network: its file, and which of its results holds the features, where one was named.
struct exported_model {
  std::string path;
  std::optional<std::size_t> features = std::nullopt;
};

/// What one sample looks like, {channels, height, width} or {features}, a line being an image of height 1, and how many classes the network tells apart.
struct exported_shape {
  lnpt::shape input;
  std::size_t classes = 0;
};
[[nodiscard]] exported_shape exported_shape_of(std::string const& path);

/// The network with the weights of its file.
template <class Network>
[[nodiscard]] Network load_exported_network(exported_model const& model);

/// Gives the network the weights of a state_dict of the same module.
template <class Network>
void load_exported_weights(Network& network, exported_model const& model, lnpt::io::safetensors::file const& weights,
                           lnpt::io::state_dict_options const& names);

/// The shapes of the state_dict's tensors by their names: weights over a line have no height there.
[[nodiscard]] std::map<std::string, lnpt::shape> exported_extents(std::string const& path);

/// Writes the file `from` again as `to`, with the weights that the masks prune set to zero: as an exported program where `to` is named
/// like one, else as a state_dict with exactly its names.
void save_pruned_program(std::string const& from, lnpt::mask_set const& masks, std::string const& to);

/// How many batches each batch norm of the file has seen, by the name of its counter.
[[nodiscard]] std::map<std::string, std::int64_t> exported_counters(std::string const& path);

/// The same with the values of a network that was read from that file, and these counts of batches.
template <class Network>
void save_program_of(std::string const& from, Network& network, std::string const& to,
                     std::map<std::string, std::int64_t> const& counters = {});

/// Writes the exported program `from` as the smaller network that was made of the one read from it.
template <class Network>
void save_smaller_program(exported_model const& from, Network& smaller, std::string const& to);

}  // namespace cli
