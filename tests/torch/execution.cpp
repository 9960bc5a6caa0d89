// What running a module tells of it: weights, classifier, axes of samples; and what is left as it was.
#include "doctest.hpp"

#include <filesystem>
#include <limits>

#include <torch/nn/functional/instancenorm.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/rnn.h>
#include <torch/nn/modules/transformerlayer.h>

#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/torch/model.hpp>

#include "assembled.hpp"
#include "sample_squares.hpp"
#include "support.hpp"

using namespace lnpt;
using namespace torch_support;
namespace nn = torch::nn;

namespace {

using tensor_type = torch_tensor<double>;

template <class Model>
role role_of(Model& model, std::string const& name) {
  for (auto const& p : model.parameters())
    if (p.name == name) return p.role;
  FAIL("no parameter " << name);
  return role::bias;
}

labelled_batch<tensor_type> images(std::int64_t channels = 3) {
  return torch_batch<double>(at::randn({6, channels, 5, 5}, at::kDouble), at::tensor({0, 1, 2, 3, 0, 1}, at::kLong));
}

/// A convolution, one more as the head, and a mean over the image.
std::shared_ptr<assembled> convolutional_head() {
  return assemble([](assembled& m) {
    auto head = m.add("head", nn::Conv2d(8, 4, 1)), auxiliary = m.add("auxiliary", nn::Conv2d(8, 4, 1));
    auto body = m.add("body", nn::Conv2d(nn::Conv2dOptions(3, 8, 3).padding(1)));
    return [=](at::Tensor const& x) mutable {
      auto const f = at::relu(body(x));
      if (f.size(0) == 0) return auxiliary(f).mean({2, 3});
      return head(f).mean({2, 3});
    };
  });
}

}  // namespace

TEST_CASE("what makes the logits is the classifier: here a convolution that was registered first") {
  auto const module = convolutional_head();
  torch_model<double> model(module);
  auto const [masks, report] =
      prune<snip, channel_structured>(model, images(), {.budget = channels{0.5}, .unreached = unreached::keep});
  CHECK(masks.find("head.weight")->count() == 32);
  CHECK(masks.find("body.weight")->count() == 4 * 27);
  CHECK(role_of(model, "head.weight") == role::classifier_weight);
  CHECK(report.unreached == std::vector<std::string>{"auxiliary.weight"});
  CHECK(report.warnings.empty());
}

TEST_CASE("without a pass the types of modules decide, and the report says so; an example decides at once") {
  auto const module = convolutional_head();
  torch_model<double> unseen(module);
  auto const shapes = prune<magnitude>(unseen, {.budget = sparsity{0.5}});
  REQUIRE(shapes.report.warnings.size() == 1);
  CHECK(says(shapes.report.warnings[0], "types of modules"));
  torch_model<double> seen(module, at::ones({1, 3, 5, 5}, at::kDouble));
  CHECK(role_of(seen, "head.weight") == role::classifier_weight);
  CHECK(prune<magnitude>(seen, {.budget = sparsity{0.5}}).report.warnings.empty());
}

TEST_CASE("a loss on features is refused where two layers make the logits, and reads a convolution's input otherwise") {
  auto const module = assemble([](assembled& m) {
    auto left = m.add("left", nn::Linear(4, 3)), right = m.add("right", nn::Linear(4, 3)), body = m.add("body", nn::Linear(5, 4));
    return [=](at::Tensor const& x) mutable { return left(at::relu(body(x))) + right(at::tanh(body(x))); };
  });
  torch_model<double> two(module);
  auto const x = torch_batch<double>(at::randn({4, 5}, at::kDouble));
  CHECK(says(words_of([&] { (void)score<feature_map_synaptic<>>(two, x, teacher{two}, {}); }), "shows none"));
  CHECK(role_of(two, "left.weight") == role::classifier_weight);
  CHECK(role_of(two, "right.weight") == role::classifier_weight);
  CHECK(role_of(two, "body.weight") == role::weight);

  torch_model<double> one(convolutional_head());
  CHECK(shape_of(one.forward(images().input).features()) == shape{6, 8 * 25});
}

TEST_CASE("prunable is what meets an input in a product; the rest is listed") {
  auto const module = assemble([](assembled& m) {
    auto words = m.add("words", nn::Embedding(10, 8));
    auto encoder = m.add("encoder", nn::TransformerEncoderLayer(nn::TransformerEncoderLayerOptions(8, 2).dim_feedforward(16)));
    auto recurrent = m.add("recurrent", nn::GRU(nn::GRUOptions(8, 8).batch_first(true)));
    auto norm = m.add("norm", nn::LayerNorm(nn::LayerNormOptions({5, 8})));
    auto const positions = m.parameter("positions", {5, 8}), scales = m.parameter("scales", {1, 8}),
               mix = m.parameter("mix", {8, 6});
    auto head = m.add("head", nn::Linear(6, 10));
    return [=](at::Tensor const& x) mutable {
      auto y = at::embedding(words->weight, x.to(at::kLong)) + positions;
      y = encoder(y.transpose(0, 1)).transpose(0, 1);
      y = norm(std::get<0>(recurrent(y)) * scales);
      auto const tied = at::linear(y.mean(1), words->weight);
      return head(at::matmul(at::relu(y).mean(1), mix)) + tied;
    };
  });
  torch_model<double> model(module);
  auto const x = at::randint(10, {3, 5}).to(at::kDouble);
  auto const batch = torch_batch<double>(x, at::tensor({0, 1, 2}, at::kLong));
  auto const report = prune<snip>(model, batch, {.budget = sparsity{0.5}}).report;
  for (auto const* name : {"encoder.self_attn.in_proj_weight", "encoder.self_attn.out_proj.weight", "encoder.linear1.weight",
                           "recurrent.weight_ih_l0", "recurrent.weight_hh_l0", "mix"}) {
    CAPTURE(name);
    CHECK(role_of(model, name) == role::weight);
  }
  CHECK(role_of(model, "head.weight") == role::classifier_weight);
  std::vector<std::string> left;
  for (auto const& each : report.not_prunable) left.push_back(each.name);
  CHECK(left == std::vector<std::string>{"positions", "scales", "words.weight", "norm.weight", "norm.bias"});
  CHECK(report.not_prunable[0].total == 40);
  CHECK(report.unreached.empty());
  for (auto const& p : model.parameters())
    if (p.name == "mix") CHECK(p.output_axis == 1);
}

TEST_CASE("a transposed convolution in groups has the output channels of every group") {
  auto const module = assemble([](assembled& m) {
    auto up = m.add("up", nn::ConvTranspose2d(nn::ConvTranspose2dOptions(4, 6, 2).stride(2).groups(2)));
    auto head = m.add("head", nn::Linear(6, 3));
    return [=](at::Tensor const& x) mutable { return head(at::relu(up(x)).mean({2, 3})); };
  });
  torch_model<double> model(module, at::ones({1, 4, 2, 2}, at::kDouble));
  auto const up = model.parameters().front();
  CHECK(up.output_axis == 1);
  CHECK(up.output_groups == 2);
}

TEST_CASE("squares per sample know which axis counts samples, though it is as long as another") {
  at::manual_seed(2);
  auto const x = at::randn({4, 4, 6}, at::kDouble);
  check_squares(assemble([](assembled& m) {
                  auto first = m.add("first", nn::Linear(6, 5)), head = m.add("head", nn::Linear(5, 3));
                  return [=](at::Tensor const& in) mutable { return head(at::relu(first(in.transpose(0, 1))).mean(0)); };
                }),
                x);
  check_squares(assemble([](assembled& m) {
                  auto first = m.add("first", nn::Linear(6, 5)), head = m.add("head", nn::Linear(5, 3));
                  return [=](at::Tensor const& in) mutable {
                    return head(at::tanh(first(in.flatten(0, 1))).view({-1, 4, 5}).mean(1));
                  };
                }),
                x);
}

TEST_CASE("squares per sample are in the layout of the parameter") {
  at::manual_seed(3);
  auto const x = at::randn({5, 4}, at::kDouble);
  check_squares(assemble([](assembled& m) {
                  auto const square = m.parameter("square", {4, 4}), wide = m.parameter("wide", {4, 7}),
                             back = m.parameter("back", {3, 7});
                  auto const bias = m.parameter("bias", {7}), one = m.parameter("one", {3, 1});
                  return [=](at::Tensor const& in) {
                    auto const h = at::addmm(bias, at::tanh(at::matmul(in, square)), wide);
                    return at::matmul(at::mm(at::relu(h), back.t()), one);
                  };
                }),
                x);
  check_squares(assemble([](assembled& m) {  // scaled, on the left, computed from two parameters, changed in place behind a view
                  auto const scaled = m.parameter("scaled", {4, 4}), left = m.parameter("left", {4, 4});
                  auto head = m.add("head", nn::Linear(4, 3)), viewed = m.add("viewed", nn::Linear(4, 4));
                  return [=](at::Tensor const& in) mutable {
                    auto const h = at::addmm(in, in, scaled, 1, 0.5);
                    auto y = viewed(at::matmul(left, h.unsqueeze(2)).transpose(1, 2));
                    return head(y.relu_().squeeze(1));
                  };
                }),
                x);
}

TEST_CASE("one norm under two names is left as it was") {
  auto const module = assemble([](assembled& m) {
    auto conv = nn::Conv2d(3, 4, 3);
    auto norm = m.add("norm", nn::BatchNorm2d(4));
    auto body = m.add("body", nn::Sequential(conv, norm));
    auto head = m.add("head", nn::Linear(4, 4));
    return [=](at::Tensor const& x) mutable { return head(at::relu(body->forward(x)).mean({2, 3})); };
  });
  torch_model<double> model(module);
  module->named_buffers()["norm.running_mean"].fill_(-1.0);
  auto const before = snapshot(*module);
  for (auto const mode : {norm_mode::train, norm_mode::frozen, norm_mode::eval})
    (void)score<snip>(model, images(), {.batch_norm = mode});
  (void)model.synaptic_flow({1, 3, 5, 5});
  CHECK(same(snapshot(*module), before));
}

TEST_CASE("instance norm with running statistics normalises each instance by its own, frozen as in training") {
  auto const module = assemble([](assembled& m) {
    auto norm = m.add("norm", nn::InstanceNorm2d(nn::InstanceNorm2dOptions(3).track_running_stats(true)));
    auto head = m.add("head", nn::Linear(3, 4));
    return [=](at::Tensor const& x) mutable { return head(at::relu(norm(x)).mean({2, 3})); };
  });
  torch_model<double> model(module);
  auto const x = images().input;
  auto const before = snapshot(*module);
  auto const trained = model.forward(x, {norm_mode::train}).output().get();
  CHECK(model.forward(x, {norm_mode::frozen}).output().get().equal(trained));
  CHECK(distance(model.forward(x, {norm_mode::eval}).output().get(), trained) > 1e-3);
  CHECK(same(snapshot(*module), before));
}

TEST_CASE("a teacher may be frozen, and without a graph; a student may not") {
  auto const module = convolutional_head();
  auto const x = images();
  torch_model<double> before(module);
  auto const expected = before.forward(x.input).output().get();
  for (auto& p : module->parameters()) p.set_requires_grad(false);
  torch_model<double> frozen(module);
  auto const predicted = teacher(frozen).predict(x.input);
  CHECK(predicted.output.get().equal(expected));
  CHECK(shape_of(*predicted.features) == shape{6, 8 * 25});
  CHECK(says(words_of([&] { (void)score<snip>(frozen, x, {}); }), "all 6 parameters of the module are frozen"));
  for (auto const& p : module->parameters()) CHECK_FALSE(p.requires_grad());
}

TEST_CASE("a file holds the whole state_dict, and gives it back") {
  auto const build = [] {
    return assemble([](assembled& m) {
      auto first = m.add("first", nn::Linear(4, 4)), again = m.add("again", first);
      auto norm = m.add("norm", nn::BatchNorm1d(4));
      auto const mask = m.register_buffer("mask", at::full({4}, -std::numeric_limits<double>::infinity(), at::kDouble));
      return [=](at::Tensor const& x) mutable { return norm(first(x)) + again(x).maximum(mask); };
    });
  };
  auto const saved = build(), loaded = build();
  saved->named_parameters()["first.weight"].set_requires_grad(false);
  for (auto const& p : loaded->parameters()) p.detach().zero_();
  for (auto const& each : {saved, loaded})  // converted with all else
    each->named_buffers()["norm.num_batches_tracked"].set_data(at::full({}, each == saved ? 7 : 0, at::kLong));
  torch_model<double> from(saved), into(loaded);
  auto const path = std::filesystem::temp_directory_path() / "lnpt_torch_execution.safetensors";
  io::save_state_dict(from, path);
  auto const file = io::safetensors::open(path);
  CHECK(file.names().size() == 10);  // both names of the shared layer
  CHECK(file.info("norm.num_batches_tracked").dtype == io::dtype::i64);
  io::load_state_dict(into, path);
  CHECK(same(snapshot(*loaded), snapshot(*saved)));
  std::filesystem::remove(path);
}

TEST_CASE("hardsigmoid has a second derivative") {
  auto const module = assemble([](assembled& m) {
    auto first = m.add("first", nn::Linear(4, 5)), head = m.add("head", nn::Linear(5, 3));
    return [=](at::Tensor const& x) mutable { return head(at::hardsigmoid(first(x)).square()); };
  });
  auto const same_values = assemble([](assembled& m) {
    auto first = m.add("first", nn::Linear(4, 5)), head = m.add("head", nn::Linear(5, 3));
    return [=](at::Tensor const& x) mutable { return head((at::clamp(first(x) + 3.0, 0.0, 6.0) / 6.0).square()); };
  });
  auto const half_a_square = [](auto const& predicted) { return cotangents<tensor_type>{predicted.output, std::nullopt}; };
  auto const x = at::randn({6, 4}, at::kDouble) * 4.0;
  std::vector<gradients<tensor_type>> products;
  for (auto const& each : {module, same_values}) {
    torch_model<double> model(each);
    auto t = model.forward(x);
    auto const g = model.retained_backward(t, half_a_square);
    products.push_back(model.hessian_vector_product(t, half_a_square, g));
  }
  for (std::size_t const i : {0, 2})
    CHECK(distance(products[0][i]->get(), products[1][i]->get()) < 1e-6);  // hardsigmoid divides by 6 in float
}

TEST_CASE("what LibTorch refuses comes as one sentence") {
  auto const module = assemble([](assembled& m) {
    auto first = m.add("first", nn::Linear(4, 5)), head = m.add("head", nn::Linear(5, 3));
    auto norm = m.add("norm", nn::BatchNorm1d(5));
    return [=](at::Tensor const& x) mutable { return head(norm(first(x))); };
  });
  torch_model<double> model(module);
  auto const refusal = [&](at::Tensor const& x, norm_mode mode) { return words_of([&] { (void)model.forward(x, {mode}); }); };
  CHECK(says(refusal(at::ones({2, 7}, at::kDouble), norm_mode::eval), "could not run the module on an input of Double [2, 7]"));
  CHECK(says(refusal(at::ones({1, 4}, at::kDouble), norm_mode::train), "could not run the module"));
  CHECK(says(refusal(at::ones({1, 4}, at::kDouble), norm_mode::frozen), "batch norm norm sees one value per channel"));
  CHECK(says(words_of([&] {
               lnpt::detail::in_torch("differentiate the loss", [] {
                 TORCH_CHECK_NOT_IMPLEMENTED(false, "derivative for aten::grid_sampler_2d_backward is not implemented");
               });
             }),
             "LibTorch has no derivative of aten::grid_sampler_2d_backward"));
  module->to(at::kFloat);
  CHECK(says(refusal(at::ones({2, 4}, at::kDouble), norm_mode::eval), "the parameter first.weight holds Float"));
}
