/// One probe per sample against the exact sum: right on average, and close enough to choose the same weights.
#include "../conformance/support.hpp"

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/resnet.hpp>

#include "../overlap.hpp"

using namespace lnpt;

TEST_CASE("the mean over many probes is the exact diagonal") {
  std::vector<std::size_t> const sizes{4, 6, 5, 3};
  auto model = zoo::mlp<cpu::backend<double>>(sizes, 1);
  auto const batch = random_batch<cpu::array<double>>({3, 4}, 3, 2);
  auto const exact = score<obd<gauss_newton_exact>>(model, batch, {});
  auto const probed = score<obd<>>(model, batch, {.probes = 4000});
  for (std::size_t i = 0; i < exact.parameters.size(); ++i)
    CHECK(conformance::detail::close(probed.parameters[i].values, exact.parameters[i].values, 0.05));
}

TEST_CASE("probes of another seed are other probes") {
  std::vector<std::size_t> const sizes{4, 6, 5, 3};
  auto model = zoo::mlp<cpu::backend<double>>(sizes, 1);
  auto const batch = random_batch<cpu::array<double>>({3, 4}, 3, 2);
  auto const first = [&](std::uint64_t seed) {
    return values_of(score<obd<>>(model, batch, {.seed = seed}).parameters[0].values);
  };
  CHECK(first(1) == first(1));
  CHECK(first(1) != first(2));
}

TEST_CASE("with 100 samples one probe keeps at least 92 % of the exact mask at 95 %, on average over five seeds") {
  using backend = cpu::backend<float>;
  zoo::resnet_options const shape{.depth = 20, .widths = {8, 16, 32}};
  auto student = zoo::resnet<backend>(shape, 1), trained = zoo::resnet<backend>(shape, 2);
  unlabelled_batch const batch{random_batch<cpu::array<float>>({100, 3, 32, 32}, 10, 3).input};
  auto const guide = known_predictions(teacher(trained).predict(batch.input));
  auto const exact = prune<feature_map_synaptic<gauss_newton_exact>>(student, batch, guide, {.budget = sparsity{0.95}}).masks;
  double mean = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed)
    mean +=
        overlap(exact, prune<feature_map_synaptic<>>(student, batch, guide, {.budget = sparsity{0.95}, .seed = seed}).masks) / 5;
  MESSAGE("mean overlap " << mean);
  CHECK(mean >= 0.92);
}
