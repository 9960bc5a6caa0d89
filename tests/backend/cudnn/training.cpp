/// Training on the device: batches are the host's whether images lie there or are sent, a step of ResNet-32 takes few launches and no wait,
/// and a state of one engine goes on on the other.
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include <lnpt/cudnn.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/nn/on_backend.hpp>
#include <lnpt/train/train.hpp>
#include <lnpt/zoo/resnet.hpp>

#include "device.hpp"

using namespace lnpt;

namespace {

using backend = cudnn::backend<float>;

/// Images of noise in four classes.
struct noisy_images {
  std::size_t channels = 3, height = 8, width = 8, count;
  std::vector<float> mean{0.5F, 0.4F, 0.3F}, stddev{0.2F, 0.25F, 0.3F};
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;

  explicit noisy_images(std::size_t n) : count(n), pixels(n * 3 * 8 * 8) {
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(random_bits(3, i));
    for (std::size_t i = 0; i < n; ++i) labels.push_back(static_cast<std::int64_t>(i % 4));
  }
  [[nodiscard]] std::size_t size() const { return count; }
  [[nodiscard]] std::span<std::uint8_t const> image(std::size_t i) const {
    return std::span(pixels).subspan(i * 3 * 64, std::size_t{3} * 64);
  }
};

/// A plan of `n` images from `first` on, each augmented in its own way.
batch_plan some(std::size_t first, std::size_t n) {
  batch_plan plan;
  for (std::size_t i = first; i < first + n; ++i) {
    plan.images.push_back(i);
    plan.how.push_back(draw_augmentation(5, i, 0));
  }
  return plan;
}

void require_same(cudnn::array<float> const& found, cpu::array<float> const& expected) {
  REQUIRE(shape_of(found) == shape_of(expected));
  auto const values = values_of(found);
  float worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) worst = std::max(worst, std::abs(values[i] - expected.data()[i]));
  CHECK(worst <= 1e-6F);  // the host's compiler may round a product and a sum at once
}

/// Pretends that the device has room for these many bytes more.
class room_for {
 public:
  explicit room_for(std::size_t bytes) { memory(live_bytes() + bytes); }
  room_for(room_for const&) = delete;
  room_for& operator=(room_for const&) = delete;
  ~room_for() { memory(0); }
};

/// Goes on with training until `epochs`; velocity and statistics are part of what it gives back.
template <class Model>
train_state go_on(Model& net, std::size_t epochs, train_state from = {}) {
  noisy_images const images(16);
  auto const constant_rate = [](std::size_t, std::size_t, double initial) { return initial; };
  return train(net, {}, images, noisy_images(0), no_guide{}, cross_entropy{},
               {.epochs = epochs, .batch = 8, .learning_rate = 0.01}, std::move(from), {}, constant_rate);
}

/// The largest difference of two networks' weights and statistics, as a fraction of the largest value of each.
template <class A, class B>
double difference(A& a, B& b) {
  double worst = 0;
  auto const look = [&](auto const& mine, auto const& others) {
    for (std::size_t i = 0; i < mine.size(); ++i) {
      auto const x = values_of(*mine[i].value);
      auto const y = values_of(*others[i].value);
      float largest = 0;
      for (auto const each : y) largest = std::max(largest, std::abs(each));
      for (std::size_t k = 0; k < x.size(); ++k) worst = std::max(worst, static_cast<double>(std::abs(x[k] - y[k]) / largest));
    }
  };
  look(a.parameters(), b.parameters());
  look(a.buffers(), b.buffers());
  return worst;
}

constexpr std::size_t resnet_layers = 31;  ///< convolutions with batch norm of ResNet-32, whose shortcuts have no weights

/// What four steps of ResNet-32 took in steady state, and the most memory that was in use.
struct step_cost {
  double launches;  ///< per layer and step
  long waits, allocations;
  double most_bytes;
};

step_cost cost_of_steps() {
  noisy_images const images(96);
  noisy_images const none(0);
  auto net = zoo::resnet<backend>({.depth = 32, .widths = {4, 4, 4}, .classes = 4});
  mask_set masks;
  for (auto const& p : net.parameters())
    if (p.role == role::weight) masks.add({p.name, shape_of(*p.value), true});
  struct reading {
    long launches, waits, allocations, peak;
  };
  std::vector<reading> readings;
  train_observer const observer{.on_step = [&](auto, auto, auto) {
    readings.push_back({tally("launches"), tally("waits"), tally("new_allocations"), tally("take_peak_bytes")});
  }};
  train(net, masks, images, none, no_guide{}, cross_entropy{}, {.epochs = 1, .batch = 8, .learning_rate = 0.01, .loss_every = 4},
        {}, observer);
  REQUIRE(readings.size() == 12);
  auto const& begin = readings[5];
  auto const& end = readings[9];
  return {static_cast<double>(end.launches - begin.launches) / 4 / static_cast<double>(resnet_layers), end.waits - begin.waits,
          end.allocations - begin.allocations, static_cast<double>(end.peak)};
}

}  // namespace

TEST_CASE("batches of images on the device are the host's") {
  if (!device_is_here()) return;
  noisy_images const images(300);
  cudnn::image_store const store(images);
  CHECK(store.is_on_device());
  for (auto const& plan : {some(0, 5), some(3, 290), batch_plan{{7, 1}, {}}})
    require_same(store.batch(plan), gather_images<float>(images, plan));
  batch_plan const outside{{0}, {{.dy = 9}}};
  CHECK_THROWS_WITH_AS((void)store.batch(outside), doctest::Contains("leaves the padded image"), lnpt::error);
}

TEST_CASE("so are those of images that do not fit and are sent in turn through two pinned buffers") {
  if (!device_is_here() || !on_double()) return;
  noisy_images const images(300);
  (void)cudnn::detail::runtime::current();
  auto const objects = tally("live_objects");
  {
    room_for const little(100000);  // of which half is less than the images' 57600 bytes
    cudnn::image_store const store(images);
    CHECK_FALSE(store.is_on_device());
    std::vector<cudnn::array<float>> batches;  // queued before any of them runs
    for (std::size_t i = 0; i < 5; ++i) batches.push_back(store.batch(some(40 * i, i == 4 ? 9 : 4)));
    for (std::size_t i = 0; i < 5; ++i) require_same(batches[i], gather_images<float>(images, some(40 * i, i == 4 ? 9 : 4)));
    CHECK(tally("live_objects") > objects);
  }
  CHECK(tally("live_objects") == objects);
}

TEST_CASE("out of device memory the error says how much was wanted and how much is free") {
  if (!device_is_here() || !on_double()) return;
  room_for const little(1000);
  CHECK_THROWS_WITH_AS(cudnn::array<float>({1000}), doctest::Contains("4000 bytes are wanted, and 1000 of"), lnpt::error);
}

TEST_CASE(
    "in each precision a step of ResNet-32 launches at most 14 times a layer, takes no new memory, and waits once in loss_every "
    "steps") {
  if (!device_is_here() || !on_double()) return;
  double most_in_fp32 = 0;
  for (auto const how : {cudnn::precision::fp32, cudnn::precision::tf32, cudnn::precision::bf16}) {
    CAPTURE(static_cast<int>(how));
    cudnn::use_precision(how);
    auto const cost = cost_of_steps();
    cudnn::use_precision(cudnn::precision::fp32);
    CAPTURE(cost.launches);
    CHECK(cost.launches <= 14);
    CHECK(cost.waits == 1);
    CHECK(cost.allocations == 0);
    if (how == cudnn::precision::fp32) most_in_fp32 = cost.most_bytes;
    CAPTURE(cost.most_bytes / most_in_fp32);
    CHECK(cost.most_bytes <= 1.1 * most_in_fp32);
  }
}

TEST_CASE("a state of the CPU engine goes on on the device and one of the device on the CPU, as if nothing had changed") {
  if (!device_is_here()) return;
  auto const fresh = [] { return zoo::resnet<cpu::backend<float>>({.depth = 8, .widths = {2, 2, 2}, .classes = 4}, 3); };
  auto throughout = fresh();
  auto host = fresh();
  auto device = on_backend<backend>(host);
  go_on(throughout, 2);
  auto const of_host = go_on(host, 1);
  auto const of_device = go_on(device, 1);
  REQUIRE_FALSE(of_device.velocity.empty());
  auto went_there = on_backend<backend>(host);
  auto came_back = on_backend<cpu::backend<float>>(device);
  go_on(went_there, 2, of_host);
  go_on(came_back, 2, of_device);
  CHECK(difference(went_there, throughout) <= 2e-4);
  CHECK(difference(came_back, throughout) <= 2e-4);
  auto forgetful = on_backend<backend>(host);
  go_on(forgetful, 2, {.epoch = 1});
  CHECK(difference(forgetful, throughout) > 2e-4);  // so that momentum does count
}
