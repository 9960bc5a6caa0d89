/// Every layer's reverse rule, Hessian- and Jacobian-vector product, in every batch-norm mode, against central differences.
#include "../conformance/support.hpp"

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/evidence/flow.hpp>
#include <lnpt/nn/builder.hpp>

using namespace lnpt;
using backend = cpu::backend<double>;
using builder = network_builder<backend>;

namespace {

/// What synflow makes of a layer: scores, or the refusal of a flow that is negative.
enum class synflow_is { scored, refused };

/// A convolution, so that cotangents have somewhere to go; then the layer; then what it takes to reach a loss.
template <class Layer>
void examine_layer(char const* name, shape const& input, Layer const& layer, synflow_is expected = synflow_is::scored) {
  CAPTURE(name);
  builder net(input[1], 21);
  auto const first = net.conv2d("first", net.input(), 4, {.bias = true});
  auto const last = layer(net, first);
  net.classifier("fc", net.global_average_pool(net.conv2d("last", last, 3)), 3);
  auto model = std::move(net).build();
  for (std::uint64_t stream = 0; auto const& p : model.parameters()) {  // biases and norm parameters unlike 0 and 1
    ++stream;
    if (!is_prunable(p.role))
      for (std::size_t i = 0; i < p.value->size(); ++i) p.value->data()[i] += 0.5 * uniform(3, stream, i);
  }
  auto const batch = random_batch<cpu::array<double>>(input, 3, 17);
  if (expected == synflow_is::scored) return check_conforms(conformance::examine(model, batch));
  conformance::findings found;
  conformance::subject<decltype(model)> const s{model, batch, conformance::detail::taught_predictions(model, batch.input, 1), {}};
  for (auto const& norm : conformance::detail::modes_of(model, batch.input)) conformance::detail::examine_mode(s, norm, found);
  check_conforms(found);
  CHECK_THROWS_WITH_AS((void)score<synflow>(model, shape(input.begin() + 1, input.end())), doctest::Contains("is negative in"),
                       lnpt::error);
}

shape const small{3, 2, 7, 6};

}  // namespace

TEST_CASE("convolutions of every stride, padding and grouping") {
  auto const examine = [](char const* name, std::size_t outputs, conv_options const& o) {
    examine_layer(name, small, [&](builder& net, auto x) { return net.conv2d("layer", x, outputs, o); });
  };
  examine("3x3", 5, {});
  examine("3x3, bias", 5, {.bias = true});
  examine("stride 2", 5, {.stride = 2});
  examine("no padding", 5, {.padding = 0});
  examine("padding 2", 5, {.padding = 2});
  examine("1x1", 5, {.kernel = 1, .padding = 0});
  examine("1x1, stride 2", 5, {.kernel = 1, .stride = 2, .padding = 0});
  examine("5x5, stride 3, padding 2", 5, {.kernel = 5, .stride = 3, .padding = 2});
  examine("1x3, stride 1x2, dilation 1x2", 5, {.kernel = {1, 3}, .stride = {1, 2}, .padding = {0, 2}, .dilation = {1, 2}});
  examine("dilation 2, padded at two sides", 5, {.padding = {1, 0, 2, 3}, .dilation = 2, .bias = true});
  examine("two groups", 6, {.groups = 2});
  examine("two groups, stride 2, bias", 6, {.stride = 2, .groups = 2, .bias = true});
  examine("depthwise", 4, {.groups = 4});
  examine("depthwise, stride 2, bias", 4, {.stride = 2, .groups = 4, .bias = true});
  examine("depthwise with two outputs each", 8, {.groups = 4});
}

TEST_CASE("convolutions of sequences are those of images with one row") {
  shape const sequences{3, 2, 13};
  examine_layer("conv1d", sequences, [](builder& net, auto x) {
    return net.conv2d("layer", x, 5, {.kernel = {1, 5}, .stride = {1, 2}, .padding = {0, 4}, .dilation = {1, 2}});
  });
  examine_layer("max pool", sequences, [](builder& net, auto x) { return net.max_pool(x, {1, 3}, {1, 2}); });
}

TEST_CASE("batch norm, with its rectifier and without, once and twice") {
  examine_layer("batch norm", small, [](builder& net, auto x) { return net.batch_norm("layer", x); });
  examine_layer("batch norm, rectified", small, [](builder& net, auto x) { return net.batch_norm("layer", x, true); });
  examine_layer("batch norm without scale and shift", small,
                [](builder& net, auto x) { return net.batch_norm("layer", x, true, false); });
  examine_layer("two of them", small, [](builder& net, auto x) {
    return net.batch_norm("second", net.conv2d("between", net.batch_norm("layer", x, true), 4), true);
  });
}

TEST_CASE("rectifier, pools and shortcut") {
  examine_layer("relu", small, [](builder& net, auto x) { return net.relu(x); });
  examine_layer("max pool", small, [](builder& net, auto x) { return net.max_pool(x, 2, 2); });
  examine_layer("overlapping max pool, padded", small, [](builder& net, auto x) { return net.max_pool(x, 3, 2, 1); });
  examine_layer("average pool", small, [](builder& net, auto x) { return net.average_pool(x, 2, 2); });
  examine_layer("overlapping average pool, padded", small, [](builder& net, auto x) { return net.average_pool(x, 3, 2, 1); });
  examine_layer("max pool of a column, ceiling", small, [](builder& net, auto x) { return net.max_pool(x, {3, 1}, 2, 0, true); });
  examine_layer("average pool, padded at two sides", small,
                [](builder& net, auto x) { return net.average_pool(x, {2, 3}, {1, 2}, {1, 0, 0, 1}, true, false); });
  examine_layer("adaptive average pool", small, [](builder& net, auto x) { return net.adaptive_average_pool(x, {7, 2}); });
  examine_layer("option-A shortcut", small, [](builder& net, auto x) { return net.subsample_pad(x, 2, 7); });
}

TEST_CASE("activation functions, smooth and not") {
  using f = activation_function;
  for (auto const& function : {f::relu6(), f::hardtanh(-0.4, 0.5), f::leaky_relu(0.1), f::elu(0.7), f{activation_kind::silu},
                               f{activation_kind::sigmoid}, f{activation_kind::hardswish}, f{activation_kind::hardsigmoid},
                               f{activation_kind::gelu}, f{activation_kind::gelu_by_tanh}, f{activation_kind::tanh}}) {
    auto const name = "activation " + std::to_string(static_cast<int>(function.kind));
    examine_layer(name.c_str(), small, [&](builder& net, auto x) { return net.activation(x, function); });
  }
  examine_layer("prelu", small, [](builder& net, auto x) { return net.prelu("layer", x); });
  examine_layer("prelu per channel", small, [](builder& net, auto x) { return net.prelu("layer", x, true); });
}

TEST_CASE("products, differences and quotients, of gates too") {
  auto const branch = [](builder& net, auto x) { return net.conv2d("branch", x, 4); };
  // A gate [C, N, 1, 1] away from 0, and one [1, N, H, W].
  auto const gate = [](builder& net, auto x) {
    return net.activation(net.conv2d("gate", net.average_pool(x, {7, 6}, 1), 4, {.kernel = 1, .padding = 0}),
                          {activation_kind::sigmoid});
  };
  auto const attention = [](builder& net, auto x) {
    return net.activation(net.conv2d("attention", x, 1), {activation_kind::sigmoid});
  };
  examine_layer("multiply", small, [&](builder& net, auto x) { return net.multiply(x, branch(net, x)); });
  examine_layer("a node times itself", small, [](builder& net, auto x) { return net.multiply(x, x); });
  examine_layer("gate", small, [&](builder& net, auto x) { return net.multiply(x, gate(net, x)); });
  examine_layer("gate first", small, [&](builder& net, auto x) { return net.multiply(gate(net, x), x); });
  examine_layer("attention", small, [&](builder& net, auto x) { return net.multiply(x, attention(net, x)); });
  examine_layer("both stretch", small, [&](builder& net, auto x) { return net.multiply(attention(net, x), gate(net, x)); });
  examine_layer("add a gate", small, [&](builder& net, auto x) { return net.join(gate(net, x), x, true); });
  examine_layer("subtract", small, [&](builder& net, auto x) { return net.subtract(x, branch(net, x)); }, synflow_is::refused);
  examine_layer(
      "subtract from a gate", small, [&](builder& net, auto x) { return net.subtract(gate(net, x), x); }, synflow_is::refused);
  examine_layer("divide", small, [&](builder& net, auto x) { return net.divide(x, gate(net, x)); }, synflow_is::refused);
  examine_layer(
      "divide a gate", small, [&](builder& net, auto x) { return net.divide(gate(net, x), attention(net, x)); },
      synflow_is::refused);
  examine_layer("affine", small, [](builder& net, auto x) { return net.affine_constant(x, -1.5, 0.25); }, synflow_is::refused);
  examine_layer("affine, squared", small, [](builder& net, auto x) {
    auto const y = net.affine_constant(x, 1, 0.25);
    return net.multiply(y, y);
  });
}

TEST_CASE("tensors as nodes: scales and shifts per channel, constants, one number, one per pixel") {
  shape const per_channel{4, 1, 1, 1};
  examine_layer("scale and shift", small, [&](builder& net, auto x) {
    return net.join(net.multiply(x, net.leaf("gamma", per_channel, 0.5)), net.leaf("beta", per_channel, 0.1), true);
  });
  examine_layer("divided by a parameter", small,
                [&](builder& net, auto x) { return net.divide(x, net.leaf("temperature", per_channel, 1.5)); });
  examine_layer(
      "a parameter divided", small,
      [&](builder& net, auto x) {
        return net.divide(net.leaf("numerator", per_channel, 1), net.affine_constant(net.multiply(x, x), 1, 1));
      },
      synflow_is::refused);
  examine_layer("normalised by constants", small, [&](builder& net, auto x) {
    return net.divide(net.subtract(x, net.leaf("mean", per_channel, 0.01, true)), net.leaf("deviation", per_channel, 2, true));
  });
  examine_layer("the input normalised by constants", small, [&](builder& net, auto x) {
    shape const of_input{2, 1, 1, 1};
    auto const entering =
        net.divide(net.subtract(net.input(), net.leaf("mean", of_input, 0.4, true)), net.leaf("deviation", of_input, 2, true));
    return net.join(x, net.conv2d("layer", entering, 4));
  });
  examine_layer("one number", small, [](builder& net, auto x) { return net.multiply(net.leaf("gain", {1, 1, 1, 1}, 0.5), x); });
  examine_layer("one per pixel, a function of it", small, [](builder& net, auto x) {
    return net.multiply(x, net.activation(net.leaf("place", {1, 1, 7, 6}, 0.5), {activation_kind::sigmoid}));
  });
  examine_layer("one tensor in two places", small, [&](builder& net, auto x) {
    auto const gamma = net.leaf("gamma", per_channel, 0.5);
    return net.multiply(net.conv2d("layer", net.multiply(x, gamma), 4), gamma);
  });
}

TEST_CASE("values that only move") {
  examine_layer("slice of channels", small, [](builder& net, auto x) { return net.slice(x, {.channels = {1, 3}}); });
  examine_layer("slice with steps", small, [](builder& net, auto x) { return net.slice(x, {{0, 4, 2}, {1, 7, 3}, {0, 6, 2}}); });
  examine_layer("pad", small, [](builder& net, auto x) { return net.pad(x, {1, 0, 2, 3}, 1, 2); });
  examine_layer("channel shuffle", small,
                [](builder& net, auto x) { return net.channel_shuffle(net.concat({x, net.conv2d("branch", x, 2)}), 2); });
  examine_layer("upsample", small, [](builder& net, auto x) { return net.upsample_nearest(x, {2, 3}); });
  examine_layer("a gate of linear layers", small, [](builder& net, auto x) {
    auto const squeezed = net.activation(net.linear("fc1", net.global_average_pool(x), 4), {activation_kind::sigmoid});
    return net.multiply(x, net.unflatten(squeezed));
  });
  examine_layer("slices of features, as an image", small, [](builder& net, auto x) {
    auto const features = net.flatten(net.adaptive_average_pool(x, {7, 2}));
    std::size_t const all = 4 * 7 * 2;
    auto const part = net.add("slice", nn::slice{features, {.channels = {0, all, 2}}}, all / 2);
    return net.unflatten(part, {7, 2});
  });
}

TEST_CASE("branches that join") {
  auto const branch = [](builder& net, auto x) { return net.conv2d("branch", x, 4); };
  examine_layer("add", small, [&](builder& net, auto x) { return net.join(x, branch(net, x)); });
  examine_layer("add, rectified", small, [&](builder& net, auto x) { return net.join(x, branch(net, x), true); });
  examine_layer("a node added to itself", small, [&](builder& net, auto x) { return net.join(x, x); });
  examine_layer("concat", small, [&](builder& net, auto x) { return net.concat({x, branch(net, x), x}); });
  examine_layer("concat of the input, which has no tangent", small,
                [&](builder& net, auto x) { return net.concat({net.input(), x}); });
}

TEST_CASE("flatten and linear layers") {
  builder net(2, 5);
  auto const image = net.relu(net.conv2d("conv", net.input(), 3));
  net.classifier("fc", net.relu(net.linear("hidden", net.flatten(image), 6, 3 * 4 * 5)), 3);
  auto model = std::move(net).build();
  check_conforms(conformance::examine(model, random_batch<cpu::array<double>>({4, 2, 4, 5}, 3, 2)));
}

TEST_CASE("a convolution of ones over ones counts the pixels under its kernel") {
  builder net(1);
  net.conv2d("conv", net.input(), 1, {.bias = true});
  auto model = std::move(net).build();
  auto const parameters = model.parameters();
  *parameters[0].value = cpu::filled<double>({1, 1, 3, 3}, 1);
  *parameters[1].value = cpu::filled<double>({1}, 0.5);
  auto const trace = model.forward(cpu::filled<double>({1, 1, 3, 3}, 1));
  CHECK(values_of(trace.output()) == std::vector<double>{4.5, 6.5, 4.5, 6.5, 9.5, 6.5, 4.5, 6.5, 4.5});
}

TEST_CASE("a weight that two layers share: of w² x the derivatives are 2 w x and 2 x") {
  network<backend> model;
  auto const w = model.add_parameter("w", role::weight, cpu::filled<double>({1, 1, 1, 1}, 3));
  using convolution = nn::conv2d<backend::conv_geometry>;
  auto const once = model.add_node("once", convolution{0, w, std::nullopt, {}});
  model.set_features(model.add_node("twice", convolution{once, w, std::nullopt, {}}));
  auto const x = cpu::filled<double>({1, 1, 1, 1}, 5);
  auto trace = model.forward(x);
  CHECK(trace.output().data()[0] == 3 * 3 * 5);
  auto const one = [](auto const& p) {
    return cotangents<std::remove_cvref_t<decltype(p.output)>>{cpu::filled<double>({1, 1, 1, 1}, 1), std::nullopt};
  };
  auto const g = model.retained_backward(trace, one);
  CHECK(g[0]->data()[0] == 2 * 3 * 5);
  gradients<cpu::array<double>> const v{cpu::filled<double>({1, 1, 1, 1}, 7)};
  CHECK(model.hessian_vector_product(trace, one, v)[0]->data()[0] == 2 * 5 * 7);
  CHECK(model.synaptic_flow({1, 1, 1, 1})[0]->data()[0] == 2 * 3);
  CHECK_THROWS_WITH_AS((void)model.sample_squared_gradients(trace, one(prediction_of(model, trace))),
                       doctest::Contains("two layers share"), lnpt::error);
}

TEST_CASE("the flow through activations and gates is that of the definition, far from 1 too") {
  using f = activation_function;
  for (double const size : {1.0, 1e9, 1e-12})
    for (auto const& function : {f::leaky_relu(0.1), f::elu(0.7), f{activation_kind::silu}, f{activation_kind::hardswish},
                                 f{activation_kind::gelu}, f{activation_kind::sigmoid}, f{activation_kind::tanh}, f::relu6()}) {
      CAPTURE(size);
      CAPTURE(static_cast<int>(function.kind));
      builder net(2, 3);
      auto const x = net.activation(net.conv2d("conv", net.input(), 4), function);
      auto const gate = net.activation(net.conv2d("gate", net.adaptive_average_pool(x, 1), 4, {.kernel = 1, .padding = 0}),
                                       {activation_kind::sigmoid});
      auto const y = net.join(net.affine_constant(net.multiply(x, gate), 0.5, 2), net.prelu("prelu", x));
      net.classifier("fc", net.global_average_pool(net.conv2d("last", y, 3)), 3);
      auto model = std::move(net).build();
      for (auto& w : *model.parameters()[0].value) w *= size;
      auto const native = model.synaptic_flow({1, 2, 5, 6}), defined = detail::flow_by_absolute_values(model, {1, 2, 5, 6});
      for (std::size_t i = 0; i < native.size(); ++i) {
        REQUIRE(native[i].has_value() == defined[i].has_value());
        if (!native[i]) continue;
        double largest = 0, worst = 0;
        for (std::size_t k = 0; k < native[i]->size(); ++k) {
          largest = std::max(largest, std::abs(defined[i]->data()[k]));
          worst = std::max(worst, std::abs(native[i]->data()[k] - defined[i]->data()[k]));
        }
        CHECK(worst <= 1e-12 * largest);
      }
    }
}

TEST_CASE("running statistics move a tenth of the way to the batch's mean and unbiased variance, as PyTorch's do") {
  builder net(1);
  net.batch_norm("bn", net.input());
  auto model = std::move(net).build();
  // 1, 2, 3, 6: mean 3, biased variance 3.5, unbiased 14/3.
  auto const x = tensor_traits<cpu::array<double>>::make({2, 1, 1, 2}, std::vector<double>{1, 2, 3, 6});
  auto const trace = model.forward(x, {norm_mode::train});
  CHECK(values_of(trace.output())[0] == doctest::Approx((1 - 3) / std::sqrt(3.5 + 1e-5)));
  model.update_running_statistics(trace);
  CHECK(values_of(*model.buffers()[0].value)[0] == doctest::Approx(0.3));
  CHECK(values_of(*model.buffers()[1].value)[0] == doctest::Approx(0.9 + 0.1 * 14 / 3));
  CHECK(model.forward(x).output().data()[0] == doctest::Approx((1 - 0.3) / std::sqrt(0.9 + 0.1 * 14 / 3 + 1e-5)));
}
