/// Forward over reverse: the replay of a recorded pass against duals that compute every value again.
#include "../conformance/support.hpp"

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/nn/builder.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

using namespace lnpt;

namespace {

/// A direction in all prunable weights, or in those of parameter `only`.
template <class Model>
gradients<tensor_of<Model>> direction(Model& model, std::optional<std::size_t> only = std::nullopt) {
  gradients<tensor_of<Model>> v;
  for (auto const& p : model.parameters()) {
    v.emplace_back();
    if (!is_prunable(p.role) || (only && *only + 1 != v.size())) continue;
    v.back() = *p.value;
    for (std::size_t i = 0; i < v.back()->size(); ++i)
      v.back()->data()[i] = static_cast<value_type<tensor_of<Model>>>(normal(9, v.size(), i).first);
  }
  return v;
}

/// H v both ways, in every mode: the same bits.
template <class T, class Model>
void compare(Model model, shape const& extents) {
  auto const batch = random_batch<cpu::array<T>>(extents, 3, 4);
  auto const teacher_prediction = conformance::detail::taught_predictions(model, batch.input, 1);
  conformance::subject<Model> const s{model, batch, teacher_prediction, {}};
  auto const check = [&](auto const& loss, normalization const& norm, auto const& v) {
    scoring_problem<Model, std::remove_cvref_t<decltype(loss)>> const problem(model, std::span(&batch, 1), s.guide(), loss, norm,
                                                                              {});
    auto const rule = problem.rule(problem.parts().front());
    auto trace = model.forward(batch.input, norm);
    auto const g = model.retained_backward(trace, rule, which_gradients::prunable);
    auto const slope = rule(prediction_of(model, trace));
    CHECK(conformance::detail::same_bits(g, model.backward(trace, slope, which_gradients::prunable)));
    CHECK(conformance::detail::same_bits(g, model.backward(model.forward(batch.input, norm), slope, which_gradients::prunable)));
    auto const replayed = model.hessian_vector_product(trace, rule, v);
    CHECK(conformance::detail::length(conformance::detail::concatenated(model, replayed)) > 0);
    CHECK(conformance::detail::same_bits(replayed, model.hessian_vector_product_on_duals(trace, rule, v)));
    CHECK(conformance::detail::same_bits(replayed, model.hessian_vector_product(trace, rule, v)));
    CHECK(conformance::detail::same_bits(replayed, model.hessian_vector_product(std::move(trace), rule, v)));  // uses it up
  };
  for (auto const& norm : conformance::detail::modes_of(model, batch.input)) {
    check(cross_entropy{}, norm, direction(model));
    check(feature_gap{}, norm, direction(model));
    check(cross_entropy{} + 0.5 * feature_mse{}, norm, direction(model));
    check(cross_entropy{}, norm, direction(model, 0));
  }
}

/// One of each kind of layer; without `differences` none that turns a flow around, which synflow refuses.
template <class T>
network<cpu::backend<T>> every_layer(bool differences = true) {
  network_builder<cpu::backend<T>> net(2, 8);
  auto const x = net.activation(net.conv2d("conv", net.input(), 4, {.bias = true}), {activation_kind::silu});
  auto const y = net.batch_norm("bn", net.conv2d("grouped", x, 4, {.groups = 2}), true);
  auto const twice = net.batch_norm("second", net.batch_norm("first", y));  // whose output is restored from a restored one
  auto const z =
      net.concat({net.join(x, y, true), net.join(net.conv2d("deep", y, 4, {.groups = 4}), x), net.conv2d("behind", twice, 2)});
  auto const gate = net.activation(net.conv2d("gate", net.average_pool(z, 6, 1), net.width(z), {.kernel = 1, .padding = 0}),
                                   {activation_kind::hardsigmoid});
  auto const gated = net.multiply(z, gate);
  auto const y2 = !differences ? gated : net.divide(net.subtract(gated, gate), net.affine_constant(net.join(gate, gate), 0.5, 1));
  auto const turned =
      net.slice(net.channel_shuffle(net.pad(net.upsample_nearest(x, 2), {1, 0}, 1, 1), 3), {{1, 6, 2}, {2, 14, 4}, {0, 12, 4}});
  auto const pooled = net.concat(
      {turned, net.average_pool(y2, 2, 2), net.max_pool(z, 2, 2), net.average_pool(z, 2, 2), net.subsample_pad(x, 2, 5)});
  auto const flat = net.prelu("prelu", net.linear("hidden", net.flatten(pooled), 7, net.width(pooled) * 9));
  net.classifier("fc", flat, 3);
  return std::move(net).build();
}

}  // namespace

TEST_CASE_TEMPLATE("replayed tangents have the bits of computed ones, on every kind of layer and in the zoo", T, double, float) {
  using backend = cpu::backend<T>;
  compare<T>(every_layer<T>(), {3, 2, 6, 6});
  std::vector<std::size_t> const sizes{6, 8, 5, 3};
  compare<T>(zoo::mlp<backend>(sizes), {5, 6});
  compare<T>(zoo::vgg<backend>({.depth = 11, .width = 2, .classes = 3}), {3, 3, 16, 16});
  compare<T>(zoo::resnet<backend>({.depth = 8, .widths = {2, 4, 6}, .classes = 3}), {3, 3, 8, 8});
  compare<T>(zoo::resnet<backend>({.depth = 8, .widths = {2, 4, 6}, .classes = 3, .shortcut = zoo::shortcut::zero_padded}),
             {3, 3, 8, 8});
  compare<T>(zoo::mobilenet<backend>({.width = 2, .classes = 3}), {3, 3, 32, 32});
}

TEST_CASE("a network with every kind of layer conforms") {
  auto model = every_layer<double>(false);
  check_conforms(conformance::examine(model, random_batch<cpu::array<double>>({4, 2, 6, 6}, 3, 5)));
}

TEST_CASE("of f = ½ (a x)² with x = 3 the second derivative is 9, by duals of numbers in the head") {
  using number = dual<double>;
  auto const slope = [](number const& a) { return (3.0 * a) * number(3.0); };  // ∂f/∂a = (a x) x
  CHECK(slope({2.0, 1.0}).value == 18);
  CHECK(*slope({2.0, 1.0}).tangent == 9);
  CHECK_FALSE(slope({2.0}).tangent.has_value());  // a constant has no tangent, and costs none
  number const x{5.0, 2.0}, y{7.0, 3.0};
  CHECK(*(x * y).tangent == 2 * 7 + 5 * 3);
  CHECK(*(x - y).tangent == 2 - 3);
  CHECK(*(x * number(4.0)).tangent == 8);
}
