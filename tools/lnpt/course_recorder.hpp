#pragma once
/// What a comparison notes of a student while it trains.
#include <functional>
#include <vector>

#include "comparison_record.hpp"
#include "engine.hpp"

namespace cli {

/// What a teacher says of the test images, in batches that are made again whenever they are looked at.
class gap_probe {
 public:
  gap_probe(training_engine const& engine, lnpt::io::image_set const& images, trained_network& teacher);

  /// The learning gap of a student over the images, batch norm by each batch's statistics: running ones mean nothing before training.
  /// Not a number where there are no features to compare.
  [[nodiscard]] double gap_of(training_engine const& engine, trained_network& student) const;

 private:
  [[nodiscard]] lnpt::cpu::array<float> batch(std::size_t b) const;

  lnpt::io::image_set const& images_;
  std::size_t size_;
  std::vector<lnpt::prediction<lnpt::cpu::array<float>>> taught_;
};

/// The course of one student, from its pruned weights before training on. Looks at the student and changes nothing.
class course_recorder {
 public:
  course_recorder(training_engine const& engine, gap_probe const& probe, trained_network& teacher, trained_network& student);

  /// After an epoch.
  void note(lnpt::train_state const& state);
  [[nodiscard]] student_course const& course() const { return course_; }

 private:
  void note_weights();

  training_engine const& engine_;
  gap_probe const& probe_;
  trained_network& teacher_;
  trained_network& student_;
  trained_network start_;
  student_course course_;
};

}  // namespace cli
