// Training on any data loader of LibTorch: samples of any shape, in the loader's own batches and order.
#include "doctest.hpp"

#include <torch/data/dataloader.h>
#include <torch/data/datasets/base.h>
#include <torch/data/datasets/map.h>
#include <torch/data/samplers/random.h>
#include <torch/data/samplers/sequential.h>
#include <torch/data/transforms/stack.h>
#include <torch/nn/functional/loss.h>

#include <filesystem>
#include <utility>

#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/torch/train/train.hpp>

#include "modules.hpp"

using namespace lnpt;
namespace data = torch::data;

namespace {

constexpr std::int64_t classes = 4, width = 12;

/// Points around the centre of their class.
struct points : data::datasets::Dataset<points> {
  explicit points(std::int64_t count, std::uint64_t seed) {
    at::manual_seed(7);
    auto const centres = at::randn({classes, width});
    at::manual_seed(seed);
    target = at::randint(classes, {count}, at::kLong);
    where = centres.index_select(0, target) + 0.5 * at::randn({count, width});
  }

  data::Example<> get(std::size_t i) override {
    auto const index = static_cast<std::int64_t>(i);
    return {where[index], target[index]};
  }
  [[nodiscard]] c10::optional<std::size_t> size() const override { return static_cast<std::size_t>(target.numel()); }

  at::Tensor where, target;
};

template <class Sampler>
auto loader_of(points samples, data::DataLoaderOptions const& options) {
  return data::make_data_loader<Sampler>(samples.map(data::transforms::Stack<>()), options);
}
using in_order = data::samplers::SequentialSampler;
using at_random = data::samplers::RandomSampler;

std::shared_ptr<torch_modules::mlp> network(std::uint64_t seed) {
  at::manual_seed(seed);
  return std::make_shared<torch_modules::mlp>(std::vector<std::int64_t>{width, 32, 16, classes});
}

mask_set half(torch_model<float>& model) { return prune<magnitude>(model, {.budget = sparsity{0.5}}).masks; }

/// The same training as a LibTorch user writes it, masks multiplied in.
void train_by_hand(torch_modules::mlp& net, mask_set const& masks, data::DataLoaderOptions const& options, points const& samples,
                   train_options const& settings, std::size_t steps) {
  torch::optim::SGD sgd(
      net.parameters(),
      torch::optim::SGDOptions(settings.learning_rate).momentum(settings.momentum).weight_decay(settings.weight_decay));
  auto const loader = loader_of<in_order>(samples, options);
  auto const apply_masks = [&] {
    at::NoGradGuard const plain;
    for (auto& p : net.named_parameters())
      if (auto const* const kept = masks.find(p.key())) p.value().masked_fill_(lnpt::detail::pruned_places(*kept, p.value()), 0);
  };
  apply_masks();
  std::size_t step = 0;
  for (std::size_t epoch = 0; epoch < settings.epochs; ++epoch)
    for (auto const& batch : *loader) {
      auto const turn = std::numbers::pi * static_cast<double>(step++) / static_cast<double>(settings.epochs * steps);
      for (auto& group : sgd.param_groups()) group.options().set_lr(0.5 * settings.learning_rate * (1 + std::cos(turn)));
      sgd.zero_grad();
      torch::nn::functional::cross_entropy(net.forward(batch.data), batch.target).backward();
      sgd.step();
      apply_masks();
    }
}

}  // namespace

TEST_CASE("a loop over a data loader is the loop one would write by hand") {
  points const samples(100, 1), others(60, 2);
  data::DataLoaderOptions const options(32);  // the last batch of an epoch holds four
  auto const loader = loader_of<in_order>(samples, options), test = loader_of<in_order>(others, options);
  auto const ours = network(3), theirs = network(3);
  torch_model model(ours);
  auto const masks = half(model);
  train_options const settings{.epochs = 5, .learning_rate = 0.05};
  std::size_t told = 0;
  train_observer observer;
  observer.on_step = [&](std::size_t, std::size_t step, std::size_t steps) {
    CHECK(steps == 4);
    CHECK(step == told++ % 4);
  };
  auto const state = train(model, masks, loader_batches(*loader, 100), loader_batches(*test, 60), no_guide{}, cross_entropy{},
                           settings, observer);
  CHECK(told == 20);
  CHECK(state.epoch == 5);
  CHECK(state.last_accuracy > 0.8);
  CHECK(state.last_accuracy == accuracy(model, loader_batches(*test, 60)));

  train_by_hand(*theirs, masks, options, samples, settings, 4);
  auto const a = ours->parameters(), b = theirs->parameters();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(at::allclose(a[i], b[i], 1e-4, 1e-6));
}

TEST_CASE("label-free, guided by a teacher, in an order drawn anew; a run resumed equals the run not interrupted, to the bit") {
  points const samples(96, 4), others(60, 5);
  torch_model guide(network(6));
  auto const labelled = loader_of<at_random>(samples, data::DataLoaderOptions(16).drop_last(true));
  auto const test = loader_of<in_order>(others, data::DataLoaderOptions(60));
  auto const loader = loader_batches(*labelled, 96);
  auto const held_out = loader_batches(*test, 60);
  (void)train(guide, {}, loader, held_out, no_guide{}, cross_entropy{}, {.epochs = 6, .learning_rate = 0.05});
  CHECK(accuracy(guide, held_out) > 0.8);

  auto const checkpoint = std::filesystem::temp_directory_path() / "lnpt_torch_loader.pt";
  std::filesystem::remove(checkpoint);
  struct stop {};
  auto const run = [&](torch_model<float>& model, std::filesystem::path const& path, std::size_t stop_after) {
    torch_train_options options;
    options.epochs = 4;
    options.learning_rate = 0.05;
    options.checkpoint = path;
    train_observer observer;
    observer.on_epoch = [&](train_state const& state) {
      if (state.epoch == stop_after) throw stop{};
    };
    at::manual_seed(8);
    try {
      return train(model, half(model), loader, held_out, teacher{guide}, pseudo_label{}, options, observer);
    } catch (stop) {
      return train_state{};
    }
  };
  torch_model whole(network(9)), interrupted(network(9)), resumed(network(9));
  auto const expected = run(whole, {}, 99);
  run(interrupted, checkpoint, 2);
  auto const found = run(resumed, checkpoint, 99);
  CHECK(expected.last_accuracy > 0.7);
  CHECK(found.last_loss == expected.last_loss);
  auto const a = whole.torch_parameters(), b = resumed.torch_parameters();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].equal(b[i]));
  std::filesystem::remove(checkpoint);
}

TEST_CASE("a size that is not the dataset's is refused") {
  points const samples(50, 1);
  auto const loader = loader_of<in_order>(samples, data::DataLoaderOptions(16));
  torch_model model(network(1));
  auto const complaint = [&](std::size_t size) {
    try {
      (void)train(model, {}, loader_batches(*loader, size), loader_batches(*loader, 50), no_guide{}, cross_entropy{},
                  {.epochs = 1});
    } catch (lnpt::error const& reason) {
      return std::string(reason.what());
    }
    return std::string();
  };
  CHECK(complaint(50).empty());
  CHECK(complaint(32).find("more than the 2 batches") != std::string::npos);
  CHECK(complaint(90).find("gave 4 batches where its samples make 6") != std::string::npos);
  CHECK(complaint(0).find("gives no batch") != std::string::npos);
}
