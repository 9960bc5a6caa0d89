/// Networks that come back from their description, and descriptions that a hand has changed.
#include <doctest/doctest.h>

#include <limits>

#include <lnpt/io/network_description.hpp>

#include "../structure/nets.hpp"
#include "support.hpp"

using namespace lnpt;
using backend = cpu::backend<float>;

namespace {

nlohmann::ordered_json small() {
  network_builder<backend> net(2);
  auto const a = net.batch_norm("bn", net.conv2d("a", net.input(), 3), true);
  net.classifier("fc", net.global_average_pool(a), 2);
  auto network = std::move(net).build();
  return io::describe(network, {2, 4, 4});
}

/// What building from a changed description says.
template <class Change>
std::string refusal(Change change) {
  auto description = small();
  change(description);
  return support::refusal([&] { (void)io::build_network<backend>(description); });
}

}  // namespace

TEST_CASE("a network of every layer comes back with its values, its masks and its words") {
  support::temporary_folder const folder;
  auto network = test::trained(test::of_every_layer<backend>());
  mask_set masks;
  masks.add({network.parameters()[0].name, shape_of(*network.parameters()[0].value), true});
  io::save_network(network, {3, 8, 8}, folder / "net.safetensors", masks);
  auto [loaded, input] = io::load_network<backend>(folder / "net.safetensors");
  CHECK(input == shape{3, 8, 8});
  CHECK(io::describe(loaded, input) == io::describe(network, {3, 8, 8}));
  auto const x = test::images<float>({3, 3, 8, 8}, 1);
  CHECK(loaded.predict(x).output == network.predict(x).output);
  CHECK(io::load_masks(loaded, io::safetensors::open(folder / "net.safetensors")) == masks);
}

TEST_CASE("a clamp with one end comes back with the other at infinity") {
  auto constexpr infinity = std::numeric_limits<double>::infinity();
  network_builder<backend> net(2);
  auto const low = net.activation(net.input(), {activation_kind::hardtanh, 0, infinity});
  net.classifier("fc", net.global_average_pool(net.activation(low, {activation_kind::hardtanh, -infinity, 0.5})), 2);
  auto network = std::move(net).build();
  auto built = io::build_network<backend>(io::parse_description(io::describe(network, {2, 4, 4}).dump())).first;
  auto const x = test::images<float>({3, 2, 4, 4}, 1);
  *built.parameters()[0].value = *network.parameters()[0].value;
  CHECK(built.predict(x).output == network.predict(x).output);
}

TEST_CASE("without values the weights are those that a builder draws") {
  network_builder<backend> net(2, 9);
  net.classifier("fc", net.global_average_pool(net.batch_norm("bn", net.conv2d("a", net.input(), 3))), 2);
  auto network = std::move(net).build();
  auto built = io::build_network<backend>(io::parse_description(io::describe(network, {2, 4, 4}).dump()), 9).first;
  for (std::size_t i = 0; i < network.parameters().size(); ++i)
    CHECK(*built.parameters()[i].value == *network.parameters()[i].value);
}

TEST_CASE("descriptions that do not hold together are refused in words") {
  using support::says;
  CHECK(refusal([](auto&) {}).empty());
  CHECK(refusal([](auto& d) { d["nodes"][1].erase("momentum"); }).empty());  // as older descriptions are
  CHECK(says(refusal([](auto& d) { d["lnpt_network"] = 2; }), "reads 1"));
  CHECK(says(refusal([](auto& d) { d.erase("nodes"); }), "no description of a network"));
  CHECK(says(refusal([](auto& d) { d["nodes"][0]["layer"] = "lstm"; }), "\"lstm\", which this version does not know"));
  CHECK(says(refusal([](auto& d) { d["nodes"][0]["input"] = 7; }), "which does not come before it"));
  CHECK(says(refusal([](auto& d) { d["nodes"][0]["input"] = -1; }), "where a number from 0 on belongs"));
  CHECK(says(refusal([](auto& d) { d["nodes"][0]["weight"] = 99; }), "owns parameter 99"));
  CHECK(says(refusal([](auto& d) { d["nodes"][1]["mean"] = 5; }), "reads buffer 5 of "));
  CHECK(says(refusal([](auto& d) { d["features"] = 99; }), "as its features"));
  CHECK(says(refusal([](auto& d) { d["parameters"][0]["shape"] = {3, 2, 1u << 31, 1u << 31}; }), "the shape"));
  CHECK(says(refusal([](auto& d) { d["parameters"][0]["role"] = "hat"; }), "the role \"hat\""));
  CHECK(says(refusal([](auto& d) { d["parameters"][1]["name"] = "a.weight"; }), "two tensors"));
  CHECK(says(refusal([](auto& d) { d["parameters"][0]["shape"] = {3, 1, 3, 3}; }), "conv2d"));
  CHECK(says(support::refusal([] { (void)io::parse_description("{\"lnpt_network\": 1"); }), "not JSON"));
}
