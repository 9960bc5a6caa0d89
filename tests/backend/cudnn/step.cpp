/// A training step on the device: what it costs in launches, reads and memory, and what happens when any of its calls fails, or of a
/// scoring's.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/criterion/grasp.hpp>
#include <lnpt/cudnn.hpp>

#include "../every_layer.hpp"
#include "device.hpp"

using namespace lnpt;

namespace {

using backend = cudnn::backend<float>;
using array = backend::array;

/// `depth` convolutions, each with batch norm and a rectifier, and a linear layer.
network<backend> plain_network(std::size_t depth) {
  network_builder<backend> net(3, 3);
  auto x = net.input();
  for (std::size_t i = 0; i < depth; ++i) {
    auto const name = std::to_string(i);
    x = net.batch_norm("bn" + name, net.conv2d("conv" + name, x, 4), true);
  }
  net.classifier("fc", net.global_average_pool(x), 5);
  return std::move(net).build();
}

template <class Named>
std::vector<std::vector<float>> values_of_all(std::vector<Named> const& tensors) {
  std::vector<std::vector<float>> all;
  for (auto const& each : tensors) all.push_back(values_of(*each.value));
  return all;
}

/// A network that takes steps of descent down a fixed slope.
class training {
 public:
  explicit training(std::size_t depth) : network_(plain_network(depth)) {
    for (auto const& p : network_.parameters()) velocity_.push_back(backend::constant(shape_of(*p.value), 0, {}));
  }
  void step() {
    auto trace = network_.forward(x_, {norm_mode::train});
    network_.update_running_statistics(trace);
    auto const g = network_.backward(std::move(trace), {z_, std::nullopt});
    std::vector<sgd_operands<array, backend::packed_mask>> operands;
    for (auto const& p : network_.parameters())
      operands.push_back({p.value, &g[operands.size()].value(), &velocity_[operands.size()], nullptr});
    backend::sgd_steps(operands, {});
  }
  [[nodiscard]] std::vector<std::vector<float>> weights() { return values_of_all(network_.parameters()); }

 private:
  network<backend> network_;
  std::vector<array> velocity_;
  array x_ = random_tensor<array>({4, 3, 6, 6}, 5), z_ = random_tensor<array>({4, 5}, 6);
};

}  // namespace

TEST_CASE(
    "in each precision a step in steady state reads nothing, asks for no new memory, and launches at most 14 times a layer") {
  if (!device_is_here() || !on_double()) return;
  constexpr std::size_t depth = 6;
  for (auto const how : {cudnn::precision::fp32, cudnn::precision::tf32, cudnn::precision::bf16}) {
    CAPTURE(static_cast<int>(how));
    cudnn::use_precision(how);
    training run(depth);
    for (int i = 0; i < 2; ++i) run.step();
    (void)run.weights();
    auto const launches = tally("launches");
    auto const waits = tally("waits");
    auto const allocations = tally("new_allocations");
    run.step();
    CHECK(tally("waits") == waits);
    auto const launched = tally("launches") - launches;
    CAPTURE(launched);
    CHECK(launched <= 14 * static_cast<long>(depth + 1));  // the last is for what is no such layer
    (void)run.weights();                                   // runs what is queued
    CHECK(tally("new_allocations") == allocations);
  }
  cudnn::use_precision(cudnn::precision::fp32);
}

TEST_CASE("every call of a step that fails is an error, nothing is leaked, and no weight has moved") {
  if (!device_is_here() || !on_double()) return;
  auto const bytes = live_bytes();
  long calls = 0;
  {
    training warm(1);  // plans are built once
    warm.step();
    auto const before = tally("calls");
    warm.step();
    calls = tally("calls") - before;
  }
  cudnn::detail::runtime::current().flush();
  auto const objects = tally("live_objects");
  REQUIRE(live_bytes() == bytes);
  CHECK(calls > 50);
  for (long n = 1; n <= calls; ++n) {
    CAPTURE(n);
    {
      training run(1);
      run.step();
      auto const before = run.weights();
      fail_at(n);
      CHECK_THROWS_AS(run.step(), lnpt::error);
      fail_at(0);
      CHECK(run.weights() == before);
    }
    cudnn::detail::runtime::current().flush();
    CHECK(live_bytes() == bytes);
    CHECK(tally("live_objects") == objects);
  }
}

TEST_CASE("every call of a scoring that fails is an error, nothing is leaked, and the model is as it was") {
  if (!device_is_here() || !on_double()) return;
  auto net = plain_network(1);
  labelled_batch const batch{random_tensor<array>({4, 3, 6, 6}, 5), std::vector<std::int64_t>{0, 1, 2, 3}};
  auto const score_once = [&] {
    (void)score<grasp>(net, batch, no_guide{}, grasp::default_loss, {.batch_norm = norm_mode::train});
  };
  score_once();  // plans are built once
  cudnn::detail::runtime::current().flush();
  auto const bytes = live_bytes();
  auto const objects = tally("live_objects");
  auto const weights = values_of_all(net.parameters());
  auto const statistics = values_of_all(net.buffers());
  auto const first = tally("calls");
  score_once();
  auto const calls = tally("calls") - first;
  CHECK(calls > 100);
  for (long n = 1; n <= calls; ++n) {
    CAPTURE(n);
    fail_at(n);
    CHECK_THROWS_AS(score_once(), lnpt::error);
    fail_at(0);
    cudnn::detail::runtime::current().flush();
    CHECK(live_bytes() == bytes);
    CHECK(tally("live_objects") == objects);
  }
  CHECK(values_of_all(net.parameters()) == weights);
  CHECK(values_of_all(net.buffers()) == statistics);
}

TEST_CASE("every call of the start that fails is an error, and nothing is leaked") {
  if (!device_is_here() || !on_double()) return;
  auto const objects = tally("live_objects");
  auto const before = tally("calls");
  {
    cudnn::detail::runtime const whole;
  }
  auto const calls = tally("calls") - before;
  for (long n = 1; n <= calls; ++n) {
    CAPTURE(n);
    fail_at(n);
    CHECK_THROWS_AS(cudnn::detail::runtime(), lnpt::error);
    fail_at(0);
    CHECK(tally("live_objects") == objects);
  }
}
