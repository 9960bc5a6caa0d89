// What a module does that its registration does not say: views read in two places, batch norm by its parts, norms that are registered
// elsewhere than they read, memory that parameters share, batch sizes in the code.
#include "doctest.hpp"

#include <sstream>

#include <torch/csrc/jit/serialization/export.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <lnpt/criterion/bn_scale.hpp>
#include <lnpt/criterion/fisher.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/torch/module/script.hpp>
#include <lnpt/torch/pass/autocast.hpp>

#include "assembled.hpp"
#include "sample_squares.hpp"
#include "support.hpp"

using namespace lnpt;
using namespace torch_support;
namespace nn = torch::nn;

namespace {

using tensor_type = torch_tensor<double>;

at::Tensor images() {
  at::manual_seed(5);
  return at::randn({6, 3, 5, 5}, at::kDouble) + 1.0;
}

labelled_batch<tensor_type> numbered(at::Tensor const& x) { return torch_batch<double>(x, at::arange(x.size(0)).remainder(3)); }

/// The scores by filter of the weight of this name; empty where it has none.
at::Tensor by_filter(score_set<tensor_type> const& scores, std::string const& name) {
  for (auto const& p : scores.parameters)
    if (p.name == name) return p.values.get().movedim(static_cast<std::int64_t>(p.output_axis), 0).flatten(1).sum(1);
  return at::empty({0}, at::kDouble);
}

void set(at::Tensor const& parameter, std::vector<double> const& values) {
  at::NoGradGuard const plain;
  parameter.detach().copy_(at::tensor(values, at::kDouble));
}

/// A network that is called after batch norm, and after a layer that may be given to it.
template <class Norm>
struct BatchNormNet : assembled {};

}  // namespace

TEST_CASE("a class is what it is called itself: namespaces and arguments of templates make no batch norm") {
  CHECK(lnpt::detail::own_class("torch::nn::Conv2dImpl") == "Conv2dImpl");
  CHECK(lnpt::detail::own_class("a::Net<torch::nn::BatchNorm2d, b::C<int>>") == "Net");
  CHECK(lnpt::detail::own_class("__torch__.InstanceNormNets.___torch_mangle_3.Linear") == "Linear");
  auto const module = std::make_shared<BatchNormNet<nn::BatchNorm2d>>();
  auto head = module->add("head", nn::Linear(4, 3));
  module->run = [=](at::Tensor const& x) mutable { return head(x); };
  torch_model<float> model(module, at::ones({2, 4}));
  CHECK(model.parameters().front().role == role::classifier_weight);
}

TEST_CASE("a view of a weight that is read in two places is one weight: the square of the sum, not the sum of squares") {
  at::manual_seed(2);
  auto const x = at::randn({5, 4}, at::kDouble);
  check_squares(assemble([](assembled& m) {
                  auto const w = m.parameter("w", {4, 4});
                  return [=](at::Tensor const& in) {
                    auto const turned = w.t();
                    return at::matmul(at::tanh(at::matmul(in, turned)), turned);
                  };
                }),
                x);
  check_squares(assemble([](assembled& m) {  // a view of a view, read by two layers side by side
                  auto const w = m.parameter("w", {2, 8});
                  return [=](at::Tensor const& in) {
                    auto const square = w.view({4, 4}).view({4, 4});
                    return at::linear(in, square) * at::linear(at::relu(in), square);
                  };
                }),
                x);
  check_squares(assemble([](assembled& m) {  // one product with the weight, and one with a part of the same view
                  auto const w = m.parameter("w", {4, 4});
                  return [=](at::Tensor const& in) {
                    auto const same = w.view({4, 4});
                    return at::linear(in, same) + at::linear(in.narrow(1, 0, 2), same.narrow(1, 0, 2));
                  };
                }),
                x);
  check_squares(assemble([](assembled& m) {  // several matrices in one parameter: none of them is the whole of it
                  auto const w = m.parameter("w", {4, 4, 4});
                  return [=](at::Tensor const& in) { return at::matmul(in.unsqueeze(1).unsqueeze(1), w).sum({1, 2}).tanh(); };
                }),
                x);
  check_squares(assemble([](assembled& m) {  // one product that autograd knows and one that it does not, by the same weight
                  auto const w = m.parameter("w", {4, 4});
                  auto first = m.add("first", nn::Linear(4, 4));
                  return [=](at::Tensor const& in) mutable {
                    auto const h = at::tanh(first(in));
                    return at::linear(h, w) + at::linear(at::relu(h), w.detach());
                  };
                }),
                x);
}

TEST_CASE("a view that is read once still takes one pass for all samples") {
  auto calls = 0;
  auto const module = assemble([&](assembled& m) {
    auto const w = m.parameter("w", {4, 4}), kernel = m.parameter("kernel", {4, 3, 3, 3}), wide = m.parameter("wide", {4, 6});
    return [=, &calls](at::Tensor const& in) {
      ++calls;
      auto const y = at::conv2d(in, kernel.view({4, 3, 3, 3})).mean({3}).transpose(1, 2);  // [B, T, 4]
      return at::matmul(at::tanh(at::linear(y, w)), wide.t().t()).mean(1);
    };
  });
  torch_model<double> model(module);
  auto const x = images();
  auto const t = model.forward(x);
  calls = 0;
  auto const squares = model.sample_squared_gradients(t, {tensor_type(at::ones_like(t.output().get())), std::nullopt});
  CHECK(calls == 0);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(distance(squares[i]->get(), squares_one_by_one(module->run, x, model.torch_parameters()[i])) < 1e-12);
}

TEST_CASE("batch norm is frozen to the statistics of the batch by whichever operator a module calls it") {
  using call = std::function<at::Tensor(at::Tensor const&, nn::BatchNorm2d&)>;
  auto const trains = [](nn::BatchNorm2d& norm) { return norm->is_training(); };
  std::vector<call> const calls{
      [=](at::Tensor const& x, nn::BatchNorm2d& n) {
        return std::get<0>(at::native_batch_norm(x, n->weight, n->bias, n->running_mean, n->running_var, trains(n), 0.1, 1e-5));
      },
      [=](at::Tensor const& x, nn::BatchNorm2d& n) {
        return std::get<0>(
            at::_batch_norm_impl_index(x, n->weight, n->bias, n->running_mean, n->running_var, trains(n), 0.1, 1e-5, false));
      }};
  for (auto const& each : calls) {
    auto const module = assemble([&](assembled& m) {
      auto norm = m.add("norm", nn::BatchNorm2d(4));
      auto body = m.add("body", nn::Conv2d(3, 4, 3));
      auto head = m.add("head", nn::Linear(4, 3));
      return [=](at::Tensor const& x) mutable { return head(at::relu(each(body(x), norm)).mean({2, 3})); };
    });
    torch_model<double> model(module);
    auto const before = snapshot(*module);
    auto const trained = model.forward(images(), {norm_mode::train}).output().get();
    CHECK(distance(model.forward(images(), {norm_mode::frozen}).output().get(), trained) < 1e-12);
    CHECK(distance(model.forward(images(), {norm_mode::eval}).output().get(), trained) > 1e-3);
    CHECK(same(snapshot(*module), before));
  }
}

TEST_CASE("a batch norm whose statistics have other names is refused wherever those of the batch are wanted") {
  auto const module = assemble([](assembled& m) {
    auto const mean = m.register_buffer("average", at::zeros({3}, at::kDouble)),
               variance = m.register_buffer("spread", at::ones({3}, at::kDouble));
    auto head = m.add("head", nn::Linear(3, 3));
    return [=, &m](at::Tensor const& x) mutable {
      return head(at::relu(at::batch_norm(x, {}, {}, mean, variance, m.is_training(), 0.1, 1e-5, false)).mean({2, 3}));
    };
  });
  torch_model<double> model(module);
  auto const refusal = [&](norm_mode mode) { return words_of([&] { (void)model.forward(images(), {mode}); }); };
  CHECK(says(refusal(norm_mode::frozen), "not registered as running_mean and running_var evaluates"));
  CHECK(says(refusal(norm_mode::train), "not registered as running_mean and running_var evaluates"));
  CHECK(refusal(norm_mode::eval) == "no error");
}

TEST_CASE("bn_scale reads the scales of the batch norm that reads a layer, in whatever order they are registered") {
  auto const module = assemble([](assembled& m) {
    auto left = m.add("left", nn::Conv2d(3, 2, 3)), right = m.add("right", nn::Conv2d(3, 2, 3));
    auto of_right = m.add("of_right", nn::BatchNorm2d(2)), of_left = m.add("of_left", nn::BatchNorm2d(2));
    auto wide = m.add("wide", nn::Linear(2, 2)), bare = m.add("bare", nn::Linear(2, 2)), head = m.add("head", nn::Linear(2, 3));
    auto of_wide = m.add("of_wide", nn::BatchNorm1d(2));
    return [=](at::Tensor const& x) mutable {
      auto const y = at::relu(of_left(left(x)) + of_right(right(x))).mean({2, 3});
      auto const z = at::relu(of_wide(wide(y).unsqueeze(2))).squeeze(2);
      return head(at::relu(bare(z)));
    };
  });
  auto const parameters = module->named_parameters();
  set(parameters["of_right.weight"], {1, -2}), set(parameters["of_left.weight"], {30, 40}),
      set(parameters["of_wide.weight"], {5, 6});
  torch_model<double> model(module);
  auto const scores = score<bn_scale>(model, shape{3, 5, 5});
  CHECK(distance(by_filter(scores, "left.weight"), at::tensor({30, 40}, at::kDouble)) < 1e-12);
  CHECK(distance(by_filter(scores, "right.weight"), at::tensor({1, 2}, at::kDouble)) < 1e-12);
  CHECK(distance(by_filter(scores, "wide.weight"), at::tensor({5, 6}, at::kDouble)) < 1e-12);
  CHECK(scores.unreached == std::vector<std::string>{"bare.weight", "head.weight"});

  torch_model<double> unseen(module);
  CHECK(says(words_of([&] { (void)score<bn_scale>(unseen, shape{}); }), "shows when the module runs"));
}

TEST_CASE(
    "bn_scale has no score where two batch norms read a layer, another axis is normalised, or something is computed in between") {
  auto const module = assemble([](assembled& m) {
    auto twice = m.add("twice", nn::Conv2d(3, 2, 3));
    auto turned = m.add("turned", nn::Linear(3, 3));
    auto first = m.add("first", nn::BatchNorm2d(2)), second = m.add("second", nn::BatchNorm2d(2));
    auto doubled = m.add("doubled", nn::Linear(4, 4)), head = m.add("head", nn::Linear(4, 3));
    auto of_doubled = m.add("of_doubled", nn::BatchNorm1d(4)), of_turned = m.add("of_turned", nn::BatchNorm1d(3));
    return [=](at::Tensor const& x) mutable {
      auto const y = twice(x);
      auto const both = at::cat({first(y), second(y)}, 1).mean({2, 3});
      auto const rows = of_turned(turned(x.mean({3}).narrow(2, 0, 3)));  // [B, 3, 3]: normalises rows, not what the layer gives
      return head(of_doubled(2.0 * doubled(both))) + rows.mean(2);
    };
  });
  torch_model<double> model(module, images());
  CHECK(says(words_of([&] { (void)score<bn_scale>(model, shape{3, 5, 5}); }),
             "no batch norm with scales is the only one to read what a layer gives"));
}

TEST_CASE("parameters that share memory are refused: expanded, overlapping, or two tensors in one place") {
  auto const taking = [](std::vector<at::Tensor> const& parameters) {
    auto const module = std::make_shared<assembled>();
    for (std::size_t i = 0; i < parameters.size(); ++i) module->register_parameter("p" + std::to_string(i), parameters[i]);
    return words_of([&] { torch_model<double> model(module); });
  };
  auto const all = at::randn({6, 4}, at::kDouble);
  CHECK(says(taking({at::randn({1, 4}, at::kDouble).expand({3, 4})}), "the parameter p0 [3, 4] is expanded"));
  CHECK(says(taking({all, all.detach()}), "the parameters p0 and p1 are two tensors over the same memory"));
  CHECK(says(taking({all.narrow(0, 0, 4), at::randn({2, 2}, at::kDouble), all.narrow(0, 3, 3)}), "the parameters p0 and p2"));
  CHECK(taking({all.narrow(0, 0, 3), all.narrow(0, 3, 3)}) == "no error");
  CHECK(taking({all, all}) == "no error");
}

TEST_CASE("a script's tied weight is one weight, though a file may hold it as two tensors of one storage") {
  auto const build = [](bool two_tensors) {
    torch::jit::Module module("Tied", std::make_shared<torch::jit::CompilationUnit>());
    module.register_attribute("training", c10::BoolType::get(), false);
    at::manual_seed(3);
    auto const w = at::randn({4, 4}, at::kDouble).set_requires_grad(true);
    module.register_parameter("first", w, false);
    module.register_parameter("second", two_tensors ? w.detach().set_requires_grad(true) : w, false);
    module.define("def forward(self, x):\n  return torch.linear(torch.relu(torch.linear(x, self.first)), self.second)\n");
    return module;
  };
  auto const one = build(false), two = build(true);
  std::stringstream file;
  two.save(file);
  auto const loaded = torch::jit::load(file);
  at::manual_seed(6);
  auto const batch = torch_batch<double>(at::randn({5, 4}, at::kDouble), at::tensor({0, 1, 2, 3, 0}, at::kLong));
  torch_model<double> reference(one);
  auto const expected = score<snip>(reference, batch, {}).parameters;
  REQUIRE(expected.size() == 1);
  for (auto const& each : {two, loaded}) {
    torch_model<double> model(each);
    auto const found = score<snip>(model, batch, {}).parameters;
    REQUIRE(found.size() == 1);
    CHECK(found[0].name == "first");
    CHECK(found[0].values.get().equal(expected[0].values.get()));
    CHECK(model.state().size() == 2);
  }
}

TEST_CASE("scores under autocast are refused") {
  auto const module = assemble([](assembled& m) {
    auto first = m.add("first", nn::Linear(4, 4)), head = m.add("head", nn::Linear(4, 3));
    return [=](at::Tensor const& x) mutable { return head(at::relu(first(x))).to(at::kFloat); };
  });
  module->to(at::kFloat);
  torch_model<float> model(module);
  auto const batch = torch_batch<float>(at::randn({3, 4}), at::tensor({0, 1, 2}, at::kLong));
  lnpt::detail::autocast_guard const mixed(at::kCPU, true);
  CHECK(says(words_of([&] { (void)score<snip>(model, batch, {}); }), "not scored under autocast"));
  CHECK(says(words_of([&] { (void)score<synflow>(model, shape{4}, {}); }), "not scored under autocast"));
}

TEST_CASE("a module with the size of its batches in its code is scored with batches of that size") {
  auto size = std::int64_t{6};
  auto const module = assemble([&](assembled& m) {
    auto body = m.add("body", nn::Conv2d(3, 4, 3));
    auto first = m.add("first", nn::Linear(36, 5)), head = m.add("head", nn::Linear(5, 3));
    return [=, &size](at::Tensor const& x) mutable { return head(at::tanh(first(at::relu(body(x)).view({size, -1})))); };
  });
  auto const of_any_size = [&](at::Tensor const& x) {
    auto const own = std::exchange(size, x.size(0));
    auto const y = module->run(x);
    size = own;
    return y;
  };
  torch_model<double> model(module), reference(module, of_any_size);
  auto const x = images();
  auto const expected = score<snip>(reference, numbered(x), {}), found = score<snip>(model, numbered(x), {});
  REQUIRE(found.parameters.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(distance(found.parameters[i].values.get(), expected.parameters[i].values.get()) < 1e-12);
  check_squares(module, x, of_any_size);
  // Nothing is to be frozen, so that no pass is made of all parts together.
  CHECK_NOTHROW((void)score<fisher>(model, std::vector{numbered(x), numbered(x.flip(0))}, {}));
  CHECK(says(words_of([&] { (void)score<snip>(model, numbered(x.narrow(0, 0, 4)), {}); }), "an input of Double [4, 3, 5, 5]"));
}

TEST_CASE("a module that torch.nn.utils.prune has masked is told what makes its weights weights again") {
  auto const module = assemble([](assembled& m) {
    auto const weight = m.parameter("weight_orig", {3, 4}),
               mask = m.register_buffer("weight_mask", at::ones({3, 4}, at::kDouble));
    return [=](at::Tensor const& x) { return at::linear(x, weight * mask); };
  });
  torch_model<double> model(module);
  auto const batch = torch_batch<double>(at::randn({3, 4}, at::kDouble), at::tensor({0, 1, 2}, at::kLong));
  auto const way_out = "computes a weight of weight_orig in every pass: call torch.nn.utils.prune.remove";
  CHECK(says(words_of([&] { (void)score<snip>(model, batch, {}); }), way_out));
  CHECK(says(words_of([&] { (void)score<synflow>(model, shape{4}, {}); }), way_out));

  auto const partly = assemble([](assembled& m) {
    auto const weight = m.parameter("weight_orig", {4, 4}),
               mask = m.register_buffer("weight_mask", at::ones({4, 4}, at::kDouble));
    auto head = m.add("head", nn::Linear(4, 3));
    return [=](at::Tensor const& x) mutable { return head(at::relu(at::linear(x, weight * mask))); };
  });
  torch_model<double> half(partly);
  auto const report = prune<snip>(half, batch, {.budget = sparsity{0.5}}).report;
  REQUIRE(report.warnings.size() == 1);
  CHECK(says(report.warnings[0], way_out));

  auto const normed = assemble([](assembled& m) {
    auto const length = m.parameter("weight_g", {4, 1}), direction = m.parameter("weight_v", {4, 4});
    auto head = m.add("head", nn::Linear(4, 3));
    return [=](at::Tensor const& x) mutable {
      return head(at::relu(at::linear(x, length * direction / direction.norm(2, 1, true))));
    };
  });
  torch_model<double> with_norm(normed);
  auto const of_norm = prune<snip>(with_norm, batch, {.budget = sparsity{0.5}}).report;
  REQUIRE(of_norm.warnings.size() == 1);
  CHECK(says(of_norm.warnings[0], "torch.nn.utils.weight_norm computes a weight of weight_"));
}

TEST_CASE("embeddings that shorten their rows are as they were after scoring") {
  auto const module = assemble([](assembled& m) {
    auto words = m.add("words", nn::Embedding(nn::EmbeddingOptions(6, 4).max_norm(0.1)));
    auto head = m.add("head", nn::Linear(4, 3));
    return [=](at::Tensor const& x) mutable { return head(words(x.to(at::kLong)).mean(1)); };
  });
  auto const table = module->named_parameters()["words.weight"];
  auto const before = table.detach().clone();
  torch_model<double> model(module);
  auto const words = at::tensor({0, 1, 2, 3, 4, 5}, at::kDouble).view({3, 2});
  static_cast<void>(score<snip>(model, torch_batch<double>(words, at::tensor({0, 1, 2}, at::kLong)), {}));
  CHECK(table.equal(before));
}

TEST_CASE("the axis that counts output channels follows views and operators, and where they do not tell it is not guessed") {
  auto const module = assemble([](assembled& m) {
    auto const kernel = m.parameter("kernel", {3, 3, 3, 4});                                  // TensorFlow's layout
    auto const scaled = m.parameter("scaled", {4, 6}), other = m.parameter("other", {3, 8});  // 4 inputs of 6 outputs, and 6 of 4
    auto const several = m.parameter("several", {5, 4, 4}), summed = m.parameter("summed", {4, 5, 3});
    return [=](at::Tensor const& x) {
      auto const y = at::relu(at::conv2d(x, kernel.permute({3, 2, 0, 1}))).mean({2, 3});
      auto const z = at::relu(at::addmm(at::zeros({6}, at::kDouble), y, scaled, 1, 0.5));
      auto const u = at::bmm(at::matmul(z, other.view({6, 4})).unsqueeze(0).expand({5, -1, -1}), several);  // [5, B, 4]
      return at::einsum("abi,iao->bo", {u, summed});
    };
  });
  torch_model<double> model(module, images());
  std::vector<std::size_t> axes;
  for (auto const& p : model.parameters()) axes.push_back(p.output_axis);
  CHECK((axes == std::vector<std::size_t>{3, 1, unknown_axis, 2, unknown_axis}));
  auto const by_channels = [&] { (void)prune<snip, channel_structured>(model, numbered(images()), {.budget = channels{0.5}}); };
  CHECK(says(words_of(by_channels), "which axis of other [3, 8] counts output channels is not known"));
  CHECK(prune<snip>(model, numbered(images()), {.budget = sparsity{0.5}}).masks.find("other")->size() == 24);
}

TEST_CASE("trained tensors that no module holds are named in the report") {
  nn::Linear forgotten(4, 4);
  forgotten->to(at::kDouble);
  auto const module = assemble([&](assembled& m) {
    auto head = m.add("head", nn::Linear(4, 3));
    return [=](at::Tensor const& x) mutable { return head(at::relu(forgotten(x))); };
  });
  torch_model<double> model(module);
  auto const batch = torch_batch<double>(at::randn({3, 4}, at::kDouble), at::tensor({0, 1, 2}, at::kLong));
  auto const report = prune<snip>(model, batch, {.budget = sparsity{0.5}}).report;
  REQUIRE(report.warnings.size() == 1);
  CHECK(says(report.warnings[0], "the logits depend on 2 trained tensors that no module holds"));
}

TEST_CASE("a batch norm that computes by operators of its own is not frozen, but for one that is always its constants") {
  auto const build = [](bool learns) {
    return assemble([=](assembled& m) {
      struct own_norm : nn::Module {
        explicit own_norm(bool is_learning) : learning(is_learning) {
          mean = register_buffer("running_mean", at::zeros({3}));
          variance = register_buffer("running_var", at::ones({3}));
        }
        at::Tensor forward(at::Tensor const& x) {
          if (!learning || !is_training()) return (x - mean.view({1, 3, 1, 1})) / variance.view({1, 3, 1, 1}).sqrt();
          auto const now = x.mean({0, 2, 3});
          mean.mul_(0.9).add_(now.detach(), 0.1);
          return x - now.view({1, 3, 1, 1});
        }
        bool learning;
        at::Tensor mean, variance;
      };
      auto const norm = m.register_module("norm", std::make_shared<own_norm>(learns));
      auto body = m.add("body", nn::Conv2d(3, 4, 3));
      auto of_training = m.add("of_training", nn::BatchNorm1d(4));  // as the norms of auxiliary heads are
      auto head = m.add("head", nn::Linear(4, 3));
      return [=](at::Tensor const& x) mutable {
        auto const y = at::relu(body(norm->forward(x))).mean({2, 3});
        return head(of_training->is_training() ? of_training(y) : y);
      };
    });
  };
  auto const learning = build(true), constant = build(false);
  auto const before = snapshot(*learning);
  torch_model<double> model(learning), frozen(constant);
  CHECK(says(words_of([&] { (void)model.forward(images(), {norm_mode::frozen}); }),
             "batch norm norm computes by operators of its own"));
  CHECK(words_of([&] { (void)model.forward(images(), {norm_mode::eval}); }) == "no error");
  CHECK(words_of([&] { (void)model.forward(images(), {norm_mode::train}); }) == "no error");
  CHECK(words_of([&] { (void)frozen.forward(images(), {norm_mode::frozen}); }) == "no error");
  CHECK(same(snapshot(*learning), before));
}
