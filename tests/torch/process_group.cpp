/// Two processes over c10d's Gloo: the group conforms as a communicator, scores and training are those of one process, a death is heard.
#include "doctest.hpp"

#include <sys/wait.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/conformance/communicator.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/obd.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/io/synthetic.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/torch/process_group.hpp>

#include "../io/support.hpp"
#include "gloo.hpp"

using namespace lnpt;
using namespace std::chrono_literals;

namespace {

using group = process_group<c10d::ProcessGroupGloo>;
using batches = std::vector<labelled_batch<torch_tensor<float>>>;

struct perceptron : torch::nn::Module {
  explicit perceptron(bool normalised) {
    if (normalised) norm = register_module("norm", torch::nn::BatchNorm1d(32));
  }
  at::Tensor features(at::Tensor const& x) {
    auto const h = hidden(x.flatten(1));
    return at::relu(norm ? norm(h) : h);
  }
  at::Tensor head(at::Tensor const& f) { return out(f); }

  torch::nn::Linear hidden = register_module("hidden", torch::nn::Linear(3 * 16 * 16, 32));
  torch::nn::BatchNorm1d norm{nullptr};
  torch::nn::Linear out = register_module("out", torch::nn::Linear(32, 4));
};

std::shared_ptr<perceptron> network(bool normalised = false) {
  at::manual_seed(1);
  return std::make_shared<perceptron>(normalised);
}

void require(bool holds, char const* what) {
  if (!holds) fail(what);
}

/// Five samples of rank 0 and one of rank 1, whose batch norm has no statistics of its own.
batches all_parts() {
  at::manual_seed(2);
  return {{at::randn({5, 3, 16, 16}), {0, 1, 2, 3, 0}}, {at::randn({1, 3, 16, 16}), {1}}};
}

template <class Criterion>
void compare_scores(group& ranks, bool normalised = false) {
  torch_model<float> model(network(normalised));
  auto const parts = all_parts();
  batches const mine{parts[ranks.rank()]};
  auto const found = score<Criterion>(model, shard(mine, ranks));
  auto const expected = score<Criterion>(model, parts);
  require(found.parameters.size() == expected.parameters.size(), "other parameters have scores");
  for (std::size_t p = 0; p < found.parameters.size(); ++p) {
    at::Tensor const a = found.parameters[p].values.get();
    at::Tensor const b = expected.parameters[p].values.get();
    require((a - b).abs().max().item<double>() <= 1e-5 * b.abs().max().item<double>(), "the scores are others");
  }
}

/// A module that cannot take rank 1's images: it refuses while rank 0 waits for its sums of batch norm.
void compare_refusals(group& ranks) {
  torch_model<float> model(network(true));
  auto const side = ranks.rank() == 1 ? 8 : 16;
  batches const mine{{at::randn({2, 3, side, side}), {0, 1}}};
  auto const heard = support::refusal([&] { (void)score<obd<>>(model, shard(mine, ranks)); });
  require(heard.starts_with("rank 1: LibTorch could not "), "the refusal is another");
}

template <class T>
void require_equal(group& ranks, std::vector<T> const& values, char const* what) {
  auto const all = ranks.gather(std::as_bytes(std::span(values)));
  require(all[0] == all[1], what);
}

io::data_set const& images() {
  static auto const set = io::synthetic({.classes = 4, .side = 16, .train = 40, .test = 8, .seed = 1});
  return set;
}

train_state learn(torch_model<float>& model, mask_set const& masks, group* ranks) {
  torch_train_options options;
  options.epochs = 2, options.batch = 9, options.learning_rate = 0.05;
  if (ranks == nullptr)
    return train(model, masks, images().train, images().test, no_guide{}, cross_entropy{}, options, train_state{});
  return train_together(*ranks, model, masks, images().train, images().test, no_guide{}, cross_entropy{}, options);
}

/// 9 images a step: 4 of rank 0 and 5 of rank 1, whose steps are those of one process where nothing reads the batch's statistics.
void compare_training(group& ranks) {
  auto const net = network();
  auto const twin = network();
  torch_model<float> model(net);
  torch_model<float> alone_model(twin);
  auto const masks = prune<magnitude>(model, {.budget = sparsity{0.8}}).masks;
  auto const together_state = learn(model, masks, &ranks);
  auto const alone_state = learn(alone_model, prune<magnitude>(alone_model, {.budget = sparsity{0.8}}).masks, nullptr);
  require(std::abs(together_state.last_loss - alone_state.last_loss) <= 1e-4 * alone_state.last_loss, "the loss is another");
  for (auto const& p : model.parameters()) {
    auto const values = values_of(*p.value);
    require_equal(ranks, values, "ranks hold different weights");
    if (auto const* const kept = masks.find(p.name))
      for (std::size_t i = 0; i < values.size(); ++i) require((*kept)[i] || values[i] == 0, "a pruned weight moved");
  }
}

/// Running statistics are rank 0's.
void compare_statistics(group& ranks) {
  torch_model<float> model(network(true));
  (void)learn(model, {}, &ranks);
  require(model.buffers().size() == 2, "batch norm has two buffers");
  for (auto const& b : model.buffers()) require_equal(ranks, values_of(*b.value), "running statistics are others");
}

/// What one of the two processes does; returns the sentence by which it hears that the other has ended, if it is the first.
std::string live(int rank, std::string const& meeting_place) {
  auto const gloo = support::gloo_group(rank, "lo", meeting_place);
  group ranks(*gloo, 20s);
  for (auto const& [property, what] : conformance::examine_communicator(ranks)) fail(property, ": ", what);
  compare_scores<snip>(ranks);
  compare_scores<grasp>(ranks);
  compare_scores<obd<>>(ranks, true);
  compare_refusals(ranks);
  compare_scores<grasp>(ranks);  // and the ranks can go on
  compare_training(ranks);
  compare_statistics(ranks);
  if (rank == 1) return {};
  for (int twice = 0; twice < 2; ++twice) try {
      std::uint64_t count = 1;
      ranks.sum(std::span(&count, 1));
    } catch (lost_rank const& e) {
      if (twice == 1) return e.what();
    }
  return "nobody was missed";
}

}  // namespace

TEST_CASE("two processes over Gloo score and train as one does, and the first hears that the second has ended") {
  support::temporary_folder const folder;
  auto const meeting_place = (folder / "store").string();
  auto const second = ::fork();
  if (second == 0) {
    try {
      (void)live(1, meeting_place);
      ::_exit(0);
    } catch (std::exception const& e) {
      std::fprintf(stderr, "rank 1: %s\n", e.what());
      ::_exit(1);
    }
  }
  std::string heard;
  CHECK_NOTHROW(heard = live(0, meeting_place));
  CHECK(heard == "these ranks were given up when one of them did not answer: end the program");
  int status = 0;
  REQUIRE(::waitpid(second, &status, 0) == second);
  CHECK(status == 0);
}
