/// Atoms of networks small enough to list by hand, and the counts of a large one.
#include <doctest/doctest.h>

#include <map>

#include <lnpt/structure/inner_filters.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "nets.hpp"

using namespace lnpt;
using test::builder;

namespace {

/// "tensor/axis:indices" of an atom, in its order.
std::string text(atom_set const& set, atom const& of) {
  std::string all;
  for (auto const& s : of.slices) {
    all += (all.empty() ? "" : " ") + set.tensors[s.tensor].name + '/' + std::to_string(s.axis) + ':';
    for (auto const i : s.indices) all += std::to_string(i) + (i == s.indices.back() ? "" : ",");
  }
  return all;
}

std::vector<std::string> texts(atom_set const& set) {
  std::vector<std::string> all;
  for (auto const& each : set.atoms) all.push_back(text(set, each));
  return all;
}

template <class Build>
atom_set atoms_of(shape const& input, Build const& build) {
  builder net(input.front());
  build(net);
  auto network = std::move(net).build();
  return channel_map_of(network, input).set;
}

using strings = std::vector<std::string>;
conv_options const plain{.kernel = 1, .padding = 0};

}  // namespace

TEST_CASE("a hidden unit is its row, its bias and its column") {
  std::vector<std::size_t> const sizes{3, 2, 2};
  auto network = zoo::mlp<cpu::backend<double>>(sizes);
  auto const set = channel_map_of(network, {3}).set;
  CHECK(texts(set) ==
        strings{"hidden.0.weight/0:0 hidden.0.bias/0:0 fc.weight/1:0", "hidden.0.weight/0:1 hidden.0.bias/0:1 fc.weight/1:1"});
  REQUIRE(set.whole.size() == 1);
  CHECK(set.whole.front().name == "fc.weight");
  CHECK(set.whole.front().reason == "its channels are returned");
}

TEST_CASE("batch norm and depthwise convolutions go along; a flattened channel is one column per pixel") {
  auto const set = atoms_of({1, 2, 3}, [](builder& net) {
    auto x = net.batch_norm("bn", net.conv2d("a", net.input(), 2, plain), true);
    x = net.conv2d("deep", x, 4, {.groups = 2});
    net.classifier("fc", net.flatten(x), 2, 4 * 6);
  });
  CHECK(texts(set) ==
        strings{
            "a.weight/0:0 bn.weight/0:0 bn.bias/0:0 deep.weight/0:0,1 fc.weight/1:0,1,2,3,4,5,6,7,8,9,10,11 bn.running_mean/0:0 "
            "bn.running_var/0:0",
            "a.weight/0:1 bn.weight/0:1 bn.bias/0:1 deep.weight/0:2,3 fc.weight/1:12,13,14,15,16,17,18,19,20,21,22,23 "
            "bn.running_mean/0:1 bn.running_var/0:1"});
}

TEST_CASE("a grouped convolution gives one channel of every group, and takes one") {
  auto const set = atoms_of({1, 4, 4}, [](builder& net) {
    auto const x = net.conv2d("a", net.input(), 4, plain);
    net.classifier("fc", net.global_average_pool(net.conv2d("b", x, 6, {.groups = 2})), 2);
  });
  CHECK(texts(set) == strings{"a.weight/0:0,2 b.weight/1:0", "a.weight/0:1,3 b.weight/1:1", "b.weight/0:0,3 fc.weight/1:0,3",
                              "b.weight/0:1,4 fc.weight/1:1,4", "b.weight/0:2,5 fc.weight/1:2,5"});
}

TEST_CASE("sums couple, concatenations shift, and option-A shortcuts shift by their padding") {
  auto const sum = atoms_of({1, 4, 4}, [](builder& net) {
    auto const a = net.conv2d("a", net.input(), 2, plain), b = net.conv2d("b", a, 2, plain);
    net.classifier("fc", net.global_average_pool(net.join(a, b)), 2);
  });
  CHECK(texts(sum) ==
        strings{"a.weight/0:0 b.weight/0:0 b.weight/1:0 fc.weight/1:0", "a.weight/0:1 b.weight/0:1 b.weight/1:1 fc.weight/1:1"});

  auto const joined = atoms_of({1, 4, 4}, [](builder& net) {
    auto const a = net.conv2d("a", net.input(), 1, plain), b = net.conv2d("b", net.input(), 1, plain);
    net.classifier("fc", net.global_average_pool(net.concat({a, b, a})), 2);
  });
  CHECK(texts(joined) == strings{"a.weight/0:0 fc.weight/1:0,2", "b.weight/0:0 fc.weight/1:1"});

  auto const padded = atoms_of({1, 4, 4}, [](builder& net) {
    auto const a = net.conv2d("a", net.input(), 1, plain);
    auto const b = net.conv2d("b", a, 3, {.stride = 2});
    net.classifier("fc", net.global_average_pool(net.join(b, net.subsample_pad(a, 2, 3))), 2);
  });
  CHECK(texts(padded) == strings{"a.weight/0:0 b.weight/0:1 b.weight/1:0 fc.weight/1:1", "b.weight/0:0 fc.weight/1:0",
                                 "b.weight/0:2 fc.weight/1:2"});
}

TEST_CASE("what is added to the input, returned or read by nobody stays and is named") {
  auto const set = atoms_of({2, 4, 4}, [](builder& net) {
    auto const a = net.conv2d("a", net.input(), 2);
    (void)net.conv2d("unread", a, 3);
    net.classifier("fc", net.global_average_pool(net.join(net.input(), a)), 2);
  });
  CHECK(set.atoms.empty());
  std::map<std::string, std::string> reasons;
  for (auto const& each : set.whole) reasons[each.name] = each.reason;
  CHECK(set.whole.size() == 3);
  CHECK(reasons["a.weight"] == "its channels are joined with the network's input");
  CHECK(reasons["unread.weight"] == "nothing reads its channels");
  CHECK(reasons["fc.weight"] == "its channels are returned");
}

TEST_CASE("ResNet-56 with option-A shortcuts: 1008 atoms of one row, 32 of 9, 16 of 18, 16 of 28") {
  auto network = zoo::resnet<cpu::backend<double>>({.depth = 56, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded});
  auto const set = channel_map_of(network, {3, 32, 32}).set;
  std::map<std::size_t, std::size_t> atoms_of_rows;
  for (auto const& each : set.atoms) ++atoms_of_rows[each.rows()];
  CHECK(atoms_of_rows == std::map<std::size_t, std::size_t>{{1, 1008}, {9, 32}, {18, 16}, {28, 16}});
}

TEST_CASE("filters that can go one by one: the inner convolutions of a ResNet, all but the first of a VGG") {
  using pairs = std::vector<std::pair<std::string, std::string>>;
  auto residual = zoo::resnet<cpu::backend<double>>({.depth = 8, .widths = {2, 2, 2}, .classes = 2});
  CHECK(inner_filters(residual, {3, 8, 8}) ==
        pairs{{"layer1.0.conv1", "layer1.0.bn1"}, {"layer2.0.conv1", "layer2.0.bn1"}, {"layer3.0.conv1", "layer3.0.bn1"}});
  auto plain = zoo::vgg<cpu::backend<double>>({.depth = 11, .width = 1, .classes = 2});
  auto const of_plain = inner_filters(plain, {3, 32, 32});
  REQUIRE(of_plain.size() == 7);
  CHECK(of_plain.front() == std::pair<std::string, std::string>{"features.4", "features.5"});
}
