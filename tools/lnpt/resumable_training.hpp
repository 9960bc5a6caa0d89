#pragma once
/// Trainings that go on where they were interrupted, also of networks that lost channels on the way.
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include <lnpt/core/shape.hpp>

#include "training.hpp"

namespace cli {

/// The file a training is kept in, what it has to have been begun with, and the shape of one input.
struct training_file {
  std::filesystem::path path;
  std::map<std::string, std::string> settings;
  lnpt::shape input;
};

/// A network and how far its training came.
struct network_in_training {
  trained_network network;
  lnpt::train_state state = {};
};

/// Trains from a state on, and has every epoch saved.
using epochs_of_training = std::function<lnpt::train_state(trained_network&, lnpt::train_state from,
                                                           std::function<void(lnpt::train_state const&)> const& save)>;

/// The network at the end of its training: read where that is through, gone on with from its last whole epoch where it was interrupted,
/// to the same bits, and begun from `start()` where there is no file. Refuses a file that was begun with other settings.
[[nodiscard]] network_in_training train_resumably(training_file const& file, std::function<trained_network()> const& start,
                                                  epochs_of_training const& train);

}  // namespace cli
