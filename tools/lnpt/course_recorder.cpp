#include "course_recorder.hpp"

#include <algorithm>
#include <limits>

#include <lnpt/analysis/learning_gap.hpp>
#include <lnpt/analysis/weight_distance.hpp>
#include <lnpt/train/accuracy.hpp>
#include <lnpt/train/batches.hpp>

namespace cli {

gap_probe::gap_probe(training_engine const& engine, lnpt::io::image_set const& images, trained_network& teacher)
    : images_(images), size_(std::min(lnpt::evaluation_batch, images.size())) {
  auto const predict = engine.open(teacher);
  // Whole batches only: of a few images left over, batch norm would have no statistics worth the name.
  for (std::size_t b = 0; size_ > 0 && b < images.size() / size_; ++b) taught_.push_back({predict(batch(b))});
}

lnpt::cpu::array<float> gap_probe::batch(std::size_t b) const {
  lnpt::batch_plan plan;
  for (std::size_t i = b * size_; i < (b + 1) * size_; ++i) plan.images.push_back(i);
  return lnpt::gather_images<float>(images_, plan);
}

double gap_probe::gap_of(training_engine const& engine, trained_network& student) const {
  auto const predict = engine.open(student, lnpt::norm_mode::frozen);
  lnpt::learning_gap gap;
  for (std::size_t b = 0; b < taught_.size(); ++b) {
    auto const predicted = predict(batch(b));
    if (!predicted.features || !taught_[b].features ||
        lnpt::shape_of(*predicted.features) != lnpt::shape_of(*taught_[b].features))
      return std::numeric_limits<double>::quiet_NaN();
    gap.add(predicted, taught_[b]);
  }
  return gap.samples() > 0 ? gap.mean() : std::numeric_limits<double>::quiet_NaN();
}

course_recorder::course_recorder(training_engine const& engine, gap_probe const& probe, trained_network& teacher,
                                 trained_network& student)
    : engine_(engine), probe_(probe), teacher_(teacher), student_(student), start_(student) {
  note_weights();
}

void course_recorder::note(lnpt::train_state const& state) {
  course_.accuracy.push_back(state.last_accuracy);
  note_weights();
}

void course_recorder::note_weights() {
  course_.learning_gap.push_back(probe_.gap_of(engine_, student_));
  if (auto const distance = lnpt::squared_distance(student_, teacher_)) course_.distance.push_back(*distance);
  if (auto const moved = lnpt::squared_distance(start_, student_)) course_.distance_from_start.push_back(*moved);
}

}  // namespace cli
