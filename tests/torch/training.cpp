// Masks hold through every optimizer, and a run resumed equals the run not interrupted.

#include "doctest.hpp"

#include <cmath>
#include <filesystem>

#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/io/synthetic.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/regulariser/soft_masks.hpp>
#include <lnpt/torch/train/train.hpp>

#include "modules.hpp"
#include "support.hpp"

using namespace lnpt;
using namespace torch_support;

namespace {

std::shared_ptr<torch_modules::resnet> network(std::uint64_t seed) {
  at::manual_seed(seed);
  return std::make_shared<torch_modules::resnet>(8, std::array<std::int64_t, 3>{4, 8, 8});
}

/// Whether every pruned value is +0: no other bit pattern will do.
bool is_positive_zero(at::Tensor const& values, at::Tensor const& pruned) {
  auto const bits = values.scalar_type() == at::kDouble ? at::kLong : at::kInt;
  return values.detach().masked_select(pruned).view(bits).eq(0).all().item<bool>();
}

/// Steps of an optimizer on random gradients, after which all it holds of pruned weights must be +0.
template <class Scalar>
void check_optimizer(torch_model<Scalar>& model, mask_set const& masks, torch::optim::Optimizer& optimizer) {
  masked_optimizer masked(optimizer, model, masks);
  auto const tensors = model.torch_parameters();
  for (int step = 0; step < 4; ++step) {
    masked.zero_grad();
    auto const predicted = model(at::randn({5, 3, 8, 8}, torch_tensor<Scalar>::scalar_type));
    torch::autograd::backward({predicted.output.get().square().sum()});
    masked.step();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      auto const* const kept = masks.find(model.parameters()[i].name);
      if (!kept) continue;
      auto const pruned = lnpt::detail::pruned_places(*kept, tensors[i]);
      REQUIRE(is_positive_zero(tensors[i], pruned));
      REQUIRE(is_positive_zero(tensors[i].grad(), pruned));
      std::size_t seen = 0;
      auto* const state = lnpt::detail::state_of(optimizer.state(), tensors[i]);
      REQUIRE(state);
      lnpt::detail::for_each_state_tensor(*state, [&](at::Tensor const& values) {
        if (!values.defined()) return;
        REQUIRE(is_positive_zero(values, pruned));
        REQUIRE_FALSE(values.masked_select(pruned.logical_not()).eq(0).all().template item<bool>());
        ++seen;
      });
      REQUIRE(seen > 0);
    }
  }
}

}  // namespace

TEST_CASE("weight, gradient and state of a pruned weight are +0 after every step of every optimizer") {
  auto const net = network(1);
  torch_model model(net);
  auto const masks = prune<magnitude>(model, {.budget = sparsity{0.8}}).masks;
  auto const parameters = model.torch_parameters();
  auto const check = [&](auto&& optimizer) { check_optimizer(model, masks, optimizer); };
  check(torch::optim::SGD(parameters, torch::optim::SGDOptions(0.01).momentum(0.9).weight_decay(5e-4)));
  check(torch::optim::SGD(parameters, torch::optim::SGDOptions(0.01).momentum(0.9).nesterov(true)));
  check(torch::optim::Adam(parameters, torch::optim::AdamOptions(0.01).weight_decay(1e-2).amsgrad(true)));
  check(torch::optim::AdamW(parameters, torch::optim::AdamWOptions(0.01).weight_decay(1e-2)));
  check(torch::optim::RMSprop(parameters, torch::optim::RMSpropOptions(0.001).momentum(0.5).centered(true)));
  check(torch::optim::Adagrad(parameters, torch::optim::AdagradOptions(0.01).initial_accumulator_value(0.1)));
}

TEST_CASE("an optimizer of other parameters is refused") {
  auto const data = io::synthetic({.train = 24, .test = 8});
  torch_model model(network(1)), other(network(1)), guide(network(2));
  auto const masks = prune<magnitude>(model, {.budget = sparsity{0.5}}).masks;
  auto const refusal = [&](torch::optim::Optimizer&& optimizer) {
    auto& sgd = dynamic_cast<torch::optim::SGD&>(optimizer);
    return words_of([&] {
      (void)train(model, masks, data.train, data.test, teacher{guide}, pseudo_label{}, train_options{.epochs = 1, .batch = 12},
                  train_state{}, train_observer{}, sgd);
    });
  };
  CHECK(says(refusal(torch::optim::SGD(other.torch_parameters(), torch::optim::SGDOptions(0.1))),
             "holds none of the model's parameters"));
}

TEST_CASE("so are those of weights that lie channels last, and of double") {
  auto const net = network(1);
  for (auto const& p : net->parameters())
    if (p.dim() == 4) p.set_data(p.contiguous(at::MemoryFormat::ChannelsLast));
  torch_model model(net);
  REQUIRE_FALSE(model.torch_parameters()[3].is_contiguous());
  auto const masks = prune<magnitude>(model, {.budget = sparsity{0.8}}).masks;
  torch::optim::Adam adam(model.torch_parameters(), torch::optim::AdamOptions(0.01).weight_decay(1e-2));
  check_optimizer(model, masks, adam);

  net->to(at::kDouble);
  torch_model<double> precise(net);
  torch::optim::SGD sgd(precise.torch_parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
  check_optimizer(precise, masks, sgd);
}

namespace {

/// Prunes the first half of the first mask after the first step.
struct prune_further {
  void after_step(auto& step) const {
    if (step.epoch != 0 || step.step != 0) return;
    auto masks = *step.masks;
    for (std::size_t i = 0; i < masks.begin()->size() / 2; ++i) masks.begin()->set(i, false);
    step.set_masks(std::move(masks));
  }
};

}  // namespace

TEST_CASE("a run resumed from its checkpoint equals the run not interrupted, to the bit") {
  auto const data = io::synthetic({.train = 96, .test = 40});
  torch_model guide(network(2));
  auto const folder = std::filesystem::temp_directory_path() / "lnpt_torch_training";
  std::filesystem::create_directories(folder);
  auto const loss = pseudo_label{} + feature_mse{};
  auto const run = [&](torch_model<float>& model, std::filesystem::path const& checkpoint, std::size_t stop_after) {
    auto const masks = prune<magnitude>(model, {.budget = sparsity{0.7}}).masks;
    torch_train_options options;
    options.epochs = 3;
    options.batch = 24;
    options.checkpoint = checkpoint;
    struct stop {};
    train_observer observer;
    observer.on_epoch = [&](train_state const& state) {
      if (state.epoch == stop_after) throw stop{};
    };
    soft_masks channels(0.01);
    prune_further further;
    try {
      return train(model, masks, data.train, data.test, teacher{guide}, loss, options, train_state{}, observer, channels,
                   further);
    } catch (stop) {
      return train_state{};
    }
  };
  std::filesystem::remove(folder / "resumed.pt");
  torch_model whole(network(3)), interrupted(network(3)), resumed(network(3));
  auto const expected = run(whole, {}, 99);
  run(interrupted, folder / "resumed.pt", 1);
  auto const found = run(resumed, folder / "resumed.pt", 99);

  CHECK(expected.epoch == 3);
  CHECK(found.last_loss == expected.last_loss);
  CHECK(found.hooks == expected.hooks);
  CHECK_FALSE(found.hooks.empty());
  CHECK(found.masks == expected.masks);
  CHECK_FALSE(found.masks.empty());
  CHECK(found.last_accuracy == expected.last_accuracy);
  CHECK(found.best_accuracy == expected.best_accuracy);
  auto const a = whole.torch_parameters(), b = resumed.torch_parameters();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].equal(b[i]));
  auto const statistics = whole.buffers(), others = resumed.buffers();
  for (std::size_t i = 0; i < statistics.size(); ++i) CHECK(statistics[i].value->get().equal(others[i].value->get()));
  CHECK_FALSE(interrupted.torch_parameters()[0].equal(a[0]));

  // Another run, under other masks, would go on from the weights of the first.
  torch_model stranger(network(3));
  auto const elsewhere = prune<magnitude>(guide, {.budget = sparsity{0.7}}).masks;
  auto const untouched = stranger.torch_parameters()[0].detach().clone();
  torch_train_options options;
  options.epochs = 1;
  options.batch = 24;
  options.checkpoint = folder / "plain.pt";
  (void)train(whole, prune<magnitude>(whole, {.budget = sparsity{0.7}}).masks, data.train, data.test, teacher{guide}, loss,
              options);
  CHECK(says(words_of([&] { (void)train(stranger, elsewhere, data.train, data.test, teacher{guide}, loss, options); }),
             "that the masks prune, so it is of another run"));
  CHECK(stranger.torch_parameters()[0].equal(untouched));

  torch_model other(std::make_shared<torch_modules::mlp>(std::vector<std::int64_t>{4, 4, 2}));
  torch::optim::SGD sgd(other.torch_parameters(), torch::optim::SGDOptions(0.1));
  CHECK_THROWS_AS((void)load_checkpoint(folder / "resumed.pt", other, sgd), lnpt::error);

  // A file of a deeper network holds all that a shallower one asks for, and more.
  auto const deep = std::make_shared<torch_modules::mlp>(std::vector<std::int64_t>{4, 4, 4, 2});
  torch_model deeper(deep);
  torch::optim::SGD of_deeper(deeper.torch_parameters(), torch::optim::SGDOptions(0.1));
  save_checkpoint(folder / "deep.pt", deeper, of_deeper, {});
  auto const before = other.torch_parameters()[0].detach().clone();
  CHECK_THROWS_WITH_AS((void)load_checkpoint(folder / "deep.pt", other, sgd), doctest::Contains("holds hidden.1."), lnpt::error);
  CHECK(other.torch_parameters()[0].equal(before));
  std::filesystem::remove_all(folder);
}

TEST_CASE("training under bfloat16 autocast keeps weights in float and pruned ones at +0") {
  auto const data = io::synthetic({.train = 48, .test = 16});
  torch_model model(network(4)), guide(network(5));
  auto const masks = prune<magnitude>(model, {.budget = sparsity{0.5}}).masks;
  torch_train_options options;
  options.epochs = 1;
  options.batch = 16;
  options.bfloat16 = true;
  auto const state = train(model, masks, data.train, data.test, teacher{guide}, pseudo_label{}, options);
  CHECK(std::isfinite(state.last_loss));
  auto const tensors = model.torch_parameters();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (auto const* const kept = masks.find(model.parameters()[i].name))
      CHECK(is_positive_zero(tensors[i], lnpt::detail::pruned_places(*kept, tensors[i])));
}

TEST_CASE(
    "groups of an optimizer keep the ratio of their rates to the first one's: one at 1/10 ends there, one at 0 stays as it was") {
  auto const data = io::synthetic({.train = 48, .test = 16});
  torch_model model(network(6));
  auto const tensors = model.torch_parameters();
  REQUIRE(tensors.size() > 2);
  auto const before = [&] {
    std::vector<at::Tensor> copies;
    for (auto const& each : tensors) copies.push_back(each.detach().clone());
    return copies;
  }();
  auto const in_groups = [&](double first, double second, double others) {
    auto const group = [](std::vector<at::Tensor> part, double rate) {
      return torch::optim::OptimizerParamGroup(std::move(part), std::make_unique<torch::optim::SGDOptions>(rate));
    };
    std::vector<torch::optim::OptimizerParamGroup> groups;
    groups.push_back(group({tensors[0]}, first));
    groups.push_back(group({tensors[1]}, second));
    groups.push_back(group({tensors.begin() + 2, tensors.end()}, others));
    return torch::optim::SGD(std::move(groups), torch::optim::SGDOptions(first));
  };
  train_options const options{.epochs = 1, .batch = 16, .learning_rate = 0.05};
  auto const run = [&](torch::optim::SGD& sgd) {
    return train(model, {}, data.train, data.test, no_guide{}, cross_entropy{}, options, train_state{}, {}, sgd);
  };
  auto sgd = in_groups(1, 0.1, 0);
  run(sgd);
  auto const rate = [&](std::size_t group) { return sgd.param_groups()[group].options().get_lr(); };
  CHECK(rate(0) > 0);
  CHECK(rate(0) < 0.05);  // the schedule's, of the options' first rate
  CHECK(rate(1) == doctest::Approx(0.1 * rate(0)));
  CHECK_FALSE(tensors[0].equal(before[0]));
  CHECK_FALSE(tensors[1].equal(before[1]));
  for (std::size_t i = 2; i < tensors.size(); ++i) CHECK(tensors[i].equal(before[i]));
  auto without_first = in_groups(0, 0.1, 0.1);
  CHECK_THROWS_WITH_AS(run(without_first), doctest::Contains("learning rate of the optimizer's first group is 0"), lnpt::error);
}
