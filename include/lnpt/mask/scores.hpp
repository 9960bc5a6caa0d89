#pragma once
/// Scores as mask strategies see them: numbers by parameter, whether they lie in host memory or on a device.
#include <concepts>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lnpt/core/parameter.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/mask/ranking.hpp>

namespace lnpt {

template <std::floating_point T>
struct ranked_part;

/// Scores that lie elsewhere than in host memory.
template <std::floating_point T>
class distant_scores {
 public:
  virtual ~distant_scores() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  virtual void copy_to(std::span<T> host) const = 0;
  /// The n best of these parts where they are; nothing where this cannot be done, as for parts of several kinds.
  [[nodiscard]] virtual std::optional<ranking_outcome> keep_largest(std::span<ranked_part<T> const> parts, std::size_t n,
                                                                    keep_end end) const = 0;
};

/// The scores of one parameter, row-major. Reading them brings scores from a device to the host, once; ranking them
/// (mask/keep_ranked.hpp) does not.
template <std::floating_point T>
class score_values {
 public:
  score_values() = default;
  score_values(std::span<T const> host) : host_(host) {}     // NOLINT(google-explicit-constructor): a view of the same
  score_values(std::vector<T> const& host) : host_(host) {}  // NOLINT(google-explicit-constructor)
  score_values(std::vector<T>&&) = delete;
  explicit score_values(std::shared_ptr<distant_scores<T> const> distant) : copy_(std::make_shared<copy>(std::move(distant))) {}

  [[nodiscard]] std::size_t size() const { return copy_ ? copy_->source->size() : host_.size(); }
  /// The scores in host memory; safe to call from several threads.
  [[nodiscard]] std::span<T const> on_host() const {
    if (!copy_) return host_;
    std::call_once(copy_->done, [this] {
      copy_->values.resize(size());
      copy_->source->copy_to(copy_->values);
    });
    return copy_->values;
  }
  [[nodiscard]] T operator[](std::size_t i) const { return on_host()[i]; }
  [[nodiscard]] auto begin() const { return on_host().begin(); }
  [[nodiscard]] auto end() const { return on_host().end(); }

  /// Where the scores are, if that is not host memory.
  [[nodiscard]] distant_scores<T> const* distant() const { return copy_ ? copy_->source.get() : nullptr; }

 private:
  struct copy {
    explicit copy(std::shared_ptr<distant_scores<T> const> from) : source(std::move(from)) {}
    std::shared_ptr<distant_scores<T> const> source;
    std::once_flag done;
    std::vector<T> values;
  };

  std::span<T const> host_;
  std::shared_ptr<copy> copy_;
};

/// One parameter and its scores: a larger score is more worth keeping.
template <class T>
struct scored_parameter {
  std::string name;
  shape extents;
  score_values<T> scores;
  lnpt::role role = lnpt::role::weight;
  std::size_t output_axis = 0;    ///< the axis that counts output channels
  std::size_t output_groups = 1;  ///< blocks of the first axis, each with output channels of its own
  bool of_filters = false;        ///< whether the scores are those of output channels, shared out among their weights
  /// Ranks these weights among themselves, where the scores say how many of them stay and no more; empty: the scores do.
  score_values<T> within = {};
  double layer_floor = 0;  ///< the least share that stays of its even part of the total, unless the selection says

  [[nodiscard]] bool ranks_itself() const { return within.size() > 0; }
};

/// One part of a ranking, as `ranked_scores`, of scores wherever they lie.
template <std::floating_point T>
struct ranked_part {
  score_values<T> scores;
  std::span<mask::word> kept;              ///< written: which scores stay
  std::span<mask::word const> among = {};  ///< only these take part; empty: all

  [[nodiscard]] ranked_scores<T> on_host() const { return {scores.on_host(), kept, among}; }
};

}  // namespace lnpt
