#pragma once
/// A teacher that several students share, and that is asked once.
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/core/model.hpp>
#include <lnpt/train/augmentation.hpp>
#include <lnpt/train/batches.hpp>

namespace lnpt {

/// A guide for `train` that asks another guide about each batch once and answers from memory when the batch comes again.
///
/// Students that train with the same seed, batch size and augmentation see the same batches in the same epochs, so that all of them but the
/// first train without a teacher's forward passes, to the same bits. Answers are kept until they fill `most_bytes`; about any other batch
/// the guide is asked every time. Students must train one after another.
template <class Guide, tensor T>
class remembered_answers {
 public:
  remembered_answers(Guide guide, std::size_t most_bytes) : guide_(std::move(guide)), most_bytes_(most_bytes) {}

  [[nodiscard]] prediction<T> predict(T const& input, batch_plan const& plan, std::size_t epoch) const {
    auto const found = answers_.find({epoch, plan.images});
    if (found != answers_.end() && found->second.how == plan.how) return found->second.said;
    auto const start = std::chrono::steady_clock::now();
    auto said = guide_.predict(input);
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    auto const bytes = bytes_of(plan, said);
    if (found == answers_.end() && bytes <= most_bytes_ - bytes_) {
      answers_.emplace(key{epoch, plan.images}, answer{plan.how, said});
      bytes_ += bytes;
    }
    return said;
  }

  /// What the answers in memory take.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// The seconds that were spent asking.
  [[nodiscard]] double seconds() const { return seconds_; }

 private:
  using key = std::pair<std::size_t, std::vector<std::size_t>>;  ///< epoch and images
  struct answer {
    std::vector<augmentation> how;
    prediction<T> said;
  };

  [[nodiscard]] static std::size_t bytes_of(batch_plan const& plan, prediction<T> const& said) {
    auto const values = size_of(said.output) + (said.features ? size_of(*said.features) : 0);
    return sizeof(std::pair<key const, answer>) + plan.images.size() * sizeof(std::size_t) +
           plan.how.size() * sizeof(augmentation) + values * sizeof(value_type<T>);
  }

  Guide guide_;
  std::size_t most_bytes_;
  mutable std::map<key, answer> answers_;
  mutable std::size_t bytes_ = 0;
  mutable double seconds_ = 0;
};

}  // namespace lnpt
