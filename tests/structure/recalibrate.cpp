/// Running statistics set from unlabelled inputs, and a budget spent on live weights.
#include <doctest/doctest.h>

#include <limits>

#include <lnpt/mask/global_unstructured.hpp>
#include <lnpt/structure/effective.hpp>
#include <lnpt/structure/recalibrate.hpp>
#include <lnpt/zoo/mlp.hpp>

#include "nets.hpp"

using namespace lnpt;

TEST_CASE("recalibrated statistics are the moments of the inputs, over all parts") {
  test::builder net(1);
  net.classifier("fc",
                 net.global_average_pool(net.batch_norm("bn", net.conv2d("a", net.input(), 1, {.kernel = 1, .padding = 0}))), 2);
  auto network = std::move(net).build();
  *network.parameters().front().value = cpu::filled<double>({1, 1, 1, 1}, 2);
  auto const part = [](std::vector<double> const& values) {
    return tensor_traits<cpu::array<double>>::make({values.size() / 2, 1, 1, 2}, values);
  };
  std::vector<cpu::array<double>> const parts{part({1, 2, 3, 4}), part({5, 9})};  // mean 4, mean of squares 136 / 6
  recalibrate(network, std::span<cpu::array<double> const>(parts));
  CHECK(network.buffers()[0].value->data()[0] == doctest::Approx(2 * 4.0));
  CHECK(network.buffers()[1].value->data()[0] == doctest::Approx(4 * (136.0 / 6 - 16)));
  CHECK_THROWS_WITH_AS(recalibrate(network, std::span<cpu::array<double> const>()), doctest::Contains("at least one batch"),
                       error);
  std::vector<cpu::array<double>> const unlike_numbers{part({1, std::numeric_limits<double>::infinity()})};
  CHECK_THROWS_WITH_AS(recalibrate(network, std::span<cpu::array<double> const>(unlike_numbers)),
                       doctest::Contains("1 of 1 values of the statistics that batch norm bn would take are NaN or infinite"),
                       error);
  CHECK(network.buffers()[0].value->data()[0] == doctest::Approx(8));  // as it was
}

TEST_CASE("what dead weights would take is spent on live ones") {
  auto network = zoo::mlp<cpu::backend<double>>(std::vector<std::size_t>{2, 3, 2});
  auto const map = channel_map_of(network, {2});
  // Unit 0 has the best weights in and the worst out: at 6 of 12 its input weights go nowhere.
  std::vector<double> const in{12, 11, /**/ 10, 9, /**/ 2, 1}, out{4, 8, 3, /**/ 5, 7, 6};
  std::vector<scored_parameter<double>> const scores{{"hidden.0.weight", {3, 2}, in}, {"fc.weight", {2, 3}, out}};
  auto const choose = [&](density keep) { return global_unstructured{}(std::span(scores), {.keep = keep}); };
  auto const plain = dead_paths_of(map, choose(density{0.5}));
  CHECK(plain.effective() == 4);
  auto const spent = dead_paths_of(map, spend_on_live_weights(map, density{0.5}, choose));
  CHECK(spent.effective() == 7);  // the next weight, 6, is dead too, and with 5 there are seven: six cannot be had
  auto const more = dead_paths_of(map, spend_on_live_weights(map, density{7.0 / 12}, choose));
  CHECK(more.effective() == 7);
  CHECK(more.nominal_sparsity() == doctest::Approx(4.0 / 12));
  // Two weights are asked for, and the two best lead nowhere: the network lives all the same.
  CHECK(dead_paths_of(map, choose(density{2.0 / 12})).effective() == 0);
  CHECK(dead_paths_of(map, spend_on_live_weights(map, density{2.0 / 12}, choose)).effective() >= 2);
  // Where no more than half may stay, seven cannot be had.
  CHECK_THROWS_WITH_AS((void)density_of_live_weights(map, density{0.5}, choose, density{0.5}),
                       doctest::Contains("of the weights that may stay 4 lie on paths"), error);
}
