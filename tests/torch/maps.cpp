// The feature maps of a module's convolutions: behind the batch norm and the activation function that read them alone, whatever is written
// over them; and the criteria that rank filters by them, beside the CPU engine's.
#include "doctest.hpp"

#include <torch/csrc/jit/api/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/filters/hrank.hpp>
#include <lnpt/filters/qsfm.hpp>
#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/torch/module/script.hpp>
#include <lnpt/zoo/resnet.hpp>

#include "assembled.hpp"
#include "modules.hpp"
#include "support.hpp"

using namespace lnpt;
using namespace torch_support;
namespace layers = torch::nn;

namespace {

using tensor_type = torch_tensor<double>;
using cpu_array = cpu::array<double>;

at::Tensor images() {
  at::manual_seed(5);
  return at::randn({4, 3, 6, 6}, at::kDouble);
}

layers::Conv2d conv(int in, int out) { return layers::Conv2d(layers::Conv2dOptions(in, out, 3).padding(1).bias(false)); }

/// The logits of features that are the mean of each channel.
at::Tensor classify(layers::Linear& fc, at::Tensor const& maps) { return fc(maps.mean({2, 3})); }

/// The maps [C, N, H, W] by the names of weights; those of a weight that is used again are a name more with each use.
std::map<std::string, at::Tensor> maps_of(torch_model<double>&& model, normalization const& norm = {norm_mode::eval, {}}) {
  auto const trace = model.forward(tensor_type(images()), norm);
  auto const parameters = model.parameters();
  std::map<std::string, at::Tensor> found;
  model.visit_maps(trace, [&](std::size_t weight, auto const& values, shape const& extents) {
    auto name = parameters[weight].name;
    while (found.contains(name)) name += " again";
    found[name] = convert<tensor_type>(make_tensor<tensor_type>(extents, values, {}), {}).get().clone();
  });
  return found;
}

bool are(at::Tensor const& found, at::Tensor const& expected) {
  return found.defined() && found.transpose(0, 1).equal(expected.to(at::kDouble));
}

}  // namespace

TEST_CASE(
    "maps are those behind the first activation function, in place or not, and what is written over them later changes nothing") {
  layers::Conv2d first{nullptr}, second{nullptr};
  layers::BatchNorm2d norm{nullptr};
  auto const module = assemble([&](assembled& m) {
    first = m.add("first", conv(3, 4)), second = m.add("second", conv(4, 4));
    norm = m.add("norm", layers::BatchNorm2d(4));
    norm->running_mean.fill_(0.1), norm->running_var.fill_(2);
    auto fc = m.add("fc", layers::Linear(4, 2));
    return [=](at::Tensor const& x) mutable {
      auto a = first(x).relu_();
      auto const kept = a.clone();
      a.mul_(3);  // in place, behind the activation function
      auto b = norm(second(kept));
      b.clamp_min_(0);
      b += a;
      return classify(fc, b.tanh());
    };
  });
  module->eval();
  at::NoGradGuard const plain;
  auto const expected = first(images()).relu();
  auto const found = [&] {
    at::AutoGradMode const recording(true);
    return maps_of(torch_model<double>(module));
  }();
  REQUIRE(found.size() == 2);
  CHECK(are(found.at("first.weight"), expected));
  CHECK(are(found.at("second.weight"), norm(second(expected)).clamp_min(0)));
}

TEST_CASE("what is read twice is looked at before its readers; a shared convolution is seen with each use") {
  layers::Conv2d twice{nullptr};
  auto const module = assemble([&](assembled& m) {
    twice = m.add("twice", conv(3, 3));
    auto fc = m.add("fc", layers::Linear(3, 2));
    return [=](at::Tensor const& x) mutable {
      auto const a = twice(x);
      auto const b = twice(a.relu() + a);  // two readers
      return classify(fc, b.sigmoid());
    };
  });
  at::NoGradGuard const plain;
  auto const found = [&] {
    at::AutoGradMode const recording(true);
    return maps_of(torch_model<double>(module));
  }();
  REQUIRE(found.size() == 2);
  auto const a = twice(images());
  CHECK(are(found.at("twice.weight"), a));
  CHECK(are(found.at("twice.weight again"), twice(a.relu() + a).sigmoid()));
}

TEST_CASE("under frozen batch norm maps are those of the batch's own constants, and the module stays what it was") {
  layers::Conv2d first{nullptr};
  auto const module = assemble([&](assembled& m) {
    first = m.add("first", conv(3, 4));
    auto norm = m.add("norm", layers::BatchNorm2d(4));
    auto fc = m.add("fc", layers::Linear(4, 2));
    return [=](at::Tensor const& x) mutable { return classify(fc, norm(first(x)).relu()); };
  });
  auto const before = snapshot(*module);
  auto const found = maps_of(torch_model<double>(module), {norm_mode::frozen, {}});
  CHECK(same(before, snapshot(*module)));
  at::NoGradGuard const plain;
  auto const expected = at::batch_norm(first(images()), {}, {}, {}, {}, true, 0.1, 1e-5, false).relu();
  CHECK(distance(found.at("first.weight").transpose(0, 1), expected) < 1e-12);
}

TEST_CASE("a script shows the same maps") {
  at::manual_seed(1);
  torch::jit::Module script("Script", std::make_shared<torch::jit::CompilationUnit>());
  auto const w = at::randn({4, 3, 3, 3}, at::kDouble);
  script.register_attribute("training", c10::BoolType::get(), false);
  script.register_parameter("w", w.clone().set_requires_grad(true), false);
  script.register_parameter("fc", at::randn({4, 2}, at::kDouble).set_requires_grad(true), false);
  script.define(
      "def forward(self, x):\n"
      "  y = torch.relu_(torch.conv2d(x, self.w, None, [1, 1], [1, 1]))\n"
      "  return torch.matmul(torch.mean(y.mul_(2), [2, 3]), self.fc)\n");
  torch_model<double> model(script);
  auto const found = maps_of(std::move(model));
  REQUIRE(found.size() == 1);
  CHECK(are(found.at("w"), at::conv2d(images(), w, {}, 1, 1).relu()));
}

TEST_CASE("hrank and qsfm rank the filters of a module as those of the CPU engine's network of the same weights") {
  auto ours = zoo::resnet<cpu::backend<double>>({.depth = 8, .widths = {4, 6, 8}}, 1);
  auto const module = std::make_shared<torch_modules::resnet>(8, std::array<std::int64_t, 3>{4, 6, 8});
  module->to(at::kDouble);
  torch_model<double> theirs(module);
  for (auto const& p : ours.parameters())
    for (auto const& q : theirs.parameters())
      if (p.name == q.name) assign(*q.value, convert<tensor_type>(*p.value, *q.value));
  at::manual_seed(5);
  unlabelled_batch<tensor_type> const seen{tensor_type(at::randn({6, 3, 12, 12}, at::kDouble))};
  unlabelled_batch<cpu_array> const batch{convert<cpu_array>(seen.input, {})};
  auto const check = [&]<class Criterion>(Criterion) {
    auto const a = score<Criterion>(ours, batch);
    auto const b = score<Criterion>(theirs, seen);
    CHECK(a.unreached == b.unreached);
    REQUIRE(a.parameters.size() == b.parameters.size());
    for (std::size_t i = 0; i < a.parameters.size(); ++i) {
      REQUIRE(a.parameters[i].name == b.parameters[i].name);
      auto const expected = values_of(a.parameters[i].values), found = values_of(b.parameters[i].values);
      for (std::size_t k = 0; k < expected.size(); ++k) CHECK(found[k] == doctest::Approx(expected[k]).epsilon(1e-9));
    }
    CHECK(prune<Criterion, channel_structured>(ours, batch, {.budget = channels{0.5}}).masks ==
          prune<Criterion, channel_structured>(theirs, seen, {.budget = channels{0.5}}).masks);
  };
  check(hrank{});
  check(qsfm<>{});
  check(qsfm<map_similarity::psnr>{});
}
