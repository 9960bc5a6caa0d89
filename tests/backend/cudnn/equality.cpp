/// The engine over cuDNN against the CPU engine: every layer, forward, backward, twice, and through synaptic flow; and in every order of
/// threads the same bits.
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include <lnpt/cudnn.hpp>
#include <lnpt/filters/feature_maps.hpp>

#include "../every_layer.hpp"
#include "../rounding.hpp"
#include "device.hpp"

using namespace lnpt;

namespace {

static_assert(shows_layers<network<cudnn::backend<float>>>);

struct finding {
  std::string what;
  std::vector<double> values;
  bool operator==(finding const&) const = default;
};

/// All that passes of one engine give.
template <class Backend>
class passes {
 public:
  using array = typename Backend::array;

  std::vector<finding> run() {
    auto trace = network_.forward(x_, {norm_mode::train});
    keep("output", trace.output());
    network_.watch(trace, [&](std::size_t, array const& maps) { keep("output of a layer", maps); });
    network_.update_running_statistics(trace);
    auto const g = network_.retained_backward(trace, square_of_output);
    keep("gradient", g);
    keep("Hg by replay", network_.hessian_vector_product(trace, square_of_output, g));
    keep("Hg on duals", network_.hessian_vector_product_on_duals(trace, square_of_output, g));
    keep("Jg", network_.jacobian_vector_product(trace, g).output);
    for (auto const& b : network_.buffers()) keep("running statistics", *b.value);
    auto const norm = network_.freeze(std::span(&x_, 1));
    keep("squares per sample", network_.sample_squared_gradients(network_.forward(x_, norm), {z_, std::nullopt}));
    keep("synaptic flow", network_.synaptic_flow({1, 3, 6, 6}));
    descend(g);
    keep("output after a step", network_.forward(x_, {norm_mode::train}).output());
    return std::move(results_);
  }

 private:
  void descend(gradients<array> const& g) {
    std::vector<std::uint64_t> const words{0b10110101, 0};
    auto const parameters = network_.parameters();
    auto const kept = Backend::pack(words, Backend::context_of(*parameters[0].value));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!g[i]) continue;
      auto velocity = Backend::constant(shape_of(*parameters[i].value), 0.0, {});
      Backend::sgd_step(*parameters[i].value, *g[i], velocity, i == 0 ? &kept : nullptr, {});
      keep("weights after a step", *parameters[i].value);
    }
  }
  void keep(char const* what, array const& x) {
    auto const values = values_of(x);
    results_.push_back({what, {values.begin(), values.end()}});
  }
  void keep(char const* what, gradients<array> const& all) {
    for (auto const& g : all)
      if (g) keep(what, *g);
  }

  network<Backend> network_ = every_layer<Backend>();
  array x_ = random_tensor<array>({4, 3, 6, 6}, 5), z_ = random_tensor<array>({4, 5}, 6);
  std::vector<finding> results_;
};

/// ‖a − b‖/‖b‖
double relative_error(std::vector<double> const& a, std::vector<double> const& b) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / size);
}

/// On the double: threads and blocks backward and in two shuffled orders change no bit.
template <class Backend>
void require_no_order(std::vector<finding> const& found) {
  if (!on_double()) return;
  for (int const how : {1, 2, 3}) {
    CAPTURE(how);
    order(how);
    CHECK(passes<Backend>().run() == found);
  }
  order(0);
}

void compare(std::vector<finding> const& found, std::vector<finding> const& expected, double tolerance) {
  REQUIRE(found.size() == expected.size());
  CHECK(found.size() > 40);
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CAPTURE(found[i].what);
    REQUIRE(found[i].values.size() == expected[i].values.size());
    CHECK(relative_error(found[i].values, expected[i].values) <= tolerance);
  }
}

}  // namespace

TEST_CASE("every layer in double gives the CPU engine's numbers to 1e-9, and in any order of threads and blocks the same bits") {
  if (!device_is_here()) return;
  auto const found = passes<cudnn::backend<double>>().run();
  compare(found, passes<cpu::backend<double>>().run(), 1e-9);
  require_no_order<cudnn::backend<double>>(found);
}

TEST_CASE("every layer in float gives the CPU engine's numbers in double to 2e-4") {
  if (!device_is_here()) return;
  compare(passes<cudnn::backend<float>>().run(), passes<cpu::backend<double>>().run(), 2e-4);
}

TEST_CASE(
    "every layer in tf32 and bf16 gives the numbers of the CPU engine whose convolutions round alike, and not those of one that "
    "does not; in any order of threads and blocks the same bits") {
  if (!device_is_here()) return;
  struct rounding {
    cudnn::precision how;
    int operands, results;
    double tolerance;  // a value beside a tie may be rounded up on one side and down on the other
  };
  auto const exact = passes<cpu::backend<double>>().run();
  for (auto const& each : {rounding{cudnn::precision::tf32, 10, 23, 2e-4}, rounding{cudnn::precision::bf16, 7, 7, 2e-3}}) {
    CAPTURE(each.operands);
    cudnn::use_precision(each.how);
    auto const found = passes<cudnn::backend<float>>().run();
    require_no_order<cudnn::backend<float>>(found);
    cudnn::use_precision(cudnn::precision::fp32);
    test::rounding_backend::round(each.operands, 23, each.results);
    auto const expected = passes<test::rounding_backend>().run();
    if (on_double()) compare(found, expected, each.tolerance);
    compare(found, exact, 0.3);
    CHECK(relative_error(found.front().values, exact.front().values) > each.tolerance);
  }
}
