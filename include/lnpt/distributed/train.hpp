#pragma once
/// Training over several processes, each of which learns from its part of every batch.
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/communicator.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/distributed/same_model.hpp>
#include <lnpt/distributed/together.hpp>
#include <lnpt/mask/bits.hpp>
#include <lnpt/nn/shared_statistics.hpp>
#include <lnpt/train/train.hpp>

namespace lnpt {

namespace detail {

/// Calls `visit(i)` for every entry of a gradient that travels: those of kept weights where the gradient is of a whole masked parameter,
/// else all.
template <class Visit>
void for_each_travelling(mask const* kept, shape const& extents, Visit visit) {
  if (kept == nullptr || kept->extents() != extents) {
    for (std::size_t i = 0; i < element_count(extents); ++i) visit(i);
    return;
  }
  for (std::size_t w = 0; w < kept->words().size(); ++w)
    for_each_bit(kept->words()[w], [&](std::size_t bit) { visit(w * mask::word_bits + bit); });
}

/// A kit (train/loop.hpp) whose batches are shared by ranks. Gradients become their means over the batch before anybody sees them:
/// weights stay the same on all ranks, since all take the same steps. `Whole`: gradients of pruned weights travel, too, for hooks.
/// `Synchronized`: batch norm takes the statistics of the whole batch.
template <class Kit, communicator R, bool Whole, bool Synchronized>
class distributed_kit {
 public:
  using tensor_type = typename Kit::tensor_type;
  static constexpr std::size_t loss_every = Kit::loss_every;

  distributed_kit(Kit& own, R& ranks) : own_(own), ranks_(ranks) {}

  [[nodiscard]] auto& model() { return own_.model(); }
  [[nodiscard]] auto training_mode() { return own_.training_mode(); }
  template <class Images>
  [[nodiscard]] std::size_t steps(Images const& images, train_options const& options) const {
    if (options.batch < ranks_.size())
      fail("a batch of ", options.batch, " cannot be shared by ", ranks_.size(), " ranks: choose a batch of at least ",
           ranks_.size());
    return own_.steps(images, options);
  }
  template <class Images>
  [[nodiscard]] decltype(auto) store(Images const& images) {
    return own_.store(images);
  }
  /// Rank r of R learns from images ⌊B r/R⌋ to ⌊B (r+1)/R⌋ of every batch. Running statistics are rank 0's at the end of the epoch.
  template <loss_needs Needs, class Store, class Images, class Guide, class Learn>
  void for_each_lesson(Store const& store, Images const& images, std::size_t epoch, Guide const& guide,
                       train_options const& options, Learn learn) {
    epoch_ = epoch;
    batch_ = options.batch;
    own_.template for_each_lesson<Needs>(store, images, epoch, guide, options, learn, {ranks_.rank(), ranks_.size()});
    take_buffers_of_first();
  }

  template <class Loss>
  [[nodiscard]] gradients<tensor_type> gradients_of(lesson<tensor_type> const& each, Loss const& loss, loss_meter& meter,
                                                    bool look) {
    if (ranks_.size() == 1) return own_.gradients_of(each, loss, meter, look);
    loss_meter mine(epoch_, 1, 1);
    auto const share = static_cast<double>(shape_of(each.input).at(0)) / static_cast<double>(batch_);
    auto g = own_gradients(each, loss, mine, share);
    std::vector<number> numbers{static_cast<number>(share * mine.mean())};
    for_each_gradient(g, [&](auto const& slope, mask const* kept) {
      auto const values = values_of(slope);
      for_each_travelling(kept, shape_of(slope),
                          [&](std::size_t i) { numbers.push_back(static_cast<number>(share * values[i])); });
    });
    ranks_.sum(std::span(numbers));
    if (look) meter.add(numbers.front());
    auto next = numbers.cbegin() + 1;
    for_each_gradient(g, [&](auto& slope, mask const* kept) {
      auto values = values_of(slope);
      for_each_travelling(kept, shape_of(slope), [&](std::size_t i) { values[i] = *next++; });
      slope = make_tensor<tensor_type>(shape_of(slope), values, slope);
    });
    return g;
  }
  void step(training_step<tensor_type> const& at) { own_.step(at); }

  [[nodiscard]] mask_set const& masks() const { return own_.masks(); }
  void set_masks(mask_set masks) { own_.set_masks(std::move(masks)); }
  [[nodiscard]] auto velocity() { return own_.velocity(); }
  void save(train_state const& state) {
    if (ranks_.rank() == 0) own_.save(state);
  }

 private:
  using number = value_type<tensor_type>;

  template <class Loss>
  [[nodiscard]] gradients<tensor_type> own_gradients(lesson<tensor_type> const& each, Loss const& loss, loss_meter& mine,
                                                     double share) {
    if constexpr (Synchronized) {
      normalization const norm{
          norm_mode::train, nullptr,
          std::make_shared<shared_batch const>(shared_batch{share, [this](std::span<double> numbers) { ranks_.sum(numbers); }})};
      return own_.gradients_of(each, loss, mine, true, norm);
    } else {
      return own_.gradients_of(each, loss, mine, true);
    }
  }

  /// Calls `visit(gradient, mask)` for what the loss reaches; the mask is null where all of it travels.
  template <class Visit>
  void for_each_gradient(gradients<tensor_type>& g, Visit visit) {
    for (std::size_t i = 0; auto const& p : stored_parameters_of(model())) {
      auto& slope = g[i++];
      if (slope) visit(*slope, Whole ? nullptr : masks().find(p.name));
    }
  }

  void take_buffers_of_first() {
    std::vector<number> numbers;
    for (auto const& b : buffers_of(model())) {
      auto const values = values_of(*b.value);
      numbers.insert(numbers.end(), values.begin(), values.end());
    }
    if (numbers.empty() || ranks_.size() == 1) return;
    ranks_.broadcast(std::as_writable_bytes(std::span(numbers)), 0);
    std::span<number const> rest(numbers);
    for (auto const& b : buffers_of(model())) {
      assign(*b.value, make_tensor<tensor_type>(shape_of(*b.value), rest.first(size_of(*b.value)), *b.value));
      rest = rest.subspan(size_of(*b.value));
    }
  }

  Kit& own_;
  R& ranks_;
  std::size_t epoch_ = 0, batch_ = 0;
};

/// Stands among the policies of `train` to have its kit shared by ranks.
template <communicator R, bool Whole, bool Synchronized>
struct across {
  static constexpr bool shares_steps = true;
  R& ranks;

  template <class Kit>
  [[nodiscard]] auto shared(Kit& kit) {
    return distributed_kit<Kit, R, Whole, Synchronized>(kit, ranks);
  }
};

/// Whether a model's batch norm can take statistics that several processes add up.
template <class Model>
inline constexpr bool can_synchronize = false;
template <class Model>
  requires requires { typename Model::backend; }
inline constexpr bool can_synchronize<Model> = nn::channels_on_host<typename Model::backend>;

/// `train_together` with whatever options the engine's `train` takes.
template <communicator R, class Model, class Images, class Test, class Guide, class Loss, class Options, class... Policies>
train_state train_on_ranks(R& ranks, Model& student, mask_set const& masks, Images const& images, Test const& test,
                           Guide const& guide, Loss const& loss, Options const& options, train_state const& state,
                           train_observer const& observer, Policies&... policies) {
  constexpr bool whole = (training_hook<std::remove_const_t<Policies>, tensor_of<Model>> || ...);
  constexpr bool synchronized = (concerns_sharing<Policies> || ...);
  static_assert(!synchronized || can_synchronize<Model>,
                "lnpt: batch norm over several processes takes statistics that lie in host memory, as those of "
                "network<cpu::backend<float>> do. Leave synchronized_batch_norm out: each rank then normalises its own part.");
  if constexpr (!synchronized || can_synchronize<Model>) {
    return together(ranks, [&](agreeing<R>& agreed) {
      require_same_model(agreed, student);
      across<agreeing<R>, whole, synchronized> all{agreed};
      return train(student, masks, images, test, guide, loss, options, state, agreed.rank() == 0 ? observer : train_observer{},
                   policies..., all);
    });
  } else {
    return state;  // refused above
  }
}

}  // namespace detail

/// Among the further arguments of `train_together`: batch norm takes the statistics of the whole batch instead of a rank's own part, so
/// that any number of ranks takes the steps of one process, to rounding. Cost: two exchanges a layer and step, of 16 bytes a channel.
struct synchronized_batch_norm {
  static constexpr bool concerns_sharing = true;
};

/// Trains as `train` does, over several processes that hold the same student, images and options. Each step takes the batch that one
/// process would: every rank learns from its part, and the mean gradient of kept weights, and of all that is not masked, travels:
///
///     g = Σ_r B_r/B g_r
///
/// Batch norm takes the statistics of a rank's own part, or with `synchronized_batch_norm` those of the batch; running statistics are
/// rank 0's. With hooks, gradients of pruned weights travel
/// too. `observer` is told on rank 0 alone, which is where to save; a state resumes on any number of ranks. What one rank throws, the
/// observer included, every rank throws.
template <communicator R, class Model, image_source Images, labelled_images Test, class Guide, class Loss, class... Policies>
train_state train_together(R& ranks, Model& student, mask_set const& masks, Images const& images, Test const& test,
                           Guide const& guide, Loss const& loss, train_options const& options, train_state const& state = {},
                           train_observer const& observer = {}, Policies&&... policies) {
  return detail::train_on_ranks(ranks, student, masks, images, test, guide, loss, options, state, observer, policies...);
}

}  // namespace lnpt
