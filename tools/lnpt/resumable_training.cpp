#include "resumable_training.hpp"

#include <utility>

#include <lnpt/io/checkpoint.hpp>
#include <lnpt/io/network_description.hpp>

namespace cli {

namespace {

/// Holds the layers of a network, whose widths no architecture tells once channels went.
constexpr char const* layers_setting = "layers";

network_in_training read(training_file const& file) {
  auto const held = lnpt::io::safetensors::open(file.path);
  require_settings(held, file.settings);
  auto const layers = lnpt::io::parse_description(lnpt::io::checkpoint_settings(held)[layers_setting]);
  network_in_training found{lnpt::io::build_network<trained_network::backend>(layers).first};
  found.state = lnpt::io::load_checkpoint(found.network, held).state;
  return found;
}

}  // namespace

network_in_training train_resumably(training_file const& file, std::function<trained_network()> const& start,
                                    epochs_of_training const& train) {
  auto at = std::filesystem::exists(file.path) ? read(file) : network_in_training{start()};
  auto settings = file.settings;
  settings[layers_setting] = lnpt::io::describe(at.network, file.input).dump();
  at.state = train(at.network, std::move(at.state), [&](lnpt::train_state const& state) {
    lnpt::io::save_checkpoint(file.path, at.network, {state, {}, settings});
  });
  return at;
}

}  // namespace cli
