#pragma once
/// What a teacher said while one student trained, for the next that sees the same images in the same views.
#include <cstddef>
#include <map>
#include <utility>

#include <lnpt/core/guide.hpp>
#include <lnpt/train/batches.hpp>

#include "scoring.hpp"

namespace cli {

/// A teacher in training that is asked once for each step of each epoch, as long as its words fit. Students must share the seed of
/// their training, the batch size and the images, as the students of one seed of a comparison do.
class teacher_memory {
 public:
  using array = lnpt::cpu::array<float>;

  /// `bytes` is how much may be remembered; after that the teacher is asked every time.
  explicit teacher_memory(cpu_network<float>& network, std::size_t bytes = std::size_t{1} << 30)
      : teacher_(network), bytes_left_(bytes) {}

  [[nodiscard]] lnpt::prediction<array> predict(array const& input, lnpt::batch_plan const& plan, std::size_t epoch) {
    auto const step = std::pair(epoch, plan.images.front());  // an epoch shows each image once
    if (auto const said = said_.find(step); said != said_.end()) return said->second;
    auto predicted = teacher_.predict(input);
    auto const bytes = sizeof(float) * (predicted.output.size() + (predicted.features ? predicted.features->size() : 0));
    if (bytes <= bytes_left_) {
      bytes_left_ -= bytes;
      said_.emplace(step, predicted);
    }
    return predicted;
  }

 private:
  lnpt::teacher<cpu_network<float>> teacher_;
  std::size_t bytes_left_;
  std::map<std::pair<std::size_t, std::size_t>, lnpt::prediction<array>> said_;
};

/// A teacher's memory as the guide of `train`.
class remembered_guide {
 public:
  explicit remembered_guide(teacher_memory& memory) : memory_(&memory) {}

  [[nodiscard]] lnpt::prediction<teacher_memory::array> predict(teacher_memory::array const& input, lnpt::batch_plan const& plan,
                                                                std::size_t epoch) const {
    return memory_->predict(input, plan, epoch);
  }

 private:
  teacher_memory* memory_;
};

}  // namespace cli
