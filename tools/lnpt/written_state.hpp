#pragma once
/// The names under which a network's tensors are written.
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <lnpt/core/tensor.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/io/tensor_names.hpp>

#include "packed_weights.hpp"

namespace cli {

/// What a network's tensors are called in files of them: as in the file that its weights came from, without its prefix, or by the network's own
/// names where none or a packed one brought them.
class written_names {
 public:
  written_names() = default;
  written_names(std::string const& weights, lnpt::io::state_dict_options const& names) {
    if (weights.empty()) return;
    auto const file = lnpt::io::safetensors::open(weights);
    if (is_packed(file)) return;
    auto const known = lnpt::io::tensor_names(file, names);
    for (auto const& [name, stored] : known.all())
      if (stored.starts_with(names.prefix)) came_as_.emplace(name, stored.substr(names.prefix.size()));
  }

  [[nodiscard]] std::string operator()(std::string const& name) const {
    auto const found = came_as_.find(name);
    return found == came_as_.end() ? name : found->second;
  }
  /// The same for the tensors of a description.
  [[nodiscard]] nlohmann::ordered_json operator()(nlohmann::ordered_json description) const {
    for (auto const* const kind : {"parameters", "buffers"})
      for (auto& each : description.at(kind)) each["name"] = (*this)(each.at("name").get<std::string>());
    return description;
  }

 private:
  std::map<std::string, std::string> came_as_;
};

/// Adds all parameters and buffers, as numbers of type `Stored`, to a state dict.
template <class Stored, class Network>
void add_state(lnpt::io::safetensors::writer& writer, Network& network, written_names const& names) {
  auto const add = [&](auto const& each) {
    auto const values = lnpt::values_of(*each.value);
    writer.add(names(each.name), lnpt::shape_of(*each.value), std::vector<Stored>(values.begin(), values.end()));
  };
  for (auto const& p : network.parameters()) add(p);
  for (auto const& b : network.buffers()) add(b);
}

}  // namespace cli
