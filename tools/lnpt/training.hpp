#pragma once
/// Training and evaluating networks, in float.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <lnpt/core/guide.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/teacher_cache.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/loss/weighted_sum.hpp>
#include <lnpt/train/remembered_answers.hpp>
#include <lnpt/train/train.hpp>

#include "command.hpp"
#include "regulariser.hpp"
#include "scoring.hpp"
#include "settings_difference.hpp"

namespace cli {

using trained_network = cpu_network<float>;

/// How to train: LNPT's loss pseudo_label + α · feature_mse, where there is a teacher.
struct training_spec {
  lnpt::train_options options = {};
  double alpha = 1;
  double temperature = 1;  ///< of feature_mse

  /// Adds the flags that say how to train.
  void describe(CLI::App& command);
  /// Adds those of commands that train on labels alone.
  void describe_labelled(CLI::App& command);
  /// Adds --augment, of commands that crop and flip unless they are told otherwise.
  void describe_augmentation(CLI::App& command);
  /// Everything that decides the course of training, by name.
  [[nodiscard]] std::map<std::string, std::string> settings() const;
  /// The loss under a teacher.
  [[nodiscard]] auto loss() const { return lnpt::pseudo_label{} + alpha * lnpt::feature_mse{temperature}; }
};

inline constexpr char const* augment_on = "crop+flip";
inline constexpr char const* augment_off = "none";

/// Where a run starts and who watches it.
struct training_run {
  lnpt::mask_set const& masks;
  lnpt::train_state from = {};
  lnpt::train_observer observer = {};
  training_hooks* hooks = nullptr;  ///< null: none
};

/// A teacher that answers the students after the first from memory.
using teacher_answers = lnpt::remembered_answers<lnpt::teacher<trained_network>, lnpt::cpu::array<float>>;

/// What a student learns from: a teacher, what one said or, with neither, labels.
struct lesson {
  trained_network* teacher = nullptr;
  teacher_answers const* answers = nullptr;  ///< of that teacher, on the CPU engine; null: it is asked every time
  lnpt::io::teacher_cache const* cache = nullptr;
};

lnpt::train_state train_on_cpu(trained_network& student, lnpt::io::data_set const& data, lesson const& from,
                               training_spec const& spec, training_run run);

/// Refuses a batch that the images cannot fill.
void require_batch(training_spec const& spec, lnpt::io::image_set const& images);

/// What to say, before the first step, of layers that masks let nothing through (layer collapse); empty where there is none.
[[nodiscard]] std::string collapse_warning(trained_network& network, lnpt::mask_set const& masks, lnpt::shape const& sample);

/// Refuses a checkpoint whose run had other settings than these.
void require_settings(lnpt::io::safetensors::file const& file, run_settings const& settings);

}  // namespace cli
