/// The zoo against the counts that its papers and PyTorch give, and the names that state_dicts use.
#include <doctest/doctest.h>

#include <algorithm>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

using namespace lnpt;
using backend = cpu::backend<float>;

namespace {

template <class Model>
std::size_t count(Model model) {
  std::size_t all = 0;
  for (auto const& p : model.parameters()) all += p.value->size();
  return all;
}

template <class Model>
std::vector<std::string> names(Model model) {
  std::vector<std::string> all;
  for (auto const& p : model.parameters()) all.push_back(p.name);
  for (auto const& b : model.buffers()) all.push_back(b.name);
  return all;
}

bool contains(std::vector<std::string> const& all, std::string const& name) {
  return std::find(all.begin(), all.end(), name) != all.end();
}

}  // namespace

TEST_CASE("an mlp 12, 16, 10, 5 has 12·16+16 + 16·10+10 + 10·5+5 parameters") {
  std::vector<std::size_t> const sizes{12, 16, 10, 5};
  CHECK(count(zoo::mlp<backend>(sizes)) == 12 * 16 + 16 + 16 * 10 + 10 + 10 * 5 + 5);
  CHECK(names(zoo::mlp<backend>(sizes)) ==
        std::vector<std::string>{"hidden.0.weight", "hidden.0.bias", "hidden.1.weight", "hidden.1.bias", "fc.weight", "fc.bias"});
}

TEST_CASE("published sizes") {
  CHECK(count(zoo::vgg<backend>({.depth = 16})) == 14'724'042);
  CHECK(count(zoo::vgg<backend>({.depth = 19})) == 20'035'018);
  CHECK(count(zoo::resnet<backend>({.depth = 32, .widths = {32, 64, 128}})) == 1'860'522);
  CHECK(count(zoo::resnet<backend>({.depth = 56, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded})) == 853'018);
  CHECK(count(zoo::resnet<backend>({.depth = 20, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded})) == 269'722);
  CHECK(count(zoo::mobilenet<backend>({.classes = 1000, .imagenet = true})) == 4'231'976);
}

TEST_CASE("names are PyTorch's") {
  auto const resnet = names(zoo::resnet<backend>({.depth = 8, .widths = {2, 4, 8}}));
  for (auto const* name : {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
                           "layer2.0.downsample.1.running_var", "layer3.0.bn2.bias", "fc.bias"})
    CHECK(contains(resnet, name));
  CHECK_FALSE(contains(resnet, "layer1.0.downsample.0.weight"));
  CHECK_FALSE(contains(names(zoo::resnet<backend>({.depth = 8, .widths = {2, 4, 8}, .shortcut = zoo::shortcut::zero_padded})),
                       "layer2.0.downsample.0.weight"));

  auto const vgg = names(zoo::vgg<backend>({.depth = 11, .width = 2}));  // conv 0, norm 1, relu 2, pool 3, conv 4 …
  for (auto const* name :
       {"features.0.weight", "features.1.running_var", "features.4.weight", "features.5.bias", "classifier.weight"})
    CHECK(contains(vgg, name));
  CHECK_FALSE(contains(vgg, "features.0.bias"));

  auto const mobilenet = names(zoo::mobilenet<backend>({.width = 2}));
  for (auto const* name : {"conv1.weight", "layers.0.conv1.weight", "layers.12.bn2.weight", "linear.weight"})
    CHECK(contains(mobilenet, name));
}

TEST_CASE("weights are Kaiming-normal over the fan-in and a function of the seed") {
  auto model = zoo::vgg<backend>({.depth = 11}, 4);
  auto again = zoo::vgg<backend>({.depth = 11}, 4), other = zoo::vgg<backend>({.depth = 11}, 5);
  auto const& weights = *model.parameters()[9].value;  // 256·128·9 numbers
  CHECK(values_of(weights) == values_of(*again.parameters()[9].value));
  CHECK(values_of(weights) != values_of(*other.parameters()[9].value));
  double sum = 0, squares = 0;
  for (auto const w : values_of(weights)) sum += w, squares += double(w) * w;
  auto const n = static_cast<double>(weights.size()), fan_in = n / static_cast<double>(weights.shape()[0]);
  CHECK(std::abs(sum / n) < 4 * std::sqrt(2 / fan_in / n));
  CHECK(squares / n == doctest::Approx(2 / fan_in).epsilon(0.02));
}

TEST_CASE("a network that does not exist is refused with those that do") {
  CHECK_THROWS_WITH_AS(zoo::vgg<backend>({.depth = 12}), "there is no VGG-12: choose 11, 13, 16 or 19", lnpt::error);
  CHECK_THROWS_WITH_AS(zoo::resnet<backend>({.depth = 21}),
                       "there is no CIFAR ResNet-21: the depth is 6n + 2, such as 20, 32, 56 or 110", lnpt::error);
  CHECK_THROWS_AS(zoo::resnet<backend>({.widths = {16, 32}}), lnpt::error);
}
