#pragma once
/// Training and evaluating networks of the CPU engine, in float.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <lnpt/io/image_set.hpp>
#include <lnpt/io/teacher_cache.hpp>
#include <lnpt/train/train.hpp>

#include "command.hpp"
#include "scoring.hpp"

namespace cli {

using trained_network = cpu_network<float>;

/// How to train: LNPT's loss pseudo_label + α · feature_mse, where there is a teacher.
struct training_spec {
  lnpt::train_options options = {};
  double alpha = 1;
  double temperature = 1;  ///< of feature_mse

  /// Adds the flags that say how to train.
  void describe(CLI::App& command);
  /// Everything that decides the course of training, by name.
  [[nodiscard]] std::map<std::string, std::string> settings() const;
};

inline constexpr char const* augment_on = "crop+flip";
inline constexpr char const* augment_off = "none";

/// Where a run starts and who watches it.
struct training_run {
  lnpt::mask_set const& masks;
  lnpt::train_state from = {};
  lnpt::train_observer observer = {};
};

lnpt::train_state train_on_labels(trained_network& student, lnpt::io::data_set const& data, training_spec const& spec,
                                  training_run run);
lnpt::train_state train_on_teacher(trained_network& student, lnpt::io::data_set const& data, trained_network& teacher,
                                   training_spec const& spec, training_run run);
lnpt::train_state train_on_cache(trained_network& student, lnpt::io::data_set const& data, lnpt::io::teacher_cache const& cache,
                                 training_spec const& spec, training_run run);

/// The class the network decides for on every image.
[[nodiscard]] std::vector<std::int64_t> decide(trained_network& network, lnpt::io::image_set const& images);

/// What the network says of a batch in eval mode.
[[nodiscard]] lnpt::prediction<lnpt::cpu::array<float>> predict(trained_network& network, lnpt::cpu::array<float> const& input);

/// A number that changes with any weight of the network.
[[nodiscard]] std::string fingerprint(trained_network& network);

}  // namespace cli
