/// Training over ranks that are threads: the batches of one process, the traffic of kept weights, resuming on another number of ranks.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <mutex>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/distributed/train.hpp>
#include <lnpt/io/synthetic.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/resnet.hpp>

#include "threads.hpp"

using namespace lnpt;
using namespace std::chrono_literals;
using backend = cpu::backend<float>;

namespace {

io::data_set const& shapes() {
  static auto const set = io::synthetic({.classes = 4, .side = 16, .train = 128, .test = 40, .seed = 1});
  return set;
}

network<backend> perceptron() { return zoo::mlp<backend>(std::vector<std::size_t>{3 * 16 * 16, 100, 4}, 1); }

mask_set pruned(network<backend>& model, double at) { return prune<magnitude>(model, {.budget = sparsity{at}}).masks; }

/// A run up to so many epochs: its losses, by epoch, and where it stands, as rank 0 would save it.
struct course {
  std::vector<double> losses = {};
  train_state state = {};
  std::vector<std::vector<float>> parameters = {};
};

train_options up_to(std::size_t epochs) { return {.epochs = epochs, .batch = 30, .learning_rate = 0.05, .seed = 3}; }

/// Writes down what an epoch came to.
template <class Model>
train_observer recorder(Model& model, course& into) {
  return {.on_epoch = [&](train_state const& state) {
    into.losses.push_back(state.last_loss);
    into.state = state;
    into.parameters.clear();
    for (auto const& p : model.parameters()) into.parameters.push_back(values_of(*p.value));
  }};
}

void set_parameters(network<backend>& model, course const& at) {
  for (std::size_t i = 0; auto const& p : model.parameters())
    if (i < at.parameters.size())
      *p.value = make_tensor(shape_of(*p.value), std::span<float const>(at.parameters[i++]), *p.value);
}

/// Goes on from a course on so many ranks, to `options.epochs`.
course go_on(std::size_t ranks, course from, train_options const& options) {
  course result = from;
  auto const outcomes = threads::run(ranks, [&](threads::communicator& group) {
    auto model = perceptron();
    auto const masks = pruned(model, 0.95);
    set_parameters(model, from);
    train_together(group, model, masks, shapes().train, shapes().test, no_guide{}, cross_entropy{}, options, from.state,
                   group.rank() == 0 ? recorder(model, result) : train_observer{});
    for (auto const& p : model.parameters())
      if (auto const* const kept = masks.find(p.name))
        for (std::size_t i = 0; i < kept->size(); ++i)
          if (!(*kept)[i] && std::bit_cast<std::uint32_t>(p.value->flat(i)) != 0) fail("a pruned weight moved");
  });
  for (auto const& each : outcomes) CHECK(each.error.empty());
  return result;
}

course on_one_process(train_options const& options) {
  course result;
  auto model = perceptron();
  auto const masks = pruned(model, 0.95);
  train(model, masks, shapes().train, shapes().test, no_guide{}, cross_entropy{}, options, {}, recorder(model, result));
  return result;
}

void check_same(course const& a, course const& b) {
  REQUIRE(a.losses.size() == b.losses.size());
  for (std::size_t e = 0; e < a.losses.size(); ++e) CHECK(a.losses[e] == doctest::Approx(b.losses[e]).epsilon(1e-4));
}

}  // namespace

TEST_CASE("any number of ranks learns from the batches of one process") {
  auto const one = on_one_process(up_to(2));
  CHECK(one.losses.at(1) < one.losses.at(0));
  for (std::size_t const size : {1U, 2U, 4U}) check_same(go_on(size, {}, up_to(2)), one);  // 30 images are uneven for 4
}

TEST_CASE("a run on two ranks that ends after two epochs goes on on three as if it had not") {
  auto options = up_to(4);
  auto const whole = go_on(2, {}, options);
  course stopped;
  auto const outcomes = threads::run(2, [&](threads::communicator& group) {
    auto model = perceptron();
    course here;
    auto const record = recorder(model, here);
    train_observer const observer{.on_epoch = [&](train_state const& state) {
      record.on_epoch(state);
      stopped = here;
      if (state.epoch == 2) fail("no space left on device");
    }};
    (void)train_together(group, model, pruned(model, 0.95), shapes().train, shapes().test, no_guide{}, cross_entropy{}, options,
                         {}, observer);
  });
  for (auto const& each : outcomes) CHECK(each.error == "rank 0: no space left on device");
  CHECK(stopped.losses.size() == 2);
  check_same(go_on(3, stopped, options), whole);
}

TEST_CASE("the gradients of kept weights travel, those of pruned ones stay") {
  auto const bytes_at = [](double at) {
    std::size_t bytes = 0;
    auto const outcomes = threads::run(2, [&](threads::communicator& group) {
      auto model = perceptron();
      (void)train_together(group, model, at > 0 ? pruned(model, at) : mask_set{}, shapes().train, shapes().test, no_guide{},
                           cross_entropy{}, up_to(1));
      if (group.rank() == 0) bytes = group.bytes_received();
    });
    for (auto const& each : outcomes) CHECK(each.error.empty());
    return bytes;
  };
  CHECK(bytes_at(0.95) * 15 <= bytes_at(0));
}

namespace {

network<backend> normalised() { return zoo::resnet<backend>({.depth = 8, .widths = {4, 4, 4}, .classes = 4}, 1); }

/// All gradients of the mean cross-entropy of some images, one after another, and then the running statistics that they leave.
std::vector<double> slopes_and_statistics(network<backend>& model, std::size_t first, std::size_t last,
                                          std::shared_ptr<shared_batch const> shared) {
  std::vector<std::size_t> indices;
  for (auto i = first; i < last; ++i) indices.push_back(i);
  auto const labels = gather_labels(shapes().train, indices);
  auto trace = model.forward(gather_images(shapes().train, {indices, {}}), {norm_mode::train, nullptr, std::move(shared)});
  auto const predicted = prediction_of(model, trace);
  model.update_running_statistics(trace);
  auto const slope = loss_cotangent(cross_entropy{}, predicted, target<cpu::array<float>>{&labels, nullptr});
  std::vector<double> numbers;
  for (auto const& g : last_backward(model, std::move(trace), slope, which_gradients::all))
    for (auto const v : values_of(*g)) numbers.push_back(v);
  for (auto const& b : model.buffers())
    for (auto const v : values_of(*b.value)) numbers.push_back(v);
  return numbers;
}

double distance(std::vector<double> const& a, std::vector<double> const& b) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(a[i] - b.at(i)));
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("synchronized batch norm: ranks with 1, 4 and 2 of 7 images have the gradients and running statistics of all 7") {
  auto one = normalised();
  auto const expected = slopes_and_statistics(one, 0, 7, nullptr);
  auto const apart = [&](bool synchronized) {
    double worst = 0;
    auto const outcomes = threads::run(3, [&](threads::communicator& group) {
      std::size_t const bounds[] = {0, 1, 5, 7};
      auto const first = bounds[group.rank()], last = bounds[group.rank() + 1];
      auto const share = static_cast<double>(last - first) / 7;
      auto model = normalised();
      auto numbers = slopes_and_statistics(
          model, first, last,
          synchronized ? std::make_shared<shared_batch const>(shared_batch{share, [&](auto sums) { group.sum(sums); }})
                       : nullptr);
      for (auto& n : numbers) n *= share;
      group.sum(std::span(numbers));
      if (group.rank() == 0) worst = distance(numbers, expected);
    });
    for (auto const& each : outcomes) CHECK(each.error.empty());
    return worst;
  };
  CHECK(apart(true) < 1e-5);
  CHECK(apart(false) > 1e-2);
}

TEST_CASE("synchronized batch norm: any number of ranks takes the steps of one process") {
  auto one = normalised();
  course alone_course;
  train(one, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{}, up_to(1), {}, recorder(one, alone_course));
  auto const loss_of = [&](std::size_t ranks, auto... how) {
    double loss = 0;
    auto const outcomes = threads::run(ranks, [&](threads::communicator& group) {
      auto model = normalised();
      auto const state =
          train_together(group, model, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{}, up_to(1), {}, {}, how...);
      if (group.rank() == 0) loss = state.last_loss;
    });
    for (auto const& each : outcomes) CHECK(each.error.empty());
    return loss;
  };
  auto const expected = doctest::Approx(alone_course.losses.at(0)).epsilon(1e-5);
  for (std::size_t const ranks : {1U, 2U, 3U}) CHECK(loss_of(ranks, synchronized_batch_norm{}) == expected);
  CHECK(loss_of(3) != expected);
}

TEST_CASE("a loss that is not finite on one rank ends the training of all, and running statistics are those of rank 0") {
  auto const train_on = [](threads::communicator& group, float spoilt) {
    auto model = zoo::resnet<backend>({.depth = 8, .widths = {4, 4, 4}, .classes = 4}, 1);
    auto images = shapes().train;
    if (group.rank() == 1) images.mean[0] = spoilt;
    (void)train_together(group, model, {}, images, shapes().test, no_guide{}, cross_entropy{}, up_to(1));
    for (auto const& b : model.buffers()) {
      auto const values = values_of(*b.value);
      for (auto const& theirs : group.gather(std::as_bytes(std::span(values))))
        if (std::memcmp(theirs.data(), values.data(), theirs.size()) != 0) fail(b.name, " differs");
    }
  };
  for (auto const& each : threads::run(2, [&](auto& group) { train_on(group, shapes().train.mean[0]); }))
    CHECK(each.error.empty());
  for (auto const& each : threads::run(2, [&](auto& group) { train_on(group, std::numeric_limits<float>::quiet_NaN()); }))
    CHECK(each.error == "rank 1: the training loss became nan in epoch 1: lower the learning rate");
}

TEST_CASE("a batch of fewer images than ranks is refused") {
  auto const outcomes = threads::run(3, [](threads::communicator& group) {
    auto model = perceptron();
    auto options = up_to(1);
    options.batch = 2;
    (void)train_together(group, model, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{}, options);
  });
  for (auto const& each : outcomes)
    CHECK(each.error == "rank 0 and 2 more of 3: a batch of 2 cannot be shared by 3 ranks: choose a batch of at least 3");
}
