// TorchScript: what an operator shows of a call from the interpreter, and that scripts and traces are scored as the modules they are.
#include "doctest.hpp"

#include <torch/csrc/jit/api/module.h>

#include <lnpt/criterion/snip.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/torch/module/script.hpp>

#include "support.hpp"

using namespace lnpt;
using namespace torch_support;

namespace {

/// A module of a script, of a class of this name; parameters and buffers are registered by hand.
class script {
 public:
  explicit script(std::string const& type) : module(type, std::make_shared<torch::jit::CompilationUnit>()) {
    module.register_attribute("training", c10::BoolType::get(), true);
  }

  script& parameter(std::string const& name, at::Tensor const& value) {
    module.register_parameter(name, value.detach().clone().set_requires_grad(true), false);
    return *this;
  }
  script& buffer(std::string const& name, at::Tensor const& value) {
    module.register_buffer(name, value.clone());
    return *this;
  }
  script& forward(std::string const& body) {
    module.define("def forward(self, x):\n" + body);
    return *this;
  }

  torch::jit::Module module;
};

/// x + norm(x), averaged over the image, then a classifier: before the norm's arguments the interpreter's stack holds x.
script residual_norm(std::string const& training, std::string const& before = "") {
  at::manual_seed(1);
  script s("Residual");
  s.parameter("scale", at::rand({4}, at::kDouble)).parameter("shift", at::rand({4}, at::kDouble));
  s.parameter("fc", at::randn({3, 4}, at::kDouble));
  s.buffer("running_mean", at::rand({4}, at::kDouble)).buffer("running_var", at::rand({4}, at::kDouble) + 0.5);
  s.buffer("num_batches_tracked", at::zeros({}, at::kLong));
  s.forward(before + "  y = x + torch.batch_norm(x, self.scale, self.shift, self.running_mean, self.running_var, " + training +
            ", 0.1, 1e-05, False)\n  return torch.matmul(torch.mean(torch.relu(y), [2, 3]), self.fc.t())\n");
  return s;
}

std::vector<at::Tensor> state_of(torch::jit::Module const& module) {
  std::vector<at::Tensor> state;
  for (auto const& b : module.buffers()) state.push_back(b.clone());
  state.push_back(at::tensor(static_cast<std::int64_t>(module.attr("training").toBool())));
  return state;
}

at::Tensor images() { return at::randn({6, 4, 5, 5}, at::kDouble); }

}  // namespace

TEST_CASE("a norm behind an operand on the interpreter's stack is frozen to the statistics of the batch") {
  auto const s = residual_norm("self.training");
  torch_model<double> model(s.module);
  auto const x = images();
  auto const trained = model.forward(x, {norm_mode::train}).output().get();
  CHECK(distance(model.forward(x, {norm_mode::frozen}).output().get(), trained) < 1e-12);
  CHECK(distance(model.forward(x, {norm_mode::eval}).output().get(), trained) > 1e-3);
}

TEST_CASE("scoring leaves the buffers of a script as they were, also those that it assigns to") {
  auto const s =
      residual_norm("self.training", "  if self.training:\n    self.num_batches_tracked = self.num_batches_tracked + 1\n");
  torch_model<double> model(s.module);
  auto const before = state_of(s.module);
  auto const batch = torch_batch<double>(images(), at::tensor({0, 1, 2, 0, 1, 2}, at::kLong));
  for (auto const mode : {norm_mode::train, norm_mode::frozen, norm_mode::eval})
    (void)score<snip>(model, batch, {.batch_norm = mode});
  (void)model.synaptic_flow({1, 4, 5, 5});
  CHECK(same(state_of(s.module), before));
}

TEST_CASE("a trace in one mode is refused in the other, and not changed") {
  auto const training = residual_norm("True"), evaluating = residual_norm("False");
  auto const refusal = [](script const& s, norm_mode mode) {
    torch_model<double> model(s.module);
    return words_of([&] { (void)model.forward(images(), {mode}); });
  };
  auto const before = state_of(training.module);
  CHECK(says(refusal(training, norm_mode::eval), "trains although it was told to evaluate"));
  CHECK(says(refusal(training, norm_mode::frozen), "trains although it was told to evaluate"));
  CHECK(refusal(training, norm_mode::train) == "no error");
  CHECK(same(state_of(training.module), before));
  CHECK(says(refusal(evaluating, norm_mode::train), "evaluates although it was told to train"));
  CHECK(refusal(evaluating, norm_mode::eval) == "no error");

  script drawing("Drawing");
  drawing.parameter("weight", at::ones({2, 4}, at::kDouble));
  drawing.forward("  return torch.matmul(x + torch.alpha_dropout(x, 0.5, True), self.weight.t())\n");
  torch_model<double> model(drawing.module);
  CHECK(says(words_of([&] { (void)model.forward(at::ones({3, 4}, at::kDouble)); }), "alpha_dropout draws although"));
}

TEST_CASE("one module under two names is restored once") {
  auto const unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module norm("BatchNorm2d", unit), net("Net", unit);
  for (auto* each : {&norm, &net}) each->register_attribute("training", c10::BoolType::get(), true);
  norm.register_buffer("running_mean", at::full({4}, -1.0, at::kDouble));
  norm.register_buffer("running_var", at::ones({4}, at::kDouble));
  norm.define(
      "def forward(self, x):\n  return torch.batch_norm(x, None, None, self.running_mean, self.running_var, self.training, 0.1, "
      "1e-05, False)\n");
  net.register_parameter("fc", at::randn({3, 4}, at::kDouble).set_requires_grad(true), false);
  net.register_module("norm", norm);
  net.register_module("bn", norm);
  net.define("def forward(self, x):\n  return torch.matmul(torch.mean(self.bn.forward(x), [2, 3]), self.fc.t())\n");
  torch_model<double> model(net);
  for (auto const mode : {norm_mode::train, norm_mode::frozen}) (void)model.forward(images(), {mode});
  (void)model.synaptic_flow({1, 4, 5, 5});
  CHECK(norm.attr("running_mean").toTensor().equal(at::full({4}, -1.0, at::kDouble)));
  CHECK(norm.attr("running_var").toTensor().equal(at::ones({4}, at::kDouble)));
}

TEST_CASE("squares per sample of a script come from one pass, and are those of one pass for each sample") {
  at::manual_seed(2);
  script s("Net");
  s.parameter("kernel", at::randn({4, 4, 3, 3}, at::kDouble)).parameter("fc", at::randn({3, 4}, at::kDouble));
  s.forward(
      "  y = x + torch.relu(x + torch.conv2d(x, self.kernel, None, [1, 1], [1, 1], [1, 1], 1))\n"
      "  return torch.matmul(torch.mean(y, [2, 3]), self.fc.t())\n");
  auto calls = 0;
  auto const forward = [&](at::Tensor const& x) {
    ++calls;
    return s.module.forward({x}).toTensor();
  };
  torch_model<double> model(s.module, forward);
  auto const x = images();
  auto const t = model.forward(x);
  calls = 0;
  auto const squares = model.sample_squared_gradients(t, {torch_tensor<double>(at::ones({6, 3}, at::kDouble)), std::nullopt});
  CHECK(calls == 0);
  CHECK(distance(squares[0]->get(), squares_one_by_one(forward, x, s.module.attr("kernel").toTensor())) < 1e-12);
  CHECK(distance(squares[1]->get(), squares_one_by_one(forward, x, s.module.attr("fc").toTensor())) < 1e-12);
}

TEST_CASE("attention has second derivatives, whichever kernel LibTorch would choose") {
  auto const spelling = c10::Dispatcher::singleton().findSchema({"aten::scaled_dot_product_attention", ""})
                            ? std::string("torch.scaled_dot_product_attention(q, q, q)")
                            : std::string("torch._scaled_dot_product_attention(q, q, q)[0]");
  at::manual_seed(3);
  script s("Net");
  s.parameter("q", at::randn({8, 8}, at::kDouble)).parameter("fc", at::randn({3, 8}, at::kDouble));
  s.forward("  q = torch.matmul(x, self.q.t()).reshape(-1, 5, 2, 4).transpose(1, 2)\n  y = " + spelling +
            "\n  return torch.matmul(torch.mean(y.transpose(1, 2).reshape(-1, 5, 8), 1), self.fc.t())\n");
  torch_model<double> model(s.module);
  auto const x = at::randn({2, 5, 8}, at::kDouble);
  auto const half_a_square = [](auto const& predicted) {
    return cotangents<torch_tensor<double>>{predicted.output, std::nullopt};
  };
  auto const q = s.module.attr("q").toTensor();
  auto const v = at::randn({8, 8}, at::kDouble);
  auto t = model.forward(x);
  (void)model.retained_backward(t, half_a_square);
  auto const found = model.hessian_vector_product(t, half_a_square, {torch_tensor<double>(v), std::nullopt});
  auto const gradient_at = [&](double step) {
    at::NoGradGuard const plain;
    q.add_(v, step);
    at::AutoGradMode const recording(true);
    auto moved = model.forward(x);
    return model.backward(moved, {moved.output(), std::nullopt})[0]->get();
  };
  constexpr auto step = 1e-5;
  auto const ahead = gradient_at(step), behind = gradient_at(-2 * step);
  CHECK(distance(found[0]->get(), (ahead - behind) / (2 * step)) < 1e-6);
}

TEST_CASE("what fails inside a script is refused in one sentence") {
  auto const s = residual_norm("self.training");
  torch_model<double> model(s.module);
  auto const words = words_of([&] { (void)model.forward(at::ones({2, 3, 5, 5}, at::kDouble)); });
  CHECK(says(words, "LibTorch could not run"));
  CHECK(words.find('\n') == words.npos);
}

TEST_CASE("a script is scored as the module it stands for") {
  at::manual_seed(4);
  auto const w = at::randn({5, 3}), c = at::randn({2, 5});
  script s("Pair");
  s.parameter("hidden", w).parameter("fc", c);
  s.forward("  return torch.matmul(torch.relu(torch.matmul(x, self.hidden.t())), self.fc.t())\n");
  torch_model model(s.module);
  auto const x = at::randn({4, 3});
  auto const hidden = s.module.attr("hidden").toTensor();
  for (int i = 0; i < 4; ++i) {  // the optimising executor would take over from the third call on
    auto t = model.forward(x);
    CHECK(at::allclose(t.features().get(), at::relu(x.mm(w.t()))));
    auto const g = model.backward(t, {std::nullopt, torch_tensor<float>(at::ones({4, 5}))}, which_gradients::prunable);
    CHECK(at::allclose(g[0]->get(), torch::autograd::grad({at::relu(x.mm(hidden.t())).sum()}, {hidden})[0]));
    CHECK_FALSE(g[1].has_value());
  }
  CHECK(model.parameters()[0].role == role::weight);
  CHECK(model.parameters()[1].role == role::classifier_weight);

  // A copy is no view of the parameter: neither weight nor classifier.
  script copied("Network");
  copied.parameter("weight", at::randn({4, 3}));
  copied.forward("  return x.matmul(self.weight.t().contiguous().t().t())\n");
  torch_model unknown(copied.module);
  CHECK(says(words_of([&] { (void)unknown.forward(at::ones({2, 3})).features(); }), "the features were not found"));
  CHECK_FALSE(is_prunable(unknown.parameters()[0].role));
}
