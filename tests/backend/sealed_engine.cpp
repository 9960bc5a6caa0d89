/// The engine over a backend whose values nobody can look at: no read where a device would have to be waited for, and the CPU's bits.
#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <vector>

#include <lnpt/io/synthetic.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/train/train.hpp>

#include "every_layer.hpp"
#include "sealed.hpp"

using namespace lnpt;

namespace {

using cpu_backend = cpu::backend<double>;
using far_backend = sealed::backend<double>;
using values = std::vector<std::vector<double>>;

/// What the passes of one engine give; what they read meanwhile is checked as they go.
template <class Backend>
class passes {
 public:
  using array = typename Backend::array;

  values run() {
    network_ = every_layer<Backend>();
    train();
    differentiate_twice();
    freeze();
    flow();
    return std::move(results_);
  }

 private:
  void train() {
    auto trace = network_.forward(x_, {norm_mode::train});
    network_.update_running_statistics(trace);
    auto const g = network_.backward(std::move(trace), {z_, std::nullopt});
    auto const parameters = network_.parameters();
    std::vector<std::uint64_t> const words{0b10110101, 0};
    auto const kept = Backend::pack(words, Backend::context_of(*parameters[0].value));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto velocity = Backend::constant(shape_of(*parameters[i].value), 0.0, {});
      Backend::sgd_step(*parameters[i].value, g[i].value(), velocity, i == 0 ? &kept : nullptr, {});
    }
    expect_reads("a training step", 0);
    for (auto const& p : parameters) keep(*p.value);
    for (auto const& b : network_.buffers()) keep(*b.value);
  }
  void differentiate_twice() {
    auto trace = network_.forward(x_, {norm_mode::train});
    auto const g = network_.retained_backward(trace, square_of_output);
    auto const product = network_.hessian_vector_product(trace, square_of_output, g);
    auto const on_duals = network_.hessian_vector_product_on_duals(trace, square_of_output, g);
    auto const moved = network_.jacobian_vector_product(trace, g);
    expect_reads("g, Hg and Jg", 0);
    keep(g), keep(product), keep(on_duals), keep(moved.output);
  }
  void freeze() {
    auto const norm = network_.freeze(std::span(&x_, 1));
    auto const squares = network_.sample_squared_gradients(network_.forward(x_, norm), {z_, std::nullopt});
    expect_reads("frozen normalisation and squares per sample", 0);
    keep(squares);
  }
  /// SynFlow's exponents are made of one number per array.
  void flow() {
    auto const found = network_.synaptic_flow({1, 3, 6, 6});
    if (std::same_as<Backend, far_backend>) {
      auto const reads = sealed::take_reads();
      CHECK(reads.arrays == 0);
      CHECK(reads.numbers > 0);
    }
    keep(found);
  }

  static void expect_reads(char const* pass, long expected) {
    CAPTURE(pass);
    auto const reads = sealed::take_reads();
    CHECK(reads.arrays == expected);
    CHECK(reads.numbers == expected);
  }
  void keep(array const& x) {
    results_.push_back(values_of(x));
    (void)sealed::take_reads();
  }
  void keep(gradients<array> const& all) {
    for (auto const& g : all) g ? keep(*g) : results_.emplace_back().clear();
  }

  network<Backend> network_;
  array x_ = random_tensor<array>({4, 3, 6, 6}, 5), z_ = random_tensor<array>({4, 5}, 6);
  values results_;
};

}  // namespace

static_assert(complete_backend<far_backend>);

TEST_CASE("no pass reads a value on the host but SynFlow's largest ones, and sealed values have the CPU engine's bits") {
  auto const near = passes<cpu_backend>().run(), far = passes<far_backend>().run();
  REQUIRE(near.size() == far.size());
  CHECK(near.size() > 60);
  CHECK(near == far);
}

TEST_CASE("a training run reads the loss when it is asked to and nothing else, and ends in the CPU engine's bits") {
  auto const data = io::synthetic({.classes = 3, .side = 16, .train = 48, .test = 8});
  auto const run = [&]<class Backend>(Backend, train_observer const& observer) {
    network_builder<Backend> net(3, 1);
    auto const x = net.batch_norm("bn", net.conv2d("conv", net.input(), 4), true);
    net.classifier("fc", net.global_average_pool(x), 3);
    auto model = std::move(net).build();
    mask_set masks;
    masks.add({"conv.weight", {4, 3, 3, 3}, true});
    masks.begin()->set(5, false);
    auto const state = train(model, masks, data.train, data.test, no_guide{}, cross_entropy{},
                             {.epochs = 2, .batch = 12, .loss_every = 0}, {}, observer);
    std::vector<std::vector<float>> found;
    for (auto const& p : model.parameters()) found.push_back(values_of(*p.value));
    for (auto const& b : model.buffers()) found.push_back(values_of(*b.value));
    for (auto const& v : state.velocity) found.push_back(values_of(v));
    found.push_back({static_cast<float>(state.last_loss), static_cast<float>(state.last_accuracy)});
    return found;
  };
  long steps = 0;
  train_observer const count{.on_step = [&](std::size_t, std::size_t step, std::size_t) {
    auto const reads = sealed::take_reads();
    if (step == 0) return;  // what the start and the test after an epoch read
    ++steps;
    CHECK(reads.arrays == 0);
    CHECK(reads.numbers == 0);
  }};
  auto const far = run(sealed::backend<float>(), count);
  CHECK(steps == 6);
  CHECK(far == run(cpu::backend<float>(), {}));
}
