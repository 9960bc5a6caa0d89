#pragma once
/// Relates the channels of producers to the columns that read them, by marked passes through a module.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/torch/pass/forward.hpp>
#include <lnpt/torch/structure/channel_trace.hpp>

namespace lnpt::detail {

/// Which of C channels, or slices, are read where. A superset: exact where a column reads one channel or an aligned block of 2ⁿ.
struct channel_relation {
  std::vector<at::Tensor> read;  ///< for each layer, bool [columns, C]; undefined where it reads none
  at::Tensor returned;           ///< bool [C]: what reaches the module's result
};

/// Runs a module on a batch of which sample n marks one half of the channels: those whose index has a certain bit 0, or 1. So 2⌈log₂C⌉
/// samples tell C channels apart in one pass. Each pass is made with NaN, which passes through rectifiers, and with noise of deviation 3
/// and 30, which comparisons see. Where the axis of samples is not known, each half takes a pass of its own.
class channel_tracer {
 public:
  channel_tracer(torch_network& network, at::Tensor const& example) : network_(network) {
    if (example.dim() == 0 || example.size(0) == 0) fail("atoms are found on an example: pass a batch of one sample or more");
    auto const two = layers_of(tiled(example, 2)), three = layers_of(tiled(example, 3));
    std::int64_t widest = 2;
    for (auto const& layer : two)
      if (layer.what == traced_layer::kind::product) widest = std::max(widest, layer.outputs());
    by_sample_ = two.size() == three.size();
    for (std::size_t i = 0; i < two.size() && by_sample_; ++i)
      by_sample_ = two[i].input.defined() && axis_of_samples(two[i].input, three[i].input) &&
                   axis_of_samples(two[i].output, three[i].output);
    input_ = tiled(example, by_sample_ ? 2 * bits_of(widest) : std::max<std::int64_t>(2, example.size(0)));
    clean_ = layers_of(input_);
    for (std::size_t i = 0; i < clean_.size() && by_sample_; ++i) {
      clean_[i].in_samples = axis_of_samples(two[i].input, three[i].input);
      clean_[i].out_samples = axis_of_samples(two[i].output, three[i].output);
    }
    returned_ = last_;
    require_repeatable();
  }

  [[nodiscard]] std::vector<traced_layer> const& layers() const { return clean_; }
  [[nodiscard]] at::Tensor const& input() const { return input_; }
  [[nodiscard]] std::size_t passes() const { return passes_; }

  [[nodiscard]] channel_relation of_producer(traced_layer const& layer) {
    return relation(layer.outputs(), by_sample_, [&](channel_marks marks) {
      marks.producer = layer.weight;
      marks.row_axis = layer.row_axis;
      return pass(input_, &marks);
    });
  }

  /// Indices, such as those of words, have no channels.
  [[nodiscard]] channel_relation of_input() {
    if (!at::isFloatingType(input_.scalar_type()))
      return {std::vector<at::Tensor>(clean_.size()), at::zeros({0}, input_.options().dtype(at::kBool))};
    auto const axis = std::min<std::int64_t>(1, input_.dim() - 1);
    return relation(input_.size(axis), by_sample_ && axis == 1, [&](channel_marks const& marks) {
      return pass(with_marks(input_, marks, axis, by_sample_ ? std::optional<std::int64_t>(0) : std::nullopt), nullptr);
    });
  }

  /// Of the slices of a parameter or buffer along an axis.
  [[nodiscard]] channel_relation of_slices(at::Tensor const& tensor, std::int64_t axis) {
    return relation(tensor.size(axis), false, [&](channel_marks const& marks) {
      storage_guard storage;
      storage.replace(tensor, with_marks(tensor.detach(), marks, axis, std::nullopt));
      return pass(input_, nullptr);
    });
  }

 private:
  struct changes {
    std::vector<at::Tensor> read;
    at::Tensor returned;
  };

  [[nodiscard]] static std::int64_t bits_of(std::int64_t count) {
    return std::max<std::int64_t>(1, std::bit_width(static_cast<std::uint64_t>(count - 1)));
  }
  [[nodiscard]] static at::Tensor tiled(at::Tensor const& example, std::int64_t samples) {
    return example.index_select(0, at::arange(samples, example.options().dtype(at::kLong)).remainder(example.size(0)));
  }

  /// Runs the module, watched by the tap; keeps what it returns.
  void run(at::Tensor const& x, channel_tap& tap) {
    ++passes_;
    last_ = network_.evaluate(x);
    for (auto* each : {&last_.logits, &last_.features})
      if (each->defined()) *each = each->detach().clone();
    tap.check();
  }

  [[nodiscard]] std::vector<traced_layer> layers_of(at::Tensor const& x) {
    channel_tap tap(network_.layout, nullptr, nullptr, false);
    run(x, tap);
    return std::move(tap.layers());
  }

  [[nodiscard]] changes pass(at::Tensor const& x, channel_marks const* marks) {
    channel_tap tap(network_.layout, &clean_, marks, by_sample_);
    run(x, tap);
    if (tap.strayed())
      fail(
          "two passes through the module take different paths, so that nothing can be said of its channels: let its forward pass "
          "not depend on values");
    changes found{tap.changed(), {}};
    auto const axis = std::min<std::int64_t>(1, last_.logits.dim() - 1);
    found.returned = returned_changes(last_.logits, returned_.logits, axis);
    if (last_.features.defined()) found.returned = found.returned | returned_changes(last_.features, returned_.features, axis);
    return found;
  }

  /// Whether anything returned differs: [S] or [1].
  [[nodiscard]] at::Tensor returned_changes(at::Tensor const& found, at::Tensor const& expected, std::int64_t axis) const {
    return changed_channels(found, expected, axis, by_sample_ ? std::optional<std::int64_t>(0) : std::nullopt).any(1);
  }

  void require_repeatable() {
    auto const again = pass(input_, nullptr);
    auto differs = again.returned.any().item<bool>();
    for (auto const& each : again.read) differs = differs || each.any().item<bool>();
    if (differs)
      fail(
          "two passes through the module on the same input differ, so that nothing can be said of its channels: switch off what "
          "draws random numbers");
  }

  /// `mark(marks)` runs a pass with these marks.
  template <class Mark>
  [[nodiscard]] channel_relation relation(std::int64_t channels, bool by_sample, Mark mark) {
    channel_relation result{std::vector<at::Tensor>(clean_.size()), {}};
    auto const halves = halves_of(channels);
    auto const samples = by_sample ? input_.size(0) : 1;
    for (std::int64_t first = 0; first < halves.size(0); first += samples) {
      auto where = halves.narrow(0, first, std::min(samples, halves.size(0) - first));
      if (where.size(0) < samples)  // the samples left mark nothing
        where = at::cat({where, at::zeros({samples - where.size(0), channels}, where.options())});
      where = where.to(input_.device());
      auto all = mark(channel_marks{{}, where, std::numeric_limits<double>::quiet_NaN(), noise_});
      for (auto const deviation : {3.0, 30.0}) {
        auto const more = mark(channel_marks{{}, where, deviation, noise_});
        for (std::size_t i = 0; i < all.read.size(); ++i) all.read[i] = all.read[i] | more.read[i];
        all.returned = all.returned | more.returned;
      }
      auto const used = where.narrow(0, 0, std::min(samples, halves.size(0) - first));
      auto const of_halves = [&](at::Tensor const& changed) {
        return by_sample ? changed.narrow(0, 0, used.size(0)) : changed.any(0, true);
      };
      for (std::size_t i = 0; i < all.read.size(); ++i) narrow_down(result.read[i], of_halves(all.read[i]), used);
      narrow_down(result.returned, of_halves(all.returned.unsqueeze(1)), used);
    }
    for (auto& each : result.read)
      if (!each.any().item<bool>()) each.reset();
    result.returned = result.returned.squeeze(0);
    return result;
  }

  /// The marks: for each bit of the index, the channels that have it 0, then those that have it 1.
  [[nodiscard]] static at::Tensor halves_of(std::int64_t channels) {
    auto const index = at::arange(channels);
    std::vector<at::Tensor> halves;
    for (std::int64_t bit = 0; bit < bits_of(channels); ++bit)
      for (std::int64_t side = 0; side < 2; ++side) halves.push_back(index.bitwise_right_shift(bit).bitwise_and(1).eq(side));
    return at::stack(halves);
  }

  /// A column that did not change under a mark reads none of the marked channels. `changed` [halves, K], `where` [halves, C].
  static void narrow_down(at::Tensor& read, at::Tensor const& changed, at::Tensor const& where) {
    if (!read.defined()) read = at::ones({changed.size(1), where.size(1)}, changed.options());
    if (!changed.any().item<bool>() && where.any(0).all().item<bool>()) {
      read.zero_();  // nothing changed, whatever was marked
      return;
    }
    for (std::int64_t n = 0; n < where.size(0); ++n)
      read.logical_and_(changed[n].unsqueeze(1).logical_or(where[n].logical_not().unsqueeze(0)));
  }

  torch_network& network_;
  at::Generator noise_ =
      at::detail::createCPUGenerator(1);  ///< its own: the caller's numbers are drawn as if nothing had been traced
  bool by_sample_ = false;
  at::Tensor input_;
  std::vector<traced_layer> clean_;
  torch_prediction returned_, last_;
  std::size_t passes_ = 0;
};

}  // namespace lnpt::detail
