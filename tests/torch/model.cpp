// The adapter's own promises: where features come from, what is left as it was, which modules are refused and in which words.
#include "doctest.hpp"

#include <torch/nn/modules/dropout.h>

#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/torch/model.hpp>

#include "modules.hpp"
#include "support.hpp"

using namespace lnpt;
using namespace torch_support;
namespace nn = torch::nn;

namespace {

nn::Sequential small_network() {
  at::manual_seed(7);
  nn::Sequential net(nn::Conv2d(nn::Conv2dOptions(2, 4, 3).padding(1).bias(false)), nn::BatchNorm2d(4), nn::ReLU(),
                     nn::Conv2d(nn::Conv2dOptions(4, 6, 3).stride(2).groups(2)), nn::BatchNorm2d(6),
                     nn::ReLU(nn::ReLUOptions(true)), nn::Flatten(), nn::Dropout(0.5), nn::Linear(6 * 2 * 2, 3));
  net->to(at::kDouble);
  return net;
}

at::Tensor samples(std::int64_t n = 6) { return at::randn({n, 2, 6, 6}, at::kDouble); }

/// All flows as one tensor that sums to one.
template <class T>
at::Tensor proportions(gradients<torch_tensor<T>> const& flows) {
  std::vector<at::Tensor> all;
  for (auto const& each : flows)
    if (each) all.push_back(each->get().to(at::kDouble).flatten());
  auto const joined = at::cat(all);
  return joined / joined.sum();
}

}  // namespace

TEST_CASE("the linear student of the method's example has the scores one can work out by hand") {
  nn::Sequential student(nn::Linear(nn::LinearOptions(2, 2).bias(false)), nn::Linear(nn::LinearOptions(2, 1).bias(false)));
  nn::Sequential trained(nn::Linear(nn::LinearOptions(2, 2).bias(false)), nn::Linear(nn::LinearOptions(2, 1).bias(false)));
  auto const set = [](nn::Sequential& net, std::vector<float> const& values) {
    at::NoGradGuard const plain;
    net->parameters()[0].copy_(at::tensor(values).view({2, 2}));
  };
  set(student, {1, 2, 3, -0.5f});
  set(trained, {2, 2, 2, -1});
  torch_model model(student), guide(trained);
  auto const batch = torch_batch(at::tensor({1.0f, 2.0f}).view({1, 2}));

  auto const scores = score<feature_map_synaptic<>>(model, batch, teacher{guide}, {});
  REQUIRE(scores.parameters.size() == 1);
  CHECK(at::allclose(scores.parameters[0].values.get(), at::tensor({4.0f, 64.0f, 24.0f, 32.0f}).view({2, 2})));
  CHECK(scores.unreached == std::vector<std::string>{"1.weight"});

  auto const [masks, report] = prune<feature_map_synaptic<>>(model, batch, teacher{guide}, {.budget = sparsity{0.5}});
  apply(masks, model);
  CHECK(student->parameters()[0].equal(at::tensor({0.0f, 2.0f, 0.0f, -0.5f}).view({2, 2})));
}

TEST_CASE("a Sequential, a callable, a pair and parts give the same prediction") {
  auto net = small_network();
  auto const x = samples();
  torch_model<double> plain(net);
  torch_model<double> called(net, [net](at::Tensor const& in) mutable { return net->forward(in); });
  torch_model<double> paired(net, [net](at::Tensor in) mutable {
    at::Tensor features;
    for (auto& layer : *net) {
      features = in;
      in = layer.forward(in);
    }
    return std::pair(in, features);
  });
  auto const a = plain.forward(x), b = called.forward(x), c = paired.forward(x);
  CHECK(a.output().get().equal(b.output().get()));
  CHECK(a.features().get().equal(b.features().get()));
  CHECK(a.output().get().equal(c.output().get()));
  CHECK(a.features().get().equal(c.features().get()));
  CHECK(shape_of(a.features()) == shape{6, 24});
}

TEST_CASE("roles and names are found from the module tree") {
  auto net = small_network();
  torch_model<double> model(net);
  std::vector<std::pair<std::string, role>> found;
  for (auto const& p : model.parameters()) found.emplace_back(p.name, p.role);
  std::vector<std::pair<std::string, role>> const expected{{"0.weight", role::weight},   {"1.weight", role::norm_scale},
                                                           {"1.bias", role::norm_shift}, {"3.weight", role::weight},
                                                           {"3.bias", role::bias},       {"4.weight", role::norm_scale},
                                                           {"4.bias", role::norm_shift}, {"8.weight", role::classifier_weight},
                                                           {"8.bias", role::bias}};
  CHECK((found == expected));
  CHECK(model.buffers().size() == 4);
}

TEST_CASE("frozen parameters are kept and named, shared ones are counted once") {
  auto net = small_network();
  net[0]->parameters()[0].set_requires_grad(false);
  torch_model<double> model(net);
  CHECK(model.frozen_parameters() == std::vector<std::string>{"0.weight"});
  CHECK(model.parameters().front().name == "1.weight");

  nn::Linear layer(4, 4);
  nn::Sequential twice(layer, nn::ReLU(), layer, nn::Linear(4, 2));
  torch_model shared(twice);
  std::size_t weights = 0;
  for (auto const& p : shared.parameters()) weights += is_prunable(p.role);
  CHECK(weights == 2);

  // A weight in two places takes a pass per sample: each square is of the sum of both uses.
  auto const x = at::randn({3, 4});
  auto t = shared.forward(x, {norm_mode::eval});
  auto const ones = at::ones({3, 2});
  auto const squares = shared.sample_squared_gradients(t, {torch_tensor<float>(ones), std::nullopt});
  auto expected = at::zeros({4, 4});
  for (std::int64_t b = 0; b < 3; ++b)
    expected += torch::autograd::grad({twice->forward(x.narrow(0, b, 1)).sum()}, {layer->weight})[0].square();
  CHECK(at::allclose(squares[0]->get(), expected));
}

TEST_CASE("Hessian–vector products of every parameter are those of LibTorch's own second pass back") {
  at::manual_seed(9);
  nn::Sequential net(nn::Conv2d(nn::Conv2dOptions(2, 4, 3).padding(1).bias(false)), nn::BatchNorm2d(4), nn::ReLU(),
                     nn::ConvTranspose2d(nn::ConvTranspose2dOptions(4, 6, 3).stride(2).output_padding(1).bias(false)),
                     nn::BatchNorm2d(nn::BatchNormOptions(6).affine(false)), nn::Conv2d(nn::Conv2dOptions(6, 6, 3).groups(3)),
                     nn::ReLU(nn::ReLUOptions(true)), nn::AdaptiveAvgPool2d(2), nn::Flatten(), nn::Linear(24, 3));
  net->to(at::kDouble);
  torch_model<double> model(net);
  auto const x = samples();
  auto const parameters = model.torch_parameters();
  gradients<torch_tensor<double>> v;
  for (auto const& p : parameters) v.emplace_back(torch_tensor<double>(at::randn_like(p.detach())));
  auto const half_a_square = [](auto const& predicted) {
    return cotangents<torch_tensor<double>>{predicted.output, std::nullopt};
  };
  for (auto const mode : {norm_mode::train, norm_mode::eval}) {
    net->train(mode == norm_mode::train);
    auto const g = torch::autograd::grad({net->forward(x).square().sum() * 0.5}, parameters, {}, true, true);
    auto along = at::zeros({}, at::kDouble);
    for (std::size_t i = 0; i < g.size(); ++i) along = along + (g[i] * v[i]->get()).sum();
    auto const expected = torch::autograd::grad({along}, parameters);

    auto t = model.forward(x, {mode});
    auto const gradient = model.retained_backward(t, half_a_square, which_gradients::all);
    for (int again = 0; again < 2; ++again) {  // the graph serves any number of directions
      auto const found = model.hessian_vector_product(t, half_a_square, v);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(distance(gradient[i]->get(), g[i].detach()) < 1e-12);
        CHECK(distance(found[i]->get(), expected[i]) < 1e-10);
      }
    }
  }
}

TEST_CASE("a teacher is asked without a graph") {
  auto net = small_network();
  auto recorded = true;
  torch_model<double> watched(net, [&](at::Tensor const& in) {
    if (in.size(0) == 6) recorded = at::GradMode::is_enabled();  // the trial run is of fewer samples, with a graph
    return net->forward(in);
  });
  auto const x = torch_tensor<double>(samples());
  auto const predicted = teacher(watched).predict(x);
  CHECK_FALSE(recorded);
  CHECK(predicted.output.get().equal(watched.forward(x).output().get()));
  CHECK(recorded);
}

TEST_CASE("copies have storage of their own, and a tie is decided for the first class") {
  torch_tensor<float> const t(at::ones({3}));
  deep_copy(t).get().zero_();
  CHECK(t.get().equal(at::ones({3})));
  auto const decided = one_hot_of_largest(torch_tensor<float>(at::tensor({1.0f, 3.0f, 3.0f, 2.0f, 0.0f, 2.0f}).view({2, 3})));
  CHECK(decided.get().equal(at::tensor({0.0f, 1.0f, 0.0f, 1.0f, 0.0f, 0.0f}).view({2, 3})));
}

TEST_CASE("squares per sample equal one backward per sample, for every kind of layer") {
  auto net = small_network();
  torch_model<double> model(net);
  auto const x = samples();
  for (auto const& input : {x, x.contiguous(at::MemoryFormat::ChannelsLast), at::stack({x, x}, -1).select(-1, 0)}) {
    auto const norm = model.freeze(std::vector{torch_tensor<double>(input)});
    auto t = model.forward(input, norm);
    auto const z = at::randn({6, 24}, at::kDouble);
    auto const squares = model.sample_squared_gradients(t, {std::nullopt, torch_tensor<double>(z)});
    gradients<torch_tensor<double>> expected;
    for (std::int64_t b = 0; b < 6; ++b) {
      auto one = model.forward(input.narrow(0, b, 1), norm);
      auto g = model.backward(one, {std::nullopt, torch_tensor<double>(z.narrow(0, b, 1))}, which_gradients::prunable);
      for (auto& each : g)
        if (each) each = *each * *each;
      lnpt::detail::accumulate(expected, g);
    }
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(squares[i].has_value() == expected[i].has_value());
      if (expected[i]) CHECK(distance(squares[i]->get(), expected[i]->get()) < 1e-12);
    }
    CHECK_FALSE(squares[7].has_value());  // the classifier's own weight does not reach its input
  }
}

TEST_CASE("frozen normalisation equals training's, over parts as over the whole, and its constants stay constant") {
  auto net = small_network();
  torch_model<double> model(net);
  auto const x = samples(6);
  auto const train = model.forward(x, {norm_mode::train}), own = model.forward(x, {norm_mode::frozen});
  CHECK(distance(own.output().get(), train.output().get()) < 1e-12);
  auto const norm = model.freeze(std::vector<torch_tensor<double>>{x.narrow(0, 0, 2), x.narrow(0, 2, 4)});
  CHECK(constants_of<lnpt::detail::norm_constants>(norm).size() == 2);
  CHECK(distance(model.forward(x.narrow(0, 2, 4), norm).output().get(), train.output().get().narrow(0, 2, 4)) < 1e-12);

  // With constants, the gradient of a sample's output does not see the other samples.
  auto const ones = torch_tensor<double>(at::ones({2, 3}, at::kDouble));
  auto all = at::zeros({6, 3}, at::kDouble);
  all.narrow(0, 0, 2).fill_(1.0);
  auto const part = model.backward(model.forward(x.narrow(0, 0, 2), norm), {ones, std::nullopt});
  auto const whole = model.backward(own, {torch_tensor<double>(all), std::nullopt});
  for (std::size_t i = 0; i < part.size(); ++i) CHECK(distance(part[i]->get(), whole[i]->get()) < 1e-10);

  model.adopt(norm);
  CHECK(distance(model.forward(x, {norm_mode::eval}).output().get(), train.output().get()) < 1e-12);
  auto const unlike_numbers = model.freeze(std::vector<torch_tensor<double>>{torch_tensor<double>(x * std::nan(""))});
  CHECK_THROWS_WITH_AS(model.adopt(unlike_numbers), doctest::Contains("would take are NaN or infinite, so nothing was changed"),
                       error);
  CHECK(distance(model.forward(x, {norm_mode::eval}).output().get(), train.output().get()) < 1e-12);
}

TEST_CASE("scoring leaves weights, buffers and modes as they were, also when it fails") {
  auto net = small_network();
  net->train();
  net[0]->eval();
  torch_model<double> model(net);
  auto const before = snapshot(*net);
  auto const batch = torch_batch<double>(samples(), at::tensor({0, 1, 2, 0, 1, 2}, at::kLong));
  (void)score<snip>(model, batch, {});
  (void)score<synflow>(model, shape{2, 6, 6}, {});
  torch_model<double> trained(small_network());
  trained.torch_parameters().front().detach().mul_(2);
  (void)score<feature_map_synaptic<>>(model, batch, teacher{trained}, {});
  auto const writes = [&] {
    std::int64_t count = 0;
    for (auto const& p : net->parameters()) count += p._version();
    return count;
  };
  auto const before_default = writes();
  for (auto const& p : score(model, batch, teacher{trained}, {}).parameters)  // a chain, which no shortcut leads around
    CHECK(p.layer_floor > teacher_guided::layer_floor);
  CHECK(writes() == before_default);
  CHECK(says(words_of([&] { (void)score<feature_map_synaptic<>>(model, batch, teacher{model}, {}); }),
             "student and teacher have the same weights"));
  CHECK(same(before, snapshot(*net)));
  CHECK(words_of([&] {
          (void)score<snip>(model, torch_batch<double>(samples(), at::tensor({0, 1, 2, 0, 1, 9}, at::kLong)), {});
        }) != "no error");
  CHECK_THROWS(model.forward(at::zeros({2, 5, 6, 6}, at::kDouble), {norm_mode::frozen}));
  CHECK(same(before, snapshot(*net)));
}

TEST_CASE("dropout is off while scoring and on again afterwards") {
  auto net = small_network();
  torch_model<double> model(net);
  auto const x = samples();
  CHECK(model.forward(x, {norm_mode::train}).output().get().equal(model.forward(x, {norm_mode::train}).output().get()));
  CHECK(net[7]->is_training());
}

TEST_CASE("modules that cannot be scored are refused in one sentence") {
  auto const taking = [](auto module) { return words_of([&] { torch_model model(module); }); };
  CHECK(says(taking(nn::Sequential(nn::ReLU())), "no parameters"));
  CHECK(says(words_of([] {
               nn::Linear layer(2, 2);
               for (auto& p : layer->parameters()) p.set_requires_grad(false);
               (void)torch_model(layer).forward(at::ones({1, 2}));
             }),
             "all 2 parameters of the module are frozen"));
  nn::Linear const single(2, 2);
  CHECK(
      says(words_of([&] { torch_model<double> model(single); }), "the parameter weight holds Float but the model is of Double"));
  CHECK(says(taking(nn::Sequential(nn::BatchNorm1d(nn::BatchNormOptions(2).track_running_stats(false)), nn::Linear(2, 2))),
             "0 is batch norm without running statistics"));
  CHECK(says(taking(std::shared_ptr<torch_modules::mlp>()), "the module is null"));

  nn::Sequential net(nn::Linear(2, 4), nn::Linear(4, 3));
  auto const x = torch_tensor<float>(at::ones({5, 2}));
  auto const refusal = [&](auto callable) { return words_of([&] { (void)torch_model(net, callable).forward(x); }); };
  CHECK(says(refusal([&](at::Tensor const& in) { return std::pair(net->forward(in), in.view({-1})); }),
             "the features of 5 samples have the shape [10]"));
  CHECK(says(refusal([&](at::Tensor const& in) { return net->forward(in).sum(); }), "the logits of 5 samples have the shape []"));
  CHECK(says(
      refusal([&](at::Tensor const& in) { return std::pair(net->forward(in), net[0]->as<nn::Linear>()->forward(in).detach()); }),
      "the features are detached from the graph"));
  CHECK(says(refusal([&](at::Tensor const& in) { return net->forward(in).detach(); }), "the logits are detached from the graph"));
  CHECK(says(words_of([&] {
               auto const both = [&](at::Tensor const& in) { return net->forward(in) + net->forward(in.flip(1)); };
               (void)torch_model(net, both).forward(x).features();
             }),
             "the features were not found"));
  CHECK(says(words_of([&] {
               torch_model model(net);
               at::NoGradGuard const plain;
               auto const t = model.forward(x);
               (void)model.backward(t, {t.output(), std::nullopt});
             }),
             "ran without a graph"));
  CHECK(says(words_of([] { torch_tensor<float> const t(at::ones({1}, at::kDouble)); }), "a tensor of Double"));
}

TEST_CASE("synaptic flow that overflows float comes back into range, in the same proportions as in double") {
  at::manual_seed(3);
  nn::Sequential net;
  for (int i = 0; i < 24; ++i) net->push_back(nn::Linear(64, 64)), net->push_back(nn::ReLU());
  net->push_back(nn::Linear(64, 2));
  {
    at::NoGradGuard const plain;
    for (auto& p : net->parameters()) p.copy_(at::randn_like(p).mul(1.2));
  }
  torch_model single(net);
  auto const narrow = proportions(single.synaptic_flow({1, 64}));
  net->to(at::kDouble);
  torch_model<double> wide(net);
  auto const flows = wide.synaptic_flow({1, 64});
  CHECK(flows[0]->get().sum().item<double>() > 3.5e38);
  CHECK(at::allclose(narrow, proportions(flows), 1e-4, 0));
}

TEST_CASE("scores that rank nothing are refused: a log_softmax at the end, a teacher with the student's weights, zeros") {
  auto const net = small_network();
  torch_model<double> model(net),
      logarithmic(net, [inner = net](at::Tensor const& x) mutable { return inner->forward(x).log_softmax(1); });
  CHECK_NOTHROW((void)score<synflow>(model, shape{2, 6, 6}, {}));
  CHECK(says(words_of([&] { (void)score<synflow>(logarithmic, shape{2, 6, 6}, {}); }),
             "the synaptic flow of 0.weight, the first layer, is negative"));
  auto const images = torch_batch<double>(samples());
  CHECK(
      says(words_of([&] { (void)score<feature_map_synaptic<>>(model, images, teacher(model), {.batch_norm = norm_mode::eval}); }),
           "all scores are 0"));
  for (auto& p : net->parameters()) p.data().zero_();
  CHECK(says(words_of([&] { (void)prune<magnitude>(model, {.budget = sparsity{0.5}}); }), "all scores are 0"));
}

TEST_CASE("in float, synflow prunes a ResNet-56 whose flow overflows float, to the exact count") {
  at::manual_seed(4);
  auto const net = std::make_shared<torch_modules::resnet>(56, std::array<std::int64_t, 3>{16, 32, 64});
  torch_model single(net);
  auto const [masks, report] = prune<synflow>(single, shape{3, 32, 32}, {.budget = sparsity{0.99}, .rounds = 5});
  std::size_t kept = 0, total = 0;
  for (auto const& m : masks) kept += m.count(), total += m.size();
  CHECK(kept == static_cast<std::size_t>(0.01 * static_cast<double>(total) + 0.5));

  auto const narrow = proportions(single.synaptic_flow({1, 3, 32, 32}));
  net->to(at::kDouble);
  torch_model<double> wide(net);
  auto const flows = wide.synaptic_flow({1, 3, 32, 32});
  CHECK(flows[0]->get().max().item<double>() > 3.5e38);
  CHECK(narrow.isfinite().all().item<bool>());
  CHECK((narrow - proportions(flows)).abs().sum().item<double>() < 1e-3);
}
